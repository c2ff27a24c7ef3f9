"""Bounds of a tensor's values, derived from its operations: whether they are probabilities.

Only bounds that hold by construction count, whatever the weights and inputs: the mean of two softmaxes, a
reshaped softmax, one minus a sigmoid. For any other operation nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_FORWARDING = ("Identity", "Cast", "EnsureShape", "StopGradient")
_RESHAPING = ("Reshape", "Squeeze", "ExpandDims", "Transpose")
_REDUCING = ("Mean", "Max", "Min")
_CLOSE = 1e-5


@dataclass(frozen=True)
class Bounds:
    """Bounds of the values of a tensor.

    Attributes:
        low: a lower bound of the values.
        high: an upper bound of the values.
        total: the sum of the values along the last axis; None if not known.
    """

    low: float = -math.inf
    high: float = math.inf
    total: float | None = None

    @property
    def are_probabilities(self) -> bool:
        """Whether each value lies in 0..1."""
        return self.low >= -_CLOSE and self.high <= 1 + _CLOSE

    @property
    def are_distributions(self) -> bool:
        """Whether the values along the last axis are the probabilities of classes that exclude each other."""
        return self.are_probabilities and self.total is not None and abs(self.total - 1) <= _CLOSE


_NOTHING = Bounds()


def bounds_of(tensor: Any) -> Bounds:
    """The bounds of the values of a traced tensor."""
    operation = tensor.op
    inputs = operation.inputs
    kind = operation.type
    if kind == "Softmax":
        return Bounds(0, 1, 1)
    if kind == "Sigmoid":
        return Bounds(0, 1)
    if kind in ("Relu", "Exp", "Softplus", "Square", "Abs"):
        return Bounds(0)
    if kind == "Relu6":
        return Bounds(0, 6)
    if kind in _FORWARDING:
        return bounds_of(inputs[0])
    if kind in _RESHAPING or kind in _REDUCING:
        return _without_axes(bounds_of(inputs[0]), inputs[0], tensor, kind)
    if kind in ("AddV2", "Add", "AddN"):
        return _sum([_bounds_or_constant(each) for each in inputs])
    if kind == "Sub":
        return _sum([_bounds_or_constant(inputs[0]), _scaled(_bounds_or_constant(inputs[1]), -1)])
    if kind in ("Mul", "RealDiv"):
        return _product(kind, inputs)
    if kind == "ConcatV2":
        return _joined([bounds_of(each) for each in inputs[:-1]])
    if kind in ("Maximum", "Minimum"):
        return _clipped(kind, [_bounds_or_constant(each) for each in inputs])
    return _NOTHING


def _without_axes(bounds: Bounds, before: Any, after: Any, kind: str) -> Bounds:
    """The bounds after axes were moved, merged or reduced; the total stays if the last axis is the same."""
    same_last = before.shape.rank and after.shape.rank and before.shape[-1] == after.shape[-1] is not None
    keeps_total = same_last and kind not in ("Max", "Min", "Transpose")
    return Bounds(bounds.low, bounds.high, bounds.total if keeps_total else None)


def _constant(tensor: Any) -> float | None:
    """The value of a scalar constant."""
    import tensorflow as tf

    value = tf.get_static_value(tensor)
    return float(value) if value is not None and value.size == 1 else None


def _bounds_or_constant(tensor: Any) -> Bounds:
    value = _constant(tensor)
    return bounds_of(tensor) if value is None else Bounds(value, value)


def _sum(parts: Sequence[Bounds]) -> Bounds:
    totals = [part.total for part in parts]
    total = None if any(each is None for each in totals) else math.fsum(each or 0 for each in totals)
    return Bounds(sum(part.low for part in parts), sum(part.high for part in parts), total)


def _scaled(bounds: Bounds, factor: float) -> Bounds:
    ends = sorted((bounds.low * factor, bounds.high * factor)) if factor else [0.0, 0.0]
    return Bounds(ends[0], ends[1], None if bounds.total is None else bounds.total * factor)


def _product(kind: str, inputs: Sequence[Any]) -> Bounds:
    """A product with a constant, or of values not below 0; a quotient by a constant or a sum."""
    constants = [_constant(each) for each in inputs]
    if kind == "RealDiv":
        if constants[1]:
            return _scaled(_bounds_or_constant(inputs[0]), 1 / constants[1])
        is_share = bounds_of(inputs[0]).low >= 0 and _is_total_of(inputs[1], inputs[0])
        return Bounds(0, 1, 1) if is_share else _NOTHING
    for constant, other in zip(constants, reversed(list(inputs)), strict=True):
        if constant is not None:
            return _scaled(bounds_of(other), constant)
    first, second = map(bounds_of, inputs)
    return Bounds(0, first.high * second.high) if min(first.low, second.low) >= 0 else _NOTHING


def _is_total_of(total: Any, values: Any) -> bool:
    """Whether a tensor is the sum of another along its last axis."""
    import tensorflow as tf

    operation = total.op
    if operation.type != "Sum" or operation.inputs[0].ref() != values.ref():
        return False
    axis = tf.get_static_value(operation.inputs[1])
    rank = values.shape.rank
    return axis is not None and rank is not None and [int(each) % rank for each in axis.ravel()] == [rank - 1]


def _joined(parts: Sequence[Bounds]) -> Bounds:
    return Bounds(min(part.low for part in parts), max(part.high for part in parts))


def _clipped(kind: str, parts: Sequence[Bounds]) -> Bounds:
    choose = max if kind == "Maximum" else min
    return Bounds(choose(part.low for part in parts), choose(part.high for part in parts))
