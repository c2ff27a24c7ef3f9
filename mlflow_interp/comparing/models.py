"""Compare two models on the same inputs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np

from mlflow_interp import progress
from mlflow_interp.call_options import CallPlan, Methods, plan_call
from mlflow_interp.comparing.conclude import (
    FEWEST_INPUTS,
    About,
    Comparison,
    GateOption,
    concluded,
    shell_call,
)
from mlflow_interp.comparing.sides import Side, class_orders, results_of, sides_of, told_apart
from mlflow_interp.comparison.gate_file import read_gate
from mlflow_interp.core.accepted import Range, checked
from mlflow_interp.core.output_positions import parse_positions
from mlflow_interp.core.result import HasDifference
from mlflow_interp.data.labels import Labels, read_column
from mlflow_interp.data.sources import find_inputs
from mlflow_interp.exceptions import InputsError, MissingModelError, OptionError
from mlflow_interp.kinds.comparison.build import compared
from mlflow_interp.method_registry import result_class_of
from mlflow_interp.models.load import experiment_of, find_model
from mlflow_interp.options import declared_options
from mlflow_interp.report.provenance import Provenance
from mlflow_interp.tracking.destination import open_run, without_autologging
from mlflow_interp.tracking.permission import check_may_log

_QUALITY = "quality"


@checked
def compare(
    old: Any,
    new: Any,
    inputs: Any,
    methods: Methods = ("gradcam",),
    *,
    gate: GateOption = "default",
    undecided: Literal["pass", "fail"] = "pass",
    anchors: bool = True,
    reference: Sequence[Any] = (),
    groups: Labels = None,
    min_inputs: Annotated[int, Range(least=1)] = FEWEST_INPUTS,
    if_old_missing: Literal["fail", "pass"] = "fail",
    quiet: bool = False,
    **options: Any,
) -> Comparison:
    """Compare two versions of a model on the same inputs, and decide by a gate.

    Inputs are read once; both versions get them chunk by chunk, each prepared in its own way. Their heatmaps
    are of the same class: the label, or without one the class that the old version predicts. All numbers have
    95 % intervals. How far heatmaps agree is stated on a scale that is measured in the same call: 0 is the
    old version with permuted weights, 1 the old version under small changes of the input.

    Args:
        old: The version in use: a Keras model, or where to find one; see `load_model`.
        new: The version that may replace it.
        inputs: Arrays, a dataset, or where to find inputs; see `load_inputs`.
        methods: The methods whose results are compared, Grad-CAM by default. The agreement of heatmaps is
            judged; of other methods, such as confusion_matrix and umap, the difference is shown. With
            quality, the change of the faithfulness is judged. Names separated by commas, a list, or a mapping
            from each name to its own options.
        gate: The rules that decide: default, none, or the path of a YAML file with a bound for each rule. In
            Python, also such a mapping.
        undecided: Whether a rule whose interval covers its bound counts as passed or failed: pass or fail.
            Rules that only warn never fail.
        anchors: Whether to compute the scale of agreement, which takes three more heatmaps of up to 256
            inputs. Without it, explanations are not judged.
        reference: Further versions that are known to be good, such as retrainings with other seeds. With
            three or more, the rules negative_flips and explanation_kept fail where the new version lies
            beyond all of them.
        groups: Groups of inputs that belong together, such as a patient or a video, as a .npy, .csv or text
            file with a value for each input. In Python, also an array. Intervals then resample groups, and
            tests count each group once: a sign test of groups takes the place of McNemar's.
        min_inputs: Number of inputs that both versions must have in common.
        if_old_missing: What happens if the old version does not exist: fail, or pass, as for a first release.
        quiet: Hide progress and the location of the results.
        **options: Each option goes to every method and every stage that takes it, for both versions.

    Returns:
        Whether the gate passed, all numbers, the flips, the report, and the interpretation that was logged.

    Raises:
        InterpretationError: an error that the user can fix; the message says how.
    """
    rules = read_gate(gate)
    plan = plan_call(methods, options)
    check_methods(plan)
    check_positions(plan)
    numbered = _numbered(groups)
    shared = plan.shared
    started = time.perf_counter()
    with without_autologging(), progress.shown(not quiet), open_run(**shared["run"]) as destination:
        named = [find_version(each, shared) for each in (new, *reference)]
        try:
            found_old = find_version(old, shared)
        except MissingModelError as error:
            return without_old(error, if_old_missing)
        inputs = find_inputs(inputs)
        if destination.log:
            check_may_log(destination.run_id, destination.experiment, experiment_of(named[0]))
        sides = sides_of([found_old, *named], inputs, shared)
        orders = class_orders(sides)
        sides = told_apart(sides)
        if numbered is not None and not sides[0].batch.has_room_for(len(numbered)):
            raise InputsError(
                f"there are {len(numbered)} groups for {sides[0].batch.total} inputs; give one for each"
            )
        destination.start(sides[1].loaded.origin, f"compare {sides[0].name} → {sides[1].name}")
        results = results_of(sides, orders, plan, anchors=anchors)
        result = compared(
            results[0],
            results[1],
            orders[0],
            rules,
            references=list(zip(results[2:], orders[1:], strict=True)),
            fewest=min_inputs,
            undecided_fails=undecided == "fail",
            groups=numbered,
            chosen={"methods": sorted(plan.options), "gate": gate_name(gate)},
        )
        given = _given(locals()) | {
            name: value for each in plan.options.values() for name, value in each.items()
        }
        return concluded(result, _about(sides, plan, given), destination, started)


def without_old(error: MissingModelError, if_old_missing: str) -> Comparison:
    """What is returned if the old version does not exist.

    Raises:
        MissingModelError: this is not accepted.
    """
    if if_old_missing == "fail":
        raise error
    progress.say(f"no old version to compare with, which is accepted: {error}")
    return Comparison(True, "passed", {"verdict": "passed", "old": None, "reason": str(error)})


def _numbered(groups: Labels) -> np.ndarray | None:
    """The number of the group of each input, (n,) int64; None without groups."""
    read = read_column(groups, "groups")
    return None if read is None else np.unique(np.asarray(read), return_inverse=True)[1]


def _about(sides: Sequence[Side], plan: CallPlan, given: Mapping[str, Any]) -> About:
    old, new = sides[:2]
    methods = list(plan.options)
    uris = [each.loaded.origin.uri for each in (old, new)]
    source = new.batch.source
    words = [*uris, source, f"--methods={','.join(methods)}"]
    words += [f"--reference={each.loaded.origin.uri}" for each in sides[2:]]
    return About(
        old.loaded.origin.as_dict(),
        Provenance.of(new.loaded, new.batch),
        methods,
        given,
        {
            "Command line": shell_call(words, given),
            "Python": "import mlflow_interp\n\n"
            f"found = mlflow_interp.compare({uris[0]!r}, {uris[1]!r}, {source!r}, methods={methods!r})",
        },
        [each.loaded.origin.as_dict() for each in sides[2:]],
    )


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of comparing that were given, for the manifest and to reproduce it."""
    defaults = {"gate": "default", "undecided": "pass", "anchors": True, "min_inputs": FEWEST_INPUTS}
    return {name: values[name] for name, default in defaults.items() if values[name] != default}


