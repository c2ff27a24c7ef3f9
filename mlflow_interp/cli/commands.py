"""The group of commands, and the commands that belong to no method."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Sequence
from typing import Any, get_args

import click

from mlflow_interp import __version__, progress
from mlflow_interp.backend.heads import Head
from mlflow_interp.backend.startup import import_quietly
from mlflow_interp.cli.group import MethodGroup
from mlflow_interp.cli.interpreting import use_uri
from mlflow_interp.cli.options import Command, NamedChoice, json_option
from mlflow_interp.method_registry import find_method
from mlflow_interp.options import listed_methods, summary

# Read by TensorFlow's C++ side when it is loaded, which no command has done yet.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


_SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "token_normalize_func": lambda name: name.replace("_", "-"),
}


@click.group(cls=MethodGroup, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="mlflow-interp")
def main() -> None:
    """Interpret Keras models and store the results in MLflow.

    MODEL is models:/name/version, models:/name@alias, runs:/id/path, a model folder, or a .keras or .h5
    file. INPUTS is an image, a folder, a glob pattern, a .npy or .npz file, an artifact URI, or a dataset
    of Keras such as keras:cifar10.
    """


@main.command("methods", cls=Command, params=[json_option("a JSON list of objects")])
def methods_command(as_json: bool) -> None:
    """List the methods."""
    summaries = {name: summary(find_method(name)) for name in listed_methods()}
    if as_json:
        click.echo(json.dumps([{"name": name, "summary": text} for name, text in summaries.items()]))
        return
    for name, text in summaries.items():
        click.echo(f"{name:18} {text}")


@main.command("resume", cls=Command)
@click.argument("folder", required=False)
@click.option("--tracking-uri", help="Tracking server or store to upload to, if it has moved.")
def resume_command(folder: str | None, tracking_uri: str | None) -> None:
    """Upload results that could not be logged.

    A failed server or a killed process leaves them behind. FOLDER is the folder named in the error or
    warning. Without it, list all such folders on this machine.
    """
    from mlflow_interp.tracking.resume import resume
    from mlflow_interp.tracking.spool import left_behind

    if folder is None:
        for spool_folder in left_behind():
            click.echo(str(spool_folder))
        return
    click.echo(f"run: {resume(folder, tracking_uri=tracking_uri)}")


@main.command("layers", cls=Command, params=[json_option("a JSON list of objects")])
@click.argument("model")
@click.option("--trust-model-code", is_flag=True, help="Allow code contained in the model to run.")
@click.option("--imports", help="Modules to import first, e.g. those that register custom layers.")
@click.option("--output", help="Output to inspect, if the model has several: its name or position.")
@click.option(
    "--head",
    type=NamedChoice(get_args(Head)),
    default="auto",
    help="What the output represents, if the model does not show it.",
)
@click.option("--tracking-uri", help="Tracking server or store that holds the model.")
def layers_command(model: str, tracking_uri: str | None, as_json: bool, **options: Any) -> None:
    """List a model's layers and the methods for each.

    A row holds a layer's index, path, type, output shape and methods; the last row, the methods that need no
    layer. The first line says how the model's output is interpreted, and why.
    """
    from mlflow_interp.engine.layer_table import describe_model
    from mlflow_interp.models.artifact_store import is_uri
    from mlflow_interp.models.custom_objects import check_imports
    from mlflow_interp.models.load import find_model

    check_imports(options["imports"])
    if is_uri(model):
        use_uri(tracking_uri)
    with progress.shown(True):
        found = find_model(model, trust_model_code=options["trust_model_code"])
        progress.say("Loading TensorFlow…")
        import_quietly()
        output, rows = describe_model(found, **options)
    click.echo(_json_of(rows, output) if as_json else f"output: {output}\n{_table(rows)}")


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    cells = ((cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in cells)


def _json_of(rows: Sequence[Sequence[str]], output: str) -> str:
    """The rows of the table of layers as objects; shapes and methods as lists; the output in the last."""
    header, *layers = rows
    objects: list[dict[str, Any]] = [dict(zip(header, row, strict=True)) for row in layers]
    for each in objects:
        shape, methods = each.pop("output shape"), each.pop("methods")
        each["output_shape"] = list(ast.literal_eval(shape)) if shape else None
        each["methods"] = methods.split(", ") if methods else []
    objects[-1]["output"] = output
    return json.dumps(objects, ensure_ascii=False)
