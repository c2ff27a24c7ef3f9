"""If there are many inputs, figure, page and view of each kind show the selected ones."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from mlflow_interp.drawing.view import tile
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.heatmap.result import HeatmapResult
from mlflow_interp.method_registry import kind_of
from tests.interpretations import examples, results

COUNT = 500
SHOWN = np.array([3, 70, 71, 499])


def colours(count):
    """(count, 8, 8, 3) uint8, each image in a different colour."""
    rows = np.arange(count)
    pixels = np.stack([rows % 256, rows // 256 * 100, 255 - rows % 256], axis=1).astype(np.uint8)
    return np.broadcast_to(pixels[:, np.newaxis, np.newaxis], (count, 8, 8, 3)).copy()


@pytest.fixture(scope="module")
def every():
    """By method, a result of 500 inputs, four of which are shown."""
    found = results(examples(COUNT, pictures=colours(COUNT)))
    chosen = replace(found["umap"].examples, images=colours(COUNT)[SHOWN], shown=SHOWN)
    explained = replace(found["gradcam"].explained, examples=chosen)
    return {
        "gradcam": replace(found["gradcam"], explained=explained),
        "saliency": replace(found["saliency"], explained=explained),
        "caricature": replace(found["caricature"], examples=chosen),
        "umap": replace(found["umap"], examples=chosen),
    }


def texts_of(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])


@pytest.mark.parametrize("method", ["gradcam", "saliency", "caricature"])
def test_figure_page_and_view_show_the_selected_inputs(every, method):
    result, kind = every[method], kind_of(method)
    names = [f"photograph {row}.jpg" for row in SHOWN]
    texts = texts_of(kind.draw(result))
    assert [name for name in texts if name.startswith("photograph")] == names
    assert any("4 of 500 inputs" in text for text in texts)
    page = kind.page(result)
    assert [each["name"] for each in data_of(page)] == names
    assert "4 of 500 inputs are shown; arrays.npz holds all" in page
    rows = kind.view(result).inputs
    assert [row["index"] for row in rows] == SHOWN.tolist()
    assert [row["picture"] for row in rows] == [tile(image) for image in colours(COUNT)[SHOWN]]
    if method == "gradcam":
        assert set(SHOWN.tolist()) <= set(kind.view(result).heat["indices"])
    else:
        assert len({source for row in rows for _, source in row["tiles"]}) >= len(SHOWN)


def test_embedding_on_the_run_page_has_every_input_shown(every):
    view = kind_of("umap").view(every["umap"])
    assert [row["index"] for row in view.inputs] == SHOWN.tolist()


def test_each_tile_belongs_to_its_input(every):
    """The heat of row 70 is drawn over the image of row 70."""
    tiles = kind_of("gradcam").make_tiles(every["gradcam"])
    assert tiles.rows == tuple(SHOWN)
    for row, (image, _) in zip(tiles.rows, tiles.pixels, strict=True):
        assert image[0, 0].tolist() == colours(COUNT)[row, 0, 0].tolist()


@pytest.mark.parametrize("method", ["gradcam", "saliency", "caricature"])
def test_up_to_64_inputs_are_all_shown(method):
    shown = examples(5, pictures=colours(5))
    result, kind = results(shown)[method], kind_of(method)
    assert not any(" of 5 inputs" in text for text in texts_of(kind.draw(result)))
    assert [each["name"] for each in data_of(kind.page(result))] == list(shown.names)


def test_without_a_selection_the_first_inputs_are_shown():
    shown = examples(70, pictures=colours(70))
    result = results(shown)["gradcam"]
    result = replace(
        result, explained=replace(result.explained, examples=replace(shown, images=shown.images[:64]))
    )
    assert any("64 of 70 inputs" in text for text in texts_of(kind_of("gradcam").draw(result)))


@pytest.mark.parametrize("method", ["gradcam", "saliency", "caricature"])
def test_tiles_are_drawn_once_for_figure_page_and_view(every, method, monkeypatch):
    from mlflow_interp.report.files import draw_files

    made = []
    module = __import__(f"{kind_of(method).package}.tiles", fromlist=["make_tiles"])
    original = module.make_tiles
    monkeypatch.setattr(
        module, "make_tiles", lambda *given, **options: made.append(1) or original(*given, **options)
    )
    for name in ("figure", "page", "view"):
        monkeypatch.setattr(f"{kind_of(method).package}.{name}.make_tiles", module.make_tiles)
    draw_files(method, every[method], {})
    assert len(made) == 1


# --- one input in given axes -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["gradcam", "saliency", "caricature"])
@pytest.mark.parametrize("panel", [70, "photograph 70.jpg"])
def test_one_input_is_drawn_into_axes(every, method, panel):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    kind_of(method).draw_panel(axes, every[method], panel)
    assert axes.get_title() == "photograph 70.jpg"
    tiles = kind_of(method).make_tiles(every[method], [1])
    assert axes.images[0].get_array().shape[0] == tiles.pixels[0][0].shape[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == list(tiles.headings)


@pytest.mark.parametrize(
    ("panel", "message"),
    [
        (4, "input 4 is not shown: 4 of 500 inputs are; see examples.shown_rows"),
        (500, "panel 500 is out of range: there are inputs 0–499"),
        ("photograph 72.jpg", "no shown input 'photograph 72.jpg'; nearest: "),
    ],
)
def test_input_without_an_image_is_rejected(every, panel, message):
    from matplotlib.figure import Figure

    with pytest.raises(OptionError, match=re.escape(message)):
        kind_of("gradcam").draw_panel(Figure().subplots(), every["gradcam"], panel)


# --- signed heatmaps ---------------------------------------------------------------------------------


def heatmap_of(values, **fields):
    shown = examples(len(values), pictures=colours(len(values)))
    explained = results(shown)["gradcam"].explained
    return HeatmapResult(explained, np.float32(values), "late", **fields)


SIGNED = [[[4, -8], [0, 4]], [[-1, -1], [-2, 0]]]


def test_negative_evidence_is_stored_but_not_drawn():
    signed, positive = heatmap_of(SIGNED), heatmap_of(np.maximum(SIGNED, 0))
    assert signed.arrays()["heatmaps"].min() == -8
    # Half of the positive heat, 4 of 8, is at one position of four; the second map has none.
    assert signed.table()["focus"] == pytest.approx([0.25, np.nan], nan_ok=True)
    assert signed.metrics() == positive.metrics()
    assert signed.metrics()["empty_heatmaps"] == 1
    assert signed.warnings() == positive.warnings() != []
    kind = kind_of("gradcam")
    for one, other in zip(kind.make_tiles(signed).pixels, kind.make_tiles(positive).pixels, strict=True):
        assert all(map(np.array_equal, one, other))
    assert kind.page(signed) == kind.page(positive)


def test_method_without_a_relu_shows_both_signs():
    result = heatmap_of([[[8, -8], [0, 0]], [[-1, -1], [-2, 0]]], relu=False, title="Occlusion")
    # Half of the absolute heat, 8 of 16, is at one position of four; of the second map at 2 of 4.
    assert result.table()["focus"] == pytest.approx([0.25, 0.25])
    assert result.metrics()["empty_heatmaps"] == 0
    _, heat = kind_of("gradcam").make_tiles(result, opacity=1.0).pixels[0]
    assert heat[0, 0, 0] > heat[0, 0, 2]  # top left supports the class: red
    assert heat[0, -1, 2] > heat[0, -1, 0]  # top right opposes it: blue
    assert "Occlusion at late" in texts_of(kind_of("gradcam").draw(result))


def test_every_method_has_its_title():
    result, kind = heatmap_of(SIGNED, title="LayerCAM"), kind_of("gradcam")
    assert "LayerCAM at late" in texts_of(kind.draw(result))
    assert "<h1>LayerCAM at late</h1>" in kind.page(result)
    view = kind.view(result)
    assert view.title == "LayerCAM at late"
    assert view.heat["size"] == [2, 2]
