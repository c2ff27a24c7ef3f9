"""A random walk over models and labels: every number that is logged is the one that Keras and NumPy give.

More models are tried with `WALK=200`.
"""

from __future__ import annotations

import os
import warnings

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from mlflow_interp import interpret
from mlflow_interp.exceptions import InterpretationWarning
from tests.walked_models import COUNT, RECIPES, build

MODELS = int(os.environ.get("WALK", 25))


def found_of(walked, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpretationWarning)  # of methods that do not apply
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
    phases=[Phase.generate],  # a recipe is small as it is, and each takes seconds
    suppress_health_check=list(HealthCheck),
)
@given(recipe=RECIPES)
def test_every_number_is_that_of_keras(recipe):
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
        assert_near(result.heatmaps.reshape(expected.shape), expected)  # patches are laid out on their grid
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
