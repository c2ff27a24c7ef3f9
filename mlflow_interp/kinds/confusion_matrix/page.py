"""The page of a confusion matrix: every cell with its numbers and the mistakes behind it, over steps."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.page import render
from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.confusion_matrix.ordering import ORDERS, class_order, clustered
from mlflow_interp.kinds.confusion_matrix.text import headline

if TYPE_CHECKING:
    from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult

MOST_MISTAKES, LEAST_OF_A_STEP = 1_200, 40  # on a page, which must open in a moment
_SHADES = 33


def page(
    result: ConfusionMatrixResult, *, normalize: str = "true", order: str = "given", colormap: str = "Blues"
) -> str:
    """A page that opens offline: the matrix, its cells' numbers, the mistakes behind each, every class."""
    return page_over({0: result}, normalize=normalize, order=order, colormap=colormap)


def page_over(
    results: Mapping[int, ConfusionMatrixResult],
    *,
    normalize: str = "true",
    order: str = "given",
    colormap: str = "Blues",
) -> str:
    """The same page with a slider over steps, such as epochs.

    Args:
        results: by step, of the same classes.
        normalize: what colours are at first, see `draw`.
        order: the order of classes at first; clusters are those of the last step.
        colormap: see `draw`; where the page is dark, reversed if it starts light.

    Raises:
        InputsError: no steps, or steps of different classes.
        OptionError: no such colormap or order.
    """
    if len({(result.counts.shape, result.names) for result in results.values()}) != 1:
        raise InputsError(
            f"{len(results)} steps of different classes; give one or more, all of the same classes"
        )
    last = list(results.values())[-1]
    class_order(last.matrix, order)
    asked = {"normalize": normalize, "order": order, "shades": _shades(colormap)}
    return render(
        "kinds/confusion_matrix/page.html",
        "kinds/confusion_matrix/page.js",
        plotly=True,
        title="Confusion matrices" if last.multi_label else "Confusion matrix",
        steps=len(results),
        multi=last.multi_label,
        weighted=last.weighted is not None,
        orders=[name for name in ORDERS if name != "cluster" or not last.multi_label],
        data=asked | _data(results, last),
    )


def _data(results: Mapping[int, ConfusionMatrixResult], last: ConfusionMatrixResult) -> dict[str, Any]:
    """What the page's script is told of all steps."""
    pictures = _Pictures()
    most = max(LEAST_OF_A_STEP, MOST_MISTAKES // len(results))
    return {
        "names": list(last.names),
        "multi": last.multi_label,
        "weighted": last.weighted is not None,
        "steps": [_step(step, result, pictures, most) for step, result in results.items()],
        "pictures": pictures.sources,
        "cluster": None if last.multi_label else clustered(last.matrix).tolist(),
    }


def _step(step: int, result: ConfusionMatrixResult, pictures: _Pictures, most: int) -> dict[str, Any]:
    """One step: what stands in the cells that are not empty, and mistakes."""
    counts = result.counts.ravel()
    filled = np.flatnonzero(counts)
    sums = None if result.weighted is None else _packed(result.weighted.ravel()[filled], np.float32)
    return {
        "step": step,
        "headline": list(headline(result)),
        "cells": _packed(filled, np.uint32),
        "counts": _packed(counts[filled], np.uint32),
        "sums": sums,
        "mistakes": [_mistake(result, at, pictures) for at in _chosen(result.cells, most)],
    }


def _packed(values: np.ndarray, kind: Any) -> str:
    return base64.b64encode(values.astype(kind).astype(np.dtype(kind).newbyteorder("<")).tobytes()).decode()


def _chosen(cells: np.ndarray, most: int) -> list[int]:
    """At most so many mistakes: the first of every cell, then the second, and so on."""
    seen: Counter[tuple[int, ...]] = Counter()
    ranks = []
    for cell in map(tuple, cells.tolist()):
        seen[cell] += 1
        ranks.append(seen[cell])
    return sorted(sorted(range(len(ranks)), key=ranks.__getitem__)[:most])


def _mistake(result: ConfusionMatrixResult, at: int, pictures: _Pictures) -> dict[str, Any]:
    examples = result.examples
    said = zip(examples.classes[at].tolist(), examples.probabilities[at].tolist(), strict=False)
    return {
        "cell": result.cells[at].tolist(),
        "name": examples.names[at],
        "said": [[index, round(chance, 4)] for index, chance in said],
        "picture": None if result.thumbnails is None else pictures.place(result.thumbnails[at]),
    }


class _Pictures:
    """Thumbnails as data: URIs, each once, however many steps and cells it stands behind."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self._places: dict[bytes, int] = {}

    def place(self, pixels: np.ndarray) -> int:
        """Where a thumbnail (h, w, 3) uint8 stands in `sources`."""
        key = pixels.tobytes()
        if key not in self._places:
            self._places[key] = len(self.sources)
            self.sources.append(style.data_uri(pixels, lossless=max(pixels.shape[:2]) <= 32))
        return self._places[key]


def _shades(colormap: str) -> list[str]:
    colours = style.find_colormap(colormap)(np.linspace(0, 1, _SHADES), bytes=True)
    return ["#" + "".join(f"{part:02x}" for part in colour[:3]) for colour in colours.tolist()]
