"""A method for mlflow_interp from another package: whether probabilities are reliable."""
