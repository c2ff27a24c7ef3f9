"""Feature visualisation: what channels, neurons, classes and directions of a layer respond to."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np

from mlflow_interp.backend.layer_tree import GradientLayer, find_layer, is_channels_first
from mlflow_interp.core.accepted import Range
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import MOST_IMAGES, Examples
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.sampling import position_digests
from mlflow_interp.data.labels import in_words
from mlflow_interp.engine.activations import Activations
from mlflow_interp.engine.method import Optimizing
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InapplicableError, OptionError
from mlflow_interp.kinds.feature_visualization.choice import (
    Chosen,
    FeatureChoice,
    Features,
    check_directions,
    parse_directions,
    parse_features,
)
from mlflow_interp.kinds.feature_visualization.ranking import largest, strongest_inputs, weighted
from mlflow_interp.kinds.feature_visualization.result import FeatureVisualizationResult
from mlflow_interp.optvis.feature_renderer import Feature, FeatureOptions, FeatureRenderer, Rendered
from mlflow_interp.optvis.features import OUTPUT, FeatureLayer, parse_position
from mlflow_interp.optvis.optimize import STEPS_A_POINT
from mlflow_interp.optvis.param import Colours, ImageParam, Parametrization, ValueRange
from mlflow_interp.optvis.reference import ReferenceInput

REQUIRES = ("images",)

#: With Spark, it runs on the sample: images of features are not a result of single rows.
ROW_BY_ROW = False


def feature_visualization(
    model: Any,
    batch: Batch,
    *,
    layer: GradientLayer = None,
    features: Features = None,
    max_features: Annotated[int, Range(least=1)] = 6,
    neuron: str | int | Sequence[int] | None = None,
    direction: Any = None,
    diversity: Annotated[int, Range(least=1, most=8)] = 1,
    strongest: Annotated[int, Range(least=1)] = 5,
    ascent_steps: Annotated[int, Range(least=1)] = 256,
    ascent_rate: Annotated[float, Range(above=0)] = 0.05,
    tolerance: Annotated[float, Range(least=0)] = 0.02,
    parametrization: Parametrization = "fourier",
    decay_power: Annotated[float, Range(least=0)] = 1.0,
    stddev: Annotated[float, Range(above=0)] = 0.01,
    colours: Colours = "decorrelated",
    value_range: ValueRange = "sigmoid",
    seed: Annotated[int, Range(least=0)] = 0,
) -> Optimizing[FeatureVisualizationResult]:
    """What a channel, neuron, class or direction of a layer responds to, with the inputs that excite it most.

    For each feature, an image is optimised from noise until it excites the feature as strongly as possible
    (Olah et al. 2017, "Feature Visualization"). Adam maximises the value of a channel, averaged over all
    positions or at one; the score of a class; or the activations along a direction; under zooms and shifts,
    in a Fourier parametrisation with decorrelated colours, as in Lucid.

    After one forward pass over the inputs, eight images are optimised at a time.

    Args:
        layer: Layer whose feature map is used: an index, a name, or a path into nested models such as
            mobilenetv2/out_relu. The name output stands for the model's output, whose features are the
            scores of its classes. By default, the last layer with a spatial feature map, or the output if
            there is none.
        features: Features to visualise, separated by commas: the indices of channels or, at the output, the
            indices or names of classes. By default, the channels that vary most between the inputs, or the
            classes that are predicted most often.
        max_features: Maximum number of features to visualise if none are named.
        neuron: Position of the feature map at which a channel is excited, as a single neuron: centre, or an
            index along each of its axes, such as 3,4. By default, all positions, of which the mean counts.
        direction: Direction to visualise in place of single channels: a number for each channel, or rows of
            them for several directions, as JSON or a .npy or .csv file. In Python, also an array. Only the
            direction counts, not its length.
        diversity: Number of images of each feature. Several are optimised to differ from each other.
        strongest: Number of inputs to show beside each feature: those that excite it most.
        ascent_steps: Maximum number of gradient ascent steps for each image.
        ascent_rate: Adam's learning rate: roughly how far the first step moves each coefficient. Low
            frequencies move further, and over the first 96 steps the step size grows by a factor of 2.5.
        tolerance: Stop early if 32 more steps would improve the objective by less than this fraction.
            0 always takes all steps.
        parametrization: What is optimised: the coefficients of a spectrum (fourier) or the pixels (pixel).
        decay_power: How fast the weight of a frequency decays as frequency increases; higher values give
            smoother images.
        stddev: Standard deviation of the noise that the optimisation starts from.
        colours: Whether to optimise along the decorrelated colours of natural images or along red, green
            and blue (true). Has no effect on grey images.
        value_range: How values are kept between black and white: sigmoid or clip.
        seed: Random seed: the same seed gives the same result.

    Returns:
        Images (features, diversity, height, width, channels) float32 in 0..1, of the input's size, how
        strongly each excites its feature, and how strongly each input does.

    Raises:
        OptionError: no such layer, feature or neuron, or a layer without a gradient with respect to the
            input.
        InapplicableError: inputs that are not grey or colour images.
        ModelError: the model can't take the inputs.
    """
    if direction is not None and features is not None:
        raise OptionError("features and direction are both given; give one of them")
    directions = parse_directions(direction)
    path = layer if layer is None or layer == OUTPUT else find_layer(model, layer).path
    options = _Options(
        path=path,
        position=parse_position(neuron),
        features=features,
        directions=directions,
        most=max_features,
        strongest=strongest,
        # As text: an array would put thousands of numbers into the manifest.
        given={} if direction is None else {"direction": in_words(direction)},
    )
    images = FeatureOptions(
        ImageParam((1, 1), 3, parametrization, colours, value_range, decay_power),
        ascent_steps, ascent_rate, tolerance, stddev, diversity, seed,
    )  # fmt: skip
    return _FeatureVisualizationMethod(model, batch, options, images)


@dataclass(frozen=True, eq=False)
class _Options:
    """What is visualised.

    Attributes:
        path: the layer, or `OUTPUT`; None for the default.
        position: see `FeatureLayer`.
        features: as the user named them.
        directions: (f, channels) float32 of length 1; None for none.
        most: the number of features to choose if none are named.
        strongest: the number of inputs to show beside each.
        given: given directions, as text.
    """

    path: str | None
    position: Any
    features: Features
    directions: np.ndarray | None
    most: int
    strongest: int
    given: Mapping[str, str] = field(default_factory=dict)


class _FeatureVisualizationMethod(Optimizing[FeatureVisualizationResult]):
    """Feature visualisation with its options."""

    title = FeatureVisualizationResult.title
    needs_thumbnails = True

    def __init__(self, model: Any, batch: Batch, options: _Options, images: FeatureOptions) -> None:
        self._model = model
        self._batch = batch
        self._options = options
        self._images = images
        self._layer = FeatureLayer("", options.position, batch.head)
        self._choice: FeatureChoice | None = None
        self._reference = ReferenceInput(is_channels_first(model))

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The features of each input."""
        path = self._options.path
        if path is None:
            try:
                path = trace.spatial_layer(None, trace.scores.scores)
            except InapplicableError:
                path = OUTPUT
        if path == OUTPUT and self._batch.positions is not None:
            raise OptionError(
                "positions is given, but images of classes are optimised for all positions of the output; "
                "omit it, or give a layer"
            )
        self._layer = replace(self._layer, path=path)
        values = self._layer.values(trace.model, trace.passed)
        self._choice = self._choice_of(int(values.shape[1]), trace.scores.head)
        return {path: values}

    def _choice_of(self, channels: int, head: str) -> FeatureChoice:
        kind = "channel" if self._layer.position is None else "neuron"
        if self._layer.path == OUTPUT:
            kind = "value" if head == "values" else "class"
        options, names = self._options, self._batch.class_names
        check_directions(options.directions, channels, self._layer.path)
        named = parse_features(options.features, channels, kind, names)
        return FeatureChoice(channels, kind, named, options.directions, options.most, names)

    def accumulator(self) -> FeatureAccumulator:
        """Accumulates the features of the inputs."""
        if self._choice is None:
            raise ValueError("an accumulator is made after trace")
        self._reference = ReferenceInput(is_channels_first(self._model))
        return FeatureAccumulator(self._layer, self._choice, self._options)

    def remember(self, chunk: Chunk, passed: Passed) -> None:
        """Keep the input that shows best how an image becomes an input."""
        self._reference.update(self._model, chunk)

    def work(self, accumulator: FeatureAccumulator) -> int:
        """The number of steps of all images."""
        return len(accumulator.chosen().names) * self._images.diversity * self._images.ascent_steps

    def optimize(self, accumulator: FeatureAccumulator) -> Generator[int, None, None]:
        """Render the features that the accumulator chooses."""
        mapping, size, channels = self._reference.mapping()
        options = replace(self._images, param=replace(self._images.param, size=size, channels=channels))
        chosen = accumulator.chosen()
        units = largest(accumulator.rows(), chosen.weights)
        features = [Feature(*each) for each in zip(chosen.weights, map(_power_of_two, units), strict=True)]
        rendered = yield from FeatureRenderer(self._model, self._layer, mapping, options).draw(features)
        accumulator.rendered |= dict(zip(chosen.keys, rendered, strict=True))


