"""Regressions: values and labels in results, tables, figures and pages, without classes."""

from __future__ import annotations

import json
import re

import keras
import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure

import mlflow_interp
from mlflow_interp.core.regression import value_text
from mlflow_interp.drawing.grid import prediction_lines
from mlflow_interp.exceptions import InapplicableError, InterpretationWarning
from mlflow_interp.kinds.embedding.figure import draw, draw_panel
from mlflow_interp.kinds.embedding.page import page, page_over
from mlflow_interp.kinds.embedding.view import view
from mlflow_interp.kinds.heatmap.figure import draw as draw_heatmaps
from mlflow_interp.kinds.heatmap.page import page as heatmap_page
from tests.running import confusion_matrix, gradcam, umap

layers = keras.layers
INPUTS = np.random.default_rng(0).random((16, 6, 6, 1), dtype=np.float32)
TARGETS = (INPUTS.sum(axis=(1, 2, 3)) * 10).astype(np.float64)


def model_of(units=1):
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(3, 3, activation="relu", bias_initializer="ones", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(units, bias_initializer="random_normal", name="head"),
        ],
        name="net",
    )
    model.compile(loss="mse")
    return model


@pytest.fixture(scope="module")
def model():
    return model_of()


@pytest.fixture(scope="module")
def embeddings(model):
    """Embeddings of the same inputs, with and without labels."""
    from mlflow_interp.data.prepare import load_inputs
    from mlflow_interp.models.load import load_model

    loaded = load_model(model)
    return {
        labelled: umap(model, load_inputs(INPUTS, loaded, labels=TARGETS if labelled else None))
        for labelled in (True, False)
    }


def data_of(html):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1]
    )


@pytest.mark.parametrize("labels", [TARGETS, TARGETS[:, np.newaxis], TARGETS.tolist(), None])
def test_the_table_has_values_and_labels(model, batch_of, labels):
    result = gradcam(model, batch_of(model, INPUTS, labels=labels))
    table = result.table()
    assert list(table)[:3] == ["input", "value", "label"]
    assert not {"predicted", "probability", "target", "target_probability"} & set(table)
    np.testing.assert_allclose(table["value"], model.predict(INPUTS, verbose=0)[:, 0], rtol=1e-5)
    assert table["label"] == (list(TARGETS) if labels is not None else [None] * 16)
    assert result.metrics()["target_value"] == pytest.approx(float(np.mean(table["value"])), rel=1e-5)


def test_several_values_have_separate_columns(batch_of):
    model = model_of(2)
    labels = np.stack([TARGETS, -TARGETS], axis=1)
    batch = batch_of(model, INPUTS, labels=labels, class_names=["width", "height"])
    table = gradcam(model, batch).table()
    values = model.predict(INPUTS, verbose=0)
    assert table["target"] == np.array(["width", "height"])[values.argmax(axis=1)].tolist()
    np.testing.assert_allclose(table["target_value"], values.max(axis=1), rtol=1e-5)
    for output, name in enumerate(("width", "height")):
        np.testing.assert_allclose(table[f"value of {name}"], values[:, output], rtol=1e-5)
        np.testing.assert_allclose(table[f"label of {name}"], labels[:, output])


def test_nothing_about_classes_is_computed_or_reported(model, batch_of, embeddings):
    batch = batch_of(model, INPUTS, labels=TARGETS)
    result = gradcam(model, batch)
    assert not batch.warnings
    assert "accuracy" not in {**result.metrics(), **embeddings[True].metrics()}
    with pytest.raises(InapplicableError, match="gives values, not classes"):
        confusion_matrix(model, batch)
    with pytest.warns(InterpretationWarning, match="confusion_matrix was left out: the model gives values"):
        found = mlflow_interp.interpret(model, INPUTS, "all", labels=TARGETS, log=False, quiet=True)
    assert {"gradcam", "umap"} <= set(found)


def test_fractional_labels_show_that_a_linear_output_is_a_value(batch_of):
    model = model_of()
    model.compile()
    batch = batch_of(model, INPUTS, labels=TARGETS)
    assert gradcam(model, batch).table()["label"] == list(TARGETS)
    assert not batch.warnings


def test_fractional_labels_for_a_binary_classifier_give_a_warning(batch_of):
    model = keras.Sequential([keras.Input((6, 6, 1)), *model_of().layers[:2], layers.Dense(1, "sigmoid")])
    batch = batch_of(model, INPUTS, labels=np.full(16, 0.3))
    assert "accuracy" not in gradcam(model, batch).metrics()
    (warning,) = batch.warnings
    assert warning.startswith("label 0.3 is not a class of model")


def colour_bar(figure):
    """The label and the range of the figure's colour bar."""
    (bar,) = [axes for axes in figure.axes if axes.get_ylabel()]
    return bar.get_ylabel(), bar.get_ylim()


@pytest.mark.parametrize("labelled", [True, False])
def test_points_are_coloured_by_value(model, embeddings, labelled):
    result = embeddings[labelled]
    numbers = TARGETS if labelled else model.predict(INPUTS, verbose=0)[:, 0]
    figure = draw(result)
    (points,) = figure.axes[0].collections  # no rings
    shares = (numbers - numbers.min()) / np.ptp(numbers)
    expected = colormaps["viridis"](shares)[:, :3]
    np.testing.assert_allclose(points.get_facecolors()[:, :3], expected, atol=1e-2)
    title, limits = colour_bar(figure)
    assert title == ("label" if labelled else "predicted value")
    np.testing.assert_allclose(limits, [numbers.min(), numbers.max()], rtol=1e-5)
    assert not figure.legends
    assert "ringed" not in " ".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_colour_bar_can_be_switched_off(embeddings):
    assert len(draw(embeddings[True], legend="off").axes) == 1
    figure = Figure()
    draw_panel(figure.add_subplot(), embeddings[True], 0)
    assert colour_bar(figure)[0] == "label"


