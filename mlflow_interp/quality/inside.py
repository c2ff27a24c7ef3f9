"""How much of a map lies inside a region."""

from __future__ import annotations

import numpy as np


def mass_inside(heat: np.ndarray, region: np.ndarray) -> float:
    """The share of the positive heat that lies inside; NaN without any.

    Relevance mass accuracy of Arras et al. 2022, https://doi.org/10.1016/j.inffus.2021.11.008.

    Args:
        heat: (*sides) signed.
        region: (*sides) bool.
    """
    positive = np.maximum(np.asarray(heat, np.float64), 0)
    total = positive.sum()
    return float(positive[region].sum() / total) if total > 0 else np.nan


def maximum_inside(heat: np.ndarray, region: np.ndarray) -> float:
    """Whether the largest heat lies inside: 0 or 1; of several equal ones, the share that does.

    The pointing game of Zhang et al. 2018, https://doi.org/10.1007/s11263-017-1059-x, without its tolerance
    of 15 pixels. NaN for a map without positive heat.

    Args:
        heat: (*sides) signed.
        region: (*sides) bool.
    """
    largest = heat.max()
    return float(region[heat == largest].mean()) if largest > 0 else np.nan
