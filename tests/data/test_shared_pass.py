"""A source that is read once for several models."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mlflow_interp.core.batch import Batch
from mlflow_interp.data import images
from mlflow_interp.data.prepare import load_inputs, load_inputs_for
from mlflow_interp.exceptions import InputsError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel

COUNT = 20


def model_of(side: int, name: str = "inputs") -> LoadedModel:
    inputs = keras.Input((side, side, 3), name=name)
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    return load_model(keras.Model(inputs, keras.layers.Dense(2)(pooled)))


@pytest.fixture(scope="module")
def models() -> list[LoadedModel]:
    """Two that take 8 × 8 pixels."""
    return [model_of(8), model_of(8)]


class Rows(keras.utils.PyDataset):
    """Batches of five rows, which count how often they are read."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.read: list[int] = []
        self.fails_at = fails_at

    def __len__(self) -> int:
        return COUNT // 5

    def __getitem__(self, index: int) -> Any:
        if index == self.fails_at:
            raise OSError("gone")
        self.read.append(index)
        return np.full((5, 8, 8, 3), index, np.float32), np.zeros(5, int)


def photos(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        pixels = rng.integers(0, 255, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    (folder / "05.png").write_bytes(b"no image")


def side_by_side(batches: list[Batch]) -> list[list[Any]]:
    return [
        list(each) for each in zip(*zip(*(batch.chunks() for batch in batches), strict=True), strict=True)
    ]


def test_files_are_decoded_once_for_each_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos(tmp_path)
    opened: list[str] = []
    original = images._open

    def counting(file: Any) -> Any:
        opened.append(Path(file.name).name)
        return original(file)

    monkeypatch.setattr(images, "_open", counting)
    models = [model_of(8), model_of(6), model_of(8)]
    options: dict[str, Any] = {"batch_size": 4, "preprocess": "0..1"}
    shared = load_inputs_for(tmp_path, models, **options)
    found = side_by_side(shared)
    assert sorted(opened) == [f"{index:02d}.png" for index in range(COUNT)]
    for batch, model, chunks in zip(shared, models, found, strict=True):
        alone = load_inputs(tmp_path, model, **options)
        for chunk, expected in zip(chunks, alone.chunks(), strict=True):
            np.testing.assert_array_equal(chunk.inputs, expected.inputs)
            np.testing.assert_array_equal(chunk.digests, expected.digests)
            assert chunk.names == expected.names
        assert batch.skipped == alone.skipped
        assert batch.warnings == alone.warnings
        assert batch.preparation == alone.preparation


def test_batches_of_a_dataset_are_read_once(models: list[LoadedModel]) -> None:
    rows = Rows()
    one, other = side_by_side(load_inputs_for(rows, models, batch_size=3))
    assert rows.read == [0, 1, 2, 3]
    assert [len(chunk) for chunk in one] == [len(chunk) for chunk in other] == [3] * 6 + [2]


def test_a_dataset_that_can_be_read_only_once(models: list[LoadedModel]) -> None:
    rows = iter(np.arange(COUNT * 192, dtype=np.float32).reshape(COUNT, 8, 8, 3))
    dataset = tf.data.Dataset.from_generator(
        lambda: rows, output_signature=tf.TensorSpec((8, 8, 3), tf.float32)
    )
    one, other = side_by_side(load_inputs_for(dataset, models, batch_size=8))
    for chunks in (one, other):
        values = np.concatenate([chunk.inputs for chunk in chunks])
        np.testing.assert_array_equal(values.ravel(), np.arange(COUNT * 192))


def test_each_can_also_be_read_alone(models: list[LoadedModel]) -> None:
    rows = Rows()
    batches = load_inputs_for(rows, models, batch_size=5)
    for batch in (*batches, batches[0]):
        assert [chunk.inputs[0, 0, 0, 0] for chunk in batch.chunks()] == [0, 1, 2, 3]
    # The first batch shows where the inputs are, and is kept.
    assert rows.read == [0, 1, 2, 3, 1, 2, 3, 1, 2, 3]


def test_models_that_take_other_parts_of_a_dataset_read_it_apart() -> None:
    pixels = np.random.default_rng(0).random((COUNT, 8, 8, 3)).astype(np.float32)
    dataset = tf.data.Dataset.from_tensor_slices({"one": pixels, "two": 2 * pixels})
    found = side_by_side(load_inputs_for(dataset, [model_of(8, "one"), model_of(8, "two")], batch_size=7))
    for chunks, factor in zip(found, (1, 2), strict=True):
        np.testing.assert_array_equal(np.concatenate([chunk.inputs for chunk in chunks]), factor * pixels)


def test_an_error_of_the_source_ends_all(models: list[LoadedModel]) -> None:
    one, other = (batch.chunks() for batch in load_inputs_for(Rows(fails_at=2), models, batch_size=5))
    for chunks in (one, other):
        next(chunks)
        next(chunks)
    for chunks in (one, other):
        with pytest.raises(InputsError, match="batch 2 of the PyDataset can't be read: OSError: gone"):
            next(chunks)


@pytest.mark.parametrize("left", [(0,), (1,), (0, 1), (1, 0)])
def test_no_thread_remains_when_readers_leave_early(
    left: tuple[int, ...], tmp_path: Path, models: list[LoadedModel]
) -> None:
    photos(tmp_path)
    gc.collect()
    before = threading.active_count()
    chunks: list[Iterator[Any]] = [
        batch.chunks() for batch in load_inputs_for(tmp_path, models, batch_size=2)
    ]
    for position in left:
        next(chunks[position])
    for position in left:
        chunks[position].close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_one_may_leave_and_the_other_goes_on(models: list[LoadedModel]) -> None:
    rows = Rows()
    one, other = (batch.chunks() for batch in load_inputs_for(rows, models, batch_size=5))
    next(one)
    next(other)
    one.close()  # type: ignore[attr-defined]
    assert [chunk.inputs[0, 0, 0, 0] for chunk in other] == [1, 2, 3]
    assert rows.read == [0, 1, 2, 3]
