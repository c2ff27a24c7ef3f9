"""Sentences about a model's predictions that hold for all inputs, each with the inputs it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.regression import value_text

CONFIDENT = 0.9  # a probability from which an error is called confident


@dataclass(frozen=True)
class Finding:
    """A sentence about all inputs.

    Attributes:
        text: the sentence.
        about: which inputs it is about: `{"input": index}` or any of `wrong`, `label`, `predicted` (class
            indices) and `at_least` (a probability), all of which must hold. Empty if it is about all inputs.
    """

    text: str
    about: Mapping[str, Any]


def find(examples: Examples) -> list[Finding]:
    """What stands out over all inputs; nothing for a selection, which says nothing about the others."""
    if not len(examples) or examples.is_selection:
        return []
    if not examples.has_classes:
        return _of_values(examples)
    counts = _counts(examples.labels, examples.classes[:, 0])
    findings = of_counts(counts, examples.class_name)
    if _are_probabilities(examples.probabilities):
        findings += [*_confident_errors(examples), *_least_confident(examples)]
    return findings


def of_counts(counts: Mapping[tuple[int, int], int], class_name: Any) -> list[Finding]:
    """Accuracy and the most frequent confusion.

    Args:
        counts: the number of inputs by true and predicted class.
        class_name: the name of a class index.
    """
    total = sum(counts.values())
    if not total:
        return []
    wrong = {cell: count for cell, count in counts.items() if cell[0] != cell[1]}
    right = total - sum(wrong.values())
    if not wrong:
        return [Finding(f"All {total:,} labelled inputs are predicted correctly.", {})]
    findings = [
        Finding(
            f"{right:,} of {total:,} inputs are predicted correctly ({right / total:.1%}).", {"wrong": True}
        )
    ]
    (label, predicted), times = max(wrong.items(), key=lambda item: (item[1], -item[0][0], -item[0][1]))
    if times > 1:
        support = sum(count for (true, _), count in counts.items() if true == label)
        findings.append(
            Finding(
                f"{class_name(label)} is predicted as {class_name(predicted)} in {times:,} of "
                f"{support:,} cases.",
                {"label": label, "predicted": predicted},
            )
        )
    return findings


def _counts(labels: np.ndarray, predicted: np.ndarray) -> dict[tuple[int, int], int]:
    known = labels != UNKNOWN
    cells, counts = np.unique(np.stack([labels[known], predicted[known]], axis=1), axis=0, return_counts=True)
    return dict(zip(map(tuple, cells.tolist()), counts.tolist(), strict=True))


def _are_probabilities(values: np.ndarray) -> bool:
    return bool(values.size) and bool(((values >= 0) & (values <= 1)).all())


def _confident_errors(examples: Examples) -> list[Finding]:
    labels, predicted = examples.labels, examples.classes[:, 0]
    confidences = examples.probabilities[:, 0]
    wrong = np.flatnonzero((labels != UNKNOWN) & (labels != predicted))
    if not len(wrong):
        return []
    first = int(wrong[np.argmax(confidences[wrong])])
    about = (
        f"{examples.names[first]}, predicted {examples.class_name(int(predicted[first]))} with "
        f"{confidences[first]:.1%}, label {examples.class_name(int(labels[first]))}"
    )
    many = int((confidences[wrong] >= CONFIDENT).sum())
    if many < 2:
        return [Finding(f"The most confident error is {about}.", {"input": int(examples.indices[first])})]
    text = f"{many:,} errors have a probability of at least {CONFIDENT:.0%}; the most confident is {about}."
    return [Finding(text, {"wrong": True, "at_least": CONFIDENT})]


def _least_confident(examples: Examples) -> list[Finding]:
    if len(examples) < 3:
        return []
    row = int(np.argmin(examples.probabilities[:, 0]))
    text = (
        f"The least confident prediction is {examples.names[row]}: "
        f"{examples.class_name(int(examples.classes[row, 0]))} with {examples.probabilities[row, 0]:.1%}."
    )
    return [Finding(text, {"input": int(examples.indices[row])})]


def _of_values(examples: Examples) -> list[Finding]:
    """For a regression, errors of its first value; without labels, the range of this value."""
    values = examples.probabilities[:, 0].astype(np.float64)
    labels = None if examples.true_values is None else examples.true_values[:, 0]
    known = np.zeros(len(values), bool) if labels is None else np.isfinite(labels)
    if labels is not None and known.any():
        errors = np.where(known, np.abs(values - labels), -1)
        row = int(np.argmax(errors))
        mean = float(errors[known].mean())
        return [
            Finding(f"The mean absolute error is {value_text(mean)}.", {}),
            Finding(
                f"The largest error is {value_text(errors[row])}, for {examples.names[row]}: predicted "
                f"{value_text(values[row])}, label {value_text(labels[row])}.",
                {"input": int(examples.indices[row])},
            ),
        ]
    return [
        Finding(
            f"The {word} prediction is {value_text(values[row])}, for {examples.names[row]}.",
            {"input": int(examples.indices[row])},
        )
        for word, row in (("lowest", int(np.argmin(values))), ("highest", int(np.argmax(values))))
    ]


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as plain values."""
    return [{"text": each.text, "about": dict(each.about)} for each in findings]
