"""The inputs of a run, matched across its methods, as the script of the run's page walks through them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlflow_interp.drawing import style
from mlflow_interp.report.folder import Entry
from mlflow_interp.report.view_file import VIEW_VERSION

# Text of other runs' making: an address that isn't a picture is not one for us.
_PICTURE = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/]+={0,2}")
_LONGEST = 200  # characters of a name


class Images:
    """Pictures as data: URIs, each once, as long as there is room for them.

    Args:
        room: characters that all may take together.

    Attributes:
        sources: what was placed.
        left_out: how many were not, by the place of their method.
    """

    def __init__(self, room: int) -> None:
        self.sources: list[str] = []
        self.left_out: Counter[str] = Counter()
        self._room = room
        self._known = dict[str, int]()

    def place(self, source: Any, method: str) -> int | None:
        """Where a picture stands in `sources`; None where it is none, or doesn't fit."""
        if not is_picture(source):
            return None
        if source not in self._known:
            if not self.fits(source, method):
                return None
            self._known[source] = len(self.sources)
            self.sources.append(source)
        return self._known[source]

    def fits(self, source: str, method: str) -> bool:
        """Take the room for a picture that stands elsewhere; False, and counted, where there is none."""
        if len(source) > self._room:
            self.left_out[method] += 1
            return False
        self._room -= len(source)
        return True


def is_picture(source: Any) -> bool:
    """Whether a value is the data: URI of a PNG or JPEG, and nothing else."""
    return isinstance(source, str) and bool(_PICTURE.fullmatch(source))


def usable(entry: Entry) -> bool:
    """Whether the page can show what index.json holds: a later version may have another form."""
    return entry.view is not None and entry.view.get("schema_version") == VIEW_VERSION


def walk(entries: Sequence[Entry], images: Images) -> dict[str, Any]:
    """What the script is told: sets of inputs, and what each method shows of each of them at each step.

    Inputs are the same where the digest of all inputs and the position among them are.
    """
    digests = list(dict.fromkeys(_digest(entry) for entry in entries))
    sets = [_input_set([entry for entry in entries if _digest(entry) == each], images) for each in digests]
    methods = [_method(entry, digests.index(_digest(entry))) for entry in entries]
    for step, place, key in _by_importance(methods):
        row = step["rows"][key]
        tiles = [(str(caption), images.place(source, place)) for caption, source in row["tiles"]]
        row["tiles"] = [[caption, at] for caption, at in tiles if at is not None]
    return {"sets": sets, "methods": methods, "images": images.sources}


def _digest(entry: Entry) -> str:
    return str(entry.manifest["inputs"]["sha256"])


def _input_set(entries: Sequence[Entry], images: Images) -> dict[str, Any]:
    """Every input that some method shows, in their order, with the best picture there is of it."""
    known: dict[int, dict[str, Any]] = {}
    for entry in entries:
        for row in entry.view["steps"][-1]["inputs"] if entry.view else ():
            own = {
                "index": int(row["index"]),
                "name": str(row["name"])[:_LONGEST],
                "label": row["label"],
                "labelName": row["labelName"] and str(row["labelName"])[:_LONGEST],
                "picture": row.get("picture"),
            }
            kept = known.setdefault(own["index"], own)
            kept["picture"] = max(kept["picture"] or "", own["picture"] or "", key=len) or None
    inputs = [known[index] for index in sorted(known)]
    for each in inputs:
        each["picture"] = images.place(each["picture"], entries[0].place)
    first = entries[0].manifest["inputs"]
    return {
        "name": f"{style.counted(int(first['count']))} of {str(first['source'])[:_LONGEST]}",
        "count": int(first["count"]),
        "inputs": inputs,
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
    kept = ("predicted", "predictions", "target", "tiles", "notes")
    rows = {
        str(int(row["index"])): {name: row[name] for name in kept if name in row} for row in step["inputs"]
    }
    shown = {name: step[name] for name in ("step", "headline", "scatter", "matrix")}
    return shown | {"rows": rows}


def _by_importance(methods: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Every step, method and input: last steps before earlier ones, first inputs before later ones."""
    deepest = max((len(method["steps"]) for method in methods), default=0)
    for back in range(1, deepest + 1):
        steps = [
            (method["steps"][-back], method["place"]) for method in methods if back <= len(method["steps"])
        ]
        keys = sorted({key for step, _ in steps for key in step["rows"]}, key=int)
        for key in keys:
            yield from ((step, place, key) for step, place in steps if key in step["rows"])
