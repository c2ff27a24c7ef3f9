"""Training dynamics on the page of a run: the inputs of the lists, with their history as notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.findings import Finding
from mlflow_interp.drawing.view import View, rows
from mlflow_interp.kinds.training_dynamics.figure import headline

if TYPE_CHECKING:
    from mlflow_interp.kinds.training_dynamics.result import TrainingDynamicsResult


def view(result: TrainingDynamicsResult) -> View:
    """The first inputs of each list."""
    examples = result.examples
    learnt = result.learnt_epochs
    return View(
        title=result.title,
        headline=headline(result),
        inputs=rows(
            examples, notes=[_notes(result, row, learnt[row]) for row in examples.shown_rows.tolist()]
        ),
        findings=_findings(result),
    )


def _notes(result: TrainingDynamicsResult, row: int, learnt: int | None) -> list[str]:
    history = result.history
    forgotten = int(history.forgotten[row])
    since = "wrong after the last epoch" if learnt is None else f"right since epoch {learnt}"
    return [
        f"mean probability of the label {history.means[row]:.2f} ± {history.variability[row]:.2f}",
        f"right after {history.right[row]} of {history.seen[row]} epochs, {since}",
        *([f"forgotten {forgotten}×"] if forgotten else []),
    ]


def _findings(result: TrainingDynamicsResult) -> list[Finding]:
    """The input whose label is least probable, and the class with the lowest accuracy."""
    examples = result.examples
    findings = []
    mean = float(result.history.means[0])
    if mean < 0.5:
        about = {"input": int(examples.indices[0])}
        text = (
            f"The label of {examples.names[0]} has the lowest mean probability over the epochs: {mean:.2f}."
        )
        findings.append(Finding(text, about))
    accuracy = {index: float(result.class_accuracy[-1][index]) for index in result.occurring.tolist()}
    accuracy = {index: value for index, value in accuracy.items() if value == value}
    lowest = min(accuracy, key=lambda index: (accuracy[index], index))
    if len(accuracy) > 1:
        name = examples.class_name(lowest)
        text = f"Class {name} has the lowest accuracy after this epoch: {accuracy[lowest]:.1%}."
        findings.append(Finding(text, {"label": int(lowest)}))
    return findings
