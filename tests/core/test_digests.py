"""Digests: equal for equal rows; the digest of all depends on neither order nor chunks."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_interp.core.digests import InputsDigest, row_digests


def digest_of(*parts):
    digest = InputsDigest()
    for part in parts:
        digest.update(part)
    return digest


def test_digest_includes_dtype_and_shape():
    rows = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    expected = [hashlib.blake2b(b"float32(3, 2)" + row.tobytes(), digest_size=16).digest() for row in rows]
    assert [bytes(row) for row in row_digests(rows)] == expected
    others = [
        rows.astype(np.float64),
        rows.view(np.int32),
        rows.reshape(2, 6),
        rows.reshape(2, 2, 3),
        rows + 1,
    ]
    assert len({bytes(row_digests(each)[0]) for each in [rows, *others]}) == 6


def test_digest_does_not_depend_on_memory_layout():
    rows = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    for same in (np.asfortranarray(rows), rows.astype(">f4"), np.repeat(rows, 2, axis=0)[::2]):
        np.testing.assert_array_equal(row_digests(same), row_digests(rows))


def test_digest_of_several_arrays_covers_all_of_them():
    first, second = np.arange(4.0).reshape(2, 2), np.uint8([[7], [8]])
    both = row_digests({"b": second, "a": first})
    np.testing.assert_array_equal(both, row_digests((first, second)))
    assert not (both == row_digests((second, first))).all()
    changed = row_digests((first, second + np.uint8([[0], [1]])))
    assert (changed[0] == both[0]).all()
    assert not (changed[1] == both[1]).all()


@pytest.mark.parametrize("shape", [(3,), (3, 0), (0, 4), (3, 2)])
@pytest.mark.parametrize("dtype", [bool, np.float16, np.int64])
def test_any_shape_has_a_digest(shape, dtype):
    assert row_digests(np.zeros(shape, dtype)).shape == (shape[0], 16)


def test_text_has_a_digest():
    given = row_digests(np.array([["ab", "c"], ["a", "bc"], ["é", ""]]))
    as_objects = np.array([[b"ab", b"c"], [b"a", b"bc"], ["é".encode(), b""]], object)
    np.testing.assert_array_equal(given, row_digests(as_objects))
    assert len({bytes(row) for row in given}) == 3


rows_of_digests = st.lists(st.binary(min_size=16, max_size=16), max_size=20).map(
    lambda rows: np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 16)
)


@given(rows=rows_of_digests, seed=st.integers(0, 100), cut=st.integers(0, 20))
def test_digest_of_all_does_not_depend_on_order_or_chunks(rows, seed, cut):
    whole = digest_of(rows)
    total = sum(int.from_bytes(bytes(row), "little") for row in rows) % 2**128
    assert whole.hexdigest() == f"{total:032x}-{len(rows)}"
    shuffled = np.random.default_rng(seed).permutation(rows)
    assert digest_of(shuffled[:cut], shuffled[cut:]).hexdigest() == whole.hexdigest()
    first, second = pickle.loads(pickle.dumps(digest_of(shuffled[:cut]))), digest_of(shuffled[cut:])
    second.merge(first)
    assert second.hexdigest() == whole.hexdigest()


@given(rows=rows_of_digests.filter(len))
def test_duplicates_change_the_digest_of_all(rows):
    assert digest_of(rows, rows[:1]).hexdigest() != digest_of(rows).hexdigest()
    twice = digest_of(rows, rows[:1], rows[:1]).hexdigest()
    assert twice not in (digest_of(rows).hexdigest(), digest_of(rows, rows[:1]).hexdigest())
