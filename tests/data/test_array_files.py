"""Arrays in files: all rows are read, only required rows are loaded, and memory is bounded."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from mlflow_interp.data.array_files import StreamedRows, open_npz, open_rows
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.exceptions import InputsError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel
from tests.tiny_models import small_model

ROWS = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)


def inputs_in(path: Path) -> Any:
    return open_npz(path, str(path)).rows("inputs")


def rows_of(array: Any, *positions: list[int]) -> list[np.ndarray]:
    with open_rows(array) as take:
        return [take(np.array(each)) for each in positions]


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
@pytest.mark.parametrize("array", [ROWS, np.asfortranarray(ROWS), ROWS.astype(">f8"), ROWS[:, 0, 0, 0] > 9])
def test_any_rows_of_any_array_are_read(method: int, array: np.ndarray, tmp_path: Path) -> None:
    content = io.BytesIO()
    np.save(content, array)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("before.npy", b"anything")
        archive.writestr("inputs.npy", content.getvalue())
    stored = inputs_in(tmp_path / "a.npz")
    assert (stored.shape, stored.dtype, stored.ndim, len(stored)) == (
        array.shape,
        array.dtype,
        array.ndim,
        20,
    )
    is_streamed = method != zipfile.ZIP_STORED and array.flags.c_contiguous
    assert isinstance(stored, StreamedRows) == is_streamed
    for _ in range(2):
        first, some, last = rows_of(stored, [0, 1], [2, 5, 6, 11], [19])
        np.testing.assert_array_equal(first, array[:2])
        np.testing.assert_array_equal(some, array[[2, 5, 6, 11]])
        np.testing.assert_array_equal(last, array[19:])


def test_bytes_before_the_archive_are_ignored(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", inputs=ROWS)
    (tmp_path / "b.npz").write_bytes(b"before" + (tmp_path / "a.npz").read_bytes())
    np.testing.assert_array_equal(inputs_in(tmp_path / "b.npz"), ROWS)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_memory_is_bounded_by_a_batch(save: Any, tmp_path: Path, loaded: LoadedModel) -> None:
    """4,000 inputs of 192 KiB as floats, 750 MiB in total."""
    model = LoadedModel(small_model(size=128), loaded.origin, {})
    save(
        tmp_path / "a.npz",
        inputs=np.zeros((4000, 128, 128, 3), np.uint8),
        other=np.zeros((4000, 9999), np.uint8),
    )
    tracemalloc.start()
    batch = load_inputs(tmp_path / "a.npz", model, batch_size=8, preprocess="0..1")
    for number, chunk in enumerate(batch.chunks()):
        assert chunk.inputs.shape == (8, 128, 128, 3)
        if number == 60:
            break
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Three chunks of 1.5 MiB as floats, plus the memory that preparing one chunk needs.
    assert peak < 16 * 2**20


def test_evenly_spaced_inputs_are_read_from_a_compressed_file(tmp_path: Path, loaded: LoadedModel) -> None:
    np.savez_compressed(tmp_path / "a.npz", inputs=ROWS, labels=np.arange(20) % 2)
    batch = load_inputs(tmp_path / "a.npz", loaded, max_inputs=4, batch_size=3, preprocess="none")
    chunks = list(batch.chunks())
    assert np.concatenate([chunk.indices for chunk in chunks]).tolist() == [0, 5, 10, 15]
    np.testing.assert_array_equal(np.concatenate([chunk.inputs for chunk in chunks]), ROWS[::5])
    assert np.concatenate([chunk.labels for chunk in chunks]).tolist() == [0, 1, 0, 1]


def test_other_objects_in_the_archive_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", inputs=ROWS, notes=np.array([{}], object))
    np.testing.assert_array_equal(inputs_in(tmp_path / "a.npz"), ROWS)


def error_message(path: Path) -> str:
    with pytest.raises(InputsError, match="save plain arrays with numpy") as caught:
        rows_of(inputs_in(path), list(range(20)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_file_damaged_after_the_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, inputs=ROWS)
    content = bytearray(path.read_bytes())
    content[1500:1600] = bytes(100)
    path.write_bytes(content)
    assert "can't be read" in error_message(path)


@pytest.mark.parametrize("shape", [(21, 8, 8, 3), (10**9, 8, 8, 3), (20, 8, 8, 10**15), (-1, 8)])
def test_header_with_too_many_rows(shape: tuple[int, ...], tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        content = io.BytesIO()
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(content, header)
        with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
            archive.writestr("inputs.npy", content.getvalue() + ROWS.tobytes())
        assert "ends before its last row" in error_message(tmp_path / "a.npz")


# Keras' own datasets, from files like those it downloads.


@pytest.fixture
def keras_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def get_file(name: str, origin: str, **_: Any) -> str:
        assert origin.endswith(f"/{name}")
        return str(tmp_path / name)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    return tmp_path


DIGITS = {"x_train": ROWS[:, :, :, 0], "y_train": np.arange(20) % 10}
DIGITS |= {"x_test": DIGITS["x_train"][:5] + 1, "y_test": DIGITS["y_train"][:5]}


def check_digits(name: str, part: str) -> None:
    model = LoadedModel(small_model(channels=1), None, {})  # type: ignore[arg-type]
    batch = load_inputs(name, model, batch_size=3, preprocess="none")
    chunks = list(batch.chunks())
    np.testing.assert_array_equal(
        np.concatenate([chunk.inputs for chunk in chunks])[..., 0], DIGITS[f"x_{part}"]
    )
    assert np.concatenate([chunk.labels for chunk in chunks]).tolist() == DIGITS[f"y_{part}"].tolist()
    assert batch.total == len(DIGITS[f"y_{part}"])


@pytest.mark.parametrize(("suffix", "part"), [("", "test"), ("/test", "test"), ("/train", "train")])
def test_mnist_is_read_from_its_file(suffix: str, part: str, keras_files: Path) -> None:
    np.savez_compressed(keras_files / "mnist.npz", **DIGITS)
    check_digits(f"keras:mnist{suffix}", part)


@pytest.mark.parametrize(("suffix", "part", "file"), [("", "test", "t10k"), ("/train", "train", "train")])
def test_fashion_mnist_is_read_from_its_files(suffix: str, part: str, file: str, keras_files: Path) -> None:
    images, labels = DIGITS[f"x_{part}"], DIGITS[f"y_{part}"].astype(np.uint8)
    with gzip.open(keras_files / f"{file}-images-idx3-ubyte.gz", "wb") as stream:
        stream.write(struct.pack(">4i", 2051, *images.shape) + images.tobytes())
    with gzip.open(keras_files / f"{file}-labels-idx1-ubyte.gz", "wb") as stream:
        stream.write(struct.pack(">2i", 2049, len(labels)) + labels.tobytes())
    check_digits(f"keras:fashion_mnist{suffix}", part)


def test_dataset_that_is_damaged_or_cannot_be_downloaded(
    keras_files: Path, monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel
) -> None:
    (keras_files / "mnist.npz").write_bytes(b"garbage")
    with pytest.raises(InputsError, match="'keras:mnist' can't be read: File is not a zip file"):
        load_inputs("keras:mnist", loaded)
    (keras_files / "t10k-images-idx3-ubyte.gz").write_bytes(b"garbage")
    with pytest.raises(InputsError, match="'keras:fashion_mnist' can't be read"):
        load_inputs("keras:fashion_mnist", loaded)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no network\nat all")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    with pytest.raises(InputsError, match=r"'keras:mnist' can't be downloaded: no network$"):
        load_inputs("keras:mnist", loaded)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_several_inputs_by_name(save, tmp_path):
    """Each chunk equals the arrays, whatever its size; labels and weights are included."""
    rng = np.random.default_rng(0)
    arrays = {"first": rng.random((5, 4)), "second": rng.integers(0, 256, (5, 8, 8, 3), np.uint8)}
    labels, weights = np.array([0, 1, 1, 0, 1]), np.array([1.0, 0.0, 2.0, 1.0, 0.5])
    save(tmp_path / "all.npz", **arrays, label=labels, sample_weight=weights, names=np.array(list("abcde")))
    first, second = keras.Input((4,), name="first"), keras.Input((8, 8, 3), name="second")
    joined = keras.layers.Concatenate()([first, keras.layers.Flatten()(second)])
    loaded = load_model(keras.Model([first, second], keras.layers.Dense(2)(joined), name="two"))
    options = {"batch_size": 2, "preprocess": "0..1"}
    found = load_inputs(str(tmp_path / "all.npz"), loaded, **options)
    expected = load_inputs(arrays, loaded, labels=labels, **options)
    for one, other in zip(found.chunks(), expected.chunks(), strict=True):
        for name in arrays:
            np.testing.assert_array_equal(one.inputs[name], other.inputs[name])
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.weights, weights[one.indices])
        np.testing.assert_array_equal(one.digests, other.digests)
    assert "'names'" in found.warnings[0]
    given = load_inputs(str(tmp_path / "all.npz"), loaded, labels=1 - labels, **options)
    assert [label for chunk in given.chunks() for label in chunk.labels] == (1 - labels).tolist()
