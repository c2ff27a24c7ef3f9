"""Confusion matrices: counted chunk by chunk, measured, drawn, with the errors behind each cell."""

from mlflow_interp.kinds.confusion_matrix.counters import Counter
from mlflow_interp.kinds.confusion_matrix.from_predictions import from_predictions
from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult

__all__ = ["ConfusionMatrixResult", "Counter", "from_predictions"]
