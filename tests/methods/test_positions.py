"""Confusion matrices of pixels, tokens and other positions, compared with NumPy and Keras."""

from __future__ import annotations

import pickle
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.core.chunk import split
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.run import run
from mlflow_interp.exceptions import InapplicableError, InputsError
from mlflow_interp.kinds.confusion_matrix import from_predictions, positions
from mlflow_interp.methods.confusion_matrix import confusion_matrix as method
from tests.running import confusion_matrix, umap

layers = keras.layers
RNG = np.random.default_rng(0)
IMAGES = RNG.random((9, 6, 5, 3), dtype=np.float32)
MASKS = RNG.integers(0, 3, (9, 6, 5))
TEXTS = np.concatenate([RNG.integers(1, 9, (20, 4)), RNG.integers(0, 9, (20, 3))], axis=1)
TAGS = RNG.integers(0, 4, TEXTS.shape)


def segmenter(classes=3, activation="softmax", **conv):
    keras.utils.set_random_seed(1)
    convolution = layers.Conv2D(classes, 1, activation=activation, bias_initializer="random_normal", **conv)
    return keras.Sequential([keras.Input(IMAGES.shape[1:]), convolution])


def tagger(*, masked=True, classes=4):
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((TEXTS.shape[1],)),
            layers.Embedding(9, 5, mask_zero=masked),
            layers.LSTM(5, return_sequences=True),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def counted(labels, predicted, classes, weights=None):
    """Counts by hand, one row for each true class."""
    codes = np.asarray(labels, np.int64) * classes + predicted
    weights = None if weights is None else np.asarray(weights).ravel()
    return np.bincount(codes.ravel(), weights, classes**2).reshape(classes, classes)


def predicted_by(model, inputs):
    return model.predict(inputs, verbose=0).argmax(axis=-1)


