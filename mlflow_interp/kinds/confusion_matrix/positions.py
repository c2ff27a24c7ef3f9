"""Labels and predictions of positions, such as pixels or tokens, as pairs to count."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlflow_interp.core.annotations import class_indices
from mlflow_interp.core.chunk import UNKNOWN, Chunk, flatten
from mlflow_interp.exceptions import InputsError

AT_ONCE = 1 << 20  # positions, so that memory is bounded for inputs of any size
CLOSE = 1e-2  # distance from 1 of the sum of a row of probabilities
_BYTES = (0, 255)  # of a mask that was stored as a grey image


@dataclass(frozen=True, eq=False)
class PositionPredictions:
    """The prediction at each position of n inputs.

    Attributes:
        values: by the head: "binary" (n, *positions) the probability of the second class; "sigmoid"
            (n, *positions, classes) the probability of each; else (n, *positions) classes.
        head: see `values`.
        mask: (n, *positions) bool, false where a position doesn't count; None if all count. With fewer axes,
            it applies to all positions along the remaining ones.
    """

    values: np.ndarray
    head: str
    mask: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The positions of an input, such as (height, width)."""
        return self.values.shape[1 : -1 if self.head == "sigmoid" else None]


@dataclass(frozen=True, eq=False)
class Pairs:
    """The positions that count, of a few inputs.

    Attributes:
        first: the row of the first of these inputs in the chunk.
        totals: (k,) int64, the number of positions of each, in their order.
        labels: (m,) int64 the true class, or (m, labels) bool if there may be several.
        predicted: the same for the prediction.
        weights: (m,) float64, None if all weights are equal.
        left_out: the number of positions that don't count, by reason.
    """

    first: int
    totals: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    weights: np.ndarray | None
    left_out: Counter[str] = field(default_factory=Counter)

    def rows(self, places: np.ndarray) -> np.ndarray:
        """The rows in the chunk of some of the positions."""
        return np.asarray(self.first + np.searchsorted(np.cumsum(self.totals), places, side="right"))


def are_of_positions(labels: np.ndarray | None, predictions: PositionPredictions) -> bool:
    """Whether labels (n, …) are a class, or a row of classes, for each position."""
    if labels is None:
        return False
    shape = predictions.shape
    return labels.shape[1:] == shape or (
        labels.ndim == len(shape) + 2 and _rows_last(labels, shape) is not None
    )


def have_rows(labels: np.ndarray, predictions: PositionPredictions) -> bool:
    """Whether labels of positions are rows with a number for each class."""
    of_one = labels.shape[1:] == (*predictions.shape, 1)
    return labels.ndim == len(predictions.shape) + 2 and not of_one


