"""Sources of inputs: image files, arrays, datasets, each read block by block."""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Arrays, flatten
from mlflow_interp.core.paths import local_path
from mlflow_interp.data.array_files import (
    NpzFile,
    StreamedRows,
    is_same_array,
    open_npz,
    read_idx,
    read_npy,
)
from mlflow_interp.data.datasets import Blocks, PyBatches, open_py_dataset, read_dataset, read_py_dataset
from mlflow_interp.data.elements import find_layout, usual_key
from mlflow_interp.data.folders import ImageFiles, check_images, read_folder
from mlflow_interp.data.images import SUFFIXES
from mlflow_interp.data.preparation import is_text
from mlflow_interp.exceptions import InputsError, ModelError, first_line, without_password
from mlflow_interp.models import artifact_store
from mlflow_interp.models.signature import ModelInputs, class_count

KERAS_DATASETS = ("mnist", "fashion_mnist", "cifar10", "cifar100")
_KERAS_FILES = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
_MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
_FASHION_MNIST = {"train": "train", "test": "t10k"}
_IDX_FILES = ("images-idx3-ubyte", "labels-idx1-ubyte")
_ACCEPTED = (
    "an image file, a folder of images, a glob, a .npy or .npz file, an artifact URI, "
    f"keras:{KERAS_DATASETS[2]}, an array, a tf.data.Dataset or a keras.utils.PyDataset"
)


@dataclass(frozen=True)
class ArrayRows:
    """Arrays with one row per input; `labels` are integers, one-hot rows, or names; `weights` are numbers."""

    uri: str
    inputs: Arrays | StreamedRows
    labels: Any = None
    weights: Any = None
    warnings: Sequence[str] = ()


Source = ImageFiles | ArrayRows | Blocks


def find_inputs(inputs: Any) -> Any:
    """The source that a path or URI names, downloaded if it is remote; any other inputs unchanged.

    Imports neither Keras nor TensorFlow, so the name of a Keras dataset is checked but stays a name.

    Raises:
        InputsError: the inputs do not exist, or can't be read.
        TrackingError: the tracking server does not answer.
    """
    if not isinstance(inputs, (str, Path)):
        return inputs
    name = str(inputs)
    if name.startswith("keras:"):
        _keras_part(name)
        return name
    return _from_name(name)


def open_inputs(inputs: Any, *, most: int | None) -> Any:
    """What `find_inputs` gives, with what is needed to find a source for any model.

    Args:
        inputs: The user's argument, or what `find_inputs` made of it.
        most: Number of rows to take from a dataset.

    Raises:
        InputsError: the inputs do not exist, or can't be read.
    """
    import keras

    inputs = find_inputs(inputs)
    if isinstance(inputs, str):
        return _keras_dataset(inputs)
    return open_py_dataset(inputs, most=most) if isinstance(inputs, keras.utils.PyDataset) else inputs


def find_source(
    inputs: Any, labels: Any, *, batch_size: int, most: int | None, takes: ModelInputs | None
) -> Source:
    """The source of the inputs that a user passes.

    Args:
        inputs: What `open_inputs` gives.
        labels: One for each input, if inputs have no labels of their own.
        batch_size: Number of rows that a dataset yields at a time.
        most: Number of rows to take from a dataset.
        takes: What the model takes, None if not known; it shows whether a dataset is batched.

    Raises:
        InputsError: the inputs do not exist, or can't be read.
    """
    if isinstance(inputs, NpzFile):
        return _npz_rows(inputs, labels, takes)
    if isinstance(inputs, (ImageFiles, ArrayRows)):
        return _with_labels(inputs, labels)
    read_blocks = _reader_of_blocks(inputs)
    if read_blocks is not None:
        if labels is not None:
            raise InputsError(
                "a dataset carries its own labels; leave labels= out, or join them: "
                "tf.data.Dataset.zip((inputs, labels))"
            )
        return read_blocks(inputs, batch_size=batch_size, most=most, takes=takes)
    if isinstance(inputs, Mapping):
        return _mapping(inputs, labels, takes)
    if isinstance(inputs, tuple) or (isinstance(inputs, list) and _are_arrays(inputs)):
        return ArrayRows("arrays", _check_arrays(tuple(inputs), "inputs"), labels)
    if hasattr(inputs, "__array__") or isinstance(inputs, list):
        return ArrayRows("array", _check_arrays(_as_array(inputs), "inputs"), labels)
    raise InputsError(f"inputs are a {type(inputs).__name__}; give {_ACCEPTED}")


