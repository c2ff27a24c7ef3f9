"""Nearest examples of a network whose activations are the inputs themselves, so that neighbours are known."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.exceptions import InapplicableError, InputsError, OptionError
from mlflow_interp.kinds.nearest_examples.figure import draw, draw_panel, headline
from mlflow_interp.kinds.nearest_examples.page import page
from mlflow_interp.kinds.nearest_examples.view import view
from tests import running

#: Two directions; input 4 points along the first, but is labelled like the second.
VECTORS = np.array([[1, 0], [4, 1], [0, 2], [1, 9], [3, 0.5]], np.float32)
LABELS = [0, 0, 1, 1, 1]


@pytest.fixture(scope="module")
def passthrough():
    """A classifier of vectors whose hidden layer returns them unchanged."""
    inputs = keras.Input((2,))
    hidden = keras.layers.Activation("linear", name="same")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax", name="head")(hidden), name="same")
    model.get_layer("head").set_weights([np.eye(2, dtype=np.float32), np.zeros(2, np.float32)])
    return model


@pytest.fixture
def run(passthrough, batch_of):
    """A function of inputs and options that returns the result."""

    def run(vectors=VECTORS, labels=LABELS, *, batch_size=32, **options):
        batch = batch_of(passthrough, vectors, labels=labels, batch_size=batch_size)
        return running.nearest_examples(passthrough, batch, **options)

    return run


def test_neighbours_and_similarities_are_those_of_the_vectors(run):
    result = run(nearest=2)
    assert result.layer == "same"
    assert result.neighbours[0].tolist() == [4, 1]
    # (1, 0) and (3, 0.5): 3 / √9.25; (1, 0) and (4, 1): 4 / √17.
    np.testing.assert_allclose(result.similarities[0], [3 / 9.25**0.5, 4 / 17**0.5], atol=1e-5)
    near = view(result).neighbours
    assert (near.by, near.of[0]) == ("at same", [4, 1])
    assert result.neighbour_names[0] == ("#4", "#1")
    assert result.neighbour_labels[0].tolist() == [1, 0]


def test_the_input_whose_neighbours_disagree_comes_first(run):
    result = run(nearest=2)
    assert result.agreement.tolist() == [0.5, 0.5, 0.5, 0.5, 0]
    assert result.order[0] == 4
    assert result.suggested[4] == 0
    assert result.highlights()["disagreeing"] == [{"input": "#4", "label": "1", "label_of_neighbours": "0"}]
    assert result.metrics()["disagreeing"] == 1
    assert result.metrics()["agreement"] == pytest.approx(0.4)
    # The nearest of two neighbours with different labels decides: for 0 and 1 input 4, labelled 1.
    assert result.metrics()["neighbour_accuracy"] == pytest.approx(2 / 5)
    assert view(result).findings[0].text == "#4 is labelled 1, but its neighbours are mostly 0."


def test_a_reference_is_searched_instead(run):
    others = np.array([[5, 0], [0, 5], [5, 5]], np.float32)
    result = run(nearest=1, reference=others, reference_labels=[0, 1, 1])
    assert result.neighbours[:, 0].tolist() == [0, 0, 1, 1, 0]
    assert result.reference_count == 3
    assert result.resolved["reference"] == "array"
    assert view(result).neighbours is None
    assert result.agreement.tolist() == [1, 1, 1, 1, 0]
    assert result.resolved["reference_labels"] == "int64 array of shape (3,)"


def test_equal_inputs_are_excluded_by_their_values(run):
    twice = np.concatenate([VECTORS, VECTORS[:1]])
    result = run(twice, [*LABELS, 1], nearest=1)
    assert result.neighbours[0, 0] == result.neighbours[5, 0] == 4
    assert result.equal == 2
    assert "2 inputs are equal to another" in result.warnings()[0]
    shown = run(twice, [*LABELS, 1], nearest=1, equal_inputs="keep")
    assert shown.similarities[:, 0].tolist() == [1] * 6
    with_reference = run(nearest=1, reference=VECTORS)
    assert with_reference.neighbours[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert not with_reference.warnings()


def test_without_labels_the_least_similar_input_comes_first(run):
    vectors = np.array([[1, 0], [5, 0.1], [4, 0.2], [1, -3]], np.float32)
    result = run(vectors, None, nearest=1)
    assert result.order[0] == 3
    assert not result.is_labelled
    assert "agreement" not in result.metrics()
    assert result.table()["agreement"] == [None] * 4
    assert "similarity" in headline(result)
    assert view(result).findings == []


def test_only_neighbours_with_a_label_count(run):
    result = run(labels=[0, UNKNOWN, 1, 1, 1], nearest=2)
    # Of the neighbours 4 and 1 of input 0, only 4 has a label, which is 1.
    assert result.agreement[0] == 0
    assert result.agreement[1] == -1
    assert result.order[-1] == 1


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_neither_batch_size_nor_order_matters(run, batch_size):
    rng = np.random.default_rng(0)
    vectors, labels = rng.normal(size=(30, 2)).astype(np.float32), rng.integers(0, 2, 30)
    expected, result = run(vectors, labels), run(vectors, labels, batch_size=batch_size)
    np.testing.assert_array_equal(result.neighbours, expected.neighbours)
    order = rng.permutation(30)
    moved = run(vectors[order], labels[order], batch_size=batch_size)
    np.testing.assert_array_equal(order[moved.neighbours], expected.neighbours[order])


def test_fewer_inputs_than_neighbours_give_what_there_is(run):
    result = run()
    assert result.resolved["nearest"] == 4
    assert result.neighbours.shape == (5, 4)
    assert not result.warnings()


def test_a_cache_gives_the_same(run, tmp_path):
    first, second = (
        run(cache=str(tmp_path), reference=VECTORS[:3], reference_labels=LABELS[:3]) for _ in "ab"
    )
    assert list(tmp_path.iterdir())
    np.testing.assert_array_equal(first.similarities, second.similarities)


def test_a_single_input_is_refused(run):
    with pytest.raises(InapplicableError, match="no other to compare it with"):
        run(VECTORS[:1], [0])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"reference_labels": [1]}, OptionError, "reference_labels are given without a reference"),
        ({"layer": "same,head"}, OptionError, "layer names 2 layers"),
        ({"reference": "/no/such/folder"}, InputsError, "nothing found at '/no/such/folder'"),
        ({"layer": "smae"}, OptionError, "no layer 'smae'"),
        ({"nearest": 0}, OptionError, "nearest is 0; give 1 or more"),
    ],
)
def test_bad_options_are_refused(run, options, error, message):
    with pytest.raises(error, match=message) as raised:
        run(**options)
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def digits_found(digits):
    """The neighbours of 200 digits among 400 others, from a trained network, as files."""
    model, pixels, labels = digits
    return mlflow_interp.visualize_nearest_examples(
        model,
        pixels[:200],
        labels=labels[:200],
        reference=pixels[200:],
        reference_labels=labels[200:],
        log=False,
        quiet=True,
    )


def test_digits_have_neighbours_of_their_class(digits_found):
    result = digits_found.result
    assert result.metrics()["agreement"] > 0.8
    assert result.metrics()["neighbour_accuracy"] > 0.85
    assert result.pictures.shape == (64, 10, 8, 8, 3)
    first = result.examples.shown_rows
    assert set(first.tolist()) == set(result.order[:64].tolist())


def test_what_is_stored_gives_the_same_figure(digits_found, tmp_path):
    from mlflow_interp.drawing.style import png

    loaded = mlflow_interp.load(digits_found.save(tmp_path))
    assert png(loaded.draw()) == png(digits_found.draw())
    assert loaded.result.neighbour_names == digits_found.result.neighbour_names


def test_wrong_labels_come_first(digits):
    model, pixels, labels = digits
    rng = np.random.default_rng(1)
    flipped = rng.choice(len(labels), len(labels) // 20, replace=False)
    noisy = labels.copy()
    noisy[flipped] = (labels[flipped] + rng.integers(1, 10, len(flipped))) % 10
    found = mlflow_interp.visualize_nearest_examples(model, pixels, labels=noisy, log=False, quiet=True)
    first = found.result.order[: len(labels) // 10]
    assert np.isin(flipped, first).mean() >= 0.8


def test_pages_and_panels_show_neighbours(digits_found):
    from matplotlib.figure import Figure

    result = digits_found.result
    assert result.examples.names[result.order[0]] in page(result)
    shown = view(result)
    assert len(shown.inputs) == 64
    assert len(shown.inputs[0]["tiles"]) == 6
    axes = Figure().add_subplot()
    draw_panel(axes, result, int(result.order[0]))
    assert axes.images
    bare = replace(result, pictures=None, examples=replace(result.examples, images=None))
    assert draw(bare).get_figheight() < draw(result).get_figheight()


def test_private_images_are_not_kept(digits):
    model, pixels, labels = digits
    found = mlflow_interp.visualize_nearest_examples(
        model,
        pixels[:20],
        labels=labels[:20],
        reference=pixels[20:60],
        log_images=False,
        log=False,
        quiet=True,
    )
    assert found.result.pictures is None
    assert found.result.examples.images is None
