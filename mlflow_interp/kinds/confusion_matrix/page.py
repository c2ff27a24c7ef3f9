"""The page of a confusion matrix: every cell with its numbers and errors, over steps."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.page import render
from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.confusion_matrix.mistakes import occurrence_numbers
from mlflow_interp.kinds.confusion_matrix.ordering import Order, class_order, clustered
from mlflow_interp.kinds.confusion_matrix.text import headline

if TYPE_CHECKING:
    from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult

MOST_MISTAKES = 1_200  # on a page, so that it opens quickly
LEAST_OF_A_STEP = 40
_SHADES = 33


def page(
    result: ConfusionMatrixResult, *, normalize: str = "true", order: Order = "given", colormap: str = "Blues"
) -> str:
    """A page that works offline: the matrix, the numbers and errors of each cell, every class."""
    return page_over({0: result}, normalize=normalize, order=order, colormap=colormap)


def page_over(
    results: Mapping[int, ConfusionMatrixResult],
    *,
    normalize: str = "true",
    order: Order = "given",
    colormap: str = "Blues",
) -> str:
    """The same page with a slider over steps, such as epochs.

    Args:
        results: by step, all with the same classes.
        normalize: the initial normalisation of colours, see `draw`.
        order: the initial order of classes; clusters are those of the last step.
        colormap: see `draw`; on a dark page, reversed if it starts light.

    Raises:
        InputsError: no steps, or steps with different classes.
        OptionError: no such colormap, or order="cluster" for labels.
    """
    if len({(result.counts.shape, result.names, result.unit) for result in results.values()}) != 1:
        raise InputsError(
            f"{len(results)} steps with different classes; give at least one step, all with the same classes"
        )
    last = list(results.values())[-1]
    class_order(last.matrix, order)  # checks the option
    options = {"normalize": normalize, "order": order, "shades": _shades(colormap)}
    return render(
        "kinds/confusion_matrix/page.html",
        "kinds/confusion_matrix/page.js",
        plotly=True,
        title=last.title,
        steps=len(results),
        multi=last.multi_label,
        weighted=last.weighted is not None,
        unit=last.unit,
        orders=[name for name in get_args(Order) if name != "cluster" or not last.multi_label],
        data=options | _data(results, last),
    )


def _data(results: Mapping[int, ConfusionMatrixResult], last: ConfusionMatrixResult) -> dict[str, Any]:
    """The data of all steps for the script of the page."""
    thumbnails = _Thumbnails()
    most = max(LEAST_OF_A_STEP, MOST_MISTAKES // len(results))
    return {
        "names": list(last.names),
        "multi": last.multi_label,
        "weighted": last.weighted is not None,
        "unit": last.unit,
        "steps": [_step(step, result, thumbnails, most) for step, result in results.items()],
        "pictures": thumbnails.sources,
        "cluster": None if last.multi_label else clustered(last.matrix).tolist(),
    }


def _step(step: int, result: ConfusionMatrixResult, thumbnails: _Thumbnails, most: int) -> dict[str, Any]:
    """One step: its non-empty cells, and errors."""
    counts = result.counts.ravel()
    filled = np.flatnonzero(counts)
    weights = None if result.weighted is None else _packed(result.weighted.ravel()[filled], np.float32)
    return {
        "step": step,
        "headline": list(headline(result)),
        "cells": _packed(filled, np.uint32),
        "counts": _packed(counts[filled], np.float64 if _is_wide(result) else np.uint32),
        "wide": _is_wide(result),
        "sums": weights,
        "mistakes": [_mistake(result, row, thumbnails) for row in _sample(result.cells, most)],
    }


def _is_wide(result: ConfusionMatrixResult) -> bool:
    """Whether 32-bit counts are too small, as may be the case for pixels."""
    return bool(result.counts.max() > np.iinfo(np.uint32).max)


def _packed(values: np.ndarray, dtype: Any) -> str:
    return base64.b64encode(values.astype(dtype).astype(np.dtype(dtype).newbyteorder("<")).tobytes()).decode()


def _sample(cells: np.ndarray, most: int) -> list[int]:
    """The rows of at most `most` errors: the first of every cell, then the second, and so on."""
    ranks = occurrence_numbers(map(tuple, cells.tolist()))
    return sorted(sorted(range(len(ranks)), key=ranks.__getitem__)[:most])


def _mistake(result: ConfusionMatrixResult, row: int, thumbnails: _Thumbnails) -> dict[str, Any]:
    examples = result.examples
    predictions = zip(examples.classes[row].tolist(), examples.probabilities[row].tolist(), strict=False)
    return {
        "cell": result.cells[row].tolist(),
        "name": examples.names[row],
        "predictions": [[index, round(probability, 4)] for index, probability in predictions],
        "share": None if result.shares is None else round(float(result.shares[row]), 6),
        "picture": None if result.thumbnails is None else thumbnails.index(result.thumbnails[row]),
    }


class _Thumbnails:
    """Thumbnails as data: URIs, each stored only once for all steps and cells."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self._indices: dict[bytes, int] = {}

    def index(self, pixels: np.ndarray) -> int:
        """The index in `sources` of a thumbnail (h, w, 3) uint8."""
        key = pixels.tobytes()
        if key not in self._indices:
            self._indices[key] = len(self.sources)
            self.sources.append(style.data_uri(pixels, lossless=max(pixels.shape[:2]) <= 32))
        return self._indices[key]


def _shades(colormap: str) -> list[str]:
    colours = style.find_colormap(colormap)(np.linspace(0, 1, _SHADES), bytes=True)
    return ["#" + "".join(f"{part:02x}" for part in colour[:3]) for colour in colours.tolist()]
