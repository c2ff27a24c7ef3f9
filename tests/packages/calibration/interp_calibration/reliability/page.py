"""The page of a reliability diagram: a table of its bins."""

from __future__ import annotations

from mlflow_interp.drawing.page import render

from .result import ReliabilityResult

FILES = "interp_calibration:reliability"


def page(result: ReliabilityResult, *, colour: str = "#0969da") -> str:
    """A page that opens offline."""
    return render(
        f"{FILES}/page.html", f"{FILES}/page.js", title="Calibration", data=facts_of(result), colour=colour
    )


def facts_of(result: ReliabilityResult) -> dict[str, object]:
    """The error, and for each bin its lower bound, its number of predictions and of correct ones."""
    bins = len(result.counts)
    rows = zip(result.counts.tolist(), result.right.tolist(), strict=True)
    return {"error": result.error, "bins": [[index / bins, *row] for index, row in enumerate(rows)]}
