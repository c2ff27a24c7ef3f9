"""Checks of a method from another package in a clean environment, run by `make package`."""

from __future__ import annotations

import json
import tempfile

import keras
import numpy as np

import mlflow_interp

assert "calibration" in mlflow_interp.method_names()
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
model.set_weights([np.zeros((2, 2)), np.log([0.75, 0.25])])
inputs = np.zeros((4, 2), np.float32)
with tempfile.TemporaryDirectory() as folder:
    found = mlflow_interp.visualize_calibration(model, inputs, labels=[0, 0, 0, 1], log=False, quiet=True)
    manifest = json.loads((found.save(folder) / "manifest.json").read_text())
assert found.metrics["calibration_error"] < 1e-6, found.metrics
assert manifest["package"] == {"name": "interp-calibration", "version": "1.2.0"}, manifest["package"]
