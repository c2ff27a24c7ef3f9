"""Arbitrary arrays: the model receives the numbers in the file, or the file is rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mlflow_interp.core.annotations import label_indices
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.exceptions import InputsError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel

quietly = settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
shapes = st.one_of(
    arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
    st.tuples(st.integers(0, 4), st.just(2), st.just(3), st.just(1)),
)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    import keras

    layers = keras.layers
    return load_model(keras.Sequential([keras.Input((2, 3, 1)), layers.Flatten(), layers.Dense(2)]))


@quietly
@given(array=arrays.arrays(arrays.scalar_dtypes(), shapes), packed=st.booleans())
def test_arrays_are_unchanged_or_rejected(
    array: np.ndarray, packed: bool, loaded: LoadedModel, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{'npz' if packed else 'npy'}"
    np.savez(path, inputs=array) if packed else np.save(path, array)
    try:
        chunks = list(load_inputs(path, loaded, preprocess="none", batch_size=2).chunks())
    except InputsError:
        with np.errstate(over="ignore"):
            fits = array.dtype.kind in "biuf" and np.isfinite(array.astype(np.float32)).all()
        assert not (fits and array.ndim == 4 and array.shape[1:] == (2, 3, 1) and len(array))
        return
    fed = np.concatenate([chunk.inputs for chunk in chunks])
    np.testing.assert_array_equal(fed, array.reshape(fed.shape).astype(np.float32))


@quietly
@given(
    labels=st.one_of(
        arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(min_dims=0, max_dims=3, min_side=0)),
        st.lists(st.one_of(st.text(), st.integers(), st.floats(), st.none()), max_size=4),
    )
)
def test_labels_are_classes_unknown_or_rejected(labels: Any) -> None:
    total = len(labels) if np.ndim(labels) else 1
    try:
        indices, _ = label_indices(labels, total, ("cat", "dog"))
    except InputsError:
        return
    assert indices.shape == (total,)
    assert indices.dtype == np.int64
    given = np.asarray(labels)
    if given.ndim == 1 and given.dtype.kind in "biu" and given.dtype != np.uint64:
        assert indices.tolist() == given.astype(np.int64).tolist()
    if given.ndim == 1 and given.dtype.kind in "US":
        assert set(indices.tolist()) <= {UNKNOWN, 0, 1}
