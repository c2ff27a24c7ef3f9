"""Files that Keras 2 wrote, read by Keras 3.

The files are nested Sequential models with random weights and partly frozen layers, saved as HDF5 by
TensorFlow 2.3 and by tf_keras 2.21; what they predicted for the same inputs then stands beside them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.models.load import load_model
from tests.running import gradcam

DATA = Path(__file__).parent / "data"
INPUTS = np.random.default_rng(1).uniform(-1, 1, (4, 96, 96, 3)).astype(np.float32)


@pytest.mark.parametrize("version", ["2_3", "2_21"])
def test_nested_models_predict_what_they_predicted(version: str) -> None:
    loaded = load_model(DATA / f"keras_{version}_nested.h5")
    expected = np.load(DATA / f"keras_{version}_nested.npy")
    np.testing.assert_allclose(loaded.keras.predict(INPUTS, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("version", ["2_3", "2_21"])
def test_gradcam_looks_into_them(version: str) -> None:
    loaded = load_model(DATA / f"keras_{version}_nested.h5")
    result = gradcam(loaded.keras, load_inputs(INPUTS, loaded), target=0)
    assert "/" in result.layer
    assert result.heatmaps.shape == (4, 92, 92)
    assert result.heatmaps.max() > 0
