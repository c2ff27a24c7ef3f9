"""Models that Keras 2 saved, as HDF5 or as a .keras archive, read by Keras 3."""

from mlflow_interp.models.keras2.config import finalize, read

__all__ = ["finalize", "read"]
