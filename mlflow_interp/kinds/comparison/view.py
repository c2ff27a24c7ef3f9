"""A comparison on the page of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.findings import Finding
from mlflow_interp.drawing.view import View, rows
from mlflow_interp.kinds.comparison.figure import MARKS, headline, input_lines, title_of
from mlflow_interp.kinds.comparison.tiles import make_tiles

if TYPE_CHECKING:
    from mlflow_interp.kinds.comparison.result import ComparisonResult
    from mlflow_interp.kinds.comparison.tiles import PairTiles


def view(result: ComparisonResult, tiles: PairTiles | None = None) -> View:
    """The rules that did not pass as findings, and both heatmaps of each input."""
    tiles = tiles or make_tiles(result)
    return View(
        title="Comparison",
        headline=f"{title_of(result)} · {headline(result)}",
        inputs=_inputs(result, tiles),
        findings=[
            Finding(f"{result.names[1]} compared with {result.names[0]}: {headline(result)}.", {}),
            *_of_rules(result),
        ],
    )


def _of_rules(result: ComparisonResult) -> list[Finding]:
    """The rules that did not pass, without those that are undecided."""
    return [
        Finding(f"{MARKS[each.status]} {each.rule.replace('_', ' ')} ({each.status}): {each.reason}.", {})
        for each in result.verdicts
        if each.status in ("failed", "warned")
    ]


def _inputs(result: ComparisonResult, tiles: PairTiles) -> list[dict[str, object]]:
    """Rows in the order of their positions, as all views have them."""
    by_row = {int(row): position for position, row in enumerate(result.shown.tolist())}
    positions = [by_row[int(row)] for row in result.examples.shown_rows]
    first = 1 if tiles.headings and tiles.headings[0] == "image" else 0
    captioned = [
        list(zip(tiles.headings[first:], tiles.pixels[position][first:], strict=True))
        for position in positions
    ]
    notes = [[line for line, _ in input_lines(result, int(row))[1:]] for row in result.examples.shown_rows]
    return rows(result.examples, tiles=captioned, notes=notes, explained=result.old)
