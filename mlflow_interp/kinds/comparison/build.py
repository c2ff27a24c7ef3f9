"""Puts the results of two versions side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.comparison.agreement import Agreement, agreement
from mlflow_interp.comparison.gate import Gate, decide, overall
from mlflow_interp.comparison.paired import Paired
from mlflow_interp.comparison.predictions import Predictions
from mlflow_interp.comparison.representation import FEWEST, debiased_cka, neighbour_overlap
from mlflow_interp.comparison.version import ClassOrder, ShownInputs, VersionResults
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.core.result import HasDifference
from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.comparison.result import ComparisonResult, MapPair, order_to_show
from mlflow_interp.kinds.difference import explained_at
from mlflow_interp.kinds.matching import match
from mlflow_interp.result_kind import Kind

MOST_SHOWN = 64


def compared(
    old: VersionResults,
    new: VersionResults,
    order: ClassOrder,
    gate: Gate,
    *,
    references: Sequence[tuple[VersionResults, ClassOrder]] = (),
    fewest: int = 1,
    undecided_fails: bool = False,
    groups: np.ndarray | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> ComparisonResult:
    """The comparison of two versions.

    Args:
        old: the old version.
        new: the new version, whose classes may be in another order.
        order: which class is which.
        gate: the rules.
        references: further versions that are known to be good, with the order of their classes.
        fewest: the number of inputs that both must have.
        undecided_fails: whether the gate fails if a rule is undecided.
        groups: the number of the group of each input, by its index as given; None if each stands for itself.
        chosen: the values of options that were chosen.

    Raises:
        InputsError: too few inputs in common.
    """
    matching = match(old.rows.examples, new.rows.examples)
    if len(matching.rows) < fewest:
        raise InputsError(
            f"both versions have {len(matching.rows)} inputs in common; give at least {fewest}, or state a "
            "smaller min_inputs"
        )
    paired = replace(
        _paired(old, new, order, groups),
        references=tuple(_paired(old, each, own_order, groups) for each, own_order in references),
    )
    old_rows = explained_at(old.rows, matching.rows)
    new_rows = _in_old_classes(explained_at(new.rows, matching.other_rows), order)
    shown = _shown(new)
    row_of = {index: row for row, index in enumerate(new_rows.examples.indices.tolist())}
    kept = [at for at, index in enumerate(shown.indices.tolist()) if index in row_of]
    rows = np.array([row_of[int(shown.indices[at])] for at in kept], np.int64)
    differences, refused = _differences(old, new)
    correlations = [each.correlation for each in paired.agreements.values()]
    ordered = order_to_show(paired.predictions, correlations, rows)
    at = dict(zip(rows.tolist(), kept, strict=True))
    inputs = shown.at(np.array([at[row] for row in ordered.tolist()], np.int64))
    result = ComparisonResult(
        old=_showing(old_rows, np.sort(ordered), inputs.at(np.argsort(ordered))),
        new=new_rows,
        paired=paired,
        names=(old.name, new.name),
        reference_names=tuple(each.name for each, _ in references),
        shown=ordered,
        pairs=tuple(_pairs(old, new, old_rows.examples.indices[ordered], inputs)),
        differences=differences,
        representation=_representation(old, new),
        notes=(*matching.warnings(), *refused),
        chosen=dict(chosen or {}),
    )
    return judged(result, gate, undecided_fails=undecided_fails)


def judged(result: ComparisonResult, gate: Gate, *, undecided_fails: bool = False) -> ComparisonResult:
    """The result with the verdicts of a gate."""
    verdicts = decide(gate, result.whole)
    verdict = overall(verdicts, undecided_fails=undecided_fails) if gate else ""
    return replace(result, verdicts=tuple(verdicts), verdict=verdict)


def _differences(old: VersionResults, new: VersionResults) -> tuple[dict[str, Any], list[str]]:
    """New minus old of the results that are no heatmaps, by method, and why some have no difference."""
    found: dict[str, Any] = {}
    refused = []
    for method, result in old.results.items():
        if _kind_of(result).maps is not None or not isinstance(result, HasDifference):
            continue
        if method in new.results:
            try:
                found[method] = new.results[method].difference(result)
            except InputsError as error:
                refused.append(f"the difference of {method} is left out: {error}")
    return found, refused


def _representation(old: VersionResults, new: VersionResults) -> dict[str, float]:
    """How alike both represent the inputs that they share in the sample; empty if that is not known."""
    if old.vectors is None or new.vectors is None:
        return {}
    common, one, two = np.intersect1d(old.vectors[0], new.vectors[0], return_indices=True)
    if len(common) < FEWEST:
        return {}
    vectors = old.vectors[1][one], new.vectors[1][two]
    found = {"cka": debiased_cka(*vectors), "neighbour_overlap": neighbour_overlap(*vectors)}
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _in_groups(paired: Paired, groups: np.ndarray, indices: np.ndarray) -> Paired:
    """The same with the groups of inputs, given by index, of which the rows have these.

    Raises:
        InputsError: fewer groups than inputs.
    """
    if int(indices.max(initial=-1)) >= len(groups):
        raise InputsError(
            f"there are {len(groups)} groups for {int(indices.max()) + 1} or more inputs; give one for each"
        )
    agreements = {}
    for key, each in paired.agreements.items():
        anchors = each.anchors
        if anchors is not None and anchors.indices is not None:
            anchors = replace(anchors, groups=groups[anchors.indices])
        agreements[key] = replace(each, groups=groups[indices], anchors=anchors)
    predictions = replace(paired.predictions, groups=groups[indices])
    return replace(paired, predictions=predictions, agreements=agreements)


def _paired(old: VersionResults, new: VersionResults, order: ClassOrder, groups: np.ndarray | None) -> Paired:
    """What both give for the inputs that they share."""
    matching = match(old.rows.examples, new.rows.examples)
    one = explained_at(old.rows, matching.rows)
    other = _in_old_classes(explained_at(new.rows, matching.other_rows), order)
    predictions = Predictions(
        one.examples.labels,
        np.stack([each.examples.classes[:, 0] for each in (one, other)], axis=1),
        np.stack([each.examples.probabilities[:, 0] for each in (one, other)], axis=1).astype(np.float64),
        np.stack([each.probabilities for each in (one, other)], axis=1).astype(np.float64),
        targets=one.targets,
    )
    labels = np.unique(predictions.labels[predictions.labels != UNKNOWN]).tolist()
    paired = Paired(
        predictions,
        _agreements(old, new, one.examples.indices),
        _faithfulness(old, new, one.examples.indices),
        class_names={label: one.examples.class_name(label) for label in labels},
    )
    return paired if groups is None else _in_groups(paired, groups, one.examples.indices)


def _agreements(old: VersionResults, new: VersionResults, indices: np.ndarray) -> dict[str, Agreement]:
    """The agreement of each heatmap, with a row for each input; undefined for those not explained."""
    place = {index: row for row, index in enumerate(indices.tolist())}
    found = {}
    for method, result in old.results.items():
        maps = _kind_of(result).maps
        if maps is None or method not in new.results:
            continue
        other = new.results[method]
        matching = match(result.examples, other.examples)
        one, two = maps(result), maps(other)
        rows = np.array([place[index] for index in result.examples.indices[matching.rows].tolist()], np.int64)
        for name in _main(maps, result):
            if name not in two:
                continue
            key = f"{method}/{name}" if name else method
            part = agreement(one[name][matching.rows], two[name][matching.other_rows])
            found[key] = replace(part.spread(rows, len(indices)), anchors=old.anchors.get(key))
    return found


def _main(maps: Any, result: Any) -> list[str]:
    """The name of the heatmap that is compared, of those of a method: one, as several say much the same."""
    names = list(maps(result))
    shown = _kind_of(result).shown_map
    return [shown] if shown in names else names[-1:]


def _faithfulness(old: VersionResults, new: VersionResults, indices: np.ndarray) -> dict[str, np.ndarray]:
    """The change of the faithfulness of each input, NaN for those that quality did not measure in both."""
    one, two = old.results.get("quality"), new.results.get("quality")
    if one is None or two is None:
        return {}
    matching = match(one.examples, two.examples)
    gains = [
        dict(zip(each.titles, each.gains_over_nulls[rows, :, 0].T, strict=True))
        for each, rows in ((one, matching.rows), (two, matching.other_rows))
    ]
    place = {index: row for row, index in enumerate(indices.tolist())}
    rows = [place[index] for index in one.examples.indices[matching.rows].tolist()]
    found = {}
    for key in gains[0].keys() & gains[1].keys():
        found[key] = np.full(len(indices), np.nan)
        found[key][rows] = gains[1][key] - gains[0][key]
    return found


def _in_old_classes(explained: Explained, order: ClassOrder) -> Explained:
    """The rows of the new version, with the classes of the old one."""
    if order.to_new is None:
        return explained
    examples = replace(
        explained.examples,
        classes=order.old(explained.examples.classes),
        labels=np.where(
            explained.examples.labels == UNKNOWN, UNKNOWN, order.old(np.maximum(explained.examples.labels, 0))
        ),
    )
    return replace(explained, examples=examples, targets=order.old(explained.targets))


def _shown(new: VersionResults) -> ShownInputs:
    """The inputs to show: those that were kept, else those that results show.

    A method of many passes may have explained none of those that were kept; it then shows its own, unless
    another method has heatmaps of all.
    """
    if new.shown is None:
        return _shown_by(new.rows.examples)
    results = [each for each in new.results.values() if _kind_of(each).maps is not None]
    kept = set(new.shown.indices.tolist())
    if not results or any(kept <= set(each.examples.indices.tolist()) for each in results):
        return new.shown
    return _shown_by(results[0].examples)


def _shown_by(examples: Examples) -> ShownInputs:
    return ShownInputs(
        examples.indices[examples.shown_rows],
        examples.images,
        examples.values,
        examples.parts,
        examples.wholes,
    )


def _showing(explained: Explained, rows: np.ndarray, inputs: ShownInputs) -> Explained:
    """The same, showing other inputs."""
    examples = replace(
        explained.examples,
        shown=rows,
        images=inputs.images,
        values=inputs.values,
        parts=inputs.parts,
        wholes=inputs.wholes,
    )
    return replace(explained, examples=examples)


def _pairs(
    old: VersionResults, new: VersionResults, indices: np.ndarray, inputs: ShownInputs
) -> list[MapPair]:
    """The heatmaps of the inputs that are shown, in their order."""
    found = []
    for method, result in old.results.items():
        kind = _kind_of(result)
        if kind.maps is None or kind.make_tiles is None or method not in new.results:
            continue
        names = _main(kind.maps, result)
        if not names:
            continue
        sides = [_shows(each, indices, inputs) for each in (result, new.results[method])]
        if None not in sides:
            found.append(MapPair(method, result.title, names[0], *sides))
    return found


def _shows(result: Any, indices: np.ndarray, inputs: ShownInputs) -> Any:
    """A result that shows these inputs; None if it lacks one, as a method of many passes may."""
    place = {index: row for row, index in enumerate(result.examples.indices.tolist())}
    if not set(indices.tolist()) <= set(place):
        return None
    rows = np.array([place[index] for index in indices.tolist()], np.int64)
    changes = {"others": None} if hasattr(result, "others") else {}
    return replace(result, explained=_showing(result.explained, rows, inputs), **changes)


def _kind_of(result: Any) -> Kind:
    return Kind(type(result).__module__.rpartition(".")[0])
