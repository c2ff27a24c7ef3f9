"""Validation passes that can't be captured: each cause has its own message with a remedy that works."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import mlflow_interp
from mlflow_interp.backend.untapped import obstacle
from tests.training.small import artifact_names, only_run, runs

OWN = (
    "step, which does not call compute_metrics; call self.compute_metrics(x, y, y_pred, sample_weight) in it"
)


class OwnTestStep(keras.Model):
    """As in the Keras guides."""

    def test_step(self, data):
        x, y = data
        y_pred = self(x, training=False)
        self.compute_loss(y=y, y_pred=y_pred)
        for metric in self.metrics:
            if metric.name != "loss":
                metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


class CallsComputeMetrics(keras.Model):
    """The suggested remedy."""

    def test_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        self.compute_loss(y=y, y_pred=y_pred)
        return self.compute_metrics(x, y, y_pred, sample_weight)


class GivesNoInputs(keras.Model):
    def test_step(self, data):
        x, y = data
        return self.compute_metrics(None, y, self(x, training=False))


class OwnTestFunction(keras.Model):
    def make_test_function(self, force=False):
        def test(iterator):
            x, y = next(iterator)
            return {"loss": self.compute_loss(x=x, y=y, y_pred=self(x, training=False))}

        self.test_function = test
        return test


class OwnEvaluate(keras.Model):
    def evaluate(self, x=None, y=None, **options):
        return {"loss": 0.0}


def classifier(kind=keras.Model, **options):
    keras.utils.set_random_seed(2)
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu", name="conv")(inputs))
    model = kind(inputs, layers.Dense(2, "softmax")(pooled), name="small")
    options = {"jit_compile": False} | options  # Keras' own choice depends on the machine
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


def dataset(images):
    return tf.data.Dataset.from_tensor_slices(images).batch(16)


@pytest.fixture
def eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def trained(model, images, validation, **options):
    """The history of a training whose validation pass is counted and interpreted."""
    mlflow_interp.autolog(methods="gradcam,confusion_matrix", samples=10, **options)
    return model.fit(*images, validation_data=validation, epochs=1, verbose=0).history


CAUSES = [
    (lambda: classifier(run_eagerly=True), "is compiled with run_eagerly=True; compile it without, or pass"),
    (
        lambda: classifier(CallsComputeMetrics, jit_compile=True),
        "has its own test_step and is compiled with jit_compile, which Keras turns on by itself where",
    ),
    (lambda: classifier(OwnTestStep), OWN),
    (
        lambda: classifier(OwnTestFunction),
        "has its own make_test_function, which does not call compute_metrics",
    ),
    (lambda: classifier(OwnEvaluate), "has its own evaluate, which does not call compute_metrics"),
    (
        lambda: classifier(GivesNoInputs),
        "as compute_metrics is given NoneType as inputs and not dense tensors",
    ),
]


@pytest.mark.parametrize(("make", "cause"), CAUSES)
def test_each_cause_is_reported_and_data_option_works(make, cause, images, logged_warnings):
    trained(make(), images, dataset(images))
    assert not artifact_names(only_run())
    (line,) = logged_warnings()
    assert cause in line
    assert line.endswith("pass data=")
    model = make()
    trained(model, images, dataset(images), data=images)
    assert logged_warnings() == [line]
    found = runs()[-1]
    assert found.data.metrics["interpretations/gradcam/inputs"] == 10
    assert "interpretations/confusion_matrix/accuracy" in found.data.metrics


@pytest.mark.parametrize(("make", "cause"), CAUSES)
def test_validation_data_in_memory_is_predicted_again(make, cause, images, logged_warnings):
    """All of it is predicted once more, without a message."""
    model = make()
    trained(model, images, images)
    predicted = model.predict(images[0], verbose=0).argmax(axis=1)
    metrics = only_run().data.metrics
    assert metrics["interpretations/confusion_matrix/inputs"] == len(images[0])
    assert metrics["interpretations/confusion_matrix/accuracy"] == (predicted == images[1]).mean()
    assert metrics["interpretations/gradcam/inputs"] == 10
    assert not logged_warnings()


@pytest.mark.parametrize(
    "advised",
    [
        lambda: classifier(run_eagerly=False),
        lambda: classifier(jit_compile=False),
        lambda: classifier(CallsComputeMetrics),
        lambda: classifier(steps_per_execution=2),  # no cause
        lambda: classifier(jit_compile=True),  # no cause
        lambda: classifier(jit_compile=True, steps_per_execution=2),
    ],
)
def test_other_suggested_remedies_work(advised, images, logged_warnings):
    fitted = trained(advised(), images, dataset(images))
    found = only_run().data.metrics["interpretations/confusion_matrix/accuracy"]
    assert found == pytest.approx(fitted["val_accuracy"][-1])
    assert only_run().data.metrics["interpretations/confusion_matrix/inputs"] == len(images[0])
    assert not logged_warnings()


@pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")
def test_eager_functions_are_reported(eagerly, images, logged_warnings):
    trained(classifier(), images, dataset(images))
    (line,) = logged_warnings()
    assert "while TensorFlow runs functions eagerly; call tf.config.run_functions_eagerly(False)" in line
    tf.config.run_functions_eagerly(False)
    fitted = trained(classifier(), images, dataset(images))
    found = runs()[-1].data.metrics["interpretations/confusion_matrix/accuracy"]
    assert found == pytest.approx(fitted["val_accuracy"][-1])


def test_missing_validation_pass_gives_no_warning(images, logged_warnings):
    for kind in (keras.Model, OwnTestStep):
        mlflow_interp.autolog(methods="gradcam")
        model = classifier(kind)
        model.fit(*images, validation_data=dataset(images), validation_freq=3, epochs=2, verbose=0)
    assert not logged_warnings()


def test_tpus_are_reported():
    model = SimpleNamespace(
        name="m",
        run_eagerly=False,
        jit_compile=False,
        distribute_strategy=object.__new__(tf.distribute.TPUStrategy),
    )
    assert obstacle(model) == (
        "validation batches can't be captured, as model 'm' is trained on TPUs; pass data="
    )


class NoLabels(keras.Model):
    """An autoencoder, whose data has no labels."""

    def train_step(self, data):
        return {"loss": tf.reduce_mean(tf.square(self(data, training=True) - data))}

    def test_step(self, data):
        self.compute_metrics(data, None, self(data, training=False))
        return {"loss": tf.constant(0.0)}


def test_validation_data_without_labels(images, logged_warnings):
    inputs = keras.Input((8, 8, 1))
    conv = keras.layers.Conv2D(1, 3, padding="same", name="conv")(inputs)
    model = NoLabels(inputs, conv)
    model.compile("sgd")
    unlabelled = tf.data.Dataset.from_tensor_slices(images[0]).batch(16)
    mlflow_interp.autolog(methods="umap,confusion_matrix", samples=20, head="values", layers="conv")
    model.fit(unlabelled, validation_data=unlabelled, shuffle=False, epochs=1, verbose=0)
    assert only_run().data.metrics["interpretations/umap/inputs"] == 20
    lines = [line for line in logged_warnings() if "pooling" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("training continues without confusion_matrix: ")


def test_values_for_each_input_are_rejected_with_replicas(small, images, logged_warnings, monkeypatch):
    """Values given for each input can't be matched with inputs in arbitrary order."""
    monkeypatch.setattr("mlflow_interp.training.session._has_replicas", lambda model: True)
    mlflow_interp.autolog(methods={"confusion_matrix": {"sample_weight": np.ones(40)}})
    small.fit(*images, validation_data=images, epochs=1, verbose=0)
    assert any(
        "weights are given for each input, but the order of a validation dataset is not known" in line
        for line in logged_warnings()
    )
