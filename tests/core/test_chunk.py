"""Chunks: rows are selected in the requested order."""

import pickle

import numpy as np
import pytest

from mlflow_interp.core.chunk import Chunk, position_names, some
from mlflow_interp.core.whole_image import WholeImage


@pytest.mark.parametrize("rows", [[0, 1, 2], [3, 1, 2], [2, 0, 1], [1, 3], [4], [2, 2, 2], []])
def test_rows_are_selected_in_the_requested_order(rows):
    numbers = np.arange(5)
    chunk = Chunk(
        numbers,
        tuple("abcde"),
        {"x": numbers[:, np.newaxis]},
        10 * numbers,
        None,
        weights=numbers / 10,
        digests=np.tile(numbers[:, np.newaxis], 16).astype(np.uint8),
        columns={"predictions": 100 * numbers},
    )
    part = some(chunk, np.array(rows, np.int64))
    assert part.indices.tolist() == rows
    assert part.names == tuple("abcde"[row] for row in rows)
    assert part.inputs["x"][:, 0].tolist() == rows
    assert part.labels.tolist() == [10 * row for row in rows]
    assert part.weights.tolist() == [row / 10 for row in rows]
    assert part.digests[:, 0].tolist() == rows
    assert part.columns["predictions"].tolist() == [100 * row for row in rows]


def test_the_names_of_positions_are_not_those_of_classes():
    assert position_names(np.array([0, 62, 1204])) == ("#0", "#62", "#1204")


def test_a_blanked_chunk_has_shapes_and_types_but_no_values():
    """Also whether numbers are whole, which tells tokens from signals; memory is that of one value."""
    inputs = {
        "image": np.random.default_rng(0).random((3, 4, 4, 3), dtype=np.float32),
        "tokens": np.arange(15, dtype=np.int32).reshape(3, 5),
        "tokens as floats": np.arange(15, dtype=np.float32).reshape(3, 5),
        "text": np.array(["secret", "b", "c"], object),
        "bytes": np.array([b"secret", b"b", b"c"]),
    }
    images = np.ones((3, 4, 4, 3), np.uint8)
    wholes = (WholeImage(np.ones((5, 4, 3), np.uint8), (0.1, 0, 0.8, 1)),) * 3
    chunk = Chunk(np.arange(3), ("a", "b", "c"), inputs, np.array([1, 2, 0]), images, wholes=wholes)
    blanked = chunk.blanked()
    assert blanked.images is None
    assert not blanked.wholes
    assert blanked.names == chunk.names
    assert blanked.labels is chunk.labels
    for name, array in inputs.items():
        found = blanked.inputs[name]
        assert (found.shape, found.dtype) == (array.shape, array.dtype)
        assert len(set(found.reshape(-1).tolist())) == 1
        assert not set(found.strides) - {0}
        if array.dtype.kind == "f":
            assert (found == np.floor(found)).all() == (array == np.floor(array)).all()
    assert b"secret" not in pickle.dumps(blanked)
