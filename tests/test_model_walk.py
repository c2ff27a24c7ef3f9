"""Randomly built models and labels: every logged number equals that of Keras and NumPy.

`WALK=200` tests more models.
"""

from __future__ import annotations

import os
import warnings

import keras
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mlflow_interp import interpret, visualize_confusion_matrix
from mlflow_interp.exceptions import InterpretationWarning
from tests.walked_models import COUNT, RECIPES, build

MODELS = int(os.environ.get("WALK", 25))


def found_of(walked, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpretationWarning)  # for methods that do not apply
        return interpret(
            walked.model,
            walked.body.arrays,
            labels=walked.labels,
            class_names=walked.class_names,
            log=False,
            quiet=True,
            **options,
        )


@settings(
    max_examples=MODELS,
    deadline=None,
    derandomize="WALK" not in os.environ,
    phases=[Phase.generate],  # a recipe is minimal already, and each takes seconds
    suppress_health_check=list(HealthCheck),
)
@given(recipe=RECIPES)
def test_every_number_equals_keras(recipe):
    walked = build(recipe)
    has_gradient = isinstance(walked.body.arrays, np.ndarray) and walked.body.arrays.dtype == np.float32
    methods = ["all", "saliency"] if has_gradient else ["all"]
    options = {"noise_samples": 1, "path_steps": 1} if has_gradient else {}
    found = found_of(walked, methods=methods, n_neighbors=3, n_epochs=10, **options)
    is_classes = walked.kind.labels != "value"
    is_labelled = walked.labels is not None and is_classes
    assert ("confusion_matrix" in found) == is_labelled
    assert ("gradcam" in found) == bool(walked.body.features)
    assert "umap" in found
    for name, each in found.items():
        if name != "confusion_matrix":
            check_examples(walked, each, is_labelled=is_labelled)
    if "gradcam" in found:
        result = found["gradcam"].result
        np.testing.assert_array_equal(result.explained.targets, walked.predicted)
        expected = walked.heatmaps(walked.predicted)
        assert result.heatmaps.shape[0] == COUNT
        assert_near(result.heatmaps.reshape(expected.shape), expected)  # patches are arranged on their grid
    if has_gradient:
        assert_near(found["saliency"].result.gradients, walked.gradients(walked.predicted))
    if is_labelled:
        check_matrix(walked, found["confusion_matrix"])


def assert_near(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, np.abs(expected).max()))


def check_examples(walked, interpretation, *, is_labelled):
    examples = interpretation.result.examples
    assert len(examples) == COUNT
    shown = walked.probabilities
    if walked.kind.labels == "value":  # in the order of the outputs
        np.testing.assert_allclose(examples.probabilities, shown[:, :5], atol=1e-5)
        check_values(walked, examples.table())
    else:
        np.testing.assert_allclose(examples.probabilities, -np.sort(-shown, axis=1)[:, :5], atol=1e-5)
        np.testing.assert_array_equal(examples.classes[:, 0], walked.predicted)
    metrics = interpretation.metrics
    if is_labelled and walked.kind.labels == "class":
        assert abs(metrics["accuracy"] - walked.accuracy()) < 1e-6
        table = examples.table()
        names = walked.class_names or [str(index) for index in range(walked.probabilities.shape[1])]
        assert table["label"] == [names[index] for index in walked.truth]
        assert table["predicted"] == [names[index] for index in walked.predicted]
    else:
        assert "accuracy" not in metrics
    if "target_probability" in metrics:
        assert abs(metrics["target_probability"] - shown.max(axis=1).mean()) < 1e-5


def check_values(walked, table):
    outputs = walked.probabilities.shape[1]
    for output in range(outputs):
        suffix = "" if outputs == 1 else f" of output {output}"
        np.testing.assert_allclose(table[f"value{suffix}"], walked.probabilities[:, output], atol=1e-5)
        labels = [None] * COUNT if walked.labels is None else walked.truth[:, output].tolist()
        assert table[f"label{suffix}"] == labels


