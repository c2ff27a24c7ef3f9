"""Chunks: rows are selected in the requested order."""

import numpy as np
import pytest

from mlflow_interp.core.chunk import Chunk, position_names, some


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
