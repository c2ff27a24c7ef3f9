"""How rows of pixels or arrays become inputs of one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Arrays, flatten, map_arrays
from mlflow_interp.core.digests import row_digests
from mlflow_interp.core.image_arrays import ImagePart, show
from mlflow_interp.core.whole_image import WholeImage
from mlflow_interp.data.preprocessing import Preprocess, is_users, takes_blue_first
from mlflow_interp.exceptions import InputsError, OptionError


@dataclass(frozen=True)
class Rows:
    """Inputs that were read.

    Attributes:
        indices: (n,) int64, their positions in the inputs as given.
        names: n names for people.
        inputs: the model's inputs; until `Preparation.finished`, the inputs of the user's function.
        images: (n, height, width, 3) uint8 to show, or None.
        digests: (n, 16) uint8, the digest of each input as given.
        selected: for several arrays, whether each is preprocessed.
        parts: what `images` are composed of; see `core.image_arrays.show`.
        wholes: see `Chunk`.
    """

    indices: np.ndarray
    names: Sequence[str]
    inputs: Arrays
    images: np.ndarray | None
    digests: np.ndarray
    selected: Sequence[bool] = ()
    parts: tuple[ImagePart, ...] = ()
    wholes: tuple[WholeImage | None, ...] = ()


def is_pixels(array: np.ndarray) -> bool:
    """Whether an array holds images as bytes."""
    return array.dtype == np.uint8 and array.ndim >= 3


def is_text(array: Any) -> bool:
    """Whether an array holds strings, or bytes of any length."""
    if array.dtype.kind != "O":
        return array.dtype.kind in "SU"
    return all(isinstance(value, (str, bytes)) for value in np.asarray(array).flat)


@dataclass(frozen=True)
class Preparation:
    """How rows of pixels or arrays become inputs of one model.

    Attributes:
        name: the name of the preprocessing.
        function: the preprocessing function.
        model_name: for messages.
        shape: the shape of the model's input; None if it has several inputs or the shape is not known.
        channels_first: whether the model's images have channels first.
        is_stated: whether the user named the preprocessing.
        takes_pixels: whether it takes pixels 0..255; false for numbers that are used unchanged.
        input_names: the names of the model's inputs, in its order; empty if not known.
    """

    name: str
    function: Preprocess
    model_name: str
    shape: tuple[int | None, ...] | None
    channels_first: bool
    is_stated: bool = False
    takes_pixels: bool = True
    input_names: tuple[str, ...] = ()
    _blue_first: dict[tuple[int, ...], bool | None] = field(default_factory=dict)

    def rows(
        self,
        indices: np.ndarray,
        names: Sequence[str],
        values: Arrays,
        *,
        digests: np.ndarray | None = None,
        pixels: np.ndarray | None = None,
    ) -> Rows:
        """Rows of the values read, prepared as far as any thread may do it: all but a user's own function.

        Args:
            indices: their positions in the inputs as given.
            names: their names.
            values: the values read.
            digests: their digests, if these are not the digests of the values.
            pixels: the images to show, as bytes, if these are not the values.

        Raises:
            InputsError: values that are not finite, or don't fit the model.
        """
        digests = row_digests(values) if digests is None else digests
        selected = self.selected(values)
        values = values if isinstance(values, (tuple, dict)) else self._channels_last(values)
        with np.errstate(invalid="ignore", over="ignore"):  # values that are not finite are rejected below
            images, parts = show(self._named(values) if pixels is None else {"": pixels})
        rows = Rows(indices, names, map_arrays(_as_fed, values), images, digests, selected, parts)
        return rows if is_users(self.name) else self._prepared(rows)

    def black(self, shape: tuple[int, ...]) -> np.ndarray | None:
        """What a black image becomes, in the shape of one input of the model; None if that is not known.

        Runs a user's own function in the caller's thread.
        """
        if not self.takes_pixels or len(shape) not in (2, 3):
            return None
        pixels = np.zeros((1, *shape), np.float32)
        black = self._model_channels(_as_fed(self.function(self._channels_last(pixels))))
        return black[0] if black.shape == pixels.shape else None

    def _named(self, values: Arrays) -> dict[str, np.ndarray]:
        """The inputs of the model by name; a single input has no name."""
        if isinstance(values, dict):
            return {str(name): values[name] for name in sorted(values)}
        arrays = flatten(values)
        if len(arrays) == 1:
            return {"": arrays[0]}
        are_known = len(self.input_names) == len(arrays)
        names = self.input_names if are_known else [f"input {position}" for position in range(len(arrays))]
        return dict(zip(names, arrays, strict=True))

    def finished(self, rows: Rows) -> Rows:
        """Fully prepared rows; a user's own function runs here, in the caller's thread.

        Raises:
            InputsError: the function fails, or its return value doesn't fit the model.
        """
        return self._prepared(rows) if is_users(self.name) else rows

    def takes_blue_first(self, rows: Rows) -> bool | None:
        """Whether the channels of finished rows are in BGR order; None if not known.

        Runs a user's own function in the caller's thread.
        """
        inputs = rows.inputs
        if rows.images is None or not isinstance(inputs, np.ndarray) or inputs.ndim != 4:
            return None
        if inputs.shape[1 if self.channels_first else -1] != 3:
            return None
        size = rows.images.shape[1:3]
        if size not in self._blue_first:
            self._blue_first[size] = takes_blue_first(self.function, size)
        return self._blue_first[size]

    def _prepared(self, rows: Rows) -> Rows:
        inputs = rows.inputs
        if isinstance(inputs, (tuple, dict)):
            inputs = self._structured(inputs, rows.selected)
        else:
            self._check_text(inputs)
            inputs = self._model_channels(_as_fed(self.function(self._with_rank(inputs))))
        self._check(inputs, rows.names)
        return replace(rows, inputs=inputs)

    def selected(self, values: Arrays) -> list[bool]:
        """Whether each of several arrays is preprocessed: pixels are; without any, images if it is stated.

        Raises:
            OptionError: a preprocessing is stated, but none of several arrays is an image.
        """
        arrays = flatten(values)
        selected = [is_pixels(array) for array in arrays]
        is_clear = any(selected) or not isinstance(values, (tuple, dict))
        if is_clear or not self.is_stated or self.name == "none":
            return selected
        selected = [array.ndim == 4 and array.shape[-1] in (1, 3, 4) for array in arrays]
        if not any(selected):
            shapes = ", ".join(str(array.shape[1:]) for array in arrays)
            raise OptionError(
                f"preprocess is {self.name!r}, but none of the inputs is an image (their shapes are "
                f"{shapes}); preprocess them yourself and leave preprocess out"
            )
        return selected

    def _structured(self, inputs: Arrays, selected: Sequence[bool]) -> Arrays:
        """Several arrays, the selected ones preprocessed."""
        arrays = iter(
            _as_fed(self.function(array)) if is_selected else array
            for array, is_selected in zip(flatten(inputs), selected, strict=True)
        )
        if isinstance(inputs, dict):
            return {key: next(arrays) for key in sorted(inputs)}
        return tuple(arrays)

    def _check_text(self, inputs: np.ndarray) -> None:
        if inputs.dtype.kind == "O" and self.name != "none" and not is_users(self.name):
            raise OptionError(f"preprocess is {self.name!r}, but the inputs are text; leave preprocess out")

    def _with_rank(self, values: np.ndarray) -> np.ndarray:
        """Values with the model's number of axes, with a last axis of length 1 added or removed if needed.

        Grey images often come as (n, h, w), and single values as (n,).
        """
        rank = len(self.shape) if self.shape else values.ndim
        takes_one = self.shape is not None and self.shape[-1] == 1
        if values.ndim == rank - 1 and (takes_one or rank == 4):
            return values[..., np.newaxis]
        return values[..., 0] if values.ndim == rank + 1 and values.shape[-1] == 1 else values

    def _channels_last(self, values: np.ndarray) -> np.ndarray:
        """Images with channels last, for preprocessing and display, whatever their format."""
        channels = self._first_channels(values)
        move = channels is not None and values.shape[1] == channels != values.shape[-1]
        return np.moveaxis(values, 1, -1) if move else values

    def _model_channels(self, values: np.ndarray) -> np.ndarray:
        """Images with the channels axis where the model expects it."""
        channels = self._first_channels(values)
        return np.moveaxis(values, -1, 1) if channels in (values.shape[-1], -1) else values

    def _first_channels(self, values: np.ndarray) -> int | None:
        """The channels of images for a channels-first model, -1 if it takes any number; else None."""
        if values.ndim != 4 or not self.shape or not self.channels_first:
            return None
        return self.shape[1] or -1

    def _check(self, inputs: Arrays, names: Sequence[str]) -> None:
        for array in flatten(inputs):
            if array.dtype.kind != "O" and not np.isfinite(array).all():
                rows = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
                raise InputsError(
                    f"input {names[rows[0]]!r} contains NaN or infinite values "
                    f"({len(rows)} of {len(array)} in its batch do); clean these inputs or leave them out"
                )
        if self.shape is None or isinstance(inputs, (tuple, dict)):
            return
        fits = len(inputs.shape) == len(self.shape) and all(
            expected in (None, size) for expected, size in zip(self.shape[1:], inputs.shape[1:], strict=True)
        )
        if not fits:
            made = f", as preprocess {self.name!r} returns them," if is_users(self.name) else ""
            raise InputsError(
                f"inputs{made} have shape {inputs.shape[1:]} each, and model {self.model_name!r} takes "
                f"{tuple(self.shape[1:])}; resize or reshape them"
            )


def _as_fed(values: np.ndarray) -> np.ndarray:
    """Numbers as float32, and text of any type as objects, so that bytes and trailing zeros are kept."""
    if values.dtype.kind in "SU":
        return values.astype(object)
    if values.dtype.kind not in "biuf" or values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):  # overflow gives infinite values, which are rejected later
        return values.astype(np.float32)
