"""Interpretation during training: computed in the training process, drawn and logged by a worker process."""
