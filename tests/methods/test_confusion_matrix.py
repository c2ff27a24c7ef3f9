"""The confusion matrix of models and of given predictions."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.exceptions import InapplicableError, InputsError, ModelError, OptionError
from mlflow_interp.kinds.confusion_matrix import from_predictions
from mlflow_interp.kinds.confusion_matrix.mistakes import MOST_OF_A_PAIR, MOST_OF_ALL
from mlflow_interp.report.formats import csv
from tests.running import confusion_matrix

layers = keras.layers


def passing(columns, activation):
    """A model that returns its input, through an activation."""
    model = keras.Sequential([keras.Input((columns,)), layers.Dense(columns, use_bias=False)])
    model.layers[0].set_weights([np.eye(columns)])
    model.add(layers.Activation(activation))
    return model


def rows_for(classes, total):
    """Logits (n, total) whose most probable classes are `classes`."""
    return (4 * np.eye(total)[np.asarray(classes)]).astype(np.float32)


def test_counts_what_the_model_predicts(digits, batch_of):
    model, pixels, labels = digits
    result = confusion_matrix(model, batch_of(model, pixels, labels=labels, batch_size=7))
    predicted = model.predict(pixels, verbose=0).argmax(axis=1)
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (labels, predicted), 1)
    np.testing.assert_array_equal(result.counts, expected)
    assert result.metrics()["inputs"] == len(pixels) == result.inputs
    assert result.head == "softmax"
    assert result.metrics()["accuracy"] == pytest.approx((predicted == labels).mean())


def test_counts_do_not_depend_on_chunks(digits, batch_of):
    model, pixels, labels = digits
    all_at_once, chunked = (
        confusion_matrix(model, batch_of(model, pixels, labels=labels, batch_size=size)) for size in (600, 11)
    )
    np.testing.assert_array_equal(all_at_once.counts, chunked.counts)
    assert all_at_once.examples.names == chunked.examples.names
    np.testing.assert_array_equal(all_at_once.cells, chunked.cells)
    np.testing.assert_array_equal(all_at_once.thumbnails, chunked.thumbnails)


def test_errors_are_kept_in_order_of_confidence(digits, batch_of):
    model, pixels, labels = digits
    result = confusion_matrix(model, batch_of(model, pixels, labels=labels))
    examples = result.examples
    predicted = model.predict(pixels, verbose=0)
    assert len(examples) == min(MOST_OF_ALL, sum(min(6, count) for count in off_diagonal(result.counts)))
    np.testing.assert_array_equal(result.cells[:, 0], labels[examples.indices])
    np.testing.assert_array_equal(result.cells[:, 1], predicted[examples.indices].argmax(axis=1))
    np.testing.assert_array_equal(result.cells[:, 1], examples.classes[:, 0])
    sure = examples.probabilities[:, 0]
    assert (np.diff(sure) <= 0).all()
    np.testing.assert_allclose(sure, predicted[examples.indices].max(axis=1), atol=1e-5)
    assert result.thumbnails.shape == (len(examples), 8, 8, 3)
    np.testing.assert_array_equal(result.thumbnails[..., 0], pixels[examples.indices, ..., 0])


def off_diagonal(counts):
    return counts[~np.eye(len(counts), dtype=bool)].tolist()


def test_number_of_errors_kept_is_limited():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 40, 20_000)
    probabilities = rng.dirichlet(np.ones(40), 20_000)
    result = from_predictions(labels, probabilities)
    assert len(result.examples) == MOST_OF_ALL
    _, times = np.unique(result.cells, axis=0, return_counts=True)
    assert times.max() <= MOST_OF_A_PAIR


def test_most_confused_pair_is_shown_despite_more_confident_others():
    """4,000 rare but confident errors, one of each pair, and 50 uncertain ones of the same pair."""
    rare = 4000
    labels = np.concatenate([np.arange(rare) % 100, np.zeros(50, int)])
    found = np.concatenate([(np.arange(rare) // 100 + np.arange(rare) % 100 + 2) % 100, np.ones(50, int)])
    probabilities = np.full((len(labels), 100), 0.001)
    probabilities[np.arange(len(labels)), found] = np.where(np.arange(len(labels)) < rare, 0.9, 0.2)
    result = from_predictions(labels, probabilities, class_names=[str(index) for index in range(100)])
    assert (result.cells == [0, 1]).all(axis=1).sum() == MOST_OF_A_PAIR


@pytest.mark.parametrize("threshold", [0.5, 0.2, 0.9])
def test_binary_head_and_threshold(batch_of, threshold):
    model = passing(1, "sigmoid")
    logits = np.linspace(-3, 3, 21, dtype=np.float32)[:, np.newaxis]
    labels = np.arange(21) % 2
    result = confusion_matrix(model, batch_of(model, logits, labels=labels), threshold=threshold)
    predicted = (1 / (1 + np.exp(-logits[:, 0])) > threshold).astype(int)
    expected = np.zeros((2, 2), int)
    np.add.at(expected, (labels, predicted), 1)
    np.testing.assert_array_equal(result.counts, expected)
    assert result.head == "binary"


def test_labels_can_be_indices_rows_or_names(batch_of):
    model, inputs = passing(3, "softmax"), rows_for([0, 1, 2, 1], 3)
    kinds = ([0, 1, 1, 1], np.eye(3)[[0, 1, 1, 1]], ["ant", "bee", "bee", "bee"])
    for labels in kinds:
        batch = batch_of(model, inputs, labels=labels, class_names=["ant", "bee", "cat"])
        result = confusion_matrix(model, batch)
        assert result.counts.tolist() == [[1, 0, 0], [0, 2, 1], [0, 0, 0]]
        assert result.names == ("ant", "bee", "cat")


def test_several_labels_per_input(batch_of):
    model = passing(3, "sigmoid")
    inputs = np.array([[4, -4, 4], [4, 4, -4], [-4, -4, -4]], np.float32)
    labels = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    result = confusion_matrix(model, batch_of(model, inputs, labels=labels, batch_size=2))
    assert result.multi_label
    assert result.counts.tolist() == [[[1, 0], [0, 2]], [[2, 0], [0, 1]], [[1, 1], [1, 0]]]
    assert sorted(map(tuple, result.cells.tolist())) == [(2, 0), (2, 1)]
    assert result.highlights()["most_mistaken"] == [{"label": "2", "wrongly_found": 1, "missed": 1}]
    assert result.metrics()["accuracy"] == pytest.approx(1 / 3)
    assert list(result.tables()["confusion_matrix.csv"]) == [
        "label", "true_negatives", "false_positives", "false_negatives", "true_positives",
    ]  # fmt: skip


def test_sigmoid_outputs_with_class_indices_predict_one_class(batch_of):
    model = passing(3, "sigmoid")
    result = confusion_matrix(model, batch_of(model, rows_for([0, 1, 2], 3), labels=[0, 1, 1]))
    assert result.counts.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]


def test_weights_from_a_dataset_and_as_an_option(batch_of, tmp_path):
    model, inputs = passing(2, "softmax"), rows_for([0, 1, 1, 0], 2)
    labels, weights = np.array([0, 0, 1, 1]), np.array([1.0, 0.5, 2.0, 0.25])
    dataset = tf.data.Dataset.from_tensor_slices((inputs, labels, weights)).batch(3)
    np.save(tmp_path / "weights.npy", weights)
    (tmp_path / "weights.txt").write_text("\n".join(map(str, weights)))
    plain = batch_of(model, inputs, labels=labels)
    results = [confusion_matrix(model, batch_of(model, dataset, batch_size=3))]
    for given in (weights, weights.tolist(), str(tmp_path / "weights.npy"), tmp_path / "weights.txt"):
        results.append(confusion_matrix(model, plain, sample_weight=given))
    for result in results:
        assert result.counts.tolist() == [[1, 1], [1, 1]]
        assert result.weighted.tolist() == [[1.0, 0.5], [0.25, 2.0]]
        assert result.metrics()["accuracy"] == pytest.approx(3 / 3.75)
        assert "weighted_confusion_matrix.csv" in result.tables()
    assert results[-1].resolved["sample_weight"].endswith("weights.txt")
    assert results[1].resolved["sample_weight"] == "float64 array of shape (4,)"


def test_inputs_without_label_are_left_out_and_counted(batch_of):
    model = passing(2, "softmax")
    batch = batch_of(model, rows_for([0, 1, 1], 2), labels=[0, -1, 1])
    result = confusion_matrix(model, batch)
    assert result.counts.sum() == result.inputs == 2
    assert result.warnings()[0] == "1 inputs have no label and are not counted"
    assert batch.count == 3


def test_single_class_gives_a_warning(batch_of):
    model = passing(2, "softmax")
    result = confusion_matrix(model, batch_of(model, rows_for([0, 0], 2), labels=[0, 0]))
    assert "all labels are of one class" in result.warnings()[0]
    assert "kappa" not in result.metrics()


PREDICTIONS = {
    "classes": [0, 1, 1, 2],
    "names": ["ant", "bee", "bee", "cat"],
    "probabilities": np.eye(3)[[0, 1, 1, 2]] * 0.8 + 0.2 / 3,
    "logits": rows_for([0, 1, 1, 2], 3) - 2,
    "one-hot": np.eye(3, dtype=int)[[0, 1, 1, 2]],
}


@pytest.mark.parametrize("kind", PREDICTIONS)
def test_given_predictions_need_no_model(batch_of, kind):
    model = passing(3, "softmax")
    model.call = None  # would fail if it were run
    batch = batch_of(
        model,
        np.zeros((4, 3), np.float32),
        labels=[0, 1, 2, 2],
        class_names=["ant", "bee", "cat"],
        batch_size=3,
    )
    result = confusion_matrix(model, batch, predictions=PREDICTIONS[kind])
    assert result.counts.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert result.examples.names == ("#2",)
    json.dumps(result.resolved)


def test_predictions_from_files(batch_of, tmp_path):
    model = passing(3, "softmax")
    batch = batch_of(model, np.zeros((3, 3), np.float32), labels=[0, 1, 1])
    np.save(tmp_path / "a.npy", np.eye(3)[[0, 1, 2]])
    (tmp_path / "b.csv").write_text("ant,bee,cat\n0.9,0.1,0\n0.2,0.7,0.1\n0,0,1\n")
    (tmp_path / "c.csv").write_text("class\n0\n1\n2\n")
    (tmp_path / "d.txt").write_text("0\n1\n2\n")
    for name in ("a.npy", "b.csv", "c.csv", "d.txt"):
        result = confusion_matrix(model, batch, predictions=str(tmp_path / name))
        assert result.counts.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 0]], name


def test_binary_predictions_are_probabilities_of_class_1():
    for given in ([0.1, 0.6, 0.7], [[0.1], [0.6], [0.7]]):
        assert from_predictions([0, 0, 1], given).counts.tolist() == [[1, 1], [0, 1]]
        assert from_predictions([0, 0, 1], given, threshold=0.65).counts.tolist() == [[2, 0], [0, 1]]


def test_classes_without_inputs_are_shown():
    result = from_predictions(["b", "b"], ["b", "c"], class_names=["a", "b", "c"])
    assert result.counts.tolist() == [[0, 0, 0], [0, 1, 1], [0, 0, 0]]
    assert result.table()["class"] == ["a", "b", "c"]


def test_equal_names_are_distinguished_and_formulas_are_text():
    names = ["crane", "crane", '=HYPERLINK("http://a")']
    result = from_predictions([0, 1, 2], [0, 0, 2], class_names=names)
    assert result.names[:2] == ("crane (0)", "crane (1)")
    assert list(result.tables()["confusion_matrix.csv"]) == ["label", *result.names]
    lines = csv(result.tables()["confusion_matrix.csv"]).decode().splitlines()
    assert lines[0] == """label,crane (0),crane (1),"'=HYPERLINK(""http://a"")\""""
    assert lines[2] == "crane (1),1,0,0"


