"""Validation passes that can't be captured: each cause in its own words, and what they advise works."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import mlflow_interp
from mlflow_interp.backend.untapped import obstacle
from tests.training.small import only_run, places, runs

OWN = (
    "step, which does not call compute_metrics; call self.compute_metrics(x, y, y_pred, sample_weight) in it"
)


class OwnTestStep(keras.Model):
    """As the guides of Keras write it."""

    def test_step(self, data):
        x, y = data
        y_pred = self(x, training=False)
        self.compute_loss(y=y, y_pred=y_pred)
        for metric in self.metrics:
            if metric.name != "loss":
                metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


class CallsComputeMetrics(keras.Model):
    """What is advised."""

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
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


def dataset(pictures):
    return tf.data.Dataset.from_tensor_slices(pictures).batch(16)


@pytest.fixture
def eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def trained(model, pictures, validation, **options):
    """The history, after a training whose validation is counted and looked at."""
    mlflow_interp.autolog(methods="gradcam,confusion_matrix", samples=10, **options)
    return model.fit(*pictures, validation_data=validation, epochs=1, verbose=0).history


CAUSES = [
    (lambda: classifier(run_eagerly=True), "is compiled with run_eagerly=True; compile it without, or pass"),
    (
        lambda: classifier(jit_compile=True),
        "with jit_compile, which Keras turns on by itself where there is a GPU",
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


@pytest.mark.parametrize(("make", "said_of_it"), CAUSES)
def test_each_cause_is_named_and_data_helps(make, said_of_it, pictures, said):
    trained(make(), pictures, dataset(pictures))
    assert not places(only_run())
    (line,) = said()
    assert said_of_it in line
    assert line.endswith("pass data=")
    model = make()
    trained(model, pictures, dataset(pictures), data=pictures)
    assert said() == [line]
    found = runs()[-1]
    assert found.data.metrics["interpretations/gradcam/inputs"] == 10
    assert "interpretations/confusion_matrix/accuracy" in found.data.metrics


@pytest.mark.parametrize(("make", "said_of_it"), CAUSES)
def test_validation_data_in_memory_needs_no_capturing(make, said_of_it, pictures, said):
    """It is predicted once more, all of it, without a word."""
    model = make()
    trained(model, pictures, pictures)
    predicted = model.predict(pictures[0], verbose=0).argmax(axis=1)
    metrics = only_run().data.metrics
    assert metrics["interpretations/confusion_matrix/inputs"] == len(pictures[0])
    assert metrics["interpretations/confusion_matrix/accuracy"] == (predicted == pictures[1]).mean()
    assert metrics["interpretations/gradcam/inputs"] == 10
    assert not said()


@pytest.mark.parametrize(
    "advised",
    [
        lambda: classifier(run_eagerly=False),
        lambda: classifier(jit_compile=False),
        lambda: classifier(CallsComputeMetrics),
        lambda: classifier(steps_per_execution=2),  # no cause at all
    ],
)
def test_what_else_is_advised_helps(advised, pictures, said):
    told = trained(advised(), pictures, dataset(pictures))
    found = only_run().data.metrics["interpretations/confusion_matrix/accuracy"]
    assert found == pytest.approx(told["val_accuracy"][-1])
    assert only_run().data.metrics["interpretations/confusion_matrix/inputs"] == len(pictures[0])
    assert not said()


@pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")
def test_functions_that_run_eagerly(eagerly, pictures, said):
    trained(classifier(), pictures, dataset(pictures))
    (line,) = said()
    assert "while TensorFlow runs functions eagerly; call tf.config.run_functions_eagerly(False)" in line
    tf.config.run_functions_eagerly(False)
    told = trained(classifier(), pictures, dataset(pictures))
    found = runs()[-1].data.metrics["interpretations/confusion_matrix/accuracy"]
    assert found == pytest.approx(told["val_accuracy"][-1])


def test_a_pass_that_never_begins_is_not_missed(pictures, said):
    for kind in (keras.Model, OwnTestStep):
        mlflow_interp.autolog(methods="gradcam")
        model = classifier(kind)
        model.fit(*pictures, validation_data=dataset(pictures), validation_freq=3, epochs=2, verbose=0)
    assert not said()


def test_tpus_can_not_copy_batches_out():
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


def test_validation_data_without_labels(pictures, said):
    inputs = keras.Input((8, 8, 1))
    conv = keras.layers.Conv2D(1, 3, padding="same", name="conv")(inputs)
    model = NoLabels(inputs, conv)
    model.compile("sgd")
    unlabelled = tf.data.Dataset.from_tensor_slices(pictures[0]).batch(16)
    mlflow_interp.autolog(methods="umap,confusion_matrix", samples=20, head="values", layers="conv")
    model.fit(unlabelled, validation_data=unlabelled, shuffle=False, epochs=1, verbose=0)
    assert only_run().data.metrics["interpretations/umap/inputs"] == 20
    (line,) = said()
    assert line.startswith("training continues without confusion_matrix: ")


def test_replicas_have_no_order(small, pictures, said, monkeypatch):
    """Values that are given for each input can't be joined to what comes in any order."""
    monkeypatch.setattr("mlflow_interp.training.session._has_replicas", lambda model: True)
    mlflow_interp.autolog(methods={"confusion_matrix": {"sample_weight": np.ones(40)}})
    small.fit(*pictures, validation_data=pictures, epochs=1, verbose=0)
    assert any(
        "weights are given for each input, but the order of a validation dataset is not known" in line
        for line in said()
    )
