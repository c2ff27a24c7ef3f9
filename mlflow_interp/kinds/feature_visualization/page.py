"""The page of feature visualisations: all features, each with its images and the strongest inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.page import render
from mlflow_interp.drawing.tone import drawn
from mlflow_interp.kinds.feature_visualization.figure import (
    headline,
    input_lines,
    meaning,
    measures,
    number,
    title_of,
)

if TYPE_CHECKING:
    from mlflow_interp.kinds.feature_visualization.result import FeatureVisualizationResult

_SMALL = 32  # pixels up to which an image is stored without losses and enlarged pixel by pixel
_CLASSES = {style.FAINT: "faint", style.WRONG: "wrong"}


def page(result: FeatureVisualizationResult) -> str:
    """A page that works offline, without a script."""
    return render(
        "kinds/feature_visualization/page.html",
        title=title_of(result),
        headline=headline(result),
        meaning=meaning(result),
        small=_is_small(result.images[0, 0]),
        features=[_feature(result, at) for at in range(len(result.names))],
    )


def _feature(result: FeatureVisualizationResult, at: int) -> dict[str, Any]:
    """A feature with its images and inputs."""
    images = zip(result.images[at], result.objectives[at].tolist(), strict=True)
    return {
        "name": result.names[at],
        "numbers": " · ".join(measures(result, at)),
        "images": [
            {"source": _source(drawn(image)), "reached": number(reached) if result.diversity > 1 else ""}
            for image, reached in images
        ],
        "inputs": [_input(result, at, rank) for rank in range(result.strongest.shape[1])],
    }


def _input(result: FeatureVisualizationResult, at: int, rank: int) -> dict[str, Any]:
    pixels = None if result.pictures is None else result.pictures[at, rank]
    return {
        "source": None if pixels is None else _source(pixels),
        "small": pixels is not None and _is_small(pixels),
        "lines": [(text, _CLASSES.get(colour, "")) for text, colour in input_lines(result, at, rank)],
    }


def _is_small(pixels: np.ndarray) -> bool:
    return bool(max(pixels.shape[:2]) <= _SMALL)


def _source(pixels: np.ndarray) -> str:
    return style.data_uri(pixels, lossless=_is_small(pixels))