REFUSED = [
    ({"labels": [0, 1, 5]}, {}, InputsError, "input '#2' has label 5, but the classes are 0–2"),
    ({"labels": [0, 1, -2]}, {}, InputsError, "has label -2"),
    ({"labels": np.eye(4)[[0, 1, 2]]}, {}, InputsError, "labels are rows of 4, but there are 3 classes"),
    (
        {"labels": [[1, 1, 0], [0, 1, 0], [0, 0, 1]]},
        {},
        InputsError,
        "has 2 labels, but the predictions choose",
    ),
    ({"labels": [0, 1, 2], "class_names": ["a", "b"]}, {}, InputsError, "2 class names .a, b. and 3 classes"),
    ({}, {}, InapplicableError, "no input has a label"),
    ({"labels": [-1, -1, -1]}, {}, InapplicableError, "no input has a label"),
    ({"labels": ["x", "y", "z"]}, {}, InapplicableError, "labels that are not class names"),
    ({"labels": [0, 1, 2]}, {"threshold": 0.7}, OptionError, "predicts the most probable of 3 classes"),
    ({"labels": [0, 1, 2]}, {"threshold": 1.0}, OptionError, "threshold is 1.0"),
    ({"labels": [0, 1, 2]}, {"top_k": -1}, OptionError, "top_k is -1"),
    ({"labels": [0, 1, 2]}, {"sample_weight": [1, 2]}, InputsError, "there are 2 weights for 3 inputs"),
    ({"labels": [0, 1, 2]}, {"sample_weight": [1, 2, np.nan]}, InputsError, "input '#2' has weight nan"),
    ({"labels": [0, 1, 2]}, {"sample_weight": [0, 0, 0]}, InputsError, "all weights are 0"),
    ({"labels": [0, 1, 2]}, {"sample_weight": "no.npy"}, InputsError, "sample_weight can't be read"),
    ({"labels": [0, 1, 2]}, {"predictions": [0, 1]}, InputsError, "there are 2 predictions for 3 inputs"),
    (
        {"labels": [0, 1, 2]},
        {"predictions": [0, 1, 2, 0]},
        InputsError,
        "there are 4 predictions for 3 inputs",
    ),
    ({"labels": [0, 1, 2]}, {"predictions": [0, 1, 7]}, InputsError, "predictions contain class 7"),
    (
        {"labels": [0, 1, 2]},
        {"predictions": [0, 1, np.nan]},
        InputsError,
        "NaN or infinite values for 1 inputs",
    ),
    (
        {"labels": [0, 1, 2]},
        {"predictions": ["a", "b", "c"]},
        InputsError,
        "'a', which is not a class",
    ),
    ({"labels": [0, 1, 2]}, {"predictions": [0.1, 3.5, 0.2]}, InputsError, "fractions from 0.1 to 3.5"),
    ({"labels": [0, 1, 2]}, {"predictions": [-1, 0, 1]}, InputsError, "predictions contain class -1"),
]


