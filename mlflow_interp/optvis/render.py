"""Caricatures at one layer: images whose activations are similar to those of the inputs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import forward_to
from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.optvis.objectives import CaricatureOptions, LayerObjective, Subject
from mlflow_interp.optvis.optimize import Optimization
from mlflow_interp.optvis.param import Size, noise, to_image
from mlflow_interp.optvis.reference_pass import joined
from mlflow_interp.optvis.similarity import compressed, held_out_views, similarity
from mlflow_interp.optvis.transform import feed, pixel_transforms, warp

LayerResult = dict[str, np.ndarray]  # the arrays of one layer, with one row per input


class Renderer:
    """Renders caricatures at one layer; its compiled functions serve every chunk.

    Args:
        model: The Keras model.
        path: The path of the layer.
        calls: Its calls; see `forward_to`.
        settings: The options.
    """

    def __init__(self, model: Any, path: str, calls: Sequence[int], settings: CaricatureOptions) -> None:
        self.model = model
        self.path = path
        self.calls = calls
        self.settings = settings
        self._objectives: dict[tuple[Size, bool], LayerObjective] = {}
        self._compiled_similarity: Any = None

    def draw(self, chunk: Chunk) -> Generator[int, None, LayerResult]:
        """Render a chunk; periodically yield the number of steps, of all inputs, since the last yield."""
        subject = Subject.of(chunk, channels_first=is_channels_first(self.model))
        settings = self.settings
        objective = self._objective(subject)
        start = noise(objective.param, chunk.indices.tolist(), stddev=settings.stddev, seed=settings.seed)
        optimization = objective.optimization(subject, start)
        snapshots = Snapshots(settings.snapshot_every)
        for steps in optimization.run(settings.ascent_steps, settings.tolerance):
            snapshots.add(optimization, lambda: to_image(objective.param, optimization.variable))
            yield steps
        images = to_image(objective.param, optimization.variable).numpy()
        return snapshots.layer_result(optimization, images) | self._measures(subject, images)

    def _activations(self, inputs: Any) -> Any:
        return joined(forward_to(self.model, inputs, self.path, self.calls))

    def _objective(self, subject: Subject) -> LayerObjective:
        """The objective for subjects of this size and channel order."""
        key = subject.size, subject.mapping.reverse
        if key not in self._objectives:
            self._objectives[key] = LayerObjective(self.model, self._activations, subject, self.settings)
        return self._objectives[key]

    def _measures(self, subject: Subject, images: np.ndarray) -> LayerResult:
        """Objective, cosine and dot product of each image, means over held-out views."""
        rows = [self._measures_of(subject.row(index), image) for index, image in enumerate(images)]
        objectives, cosines, dots = np.array(rows, np.float32).T
        return {"objectives": objectives, "cosines": cosines, "dots": dots}

    def _measures_of(self, subject: Subject, image: np.ndarray) -> list[float]:
        """Objective, cosine and dot product of an image and the only input of its subject."""
        transforms = pixel_transforms(held_out_views(), subject.size)
        mapping = subject.mapping
        views = [compressed(_warped(pixels, transforms)) for pixels in (image, subject.images[0])]
        inputs = tuple(np.asarray(feed(each, mapping.span, mapping.black, mapping)) for each in views)
        self._compiled_similarity = self._compiled_similarity or compile_for(self._mean_similarity, inputs)
        return [float(measure) for measure in self._compiled_similarity(inputs)]

    def _mean_similarity(self, inputs: tuple[Any, Any]) -> tuple[Any, ...]:
        import tensorflow as tf

        activations, target = (self._activations(each) for each in inputs)
        measures = similarity(activations, target, self.settings.cosine_power)
        return tuple(tf.reduce_mean(measure) for measure in measures)


def _warped(image: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """One image (h, w, c) under each of the transforms."""
    return np.asarray(warp(np.repeat(image[np.newaxis], len(transforms), axis=0), transforms))


class Snapshots:
    """Snapshots of the images during an optimisation.

    Args:
        every: The number of steps between two snapshots; 0 for none.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._snapshots: list[np.ndarray] = []

    def add(self, optimization: Optimization, images: Callable[[], Any]) -> None:
        """Add the current images, which `images` returns, if a snapshot is due."""
        while self.every and (len(self._snapshots) + 1) * self.every <= optimization.steps_taken.max():
            self._snapshots.append(_to_bytes(np.asarray(images())))

    def layer_result(self, optimization: Optimization, images: np.ndarray) -> LayerResult:
        """The final images with curves, steps and snapshots, one row per input."""
        last = _to_bytes(images)
        last_is_due = len(self._snapshots) * self.every == int(optimization.steps_taken.max())
        snapshots = [*self._snapshots[: -1 if last_is_due else None], last] if self.every else []
        return {
            "images": images,
            "curves": np.stack(optimization.curve, axis=1),
            "steps_taken": optimization.steps_taken,
            "converged": optimization.converged,
            "snapshots": np.stack(snapshots, axis=1) if snapshots else last[:, np.newaxis][:, :0],
        }


def _to_bytes(images: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(images * 255), np.uint8)
