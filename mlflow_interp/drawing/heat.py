"""Heatmaps as numbers, which the page of a run draws over the images of inputs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlflow_interp.core.examples import Examples
from mlflow_interp.drawing.overlay import relative, resize_map
from mlflow_interp.drawing.overview import sample

MOST_BYTES = 150_000  # of all maps of a step
_STEPS = 256  # of a colormap


def make_heat(
    examples: Examples,
    maps: np.ndarray,
    colours: Any,
    *,
    signed: bool,
    targets: Sequence[str],
    opacity: float,
) -> dict[str, Any] | None:
    """Maps of as many inputs as fit, those that are shown first, as plain values.

    Args:
        examples: the inputs.
        maps: (n, height, width), of each input; if not signed, >= 0.
        colours: a matplotlib colormap of 0..1; for signed maps its middle is 0.
        signed: whether maps have both signs.
        targets: the name of the explained class of each input.
        opacity: of the strongest heat, 0..1.

    Returns:
        indices: of the inputs that have a map.
        size: height and width of a map.
        maps: base64 of (m, height, width) uint8, each map relative to its strongest heat: 0 to 255, or, if
            signed, 1 to 255 with 128 for no heat.
        targets: the name of the explained class of each.
        colours: base64 of 256 colours, (256, 3) uint8.
        signed, opacity: as given.
        others: None; see `make_others`.
    """
    if not len(maps):
        return None
    side = max(maps.shape[1:])
    shown = examples.shown_rows
    # The maps of the shown inputs always fit, if need be at a lower resolution.
    largest = max(1, int((MOST_BYTES / max(1, len(shown))) ** 0.5))
    scale = min(1.0, largest / side)
    height, width = (max(1, int(length * scale)) for length in maps.shape[1:])
    size = height, width
    rows = shown if examples.is_selection else _with_others(examples, MOST_BYTES // (size[0] * size[1]))
    return {
        "indices": examples.indices[rows].tolist(),
        "size": list(size),
        "maps": _text(_integers(maps[rows], size, signed=signed)),
        "targets": [targets[row] for row in rows.tolist()],
        "colours": _text(colours(np.linspace(0, 1, _STEPS), bytes=True)[:, :3]),
        "signed": signed,
        "opacity": opacity,
        "others": None,
    }


def make_others(
    heat: dict[str, Any], examples: Examples, maps: np.ndarray, targets: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Maps of further classes of the inputs that are shown, in the form and size of `heat`.

    Args:
        heat: the maps of the explained class.
        examples: the inputs.
        maps: (m, k, height, width), of the inputs that are shown.
        targets: k class names of each.

    Returns:
        indices: of the inputs.
        maps: base64 of (k, m, height, width) uint8.
        targets: (k, m) class names.
    """
    height, width = heat["size"]
    by_rank = np.swapaxes(maps, 0, 1)
    integers = [_integers(each, (height, width), signed=heat["signed"]) for each in by_rank]
    return {
        "indices": examples.indices[examples.shown_rows].tolist(),
        "maps": _text(np.stack(integers)),
        "targets": [list(each) for each in zip(*targets, strict=True)],
    }


def _integers(maps: np.ndarray, size: tuple[int, int], *, signed: bool) -> np.ndarray:
    """Maps relative to their strongest heat, as uint8."""
    heat = relative(maps)
    if size != maps.shape[1:]:
        heat = np.stack([resize_map(each, *size) for each in heat])
    integers = np.rint(127 * heat) + 128 if signed else np.rint(255 * heat)
    return np.asarray(np.clip(integers, 0, 255).astype(np.uint8))


def _with_others(examples: Examples, most: int) -> np.ndarray:
    """Sorted rows: those that are shown, and others of the overview while there is room."""
    shown = examples.shown_rows
    others = np.setdiff1d(sample(examples), shown)
    return np.sort(np.concatenate([shown, others[: max(0, most - len(shown))]]))


def _text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
