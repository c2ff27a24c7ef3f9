"""Measures how far the heatmaps of a chunk lie inside the regions that come with its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.localization import Localization
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.regions import REGIONS
from mlflow_interp.engine.method import Method
from mlflow_interp.exceptions import InputsError
from mlflow_interp.quality.inside import mass_inside, maximum_inside
from mlflow_interp.quality.rankings import enlarged


def localized(method: Method[Any], chunk: Chunk, passed: Passed) -> Passed:
    """The outputs for a method, with the arrays of a `Localization` if inputs have regions and it makes maps.

    Raises:
        InputsError: regions with another number of axes than the maps.
    """
    regions = chunk.columns.get(REGIONS)
    maps = {} if regions is None else method.measured_maps(passed.arrays)
    if regions is None or not maps:
        return passed
    targets = passed.arrays.get("targets")
    found = [
        None if each is None else each.of(None if targets is None else int(targets[row]))
        for row, each in enumerate(regions)
    ]
    share = np.array([np.nan if each is None else each.mean() for each in found])
    localization = Localization.of(share, *_measured(maps, found))
    return replace(passed, arrays={**passed.arrays, **localization.arrays()})


def _measured(
    maps: Mapping[str, np.ndarray], regions: list[np.ndarray | None]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    mass, maximum = ({name: np.full(len(regions), np.nan) for name in maps} for _ in range(2))
    for name, each in maps.items():
        for row, region in enumerate(regions):
            if region is not None:
                heat = _by_position(each[row], region.shape)
                mass[name][row] = mass_inside(heat, region)
                maximum[name][row] = maximum_inside(heat, region)
    return mass, maximum


def _by_position(heat: np.ndarray, sides: tuple[int, ...]) -> np.ndarray:
    """A map at the positions of the input: summed over channels if it has any, and resampled.

    Raises:
        InputsError: it has other axes than the regions.
    """
    if heat.shape[:-1] == sides:
        heat = heat.sum(axis=-1)
    elif heat.shape[1:] == sides:
        heat = heat.sum(axis=0)
    if heat.ndim != len(sides):
        shapes = ["×".join(map(str, shape)) for shape in (sides, heat.shape)]
        raise InputsError(
            f"masks of {shapes[0]} positions don't fit heatmaps of {shapes[1]}; give masks with an axis for "
            "each axis of the heatmaps"
        )
    return np.asarray(enlarged(heat[np.newaxis], sides)[0])
