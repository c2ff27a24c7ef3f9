"""The positions of a layer's values on the input.

They are read from the shapes and the graph of a traced forward pass. A map has spatial axes between batch and
channels: two for images, three for volumes, one for signals and text. A transformer's tokens are arranged on
the grid of patches that they came from, without the class token and similar ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlflow_interp.backend.forward import Forward
from mlflow_interp.backend.layer_tree import has_attention, is_channels_first, leaf_paths, walk

# Numbers of tokens before the patches: none; a class token; plus a distillation token; plus four registers.
_PREFIX_TOKENS = (0, 1, 2, 5)


@dataclass(frozen=True)
class SpatialLayout:
    """The positions of a feature map's values.

    Attributes:
        sizes: the number of positions along each spatial axis, None if it varies.
        axes: the spatial axes of the tensor; a single one for tokens.
        before: the number of leading tokens that have no position.
    """

    sizes: tuple[int | None, ...]
    axes: tuple[int, ...]
    before: int = 0

    def lay_out(self, tensor: Any) -> Any:
        """The map as (batch, *sizes, channels)."""
        import tensorflow as tf

        if len(self.sizes) > len(self.axes):
            return tf.reshape(tensor[:, self.before :], (-1, *self.sizes, tensor.shape[-1]))
        if self.before:
            return tensor[:, self.before :]
        if 1 in self.axes:
            return tensor
        return tf.transpose(tensor, (0, *self.axes, 1))


def spatial_axes(model: Any, tensor: Any) -> tuple[int, ...]:
    """The axes of a feature map that are neither batch nor channels."""
    rank = tensor.shape.rank
    return tuple(range(2, rank) if is_channels_first(model) else range(1, rank - 1))


def find_layout(model: Any, traced: Forward, tensor: Any) -> SpatialLayout | None:
    """The layout of a layer's values; None if they have no positions, or all the same."""
    import tensorflow as tf

    rank = tensor.shape.rank or 0
    input_rank = max(each.shape.rank or 0 for each in tf.nest.flatten(traced.inputs))
    if rank == 3 and (input_rank >= 4 or _has_sequences_of_tokens(model)):
        return token_layout(model, traced, tensor.shape[1])
    if not 3 <= rank <= 5:
        return None
    axes = spatial_axes(model, tensor)
    sizes = tuple(tensor.shape[axis] for axis in axes)
    return SpatialLayout(sizes, axes) if any(size is None or size > 1 for size in sizes) else None


def _has_sequences_of_tokens(model: Any) -> bool:
    return has_attention(model) and not is_channels_first(model)


def token_layout(model: Any, traced: Forward, tokens: int | None) -> SpatialLayout | None:
    """The layout of a number of tokens: on the grid of patches of an image, or along a signal or text.

    None if they fit no grid, or if there is a single one.
    """
    import tensorflow as tf

    if max(each.shape.rank or 0 for each in tf.nest.flatten(traced.inputs)) >= 4:
        return _patch_layout(model, traced, tokens)
    if tokens is None:
        return SpatialLayout((None,), (1,))
    lengths = _sequence_lengths(model, traced)
    before = next((each for each in _PREFIX_TOKENS if tokens - each in lengths and tokens - each > 1), 0)
    return SpatialLayout((tokens - before,), (1,), before) if tokens - before > 1 else None


def _sequence_lengths(model: Any, traced: Forward) -> set[int]:
    """The lengths of the sequences that tokens are made from: inputs, embeddings and convolutions."""
    import keras
    import tensorflow as tf

    makers = (keras.layers.Embedding, keras.layers.Conv1D)
    paths = {located.path for located in walk(model) if isinstance(located.layer, makers)}
    tensors = [
        *(each for each in tf.nest.flatten(traced.inputs) if (each.shape.rank or 0) >= 2),
        *(tensor for path, tensor in traced.completed if path in paths and tensor.shape.rank == 3),
    ]
    return {tensor.shape[1] for tensor in tensors} - {None}


def _patch_layout(model: Any, traced: Forward, tokens: int | None) -> SpatialLayout | None:
    """The layout of a number of tokens on a grid of patches; None if no grid fits."""
    for before in _PREFIX_TOKENS:
        for grid in _grids(model, traced):
            if tokens is not None and math.prod(grid) == tokens - before:
                return SpatialLayout(grid, (1,), before)
    return None


def _grids(model: Any, traced: Forward) -> Iterator[tuple[int, ...]]:
    """Grids for tokens: those of earlier feature maps; without any, grids of square patches."""
    import tensorflow as tf

    leaves = leaf_paths(model)
    tensors = [tensor for path, tensor in traced.tapped.items() if path in leaves and tensor.shape.rank == 4]
    maps = [tuple(tensor.shape[axis] for axis in spatial_axes(model, tensor)) for tensor in tensors]
    image = next(each for each in tf.nest.flatten(traced.inputs) if each.shape.rank >= 4)
    height, width = (image.shape[axis] for axis in spatial_axes(model, image)[:2])
    yield from reversed([grid for grid in maps if None not in grid and math.prod(grid) > 1])
    if not [grid for grid in maps if grid != (height, width)]:
        yield from ((height // side, width // side) for side in range(2, min(height, width) // 2 + 1))
