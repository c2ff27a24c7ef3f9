"""Load an interpretation from its artifacts."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mlflow_interp.core.paths import local_path
from mlflow_interp.exceptions import InputsError, ModelError, OptionError, first_line, without_password
from mlflow_interp.method_registry import kind_of
from mlflow_interp.models import artifact_store
from mlflow_interp.report.folder import ARRAYS, MANIFEST, RESULT_FILE, TABLE, VIEW_FILE, read_view
from mlflow_interp.report.interpretation import Interpretation
from mlflow_interp.report.manifest import SCHEMA_VERSION
from mlflow_interp.report.run_inputs import is_image
from mlflow_interp.result_kind import Kind

_LARGEST_SIDE = 4096  # pixels of a stored image; this package writes no larger one
_RUN_URI = re.compile(r"^runs:/([^/]+)/(.+)$")


def load(source: str | Path) -> Interpretation:
    """Load an interpretation from its artifacts, to draw it again, or to subtract or compare it.

    No code from the artifacts runs, and the sha256 of every file must match the manifest. Images come from
    index.json, which holds those of the inputs that are shown: at most 64, reduced to 256 pixels or less.
    Thumbnails of further inputs are not restored.

    Args:
        source: The folder of an interpretation: an artifact URI such as
            runs:/<run_id>/interpretations/gradcam, or a path. The folder of a training stands for its last
            epoch; runs:/<run_id>/interpretations/gradcam/epoch-0003 names a single epoch.

    Returns:
        The interpretation. Its figure is drawn on first use.

    Raises:
        InputsError: the interpretation does not exist, is incomplete or damaged.
        OptionError: the name is blank.
        TrackingError: the tracking server does not answer.
    """
    name = str(source).rstrip("/") or str(source)
    if not artifact_store.is_uri(name):
        local_path(name)  # checks it
    manifest = _manifest(name)
    if ARRAYS not in manifest["files"] and manifest.get("steps"):
        name = f"{name}/epoch-{int(max(manifest['steps'])):04d}"
        manifest = _manifest(name)
    files = _files(name, manifest)
    try:
        result = _result(manifest, files)
    except OptionError as error:
        raise InputsError(f"{_shown(name)} can't be loaded: {error}") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputsError(
            f"{_shown(name)} is damaged: {type(error).__name__}: {first_line(error)}"
        ) from error
    run = _RUN_URI.match(name)
    return Interpretation(
        method=manifest["method"],
        result=result,
        _figure=None,
        manifest=manifest,
        run_id=run[1] if run else None,
        artifact_path=run[2] if run else None,
        _files=files,
    )


def _manifest(name: str) -> dict[str, Any]:
    """The manifest in a folder.

    Raises:
        InputsError: there is none, or it is damaged or of a later version.
    """
    file = _fetched(f"{name}/{MANIFEST}")
    if not file.is_file():
        raise InputsError(f"there is no interpretation at {_shown(name)}: no {MANIFEST}{_hint(file.parent)}")
    try:
        manifest: dict[str, Any] = json.loads(file.read_bytes())
        version = manifest["schema_version"]
        complete = {"method", "metrics", "parameters", "files"} <= set(manifest)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputsError(f"{MANIFEST} at {_shown(name)} is damaged: {first_line(error)}") from error
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise InputsError(
            f"the interpretation at {_shown(name)} has schema version {version}, but only versions up "
            f"to {SCHEMA_VERSION} can be loaded; update mlflow_interp"
        )
    if "difference" in manifest:
        raise InputsError(
            f"{_shown(name)} is a difference of two interpretations; load both, and subtract them"
        )
    if not complete or not isinstance(manifest["files"], dict):
        raise InputsError(f"{MANIFEST} at {_shown(name)} is damaged: it lacks required fields")
    return manifest


def _hint(folder: Path) -> str:
    """The interpretations that a folder holds, as the tail of a message."""
    found = sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))
    return (
        f"; available: {', '.join(found)}"
        if found
        else "; give the folder of an interpretation, such as runs:/<run_id>/interpretations/gradcam"
    )


def _fetched(name: str) -> Path:
    """The local path of an artifact.

    Raises:
        InputsError: the artifact does not exist.
    """
    try:
        return artifact_store.fetch(name) if artifact_store.is_uri(name) else local_path(name)
    except ModelError as error:
        folder = name.removesuffix(f"/{MANIFEST}")
        reason = str(error).removeprefix(f"nothing found at {name!r}: ")
        raise InputsError(f"there is no interpretation at {_shown(folder)}: {reason}") from error


def _shown(name: str) -> str:
    return repr(without_password(name))


def _files(name: str, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of an interpretation by name, each with the sha256 that the manifest states.

    Raises:
        InputsError: one is missing or damaged.
    """
    folder = _fetched(name)
    files = {}
    for file, digest in manifest["files"].items():
        # A manifest from elsewhere must not name files outside its folder.
        path = folder / Path(file).name
        if Path(file).name != file or not path.is_file():
            raise InputsError(f"the interpretation at {_shown(name)} is incomplete: {file} is missing")
        files[file] = path.read_bytes()
        if hashlib.sha256(files[file]).hexdigest() != digest:
            raise InputsError(
                f"{file} at {_shown(name)} is damaged: its sha256 differs from the one in {MANIFEST}"
            )
    for file in (ARRAYS, TABLE):
        if file not in files:
            raise InputsError(f"the interpretation at {_shown(name)} is incomplete: {file} is missing")
    return files