def _power_of_two(number: float) -> float:
    """About a number, or 1 for 0: dividing by a power of two rounds nothing."""
    return float(2.0 ** np.round(np.log2(number))) if number > 0 else 1.0


class FeatureAccumulator:
    """Accumulates the features of inputs; it has no model, so that the method itself adds their images.

    A part renders the features that it chooses. Merged parts show those that all inputs together would
    choose, as far as a part has rendered them: all of them if they are named.

    Args:
        layer: the layer.
        choice: chooses the features.
        options: what is visualised.

    Attributes:
        rendered: the images of features, by their weights.
    """

    def __init__(self, layer: FeatureLayer, choice: FeatureChoice, options: _Options) -> None:
        self._layer = layer
        self._choice = choice
        self._options = options
        self._activations = Activations((layer.path,))
        self.rendered: dict[bytes, Rendered] = {}

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add the features of a chunk."""
        self._activations.update(chunk, passed)

    def merge(self, other: FeatureAccumulator) -> None:
        """Add the features of other inputs, and their images."""
        self._activations.merge(other._activations)
        self.rendered = other.rendered | self.rendered

    def rows(self) -> np.ndarray:
        """(n, channels) float32, the features of all inputs so far."""
        (rows,) = self._activations.rows().values()
        return rows

    def chosen(self) -> Chosen:
        """The features to visualise, given all inputs so far."""
        return self._choice.choose(self.rows())

    def result(
        self, examples: Examples, previous: FeatureVisualizationResult | None = None
    ) -> FeatureVisualizationResult:
        """The images of the features, and the inputs that excite them most."""
        chosen = self._rendered_of(self.chosen())
        activations = weighted(self.rows(), chosen.weights)
        digests = position_digests(examples.indices) if examples.digests is None else examples.digests
        strongest = strongest_inputs(activations, digests, self._options.strongest)
        thumbnails = examples.thumbnails
        position = self._layer.position
        columns = [self.rendered[key] for key in chosen.keys]
        rendered: dict[str, Any] = {name: _stacked([each[name] for each in columns]) for name in columns[0]}
        return FeatureVisualizationResult(
            examples=_showing(examples, strongest),
            layer=self._layer.path,
            features=chosen.features,
            names=chosen.names,
            activations=activations,
            strongest=strongest,
            curve_every=STEPS_A_POINT,
            pictures=None if thumbnails is None else thumbnails[strongest],
            directions=self._options.directions,
            position=position if isinstance(position, str) else ",".join(map(str, position or ())),
            kind=self._choice.kind if self._options.directions is None else "direction",
            given=self._options.given,
            chosen=chosen.how,
            **rendered,
        )

    def _rendered_of(self, chosen: Chosen) -> Chosen:
        """Those of the features that have images."""
        rows = [row for row, key in enumerate(chosen.keys) if key in self.rendered]
        return chosen if len(rows) == len(chosen.names) else chosen.only(rows)


def _stacked(columns: list[np.ndarray]) -> np.ndarray:
    """The arrays of features as one; shorter curves repeat their last point."""
    longest = max(column.shape[1] for column in columns) if columns[0].ndim == 2 else 0
    padded = [
        np.pad(column, ((0, 0), (0, longest - column.shape[1])), mode="edge") if longest else column
        for column in columns
    ]
    return np.stack(padded)


def _showing(examples: Examples, strongest: np.ndarray) -> Examples:
    """The inputs, of which those are shown that excite a feature most: first the strongest of each."""
    shown = np.sort(list(dict.fromkeys(strongest.T.ravel().tolist()))[:MOST_IMAGES])
    own = examples.thumbnails
    return replace(
        examples,
        shown=shown,
        images=None if own is None else own[shown],
        parts=(),
        wholes=(),
        values=None,
    )
