"""Every figure is fit for a paper: resolution, sizes of texts, SVG with text, caption, colour bar, panels."""

from __future__ import annotations

import io
import sys
import threading
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib import _pylab_helpers
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from mlflow_interp.core.model_record import ModelRecord, with_record
from mlflow_interp.drawing.colour_bar import WHITE, ColourBar
from mlflow_interp.drawing.overlay import overlay
from mlflow_interp.drawing.style import find_colormap, png, svg
from mlflow_interp.kinds.confusion_matrix import from_predictions
from mlflow_interp.method_registry import kind_of
from tests.figure_texts import check_texts
from tests.interpretations import examples, results

METHODS = ("gradcam", "saliency", "caricature", "umap", "confusion_matrix")
RECORD = ModelRecord("sights", "3", "2026-11-27")
EARLIER = ModelRecord("sights", "2", "2026-10-02")
SVG = "{http://www.w3.org/2000/svg}"


def pictures(count):
    return np.random.default_rng(4).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


def found_in(count, record=RECORD, **options):
    shown = examples(count, pictures=pictures(count), **options)
    return {method: with_record(result, record) for method, result in results(shown).items()}


@pytest.fixture(scope="module")
def found():
    """By method a result of twelve inputs."""
    return found_in(12)


@pytest.fixture(scope="module")
def differences(found):
    """By method the difference of two versions of a model."""
    before = found_in(12, EARLIER, wrong=3)
    return {method: result.difference(before[method]) for method, result in found.items()}


def caption_of(figure):
    """The text at the bottom."""
    lowest = min(text.get_position()[1] for text in figure.texts)
    lines = [text for text in figure.texts if text.get_position()[1] < lowest + 0.5 / figure.get_figheight()]
    return " ".join(text.get_text() for text in sorted(lines, key=lambda text: -text.get_position()[1]))


def texts_in(content):
    return [element.text for element in ElementTree.fromstring(content).iter(f"{SVG}text")]


# --- size ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_png_has_200_pixels_an_inch_of_at_most_two_columns(found, method):
    figure = kind_of(method).draw(found[method])
    content = png(figure)
    with Image.open(io.BytesIO(content)) as image:
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.01)
        assert image.width == round(200 * figure.get_figwidth())
    assert figure.get_figwidth() <= 7.005
    assert content == png(kind_of(method).draw(found[method]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 12, 64])
def test_no_text_is_smaller_than_7_points_cut_off_or_over_another(method, count):
    names = [f"{'a long name of a photograph ' * 3}{index}" for index in range(count)]
    result = found_in(count, names=names)[method]
    for each in (result, result.difference(result)):
        figure = kind_of(method).draw(each)
        check_texts(figure)
        assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 7


@pytest.mark.parametrize("classes", [3, 20, 21, 60, 100])
def test_no_text_of_a_matrix_is_smaller_than_7_points(classes):
    labels = np.arange(40 * classes) % classes
    result = from_predictions(
        labels, np.where(np.arange(len(labels)) % 3 == 0, (labels + 1) % classes, labels)
    )
    for each in (result, result.difference(result)):
        figure = kind_of("confusion_matrix").draw(each)
        check_texts(figure)
        assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 7


