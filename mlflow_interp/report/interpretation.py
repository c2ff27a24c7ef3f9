"""One interpretation: as returned to the caller, and as the files that are logged."""

from __future__ import annotations

import base64
import inspect
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core.accepted import check
from mlflow_interp.core.result import HasDifference, Result
from mlflow_interp.drawing import style
from mlflow_interp.exceptions import InputsError, InterpretationWarning, OptionError, nearest
from mlflow_interp.method_registry import kind_of, resolve
from mlflow_interp.report.files import files_of_any
from mlflow_interp.report.folder import FIGURE, new_place, write_folder
from mlflow_interp.report.manifest import complete_manifest


@dataclass(frozen=True, eq=False)
class Interpretation:
    """The result of one method, with its figure, manifest and location.

    Attributes:
        method: the method's name.
        result: the raw result; its fields, such as `heatmaps`, can be read from here directly.
        manifest: everything needed to reproduce it.
        run_id: the MLflow run that holds it, None if nothing was logged.
        artifact_path: its folder among that run's artifacts.
        folder: its folder on this machine, None if it was not saved.
    """

    method: str
    result: Result
    _figure: Any = field(repr=False)
    manifest: Mapping[str, Any]
    run_id: str | None
    artifact_path: str | None
    _files: Mapping[str, bytes] = field(repr=False)
    folder: Path | None = None

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The raw results by name, plain NumPy."""
        return self.result.arrays()

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics that were logged, by name."""
        return self.result.metrics()

    @cached_property
    def figure(self) -> Any:
        """The matplotlib figure; drawn on first use if the interpretation was loaded."""
        return self.draw() if self._figure is None else self._figure

    def draw(self, ax: Any = None, *, panel: int | str = 0, **options: Any) -> Any:
        """Draw the result again: the whole figure, or one panel of it in your own axes.

        Args:
            ax: The matplotlib axes to draw a panel into. By default a new figure is drawn.
            panel: The panel to draw into `ax`, by its index or its name: an input for heatmaps, saliency
                maps and caricatures, a layer for an embedding, or a label for a confusion matrix whose
                inputs have several labels.
            **options: Options for drawing, such as `colormap`. By default those of the interpretation.

        Returns:
            The figure, or `ax`.

        Raises:
            OptionError: no such panel or option, or a value out of range.
        """
        kind = kind_of(self.method)
        annotations = self._drawing_annotations()
        for name, value in options.items():
            if name not in annotations:
                raise OptionError(
                    f"the figure of {self.method} has no option {name!r}{nearest(name, annotations)}"
                )
            check(name, annotations[name], value)
        options = self._drawing_options() | options
        if ax is None:
            return kind.draw(self.result, **options)
        kind.draw_panel(ax, self.result, panel, **options)
        return ax

    def _drawing_options(self) -> dict[str, Any]:
        """The options that the figure was drawn with."""
        drawn = self.manifest.get("parameters", {})
        return {name: drawn[name] for name in self._drawing_annotations() if name in drawn}

    def _drawing_annotations(self) -> dict[str, Any]:
        """The types of all options of drawing, by name."""
        draw = kind_of(self.method).draw
        return {
            each.name: resolve(each.annotation, draw)
            for each in inspect.signature(draw).parameters.values()
            if each.kind is inspect.Parameter.KEYWORD_ONLY
        }

    def __sub__(self, other: Any) -> Interpretation:
        """The difference from another interpretation by the same kind of method.

        Inputs are matched by digest, or by position and name if digests are not known. The result is
        `self.result.difference(other.result)`.

        Raises:
            InputsError: the results are of different kinds, or do not match.
        """
        if not isinstance(other, Interpretation):
            return NotImplemented
        if kind_of(self.method) != kind_of(other.method) or not isinstance(self.result, HasDifference):
            raise InputsError(
                f"{self.method} and {other.method} give different kinds of results, which can't be subtracted"
            )
        result = self.result.difference(other.result)
        for warning in result.warnings():
            warnings.warn(warning, InterpretationWarning, stacklevel=2)
        sides = {"minuend": _identity(self), "subtrahend": _identity(other)}
        manifest = {
            "method": self.method,
            "difference": sides,
            "parameters": self._drawing_options(),
            "metrics": result.metrics(),
            "warnings": result.warnings(),
        }
        return Interpretation(self.method, result, None, manifest, None, None, {})

    def save(self, folder: str | Path) -> Path:
        """Write the figure, page, tables, arrays and manifest to a new folder below `folder`; return it.

        A difference has no page.
        """
        folder = Path(folder).expanduser()
        if "difference" not in self.manifest:
            target = folder / new_place(folder, self.method)
            write_folder(target, self._files, self.manifest)
            return target
        files = files_of_any(self.result, self.figure)
        target = folder / new_place(folder, f"{self.method}-difference")
        write_folder(target, files, complete_manifest(self.manifest, files))
        return target

    @cached_property
    def _png(self) -> bytes:
        return self._files[FIGURE] if FIGURE in self._files else style.png(self.figure)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.result, name)

    def _repr_png_(self) -> bytes:
        return self._png

    def _repr_html_(self) -> str:
        encoded = base64.b64encode(self._png).decode()
        return f'<img alt="{self.method}" src="data:image/png;base64,{encoded}">'


def _identity(interpretation: Interpretation) -> dict[str, Any]:
    """What a manifest says about one side of a difference."""
    manifest = interpretation.manifest
    names = ("method", "created", "model", "inputs", "step", "difference")
    held = {name: manifest[name] for name in names if name in manifest}
    return held | {"run_id": interpretation.run_id, "artifact_path": interpretation.artifact_path}


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
