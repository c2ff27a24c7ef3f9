"""Small charts of a metric over steps as inline SVG, which needs no library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH = 200  # units of the drawing
HEIGHT = 48
EDGE = 4
MOST_CHARTS = 24
MOST_POINTS = 400
LEAST_SPAN = 0.1  # of a chart's height, relative to the largest value: else noise would look like a trend


@dataclass(frozen=True)
class Chart:
    """One metric over steps.

    Attributes:
        name: the name of the metric.
        steps: the steps at which it was measured.
        values: its values.
        places: "x,y" of each value, for a polyline.
    """

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    places: tuple[str, ...]


def charts(series: Mapping[str, Sequence[Sequence[float]]]) -> list[Chart]:
    """Charts of the first 24 metrics that have more than one point."""
    all_charts = [_chart(name, points) for name, points in series.items()]
    return [chart for chart in all_charts if len(chart.steps) > 1][:MOST_CHARTS]


def _chart(name: str, points: Sequence[Sequence[float]]) -> Chart:
    finite = [(int(step), float(value)) for step, value in points if math.isfinite(value)]
    finite = finite[:: math.ceil(len(finite) / MOST_POINTS) or 1]
    steps = tuple(step for step, _ in finite)
    values = tuple(value for _, value in finite)
    across = _scaled(steps, EDGE, WIDTH - EDGE)
    least = LEAST_SPAN * max(map(abs, values), default=0.0)
    places = zip(across, _scaled(values, HEIGHT - EDGE, EDGE, least), strict=True)
    return Chart(str(name), steps, values, tuple(f"{x:.1f},{y:.1f}" for x, y in places))


def _scaled(values: Sequence[float], start: float, end: float, least: float = 0.0) -> list[float]:
    """Values scaled so that the lowest is `start` and the highest `end`.

    Values that differ by less than `least` are in the middle, at the scale of `least`.
    """
    low = min(values, default=0.0)
    high = max(values, default=0.0)
    span = max(high - low, least)
    if not span:
        return [(start + end) / 2] * len(values)
    middle = (low + high) / 2
    return [(start + end) / 2 + (value - middle) / span * (end - start) for value in values]
