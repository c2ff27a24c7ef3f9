"""Import TensorFlow without the messages that its C++ side prints."""

from __future__ import annotations

import os


def import_quietly() -> None:
    """Import TensorFlow and list its devices, with stderr redirected: no setting hides their messages."""
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
