"""The figure and page of an embedding: positions, colours and rings of all points."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.drawing.palette import UNKNOWN_COLOUR, class_colours
from mlflow_interp.drawing.style import png
from mlflow_interp.kinds.embedding.figure import draw
from mlflow_interp.kinds.embedding.page import page, page_over
from mlflow_interp.kinds.embedding.view import view
from tests.figure_texts import check_texts


def data(html):
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])


def unpacked(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def texts(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


def test_points_have_the_positions_and_colours_of_the_result(embedding_of):
    from matplotlib.colors import to_hex

    result = embedding_of(classes=3)
    dots, rings = draw(result).axes[0].collections
    np.testing.assert_allclose(dots.get_offsets(), result.embeddings[:, 0])
    colours = [to_hex(colour) for colour in dots.get_facecolors()]
    assert colours == [class_colours(3)[label] for label in result.examples.labels]
    wrong = result.examples.classes[:, 0] != result.examples.labels
    assert wrong.sum() == 3
    np.testing.assert_allclose(rings.get_offsets(), result.embeddings[wrong, 0])


@pytest.mark.parametrize("layers", [1, 2, 4, 7])
def test_each_layer_has_a_panel_within_the_figure(embedding_of, layers):
    names = tuple(f"block_{index}" for index in range(layers))
    result = embedding_of(layers=names)
    figure = draw(result)
    assert len(figure.axes) == layers
    for axes, name, agreement in zip(figure.axes, names, result.measures["knn_agreement"], strict=True):
        assert axes.get_title() == f"{name} · neighbours agree {agreement:.0%}"
        box = axes.get_position()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= 1
        assert box.y1 <= 1


@pytest.mark.parametrize("components", [1, 2, 3])
@pytest.mark.parametrize("labelled", [True, False])
def test_drawing_is_repeatable_for_any_number_of_components(embedding_of, components, labelled):
    result = embedding_of(components=components, labelled=labelled)
    assert png(draw(result)) == png(draw(result))
    assert page(result) == page(result)


def test_one_component_has_a_row_for_each_class(embedding_of):
    result = embedding_of(components=1)
    across, down = draw(result).axes[0].collections[0].get_offsets().T
    np.testing.assert_allclose(across, result.embeddings[:, 0, 0])
    np.testing.assert_array_equal(np.round(-down), result.examples.labels)


@pytest.mark.parametrize("classes", [2, 10, 40, 1000])
def test_no_text_is_cut_off(embedding_of, classes):
    names = tuple(f"a class whose name is much too long for any legend {index}" for index in range(classes))
    figure = draw(embedding_of(2000, classes=classes, names=names, layers=("a/rather/long/path" * 9, "b")))
    check_texts(figure)
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    more = [text for text in texts(figure) if text.endswith(" more")]
    shown = [text for text in shown if text not in more]
    assert len(shown) == classes if not more else more == [f"… {classes - len(shown)} more"]


def test_wide_text_is_shortened_to_the_available_width(embedding_of):
    check_texts(draw(embedding_of(names=("W" * 60, "b", "c"), layers=("W" * 60, "b"))))


def test_names_are_shown_as_text(embedding_of):
    names = ("$x^2$", "_hidden", "two\nlines")
    assert {"$x^2$", "_hidden", "two·lines"} <= set(texts(draw(embedding_of(names=names))))


def test_without_labels_there_are_no_legend_and_no_rings(embedding_of):
    figure = draw(embedding_of(labelled=False))
    others = [text for text in texts(figure) if text not in ("UMAP of 60 inputs", "features")]
    assert " ".join(others).startswith("UMAP of the activations at features. A point is an input; ")
    assert figure.legends == []
    assert len(figure.axes[0].texts) == 0
    assert len(figure.axes[0].collections) == 1


def test_legend_can_be_per_panel_or_off(embedding_of):
    result = embedding_of(layers=("a", "b"))
    assert all(axes.get_legend() is not None for axes in draw(result, legend="each").axes)
    assert draw(result, legend="off").legends == []


def test_page_holds_every_point_label_and_prediction(embedding_of):
    result = embedding_of(layers=("a", "b"), components=3, names=("ant", "bee", "cat"))
    held = data(page(result))
    (step,) = held["steps"]
    for place in range(2):
        points = unpacked(step["points"][place], "<f4").reshape(-1, 3)
        np.testing.assert_array_equal(points, result.embeddings[:, place])
    (inputs,) = held["inputs"]
    np.testing.assert_array_equal(unpacked(inputs["labels"], "<i4"), result.examples.labels)
    np.testing.assert_array_equal(unpacked(step["predicted"], "<i4"), result.examples.classes[:, 0])
    assert [each["name"] for each in held["classes"]] == ["ant", "bee", "cat"]
    assert held["predictedNames"] == {"0": "ant", "1": "bee", "2": "cat"}
    assert (inputs["sprite"]["side"], inputs["sprite"]["columns"]) == (8, 8)


def test_page_contains_every_step(embedding_of):
    first, second = (embedding_of(seed=seed) for seed in (0, 1))
    held = data(page_over({3: first, 9: second}))
    assert [each["step"] for each in held["steps"]] == [3, 9]
    np.testing.assert_array_equal(
        unpacked(held["steps"][1]["points"][0], "<f4").reshape(-1, 2), second.embeddings[:, 0]
    )


def other_inputs(result, seed):
    """The same number of different inputs, with classes in another order."""
    examples = result.examples
    shown = replace(
        examples,
        names=tuple(f"other {seed} {index}" for index in range(len(examples))),
        labels=examples.labels[::-1].copy(),
        indices=examples.indices + 1000 * seed,
    )
    return replace(result, examples=shown, thumbnails=255 - result.thumbnails)


def test_each_step_shows_its_inputs_if_they_differ(embedding_of):
    """As with `resample=True`; the inputs of the first step used to be shown at every step."""
    first, second = embedding_of(seed=0), other_inputs(embedding_of(seed=1), 1)
    held = data(page_over({0: first, 1: second, 2: embedding_of(seed=2)}))
    assert [step["inputs"] for step in held["steps"]] == [0, 1, 0]
    one, other = held["inputs"]
    assert (one["names"], other["names"]) == (list(first.examples.names), list(second.examples.names))
    np.testing.assert_array_equal(unpacked(other["labels"], "<i4"), second.examples.labels)
    np.testing.assert_array_equal(unpacked(other["indices"], "<i4"), second.examples.indices)
    assert one["sprite"]["source"] != other["sprite"]["source"]


def test_thumbnails_are_smaller_with_many_steps_of_different_inputs(embedding_of, monkeypatch):
    monkeypatch.setattr("mlflow_interp.kinds.embedding.page.MOST_PIXELS", 60 * 4 * 14**2)
    results = {step: other_inputs(embedding_of(seed=step), step) for step in range(4)}
    results = {
        step: replace(result, thumbnails=result.thumbnails.repeat(4, axis=1).repeat(4, axis=2))
        for step, result in results.items()
    }
    assert {each["sprite"]["side"] for each in data(page_over(results))["inputs"]} == {14}


def test_large_pages_show_a_proportional_sample(embedding_of, monkeypatch):
    monkeypatch.setattr("mlflow_interp.kinds.embedding.page.MOST_POINTS", 30)
    html = page(embedding_of(300))
    assert np.bincount(unpacked(data(html)["inputs"][0]["labels"], "<i4")).tolist() == [10, 10, 10]
    assert "270 more inputs are not shown here" in html


def test_unknown_labels_are_grey_and_named_unknown(embedding_of):
    result = embedding_of()
    result.examples.labels[:5] = UNKNOWN
    assert data(page(result))["classes"][-1] == {
        "index": UNKNOWN, "name": "no label", "short": "no label", "colour": UNKNOWN_COLOUR,
    }  # fmt: skip
    assert "no label" in texts(draw(result))


def test_classes_have_different_colours():
    for count in (2, 10, 11, 40):
        assert len(set(class_colours(count))) == count


def test_predicted_classes_have_colours_on_the_page_of_the_run_without_labels(embedding_of):
    classes = view(embedding_of(labelled=False, classes=3)).panel.data["classes"]
    assert [classes[str(index)][1] for index in range(3)] == class_colours(3)


def test_class_that_is_only_predicted_has_a_colour_of_its_own(embedding_of):
    result = embedding_of(classes=3)
    labels = np.where(result.examples.labels == 1, 2, result.examples.labels)
    result = replace(result, examples=replace(result.examples, labels=labels))
    colours = {index: colour for index, (_, colour) in view(result).panel.data["classes"].items()}
    assert [colours["0"], colours["2"]] == class_colours(2)
    assert colours["1"] not in {*class_colours(2), UNKNOWN_COLOUR}
