"""Kinds of models: results of each method, and messages if a method does not apply."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.api import interpret
from mlflow_interp.engine.layer_table import describe_layers
from mlflow_interp.engine.requirements import requirements_of, usable_methods
from mlflow_interp.exceptions import InapplicableError, InterpretationWarning, ModelError, OptionError
from mlflow_interp.method_registry import method_names
from mlflow_interp.models.load import load_model
from tests.running import (
    confusion_matrix,
    gradcam,
    methods_for_convolutions,
    methods_of_trained_models,
    saliency,
)

layers, ops = keras.layers, keras.ops


def random(*shape, count=4):
    return np.random.default_rng(2).random((count, *shape), dtype=np.float32)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(5)


class ClassToken(layers.Layer):
    """Prepends a class token to the others, and adds position embeddings."""

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="random_normal", name="token")
        self.places = self.add_weight(shape=(1, shape[1] + 1, shape[-1]), initializer="random_normal")

    def call(self, tokens):
        first = ops.repeat(self.token, ops.shape(tokens)[0], axis=0)
        return ops.concatenate([first, tokens], axis=1) + self.places


def transformer(*, class_token):
    """Two attention blocks on 4×6 patches of a 16×24 image."""
    pixels = keras.Input((16, 24, 3))
    value = layers.Reshape((24, 8), name="tokens")(layers.Conv2D(8, 4, 4, name="patches")(pixels))
    value = ClassToken(name="classed")(value) if class_token else value
    for block in "ab":
        normed = layers.LayerNormalization(name=f"{block}_norm")(value)
        attended = layers.MultiHeadAttention(2, 4, name=f"{block}_attention")(normed, normed)
        value = layers.Add(name=f"{block}_add")([value, attended])
    value = layers.LayerNormalization(name="last")(value)
    value = value[:, 0] if class_token else layers.GlobalAveragePooling1D()(value)
    return keras.Model(pixels, layers.Dense(3, activation="softmax", name="head")(value))


def convolutional(head=layers.GlobalAveragePooling2D, classes=3, activation="softmax", dtype=None, first=()):
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            *first,
            layers.Conv2D(4, 3, activation="relu", dtype=dtype, name="conv"),
            head(dtype=dtype),
            layers.Dense(classes, activation=activation, dtype=dtype, name="head"),
        ]
    )


def test_heat_of_tokens_is_on_the_grid_of_patches(batch_of):
    """With pooled tokens and a dense head, Grad-CAM is CAM over the number of patches, patch by patch."""
    model, inputs = transformer(class_token=False), random(16, 24, 3)
    result = gradcam(model, batch_of(model, inputs), target=1)
    tokens = keras.Model(model.input, model.get_layer("last").output)(inputs).numpy()
    expected = tokens @ model.get_layer("head").kernel.numpy()[:, 1] / 24
    assert result.layer == "last"
    np.testing.assert_allclose(result.heatmaps, expected.reshape(4, 4, 6), atol=1e-5)


def test_class_token_is_left_out_and_the_last_relevant_patches_are_used(batch_of):
    """After the last attention only the class token is used, so the patches have no gradient."""
    model, inputs = transformer(class_token=True), random(16, 24, 3)
    result = gradcam(model, batch_of(model, inputs), target=0)
    before, after = model.get_layer("a_add").output, model.get_layer("b_norm")
    to_tokens = keras.Model(model.input, after(before))
    tokens = tf.constant(to_tokens(inputs))
    with tf.GradientTape() as tape:
        tape.watch(tokens)
        value = before_of(model, inputs) + model.get_layer("b_attention")(tokens, tokens)
        head = model.get_layer("head")
        logits = tf.matmul(model.get_layer("last")(value)[:, 0], head.kernel) + head.bias
        score = logits[:, 0]
    gradient = tape.gradient(score, tokens).numpy()[:, 1:]
    expected = (gradient.mean(axis=1, keepdims=True) * tokens.numpy()[:, 1:]).sum(axis=-1)
    assert (result.layer, result.heatmaps.max() > 0) == ("b_norm", True)
    np.testing.assert_allclose(result.heatmaps, expected.reshape(4, 4, 6), atol=1e-5)


def before_of(model, inputs):
    return keras.Model(model.input, model.get_layer("a_add").output)(inputs)


@pytest.mark.parametrize(
    ("rank", "convolution", "pooling", "shape"),
    [
        (1, layers.Conv1D, layers.GlobalAveragePooling1D, (20, 2)),
        (3, layers.Conv3D, layers.GlobalAveragePooling3D, (5, 6, 7, 1)),
    ],
)
def test_signals_and_volumes(batch_of, rank, convolution, pooling, shape):
    """With pooling and a dense head, Grad-CAM is CAM over the number of positions, for any number of axes."""
    conv, head = convolution(3, 3, activation="relu"), layers.Dense(2)
    model, inputs = keras.Sequential([keras.Input(shape), conv, pooling(), head]), random(*shape)
    result = gradcam(model, batch_of(model, inputs), target=1)
    features = conv(inputs).numpy()
    expected = features @ head.kernel.numpy()[:, 1] / np.prod(features.shape[1:-1])
    assert result.heatmaps.ndim == rank + 1
    np.testing.assert_allclose(result.heatmaps, expected, atol=1e-6)
    assert (
        saliency(model, batch_of(model, inputs), noise_samples=1, path_steps=1).gradients.shape
        == inputs.shape
    )


def test_text_is_explained_by_token(batch_of):
    embedding, head = layers.Embedding(20, 6, name="words"), layers.Dense(2)
    ids = keras.Input((8,), dtype="int32")
    model = keras.Model(ids, head(layers.GlobalAveragePooling1D()(embedding(ids))))
    words = np.random.default_rng(0).integers(0, 20, (4, 8))
    result = gradcam(model, batch_of(model, words), target=0)
    expected = embedding(words).numpy() @ head.kernel.numpy()[:, 0] / 8
    np.testing.assert_allclose(result.heatmaps, expected, atol=1e-6)


def test_recurrent_layers_are_explained_as_a_whole(batch_of):
    both = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")
    model = keras.Sequential([keras.Input((9, 2)), both, layers.GlobalAveragePooling1D(), layers.Dense(2)])
    result = gradcam(model, batch_of(model, random(9, 2)), target=0)
    assert (result.layer, result.heatmaps.shape) == ("both", (4, 9))


def test_segmentation_is_explained_by_its_mean(batch_of):
    conv, head = layers.Conv2D(3, 3, padding="same", activation="relu", name="conv"), layers.Conv2D(2, 1)
    model = keras.Sequential([keras.Input((8, 8, 3)), conv, head, layers.Softmax()])
    inputs = random(8, 8, 3)
    result = gradcam(model, batch_of(model, inputs), layer="conv", target=1)
    expected = conv(inputs).numpy() @ head.kernel.numpy()[0, 0, :, 1] / 64
    np.testing.assert_allclose(result.heatmaps, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16"])
def test_precisions_agree_with_float32(batch_of, dtype):
    inputs, plain = random(12, 12, 3), convolutional()
    other = convolutional(dtype=dtype)
    other.set_weights(plain.get_weights())
    # bfloat16 has eight bits of precision, so a ReLU near zero may differ.
    least = 0.9 if "bf" in dtype else 0.999
    integrated = {"noise_samples": 1, "noise": 0, "path_steps": 3}
    for method, name, options in (gradcam, "heatmaps", {}), (saliency, "integrated_gradients", integrated):
        results = [method(each, batch_of(each, inputs), target=1, **options) for each in (plain, other)]
        expected, found = (getattr(result, name).ravel() for result in results)
        assert found.dtype == np.float32
        assert expected @ found > least * np.linalg.norm(expected) * np.linalg.norm(found) > 0


def test_dict_of_inputs(batch_of):
    pixels, facts = keras.Input((8, 8, 3), name="pixels"), keras.Input((2,), name="facts")
    conv, head = layers.Conv2D(3, 3, activation="relu"), layers.Dense(2)
    joined = layers.Concatenate()([layers.GlobalAveragePooling2D()(conv(pixels)), facts])
    model = keras.Model({"pixels": pixels, "facts": facts}, head(joined))
    inputs = {"pixels": random(8, 8, 3), "facts": random(2)}
    result = gradcam(model, batch_of(model, inputs), target=0)
    expected = conv(inputs["pixels"]).numpy() @ head.kernel.numpy()[:3, 0] / 36
    np.testing.assert_allclose(result.heatmaps, expected, atol=1e-6)
    counts = confusion_matrix(model, batch_of(model, inputs, labels=[0, 1, 0, 1])).counts
    assert counts.sum() == 4
    with pytest.raises(InapplicableError, match="models with one input"):
        saliency(model, batch_of(model, inputs))


def two_outputs():
    pixels = keras.Input((8, 8, 3))
    value = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3, activation="relu", name="conv")(pixels))
    kind = layers.Dense(3, activation="softmax", name="kind")(value)
    return keras.Model(pixels, [kind, layers.Dense(1, name="size")(value)], name="both")


@pytest.mark.parametrize(("output", "shape"), [("kind", 3), ("size", 1), (1, 1), ("0", 3)])
def test_selected_output_is_explained(output, shape):
    assert load_model(two_outputs(), output=output).keras.output_shape == (None, shape)


def test_available_outputs_are_named(batch_of):
    model = two_outputs()
    with pytest.raises(
        ModelError, match=r"has 2 outputs; choose the one to interpret with output= \('kind' or 'size'\)"
    ):
        gradcam(model, batch_of(model, random(8, 8, 3)))
    with pytest.raises(OptionError, match="no output 'sise'; nearest: size"):
        load_model(model, output="sise")


def test_random_augmentation_in_the_model_is_inactive(batch_of):
    model = convolutional(first=[layers.RandomFlip(), layers.RandomRotation(0.3)])
    plain, inputs = convolutional(), random(12, 12, 3)
    plain.set_weights([each for each in model.get_weights() if each.ndim > 0 and each.shape != (2,)])
    found, expected = (gradcam(each, batch_of(each, inputs), target=0).heatmaps for each in (model, plain))
    np.testing.assert_allclose(found, expected, atol=1e-6)


MODULE = """
import keras

