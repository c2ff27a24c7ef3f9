"""Compare two versions of a model on the same inputs, decide by a gate, and log the result."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Literal

import numpy as np

from mlflow_interp import progress
from mlflow_interp.call_options import CallPlan, Methods, plan_call
from mlflow_interp.comparison.gate_file import read_gate
from mlflow_interp.comparison.outputs import junit, markdown, report_json
from mlflow_interp.comparison.version import ClassOrder, ShownInputs, VersionResults
from mlflow_interp.core.accepted import Checked, Range, checked
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.model_record import ModelRecord, with_record
from mlflow_interp.core.passed import Passed
from mlflow_interp.data.labels import Labels, read_column
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.data.sources import find_inputs
from mlflow_interp.engine.anchors import AnchorMethod
from mlflow_interp.engine.explain import limit
from mlflow_interp.engine.explained_rows import ExplainedRows
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.run import run
from mlflow_interp.exceptions import InputsError, ModelError, OptionError, warn
from mlflow_interp.kinds.comparison.build import MOST_SHOWN, compared
from mlflow_interp.kinds.comparison.figure import title_of
from mlflow_interp.kinds.comparison.result import ComparisonResult
from mlflow_interp.method_registry import find_method, kind_of
from mlflow_interp.models.load import experiment_of, find_model, load_model
from mlflow_interp.models.origin import LoadedModel, Origin, digested
from mlflow_interp.models.signature import class_count
from mlflow_interp.report.files import draw_files
from mlflow_interp.report.interpretation import Interpretation, InterpretationFiles
from mlflow_interp.report.manifest import complete_manifest, describe
from mlflow_interp.report.provenance import Provenance
from mlflow_interp.tracking.destination import Destination, open_run, without_autologging
from mlflow_interp.tracking.permission import check_may_log
from mlflow_interp.tracking.write import write

COMPARISON = "comparison"
QUALITY = "quality"
REPORT = "report.json"
JUNIT = "junit.xml"
SUMMARY = "summary.md"
_ROWS = "rows"  # of all inputs, beside the results of methods; no method has this name
_ANCHORS = "anchors"

GateOption = Annotated[str | Path | Mapping[str, Any] | None, Checked(read_gate)]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two versions compared.

    Attributes:
        passed: whether the gate did not fail; true without a gate.
        verdict: "passed", "failed" or "undecided"; "" without a gate.
        report: the content of report.json.
        interpretation: the result with its figure, manifest and location; None if there was no old version.
    """

    passed: bool
    verdict: str
    report: Mapping[str, Any]
    interpretation: Interpretation | None = field(default=None, repr=False)

    @property
    def result(self) -> ComparisonResult:
        """The raw result."""
        return self._made.result  # type: ignore[return-value]

    @property
    def metrics(self) -> dict[str, float]:
        """All numbers by name."""
        return {} if self.interpretation is None else self.interpretation.metrics

    @property
    def flips(self) -> dict[str, list[Any]]:
        """Columns of the inputs that are right before and wrong now, the most confident first."""
        table, rows = self.result.table(), self.result.flips()
        return {name: [column[row] for row in rows.tolist()] for name, column in table.items()}

    @property
    def figure(self) -> Any:
        """The matplotlib figure."""
        return self._made.figure

    @property
    def run_id(self) -> str | None:
        """The MLflow run that holds the comparison, None if nothing was logged."""
        return None if self.interpretation is None else self.interpretation.run_id

    @property
    def _made(self) -> Interpretation:
        if self.interpretation is None:
            raise InputsError("there was no old version to compare with, so there is no result")
        return self.interpretation


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
    min_inputs: Annotated[int, Range(least=1)] = 20,
    if_old_missing: Literal["fail", "pass"] = "fail",
    quiet: bool = False,
    **options: Any,
) -> Comparison:
    """Compare two versions of a model on the same inputs, and decide by a gate.

    Both versions get the same inputs, each prepared in its own way, and their heatmaps are of the same class:
    the label, or without one the class that the old version predicts. All numbers have 95 % intervals. How
    far heatmaps agree is told on a scale that is computed on the spot: from the old version with permuted
    weights to the old version under small changes of the input.

    Args:
        old: The version in use: a Keras model, or where to find one; see `load_model`.
        new: The version that may replace it.
        inputs: Arrays, a dataset, or where to find inputs; see `load_inputs`.
        methods: The methods whose results are compared: any that make heatmaps, and quality. Names separated
            by commas, a list, or a mapping from each name to its own options.
        gate: The rules that decide: default, none, or the path of a YAML file with a bound for each rule. In
            Python, also such a mapping.
        undecided: What a rule means whose interval covers its bound: pass or fail.
        anchors: Whether to compute the scale of agreement, which takes three more heatmaps of up to 256
            inputs. Without it, explanations are not judged.
        reference: Further versions that are known to be good, such as retrainings with other seeds. With
            three or more, rules about explanations and flips can fail where the new version lies beyond them.
        groups: Groups of inputs that belong together, such as a patient or a video, as a .npy, .csv or text
            file with a value for each input. In Python, also an array. Intervals of means and medians then
            resample groups.
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
    _check_methods(plan)
    groups = read_column(groups, "groups")
    shared = plan.shared
    started = time.perf_counter()
    with without_autologging(), progress.shown(not quiet), open_run(**shared["run"]) as destination:
        named = [_find(each, shared) for each in (new, *reference)]
        try:
            found_old = _find(old, shared)
        except ModelError as error:
            if if_old_missing == "fail":
                raise
            progress.say(f"no old version to compare with, which is accepted: {error}")
            return Comparison(True, "passed", {"verdict": "passed", "old": None, "reason": str(error)})
        inputs = find_inputs(inputs)
        if destination.log:
            check_may_log(destination.run_id, destination.experiment, experiment_of(named[0]))
        sides = [_Side.of(each, inputs, shared) for each in (found_old, *named)]
        orders = [class_order(sides[0], each) for each in sides[1:]]
        sides = _told_apart(sides)
        destination.start(sides[1].loaded.origin, f"compare {sides[0].name} → {sides[1].name}")
        results = _results(sides, orders, plan, anchors=anchors)
        result = compared(
            results[0],
            results[1],
            orders[0],
            rules,
            references=results[2:],
            fewest=min_inputs,
            undecided_fails=undecided == "fail",
            groups=None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1],
            chosen={"methods": sorted(plan.options), "gate": _gate_name(gate)},
        )
        return _concluded(result, sides, plan, destination, started, _given(locals()))


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of comparing that were given, for the manifest and to reproduce it."""
    defaults = {"gate": "default", "undecided": "pass", "anchors": True, "min_inputs": 20}
    return {name: values[name] for name, default in defaults.items() if values[name] != default}


