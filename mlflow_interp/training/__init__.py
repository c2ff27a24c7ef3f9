"""Interpretation while a model is trained: seen in the training process, drawn and logged beside it."""
