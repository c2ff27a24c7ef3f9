"""How the heatmaps of inputs change with noise, with the model's weights, and with the explained class."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from mlflow_interp.backend.permuted import kernels, permuted
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.engine.explainer import Explainer, Maps
from mlflow_interp.exceptions import InputsError
from mlflow_interp.quality.measures import median_of_rows, relative_distance, spearman

T = TypeVar("T")

DRAWS = 8  # of noise
NOISE = 0.02  # of the range of an input, on either side
PERMUTATIONS = 3  # of weights
#: Explanations of each input besides its own: with noise, with permuted weights, of the runner-up.
EXPLANATIONS = DRAWS + 2 * PERMUTATIONS + 1


@dataclass(frozen=True)
class Changes:
    """The heatmaps of some inputs by one method, and those under each change that was made.

    Attributes:
        own: those of the explained class.
        noisy: those with noise, draw by draw.
        randomised_head, randomised_all: those with the weights permuted of the last layer, and of all layers;
            without the permutations after which the model gives no finite values.
        runner_up: those of the runner-up; None without one.
    """

    own: Maps
    noisy: list[Maps]
    randomised_head: list[Maps]
    randomised_all: list[Maps]
    runner_up: Maps | None

    def measures(self, name: str) -> dict[str, np.ndarray]:
        """The measures of the heatmaps of one name, each (n,); NaN where they are not defined."""
        own = flat(self.own.maps[name])
        undefined = np.full(len(own), np.nan)
        distances = [
            np.where(
                each.predicted == self.own.predicted, relative_distance(own, flat(each.maps[name])), np.nan
            )
            for each in self.noisy
        ]
        found = {"stability": _largest(np.stack(distances)) if distances else undefined}
        for measured in ("randomised_head", "randomised_all"):
            changed: list[Maps] = getattr(self, measured)
            each = [spearman(own, flat(maps.maps[name])) for maps in changed]
            found[measured] = median_of_rows(np.stack(each, axis=1)) if each else undefined
        other = self.runner_up
        found["class_specific"] = undefined if other is None else spearman(own, flat(other.maps[name]))
        return found


def explain_changed(
    explainer: Explainer,
    model: Any,
    chunk: Chunk,
    passed: Mapping[str, np.ndarray],
    seed: int,
    *,
    quick: bool = False,
) -> Generator[int, None, Changes]:
    """Explain inputs as they are, and under each change; yield the passes done since the last yield.

    Args:
        explainer: the method.
        model: its model, whose weights are permuted for a while.
        chunk: the inputs.
        passed: "targets", the explained classes, and "runner_up" if there is one.
        seed: of noise and permutations, which are the same for all inputs.
        quick: whether to leave out noise and permutations.
    """
    targets = passed["targets"]
    own = yield from explainer.explain(chunk, targets)
    noisy = []
    for draw in range(0 if quick else DRAWS):
        noisy.append((yield from explainer.explain(with_noise(chunk, seed, draw), targets)))
    randomised: dict[str, list[Maps]] = {"head": [], "all": []}
    weights = [] if quick else kernels(model)
    for number in range(PERMUTATIONS if weights else 0):
        for which, chosen in (("head", weights[-1:]), ("all", weights)):
            with permuted(chosen, seed + number):
                # Without yielding, as whoever runs this generator might then find the model changed.
                passes, maps = finished(explainer.explain(chunk, targets))
            yield passes
            randomised[which] += [] if maps is None else [maps]
    runner_up = passed.get("runner_up") if explainer.has_target else None
    other = None if runner_up is None else (yield from explainer.explain(chunk, runner_up))
    return Changes(own, noisy, randomised["head"], randomised["all"], other)


def finished(explanation: Generator[int, None, T]) -> tuple[int, T | None]:
    """The passes of an explanation, and what it returns; None if the model gives no finite values."""
    passes = 0
    while True:
        try:
            passes += next(explanation)
        except StopIteration as stop:
            return passes, stop.value
        except InputsError:
            return passes, None


def with_noise(chunk: Chunk, seed: int, draw: int) -> Chunk:
    """The inputs with uniform noise of up to two percent of their range."""
    inputs = np.asarray(chunk.inputs)
    axes = tuple(range(1, inputs.ndim))
    span = inputs.max(axis=axes, keepdims=True) - inputs.min(axis=axes, keepdims=True)
    noise = np.random.default_rng([seed, draw]).uniform(-NOISE, NOISE, inputs.shape[1:])
    return replace(chunk, inputs=(inputs + span * noise).astype(inputs.dtype))


def _largest(distances: np.ndarray) -> np.ndarray:
    """The largest of the distances (draws, n) that are defined."""
    defined = np.isfinite(distances)
    largest = np.where(defined, distances, -np.inf).max(axis=0)
    return np.where(defined.any(axis=0), largest, np.nan)


def flat(maps: np.ndarray) -> np.ndarray:
    """Maps as rows (n, d)."""
    return maps.reshape(len(maps), -1)