@keras.saving.register_keras_serializable("mine")
class Twice(keras.layers.Layer):
    def call(self, values):
        return 2 * values
"""


def test_custom_layers_are_imported(tmp_path):
    """In a separate process, where nothing has registered them yet, from the current folder."""
    (tmp_path / "own_layers.py").write_text(MODULE)
    saved = (
        "import keras, own_layers; layers = [keras.Input((4,)), own_layers.Twice(), keras.layers.Dense(2)]; "
        "keras.Sequential(layers, name='custom').save('model.keras')"
    )
    subprocess.run([sys.executable, "-c", saved], cwd=tmp_path, check=True)
    layers_of = [sys.executable, "-m", "mlflow_interp", "layers", "model.keras"]
    failed, imported = (
        subprocess.run([*layers_of, *more], cwd=tmp_path, capture_output=True, text=True)
        for more in ([], ["--imports", "own_layers"])
    )
    assert (failed.returncode, imported.returncode) == (2, 0), imported.stderr
    assert "imports=" in failed.stderr
    assert "Twice" in imported.stdout


def test_failed_imports_are_reported():
    with pytest.raises(OptionError, match="'no_such_module', which can't be imported: No module"):
        load_model(convolutional(), imports="no_such_module")


#: The methods for any single input of numbers.
OF_NUMBERS = ["nearest_examples", "occlusion", "rise", "saliency", "umap"]
OF_CLASSES = sorted([*OF_NUMBERS, "quality"])


def tabular(*end):
    return keras.Sequential([keras.Input((5,)), layers.Dense(8, activation="relu"), *end], name="table")


@pytest.mark.parametrize(
    ("model", "inputs", "labels", "usable"),
    [
        (convolutional, (12, 12, 3), True, methods_for_convolutions()),
        (
            convolutional,
            (12, 12, 3),
            False,
            [name for name in methods_for_convolutions() if name != "confusion_matrix"],
        ),
        (lambda: transformer(class_token=True), (16, 24, 3), True, methods_of_trained_models()),
        (lambda: tabular(layers.Dense(2)), (5,), True, ["confusion_matrix", *OF_CLASSES]),
        (lambda: tabular(layers.Dense(1)), (5,), True, OF_NUMBERS),
        (lambda: tabular(layers.Rescaling(0), layers.Dense(1)), (5,), False, OF_NUMBERS),
    ],
)
def test_applicable_methods(batch_of, model, inputs, labels, usable):
    model = model()
    batch = batch_of(model, random(*inputs, count=6), labels=[0, 1, 0, 1, 0, 1] if labels else None)
    assert usable_methods(model, batch) == usable


def test_umap_is_not_suggested_for_few_inputs(batch_of):
    model = convolutional()
    four, five = (batch_of(model, random(12, 12, 3, count=count)) for count in (4, 5))
    assert set(usable_methods(model, five)) - set(usable_methods(model, four)) == {"umap"}


def test_requirements_of_every_method_are_known():
    assert {name: requirements_of(name) for name in method_names()}["gradcam"] == {"feature map"}


def test_message_lists_the_applicable_methods():
    tail = f"spatial feature map.*; methods that can be used here: {', '.join(OF_CLASSES)}$"
    with pytest.raises(InapplicableError, match=tail):
        interpret(tabular(layers.Dense(2)), random(5, count=6), "gradcam", log=False, quiet=True)


@pytest.mark.filterwarnings("ignore:.*cam(_plus_plus)? was left out")
def test_all_skips_methods_that_do_not_apply():
    with pytest.warns(InterpretationWarning, match="(gradcam|umap) was left out"):
        found = interpret(
            tabular(layers.Dense(2)), random(5), "all,saliency", labels=[0, 1, 0, 1],
            noise_samples=1, path_steps=1, log=False, quiet=True,
        )  # fmt: skip
    assert sorted(found) == ["confusion_matrix", "nearest_examples", "saliency"]


def test_layer_table_ends_with_the_model():
    whole = ("", "table", "Sequential", "(None, 1)", "occlusion, rise, saliency")
    assert describe_layers(tabular(layers.Dense(1)))[-1] == whole


def test_output_of_a_sequential_model_can_be_selected_by_position():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    inputs = np.ones((1, 3), np.float32)
    chosen = load_model(model, output=0).keras
    np.testing.assert_allclose(chosen.predict(inputs, verbose=0), model.predict(inputs, verbose=0))
    with pytest.raises(OptionError, match="has no output 1; available: 0"):
        load_model(model, output=1)


def ensemble():
    """The mean of two classifiers."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 1))
    outputs = []
    for _ in range(2):
        features = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
        flat = keras.layers.GlobalAveragePooling2D()(features)
        outputs.append(keras.layers.Dense(3, activation="softmax")(flat))
    model = keras.Model(inputs, keras.layers.Average()(outputs))
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")
def test_probabilities_and_accuracy_of_an_ensemble_equal_keras():
    model = ensemble()
    rng = np.random.default_rng(0)
    inputs = rng.normal(0, 3, (30, 8, 8, 1)).astype(np.float32)
    labels = rng.integers(0, 3, 30)
    found = interpret(model, inputs, "gradcam,confusion_matrix", labels=labels, log=False, quiet=True)
    given = model.predict(inputs, verbose=0)
    heat = found["gradcam"]
    assert heat.manifest["parameters"]["head"] == "probabilities"
    np.testing.assert_array_equal(heat.explained.targets, given.argmax(axis=1))
    np.testing.assert_allclose(heat.explained.probabilities, given.max(axis=1), atol=1e-6)
    accuracy = model.evaluate(inputs, labels, verbose=0)[1]
    assert found["confusion_matrix"].metrics["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert heat.metrics["accuracy"] == pytest.approx(accuracy, abs=1e-6)
