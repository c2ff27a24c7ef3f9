"""Models with several outputs: one is selected; its labels and weights are counted as in Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import mlflow_interp
from mlflow_interp.exceptions import OptionError
from tests.training.small import artifact_names, only_run, runs

COUNT = 30


@pytest.fixture
def data(images):
    """Inputs; labels and weights of each output."""
    generator = np.random.default_rng(1)
    labels = {"kind": generator.integers(0, 3, COUNT), "size": generator.random((COUNT, 1), np.float32)}
    weights = {"kind": generator.random(COUNT).astype(np.float32), "size": np.ones(COUNT, np.float32)}
    return images[0][:COUNT], labels, weights


def heads(inputs, *, kind="kind", size="size"):
    layers = keras.layers
    features = layers.Conv2D(6, 3, activation="relu", name="conv")(inputs)
    pooled = layers.GlobalAveragePooling2D()(features)
    return layers.Dense(3, "softmax", name=kind)(pooled), layers.Dense(1, name=size)(pooled)


class Subclassed(keras.Model):
    """Returns a dict of outputs, unknown before the model runs."""

    def __init__(self):
        super().__init__()
        self.conv = keras.layers.Conv2D(6, 3, activation="relu", name="conv")
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.kind = keras.layers.Dense(3, "softmax")
        self.size = keras.layers.Dense(1)

    def call(self, inputs):
        pooled = self.pool(self.conv(inputs))
        return {"kind": self.kind(pooled), "size": self.size(pooled)}


def built(form):
    """A compiled model whose outputs are a dict, a list, or another structure."""
    keras.utils.set_random_seed(4)
    inputs = keras.Input((8, 8, 1))
    if form == "subclassed":
        model = Subclassed()
    elif form == "keys":  # other names than those of the layers, in another order than Keras' own
        kind, size = heads(inputs, kind="z_layer", size="a_layer")
        model = keras.Model(inputs, {"size": size, "kind": kind})
    else:
        kind, size = heads(inputs)
        model = keras.Model(inputs, [size, kind])
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    model.compile("sgd", losses, metrics={"kind": ["accuracy"]}, weighted_metrics={"kind": ["accuracy"]})
    return model


def in_order(values):
    return [values["size"], values["kind"]]


FORMS = {
    "keys": lambda x, y, w: (x, y, w),
    "lists": lambda x, y, w: (x, in_order(y), in_order(w)),
    "tuples": lambda x, y, w: (x, tuple(in_order(y)), tuple(in_order(w))),
    "subclassed": lambda x, y, w: (x, y, w),
}


def metric(run, name):
    return run.data.metrics[f"interpretations/{name}"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("in_memory", [True, False])
def test_values_of_the_selected_output_equal_keras(form, in_memory, data):
    """The matrix with the weights of the output, and Grad-CAM's accuracy without, as in Keras."""
    training = FORMS[form](*data)
    validation = training if in_memory else dataset(training).batch(8)
    mlflow_interp.autolog(methods="gradcam,confusion_matrix", output="kind", samples=COUNT)
    fitted = built(form).fit(*training[:2], validation_data=validation, epochs=1, verbose=0).history
    run = only_run()
    weighted = fitted["val_kind_weighted_accuracy"][-1]
    assert metric(run, "confusion_matrix/accuracy") == pytest.approx(weighted, rel=1e-5)
    assert metric(run, "gradcam/accuracy") == pytest.approx(fitted["val_kind_accuracy"][-1], rel=1e-5)
    assert fitted["val_kind_accuracy"][-1] != pytest.approx(weighted, rel=1e-3)


def dataset(structure):
    """A dataset whose elements have tuples where Keras accepts lists."""
    as_tuples = tuple(tuple(each) if isinstance(each, list) else each for each in structure)
    return tf.data.Dataset.from_tensor_slices(as_tuples)


@pytest.mark.parametrize("output", ["kind", 1, "1"])
def test_output_is_selected_by_name_or_position(output, data):
    callback = mlflow_interp.InterpretationCallback("confusion_matrix", output=output)
    fitted = built("names").fit(*data[:2], validation_data=data[:2], verbose=0, callbacks=[callback]).history
    run = only_run()
    assert run.info.run_id == callback.run_id
    accuracy = fitted["val_kind_accuracy"][-1]
    assert metric(run, "confusion_matrix/accuracy") == pytest.approx(accuracy, rel=1e-6)


