"""The page of a whole run: the model, and every method's figure, options, metrics and warnings."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from shlex import quote
from typing import Any

from mlflow_interp.figures import style
from mlflow_interp.manifest import Entry


def page(entries: list[Entry], run_id: str | None) -> str:
    """One self-contained page for all entries of a run (or of a folder, where `run_id` is None)."""
    return style.render(
        "index.html",
        title="Interpretations",
        run_id=run_id,
        model=entries[-1].manifest["model"] if entries else {},
        sections=[_section(entry) for entry in entries],
    )


def _section(entry: Entry) -> dict[str, Any]:
    manifest = entry.manifest
    return {
        "place": entry.place,
        "manifest": manifest,
        "picture": f"data:image/png;base64,{base64.b64encode(entry.figure).decode()}",
        "command": command(manifest),
        "python": python(manifest),
    }


def command(manifest: Mapping[str, Any]) -> str:
    """The command line that makes the same interpretation again."""
    given = [f"--{name.replace('_', '-')} {quote(str(value))}" for name, value in manifest["given"].items()]
    parts = [manifest["method"], quote(manifest["model"]["uri"]), quote(str(manifest["inputs"]["source"]))]
    return " ".join(["mlflow-interp", *parts, *given])


def python(manifest: Mapping[str, Any]) -> str:
    """The Python call that makes the same interpretation again."""
    arguments = [
        repr(manifest["model"]["uri"]),
        repr(manifest["inputs"]["source"]),
        *(f"{name}={value!r}" for name, value in manifest["given"].items()),
    ]
    return f"mlflow_interp.visualize_{manifest['method']}({', '.join(arguments)})"
