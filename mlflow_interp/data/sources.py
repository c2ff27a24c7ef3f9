"""Sources of inputs: image files, arrays, a tf.data.Dataset, each read block by block."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Arrays, flatten
from mlflow_interp.core.paths import local_path
from mlflow_interp.data.array_files import StreamedRows, read_idx, read_npy, read_npz
from mlflow_interp.data.images import SUFFIXES, find_images
from mlflow_interp.exceptions import InputsError, ModelError, first_line, without_password
from mlflow_interp.models import artifact_store
from mlflow_interp.models.signature import class_count

KERAS_DATASETS = ("mnist", "fashion_mnist", "cifar10", "cifar100")
_KERAS_FILES = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
_MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
_FASHION_MNIST = {"train": "train", "test": "t10k"}
_IDX_FILES = ("images-idx3-ubyte", "labels-idx1-ubyte")
_ENDLESS = -1  # tf.data.INFINITE_CARDINALITY
_INPUT_KEYS = ("inputs", "x", "X", "images", "data", "x_test", "arr_0")
_LABEL_KEYS = ("labels", "y", "Y", "targets", "y_test", "arr_1")
_ACCEPTED = (
    "a picture, a folder of pictures, a glob, a .npy or .npz file, an artifact URI, "
    f"keras:{KERAS_DATASETS[2]}, an array or a tf.data.Dataset"
)


@dataclass(frozen=True)
class ImageFiles:
    """Image files; `folders` are their class folders, and also their `labels` by default.

    `classes` are all class folders, those without images too. `every` are all images of the folder, where
    some lie beside the class folders and are left out, and `warnings` are about that.
    """

    uri: str
    paths: Sequence[Path]
    names: Sequence[str]
    labels: Any = None
    folders: Sequence[str] | None = None
    classes: Sequence[str] = ()
    every: ImageFiles | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class ArrayRows:
    """Arrays with a row an input; `labels` are integers, one-hot rows, or names."""

    uri: str
    inputs: Arrays | StreamedRows
    labels: Any = None


@dataclass(frozen=True)
class Blocks:
    """An iterator of (inputs, labels, weights), new for each pass; `total` is None where it is unknown."""

    uri: str
    read: Callable[[], Iterator[tuple[Arrays, Any, Any]]]
    total: int | None
    labelled: bool


Source = ImageFiles | ArrayRows | Blocks


def find_inputs(inputs: Any) -> Any:
    """The source that a path or URI names, downloaded if it is elsewhere; any other inputs as they are.

    It needs neither Keras nor TensorFlow, so a dataset of Keras, whose name is checked, stays a name.

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


def find_source(inputs: Any, labels: Any, *, batch_size: int, most: int | None, axes: int | None) -> Source:
    """The source of the inputs that a user passes.

    Args:
        inputs: The argument of the user, or what `find_inputs` made of it.
        labels: One for each input, where inputs have no labels of their own.
        batch_size: How many rows a dataset yields at a time.
        most: How many rows to take of a dataset.
        axes: How many axes a batch has, summed over all inputs of the model; it shows whether a dataset is
            batched.

    Raises:
        InputsError: the inputs do not exist, or can't be read.
    """
    inputs = find_inputs(inputs)
    if isinstance(inputs, str):
        return _with_labels(_keras_dataset(inputs), labels)
    if isinstance(inputs, (ImageFiles, ArrayRows)):
        return _with_labels(inputs, labels)
    if hasattr(inputs, "element_spec"):
        if labels is not None:
            raise InputsError(
                "a dataset carries its own labels; leave labels= out, or join them: "
                "tf.data.Dataset.zip((inputs, labels))"
            )
        return _dataset(inputs, batch_size, most, axes)
    if isinstance(inputs, (Mapping, tuple)) or (isinstance(inputs, list) and _are_arrays(inputs)):
        structure = dict(inputs) if isinstance(inputs, Mapping) else tuple(inputs)
        return ArrayRows("arrays", _check_arrays(structure, "inputs"), labels)
    if hasattr(inputs, "__array__") or isinstance(inputs, list):
        return ArrayRows("array", _check_arrays(_as_array(inputs), "inputs"), labels)
    raise InputsError(f"inputs are a {type(inputs).__name__}; give {_ACCEPTED}")