def test_one_weight_per_input_applies_to_every_output(data):
    inputs, labels, weights = data
    mlflow_interp.autolog(methods="confusion_matrix", output="kind")
    validation = (inputs, in_order(labels), weights["kind"])
    fitted = built("lists").fit(inputs, in_order(labels), validation_data=validation, verbose=0).history
    accuracy = fitted["val_kind_weighted_accuracy"][-1]
    assert metric(only_run(), "confusion_matrix/accuracy") == pytest.approx(accuracy, rel=1e-5)


@pytest.mark.parametrize("form", ["keys", "names", "subclassed"])
def test_without_output_the_available_outputs_are_named(form, data, logged_warnings):
    mlflow_interp.autolog(methods="gradcam,confusion_matrix")
    fitted = built(form).fit(*data[:2], validation_data=data[:2], epochs=2, verbose=0).history
    assert len(fitted["val_loss"]) == 2
    names = "('size' or 'kind')" if form == "names" else "('kind' or 'size')"
    assert [
        line
        for line in logged_warnings()
        if f"has 2 outputs; choose the one to interpret with output= {names}" in line
    ]
    assert not [run for run in runs() if artifact_names(run)]


def test_missing_output_is_rejected(data, logged_warnings):
    for form in ("keys", "subclassed"):
        mlflow_interp.autolog(methods="gradcam", output="kinds")
        built(form).fit(*data[:2], validation_data=data[:2], verbose=0)
        assert "has no output 'kinds'; nearest: kind" in logged_warnings()[-1]


def test_regression_output_has_no_accuracy(data):
    mlflow_interp.autolog(methods="gradcam,umap", output="size", samples=20)
    built("keys").fit(*data[:2], validation_data=data[:2], verbose=0)
    assert metric(only_run(), "gradcam/inputs") == 20
    assert "interpretations/gradcam/accuracy" not in only_run().data.metrics


def test_loss_of_the_selected_output_determines_its_meaning(data):
    """A logit next to a regression: two classes, and the accuracy of Keras above zero."""
    inputs = keras.Input((8, 8, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3, name="conv")(inputs))
    outputs = {"flag": keras.layers.Dense(1)(pooled), "size": keras.layers.Dense(1)(pooled)}
    model = keras.Model(inputs, outputs)
    losses = {"flag": keras.losses.BinaryCrossentropy(from_logits=True), "size": "mse"}
    model.compile("sgd", losses, metrics={"flag": keras.metrics.BinaryAccuracy(threshold=0.0, name="hits")})
    labels = {"flag": np.arange(COUNT) % 2, "size": data[1]["size"]}
    mlflow_interp.autolog(methods="confusion_matrix", output="flag")
    fitted = model.fit(data[0], labels, validation_data=(data[0], labels), verbose=0).history
    assert metric(only_run(), "confusion_matrix/accuracy") == pytest.approx(
        fitted["val_flag_hits"][-1], rel=1e-6
    )


@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")
def test_labels_belong_to_the_only_output_with_a_loss(data):
    """Keras accepts a single array if only one output has a loss."""
    inputs, labels, _ = data
    model = built("names")
    model.compile("sgd", [None, "sparse_categorical_crossentropy"])
    for output in ("size", "kind"):
        mlflow_interp.autolog(methods="gradcam", output=output)
        model.fit(inputs, labels["kind"], validation_data=(inputs, labels["kind"]), verbose=0)
    without, with_labels = runs()
    assert "interpretations/gradcam/accuracy" not in without.data.metrics
    predicted = model.predict(inputs, verbose=0)[1].argmax(axis=1)
    accuracy = (predicted == labels["kind"]).mean()
    assert metric(with_labels, "gradcam/accuracy") == pytest.approx(accuracy)


@pytest.mark.parametrize("in_memory", [True, False])
def test_data_option_can_have_labels_of_all_outputs(in_memory, data):
    inputs, labels, _ = data
    own = (inputs, labels) if in_memory else tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(8)
    mlflow_interp.autolog(methods={"confusion_matrix": {"output": "kind"}}, data=own, samples=COUNT)
    model = built("keys")
    model.fit(inputs, labels, verbose=0)
    accuracy = model.evaluate(inputs, labels, verbose=0, return_dict=True)["kind_accuracy"]
    assert metric(only_run(), "confusion_matrix/accuracy") == pytest.approx(accuracy, rel=1e-6)


