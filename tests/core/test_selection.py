"""The selection of inputs to show: its contents, which depend on neither chunks nor order."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_interp.core.chunk import Chunk, some
from mlflow_interp.core.digests import row_digests
from mlflow_interp.core.image_arrays import thumbnails
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.selection import Selection
from mlflow_interp.kinds.confusion_matrix.mistakes import MOST_OF_A_PAIR, Mistakes


def inputs_of(count, classes=4, seed=0):
    """A chunk of inputs and their predictions, rounded so that many confidences are equal."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 50, (count, 3)).astype(np.float32)
    probabilities = np.round(rng.dirichlet(np.ones(classes), count), 1).astype(np.float32)
    chunk = Chunk(
        np.arange(count),
        tuple(map(str, range(count))),
        values,
        rng.integers(-1, classes, count),
        rng.integers(0, 255, (count, 4, 4, 3), np.uint8),
        digests=row_digests(values),
    )
    return chunk, Passed(probabilities, "softmax")


def cut(chunk, passed, starts):
    edges = [0, *sorted(starts), len(chunk)]
    for start, stop in itertools.pairwise(edges):
        rows = np.arange(start, stop)
        if len(rows):
            yield some(chunk, rows), passed.rows(rows)


def select(parts, most=16):
    selection = Selection(most, with_inputs=True)
    for chunk, passed in parts:
        selection.update(chunk, passed)
    return selection


cuts = st.lists(st.integers(0, 200), max_size=12)
orders = st.randoms(use_true_random=False)


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 200), starts=cuts, order=st.randoms(use_true_random=False), seed=st.integers(0, 9)
)
def test_selection_does_not_depend_on_chunks_order_or_merging(count, starts, order, seed):
    chunk, passed = inputs_of(count, seed=seed)
    whole = select([(chunk, passed)])
    parts = [select([each]) for each in cut(chunk, passed, [min(start, count) for start in starts])]
    order.shuffle(parts)
    merged = parts[0]
    for each in parts[1:]:
        merged.merge(pickle.loads(pickle.dumps(each)))
    assert merged.chosen() == whole.chosen()
    np.testing.assert_array_equal(merged.chunk().inputs, whole.chunk().inputs)
    np.testing.assert_array_equal(merged.chunk().images, whole.chunk().images)
    assert len(whole.chosen()) == min(count, 16)


def test_few_inputs_are_all_selected():
    assert select([inputs_of(16)]).chosen() == list(range(16))


def test_confident_errors_and_least_confident_predictions_are_selected():
    chunk, passed = inputs_of(500, seed=3)
    predicted = passed.probabilities.argmax(axis=1)
    confidence = np.round(passed.probabilities.max(axis=1).astype(float), 5)
    chosen = select([(chunk, passed)], 40).chosen()
    wrong = np.flatnonzero((chunk.labels >= 0) & (chunk.labels != predicted))
    tenth = np.sort(confidence[wrong])[-10]
    assert set(wrong[confidence[wrong] > tenth]) <= set(chosen)
    lowest = np.sort(confidence)[9]
    assert set(np.flatnonzero(confidence < lowest)) <= set(chosen)
    right = np.flatnonzero(chunk.labels == predicted)
    assert {predicted[index] for index in chosen if index in right} == set(range(4))


def test_without_classes_the_selection_is_by_hash():
    chunk, _ = inputs_of(100)
    other = select([(chunk, Passed(np.ones((100, 1), np.float32), "linear"))])
    assert len(other.chosen()) == 16
    assert other.chosen() == select([(chunk, Passed())]).chosen()


def test_no_more_inputs_are_kept_than_can_be_selected():
    selection = Selection(16, with_inputs=True)
    for seed in range(30):
        chunk, passed = inputs_of(100, classes=50, seed=seed)
        indices = chunk.indices + 100 * seed
        selection.update(Chunk(**{**chunk.__dict__, "indices": indices}), passed)
    assert len(selection._rows) <= 16 + 3 * 4 + 4


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 200), starts=cuts, order=st.randoms(use_true_random=False), seed=st.integers(0, 9)
)
def test_errors_do_not_depend_on_chunks(count, starts, order, seed):
    chunk, passed = inputs_of(count, seed=seed)

    def collected(chunk, passed):
        mistakes = Mistakes()
        predicted = passed.probabilities.argmax(axis=1)
        wrong = np.flatnonzero(chunk.labels != predicted)
        cells = np.stack([chunk.labels[wrong], predicted[wrong]], axis=1)
        mistakes.add(chunk, wrong, cells, passed.probabilities[wrong, predicted[wrong]], passed.probabilities)
        return mistakes

    parts = [collected(*each) for each in cut(chunk, passed, [min(start, count) for start in starts])]
    order.shuffle(parts)
    merged = parts[0]
    for each in parts[1:]:
        merged.merge(each)
    whole = [(each.index, each.cell, each.label) for each in collected(chunk, passed).selected()]
    assert [(each.index, each.cell, each.label) for each in merged.selected()] == whole
    cells = [cell for _, cell, _ in whole]
    assert all(cells.count(cell) <= MOST_OF_A_PAIR for cell in cells)


def test_few_thumbnails_are_made_and_all_can_be_added_afterwards(monkeypatch):
    """Where inputs are read in many processes, errors are selected without images, which are read again."""
    from mlflow_interp.kinds.confusion_matrix import mistakes as module

    made = []

    def counted(images, side):
        made.append(len(images))
        return thumbnails(images, side)

    monkeypatch.setattr(module, "thumbnails", counted)
    monkeypatch.setattr(module, "MOST_OF_ALL", 20)
    chunk, passed = inputs_of(2000, classes=3, seed=5)
    predicted = passed.probabilities.argmax(axis=1)
    whole, blank = Mistakes(), Mistakes()
    for part, mistakes in ((chunk, whole), (chunk.blanked(), blank)):
        for start in range(0, 2000, 50):
            rows = start + np.flatnonzero((part.labels != predicted)[start : start + 50])
            cells = np.stack([part.labels[rows], predicted[rows]], axis=1)
            mistakes.add(part, rows, cells, passed.probabilities[rows, predicted[rows]], None)
    assert sum(made) < np.count_nonzero(chunk.labels != predicted) / 2
    blank = pickle.loads(pickle.dumps(blank))
    assert all(each.thumbnail is None for each in blank.selected())
    blank.add_thumbnails(
        {
            digest.tobytes(): small
            for digest, small in zip(chunk.digests, thumbnails(chunk.images, 64), strict=True)
        }
    )
    for one, other in zip(blank.selected(), whole.selected(), strict=True):
        np.testing.assert_array_equal(one.thumbnail, other.thumbnail)


def test_selection_of_very_many_errors_does_not_depend_on_merging(monkeypatch):
    """More pairs and errors than can be kept, so that parts drop most of what they receive."""
    monkeypatch.setattr("mlflow_interp.kinds.confusion_matrix.mistakes.MOST_OF_ALL", 40)
    chunk, passed = inputs_of(3000, classes=30, seed=8)
    test_mistakes = test_errors_do_not_depend_on_chunks.hypothesis.inner_test
    rng = np.random.default_rng(1)

    class Order:
        def shuffle(self, parts):
            rng.shuffle(parts)

    for starts in ([700, 1500, 2900], list(range(100, 3000, 100))):
        test_mistakes(3000, starts, Order(), 8)
    assert len(chunk) == len(passed.probabilities)
