"""Images written for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class ImageWriter:
    """Writes images to a folder that TensorBoard reads.

    Args:
        folder: The folder of the event files.
    """

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._writer: Any = tf.summary.create_file_writer(str(folder))

    def write(self, name: str, png: bytes, step: int) -> None:
        """Write a PNG under a name and step."""
        import tensorflow as tf

        with self._writer.as_default():
            tf.summary.image(name, tf.io.decode_png(png, 3)[tf.newaxis], step=step)
        self._writer.flush()