def _gate_name(gate: Any) -> str:
    return "mapping" if isinstance(gate, Mapping) else str(gate or "none")


def _check_methods(plan: CallPlan) -> None:
    for name in plan.options:
        if name != QUALITY and not kind_of(name).has_heatmaps:
            raise OptionError(
                f"{name} makes no heatmaps, so it can't be compared this way; give methods that do, and "
                "quality. Predictions are always compared"
            )


def _find(model: Any, shared: Mapping[str, Mapping[str, Any]]) -> Any:
    return find_model(model, trust_model_code=bool(shared["model"].get("trust_model_code", False)))


@dataclass(frozen=True, eq=False)
class _Side:
    """One version with its inputs.

    Attributes:
        loaded: the model.
        batch: the inputs, prepared for it.
        name: such as "pirates v3".
    """

    loaded: LoadedModel
    batch: Batch
    name: str

    @classmethod
    def of(cls, model: Any, inputs: Any, shared: Mapping[str, Mapping[str, Any]]) -> _Side:
        loaded = digested(load_model(model, **shared["model"]))
        return cls(loaded, load_inputs(inputs, loaded, **shared["inputs"]), _name(loaded.origin))


def _told_apart(sides: list[_Side]) -> list[_Side]:
    """The sides; those of the same name, such as two models in memory, with what they are."""
    if sides[0].name != sides[1].name:
        return sides
    return [
        *(
            replace(side, name=f"{side.name} ({which})")
            for side, which in zip(sides, ("old", "new"), strict=False)
        ),
        *sides[2:],
    ]


def _name(origin: Origin) -> str:
    """The name of a version for titles."""
    name = origin.name or origin.uri
    return f"{name} v{origin.version}" if origin.version else str(name)


