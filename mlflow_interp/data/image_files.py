"""Image files as rows for one model, with the size and channels that it accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mlflow_interp.data.folders import ImageFiles
from mlflow_interp.data.images import Form, ImageFile, ReadImage, read_forms, read_image
from mlflow_interp.data.preparation import Preparation, Rows
from mlflow_interp.data.read_ahead import Decoders
from mlflow_interp.exceptions import InputsError

LARGEST_FREE_SIZE = 512  # of an image for a model that takes any size


def image_shape(
    paths: Sequence[ImageFile],
    model_name: str,
    shape: tuple[int | None, ...] | None,
    *,
    is_channels_first: bool,
) -> tuple[tuple[int, int], int]:
    """(height, width) and channels that images are converted to.

    Args:
        paths: the paths of the images; the first image determines what the model leaves open.
        model_name: for messages.
        shape: the shape of the model's input; None if it has several inputs or the shape is not known.
        is_channels_first: whether the model expects channels first.

    Raises:
        InputsError: the model doesn't accept images.
    """
    if shape is None or len(shape) != 4:
        takes = f"shape {shape}" if shape else "several inputs or an input of unknown shape"
        raise InputsError(f"image files don't fit model {model_name!r}, which takes {takes}; give arrays")
    height, width, channels = (shape[2], shape[3], shape[1]) if is_channels_first else shape[1:]
    if channels not in (1, 3, 4, None):
        raise InputsError(f"the model takes {channels} channels, but image files have 1, 3 or 4; give arrays")
    if height is None or width is None:
        free_height, free_width = _first_size(paths)
        height = height or free_height
        width = width or free_width
    return (height, width), channels or 3


def _first_size(paths: Sequence[ImageFile]) -> tuple[int, int]:
    """(height, width) of the first readable image, reduced to `LARGEST_FREE_SIZE`."""
    for path in paths:
        try:
            height, width = read_image(path, size=None, channels=1).pixels.shape[:2]
        except InputsError:
            continue
        scale = min(1.0, LARGEST_FREE_SIZE / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))
    return LARGEST_FREE_SIZE, LARGEST_FREE_SIZE


@dataclass(frozen=True, eq=False)
class FilesPart:
    """Some of the files, which are decoded once, in all forms that models need.

    Attributes:
        source: all files.
        positions: those of this part.
        forms: the forms.
        decoders: decode in parallel.
    """

    source: ImageFiles
    positions: np.ndarray
    forms: Sequence[Form]
    decoders: Decoders

    @cached_property
    def decoded(self) -> dict[int, list[ReadImage] | InputsError]:
        """By position, the image in each form, or the reason why it can't be read."""
        indices = self.positions.tolist()
        paths = [self.source.paths[index] for index in indices]
        return dict(zip(indices, self.decoders.map(self._decode, paths), strict=True))

    def _decode(self, path: ImageFile) -> list[ReadImage] | InputsError:
        try:
            return read_forms(path, self.forms)
        except InputsError as error:
            return error

    def rows(self, form: Form, preparation: Preparation) -> tuple[Rows | None, bool, dict[str, str]]:
        """The images in a form, prepared for a model.

        Returns:
            The images that can be read, or None without any; whether some were resized; and, by name, why the
            others can't be read.
        """
        source, at = self.source, list(self.forms).index(form)
        skipped = {
            source.names[index]: str(each)
            for index, each in self.decoded.items()
            if isinstance(each, InputsError)
        }
        images = {index: each[at] for index, each in self.decoded.items() if isinstance(each, list)}
        if not images:
            return None, False, skipped
        pixels = np.stack([image.pixels for image in images.values()])
        rows = preparation.rows(
            np.array(list(images), np.int64),
            [source.names[index] for index in images],
            pixels,
            digests=np.stack([np.frombuffer(image.digest, np.uint8) for image in images.values()]),
            pixels=as_bytes(pixels),
        )
        wholes = tuple(image.whole for image in images.values())
        rows = replace(rows, wholes=wholes if any(wholes) else ())
        return rows, any(image.is_resized for image in images.values()), skipped


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    """Pixels 0..255 as uint8; interpolation may exceed this range slightly."""
    return pixels if pixels.dtype == np.uint8 else np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)
