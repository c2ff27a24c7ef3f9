"""The files of a result: figure, page, tables, arrays, view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlflow_interp.core.result import HasHistory, HasTables, Result
from mlflow_interp.drawing import style
from mlflow_interp.exceptions import ModelError
from mlflow_interp.method_registry import kind_of
from mlflow_interp.report import view_file
from mlflow_interp.report.folder import ARRAYS, FIGURE, RESULT_FILE, TABLE, VIEW_FILE
from mlflow_interp.report.formats import csv, npz, table_json, to_json

PAGE = "figure.html"
VECTORS = "figure.svg"


def draw_files(
    method: str, result: Result, options: Mapping[str, Any], *, with_page: bool = True
) -> tuple[Any, dict[str, bytes]]:
    """The matplotlib figure, and all files but the manifest, by name.

    Raises:
        ModelError: the result holds NaN or infinite values, which a figure would hide.
    """
    _check_finite(method, result.arrays())
    kind = kind_of(method)
    # Made once, as figure, page and view show the same.
    shared = () if kind.make_tiles is None else (kind.make_tiles(result, **options),)
    figure = kind.draw(result, *shared, **options)
    files = files_of_any(result, figure)
    if with_page:
        files[PAGE] = kind.page(result, *shared, **options).encode()
    if kind.facts is not None:
        files[RESULT_FILE] = to_json(kind.facts(result))
    if kind.view is not None:
        series = result.series() if isinstance(result, HasHistory) else None
        view_figure = files[FIGURE] if with_page else None  # only the last epoch's figure is shown
        view = kind.view(result, *shared, **options)
        files[VIEW_FILE] = view_file.as_json(view, figure=view_figure, series=series)
    return figure, files


def files_of_any(result: Result, figure: Any) -> dict[str, bytes]:
    """The files that differences have too: the figure and its vectors, tables and arrays."""
    files = {
        FIGURE: style.png(figure),
        VECTORS: style.svg(figure),
        TABLE: table_json(result.table()),
        ARRAYS: npz(result.arrays()),
    }
    if isinstance(result, HasTables):
        files |= {name: csv(columns) for name, columns in result.tables().items()}
    return files


def _check_finite(method: str, arrays: Mapping[str, np.ndarray]) -> None:
    names = [
        name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()
    ]
    if names:
        raise ModelError(
            f"{method} produces NaN or infinite {', '.join(names)}: an option is far out of range, or the "
            "model has NaN weights; use the default options, and check the weights"
        )
