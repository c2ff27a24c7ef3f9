"""The grid of inputs that heatmaps, saliency maps and caricatures are drawn in."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.figures.grid import Strip, draw_grid, fitted


def test_each_part_of_a_line_is_cut_by_as_much():
    line = f"explains {'a' * 60} · label {'b' * 60}"
    assert fitted(line, 200) == line
    explained, label = fitted(line, 43).split(" · ")
    assert (len(explained), len(label)) == (20, 20)
    assert label.startswith("label b")


@pytest.mark.parametrize("count", [1, 2, 16, 64])
def test_no_text_overlaps_another_or_is_cut_off(count):
    tile = np.zeros((32, 32, 3), np.uint8)
    long = "a_name_that_is_far_too_long_for_any_place_that_it_could_stand_in"
    strips = [Strip(long, [tile] * 4, [(f"{long} · {long}", "black")] * 4) for _ in range(count)]
    figure = draw_grid(long, strips, headings=[f"net/{long}"] * 4)
    boxes = [text.get_window_extent() for text in figure.texts]
    width, height = figure.canvas.get_width_height()
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height for box in boxes)
    left, right = (np.array([getattr(box, side) for box in boxes]) for side in ("x0", "x1"))
    low, high = (np.array([getattr(box, side) for box in boxes]) for side in ("y0", "y1"))
    # Text that stands above another may touch it by the pixel that lines are apart.
    across = np.minimum.outer(right, right) - np.maximum.outer(left, left) > 1
    down = np.minimum.outer(high, high) - np.maximum.outer(low, low) > 1.5
    assert np.array_equal(across & down, np.eye(len(boxes), dtype=bool))
