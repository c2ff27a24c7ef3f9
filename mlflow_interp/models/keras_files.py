"""Read .keras and HDF5 files of Keras 3 and Keras 2; errors take one line."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

from mlflow_interp.exceptions import ModelError, reason_of
from mlflow_interp.models import keras2
from mlflow_interp.models.custom_objects import registered_classes
from mlflow_interp.models.sandbox import check_file

SUFFIXES = (".keras", ".h5", ".hdf5")
LONGEST_REASON = 200  # characters quoted of another library's error
TRUST = "pass trust_model_code=True (--trust-model-code) if you trust its source"


def check_name(path: Path) -> None:
    """Check that a file has the name and the size of a Keras file.

    Raises:
        ModelError: it is not a Keras file, or it is empty.
    """
    if path.suffix not in SUFFIXES:
        raise ModelError(f"{str(path)!r} is not a Keras file; give a .keras or .h5 file")
    if path.stat().st_size == 0:
        raise ModelError(f"{str(path)!r} is empty (0 bytes); save or copy the model again")


def read(path: Path, trusted: bool) -> Any:
    """Read the model in a Keras file, running none of its code unless it is trusted.

    Raises:
        ModelError: it is not a Keras file, is damaged, or needs code that is missing or not trusted.
    """
    import keras

    check_name(path)
    if not trusted:
        check_file(path)
    try:
        if _keras_version(path).startswith("2."):
            model = keras2.read(path, trusted)
        else:
            model = keras.saving.load_model(
                path, custom_objects=registered_classes(), compile=False, safe_mode=not trusted
            )
        if path.suffix != ".keras":
            keras2.finalize(model)
    # Damaged files raise almost anything: OSError, KeyError, zlib.error, JSONDecodeError, …
    except Exception as error:
        raise ModelError(_load_error_message(path, error)) from error
    return model


def _load_error_message(path: Path, error: Exception) -> str:
    reason = shortened(error)
    if "safe_mode" in str(error) or "unsafe" in str(error).lower():
        return f"{path.name!r} contains code (a Lambda layer), which is not run; {TRUST}"
    unknown = re.search(r"(Could not locate|Unknown) [^.\n]*", str(error))
    if unknown:
        return (
            f"{path.name!r} needs a class that is not registered with Keras: {unknown[0]}; pass the module "
            "that registers it with @keras.saving.register_keras_serializable as imports="
        )
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        return (
            f"{path.name!r} is damaged or truncated: it is not a .keras archive; save or copy the model again"
        )
    writer = _keras_version(path)
    if writer.startswith("2."):
        return (
            f"{path.name!r} was saved by Keras {writer} in a form that Keras 3 can't read; load it with "
            f"tf_keras, rebuild the model in Keras 3 and copy the weights: {reason}"
        )
    return f"{path.name!r} can't be loaded and may be damaged; save or copy the model again: {reason}"


def _keras_version(path: Path) -> str:
    """The version of Keras that wrote a file; empty if it is not stored."""
    import h5py

    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return str(json.loads(archive.read("metadata.json"))["keras_version"])
        with h5py.File(path) as file:
            return str(file.attrs.get("keras_version", ""))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, zipfile.BadZipFile, zlib.error):
        return ""


def shortened(error: Exception) -> str:
    """The part of another library's error that messages quote."""
    return reason_of(error)[:LONGEST_REASON]
