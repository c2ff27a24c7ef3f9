"""What a caricature gives: an image for each input and layer, and how like the input it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.examples import Examples

MOST_FRAMED = 8  # inputs in an image over steps


@dataclass(frozen=True, eq=False)
class CaricatureResult:
    """One image for each input and layer. Every array has the inputs first and the layers second.

    Attributes:
        examples: the inputs and what the model said about them.
        images: (n, layers, height, width, channels) float32 in 0..1.
        layers: the paths of the layers, in the order asked for.
        objectives: (n, layers) float32, dots · max(0.1, cosines)^power, 1 for the input itself; like
            `cosines` and `dots` the mean over 16 small turns, zooms and shifts that the ascent has not
            seen, with JPEG's losses.
        cosines: (n, layers) float32, between the activations of image and input.
        dots: (n, layers) float32, dot products over the input's own activations squared.
        baseline_cosines: (n, layers) float32, the cosine that other inputs reach: their mean, or where
            an input came alone that of itself upside down.
        curves: (n, layers, points) float32, the objective on the way, a mean of
            `curve_every` steps each.
        steps_taken: (n, layers) int64.
        converged: (n, layers) bool, whether it stopped because more steps would have gained too little.
        snapshots: (n, layers, s, height, width, channels) uint8, images on the way, the last one last.
        snapshot_every: so many steps lie between them; 0 where none were kept.
        curve_every: so many steps lie between the points of `curves`.
    """

    examples: Examples
    images: np.ndarray
    layers: tuple[str, ...]
    objectives: np.ndarray
    cosines: np.ndarray
    dots: np.ndarray
    baseline_cosines: np.ndarray
    curves: np.ndarray
    steps_taken: np.ndarray
    converged: np.ndarray
    snapshots: np.ndarray
    snapshot_every: int
    curve_every: int

    @property
    def resolved(self) -> dict[str, Any]:
        """The layers that were looked at."""
        return {"layers": ",".join(self.layers)}

    @property
    def curve_steps(self) -> np.ndarray:
        """(points,) the steps taken at each point of `curves`."""
        return self._steps(self.curve_every, self.curves)

    @property
    def snapshot_steps(self) -> np.ndarray:
        """(s,) the steps taken at each of `snapshots`; who had stopped stays as they were."""
        return self._steps(self.snapshot_every, self.snapshots)

    def _steps(self, every: int, points: np.ndarray) -> np.ndarray:
        return np.asarray(np.minimum(every * np.arange(1, points.shape[2] + 1), self.steps_taken.max()))

    def arrays(self) -> dict[str, np.ndarray]:
        """Images, measures, curves and what the model said, by name."""
        names = ("images", *_MEASURES, "curves", "steps_taken", "converged")
        found = {name: getattr(self, name) for name in names}
        if self.snapshot_every:
            found["snapshots"] = self.snapshots
        examples = self.examples
        return found | {
            "indices": examples.indices,
            "labels": examples.labels,
            "classes": examples.classes,
            "probabilities": examples.probabilities,
        }

    def metrics(self) -> dict[str, float]:
        """Means over the inputs: of all layers, and where there are several of each."""
        found = {"inputs": float(len(self.examples))}
        for name in (*_MEASURES, "steps_taken"):
            values = getattr(self, name)
            singular = _SINGULAR.get(name, name)
            found[singular] = float(values.mean())
            if len(self.layers) > 1:
                found |= {
                    f"{singular}/{layer}": float(values[:, column].mean())
                    for column, layer in enumerate(self.layers)
                }
        return found

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """The objective over steps, a mean over the inputs, for each layer."""
        steps, means = self.curve_steps.tolist(), self.curves.mean(axis=0)
        return {
            f"objective_over_steps/{layer}": list(zip(steps, curve.tolist(), strict=True))
            for layer, curve in zip(self.layers, means, strict=True)
        }

    def frames(self) -> list[tuple[int, np.ndarray]]:
        """The images over steps, inputs below one another and layers side by side."""
        if not self.snapshot_every:
            return []
        shown = self.snapshots[:MOST_FRAMED]
        rows = np.concatenate(list(np.concatenate(list(shown.swapaxes(0, 1)), axis=-2)), axis=1)
        pictures = np.repeat(rows, 3, axis=-1) if rows.shape[-1] == 1 else rows
        return list(zip(self.snapshot_steps.tolist(), pictures, strict=True))

    def table(self) -> dict[str, list[Any]]:
        """A row an input: its name, what was predicted, the label if known, the measures of each layer."""
        rows = self.examples.table()
        for column, layer in enumerate(self.layers):
            at = f" at {layer}" if len(self.layers) > 1 else ""
            for measure in (*_MEASURES, "steps_taken"):
                rows[_SINGULAR.get(measure, measure) + at] = getattr(self, measure)[:, column].tolist()
            rows["stopped" + at] = [STOPPED[bool(each)] for each in self.converged[:, column]]
        return rows

    def warnings(self) -> list[str]:
        """Names the layers where a caricature is no nearer to its input than other inputs are."""
        return [
            f"{far} of {len(self.examples)} caricatures at layer {layer!r} are no more like their input than "
            f"other inputs are (cosine {self.cosines[:, column].mean():.2f} against "
            f"{self.baseline_cosines[:, column].mean():.2f}); take more steps, or a layer after a ReLU"
            for column, layer in enumerate(self.layers)
            if (far := int((self.cosines <= self.baseline_cosines)[:, column].sum()))
        ]


_MEASURES = ("objectives", "cosines", "dots", "baseline_cosines")
_SINGULAR = {name: name.removesuffix("s") for name in _MEASURES}
#: Why an ascent stopped, by whether it converged.
STOPPED = {True: "converged", False: "steps"}
