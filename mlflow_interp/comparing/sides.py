"""One version with its inputs, and what both give for the same classes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.call_options import CallPlan, shared_values
from mlflow_interp.comparison.version import ClassOrder, ShownInputs, VersionResults
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.passed import Passed
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.engine.anchors import AnchorMethod
from mlflow_interp.engine.explain import limit
from mlflow_interp.engine.explained_rows import ExplainedRows
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.run import run
from mlflow_interp.engine.vectors import VectorMethod
from mlflow_interp.exceptions import InputsError, warn
from mlflow_interp.kinds.comparison.build import MOST_SHOWN
from mlflow_interp.method_registry import find_method, kind_of
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

    @classmethod
    def of(cls, model: Any, inputs: Any, shared: Mapping[str, Mapping[str, Any]]) -> Side:
        """Load a model, and prepare inputs for it; `shared` has the options of a call, by stage."""
        loaded = digested(load_model(model, **shared["model"]))
        return cls(loaded, load_inputs(inputs, loaded, **shared["inputs"]), name_of(loaded.origin.as_dict()))


def told_apart(sides: list[Side]) -> list[Side]:
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


def name_of(origin: Mapping[str, Any]) -> str:
    """The name of a version for titles."""
    name = origin.get("name") or origin["uri"]
    return f"{name} v{origin['version']}" if origin.get("version") else str(name)


def class_order(old: Side, new: Side) -> ClassOrder:
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


def results_of(
    sides: Sequence[Side], orders: Sequence[ClassOrder], plan: CallPlan, *, anchors: bool
) -> list[VersionResults]:
    """The results of the old version, and those of the others for the classes that it explains."""
    old = sides[0]
    target = _stated_target(plan)
    if target is None:
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
        keep = priorities if number == 0 else None
        found.append(_run(side, plan, targets, keep=keep, anchors=False, previous=first.results))
    return found


def _stated_target(plan: CallPlan) -> Any:
    """The class to explain, as the options state it; None if they do not.

    Raises:
        OptionError: methods explain different classes.
    """
    given = {name: {"target": each.get("target")} for name, each in plan.options.items() if "target" in each}
    return shared_values(given, ["target"]).get("target")


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


def _run(
    side: Side,
    plan: CallPlan,
    target: Any,
    *,
    keep: Any,
    anchors: bool,
    previous: Mapping[str, Any] | None = None,
) -> VersionResults:
    model, batch = side.loaded.keras, side.batch
    rows = ExplainedRows(target, priorities=keep, most=MOST_SHOWN)
    methods: dict[str, Any] = {_ROWS: rows, _VECTORS: VectorMethod()}
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
        if name not in (_ANCHORS, _VECTORS):
            raise error
        if name == _VECTORS:  # such as of a model without a layer before the head; shown, but not judged
            continue
        warn(f"the agreement of heatmaps is not judged, as its scale can't be computed: {error}")
    # An embedding starts from that of the old version, so that its points stay in place.
    found = {name: part.result((previous or {}).get(name)) for name, part in parts.parts.items()}
    if found[_ROWS].head == "values":
        raise InputsError("compare needs models with classes; these predict values")
    return VersionResults(
        side.name,
        found.pop(_ROWS),
        anchors=found.pop(_ANCHORS, {}),
        vectors=found.pop(_VECTORS, None),
        results=found,
        shown=None if rows.kept is None else _shown_of(batch.storable(rows.kept), batch),
    )


def _has_target(name: str) -> bool:
    return "target" in inspect.signature(find_method(name)).parameters


def _shown_of(chunk: Chunk, batch: Batch) -> ShownInputs:
    is_numbers = isinstance(chunk.inputs, np.ndarray) and chunk.inputs.dtype.kind != "O"
    values = chunk.inputs if chunk.images is None and is_numbers and batch.log_images else None
    return ShownInputs(chunk.indices, chunk.images, values, chunk.parts, chunk.wholes)
