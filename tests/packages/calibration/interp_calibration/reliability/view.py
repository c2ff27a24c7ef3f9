"""Calibration on the page of a run."""

from __future__ import annotations

from mlflow_interp.drawing.view import Panel, View, rows

from .page import facts_of
from .result import ReliabilityResult


def view(result: ReliabilityResult, *, colour: str = "#0969da") -> View:
    """The diagram, and the inputs."""
    return View(
        title="Calibration",
        headline=f"expected calibration error {result.error:.1%}",
        inputs=rows(result.examples),
        panel=Panel("interp_calibration.reliability", facts_of(result)),
    )