def _reader_of_blocks(inputs: Any) -> Callable[..., Blocks] | None:
    if hasattr(inputs, "element_spec"):
        return read_dataset
    return read_py_dataset if isinstance(inputs, PyBatches) else None


def _mapping(inputs: Mapping[str, Any], labels: Any, takes: ModelInputs | None) -> ArrayRows:
    """Arrays by name, which may include labels, as in the elements of a dataset."""
    element = dict(inputs) if labels is None else (dict(inputs), labels)
    layout = find_layout(element, takes)
    values, labels, weights = layout.split(element)
    arrays = dict(values) if isinstance(values, Mapping) else _as_array(values)
    return ArrayRows(
        "arrays",
        _check_arrays(arrays, "inputs"),
        labels,
        weights,
        layout.warnings("the mapping of inputs"),
    )


def _as_array(inputs: Any) -> np.ndarray:
    try:
        array = np.asarray(inputs)
        # A fixed-width string array would lose trailing zeros.
        return array if hasattr(inputs, "dtype") or array.dtype.kind not in "SU" else np.array(inputs, object)
    except ValueError as error:
        raise InputsError(f"inputs have rows of different shapes; give {_ACCEPTED}") from error


def _are_arrays(inputs: list[Any]) -> bool:
    """Whether a list has an array for each input of the model, not a row for each input."""
    return (
        bool(inputs)
        and all(hasattr(array, "__array__") and np.ndim(array) > 1 for array in inputs)
        and len({np.shape(array)[1:] for array in inputs}) > 1
    )


def _with_labels(source: ImageFiles | ArrayRows, labels: Any) -> ImageFiles | ArrayRows:
    """A source with the given labels instead of its own, if there are any."""
    if labels is None:
        return source
    # If each image has a label, no image is outside the classes.
    if isinstance(source, ImageFiles) and source.every is not None:
        is_for_every = np.shape(labels)[:1] == (len(source.every.paths),)
        source = source.every if is_for_every else source
    return replace(source, labels=labels)


def _from_name(name: str) -> ImageFiles | ArrayRows | NpzFile:
    path = _fetch(name) if artifact_store.is_uri(name) else local_path(name)
    uri = without_password(name)
    if path.is_dir():
        return read_folder(path, uri)
    if path.suffix.lower() in (".npy", ".npz"):
        return _numpy_file(path, uri)
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise InputsError(f"{uri!r} is neither an image nor a .npy or .npz file; give {_ACCEPTED}")
        return ImageFiles(uri, [path], [path.name])
    matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
    if not matches:
        raise InputsError(f"nothing found at {uri!r}; give {_ACCEPTED}")
    files = [match for match in matches if match.suffix.lower() in SUFFIXES and match.is_file()]
    return check_images(ImageFiles(uri, files, [file.name for file in files]))


def is_same(one: Source, other: Source) -> bool:
    """Whether two sources, found for two models, read the same, so that it can be read once for both."""
    if isinstance(one, ImageFiles) and isinstance(other, ImageFiles):
        return one.paths == other.paths
    if isinstance(one, Blocks) and isinstance(other, Blocks):
        return one.origin == other.origin
    if isinstance(one, ArrayRows) and isinstance(other, ArrayRows):
        return _structure(one.inputs) == _structure(other.inputs) and all(
            map(is_same_array, flatten(one.inputs), flatten(other.inputs))
        )
    return False


def _structure(arrays: Any) -> tuple[type, Any]:
    """What arrays must have in common to be compared one by one."""
    if isinstance(arrays, Mapping):
        return dict, sorted(arrays)
    return type(arrays), len(arrays) if isinstance(arrays, tuple) else 1


def source_class_names(source: Source, model: Any) -> tuple[str, ...] | None:
    """The class names that a source has, if there are as many as classes.

    For a folder, these are its sorted class folders, in the order that Keras' own loader uses.
    """
    candidates: list[Sequence[str]] = [] if isinstance(source, ArrayRows) else [source.classes]
    if isinstance(source, ImageFiles):
        candidates.append(sorted(set(source.folders or ())))
    return next((tuple(names) for names in candidates if len(names) == class_count(model)), None)


