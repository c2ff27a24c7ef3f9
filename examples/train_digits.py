"""Train a small network on real handwritten digits, with interpretation after every epoch.

    python -m examples.train_digits

Needs no download: scikit-learn brings the digits. Seconds of training; the first UMAP of a machine waits
for Numba to compile.
"""

from __future__ import annotations

import keras
import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from sklearn.datasets import load_digits

import mlflow_interp

EPOCHS, VALIDATED, NAME = 5, 397, "digits"


def digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(inputs (n, 8, 8, 1) float32 in 0..1, labels (n,)) to train with, and others to validate."""
    found = load_digits()
    inputs, labels = (found.images[..., np.newaxis] / 16).astype(np.float32), found.target
    return (inputs[:-VALIDATED], labels[:-VALIDATED]), (inputs[-VALIDATED:], labels[-VALIDATED:])


def network() -> keras.Model:
    """Two convolutions and a hidden layer, compiled."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu", name="conv1"),
            layers.Conv2D(32, 3, activation="relu", name="conv2"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="relu", name="hidden"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> str:
    """Train, interpret after each epoch, register the model; returns the run's id."""
    keras.utils.set_random_seed(0)
    (inputs, labels), validation = digits()
    names = [str(digit) for digit in range(10)]
    mlflow_interp.autolog(methods=["umap", "confusion_matrix", "gradcam"], class_names=names)
    model = network()
    with mlflow.start_run(run_name="digits") as run:
        mlflow.log_params({"epochs": EPOCHS, "optimizer": "adam"})
        model.fit(
            inputs,
            labels,
            validation_data=validation,
            epochs=EPOCHS,
            verbose=2,
            callbacks=[mlflow.keras.MlflowCallback()],
        )
        pixels, classes = (
            TensorSpec(np.dtype("float32"), (-1, 8, 8, 1)),
            TensorSpec(np.dtype("float32"), (-1, 10)),
        )
        mlflow.keras.log_model(
            model,
            name="model",
            registered_model_name=NAME,
            signature=ModelSignature(Schema([pixels]), Schema([classes])),
            metadata={"class_names": names},
            pip_requirements=["keras", "tensorflow"],
        )
    mlflow_interp.autolog(disable=True)
    return str(run.info.run_id)


if __name__ == "__main__":
    main()
