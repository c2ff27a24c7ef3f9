"""Photographs of three classes, a model for them, and a Spark session; all for the whole session."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys

import numpy as np
import pytest

NAMES = ("ant", "bee", "cat")
COUNT = 60
BROKEN = "bee/broken.jpg"


def no_spark():
    """Why Spark can't be started here; None if it can."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed"
    if shutil.which("java") or "JAVA_HOME" in os.environ:
        return None
    return "there is no Java"


@pytest.fixture(scope="session")
def classes_folder(tmp_path_factory):
    """60 images in class folders, whose classes differ in colour, and one file that is no image."""
    from PIL import Image

    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        pixels = rng.integers(0, 120, (10, 10, 3), np.uint8)
        pixels[2:7, 3:8, index % 3] += 100
        folder = root / NAMES[index % 3]
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{index:02}.png")
    (root / BROKEN).write_bytes(b"not an image")
    return root


@pytest.fixture(scope="session")
def colour_model():
    """An untrained network from 8×8 RGB to 3 classes whose predictions differ between images."""
    import keras

    keras.utils.set_random_seed(5)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(6, 3, activation="relu", bias_initializer="random_normal", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, activation="softmax", kernel_initializer="random_normal", name="head"),
        ],
        name="colours",
    )


@pytest.fixture(scope="session")
def spark():
    """A Spark session with two threads on this machine."""
    reason = no_spark()
    if reason is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI has to test Spark, but {reason}")
        pytest.skip(f"Spark can't be started: {reason}")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    from mlflow_interp.spark.session import find_session

    session = find_session(
        {
            "spark.master": "local[2,4]",  # a task may fail four times
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "4",
            "spark.ui.showConsoleProgress": "false",
        }
    )
    yield session
    session.stop()
