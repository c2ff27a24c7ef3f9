"""From what a user names to a `Batch` that fits the model: sized, preprocessed, labelled, streamed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import numpy as np

from mlflow_interp.core.accepted import Range, checked
from mlflow_interp.core.batch import Batch
from mlflow_interp.data.class_names import (
    ClassNames,
    check_class_names,
    declared_class_names,
    load_class_names,
)
from mlflow_interp.data.labels import Labels, read_column
from mlflow_interp.data.reader import Reader
from mlflow_interp.data.resizing import Interpolation, Resize, find_resizing
from mlflow_interp.data.saved_arrays import read_arrays
from mlflow_interp.data.sources import find_source, source_class_names
from mlflow_interp.exceptions import InputsError
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.models.signature import class_count, input_shape, model_inputs


@checked
def load_inputs(
    inputs: Any,
    loaded: LoadedModel,
    *,
    class_names: ClassNames = None,
    labels: Labels = None,
    preprocess: str = "auto",
    resize: Resize = "auto",
    interpolation: Interpolation = "auto",
    batch_size: Annotated[int, Range(least=1)] = 32,
    max_inputs: Annotated[int | None, Range(least=1)] = None,
) -> Batch:
    """Make inputs ready for a model, read as they are needed: memory is bounded by `batch_size`.

    Args:
        inputs: A picture, a folder of pictures (class subfolders become labels), a glob, a .npy or .npz
            file, an artifact URI such as runs:/id/photos, keras:cifar10, an array, a tf.data.Dataset, a
            keras.utils.PyDataset such as an iterator of an ImageDataGenerator.
        loaded: The model and what was said about it when it was logged.
        class_names: The names of the model's classes: a JSON or text file, JSON itself, a list, or a
            mapping from index to name. By default those in the model's metadata, or the class folders.
        labels: The true classes, one for each input or each of its positions: indices, one-hot rows or
            names, or a .npy or text file of them. Of a regression the true values. By default what the
            inputs carry.
        preprocess: How pixels 0..255 become what the model takes: auto, none, 0..1, -1..1, a
            keras.applications module such as mobilenet_v2, or module:function. Arrays of floats are
            taken as they are unless this is given.
        resize: How images get the size that the model takes: crop keeps the middle, pad adds black,
            stretch distorts. By default what the model's metadata states, else crop, with a warning.
        interpolation: How pixels are computed where images are resized: by Pillow, which smooths when it
            reduces, or, with tf- before the name, by tf.image.resize, which does not and is what
            keras.utils.image_dataset_from_directory uses. By default what the model's metadata states,
            else lanczos, with a warning.
        batch_size: Number of inputs in one batch; a few batches are in memory at a time.
        max_inputs: Take at most this many, evenly spaced where the number is known.

    Raises:
        InputsError: nothing there, nothing readable, or nothing the model can take.
        OptionError: an option out of range.
    """
    shape = input_shape(loaded)
    labels = loaded.labels_of(read_column(labels, "labels"))
    takes = model_inputs(loaded)
    source = find_source(inputs, labels, batch_size=batch_size, most=max_inputs, takes=takes)
    declared, warnings = declared_class_names(loaded.metadata)
    names = load_class_names(class_names if class_names is not None else declared)
    names = names or source_class_names(source, loaded.keras)
    warnings += check_class_names(names, class_count(loaded.keras))
    reader = Reader(
        loaded=loaded,
        shape=shape,
        class_names=names,
        preprocess=preprocess,
        resizing=find_resizing(resize, interpolation, loaded.metadata),
        batch_size=batch_size,
        max_inputs=max_inputs,
        warnings=warnings,
    )
    batch = reader.batch(source)
    batch.read_like = partial(_read_input, reader=reader)
    batch.read_arrays = read_arrays
    return batch


def _read_input(name: str, *, reader: Reader) -> np.ndarray:
    """The input in an image file, or in a .npy file of one input, prepared as all inputs are."""
    if not name.lower().endswith(".npy"):
        takes = model_inputs(reader.loaded)
        source = find_source(name, None, batch_size=1, most=1, takes=takes)
        batch = replace(reader, max_inputs=1, skipped={}).batch(source)
        return np.asarray(next(batch.chunks()).inputs[0])
    try:
        return np.asarray(np.load(name, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise InputsError(f"{name!r} can't be read as an array: {error}; save it with numpy.save") from error
