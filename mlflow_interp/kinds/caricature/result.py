"""The result of caricatures: an image for each input and layer, and its similarity to the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.examples import Examples
from mlflow_interp.drawing.tone import drawn

if TYPE_CHECKING:
    from mlflow_interp.kinds.caricature.difference import CaricatureDifference

MOST_IN_A_FRAME = 8  # inputs in an image over steps


@dataclass(frozen=True, eq=False)
class CaricatureResult:
    """One image for each input and layer. Every array has the inputs first and the layers second.

    Attributes:
        examples: the inputs and their predictions.
        images: (n, layers, height, width, channels) float32 in 0..1, as optimised: figures show them with
            softer contrasts, see `drawing.tone`.
        layers: the paths of the layers, in the order asked for.
        objectives: (n, layers) float32, dots · max(0.1, cosines)^power, 1 for the input itself; like
            `cosines` and `dots` the mean over 16 small rotations, zooms and shifts that the optimisation
            has not used, with JPEG losses.
        cosines: (n, layers) float32, between the activations of image and input.
        dots: (n, layers) float32, dot products over the input's own activations squared.
        baseline_cosines: (n, layers) float32, the mean cosine of all other inputs with it; of a single
            input, the cosine of its own image upside down.
        curves: (n, layers, points) float32, the objective during the optimisation, averaged over
            `curve_every` steps.
        steps_taken: (n, layers) int64.
        converged: (n, layers) bool, whether it stopped early because more steps would have gained too little.
        snapshots: (n, layers, s, height, width, channels) uint8, images over the steps, the final one last.
        snapshot_every: the number of steps between snapshots; 0 if there are none.
        curve_every: the number of steps between the points of `curves`.
        title: the name of the method in titles and captions.
        calls: the numbers of the calls of layers that are called several times, as text; else empty.
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
    title: str = "Caricature"
    calls: str = ""

    @property
    def resolved(self) -> dict[str, Any]:
        """The layers that were drawn, and the calls of those that are called several times."""
        return {"layers": ",".join(self.layers)} | ({"calls": self.calls} if self.calls else {})

    @property
    def curve_steps(self) -> np.ndarray:
        """(points,) the number of steps at each point of `curves`."""
        return self._steps(self.curve_every, self.curves)

    @property
    def snapshot_steps(self) -> np.ndarray:
        """(s,) the number of steps at each of `snapshots`; images that have stopped no longer change."""
        return self._steps(self.snapshot_every, self.snapshots)

    def _steps(self, every: int, points: np.ndarray) -> np.ndarray:
        return np.asarray(np.minimum(every * np.arange(1, points.shape[2] + 1), self.steps_taken.max()))

    def arrays(self) -> dict[str, np.ndarray]:
        """Images, measures, curves and predictions, by name."""
        names = ("images", *_MEASURES, "curves", "steps_taken", "converged")
        arrays = {name: getattr(self, name) for name in names}
        if self.snapshot_every:
            arrays["snapshots"] = self.snapshots
        return arrays | self.examples.arrays()

    def metrics(self) -> dict[str, float]:
        """Means over the inputs: for all layers and, if there are several, for each."""
        metrics = {"inputs": float(len(self.examples))}
        for name in (*_MEASURES, "steps_taken"):
            values = getattr(self, name)
            singular = _SINGULAR.get(name, name)
            metrics[singular] = float(values.mean())
            if len(self.layers) > 1:
                metrics |= {
                    f"{singular}/{layer}": float(values[:, column].mean())
                    for column, layer in enumerate(self.layers)
                }
        return metrics

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """The objective over steps, averaged over the inputs, for each layer."""
        steps = self.curve_steps.tolist()
        means = self.curves.mean(axis=0)
        return {
            f"objective_over_steps/{layer}": list(zip(steps, curve.tolist(), strict=True))
            for layer, curve in zip(self.layers, means, strict=True)
        }

    def frames(self) -> list[tuple[int, np.ndarray]]:
        """The images over steps, as drawn, inputs below one another and layers side by side."""
        if not self.snapshot_every:
            return []
        first = self.snapshots[:MOST_IN_A_FRAME]
        frames = [
            np.concatenate([np.concatenate([drawn(each[at] / 255) for each in row], axis=1) for row in first])
            for at in range(first.shape[2])
        ]
        return list(zip(self.snapshot_steps.tolist(), frames, strict=True))

    def table(self) -> dict[str, list[Any]]:
        """One row per input: its name, prediction, label if known, and the measures of each layer."""
        rows = self.examples.table()
        for column, layer in enumerate(self.layers):
            suffix = f" at {layer}" if len(self.layers) > 1 else ""
            for measure in (*_MEASURES, "steps_taken"):
                rows[_SINGULAR.get(measure, measure) + suffix] = getattr(self, measure)[:, column].tolist()
            rows["stopped" + suffix] = [STOPPED[bool(flag)] for flag in self.converged[:, column]]
        return rows

    def warnings(self) -> list[str]:
        """Warnings about layers where caricatures are not closer to their own input than to other inputs."""
        return [
            f"at layer {layer!r}, {far} of {len(self.examples)} caricatures are no closer to their own input "
            f"than to other inputs (mean cosine {self.cosines[:, column].mean():.2f} against "
            f"{self.baseline_cosines[:, column].mean():.2f}); use more ascent_steps, or a layer after a ReLU"
            for column, layer in enumerate(self.layers)
            if (far := int((self.cosines <= self.baseline_cosines)[:, column].sum()))
        ]

    def difference(self, other: CaricatureResult) -> CaricatureDifference:
        """How much closer these caricatures are to their inputs than those of another result.

        Raises:
            InputsError: the results do not match.
        """
        from mlflow_interp.kinds.caricature.difference import difference

        return difference(self, other)


_MEASURES = ("objectives", "cosines", "dots", "baseline_cosines")
_SINGULAR = {name: name.removesuffix("s") for name in _MEASURES}
#: Why an optimisation stopped, by whether it converged.
STOPPED = {True: "converged", False: "steps"}
