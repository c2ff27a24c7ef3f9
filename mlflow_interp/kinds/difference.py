"""Parts that the differences of all kinds of results share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np

from mlflow_interp.core.contrast import CLASSES, contrast_name, contrast_phrase, resolved_contrast
from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.core.result import Result
from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.matching import Matching, examples_at

R = TypeVar("R", bound=Result)


@dataclass(frozen=True, eq=False)
class Difference(Generic[R]):
    """A result minus another, for the inputs that both share.

    Attributes:
        minuend: the first result, for the shared inputs.
        subtrahend: the second result, for the shared inputs.
        matching: which inputs are shared.
    """

    minuend: R = field(kw_only=True)
    subtrahend: R = field(kw_only=True)
    matching: Matching = field(kw_only=True)

    def metrics(self) -> dict[str, float]:
        """The number of inputs, and the differences of metrics."""
        changes = metric_changes(self.minuend.metrics(), self.subtrahend.metrics())
        return {"inputs": float(len(self.matching.rows))} | changes

    def warnings(self) -> list[str]:
        """Warnings about inputs that only one result has."""
        return self.matching.warnings()


class ExplainedDifference(Difference[R]):
    """The difference of results that explain a class of each input."""

    def warnings(self) -> list[str]:
        """Warnings about inputs that only one result has, and about different targets or runners-up."""
        return super().warnings() + target_warnings(*self._explained()) + contrast_changes(*self._explained())

    def table(self) -> dict[str, list[Any]]:
        """A row for each input: predictions and targets of both."""
        return explained_changes(*self._explained())

    def _explained(self) -> tuple[Explained, Explained]:
        results: tuple[Any, Any] = (self.minuend, self.subtrahend)
        return results[0].explained, results[1].explained


def explained_at(explained: Explained, rows: np.ndarray) -> Explained:
    """The explained examples of some rows."""
    return replace(
        explained,
        examples=examples_at(explained.examples, rows),
        targets=explained.targets[rows],
        scores=explained.scores[rows],
        probabilities=explained.probabilities[rows],
        contrasts=None if explained.contrasts is None else explained.contrasts[rows],
        localization=None if explained.localization is None else explained.localization.at(rows),
    )


def metric_changes(minuend: Mapping[str, float], subtrahend: Mapping[str, float]) -> dict[str, float]:
    """The differences of the metrics that both have, except for the number of inputs."""
    return {
        name: value - subtrahend[name]
        for name, value in minuend.items()
        if name in subtrahend and name != "inputs"
    }


def explained_changes(minuend: Explained, subtrahend: Explained) -> dict[str, list[object]]:
    """Columns of a table of matched inputs: what both models predict, and how probable the targets are.

    The latter only if both results explain a class.
    """
    columns = minuend.table()
    other = subtrahend.table()
    changes = {}
    if minuend.has_target and subtrahend.has_target:
        measure = "probability" if minuend.examples.has_classes else "value"
        changes[f"target_{measure}_change"] = (minuend.probabilities - subtrahend.probabilities).tolist()
    return {
        "input": columns["input"],
        **_labels_in(columns),
        **_of_both("target", columns, other),
        **_of_both("contrast", columns, other),
        **_predictions_in(minuend.examples, columns, other),
        **changes,
    }


def _labels_in(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The columns of labels; several values have several columns."""
    return {name: column for name, column in columns.items() if name.startswith("label")}


def _predictions_in(
    examples: Examples, columns: Mapping[str, list[Any]], other: Mapping[str, list[Any]]
) -> dict[str, list[Any]]:
    """The columns of predicted classes or of values, of both tables."""
    names = ["predicted"] if examples.has_classes else [name for name in columns if name.startswith("value")]
    return {name: column for each in names for name, column in _of_both(each, columns, other).items()}


def _of_both(
    name: str, columns: Mapping[str, list[Any]], other: Mapping[str, list[Any]]
) -> dict[str, list[Any]]:
    both = {name: columns.get(name), f"other_{name}": other.get(name)}
    return {key: column for key, column in both.items() if column is not None}


def target_warnings(minuend: Explained, subtrahend: Explained) -> list[str]:
    """A warning if the two results explain different classes for some inputs."""
    if not (minuend.has_target and subtrahend.has_target):
        return []
    name = minuend.examples.class_name
    other_name = subtrahend.examples.class_name
    different = sum(
        name(one) != other_name(other)
        for one, other in zip(minuend.targets.tolist(), subtrahend.targets.tolist(), strict=True)
    )
    if not different:
        return []
    return [
        f"the two results explain different classes for {different} of {len(minuend.targets)} inputs; use "
        "the same target for both to see the change for one class"
    ]


def check_contrasts(minuend: Explained, subtrahend: Explained) -> None:
    """Check that both results contrast the explained class with the same classes.

    Raises:
        InputsError: they do not, so that their maps are of different scores.
    """
    one, other = (_contrasted_with(each) for each in (minuend, subtrahend))
    if one != other:
        phrases = [contrast_phrase(each) or "nothing" for each in (minuend, subtrahend)]
        raise InputsError(
            f"maps contrasted with {phrases[0]} and with {phrases[1]} can't be subtracted; use the same "
            "contrast for both"
        )


def _contrasted_with(explained: Explained) -> Any:
    found = resolved_contrast(explained)
    return set(found) if explained.contrast == CLASSES else found


def contrast_changes(minuend: Explained, subtrahend: Explained) -> list[str]:
    """A warning if the two results contrast some inputs with different runners-up."""
    if minuend.contrasts is None or subtrahend.contrasts is None:
        return []
    if minuend.contrast == CLASSES:  # the same for all inputs, see `check_contrasts`
        return []
    rows = range(len(minuend.targets))
    different = sum(contrast_name(minuend, row) != contrast_name(subtrahend, row) for row in rows)
    if not different:
        return []
    return [
        f"the runner-up differs between the two results for {different} of {len(rows)} inputs; contrast both "
        "with a class to see the change for one pair of classes"
    ]


def changes_by_layer(
    minuend: Examples, subtrahend: Examples, name: str, layers: Sequence[str], changes: np.ndarray
) -> dict[str, list[Any]]:
    """Columns of a table of matched inputs: what both models predict, and a change (n, layers) by layer."""
    columns = minuend.table()
    rows = {"input": columns["input"], **_labels_in(columns)}
    rows |= _predictions_in(minuend, columns, subtrahend.table())
    for column, layer in enumerate(layers):
        rows[f"{name} at {layer}" if len(layers) > 1 else name] = changes[:, column].tolist()
    return rows
