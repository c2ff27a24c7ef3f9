"""The folder of one interpretation: its files, and the manifest.

The manifest is written last, so a folder with a manifest is complete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow_interp.report import view_file
from mlflow_interp.report.formats import to_json

MANIFEST = "manifest.json"
FIGURE = "figure.png"
ARRAYS = "arrays.npz"
TABLE = "predictions.json"
VIEW_FILE = "index.json"
RESULT_FILE = "result.json"
_LARGEST_VIEW = 20 * 2**20  # bytes; this package writes no larger file


@dataclass(frozen=True)
class Entry:
    """One complete interpretation, as the page of its run shows it.

    Attributes:
        place: the name of its folder.
        manifest: its manifest.
        figure: PNG bytes; empty if it was not fetched, as `view` also holds the figure.
        view: the content of index.json, None if there is none.
    """

    place: str
    manifest: Mapping[str, Any]
    figure: bytes
    view: Mapping[str, Any] | None = None


def write_folder(folder: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Write files, then the manifest."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_bytes(to_json(manifest))


def read_entries(folder: Path) -> list[Entry]:
    """Every complete interpretation in a folder, oldest first; those of single steps are not listed."""
    entries = [read_entry(path.parent) for path in folder.glob(f"*/{MANIFEST}")]
    return sorted(
        (entry for entry in entries if entry), key=lambda entry: str(entry.manifest.get("created", ""))
    )


def read_entry(folder: Path) -> Entry | None:
    """The interpretation in its folder, None if it is not complete."""
    figure, view, manifest = (_content(folder / name) for name in (FIGURE, VIEW_FILE, MANIFEST))
    if manifest is None or (figure is None and view is None):
        return None
    content = json.loads(manifest)
    # A difference involves two models, but the page shows one.
    return None if "difference" in content else Entry(folder.name, content, figure or b"", read_view(view))


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def read_view(content: bytes | None) -> Mapping[str, Any] | None:
    """The content of index.json, None if it is missing or damaged; the page then omits it."""
    if content is None or len(content) > _LARGEST_VIEW:
        return None
    try:
        view = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return view_file.upgraded(view) if isinstance(view, dict) else None


def free_place(method: str, existing: set[str]) -> str:
    """The first free name: gradcam, gradcam-2, gradcam-3 and so on."""
    number = 1
    while (place := method if number == 1 else f"{method}-{number}") in existing:
        number += 1
    return place


def new_place(folder: Path, method: str) -> str:
    """The first free name for a method's folder inside a folder, which need not exist."""
    return free_place(method, {path.name for path in folder.iterdir()} if folder.is_dir() else set())
