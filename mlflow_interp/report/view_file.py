"""The views of a method, in index.json.

A later call that logs to the run builds the page of the run from this file.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from mlflow_interp.drawing.view import View

VIEW_VERSION = 2  # 2: `panel` instead of `scatter` and `matrix`
#: By the name of a field of version 1, the kind whose panel it is.
_PANELS_OF_1 = {"scatter": "embedding", "matrix": "confusion_matrix"}
MOST_OF_STEPS = 1_000_000  # bytes of all steps together
_SHARP = 150_000  # bytes up to which a figure stays a PNG
_LARGEST_FIGURE = 240_000  # bytes of any other
_WIDEST = 1_400  # pixels of any other


def small_figure(png: bytes) -> str:
    """A figure as a data: URI: unchanged if it is small, else as a JPEG small enough for the page.

    Raises:
        OSError: it is not a PNG; Pillow may also raise ValueError or SyntaxError.
    """
    if len(png) <= _SHARP:
        return f"data:image/png;base64,{base64.b64encode(png).decode()}"
    with Image.open(io.BytesIO(png), formats=["PNG"]) as opened:
        image = opened.convert("RGB")
    widest = _WIDEST
    while True:
        image.thumbnail((widest, 10 * widest), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=80, optimize=True)
        if buffer.tell() <= _LARGEST_FIGURE or widest < 300:
            return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        widest = int(0.8 * image.width)


def as_json(
    view: View,
    *,
    figure: bytes | None = None,
    series: Mapping[str, Sequence[tuple[int, float]]] | None = None,
) -> bytes:
    """A view as the content of index.json.

    Args:
        view: the view of one step.
        figure: the PNG of the method's figure.
        series: by name, the steps and values of metrics during the computation.
    """
    step = {
        "step": 0,
        "headline": view.headline,
        "inputs": list(view.inputs),
        "panel": None if view.panel is None else {"kind": view.panel.kind, "data": view.panel.data},
    }
    return _packed(view.title, figure, "step", series or {}, [step])


def upgraded(view: dict[str, Any]) -> dict[str, Any]:
    """The content of index.json in the form of this version; damaged or later content is unchanged."""
    if view.get("schema_version") != 1 or not isinstance(view.get("steps"), list):
        return view
    return view | {"schema_version": VIEW_VERSION, "steps": [_upgraded_step(step) for step in view["steps"]]}


def _upgraded_step(step: Any) -> Any:
    if not isinstance(step, dict):
        return step
    data = {kind: step[name] for name, kind in _PANELS_OF_1.items() if step.get(name) is not None}
    panels = [{"kind": kind, "data": each} for kind, each in data.items()]
    others = {name: value for name, value in step.items() if name not in _PANELS_OF_1}
    return others | {"panel": panels[0] if panels else None}


def over_steps(
    contents: Mapping[int, bytes], series: Mapping[str, Sequence[tuple[int, float]]], figure: bytes
) -> bytes | None:
    """Combine the index.json of several steps, such as epochs: the last, and as many others as fit.

    Args:
        contents: the index.json of each step, the last one last.
        series: by name, the steps and values of metrics.
        figure: the PNG of the last step's figure.
    """
    if not contents:
        return None
    numbers = list(contents)
    shown = evenly_spaced(numbers, max(1, MOST_OF_STEPS // max(map(len, contents.values()))))
    steps = [json.loads(contents[number])["steps"][0] | {"step": number} for number in shown]
    for step in steps[:-1]:
        for row in step["inputs"]:
            row.pop("picture", None)  # the same as in the last step
    return _packed(json.loads(contents[numbers[-1]])["title"], figure, "epoch", series, steps)


def evenly_spaced(numbers: Sequence[int], most: int) -> list[int]:
    """At most `most` of the numbers, evenly spaced, always with the last."""
    count = min(len(numbers), most)
    return [numbers[(index + 1) * len(numbers) // count - 1] for index in range(count)]


def _packed(
    title: str,
    figure: bytes | None,
    over: str,
    series: Mapping[str, Sequence[tuple[int, float]]],
    steps: Sequence[Mapping[str, Any]],
) -> bytes:
    content = {
        "schema_version": VIEW_VERSION,
        "title": title,
        "figure": None if figure is None else small_figure(figure),
        "over": over,
        "series": {name: [list(point) for point in points] for name, points in series.items()},
        "steps": steps,
    }
    return json.dumps(content, allow_nan=False).encode()
