"""A method for mlflow_interp that another package brings: whether probabilities can be believed."""
