"""Preparing inputs: what the model receives, row by row, from every source."""

from __future__ import annotations

import itertools
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.digests import row_digests
from mlflow_interp.data import datasets, image_files, reader
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.data.resizing import Resizing
from mlflow_interp.exceptions import InputsError, OptionError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel, Origin
from mlflow_interp.models.signature import model_inputs
from tests.tiny_models import Store, Trap, save_images, small_model

layers = keras.layers


def prepared_inputs(batch: Batch) -> np.ndarray:
    return np.concatenate([chunk.inputs for chunk in batch.chunks()])


def names(batch: Batch) -> list[str]:
    return [name for chunk in batch.chunks() for name in chunk.names]


def labels(batch: Batch) -> list[int]:
    return np.concatenate([chunk.labels for chunk in batch.chunks()]).tolist()


def grey_values(batch: Batch) -> list[int]:
    """The first pixel of each input, as it was before division by 255."""
    return np.rint(prepared_inputs(batch)[:, 0, 0, 0] * 255).astype(int).tolist()


def error_message(
    inputs: Any, loaded: LoadedModel, error: type[Exception] = InputsError, **options: Any
) -> str:
    with pytest.raises(error) as caught:
        for _ in load_inputs(inputs, loaded, **options).chunks():
            pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def grey_rows(*values: int) -> np.ndarray:
    return np.uint8(values)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    return lambda **pictures: save_images(
        tmp_path / "in", {name.replace("__", "/") + ".png": grey for name, grey in pictures.items()}
    )


# Images.


def test_one_image(folder: Callable[..., Path], loaded: LoadedModel) -> None:
    path = folder(a=51) / "a.png"
    batch = load_inputs(path, loaded, preprocess="0..1")
    (chunk,) = batch.chunks()
    np.testing.assert_allclose(chunk.inputs, np.full((1, 8, 8, 3), 0.2), rtol=1e-6)
    assert chunk.inputs.dtype == np.float32
    assert (chunk.names, chunk.indices.tolist(), chunk.labels.tolist()) == (("a.png",), [0], [UNKNOWN])
    np.testing.assert_array_equal(chunk.images, grey_rows(51))
    assert (batch.source, batch.total, batch.class_names) == (str(path), 1, None)
    assert batch.preparation == {
        "preprocess": "0..1",
        "resize": None,
        "interpolation": None,
        "size": [8, 8],
        "batch_size": 32,
        "max_inputs": None,
    }


def test_folder_without_subfolders(folder: Callable[..., Path], loaded: LoadedModel) -> None:
    batch = load_inputs(str(folder(b=20, a=10, c=30)), loaded)
    assert names(batch) == ["a.png", "b.png", "c.png"]
    assert grey_values(batch) == [10, 20, 30]
    assert labels(batch) == [UNKNOWN] * 3


def test_class_folders_define_the_classes(folder: Callable[..., Path], loaded: LoadedModel) -> None:
    batch = load_inputs(folder(dog__a=20, cat__b=10, cat__a=5), loaded)
    assert names(batch) == ["cat/a.png", "cat/b.png", "dog/a.png"]
    assert batch.class_names == ("cat", "dog")
    assert labels(batch) == [0, 0, 1]
    assert not any("class" in warning for warning in batch.warnings)


def test_stray_image_is_left_out_and_labels_are_kept(
    folder: Callable[..., Path], loaded: LoadedModel
) -> None:
    batch = load_inputs(folder(cat__a=10, cat__b=15, dog__a=20, readme=99), loaded)
    assert names(batch) == ["cat/a.png", "cat/b.png", "dog/a.png"]
    assert labels(batch) == [0, 0, 1]
    (warning,) = [each for each in batch.warnings if "outside the class" in each]
    assert warning.startswith("images outside the class folders are left out: readme.png;")


def test_equal_numbers_inside_and_outside_folders_are_not_strays(
    folder: Callable[..., Path], loaded: LoadedModel
) -> None:
    batch = load_inputs(folder(a=1, b=2, more__c=3, others__d=4), loaded)
    assert names(batch) == ["a.png", "b.png", "more/c.png", "others/d.png"]
    assert labels(batch) == [UNKNOWN] * 4
    (warning,) = [each for each in batch.warnings if "next to" in each]
    assert "has 2 images next to 2 subfolders, so the subfolders are not used as classes" in warning


def test_labels_for_every_image_include_stray_images(
    folder: Callable[..., Path], loaded: LoadedModel
) -> None:
    path = folder(cat__a=10, cat__b=15, dog__a=20, readme=99)
    batch = load_inputs(path, loaded, labels=[0, 0, 1, 1])
    assert names(batch) == ["cat/a.png", "cat/b.png", "dog/a.png", "readme.png"]
    assert labels(batch) == [0, 0, 1, 1]
    assert labels(load_inputs(path, loaded, labels=[1, 1, 0])) == [1, 1, 0]