@pytest.mark.parametrize("wrapped", [lambda y: {"only": y}, lambda y: [y]])
@pytest.mark.parametrize("in_memory", [True, False])
def test_single_output_can_be_in_a_structure(wrapped, in_memory, images):
    inputs, labels = images[0], images[1].astype(np.int64)
    image = keras.Input((8, 8, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3, name="conv")(image))
    model = keras.Model(image, wrapped(keras.layers.Dense(2, "softmax", name="only")(pooled)))
    model.compile("sgd", wrapped("sparse_categorical_crossentropy"), metrics=["accuracy"])
    validation = (inputs, wrapped(labels))
    mlflow_interp.autolog(methods="confusion_matrix")
    given = validation if in_memory else dataset(validation).batch(8)
    fitted = model.fit(inputs, wrapped(labels), validation_data=given, verbose=0).history
    accuracy = next(
        value[-1] for name, value in fitted.items() if name.startswith("val_") and "accuracy" in name
    )
    assert metric(only_run(), "confusion_matrix/accuracy") == pytest.approx(accuracy, rel=1e-6)


@pytest.mark.parametrize("xla", [False, True])
def test_training_is_unchanged(xla, data):
    """Selecting an output changes neither the model's weights nor the state of random generators."""
    found = []
    for options in ({"disable": True}, {"methods": "gradcam,confusion_matrix", "output": "kind"}):
        mlflow_interp.autolog(**options)
        model = built("keys")
        model.jit_compile = xla
        fitted = model.fit(*data[:2], validation_data=data[:2], epochs=2, verbose=0).history
        found.append((model.get_weights(), fitted, float(keras.random.uniform(())), sorted(vars(model))))
    (weights, *others), (watched_weights, *watched) = found
    assert others == watched
    for plain, seen in zip(weights, watched_weights, strict=True):
        np.testing.assert_array_equal(plain, seen)


@pytest.mark.filterwarnings("ignore:.*heatmaps are empty")
def test_output_outside_a_training(data, tmp_path):
    """`interpret` with a file: the loss of the output, and its labels in a dataset."""
    inputs, labels, _ = data
    model = built("keys")
    file = tmp_path / "two.keras"
    model.save(file)
    elements = tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(8)
    options = {"output": "kind", "log": False, "quiet": True}
    accuracy = model.evaluate(inputs, labels, verbose=0, return_dict=True)["kind_accuracy"]
    for given, more in ((elements, {}), (inputs, {"labels": labels}), (inputs, {"labels": labels["kind"]})):
        found = mlflow_interp.visualize_confusion_matrix(str(file), given, **options, **more)
        assert found.metrics["accuracy"] == pytest.approx(accuracy, rel=1e-6)
    values = mlflow_interp.visualize_gradcam(str(file), inputs, output="size", log=False, quiet=True)
    assert values.manifest["parameters"]["head"] == "values"
    with pytest.raises(OptionError, match="has no output 'colour'"):
        mlflow_interp.visualize_gradcam(model, inputs, output="colour", log=False)
    with pytest.raises(
        mlflow_interp.exceptions.InputsError, match="labels are given for the outputs 'kind', 'size'; choose"
    ):
        mlflow_interp.load_inputs(inputs, mlflow_interp.load_model(built("keys")), labels=labels)


def test_output_of_a_subclassed_model_outside_a_training(data):
    inputs, labels, _ = data
    model = built("subclassed")
    accuracy = model.evaluate(inputs, labels, verbose=0, return_dict=True)["kind_accuracy"]
    options = {"labels": labels, "log": False, "quiet": True}
    found = mlflow_interp.visualize_gradcam(model, inputs, output="kind", layer="conv", **options)
    assert found.metrics["accuracy"] == pytest.approx(accuracy, rel=1e-6)
    assert found.heatmaps.shape == (COUNT, 6, 6)
    with pytest.raises(OptionError, match="has no output 'kinds'; nearest: kind"):
        mlflow_interp.visualize_gradcam(model, inputs, output="kinds", **options)