def _result(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Any:
    kind = kind_of(str(manifest["method"]))
    with np.load(io.BytesIO(files[ARRAYS]), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive}
    view = read_view(files.get(VIEW_FILE)) or {}
    rows = view["steps"][-1]["inputs"] if view else []
    if RESULT_FILE in files:
        facts = json.loads(files[RESULT_FILE])
    else:
        facts = _earlier_facts(kind, manifest, arrays, json.loads(files[TABLE]), view)
    return kind.restored(arrays, facts, _images(rows))


def _images(rows: Sequence[Mapping[str, Any]]) -> np.ndarray | None:
    """The images of rows of index.json, (m, height, width, 3) uint8; None if one lacks its image."""
    sources = [row.get("picture") for row in rows]
    if not sources or not all(map(is_image, sources)):
        return None
    images = [_decoded(str(source)) for source in sources]
    return np.stack(images) if len({image.shape for image in images}) == 1 else None


def _decoded(source: str) -> np.ndarray:
    content = base64.b64decode(source.partition(",")[2])
    with Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]) as image:
        if max(image.size) > _LARGEST_SIDE:
            raise ValueError(f"an image has {image.size[0]} × {image.size[1]} pixels")
        return np.asarray(image.convert("RGB"))


# --- schema version 1, which has no result.json ----------------------------------------------------------


def _earlier_facts(
    kind: Kind,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    table: Mapping[str, Any],
    view: Mapping[str, Any],
) -> dict[str, Any]:
    """The facts that a result had before result.json, read from its other files."""
    columns = dict(zip(table["columns"], zip(*table["data"], strict=True), strict=False))
    names = columns.get("input", manifest["inputs"].get("names", ()))
    facts = {"names": list(names), "class_names": _class_names(columns, arrays, view)}
    return facts | kind.earlier_facts(manifest, view.get("series", {}))


def _class_names(
    columns: Mapping[str, Sequence[Any]], arrays: Mapping[str, np.ndarray], view: Mapping[str, Any]
) -> list[str] | None:
    """The class names in the table and index.json; the number of any other class."""
    if "class" in columns:
        known = dict(enumerate(columns["class"]))
    else:
        known = dict(zip(arrays["labels"].tolist(), columns["label"], strict=True))
        known |= dict(zip(arrays["classes"][:, 0].tolist(), columns["predicted"], strict=True))
        if "target" in columns:
            known |= dict(zip(arrays["targets"].tolist(), columns["target"], strict=True))
        for row, classes in zip(view["steps"][-1]["inputs"] if view else (), arrays["classes"], strict=False):
            known |= dict(zip(classes.tolist(), (name for name, _ in row["predictions"]), strict=False))
    names = [str(known.get(index, index)) for index in range(max(known, default=-1) + 1)]
    return None if names == [str(index) for index in range(len(names))] else names
