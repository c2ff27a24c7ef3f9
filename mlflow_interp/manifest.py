"""The folder of one interpretation: its files, and the manifest that says how to get them again.

The manifest is written last, so where there is one, the folder is complete.
"""

from __future__ import annotations

import csv as csv_format
import hashlib
import io
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
PANELS = "index.json"
_LARGEST_PANELS = 20 * 2**20  # bytes; what is larger was not written by us
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PACKAGES = ("mlflow-interp", "tensorflow", "keras", "mlflow", "numpy")


@dataclass(frozen=True)
class Entry:
    """One complete interpretation: what the page of its run is made from.

    Attributes:
        place: its folder's name.
        manifest: the whole of it.
        figure: PNG bytes.
        panels: what index.json holds, None where there is none.
    """

    place: str
    manifest: Mapping[str, Any]
    figure: bytes
    panels: Mapping[str, Any] | None = None


def versions() -> dict[str, str]:
    """The versions of what made the result."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package.replace("-", "_")] = version(package)
        except PackageNotFoundError:
            # `mlflow run` in an environment of its own runs this package from its folder.
            found[package.replace("-", "_")] = "not installed"
    return found


def complete_manifest(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    """A manifest with the schema version, versions and the sha256 of each file."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    return {"schema_version": SCHEMA_VERSION} | dict(manifest) | {"versions": versions(), "files": digests}


def to_json(value: Any) -> bytes:
    """Indented JSON bytes; what JSON doesn't know is written as text, NaN as null."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as compressed .npz bytes that load without pickle.

    Raises:
        TypeError: an array of objects.
    """
    pickled = [name for name, array in arrays.items() if array.dtype.hasobject]
    if pickled:
        raise TypeError(f"arrays of objects need pickle: {', '.join(pickled)}")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def table_json(columns: Mapping[str, list[Any]]) -> bytes:
    """Columns in the form of `mlflow.log_table`, which MLflow's UI shows as a table."""
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    return json.dumps(_plain({"columns": list(columns), "data": rows}), ensure_ascii=False).encode()


def csv(columns: Mapping[str, list[Any]]) -> bytes:
    """Columns as CSV (RFC 4180); text that looks like a formula gets an apostrophe first."""
    buffer = io.StringIO(newline="")
    writer = csv_format.writer(buffer)
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    return buffer.getvalue().encode()


def _cell(value: Any) -> Any:
    plain = _plain(value)
    return f"'{plain}" if isinstance(plain, str) and plain.startswith(_FORMULA) else plain


def write_folder(folder: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Write files, then the manifest."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_bytes(to_json(manifest))


def read_entries(folder: Path) -> list[Entry]:
    """Every complete interpretation in a folder, oldest first; steps of one are part of it."""
    found = [read_entry(path.parent) for path in folder.glob(f"*/{MANIFEST}")]
    return sorted(
        (entry for entry in found if entry), key=lambda entry: str(entry.manifest.get("created", ""))
    )


def read_entry(folder: Path) -> Entry | None:
    """The interpretation in a folder of its own, None where it is not complete."""
    figure, manifest = folder / "figure.png", folder / MANIFEST
    if not (figure.is_file() and manifest.is_file()):
        return None
    said = json.loads(manifest.read_text(encoding="utf-8"))
    panels = folder / PANELS
    content = panels.read_bytes() if panels.is_file() else None
    return Entry(folder.name, said, figure.read_bytes(), read_panels(content))


def read_panels(content: bytes | None) -> Mapping[str, Any] | None:
    """What index.json says, None where there is none or it is damaged: the page then goes without."""
    if content is None or len(content) > _LARGEST_PANELS:
        return None
    try:
        panels = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return panels if isinstance(panels, dict) else None


def free_place(method: str, taken: set[str]) -> str:
    """The first free name: gradcam, gradcam-2, gradcam-3 and so on."""
    number = 1
    while (place := method if number == 1 else f"{method}-{number}") in taken:
        number += 1
    return place
