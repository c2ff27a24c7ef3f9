"""Renders what features respond to: images optimised from noise, each feature independently of the others."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import forward
from mlflow_interp.optvis.features import FeatureLayer, features_of
from mlflow_interp.optvis.freeze import frozen
from mlflow_interp.optvis.optimize import Optimization, State, Step, compile_step
from mlflow_interp.optvis.param import (
    ImageParam,
    learning_rate_scale,
    neighbourhood_mean,
    noise,
    to_image,
)
from mlflow_interp.optvis.transform import InputMapping, crop, draw_crops, feed

# Nothing but the transforms limits what grows here, so they are larger than a caricature's; see
# docs/caricature-tuning.md. Each step draws others, which costs nothing: unlike a
# caricature, the objective has no target that depends on them.
MOST_ZOOM = 0.1
MOST_SHIFT = 16 / 224
ROWS = 8  # images that are optimised at a time

# A start without a gradient is tried again with stronger noise.
STRONGER = np.float32(10)
STRONGER_STARTS = 3

# How much a feature may lose for images that differ: an image that is exactly like the others of its feature
# loses this share of its objective.
DIVERSITY_WEIGHT = 0.5


@dataclass(frozen=True)
class FeatureOptions:
    """The options of the optimisation, see `methods.feature_visualization`.

    Attributes:
        param: the parametrisation of the images.
        ascent_steps: the maximum number of steps.
        ascent_rate: Adam's learning rate.
        tolerance: see `Optimization.run`.
        stddev: of the noise at the start.
        diversity: the number of images of each feature.
        seed: of noise and transforms.
    """

    param: ImageParam
    ascent_steps: int
    ascent_rate: float
    tolerance: float
    stddev: float
    diversity: int
    seed: int


@dataclass(frozen=True, eq=False)
class Feature:
    """A feature to render.

    Attributes:
        weights: (channels,) float32, the weight of each channel of the layer.
        unit: roughly how strong it can be; the objective is divided by it.
    """

    weights: np.ndarray
    unit: float


Rendered = dict[str, np.ndarray]  # the arrays of a feature, with a row for each of its images


class FeatureRenderer:
    """Renders images of features of one layer.

    Args:
        model: The Keras model.
        layer: The layer.
        mapping: How an image becomes an input: one row, which all images share.
        options: The options.
    """

    def __init__(
        self, model: Any, layer: FeatureLayer, mapping: InputMapping, options: FeatureOptions
    ) -> None:
        self.model = model
        self.layer = layer
        self.mapping = mapping
        self.options = options
        self._step: Step | None = None
        self._measures: Any = None

    @property
    def features_at_a_time(self) -> int:
        """The images of a feature are optimised together."""
        return max(1, ROWS // self.options.diversity)

    def draw(self, features: Sequence[Feature]) -> Generator[int, None, list[Rendered]]:
        """Render features; periodically yield the number of steps, of all images, since the last yield."""
        rendered: list[Rendered] = []
        for start in range(0, len(features), self.features_at_a_time):
            rendered += yield from self._draw(features[start : start + self.features_at_a_time])
        return rendered

    def _draw(self, features: Sequence[Feature]) -> Generator[int, None, list[Rendered]]:
        options, count = self.options, self.options.diversity
        noise_ = noise(options.param, range(count), stddev=options.stddev, seed=options.seed)
        start = np.concatenate([noise_] * len(features))
        units = np.repeat([each.unit for each in features], count).astype(np.float32)
        weights = np.repeat(np.stack([each.weights for each in features]), count, axis=0)
        groups = np.repeat(np.arange(len(features), dtype=np.int32), count)
        constants = (weights.astype(np.float32) / units[:, np.newaxis], groups)
        step = self._compiled(start, constants)
        start = self._with_gradients(step, start, constants)
        optimization = Optimization(step, constants, start, self._views())
        yield from optimization.run(options.ascent_steps, options.tolerance)
        images = to_image(options.param, optimization.variable).numpy()
        columns = {
            "images": images,
            "objectives": self._reached(images, weights),
            "curves": np.stack(optimization.curve, axis=1) * units[:, np.newaxis],
            "steps_taken": optimization.steps_taken,
            "converged": optimization.converged,
            "similarities": self._similarities(images, groups),
        }
        return [
            {name: column[row : row + count] for name, column in columns.items()}
            for row in range(0, len(images), count)
        ]

    def _views(self) -> Iterator[np.ndarray]:
        generator = np.random.default_rng(self.options.seed)
        while True:
            yield draw_crops(generator, 1, zoom=MOST_ZOOM, shift=MOST_SHIFT)

    def _with_gradients(self, step: Step, start: np.ndarray, constants: Any) -> np.ndarray:
        """The same start, with stronger noise for each image that would not change.

        Faint noise can leave all units of an earlier layer inactive, and an objective without a gradient.
        """
        for _ in range(STRONGER_STARTS):
            state, _ = step(State.start(start), next(self._views()), constants)
            is_still = (np.asarray(state.parts[0]) == start).reshape(len(start), -1).all(axis=1)
            if not is_still.any():
                break
            start = np.where(is_still.reshape(-1, *[1] * (start.ndim - 1)), STRONGER * start, start)
        return start

    def _compiled(self, variable: np.ndarray, constants: Any) -> Step:
        if self._step is None:
            param = self.options.param
            self._step = compile_step(
                self._objective,
                State.start(variable),
                next(self._views()),
                constants,
                learning_rate=self.options.ascent_rate * learning_rate_scale(param),
                pooled=partial(neighbourhood_mean, param),
            )
        return self._step

    def _objective(self, variable: Any, view: Any, constants: Any) -> Any:
        """(variables, a box, weights and the feature of each image) => (objectives), traced."""
        import tensorflow as tf

        weights, groups = constants
        images = crop(to_image(self.options.param, variable), view, outside=0.5)
        with frozen(self.model):
            values, maps = features_of(self.model, self.layer, self._input(images))
        excitations = tf.reduce_sum(values * weights, axis=1)
        if self.options.diversity == 1:
            return excitations
        return excitations - DIVERSITY_WEIGHT * tf.stop_gradient(tf.abs(excitations)) * likeness(maps, groups)

    def _input(self, images: Any) -> Any:
        return feed(images, self.mapping.span, self.mapping.black, self.mapping)

    def _reached(self, images: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(n,) float32, how strongly each image itself, without a transform, excites its feature."""
        values, _ = self._measured(images)
        return np.asarray((values * weights).sum(axis=1), np.float32)

    def _similarities(self, images: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """(n,) float32, how alike each image is to the others of its feature; 1 if there are no others."""
        if self.options.diversity == 1:
            return np.ones(len(images), np.float32)
        _, maps = self._measured(images)
        return np.asarray(likeness(maps, groups), np.float32)

    def _measured(self, images: np.ndarray) -> tuple[Any, Any]:
        def measure(given: Any) -> Any:
            passed = forward(self.model, self._input(given))
            return self.layer.values(self.model, passed), self.layer.maps(self.model, passed)

        if self._measures is None:
            self._measures = compile_for(measure, images)
        values, maps = self._measures(images)
        return values.numpy(), maps


def likeness(maps: Any, groups: Any) -> Any:
    """The mean cosine of the Gram matrix of each map with those of the others in its group, (n,) float32.

    Gram matrices hold which channels are active together, wherever that is (Olah et al. 2017); 0 without
    others.

    Args:
        maps: (n, positions, channels).
        groups: (n,) int32.
    """
    import tensorflow as tf

    _, positions, channels = maps.shape
    if positions is not None and positions < channels:
        # The product of two Gram matrices is the squared length of the products of all positions.
        flat = tf.reshape(maps, (-1, channels))
        squares = tf.reshape(
            tf.matmul(flat, flat, transpose_b=True) ** 2, (tf.shape(maps)[0], positions, -1, positions)
        )
        products = tf.reduce_sum(squares, axis=(1, 3))
    else:
        grams = tf.reshape(tf.matmul(maps, maps, transpose_a=True), (tf.shape(maps)[0], channels**2))
        products = tf.matmul(grams, grams, transpose_b=True)
    lengths = tf.sqrt(tf.maximum(tf.linalg.diag_part(products), 1e-20))
    cosines = products / (lengths[:, tf.newaxis] * lengths)
    is_other = tf.equal(groups[:, tf.newaxis], groups) & ~tf.eye(tf.shape(maps)[0], dtype=tf.bool)
    others = tf.cast(is_other, tf.float32)
    return tf.reduce_sum(cosines * others, axis=1) / tf.maximum(tf.reduce_sum(others, axis=1), 1)