def gate_name(gate: Any) -> str:
    """What stands for a gate in a manifest."""
    return "mapping" if isinstance(gate, Mapping) else str(gate or "none")


def options_of_compare() -> list[str]:
    """The names of the options that are not those of methods, models, inputs or logging."""
    return [each.name for each in declared_options(compare, "compare") if each.name != "quiet"]


def check_methods(plan: CallPlan) -> None:
    """Check that the results of methods can be compared.

    Raises:
        OptionError: those of one can't.
    """
    for name in plan.options:
        if name != _QUALITY and not issubclass(result_class_of(name), HasDifference):
            raise OptionError(f"results of {name} can't be subtracted, so it can't be compared; omit {name}")


def check_positions(plan: CallPlan) -> None:
    """Check that both versions are explained at the same positions of their outputs.

    Raises:
        OptionError: they are those that each version predicts as a class.
    """
    positions = parse_positions(plan.shared["inputs"].get("positions"))
    if positions is not None and positions.of_class:
        raise OptionError(
            f"positions is 'class {positions.of_class}', and two versions predict it at different positions; "
            "give a box or masks, which are the same for both"
        )


def find_version(model: Any, shared: Mapping[str, Mapping[str, Any]]) -> Any:
    """Where a version is, without loading it; `shared` has the options of a call, by stage."""
    return find_model(model, trust_model_code=bool(shared["model"].get("trust_model_code", False)))