def _rows_last(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Labels with rows of classes along the last axis; None if they don't fit positions of this shape."""
    if labels.shape[1:-1] == shape:
        return labels
    return np.moveaxis(labels, 1, -1) if labels.shape[2:] == shape else None


def unit_of(inputs: Any, shape: tuple[int, ...]) -> str:
    """The unit of positions of this shape: tokens, pixels, voxels or positions."""
    arrays = [] if inputs is None else flatten(inputs)
    if len(shape) == 1 and any(array.shape[1:] == shape and _are_tokens(array) for array in arrays):
        return "tokens"
    with_channels = any(array.ndim == len(shape) + 2 for array in arrays)
    return {2: "pixels", 3: "voxels"}.get(len(shape), "positions") if with_channels else "positions"


def _are_tokens(array: np.ndarray) -> bool:
    """Whether these are text, or whole numbers, which are looked up in an embedding."""
    return array.dtype.kind in "SUO" or bool((array == np.floor(array)).all())


def pairs_of(
    chunk: Chunk,
    predictions: PositionPredictions,
    *,
    classes: int,
    class_names: Sequence[str] | None,
    ignore_label: int | None,
    threshold: float,
) -> Iterator[Pairs]:
    """The positions that count, a few inputs at a time.

    Args:
        chunk: inputs whose `given_labels` are of positions.
        predictions: the predictions for these inputs.
        classes: the number of classes, or labels.
        class_names: the class names, for labels by name.
        ignore_label: the label of positions that don't count; `UNKNOWN` never counts.
        threshold: the probability above which a binary head's second class, or one of several labels, counts
            as predicted.

    Raises:
        InputsError: a label that is not a class, or an invalid weight.
    """
    shape = predictions.shape
    weights = _weights(chunk, shape)
    with_rows = have_rows(np.asarray(chunk.given_labels), predictions)
    multi_label = predictions.head == "sigmoid" and with_rows
    width = np.asarray(_rows_last(np.asarray(chunk.given_labels), shape)).shape[-1] if with_rows else classes
    if width != classes:
        raise InputsError(
            f"labels are rows of {width}, but there are {classes} classes; give a number for each class, or "
            "class indices"
        )
    rows = max(1, AT_ONCE // max(1, math.prod(shape)))
    for start in range(0, len(chunk), rows):
        part = slice(start, min(start + rows, len(chunk)))
        names = chunk.names[part]
        given = np.asarray(chunk.given_labels)[part]
        labels = _flat_labels(given, shape, names, class_names, multi_label=multi_label)
        predicted = _decided(predictions, part, threshold, multi_label=multi_label).reshape(labels.shape)
        left_out: Counter[str] = Counter()
        counts = np.ones(labels.shape[:2], bool)
        if predictions.mask is not None:
            _leave_out(counts, _spread(predictions.mask[part], shape), "masked", left_out)
        part_weights = None if weights is None else _spread(weights[part], shape)
        if part_weights is not None:
            _leave_out(counts, part_weights != 0, "of weight 0", left_out)
            part_weights = None if ((part_weights == 0) | (part_weights == 1)).all() else part_weights
        if not multi_label:
            if ignore_label is not None:
                _leave_out(counts, labels != ignore_label, f"of label {ignore_label}", left_out)
            _leave_out(counts, labels != UNKNOWN, "without label", left_out)
        # If all count, a view is enough.
        kept: Any = counts if left_out else np.s_[:, :]
        columns = (labels, predicted, part_weights)
        found, guess, weight = (
            None if each is None else each[kept].reshape(-1, *each.shape[2:]) for each in columns
        )
        pairs = Pairs(
            first=start,
            totals=counts.sum(axis=1),
            labels=np.asarray(found),
            predicted=np.asarray(guess),
            weights=None if weight is None else weight.astype(np.float64),
            left_out=left_out,
        )
        if not multi_label:
            _check_range(pairs, chunk.names, classes)
        yield pairs


def _leave_out(counts: np.ndarray, kept: np.ndarray, reason: str, left_out: Counter[str]) -> None:
    """Stop counting positions that are not kept."""
    number = int((counts & ~kept).sum())
    if number:
        left_out[reason] += number
        counts &= kept


def _spread(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(n, positions): values of inputs, or of positions along the first axes, for every position."""
    values = values.reshape(values.shape + (1,) * (len(shape) + 1 - values.ndim))
    return np.broadcast_to(values, (len(values), *shape)).reshape(len(values), -1)


def _decided(
    predictions: PositionPredictions, part: slice, threshold: float, *, multi_label: bool
) -> np.ndarray:
    """Predicted classes, or for several labels (n, *positions, labels) bool."""
    values = predictions.values[part]
    if predictions.head == "binary" or multi_label:
        decided = values > threshold
        return decided if multi_label else decided.astype(np.int64)
    return values.argmax(axis=-1) if predictions.head == "sigmoid" else values


def _flat_labels(
    labels: np.ndarray,
    shape: tuple[int, ...],
    names: Sequence[str],
    class_names: Sequence[str] | None,
    *,
    multi_label: bool,
) -> np.ndarray:
    """(n, positions) integers, or for several labels (n, positions, labels) bool."""
    count = len(labels)
    if labels.dtype.kind in "SUO":
        indices, unknown = class_indices(labels.reshape(-1), class_names)
        if unknown:
            raise InputsError(f"labels contain {unknown[0]!r}, which is not a class; pass all class_names=")
        return indices.reshape(count, -1)
    if labels.shape[1:] in (shape, (*shape, 1)):
        return _whole(labels, names).reshape(count, -1)
    rows = np.asarray(_rows_last(labels, shape))
    rows = rows.reshape(count, -1, rows.shape[-1])
    if multi_label:
        if not ((rows == 0) | (rows == 1)).all():
            wrong = rows[(rows != 0) & (rows != 1)][0]
            raise InputsError(f"rows of labels contain {wrong:g}; give 1 for labels of a position, else 0")
        return np.asarray(rows == 1)
    total = rows.sum(axis=-1)
    wrong_rows = np.nonzero((np.abs(total - 1) > CLOSE) & (total != 0))
    if len(wrong_rows[0]) or rows.min() < 0:
        name = names[wrong_rows[0][0]] if len(wrong_rows[0]) else names[0]
        raise InputsError(
            f"rows of labels of input {name!r} are not distributions over {rows.shape[-1]} classes; give a "
            "row that sums to 1, or a class, for each position"
        )
    # A row of zeros names no class.
    return np.where(total == 0, UNKNOWN, rows.argmax(axis=-1))


def _whole(labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Labels as integers.

    Raises:
        InputsError: some are not whole numbers.
    """
    if labels.dtype.kind == "b":
        return labels.astype(np.uint8)
    if labels.dtype.kind != "f":
        return labels
    # NaN and infinity are not whole numbers either.
    wrong = ~(np.isfinite(labels) & (labels == np.floor(labels)))
    if wrong.any():
        row = int(np.nonzero(wrong)[0][0])
        raise InputsError(
            f"labels of input {names[row]!r} contain {labels[wrong][0]:g}; give class indices for positions"
        )
    return labels.astype(np.int64)


def _check_range(pairs: Pairs, names: Sequence[str], classes: int) -> None:
    labels = pairs.labels
    if not labels.size or (labels.min() >= 0 and labels.max() < classes):
        return
    place = int(np.flatnonzero((labels < 0) | (labels >= classes))[0])
    label = int(labels[place])
    name = names[int(pairs.rows(np.array([place]))[0])]
    if classes == 2 and label == _BYTES[1] and np.isin(labels, _BYTES).all():
        advice = "divide masks of 0 and 255 by 255, or pass ignore_label=255 if 255 marks what doesn't count"
    else:
        advice = f"if it marks positions that don't count, pass ignore_label={label}"
    raise InputsError(
        f"input {name!r} has positions with label {label}, but the classes are 0–{classes - 1}; {advice}"
    )


def _weights(chunk: Chunk, shape: tuple[int, ...]) -> np.ndarray | None:
    """Weights (n,), or of positions (n, *positions) or along the first of their axes."""
    if chunk.weights is None:
        return None
    weights = np.asarray(chunk.weights)
    if weights.ndim > 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if weights.dtype.kind not in "biuf" or weights.shape[1:] != shape[: weights.ndim - 1]:
        raise InputsError(
            f"weights have shape {np.shape(chunk.weights)} and type {weights.dtype}; give a number for each "
            f"input, or for each of its {words_of(shape)} positions"
        )
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        name = chunk.names[int(np.nonzero(wrong)[0][0])]
        raise InputsError(f"input {name!r} has weight {weights[wrong][0]:g}; give finite numbers, 0 or more")
    return weights


def words_of(shape: Sequence[int]) -> str:
    """A shape as text, such as 16×16."""
    return "×".join(map(str, shape))
