"""One interpretation: as returned to the caller, and as the files that are logged."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core.result import Result
from mlflow_interp.report.folder import new_place, write_folder


@dataclass(frozen=True, eq=False)
class Interpretation:
    """What one method found, drawn and written.

    Attributes:
        method: the method's name.
        result: the raw result; its fields, such as `heatmaps`, can be read from here directly.
        figure: the matplotlib figure.
        manifest: everything needed to reproduce it.
        run_id: the MLflow run that holds it, None where nothing was logged.
        artifact_path: its folder among that run's artifacts.
    """

    method: str
    result: Result
    figure: Any
    manifest: Mapping[str, Any]
    run_id: str | None
    artifact_path: str | None
    _files: Mapping[str, bytes] = field(repr=False)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The raw results by name, plain NumPy."""
        return self.result.arrays()

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics that were logged, by name."""
        return self.result.metrics()

    def save(self, folder: str | Path) -> Path:
        """Write the figure, page, table, arrays and manifest below a folder, and return where."""
        folder = Path(folder).expanduser()
        target = folder / new_place(folder, self.method)
        write_folder(target, self._files, self.manifest)
        return target

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.result, name)

    def _repr_png_(self) -> bytes:
        return self._files["figure.png"]

    def _repr_html_(self) -> str:
        encoded = base64.b64encode(self._files["figure.png"]).decode()
        return f'<img alt="{self.method}" src="data:image/png;base64,{encoded}">'


@dataclass(frozen=True)
class InterpretationFiles:
    """The files of one interpretation, to be written.

    Attributes:
        method: the name of the method.
        files: their contents by name.
        manifest: the manifest.
        series: by name, the steps and values of metrics during the computation.
        frames: steps and images (h, w, 3) uint8 during the computation.
    """

    method: str
    files: Mapping[str, bytes]
    manifest: Mapping[str, Any]
    series: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    frames: Sequence[tuple[int, np.ndarray]] = ()
