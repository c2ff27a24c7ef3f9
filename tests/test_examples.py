"""Run the examples."""

from __future__ import annotations

import keras
import mlflow
import numpy as np

from examples import train_cifar10, train_digits
from tests.training.conftest import separate_experiment  # noqa: F401 - for each test


def test_digits_are_trained_interpreted_and_registered(store):
    run = mlflow.get_run(train_digits.main())
    assert run.info.status == "FINISHED"
    assert run.data.metrics["interpretations/confusion_matrix/accuracy"] > 0.85
    assert run.data.metrics["interpretations/umap/knn_agreement"] > 0.8
    client = mlflow.MlflowClient()
    (version,) = client.search_model_versions(f"name='{train_digits.NAME}'")
    assert version.run_id == run.info.run_id
    accuracies = client.get_metric_history(run.info.run_id, "interpretations/confusion_matrix/accuracy")
    assert [each.step for each in accuracies] == list(range(train_digits.EPOCHS))


def test_cifar10_script_runs(store, monkeypatch):
    """Run the script with random images instead of the download."""
    generator = np.random.default_rng(0)

    def pictures(count):
        return generator.integers(0, 256, (count, 32, 32, 3), np.uint8), np.arange(count)[:, np.newaxis] % 10

    monkeypatch.setenv("MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT", "1")
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: (pictures(160), pictures(60)))
    train_cifar10.main()
    experiment = mlflow.tracking.fluent._get_experiment_id()
    (run,) = mlflow.MlflowClient().search_runs([experiment])
    assert run.data.metrics["interpretations/umap/inputs"] == 60
    assert run.data.metrics["interpretations/confusion_matrix/inputs"] == 60
    assert "val_accuracy" in run.data.metrics
