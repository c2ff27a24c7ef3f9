"""Files written by Keras 2, read by Keras 3.

The files are nested Sequential models with random weights and partly frozen layers, saved as HDF5 by
TensorFlow 2.3 and by tf_keras 2.21, together with their predictions for some inputs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.exceptions import ModelError
from mlflow_interp.models.load import load_model
from tests.running import gradcam

DATA = Path(__file__).parent / "data"
INPUTS = np.random.default_rng(1).uniform(-1, 1, (4, 96, 96, 3)).astype(np.float32)


@pytest.mark.parametrize("version", ["2_3", "2_21"])
def test_nested_models_give_the_same_predictions(version: str) -> None:
    loaded = load_model(DATA / f"keras_{version}_nested.h5")
    expected = np.load(DATA / f"keras_{version}_nested.npy")
    np.testing.assert_allclose(loaded.keras.predict(INPUTS, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("version", ["2_3", "2_21"])
def test_gradcam_of_a_nested_layer(version: str) -> None:
    loaded = load_model(DATA / f"keras_{version}_nested.h5")
    result = gradcam(loaded.keras, load_inputs(INPUTS, loaded), target=0)
    assert "/" in result.layer
    assert result.heatmaps.shape == (4, 92, 92)
    assert result.heatmaps.max() > 0


# Files written by the current tf_keras.


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as `.keras` and `.h5`, each with inputs and the predictions of tf_keras."""
    folder = tmp_path_factory.mktemp("keras2")
    script = Path(__file__).with_name("write_keras2.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


def check_predictions(folder: Path, name: str, suffix: str, **options: str) -> None:
    model = load_model(folder / f"{name}{suffix}", **options).keras
    stored = np.load(folder / f"{name}.npz")
    inputs = [stored[key] for key in stored if key.startswith("input")]
    predicted = model.predict(inputs[0] if len(inputs) == 1 else inputs, verbose=0)
    np.testing.assert_allclose(predicted, stored["outputs"], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", ["nested", "mobilenet", "recurrent", "several_inputs", "normalized"])
def test_files_of_tf_keras_give_the_same_predictions(written: Path, name: str, suffix: str) -> None:
    check_predictions(written, name, suffix)


CUSTOM_LAYERS = """
import keras

@keras.saving.register_keras_serializable("mine")
class {name}(keras.layers.Layer):
    def __init__(self, factor=1.0, **settings):
        super().__init__(**settings)
        self.factor = factor

    def build(self, shape):
        self.shift = self.add_weight(shape=(shape[-1],), name="shift")

    def call(self, inputs):
        return self.factor * inputs + self.shift
"""


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(("name", "layer"), [("custom", "Scale"), ("registered", "RegisteredScale")])
def test_remedy_for_custom_layers_works(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, layer: str, suffix: str
) -> None:
    """The layer was registered under another package when it was saved, or not at all."""
    with pytest.raises(
        ModelError, match=f"needs a class that is not registered with Keras.*{layer}.*imports="
    ):
        load_model(written / f"{name}{suffix}")
    module = f"layers_{name}_{suffix[1:]}"
    (tmp_path / f"{module}.py").write_text(CUSTOM_LAYERS.format(name=layer))
    monkeypatch.chdir(tmp_path)
    with keras.saving.CustomObjectScope({}):
        try:
            check_predictions(written, name, suffix, imports=module)
        finally:
            keras.saving.get_custom_objects().pop(f"mine>{layer}", None)


def test_keras_2_archive_in_an_mlflow_model(written: Path, tmp_path: Path) -> None:
    """As MLflow logged models before Keras 3."""
    data = tmp_path / "model" / "data"
    data.mkdir(parents=True)
    (data / "model.keras").write_bytes((written / "nested.keras").read_bytes())
    (data.parent / "MLmodel").write_text(
        "flavors:\n  tensorflow:\n    data: data\n    model_type: keras\n    keras_version: 2.15.0\n"
    )
    stored = np.load(written / "nested.npz")
    predicted = load_model(data.parent).keras.predict(stored["input0"], verbose=0)
    np.testing.assert_allclose(predicted, stored["outputs"], atol=1e-6)
