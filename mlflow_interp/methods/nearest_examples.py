"""Nearest examples: the inputs that a layer represents most like each input, and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from mlflow_interp.backend.feature_maps import Pooling
from mlflow_interp.backend.layer_calls import Calls, parse_calls
from mlflow_interp.backend.layer_tree import VectorLayer
from mlflow_interp.core.accepted import Range
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import MOST_IMAGES, Examples
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.sampling import position_digests
from mlflow_interp.data.labels import Labels, in_words
from mlflow_interp.engine.activation_cache import writable_folder
from mlflow_interp.engine.activation_method import ActivationMethod
from mlflow_interp.engine.activations import ActivationOptions, Activations, find_paths
from mlflow_interp.engine.method import Streaming
from mlflow_interp.engine.run import run
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.nearest_examples.result import NearestExamplesResult
from mlflow_interp.kinds.nearest_examples.search import find_neighbours, lengths_of

#: With Spark, it runs on the sample: neighbours are not a result of single rows.
ROW_BY_ROW = False

_REFERENCE = "reference"


def nearest_examples(
    model: Any,
    batch: Batch,
    *,
    layer: VectorLayer = None,
    calls: Calls = None,
    pooling: Pooling = "mean",
    reference: Any = None,
    reference_labels: Labels = None,
    nearest: Annotated[int, Range(least=1)] = 10,
    equal_inputs: Literal["auto", "keep", "drop"] = "auto",
    cache: str | None = None,
) -> Streaming[NearestExamplesResult]:
    """The inputs that a layer represents most like each input, and whether their labels agree.

    Neighbours are searched in a reference, such as the training data, by the cosine similarity of the
    activations of a layer, as in deep k-nearest neighbours (Papernot and McDaniel 2018). The share of
    neighbours with the input's label is its agreement. Inputs with the lowest agreement are listed first:
    their label is likely wrong, or the layer represents them like another class.

    The search compares all pairs, block by block; activations are stored on disk.

    Args:
        layer: Layer whose feature map is used: an index, a name, or a path into nested models such as
            mobilenetv2/out_relu. A layer with one vector for each input can be used too, and the name input
            stands for the model's input. By default, the last layer before the one that computes the output.
        calls: For a layer that is called several times, the calls to use: all, or positions separated by
            commas. By default, all calls that no later call of the layer depends on: every frame of
            TimeDistributed, every input of a shared encoder; of calls in a chain, only the last.
        pooling: How the positions of a feature map, and several calls, are reduced to one vector: mean or
            max, which leave one number for each channel, or flatten, which keeps all values.
        reference: Where neighbours are searched, prepared like the inputs: a folder of images, an array file,
            or a URI. In Python, also an array or a dataset. By default, the inputs themselves.
        reference_labels: True classes of the reference, as a .npy, .csv or text file. In Python, also an
            array or a list. By default, the labels that come with the reference.
        nearest: Number of neighbours to list for each input; fewer if there are not as many.
        equal_inputs: Whether inputs of the reference that equal the input count as its neighbours: keep,
            drop, or auto, which drops them if neighbours are searched in the inputs themselves.
        cache: Folder to store predictions and activations in. Later calls with the same model, layers and
            pooling look up each input there, and run the model only for batches with an input that is not
            stored yet.

    Returns:
        Positions of the neighbours in the reference (n, nearest) int64, similarities (n, nearest) float32.

    Raises:
        InapplicableError: there is no other input to compare with.
        OptionError: no such layer or call, or a layer without a vector for each input.
        InputsError: a reference that can't be read, or activations that are not finite.
    """
    paths = find_paths(model, layer)
    if paths is not None and len(paths) > 1:
        raise OptionError(f"layer names {len(paths)} layers, but one is compared; give one")
    if reference is None and reference_labels is not None:
        raise OptionError("reference_labels are given without a reference; give both, or labels= for inputs")
    options = _Options(
        activations=ActivationOptions(paths, parse_calls(calls), pooling),
        folder=None if cache is None else writable_folder(cache),
        nearest=nearest,
        drops_equal=equal_inputs == "drop" or (equal_inputs == "auto" and reference is None),
        # As text: an array would put thousands of numbers into the manifest.
        given={} if reference_labels is None else {"reference_labels": str(in_words(reference_labels))},
    )
    others = None
    if reference is not None:
        if batch.load_like is None:
            raise OptionError("these inputs can't be compared with a reference; load them with load_inputs")
        others = batch.load_like(reference, reference_labels)
    return _NearestExamplesMethod(model, options, others, head=batch.head)


@dataclass(frozen=True)
class _Options:
    """The options of the search.

    Attributes:
        activations: what is compared.
        folder: the folder of the cache; None for none.
        nearest: the number of neighbours.
        drops_equal: whether neighbours must differ from the input.
        given: given labels, as text.
    """

    activations: ActivationOptions
    folder: Path | None
    nearest: int
    drops_equal: bool
    given: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class _Rows:
    """Inputs with their activations.

    Attributes:
        examples: the inputs.
        rows: (n, features) float32, their activations; may be on disk.
        source: where they come from.
    """

    examples: Examples
    rows: np.ndarray
    source: str = ""

    @property
    def digests(self) -> np.ndarray:
        """(n, bytes) uint8; from the positions of inputs that have no digests."""
        digests = self.examples.digests
        return position_digests(self.examples.indices) if digests is None else digests


class _RowsMethod(ActivationMethod[Any]):
    """The activations of the reference."""

    title = "Reference"
    needs_thumbnails = True

    def accumulator(self) -> _RowsAccumulator:
        """Accumulates the activations."""
        return _RowsAccumulator(Activations(self.paths))


class _RowsAccumulator:
    """Accumulates the activations of one layer."""

    def __init__(self, activations: Activations) -> None:
        self.activations = activations

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add the activations of a chunk."""
        self.activations.update(chunk, passed)

    def merge(self, other: _RowsAccumulator) -> None:
        """Add the activations of other inputs."""
        self.activations.merge(other.activations)

    def result(self, examples: Examples, previous: Any = None) -> _Rows:
        """All inputs with their activations."""
        (rows,) = self.activations.rows().values()
        return _Rows(examples, rows)


