"""The help of the command line holds for the shell, and for every method that takes an option."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from mlflow_interp.call_options import methods_of_all
from mlflow_interp.cli import main
from mlflow_interp.cli.help import combined, facts
from mlflow_interp.method_registry import own_method_names
from mlflow_interp.options import Option, options_of

COMMANDS = [*own_method_names(), "interpret"]


def help_of(*command, width=80):
    return CliRunner().invoke(main, [*command, "--help"], terminal_width=width).output


def entry(command, flag):
    """The help of one option, as one line."""
    text = help_of(command, width=100)
    found = re.search(rf"^  {flag}[ /].*?(?=^  -)", text, re.MULTILINE | re.DOTALL)
    return " ".join(found[0].split())


def test_no_command_is_cut_short_in_the_list_of_commands():
    assert "..." not in help_of().partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_holds_no_python(command):
    text = help_of(command)
    assert "In Python" not in text
    assert "`" not in text
    assert " array (" not in text


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", [60, 80])
def test_no_line_ends_within_a_flag(command, width):
    lines = help_of(command, width=width).splitlines()
    assert not [line for line in lines if line.endswith("-")]
    assert not [line for line in lines if "\N{NON-BREAKING HYPHEN}" in line]


def test_an_option_named_in_a_help_has_its_dashes():
    assert "0.25 with --align" in entry("umap", "--learning-rate")


def test_choices_are_spelled_as_in_the_help():
    text = entry("gradcam", "--head")
    assert "|binary_logit|" in text
    assert "binary-logit" not in text


def test_flags_state_their_defaults():
    assert entry("umap", "--log").endswith("[default: log]")
    assert entry("umap", "--supervised").endswith("[default: no-supervised]")
    assert entry("umap", "--json").endswith("[default: no-json]")
    assert "default: no-" not in entry("umap", "--low-memory")  # umap-learn's own default is true


def test_interpret_names_the_methods_first_and_what_all_contains():
    options = help_of("interpret").partition("Options:")[2]
    assert options.split()[0] == "--methods"
    assert ", ".join(methods_of_all()) in entry("interpret", "--methods")


def test_interpret_says_only_what_holds_for_every_method():
    layers = entry("interpret", "--layers")
    assert layers.endswith("[caricature, umap; default: each method's own]")
    assert "By default" not in layers
    assert "Blues" not in entry("interpret", "--colormap")
    assert entry("interpret", "--seed").endswith(
        "[caricature, feature_visualization, quality, rise, saliency, umap; default: 0; 0 or more]"
    )
    assert entry("interpret", "--cosine-power").endswith("[caricature only; default: 0.5; 0 or more]")
    assert entry("interpret", "--batch-size").endswith("[default: 32; 1 or more]")


def option(help_text, default=None, annotation=int):
    return Option("size", "method", annotation, default, help_text)


def test_options_that_share_no_sentence_are_described_for_each_method():
    one = combined({"a": option("Size of a map."), "b": option("Size of a batch.")})
    assert one.help == "a: Size of a map. b: Size of a batch."
    assert facts(one) == " [default: each method's own]"


def test_options_that_differ_in_their_default_only_name_none():
    one = combined({"a": option("Size.", 1), "b": option("Size.", 2)})
    assert (one.help, facts(one, ["a", "b"])) == ("Size.", " [a, b; default: each method's own]")
    assert combined({"a": option("Size.", 1), "b": option("Size.", 1)}) == option("Size.", 1)


def test_a_combined_option_accepts_what_any_method_does():
    one = combined({"a": option("Size.", annotation=int), "b": option("Size.", annotation=int | None)})
    assert one.annotation == int | None


@pytest.mark.parametrize(
    ("args", "seed"), [(["--seed", "none"], None), (["--seed=None"], None), (["--seed", "3"], 3)]
)
@pytest.mark.parametrize("command", ["umap", "interpret"])
def test_a_seed_may_be_none(monkeypatch, command, args, seed):
    from mlflow_interp.cli import method_commands
    from mlflow_interp.cli.outcome import Outcome

    given = {}
    monkeypatch.setattr(
        method_commands, "interpret_from_shell", lambda *_, **options: given.update(options) or Outcome()
    )
    assert CliRunner().invoke(main, [command, "model", "inputs", *args]).exit_code == 0
    assert given["seed"] == seed
    assert "n_neighbors" not in given  # what is not given has its default


def test_options_of_umap_learn_are_accepted_by_interpret(monkeypatch):
    from mlflow_interp.cli import method_commands
    from mlflow_interp.cli.outcome import Outcome

    given = {}
    monkeypatch.setattr(
        method_commands, "interpret_from_shell", lambda *_, **options: given.update(options) or Outcome()
    )
    assert CliRunner().invoke(main, ["interpret", "model", "inputs", "--spread", "2"]).exit_code == 0
    assert given["spread"] == 2
    assert "--spread" not in help_of("interpret")
    assert set(given) <= set(options_of("umap")) | {"as_json", "fail_if", "on_spark", "tracking_uri"}


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("no", False), ("none", None)])
def test_an_option_that_is_true_false_or_none(text, value):
    command = main.get_command(None, "quality")
    context = command.make_context("quality", ["model", "inputs", f"--quick={text}"])
    assert context.params["quick"] is value


def test_another_value_of_such_an_option_is_refused():
    done = CliRunner().invoke(main, ["quality", "model", "inputs", "--quick=maybe"])
    assert done.exit_code == 2
    assert "'maybe' is not true or false" in done.output
