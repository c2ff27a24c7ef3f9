"""Train LeNet on CIFAR-10 and show after each epoch how well it separates the classes.

    python -m examples.train_cifar10

Downloads CIFAR-10 (170 MB) once.
"""

from __future__ import annotations

import keras
import mlflow

import mlflow_interp

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def lenet() -> keras.Model:
    """LeNet (LeCun et al. 1998) with ReLU and max pooling, for 32×32 colour images; compiled."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(64, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Conv2D(64, 3, activation="relu", name="conv3"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dense(10, activation="softmax", name="class"),
        ],
        name="lenet",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    """Train for five epochs, with MLflow's own autologging as well."""
    (inputs, labels), (test_inputs, test_labels) = keras.datasets.cifar10.load_data()
    mlflow.keras.autolog()
    mlflow_interp.autolog(methods=["umap", "confusion_matrix", "gradcam"], class_names=NAMES)
    lenet().fit(inputs / 255, labels, validation_data=(test_inputs / 255, test_labels), epochs=5)


if __name__ == "__main__":
    main()
