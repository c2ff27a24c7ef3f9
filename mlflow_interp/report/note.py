"""The note of a run in Markdown, which MLflow shows under "Description": findings, and links to pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlflow_interp.report.files import PAGE
from mlflow_interp.report.folder import FIGURE, Entry
from mlflow_interp.report.links import artifact_link

LONGEST = 4_500  # characters, below what MLflow allows for a tag
_LONGEST_LINE = 600
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "://": "&#58;//"}


def note(entries: Sequence[Entry], experiment_id: str, run_id: str, root: str) -> str:
    """What stands out in the interpretations of a run, by model and inputs, with links into MLflow's UI.

    It holds names, classes and numbers, but no values of inputs.

    Args:
        entries: the interpretations, oldest first.
        experiment_id: the experiment of the run.
        run_id: the run.
        root: the folder of all interpretations among the run's artifacts.
    """

    def link(text: str, path: str) -> str:
        return f"[{_escaped(text)}]({artifact_link(experiment_id, run_id, f'{root}/{path}')})"

    groups: dict[str, list[Entry]] = {}
    for entry in reversed(entries):
        groups.setdefault(_subject(entry.manifest), []).append(entry)
    lines = [f"**{link('Interpretations', 'index.html')}**"]
    for subject, members in groups.items():
        lines += ["", _escaped(subject), ""]
        lines += [f"- {_escaped(text)}" for text in dict.fromkeys(_findings(members))]
        pages = [
            link(each.place, f"{each.place}/{PAGE if PAGE in each.manifest.get('files', ()) else FIGURE}")
            for each in reversed(members)
        ]
        lines.append(f"- Pages: {', '.join(pages)}")
    return _shortened(lines)


def _subject(manifest: Mapping[str, Any]) -> str:
    """The model and the inputs, in words."""
    model, inputs = manifest["model"], manifest["inputs"]
    version = f" version {model['version']}" if model.get("version") else ""
    epoch = f" after epoch {manifest['step']}" if "step" in manifest else ""
    return f"{model['name']}{version}{epoch}, {inputs['count']:,} inputs of {inputs['source']}:"


def _findings(entries: Sequence[Entry]) -> Iterator[str]:
    """The findings of the last step of each; none of a damaged view."""
    for entry in reversed(entries):
        steps = (entry.view or {}).get("steps") or [{}]
        found = steps[-1].get("findings") if isinstance(steps[-1], dict) else None
        for each in found or ():
            if isinstance(each, dict) and isinstance(each.get("text"), str):
                yield each["text"]


def _escaped(text: str) -> str:
    """A text that Markdown shows as it is, in one line."""
    text = " ".join(str(text).split())
    if len(text) > _LONGEST_LINE:
        text = f"{text[:_LONGEST_LINE]}…"
    for plain, entity in _ENTITIES.items():
        text = text.replace(plain, entity)
    return re.sub(r"([\\`*_{}\[\]])", r"\\\1", text)


def _shortened(lines: Sequence[str]) -> str:
    """The first lines, as many as fit."""
    kept: list[str] = []
    length = 0
    for line in lines:
        length += len(line) + 1
        if length > LONGEST:
            return "\n".join([*kept, "- …"])
        kept.append(line)
    return "\n".join(kept)
