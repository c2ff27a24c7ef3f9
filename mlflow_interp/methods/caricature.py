"""Caricature: what a layer responds to in an image, exaggerated."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from mlflow_interp.backend.layer_calls import CallChoice, Calls, LayerCall, parse_calls
from mlflow_interp.backend.layer_tree import GradientLayers, find_layers
from mlflow_interp.core.accepted import Range
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.calls import several_calls_text
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.rows import Rows
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.trace import Trace
from mlflow_interp.kinds.caricature.result import CaricatureResult
from mlflow_interp.optvis.baseline import BaselineCosines
from mlflow_interp.optvis.objectives import CaricatureOptions
from mlflow_interp.optvis.optimize import STEPS_A_POINT
from mlflow_interp.optvis.param import Colours, Parametrization, ValueRange
from mlflow_interp.optvis.reference_pass import check_images, reference_activations
from mlflow_interp.optvis.render import Renderer

REQUIRES = ("feature map", "images")
SHOWS_INPUTS = "a caricature is an image made from its input"


def caricature(
    model: Any,
    batch: Batch,
    *,
    layers: GradientLayers = None,
    calls: Calls = None,
    ascent_steps: Annotated[int, Range(least=1)] = 512,
    ascent_rate: Annotated[float, Range(above=0)] = 0.05,
    tolerance: Annotated[float, Range(least=0)] = 0.02,
    cosine_power: Annotated[float, Range(least=0)] = 0.5,
    parametrization: Parametrization = "fourier",
    decay_power: Annotated[float, Range(least=0)] = 1.0,
    stddev: Annotated[float, Range(above=0)] = 0.01,
    colours: Colours = "decorrelated",
    value_range: ValueRange = "sigmoid",
    snapshot_every: Annotated[int, Range(least=0)] = 0,
    seed: Annotated[int, Range(least=0)] = 0,
) -> Explaining[CaricatureResult]:
    """What a layer responds to in an image, exaggerated.

    A caricature, as in Lucid (Olah et al. 2018, "The Building Blocks of Interpretability"), is an image that
    is optimised from noise until its activations at a layer point in the same direction as the input's, and
    further. What the layer responds to is exaggerated; what it ignores is missing. Adam maximises the dot
    product times a power of the cosine, under small zooms and shifts, in a Fourier parametrisation with
    decorrelated colours.

    Eight inputs are optimised at a time, which bounds memory: a forward and a backward pass, and the
    activations of up to 32 views, at most 64 MB for each input. Compiled steps hold copies of the weights
    unless the weights take more than 256 MB.

    Args:
        layers: Layers to interpret, separated by commas: indices, names, or paths into nested models
            such as mobilenetv2/out_relu. By default, the last layer with a spatial feature map.
        calls: For a layer that is called several times, the calls to use: all, or positions separated by
            commas. By default, all calls that no later call of the layer depends on: each of several
            parallel calls; of calls in a chain, only the last.
        ascent_steps: Maximum number of gradient ascent steps for each image.
        ascent_rate: Adam's learning rate: roughly how far the first step moves each coefficient. Low
            frequencies move further, and over the first 96 steps the step size grows by a factor of 2.5.
        tolerance: Stop early if 32 more steps would improve the objective by less than this fraction.
            0 always takes all steps.
        cosine_power: Weight of the direction of the activations against their strength: the power of the
            cosine that the dot product is multiplied by.
        parametrization: What is optimised: the coefficients of a spectrum (fourier) or the pixels (pixel).
        decay_power: How fast the weight of a frequency decays as frequency increases; higher values give
            smoother images.
        stddev: Standard deviation of the noise that the optimisation starts from.
        colours: Whether to optimise along the decorrelated colours of natural images or along red, green
            and blue (true). Has no effect on grey images.
        value_range: How values are kept between black and white: sigmoid or clip.
        snapshot_every: Keep a snapshot of the image every N steps. 0 keeps none.
        seed: Random seed: the same seed gives the same result.

    Returns:
        An image for each input and layer, of the input's size, float32 in 0..1.

    Raises:
        OptionError: no such layer or call, or one without a gradient with respect to the input.
        InapplicableError: inputs that are not grey or colour images, or no spatial feature map.
        ModelError: the model can't take the inputs.
    """
    settings = CaricatureOptions(
        ascent_steps, ascent_rate, tolerance, cosine_power, parametrization, decay_power,
        stddev, colours, value_range, snapshot_every, seed,
    )  # fmt: skip
    paths = () if layers is None else tuple(layer.path for layer in find_layers(model, layers))
    return _CaricatureMethod(model, paths, parse_calls(calls), settings)


class _CaricatureMethod(Explaining[CaricatureResult]):
    """Caricatures with their options."""

    title = "Caricature"
    unit = "step"

    def __init__(
        self, model: Any, layers: tuple[str, ...], choice: CallChoice, settings: CaricatureOptions
    ) -> None:
        self._model = model
        self._layers = layers
        self._choice = choice
        self._settings = settings
        self._calls: Mapping[str, Sequence[LayerCall]] = {}
        self._renderers: dict[str, Renderer] = {}

    def work(self, inputs: int) -> int:
        """The number of steps of all inputs and layers."""
        return inputs * self._settings.ascent_steps * max(1, len(self._layers))

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The activations at each layer of each input, and of the first one upside down."""
        self._layers = self._layers or (trace.spatial_layer(None, trace.scores.scores),)
        tensors, self._calls = reference_activations(trace.model, trace.passed, self._layers, self._choice)
        return tensors

    def explain(self, chunk: Chunk, passed: Passed) -> Generator[int, None, Mapping[str, np.ndarray]]:
        """Draw the caricatures of a few inputs; yield the number of steps since the last yield."""
        check_images(self._model, chunk)
        columns = []
        for path in self._layers:
            if path not in self._renderers:
                positions = [each.position for each in self._calls[path]]
                self._renderers[path] = Renderer(self._model, path, positions, self._settings)
            columns.append((yield from self._renderers[path].draw(chunk)))
        return {name: _stacked([column[name] for column in columns]) for name in columns[0]}

    def accumulator(self) -> CaricatureAccumulator:
        """Accumulates the caricatures."""
        calls = {path: [each.call for each in calls] for path, calls in self._calls.items()}
        text = several_calls_text(calls)
        return CaricatureAccumulator(self._layers, self._settings.snapshot_every, text)


