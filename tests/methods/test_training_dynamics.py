"""Histories of a few inputs, compared with those written down by hand."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.core.chunk import Chunk, some
from mlflow_interp.core.model_record import ModelRecord, with_record
from mlflow_interp.core.passed import Passed
from mlflow_interp.exceptions import InapplicableError, InputsError
from mlflow_interp.kinds.training_dynamics.accumulator import Epoch, Pictures, identities
from mlflow_interp.kinds.training_dynamics.figure import draw, draw_panel, named_classes
from mlflow_interp.kinds.training_dynamics.history import MOST_VALUES
from mlflow_interp.kinds.training_dynamics.page import page
from mlflow_interp.kinds.training_dynamics.stored import facts, restored
from mlflow_interp.kinds.training_dynamics.view import view
from mlflow_interp.methods.training_dynamics import TrainingDynamicsAccumulator

#: The probability of class 0, of two, for four inputs in each of four epochs; the labels are below.
FIRST_CLASS = np.array(
    [
        [0.9, 0.2, 0.6, 0.8],
        [0.8, 0.3, 0.4, 0.8],
        [0.9, 0.4, 0.7, 0.9],
        [1.0, 0.7, 0.4, 0.9],
    ]
)
LABELS = np.array([0, 0, 0, 1])
# By hand: the probability of the label of input 3 is 0.2, 0.2, 0.1, 0.1.
MEANS = {0: 0.9, 1: 0.4, 2: 0.525, 3: 0.15}


def chunk_of(labels, *, digests=None, indices=None, images=True):
    count = len(labels)
    indices = np.arange(count) if indices is None else np.asarray(indices)
    digests = np.arange(count) if digests is None else np.asarray(digests)
    return Chunk(
        indices=indices,
        names=tuple(f"#{index}" for index in indices),
        inputs=np.zeros((count, 4, 4, 1), np.float32),
        labels=np.asarray(labels),
        images=np.full((count, 4, 4, 3), 7, np.uint8) + digests[:, None, None, None].astype(np.uint8)
        if images
        else None,
        digests=np.repeat(digests[:, None].astype(np.uint8), 16, axis=1),
    )


def passed_of(first_class):
    first_class = np.asarray(first_class, np.float32)
    return Passed(np.stack([first_class, 1 - first_class], axis=1), "softmax")


def after(epochs, labels=LABELS, *, most=100, order=None, cut=None, **columns):
    """The result after epochs, each with the probabilities of the first class; cut into chunks if asked."""
    previous = None
    for step, first_class in enumerate(epochs):
        rows = np.arange(len(labels)) if order is None else np.asarray(order[step])
        chunk, passed = some(chunk_of(labels, **columns), rows), passed_of(np.asarray(first_class)[rows])
        accumulator = TrainingDynamicsAccumulator(Epoch(most), ("cat", "dog"))
        for part in np.array_split(np.arange(len(rows)), cut or 1):
            accumulator.update(some(chunk, part), passed.rows(part))
        previous = pickle.loads(pickle.dumps(accumulator)).result(None, previous)
        previous = with_record(previous, ModelRecord("m", "", "2026-11-27", step))
    return previous


def by_input(result, values):
    return {index: values[row] for row, index in enumerate(result.examples.indices.tolist())}


def test_means_and_deviations_are_those_over_the_epochs():
    result = after(FIRST_CLASS)
    assert by_input(result, result.history.means) == pytest.approx(MEANS)
    of_label = np.where(LABELS == 0, FIRST_CLASS, 1 - FIRST_CLASS)
    expected = {index: of_label[:, index].std() for index in range(4)}
    assert by_input(result, result.history.variability) == pytest.approx(expected, abs=1e-6)
    assert by_input(result, result.history.trajectories[:, -1]) == pytest.approx(
        {0: 1, 1: 0.7, 2: 0.4, 3: 0.1}
    )


def test_the_least_probable_labels_come_first():
    result = after(FIRST_CLASS)
    assert result.examples.indices.tolist() == [3, 1, 2, 0]
    assert result.table()["input"] == ["#3", "#1", "#2", "#0"]
    assert result.table()["label"] == ["dog", "cat", "cat", "cat"]


def test_forgetting_is_right_and_then_wrong():
    """Input 2 is right, wrong, right, wrong; the others never change from right to wrong."""
    result = after(FIRST_CLASS)
    assert by_input(result, result.history.forgotten) == {0: 0, 1: 0, 2: 2, 3: 0}
    assert result.examples.indices[result.listed("forgotten")].tolist() == [2]
    assert result.metrics()["forgotten"] == 1


def test_learnt_is_the_first_epoch_of_those_that_are_all_right_to_the_end():
    result = after(FIRST_CLASS)
    assert by_input(result, result.learnt_epochs) == {0: 0, 1: 3, 2: None, 3: None}
    assert result.examples.indices[result.listed("learnt last")].tolist() == [1]
    assert by_input(result, result.history.right) == {0: 4, 1: 1, 2: 2, 3: 0}
    assert result.metrics()["never_right"] == 1


def test_accuracy_is_counted_by_class_and_epoch():
    result = after(FIRST_CLASS)
    assert result.class_accuracy.tolist() == pytest.approx(
        np.array([[2 / 3, 0], [1 / 3, 0], [2 / 3, 0], [2 / 3, 0]])
    )
    assert result.metrics()["accuracy"] == 0.5
    assert result.metrics()["lowest_class_accuracy"] == 0
    assert result.tables()["class_accuracy.csv"]["1 dog"] == [0, 0, 0, 0]
    losses = -np.log([1, 0.7, 0.4, 0.1])
    assert result.metrics()["loss"] == pytest.approx(losses.mean(), abs=1e-6)


@pytest.mark.parametrize("cut", [2, 4])
def test_neither_order_nor_chunks_matter(cut):
    """Shuffled differently in each epoch, as a dataset is, with other positions each time."""
    expected = after(FIRST_CLASS)
    orders = [[0, 1, 2, 3], [3, 1, 0, 2], [1, 0, 3, 2], [2, 3, 1, 0]]
    found = after(FIRST_CLASS, order=orders, cut=cut)
    for name, array in expected.arrays().items():
        np.testing.assert_allclose(found.arrays()[name], array, rtol=1e-6, err_msg=name)
    assert found.examples.names == expected.examples.names


def test_equal_inputs_are_one_row_unless_their_labels_differ():
    first_class = [0.9, 0.9, 0.9, 0.2]
    result = after([first_class, first_class], [0, 0, 1, 1], digests=[5, 5, 5, 6])
    assert len(result.examples) == 3
    assert by_input(result, result.times) == {0: 2, 2: 1, 3: 1}
    assert by_input(result, result.history.seen) == {0: 2, 2: 2, 3: 2}
    assert [each for each in result.warnings() if "different labels" in each] == [
        "1 inputs occur with different labels, so at least one label of each is wrong; correct them"
    ]
    assert result.inputs == 4


def test_data_that_changes_in_each_epoch_is_not_followed():
    first, second = (after([[0.9, 0.1]], [0, 1], digests=digests) for digests in ([1, 2], [3, 2]))
    assert not first.later_warnings()
    accumulator = TrainingDynamicsAccumulator(Epoch(100), None)
    accumulator.update(chunk_of([0, 1], digests=[3, 2]), passed_of([0.9, 0.1]))
    both = accumulator.result(None, first)
    (warning,) = both.later_warnings()
    assert "augmented" in warning
    assert "data=" in warning
    assert by_input(both, both.history.seen) == {0: 1, 1: 2}
    assert by_input(both, both.history.predicted[:, 0].tolist()) == {0: -1, 1: 1}
    assert len(second.examples) == 2


def test_of_many_inputs_the_same_sample_is_followed_in_each_epoch():
    rng = np.random.default_rng(0)
    first_class = rng.random((3, 60))
    result = after(first_class, np.zeros(60, int), most=20, cut=5)
    again = after(first_class, np.zeros(60, int), most=20, order=[rng.permutation(60) for _ in range(3)])
    assert len(result.examples) == 20
    assert result.history.seen.tolist() == [3] * 20
    assert set(result.examples.indices.tolist()) == set(again.examples.indices.tolist())
    assert result.inputs == 60
    assert "only a sample of 20 inputs is followed" in result.warnings()[0]
    assert result.metrics()["accuracy"] == pytest.approx((first_class[-1] > 0.5).mean())


def test_trajectories_are_thinned_but_statistics_are_of_all_epochs():
    count = MOST_VALUES // 3
    labels = np.zeros(1, int)
    rng = np.random.default_rng(1)
    values = rng.random(8)
    result = after([[value] for value in values], labels)
    assert result.kept.tolist() == list(range(8))
    assert len(result.history.trajectories[0]) == 8
    from dataclasses import replace

    from mlflow_interp.kinds.training_dynamics.history import _thinned

    many = replace(
        result,
        history=result.history.at(np.zeros(count, int)),
        examples=replace(result.examples, names=("#0",) * count),
    )
    thinned = _thinned(many)
    assert thinned.kept.tolist() == [0, 2, 4, 6, 7]
    assert thinned.history.means[0] == pytest.approx(values.mean(), abs=1e-6)
    assert len(thinned.class_right) == 5


def test_thumbnails_are_of_the_least_probable_labels(monkeypatch):
    from mlflow_interp.kinds.training_dynamics import accumulator

    monkeypatch.setattr(accumulator, "MOST_PICTURED", 3)
    pictures = Pictures()
    chunk = chunk_of(np.zeros(9, int))
    probabilities = np.array([0.5, 0.1, 0.9, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4], np.float32)
    same = identities(chunk.digests, chunk.labels)
    for start in range(0, 9, 2):
        rows = np.arange(start, min(9, start + 2))
        pictures.add(some(chunk, rows), same[rows], probabilities[rows], rows.astype(np.uint64))
    assert set(pictures.held()) == {same[row].tobytes() for row in (1, 4, 6)}
    assert {int(each[0, 0, 0]) for each in pictures.held().values()} == {8, 11, 13}


@pytest.mark.parametrize("images", [True, False])
def test_what_is_stored_gives_the_same_figure(images):
    result = after(FIRST_CLASS, images=images)
    stored = restored(result.arrays(), facts(result), result.examples.images)
    from mlflow_interp.drawing.style import png

    assert stored.epochs == result.epochs == (0, 1, 2, 3)
    assert png(draw(stored)) == png(draw(result))
    assert (result.examples.images is not None) == images


def test_lists_are_on_the_page_and_in_the_view():
    result = after(FIRST_CLASS)
    text = page(result)
    for name in ("least learnt", "forgotten", "learnt last"):
        assert name in text
    shown = view(result)
    assert [row["name"] for row in shown.inputs] == ["#3", "#1", "#2", "#0"]
    assert "mean probability of the label 0.15 ± 0.05" in shown.inputs[0]["notes"]
    assert "1 of 4 inputs were forgotten" in shown.headline


def test_panels_are_drawn_into_given_axes():
    from matplotlib.figure import Figure

    result = after(FIRST_CLASS)
    for panel in ("accuracy", "map", 0, 1):
        axes = Figure().add_subplot()
        draw_panel(axes, result, panel)
        assert axes.get_title()


def test_of_many_classes_those_with_the_lowest_accuracy_are_named():
    accumulator = TrainingDynamicsAccumulator(Epoch(100), None)
    labels = np.repeat(np.arange(12), 2)
    predicted = labels.copy()
    predicted[[6, 7]] = 0  # class 3 is never right, class 5 every second time
    predicted[10] = 0
    accumulator.update(chunk_of(labels), Passed(np.eye(12, dtype=np.float32)[predicted], "softmax"))
    result = accumulator.result()
    assert named_classes(result)[:2] == [3, 5]
    assert len(named_classes(result)) == 5


def test_a_regression_is_refused():
    accumulator = TrainingDynamicsAccumulator(Epoch(5), None)
    with pytest.raises(InapplicableError, match="the model gives values, not classes"):
        accumulator.update(chunk_of(LABELS), Passed(np.zeros((4, 1), np.float32), "values"))


def test_a_label_that_is_no_class_is_refused():
    accumulator = TrainingDynamicsAccumulator(Epoch(5), None)
    with pytest.raises(InputsError, match="input '#1' has label 2, but the classes are 0–1"):
        accumulator.update(chunk_of([0, 2]), passed_of([0.5, 0.5]))


def test_inputs_without_labels_are_refused_or_left_out(tiny_cnn, pixels, batch_of):
    from mlflow_interp.methods.training_dynamics import training_dynamics

    with pytest.raises(InapplicableError, match="no input has a label"):
        training_dynamics(tiny_cnn, batch_of(tiny_cnn, pixels))
    result = after([[0.9, 0.9]], [0, -1])
    assert (len(result.examples), result.unlabelled) == (1, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda model, inputs: mlflow_interp.visualize_training_dynamics(model, inputs, log=False),
        lambda model, inputs: mlflow_interp.interpret(model, inputs, "umap,training_dynamics", log=False),
        lambda model, inputs: mlflow_interp.compare(model, model, inputs, "training_dynamics", log=False),
    ],
)
def test_a_trained_model_has_no_epochs(tiny_cnn, pixels, call):
    with pytest.raises(InapplicableError, match="over the epochs of a training") as error:
        call(tiny_cnn, pixels)
    assert "\n" not in str(error.value)
    assert 'autolog(methods=["training_dynamics"])' in str(error.value)
