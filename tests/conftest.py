"""Models small enough for hand calculation, and an MLflow store and a trained model for the session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def no_outer_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove environment variables that an outer `mlflow run` sets."""
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tiny_cnn() -> Any:
    """An untrained network with two convolutions, from 8×8 RGB to 3 classes, with random biases."""
    import keras

    keras.utils.set_random_seed(7)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", bias_initializer="random_normal", name="first"),
            layers.Conv2D(5, 3, activation="relu", bias_initializer="random_normal", name="second"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, activation="softmax", bias_initializer="random_normal", name="head"),
        ],
        name="tiny",
    )


@pytest.fixture
def pixels() -> np.ndarray:
    """Five random 8×8 RGB inputs as floats."""
    return np.random.default_rng(3).random((5, 8, 8, 3), dtype=np.float32)


@pytest.fixture
def batch_of() -> Callable[..., Any]:
    """A function of (model, inputs, options of load_inputs) that returns a Batch."""
    from mlflow_interp.data.prepare import load_inputs
    from mlflow_interp.models.load import load_model

    return lambda model, inputs, **options: load_inputs(inputs, load_model(model), **options)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a SQLite tracking store, which is set for the session."""
    import mlflow

    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("models", artifact_location=(folder / "models").as_uri())
    yield uri
    mlflow.set_tracking_uri(None)


@pytest.fixture(scope="session")
def registered(store: str) -> str:
    """models:/tiny/1, with the alias "champion" and class names."""
    import keras
    import mlflow
    from mlflow.models import infer_signature

    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255, name="rescale"),
            keras.layers.Conv2D(4, 3, activation="relu", bias_initializer="ones", name="conv"),
            keras.layers.GlobalAveragePooling2D(name="pool"),
            # Positive weights, so that there is evidence for every class.
            keras.layers.Dense(
                3,
                activation="softmax",
                kernel_initializer=keras.initializers.RandomUniform(0.1, 1),
                name="head",
            ),
        ],
        name="tiny",
    )
    experiment = mlflow.get_experiment_by_name("models").experiment_id
    with mlflow.start_run(experiment_id=experiment):
        mlflow.keras.log_model(
            model,
            name="model",
            registered_model_name="tiny",
            signature=infer_signature(np.zeros((1, 8, 8, 3), np.float32), np.zeros((1, 3), np.float32)),
            metadata={"class_names": ["ant", "bee", "cat"], "resize": "crop", "interpolation": "lanczos"},
            pip_requirements=["keras"],
        )
    mlflow.MlflowClient().set_registered_model_alias("tiny", "champion", "1")
    return "models:/tiny/1"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of four small images of one colour each: red, green, blue, grey."""
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    colours = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200), "grey": (90, 90, 90)}
    for name, colour in colours.items():
        Image.new("RGB", (12, 10), colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def digits() -> tuple[Any, np.ndarray, np.ndarray]:
    """A small network trained on handwritten digits, and 600 of them, seen and unseen, with labels."""
    import keras

    from examples import train_digits

    keras.utils.set_random_seed(0)
    (pixels, labels), model = train_digits.digits(), train_digits.network()
    model.fit(pixels[:1200], labels[:1200], epochs=4, verbose=0)
    return model, pixels[900:1500], labels[900:1500]


@pytest.fixture(scope="session")
def embedding_of() -> Callable[..., Any]:
    """A function that returns an EmbeddingResult with one cluster of points per class, without UMAP."""
    from mlflow_interp.core.chunk import UNKNOWN
    from mlflow_interp.core.examples import Examples
    from mlflow_interp.kinds.embedding.result import EmbeddingResult

    def make(
        count: int = 60,
        *,
        classes: int = 3,
        layers: tuple[str, ...] = ("features",),
        components: int = 2,
        names: tuple[str, ...] | None = None,
        labelled: bool = True,
        seed: int = 0,
    ) -> Any:
        rng = np.random.default_rng(seed)
        labels = np.arange(count) % classes
        centres = rng.normal(0, 6, (classes, len(layers), components))
        points = centres[labels] + rng.normal(0, 0.5, (count, len(layers), components))
        predicted = np.where(np.arange(count) % 20 == 7, (labels + 1) % classes, labels)
        examples = Examples(
            indices=np.arange(count),
            names=tuple(f"input {index}" for index in range(count)),
            labels=labels if labelled else np.full(count, UNKNOWN),
            classes=np.stack([predicted, (predicted + 1) % classes], axis=1),
            probabilities=np.tile(np.float32([0.8, 0.2]), (count, 1)),
            class_names=names,
            images=None,
        )
        measures = {"trustworthiness": rng.uniform(0.9, 1, len(layers))}
        if labelled:
            measures["knn_agreement"] = rng.uniform(0.5, 1, len(layers))
        return EmbeddingResult(
            examples=examples,
            embeddings=points.astype(np.float32),
            layers=layers,
            fitted=np.ones(count, bool),
            measures=measures,
            thumbnails=rng.integers(0, 256, (count, 8, 8, 3), np.uint8),
            chosen={"n_neighbors": 15, "n_epochs": 500},
        )

    return make
