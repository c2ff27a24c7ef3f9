"""Malicious models: their code does not run, and reading them ends."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml

from mlflow_interp.exceptions import ModelError
from mlflow_interp.models import sandbox
from mlflow_interp.models.load import load_model
from tests.tiny_models import small_model


def error_message(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def folder_with(data: Path, root: Path) -> Path:
    (root / "MLmodel").write_text(yaml.safe_dump({"flavors": {"tensorflow": {"data": data.name}}}))
    return root


class Writer(tf.saved_model.experimental.TrackableResource):
    """A resource of a SavedModel that writes a file when it is initialised, that is, when it is loaded."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def _create_resource(self) -> Any:
        return tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="writer")

    def _initialize(self) -> None:
        tf.io.write_file(self._path, "ran")


def test_saved_model_that_writes_a_file_is_not_loaded(tmp_path: Path) -> None:
    sentinel, root = tmp_path / "ran", tmp_path / "model"
    module = tf.Module()
    module.writer = Writer(str(sentinel))
    module.call = tf.function(
        lambda inputs: inputs + 0 * tf.cast(tf.shape(module.writer.resource_handle)[:0], tf.float32).shape[0],
        input_signature=[tf.TensorSpec([None], tf.float32)],
    )
    tf.saved_model.save(module, str(root / "data"))
    sentinel.unlink(missing_ok=True)
    tf.saved_model.load(str(root / "data"))
    assert sentinel.exists(), "the trap is no trap"
    sentinel.unlink()
    assert "contains a SavedModel, which has no layers to interpret" in error_message(
        folder_with(root / "data", root)
    )
    assert "without an MLmodel file" in error_message(root / "data")
    assert not sentinel.exists()


def rezipped(source: Path, target: Path, **changes: bytes) -> Path:
    """A .keras archive with members replaced; "__" stands for a dot."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name.replace(".", "__"), old.read(name)))
    return target


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    small_model().save(tmp_path / "whole.keras")
    return tmp_path / "whole.keras"


def test_compressed_archive_is_read(saved: Path, tmp_path: Path) -> None:
    """A valid compressed archive is within the limits."""
    assert load_model(rezipped(saved, tmp_path / "packed.keras")).keras.name == "small"


@pytest.mark.parametrize("member", ["config__json", "metadata__json", "model__weights__h5", "assets__bin"])
def test_zip_bomb_is_not_unpacked(member: str, saved: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.keras"
    rezipped(saved, bomb, **{member: b" " * 110_000_000})
    if member == "assets__bin":
        with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("assets.bin", bytes(110_000_000))
    assert bomb.stat().st_size < 1_000_000
    started = time.monotonic()
    message = error_message(bomb)
    assert "would expand from" in message
    assert "is not loaded" in message
    assert time.monotonic() - started < 2


def test_deeply_nested_configuration_is_rejected(saved: Path, tmp_path: Path) -> None:
    bomb = rezipped(saved, tmp_path / "deep.keras", config__json=b"[" * 100_000)
    assert "'deep.keras' can't be loaded" in error_message(bomb)


def test_module_named_in_the_configuration_is_not_imported(
    saved: Path, tmp_path: Path, trap_module: Path
) -> None:
    """The module of a class that the file states."""
    with zipfile.ZipFile(saved) as archive:
        config = json.loads(archive.read("config.json"))
    config |= {"module": "trap_module", "class_name": "prepare", "registered_name": "prepare"}
    path = rezipped(saved, tmp_path / "named.keras", config__json=json.dumps(config).encode())
    assert "named.keras" in error_message(path)
    assert not trap_module.exists()


@pytest.mark.parametrize("function", ["os.system", "builtins.exec", "pathlib.Path.touch"])
def test_function_named_in_the_configuration_is_not_called(
    function: str, saved: Path, tmp_path: Path
) -> None:
    module, _, name = function.rpartition(".")
    call = {"class_name": "function", "module": module, "config": name, "registered_name": name}
    with zipfile.ZipFile(saved) as archive:
        config = json.loads(archive.read("config.json"))
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "Conv2D":
            layer["config"]["activation"] = call
    path = rezipped(saved, tmp_path / "call.keras", config__json=json.dumps(config).encode())
    assert "call.keras" in error_message(path)


# Files that hang the HDF5 library, which ignores signals meanwhile.


@pytest.fixture
def patient_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    return lambda seconds: monkeypatch.setattr(sandbox, "SECONDS", seconds)


def test_reading_that_hangs_is_stopped(
    tmp_path: Path, patient_for: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient_for(1)
    monkeypatch.setattr(sandbox, "_SCRIPT", "while True: pass")
    (tmp_path / "endless.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    message = error_message(tmp_path / "endless.h5")
    assert (
        "'endless.h5' is damaged: reading it takes longer than 1 s; save or copy the model again" in message
    )


def test_reading_that_crashes_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_SCRIPT", "import os; os.abort()")
    (tmp_path / "crash.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert "'crash.h5' is damaged: reading it crashes" in error_message(tmp_path / "crash.h5")


def test_reading_that_exhausts_the_memory_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dataset of a terabyte, of which the file contains nothing."""
    monkeypatch.setattr(sandbox, "MEMORY", 1_500_000_000)
    with h5py.File(tmp_path / "vast.h5", "w") as file:
        file.create_dataset("kernel", (250_000_000_000,), np.float32, chunks=(1000,), compression="gzip")
    assert "'vast.h5' is damaged: reading it takes too much memory" in error_message(tmp_path / "vast.h5")


def test_trusted_file_is_not_checked_first(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_SCRIPT", "import os; os.abort()")
    assert isinstance(load_model(saved, trust_model_code=True).keras, keras.Model)
