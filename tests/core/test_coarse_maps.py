"""Maps that would show their inputs are reduced to means of blocks; others stay as they are."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.core.coarse_maps import coarse


def floats(*shape):
    return np.zeros((2, *shape), np.float32)


#: The shape of a map, the inputs, the shape that is kept.
SHAPES = {
    "a late layer": ((7, 7), floats(224, 224, 3), (7, 7)),
    "an early layer": ((112, 112), floats(224, 224, 3), (28, 28)),
    "small images": ((26, 26), floats(28, 28, 1), (7, 7)),
    "no channels": ((26, 26), floats(28, 28), (7, 7)),
    "channels first": ((56, 56), floats(3, 64, 64), (16, 16)),
    "a wide image": ((16, 128), floats(32, 256, 1), (8, 28)),
    "a tiny image": ((3, 3), floats(3, 3, 1), (1, 1)),
    "bytes": ((32, 32), np.zeros((2, 64, 64, 3), np.uint8), (16, 16)),
    "frames": ((32, 32), floats(5, 64, 64, 3), (16, 16)),
    "a volume": ((8, 32, 32), floats(8, 64, 64, 1), (2, 16, 16)),
    "a signal": ((60,), floats(64, 2), (16,)),
    "a row of pixels": ((28, 28), floats(784), (7, 7)),
    "tokens": ((50,), np.zeros((2, 50), np.int32), (50,)),
    "strings": ((12,), np.array(["a b", "c"], object), (12,)),
    "tokens beside a table": ((50,), {"a": floats(5), "b": np.zeros((2, 50), np.int64)}, (50,)),
    "an image beside a table": ((16, 16), (floats(64, 64, 3), floats(5)), (16, 16)),
    "the smaller of two images": ((16, 16), (floats(64, 64, 3), floats(32, 32, 3)), (8, 8)),
}


@pytest.mark.parametrize(("shape", "inputs", "kept"), SHAPES.values(), ids=SHAPES)
def test_sizes(shape, inputs, kept):
    maps = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    found = coarse(maps, inputs, len(shape))
    assert found.shape == (2, *kept)
    assert found.dtype == np.float32
    if kept == shape:
        assert found is maps


def test_values_are_means_of_blocks():
    """Also of several runs, whose axis is no position, and where blocks are not of one size."""
    maps = np.arange(2 * 3 * 8 * 8, dtype=np.float32).reshape(2, 3, 8, 8)
    expected = maps.reshape(2, 3, 2, 4, 2, 4).mean(axis=(3, 5))
    np.testing.assert_allclose(coarse(maps, floats(8, 8, 1), 2), expected)
    uneven = coarse(np.array([[0, 1, 2, 3, 4, 5, 6]], np.float32), floats(8, 2)[:1], 1)
    np.testing.assert_allclose(uneven, [[1, 4.5]])