def test_points_without_a_label_are_grey(model, batch_of):
    labels = np.where(np.arange(16) < 3, np.nan, TARGETS)
    figure = draw(umap(model, batch_of(model, INPUTS, labels=labels)))
    (points,) = figure.axes[0].collections
    grey = points.get_facecolors()[:, :3]
    assert (np.ptp(grey[:3], axis=1) < 0.1).all()
    assert colour_bar(figure)[1] == pytest.approx((TARGETS[3:].min(), TARGETS[3:].max()))


def test_page_uses_one_colour_scale_for_all_steps(embeddings):
    single = data_of(page(embeddings[True]))
    assert (single["values"]["title"], single["steps"][0]["lines"][0][0][0]) == ("label", "value")
    assert single["values"]["low"] == pytest.approx(TARGETS.min())
    # Labels of one step alone would not be comparable with the values of others.
    both = data_of(page_over({0: embeddings[True], 1: embeddings[False]}))
    assert both["values"]["title"] == "predicted value"
    assert "Only errors" not in page(embeddings[True])


def test_run_page_shows_values_as_text(embeddings, model, batch_of):
    shown = view(embeddings[True])
    row = shown.inputs[0]
    assert (row["label"], row["predicted"]) == (None, None)
    assert [name for name, _ in row["predictions"]] == ["value", "label"]
    assert float(row["predictions"][1][1]) == pytest.approx(TARGETS[0], rel=1e-4)
    scatter = shown.panel.data
    assert len(set(scatter["values"]["colours"])) > 8
    assert scatter["values"]["scale"].startswith("label, from ")


def test_heatmaps_show_value_and_label(model, batch_of):
    result = gradcam(model, batch_of(model, INPUTS[:2], labels=TARGETS[:2]))
    texts = [text.get_text() for axes in draw_heatmaps(result).axes for text in axes.texts]
    texts += [text.get_text() for text in draw_heatmaps(result).texts]
    value = model.predict(INPUTS[:1], verbose=0)[0, 0]
    (line,) = [text for text in texts if text.startswith("value") and f"{TARGETS[0]:.5g}"[:5] in text]
    assert float(line.split()[1]) == pytest.approx(value, rel=1e-4)
    assert not [text for text in texts if "explains" in text or "%" in text.replace("100%", "")[:4]]
    first = data_of(heatmap_page(result))
    first = first[0] if isinstance(first, list) else first["inputs"][0]
    assert (first["target"], first["label"]) == ("", None)
    assert [name for name, _ in first["predictions"]] == ["value", "label"]


def test_heatmaps_of_several_values_show_each_with_its_label(batch_of):
    model = model_of(2)
    labels = np.stack([TARGETS, -TARGETS], axis=1)[:2]
    result = gradcam(model, batch_of(model, INPUTS[:2], labels=labels, class_names=["width", "height"]))
    lines = [text for text, _ in prediction_lines(result.explained, 0)]
    values = model.predict(INPUTS[:1], verbose=0)[0]
    assert lines[0] == f"explains {['width', 'height'][values.argmax()]}"
    for line, name, value, label in zip(lines[1:], ("width", "height"), values, labels[0], strict=True):
        number, words = line.split(maxsplit=1)
        assert float(number) == pytest.approx(value, rel=1e-4)
        assert words == f"{name} · label {value_text(label)}"


def test_stored_results_are_loaded(model, tmp_path):
    for method in ("gradcam", "umap"):
        call = getattr(mlflow_interp, f"visualize_{method}")
        made = call(model, INPUTS, labels=TARGETS, log=False, quiet=True, save=tmp_path)
        loaded = mlflow_interp.load(tmp_path / method)
        assert loaded.result.table() == made.result.table()
        assert loaded._repr_png_() == made._repr_png_()
        np.testing.assert_array_equal(loaded.result.arrays()["true_values"][:, 0], TARGETS)


def test_regressions_can_be_subtracted(model, batch_of):
    other = model_of()
    other.layers[-1].bias.assign_add([5.0])
    results = [gradcam(each, batch_of(each, INPUTS, labels=TARGETS)) for each in (other, model)]
    table = results[0].difference(results[1]).table()
    assert table["label"] == list(TARGETS)
    np.testing.assert_allclose(np.subtract(table["value"], table["other_value"]), 5, atol=1e-4)
    np.testing.assert_allclose(table["target_value_change"], 5, atol=1e-4)


def test_supervised_layout_follows_values(model, batch_of):
    """Similar values count as similar, not only equal ones: the layout follows them more closely."""
    batch = batch_of(model, INPUTS, labels=np.random.default_rng(3).permutation(16) / 3)
    apart = {}
    for supervised in (False, True):
        result = umap(model, batch, supervised=supervised, n_components=1, target_weight=0.95, n_neighbors=5)
        points = result.embeddings[:, 0, 0]
        ranks = [np.argsort(np.argsort(each)) for each in (points, result.examples.true_values[:, 0])]
        apart[supervised] = abs(np.corrcoef(*ranks)[0, 1])
    assert apart[True] > apart[False] + 0.2
