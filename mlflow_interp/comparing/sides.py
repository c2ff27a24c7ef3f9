"""One version with its inputs, and what both give for the same classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mlflow_interp.call_options import CallPlan, shared_values
from mlflow_interp.comparing.explained import ExplainedByOld
from mlflow_interp.comparison.version import ClassOrder, ShownInputs, VersionResults
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.passed import Passed
from mlflow_interp.data.prepare import load_inputs_for
from mlflow_interp.engine.anchors import AnchorMethod
from mlflow_interp.engine.explain import limit
from mlflow_interp.engine.explained_rows import ExplainedRows
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.parts import Parts
from mlflow_interp.engine.run import ModelRun, run_all
from mlflow_interp.engine.vectors import VectorMethod
from mlflow_interp.exceptions import InputsError, warn
from mlflow_interp.kinds.comparison.build import MOST_SHOWN
from mlflow_interp.method_registry import find_method, kind_of, takes_target
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel, digested
from mlflow_interp.models.signature import class_count

_ROWS = "rows"  # of all inputs, beside the results of methods; no method has this name
_ANCHORS = "anchors"
_VECTORS = "vectors"


@dataclass(frozen=True, eq=False)
class Side:
    """One version with its inputs.

    Attributes:
        loaded: the model.
        batch: the inputs, prepared for it.
        name: such as "pirates v3".
    """

    loaded: LoadedModel
    batch: Batch
    name: str


def sides_of(models: Sequence[Any], inputs: Any, shared: Mapping[str, Mapping[str, Any]]) -> list[Side]:
    """Load models, and prepare inputs for each; `shared` has the options of a call, by stage."""
    loaded = [digested(load_model(each, **shared["model"])) for each in models]
    batches = load_inputs_for(inputs, loaded, **shared["inputs"])
    return [
        Side(each, batch, name_of(each.origin.as_dict())) for each, batch in zip(loaded, batches, strict=True)
    ]


def told_apart(sides: Sequence[Side]) -> list[Side]:
    """The sides; those of the same name, such as models in memory, with what they are."""
    names = [side.name for side in sides]
    roles = ["old", "new", *(f"reference {number}" for number in range(1, len(sides) - 1))]
    return [
        replace(side, name=f"{side.name} ({role})") if names.count(side.name) > 1 else side
        for side, role in zip(sides, roles, strict=True)
    ]


def name_of(origin: Mapping[str, Any]) -> str:
    """The name of a version for titles."""
    name = origin.get("name") or origin["uri"]
    return f"{name} v{origin['version']}" if origin.get("version") else str(name)


def class_order(models: Sequence[LoadedModel], names: Sequence[Sequence[str] | None]) -> ClassOrder:
    """Which class is which: by name if both versions have names, else by index.

    Args:
        models: the old and the new version.
        names: the names of their classes.

    Raises:
        InputsError: the versions have different classes.
    """
    one, other = names
    counts = [class_count(each.keras) for each in models]
    if one is not None and other is not None:
        if sorted(one) != sorted(other):
            only = sorted(set(one) - set(other)), sorted(set(other) - set(one))
            raise InputsError(
                f"the versions have different classes: only the old one has {_listed(only[0])}, only the new "
                f"one {_listed(only[1])}; compare versions with the same classes"
            )
        if tuple(one) != tuple(other) and len(set(one)) == len(one):
            place = {name: index for index, name in enumerate(other)}
            return ClassOrder(np.array([place[name] for name in one], np.int64))
    elif counts[0] != counts[1]:
        raise InputsError(
            f"the old version has {counts[0]} classes, and the new one {counts[1]}; compare versions with "
            "the same classes"
        )
    return ClassOrder()


def class_orders(sides: Sequence[Side]) -> list[ClassOrder]:
    """Which class is which, of each version after the old one; see `class_order`."""
    old, *others = sides
    return [
        class_order([old.loaded, each.loaded], [old.batch.class_names, each.batch.class_names])
        for each in others
    ]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (", ".join(map(repr, names[:5])) or "none") + more


def results_of(
    sides: Sequence[Side], orders: Sequence[ClassOrder], plan: CallPlan, *, anchors: bool
) -> list[VersionResults]:
    """The results of the old version, and those of the others for the classes that it explains.

    All run side by side, chunk by chunk, so that what the old version predicts for a chunk is known when the
    others get it.
    """
    target = stated_target(plan)
    if target is None:
        target = "label" if sides[0].batch.labelled else None
    explained = ExplainedByOld()
    calls = [_Call(sides[0], plan, _OldRows(explained, target), target, anchors=anchors)]
    for number, (side, order) in enumerate(zip(sides[1:], orders, strict=True)):
        targets = partial(explained.targets, order=order)
        priorities = partial(explained.priorities, order=order) if number == 0 else None
        rows = ExplainedRows(targets, priorities=priorities, most=MOST_SHOWN)
        calls.append(_Call(side, plan, rows, targets, anchors=False))
    found: list[VersionResults] = []
    for call, parts in zip(calls, run_all([each.run for each in calls], comparable=True), strict=True):
        found.append(call.results(parts, previous=found[0].results if found else {}))
    return found


def stated_target(plan: CallPlan) -> Any:
    """The class to explain, as the options state it; None if they do not.

    Raises:
        OptionError: methods explain different classes.
    """
    given = {name: {"target": each.get("target")} for name, each in plan.options.items() if "target" in each}
    return shared_values(given, ["target"]).get("target")


class _OldRows(ExplainedRows):
    """The rows of the old version, which also tell the others what it predicts and explains."""

    def __init__(self, explained: ExplainedByOld, target: Any) -> None:
        super().__init__(target)
        self._explained = explained

    def remember(self, chunk: Chunk, passed: Passed) -> None:
        """Note a chunk."""
        self._explained.add(chunk, passed)


class _Call:
    """What runs on one version.

    Args:
        side: the version.
        plan: the methods with their options.
        rows: the method that notes the explained class of every input.
        target: the class to explain.
        anchors: whether to compute the scale of agreement.
    """

    def __init__(
        self, side: Side, plan: CallPlan, rows: ExplainedRows, target: Any, *, anchors: bool
    ) -> None:
        self._side = side
        self._rows = rows
        model, batch = side.loaded.keras, side.batch
        methods: dict[str, Any] = {_ROWS: rows, _VECTORS: VectorMethod()}
        with_heatmaps: dict[str, Any] = {}
        for name, by_stage in plan.by_stage.items():
            own = dict(by_stage["method"])
            if takes_target(name):
                own["target"] = target
            method = find_method(name)(model, batch, **own)
            method.of_other_classes = False
            methods[name] = limit(method, **by_stage["engine"]) if isinstance(method, Explaining) else method
            if kind_of(name).has_heatmaps:
                with_heatmaps[name] = {key: value for key, value in own.items() if key != "target"}
        if anchors and with_heatmaps:
            methods[_ANCHORS] = AnchorMethod(model, batch, with_heatmaps, target)
        self.run = ModelRun(model, batch, methods)

    def results(self, parts: Parts, previous: Mapping[str, Any]) -> VersionResults:
        """The results; an embedding starts from that of the old version, so that its points stay in place."""
        for name, error in parts.errors.items():
            if name not in (_ANCHORS, _VECTORS):
                raise error
            if name == _VECTORS:  # such as of a model without a layer before the head; shown, but not judged
                continue
            warn(f"the agreement of heatmaps is not judged, as its scale can't be computed: {error}")
        found = {name: part.result(previous.get(name)) for name, part in parts.parts.items()}
        if found[_ROWS].head == "values":
            raise InputsError("compare needs models with classes; these predict values")
        batch, kept = self._side.batch, self._rows.kept
        return VersionResults(
            self._side.name,
            found.pop(_ROWS),
            anchors=found.pop(_ANCHORS, {}),
            vectors=found.pop(_VECTORS, None),
            results=found,
            shown=None if kept is None else _shown_of(batch.storable(kept), batch),
        )


def _shown_of(chunk: Chunk, batch: Batch) -> ShownInputs:
    is_numbers = isinstance(chunk.inputs, np.ndarray) and chunk.inputs.dtype.kind != "O"
    values = chunk.inputs if chunk.images is None and is_numbers and batch.log_images else None
    return ShownInputs(chunk.indices, chunk.images, values, chunk.parts, chunk.wholes)
