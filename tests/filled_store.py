"""An MLflow store with tiny models, for the tests of data and models."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest
from mlflow.models import infer_signature

from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel
from tests.tiny_models import FLAVORS, METADATA, Store, save_images, small_model


def _tracking_uri() -> str | None:
    return mlflow.tracking._tracking_service.utils._tracking_uri


@contextlib.contextmanager
def _no_registered_classes() -> Iterator[None]:
    """Without classes that other tests registered with Keras, which MLflow pickles into any model."""
    registered = keras.saving.get_custom_objects()
    before = dict(registered)
    registered.clear()
    yield
    registered.update(before)


@pytest.fixture(scope="session")
def filled_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("mlflow")
    before = _tracking_uri()
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    experiment = mlflow.create_experiment("loading", artifact_location=(folder / "artifacts").as_uri())
    models: dict[tuple[str, int], keras.Model] = {}
    ids: dict[tuple[str, int], str] = {}
    signature = infer_signature(np.zeros((1, 8, 8, 3), np.float32))
    with mlflow.start_run(experiment_id=experiment) as run, _no_registered_classes():
        for flavor, module in FLAVORS.items():
            for version in (1, 2):
                models[flavor, version] = small_model(name=f"{flavor}{version}")
                info = module.log_model(
                    models[flavor, version],
                    name=f"logged-{flavor}-{version}",
                    registered_model_name=f"net-{flavor}",
                    signature=signature,
                    metadata=METADATA,
                    pip_requirements=["keras"],
                )
                ids[flavor, version] = info.model_id
            mlflow.MlflowClient().set_registered_model_alias(f"net-{flavor}", "champion", "1")
        pictures = folder / "photos"
        save_images(pictures, {"cat/a.png": 10, "dog/b.png": 20})
        mlflow.log_artifacts(str(pictures), "photos")
    mlflow.set_tracking_uri(before)
    return Store(uri, experiment, run.info.run_id, models, ids)


@pytest.fixture
def store(filled_store: Store) -> Iterator[Store]:
    before = _tracking_uri()
    mlflow.set_tracking_uri(filled_store.uri)
    yield filled_store
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="session")
def loaded() -> LoadedModel:
    """Expects inputs (8, 8, 3), returns two logits."""
    return load_model(small_model())


@pytest.fixture
def trap_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module `trap_module` that can be imported, and the file that it writes when imported."""
    folder, sentinel = tmp_path / "trap", tmp_path / "ran"
    folder.mkdir()
    (folder / "trap_module.py").write_text(
        f"import pathlib\npathlib.Path({str(sentinel)!r}).write_text('ran')\n"
        "def prepare(pixels):\n    return pixels / 2\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    yield sentinel
    sys.modules.pop("trap_module", None)