def class_order(old: _Side, new: _Side) -> ClassOrder:
    """Which class is which: by name if both have names, else by index.

    Raises:
        InputsError: the versions have different classes.
    """
    one, other = (each.batch.class_names for each in (old, new))
    counts = [class_count(each.loaded.keras) for each in (old, new)]
    if one is not None and other is not None:
        if sorted(one) != sorted(other):
            only = sorted(set(one) - set(other)), sorted(set(other) - set(one))
            raise InputsError(
                f"the versions have different classes: only the old one has {_listed(only[0])}, only the new "
                f"one {_listed(only[1])}; compare versions with the same classes"
            )
        if one != other and len(set(one)) == len(one):
            place = {name: index for index, name in enumerate(other)}
            return ClassOrder(np.array([place[name] for name in one], np.int64))
    elif counts[0] != counts[1]:
        raise InputsError(
            f"the old version has {counts[0]} classes, and the new one {counts[1]}; compare versions with "
            "the same classes"
        )
    return ClassOrder()


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (", ".join(map(repr, names[:5])) or "none") + more


def _results(
    sides: Sequence[_Side], orders: Sequence[ClassOrder], plan: CallPlan, *, anchors: bool
) -> list[VersionResults]:
    """The results of the old version, and those of the others for the classes that it explains."""
    old = sides[0]
    target = "label" if old.batch.labelled else None
    first = _run(old, plan, target, keep=None, anchors=anchors)
    explained = first.rows.targets
    indices = first.rows.examples.indices
    labels = first.rows.examples.labels
    predicted = dict(zip(indices.tolist(), first.rows.examples.classes[:, 0].tolist(), strict=True))
    confidence = dict(zip(indices.tolist(), first.rows.examples.probabilities[:, 0].tolist(), strict=True))
    label_of = dict(zip(indices.tolist(), labels.tolist(), strict=True))
    found = [first]
    for number, (side, order) in enumerate(zip(sides[1:], orders, strict=True)):

        def priorities(chunk: Chunk, passed: Passed, order: ClassOrder = order) -> np.ndarray:
            now = order.old(np.asarray(passed.probabilities).argmax(axis=1))
            return _priorities(chunk, now, predicted, confidence, label_of)

        targets = _targets(side.batch, indices, order.new(explained))
        found.append(_run(side, plan, targets, keep=priorities if number == 0 else None, anchors=False))
    return found


def _priorities(
    chunk: Chunk,
    now: np.ndarray,
    predicted: Mapping[int, int],
    confidence: Mapping[int, float],
    label_of: Mapping[int, int],
) -> np.ndarray:
    """Negative flips first, the most confident ones; then positive flips, other changes, a sample."""
    found = np.zeros(len(chunk))
    for row, (index, new) in enumerate(zip(chunk.indices.tolist(), now.tolist(), strict=True)):
        old = predicted.get(index)
        if old is None:
            found[row] = -1
            continue
        sample = 0.5 if chunk.digests is None else int.from_bytes(chunk.digests[row, :4].tobytes()) / 2**32
        label = label_of[index]
        if old == new:
            found[row] = sample
        elif old == label:
            found[row] = 3 + confidence[index]
        else:
            found[row] = (2 if new == label else 1) + confidence[index]
    return found


def _targets(batch: Batch, indices: np.ndarray, classes: np.ndarray) -> Any:
    """The class to explain of each input as given, 0 for those that the old version could not read."""
    count = int(indices.max()) + 1 if batch.total is None else max(batch.total, int(indices.max()) + 1)
    targets = np.zeros(count, np.int64)
    targets[indices] = classes
    return targets if count > 1 else int(targets[0])


def _run(side: _Side, plan: CallPlan, target: Any, *, keep: Any, anchors: bool) -> VersionResults:
    model, batch = side.loaded.keras, side.batch
    rows = ExplainedRows(target, priorities=keep, most=MOST_SHOWN)
    methods: dict[str, Any] = {_ROWS: rows}
    explained: dict[str, Any] = {}
    for name, by_stage in plan.by_stage.items():
        own = dict(by_stage["method"])
        has_target = "target" in own or _has_target(name)
        if has_target:
            own["target"] = target
        method = find_method(name)(model, batch, **own)
        methods[name] = limit(method, **by_stage["engine"]) if isinstance(method, Explaining) else method
        if kind_of(name).has_heatmaps:
            explained[name] = {key: value for key, value in own.items() if key != "target"}
    if anchors and explained:
        methods[_ANCHORS] = AnchorMethod(model, batch, explained, target)
    parts = run(model, batch, methods, comparable=True)
    for name, error in parts.errors.items():
        if name != _ANCHORS:
            raise error
        warn(f"the agreement of heatmaps is not judged, as its scale can't be computed: {error}")
    found = {name: part.result() for name, part in parts.parts.items()}
    if found[_ROWS].head == "values":
        raise InputsError("compare needs models with classes; these predict values")
    return VersionResults(
        side.name,
        found.pop(_ROWS),
        anchors=found.pop(_ANCHORS, {}),
        results=found,
        shown=None if rows.kept is None else _shown_of(batch.storable(rows.kept), batch),
    )


