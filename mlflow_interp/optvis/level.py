"""One size of one layer: the compiled climb towards what the layer gives for a picture of that size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from mlflow_interp.core import Chunk
from mlflow_interp.exceptions import OptionError
from mlflow_interp.layers import compile_for, is_channels_first, is_spatial
from mlflow_interp.optvis.ascend import Climb, State, compile_ascent
from mlflow_interp.optvis.parametrize import (
    Canvas,
    Colours,
    Parametrization,
    Size,
    ValueRange,
    at_size,
    to_image,
)
from mlflow_interp.optvis.similarity import similarity
from mlflow_interp.optvis.transforms import Feeding, crop, draw_crops, feed, find_feeding

SMALLEST = 64  # pixels the shorter side must have left at half the size
HALF_SIZE_SHARE = 1 / 16  # of the steps; more bring nothing that full size does not undo

# How far images are zoomed and shifted at each step. That they are turned too was not seen to help.
MOST_ZOOM, MOST_SHIFT = 0.05, 5 / 224


@dataclass(frozen=True)
class Settings:
    """The options of a caricature; see there."""

    steps: int
    learning_rate: float
    tolerance: float
    cosine_power: float
    parametrization: Parametrization
    decay_power: float
    stddev: float
    colours: Colours
    value_range: ValueRange
    snapshot_every: int
    seed: int

    def check(self) -> None:
        """Refuse what is out of range.

        Raises:
            OptionError: something is.
        """
        for name in ("steps", "learning_rate", "stddev"):
            if not 0 < getattr(self, name) < np.inf:
                raise OptionError(f"{name} is {getattr(self, name)}; give more than 0")
        for name in ("tolerance", "cosine_power", "decay_power", "snapshot_every", "seed"):
            if not 0 <= getattr(self, name) < np.inf:
                raise OptionError(f"{name} is {getattr(self, name)}; give 0 or more")
        for name, kinds in _KINDS.items():
            if getattr(self, name) not in kinds:
                raise OptionError(f"no {name} {getattr(self, name)!r}; there are: {', '.join(kinds)}")

    def canvas(self, size: Size, channels: int) -> Canvas:
        """How images of a size are written down."""
        return Canvas(size, channels, self.parametrization, self.colours, self.value_range, self.decay_power)

    def levels(self, size: Size) -> list[tuple[Size, int]]:
        """Sizes and how many steps at each: a spectrum starts at half the size, where steps are cheap."""
        half = (-(-size[0] // 2), -(-size[1] // 2))
        early = int(self.steps * HALF_SIZE_SHARE)
        if self.parametrization != "fourier" or min(half) < SMALLEST or not early:
            return [(size, self.steps)]
        return [(half, early), (size, self.steps - early)]


_KINDS = {
    "parametrization": get_args(Parametrization),
    "colours": get_args(Colours),
    "value_range": get_args(ValueRange),
}


@dataclass(frozen=True, eq=False)
class Subject:
    """What is drawn: inputs, and how pictures become them.

    Attributes:
        indices: (n,) int64 positions of the inputs.
        pictures: (n, height, width, channels) float32 in 0..1.
        inputs: (n, …) float32, what the model is fed.
        feeding: how those came of these.
    """

    indices: np.ndarray
    pictures: np.ndarray
    inputs: np.ndarray
    feeding: Feeding

    @classmethod
    def of(cls, chunk: Chunk, *, channels_first: bool) -> Subject:
        """The subject in a chunk of pictures."""
        pictures = np.asarray(chunk.pictures)
        feeding = find_feeding(pictures, chunk.inputs, channels_first=channels_first)
        pictures = pictures[..., : feeding.span.shape[1]] / np.float32(255)
        return cls(chunk.indices, pictures, chunk.inputs, feeding)

    def row(self, number: int) -> Subject:
        """One of the inputs, alone."""
        one, feeding = slice(number, number + 1), self.feeding
        alone = replace(feeding, span=feeding.span[one], black=feeding.black[one])
        return Subject(self.indices[one], self.pictures[one], self.inputs[one], alone)

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self.pictures.shape[1], self.pictures.shape[2]


class Level:
    """Climbs at one size; what it compiles serves every chunk.

    Args:
        model: The Keras model.
        activations: fed => what the layer gives, traced.
        subject: The first to climb to, for its shape.
        size: (height, width) of the images.
        settings: How to climb.

    Raises:
        ModelError: the model takes no pictures of this size.
    """

    def __init__(
        self, model: Any, activations: Callable[[Any], Any], subject: Subject, size: Size, settings: Settings
    ) -> None:
        self.size, self.settings, self.feeding = size, settings, subject.feeding
        self.canvas = settings.canvas(subject.size, subject.pictures.shape[3])
        self._activations = activations
        self._channels_first = is_channels_first(model)
        inputs = self._resized(subject.inputs)
        self._target_of = compile_for(activations, inputs)
        target = self._target_of(inputs)
        # A feature map over space is cropped like the picture; no other target is.
        self._is_map = target.ndim == 4 and is_spatial(model, target)
        self._ascent: Any = None

    def climb(self, subject: Subject, variable: np.ndarray) -> Climb:
        """A climb from `variable`, whole, at this size."""
        given = (
            self._target_of(self._resized(subject.inputs)).numpy(),
            subject.feeding.span,
            subject.feeding.black,
        )
        part = at_size(self.canvas, variable, self.size).copy()
        if self._ascent is None:
            rate = self.settings.learning_rate
            self._ascent = compile_ascent(
                self._objective, State.start(part), next(self._boxes()), given, learning_rate=rate
            )
        return Climb(self._ascent, given, part, self._boxes())

    def _objective(self, variable: Any, box: Any, given: Any) -> Any:
        """(variables, what is seen, targets and how pictures are fed) => (objectives), traced."""
        target, span, black = given
        images = crop(to_image(self.canvas, variable, self.size), box, outside=0.5)
        activations = self._activations(feed(images, span, black, self.feeding))
        return similarity(activations, self._cropped(target, box), self.settings.cosine_power)[0]

    def _cropped(self, target: Any, box: Any) -> Any:
        """A target as it would be of the picture cropped so, without another forward pass."""
        import tensorflow as tf

        if not self._is_map:
            return target
        if not self._channels_first:
            return crop(target, box, outside=0.0)
        return tf.transpose(crop(tf.transpose(target, (0, 2, 3, 1)), box, outside=0.0), (0, 3, 1, 2))

    def _boxes(self) -> Iterator[np.ndarray]:
        """What is seen of the image, a step each, without end."""
        generator = np.random.default_rng(self.settings.seed)
        while True:
            yield draw_crops(generator, 1, zoom=MOST_ZOOM, shift=MOST_SHIFT)

    def _resized(self, inputs: np.ndarray) -> np.ndarray:
        import tensorflow as tf

        if self.size == self.canvas.size:
            return inputs
        last = np.moveaxis(inputs, 1, -1) if self._channels_first else inputs
        last = tf.image.resize(last, self.size, antialias=True).numpy()
        return np.moveaxis(last, -1, 1) if self._channels_first else last
