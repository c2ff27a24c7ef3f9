"""The option that adds the method quality to a call, which measures the heatmaps of another method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def measured(method: str, options: Mapping[str, Any], *, quality: bool = False) -> dict[str, dict[str, Any]]:
    """What quality measures of a method: its heatmaps with the options of the call, or nothing.

    Args:
        method: The name of the method.
        options: Its own options.
        quality: Also measure whether the heatmaps can be trusted, with the method quality, which needs
            hundreds of passes per input.
    """
    return {method: dict(options)} if quality else {}
