"""The arrays of an earlier interpretation."""

from __future__ import annotations

import numpy as np

from mlflow_interp.core.paths import local_path
from mlflow_interp.exceptions import InputsError, ModelError, first_line
from mlflow_interp.models import artifact_store

ARRAYS = "arrays.npz"


def read_arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays in the folder of an interpretation, or in a .npz file, by name; both may be artifact URIs.

    Raises:
        InputsError: there are no arrays, or they can't be read.
    """
    try:
        path = artifact_store.fetch(name) if artifact_store.is_uri(name) else local_path(name)
    except ModelError as error:
        raise InputsError(str(error)) from error
    path = path / ARRAYS if path.is_dir() else path
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays}
    except Exception as error:
        reason = first_line(error)
        raise InputsError(
            f"no arrays can be read from {name!r}: {reason}; give the folder of an interpretation, "
            "or a .npz file"
        ) from error
