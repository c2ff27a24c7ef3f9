"""The inputs of a run, matched across its methods, as the script of the run's page shows them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlflow_interp.drawing import style
from mlflow_interp.method_registry import panel_scripts
from mlflow_interp.report.folder import Entry
from mlflow_interp.report.manifest import inputs_identity
from mlflow_interp.report.view_file import VIEW_VERSION

# Views may come from elsewhere: a URI that isn't an image is not put into the page.
_IMAGE = re.compile(r"data:image/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}")
_LONGEST = 200  # characters of a name


class Images:
    """Images as data: URIs, each once, up to a total size.

    Args:
        budget: characters of all images together.

    Attributes:
        sources: the images.
        left_out: the number of images that did not fit, by the folder of their method.
    """

    def __init__(self, budget: int) -> None:
        self.sources: list[str] = []
        self.left_out: Counter[str] = Counter()
        self._budget = budget
        self._indices = dict[str, int]()

    def place(self, source: Any, method: str) -> int | None:
        """The index of an image in `sources`, added if new; None if it isn't an image or doesn't fit."""
        if not is_image(source):
            return None
        if source not in self._indices:
            if not self.fits(source, method):
                return None
            self._indices[source] = len(self.sources)
            self.sources.append(source)
        return self._indices[source]

    def fits(self, source: str, method: str) -> bool:
        """Subtract an image from the budget; return False, and count it as left out, if it doesn't fit."""
        if len(source) > self._budget:
            self.left_out[method] += 1
            return False
        self._budget -= len(source)
        return True


def is_image(source: Any) -> bool:
    """Whether a value is the data: URI of a PNG, JPEG or WebP, and nothing else."""
    return isinstance(source, str) and bool(_IMAGE.fullmatch(source))


def usable(entry: Entry) -> bool:
    """Whether the page can show the content of index.json: a later version may have another form."""
    return entry.view is not None and entry.view.get("schema_version") == VIEW_VERSION


def walk(entries: Sequence[Entry], images: Images) -> dict[str, Any]:
    """The script's data: sets of inputs, and what each method shows of each of them at each step.

    Inputs of two methods are the same if their indices and the digests of all the methods' inputs are equal.
    """
    digests = list(dict.fromkeys(_digest(entry) for entry in entries))
    sets = [_input_set([entry for entry in entries if _digest(entry) == each], images) for each in digests]
    methods = [_method(entry, digests.index(_digest(entry))) for entry in entries]
    for step, method, key in _by_importance(methods):
        row = step["rows"][key]
        tiles = [(str(caption), images.place(source, method)) for caption, source in row["tiles"]]
        row["tiles"] = [[caption, index] for caption, index in tiles if index is not None]
    return {"sets": sets, "methods": methods, "images": images.sources}


def _digest(entry: Entry) -> str:
    return inputs_identity(entry.manifest)


def _input_set(entries: Sequence[Entry], images: Images) -> dict[str, Any]:
    """Every input that some method shows, by index, with its largest image."""
    inputs_by_index: dict[int, dict[str, Any]] = {}
    for entry in entries:
        for row in entry.view["steps"][-1]["inputs"] if entry.view else ():
            candidate = {
                "index": int(row["index"]),
                "name": str(row["name"])[:_LONGEST],
                "label": row["label"],
                "labelName": row["labelName"] and str(row["labelName"])[:_LONGEST],
                "picture": row.get("picture"),
                "whole": row.get("whole"),
            }
            stored = inputs_by_index.setdefault(candidate["index"], candidate)
            stored["picture"] = max(stored["picture"] or "", candidate["picture"] or "", key=len) or None
            stored["whole"] = stored["whole"] or candidate["whole"]
    inputs = [inputs_by_index[index] for index in sorted(inputs_by_index)]
    first = entries[0].manifest["inputs"]
    overview = _overview(entries, images)
    for each in inputs:
        each["picture"] = images.place(each["picture"], entries[0].place)
        each["whole"] = _whole(each["whole"], images, entries[0].place)
    return {
        "name": f"{style.counted(int(first['count']))} of {str(first['source'])[:_LONGEST]}",
        "count": int(first["count"]),
        "inputs": inputs,
        "overview": overview,
    }


