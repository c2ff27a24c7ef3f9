"""Drawing for one layer: pictures in, images out that the layer answers to as it does to the pictures."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import numpy as np

from mlflow_interp.compiling import compile_for
from mlflow_interp.core import Chunk
from mlflow_interp.exceptions import ModelError
from mlflow_interp.layers import forward_to, is_channels_first
from mlflow_interp.optvis.ascend import Climb
from mlflow_interp.optvis.level import Level, Settings, Subject
from mlflow_interp.optvis.parametrize import Size, noise, put_back, to_image
from mlflow_interp.optvis.similarity import compressed, held_out_views, similarity
from mlflow_interp.optvis.transforms import feed, for_size, see

Column = dict[str, np.ndarray]  # what was found at one layer, a row an input


class Artist:
    """Draws for one layer; what it compiles serves every chunk.

    Args:
        model: The Keras model.
        path: The layer's.
        uses: How often a forward pass runs it.
        settings: How to draw.
    """

    def __init__(self, model: Any, path: str, uses: int, settings: Settings) -> None:
        self.model, self.path, self.uses, self.settings = model, path, uses, settings
        self._levels: dict[tuple[Size, bool], Level | None] = {}
        self._compare: Any = None

    def _activations(self, fed: Any) -> Any:
        return forward_to(self.model, fed, self.path, self.uses)

    def draw(self, chunk: Chunk) -> Generator[int, None, Column]:
        """Draw a chunk; yields how many steps were taken since the last time, of all inputs together."""
        subject = Subject.of(chunk, channels_first=is_channels_first(self.model))
        settings, canvas = self.settings, self.settings.canvas(subject.size, subject.pictures.shape[3])
        variable = noise(canvas, chunk.indices.tolist(), stddev=settings.stddev, seed=settings.seed)
        album = Album(len(chunk), settings.snapshot_every)
        for size, steps in settings.levels(subject.size):
            level = self._level(subject, size)
            if level is None:
                continue
            climb = level.climb(subject, variable)
            # At half the size nobody stops, so that all begin the rest together.
            for taken in climb.run(steps, settings.tolerance if size == subject.size else 0):
                whole = put_back(canvas, variable, climb.variable, size)
                album.add(climb, partial(to_image, canvas, whole, canvas.size))
                yield taken
            variable = put_back(canvas, variable, climb.variable, size)
            album.turn(climb)
        images = to_image(canvas, variable, canvas.size).numpy()
        return album.column(images) | self._judged(subject, images)

    def _level(self, subject: Subject, size: Size) -> Level | None:
        """What climbs at a size; None where the model takes no pictures of half its size."""
        key = size, subject.feeding.reverse
        if key not in self._levels:
            try:
                self._levels[key] = Level(self.model, self._activations, subject, size, self.settings)
            except ModelError:
                if size == subject.size:
                    raise
                self._levels[key] = None
        return self._levels[key]

    def _judged(self, subject: Subject, images: np.ndarray) -> Column:
        """Objective, cosine and dot product of each image, the mean over held-out views."""
        rows = [self._measures(subject.row(number), images[number]) for number in range(len(images))]
        objectives, cosines, dots = np.array(rows, np.float32).T
        return {"objectives": objectives, "cosines": cosines, "dots": dots}

    def _measures(self, one: Subject, image: np.ndarray) -> list[float]:
        views, feeding = for_size(held_out_views(), one.size), one.feeding
        seen = (compressed(_all_seen(each, views)) for each in (image, one.pictures[0]))
        fed = tuple(np.asarray(feed(each, feeding.span, feeding.black, feeding)) for each in seen)
        self._compare = self._compare or compile_for(self._compared, fed)
        return [float(measure) for measure in self._compare(fed)]

    def _compared(self, fed: tuple[Any, Any]) -> tuple[Any, ...]:
        import tensorflow as tf

        images, inputs = (self._activations(each) for each in fed)
        measures = similarity(images, inputs, self.settings.cosine_power)
        return tuple(tf.reduce_mean(measure) for measure in measures)


def _all_seen(picture: np.ndarray, views: np.ndarray) -> np.ndarray:
    """One picture (h, w, c) seen in every way."""
    return np.asarray(see(np.repeat(picture[np.newaxis], len(views), axis=0), views))


class Album:
    """What is kept of the way: the curve, the steps taken, images every so often."""

    def __init__(self, inputs: int, every: int) -> None:
        self.every = every
        self._curve: list[np.ndarray] = []
        self._taken = np.zeros(inputs, int)
        self._converged = np.zeros(inputs, bool)
        self._snapshots: list[np.ndarray] = []

    def add(self, climb: Climb, image: Callable[[], Any]) -> None:
        """Note a point of the way; `image` gives the images of now, if they are wanted."""
        self._curve.append(climb.curve[-1])
        steps = int((self._taken + climb.taken).max())
        while self.every and (len(self._snapshots) + 1) * self.every <= steps:
            self._snapshots.append(_bytes(np.asarray(image())))

    def turn(self, climb: Climb) -> None:
        """A climb has ended; another may follow."""
        self._taken, self._converged = self._taken + climb.taken, climb.converged

    def column(self, images: np.ndarray) -> Column:
        """Everything, a row an input, and the images it came to."""
        last = _bytes(images)
        whole = len(self._snapshots) * self.every == int(self._taken.max())
        shots = [*self._snapshots[: -1 if whole else None], last] if self.every else []
        return {
            "images": images,
            "curves": np.stack(self._curve, axis=1),
            "steps_taken": self._taken,
            "converged": self._converged,
            "snapshots": np.stack(shots, axis=1) if shots else last[:, np.newaxis][:, :0],
        }


def _bytes(images: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(images * 255), np.uint8)
