"""The result of a feature visualisation: images of features, and the inputs that excite them most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mlflow_interp.core.examples import Examples

DIRECTION = -1  # in place of the index of a channel or class
_ROUNDING = 1e-3


@dataclass(frozen=True, eq=False)
class FeatureVisualizationResult:
    """Images that are optimised to excite features of a layer; f features, each with d images.

    How strongly an image or input excites a feature is the value of the channel, at one position or averaged
    over all; the score of a class; or the weighted sum of a direction.

    Attributes:
        examples: the inputs and their predictions; those that are shown excite a feature most.
        layer: the path of the layer, or "output".
        features: (f,) int64, the channels or classes; `DIRECTION` for directions.
        names: f names, such as "channel 17".
        images: (f, d, height, width, channels) float32 in 0..1, as optimised: figures show them with softer
            contrasts, see `drawing.tone`.
        objectives: (f, d) float32, how strongly each image excites its feature.
        activations: (n, f) float32, how strongly each input does.
        strongest: (f, k) int64, the rows of the inputs that excite each feature most, the strongest first.
        similarities: (f, d) float32, the mean cosine of the Gram matrices of an image and the others of its
            feature; 1 if there are no others.
        curves: (f, d, points) float32, the objective during the optimisation, averaged over `curve_every`
            steps.
        steps_taken: (f, d) int64.
        converged: (f, d) bool, whether it stopped early because more steps would have gained too little.
        curve_every: the number of steps between the points of `curves`.
        pictures: (f, k, side, side, 3) uint8, the strongest inputs; None if they are not kept.
        directions: (f, channels) float32, of length 1; None for channels and classes.
        kind: what the features are: "channel", "neuron", "class", "value" or "direction".
        position: of the neurons, as text; "" for whole channels.
        given: given directions, as text.
        chosen: how the features were chosen; "" if they were named.
        title: the name of the method in titles and captions.
    """

    examples: Examples
    layer: str
    features: np.ndarray
    names: tuple[str, ...]
    images: np.ndarray
    objectives: np.ndarray
    activations: np.ndarray
    strongest: np.ndarray
    similarities: np.ndarray
    curves: np.ndarray
    steps_taken: np.ndarray
    converged: np.ndarray
    curve_every: int
    pictures: np.ndarray | None
    directions: np.ndarray | None = None
    kind: str = "channel"
    position: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    chosen: str = ""
    title: str = "Feature visualization"

    @property
    def diversity(self) -> int:
        """The number of images of each feature."""
        return int(self.images.shape[1])

    @cached_property
    def best_inputs(self) -> np.ndarray:
        """(f,) float32, how strongly the strongest input excites each feature."""
        return np.asarray(np.take_along_axis(self.activations, self.strongest[:, :1].T, axis=0)[0])

    @cached_property
    def ratios(self) -> np.ndarray:
        """(f,) float64, the strongest image of each feature over the strongest input; NaN if that is ≤ 0."""
        best = self.best_inputs.astype(np.float64)
        reached = self.objectives.max(axis=1).astype(np.float64)
        return np.where(best > 0, reached / np.where(best > 0, best, 1), np.nan)

    @property
    def weaker(self) -> np.ndarray:
        """(f,) bool, whether an input excites the feature more than its images do, or nothing excites it."""
        reached = self.objectives.max(axis=1)
        is_dead = (reached == 0) & ~self.activations.any(axis=0)
        # A unit with a largest value, such as a ReLU6, reaches it up to rounding.
        return np.asarray(is_dead | (reached < self.best_inputs - _ROUNDING * np.abs(self.best_inputs)))

    @property
    def resolved(self) -> dict[str, Any]:
        """The layer, and the features with how they were chosen."""
        features = ",".join(map(str, self.features.tolist()))
        named = {} if self.directions is not None else {"features": features}
        chosen = {"features_chosen_by": self.chosen} if self.chosen else {}
        neuron = {"neuron": self.position} if self.position else {}
        return {"layer": self.layer} | named | chosen | neuron | dict(self.given)

    @property
    def curve_steps(self) -> np.ndarray:
        """(points,) the number of steps at each point of `curves`."""
        steps = self.curve_every * np.arange(1, self.curves.shape[2] + 1)
        return np.asarray(np.minimum(steps, self.steps_taken.max()))

    def arrays(self) -> dict[str, np.ndarray]:
        """Images, measures, curves, and the activations and predictions of the inputs, by name."""
        optional = {"pictures": self.pictures, "directions": self.directions}
        return (
            {name: getattr(self, name) for name in ARRAYS}
            | {name: array for name, array in optional.items() if array is not None}
            | self.examples.arrays()
        )

    def metrics(self) -> dict[str, float]:
        """The numbers of inputs and features, and means or medians over the features."""
        metrics = {
            "inputs": float(len(self.examples)),
            "features": float(len(self.features)),
            "stronger": float((~self.weaker).mean()),
            "steps_taken": float(self.steps_taken.mean()),
        }
        if np.isfinite(self.ratios).any():
            metrics["ratio"] = float(np.nanmedian(self.ratios))
        if self.diversity > 1:
            metrics["similarity"] = float(self.similarities.mean())
        return metrics

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """The objective over steps, averaged over the images of each feature, by its index."""
        steps = self.curve_steps.tolist()
        numbers = range(len(self.names)) if self.directions is not None else self.features.tolist()
        # Not by its name: MLflow does not accept every name of a class as that of a metric.
        return {
            f"objective_over_steps/{self.kind}_{number}": list(zip(steps, curve.tolist(), strict=True))
            for number, curve in zip(numbers, self.curves.mean(axis=1), strict=True)
        }

    def frames(self) -> list[tuple[int, np.ndarray]]:
        """None: images are not kept during the optimisation."""
        return []

    def table(self) -> dict[str, list[Any]]:
        """A row for each feature: how strongly its images and the strongest input excite it."""
        first = self.strongest[:, 0].tolist()
        name = self.examples.class_name
        predicted = [name(each) for each in self.examples.classes[first, 0].tolist()]
        return {
            "feature": list(self.names),
            "objective": self.objectives.max(axis=1).tolist(),
            "best_input": self.best_inputs.tolist(),
            "ratio": [None if np.isnan(each) else round(each, 4) for each in self.ratios.tolist()],
            "strongest_input": [self.examples.names[row] for row in first],
            **({"predicted": predicted} if self.examples.has_classes else {}),
            "steps_taken": self.steps_taken.max(axis=1).tolist(),
            "stopped": ["converged" if all(each) else "steps" for each in self.converged.tolist()],
        }

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """strongest_inputs.csv: a row for each of the strongest inputs of each feature."""
        count = self.strongest.shape[1]
        rows = self.strongest.ravel().tolist()
        at = np.repeat(np.arange(len(self.names)), count)
        table = self.examples.table()
        return {
            "strongest_inputs.csv": {
                "feature": [self.names[each] for each in at.tolist()],
                "rank": [rank + 1 for rank in range(count)] * len(self.names),
                "activation": self.activations[self.strongest.ravel(), at].tolist(),
                **{name: [column[row] for row in rows] for name, column in table.items()},
            }
        }

    def highlights(self) -> dict[str, Any]:
        """How images are drawn."""
        return {"images": "as optimised in arrays.npz; drawn with softer contrasts"}

    def warnings(self) -> list[str]:
        """Warnings about features whose images excite them less than an input does."""
        weaker = [name for name, is_weaker in zip(self.names, self.weaker, strict=True) if is_weaker]
        if not weaker:
            return []
        shown = ", ".join(weaker[:3]) + (", …" if len(weaker) > 3 else "")
        return [
            f"the images of {len(weaker)} of {len(self.names)} features ({shown}) excite them less than an "
            "input does, or not at all, and do not show what they respond to; use more ascent_steps, or "
            "leave these features out"
        ]


ARRAYS = (
    "features", "images", "objectives", "activations", "strongest", "similarities", "curves", "steps_taken",
    "converged",
)  # fmt: skip
