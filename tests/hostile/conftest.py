"""A model that returns the pixels it receives, the command line in this process, and checks of errors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

#: Every error message contains one of these, to say what to do.
FIX = re.compile(
    r"\b(give|save|convert|pass|name|number|clean|resize|set|start|see|shows|lists|there are|there is|ends in"
    r"|nearest|check|leave|join|raise|import|rebuild|use|not one of|has classes|is for|argument"
    r"|is needed|are needed|available|omit)\b"
)


@pytest.fixture(scope="session", autouse=True)
def _store(store: str) -> None:
    """Use the tests' store for all calls to MLflow."""


@pytest.fixture(scope="session")
def rgb_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A saved model of 8×8 colour images whose three logits are the top left pixel: red, green, blue."""
    import keras

    kernel = np.zeros((8 * 8 * 3, 3), np.float32)
    kernel[:3] = np.eye(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(3, 1, use_bias=False, name="conv"),
            layers.Flatten(),
            layers.Dense(3, use_bias=False, name="head"),
        ],
        name="rgb_model",
    )
    model.set_weights([np.eye(3, dtype=np.float32)[None, None], kernel])
    # Its loss states that these are logits; otherwise this would be a guess with a warning.
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    path = tmp_path_factory.mktemp("rgb_model") / "rgb_model.keras"
    model.save(path)
    return str(path)


@pytest.fixture(scope="session")
def attention_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A saved transformer of 8×8 colour images with one attention layer."""
    import keras

    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    tokens = layers.Reshape((16, 4))(layers.Conv2D(4, 2, strides=2)(inputs))
    tokens = tokens + layers.MultiHeadAttention(1, 4, name="attention")(tokens, tokens)
    outputs = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(tokens))
    path = tmp_path_factory.mktemp("attention_model") / "attention_model.keras"
    keras.Model(inputs, outputs, name="attention_model").save(path)
    return str(path)


@pytest.fixture(scope="session")
def command() -> Callable[..., Result]:
    """Run the command line in this process, as from a shell."""
    from mlflow_interp.cli import main

    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="session")
def run_gradcam(rgb_model: str, command: Callable[..., Result]) -> Callable[..., Result]:
    """Run Grad-CAM of the colour model on inputs, without logging, and print the results as JSON."""
    return lambda inputs, *options: command(
        "gradcam", rgb_model, inputs, "--no-log", "--json", "--quiet", *options
    )


@pytest.fixture(scope="session")
def read_pixels(
    run_gradcam: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    """The top left pixel that the model received, by name of the input; and the warnings."""

    def read_pixels(inputs: Any, *options: Any) -> tuple[dict[str, list[int]], list[str]]:
        folder = tmp_path_factory.mktemp("out")
        stated = ("--preprocess", "0..1", "--resize", "crop", "--interpolation", "lanczos")
        done = run_gradcam(inputs, *stated, "--target", "0", "--save", folder, *options)
        assert done.exit_code == 0, done.output
        return pixels_in(folder / "gradcam"), done.stderr.splitlines()

    return read_pixels


def pixels_in(folder: Path) -> dict[str, list[int]]:
    """Recover pixels from the arrays of a call: the logit of red, and the others from their odds."""
    with np.load(folder / "arrays.npz") as arrays:
        order = np.argsort(arrays["classes"], axis=1)
        logs = np.log(np.take_along_axis(arrays["probabilities"], order, axis=1))
        pixels = arrays["scores"][:, None] + logs - logs[:, :1]
    names = json.loads((folder / "manifest.json").read_text())["inputs"]["names"]
    return dict(zip(names, np.rint(pixels * 255).astype(int).tolist(), strict=True))


@pytest.fixture(scope="session")
def assert_error() -> Callable[..., str]:
    """Check the error of a call: exit code 2, and one line that says what is wrong and what to do.

    With --json, standard output has one object with the same line, and nothing else.
    """

    def assert_error(done: Result, *parts: str) -> str:
        assert done.exit_code == 2, (done.output, done.exception)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
        assert len(lines) == 1, done.output
        assert lines[0].startswith("mlflow-interp: ")
        assert FIX.search(lines[0]), lines[0]
        assert "Traceback" not in done.output
        for part in parts:
            assert part in lines[0]
        if done.stdout:  # with --json
            reason = json.loads(done.stdout)["exit"]["reason"]
            assert lines[0] == f"mlflow-interp: {reason}"
        return lines[0]

    return assert_error


@pytest.fixture
def make_unreadable(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Make a file unreadable; for root, who can read any file, by raising the same error."""
    opened = Path.open

    def make_unreadable(path: Path) -> None:
        path.chmod(0)

        def refusing(self: Path, *args: Any, **options: Any) -> Any:
            if self == path:
                raise PermissionError(13, "Permission denied", str(self))
            return opened(self, *args, **options)

        if os.geteuid() == 0:
            monkeypatch.setattr(Path, "open", refusing)

    return make_unreadable
