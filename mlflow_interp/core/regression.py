"""The values of a regression: their names, their columns in tables, and their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mlflow_interp.core.examples import Examples


def value_labels(labels: np.ndarray | None, outputs: int) -> np.ndarray | None:
    """Labels as (n, outputs) float64; None unless there is a number for each value."""
    if labels is None or labels.dtype.kind not in "biuf":
        return None
    rows = labels[:, np.newaxis] if labels.ndim == 1 else labels
    return rows.astype(np.float64) if rows.shape[1:] == (outputs,) else None


def value_name(examples: Examples, output: int) -> str:
    """The name of a value: "value" if it is the only one, else the name of its output."""
    name = examples.class_name(output)
    if name != str(output):
        return name
    return "value" if examples.classes.shape[1] == 1 else f"output {output}"


def value_columns(examples: Examples) -> dict[str, list[Any]]:
    """Columns of a table: values and labels, for several outputs with their names."""
    columns = {}
    outputs = examples.classes.shape[1]
    for output in range(outputs):
        suffix = "" if outputs == 1 else f" of {value_name(examples, output)}"
        columns[f"value{suffix}"] = examples.probabilities[:, output].tolist()
        columns[f"label{suffix}"] = _column(examples.true_values, output, len(examples))
    return columns


def value_lines(examples: Examples, row: int) -> list[tuple[str, str]]:
    """Pairs of a name and a number as text: the values of an input, each followed by its label if known."""
    lines = []
    outputs = examples.classes.shape[1]
    for output in range(outputs):
        name = value_name(examples, output)
        lines.append((name, value_text(float(examples.probabilities[row, output]))))
        label = _column(examples.true_values, output, len(examples))[row]
        if label is not None:
            lines.append(("label" if outputs == 1 else f"label of {name}", value_text(label)))
    return lines


def value_text(value: float) -> str:
    """A number with five digits: 0.61234, 37.2, 250000, 1.2e+09."""
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3g}"
    return np.format_float_positional(value, precision=5, fractional=False, trim="-")


def _column(values: np.ndarray | None, output: int, count: int) -> list[float | None]:
    """One column of true values, None for unknown ones."""
    if values is None:
        return [None] * count
    return [None if np.isnan(value) else float(value) for value in values[:, output]]