def _as_array(inputs: Any) -> np.ndarray:
    try:
        return np.asarray(inputs)
    except ValueError as error:
        raise InputsError(f"inputs are rows of different shapes; give {_ACCEPTED}") from error


def _are_arrays(inputs: list[Any]) -> bool:
    """Whether a list holds an array for each input of the model, not a row for each input."""
    return (
        bool(inputs)
        and all(hasattr(array, "__array__") and np.ndim(array) > 1 for array in inputs)
        and len({np.shape(array)[1:] for array in inputs}) > 1
    )


def _with_labels(source: ImageFiles | ArrayRows, labels: Any) -> ImageFiles | ArrayRows:
    """A source with other labels than its own, where there are others."""
    if labels is None:
        return source
    # Where each image has a label, none lies beside the classes.
    if isinstance(source, ImageFiles) and source.every is not None:
        is_for_every = np.shape(labels)[:1] == (len(source.every.paths),)
        source = source.every if is_for_every else source
    return replace(source, labels=labels)


def _from_name(name: str) -> ImageFiles | ArrayRows:
    path = _fetch(name) if artifact_store.is_uri(name) else local_path(name)
    uri = without_password(name)
    if path.is_dir():
        return _folder(path, uri)
    if path.suffix.lower() in (".npy", ".npz"):
        return _numpy_file(path, uri)
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise InputsError(f"{uri!r} is no picture and no .npy or .npz file; give {_ACCEPTED}")
        return ImageFiles(uri, [path], [path.name])
    matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
    if not matches:
        raise InputsError(f"nothing found at {uri!r}; give {_ACCEPTED}")
    files = [match for match in matches if match.suffix.lower() in SUFFIXES and match.is_file()]
    return _check_images(ImageFiles(uri, files, [file.name for file in files]))


def folder_class_names(source: Source, model: Any) -> tuple[str, ...] | None:
    """The sorted class folders, if there are as many as classes: Keras' own loader numbers them so."""
    if not isinstance(source, ImageFiles) or source.folders is None:
        return None
    for folders in (source.classes, sorted(set(source.folders))):
        if len(folders) == class_count(model):
            return tuple(folders)
    return None


def _fetch(uri: str) -> Path:
    try:
        return artifact_store.fetch(uri)
    except ModelError as error:
        raise InputsError(str(error)) from error


def _folder(folder: Path, uri: str) -> ImageFiles:
    relative = [path.relative_to(folder) for path in find_images(folder)]
    names = [path.as_posix() for path in relative]
    every = _check_images(ImageFiles(uri, [folder / path for path in relative], names))
    inside = [path for path in relative if len(path.parts) > 1]
    beside = [path.as_posix() for path in relative if len(path.parts) == 1]
    # Class folders: at least two, and hardly any image beside them. Keras' own loader leaves those out too.
    if len({path.parts[0] for path in inside}) < 2 or 2 * len(beside) > len(inside):
        return replace(every, warnings=_not_class_folders(uri, inside, beside))
    folders = [path.parts[0] for path in inside]
    return ImageFiles(
        uri,
        [folder / path for path in inside],
        [path.as_posix() for path in inside],
        labels=folders,
        folders=folders,
        classes=sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."),
        every=every if beside else None,
        warnings=[_left_out(beside)] if beside else [],
    )


def _left_out(names: Sequence[str]) -> str:
    named = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return (
        f"images beside the class folders are left out: {named}; move what belongs to a class into its folder"
    )


def _not_class_folders(uri: str, inside: Sequence[Path], beside: Sequence[str]) -> list[str]:
    """A warning where subfolders could be meant as classes, and are not taken for that."""
    count = len({path.parts[0] for path in inside})
    if count < 2:
        return []
    return [
        f"{uri!r} has {len(beside)} images beside {count} subfolders, so these are not taken as classes, and "
        "there are no labels; give labels=, or put every image into the folder of its class"
    ]


def _check_images(images: ImageFiles) -> ImageFiles:
    if not images.paths:
        raise InputsError(f"no pictures in {images.uri!r}; a picture ends in {', '.join(SUFFIXES)}")
    return images


