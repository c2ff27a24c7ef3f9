"""Two versions of a model on the same inputs: what changed, and whether the change is accepted."""