def test_empty_class_folder_is_a_class(folder: Callable[..., Path]) -> None:
    """As Keras' own loader numbers the folders."""
    path = folder(ant__a=1, cat__a=2)
    (path / "bee").mkdir()
    (path / ".cache").mkdir()
    batch = load_inputs(path, load_model(small_model(classes=3)))
    assert batch.class_names == ("ant", "bee", "cat")
    dataset = keras.utils.image_dataset_from_directory(path, verbose=False, shuffle=False)
    assert dataset.class_names == ["ant", "bee", "cat"]
    assert labels(batch) == [0, 2]


def test_given_class_names_determine_the_order(folder: Callable[..., Path], loaded: LoadedModel) -> None:
    batch = load_inputs(folder(dog__a=20, cat__a=10), loaded, class_names=["Dog", "CAT"])
    assert batch.class_names == ("Dog", "CAT")
    assert labels(batch) == [1, 0]


def test_folders_that_are_not_classes_give_a_warning(
    folder: Callable[..., Path], loaded: LoadedModel
) -> None:
    batch = load_inputs(folder(zebra__a=1, cat__a=2, emu__a=3), loaded, class_names=["cat", "dog"])
    assert labels(batch) == [0, UNKNOWN, UNKNOWN]
    (warning,) = [each for each in batch.warnings if "not class names" in each]
    assert "emu, zebra" in warning


def test_labels_option_overrides_class_folders(folder: Callable[..., Path], loaded: LoadedModel) -> None:
    path = folder(dog__a=20, cat__a=10)
    assert labels(load_inputs(path, loaded, labels=[1, 0])) == [1, 0]
    assert load_inputs(path, loaded, labels=[1, 0]).class_names == ("cat", "dog")


def test_labels_for_image_files(folder: Callable[..., Path], loaded: LoadedModel, tmp_path: Path) -> None:
    path = folder(a=1, b=2)
    assert labels(load_inputs(path, loaded, labels=[1, 0])) == [1, 0]
    assert labels(load_inputs(f"{path}/*.png", loaded, labels=["y", "x"], class_names=["x", "y"])) == [1, 0]
    assert labels(load_inputs(path / "a.png", loaded, labels=[1])) == [1]
    assert "3 labels for 2 inputs" in error_message(path, loaded, labels=[0, 1, 1])


def test_class_names_from_metadata(folder: Callable[..., Path]) -> None:
    loaded = LoadedModel(small_model(), Origin("m"), {"class_names": ["dog", "cat"]})
    assert labels(load_inputs(folder(dog__a=20, cat__a=10), loaded)) == [1, 0]


