"""The record of inputs does not depend on how they are split into parts, or on the order of the parts."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_interp.core.digests import row_digests
from mlflow_interp.core.inputs_record import MOST_NAMES, InputsRecord
from tests.core.test_batch import chunk_of


def record_of(*chunks, skipped=(), warnings=()):
    record = InputsRecord()
    for chunk in chunks:
        record.update(chunk)
    record.skipped |= dict.fromkeys(skipped, "is no image")
    record.warn(*warnings)
    return record


def facts(record):
    return record.as_dict() | {"warnings": sorted(record.warnings)}


VALUES = st.lists(st.integers(0, 3), min_size=1, max_size=30)


@given(values=VALUES, cuts=st.lists(st.integers(1, 29), max_size=4), order=st.randoms())
def test_parts_merge_to_the_whole_in_any_order(values, cuts, order):
    whole = record_of(chunk_of(values, 0), skipped=["a", "b"], warnings=["one", "two"])
    edges = [0, *sorted({cut for cut in cuts if cut < len(values)}), len(values)]
    parts = [
        record_of(
            chunk_of(values[start:end], start),
            skipped=["a"] if start == 0 else ["b"],
            warnings=["one", "two"],
        )
        for start, end in pairwise(edges)
    ]
    parts.append(record_of(skipped=["b"]))
    order.shuffle(parts)
    merged = InputsRecord()
    for part in parts:
        merged.merge(pickle.loads(pickle.dumps(part)))
    assert facts(merged) == facts(whole)
    assert merged.warnings == ["one", "two"]


@pytest.mark.parametrize(
    ("values", "same_digest", "same_order"),
    [([0, 1, 2], True, True), ([1, 0, 2], True, False), ([0, 1, 1], False, False)],
)
def test_digest_depends_on_inputs_and_order_on_positions(values, same_digest, same_order):
    one, other = record_of(chunk_of([0, 1, 2], 0)), record_of(chunk_of(values, 0))
    assert (one.digest == other.digest, one.order == other.order) == (same_digest, same_order)


def test_first_names_by_position_are_kept():
    chunks = [chunk_of(range(start, start + 700), start) for start in (1400, 0, 700)]
    assert record_of(*chunks).names == tuple(map(str, range(MOST_NAMES)))


def test_digest_is_the_sum_of_the_digests_of_rows():
    rows = row_digests(np.float32([[5], [7]]))
    total = sum(int.from_bytes(row.tobytes(), "little") for row in rows) % 2**128
    assert record_of(chunk_of([5, 7], 0)).digest == f"{total:032x}-2"