FORMS = {
    "uint8": MASKS.astype(np.uint8),
    "float": MASKS.astype(np.float32),
    "one more axis": MASKS[..., np.newaxis],
    "one-hot": np.eye(3, dtype=np.uint8)[MASKS],
    "distributions": (0.7 * np.eye(3)[MASKS] + 0.1).astype(np.float32),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("batch_size", [2, 9])
def test_every_pixel_is_counted_once(batch_of, form, batch_size):
    model = segmenter()
    result = confusion_matrix(model, batch_of(model, IMAGES, labels=FORMS[form], batch_size=batch_size))
    np.testing.assert_array_equal(result.counts, counted(MASKS, predicted_by(model, IMAGES), 3))
    assert (result.unit, result.inputs, result.positions) == ("pixels", 9, MASKS.size)
    assert result.metrics()["positions"] == MASKS.size
    assert result.metrics()["accuracy"] == pytest.approx((predicted_by(model, IMAGES) == MASKS).mean())


def test_mean_iou_of_the_counts_equals_keras(batch_of):
    model = segmenter()
    counts = confusion_matrix(model, batch_of(model, IMAGES, labels=MASKS)).counts
    metric = keras.metrics.MeanIoU(num_classes=3)
    metric.update_state(MASKS, predicted_by(model, IMAGES))
    right = np.diagonal(counts)
    iou = right / (counts.sum(axis=0) + counts.sum(axis=1) - right)
    assert iou.mean() == pytest.approx(float(metric.result()), abs=1e-6)


@pytest.mark.parametrize("weights", [None, "inputs", "tokens", "padding"])
@pytest.mark.parametrize("masked", [True, False])
def test_accuracy_of_tokens_equals_keras(batch_of, masked, weights):
    """There are as many tokens as tags, the shape of one-hot rows; with a mask, padding is left out."""
    model = tagger(masked=masked)
    model.compile(loss="sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    given = {
        "inputs": RNG.random(20),
        "tokens": RNG.random(TAGS.shape),
        "padding": (TEXTS > 0).astype(np.float32),
    }.get(weights)
    by_keras = np.broadcast_to(given[:, np.newaxis], TAGS.shape) if weights == "inputs" else given
    accuracy = model.evaluate(TEXTS, TAGS, sample_weight=by_keras, verbose=0)[-1]
    result = confusion_matrix(model, batch_of(model, TEXTS, labels=TAGS, batch_size=7), sample_weight=given)
    assert result.metrics()["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    kept = TEXTS > 0 if masked or weights == "padding" else np.ones(TAGS.shape, bool)
    found = predicted_by(model, TEXTS)
    np.testing.assert_array_equal(result.counts, counted(TAGS[kept], found[kept], 4))
    assert (result.unit, result.positions) == ("tokens", kept.sum())
    if weights in ("inputs", "tokens"):
        expected = counted(TAGS[kept], found[kept], 4, by_keras[kept])
        np.testing.assert_allclose(result.weighted, expected)
    else:
        assert result.weighted is None
    reason = "masked" if masked else "of weight 0"
    assert dict(result.left_out) == ({reason: (~kept).sum()} if (~kept).any() else {})


def test_positions_masked_by_a_masking_layer_are_left_out(batch_of):
    keras.utils.set_random_seed(3)
    series = np.where(RNG.random((12, 6, 1)) < 0.3, 0, RNG.random((12, 6, 2))).astype(np.float32)
    model = keras.Sequential(
        [
            keras.Input((6, 2)),
            layers.Masking(),
            layers.GRU(4, return_sequences=True),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", weighted_metrics=["accuracy"])
    labels = RNG.integers(0, 2, (12, 6))
    accuracy = model.evaluate(series, labels[..., np.newaxis], verbose=0)[-1]
    result = confusion_matrix(model, batch_of(model, series, labels=labels))
    assert result.metrics()["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert (result.unit, result.head) == ("positions", "binary")
    assert result.left_out["masked"] == (series == 0).all(axis=-1).sum() > 0


@pytest.mark.parametrize("threshold", [0.5, 0.3])
@pytest.mark.parametrize("labels", [MASKS > 1, (MASKS > 1)[..., np.newaxis].astype(np.float32)])
def test_one_sigmoid_per_pixel(batch_of, threshold, labels):
    model = segmenter(1, "sigmoid")
    metric = keras.metrics.BinaryAccuracy(threshold=threshold)
    metric.update_state((MASKS > 1)[..., np.newaxis], model.predict(IMAGES, verbose=0))
    result = confusion_matrix(model, batch_of(model, IMAGES, labels=labels), threshold=threshold)
    found = model.predict(IMAGES, verbose=0)[..., 0] > threshold
    np.testing.assert_array_equal(result.counts, counted(MASKS > 1, found, 2))
    assert result.metrics()["accuracy"] == pytest.approx(float(metric.result()), abs=1e-6)


@pytest.mark.parametrize(
    "head", [[layers.Softmax(axis=1)], [layers.Permute((2, 3, 1)), layers.Softmax()], []]
)
def test_class_axis_can_precede_spatial_axes(batch_of, head):
    """Each axis has another size, so that their order is unambiguous."""
    keras.utils.set_random_seed(4)
    inputs = np.moveaxis(IMAGES, -1, 1)
    convolution = layers.Conv2D(3, 1, data_format="channels_first", name="conv")
    model = keras.Sequential([keras.Input(inputs.shape[1:]), convolution, *head])
    kernel, bias = convolution.get_weights()
    found = (IMAGES @ kernel[0, 0] + bias).argmax(axis=-1)
    for labels in (MASKS, np.eye(3)[MASKS], np.moveaxis(np.eye(3)[MASKS], -1, 1)):
        result = confusion_matrix(model, batch_of(model, inputs, labels=labels))
        np.testing.assert_array_equal(result.counts, counted(MASKS, found, 3))


def test_several_labels_per_pixel(batch_of):
    model = segmenter(3, "sigmoid")
    labels = RNG.integers(0, 2, (*MASKS.shape, 3))
    result = confusion_matrix(model, batch_of(model, IMAGES, labels=labels, batch_size=4), threshold=0.4)
    found = model.predict(IMAGES, verbose=0) > 0.4
    for label in range(3):
        np.testing.assert_array_equal(result.counts[label], counted(labels[..., label], found[..., label], 2))
    right = (labels == found).all(axis=-1).mean()
    assert result.metrics()["accuracy"] == pytest.approx(right)
    assert result.head == "multi-label"


def test_sigmoids_with_one_class_per_pixel_predict_the_most_probable(batch_of):
    model = segmenter(3, "sigmoid")
    result = confusion_matrix(model, batch_of(model, IMAGES, labels=MASKS))
    np.testing.assert_array_equal(result.counts, counted(MASKS, predicted_by(model, IMAGES), 3))


def test_labels_of_tokens_by_name(batch_of):
    model = tagger()
    names = ["O", "PER", "LOC", "ORG"]
    batch = batch_of(model, TEXTS, labels=np.array(names)[TAGS], class_names=names)
    kept = TEXTS > 0
    expected = counted(TAGS[kept], predicted_by(model, TEXTS)[kept], 4)
    np.testing.assert_array_equal(confusion_matrix(model, batch).counts, expected)
    odd = batch_of(model, TEXTS, labels=np.array(["O", "PER", "LOC", "X"])[TAGS], class_names=names)
    with pytest.raises(InputsError, match="labels contain 'X', which is not a class"):
        confusion_matrix(model, odd)


# Labels that are not classes.

BORDERED = np.where(RNG.random(MASKS.shape) < 0.2, 255, MASKS).astype(np.uint8)


@pytest.mark.parametrize("label", [255, -100])
def test_label_out_of_range_is_rejected_unless_ignored(batch_of, label):
    model = segmenter()
    labels = np.where(BORDERED == 255, label, MASKS)
    batch = batch_of(model, IMAGES, labels=labels)
    with pytest.raises(InputsError, match=f"positions with label {label}, .* pass ignore_label={label}"):
        confusion_matrix(model, batch)
    result = confusion_matrix(model, batch, ignore_label=label)
    kept = BORDERED != 255
    np.testing.assert_array_equal(result.counts, counted(MASKS[kept], predicted_by(model, IMAGES)[kept], 3))
    assert result.left_out == {f"of label {label}": (~kept).sum()}
    assert result.resolved["ignore_label"] == label
    assert not result.warnings()


@pytest.mark.parametrize("suffix", [".keras", ".h5", ""])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_ignore_class_of_the_loss_is_not_counted(batch_of, suffix, tmp_path):
    model = segmenter()
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=255))
    named = model
    if suffix:
        named = str(tmp_path / f"model{suffix}")
        model.save(named)
    batch = batch_of(named, IMAGES, labels=BORDERED)
    result = confusion_matrix(model, batch)
    assert result.left_out == {"of label 255": (BORDERED == 255).sum()}
    assert result.resolved["ignore_label"] == 255


@pytest.mark.parametrize("labels", [np.where(BORDERED == 255, -1, MASKS), np.eye(256, 3)[BORDERED]])
def test_positions_without_a_label_are_counted_as_unlabelled(batch_of, labels):
    """-1, or a row of zeros."""
    model = segmenter()
    result = confusion_matrix(model, batch_of(model, IMAGES, labels=labels))
    missing = (BORDERED == 255).sum()
    assert result.warnings()[0] == f"{missing} pixels have no label and are not counted"
    assert result.positions == MASKS.size - missing


def test_mask_of_0_and_255_is_rejected_with_a_hint(batch_of):
    model = segmenter(1, "sigmoid")
    batch = batch_of(model, IMAGES, labels=np.where(MASKS > 1, 255, 0).astype(np.uint8))
    with pytest.raises(InputsError, match="divide masks of 0 and 255 by 255"):
        confusion_matrix(model, batch)


def test_ignore_label_for_inputs(batch_of):
    """The same option if inputs are counted."""
    model = keras.Sequential([keras.Input((2,)), layers.Softmax()])
    inputs = np.eye(2, dtype=np.float32)[[0, 1, 1]]
    result = confusion_matrix(model, batch_of(model, inputs, labels=[0, 1, 0]), ignore_label=1)
    assert (result.counts.tolist(), result.unlabelled) == ([[1, 1], [0, 0]], 1)


REFUSED = [
    ({"labels": MASKS[:, :4]}, {}, InapplicableError, "labels have 4×5 values .* classes at 6×5 positions"),
    ({"labels": np.eye(4)[MASKS]}, {}, InputsError, "labels are rows of 4, but there are 3 classes"),
    ({"labels": np.eye(3)[MASKS] + 0.2}, {}, InputsError, "input '#0' are not distributions over 3 classes"),
    ({"labels": MASKS + 0.5}, {}, InputsError, "labels of input '#0' contain"),
    ({"labels": np.full(MASKS.shape, -1)}, {}, InputsError, "all pixels are left out .270 without label"),
    ({"labels": MASKS}, {"sample_weight": np.zeros(9)}, InputsError, "all pixels are left out"),
    ({"labels": MASKS}, {"sample_weight": np.ones((9, 5))}, InputsError, "or for each of its 6×5 positions"),
    ({"labels": MASKS}, {"sample_weight": -1.0 * MASKS}, InputsError, "has weight -1"),
]


@pytest.mark.parametrize(
    ("given", "options", "error", "says"), REFUSED, ids=[each[3][:30] for each in REFUSED]
)
def test_unsuitable_labels_are_rejected(batch_of, given, options, error, says):
    model = segmenter()
    with pytest.raises(error, match=says):
        confusion_matrix(model, batch_of(model, IMAGES, **given), **options)


def test_labels_of_inputs_are_compared_with_the_mean(batch_of):
    model = segmenter()
    labels = np.arange(9) % 3
    logits = IMAGES @ model.get_weights()[0][0, 0] + model.get_weights()[1]
    result = confusion_matrix(model, batch_of(model, IMAGES, labels=labels))
    expected = counted(labels, logits.mean(axis=(1, 2)).argmax(axis=1), 3)
    np.testing.assert_array_equal(result.counts, expected)
    assert result.unit == "inputs"


def test_pixels_of_a_regression_have_no_classes(batch_of):
    model = segmenter(3, None)
    model.compile(loss="mse")
    with pytest.raises(InapplicableError, match="gives values, not classes"):
        confusion_matrix(model, batch_of(model, IMAGES, labels=IMAGES))


class Subclassed(keras.Model):
    def __init__(self, classes):
        super().__init__()
        self.inner = layers.Dense(classes, activation="softmax")

    def call(self, inputs):
        return self.inner(inputs)


def test_output_shape_can_be_unknown_until_the_model_runs(batch_of):
    keras.utils.set_random_seed(5)
    model = Subclassed(5)
    series = RNG.random((8, 5, 2), dtype=np.float32)
    model(series)
    tags = RNG.integers(0, 5, (8, 5))
    for labels in (tags, np.eye(5)[tags]):
        result = confusion_matrix(model, batch_of(model, series, labels=labels))
        np.testing.assert_array_equal(result.counts, counted(tags, predicted_by(model, series), 5))


@pytest.mark.parametrize(
    ("model", "labels", "says"),
    [
        (segmenter(), MASKS, "labels have 6×5 values for each input; the confusion matrix counts labels"),
        (
            keras.Sequential([segmenter(), layers.GlobalMaxPool2D()]),
            MASKS,
            "6×5 values .*so they can't be its class",
        ),
        (keras.Sequential([segmenter(), layers.Reshape((6, 5, 3))]), None, None),
    ],
    ids=["positions", "none", "without labels"],
)
def test_methods_that_ignore_labels_give_a_warning(batch_of, model, labels, says):
    batch = batch_of(model, IMAGES, labels=labels)
    result = umap(model, batch, layers="0")
    assert (result.examples.labels == -1).all()
    warnings = [each for each in batch.warnings if each.startswith("labels")]
    assert len(warnings) == (says is not None)
    assert says is None or re.search(says, warnings[0])


def test_labels_of_positions_are_ignored_for_a_model_without_positions(batch_of):
    class Pooled(Subclassed):
        def call(self, inputs):
            return keras.ops.mean(super().call(inputs), axis=1)

    model = Pooled(3)
    series = RNG.random((8, 5, 2), dtype=np.float32)
    model(series)
    batch = batch_of(model, series, labels=RNG.integers(2, 9, (8, 5)))
    umap(model, batch, layers="0")
    (warning,) = [each for each in batch.warnings if each.startswith("labels")]
    assert warning == "labels have 5 values for each input, so they can't be its class; they are left out"
    with pytest.raises(InapplicableError, match="no input has a label"):
        confusion_matrix(model, batch)


def test_dataset_provides_labels_and_weights(batch_of):
    model = tagger(masked=False)
    weights = RNG.random(TAGS.shape).astype(np.float32)
    dataset = tf.data.Dataset.from_tensor_slices((TEXTS.astype(np.float32), TAGS, weights)).batch(6)
    result = confusion_matrix(model, batch_of(model, dataset))
    np.testing.assert_allclose(
        result.weighted, counted(TAGS, predicted_by(model, TEXTS), 4, weights), rtol=1e-6
    )


# For any batch_size.


def test_large_inputs_are_counted_in_parts(batch_of, monkeypatch):
    model = segmenter()
    whole = confusion_matrix(model, batch_of(model, IMAGES, labels=BORDERED), ignore_label=255)
    monkeypatch.setattr(positions, "AT_ONCE", 61)
    for size in (1, 4):
        batch = batch_of(model, IMAGES, labels=BORDERED, batch_size=size)
        part = confusion_matrix(model, batch, ignore_label=255)
        np.testing.assert_array_equal(part.counts, whole.counts)
        np.testing.assert_array_equal(part.cells, whole.cells)
        np.testing.assert_allclose(part.shares, whole.shares)
        assert part.metrics() == whole.metrics()
        assert part.left_out == whole.left_out


def test_parts_are_merged(batch_of):
    model = segmenter()
    batch = batch_of(model, IMAGES, labels=MASKS)
    called = method(model, batch)
    chunk = next(batch.chunks())
    found = {"positions": predicted_by(model, IMAGES)}
    passed = Passed(np.full((9, 3), 1 / 3, np.float32), "softmax", found)
    parts = []
    for part in split(chunk, 4):
        parts.append(called.accumulator())
        parts[-1].update(part, passed.rows(part.indices))
    first, *others = pickle.loads(pickle.dumps(parts))
    for each in others:
        first.merge(each)
    whole = run(model, batch, {"confusion_matrix": called}).parts["confusion_matrix"].result()
    np.testing.assert_array_equal(first.result().counts, whole.counts)
    assert first.result().examples.names == whole.examples.names
    assert first.result().positions == whole.positions


def test_cell_shows_the_inputs_with_the_largest_share(batch_of):
    model = segmenter()
    result = confusion_matrix(model, batch_of(model, IMAGES, labels=BORDERED), ignore_label=255)
    found = predicted_by(model, IMAGES)
    for cell in {tuple(each) for each in result.cells.tolist()}:
        rows = (result.cells == cell).all(axis=1)
        share = ((cell[0] == BORDERED) & (found == cell[1])).sum(axis=(1, 2)) / (BORDERED != 255).sum(
            axis=(1, 2)
        )
        best = np.argsort(-share, kind="stable")[:6]
        best = best[share[best] > 0]
        assert sorted(result.examples.indices[rows].tolist()) == sorted(best.tolist())
        np.testing.assert_allclose(result.shares[rows], share[result.examples.indices[rows]], rtol=1e-6)
    assert (np.diff(result.shares) <= 0).all()
    assert result.thumbnails is not None or result.examples.images is None


# Given predictions.

PROBABILITIES = RNG.dirichlet(np.ones(3), MASKS.shape)
FOUND = PROBABILITIES.argmax(axis=-1)
GIVEN = {
    "classes": FOUND,
    "float classes": FOUND.astype(np.float32),
    "one more axis": FOUND[..., np.newaxis],
    "probabilities": PROBABILITIES,
    "logits": np.log(PROBABILITIES),
}


@pytest.mark.parametrize("form", GIVEN)
@pytest.mark.parametrize("labels", FORMS)
def test_given_predictions_for_pixels(batch_of, form, labels, tmp_path):
    model = segmenter()
    model.call = None  # would fail if it were run
    np.save(tmp_path / "found.npy", GIVEN[form])
    batch = batch_of(model, IMAGES, labels=FORMS[labels], batch_size=4)
    result = confusion_matrix(model, batch, predictions=tmp_path / "found.npy")
    np.testing.assert_array_equal(result.counts, counted(MASKS, FOUND, 3))
    assert result.unit == "pixels"


@pytest.mark.parametrize("form", GIVEN)
@pytest.mark.parametrize("labels", FORMS)
def test_predictions_for_pixels_without_a_model(form, labels):
    result = from_predictions(FORMS[labels], GIVEN[form])
    np.testing.assert_array_equal(result.counts, counted(MASKS, FOUND, 3))


def test_given_predictions_for_several_labels_per_pixel(batch_of):
    model = segmenter(3, "sigmoid")
    several = RNG.random((*MASKS.shape, 3))
    labels = RNG.integers(0, 2, several.shape)
    batch = batch_of(model, IMAGES, labels=labels, batch_size=4)
    counts = confusion_matrix(model, batch, predictions=several, threshold=0.6).counts
    for label in range(3):
        expected = counted(labels[..., label], several[..., label] > 0.6, 2)
        np.testing.assert_array_equal(counts[label], expected)


def test_further_predictions_without_a_model():
    kept = BORDERED != 255
    result = from_predictions(BORDERED, FOUND, ignore_label=255)
    np.testing.assert_array_equal(result.counts, counted(MASKS[kept], FOUND[kept], 3))
    fractions = PROBABILITIES[..., 0]
    binary = from_predictions(MASKS > 1, fractions, threshold=0.2)
    np.testing.assert_array_equal(binary.counts, counted(MASKS > 1, fractions > 0.2, 2))
    tags = from_predictions(TAGS, TAGS[::-1])
    np.testing.assert_array_equal(tags.counts, counted(TAGS, TAGS[::-1], 4))
    named = from_predictions(np.array(list("abcd"))[TAGS], np.array(list("abcd"))[TAGS[::-1]])
    np.testing.assert_array_equal(named.counts, tags.counts)
    assert named.names == tuple("abcd")
    weighted = from_predictions(MASKS, FOUND, weights=PROBABILITIES[..., 1])
    np.testing.assert_allclose(weighted.weighted, counted(MASKS, FOUND, 3, PROBABILITIES[..., 1]))
    with pytest.raises(InputsError, match="there are 8 predictions for 9 labels"):
        from_predictions(MASKS, FOUND[:8])
