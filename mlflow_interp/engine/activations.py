"""Activations of layers for every input, accumulated on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlflow_interp.backend.feature_maps import Pooling, layer_before_head, pooled, pooled_calls
from mlflow_interp.backend.layer_calls import CallChoice, choose_calls, layer_calls
from mlflow_interp.backend.layer_tree import Layers, check_named_once, find_layer, split_layers
from mlflow_interp.core.calls import Call
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.row_store import RowStore
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InputsError, OptionError

INPUT = "input"  # as a layer: the model's input
MOST_FEW = 3  # features: as many as the channels of an image, whose mean is only its colour


def find_paths(model: Any, layers: Layers) -> list[str] | None:
    """The paths of layers, with `INPUT` as its own path; None for the last layer before the head.

    Raises:
        OptionError: no such layer, a layer that is named twice, or no layer.
    """
    if layers is None:
        return None
    names = split_layers(layers)
    paths = [INPUT if name == INPUT else find_layer(model, name).path for name in names]
    check_named_once(layers, paths)
    return paths


@dataclass(frozen=True)
class ActivationOptions:
    """Which activations to compute.

    Attributes:
        paths: the paths of the layers; None for the last layer before the head.
        calls: the calls to use of layers that are called several times.
        pooling: how the axes between batch and channels, and several calls, are reduced.
    """

    paths: Sequence[str] | None
    calls: CallChoice = None
    pooling: Pooling = "mean"


@dataclass(frozen=True)
class TracedActivations:
    """The outputs of layers, traced; all by the path of the layer.

    Attributes:
        tensors: (batch, features) float32.
        calls: the calls of each layer, except for the input.
        reduced: the number of features of each layer that pooling leaves few of.
    """

    tensors: dict[str, Any] = field(default_factory=dict)
    calls: dict[str, tuple[Call, ...]] = field(default_factory=dict)
    reduced: dict[str, int] = field(default_factory=dict)

    def add(self, path: str, pooled_: Any, values: Sequence[Any]) -> None:
        """Add a layer.

        Args:
            path: its path.
            pooled_: (batch, features) float32.
            values: its outputs, one for each call, before pooling.
        """
        self.tensors[path] = pooled_
        features, sizes = pooled_.shape[1], [each.shape[1:].num_elements() for each in values]
        if features is not None and features <= MOST_FEW and (None in sizes or sum(sizes) > features):
            self.reduced[path] = features


def trace_activations(trace: Trace, options: ActivationOptions) -> TracedActivations:
    """The output of each layer, traced.

    Raises:
        OptionError: a layer without a vector for each input, or calls that do not exist.
        ModelError: no layer before the head.
    """
    model, pooling = trace.model, options.pooling
    paths = [layer_before_head(model, trace.passed)] if options.paths is None else options.paths
    traced = TracedActivations()
    for path in paths:
        if path == INPUT:
            traced.add(path, _input_activations(trace, pooling), [trace.inputs])
            continue
        all_calls = layer_calls(model, trace.passed, path)
        chosen = choose_calls(
            path, all_calls, options.calls, refusal=lambda call: _refusal(call.values(call.tensor))
        )
        values = [call.values(call.tensor) for call in chosen]
        each_pooled = [pooled(model, each, pooling, path) for each in values]
        traced.add(path, pooled_calls(each_pooled, pooling, path), values)
        traced.calls[path] = tuple(call.call for call in chosen)
    return traced


def _input_activations(trace: Trace, pooling: Pooling) -> Any:
    refusal = _refusal(trace.inputs)
    if refusal:
        raise OptionError(f"layer {INPUT!r} {refusal}")
    return pooled(trace.model, trace.inputs, pooling, INPUT)


def _refusal(tensor: Any) -> str | None:
    """Why a tensor has no vector for each input; None if it has."""
    if not isinstance(tensor, (tuple, dict)) and (tensor.shape.rank or 0) >= 2:
        return None
    shape = getattr(tensor, "shape", None)
    gives = "several arrays" if shape is None else f"shape {tuple(shape)}"
    return (
        f"gives {gives}, but a vector for each input is needed: (batch, features), or more axes between them "
        "that can be pooled; `mlflow-interp layers` shows which layers qualify"
    )


class Activations:
    """Accumulates the activations of layers; memory is bounded by a chunk.

    Args:
        paths: the paths of the layers.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)
        self._indices: list[np.ndarray] = []
        self._stores = {path: RowStore() for path in paths}

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add the activations of a chunk, `passed.arrays` by path.

        Raises:
            InputsError: a layer gives NaN or infinite values for an input.
            OptionError: the disk is full.
        """
        for path in self.paths:
            invalid = np.flatnonzero(~np.isfinite(passed.arrays[path]).all(axis=1))
            if len(invalid):
                raise InputsError(
                    f"layer {path!r} gives NaN or infinite values for input {chunk.names[invalid[0]]!r}; "
                    "check the input and the model's weights, or leave the input out"
                )
        self._indices.append(np.array(chunk.indices))
        for path, store in self._stores.items():
            store.append(passed.arrays[path])

    def merge(self, other: Activations) -> None:
        """Add the activations of other inputs."""
        self._indices += other._indices
        for path, store in self._stores.items():
            store.append(other._stores[path].rows())

    def rows(self) -> Mapping[str, np.ndarray]:
        """By path, (n, features) float32 in the order of the inputs; on disk if they came in this order."""
        indices = np.concatenate(self._indices)
        order = np.argsort(indices, kind="stable")
        in_order = bool((order == np.arange(len(order))).all())
        by_path = {path: store.rows() for path, store in self._stores.items()}
        return by_path if in_order else {path: rows[order] for path, rows in by_path.items()}
