"""Distinguishable colours and markers for classes."""

from __future__ import annotations

# Found by a search over sRGB: by Machado et al. 2009 any two differ by at least 25 in CIE Lab for people who
# lack one kind of cones (deuteranopia, protanopia, tritanopia), and each by at least 30 from white. Any first
# ones of them are further apart. tests/drawing/test_palette.py checks it.
_TEN = (
    "#278af6", "#9a0002", "#d9c225", "#a163a5", "#df3467",
    "#153ea8", "#8fd275", "#be6905", "#8430ff", "#05d4ff",
)  # fmt: skip
UNKNOWN_COLOUR = "#9aa3ab"
#: Matplotlib's markers: the first for the first ten classes, and so on.
MARKERS = ("o", "^", "s", "P", "D", "v", "X", "*")
_TINTS = (0.0, -0.3, 0.35, -0.5, 0.55, -0.15, 0.18)  # towards black, or towards white


def class_colours(count: int) -> list[str]:
    """A hex colour for each class: ten that colour-blind people can distinguish, then tints of them.

    Beyond ten classes, a figure also needs `class_markers`: the tints of a colour are similar.
    """
    return [_tinted(_TEN[index % 10], _TINTS[index // 10 % len(_TINTS)]) for index in range(count)]


def class_markers(count: int) -> list[str]:
    """A marker for each class: the same for ten classes, whose colours differ."""
    return [MARKERS[index // 10 % len(MARKERS)] for index in range(count)]


def _tinted(colour: str, tint: float) -> str:
    if not tint:
        return colour
    end = 255 if tint > 0 else 0
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(part + abs(tint) * (end - part)):02x}" for part in parts)
