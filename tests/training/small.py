"""A small network, and helpers that read the results of a training from the store."""

from __future__ import annotations

import keras
import mlflow


def make_small():
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dropout(0.2, name="drop"),
            layers.Dense(2, activation="softmax", name="head"),
        ],
        name="small",
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def runs():
    """All runs of the test's experiment, the oldest first."""
    client = mlflow.MlflowClient()
    experiment = mlflow.tracking.fluent._get_experiment_id()
    return client.search_runs([experiment], order_by=["attributes.start_time ASC"])


def only_run():
    (run,) = runs()
    return run


def artifact_names(run, folder="interpretations"):
    """The names of the artifacts in a folder of a run."""
    listed = mlflow.MlflowClient().list_artifacts(run.info.run_id, folder)
    return sorted(item.path.removeprefix(f"{folder}/") for item in listed)
