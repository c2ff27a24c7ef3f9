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

from mlflow_interp.core import findings
from mlflow_interp.drawing.view import View
from mlflow_interp.report.earlier_steps import shorten

VIEW_VERSION = 3  # 2: `panel` instead of `scatter` and `matrix`; 3: `overview`, `findings`, `heat`
#: By the name of a field of version 1, the kind whose panel it is.
_PANELS_OF_1 = {"scatter": "embedding", "matrix": "confusion_matrix"}
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
        "overview": view.overview,
        "findings": findings.as_json(view.findings),
        "heat": view.heat,
        "neighbours": None if view.neighbours is None else view.neighbours.as_dict(),
    }
    return _packed(view.title, figure, "step", series or {}, [step])


def is_interactive(step: Mapping[str, Any]) -> bool:
    """Whether the workbench shows something of a method, so that its figure would be the same again."""
    return bool(step.get("panel") or step.get("heat") or any(row.get("tiles") for row in step["inputs"]))


def upgraded(view: dict[str, Any]) -> dict[str, Any]:
    """The content of index.json in the form of this version; damaged or later content is unchanged."""
    version = view.get("schema_version")
    if version not in (1, 2) or not isinstance(view.get("steps"), list):
        return view
    try:
        steps = [_upgraded_step(step, version) for step in view["steps"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        return view
    return view | {"schema_version": VIEW_VERSION, "steps": steps}


def _upgraded_step(step: Any, version: int) -> Any:
    if not isinstance(step, dict):
        return step
    if version == 1:
        data = {kind: step[name] for name, kind in _PANELS_OF_1.items() if step.get(name) is not None}
        panels = [{"kind": kind, "data": each} for kind, each in data.items()]
        others = {name: value for name, value in step.items() if name not in _PANELS_OF_1}
        step = others | {"panel": panels[0] if panels else None}
    return step | {"overview": _overview_of(step.get("panel")), "findings": [], "heat": None}


def _overview_of(panel: Any) -> dict[str, Any] | None:
    """The overview of an earlier version, in which only the panel of an embedding knew all inputs."""
    if not isinstance(panel, dict) or panel.get("kind") != "embedding":
        return None
    points = panel["data"]
    classes = {index: name for index, (name, _) in points["classes"].items()}
    return {
        "count": len(points["indices"]) + points.get("more", 0),
        **{name: points[name] for name in ("indices", "names", "labels", "predicted")},
        "confidence": [None] * len(points["indices"]),
        "values": (points.get("values") or {}).get("lines"),
        "classes": classes,
        "thumbnails": None,
    }


def over_steps(
    contents: Mapping[int, bytes], series: Mapping[str, Sequence[tuple[int, float]]], figure: bytes
) -> bytes | None:
    """Combine the index.json of several steps, such as epochs: the last, and what fits of the others.

    Args:
        contents: the index.json of each step, the last one last.
        series: by name, the steps and values of metrics.
        figure: the PNG of the last step's figure.
    """
    if not contents:
        return None
    steps = shorten(
        list(contents), lambda number: json.loads(contents[number])["steps"][0] | {"step": number}
    )
    title = json.loads(list(contents.values())[-1])["title"]
    return _packed(title, figure, "epoch", series, steps)


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
        "figure": None if figure is None or is_interactive(steps[-1]) else small_figure(figure),
        "over": over,
        "series": {name: [list(point) for point in points] for name, points in series.items()},
        "steps": steps,
    }
    return json.dumps(content, allow_nan=False).encode()
