"""The objective at one layer: activations as similar as possible to those of an input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.optvis.freeze import frozen
from mlflow_interp.optvis.optimize import Optimization, State, Step, compile_step
from mlflow_interp.optvis.param import (
    Colours,
    ImageParam,
    Parametrization,
    Size,
    ValueRange,
    learning_rate_scale,
    neighbourhood_mean,
    to_image,
)
from mlflow_interp.optvis.similarity import similarity
from mlflow_interp.optvis.transform import InputMapping, crop, draw_crops, feed, find_mapping

# The largest zoom and shift of an image: each step uses one view, in a cycle. Rotations cost more, and change
# the result no more than another seed does. At a late layer the target must come from the same view as the
# image; without views, about twice as many steps were needed. Each view of a target costs a forward pass and
# memory, so there are few of them.
MOST_ZOOM = 0.05
MOST_SHIFT = 5 / 224
VIEWS = 32
VIEWS_A_PASS = 8
MOST_TARGET_BYTES = 64 * 2**20  # of one input


@dataclass(frozen=True)
class CaricatureOptions:
    """The options of a caricature, see `methods.caricature`."""

    ascent_steps: int
    ascent_rate: float
    tolerance: float
    cosine_power: float
    parametrization: Parametrization
    decay_power: float
    stddev: float
    colours: Colours
    value_range: ValueRange
    snapshot_every: int
    seed: int

    def image_param(self, size: Size, channels: int) -> ImageParam:
        """The parametrisation of images of a size."""
        return ImageParam(
            size, channels, self.parametrization, self.colours, self.value_range, self.decay_power
        )


@dataclass(frozen=True, eq=False)
class Subject:
    """The inputs to draw caricatures of, and how images are mapped to inputs.

    Attributes:
        indices: (n,) int64 positions of the inputs.
        images: (n, height, width, channels) float32 in 0..1.
        inputs: (n, …) float32, as the model takes them.
        mapping: how images are mapped to inputs.
    """

    indices: np.ndarray
    images: np.ndarray
    inputs: np.ndarray
    mapping: InputMapping

    @classmethod
    def of(cls, chunk: Chunk, *, channels_first: bool) -> Subject:
        """The subject in a chunk of images."""
        images = np.asarray(chunk.images)
        mapping = find_mapping(
            images, chunk.inputs, channels_first=channels_first, blue_first=chunk.blue_first
        )
        images = images[..., : mapping.span.shape[1]] / np.float32(255)
        return cls(chunk.indices, images, chunk.inputs, mapping)

    def row(self, index: int) -> Subject:
        """One of the inputs."""
        row = slice(index, index + 1)
        mapping = replace(self.mapping, span=self.mapping.span[row], black=self.mapping.black[row])
        return Subject(self.indices[row], self.images[row], self.inputs[row], mapping)

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self.images.shape[1], self.images.shape[2]


class LayerObjective:
    """The objective at one layer; its compiled functions serve every chunk.

    Args:
        model: The Keras model.
        activations: inputs => activations of the layer, traced.
        subject: The first subject, for its shape.
        settings: The options.

    Raises:
        ModelError: the model can't take the inputs.
    """

    def __init__(
        self, model: Any, activations: Callable[[Any], Any], subject: Subject, settings: CaricatureOptions
    ) -> None:
        self.settings = settings
        self.mapping = subject.mapping
        self.param = settings.image_param(subject.size, subject.images.shape[3])
        self._model = model
        self._activations = activations
        self._channels_first = is_channels_first(model)
        self._views = draw_crops(
            np.random.default_rng(settings.seed), VIEWS, zoom=MOST_ZOOM, shift=MOST_SHIFT
        )
        example = (*self._inputs_and_grey(subject.row(0)), self._views[:1])
        self._compiled_target = compile_for(self._target, example)
        affordable = MOST_TARGET_BYTES // self._compiled_target(example).numpy().nbytes
        self._views = self._views[: max(1, min(affordable, settings.ascent_steps))]
        self._step: Step | None = None

    def optimization(self, subject: Subject, variable: np.ndarray) -> Optimization:
        """An optimisation that starts at `variable`, which it does not change."""
        constants = self._targets(subject), subject.mapping.span, subject.mapping.black
        view_indices = np.arange(len(self._views), dtype=np.int32)
        if self._step is None:
            self._step = compile_step(
                self._objective,
                State.start(variable),
                view_indices[0],
                constants,
                learning_rate=self.settings.ascent_rate * learning_rate_scale(self.param),
                pooled=partial(neighbourhood_mean, self.param),
            )
        return Optimization(self._step, constants, variable.copy(), cycle(view_indices))

    def _objective(self, variable: Any, view_index: Any, constants: Any) -> Any:
        """(variables, index of a view, targets and mapping) => (objectives), traced."""
        import tensorflow as tf

        targets, span, black = constants
        box = tf.gather(self._views, [view_index])
        images = crop(to_image(self.param, variable), box, outside=0.5)
        with frozen(self._model):
            activations = self._activations(feed(images, span, black, self.mapping))
        target = tf.gather(targets, view_index, axis=1)
        return similarity(activations, target, self.settings.cosine_power)[0]

    def _targets(self, subject: Subject) -> np.ndarray:
        """The activations of the inputs in each view, (n, views, …)."""
        return np.stack([self._targets_of(subject.row(index)) for index in range(len(subject.indices))])

    def _targets_of(self, subject: Subject) -> np.ndarray:
        """The activations of a single input in each view, (views, …); several views share a pass."""
        input_, grey = self._inputs_and_grey(subject)
        targets = []
        for start in range(0, len(self._views), VIEWS_A_PASS):
            views = self._views[start : start + VIEWS_A_PASS]
            inputs = np.repeat(input_, len(views), axis=0)
            targets.append(self._compiled_target((inputs, grey, views)).numpy())
        return np.concatenate(targets)

    def _target(self, arguments: tuple[Any, Any, Any]) -> Any:
        """(inputs, channels last; grey; a view of each) => (activations), traced."""
        import tensorflow as tf

        inputs, grey, views = arguments
        crops = crop(inputs - grey, views, outside=0.0) + grey
        return self._activations(tf.transpose(crops, (0, 3, 1, 2)) if self._channels_first else crops)

    def _inputs_and_grey(self, subject: Subject) -> tuple[np.ndarray, np.ndarray]:
        """Inputs, channels last, and the values of grey among them (n, 1, 1, channels)."""
        grey = (subject.mapping.black + subject.mapping.span / 2)[:, np.newaxis, np.newaxis]
        return np.moveaxis(subject.inputs, 1, -1) if self._channels_first else subject.inputs, grey
