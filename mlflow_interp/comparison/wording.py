"""Numbers with their intervals, as text."""

from __future__ import annotations

from mlflow_interp.comparison.statistics import Interval


def fall(drop: Interval) -> str:
    """A fall, or a rise, such as "falls by 3.2 % (0.9 to 5.5 %)"."""
    return f"{'falls' if drop.value >= 0 else 'rises'} by {size(drop)}"


def size(change: Interval) -> str:
    """A change without its sign."""
    return points(change if change.value >= 0 else change.flipped())


def points(interval: Interval) -> str:
    """A fraction in per cent with its interval, such as "3.2 % (0.9 to 5.5 %)"."""
    value, low, high = (number(100 * each, 1) for each in (interval.value, interval.low, interval.high))
    return f"{value} % ({low} to {high} %)"


def percent(interval: Interval) -> str:
    """The same without decimals."""
    value, low, high = (number(100 * each, 0) for each in (interval.value, interval.low, interval.high))
    return f"{value} % ({low} to {high} %)"


def signed(interval: Interval) -> str:
    """A number with its interval, such as "0.12 (0.03 to 0.21)"."""
    value, low, high = (number(each, 3) for each in (interval.value, interval.low, interval.high))
    return f"{value} ({low} to {high})"


def number(value: float, decimals: int) -> str:
    """A number with a minus sign, and no sign for zero."""
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")
