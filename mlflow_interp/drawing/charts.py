"""Small charts of a metric over steps, as lines of inline SVG: nothing has to be loaded to draw them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDE, HIGH, EDGE = 200, 48, 4  # units of the drawing
MOST_CHARTS, MOST_POINTS = 24, 400


@dataclass(frozen=True)
class Chart:
    """One metric over steps.

    Attributes:
        name: the metric's.
        steps: where it was measured.
        values: what it was.
        places: "x,y" of each value, for a polyline.
    """

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    places: tuple[str, ...]


def charts(series: Mapping[str, Sequence[Sequence[float]]]) -> list[Chart]:
    """Charts of the metrics that have more than one point, the first 24."""
    drawn = [_chart(name, points) for name, points in series.items()]
    return [chart for chart in drawn if len(chart.steps) > 1][:MOST_CHARTS]


def _chart(name: str, points: Sequence[Sequence[float]]) -> Chart:
    known = [(int(step), float(value)) for step, value in points if math.isfinite(value)]
    known = known[:: math.ceil(len(known) / MOST_POINTS) or 1]
    steps, values = tuple(step for step, _ in known), tuple(value for _, value in known)
    places = zip(_scaled(steps, EDGE, WIDE - EDGE), _scaled(values, HIGH - EDGE, EDGE), strict=True)
    return Chart(str(name), steps, values, tuple(f"{across:.1f},{up:.1f}" for across, up in places))


def _scaled(values: Sequence[float], start: float, end: float) -> list[float]:
    """Values from the lowest, at `start`, to the highest, at `end`; in the middle where all are alike."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    if low == high:
        return [(start + end) / 2] * len(values)
    return [start + (value - low) / (high - low) * (end - start) for value in values]
