"""The meaning of a model's output: stated, or from metadata, loss or graph; compared with Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.backend.heads import VALUES_BY_LOSS
from mlflow_interp.engine.layer_table import describe_model
from mlflow_interp.exceptions import InterpretationWarning, ModelError, OptionError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel, Origin
from mlflow_interp.models.output_head import head_of_loss, resolve_head, stored_loss

losses = keras.losses
INPUTS = np.random.default_rng(0).normal(size=(40, 4, 4, 1)).astype(np.float32)


def model_of(units, loss=None, activation=None, **compiled):
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Conv2D(3, 3, activation="relu", bias_initializer="ones", name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation=activation, name="head"),
        ],
        name="net",
    )
    if loss is not None:
        model.compile(loss=loss, **compiled)
    return model


@pytest.mark.parametrize(
    ("loss", "head"),
    [
        ("mse", VALUES_BY_LOSS),
        ("mean_absolute_error", VALUES_BY_LOSS),
        (losses.Huber(), VALUES_BY_LOSS),
        (losses.mean_squared_error, VALUES_BY_LOSS),
        ("binary_crossentropy", "auto"),
        (losses.BinaryCrossentropy(from_logits=True), "binary_logit"),
        (losses.BinaryFocalCrossentropy(from_logits=True), "binary_logit"),
        (losses.BinaryCrossentropy(), "auto"),
        (losses.SparseCategoricalCrossentropy(from_logits=True), "logits"),
        (losses.CategoricalCrossentropy(from_logits=True), "logits"),
        (losses.CategoricalCrossentropy(), "auto"),
        ("hinge", "auto"),
        (lambda labels, outputs: outputs, "auto"),
        ({"kind": "mse"}, "auto"),
        (None, "auto"),
        (["mse"], "auto"),
    ],
)
def test_loss_determines_the_meaning_of_the_output(loss, head):
    assert head_of_loss(loss) == head


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(
    ("loss", "head"),
    [("mse", VALUES_BY_LOSS), (losses.BinaryCrossentropy(from_logits=True), "binary_logit"), (None, "auto")],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_loss_in_a_file_is_read_as_data(loss, head, suffix, tmp_path):
    model_of(1, loss).save(tmp_path / f"net{suffix}")
    assert head_of_loss(stored_loss(tmp_path / f"net{suffix}")) == head
    assert load_model(tmp_path / f"net{suffix}").head == head


def test_option_overrides_metadata_which_overrides_the_loss():
    assert resolve_head("auto", {}, "mse") == VALUES_BY_LOSS
    assert resolve_head("auto", {"head": "logits"}, "mse") == "logits"
    assert resolve_head("sigmoid", {"head": "logits"}, "mse") == "sigmoid"
    with pytest.raises(
        OptionError, match="metadata states head='soft', which is unknown; pass head=, one of: auto"
    ):
        resolve_head("auto", {"head": "soft"}, None)
    assert resolve_head("logits", {"head": "soft"}, None) == "logits"


def both(model, labels, **options):
    return mlflow_interp.interpret(
        model, INPUTS, "gradcam,confusion_matrix", labels=labels, log=False, quiet=True, **options
    )


@pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")
@pytest.mark.parametrize("stated", [False, True])
def test_accuracy_of_one_logit_equals_keras(stated):
    """From the loss or as stated: class 1 if the logit is above 0."""
    loss = losses.BinaryCrossentropy(from_logits=True)
    model = model_of(1, loss, metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)])
    labels = np.random.default_rng(1).integers(0, 2, 40)
    accuracy = model.evaluate(INPUTS, labels, verbose=0)[1]
    options = {}
    if stated:
        weights = model.get_weights()
        model = model_of(1)
        model.set_weights(weights)
        options = {"head": "binary_logit"}
    found = both(model, labels, **options)
    assert found["gradcam"].metrics["accuracy"] == pytest.approx(accuracy)
    assert found["confusion_matrix"].metrics["accuracy"] == pytest.approx(accuracy)
    logits = model.predict(INPUTS, verbose=0)[:, 0]
    positive = found["gradcam"].examples.probabilities[:, 0]
    np.testing.assert_allclose(positive, 1 / (1 + np.exp(-np.abs(logits))), atol=1e-6)
    assert found["gradcam"].manifest["parameters"]["head"] == "binary"


@pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")
@pytest.mark.parametrize("units", [1, 3])
def test_regression_has_no_classes(units):
    """No accuracy, no confusion matrix, no rings, even if targets are whole numbers."""
    model = model_of(units, "mse")
    labels = np.random.default_rng(1).integers(0, 2, 40)
    found = mlflow_interp.interpret(model, INPUTS, "gradcam,umap", labels=labels, log=False, quiet=True)
    assert "accuracy" not in found["gradcam"].metrics
    assert "accuracy" not in found["umap"].metrics
    assert (found["umap"].examples.labels == -1).all()
    assert found["gradcam"].manifest["parameters"]["head"] == "values"
    largest = model.predict(INPUTS, verbose=0).max(axis=1)
    np.testing.assert_allclose(found["gradcam"].explained.probabilities, largest, atol=1e-5)
    with pytest.raises(ModelError, match="gives values, not classes"):
        mlflow_interp.visualize_confusion_matrix(model, INPUTS, labels=labels, log=False, quiet=True)


@pytest.mark.filterwarnings("ignore:.*heatmaps are empty")
def test_targets_of_a_regression_give_no_warning():
    found = mlflow_interp.visualize_gradcam(
        model_of(1, "mse"), INPUTS, labels=np.arange(40), log=False, quiet=True
    )
    assert not any("labels" in warning for warning in found.manifest["warnings"])


@pytest.mark.filterwarnings("ignore:.*heatmaps are empty")
def test_single_unknown_output_ignores_labels_with_a_hint():
    labels = np.random.default_rng(1).integers(0, 2, 40)
    with pytest.warns(InterpretationWarning, match="If it is a logit, pass head='binary_logit'"):
        found = mlflow_interp.visualize_gradcam(model_of(1), INPUTS, labels=labels, log=False, quiet=True)
    assert "accuracy" not in found.metrics


GUESSED = "Could not determine what the 3 outputs of model 'net' are"
CLASSES = np.arange(40) % 3


@pytest.mark.parametrize(
    ("compiled", "options"),
    [
        (None, {"head": "logits"}),
        (None, {"head": "values"}),
        (losses.SparseCategoricalCrossentropy(from_logits=True), {}),
        ("mse", {}),
        (None, {"class_names": ["a", "b", "c"]}),
        (None, {"labels": CLASSES}),
        (None, {"labels": np.eye(3)[CLASSES]}),
        (None, {"labels": (0.9 * np.eye(3) + 0.1 / 3)[CLASSES]}),
    ],
    ids=["head", "values", "loss", "values by loss", "names", "indices", "one-hot", "soft"],
)
@pytest.mark.filterwarnings("error")
def test_stated_meaning_of_linear_outputs_is_not_a_guess(compiled, options):
    found = mlflow_interp.visualize_umap(
        model_of(3, compiled), INPUTS, layers="conv", pooling="flatten", log=False, quiet=True, **options
    )
    assert not [each for each in found.manifest["warnings"] if "guess" in each]


@pytest.mark.parametrize(
    "options",
    [{}, {"labels": np.random.default_rng(0).random((40, 3))}, {"labels": np.full(40, -1)}],
    ids=["nothing", "targets", "unknown"],
)
@pytest.mark.parametrize("method", ["umap", "saliency"])
def test_unknown_linear_outputs_are_a_guess(method, options):
    call = getattr(mlflow_interp, f"visualize_{method}")
    with pytest.warns(InterpretationWarning, match=f"{GUESSED}.*Pass head='logits', or head='values'"):
        found = call(model_of(3), INPUTS, log=False, quiet=True, **options)
    assert sum("assuming logits of classes" in each for each in found.manifest["warnings"]) == 1


@pytest.mark.parametrize(
    ("units", "activation", "loss", "head", "expected"),
    [
        (3, None, None, "auto", "logits of 3 classes (a guess; pass head= to be sure)"),
        (3, None, None, "logits", "logits of 3 classes (stated by head=)"),
        (
            3,
            None,
            losses.CategoricalCrossentropy(from_logits=True),
            "auto",
            "logits of 3 classes (from its loss)",
        ),
        (3, None, "mse", "auto", "3 values (from its loss)"),
        (3, "softmax", "mse", "auto", "probabilities of 3 classes (from its last operations)"),
        (3, "softmax", None, "logits", "probabilities of 3 classes (from its last operations)"),
        (3, "sigmoid", None, "auto", "3 probabilities, one for each label (from its last operations)"),
        (3, None, None, "binary_logit", "3 logits, one for each label (stated by head=)"),
        (1, None, None, "auto", "1 value (a guess; pass head= to be sure)"),
        (1, "sigmoid", None, "auto", "the probability of the second of 2 classes (from its last operations)"),
        (1, None, None, "binary_logit", "the logit of the second of 2 classes (stated by head=)"),
    ],
)
def test_layer_table_shows_the_meaning_of_the_output_and_its_source(units, activation, loss, head, expected):
    model = model_of(units, loss, activation)
    assert describe_model(model, head=head)[0] == expected


def test_layer_table_shows_what_metadata_states():
    origin = Origin("models:/net/1")
    named = LoadedModel(model_of(3), origin, {"class_names": ["a", "b", "c"]})
    assert describe_model(named)[0] == "logits of 3 classes (as its metadata names the classes)"
    stated = LoadedModel(model_of(3), origin, head="values", head_source="metadata")
    assert describe_model(stated)[0] == "3 values (stated by its metadata)"
    pixels = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Dense(3, "softmax")])
    assert describe_model(pixels)[0].startswith("probabilities of 3 classes at each position (")


@pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")
def test_labels_of_several_logits():
    """One sigmoid for each label, from a loss of logits."""
    model = model_of(3, losses.BinaryCrossentropy(from_logits=True))
    labels = np.random.default_rng(1).integers(0, 2, (40, 3))
    found = both(model, labels)
    logits = model.predict(INPUTS, verbose=0)
    counts = found["confusion_matrix"].counts
    for label in range(3):
        predicted = logits[:, label] > 0
        expected = [
            [((labels[:, label] == true) & (predicted == guess)).sum() for guess in (0, 1)] for true in (0, 1)
        ]
        np.testing.assert_array_equal(counts[label], expected)


@pytest.mark.filterwarnings("ignore:.*heatmaps are empty")
@pytest.mark.parametrize("by_loss", [False, True])
def test_probabilities_are_unchanged_if_logits_are_stated(by_loss):
    """A softmax trained with a loss that expects logits: a common mistake, which is reported."""
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model = model_of(2, loss if by_loss else None, activation="softmax")
    options = {} if by_loss else {"head": "logits"}
    with pytest.warns(
        InterpretationWarning,
        match="head='logits' or the loss states that .* make it a prob",
    ):
        found = mlflow_interp.visualize_gradcam(model, INPUTS, log=False, quiet=True, **options)
    given = model.predict(INPUTS, verbose=0)
    np.testing.assert_allclose(found.examples.probabilities[:, 0], given.max(axis=1), atol=1e-6)
    assert found.manifest["parameters"]["head"] == "softmax"


@pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")
def test_saliency_uses_the_stated_score():
    """For values, the derivative of the value; for a logit and the first class, its negative."""
    model = model_of(1)
    options = {"log": False, "quiet": True, "noise": 0, "path_steps": 2}
    values = mlflow_interp.visualize_saliency(model, INPUTS[:4], head="values", **options)
    logit = mlflow_interp.visualize_saliency(model, INPUTS[:4], head="binary_logit", target=1, **options)
    first = mlflow_interp.visualize_saliency(model, INPUTS[:4], head="binary_logit", target=0, **options)
    np.testing.assert_allclose(values.gradients, logit.gradients, atol=1e-6)
    np.testing.assert_allclose(values.gradients, -first.gradients, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*heatmaps are empty")
def test_classifier_trained_with_squared_error_remains_a_classifier():
    model = model_of(3, "mse", activation="softmax", metrics=["accuracy"])
    labels = np.random.default_rng(1).integers(0, 3, 40)
    accuracy = model.evaluate(INPUTS, np.eye(3)[labels], verbose=0)[1]
    found = mlflow_interp.visualize_gradcam(model, INPUTS, labels=labels, log=False, quiet=True)
    assert found.manifest["parameters"]["head"] == "softmax"
    assert found.metrics["accuracy"] == pytest.approx(accuracy)
