"""Which features of a layer are visualised: named ones, directions, or those in which inputs differ most."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.data.labels import read_column
from mlflow_interp.exceptions import OptionError, nearest
from mlflow_interp.kinds.feature_visualization.ranking import most_predicted, most_varied
from mlflow_interp.kinds.feature_visualization.result import DIRECTION

#: Features as a user names them: indices or class names, also as text with commas.
Features = str | int | Sequence[int | str] | None

AT_OUTPUT = ("class", "value")  # kinds of features

BY_SPREAD = "the largest standard deviation over the inputs"
BY_STRENGTH = "the largest activation by the only input"
BY_PREDICTIONS = "the most frequent predictions"


@dataclass(frozen=True, eq=False)
class Chosen:
    """The features that are visualised.

    Attributes:
        features: (f,) int64, channels or classes; `DIRECTION` for directions.
        names: f names.
        weights: (f, channels) float32, of the channels of the layer.
        how: how they were chosen; "" if they were named.
    """

    features: np.ndarray
    names: tuple[str, ...]
    weights: np.ndarray
    how: str = ""

    @property
    def keys(self) -> list[bytes]:
        """What identifies each feature: its weights."""
        return [each.tobytes() for each in self.weights]

    def only(self, rows: Sequence[int]) -> Chosen:
        """Some of them."""
        names = tuple(self.names[row] for row in rows)
        return Chosen(self.features[list(rows)], names, self.weights[list(rows)], self.how)


@dataclass(frozen=True, eq=False)
class FeatureChoice:
    """Chooses the features of a layer.

    Attributes:
        channels: the number of channels, or of classes.
        kind: "channel", "neuron", "class" or, at the output of a regression, "value".
        named: the channels or classes that were named; None for none.
        directions: (f, channels) float32 of length 1; None for none.
        most: the number of features to choose if none were named.
        class_names: the names of the classes; None if not known.
    """

    channels: int
    kind: str
    named: tuple[int, ...] | None
    directions: np.ndarray | None
    most: int
    class_names: tuple[str, ...] | None = None

    def choose(self, rows: np.ndarray) -> Chosen:
        """The features, from the activations of all inputs, (n, channels), which may be on disk."""
        if self.directions is not None:
            count = len(self.directions)
            names = ("direction",) if count == 1 else tuple(f"direction {row}" for row in range(count))
            return Chosen(np.full(count, DIRECTION, np.int64), names, self.directions)
        features, how = self._indices(rows)
        weights = np.zeros((len(features), self.channels), np.float32)
        weights[np.arange(len(features)), features] = 1
        return Chosen(features, tuple(map(self.name, features.tolist())), weights, how)

    def name(self, index: int) -> str:
        """Such as "channel 17", or the name of a class, with its index if another has the same name."""
        names = self.class_names or ()
        if self.kind not in AT_OUTPUT or index >= len(names):
            return f"{self.kind} {index}"
        return names[index] if names.count(names[index]) == 1 else f"{names[index]} ({index})"

    def _indices(self, rows: np.ndarray) -> tuple[np.ndarray, str]:
        if self.named is not None:
            return np.array(self.named, np.int64), ""
        if self.kind == "class":
            return most_predicted(rows, self.most), BY_PREDICTIONS
        return most_varied(rows, self.most), BY_SPREAD if len(rows) > 1 else BY_STRENGTH


def parse_features(
    features: Features, channels: int, kind: str, class_names: Sequence[str] | None
) -> tuple[int, ...] | None:
    """The indices of features that a user named; None for none.

    Args:
        features: indices or, for classes, names.
        channels: the number of channels or classes.
        kind: what they are, see `FeatureChoice`.
        class_names: the names of the classes; None if not known.

    Raises:
        OptionError: no such feature, or one that is named twice.
    """
    if features is None:
        return None
    names = list(class_names or ()) if kind in AT_OUTPUT else []
    indices = tuple(_index(each, channels, kind, names) for each in _split(features, names))
    twice = [each for each in indices if indices.count(each) > 1]
    if not indices or twice:
        what = f"{kind} {twice[0]} twice" if twice else "none"
        raise OptionError(f"features names {what}; give each {kind} once")
    return indices


def _split(features: str | int | Sequence[int | str], names: Sequence[str]) -> list[int | str]:
    if isinstance(features, str):
        # A name may contain a comma.
        parts = [features] if features in names else features.split(",")
        return [part.strip() for part in parts if part.strip()]
    return list(features) if isinstance(features, (Sequence, np.ndarray)) else [features]


def _index(feature: int | str, channels: int, kind: str, names: Sequence[str]) -> int:
    if feature in names:
        same = [str(index) for index, name in enumerate(names) if name == feature]
        if len(same) > 1:
            raise OptionError(
                f"features: {len(same)} classes are named {feature!r}; give {' or '.join(same)}"
            )
        return int(same[0])
    try:
        index = int(feature)
        is_whole = float(feature) == index
    except (TypeError, ValueError):
        is_whole = False
    if not is_whole:
        accepted = nearest(feature, names) if names else f"; give the index of a {kind}, such as 0"
        raise OptionError(f"features: no {kind} {feature!r}{accepted}")
    if not 0 <= index < channels:
        plural = {"class": "classes", "value": "values"}.get(kind, "channels")
        raise OptionError(f"features {index} is out of range: there are {plural} 0–{channels - 1}")
    return index


def parse_directions(direction: Any) -> np.ndarray | None:
    """Directions (f, channels) float32 of length 1; None for none.

    Args:
        direction: one or several rows of numbers: an array, JSON text, or the path of a .npy or .csv file.

    Raises:
        OptionError: not numbers, or a direction of length 0.
        InputsError: the file can't be read.
    """
    if direction is None:
        return None
    given = direction
    if isinstance(direction, str) and direction.lstrip().startswith("["):
        try:
            given = json.loads(direction)
        except ValueError as error:
            raise OptionError(f"direction is {direction!r}, which is not JSON; give [0, 1, …]") from error
    elif isinstance(direction, str):
        given = read_column(direction, "direction")
    try:
        rows = np.atleast_2d(np.asarray(given, np.float32))
    except (TypeError, ValueError) as error:
        raise OptionError("direction is not numbers; give one for each channel, or rows of them") from error
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all() or not lengths.all():
        raise OptionError(
            f"direction of shape {np.shape(given)} is not a row, or rows, of finite numbers that aren't all "
            "0; give a number for each channel"
        )
    return np.asarray(rows / lengths)


def check_directions(directions: np.ndarray | None, channels: int, layer: str) -> None:
    """Raise an OptionError if directions don't have a number for each channel."""
    if directions is not None and directions.shape[1] != channels:
        raise OptionError(
            f"direction has {directions.shape[1]} numbers, but layer {layer!r} has {channels} channels; give "
            "one for each"
        )