def test_ten_long_class_names_are_readable_at_45_degrees():
    names = [f"a rather long name of class {index}" for index in range(10)]
    result = from_predictions(np.arange(40) % 10, np.arange(40) // 2 % 10, class_names=names)
    figure = kind_of("confusion_matrix").draw(result)
    labels = figure.axes[0].get_xticklabels()
    assert {label.get_rotation() for label in labels} == {45}
    assert {label.get_fontsize() for label in labels} == {9}
    # Lines of 9 points at 45 degrees are apart by the height of a line.
    lefts = [label.get_window_extent().x1 for label in labels if figure.canvas.draw() is None]
    assert np.diff(lefts).min() * np.sqrt(0.5) > 9 / 72 * figure.dpi


# --- SVG -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_texts_of_an_svg_are_texts(found, method):
    figure = kind_of(method).draw(found[method])
    content = svg(figure)
    texts = texts_in(content)
    named = {"gradcam": "explains cat", "saliency": "explains cat", "caricature": "photograph 0.jpg"}
    assert any(named.get(method, "cat") in text for text in texts)
    assert {text.get_text() for text in figure.texts} <= {"", *texts}
    assert content == svg(kind_of(method).draw(found[method]))
    assert b"<dc:date>" not in content
    width = ElementTree.fromstring(content).get("width")
    assert float(width.removesuffix("pt")) == pytest.approx(72 * figure.get_figwidth(), abs=0.01)


def test_the_images_of_an_svg_are_where_those_of_the_png_are(found):
    """Both are drawn from one figure: an image's box in points is its box in pixels times 72 / 200."""
    figure = kind_of("gradcam").draw(found["gradcam"])
    images = list(ElementTree.fromstring(svg(figure)).iter(f"{SVG}image"))
    drawn = figure.axes[0].images
    assert len(images) == len(drawn) + 1  # and the colour bar
    for element, image in zip(images, drawn, strict=False):
        left, low, right, high = image.get_window_extent().extents * 72 / 200
        assert float(element.get("x")) == pytest.approx(left, abs=0.02)
        assert float(element.get("y")) == pytest.approx(72 * figure.get_figheight() - high, abs=0.02)
        assert float(element.get("width")) == pytest.approx(right - left, abs=0.02)
        assert float(element.get("height")) == pytest.approx(high - low, abs=0.02)
        assert element.get("{http://www.w3.org/1999/xlink}href").startswith("data:image/jpeg;base64,")


def test_an_svg_of_many_photographs_stays_small():
    """Twelve photographs with heat: less than a PNG of them."""
    found = results(examples(12))["gradcam"]
    figure = kind_of("gradcam").draw(found)
    assert len(svg(figure)) < 600_000


def test_an_svg_of_many_points_holds_them_as_pixels():
    points = results(examples(12, pictures=pictures(12)))["umap"]
    many = examples(9000, pictures=pictures(1)).__class__
    rows = np.arange(9000) % 12
    shown = points.examples
    shown = many(
        np.arange(9000), tuple(map(str, range(9000))), shown.labels[rows], shown.classes[rows],
        shown.probabilities[rows], shown.class_names, None,
    )  # fmt: skip
    embeddings = np.random.default_rng(0).normal(size=(9000, 2, 2)).astype(np.float32)
    content = svg(kind_of("umap").draw(replace(points, examples=shown, embeddings=embeddings)))
    assert len(content) < 1_500_000
    assert "cat" in texts_in(content)


def test_settings_of_matplotlib_are_as_before(found):
    """Also where several threads draw at once."""
    names = ("svg.fonttype", "svg.hashsalt", "font.family")
    before = {name: matplotlib.rcParams[name] for name in names}
    figures = [kind_of("gradcam").draw(found["gradcam"]) for _ in range(4)]
    contents = [b""] * 4
    threads = [
        threading.Thread(target=lambda at=at: contents.__setitem__(at, svg(figures[at]))) for at in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(contents)) == 1
    assert {name: matplotlib.rcParams[name] for name in names} == before


# --- caption -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_caption_states_model_version_layer_and_date(found, method):
    caption = caption_of(kind_of(method).draw(found[method]))
    assert caption.endswith("Model sights, version 3; 2026-11-27.")
    layers = {"gradcam": "at late:", "caricature": "at early, middle, late:", "umap": "at middle, late."}
    assert layers.get(method, "") in caption


@pytest.mark.parametrize("method", METHODS)
def test_the_caption_of_a_difference_states_both_models(differences, method):
    caption = caption_of(kind_of(method).draw(differences[method]))
    assert caption.endswith(
        "First: model sights, version 3; 2026-11-27. Second: model sights, version 2; 2026-10-02."
    )


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (ModelRecord("net", "", "2026-11-27", 4), "Model net, epoch 4; 2026-11-27."),
        (ModelRecord("", "", "2026-11-27"), "2026-11-27."),
        (ModelRecord("net"), "Model net."),
    ],
)
def test_a_caption_states_what_is_known(found, record, expected):
    caption = caption_of(kind_of("gradcam").draw(with_record(found["gradcam"], record)))
    assert caption.endswith(f"strongest of the input. {expected}")


def test_without_a_record_a_caption_says_what_is_drawn():
    result = results(examples(2, pictures=pictures(2)))["gradcam"]
    assert caption_of(kind_of("gradcam").draw(result)).endswith("relative to the strongest of the input.")


@pytest.mark.parametrize("method", METHODS)
def test_a_record_comes_back_from_what_is_stored(found, method):
    kind = kind_of(method)
    facts = kind.facts(found[method])
    restored = kind.restored(found[method].arrays(), facts, None)
    assert restored.examples.model_record == RECORD


