"""How the target activations of a layer are computed."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.optvis import objectives
from mlflow_interp.optvis.objectives import CaricatureOptions, LayerObjective, Subject
from mlflow_interp.optvis.optimize import State
from mlflow_interp.optvis.param import noise
from mlflow_interp.optvis.transform import crop


def settings(**options):
    """The defaults, except for the given settings."""
    defaults = {
        "ascent_steps": 512,
        "ascent_rate": 0.05,
        "tolerance": 0.0,
        "cosine_power": 0.5,
        "parametrization": "fourier",
        "decay_power": 1.0,
        "stddev": 0.01,
        "colours": "decorrelated",
        "value_range": "sigmoid",
        "snapshot_every": 0,
        "seed": 0,
    }
    return CaricatureOptions(**(defaults | options))


@pytest.fixture
def subject():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 12, 10, 3)).astype(np.uint8)
    inputs = pictures / np.float32(127.5) - 1
    chunk = Chunk(np.arange(2), ("a", "b"), inputs, np.full(2, UNKNOWN), pictures)
    return Subject.of(chunk, channels_first=False)


@pytest.fixture
def model():
    inputs = keras.Input((12, 10, 3))
    return keras.Model(inputs, keras.layers.ReLU()(inputs))


def test_targets_are_computed_from_views_of_the_inputs(model, subject):
    """Grey beyond the edges, 0.5 in an image, becomes the model's input for grey: here 0."""
    objective = LayerObjective(model, model, subject, settings())
    targets = objective._targets(subject)
    assert targets.shape == (2, objectives.VIEWS, 12, 10, 3)
    for number in (0, objectives.VIEWS - 1):
        seen = crop(subject.inputs, objective._views[[number]], outside=0.0)
        np.testing.assert_allclose(targets[:, number], np.maximum(seen, 0), atol=1e-5)


def test_targets_stay_within_the_memory_limit(model, subject, monkeypatch):
    monkeypatch.setattr(objectives, "MOST_TARGET_BYTES", 3 * subject.inputs[:1].nbytes)
    assert LayerObjective(model, model, subject, settings())._targets(subject).shape[1] == 3
    monkeypatch.setattr(objectives, "MOST_TARGET_BYTES", 1)
    assert LayerObjective(model, model, subject, settings())._targets(subject).shape[1] == 1


def test_both_parts_of_a_frequency_share_squared_gradients(model, subject):
    objective = LayerObjective(model, model, subject, settings())
    start = noise(objective.param, [0, 1], stddev=0.01, seed=0)
    optimization = objective.optimization(subject, start)
    state, _ = optimization.step(State.start(start), next(optimization.views), optimization.constants)
    square = np.asarray(state.parts[2])
    assert square.min() > 0
    np.testing.assert_array_equal(square[:, 0], square[:, 1])
