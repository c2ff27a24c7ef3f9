"""Caricature: what a layer sees in a picture, drawn large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core import Batch, split
from mlflow_interp.layers import GradientLayers
from mlflow_interp.optvis.ascend import STEPS_A_POINT
from mlflow_interp.optvis.drawing import Artist, Column
from mlflow_interp.optvis.looking import Looker
from mlflow_interp.optvis.parametrize import Colours, Parametrization, ValueRange
from mlflow_interp.optvis.slope import Settings
from mlflow_interp.progress import track
from mlflow_interp.results import Examples

NEEDS = ("feature map", "pictures")

MOST_FRAMED = 8  # inputs in an image over steps
ROWS = 8  # inputs drawn at a time, whatever the batch size


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
        curves: (n, layers, points) float32, the objective on the way, a mean of `STEPS_A_POINT` steps each.
        steps_taken: (n, layers) int64.
        converged: (n, layers) bool, whether it stopped because more steps would have gained too little.
        snapshots: (n, layers, s, height, width, channels) uint8, images on the way, the last one last.
        snapshot_every: so many steps lie between them; 0 where none were kept.
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

    @property
    def resolved(self) -> dict[str, Any]:
        """The layers that were looked at."""
        return {"layers": ",".join(self.layers)}

    @property
    def curve_steps(self) -> np.ndarray:
        """(points,) the steps taken at each point of `curves`."""
        return self._steps(STEPS_A_POINT, self.curves)

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


def caricature(
    model: Any,
    batch: Batch,
    *,
    layers: GradientLayers = None,
    steps: int = 512,
    learning_rate: float = 0.05,
    tolerance: float = 0.02,
    cosine_power: float = 0.5,
    parametrization: Parametrization = "fourier",
    decay_power: float = 1.0,
    stddev: float = 0.01,
    colours: Colours = "decorrelated",
    value_range: ValueRange = "sigmoid",
    snapshot_every: int = 0,
    seed: int = 0,
) -> CaricatureResult:
    """What a layer sees in a picture, drawn from nothing until the layer answers as it does to the picture.

    Lucid's caricature (Olah et al. 2018, "The Building Blocks of Interpretability"): from noise, find an
    image whose activations at a layer point the way the input's do, and further. What the layer ignores
    is missing; what it notices is exaggerated. Adam climbs dot product times cosine, under small zooms and
    shifts, in a Fourier-parametrised space of decorrelated colours.

    Memory is bounded by eight inputs at a time: a forward and a backward pass, and their activations in up
    to 32 views, at most 64 MB of them for each input. Compiled steps hold copies of the weights, unless those
    are more than 256 MB.

    Args:
        layers: The layers to draw for, separated by commas: indices, names, or paths into nested models
            such as mobilenetv2/out_relu. By default the last one with a spatial feature map.
        steps: How many steps of the ascent to take at most, for each input and layer.
        learning_rate: Adam's: about how far a first step moves each coefficient; low frequencies move
            further, and steps grow two and a half times over the first 96.
        tolerance: An ascent stops where 32 more steps would add less than this share to its objective.
            0 takes all steps.
        cosine_power: How much the direction of the activations counts against their strength: the power
            of the cosine that the dot product is multiplied by.
        parametrization: What is optimised: fourier, the coefficients of a spectrum, or pixel, the pixels.
        decay_power: How fast the weight of a frequency falls with it; more gives smoother images.
        stddev: The standard deviation of the noise that an ascent starts from.
        colours: Whether steps are taken along the decorrelated colours of natural pictures, or the true
            red, green and blue. Grey pictures have nothing to decorrelate.
        value_range: How values are kept within black and white: a sigmoid, or clip.
        snapshot_every: Keep the image every so many steps, to watch it grow. 0 keeps none.
        seed: Of the noise and of the zooms and shifts.

    Returns:
        An image for each input and layer, of the input's size, float32 in 0..1.

    Raises:
        OptionError: no such layer, one without a gradient to the input, or a number out of range.
        InapplicableError: inputs that are no grey or colour pictures, or no spatial feature map.
        ModelError: the model can't take the inputs.
    """
    settings = Settings(
        steps, learning_rate, tolerance, cosine_power, parametrization, decay_power,
        stddev, colours, value_range, snapshot_every, seed,
    )  # fmt: skip
    settings.check()
    looker, columns = Looker(model, layers, batch.class_names), list[list[Column]]()
    most = None if batch.total is None else batch.total * steps * max(1, len(looker.layers))
    for _ in track(_work(batch, looker, settings, columns), total=most, label="Caricature", unit="step"):
        pass
    found = looker.found() | _joined(columns)
    return CaricatureResult(layers=looker.layers, snapshot_every=snapshot_every, **found)


def _work(batch: Batch, looker: Looker, settings: Settings, columns: list[list[Column]]) -> Iterator[int]:
    """Draw everything, eight inputs at a time; yields how many steps were taken since the last time."""
    artists: dict[str, Artist] = {}
    for whole in batch.chunks():
        looker(whole)
        for chunk in split(whole, ROWS):
            row = []
            for path in looker.layers:
                if path not in artists:
                    artists[path] = Artist(looker.model, path, looker.uses[path], settings)
                row.append((yield from artists[path].draw(chunk)))
            columns.append(row)


def _joined(columns: list[list[Column]]) -> dict[str, np.ndarray]:
    """Columns, by chunk and layer, as arrays of (n, layers, …)."""
    return {name: _stacked([[each[name] for each in row] for row in columns]) for name in columns[0][0]}


def _stacked(parts: list[list[np.ndarray]]) -> np.ndarray:
    """Arrays of (rows, …) as one; of who stopped earlier than others, the last point counts on."""
    longest = max(part.shape[1] for row in parts for part in row) if parts[0][0].ndim > 1 else 0
    return np.concatenate([np.stack([_lengthened(part, longest) for part in row], axis=1) for row in parts])


def _lengthened(part: np.ndarray, length: int) -> np.ndarray:
    missing = length - part.shape[1] if part.ndim > 1 else 0
    return np.concatenate([part, np.repeat(part[:, -1:], missing, axis=1)], axis=1) if missing > 0 else part