@pytest.mark.parametrize(
    ("given", "options", "error", "says"), REFUSED, ids=[each[3][:30] for each in REFUSED]
)
def test_unsuitable_labels_and_weights_are_rejected(batch_of, given, options, error, says):
    model = passing(3, "softmax")
    with pytest.raises(error, match=says):
        confusion_matrix(model, batch_of(model, rows_for([0, 1, 2], 3), **given), **options)


def test_missing_labels_are_reported_before_reading(batch_of):
    model = passing(3, "softmax")
    batch = batch_of(model, rows_for([0], 3))
    batch.read = None
    with pytest.raises(InapplicableError, match="pass labels="):
        confusion_matrix(model, batch)


def test_models_without_classes_are_rejected(batch_of):
    one = passing(1, "linear")
    with pytest.raises(ModelError, match="gives values, not classes"):
        confusion_matrix(one, batch_of(one, np.zeros((2, 1), np.float32), labels=[0, 1]))
    broken = passing(2, "softmax")
    broken.layers[0].set_weights([np.full((2, 2), np.nan)])
    with pytest.raises(InputsError, match="NaN or infinite values for input '#0'"):
        confusion_matrix(broken, batch_of(broken, rows_for([0, 1], 2), labels=[0, 1]))


@pytest.mark.parametrize(
    ("labels", "predictions", "options", "says"),
    [
        ([], [], {}, "labels have shape"),
        ([0, 1], [], {}, "predictions have shape"),
        ([0, 1], [0], {}, "1 predictions for 2 labels"),
        ([0, 0], [0, 0], {}, "there is only 1 class"),
        (["a", "b"], ["a", "x"], {"class_names": ["a", "b"]}, "predictions contain 'x'"),
        (["a", "z"], ["a", "b"], {"class_names": ["a", "b"]}, "labels contain 'z'"),
        ([0, 1], [0, 1], {"weights": [1.0]}, "1 weights for 2 labels"),
        ([0, 1], [0, 1], {"weights": [1.0, -1.0]}, "weight -1"),
        ([[1, 1], [0, 1]], [[2.0, -1], [0.5, 3]], {}, "apply a sigmoid"),
    ],
)
def test_unsuitable_predictions_are_rejected(labels, predictions, options, says):
    with pytest.raises(InputsError, match=says):
        from_predictions(labels, predictions, **options)


