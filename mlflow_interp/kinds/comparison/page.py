"""The page of a comparison: verdict, rules, charts, what changed, and all numbers."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlflow_interp.comparison.statistics import Interval
from mlflow_interp.comparison.wording import points, signed
from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import FigureLayout
from mlflow_interp.drawing.page import render
from mlflow_interp.drawing.view import side_of, tile
from mlflow_interp.kinds.comparison.figure import (
    MARKS,
    classes_to_draw,
    draw_panel,
    headline,
    input_lines,
    number_lines,
    title_of,
)
from mlflow_interp.kinds.comparison.meanings import MEANINGS
from mlflow_interp.kinds.comparison.tiles import make_tiles

if TYPE_CHECKING:
    from mlflow_interp.kinds.comparison.result import ClassRow, ComparisonResult
    from mlflow_interp.kinds.comparison.tiles import PairTiles

MOST_CLASSES = 100
_STATES = {"passed": "right", "failed": "wrong", "warned": "warned", "undecided": "undecided"}
_INKS = {style.RIGHT: "right", style.WRONG: "wrong", style.FAINT: "faint", style.INK: ""}
_MOST_BYTES = 2_500_000  # of all tiles


def page(result: ComparisonResult, tiles: PairTiles | None = None) -> str:
    """A page that works offline and needs no script."""
    tiles = tiles or make_tiles(result)
    keys = list(result.paired.agreements)
    classes = result.classes()
    return render(
        "kinds/comparison/page.html",
        title=title_of(result),
        verdict=result.verdict,
        headline=headline(result).removeprefix(f"gate {result.verdict} · "),
        warnings=result.warnings(),
        rules=_rules(result),
        grouping=result.grouping,
        charts=_charts(result),
        versions=_versions(result, keys) if result.reference_names else [],
        shown=_shown(result),
        inputs=_inputs(result, tiles),
        numbers=_numbers(result),
        representation=_representation(result),
        differences=_differences(result),
        keys=keys,
        classes=_classes(classes[:MOST_CLASSES], keys),
        more_classes=max(0, len(classes) - MOST_CLASSES),
    )


def _rules(result: ComparisonResult) -> list[dict[str, str]]:
    return [
        {
            "mark": MARKS[each.status],
            "status": each.status,
            "state": _STATES[each.status],
            "name": each.rule.replace("_", " "),
            "reason": each.reason,
            "accepted": str(each.limit),
        }
        for each in result.verdicts
    ]


def _versions(result: ComparisonResult, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Each version against the old one."""
    return [
        {
            "role": each.role,
            "name": each.name,
            "accuracy": "–" if each.accuracy is None else points(each.accuracy),
            "flips": "–" if each.negative_flips is None else points(each.negative_flips),
            "agreements": [_interval(each.agreements.get(key)) for key in keys],
        }
        for each in result.versions
    ]


def _numbers(result: ComparisonResult) -> list[dict[str, str]]:
    return [
        {
            "name": name.replace("_", " "),
            "value": text,
            "count": f"{result.numbers[name].count:,}",
            "meaning": MEANINGS.get(name.partition("/")[0], ""),
        }
        for name, text in number_lines(result)
    ]


def _representation(result: ComparisonResult) -> list[dict[str, str]]:
    return [
        {"name": name.replace("_", " "), "value": f"{value:.3f}", "meaning": MEANINGS[name]}
        for name, value in result.representation.items()
    ]


def _differences(result: ComparisonResult) -> list[dict[str, str]]:
    """The figures of results that are no heatmaps."""
    return [
        {
            "title": f"{result.differences[name].minuend.title}, new minus old",
            "source": f"data:image/png;base64,{base64.b64encode(png).decode()}",
        }
        for name, png in result.difference_figures.items()
    ]


def _classes(classes: Sequence[ClassRow], keys: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "count": f"{each.count:,}",
            "old": f"{each.accuracy[0]:.1%}",
            "new": f"{each.accuracy[1]:.1%}",
            "agreements": [_number(each.agreements.get(key)) for key in keys],
        }
        for each in classes
    ]


def _interval(value: Interval | None) -> str:
    return "–" if value is None or not math.isfinite(value.value) else signed(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _shown(result: ComparisonResult) -> str:
    count = len(result.whole.predictions)
    shown = len(result.shown)
    if shown == count:
        return f"All {style.counted(count)}, flips first."
    if result.of_all is not None:
        return f"{shown} of {style.counted(count)}, flips first, from a sample of all changes of each label."
    return f"{shown} of {style.counted(count)}: flips first, then a sample, those that agree least first."


def _inputs(result: ComparisonResult, tiles: PairTiles) -> list[dict[str, Any]]:
    side = side_of(len(tiles.pixels) * max(1, len(tiles.headings)), _MOST_BYTES)
    return [
        {
            "name": result.examples.names[int(row)],
            "tiles": [
                {"heading": heading, "source": tile(pixels, side)}
                for heading, pixels in zip(tiles.headings, each, strict=True)
            ],
            "lines": [
                {"text": text, "state": _INKS.get(colour, "")}
                for text, colour in input_lines(result, int(row))
            ],
        }
        for row, each in zip(result.shown.tolist(), tiles.pixels, strict=True)
    ]


def _charts(result: ComparisonResult) -> list[dict[str, str]]:
    flips = FigureLayout.of(3.0, 2.6)
    draw_panel(flips.axes((0.75, 0.55, 2.0, 1.9)), result, "flips")
    found = [_chart(flips.finished(), "Correct and wrong predictions of both versions")]
    if classes := classes_to_draw(result):
        height = 0.19 * len(classes)
        agreement = FigureLayout.of(5.2, height + 0.75)
        draw_panel(agreement.axes((1.6, 0.35, 3.45, height)), result, "classes")
        found.append(_chart(agreement.finished(), "Agreement of heatmaps by class"))
    return found


def _chart(figure: Any, alt: str) -> dict[str, str]:
    source = f"data:image/svg+xml;base64,{base64.b64encode(style.svg(figure)).decode()}"
    return {"source": source, "alt": alt, "width": f"{110 * figure.get_figwidth():.0f}"}
