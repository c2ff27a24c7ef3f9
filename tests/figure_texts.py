"""Positions of the texts of a figure."""

from __future__ import annotations

import warnings

import numpy as np
from matplotlib.text import Text


def boxes(figure):
    """Each text that is drawn, and its (left, bottom, right, top) in pixels."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.canvas.draw()
        texts = [each for each in figure.findobj(Text) if each.get_visible() and each.get_text().strip()]
        # That of an annotation itself holds its line too.
        return [(text, Text.get_window_extent(text).extents) for text in dict.fromkeys(texts)]


def check_texts(figure):
    """Check that no text is cut off, and none overlaps another."""
    found = boxes(figure)
    width, height = figure.canvas.get_width_height()
    for text, (left, low, right, high) in found:
        assert left >= -0.5, text
        assert low >= -0.5, text
        assert right <= width + 0.5, text
        assert high <= height + 0.5, text
    # The box of rotated text is mostly empty.
    upright = [(text, box) for text, box in found if text.get_rotation() % 90 == 0]
    left, low, right, high = np.array([box for _, box in upright]).T
    # Text that stands above another may touch it by the hundredth of an inch that lines are apart.
    across = np.minimum.outer(right, right) - np.maximum.outer(left, left) > 0.01 * figure.dpi
    down = np.minimum.outer(high, high) - np.maximum.outer(low, low) > 0.015 * figure.dpi
    one, other = np.nonzero(np.triu(across & down, 1))
    assert not len(one), [(upright[a][0], upright[b][0]) for a, b in zip(one, other, strict=True)]
