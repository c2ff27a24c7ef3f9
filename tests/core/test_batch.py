"""Batches: what a pass records, values joined by position, and passes that differ."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.digests import InputsDigest, row_digests
from mlflow_interp.core.inputs_record import MOST_NAMES
from mlflow_interp.exceptions import InputsError


def chunk_of(rows, start=None):
    """A chunk of inputs at positions from `start`; by default, positions equal the values."""
    rows = np.array(rows)
    inputs = rows[:, np.newaxis].astype(np.float32)
    positions = rows if start is None else np.arange(start, start + len(rows))
    return Chunk(positions, tuple(map(str, rows)), inputs, rows, None, digests=row_digests(inputs))


def batch_of(*passes, skipped=(), is_dataset=False, **fields):
    """Chunks of rows that may differ in each pass; the last is repeated. A dataset numbers rows in order."""
    remaining = list(passes)

    def read():
        chunks = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        start = 0
        for rows in chunks:
            yield chunk_of(rows, start if is_dataset else None)
            start += len(rows)
        batch.skipped.update(dict.fromkeys(skipped, "is not an image"))

    batch = Batch("test", read, **fields)
    return batch


def test_full_pass_records_digest_count_and_names():
    batch = batch_of([[0, 1], [2]])
    list(batch.chunks())
    expected = InputsDigest()
    expected.update(row_digests(np.float32([[2], [0], [1]])))
    record = batch.record()
    assert (record.digest, record.count, record.names) == (expected.hexdigest(), 3, ("0", "1", "2"))


def test_rows_without_a_digest_are_hashed_as_model_inputs():
    inputs = np.float32([[0], [1]])
    batch = Batch("test", lambda: iter([Chunk(np.arange(2), ("a", "b"), inputs, np.zeros(2), None)]))
    assert batch.record().digest == batch_of([[0, 1]]).record().digest


def test_names_of_many_inputs_are_truncated():
    batch = batch_of([range(start, start + 600) for start in (0, 600, 1200)])
    assert batch.record().names == tuple(map(str, range(MOST_NAMES)))
    assert batch.count == 1800


def test_source_is_closed_if_reading_stops_early():
    closed = []

    def read():
        try:
            yield chunk_of([0])
            yield chunk_of([1])
        finally:
            closed.append(True)

    batch = Batch("test", read).with_columns({"weights": [1, 2]})
    chunks = batch.chunks()
    next(chunks)
    chunks.close()
    assert closed == [True]


# Passes that differ.


def test_same_inputs_on_a_second_pass_give_no_warning():
    batch = batch_of([[0, 1], [2]], [[0], [1, 2]])
    for _ in range(3):
        list(batch.chunks())
    assert batch.warnings == []


@pytest.mark.parametrize(
    ("again", "remedy"),
    [
        ([[2, 1], [0]], "reshuffle_each_iteration=False"),
        ([[0, 1], [3]], "yield the same inputs each time"),
        ([[0, 1]], "yield the same inputs each time"),
        ([[0, 1, 2], [2]], "yield the same inputs each time"),
    ],
)
def test_different_inputs_on_a_second_pass_give_one_warning(again, remedy):
    batch = batch_of([[0, 1], [2]], again, is_dataset=True)
    first = batch.record().digest
    assert batch.warnings == []
    for _ in range(2):
        list(batch.chunks())
    (warning,) = batch.warnings
    assert remedy in warning
    assert "results of the two passes belong to different inputs" in warning
    assert (batch.record().digest, batch.count) == (first, 3)


def test_inputs_in_memory_are_the_same_on_each_pass():
    held = batch_of([[0, 1], [2]], [[2, 1], [0]]).in_memory()
    for _ in range(2):
        assert [chunk.indices.tolist() for chunk in held.chunks()] == [[0, 1], [2]]
    assert held.warnings == []


# Values for each input.


def test_values_are_joined_by_position():
    batch = batch_of([[0, 2], [3]], skipped=["b"], total=4)
    rows = np.arange(8).reshape(4, 2)
    joined = batch.with_columns({"weights": [0.0, 0.1, 0.2, 0.3]}).with_columns({"predictions": rows})
    first, last = joined.chunks()
    assert first.columns["weights"].tolist() == [0.0, 0.2]
    assert first.columns["predictions"].tolist() == [[0, 1], [4, 5]]
    assert {name: values.tolist() for name, values in last.columns.items()} == {
        "weights": [0.3],
        "predictions": [[6, 7]],
    }


def test_derived_batches_share_the_record_of_a_pass():
    batch = batch_of([[0, 1]], [[5]])
    assert [len(chunk) for chunk in batch.with_columns({"weights": [1, 2]}).chunks()] == [2]
    assert (batch.count, batch.record().names) == (2, ("0", "1"))


@pytest.mark.parametrize(("count", "total"), [(1, 2), (3, 2), (0, 2)])
def test_wrong_number_of_values_is_rejected_immediately(count, total):
    message = f"there are {count} weights for {total} inputs; give one for each"
    with pytest.raises(InputsError, match=message):
        batch_of([[0, 1]], total=total).with_columns({"weights": [1] * count})


@pytest.mark.parametrize(("count", "inputs"), [(2, "3 or more"), (4, "3"), (9, "3")])
def test_wrong_number_of_values_is_detected_while_reading(count, inputs):
    joined = batch_of([[0, 1], [2]]).with_columns({"predictions": [0] * count})
    with pytest.raises(InputsError, match=f"there are {count} predictions for {inputs} inputs; give one"):
        list(joined.chunks())


def test_skipped_inputs_count_at_the_end():
    batch = batch_of([[0, 2]], skipped=["b"])
    (chunk,) = batch.with_columns({"weights": [1, 2, 3]}).chunks()
    assert chunk.columns["weights"].tolist() == [1, 3]
    with pytest.raises(InputsError, match="there are 4 weights for 3 inputs"):
        list(batch.with_columns({"weights": [1, 2, 3, 4]}).chunks())


@pytest.mark.parametrize("total", [2, None])
def test_max_inputs_allows_values_for_inputs_that_are_not_read(total):
    batch = batch_of([[0, 5]], total=total, preparation={"max_inputs": 2})
    (chunk,) = batch.with_columns({"weights": np.arange(10)}).chunks()
    assert chunk.columns["weights"].tolist() == [0, 5]
    with pytest.raises(InputsError, match="there are 1 weights for"):
        list(batch.with_columns({"weights": [1]}).chunks())