class _NearestExamplesMethod(_RowsMethod):
    """Nearest examples with its options."""

    title = NearestExamplesResult.title

    def __init__(self, model: Any, options: _Options, reference: Batch | None, *, head: str) -> None:
        super().__init__(model, options.activations, options.folder, head=head)
        self._options = options
        self._reference = reference

    def accumulator(self) -> NearestExamplesAccumulator:
        """Accumulates the activations; those of the reference are computed now."""
        return NearestExamplesAccumulator(Activations(self.paths), self._options, self._read_reference())

    def _read_reference(self) -> _Rows | None:
        """The reference with its activations; None without one."""
        if self._reference is None:
            return None
        options = self._options
        method = _RowsMethod(self._model, options.activations, options.folder, head=self._head)
        found = run(self._model, self._reference, {_REFERENCE: method})
        for error in found.errors.values():
            raise error
        read: _Rows = found.parts[_REFERENCE].result()
        return replace(read, source=self._reference.source)


class NearestExamplesAccumulator(_RowsAccumulator):
    """Accumulates the activations of inputs, and finds the nearest ones of a reference.

    Args:
        activations: accumulates them.
        options: the options of the search.
        reference: the reference with its activations; None for the inputs themselves.
    """

    def __init__(self, activations: Activations, options: _Options, reference: _Rows | None) -> None:
        super().__init__(activations)
        self._options = options
        self._reference = reference

    def result(self, examples: Examples, previous: Any = None) -> NearestExamplesResult:  # type: ignore[override]
        """The neighbours of each input.

        Raises:
            InapplicableError: an input has no other to compare it with.
        """
        inputs = super().result(examples)
        reference = self._reference or inputs
        found = find_neighbours(
            inputs.rows,
            reference.rows,
            self._options.nearest,
            identities=(inputs.digests, reference.digests),
            exclude_equal=self._options.drops_equal,
        )
        others = reference.examples
        names = np.array(others.names, object)[found.rows].tolist()
        unshown = replace(examples, images=None, shown=None, parts=(), wholes=(), values=None)
        result = NearestExamplesResult(
            examples=unshown,
            layer=self.activations.paths[0],
            neighbours=others.indices[found.rows],
            similarities=found.similarities,
            neighbour_labels=others.labels[found.rows],
            neighbour_predicted=others.classes[found.rows, 0],
            neighbour_names=tuple(map(tuple, names)),
            pictures=None,
            reference=reference.source,
            reference_count=len(others),
            equal=_equal(inputs.digests) if self._options.drops_equal and self._reference is None else 0,
            given=self._options.given,
            zeros=int((lengths_of(inputs.rows) == 0).sum()),
        )
        return _with_pictures(result, others.thumbnails, found.rows)


def _equal(digests: np.ndarray) -> int:
    """The number of inputs that are equal to another."""
    numbers = np.ascontiguousarray(digests).view(f"V{digests.shape[1]}").reshape(-1)
    times = np.unique(numbers, return_counts=True)[1]
    return int(times[times > 1].sum())


def _with_pictures(
    result: NearestExamplesResult, thumbnails: np.ndarray | None, rows: np.ndarray
) -> NearestExamplesResult:
    """The result with the first inputs of its order as those that are shown, and images of their neighbours.

    Args:
        result: the result, whose examples have thumbnails if they are images.
        thumbnails: of the reference.
        rows: (n, k) the rows of the neighbours in the reference.
    """
    shown = np.sort(result.order[:MOST_IMAGES])
    own = result.examples.thumbnails
    examples = replace(
        result.examples, shown=shown, images=None if own is None else own[shown], thumbnails=None
    )
    pictures = None if thumbnails is None else thumbnails[rows[shown]]
    return replace(result, examples=examples, pictures=pictures)
