"""Measures of one map, or of two maps of the same input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlflow_interp.core.resampling import resampled_medians

SUBSETS = 128
SUBSET_SHARE = 0.2  # of the cells
MOST_CELLS = 16  # along each axis
TOP_SHARE = 0.2  # of the positions, whose overlap two maps are compared by


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rank correlation of rows (n, d), ties with their mean rank; NaN where one is constant or not finite."""
    import pandas as pd

    finite = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    one, two = (
        pd.DataFrame(np.asarray(each, np.float64)).rank(axis=1).to_numpy() for each in (first, second)
    )
    one, two = (each - each.mean(axis=1, keepdims=True) for each in (one, two))
    norms = np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (one * two).sum(axis=1) / norms
    return np.asarray(np.where(finite & (norms > 0), found, np.nan))


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The share of the strongest fifth of positions that two maps (n, d) have in common."""
    count = max(1, round(TOP_SHARE * first.shape[1]))
    strongest = [np.argsort(-each, axis=1, kind="stable")[:, :count] for each in (first, second)]
    common = [len(np.intersect1d(*pair)) for pair in zip(*strongest, strict=True)]
    return np.asarray(np.array(common, float) / count)


def gini(maps: np.ndarray) -> np.ndarray:
    """The Gini coefficient of the magnitudes of each map (n, d): 0 uniform, near 1 a single spot."""
    values = np.sort(np.abs(maps), axis=1)
    count = values.shape[1]
    total = values.sum(axis=1)
    weighted = (values * (2 * np.arange(1, count + 1) - count - 1)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(total > 0, weighted / (count * total), np.nan))


def relative_distance(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """‖other − map‖ / ‖map‖ of each row (n, d); NaN where a map is all zero."""
    norms = np.linalg.norm(maps, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(norms > 0, np.linalg.norm(others - maps, axis=1) / norms, np.nan))


def distance_to_others(maps: np.ndarray) -> np.ndarray:
    """The median relative distance of each map (n, d) from those of the other inputs; NaN without any."""
    values = np.asarray(maps, np.float64)
    products = values @ values.T
    squares = np.diag(products)
    distances = np.sqrt(np.maximum(squares[:, np.newaxis] + squares - 2 * products, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = distances / np.sqrt(squares)[:, np.newaxis]
    relative[~np.isfinite(relative)] = np.nan
    return np.array([median(np.delete(row, at)) for at, row in enumerate(relative)])


def median(values: np.ndarray) -> float:
    """The median of finite values; NaN without any."""
    finite = np.asarray(values)[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else np.nan


def median_of_rows(values: np.ndarray) -> np.ndarray:
    """The median of the finite values of each row; NaN for a row without any."""
    return np.array([median(row) for row in values])


def interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The bounds of the 95 % bootstrap interval of the median of finite values; NaN without any."""
    finite = np.asarray(values)[np.isfinite(values)]
    if not len(finite):
        return np.nan, np.nan
    resampled = resampled_medians(finite, np.random.default_rng(seed), None)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(low), float(high)


def cells_of(grid: Sequence[int]) -> tuple[int, ...]:
    """The cells that subsets are drawn from: those of a heatmap's grid, at most `MOST_CELLS` an axis."""
    return tuple(min(MOST_CELLS, cells) for cells in grid)


def subsets(cells: Sequence[int], seed: int) -> np.ndarray:
    """Random subsets of cells, the same for all inputs: (SUBSETS, *cells) bool."""
    count = int(np.prod(cells))
    size = max(1, round(SUBSET_SHARE * count))
    rng = np.random.default_rng([seed, *cells])
    order = np.argsort(rng.random((SUBSETS, count)), axis=1)
    chosen = np.zeros((SUBSETS, count), bool)
    np.put_along_axis(chosen, order[:, :size], True, axis=1)
    return chosen.reshape(SUBSETS, *cells)


def spread(cells: np.ndarray, sides: Sequence[int]) -> np.ndarray:
    """Values of cells (n, *cells) at each position (n, *sides): those of the cell that it lies in."""
    values = cells
    for axis, side in enumerate(sides, start=1):
        values = values.take(np.arange(side) * values.shape[axis] // side, axis=axis)
    return values


def pooled(maps: np.ndarray, cells: Sequence[int]) -> np.ndarray:
    """Maps (n, *grid) summed within each cell: (n, *cells)."""
    values = np.asarray(maps, np.float64)
    for axis, count in enumerate(cells, start=1):
        side = values.shape[axis]
        starts = np.searchsorted(np.arange(side) * count // side, np.arange(count))
        values = np.add.reduceat(values, starts, axis=axis)
    return values
