"""Models, images and pickles small enough to create in every test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import mlflow
import mlflow.tensorflow
import numpy as np
from PIL import Image

FLAVORS = {"keras": mlflow.keras, "tensorflow": mlflow.tensorflow}
METADATA = {"class_names": ["cat", "dog"], "preprocess": "-1..1"}


def small_model(
    size: int | None = 8, channels: int = 3, classes: int = 2, name: str = "small"
) -> keras.Model:
    """A functional image classifier with a few dozen weights."""
    inputs = keras.Input((size, size, channels))
    features = keras.layers.Conv2D(2, 3, activation="relu")(inputs)
    outputs = keras.layers.Dense(classes)(keras.layers.GlobalAveragePooling2D()(features))
    return keras.Model(inputs, outputs, name=name)


def assert_same_weights(model: keras.Model, expected: keras.Model) -> None:
    """Compare all weights in order, bit for bit."""
    assert len(model.weights) == len(expected.weights) > 0
    for weight, wanted in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(wanted))


@dataclass(frozen=True)
class Store:
    """A tracking store with one model in both flavors, and versions 1 and 2 of each under one name."""

    uri: str
    experiment_id: str
    run_id: str
    models: dict[tuple[str, int], keras.Model]
    model_ids: dict[tuple[str, int], str]


def save_images(folder: Path, greys: dict[str, int], size: int = 8) -> Path:
    """Save images of one colour each, by which they can be distinguished."""
    for name, grey in greys.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (size, size), (grey, grey, grey)).save(folder / name)
    return folder


class Trap:
    """Pickles as a call that writes a file, as in an attacker's pickle."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (self.sentinel, "ran")
