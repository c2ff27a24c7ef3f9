"""Train a small network on handwritten digits and interpret it after each epoch.

    python -m examples.train_digits

Needs no download: scikit-learn includes the digits. Training takes seconds; the first UMAP on a machine takes
longer, because Numba compiles it.
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
CLASS_NAMES = [str(digit) for digit in range(10)]


def digits() -> tuple[np.ndarray, np.ndarray]:
    """All 1,797 digits: pixels (n, 8, 8, 1) uint8 and labels (n,)."""
    found = load_digits()
    return (found.images[..., np.newaxis] * (255 / 16)).astype(np.uint8), found.target


def network() -> keras.Model:
    """Two convolutions and a layer of 32 features, compiled; takes pixels 0..255."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 255, name="rescale"),
            layers.Conv2D(16, 3, activation="relu", name="first"),
            layers.Conv2D(32, 3, activation="relu", name="second"),
            layers.Flatten(name="flat"),
            layers.Dense(32, activation="relu", name="features"),
            layers.Dense(10, activation="softmax", name="head"),
        ],
        name="digits",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def log_version(model: keras.Model) -> str:
    """Log the network to the active run, or to a run of its own; return the registered version."""
    inputs = TensorSpec(np.dtype("uint8"), (-1, 8, 8, 1))
    classes = TensorSpec(np.dtype("float32"), (-1, 10))
    info = mlflow.keras.log_model(
        model,
        name="model",
        registered_model_name=NAME,
        signature=ModelSignature(Schema([inputs]), Schema([classes])),
        metadata={"class_names": CLASS_NAMES},
        pip_requirements=["keras", "tensorflow"],
    )
    return str(info.registered_model_version)


def main() -> str:
    """Train, interpret after each epoch, register the model; return the id of the run."""
    keras.utils.set_random_seed(0)
    pixels, labels = digits()
    # The first UMAP on a machine compiles, which can exceed the default of 60 seconds.
    # HiResCAM: the layer after the last convolution has weights for each position; Grad-CAM averages them.
    mlflow_interp.autolog(methods=["umap", "confusion_matrix", "hirescam"], class_names=CLASS_NAMES, wait=300)
    model = network()
    with mlflow.start_run(run_name="digits") as run:
        mlflow.log_params({"epochs": EPOCHS, "optimizer": "adam"})
        model.fit(
            pixels[:-VALIDATED],
            labels[:-VALIDATED],
            validation_data=(pixels[-VALIDATED:], labels[-VALIDATED:]),
            epochs=EPOCHS,
            verbose=2,
            callbacks=[mlflow.keras.MlflowCallback()],
        )
        log_version(model)
    mlflow_interp.autolog(disable=True)
    return str(run.info.run_id)


if __name__ == "__main__":
    main()
