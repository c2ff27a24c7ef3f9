"""What a metric means, in a line."""

from __future__ import annotations

import re

from mlflow_interp.exceptions import OptionError
from mlflow_interp.method_registry import kind_of

_COMMON = {
    "inputs": "number of inputs",
    "accuracy": "share of labelled inputs that are predicted correctly",
    "target_probability": "mean probability of the explained class",
    "target_value": "mean of the explained value",
    "mass_inside": "share of the heat that lies inside the marked regions, mean over inputs",
    "pointing_game": "share of inputs whose strongest heat lies inside the marked regions",
    "region_share": "share of an input that its marked regions cover, mean over inputs",
}


def meaning_of(method: str, metric: str) -> str:
    """The meaning of a method's metric; "" if it is not known, as for a method whose package is gone.

    Args:
        method: the method.
        metric: its metric, such as "cosine/early" for the layer `early`, or "confused_pair_1".
    """
    name = re.sub(r"_\d+$", "", metric.split("/")[0])
    try:
        meanings = kind_of(method).meanings
    except (OptionError, ImportError):
        meanings = {}
    return _COMMON.get(name) or meanings.get(name, "")
