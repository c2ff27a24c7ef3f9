"""Figures, pages and texts of confusion matrices."""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from mlflow_interp.drawing.style import png
from mlflow_interp.exceptions import InputsError, OptionError
from mlflow_interp.kinds.confusion_matrix import from_predictions
from mlflow_interp.kinds.confusion_matrix.figure import draw
from mlflow_interp.kinds.confusion_matrix.page import page, page_over
from mlflow_interp.kinds.confusion_matrix.text import as_text
from mlflow_interp.kinds.confusion_matrix.view import view
from tests.figure_texts import check_texts


def result_of(classes, *, count=2000, names=None, right=0.8, seed=0, pictures=False, **options):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    found = np.where(rng.random(count) < right, labels, (labels + rng.integers(1, 3, count)) % classes)
    names = [f"class {index}" for index in range(classes)] if names is None else names
    shown = rng.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8) if pictures else None
    probabilities = 0.7 * np.eye(classes)[found] + 0.3 / classes
    return from_predictions(labels, probabilities, class_names=names, images=shown, **options)


@pytest.fixture(scope="module")
def several():
    rng = np.random.default_rng(0)
    labels = rng.random((300, 60)) < 0.3
    found = np.clip(0.6 * labels + 0.6 * rng.random(labels.shape), 0, 1)
    return from_predictions(labels.astype(int), found)


def data_of(html):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1]
    )


def texts(figure):
    return [text for axes in figure.axes for text in axes.texts]


