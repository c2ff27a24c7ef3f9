"""Upload a spool to its run: entry by entry, the manifest of each last."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from mlflow_interp.models.artifact_store import without_progress_bar
from mlflow_interp.report import run_page
from mlflow_interp.report.folder import MANIFEST, Entry, free_place, read_entry
from mlflow_interp.report.formats import to_json
from mlflow_interp.report.interpretation import InterpretationFiles
from mlflow_interp.tracking import log, tags
from mlflow_interp.tracking.destination import mlflow_client
from mlflow_interp.tracking.log import ROOT, TABLE
from mlflow_interp.tracking.notes import log_note
from mlflow_interp.tracking.spool import Spool, SpoolEntry

# By run: the names of its folders, its page and its tags are read and then written, so threads that log to
# one run must take turns.
_run_locks: WeakValueDictionary[str, Any] = WeakValueDictionary()
_run_locks_guard = threading.Lock()


def upload(spool: Spool) -> Iterator[str]:
    """Log the waiting entries of a spool; yields the name of each entry that is completely in the run.

    It can be interrupted anywhere and started again: entries that are marked are not logged twice, and a
    manifest in the run means that all files it names are there.

    Args:
        spool: the spool, which records the entries that have been logged.

    Raises:
        Exception: any error of MLflow or of an artifact store's client.
    """
    client = mlflow_client()
    make_run(client, spool)
    with _run_lock(str(spool.run_id)), without_progress_bar():
        waiting = spool.waiting()
        for entry in (each for each in waiting if each.step is not None):
            yield _complete(client, spool, entry, _log(client, spool, entry))
        methods = [(each, _log(client, spool, each)) for each in waiting if each.step is None]
        if methods:
            _log_run_page(client, spool)
        for entry, interpretation in methods:
            yield _complete(client, spool, entry, interpretation)


def _run_lock(run_id: str) -> Any:
    """The lock of a run, which exists as long as a thread holds it or waits for it."""
    with _run_locks_guard:
        return _run_locks.setdefault(run_id, threading.RLock())


def make_run(client: Any, spool: Spool) -> None:
    """Create the run of a spool, unless there is one."""
    if spool.run_id is None:
        from mlflow.tracking.fluent import _get_experiment_id

        tags = {**spool.tags, "mlflow.runName": spool.run_name}
        run = client.create_run(spool.experiment_id or _get_experiment_id(), tags=tags)
        spool.run_id = run.info.run_id
        spool.save()


def _log(client: Any, spool: Spool, entry: SpoolEntry) -> InterpretationFiles:
    """Log everything but the manifest; returns what was logged."""
    run_id = str(spool.run_id)
    interpretation = _interpretation(client, spool, entry)
    key = f"{ROOT}/{_folder_name(client, spool, entry.method)}"
    path = key if entry.step is None else f"{key}/{entry.folder.name}"
    is_summary = "steps" in interpretation.manifest  # whose figures and metrics are logged with the steps
    if not is_summary:
        if not any(name.partition("/")[0] == entry.method for name in spool.logged):
            log.log_lineage(client, run_id, interpretation.manifest)
            log.log_params(client, run_id, key, interpretation.manifest)
        log.log_metrics(client, run_id, key, interpretation, entry.step or 0)
    for name in interpretation.files:
        client.log_artifact(run_id, str(entry.folder / name), path)
    if not is_summary:
        tags.log_table_tag(client, run_id, f"{path}/{TABLE}")
        log.log_images(client, run_id, key, interpretation, entry.step or 0)
    return interpretation


def _complete(client: Any, spool: Spool, entry: SpoolEntry, interpretation: InterpretationFiles) -> str:
    """Log the manifest, which means that all other files are there; returns the name of the entry."""
    run_id = str(spool.run_id)
    path = f"{ROOT}/{spool.places[entry.method]}"
    if entry.step is None:
        tags.tag_all(client, run_id, str(interpretation.manifest["method"]), interpretation.manifest)
    else:
        path = f"{path}/{entry.folder.name}"
    client.log_text(run_id, to_json(interpretation.manifest).decode(), f"{path}/{MANIFEST}")
    spool.mark(entry)
    return entry.name


def _interpretation(client: Any, spool: Spool, entry: SpoolEntry) -> InterpretationFiles:
    """The interpretation of an entry; the summary of a training gets the id of the model that was logged."""
    interpretation = spool.read_files(entry)
    model = interpretation.manifest["model"]
    if "steps" not in interpretation.manifest or model["model_id"]:
        return interpretation
    with_id = {**model, "model_id": _logged_model(client, str(spool.run_id))}
    return replace(interpretation, manifest={**interpretation.manifest, "model": with_id})


def _logged_model(client: Any, run_id: str) -> str | None:
    """The id of the model that the run's training logs, which `mlflow.*.autolog` creates before it starts."""
    experiment = client.get_run(run_id).info.experiment_id
    models = client.search_logged_models([experiment], f"source_run_id = '{run_id}'", max_results=1)
    return str(models[0].model_id) if models else None


def _folder_name(client: Any, spool: Spool, method: str) -> str:
    """The name of a method's folder in the run, the first free one."""
    if method not in spool.places:
        existing = {Path(item.path).name for item in client.list_artifacts(spool.run_id, ROOT)}
        spool.places[method] = free_place(method, existing)
        spool.save()
    return spool.places[method]


def _log_run_page(client: Any, spool: Spool) -> None:
    """Log the page and the note of the run, including what other calls logged to the run."""
    run_id = str(spool.run_id)
    spool_folders = set(spool.places.values())
    with tempfile.TemporaryDirectory(prefix="mlflow-interp-") as folder:
        logged = log.fetch_entries(client, run_id, Path(folder) / "logged")
    spooled = [_page_entry(spool, entry) for entry in spool.entries() if entry.step is None]
    entries = [entry for entry in logged if entry.place not in spool_folders] + spooled
    client.log_text(run_id, run_page.page(entries, run_id), f"{ROOT}/index.html")
    log_note(client, run_id, entries)


def _page_entry(spool: Spool, spool_entry: SpoolEntry) -> Entry:
    entry = read_entry(spool_entry.folder)
    assert entry is not None  # noqa: S101 - entries of a spool are complete
    return replace(entry, place=spool.places[spool_entry.method])


def end_run(spool: Spool) -> None:
    """End the run, if the spool has a status to end it with."""
    if spool.status is not None:
        mlflow_client().set_terminated(spool.run_id, spool.status)
