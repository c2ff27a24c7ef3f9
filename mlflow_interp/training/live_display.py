"""Show the latest figures during training: in a notebook, in TensorBoard."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow_interp.backend.tensorboard import ImageWriter
from mlflow_interp.exceptions import OptionError


class LiveDisplay:
    """Shows figures when the worker reports that they were drawn.

    Args:
        display: whether to show them in the notebook.
        tensorboard: the folder that TensorBoard reads; None to write nothing for TensorBoard.
    """

    def __init__(self, *, display: bool, tensorboard: str | None) -> None:
        self._handles: dict[str, Any] = {}
        self._writer: ImageWriter | None = None
        self._display = display
        self._folder = tensorboard

    @classmethod
    def of(cls, *, display: bool, tensorboard: str | None) -> LiveDisplay | None:
        """A display, or None if no figure is to be shown.

        Raises:
            OptionError: TensorBoard or IPython is needed but not installed.
        """
        if display and importlib.util.find_spec("IPython") is None:
            raise OptionError(
                "display=True needs IPython, which is not installed; use it in a notebook, or omit it"
            )
        if tensorboard and importlib.util.find_spec("tensorboard") is None:
            raise OptionError(
                "tensorboard= needs TensorBoard, which is not installed; run: "
                "pip install 'mlflow-interp[tensorboard]'"
            )
        return cls(display=display, tensorboard=tensorboard) if display or tensorboard else None

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Show the figure of an event, if it has one."""
        if "figure" not in event:
            return
        png = event["figure"]
        if self._display:
            self._show(event["drawn"], png)
        if self._folder is not None:
            self._write(event["drawn"], int(event["step"]), png)

    def _show(self, method: str, png: bytes) -> None:
        from IPython.display import Image, display

        if method in self._handles:
            self._handles[method].update(Image(data=png))
        else:
            self._handles[method] = display(Image(data=png), display_id=True)

    def _write(self, method: str, step: int, png: bytes) -> None:
        if self._writer is None:
            self._writer = ImageWriter(Path(str(self._folder)) / "interpretations")
        self._writer.write(f"interpretations/{method}", png, step)