def _whole(whole: Mapping[str, Any] | None, images: Images, method: str) -> dict[str, Any] | None:
    """The whole image that a picture is a crop of, and the box of the crop; None if it doesn't fit."""
    source = whole and images.place(whole["source"], method)
    if whole is None or source is None:
        return None
    top, left, height, width = (float(length) for length in whole["box"])
    return {"source": source, "box": [top, left, height, width]}


def _overview(entries: Sequence[Entry], images: Images) -> dict[str, Any] | None:
    """Names, labels and thumbnails of all inputs, from the method that holds most of them."""
    candidates = [entry.view["steps"][-1]["overview"] for entry in entries if entry.view]
    overview = max(filter(None, candidates), key=lambda each: len(each["indices"]), default=None)
    if overview is None:
        return None
    thumbnails = overview["thumbnails"]
    source = thumbnails and images.place(thumbnails["source"], entries[0].place)
    return {
        "indices": [int(index) for index in overview["indices"]],
        "names": [str(name)[:_LONGEST] for name in overview["names"]],
        "labels": [int(label) for label in overview["labels"]],
        "classes": {str(int(index)): str(name)[:_LONGEST] for index, name in overview["classes"].items()},
        "values": overview["values"],
        "thumbnails": None
        if source is None
        else {"source": source, "side": int(thumbnails["side"]), "columns": int(thumbnails["columns"])},
    }


def _method(entry: Entry, input_set: int) -> dict[str, Any]:
    view: Mapping[str, Any] = entry.view or {}
    return {
        "place": entry.place,
        "title": str(view["title"]),
        "set": input_set,
        "over": view["over"],
        "steps": [_step(step) for step in view["steps"]],
    }


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    fields = ("predicted", "predictions", "target", "tiles", "notes")
    rows = {
        str(int(row["index"])): {name: row[name] for name in fields if name in row} for row in step["inputs"]
    }
    return {
        "step": step["step"],
        "headline": step["headline"],
        "panel": _panel(step["panel"]),
        "rows": rows,
        "overview": _predictions(step["overview"]),
        "findings": [{"text": str(each["text"]), "about": dict(each["about"])} for each in step["findings"]],
        "heat": step["heat"] and dict(step["heat"]),
        "neighbours": _neighbours(step.get("neighbours")),
    }


def _neighbours(near: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The nearest inputs by index; None for a method without any, and in earlier files."""
    if near is None:
        return None
    of = {str(int(index)): [int(each) for each in nearest] for index, nearest in near["of"].items()}
    return {"by": str(near["by"])[:_LONGEST], "of": of}


def _predictions(overview: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the model predicted for all inputs at a step."""
    if overview is None:
        return None
    return {name: list(overview[name]) for name in ("indices", "predicted", "confidence")}


def _panel(panel: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A panel whose kind has a script; None for any other, as data from elsewhere has none."""
    if panel is None or panel["kind"] not in panel_scripts():
        return None
    return {"kind": panel["kind"], "data": dict(panel["data"])}


def _by_importance(methods: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Every step, method and input: the last step first, then the others; first inputs before later ones."""
    orders = [_spread(len(method["steps"])) for method in methods]
    for rank in range(max(map(len, orders), default=0)):
        steps = [
            (method["steps"][-1 - order[rank]], method["place"])
            for method, order in zip(methods, orders, strict=True)
            if rank < len(order)
        ]
        keys = sorted({key for step, _ in steps for key in step["rows"]}, key=int)
        for key in keys:
            yield from ((step, place, key) for step, place in steps if key in step["rows"])


def _spread(count: int) -> list[int]:
    """0 to count - 1 in an order whose beginning is spread over all: 0, the last, one halfway, and so on."""
    order = [0, count - 1][:count]
    gaps = [(0, count - 1)]
    for low, high in gaps:  # which grows
        middle = (low + high) // 2
        if low < middle:
            order.append(middle)
            gaps += [(low, middle), (middle, high)]
    return order
