"""The inputs, labels and weights in an element of a dataset, by position or by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_interp.core.chunk import flatten
from mlflow_interp.exceptions import InputsError
from mlflow_interp.models.signature import InputSpec, ModelInputs

#: Keys of inputs and of labels, in order of preference.
INPUT_KEYS = ("inputs", "x", "X", "image", "images", "text", "features", "data", "x_test", "arr_0")
LABEL_KEYS = ("labels", "label", "y", "Y", "targets", "target", "y_test", "arr_1")
WEIGHT_KEYS = ("sample_weight", "sample_weights")


@dataclass(frozen=True)
class Layout:
    """Where an element has its inputs, labels and weights.

    Attributes:
        is_tuple: whether it is (inputs,), (inputs, labels) or (inputs, labels, weights).
        keys: the keys of the inputs, if they are in a mapping; None if the whole element is the inputs.
        is_single: whether the only input is taken out of the mapping.
        label: the key of the labels, None if they are not in the mapping.
        weight: the key of the weights, None if they are not in the mapping.
        left_out: the keys of anything else.
    """

    is_tuple: bool = False
    keys: tuple[str, ...] | None = None
    is_single: bool = False
    label: str | None = None
    weight: str | None = None
    left_out: tuple[str, ...] = ()

    def split(self, element: Any) -> tuple[Any, Any, Any]:
        """The inputs, labels and weights of an element; None for missing ones."""
        first, labels, weights = (*element, None, None)[:3] if self.is_tuple else (element, None, None)
        if self.keys is None:
            return first, labels, weights
        labels = labels if self.label is None else first[self.label]
        weights = weights if self.weight is None else first[self.weight]
        inputs = first[self.keys[0]] if self.is_single else {key: first[key] for key in self.keys}
        return inputs, labels, weights

    def warnings(self, what: str) -> list[str]:
        """A warning that names the keys that are left out, if any."""
        if not self.left_out:
            return []
        return [
            f"keys of {what} are left out, as they are neither inputs of the model nor labels: "
            f"{_quoted(self.left_out)}"
        ]


def find_layout(element: Any, takes: ModelInputs | None) -> Layout:
    """Where an element has its inputs, labels and weights; see `Layout`.

    In a mapping, the names of the model's inputs come first. Otherwise, the only input of a model and the
    labels are found by usual keys such as "image" and "label".

    Args:
        element: values, or specs of values, in a form that Keras accepts.
        takes: what the model takes, None if not known.

    Raises:
        InputsError: a mapping without the inputs of the model.
    """
    is_tuple = isinstance(element, tuple) and len(element) <= 3
    mapping = element[0] if is_tuple else element
    if not isinstance(mapping, Mapping):
        return Layout(is_tuple)
    has_labels = is_tuple and len(element) > 1
    rest = [str(key) for key in mapping]
    keys = None if takes is None else _named(rest, takes)
    rest = [key for key in rest if keys is None or key not in keys]
    label = None if has_labels else _first(LABEL_KEYS, rest)
    weight = None if has_labels else _first(WEIGHT_KEYS, rest)
    if takes is None and label is None:  # nothing is known but that the user means these as inputs
        return Layout(is_tuple)
    rest = [key for key in rest if key not in (label, weight)]
    is_single = takes is None or (len(takes.specs) == 1 and not takes.is_dict)
    if keys is None:
        keys = (_only_input(rest, takes),)
        rest.remove(keys[0])
    return Layout(is_tuple, keys, is_single, label, weight, tuple(rest))


def _named(keys: Sequence[str], takes: ModelInputs) -> tuple[str, ...] | None:
    """The keys that are the names of the model's inputs; None if some are missing."""
    names = [spec.name for spec in takes.specs]
    return tuple(name for name in names if name) if set(names) <= set(keys) else None


def usual_key(keys: Sequence[str]) -> str | None:
    """The usual key of inputs, or the only key; None without either."""
    return _first(INPUT_KEYS, keys) or (keys[0] if len(keys) == 1 else None)


def _only_input(keys: Sequence[str], takes: ModelInputs | None) -> str:
    """The key of the only input of a model."""
    is_one = takes is None or (len(takes.specs) == 1 and not takes.is_dict)
    key = usual_key(keys) if is_one else None
    if key is not None:
        return key
    names = [spec.name for spec in takes.specs if spec.name] if takes else []
    wanted = f"the model takes {_quoted(names)}" if names and not is_one else "none is known as an input"
    advice = "name them so" if names and not is_one else f"name the input {INPUT_KEYS[0]!r}"
    raise InputsError(f"inputs have the keys {_quoted(keys) or 'of labels only'}, and {wanted}; {advice}")


def check_takes_text(takes: ModelInputs | None) -> None:
    """Check that a model takes text, as far as that is known.

    Raises:
        InputsError: the model takes numbers only.
    """
    if takes is not None and not takes.takes_text:
        raise InputsError(f"inputs are text, but the model takes {takes.specs[0].dtype} values; give numbers")


def are_batched(specs: Any, takes: ModelInputs | None) -> bool:
    """Whether the inputs of a dataset have a batch axis.

    The axes that the model takes decide. A last axis of length 1 may be missing or superfluous, as Keras
    adds or removes it.

    Args:
        specs: the specs of the inputs, with the structure of an element.
        takes: what the model takes; None if not known, in which case a first axis of any length counts as
            the batch axis.
    """
    leaves: list[Any] = flatten(specs)
    if takes is None:
        return all(bool(spec.shape.rank) and spec.shape[0] is None for spec in leaves)
    pairs = _paired(specs, takes)
    if pairs is None:
        return sum(spec.shape.rank or 0 for spec in leaves) == sum(len(each.shape) for each in takes.specs)
    return all(_is_batched(spec.shape, wanted.shape) for spec, wanted in pairs)


def _paired(specs: Any, takes: ModelInputs) -> list[tuple[Any, InputSpec]] | None:
    """Each given spec with the spec of the model's input; None if they can't be paired."""
    if isinstance(specs, Mapping):
        by_name = {spec.name: spec for spec in takes.specs}
        return [(specs[key], by_name[key]) for key in specs] if set(specs) <= set(by_name) else None
    leaves = flatten(specs)
    return list(zip(leaves, takes.specs, strict=True)) if len(leaves) == len(takes.specs) else None


def _is_batched(shape: Any, wanted: tuple[int | None, ...]) -> bool:
    rank = shape.rank or 0
    each = wanted[1:]
    # As a batch, as one input, and both with a last axis of length 1 missing or superfluous.
    if rank == len(wanted):
        return not (rank > 1 and shape[-1] == 1 and _fits(shape[:-1], each) and not _fits(shape[1:], each))
    if rank == len(wanted) - 1:
        is_one = _fits(shape, each) and list(shape) != [None]  # any number of scalars
        return wanted[-1] == 1 and not is_one and _fits(shape[1:], each[:-1])
    return rank == len(wanted) + 1 and shape[-1] == 1 and _fits(shape[1:-1], each)


def _fits(shape: Any, wanted: Sequence[int | None]) -> bool:
    return len(shape) == len(wanted) and all(
        given is None or size is None or given == size for given, size in zip(shape, wanted, strict=True)
    )


def _first(candidates: Iterable[str], keys: Sequence[str]) -> str | None:
    return next((key for key in candidates if key in keys), None)


def _quoted(names: Iterable[Any]) -> str:
    return ", ".join(map(repr, names))
