"""Live output during training: in TensorBoard, in a notebook, on the terminal."""

from __future__ import annotations

import importlib.util

import IPython.display
import numpy as np
import pytest
import tensorflow as tf

import mlflow_interp
from mlflow_interp.exceptions import OptionError


def test_figures_for_tensorboard(small, images, tmp_path):
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam", samples=2, tensorboard=str(tmp_path / "logs"))
    small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=2, verbose=0)
    (file,) = (tmp_path / "logs").rglob("events*")
    steps = [
        event.step
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        if value.tag == "interpretations/gradcam"
    ]
    assert steps == [0, 1]


def test_figures_in_a_notebook(small, images, monkeypatch):
    """The first figure is displayed, later ones replace it."""
    inputs, labels = images
    shown = []

    class Handle:
        def update(self, image):
            shown.append(("updated", image.data))

    def display(image, display_id):
        assert display_id
        shown.append(("displayed", image.data))
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    mlflow_interp.autolog(methods="gradcam", samples=2, display=True)
    small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=3, verbose=0)
    assert [how for how, _ in shown] == ["displayed", "updated", "updated"]
    assert all(data.startswith(b"\x89PNG") for _, data in shown)


def test_confusion_matrix_as_text(small, images, capsys):
    inputs, labels = images
    mlflow_interp.autolog(methods="confusion_matrix", class_names=["dark", "bright"], verbose=True)
    small.fit(inputs, labels, validation_data=(inputs, labels), epochs=1, verbose=0)
    printed = capsys.readouterr().out
    found = small.predict(inputs, verbose=0).argmax(axis=1)
    for name, label in (("dark", 0), ("bright", 1)):
        row = next(line for line in printed.splitlines() if line.strip().startswith(name))
        counts = [int(np.sum((labels == label) & (found == other))) for other in (0, 1)]
        assert all(str(count) in row for count in counts), printed


@pytest.mark.parametrize(
    ("given", "package"), [({"display": True}, "IPython"), ({"tensorboard": "logs"}, "tensorboard")]
)
def test_missing_packages_are_reported_at_the_start(given, package, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == package else find(name, *more)
    )
    with pytest.raises(OptionError, match=f"needs (?i:{package})"):
        mlflow_interp.autolog(**given)
