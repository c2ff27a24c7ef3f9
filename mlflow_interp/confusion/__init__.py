"""Confusion matrices: counting, measuring, reading predictions, keeping mistakes."""

from mlflow_interp.confusion.at_hand import from_predictions
from mlflow_interp.confusion.counting import Counter
from mlflow_interp.confusion.result import ConfusionMatrixResult

__all__ = ["ConfusionMatrixResult", "Counter", "from_predictions"]
