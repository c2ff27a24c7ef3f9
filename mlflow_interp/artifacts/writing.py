"""One interpretation into a run, a folder, or both."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlflow_interp.artifacts import logged
from mlflow_interp.artifacts.logged import ROOT, TABLE, Finished, IndexPage
from mlflow_interp.exceptions import InterpretationError, TrackingError
from mlflow_interp.loading.store import without_progress_bar
from mlflow_interp.manifest import (
    MANIFEST,
    PANELS,
    Entry,
    free_place,
    read_entries,
    read_panels,
    to_json,
    write_folder,
)
from mlflow_interp.runs import Destination


def write(finished: Finished, destination: Destination, index: IndexPage) -> str:
    """Write an interpretation wherever a call writes, and return its place, such as gradcam-2.

    Raises:
        TrackingError: the server or the artifact store does not answer, or refuses.
    """
    place = finished.method
    if destination.folder is not None:
        place = _save(finished, destination.folder, index)
    if destination.run_id is not None:
        place = _log(finished, destination.run_id, index)
    return place


def _save(finished: Finished, folder: Path, index: IndexPage) -> str:
    taken = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
    place = free_place(finished.method, taken)
    write_folder(folder / place, finished.files, finished.manifest)
    (folder / "index.html").write_text(index(read_entries(folder), None), encoding="utf-8")
    return place


def _log(finished: Finished, run_id: str, index: IndexPage) -> str:
    try:
        with tempfile.TemporaryDirectory(prefix="mlflow-interp-") as folder, without_progress_bar():
            return _log_interpretation(finished, run_id, Path(folder), index)
    except InterpretationError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TrackingError(f"the results could not be logged to run {run_id}: {reason}") from error


def _log_interpretation(finished: Finished, run_id: str, folder: Path, index: IndexPage) -> str:
    """Everything, the manifest last."""
    client = logged.client()
    files, manifest = finished.files, finished.manifest
    entries = logged.fetch_entries(client, run_id, folder / "logged")
    taken = {Path(item.path).name for item in client.list_artifacts(run_id, ROOT)}
    place = free_place(finished.method, taken)
    path = f"{ROOT}/{place}"
    write_folder(folder / "new", files, manifest)
    (folder / "new" / MANIFEST).unlink()
    logged.log_lineage(client, run_id, manifest)
    logged.log_params(client, run_id, path, manifest)
    logged.log_metrics(client, run_id, path, finished)
    client.log_artifacts(run_id, str(folder / "new"), path)
    logged.log_table_tag(client, run_id, f"{path}/{TABLE}")
    logged.log_images(client, run_id, path, finished)
    entries.append(Entry(place, manifest, files["figure.png"], read_panels(files.get(PANELS))))
    client.log_text(run_id, index(entries, run_id), f"{ROOT}/index.html")
    logged.tag_all(client, run_id, finished.method, manifest)
    client.log_text(run_id, to_json(manifest).decode(), f"{path}/{MANIFEST}")
    return place
