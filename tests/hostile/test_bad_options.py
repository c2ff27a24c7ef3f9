"""Every numeric option of every method at 0, below 0, NaN, text and huge values, read from signatures."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import numpy as np
import pytest
from click.testing import Result

from mlflow_interp.method_registry import method_names
from mlflow_interp.options import Option, options_of

#: Options that accept 0, and -1; all others must reject it.
ZERO = {
    "baseline", "calls", "contrast", "cosine_power", "decay_power", "features", "ignore_label", "layer",
    "layers", "min_dist", "noise", "opacity", "output", "seed", "snapshot_every", "target", "token",
    "tolerance", "top_k",
}  # fmt: skip
NAMES = {
    "attention_layers",
    "baseline",
    "layer",
    "layers",
    "target",
}  # also accept text, which is checked by name
BELOW = {"baseline", "calls", "ignore_label", "layer", "layers", "token"}
ENORMOUS = {int: "1" + "0" * 30, float: "1e300"}


def kinds(annotation: Any) -> list[type]:
    """The numeric types that an option accepts."""
    if get_origin(annotation) is Annotated:
        return kinds(get_args(annotation)[0])
    members = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return [kind for kind in (int, float) if kind in members]


def numeric_options() -> Iterator[tuple[str, Option]]:
    """The options of each method; those shared by several methods are listed once."""
    seen = set()
    # Attention last, as options that it shares are tested with a method for any model.
    for method in sorted(method_names(), key=lambda name: name == "attention"):
        for option in options_of(method).values():
            if kinds(option.annotation) and option not in seen:
                seen.add(option)
                yield method, option


ROWS = [
    pytest.param(method, option, value, id=f"{method}-{option.name}={value[:8]}")
    for method, option in numeric_options()
    for value in ("0", "-1", "nan", "inf", "many", ENORMOUS[kinds(option.annotation)[0]])
]


def test_enough_options_are_tested() -> None:
    assert len(ROWS) > 150


@pytest.fixture(scope="module")
def call(
    command: Callable[..., Result],
    rgb_model: str,
    attention_model: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Result]:
    """Run a method with as little work as possible."""
    inputs = tmp_path_factory.mktemp("in") / "in.npz"
    np.savez(inputs, inputs=np.random.default_rng(0).random((12, 8, 8, 3)), labels=np.arange(12) % 3)
    least = {"ascent_steps": "2", "path_steps": "2", "noise_samples": "1", "n_epochs": "3"}

    def call(method: str, option: str, value: str) -> Result:
        few = [f"--{name.replace('_', '-')}={least[name]}" for name in least if name in options_of(method)]
        given = f"--{option.replace('_', '-')}={value}"
        model = attention_model if method == "attention" else rgb_model
        return command(method, model, inputs, "--no-log", "--json", "--quiet", *few, given)

    return call


@pytest.mark.parametrize(("method", "option", "value"), ROWS)
def test_numbers_are_accepted_or_rejected_in_one_line(
    method: str, option: Option, value: str, call: Callable[..., Result], assert_error: Callable[..., str]
) -> None:
    done = call(method, option.name, value)
    if done.exit_code == 0:
        means = (value == "0" and option.name in ZERO) or (value == "-1" and option.name in BELOW)
        assert means or option.forwarded
        assert all(line.startswith("warning: ") for line in done.stderr.splitlines())
        return
    line = assert_error(done)
    if option.name not in NAMES:
        assert option.name in line.replace("-", "_") or option.forwarded, line
        assert value[:8] in line.replace("e+", "e") or option.forwarded, line


TEXTS = [
    ("gradcam", "--resize=zoom", "'zoom' is not one of"),
    ("gradcam", "--preprocess=", None),
    ("gradcam", "--preprocess=../x", "no preprocess '../x'"),
    ("gradcam", "--colormap=<b>", "no colormap '<b>'"),
    ("gradcam", "--layer=../../x", "no layer '../../x'"),
    ("gradcam", "--target=,", "no class is named ''"),
    ("gradcam", "--target=0,1", "target has 2 classes for 12 inputs"),
    ("gradcam", "--log=perhaps", "--log is 'perhaps'; give true or false"),
    ("gradcam", "--save=/dev/null", "is a file; name a folder"),
    ("gradcam", "--save=/dev/null/below", "/dev/null"),
    ("gradcam", "--save=/proc/nothing", "/proc/nothing"),
    ("gradcam", "--save= ", "is not a path"),
    ("gradcam", "--colour=red", "No such option"),
    ("gradcam", "--batch-size", "requires an argument"),
    ("saliency", "--baseline=nothing.npy", "nothing.npy"),
    ("umap", "--metric=nonsense", "nonsense"),
    ("umap", "--metric-kwds={", "metric_kwds is '{'"),
    ("umap", "--metric-kwds=[1]", "metric_kwds is '[1]'"),
    ("umap", "--init=nonsense", "nonsense"),
    ("umap", "--align=nothing", "nothing"),
    ("confusion_matrix", "--predictions=nothing.csv", "nothing.csv"),
    ("confusion_matrix", "--sample-weight=nothing.csv", "nothing.csv"),
]


@pytest.mark.parametrize(("method", "given", "message"), TEXTS)
def test_text_options_are_accepted_or_rejected(
    method: str,
    given: str,
    message: str | None,
    call: Callable[..., Result],
    assert_error: Callable[..., str],
    command: Callable[..., Result],
    rgb_model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("in.npz", inputs=np.random.default_rng(0).random((12, 8, 8, 3)), labels=np.arange(12) % 3)
    done = command(method, rgb_model, "in.npz", "--no-log", "--json", "--quiet", given)
    if message is None:
        assert done.exit_code == 0, done.output
    else:
        assert_error(done, message)


COMMANDS = [
    (["--nothing"], "No such option"),
    (["gradcma", "m", "i"], "no command 'gradcma'; nearest: gradcam"),
    (["gradcam"], "Missing argument 'MODEL'"),
    (["gradcam", "m"], "Missing argument 'INPUTS'"),
    (["gradcam", "m", "i", "j"], "unexpected extra argument"),
    (["interpret", "m", "i", "--methods", ","], "methods is empty"),
    (["layers", ""], "is not a path"),
    (["layers", "x" * 300], "x" * 300),
    (["layers", "a\nb"], "a\\nb"),
    (["methods", "more"], "unexpected extra argument"),
]


@pytest.mark.parametrize(("args", "message"), COMMANDS)
def test_invalid_commands_are_rejected(
    args: list[str], message: str, command: Callable[..., Result], assert_error: Callable[..., str]
) -> None:
    assert_error(command(*args), message)


def test_help_is_printed(command: Callable[..., Result]) -> None:
    assert "Usage: " in command().output
    assert command("--help").exit_code == 0
