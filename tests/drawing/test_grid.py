"""The grid of inputs in which heatmaps, saliency maps and caricatures are drawn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.drawing import style
from mlflow_interp.drawing.colour_bar import ColourBar
from mlflow_interp.drawing.grid import draw_grid, prediction_lines, reduced
from mlflow_interp.drawing.grid_sizes import Strip
from tests.figure_texts import check_texts

NAMES = (
    "a_name_that_is_far_too_long_for_any_place_that_it_could_stand_in",
    "W" * 60,
    "a name · with a dot",
    "i" * 90,
    "犬" * 30,
)


@pytest.mark.filterwarnings("ignore:the figure shows boxes in '犬")
@pytest.mark.parametrize(("count", "tiles"), [(1, 2), (1, 5), (2, 2), (2, 5), (16, 1), (16, 2), (64, 5)])
@pytest.mark.parametrize("shape", [(32, 32), (64, 32), (32, 64)])
def test_text_neither_overlaps_nor_is_cut_off(count, shape, tiles):
    import matplotlib

    tile = np.zeros((*shape, 3), np.uint8)
    names = [NAMES[at % len(NAMES)] for at in range(count + 1)]
    strips = [
        Strip(
            one, [tile] * tiles, [(f"explains {one} · label {other}", "black"), (f" 3%  {one}", "grey")] * 2
        )
        for one, other in itertools.pairwise(names)
    ]
    bar = ColourBar(matplotlib.colormaps["gray"], "share of 99th percentile")
    check_texts(draw_grid(NAMES[1] * 4, strips, headings=[f"net/{NAMES[0]}", "short"][:tiles], bar=bar))


def test_grid_is_no_larger_than_its_content():
    """No space is reserved for a colour bar or lines of text that do not exist."""
    import matplotlib

    tile = np.zeros((32, 32, 3), np.uint8)
    short, long = ([Strip("a", [tile], [("line", "black")] * lines)] for lines in (1, 4))
    bar = ColourBar(matplotlib.colormaps["gray"], "share")
    assert draw_grid("title", short).get_figheight() < draw_grid("title", long).get_figheight()
    assert draw_grid("title", short).get_figwidth() < draw_grid("title", short, bar=bar).get_figwidth()


def test_headings_of_narrow_tiles_are_readable():
    """Five tiles of seven inputs side by side: no heading is shortened."""
    tile = np.zeros((32, 32, 3), np.uint8)
    headings = ("image", "× SmoothGrad", "gradients", "SmoothGrad", "integrated gradients")
    bar = ColourBar(style.find_colormap("gray"), "share")
    strips = [Strip(str(at), [tile] * 5, []) for at in range(7)]
    figure = draw_grid("title", strips, headings=headings, bar=bar)
    check_texts(figure)
    texts = [text.get_text() for text in figure.texts]
    assert not [text for text in texts if "…" in text]
    assert {"× Smooth", "Grad", "Smooth", "gradients", "integrated"} <= set(texts)


def test_only_large_images_are_reduced():
    picture = np.arange(600 * 600 * 3, dtype=np.uint32).reshape(600, 600, 3).astype(np.uint8)
    assert reduced(picture).shape == (300, 300, 3)
    assert reduced(picture[:511, :511]).shape == (511, 511, 3)
    values = np.random.default_rng(0).random((520, 1040))
    np.testing.assert_allclose(reduced(values)[0, 0], values[:4, :4].mean(), rtol=1e-6)


def test_values_are_named_after_their_output_and_unchanged():
    """A regression has no classes or probabilities, even if its values lie between 0 and 1."""
    examples = Examples(
        np.arange(1), ("a",), np.array([-1]), np.array([[0, 1]]), np.float32([[-3, 0.25]]), None, None,
        has_classes=False,
    )  # fmt: skip
    explained = Explained(examples, np.array([1]), np.float32([0.25]), np.float32([0.25]), "values")
    lines = [text.strip() for text, _ in prediction_lines(explained, 0)]
    assert lines == ["explains output 1", "-3  output 0", "0.25  output 1"]
