"""Import TensorFlow quietly, once it is clear that Keras runs on it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from mlflow_interp.exceptions import OptionError


def check_backend() -> None:
    """Check that Keras runs on TensorFlow, without importing either.

    Raises:
        OptionError: KERAS_BACKEND or Keras' configuration file chooses another backend.
    """
    keras: Any = sys.modules.get("keras")
    backend = keras.config.backend() if hasattr(keras, "config") else _chosen_backend()
    if backend != "tensorflow":
        raise OptionError(
            f"Keras uses the backend {backend!r}, but only TensorFlow is supported; set "
            "KERAS_BACKEND=tensorflow before Keras is imported"
        )


def _chosen_backend() -> str:
    """The backend that Keras will use, from the environment, else from its configuration file."""
    if chosen := os.environ.get("KERAS_BACKEND"):
        return chosen
    home = os.environ.get("KERAS_HOME")
    file = (Path(home) if home else Path.home() / ".keras") / "keras.json"
    try:
        return str(json.loads(file.read_text(encoding="utf-8")).get("backend", "tensorflow"))
    except (OSError, ValueError, AttributeError):
        return "tensorflow"


def import_quietly() -> None:
    """Import TensorFlow and list its devices with stderr redirected, as no setting hides their messages."""
    stderr = os.dup(2)
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, 2)
        import tensorflow as tf

        tf.config.list_physical_devices()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)


_limit: int | None = None  # of threads, where this process shares a machine with others


def allowed_threads() -> int:
    """The number of threads that may work at a time: the cores, or fewer after `limit_threads`."""
    cores = os.cpu_count() or 1
    return cores if _limit is None else min(cores, _limit)


def limit_threads(count: int | None) -> None:
    """Limit the threads of this process, those of TensorFlow unless it runs already; None for no limit."""
    if count is None:
        return
    global _limit
    _limit = count
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # TensorFlow runs already
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1)
