"""A gate's verdicts for machines and pipelines: JSON, JUnit XML, Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from mlflow_interp.comparison.statistics import Interval
from mlflow_interp.comparison.verdict import Verdict
from mlflow_interp.comparison.version_table import VersionRow
from mlflow_interp.comparison.wording import points, signed

_MARKS = {"passed": "✓", "failed": "✕", "warned": "!", "undecided": "?"}


def report_json(
    about: Mapping[str, Any], verdict: str, verdicts: Sequence[Verdict], numbers: Mapping[str, Interval]
) -> bytes:
    """report.json: what was compared, the verdict, each rule, and all numbers with their intervals."""
    content = {
        "schema_version": 1,
        **about,
        "verdict": verdict,
        "rules": [each.as_dict() for each in verdicts],
        "numbers": {
            name: {"value": each.value, "interval": [each.low, each.high], "inputs": each.count}
            for name, each in numbers.items()
            if each.value == each.value
        },
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode()


def junit(title: str, verdicts: Sequence[Verdict]) -> bytes:
    """JUnit XML, in which each rule is a test: undecided ones are skipped, warnings are printed."""
    counts = {status: sum(each.status == status for each in verdicts) for status in _MARKS}
    suite = ElementTree.Element(
        "testsuite",
        name=_printable(title),
        tests=str(len(verdicts)),
        failures=str(counts["failed"]),
        errors="0",
        skipped=str(counts["undecided"]),
    )
    for each in verdicts:
        case = ElementTree.SubElement(
            suite, "testcase", classname=_printable(title), name=_printable(each.rule)
        )
        if each.status == "failed":
            ElementTree.SubElement(case, "failure", message=_printable(each.reason))
        elif each.status == "undecided":
            ElementTree.SubElement(case, "skipped", message=_printable(f"undecided: {each.reason}"))
        else:
            ElementTree.SubElement(case, "system-out").text = _printable(f"{each.status}: {each.reason}")
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def _printable(text: str) -> str:
    """Text without the control characters that XML can't hold."""
    return "".join(each if each.isprintable() else " " for each in text)


def markdown(
    title: str, verdict: str, verdicts: Sequence[Verdict], versions: Sequence[VersionRow] = ()
) -> str:
    """A summary for a job's page: the rules and, if there are references, a table of all versions."""
    rows = [
        f"| {_MARKS[each.status]} {each.status} | {_cell(each.rule)} | {_cell(each.reason)} | {each.limit} |"
        for each in verdicts
    ]
    return "\n".join(
        [
            f"### {_MARKS[verdict]} {_cell(title)}: {verdict}",
            "",
            "| | rule | found | accepted |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            *(_versions(versions) if len(versions) > 2 else ()),
        ]
    )


def _versions(versions: Sequence[VersionRow]) -> list[str]:
    keys = list(versions[1].agreements)
    columns = [
        "",
        "version",
        "accuracy",
        "negative flips against old",
        *(f"agreement of {key}" for key in keys),
    ]
    rows = [
        [
            each.role,
            _cell(each.name),
            "–" if each.accuracy is None else points(each.accuracy),
            "–" if each.negative_flips is None else points(each.negative_flips),
            *(signed(each.agreements[key]) if key in each.agreements else "–" for key in keys),
        ]
        for each in versions
    ]
    return [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows)] + [""]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
