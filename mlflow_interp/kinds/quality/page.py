"""The page of quality: the verdicts, the measures of each kind of heatmap, and how far they agree."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from mlflow_interp.drawing import style
from mlflow_interp.drawing.page import render
from mlflow_interp.kinds.quality.figure import MARKS, draw_curves, title_of
from mlflow_interp.kinds.quality.meanings import MEANINGS
from mlflow_interp.quality.measures import median

if TYPE_CHECKING:
    from mlflow_interp.kinds.quality.result import QualityResult


def page(result: QualityResult) -> str:
    """A page that works offline: verdict, curves, all measures, and the agreement of methods."""
    columns = range(len(result.titles))
    summaries = [result.summary(column) for column in columns]
    names = [name for name in MEANINGS if any(name in each for each in summaries)]
    return render(
        "kinds/quality/page.html",
        title=title_of(result),
        count=style.counted(len(result.examples)),
        methods=[
            {
                "title": title,
                "checks": [_check(each) for each in result.checks(column)],
                "curves": _curves(result, column),
            }
            for column, title in enumerate(result.titles.values())
        ],
        measures=[
            {
                "name": name.replace("_", " "),
                "meaning": MEANINGS[name],
                "values": [f"{each[name]:.3g}" if name in each else "–" for each in summaries],
            }
            for name in names
        ],
        agreements=[
            {
                "pair": f"{result.titles[each.first]} and {result.titles[each.second]}",
                "correlation": f"{median(each.correlations):.2f}",
                "overlap": f"{median(each.overlaps):.0%}",
            }
            for each in result.agreements
        ],
    )


def _check(check: Any) -> dict[str, str]:
    states = {True: "right", False: "wrong", None: "faint"}
    return {
        "mark": MARKS[check.passes],
        "state": states[check.passes],
        "name": check.name,
        "reason": check.reason,
    }


def _curves(result: QualityResult, column: int) -> str:
    """The curves as a data: URI."""
    image = base64.b64encode(style.svg(draw_curves(result, column))).decode()
    return f"data:image/svg+xml;base64,{image}"
