"""The outcome of a command that interprets: its exit code, and with --json its results as one object."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import click
from click.core import ParameterSource

from mlflow_interp.cli.options import Command, OneLineUsageError, is_on
from mlflow_interp.exceptions import InterpretationError
from mlflow_interp.report.interpretation import Interpretation

_MODEL_KEYS = (
    "uri", "name", "version", "aliases", "model_id", "run_id", "experiment_id", "weights_sha256",
)  # fmt: skip
_INPUTS_KEYS = ("source", "count", "digest")


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and its results.

    Attributes:
        code: the exit code.
        reason: the line, or lines, that say why the code is not 0.
        interpretations: those of the methods that did not fail, by method.
        run_id: the run of the call, None if nothing was logged.
    """

    code: int = 0
    reason: str | None = None
    interpretations: Mapping[str, Interpretation] = field(default_factory=dict)
    run_id: str | None = None

    def as_json(self, warnings: list[str]) -> str:
        """The outcome as one line of JSON; its keys are described in docs/command-line.md."""
        manifest = next((each.manifest for each in self.interpretations.values()), None)
        content = {
            "run_id": self.run_id,
            "exit": {"code": self.code, "reason": self.reason},
            "interpretations": {name: _described(each) for name, each in self.interpretations.items()},
            "warnings": warnings,
            "inputs": manifest and {key: manifest["inputs"].get(key) for key in _INPUTS_KEYS},
            "model": manifest and {key: manifest["model"].get(key) for key in _MODEL_KEYS},
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False)


def _described(interpretation: Interpretation) -> dict[str, Any]:
    folder = interpretation.folder
    return {
        "artifact_path": interpretation.artifact_path,
        "folder": None if folder is None else str(folder),
        # JSON has no NaN.
        "metrics": {
            name: float(value) if math.isfinite(value) else None
            for name, value in interpretation.metrics.items()
        },
        "warnings": list(interpretation.manifest["warnings"]),
    }


class InterpretingCommand(Command):
    """A command whose callback returns an `Outcome`: its exit code, and what --json prints."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """With --json, report arguments that can't be parsed as JSON too."""
        try:
            return super().parse_args(ctx, args)
        except OneLineUsageError as error:
            ctx.params["as_json"] = is_on("--json", args)
            if not ctx.resilient_parsing:
                self.ended(ctx, 2, str(error), error)
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run, print the outcome as JSON if requested, and exit with its code."""
        # An option that is given as none is passed on; one that is not given is left out.
        ctx.params = {
            name: value
            for name, value in ctx.params.items()
            if value is not None or ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        }
        outcome: Outcome = super().invoke(ctx)
        _print(ctx, outcome)
        sys.exit(outcome.code)

    def ended(self, ctx: click.Context, code: int, reason: str, error: BaseException) -> None:
        """Print the outcome of a command that an error ended."""
        found = error.interpretations if isinstance(error, InterpretationError) else {}
        run_id = error.run_id if isinstance(error, InterpretationError) else None
        _print(ctx, Outcome(code, reason, found, run_id or os.environ.get("MLFLOW_RUN_ID")))


def _print(ctx: click.Context, outcome: Outcome) -> None:
    if ctx.params.get("as_json"):
        click.echo(outcome.as_json(ctx.obj or []))
