"""Quality on the page of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.findings import Finding
from mlflow_interp.drawing.view import View, rows
from mlflow_interp.kinds.quality.figure import title_of
from mlflow_interp.kinds.quality.result import signed

if TYPE_CHECKING:
    from mlflow_interp.kinds.quality.result import QualityResult


def view(result: QualityResult) -> View:
    """The verdict as findings, and the measures of each input as notes."""
    titles = list(result.titles.values())
    verdicts = [verdict_of(result, column) for column in range(len(titles))]
    notes = [
        [f"{title}: insertion − deletion {signed(gain)}" for title, gain in zip(titles, gains, strict=True)]
        for gains in result.gains[result.examples.shown_rows]
    ]
    return View(
        title=title_of(result),
        headline="; ".join(f"{title}: {text}" for title, text in zip(titles, verdicts, strict=True)),
        inputs=rows(result.examples, notes=notes, explained=result.explained),
        findings=[
            Finding(f"Heatmaps of {title} are {text}.", {})
            for column, (title, text) in enumerate(zip(titles, verdicts, strict=True))
            if any(check.passes is not None for check in result.checks(column))
        ],
    )


def verdict_of(result: QualityResult, column: int) -> str:
    """Such as "faithful and stable, but not of this model"."""
    checks = result.checks(column)
    if all(check.passes is None for check in checks):
        return f"not judged: {checks[0].reason}"
    passed = [check.name for check in checks if check.passes]
    failed = [check.name for check in checks if check.passes is False]
    unknown = [check.name for check in checks if check.passes is None]
    parts = [listed(passed)] if passed else []
    parts += [f"{'but ' if passed else ''}not {listed(failed, 'or')}"] if failed else []
    parts += [f"{listed(unknown)} can't be judged"] if unknown else []
    return ", ".join(parts)


def listed(words: list[str], last: str = "and") -> str:
    """Such as "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