def _fetch(uri: str) -> Path:
    try:
        return artifact_store.fetch(uri)
    except ModelError as error:
        raise InputsError(str(error)) from error


def _numpy_file(path: Path, uri: str) -> ArrayRows | NpzFile:
    if path.suffix.lower() == ".npz":
        return open_npz(path, uri)
    return ArrayRows(uri, _check_arrays(read_npy(path, uri), uri))


def _npz_rows(file: NpzFile, labels: Any, takes: ModelInputs | None) -> ArrayRows:
    """The arrays in a file: those named like the model's inputs, or the one with a usual name."""
    names = {name: name for name in file.members}
    element = names if labels is None else (names, labels)
    layout = find_layout(element, takes)
    if layout.keys is None:  # nothing is known about the model
        usual = usual_key(list(names))
        layout = replace(
            layout, keys=tuple(names) if usual is None else (usual,), is_single=usual is not None
        )
    inputs, label, weight = layout.split(element)
    rows = {key: file.rows(key) for key in inputs} if isinstance(inputs, dict) else file.rows(inputs)
    return ArrayRows(
        file.uri,
        _check_arrays(rows, file.uri),
        label if layout.label is None else file.whole(label),
        None if weight is None else file.whole(weight),
        layout.warnings(file.uri),
    )


def _check_arrays(arrays: Arrays, what: str) -> Arrays:
    lengths = set()
    for array in flatten(arrays):
        dtype = getattr(array, "dtype", None)
        holds_text = dtype is not None and is_text(array)
        if dtype is None or not (holds_text or dtype.kind in "biuf"):
            raise InputsError(f"{what} have {dtype or type(array).__name__} values; give numbers")
        if array.ndim < (1 if holds_text else 2):
            raise InputsError(f"{what} have shape {array.shape}; give an axis of inputs and one or more axes")
        lengths.add(len(array))
    if lengths == {0}:
        raise InputsError(f"{what} are empty; give at least one input")
    if len(lengths) != 1:
        raise InputsError(f"{what} differ in length: {sorted(lengths)}; give each the same number of rows")
    return arrays


def _keras_part(name: str) -> tuple[str, str]:
    """The Keras dataset, and the part of it, that a name such as keras:cifar10/train stands for."""
    dataset, _, part = name.removeprefix("keras:").partition("/")
    part = part or "test"
    if dataset not in KERAS_DATASETS or part not in ("test", "train"):
        raise InputsError(
            f"no inputs {name!r}; available: {', '.join(f'keras:{each}' for each in KERAS_DATASETS)}, "
            "each with /train or /test (the default)"
        )
    return dataset, part


def _keras_dataset(name: str) -> ArrayRows:
    import keras

    dataset, part = _keras_part(name)
    try:
        if dataset == "mnist":
            path = keras.utils.get_file("mnist.npz", f"{_KERAS_FILES}/mnist.npz", file_hash=_MNIST_SHA256)
            file = open_npz(Path(path), name)
            return ArrayRows(name, file.rows(f"x_{part}"), file.whole(f"y_{part}"))
        if dataset == "fashion_mnist":
            images, labels = (_fashion_mnist_file(f"{_FASHION_MNIST[part]}-{kind}") for kind in _IDX_FILES)
            return ArrayRows(name, *read_idx(images, labels, name))
        # Each of these files is one pickle of at least 10,000 images, which is read as a whole.
        train, test = getattr(keras.datasets, dataset).load_data()
    except InputsError:
        raise
    except Exception as error:
        raise InputsError(f"{name!r} can't be downloaded: {first_line(error)}") from error
    inputs, labels = train if part == "train" else test
    return ArrayRows(name, inputs, labels.reshape(-1))


def _fashion_mnist_file(name: str) -> Path:
    import keras

    folder = "datasets/fashion-mnist"  # where Keras' own loader puts it, so that its downloads are found
    return Path(keras.utils.get_file(f"{name}.gz", f"{_KERAS_FILES}/{name}.gz", cache_subdir=folder))