class CaricatureAccumulator:
    """Accumulates caricatures, and how similar the activations of the inputs are to each other.

    Args:
        layers: the paths of the layers.
        snapshot_every: the number of steps between snapshots.
        calls: of the layers, see `CaricatureResult`.
    """

    def __init__(self, layers: tuple[str, ...], snapshot_every: int, calls: str) -> None:
        self._layers = layers
        self._snapshot_every = snapshot_every
        self._layer_calls = calls
        self._rows = Rows(_joined)
        self._baselines = [BaselineCosines() for _ in layers]
        self._indices: list[int] = []

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add the caricatures of a chunk."""
        arrays = dict(passed.arrays)
        for path, baseline in zip(self._layers, self._baselines, strict=True):
            activations = arrays.pop(f"activations/{path}")
            baseline.update(activations, arrays.pop(f"upside_down/{path}")[:1])
        self._indices += chunk.indices.tolist()
        self._rows.add(chunk.indices, **arrays)

    def merge(self, other: CaricatureAccumulator) -> None:
        """Add the caricatures of other inputs."""
        self._rows.merge(other._rows)
        for mine, theirs in zip(self._baselines, other._baselines, strict=True):
            mine.merge(theirs)
        self._indices += other._indices

    def result(self, examples: Examples, previous: CaricatureResult | None = None) -> CaricatureResult:
        """All caricatures so far."""
        arrays = self._rows.arrays()
        del arrays["indices"]
        order = np.argsort(self._indices, kind="stable")
        baselines = np.stack([each.result()[order] for each in self._baselines], axis=1)
        return CaricatureResult(
            examples=examples,
            layers=self._layers,
            snapshot_every=self._snapshot_every,
            curve_every=STEPS_A_POINT,
            baseline_cosines=baselines,
            title=_CaricatureMethod.title,
            calls=self._layer_calls,
            **arrays,
        )


def _stacked(columns: list[np.ndarray]) -> np.ndarray:
    """One array for each layer, stacked as (rows, layers, …); shorter curves repeat their last point."""
    longest = max(column.shape[1] for column in columns) if columns[0].ndim > 1 else 0
    return np.stack([_padded(column, longest) for column in columns], axis=1)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Parts (rows, layers, …) concatenated; shorter curves repeat their last point."""
    longest = max(part.shape[2] for part in parts) if parts[0].ndim > 2 else 0
    return np.concatenate([_padded(part, longest, axis=2) for part in parts])


def _padded(part: np.ndarray, length: int, axis: int = 1) -> np.ndarray:
    missing = length - part.shape[axis] if part.ndim > axis else 0
    last = np.take(part, [-1], axis=axis) if missing > 0 else part
    return np.concatenate([part, np.repeat(last, missing, axis=axis)], axis=axis) if missing > 0 else part
