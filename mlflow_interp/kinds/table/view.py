"""All inputs of a table on the page of a run: findings that hold for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.findings import Finding, of_counts
from mlflow_interp.drawing import style
from mlflow_interp.drawing.view import View
from mlflow_interp.kinds.table.figure import headline

if TYPE_CHECKING:
    from mlflow_interp.kinds.table.result import TableResult
    from mlflow_interp.kinds.table.tiles import MeanTile


def view(
    result: TableResult, tiles: list[list[MeanTile]] | None = None, *, colormap: str = "inferno"
) -> View:
    """The main numbers; the page shows the figure, as no single input is shown."""
    return View(
        title=result.title,
        headline=f"{headline(result)} · {result.location.where}",
        inputs=[],
        findings=_findings(result),
    )


def _findings(result: TableResult) -> list[Finding]:
    """What holds for all inputs; about none that the page could show."""
    counts = {
        (label, predicted): count
        for (label, predicted), count in result.counts.items()
        if label is not None and predicted is not None
    }
    found = [Finding(each.text, {}) for each in of_counts(counts, result.class_name)]
    if result.calibration_error is not None:
        over = result.metrics()["mean_probability"]
        found.append(
            Finding(
                f"Probabilities are {result.calibration_error:.1%} from the share of correct predictions on "
                f"average; their mean is {over:.1%}.",
                {},
            )
        )
    if result.errors:
        found.append(Finding(f"{style.counted(result.errors)} could not be interpreted.", {}))
    return found
