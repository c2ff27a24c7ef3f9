"""The maps of a result, to compare with those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.core.image_arrays import is_plane

if TYPE_CHECKING:
    from mlflow_interp.kinds.saliency.result import SaliencyResult

#: The map that stands for all where there is room for one.
SHOWN = "integrated_gradients"


def maps(result: SaliencyResult) -> dict[str, np.ndarray]:
    """The signed maps by name, summed over channels."""
    images = result.examples.images
    size = None if images is None else images.shape[1:3]
    return {name: _summed(each, size) for name, each in result.maps.items()}


def _summed(values: np.ndarray, size: tuple[int, ...] | None) -> np.ndarray:
    """Maps (n, …, channels) or (n, channels, height, width) as (n, …)."""
    if values.ndim == 2 or (values.ndim == 3 and is_plane(*values.shape[1:])):
        return values
    channels_first = values.ndim == 4 and values.shape[1:3] != size == values.shape[2:]
    return np.asarray(values.sum(axis=1 if channels_first else -1))