@pytest.fixture(scope="module")
def pixels():
    """Four classes at 20×15 positions of 8 images; the first class has more labels than 32 bits can count."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (8, 20, 15))
    found = np.where(rng.random(labels.shape) < 0.8, labels, rng.integers(0, 4, labels.shape))
    images = rng.integers(0, 256, (8, 20, 15, 3), dtype=np.uint8)
    return from_predictions(labels, found, class_names=["sky", "road", "tree", "car"], images=images)


def words_of(figure):
    texts_of = [*figure.texts, *texts(figure)]
    labels = [axes.get_ylabel() for axes in figure.axes]
    return " ".join([*(text.get_text() for text in texts_of), *labels])


def test_figure_states_that_pixels_are_counted(pixels):
    shown = words_of(draw(pixels, normalize="none"))
    assert "2,400 pixels of 8 inputs" in shown
    assert shown.endswith("pixels")
    assert "share of all pixels" in words_of(draw(pixels, normalize="all"))
    check_texts(draw(pixels))
    assert "2,400 pixels of 8 inputs" in as_text(pixels)


def test_page_states_that_pixels_are_counted(pixels):
    html = page(pixels)
    assert '<option value="none">pixels</option>' in html
    (step,) = data_of(html)["steps"]
    assert step["headline"][0].endswith("2,400 pixels of 8 inputs")
    shares = [mistake["share"] for mistake in step["mistakes"]]
    np.testing.assert_allclose(shares, pixels.shares, atol=1e-6)
    assert not any(mistake["predictions"] for mistake in step["mistakes"])
    with pytest.raises(InputsError, match="2 steps with different classes"):
        page_over({0: pixels, 1: replace(pixels, unit="tokens")})


def test_counts_exceed_32_bits(pixels):
    many = pixels.counts.copy()
    many[0, 0] = 5 * 2**32
    (step,) = data_of(page(replace(pixels, counts=many)))["steps"]
    assert step["wide"]
    counts = np.frombuffer(base64.b64decode(step["counts"]), "<f8")
    assert counts.astype(np.int64).tolist() == many[many > 0].tolist()
    assert "21.5G" in words_of(draw(replace(pixels, counts=many), normalize="none"))


def test_run_page_shows_no_predictions_of_inputs_for_pixels(pixels):
    shown = view(pixels)
    assert shown.inputs == []
    assert shown.panel is not None
    assert "pixels" in shown.headline


def test_counts_of_pixels_and_inputs_are_not_subtracted(pixels):
    with pytest.raises(InputsError, match="one confusion matrix counts pixels and the other inputs"):
        pixels.difference(replace(pixels, unit="inputs"))


LONG = [
    "a class with a name that nobody can read to its end " * 3,
    "$x$",
    "<b>bold</b>",
    "tab\there",
    "é" * 60,
    "W" * 60,
]


@pytest.mark.parametrize("classes", [2, 3, 10, 20, 40, 61, 130])
def test_nothing_is_clipped_and_names_do_not_overlap(classes):
    names = (LONG + [f"some longer class name {index}" for index in range(classes)])[:classes]
    figure = draw(result_of(classes, names=names))
    check_texts(figure)
    matrix = figure.axes[0].get_tightbbox(figure.canvas.get_renderer())
    # The most confused pairs and the caption stand below the names of the columns.
    assert all(text.get_window_extent().y1 < matrix.y0 for text in figure.texts[2:])


def test_up_to_20_classes_have_numbers():
    few, many = draw(result_of(20)), draw(result_of(21))
    assert len(texts(few)) == np.count_nonzero(result_of(20).counts)
    assert not texts(many)


def test_numbers_are_counts_or_shares():
    result = from_predictions([0, 0, 0, 1], [0, 0, 1, 1], class_names=["cat", "dog"])
    numbers = {
        how: [text.get_text() for text in texts(draw(result, normalize=how))]
        for how in ("none", "true", "all")
    }
    assert numbers["none"] == ["2", "1", "1"]
    assert numbers["true"] == ["67%", "2", "33%", "1", "100%", "1"]
    assert numbers["all"] == ["50%", "2", "25%", "1", "25%", "1"]
    assert "75%" not in numbers["true"]
    precision = [text.get_text() for text in texts(draw(result, normalize="predicted"))]
    assert precision == ["100%", "2", "50%", "1", "50%", "1"]


def test_order_applies_to_rows_and_columns():
    result = from_predictions([0, 1, 1, 1, 2, 2], [0, 1, 1, 0, 2, 2], class_names=["a", "b", "c"])
    axes = draw(result, order="support", normalize="none").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "c", "a"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["b", "c", "a"]
    assert {(*map(float, text.get_position()), text.get_text()) for text in axes.texts} == {
        (0.0, 0.0, "2"), (2.0, 0.0, "1"), (1.0, 1.0, "2"), (2.0, 2.0, "1"),
    }  # fmt: skip


def test_every_cell_is_visible_with_more_cells_than_pixels():
    labels = np.array([*range(2500), 7])
    result = from_predictions(labels, np.array([*range(2500), 2301]))
    pixels = draw(result).axes[0].images[0].get_array()
    assert pixels.shape[:2] == (834, 834)
    assert pixels[7 // 3, 2301 // 3, 0] < 255
    assert pixels[2301 // 3, 7 // 3, 0] == 255


def test_a_thousand_classes_are_drawn_in_seconds():
    result = result_of(1000, count=50_000)
    png(draw(result_of(3)))
    started = time.perf_counter()
    png(draw(result, order="cluster"))
    assert time.perf_counter() - started < 5


def test_several_labels_are_drawn_as_a_grid(several):
    figure = draw(several)
    assert len(figure.axes) == 48
    assert "48 of 60 labels" in figure.texts[1].get_text()
    assert [text.get_text() for text in figure.axes[0].texts][0::2][:2] == [
        f"{several.counts[0, 0, 0]}", f"{several.counts[0, 0, 1]}",
    ]  # fmt: skip
    with pytest.raises(OptionError, match="for labels"):
        draw(several, order="cluster")


def test_page_contains_nonempty_cells():
    result = result_of(50, count=300)
    data = data_of(page(result))
    step = data["steps"][0]
    cells = np.frombuffer(base64.b64decode(step["cells"]), np.uint32)
    counts = np.frombuffer(base64.b64decode(step["counts"]), np.uint32)
    rebuilt = np.zeros(2500, int)
    rebuilt[cells] = counts
    np.testing.assert_array_equal(rebuilt.reshape(50, 50), result.counts)
    assert len(step["mistakes"]) == len(result.examples)
    assert sorted(data["cluster"]) == list(range(50))


def test_page_escapes_data():
    names = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>", "c"]
    html = page(result_of(3, names=names))
    assert "<script>alert(1)" not in html
    assert "<img src=x" not in html
    assert html.count("<script") == 3
    assert "default-src 'none'" in html
    assert data_of(html)["names"] == names


def test_page_over_steps_stores_each_image_once():
    results = {step: result_of(4, right=right, pictures=True) for step, right in enumerate((0.3, 0.5, 0.8))}
    html = page_over(results, order="cluster", normalize="none")
    data = data_of(html)
    assert [step["step"] for step in data["steps"]] == [0, 1, 2]
    assert 'id="step"' in html
    shown = {mistake["picture"] for step in data["steps"] for mistake in step["mistakes"]}
    assert shown == set(range(len(data["pictures"])))
    assert len(set(data["pictures"])) == len(data["pictures"])
    assert (data["order"], data["normalize"]) == ("cluster", "none")


def test_page_over_one_step_equals_the_page():
    result = result_of(4)
    assert page(result) == page_over({0: result})
    assert 'id="step"' not in page(result)


def test_page_over_many_steps_stays_small():
    results = {step: result_of(40, right=0.2, pictures=True, seed=step) for step in range(20)}
    data = data_of(page_over(results))
    assert len(data["pictures"]) <= 1200
    assert all(40 <= len(step["mistakes"]) <= 60 for step in data["steps"])


def test_steps_with_different_classes_are_rejected():
    with pytest.raises(InputsError, match="2 steps with different classes"):
        page_over({0: result_of(3), 1: result_of(4)})
    with pytest.raises(InputsError, match="0 steps"):
        page_over({})


def test_text_for_the_console(several):
    result = from_predictions([0, 0, 1], [0, 1, 1], class_names=["cat\x1b[31m", "犬"])
    lines = as_text(result).splitlines()
    assert lines[0] == "Confusion matrix · accuracy 66.7% · 3 inputs"
    assert lines[2].split() == ["true", "\\", "predicted", "cat·[31m", "犬", "recall"]
    assert lines[3].split() == ["cat·[31m", "1", "1", "50%"]
    assert "\x1b" not in as_text(result)
    assert " → class " in as_text(result_of(30))
    assert len(as_text(result_of(30)).splitlines()) == 14
    assert "F1" in as_text(several)
