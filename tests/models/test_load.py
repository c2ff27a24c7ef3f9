"""Loading models: from all sources, and without running their code."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import h5py
import keras
import mlflow
import numpy as np
import pytest
import tensorflow as tf
import yaml
from mlflow.models import infer_signature

from mlflow_interp.core.digests import weights_digest
from mlflow_interp.exceptions import ModelError, TrackingError
from mlflow_interp.models import load
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel, Origin
from tests.tiny_models import FLAVORS, METADATA, Store, Trap, assert_same_weights, small_model

H5_IS_LEGACY = "ignore:.*HDF5 file.*:UserWarning"


def error_message(model: Any, error: type[Exception] = ModelError, **options: Any) -> str:
    """The error message of `load_model`, which must be one line."""
    with pytest.raises(error) as caught:
        load_model(model, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


# In memory and from files.


def test_model_in_memory() -> None:
    model = small_model(name="mine")
    loaded = load_model(model)
    assert loaded.keras is model
    assert loaded.origin == Origin(uri="keras.Model", name="mine")
    assert loaded.metadata == {}
    assert load_model(loaded) is loaded


@pytest.mark.parametrize("given", [None, 3, np.zeros(2), keras.layers.Dense(1), ["models:/name/1"]])
def test_other_objects_are_rejected_with_their_type(given: Any) -> None:
    assert f"model is a {type(given).__name__}; give a keras.Model" in error_message(given)


@pytest.mark.filterwarnings(H5_IS_LEGACY)
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
@pytest.mark.parametrize("as_type", [str, Path])
def test_load_keras_file(suffix: str, as_type: type, tmp_path: Path) -> None:
    model = small_model()
    path = tmp_path / f"saved{suffix}"
    model.save(path)
    loaded = load_model(as_type(path))
    assert_same_weights(loaded.keras, model)
    assert loaded.origin == Origin(uri=str(path), name="small")
    pixels = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(loaded.keras(pixels), model(pixels), rtol=1e-6)


@pytest.mark.filterwarnings(H5_IS_LEGACY)
def test_h5_compiled_with_a_loss_by_its_short_name(tmp_path: Path) -> None:
    """Keras itself fails on such a file unless compile=False."""
    model = small_model()
    model.compile("adam", loss="mse")
    model.save(tmp_path / "compiled.h5")
    with pytest.raises(ValueError, match="mse"):
        keras.saving.load_model(tmp_path / "compiled.h5")
    loaded = load_model(tmp_path / "compiled.h5").keras
    assert_same_weights(loaded, model)
    assert not loaded.compiled


@pytest.mark.filterwarnings(H5_IS_LEGACY)
def test_h5_of_transfer_learning(tmp_path: Path) -> None:
    base = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)
    inputs = keras.Input((32, 32, 3))
    features = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(features), name="transfer")
    model.compile("adam", loss="mse")
    model.save(tmp_path / "transfer.h5")
    loaded = load_model(tmp_path / "transfer.h5").keras
    assert_same_weights(loaded, model)
    assert loaded.layers[1].name == base.name
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(loaded(pixels), model(pixels), rtol=1e-5)


@pytest.mark.filterwarnings(H5_IS_LEGACY)
def test_h5_that_keras_2_wrote_and_keras_3_cannot_read(tmp_path: Path) -> None:
    """tf_keras 2.13 and later write a module for each class, and BatchNormalization's axis as a list."""
    path = tmp_path / "old.h5"
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, keras.layers.BatchNormalization()(inputs)).save(path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            layer |= {"module": "keras.layers", "registered_name": None}
        config["config"]["layers"][1]["config"]["axis"] = [3]
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.15.0"
    message = error_message(path)
    assert "'old.h5' was saved by Keras 2.15.0" in message
    assert "tf_keras" in message
    assert "damaged" not in message


# From MLflow.

EVERYWHERE: dict[str, tuple[str, int, str | None]] = {  # URI, version of the weights, version in the origin
    "version": ("models:/net-{flavor}/1", 1, "1"),
    "second": ("models:/net-{flavor}/2", 2, "2"),
    "alias": ("models:/net-{flavor}@champion", 1, "1"),
    "latest": ("models:/net-{flavor}/latest", 2, "2"),
    "model id": ("models:/{model_id}", 1, None),
    "run": ("runs:/{run_id}/logged-{flavor}-1", 1, None),
}


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("kind", EVERYWHERE)
def test_load_mlflow_uri(kind: str, flavor: str, store: Store) -> None:
    pattern, which, version = EVERYWHERE[kind]
    model_id = store.model_ids[flavor, which]
    uri = pattern.format(flavor=flavor, model_id=model_id, run_id=store.run_id)
    loaded = load_model(uri)
    assert_same_weights(loaded.keras, store.models[flavor, which])
    assert loaded.origin == Origin(
        uri=uri,
        name=f"net-{flavor}" if version else f"{flavor}{which}",
        version=version,
        model_id=model_id,
        run_id=store.run_id,
        experiment_id=store.experiment_id,
        aliases=loaded.origin.aliases,
    )
    assert ("champion" in loaded.origin.aliases) == (version == "1")
    assert loaded.metadata == METADATA
    assert loaded.input_shape == (None, 8, 8, 3)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_load_local_model_folder(flavor: str, store: Store) -> None:
    folder = mlflow.artifacts.download_artifacts(f"models:/{store.model_ids[flavor, 2]}")
    loaded = load_model(folder)
    assert_same_weights(loaded.keras, store.models[flavor, 2])
    assert loaded.origin.uri == folder
    assert (loaded.origin.model_id, loaded.origin.run_id) == (store.model_ids[flavor, 2], store.run_id)
    assert (loaded.origin.name, loaded.origin.version) == (f"{flavor}2", None)
    assert (loaded.metadata, loaded.input_shape) == (METADATA, (None, 8, 8, 3))


def test_moved_alias_is_followed(store: Store) -> None:
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("net-keras", "moving", "1")
    assert load_model("models:/net-keras@moving").origin.version == "1"
    client.set_registered_model_alias("net-keras", "moving", "2")
    loaded = load_model("models:/net-keras@moving")
    assert loaded.origin.version == "2"
    assert_same_weights(loaded.keras, store.models["keras", 2])


ABSENT = {
    "version": ("models:/net-keras/99", "has no version 99; available: 1, 2"),
    "alias": ("models:/net-keras@champoin", "has no alias 'champoin'; nearest: champion"),
    "name": ("models:/net-kears/1", "no registered model 'net-kears'; nearest: net-keras"),
    "latest of none": ("models:/net-kears/latest", "; nearest: net-keras"),
    "stage of none": ("models:/net-keras/Production", "no version of 'net-keras' in stage 'Production'"),
    "model id": ("models:/m-0123", "m-0123"),
    "run": ("runs:/0123/model", "0123"),
    "artifact": ("runs:/{run_id}/elsewhere", "elsewhere"),
    "file": ("file:///nowhere/at/all.keras", "all.keras"),
}


@pytest.mark.parametrize("kind", ABSENT)
def test_missing_in_mlflow(kind: str, store: Store) -> None:
    uri, named = ABSENT[kind]
    uri = uri.format(run_id=store.run_id)
    message = error_message(uri)
    assert message.startswith(f"nothing found at {uri!r}: ")
    assert named in message.removeprefix(f"nothing found at {uri!r}: ")


def test_unreachable_server_is_reported_quickly(store: Store) -> None:
    mlflow.set_tracking_uri("http://someone:secret@127.0.0.1:9")
    started = time.monotonic()
    message = error_message("models:/net-keras/1", TrackingError)
    assert time.monotonic() - started < 15
    assert "the tracking server http://127.0.0.1:9 does not answer" in message
    assert "--tracking-uri" in message


def test_password_in_a_uri_is_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_model().save(tmp_path / "model.keras")
    monkeypatch.setattr(load.artifact_store, "fetch", lambda uri: tmp_path / "model.keras")
    assert load_model("https://me:secret@host/model.keras").origin.uri == "https://host/model.keras"


# Missing or unreadable files.


def test_missing_path_is_rejected(tmp_path: Path) -> None:
    path = str(tmp_path / "missing.keras")
    message = error_message(path)
    assert message.startswith(f"no model at {path!r}; give models:/name/version, runs:/id/path")


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_empty_file_is_rejected(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"empty{suffix}"
    path.touch()
    assert f"empty{suffix}' is empty (0 bytes)" in error_message(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.98])
def test_truncated_keras_file_is_rejected(share: float, tmp_path: Path) -> None:
    path = tmp_path / "cut.keras"
    small_model().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    message = error_message(path)
    assert "'cut.keras' is damaged or truncated" in message
    assert "not found" not in message.lower()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_random_bytes_are_rejected(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"garbage{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(2000))
    message = error_message(path)
    assert f"'garbage{suffix}'" in message
    assert "damaged" in message


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_keras_file_without_a_member_is_rejected(member: str, tmp_path: Path) -> None:
    small_model().save(tmp_path / "whole.keras")
    with (
        zipfile.ZipFile(tmp_path / "whole.keras") as whole,
        zipfile.ZipFile(tmp_path / "part.keras", "w") as part,
    ):
        for name in set(whole.namelist()) - {member}:
            part.writestr(name, whole.read(name))
    assert "'part.keras' can't be loaded" in error_message(tmp_path / "part.keras")


def test_wrong_suffix_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"content")
    assert "model.onnx' is not a Keras file; give a .keras or .h5 file" in error_message(path)


def test_unknown_class_is_named(tmp_path: Path) -> None:
    class Mine(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    keras.Sequential([keras.Input((2,)), Mine()]).save(tmp_path / "own.keras")
    message = error_message(tmp_path / "own.keras")
    assert "'own.keras' needs a class that is not registered with Keras" in message
    assert "register_keras_serializable" in message


# Model folders.


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Create a model folder as MLflow does, with changes to its MLmodel."""

    def make(flavor: str = "keras", **changes: Any) -> Path:
        root = tmp_path / "model"
        (root / "data").mkdir(parents=True)
        small_model().save(root / "data" / "model.keras")
        mlmodel = {"flavors": {flavor: {"data": "data"}, "python_function": {"env": "conda.yaml"}}}
        (root / "MLmodel").write_text(yaml.safe_dump(mlmodel | changes))
        return root

    return make


@pytest.mark.parametrize("flavor", ["keras", "tensorflow"])
def test_folder_without_mlflow_metadata(flavor: str, folder: Callable[..., Path]) -> None:
    loaded = load_model(folder(flavor))
    assert loaded.keras.name == "small"
    assert (loaded.input_shape, loaded.metadata, loaded.origin.run_id) == (None, {}, None)


def test_folder_without_mlmodel(tmp_path: Path) -> None:
    assert f"{str(tmp_path)!r} is a folder without an MLmodel file" in error_message(tmp_path)


def test_unsupported_flavor_is_named(folder: Callable[..., Path]) -> None:
    root = folder(flavors={"sklearn": {"pickled_model": "model.pkl"}, "python_function": {}})
    message = error_message(root)
    assert "is not a Keras model: its flavors are python_function, sklearn" in message
    assert "mlflow.keras.log_model" in message


@pytest.mark.parametrize(
    "flavors", [None, {}, [], "keras", 3, ["keras"], {1: {}}, {"keras": "data"}, {"keras": None}]
)
def test_invalid_flavors(flavors: Any, folder: Callable[..., Path]) -> None:
    assert "is not a Keras model" in error_message(folder(flavors=flavors))


NO_MAPPINGS = {
    "empty": b"",
    "text": b"just text",
    "list": b"- 1\n- 2\n",
    "number": b"3",
    "not YAML": b"flavors: {keras: [",
    "not UTF-8": b"\xff\xfe\x00flavors",
    "tab": b"flavors:\n\tkeras: 1",
    "object": b"!!python/object/apply:os.system ['true']",
    "deep": b"[" * 5000,
}


@pytest.mark.parametrize("kind", NO_MAPPINGS)
def test_mlmodel_that_is_not_a_mapping(kind: str, folder: Callable[..., Path]) -> None:
    root = folder()
    (root / "MLmodel").write_bytes(NO_MAPPINGS[kind])
    assert re.match(
        r"the MLmodel file of '.*model' (can't be read \(\w+\)|is not a mapping)", error_message(root)
    )


@pytest.mark.parametrize("data", ["../elsewhere", "../../elsewhere", "data/../../elsewhere", "{absolute}"])
def test_data_outside_the_folder(data: str, folder: Callable[..., Path], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    small_model().save(elsewhere / "model.keras")
    root = folder(flavors={"keras": {"data": data.format(absolute=elsewhere)}})
    assert "names a file outside the model folder; log the model again" in error_message(root)


def test_data_that_links_out_of_the_folder(folder: Callable[..., Path], tmp_path: Path) -> None:
    root = folder()
    shutil.move(root / "data" / "model.keras", tmp_path / "model.keras")
    (root / "data" / "model.keras").symlink_to(tmp_path / "model.keras")
    assert "names a file outside the model folder" in error_message(root)


@pytest.mark.parametrize("data", [[], {"a": 1}, 3, "missing", "\0", "."])
def test_invalid_data(data: Any, folder: Callable[..., Path]) -> None:
    root = folder(flavors={"keras": {"data": data}})
    if data == []:  # treated like a missing one
        assert load_model(root).keras.name == "small"
    else:
        assert "has no Keras file" in error_message(root)


SIGNATURES: dict[str, tuple[Any, Any]] = {
    "tensor": ({"inputs": '[{"type": "tensor", "tensor-spec": {"shape": [-1, 4, 4, 1]}}]'}, (None, 4, 4, 1)),
    "two": ({"inputs": '[{"tensor-spec": {"shape": [-1]}}, {"tensor-spec": {"shape": [-1]}}]'}, None),
    "column": ({"inputs": '[{"type": "double", "name": "x"}]'}, None),
    "none": (None, None),
    "no JSON": ({"inputs": "[{"}, None),
    "number": ({"inputs": 3}, None),
    "texts": ({"inputs": '[{"tensor-spec": {"shape": ["a"]}}]'}, None),
    "not a mapping": ("tensor", None),
}


@pytest.mark.parametrize("kind", SIGNATURES)
def test_signature_shape(kind: str, folder: Callable[..., Path]) -> None:
    signature, shape = SIGNATURES[kind]
    assert load_model(folder(signature=signature)).input_shape == shape


@pytest.mark.parametrize("metadata", [None, "text", 3, ["a"]])
def test_metadata_that_is_not_a_mapping_is_ignored(metadata: Any, folder: Callable[..., Path]) -> None:
    assert load_model(folder(metadata=metadata)).metadata == {}


def test_saved_model_is_rejected(tmp_path: Path) -> None:
    root = tmp_path / "exported"
    mlflow.keras.save_model(
        small_model(),
        str(root),
        save_exported_model=True,
        signature=infer_signature(np.zeros((1, 8, 8, 3), np.float32)),
        pip_requirements=["keras"],
    )
    message = error_message(root)
    assert "contains a SavedModel, which has no layers to interpret" in message
    assert "without save_exported_model" in message
    assert "has no layers; log a keras.Model" in error_message(root, trust_model_code=True)


# Code contained in a model.


def test_pickled_custom_objects_do_not_run(folder: Callable[..., Path], tmp_path: Path) -> None:
    root, sentinel = folder("tensorflow"), tmp_path / "ran"
    (root / "data" / "custom_objects.cloudpickle").write_bytes(cloudpickle.dumps({"Mine": Trap(sentinel)}))
    message = error_message(root)
    assert "contains pickled custom objects" in message
    assert "trust_model_code=True (--trust-model-code)" in message
    assert not sentinel.exists()


def test_pickled_custom_objects_load_when_trusted(tmp_path: Path) -> None:
    class Twice(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return 2 * inputs

    model, root = keras.Sequential([keras.Input((2,)), Twice()]), tmp_path / "custom"
    mlflow.tensorflow.save_model(
        model, path=str(root), custom_objects={"Twice": Twice}, pip_requirements=["keras"]
    )
    error_message(root)
    loaded = load_model(root, trust_model_code=True)
    np.testing.assert_array_equal(loaded.keras(np.float32([[1, 2]])), [[2, 4]])


@pytest.fixture
def with_lambda(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """Save a model with a Lambda layer that writes a file when it is built; return both paths."""

    def make(suffix: str) -> tuple[Path, Path]:
        sentinel, path = tmp_path / "ran", tmp_path / f"code{suffix}"
        where = str(sentinel)
        trap = keras.layers.Lambda(
            lambda inputs: (__import__("pathlib").Path(where).write_text("ran"), inputs * 3)[1]
        )
        keras.Sequential([keras.Input((2,)), trap]).save(path)
        sentinel.unlink()  # building the model to save it has run the Lambda once
        return path, sentinel

    return make


@pytest.mark.filterwarnings(H5_IS_LEGACY)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_does_not_run(suffix: str, with_lambda: Callable[[str], tuple[Path, Path]]) -> None:
    path, sentinel = with_lambda(suffix)
    message = error_message(path)
    assert f"'code{suffix}' contains code (a Lambda layer), which is not run" in message
    assert "trust_model_code=True (--trust-model-code)" in message
    assert not sentinel.exists()


@pytest.mark.filterwarnings(H5_IS_LEGACY)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_runs_when_trusted(suffix: str, with_lambda: Callable[[str], tuple[Path, Path]]) -> None:
    path, sentinel = with_lambda(suffix)
    model = load_model(path, trust_model_code=True).keras
    np.testing.assert_array_equal(model(np.float32([[1, 2]])), [[3, 6]])
    assert sentinel.exists()


NAMES_A_MODULE: dict[str, dict[str, Any]] = {
    "code": {"flavors": {"keras": {"data": "data", "code": "code"}, "python_function": {"code": "code"}}},
    "keras_module": {"flavors": {"tensorflow": {"data": "data", "keras_module": "trap_module"}}},
    "loader_module": {
        "flavors": {"keras": {"data": "data"}, "python_function": {"loader_module": "trap_module"}}
    },
}


@pytest.mark.parametrize("kind", NAMES_A_MODULE)
def test_modules_named_in_an_mlmodel_are_not_imported(
    kind: str, folder: Callable[..., Path], trap_module: Path
) -> None:
    root = folder(**NAMES_A_MODULE[kind])
    (root / "code").mkdir()
    (root / "code" / "keras_extra.py").write_text("raise SystemExit")
    (root / "data" / "keras_module.txt").write_text("trap_module")
    path_before = list(sys.path)
    assert load_model(root).keras.name == "small"
    assert not trap_module.exists()
    assert "trap_module" not in sys.modules
    assert sys.path == path_before


# Digests.


@pytest.mark.filterwarnings(H5_IS_LEGACY)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_digest_is_unchanged_by_saving(suffix: str, tmp_path: Path) -> None:
    model = small_model()
    model.compile("adam", loss="mse")
    model.save(tmp_path / f"model{suffix}")
    assert weights_digest(load_model(tmp_path / f"model{suffix}").keras) == weights_digest(model)


def test_digest_is_unchanged_by_mlflow(store: Store) -> None:
    digests = {weights_digest(model) for model in store.models.values()}
    assert len(digests) == 4
    loaded = load_model("models:/net-tensorflow/2")
    assert weights_digest(loaded.keras) == weights_digest(store.models["tensorflow", 2])


def test_digest_depends_on_every_weight() -> None:
    model = small_model()
    before = weights_digest(model)
    assert weights_digest(model) == before
    assert re.fullmatch("[0-9a-f]{64}", before)
    bias = model.weights[-1]
    bias.assign_add([0, 1e-6])
    assert weights_digest(model) != before
    bias.assign_add([0, -1e-6])
    assert weights_digest(model) == before


def test_digest_depends_on_the_shape_of_weights() -> None:
    """Equal bytes in other shapes are another model."""
    flat = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    wide = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(6, use_bias=False, kernel_initializer="ones")]
    )
    assert weights_digest(flat) != weights_digest(wide)


def test_digest_of_a_subclassed_model() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    model = Own()
    model(tf.zeros((1, 2)))
    loaded = load_model(model)
    assert isinstance(loaded, LoadedModel)
    assert weights_digest(loaded.keras) == weights_digest(model)
