"""What a comparison returns, and how it is drawn, reported and logged."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

from mlflow_interp import progress
from mlflow_interp.comparison.gate_file import read_gate
from mlflow_interp.comparison.outputs import junit, markdown, report_json
from mlflow_interp.core.accepted import Checked
from mlflow_interp.core.model_record import ModelRecord, with_record
from mlflow_interp.exceptions import InputsError, warn
from mlflow_interp.kinds.comparison.figure import title_of
from mlflow_interp.kinds.comparison.result import ComparisonResult
from mlflow_interp.report.files import draw_files
from mlflow_interp.report.interpretation import Interpretation, InterpretationFiles
from mlflow_interp.report.manifest import complete_manifest, describe
from mlflow_interp.report.provenance import Provenance
from mlflow_interp.report.reproduce import flags_of
from mlflow_interp.tracking.destination import Destination
from mlflow_interp.tracking.tags import tag_gate
from mlflow_interp.tracking.write import write

COMPARISON = "comparison"
FEWEST_INPUTS = 20  # that both must have, unless the user states another number
REPORT = "report.json"
JUNIT = "junit.xml"
SUMMARY = "summary.md"

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


@dataclass(frozen=True)
class About:
    """What was compared.

    Attributes:
        old: the origin of the old version, as a manifest has it.
        provenance: the new version and the inputs.
        references: the origins of further versions.
        methods: the methods whose heatmaps are compared.
        given: the options that were given.
        calls: how to compare again, by way.
    """

    old: Mapping[str, Any]
    provenance: Provenance
    methods: Sequence[str]
    given: Mapping[str, Any]
    calls: Mapping[str, str]
    references: Sequence[Mapping[str, Any]] = ()

    @property
    def new(self) -> Mapping[str, Any]:
        """The origin of the new version."""
        return self.provenance.model

    def report(self) -> dict[str, Any]:
        """For report.json."""
        return {
            "old": _identity(self.old),
            "new": _identity(self.new),
            "references": [_identity(each) for each in self.references],
            "inputs": {name: self.provenance.inputs.get(name) for name in ("source", "count", "digest")},
            "methods": list(self.methods),
        }


def _identity(origin: Mapping[str, Any]) -> dict[str, Any]:
    names = ("uri", "name", "version", "model_id", "run_id", "weights_sha256")
    return {name: origin.get(name) for name in names}


def concluded(result: ComparisonResult, about: About, destination: Destination, started: float) -> Comparison:
    """Draw the result, and write it.

    Args:
        result: the result.
        about: what was compared.
        destination: where it goes.
        started: when the comparison began, by `time.perf_counter`.

    Raises:
        TrackingError: it can't be logged.
    """
    result = with_record(result, ModelRecord(date=datetime.now(UTC).date().isoformat()))
    title = title_of(result)
    versions = result.versions
    described_versions = {"versions": [each.as_dict() for each in versions], "grouping": result.grouping}
    report = report_json(about.report() | described_versions, result.verdict, result.verdicts, result.numbers)
    figure, files = draw_files(COMPARISON, result, {})
    files[REPORT] = report
    files |= {f"{name}.png": png for name, png in result.difference_figures.items()}
    if result.verdicts:
        files[JUNIT] = junit(title, result.verdicts)
        files[SUMMARY] = markdown(title, result.verdict, result.verdicts, versions).encode()
    described = describe(
        COMPARISON,
        result,
        about.given,
        about.provenance,
        parameters=about.given,
        seconds=time.perf_counter() - started,
    )
    described |= {
        "old_model": dict(about.old),
        "version_tags": _version_tags(result, about.old),
        "calls": dict(about.calls),
    }
    manifest = complete_manifest(described, files)
    for warning in manifest["warnings"]:
        warn(warning)
    path, folder = write(InterpretationFiles(COMPARISON, files, manifest), destination)
    if destination.folder is not None:
        progress.say(f"files: {destination.folder}")
    if destination.run_id is not None:
        if result.verdict:
            tag_gate(destination.run_id, result.verdict)
        progress.say(f"run: {destination.run_id}, artifacts: {path}/")
    made = Interpretation(COMPARISON, result, figure, manifest, destination.run_id, path, files, folder)
    return Comparison(result.verdict != "failed", result.verdict, json.loads(report), made)


def _version_tags(result: ComparisonResult, old: Mapping[str, Any]) -> dict[str, str]:
    tags = {"mlflow_interp.compare.against": str(old["uri"])}
    return tags | ({"mlflow_interp.gate": result.verdict} if result.verdict else {})


def shell_call(words: Sequence[str], given: Mapping[str, Any]) -> str:
    """A command with its options; those that are objects in memory are left out."""
    written = {
        name: value
        for name, value in given.items()
        if isinstance(value, (str, int, float, Path, list, tuple))
    }
    return " ".join(["mlflow-interp compare", *map(quote, words), *flags_of(written)])
