"""Turns the user's inputs into a `Batch` that fits the model: resized, preprocessed, labelled, streamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from inspect import signature
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
from mlflow_interp.data.output_positions import Positions, with_positions
from mlflow_interp.data.reader import Reader, read_together
from mlflow_interp.data.regions import Boxes, Masks, with_regions
from mlflow_interp.data.resizing import Interpolation, Resize, find_resizing
from mlflow_interp.data.saved_arrays import read_arrays
from mlflow_interp.data.sources import Source, find_source, open_inputs, source_class_names
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
    log_images: bool = True,
    masks: Masks = None,
    boxes: Boxes = None,
    positions: Positions = None,
) -> Batch:
    """Prepare inputs for a model. They are read on demand, so that `batch_size` bounds memory.

    Args:
        inputs: An image file, a folder of images (class subfolders become labels), a glob, a .npy or .npz
            file, an artifact URI such as runs:/id/photos, keras:cifar10, an array, a tf.data.Dataset, or a
            keras.utils.PyDataset such as an iterator of an ImageDataGenerator.
        loaded: The model with the metadata it was logged with.
        class_names: Names of the model's classes: a JSON or text file, or JSON text. In Python, also a list,
            or a mapping from index to name. By default, the names in the model's metadata, else the class
            folders.
        labels: True classes of the inputs, or of each pixel or token if the model classifies those, as a
            .npy, .csv or text file: indices, one-hot rows or names; for a regression, the true values. In
            Python, also an array or a list. By default, the labels that come with the inputs.
        preprocess: How to turn pixels 0..255 into model inputs: auto, none, 0..1, -1..1, a
            keras.applications module such as mobilenet_v2, or module:function. By default, what the model's
            metadata states, else what its layers or name imply, else 0..1 with a warning. Float arrays are
            used unchanged unless this is given.
        resize: How to resize images to the model's input size: crop keeps the centre, pad adds black
            borders, stretch distorts. By default, what the model's metadata states, else crop with a
            warning.
        interpolation: Interpolation for resizing. Names with the prefix tf- use tf.image.resize without
            antialiasing, as keras.utils.image_dataset_from_directory does; the others use Pillow, which
            antialiases. By
            default, what the model's metadata states, else lanczos with a warning.
        batch_size: Number of inputs in one batch; a few batches are in memory at a time.
        max_inputs: Maximum number of inputs. They are taken at even intervals if the total number is known;
            otherwise, they are the first ones.
        log_images: Log and save the images or other values of the inputs. If false, figures, pages and arrays
            hold only heatmaps, numbers, predictions, labels and names; saliency and caricature are refused,
            because their results show the inputs.
        masks: Where the objects are, to measure how much of a heatmap lies inside (metrics mass_inside and
            pointing_game): a folder of mask images with the names of the inputs, black outside and anything
            else inside. In Python, also an array with a mask for each input.
        boxes: Where the objects are, as boxes in a COCO JSON file, in place of masks. A heatmap is compared
            with the boxes whose category has the name of the explained class, or with all boxes if no
            category has the name of a class.
        positions: Where in the output of a model that predicts a class at each of many positions, such as the
            pixels of a segmentation or the anchors of a detector, the class is explained: its mean score over
            all, over the position with an index or several with commas, over a pixel row,column or a box
            top,left,bottom,right of the model's input, over the positions predicted as a class (class road),
            or over a folder of mask images with the names of the inputs. In Python, also an array with a mask
            for each input. By default, all.

    Raises:
        InputsError: inputs that do not exist, can't be read, or don't fit the model.
        OptionError: an option out of range.
    """
    options = dict(locals())
    del options["inputs"], options["loaded"]
    return _prepared(inputs, [loaded], **options)[0]


def load_inputs_for(inputs: Any, models: Sequence[LoadedModel], **options: Any) -> list[Batch]:
    """Prepare the same inputs for each of several models.

    Models that read them side by side, chunk by chunk, share a pass: what a chunk holds is read and decoded
    once.

    Args:
        inputs: See `load_inputs`.
        models: The models.
        **options: Options of `load_inputs`, for all models.

    Raises:
        InputsError: inputs that do not exist, can't be read, or don't fit a model.
    """
    defaults = {each.name: each.default for each in signature(load_inputs).parameters.values()}
    del defaults["inputs"], defaults["loaded"]
    return _prepared(inputs, models, **(defaults | options))


def _prepared(
    inputs: Any,
    models: Sequence[LoadedModel],
    *,
    max_inputs: int | None,
    log_images: bool,
    masks: Masks,
    boxes: Boxes,
    positions: Any,
    **options: Any,
) -> list[Batch]:
    inputs = open_inputs(inputs, most=max_inputs)
    found = [_reader(inputs, each, max_inputs=max_inputs, **options) for each in models]
    batches = []
    for (reader, source), batch in zip(found, read_together(*zip(*found, strict=True)), strict=True):
        batch = with_regions(batch, source, masks, boxes, reader.resizing)
        batch = with_positions(batch, source, positions, reader.resizing)
        batch.log_images = log_images
        batch.read_like = partial(_read_input, reader=reader)
        batch.read_arrays = read_arrays
        alike = options | {"class_names": batch.class_names, "log_images": log_images}
        batch.load_like = partial(_load_like, loaded=reader.loaded, **alike)
        batches.append(batch)
    return batches


def _reader(
    inputs: Any,
    loaded: LoadedModel,
    *,
    class_names: ClassNames,
    labels: Labels,
    preprocess: str,
    resize: Resize,
    interpolation: Interpolation,
    batch_size: int,
    max_inputs: int | None,
) -> tuple[Reader, Source]:
    """The reader of one model, and what it reads."""
    labels = loaded.labels_of(read_column(labels, "labels"))
    source = find_source(inputs, labels, batch_size=batch_size, most=max_inputs, takes=model_inputs(loaded))
    declared, warnings = declared_class_names(loaded.metadata)
    names = load_class_names(class_names if class_names is not None else declared)
    names = names or source_class_names(source, loaded.keras)
    warnings += check_class_names(names, class_count(loaded.keras))
    reader = Reader(
        loaded=loaded,
        shape=input_shape(loaded),
        class_names=names,
        preprocess=preprocess,
        resizing=find_resizing(resize, interpolation, loaded.metadata),
        batch_size=batch_size,
        max_inputs=max_inputs,
        warnings=warnings,
    )
    return reader, source


def _load_like(inputs: Any, other_labels: Any, **options: Any) -> Batch:
    """Other inputs with their labels, and with the other options of a call."""
    return load_inputs(inputs, **options | {"labels": other_labels})


def _read_input(name: str, *, reader: Reader) -> np.ndarray:
    """The input in an image file, or in a .npy file of one input, prepared like all inputs."""
    if not name.lower().endswith(".npy"):
        takes = model_inputs(reader.loaded)
        source = find_source(open_inputs(name, most=1), None, batch_size=1, most=1, takes=takes)
        (batch,) = read_together([replace(reader, max_inputs=1, skipped={}, preparations=[])], [source])
        return np.asarray(next(batch.chunks()).inputs[0])
    try:
        return np.asarray(np.load(name, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise InputsError(f"{name!r} can't be read as an array: {error}; save it with numpy.save") from error