@pytest.mark.parametrize("declared", ["{path}", 7])
def test_metadata_cannot_name_a_file_to_read(declared: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("root\npassword\n")
    declared = declared.format(path=tmp_path / "secret.txt") if isinstance(declared, str) else declared
    batch = load_inputs(grey_rows(1), LoadedModel(small_model(), Origin("m"), {"class_names": declared}))
    assert batch.class_names is None
    assert "class_names in the model's metadata" in batch.warnings[0]


def test_glob_pattern(folder: Callable[..., Path], loaded: LoadedModel) -> None:
    path = folder(a1=1, a2=2, b1=3)
    (path / "a3.txt").write_text("no picture")
    assert grey_values(load_inputs(f"{path}/a*", loaded)) == [1, 2]
    assert grey_values(load_inputs(f"{path.parent}/**/*1.png", loaded)) == [1, 3]
    assert "nothing found" in error_message(f"{path}/z*", loaded)
    assert "no images in" in error_message(f"{path}/*.txt", loaded)


def test_mlflow_artifact(store: Store, loaded: LoadedModel) -> None:
    uri = f"runs:/{store.run_id}/photos"
    batch = load_inputs(uri, loaded)
    assert (names(batch), grey_values(batch), labels(batch)) == (["cat/a.png", "dog/b.png"], [10, 20], [0, 1])
    assert batch.source == uri
    assert "nothing found at" in error_message(f"runs:/{store.run_id}/nothing", loaded)


def test_missing_inputs_are_rejected(tmp_path: Path, loaded: LoadedModel) -> None:
    assert "nothing found at" in error_message(tmp_path / "missing", loaded)
    assert "no images in" in error_message(tmp_path, loaded)
    (tmp_path / "a.txt").write_text("text")
    assert "is neither an image nor a .npy or .npz file" in error_message(tmp_path / "a.txt", loaded)
    assert "inputs are a int" in error_message(3, loaded)
    assert "available: keras:mnist" in error_message("keras:imagenet", loaded)


def test_damaged_image_is_skipped_with_a_warning(folder: Callable[..., Path], loaded: LoadedModel) -> None:
    path = folder(cat__a=1, cat__b=2, dog__c=3)
    (path / "cat" / "b.png").write_bytes(b"no picture")
    batch = load_inputs(path, loaded, batch_size=2)
    assert (grey_values(batch), names(batch), labels(batch)) == ([1, 3], ["cat/a.png", "dog/c.png"], [0, 1])
    assert [chunk.indices.tolist() for chunk in batch.chunks()] == [[0], [2]]
    assert batch.skipped == {"cat/b.png": "is not an image"}


def test_only_damaged_images_are_an_error(folder: Callable[..., Path], loaded: LoadedModel) -> None:
    path = folder(a=1, b=2)
    for name in ("a.png", "b.png"):
        (path / name).write_bytes(b"")
    message = error_message(path, loaded)
    assert "no input could be read from" in message
    assert "a.png: is empty (0 bytes); b.png: is empty (0 bytes)" in message


def test_images_are_resized_for_the_model(tmp_path: Path, loaded: LoadedModel) -> None:
    save_images(tmp_path, {"a.png": 7}, size=40)
    assert prepared_inputs(load_inputs(tmp_path, loaded)).shape == (1, 8, 8, 3)
    free = load_model(small_model(size=None))
    assert prepared_inputs(load_inputs(tmp_path, free)).shape == (1, 40, 40, 3)
    save_images(tmp_path, {"a.png": 7}, size=700)
    assert load_inputs(tmp_path, free).preparation["size"] == [512, 512]


def test_colour_images_for_a_grey_model(folder: Callable[..., Path]) -> None:
    grey = load_model(small_model(channels=1))
    batch = load_inputs(folder(a=51), grey, preprocess="none")
    np.testing.assert_array_equal(prepared_inputs(batch), np.full((1, 8, 8, 1), 51))
    (chunk,) = batch.chunks()
    np.testing.assert_array_equal(chunk.images, grey_rows(51))


def test_grey_arrays_without_channels() -> None:
    grey = load_model(small_model(channels=1))
    np.testing.assert_array_equal(
        prepared_inputs(load_inputs(np.ones((2, 8, 8), np.float32), grey)), np.ones((2, 8, 8, 1))
    )


def channels_first() -> LoadedModel:
    inputs = keras.Input((3, 8, 6))
    pooled = layers.GlobalAveragePooling2D(data_format="channels_first")(inputs)
    return load_model(keras.Model(inputs, layers.Dense(2)(pooled), name="vgg16"))


def test_channels_first_model(tmp_path: Path) -> None:
    """Caffe's preprocessing distinguishes channels: BGR, each with its own mean."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)
    expected = np.moveaxis(pixels[..., ::-1] - np.float32([103.939, 116.779, 123.68]), -1, 1)
    for given in (pixels, np.moveaxis(pixels, -1, 1)):
        batch = load_inputs(given, channels_first())
        np.testing.assert_allclose(prepared_inputs(batch), expected, rtol=1e-5)
        np.testing.assert_array_equal(next(batch.chunks()).images, pixels)
    save_images(tmp_path, {"a.png": 9})
    assert prepared_inputs(load_inputs(tmp_path, channels_first(), preprocess="none")).shape == (1, 3, 8, 6)


# Memory.


def test_images_are_read_when_needed(
    tmp_path: Path, loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_images(tmp_path, {f"{index:03d}.png": index for index in range(100)})
    read: list[str] = []
    original = image_files.read_forms

    def counted(path: Path, forms: Any) -> Any:
        read.append(path.name)
        return original(path, forms)

    monkeypatch.setattr(image_files, "read_forms", counted)
    batch = load_inputs(tmp_path, loaded, batch_size=8)
    assert read == []
    sizes = []
    for chunk in batch.chunks():
        sizes.append(len(chunk))
        assert len(read) <= sum(sizes) + 8, "more than one chunk is read ahead"
    assert sizes == [8] * 12 + [4]
    assert batch.total == 100


def test_no_thread_remains_if_reading_stops_early(tmp_path: Path, loaded: LoadedModel) -> None:
    save_images(tmp_path, {f"{index:03d}.png": index for index in range(40)})
    before = threading.active_count()
    for inputs in (tmp_path, grey_rows(*range(40)), rows_of(40)):
        chunks = load_inputs(inputs, loaded, batch_size=4).chunks()
        next(chunks)
        assert threading.active_count() > before
        chunks.close()
        assert threading.active_count() == before


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_images_do_not_depend_on_batch_size(batch_size: int, tmp_path: Path, loaded: LoadedModel) -> None:
    save_images(tmp_path, {f"{index:02d}.png": index for index in range(20)})
    for name in ("03.png", "04.png", "05.png", "19.png"):
        (tmp_path / name).write_bytes(b"no picture")
    batch = load_inputs(tmp_path, loaded, batch_size=batch_size, labels=range(20))
    kept = [index for index in range(20) if index not in (3, 4, 5, 19)]
    assert grey_values(batch) == kept
    assert labels(batch) == kept
    assert list(batch.skipped) == ["03.png", "04.png", "05.png", "19.png"]
    assert batch.record().digest == load_inputs(tmp_path, loaded).record().digest


def test_max_inputs_is_spread_over_class_folders(tmp_path: Path, loaded: LoadedModel) -> None:
    save_images(tmp_path, {f"{name}/{index}.png": index for name in ("cat", "dog") for index in range(10)})
    batch = load_inputs(tmp_path, loaded, max_inputs=4)
    assert names(batch) == ["cat/0.png", "cat/5.png", "dog/0.png", "dog/5.png"]
    assert (labels(batch), batch.total) == ([0, 0, 1, 1], 4)
    assert load_inputs(tmp_path, loaded, max_inputs=50).total == 20


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 0}, {"batch_size": -1}, {"max_inputs": 0}, {"resize": "zoom"}, {"preprocess": "x"}],
)
def test_options_out_of_range_are_rejected(options: dict[str, Any], loaded: LoadedModel) -> None:
    error_message(grey_rows(1), loaded, OptionError, **options)


# Arrays.


def test_uint8_is_preprocessed_and_floats_are_not(loaded: LoadedModel) -> None:
    pixels = grey_rows(0, 51, 255)
    for given in (pixels, list(pixels), tf.constant(pixels)):
        batch = load_inputs(given, loaded, preprocess="-1..1")
        np.testing.assert_allclose(prepared_inputs(batch)[:, 0, 0, 0], [-1, -0.6, 1], atol=1e-6)
    assert load_inputs(pixels, loaded).preparation["preprocess"] == "0..1"
    for dtype in (np.float16, np.float32, np.float64, np.int32):
        batch = load_inputs(pixels.astype(dtype), loaded)
        np.testing.assert_array_equal(prepared_inputs(batch), pixels)
        assert prepared_inputs(batch).dtype == np.float32
        assert batch.preparation["preprocess"] == "none"
    np.testing.assert_allclose(
        prepared_inputs(load_inputs(pixels.astype(np.float32), loaded, preprocess="0..1")),
        pixels / 255,
        atol=1e-6,
    )


def test_given_arrays_are_not_modified(loaded: LoadedModel) -> None:
    for given in (grey_rows(1, 2).astype(np.float32), grey_rows(1, 2)):
        before = given.copy()
        for chunk in load_inputs(given, loaded, preprocess="vgg16").chunks():
            chunk.inputs[:] = 0
        np.testing.assert_array_equal(given, before)


@pytest.mark.parametrize("name", ["a.npy", "A.NPY"])
def test_npy_file(name: str, tmp_path: Path, loaded: LoadedModel) -> None:
    with (tmp_path / name).open("wb") as file:
        np.save(file, grey_rows(3, 4))
    assert grey_values(load_inputs(tmp_path / name, loaded, labels=[1, 0])) == [3, 4]
    assert labels(load_inputs(tmp_path / name, loaded, labels=[1, 0])) == [1, 0]


@pytest.mark.parametrize(
    "keys", [("inputs", "labels"), ("x", "y"), ("x_test", "y_test"), ("images", "targets")]
)
@pytest.mark.parametrize("name", ["a.npz", "A.NPZ"])
def test_npz_file(name: str, keys: tuple[str, str], tmp_path: Path, loaded: LoadedModel) -> None:
    with (tmp_path / name).open("wb") as file:
        np.savez(file, **{keys[0]: grey_rows(3, 4), keys[1]: [1, 0]})
    batch = load_inputs(tmp_path / name, loaded)
    assert (grey_values(batch), labels(batch)) == ([3, 4], [1, 0])
    assert labels(load_inputs(tmp_path / name, loaded, labels=[0, 0])) == [0, 0]


def test_npz_file_with_positional_and_other_keys(tmp_path: Path, loaded: LoadedModel) -> None:
    np.savez(tmp_path / "a.npz", grey_rows(3, 4), [1, 0])
    assert labels(load_inputs(tmp_path / "a.npz", loaded)) == [1, 0]
    np.savez(tmp_path / "b.npz", foo=grey_rows(3), bar=[1])
    assert "'foo', 'bar', and none is known as an input; name" in error_message(tmp_path / "b.npz", loaded)
    np.savez(tmp_path / "c.npz", foo=grey_rows(3), y=[1])
    assert labels(load_inputs(tmp_path / "c.npz", loaded)) == [1]


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_pickled_arrays_are_not_loaded(suffix: str, tmp_path: Path, loaded: LoadedModel) -> None:
    sentinel, path = tmp_path / "ran", tmp_path / f"a.{suffix}"
    hostile = np.array([Trap(sentinel)], dtype=object)
    np.save(path, hostile, allow_pickle=True) if suffix == "npy" else np.savez(path, inputs=hostile)
    assert re.search(r"can't be read: .*(Object arrays|Python objects)", error_message(path, loaded))
    assert not sentinel.exists()


@pytest.mark.parametrize("suffix", ["npy", "npz"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\3\4garbage", b"\x93NUMPY\1\0v\0{"])
def test_damaged_array_files_are_rejected(
    suffix: str, content: bytes, tmp_path: Path, loaded: LoadedModel
) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(content)
    assert f"a.{suffix}' can't be read: " in error_message(tmp_path / f"a.{suffix}", loaded)


WRONG = {
    "objects": (np.array([None, 1], dtype=object), "object values; give numbers"),
    "texts": (np.array([["a"]]), "give numbers"),
    "complex": (np.zeros((1, 8, 8, 3), complex), "complex128 values; give numbers"),
    "flat": (np.zeros(4), "give an axis of inputs and one or more axes"),
    "no rows": (np.zeros((0, 8, 8, 3)), "are empty"),
    "ragged": ([[1, 2], [3]], "rows of different shapes"),
    "size": (np.zeros((1, 9, 9, 3)), "inputs have shape (9, 9, 3) each, and model 'small' takes (8, 8, 3)"),
    "rank": (np.zeros((1, 8)), "inputs have shape (8,) each"),
    "one picture": (np.zeros((8, 8, 3)), "takes (8, 8, 3)"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_unsuitable_arrays_are_rejected(kind: str, loaded: LoadedModel) -> None:
    given, expected = WRONG[kind]
    assert expected in error_message(given, loaded)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values_are_reported(value: float, loaded: LoadedModel) -> None:
    given = np.zeros((5, 8, 8, 3), np.float32)
    given[3, 4, 4, 1] = value
    message = error_message(given, loaded, batch_size=3)
    assert "input '#3' contains NaN or infinite values (1 of 2 in its batch do)" in message


def two_inputs() -> LoadedModel:
    first, second = keras.Input((4,), name="first"), keras.Input((8, 8, 3), name="second")
    joined = layers.Concatenate()([first, layers.Flatten()(second)])
    return load_model(keras.Model([first, second], layers.Dense(2)(joined), name="two"))


def test_several_inputs() -> None:
    first, second = np.arange(12.0).reshape(3, 4), np.ones((3, 8, 8, 3))
    for given in ((first, second), [first, second], {"first": first, "second": second}):
        chunks = list(load_inputs(given, two_inputs(), batch_size=2).chunks())
        assert [len(chunk) for chunk in chunks] == [2, 1]
        rows = chunks[1].inputs["first"] if isinstance(given, dict) else chunks[1].inputs[0]
        assert rows.tolist() == [[8, 9, 10, 11]]
    assert "differ in length: [2, 3]" in error_message((first, second[:2]), two_inputs())


def test_images_for_two_inputs_are_rejected(folder: Callable[..., Path]) -> None:
    assert "takes several inputs" in error_message(folder(a=1), two_inputs())


# Datasets.


def rows_of(count: int) -> tf.data.Dataset:
    pixels = np.arange(count, dtype=np.float32)[:, None, None, None] * np.ones((1, 8, 8, 3), np.float32)
    return tf.data.Dataset.from_tensor_slices((pixels, np.arange(count) % 2))


def first_values(batch: Batch) -> list[int]:
    return prepared_inputs(batch)[:, 0, 0, 0].astype(int).tolist()


@pytest.mark.parametrize("batched", [None, 1, 3, 50])
@pytest.mark.parametrize("with_labels", [True, False])
def test_batched_and_unbatched_datasets(batched: int | None, with_labels: bool, loaded: LoadedModel) -> None:
    dataset = rows_of(10) if with_labels else rows_of(10).map(lambda row, _: row)
    batch = load_inputs(dataset if batched is None else dataset.batch(batched), loaded, batch_size=4)
    assert [len(chunk) for chunk in batch.chunks()] == [4, 4, 2]
    assert first_values(batch) == list(range(10))
    assert labels(batch) == ([0, 1] * 5 if with_labels else [UNKNOWN] * 10)
    assert names(batch) == [f"#{index}" for index in range(10)]
    assert batch.total == (10 if batched is None else None)  # unbatch() loses the length


def test_dataset_with_one_hot_labels_and_weights(loaded: LoadedModel) -> None:
    dataset = rows_of(4).map(lambda row, label: (row, tf.one_hot(label, 2), 1.0)).batch(2)
    assert labels(load_inputs(dataset, loaded)) == [0, 1, 0, 1]


def test_dataset_of_uint8_is_preprocessed(loaded: LoadedModel) -> None:
    batch = load_inputs(tf.data.Dataset.from_tensor_slices(grey_rows(0, 51, 255)).batch(2), loaded)
    assert grey_values(batch) == [0, 51, 255]
    assert batch.preparation["preprocess"] == "0..1"


@pytest.mark.parametrize("batched", [False, True])
def test_dataset_for_two_inputs(batched: bool) -> None:
    dataset = tf.data.Dataset.from_tensor_slices(
        ({"first": np.ones((5, 4)), "second": np.ones((5, 8, 8, 3))}, [1] * 5)
    )
    chunks = list(load_inputs(dataset.batch(2) if batched else dataset, two_inputs(), batch_size=3).chunks())
    assert [chunk.inputs["first"].shape for chunk in chunks] == [(3, 4), (2, 4)]
    assert [chunk.inputs["second"].shape for chunk in chunks] == [(3, 8, 8, 3), (2, 8, 8, 3)]


def test_dataset_for_a_model_of_unknown_shape() -> None:
    class Own(keras.Model):
        def call(self, inputs: Any) -> Any:
            return inputs

    for dataset in (rows_of(5), rows_of(5).batch(2)):
        assert first_values(load_inputs(dataset, load_model(Own()))) == [0, 1, 2, 3, 4]


def test_dataset_is_read_lazily(loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    taken: list[int] = []

    def rows() -> Iterator[np.ndarray]:
        for index in range(1000):
            taken.append(index)
            yield np.full((8, 8, 3), index, np.float32)

    dataset = tf.data.Dataset.from_generator(rows, output_signature=tf.TensorSpec((8, 8, 3), tf.float32))
    batch = load_inputs(dataset, loaded, batch_size=4)
    assert taken == []
    chunks = batch.chunks()
    next(chunks)
    time.sleep(0.2)
    # The first chunk, the next one, and one that TensorFlow prefetches.
    assert len(taken) <= 4 * 4 + 1
    chunks.close()
    assert len(taken) <= 4 * 4 + 1
    assert list(tmp_path.iterdir()) == []


def test_dataset_is_read_in_the_calling_thread(loaded: LoadedModel) -> None:
    threads: set[int] = set()
    blocks = datasets.read_dataset(rows_of(9), batch_size=2, most=None, takes=model_inputs(loaded))

    def read() -> Iterator[Any]:
        for block in blocks.read():
            threads.add(threading.get_ident())
            yield block

    one = reader.Reader(loaded, (None, 8, 8, 3), None, "auto", Resizing(), 2, None, [])
    assert first_values(reader.read_together([one], [replace(blocks, read=read)])[0]) == list(range(9))
    assert threads == {threading.get_ident()}


def test_reshuffled_dataset_gives_a_warning(loaded: LoadedModel) -> None:
    batch = load_inputs(rows_of(64).shuffle(64, seed=1), loaded, batch_size=8)
    first = first_values(batch)
    assert sorted(first) == list(range(64))
    assert batch.warnings == []
    assert first_values(batch) != first
    (warning,) = batch.warnings
    assert "reshuffle_each_iteration=False" in warning


def test_dataset_shuffled_once_is_equal_on_each_pass(loaded: LoadedModel) -> None:
    batch = load_inputs(rows_of(64).shuffle(64, reshuffle_each_iteration=False), loaded, batch_size=8)
    first = first_values(batch)
    assert first_values(batch) == first
    assert labels(batch) == [index % 2 for index in first]
    assert batch.warnings == []


def test_dataset_of_random_inputs_gives_a_warning(loaded: LoadedModel) -> None:
    # Not TensorFlow's own random numbers: if another test has set the seed, they are equal in each pass.
    shifts = itertools.count()

    def shifted(row: Any, _: Any) -> Any:
        return row + tf.numpy_function(lambda: np.float32(next(shifts)), [], tf.float32)

    batch = load_inputs(rows_of(3).map(shifted), loaded)
    first_values(batch)
    first_values(batch)
    (warning,) = batch.warnings
    assert "yield the same inputs each time" in warning


def test_two_simultaneous_passes(loaded: LoadedModel) -> None:
    batch = load_inputs(rows_of(20), loaded, batch_size=5)
    for one, other in zip(batch.read(), batch.read(), strict=True):
        np.testing.assert_array_equal(one.inputs, other.inputs)


def test_endless_dataset_needs_max_inputs(loaded: LoadedModel) -> None:
    for dataset in (rows_of(3).repeat(), rows_of(3).repeat().batch(2), rows_of(3).batch(2).repeat()):
        assert "the dataset is infinite; limit the number of inputs with max_inputs=" in error_message(
            dataset, loaded
        )
        batch = load_inputs(dataset, loaded, max_inputs=5, batch_size=2)
        assert first_values(batch) == [0, 1, 2, 0, 1]


def test_empty_dataset_is_rejected(loaded: LoadedModel) -> None:
    assert "no input could be read from 'tf.data.Dataset' (it is empty)" in error_message(
        rows_of(3).take(0), loaded
    )


def test_labels_option_with_a_labelled_dataset_is_rejected(loaded: LoadedModel) -> None:
    assert "a dataset carries its own labels" in error_message(rows_of(3), loaded, labels=[0, 1, 0])


# Digests.


def digests(batch: Batch) -> list[bytes]:
    rows = np.concatenate([chunk.digests for chunk in batch.chunks() if chunk.digests is not None])
    assert (rows.dtype, rows.shape) == (np.uint8, (batch.count, 16))
    return [bytes(row) for row in rows]


def test_digests_are_computed_before_preprocessing(loaded: LoadedModel, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    np.savez_compressed(tmp_path / "a.npz", inputs=pixels)
    expected = [bytes(row) for row in row_digests(pixels)]
    assert digests(load_inputs(pixels, loaded, preprocess="-1..1")) == expected
    assert digests(load_inputs(pixels, loaded, max_inputs=2)) == [expected[0], expected[5]]
    assert digests(load_inputs(tmp_path / "a.npy", loaded)) == expected
    assert digests(load_inputs(tmp_path / "a.npz", loaded)) == expected
    assert digests(load_inputs(tf.data.Dataset.from_tensor_slices(pixels).batch(3), loaded)) == expected
    digest = load_inputs(pixels, loaded).record().digest
    assert load_inputs(pixels[::-1], loaded, preprocess="none").record().digest == digest
    assert load_inputs(pixels[:9], loaded).record().digest != digest
    assert load_inputs(pixels.astype(np.float32), loaded).record().digest != digest
    changed = pixels.copy()
    changed[9, 7, 7, 2] ^= 1
    assert load_inputs(changed, loaded).record().digest != digest


def test_digest_of_an_image_is_that_of_its_file(folder: Callable[..., Path], loaded: LoadedModel) -> None:
    path = folder(a=1, b=2, c=3)
    (path / "b.png").write_bytes(b"no picture")
    files = [(path / name).read_bytes() for name in ("a.png", "c.png")]
    assert digests(load_inputs(path, loaded)) == [blake2b(each, digest_size=16).digest() for each in files]


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_digest_does_not_depend_on_the_batch_size(batch_size: int, loaded: LoadedModel) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), dtype=np.uint8)
    expected = load_inputs(pixels, loaded).record().digest
    assert load_inputs(pixels, loaded, batch_size=batch_size).record().digest == expected
    two = {"second": pixels, "first": np.arange(40.0).reshape(10, 4)}
    expected = load_inputs(two, two_inputs()).record().digest
    assert load_inputs(two, two_inputs(), batch_size=batch_size).record().digest == expected
    assert digests(load_inputs(two, two_inputs())) == [
        bytes(row) for row in row_digests((two["first"], pixels))
    ]


# Values for each input.


def test_values_of_skipped_files(folder: Callable[..., Path], loaded: LoadedModel) -> None:
    path = folder(a=1, b=2, c=3, d=4)
    (path / "b.png").write_bytes(b"no picture")
    batch = load_inputs(path, loaded, batch_size=2).with_columns({"weights": [1, 2, 3, 4]})
    assert [chunk.columns["weights"].tolist() for chunk in batch.chunks()] == [[1], [3, 4]]
    with pytest.raises(InputsError, match="there are 3 weights for 4 inputs; give one for each"):
        load_inputs(path, loaded).with_columns({"weights": [1, 2, 3]})


@pytest.mark.parametrize("count", [9, 11])
def test_values_for_a_dataset_of_unknown_length(count: int, loaded: LoadedModel) -> None:
    batch = load_inputs(rows_of(10).batch(3), loaded, batch_size=4)
    with pytest.raises(InputsError, match=f"there are {count} weights for 10"):
        list(batch.with_columns({"weights": np.ones(count)}).chunks())
    joined = load_inputs(rows_of(10).batch(3), loaded, batch_size=4).with_columns({"weights": np.arange(10)})
    assert np.concatenate([chunk.columns["weights"] for chunk in joined.chunks()]).tolist() == first_values(
        joined
    )


def test_values_with_max_inputs(loaded: LoadedModel) -> None:
    batch = load_inputs(grey_rows(*range(10)), loaded, max_inputs=2)
    (chunk,) = batch.with_columns({"weights": np.arange(10)}).chunks()
    assert chunk.columns["weights"].tolist() == chunk.indices.tolist() == [0, 5]


# Labels.

LABELS: dict[str, tuple[Any, list[int]]] = {
    "indices": ([1, 0, 1], [1, 0, 1]),
    "array": (np.uint8([1, 0, 1]), [1, 0, 1]),
    "column": ([[1], [0], [1]], [1, 0, 1]),
    "one-hot": (np.eye(2)[[1, 0, 1]], [1, 0, 1]),
    "soft": ([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]], [1, 0, 1]),
    "names": (["dog", "cat", "dog"], [1, 0, 1]),
    "names in bytes": (np.array([b"dog", b"cat", b"dog"]), [1, 0, 1]),
    "names with strangers": (["dog", "emu", "cat"], [1, UNKNOWN, 0]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_accepted_labels(kind: str, loaded: LoadedModel) -> None:
    given, expected = LABELS[kind]
    batch = load_inputs(grey_rows(1, 2, 3), loaded, labels=given, class_names=["cat", "dog"], batch_size=2)
    assert labels(batch) == expected
    assert any("not class names count as unknown: emu" in each for each in batch.warnings) == (
        "emu" in str(given)
    )


TAGS = np.random.default_rng(4).integers(0, 4, (3, 4))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (TAGS, "labels are rows of 4 such as"),
        (TAGS.astype(np.float32), "labels are rows of 4 such as"),
        ([[0.2, -0.1], [0, 1], [1, 0]], r"labels are rows of 2 such as [ 0.2, -0.1]"),
        ([[0.2, np.nan], [0, 1], [1, 0]], "labels are rows of 2 such as"),
        (np.zeros((3, 8, 8), int), "labels have 8×8 values for each input, so they can't be its class"),
    ],
)
def test_rows_that_are_not_classes_are_left_out(given: Any, reason: str, loaded: LoadedModel) -> None:
    """Tags of a sequence as long as the number of classes are not the classes of one input."""
    batch = load_inputs(grey_rows(1, 2, 3), loaded, labels=given)
    assert labels(batch) == [UNKNOWN] * 3
    (warning,) = [each for each in batch.warnings if each.startswith("labels")]
    assert warning.startswith(reason)
    assert "left out" in warning


@pytest.mark.parametrize("tags", [TAGS, TAGS % 2, np.eye(4)[TAGS]])
def test_labels_of_positions_are_not_classes_of_inputs(
    tags: np.ndarray,
) -> None:
    model = keras.Sequential([keras.Input((4, 2)), keras.layers.Dense(4, activation="softmax")])
    batch = load_inputs(np.zeros((3, 4, 2), np.float32), load_model(model), labels=tags)
    assert labels(batch) == [UNKNOWN] * 3
    np.testing.assert_array_equal(next(batch.chunks()).given_labels, tags)
    assert not batch.warnings


@pytest.mark.parametrize(
    ("content", "expected"),
    [("1\n0\n1\n", [1, 0, 1]), ("\ufeffdog\r\ncat\r\ndog", [1, 0, 1]), ("dog\n²\ncat", [1, UNKNOWN, 0])],
)
def test_labels_in_a_text_file(
    content: str, expected: list[int], tmp_path: Path, loaded: LoadedModel
) -> None:
    (tmp_path / "labels.txt").write_bytes(content.encode())
    batch = load_inputs(
        grey_rows(1, 2, 3), loaded, labels=tmp_path / "labels.txt", class_names=["cat", "dog"]
    )
    assert labels(batch) == expected


def test_labels_in_an_npy_file(tmp_path: Path, loaded: LoadedModel) -> None:
    np.save(tmp_path / "labels.npy", [1, 0])
    assert labels(load_inputs(grey_rows(1, 2), loaded, labels=str(tmp_path / "labels.npy"))) == [1, 0]


@pytest.mark.parametrize(("given", "count"), [([0], 1), ([0, 1, 0], 3), ([], 0)])
def test_wrong_number_of_labels_is_rejected(given: list[int], count: int, loaded: LoadedModel) -> None:
    assert f"there are {count} labels for 2 inputs; give one for each" in error_message(
        grey_rows(1, 2), loaded, labels=given
    )


def test_unreadable_labels_are_rejected(tmp_path: Path, loaded: LoadedModel) -> None:
    assert "labels can't be read from" in error_message(grey_rows(1), loaded, labels=tmp_path / "missing.txt")
    (tmp_path / "a.npy").write_bytes(b"garbage")
    assert "labels can't be read from" in error_message(grey_rows(1), loaded, labels=tmp_path / "a.npy")