def test_max_inputs_accepts_predictions_for_all_inputs(batch_of):
    model = passing(2, "softmax")
    batch = batch_of(model, rows_for([0] * 6, 2), labels=[0, 1, 0, 1, 0, 1], max_inputs=2)
    result = confusion_matrix(model, batch, predictions=[0, 1, 0, 1, 0, 1])
    assert result.counts.tolist() == [[1, 0], [0, 1]]


def test_too_many_predictions_for_a_dataset_are_rejected(batch_of):
    model = passing(2, "softmax")
    dataset = tf.data.Dataset.from_tensor_slices((rows_for([0, 1, 0], 2), [0, 1, 1])).filter(lambda *_: True)
    batch = batch_of(model, dataset.batch(2))
    assert batch.total is None
    assert confusion_matrix(model, batch, predictions=[0, 1, 1]).counts.tolist() == [[1, 0], [0, 2]]
    with pytest.raises(InputsError, match="there are 4 predictions for 3 inputs"):
        confusion_matrix(model, batch, predictions=[0, 1, 1, 0])
    with pytest.raises(InputsError, match="there are 2 predictions for 3 or more inputs"):
        confusion_matrix(model, batch, predictions=[0, 1])


def test_chunks_are_split_with_labels_and_weights():
    from mlflow_interp.core.chunk import some, split

    rows = np.arange(5)
    chunk = Chunk(rows, tuple("abcde"), rows[:, None], rows, None, np.eye(5), rows / 10)
    parts = list(split(chunk, 2))
    assert [part.names for part in parts] == [("a", "b"), ("c", "d"), ("e",)]
    np.testing.assert_array_equal(np.concatenate([part.weights for part in parts]), chunk.weights)
    np.testing.assert_array_equal(np.concatenate([part.label_rows for part in parts]), chunk.label_rows)
    assert some(chunk, np.array([3, 0])).names == ("d", "a")
    assert some(chunk, np.array([3, 0])).inputs.tolist() == [[3], [0]]
