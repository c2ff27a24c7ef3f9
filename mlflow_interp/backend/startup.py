"""TensorFlow, imported without what its C++ side prints on the way."""

from __future__ import annotations

import os


def import_quietly() -> None:
    """Import TensorFlow and look for devices; what is printed meanwhile no setting would keep back."""
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import tensorflow as tf

        tf.config.list_physical_devices()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
