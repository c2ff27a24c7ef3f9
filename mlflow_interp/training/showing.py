"""The latest figures shown elsewhere as training goes: in a notebook, in TensorBoard."""

from __future__ import annotations

import base64
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlflow_interp.exceptions import OptionError


class Showing:
    """Hears of figures that were drawn, and shows them.

    Args:
        display: in the notebook that this runs in.
        tensorboard: the folder that TensorBoard reads; None for none.
    """

    def __init__(self, *, display: bool, tensorboard: str | None) -> None:
        self._handles: dict[str, Any] = {}
        self._writer: Any = None
        self._display = display
        self._folder = tensorboard

    @classmethod
    def of(cls, *, display: bool, tensorboard: str | None) -> Callable[[Mapping[str, Any]], None] | None:
        """One where something is to be shown.

        Raises:
            OptionError: TensorBoard or IPython is asked for and not installed.
        """
        if display and importlib.util.find_spec("IPython") is None:
            raise OptionError("display=True needs IPython, which every notebook has; leave it out here")
        if tensorboard and importlib.util.find_spec("tensorboard") is None:
            raise OptionError("tensorboard= needs TensorBoard: pip install 'mlflow-interp[tensorboard]'")
        return cls(display=display, tensorboard=tensorboard) if display or tensorboard else None

    def __call__(self, said: Mapping[str, Any]) -> None:
        """Show a figure, if it is one that was told of."""
        if "picture" not in said:
            return
        png = base64.b64decode(said["picture"])
        if self._display:
            self._show(said["drawn"], png)
        if self._folder is not None:
            self._write(said["drawn"], int(said["step"]), png)

    def _show(self, method: str, png: bytes) -> None:
        from IPython.display import Image, display

        if method in self._handles:
            self._handles[method].update(Image(data=png))
        else:
            self._handles[method] = display(Image(data=png), display_id=True)

    def _write(self, method: str, step: int, png: bytes) -> None:
        import tensorflow as tf

        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(Path(str(self._folder)) / "interpretations"))
        with self._writer.as_default():
            tf.summary.image(f"interpretations/{method}", tf.io.decode_png(png, 3)[tf.newaxis], step=step)
        self._writer.flush()
