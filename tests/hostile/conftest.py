"""A model that says what it was fed, the command line in this process, and what every refusal must be."""

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

#: What a message asks for: one of these stands in each.
FIX = re.compile(
    r"\b(give|save|convert|pass|name|number|clean|resize|set|start|see|shows|lists|there are|there is|ends in"
    r"|nearest|check|leave|join|raise|import|rebuild|use|not one of|has classes|is for|argument"
    r"|is needed|are needed|available|omit)\b"
)


@pytest.fixture(scope="session", autouse=True)
def _store(store: str) -> None:
    """Whatever asks MLflow here asks the tests' store."""


@pytest.fixture(scope="session")
def teller(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A saved model of 8×8 colour pictures whose three logits are the top left pixel: red, green, blue."""
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
        name="teller",
    )
    model.set_weights([np.eye(3, dtype=np.float32)[None, None], kernel])
    # Its loss says that these are logits, which would be a guess with a warning.
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    path = tmp_path_factory.mktemp("teller") / "teller.keras"
    model.save(path)
    return str(path)


@pytest.fixture(scope="session")
def command() -> Callable[..., Result]:
    """Runs the command line in this process, as a shell would."""
    from mlflow_interp.cli import main

    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="session")
def look(teller: str, command: Callable[..., Result]) -> Callable[..., Result]:
    """Runs Grad-CAM of the teller on inputs, logging nothing; what it found is printed."""
    return lambda inputs, *options: command(
        "gradcam", teller, inputs, "--no-log", "--json", "--quiet", *options
    )


@pytest.fixture(scope="session")
def told(look: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """What the model was fed: by name of the input, its top left pixel; and what was warned of."""

    def told(inputs: Any, *options: Any) -> tuple[dict[str, list[int]], list[str]]:
        folder = tmp_path_factory.mktemp("out")
        stated = ("--preprocess", "0..1", "--resize", "crop", "--interpolation", "lanczos")
        done = look(inputs, *stated, "--target", "0", "--save", folder, *options)
        assert done.exit_code == 0, done.output
        return pixels_in(folder / "gradcam"), done.stderr.splitlines()

    return told


def pixels_in(folder: Path) -> dict[str, list[int]]:
    """The pixels behind the arrays of a call: the logit of red, and the others by their odds against it."""
    with np.load(folder / "arrays.npz") as arrays:
        order = np.argsort(arrays["classes"], axis=1)
        logs = np.log(np.take_along_axis(arrays["probabilities"], order, axis=1))
        pixels = arrays["scores"][:, None] + logs - logs[:, :1]
    names = json.loads((folder / "manifest.json").read_text())["inputs"]["names"]
    return dict(zip(names, np.rint(pixels * 255).astype(int).tolist(), strict=True))


@pytest.fixture(scope="session")
def refused() -> Callable[..., str]:
    """Checks that a call was refused as all must be: exit code 2, and one line that says what and how.

    With --json, standard output has one object with the same line, and nothing else.
    """

    def refused(done: Result, *parts: str) -> str:
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

    return refused


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Takes away the right to read a file; from root, which no mode keeps out, by the same error."""
    opened = Path.open

    def forbid(path: Path) -> None:
        path.chmod(0)

        def refusing(self: Path, *args: Any, **options: Any) -> Any:
            if self == path:
                raise PermissionError(13, "Permission denied", str(self))
            return opened(self, *args, **options)

        if os.geteuid() == 0:
            monkeypatch.setattr(Path, "open", refusing)

    return forbid
