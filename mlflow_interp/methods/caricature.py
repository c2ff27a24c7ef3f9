"""Caricature: what a layer sees in a picture, drawn large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlflow_interp.backend.layer_tree import GradientLayers
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import split
from mlflow_interp.kinds.caricature.result import CaricatureResult
from mlflow_interp.optvis.objectives import CaricatureOptions
from mlflow_interp.optvis.optimize import STEPS_A_POINT
from mlflow_interp.optvis.param import Colours, Parametrization, ValueRange
from mlflow_interp.optvis.reference_pass import ReferencePass
from mlflow_interp.optvis.render import LayerResult, Renderer
from mlflow_interp.progress import track

REQUIRES = ("feature map", "images")
ROWS = 8  # inputs drawn at a time, whatever the batch size


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
    settings = CaricatureOptions(
        steps, learning_rate, tolerance, cosine_power, parametrization, decay_power,
        stddev, colours, value_range, snapshot_every, seed,
    )  # fmt: skip
    settings.check()
    reference = ReferencePass(model, layers, batch.class_names)
    columns = list[list[LayerResult]]()
    total = None if batch.total is None else batch.total * steps * max(1, len(reference.layers))
    for _ in track(_draw(batch, reference, settings, columns), total=total, label="Caricature", unit="step"):
        pass
    fields = reference.results() | _concatenated(columns)
    return CaricatureResult(
        layers=reference.layers, snapshot_every=snapshot_every, curve_every=STEPS_A_POINT, **fields
    )


def _draw(
    batch: Batch, reference: ReferencePass, settings: CaricatureOptions, columns: list[list[LayerResult]]
) -> Iterator[int]:
    """Draw everything, eight inputs at a time; yields the number of steps since the previous yield."""
    renderers: dict[str, Renderer] = {}
    for chunk in batch.chunks():
        reference(chunk)
        for part in split(chunk, ROWS):
            row = []
            for path in reference.layers:
                if path not in renderers:
                    renderers[path] = Renderer(reference.model, path, reference.uses[path], settings)
                row.append((yield from renderers[path].draw(part)))
            columns.append(row)


def _concatenated(columns: list[list[LayerResult]]) -> dict[str, np.ndarray]:
    """Columns, by chunk and layer, as arrays of (n, layers, …)."""
    return {name: _stacked_rows([[each[name] for each in row] for row in columns]) for name in columns[0][0]}


def _stacked_rows(parts: list[list[np.ndarray]]) -> np.ndarray:
    """Arrays of (rows, …) as one; curves that ended earlier are padded with their last point."""
    longest = max(part.shape[1] for row in parts for part in row) if parts[0][0].ndim > 1 else 0
    return np.concatenate([np.stack([_padded(part, longest) for part in row], axis=1) for row in parts])


def _padded(part: np.ndarray, length: int) -> np.ndarray:
    missing = length - part.shape[1] if part.ndim > 1 else 0
    return np.concatenate([part, np.repeat(part[:, -1:], missing, axis=1)], axis=1) if missing > 0 else part
