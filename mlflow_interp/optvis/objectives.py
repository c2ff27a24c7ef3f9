"""One layer: the compiled climb towards what it gives for a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from typing import Any, get_args

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.exceptions import OptionError
from mlflow_interp.optvis.freeze import frozen
from mlflow_interp.optvis.optimize import Optimization, State, compile_step
from mlflow_interp.optvis.param import (
    Colours,
    ImageParam,
    Parametrization,
    Size,
    ValueRange,
    neighbourhood,
    pace,
    to_image,
)
from mlflow_interp.optvis.similarity import similarity
from mlflow_interp.optvis.transform import InputMapping, crop, draw_crops, feed, find_mapping

# How far images are zoomed and shifted, a view a step, over and over. Turning them too costs more, and
# brings nothing beyond what another seed does. At a late layer the target must be seen as the image
# is; straight on, about twice the steps were needed. So targets are kept, a forward pass each: hence the
# views are few.
MOST_ZOOM, MOST_SHIFT = 0.05, 5 / 224
VIEWS, VIEWS_A_PASS = 32, 8
MOST_KEPT = 64 * 2**20  # bytes of an input's targets


@dataclass(frozen=True)
class CaricatureOptions:
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

    def canvas(self, size: Size, channels: int) -> ImageParam:
        """How images of a size are written down."""
        return ImageParam(
            size, channels, self.parametrization, self.colours, self.value_range, self.decay_power
        )


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
    feeding: InputMapping

    @classmethod
    def of(cls, chunk: Chunk, *, channels_first: bool) -> Subject:
        """The subject in a chunk of pictures."""
        pictures = np.asarray(chunk.images)
        feeding = find_mapping(pictures, chunk.inputs, channels_first=channels_first)
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


class LayerObjective:
    """Climbs at one layer; what it compiles serves every chunk.

    Args:
        model: The Keras model.
        activations: fed => what the layer gives, traced.
        subject: The first to climb to, for its shape.
        settings: How to climb.

    Raises:
        ModelError: the model can't take the inputs.
    """

    def __init__(
        self, model: Any, activations: Callable[[Any], Any], subject: Subject, settings: CaricatureOptions
    ) -> None:
        self.settings, self.feeding = settings, subject.feeding
        self.canvas = settings.canvas(subject.size, subject.pictures.shape[3])
        self._model, self._activations = model, activations
        self._channels_first = is_channels_first(model)
        self._views = draw_crops(
            np.random.default_rng(settings.seed), VIEWS, zoom=MOST_ZOOM, shift=MOST_SHIFT
        )
        first = (*self._fed(subject.row(0)), self._views[:1])
        self._target_of = compile_for(self._target, first)
        kept = MOST_KEPT // self._target_of(first).numpy().nbytes
        self._views = self._views[: max(1, min(kept, settings.steps))]
        self._ascent: Any = None

    def climb(self, subject: Subject, variable: np.ndarray) -> Optimization:
        """A climb from `variable`, which stays as it is."""
        given = self._targets(subject), subject.feeding.span, subject.feeding.black
        turns = np.arange(len(self._views), dtype=np.int32)
        if self._ascent is None:
            self._ascent = compile_step(
                self._objective,
                State.start(variable),
                turns[0],
                given,
                learning_rate=self.settings.learning_rate * pace(self.canvas),
                pooled=partial(neighbourhood, self.canvas),
            )
        return Optimization(self._ascent, given, variable.copy(), cycle(turns))

    def _objective(self, variable: Any, turn: Any, given: Any) -> Any:
        """(variables, which view, targets and how pictures are fed) => (objectives), traced."""
        import tensorflow as tf

        targets, span, black = given
        images = crop(to_image(self.canvas, variable), tf.gather(self._views, [turn]), outside=0.5)
        with frozen(self._model):
            activations = self._activations(feed(images, span, black, self.feeding))
        return similarity(activations, tf.gather(targets, turn, axis=1), self.settings.cosine_power)[0]

    def _targets(self, subject: Subject) -> np.ndarray:
        """What the layer gives for the inputs in each view, (n, views, …)."""
        return np.stack([self._targets_of(subject.row(number)) for number in range(len(subject.indices))])

    def _targets_of(self, one: Subject) -> np.ndarray:
        """What the layer gives for an input in each view, (views, …); a pass for several costs less."""
        (input_, grey), found = self._fed(one), []
        for start in range(0, len(self._views), VIEWS_A_PASS):
            views = self._views[start : start + VIEWS_A_PASS]
            found.append(self._target_of((np.repeat(input_, len(views), axis=0), grey, views)).numpy())
        return np.concatenate(found)

    def _target(self, fed: tuple[Any, Any, Any]) -> Any:
        """(inputs, channels last, grey, a view of each) => (what the layer gives), traced."""
        import tensorflow as tf

        inputs, grey, views = fed
        seen = crop(inputs - grey, views, outside=0.0) + grey
        return self._activations(tf.transpose(seen, (0, 3, 1, 2)) if self._channels_first else seen)

    def _fed(self, subject: Subject) -> tuple[np.ndarray, np.ndarray]:
        """Inputs, channels last, and what grey is among them (n, 1, 1, channels)."""
        grey = (subject.feeding.black + subject.feeding.span / 2)[:, np.newaxis, np.newaxis]
        return np.moveaxis(subject.inputs, 1, -1) if self._channels_first else subject.inputs, grey