def check_matrix(walked, interpretation):
    metrics, counts = interpretation.metrics, interpretation.result.counts
    if walked.kind.labels == "class":
        expected = np.zeros_like(counts)
        np.add.at(expected, (walked.truth, walked.predicted), 1)
        np.testing.assert_array_equal(counts, expected)
        assert abs(metrics["accuracy"] - walked.accuracy()) < 1e-6
        return
    predicted = walked.probabilities >= 0.5
    for label in range(walked.truth.shape[1]):
        expected = np.zeros((2, 2), int)
        np.add.at(expected, (walked.truth[:, label], predicted[:, label].astype(int)), 1)
        np.testing.assert_array_equal(counts[label], expected)
    assert abs(metrics["accuracy"] - (walked.truth == predicted).all(axis=1).mean()) < 1e-6


POSITIONS = st.fixed_dictionaries(
    {
        "space": st.sampled_from(("pixels", "tokens", "steps")),
        "head": st.sampled_from(("softmax", "logits", "sigmoid")),
        "seed": st.integers(0, 50),
        "form": st.sampled_from(("integers", "with an axis of 1", "one-hot")),
        "weighted": st.booleans(),
        "batch_size": st.sampled_from((2, 32)),
    }
)


@settings(
    max_examples=max(6, MODELS // 3),
    deadline=None,
    derandomize="WALK" not in os.environ,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(drawn=POSITIONS)
def test_positions_are_counted_as_in_keras(drawn):
    model, inputs, truth, classes = build_of_positions(drawn["space"], drawn["head"], drawn["seed"])
    weights = np.random.default_rng(drawn["seed"]).integers(0, 2, truth.shape) if drawn["weighted"] else None
    labels = {
        "integers": truth,
        "with an axis of 1": truth[..., np.newaxis],
        "one-hot": truth if drawn["head"] == "sigmoid" else np.eye(classes, dtype=int)[truth],
    }[drawn["form"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpretationWarning)
        found = visualize_confusion_matrix(
            model,
            inputs,
            labels=labels,
            sample_weight=weights,
            batch_size=drawn["batch_size"],
            log=False,
            quiet=True,
        )
    outputs = np.asarray(model.predict(inputs, verbose=0))
    is_binary = drawn["head"] == "sigmoid"
    predicted = (outputs[..., 0] > 0.5).astype(int) if is_binary else outputs.argmax(axis=-1)
    counted = np.ones(truth.shape, bool) if weights is None else weights > 0
    if drawn["space"] == "tokens":
        counted &= inputs != 0  # which the embedding masks
    expected = np.zeros((classes, classes), int)
    np.add.at(expected, (truth[counted], predicted[counted]), 1)
    np.testing.assert_array_equal(found.result.counts, expected)
    scores = model.evaluate(
        inputs,
        keras_labels(truth, drawn),
        sample_weight=None if weights is None else weights.astype(np.float32),
        verbose=0,
        return_dict=True,
    )
    assert abs(found.metrics["accuracy"] - scores["accuracy"]) < 1e-6


def keras_labels(truth, drawn):
    return truth[..., np.newaxis] if drawn["head"] == "sigmoid" else truth


def build_of_positions(space, head, seed):
    """A model with an output for each position, its inputs and true classes."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    layers = keras.layers
    classes = 2 if head == "sigmoid" else 3
    units = 1 if head == "sigmoid" else classes
    activation = None if head == "logits" else head
    if space == "pixels":
        inputs = rng.normal(size=(COUNT, 6, 5, 2)).astype(np.float32)
        body = [keras.Input((6, 5, 2)), layers.Conv2D(4, 3, padding="same", activation="relu")]
        end = layers.Conv2D(units, 1, activation=activation, kernel_initializer="random_normal")
        shape = (COUNT, 6, 5)
    elif space == "tokens":
        inputs = rng.integers(0, 8, (COUNT, 7))
        body = [keras.Input((7,), dtype="int32"), layers.Embedding(8, 5, mask_zero=True)]
        end = layers.Dense(units, activation=activation)
        shape = (COUNT, 7)
    else:
        inputs = rng.normal(size=(COUNT, 7, 3)).astype(np.float32)
        body = [keras.Input((7, 3)), layers.GRU(5, return_sequences=True)]
        end = layers.Dense(units, activation=activation)
        shape = (COUNT, 7)
    model = keras.Sequential([*body, end])
    is_logits = head == "logits"
    loss = (
        "binary_crossentropy"
        if head == "sigmoid"
        else keras.losses.SparseCategoricalCrossentropy(from_logits=is_logits)
    )
    model.compile(loss=loss, weighted_metrics=["accuracy"])
    return model, inputs, rng.integers(0, classes, shape), classes
