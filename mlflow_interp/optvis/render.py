"""Drawing for one layer: pictures in, images out that the layer answers to as it does to the pictures."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import forward_to
from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.optvis.objectives import CaricatureOptions, LayerObjective, Subject
from mlflow_interp.optvis.optimize import Optimization
from mlflow_interp.optvis.param import Size, noise, to_image
from mlflow_interp.optvis.similarity import compressed, held_out_views, similarity
from mlflow_interp.optvis.transform import feed, for_size, see

LayerResult = dict[str, np.ndarray]  # what was found at one layer, a row an input


class Renderer:
    """Draws for one layer; what it compiles serves every chunk.

    Args:
        model: The Keras model.
        path: The layer's.
        uses: How often a forward pass runs it.
        settings: How to draw.
    """

    def __init__(self, model: Any, path: str, uses: int, settings: CaricatureOptions) -> None:
        self.model, self.path, self.uses, self.settings = model, path, uses, settings
        self._slopes: dict[tuple[Size, bool], LayerObjective] = {}
        self._compare: Any = None

    def _activations(self, fed: Any) -> Any:
        return forward_to(self.model, fed, self.path, self.uses)

    def draw(self, chunk: Chunk) -> Generator[int, None, LayerResult]:
        """Draw a chunk; yields how many steps were taken since the last time, of all inputs together."""
        subject = Subject.of(chunk, channels_first=is_channels_first(self.model))
        settings, slope = self.settings, self._slope(subject)
        start = noise(slope.canvas, chunk.indices.tolist(), stddev=settings.stddev, seed=settings.seed)
        climb, album = slope.climb(subject, start), Snapshots(settings.snapshot_every)
        for taken in climb.run(settings.steps, settings.tolerance):
            album.add(climb, lambda: to_image(slope.canvas, climb.variable))
            yield taken
        images = to_image(slope.canvas, climb.variable).numpy()
        return album.column(climb, images) | self._judged(subject, images)

    def _slope(self, subject: Subject) -> LayerObjective:
        """What climbs to such a subject."""
        key = subject.size, subject.feeding.reverse
        if key not in self._slopes:
            self._slopes[key] = LayerObjective(self.model, self._activations, subject, self.settings)
        return self._slopes[key]

    def _judged(self, subject: Subject, images: np.ndarray) -> LayerResult:
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


class Snapshots:
    """What is kept of the way: the curve, the steps taken, images every so often."""

    def __init__(self, every: int) -> None:
        self.every = every
        self._snapshots: list[np.ndarray] = []

    def add(self, climb: Optimization, image: Callable[[], Any]) -> None:
        """Note a point of the way; `image` gives the images of now, if they are wanted."""
        while self.every and (len(self._snapshots) + 1) * self.every <= climb.taken.max():
            self._snapshots.append(_bytes(np.asarray(image())))

    def column(self, climb: Optimization, images: np.ndarray) -> LayerResult:
        """Everything, a row an input: the way, and the images it came to."""
        last = _bytes(images)
        whole = len(self._snapshots) * self.every == int(climb.taken.max())
        shots = [*self._snapshots[: -1 if whole else None], last] if self.every else []
        return {
            "images": images,
            "curves": np.stack(climb.curve, axis=1),
            "steps_taken": climb.taken,
            "converged": climb.converged,
            "snapshots": np.stack(shots, axis=1) if shots else last[:, np.newaxis][:, :0],
        }


def _bytes(images: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(images * 255), np.uint8)
