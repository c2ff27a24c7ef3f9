"""Compare interpretations that two runs hold already."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from mlflow_interp import progress
from mlflow_interp.call_options import ALL, Methods, parse_methods
from mlflow_interp.comparing.conclude import (
    FEWEST_INPUTS,
    About,
    Comparison,
    GateOption,
    concluded,
    shell_call,
)
from mlflow_interp.comparing.sides import name_of
from mlflow_interp.comparison.gate_file import read_gate
from mlflow_interp.comparison.version import ClassOrder, VersionResults
from mlflow_interp.core.accepted import Range, checked
from mlflow_interp.exceptions import InputsError, OptionError
from mlflow_interp.kinds.comparison.build import compared
from mlflow_interp.method_registry import kind_of
from mlflow_interp.report.interpretation import Interpretation
from mlflow_interp.report.load import load
from mlflow_interp.report.provenance import Provenance
from mlflow_interp.tracking.destination import open_run
from mlflow_interp.tracking.log import ROOT, logged_methods

_QUALITY = "quality"
_OF_LOGGING = {"log", "experiment", "run_id", "save"}


@checked
def compare_runs(
    old: str,
    new: str,
    methods: Methods = ALL,
    *,
    gate: GateOption = "default",
    undecided: Literal["pass", "fail"] = "pass",
    min_inputs: Annotated[int, Range(least=1)] = FEWEST_INPUTS,
    quiet: bool = False,
    **options: Any,
) -> Comparison:
    """Compare interpretations that two runs hold already, without running a model.

    The scale of agreement needs the old version, so that rules about explanations are left out. Inputs that
    only one run has are left out, with a warning.

    Args:
        old: The run of the version in use: its id, or runs:/id.
        new: The run of the version that may replace it.
        methods: The methods whose heatmaps are compared; all stands for those that both runs have.
        gate: See `compare`.
        undecided: See `compare`.
        min_inputs: Number of inputs that both runs must have in common.
        quiet: Hide the location of the results.
        **options: Options of logging: `log`, `experiment`, `run_id` and `save`.

    Raises:
        InterpretationError: an error that the user can fix; the message says how.
    """
    unknown = sorted(set(options) - _OF_LOGGING)
    if unknown:
        raise OptionError(
            f"{unknown[0]} has no meaning for runs, whose interpretations exist already; omit it, or compare "
            "the versions themselves"
        )
    started = time.perf_counter()
    rules = read_gate(gate)
    with progress.shown(not quiet), open_run(**options) as destination:
        runs = [each.removeprefix("runs:/").strip("/") for each in (old, new)]
        loaded = _loaded(runs, methods)
        sides = [_side(each) for each in loaded]
        if sides[0].name == sides[1].name:
            sides = [
                VersionResults(f"{side.name} (run {run[:8]})", side.rows, side.results)
                for side, run in zip(sides, runs, strict=True)
            ]
        manifests = [next(iter(each.values())).manifest for each in loaded]
        destination.start(_origin(manifests[1]), f"compare {sides[0].name} → {sides[1].name}")
        result = compared(
            sides[0],
            sides[1],
            ClassOrder(),
            rules,
            fewest=min_inputs,
            undecided_fails=undecided == "fail",
            chosen={"methods": sorted(loaded[0]), "runs": runs},
        )
        given: dict[str, Any] = {} if min_inputs == FEWEST_INPUTS else {"min_inputs": min_inputs}
        given |= {"undecided": undecided} if undecided != "pass" else {}
        given |= {"gate": gate} if isinstance(gate, (str, Path)) and gate != "default" else {}
        about = About(
            manifests[0]["model"],
            Provenance(manifests[1]["model"], manifests[1]["inputs"], {}, ()),
            sorted(loaded[0]),
            given,
            {
                "Command line": shell_call([*runs, "--runs", f"--methods={','.join(loaded[0])}"], given),
                "Python": "import mlflow_interp\n\n"
                f"found = mlflow_interp.compare_runs({runs[0]!r}, {runs[1]!r})",
            },
        )
        return concluded(result, about, destination, started)


def _loaded(runs: list[str], methods: Methods) -> list[dict[str, Interpretation]]:
    """The interpretations of each run by the methods that are compared.

    Raises:
        InputsError: a run has no heatmaps of a method, or the runs have none in common.
    """
    folders = [set(logged_methods(run)) for run in runs]
    if methods == ALL:
        names = sorted(name for name in folders[0] & folders[1] if _is_comparable(name))
        if not names:
            listed = [", ".join(sorted(each)) or "none" for each in folders]
            raise InputsError(
                f"the runs have no heatmaps by the same method: the first has {listed[0]}, the second "
                f"{listed[1]}; interpret the same inputs with both versions"
            )
    else:
        names = list(parse_methods(methods).options)
    for run, found in zip(runs, folders, strict=True):
        missing = [name for name in names if name not in found]
        if missing:
            raise InputsError(
                f"run {run} has no {missing[0]}, but {', '.join(sorted(found)) or 'nothing'}; name methods "
                "that both runs have"
            )
    return [{name: load(f"runs:/{run}/{ROOT}/{name}") for name in names} for run in runs]


def _is_comparable(name: str) -> bool:
    from mlflow_interp.method_registry import registered_names

    return name in registered_names() and (name == _QUALITY or kind_of(name).has_heatmaps)


def _side(loaded: Mapping[str, Interpretation]) -> VersionResults:
    results = {name: each.result for name, each in loaded.items()}
    widest: Any = max(results.values(), key=lambda each: len(each.examples))
    manifest = next(iter(loaded.values())).manifest
    return VersionResults(name_of(manifest["model"]), widest.explained, results)


def _origin(manifest: Mapping[str, Any]) -> Any:
    from mlflow_interp.models.origin import Origin

    model = manifest["model"]
    return Origin(model["uri"], name=model["name"], experiment_id=model.get("experiment_id"))
