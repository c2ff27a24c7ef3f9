"""Distinguishable colours for classes."""

from __future__ import annotations

import colorsys

# Petroff 2021, "Accessible Color Sequences for Data Visualization": colour-blind people can distinguish them.
_TEN = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
UNKNOWN_COLOUR = "#9aa3ab"
_GOLDEN = 0.61803398875  # the golden ratio: hues of neighbouring classes are far apart, and no hue repeats


def class_colours(count: int) -> list[str]:
    """A hex colour for each class: up to ten colour-blind safe ones, otherwise evenly spread hues.

    Nobody can distinguish more than about thirty; hovering, the legend and labels identify them.
    """
    if count <= len(_TEN):
        return list(_TEN[:count])
    return [_hue(index) for index in range(count)]


def _hue(index: int) -> str:
    # Three lightnesses and two saturations in turn, dark enough for white and light enough for black.
    lightness = (0.42, 0.55, 0.66)[index % 3]
    saturation = (0.75, 0.5)[index // 3 % 2]
    rgb = colorsys.hls_to_rgb((0.58 + index * _GOLDEN) % 1, lightness, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