def _numpy_file(path: Path, uri: str) -> ArrayRows:
    if path.suffix.lower() == ".npy":
        return ArrayRows(uri, _check_arrays(read_npy(path, uri), uri))
    inputs, labels = read_npz(path, uri, _INPUT_KEYS, _LABEL_KEYS)
    return ArrayRows(uri, _check_arrays(inputs, uri), labels)


def _check_arrays(arrays: Arrays, what: str) -> Arrays:
    lengths = set()
    for array in flatten(arrays):
        if not hasattr(array, "dtype") or array.dtype.kind not in "biuf":
            dtype = getattr(array, "dtype", type(array).__name__)
            raise InputsError(f"{what} hold {dtype} values; numbers are needed")
        if array.ndim < 2:
            raise InputsError(f"{what} have shape {array.shape}; a first axis of inputs and more are needed")
        lengths.add(len(array))
    if lengths == {0}:
        raise InputsError(f"{what} are empty; give at least one input")
    if len(lengths) != 1:
        raise InputsError(f"{what} differ in length: {sorted(lengths)}; give each the same number of rows")
    return arrays


def _keras_part(name: str) -> tuple[str, str]:
    """The dataset of Keras, and which part of it, that a name such as keras:cifar10/train stands for."""
    dataset, _, part = name.removeprefix("keras:").partition("/")
    part = part or "test"
    if dataset not in KERAS_DATASETS or part not in ("test", "train"):
        raise InputsError(
            f"no inputs {name!r}; there are: {', '.join(f'keras:{each}' for each in KERAS_DATASETS)}, "
            "each with /train or /test (the default)"
        )
    return dataset, part


def _keras_dataset(name: str) -> ArrayRows:
    import keras

    dataset, part = _keras_part(name)
    try:
        if dataset == "mnist":
            path = keras.utils.get_file("mnist.npz", f"{_KERAS_FILES}/mnist.npz", file_hash=_MNIST_SHA256)
            return ArrayRows(name, *read_npz(Path(path), name, [f"x_{part}"], [f"y_{part}"]))
        if dataset == "fashion_mnist":
            images, labels = (_fashion_mnist_file(f"{_FASHION_MNIST[part]}-{kind}") for kind in _IDX_FILES)
            return ArrayRows(name, *read_idx(images, labels, name))
        # A file of these is one pickle of 10,000 images or more, which is read as a whole.
        train, test = getattr(keras.datasets, dataset).load_data()
    except InputsError:
        raise
    except Exception as error:
        raise InputsError(f"{name!r} can't be downloaded: {first_line(error)}") from error
    inputs, labels = train if part == "train" else test
    return ArrayRows(name, inputs, labels.reshape(-1))


def _fashion_mnist_file(name: str) -> Path:
    import keras

    folder = "datasets/fashion-mnist"  # as Keras' own loader, so that what it downloaded is found
    return Path(keras.utils.get_file(f"{name}.gz", f"{_KERAS_FILES}/{name}.gz", cache_subdir=folder))


def _dataset(dataset: Any, batch_size: int, most: int | None, axes: int | None) -> Blocks:
    spec = dataset.element_spec
    has_labels = isinstance(spec, tuple) and len(spec) in (2, 3)
    if int(dataset.cardinality()) == _ENDLESS and most is None:  # checked first, as unbatch() loses it
        raise InputsError("the dataset is endless; say how much of it to take with max_inputs=")
    if _is_batched(flatten(spec[0] if has_labels else spec), axes):
        dataset = dataset.unbatch()
    dataset = dataset if most is None else dataset.take(most)
    total = int(dataset.cardinality())
    # TensorFlow would add a prefetch itself, of as many blocks as it thinks best.
    blocks = dataset.batch(batch_size).prefetch(1)

    def read() -> Iterator[tuple[Arrays, Any, Any]]:
        for element in blocks.as_numpy_iterator():
            inputs, labels, weights = (*element, None)[:3] if has_labels else (element, None, None)
            yield inputs, labels, weights

    return Blocks("tf.data.Dataset", read, total if total >= 0 else None, has_labels)


def _is_batched(specs: list[Any], axes: int | None) -> bool:
    """Whether elements have the axes of a batch; where these are not known, a first axis of any length."""
    if axes is None:
        return all(spec.shape.rank and spec.shape[0] is None for spec in specs)
    return sum(spec.shape.rank or 0 for spec in specs) == axes