# --- colour bar ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "heat"), [(-1, 1.0), (0, 0.0), (51, 0.2)])
def test_the_colours_of_a_bar_are_those_of_heat_over_grey(row, heat):
    colours = find_colormap("inferno")
    bar = ColourBar(colours, "", opacity=0.7)
    grey = np.full((1, 1, 3), 128, np.uint8)
    drawn = overlay(grey, np.full((1, 1), heat), np.array(colours(heat))[np.newaxis, np.newaxis, :3], 0.7)
    np.testing.assert_array_equal(bar.pixels()[row, 0], drawn[0, 0])
    assert bar.pixels()[0, 0].tolist() == [128, 128, 128]


def test_signed_heat_is_transparent_in_the_middle_of_its_bar():
    bar = ColourBar(find_colormap("RdBu_r"), "", signed=True, opacity=1.0, background=WHITE)
    low, middle, high = bar.pixels()[[0, 127, 255], 0].astype(int)
    assert low[2] > low[0] + 50  # blue
    assert high[0] > high[2] + 50  # red
    assert middle.min() >= 254


def test_the_bar_in_the_figure_has_the_colour_of_the_strongest_heat(found):
    """On a mid-grey image, the strongest position and the top of the bar are the same colour in the PNG."""
    shown = replace(found["gradcam"].examples, images=np.full((12, 224, 224, 3), 128, np.uint8))
    hot = np.ones((12, 7, 7), np.float32)
    result = replace(
        found["gradcam"], explained=replace(found["gradcam"].explained, examples=shown), heatmaps=hot
    )
    figure = kind_of("gradcam").draw(result)
    with Image.open(io.BytesIO(png(figure))) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    box = figure.axes[0].images[0].get_window_extent()
    heat = pixels[len(pixels) - int(box.y0 + box.height / 2), int(box.x0 + 0.75 * box.width)]
    bar = figure.axes[1].get_window_extent()
    top = pixels[len(pixels) - int(bar.y1) + 3, int((bar.x0 + bar.x1) / 2)]
    assert np.abs(heat - top).max() <= 10  # three pixels below the top: 1 % less heat
    assert np.ptp(heat) > 50
    assert figure.axes[1].get_ylabel() == "heat, % of the input's strongest"
    assert [text.get_text() for text in figure.axes[1].get_yticklabels()] == ["0%", "50%", "100%"]


# --- saliency and caricature ---------------------------------------------------------------------------


def test_the_image_times_a_sparse_map_is_visible():
    """A tenth of the positions or more shows the image as it is, however sparse SmoothGrad is."""
    from mlflow_interp.kinds.saliency.tiles import times

    image = np.full((50, 50, 3), 200, np.uint8)
    sparse = np.random.default_rng(0).random((50, 50)) ** 8
    drawn = times(image, sparse)
    assert (drawn == 200).all(axis=2).mean() == pytest.approx(0.1, abs=0.01)
    assert (image * sparse[..., np.newaxis]).mean() < 0.6 * drawn.mean()
    assert times(image, np.zeros((50, 50))).max() == 0
    caption = caption_of(kind_of("saliency").draw(found_in(2)["saliency"]))
    assert "Each map is drawn up to its 99th percentile. ×\N{NO-BREAK SPACE}SmoothGrad: the image" in caption
    assert "clipped at its 90th percentile" in caption


def test_the_cosine_of_a_caricature_stands_below_it(found):
    figure = kind_of("caricature").draw(found["caricature"])
    first = {text.get_text(): text.get_position() for text in reversed(figure.texts)}
    cosines = [first[f"cosine {value}"] for value in ("0.90", "0.70", "0.50")]
    headings = [first[name] for name in ("early", "middle", "late")]
    assert [round(x, 6) for x, _ in cosines] == [round(x, 6) for x, _ in headings]
    assert len({y for _, y in cosines}) == 1


# --- panels --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("which", ["found", "differences"])
def test_a_panel_is_drawn_into_axes_and_touches_nothing_else(method, which, request):
    result = request.getfixturevalue(which)[method]
    settings = dict(matplotlib.rcParams)
    figure = Figure(figsize=(6, 3), dpi=100)
    axes, other = figure.subplots(1, 2)
    kind_of(method).draw_panel(axes, result, 0)
    assert axes.has_data() or len(axes.images)
    assert not other.has_data()
    assert figure.axes[:2] == [axes, other]
    assert figure.dpi == 100
    assert min(text.get_fontsize() for text in axes.findobj(Text) if text.get_text()) >= 7
    assert _pylab_helpers.Gcf.get_all_fig_managers() == []
    assert dict(matplotlib.rcParams) == settings
    assert png(figure)


def test_nothing_here_imports_pyplot():
    import subprocess

    code = (
        "import sys, matplotlib; from mlflow_interp.drawing import style, grid; "
        "style.svg(style.new_figure(1, 1)); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
