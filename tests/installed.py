"""Checks of an installed copy, run by `make package` with the Python it was installed into."""

from __future__ import annotations

import json
import sys
import sysconfig
import tempfile
from importlib.metadata import distribution, entry_points
from pathlib import Path

import numpy as np

import mlflow_interp

INSTALLED = Path(sysconfig.get_path("purelib")) / "mlflow_interp"
assert Path(mlflow_interp.__file__).parent == INSTALLED, mlflow_interp.__file__

found = distribution("mlflow-interp")
assert found.version == mlflow_interp.__version__
assert found.metadata["License-Expression"] == "Apache-2.0"
assert found.metadata["Requires-Python"] == ">=3.11"
assert found.metadata["Description"].startswith("# mlflow_interp")
assert set(found.metadata.get_all("Provides-Extra")) >= {"bench", "demo", "dev", "docs", "tensorboard"}
files = {file.as_posix() for file in found.files}
assert {file.name for file in found.files} >= {"py.typed", "LICENSE"}
assert files >= {f"mlflow_interp/drawing/{name}" for name in ("page.html", "shared.js", "gallery.js")}
assert files >= {f"mlflow_interp/{name}" for name in ("kinds/heatmap/page.html", "report/workbench.js")}
assert not [file for file in found.files if file.parts[0] in ("tests", "docs", "examples", "benchmarks")]

(evaluator,) = entry_points(group="mlflow.model_evaluator", name="interpretations")
assert evaluator.load().__name__ == "InterpretationEvaluator"

import keras  # noqa: E402 - after what needs seconds less

model = keras.Sequential(
    [
        keras.Input((8, 8, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, activation="softmax"),
    ]
)
pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
with tempfile.TemporaryDirectory() as folder:
    place = mlflow_interp.visualize_gradcam(model, pixels, target=0, log=False, quiet=True).save(folder)
    manifest = json.loads((place / "manifest.json").read_text())
    assert manifest["method"] == "gradcam"
    assert set(manifest["files"]) == {
        *(
            "figure.png",
            "figure.svg",
            "figure.html",
            "predictions.json",
            "arrays.npz",
            "index.json",
            "result.json",
        )
    }
    assert "Content-Security-Policy" in (place / "figure.html").read_text()
print(f"mlflow_interp {mlflow_interp.__version__}, Python {sys.version.split()[0]}")
