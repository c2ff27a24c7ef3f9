"""How steps are shared out between sizes, and how a layer is shown its target."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from mlflow_interp.core import UNKNOWN, Chunk
from mlflow_interp.optvis import level
from mlflow_interp.optvis.ascend import STEPS_A_POINT
from mlflow_interp.optvis.level import Level, Settings, Subject
from mlflow_interp.optvis.transforms import crop


def settings(**options):
    """The defaults, but for what is given."""
    defaults = {
        "steps": 512,
        "learning_rate": 0.05,
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
    return Settings(**(defaults | options))


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


@pytest.mark.parametrize("steps", [1, 7, 64, 100, 130, 255, 256, 512, 5000])
def test_half_size_takes_whole_points_and_few_of_the_steps(steps):
    *half, (size, rest) = settings(steps=steps).levels((224, 160))
    assert size == (224, 160)
    assert rest + sum(early for _, early in half) == steps
    for smaller, early in half:
        assert smaller == (112, 80)
        assert 0 < early <= steps / 16
        assert early % STEPS_A_POINT == 0


@pytest.mark.parametrize(("size", "options"), [((100, 300), {}), ((224, 224), {"parametrization": "pixel"})])
def test_small_pictures_and_pixels_have_no_half_size(size, options):
    assert settings(**options).levels(size) == [(size, 512)]


def test_targets_are_of_the_inputs_seen_as_images_are(model, subject):
    """Grey beyond the edges, 0.5 in a picture, is what the model is fed for it: here 0."""
    found = Level(model, model, subject, subject.size, settings())
    targets = found._targets(subject)
    assert targets.shape == (2, level.VIEWS, 12, 10, 3)
    for number in (0, level.VIEWS - 1):
        seen = crop(subject.inputs, found._views[[number]], outside=0.0)
        np.testing.assert_allclose(targets[:, number], np.maximum(seen, 0), atol=1e-5)


def test_targets_stay_within_the_memory_they_are_given(model, subject, monkeypatch):
    monkeypatch.setattr(level, "MOST_KEPT", 3 * subject.inputs[:1].nbytes)
    assert Level(model, model, subject, subject.size, settings())._targets(subject).shape[1] == 3
    monkeypatch.setattr(level, "MOST_KEPT", 1)
    assert Level(model, model, subject, subject.size, settings())._targets(subject).shape[1] == 1