def _has_target(name: str) -> bool:
    return "target" in inspect.signature(find_method(name)).parameters


def _shown_of(chunk: Chunk, batch: Batch) -> ShownInputs:
    is_numbers = isinstance(chunk.inputs, np.ndarray) and chunk.inputs.dtype.kind != "O"
    values = chunk.inputs if chunk.images is None and is_numbers and batch.log_images else None
    return ShownInputs(chunk.indices, chunk.images, values, chunk.parts, chunk.wholes)


def _concluded(
    result: ComparisonResult,
    sides: Sequence[_Side],
    plan: CallPlan,
    destination: Destination,
    started: float,
    given: Mapping[str, Any],
) -> Comparison:
    """Draw the result, and write it."""
    old, new = sides[:2]
    result = with_record(result, ModelRecord(date=datetime.now(UTC).date().isoformat()))
    about = {
        "old": _about(old),
        "new": _about(new),
        "references": [_about(each) for each in sides[2:]],
        "methods": sorted(plan.options),
    }
    title = title_of(result)
    report = report_json(about, result.verdict, result.verdicts, result.numbers)
    figure, files = draw_files(COMPARISON, result, {})
    files[REPORT] = report
    if result.verdicts:
        files[JUNIT] = junit(title, result.verdicts)
        files[SUMMARY] = markdown(title, result.verdict, result.verdicts).encode()
    options = {name: value for each in plan.options.values() for name, value in each.items()}
    described = describe(
        COMPARISON,
        result,
        {**given, **options},
        Provenance.of(new.loaded, new.batch),
        parameters={**given, **options},
        seconds=time.perf_counter() - started,
    )
    described |= {
        "old_model": old.loaded.origin.as_dict(),
        "version_tags": _version_tags(result, old),
        "calls": _calls(old, new, new.batch, plan, given),
    }
    manifest = complete_manifest(described, files)
    for warning in manifest["warnings"]:
        warn(warning)
    path, folder = write(InterpretationFiles(COMPARISON, files, manifest), destination)
    made = Interpretation(COMPARISON, result, figure, manifest, destination.run_id, path, files, folder)
    if destination.folder is not None:
        progress.say(f"files: {destination.folder}")
    if destination.run_id is not None:
        progress.say(f"run: {destination.run_id}, artifacts: interpretations/{COMPARISON}/")
    return Comparison(result.verdict != "failed", result.verdict, json.loads(report), made)


def _about(side: _Side) -> dict[str, Any]:
    origin = side.loaded.origin.as_dict()
    return {name: origin[name] for name in ("uri", "name", "version", "model_id", "run_id", "weights_sha256")}


def _version_tags(result: ComparisonResult, old: _Side) -> dict[str, str]:
    tags = {"mlflow_interp.compare.against": old.loaded.origin.uri}
    return tags | ({"mlflow_interp.gate": result.verdict} if result.verdict else {})


def _calls(old: _Side, new: _Side, batch: Batch, plan: CallPlan, given: Mapping[str, Any]) -> dict[str, str]:
    """How to reproduce it, for the page of the run."""
    methods = ",".join(plan.options)
    uris = [each.loaded.origin.uri for each in (old, new)]
    flags = [f"--methods {quote(methods)}"] + [
        f"--{name.replace('_', '-')} {quote(str(value))}"
        for name, value in given.items()
        if not isinstance(value, (bool, Mapping))
    ]
    return {
        "Command line": " ".join(["mlflow-interp compare", *map(quote, uris), quote(batch.source), *flags]),
        "Python": f"import mlflow_interp\n\nfound = mlflow_interp.compare({uris[0]!r}, {uris[1]!r}, "
        f"{batch.source!r}, methods={methods.split(',')!r})",
    }
