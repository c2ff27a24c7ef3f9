"""What the page of a run keeps of earlier steps, such as epochs: in few bytes, so that many fit."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from PIL import Image

T = TypeVar("T")

MOST_BYTES = 2_000_000  # of all earlier steps of a method together
_SMALLEST = 72  # pixels of the longer side of a tile; up to 64 the page would enlarge it pixel by pixel
_QUALITY = 45  # of tiles, as WebP


def evenly_spaced(steps: Sequence[T], most: int) -> list[T]:
    """At most `most` of some steps, evenly spaced, always with the last."""
    count = min(len(steps), most)
    return [steps[(index + 1) * len(steps) // count - 1] for index in range(count)]


def shorten(numbers: Sequence[int], read: Callable[[int], Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The last of some steps, and as many earlier ones as fit, evenly spaced.

    Earlier ones are without what is the same in the last, and if need be with smaller tiles, without heatmaps
    of further classes, and with those of fewer inputs.

    Args:
        numbers: the numbers of the steps, the last one last.
        read: returns the content of index.json of a step.
    """
    *earlier, last = numbers
    if not earlier:
        return [read(last)]

    most = MOST_BYTES // len(earlier)

    def fitted(number: int) -> dict[str, Any]:
        return _fitted(_without_repeated(read(number)), most)

    # The size of one tells about how many fit, so that few are made smaller in vain.
    count = min(len(earlier), _fitting([fitted(earlier[-1])]))
    while True:
        kept = [fitted(number) for number in evenly_spaced(numbers, count + 1)[:-1]]
        fitting = _fitting(kept)
        if fitting >= count:
            return [*kept, read(last)]
        count = fitting


def _fitting(steps: Sequence[Mapping[str, Any]]) -> int:
    """How many steps fit that are as large as the largest of these."""
    return MOST_BYTES // max([1, *map(_size, steps)])


def _size(step: Mapping[str, Any]) -> int:
    return len(json.dumps(step))


def _without_repeated(step: Mapping[str, Any]) -> dict[str, Any]:
    """A step without the images of its inputs, which the last step has."""
    rows = [
        {name: value for name, value in row.items() if name not in ("picture", "whole")}
        for row in step["inputs"]
    ]
    overview = step.get("overview")
    return dict(step) | {
        "inputs": rows,
        "overview": overview and dict(overview) | {"thumbnails": None},
    }


def _fitted(step: dict[str, Any], most: int) -> dict[str, Any]:
    """A step in about `most` bytes, if its tiles can be that small."""
    excess = _size(step) - most
    if excess > 0 and step.get("heat"):
        heat = step["heat"]
        shown = {row["index"] for row in step["inputs"]}
        room = len(heat["maps"]) + len(json.dumps(heat["others"])) - excess
        step = step | {"heat": _with_fewer_maps(heat, shown, room)}
    taken = sum(len(source) for row in step["inputs"] for _, source in row.get("tiles", ()))
    excess = _size(step) - most
    if excess > 0 and taken:
        scale = math.sqrt(max(0, taken - excess) / taken)
        step = step | {"inputs": [_with_tiles(row, scale) for row in step["inputs"]]}
    return step


def _with_fewer_maps(heat: Mapping[str, Any], shown: set[int], room: int) -> dict[str, Any]:
    """Heatmaps of the inputs that are shown, and of as many others as there is room for."""
    height, width = heat["size"]
    maps = base64.b64decode(heat["maps"])
    size = height * width
    places = [place for place, index in enumerate(heat["indices"]) if index in shown]
    others = [place for place, index in enumerate(heat["indices"]) if index not in shown]
    more = max(0, room * 3 // 4 // size - len(places))
    kept = sorted([*places, *others[:more]])
    maps = b"".join(maps[place * size : (place + 1) * size] for place in kept)
    return dict(heat) | {
        "indices": [heat["indices"][place] for place in kept],
        "maps": base64.b64encode(maps).decode(),
        "targets": [heat["targets"][place] for place in kept],
        "others": None,
    }


def _with_tiles(row: Mapping[str, Any], scale: float) -> dict[str, Any]:
    return dict(row) | {"tiles": [[caption, _smaller(source, scale)] for caption, source in row["tiles"]]}


def _smaller(source: str, scale: float) -> str:
    """A smaller tile, unless it takes fewer bytes as it is."""
    content = base64.b64decode(source.partition(",")[2])
    with Image.open(io.BytesIO(content), formats=["PNG", "JPEG", "WEBP"]) as image:
        side = max(_SMALLEST, round(scale * max(image.size)))
        image.thumbnail((side, side))
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "WEBP", quality=_QUALITY, method=2)
    smaller = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return min(source, smaller, key=len)
