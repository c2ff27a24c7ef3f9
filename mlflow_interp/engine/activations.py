"""Activations of layers for every input, accumulated on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlflow_interp.backend.feature_maps import Pooling, layer_before_head, pooled
from mlflow_interp.backend.layer_tree import Layers, check_named_once, find_layer, split_layers
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.row_store import RowStore
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InputsError, OptionError

INPUT = "input"  # as a layer: what the model is fed


def find_paths(model: Any, layers: Layers) -> list[str] | None:
    """The paths of layers, `INPUT` its own; None where the last one before the head is to be found.

    Raises:
        OptionError: no such layer, a layer that is named twice, or none.
    """
    if layers is None:
        return None
    names = split_layers(layers)
    paths = [INPUT if name == INPUT else find_layer(model, name).path for name in names]
    check_named_once(layers, paths)
    return paths


def trace_activations(trace: Trace, paths: Sequence[str] | None, pooling: Pooling) -> dict[str, Any]:
    """By path, the output of each layer as (batch, features) float32, traced.

    Args:
        trace: the pass.
        paths: of the layers; None for the last before the head.
        pooling: what becomes of the axes between batch and channels.

    Raises:
        OptionError: a layer that gives no vector for each input.
        ModelError: no layer before the head.
    """
    if paths is None:
        paths = [layer_before_head(trace.model, trace.passed)]
    return {path: pooled(trace.model, _output(trace, path), pooling, path) for path in paths}


def _output(trace: Trace, path: str) -> Any:
    tensor = trace.inputs if path == INPUT else trace.passed.tapped.get(path)
    if tensor is None or isinstance(tensor, (tuple, dict)) or not (tensor.shape.rank or 0) >= 2:
        shape = getattr(tensor, "shape", None)
        actual = "nothing" if shape is None else f"shape {tuple(shape)}"
        raise OptionError(
            f"layer {path!r} gives {actual}, and a vector for each input is needed, (batch, features) or "
            "with axes between that can be pooled; `mlflow-interp layers` shows which layers give one"
        )
    return tensor


class Activations:
    """Accumulates the activations of layers; memory is bounded by a chunk.

    Args:
        paths: of the layers.
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
        """By path, (n, features) float32 in the order of the inputs; on disk where they came so."""
        indices = np.concatenate(self._indices)
        order = np.argsort(indices, kind="stable")
        in_order = bool((order == np.arange(len(order))).all())
        by_path = {path: store.rows() for path, store in self._stores.items()}
        return by_path if in_order else {path: rows[order] for path, rows in by_path.items()}
