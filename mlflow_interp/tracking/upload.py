"""From a spool into a run: piece by piece, of each the manifest last."""

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
from mlflow_interp.tracking import log
from mlflow_interp.tracking.log import ROOT, TABLE
from mlflow_interp.tracking.spool import Spool, SpoolEntry

# By run. The names of its folders, its page and its tags are read and then written, so that threads which
# log to one run take turns.
_turns: WeakValueDictionary[str, Any] = WeakValueDictionary()
_choosing = threading.Lock()


def upload(spool: Spool) -> Iterator[str]:
    """Log what waits in a spool; yields the name of each piece that is in the run, whole.

    It can be cut off anywhere and begun again: what is marked is not logged twice, and a manifest in the
    run says that everything it names is there.

    Args:
        spool: where it lies; says what has been logged of it.

    Raises:
        Exception: what MLflow or the client of an artifact store raises.
    """
    client = log.client()
    make_run(client, spool)
    with _turn(str(spool.run_id)), without_progress_bar():
        waiting = spool.waiting()
        for piece in (each for each in waiting if each.step is not None):
            yield _complete(client, spool, piece, _log(client, spool, piece))
        wholes = [(each, _log(client, spool, each)) for each in waiting if each.step is None]
        if wholes:
            _log_run_page(client, spool)
        for piece, finished in wholes:
            yield _complete(client, spool, piece, finished)


def _turn(run_id: str) -> Any:
    """The lock of a run, which is gone when nobody holds it or waits for it."""
    with _choosing:
        return _turns.setdefault(run_id, threading.RLock())


def make_run(client: Any, spool: Spool) -> None:
    """Make the run that a spool goes to, unless it is there."""
    if spool.run_id is None:
        from mlflow.tracking.fluent import _get_experiment_id

        tags = {**spool.tags, "mlflow.runName": spool.run_name}
        run = client.create_run(spool.experiment_id or _get_experiment_id(), tags=tags)
        spool.run_id = run.info.run_id
        spool.save()


def _log(client: Any, spool: Spool, piece: SpoolEntry) -> InterpretationFiles:
    """Log everything but the manifest; gives what was logged."""
    run_id = str(spool.run_id)
    finished = _finished(client, spool, piece)
    key = f"{ROOT}/{_place(client, spool, piece.method)}"
    path = key if piece.step is None else f"{key}/{piece.folder.name}"
    over_steps = "steps" in finished.manifest  # whose figures and metrics are logged with the steps
    if not over_steps:
        if not any(name.partition("/")[0] == piece.method for name in spool.logged):
            log.log_lineage(client, run_id, finished.manifest)
            log.log_params(client, run_id, key, finished.manifest)
        log.log_metrics(client, run_id, key, finished, piece.step or 0)
    for name in finished.files:
        client.log_artifact(run_id, str(piece.folder / name), path)
    if not over_steps:
        log.log_table_tag(client, run_id, f"{path}/{TABLE}")
        log.log_images(client, run_id, key, finished, piece.step or 0)
    return finished


def _complete(client: Any, spool: Spool, piece: SpoolEntry, finished: InterpretationFiles) -> str:
    """Log the manifest, which says that the rest is there; gives the name of the piece."""
    run_id = str(spool.run_id)
    path = f"{ROOT}/{spool.places[piece.method]}"
    if piece.step is None:
        log.tag_all(client, run_id, str(finished.manifest["method"]), finished.manifest)
    else:
        path = f"{path}/{piece.folder.name}"
    client.log_text(run_id, to_json(finished.manifest).decode(), f"{path}/{MANIFEST}")
    spool.mark(piece)
    return piece.name


def _finished(client: Any, spool: Spool, piece: SpoolEntry) -> InterpretationFiles:
    """A piece as it is logged: over the steps of a training, with the model that the training logs."""
    finished = spool.finished(piece)
    model = finished.manifest["model"]
    if "steps" not in finished.manifest or model["model_id"]:
        return finished
    named = {**model, "model_id": _logged_model(client, str(spool.run_id))}
    return replace(finished, manifest={**finished.manifest, "model": named})


def _logged_model(client: Any, run_id: str) -> str | None:
    """The model that the run's training logs, which `mlflow.*.autolog` makes before it starts."""
    experiment = client.get_run(run_id).info.experiment_id
    found = client.search_logged_models([experiment], f"source_run_id = '{run_id}'", max_results=1)
    return str(found[0].model_id) if found else None


def _place(client: Any, spool: Spool, method: str) -> str:
    """The name of a method's folder in the run, the first that was free."""
    if method not in spool.places:
        taken = {Path(item.path).name for item in client.list_artifacts(spool.run_id, ROOT)}
        spool.places[method] = free_place(method, taken)
        spool.save()
    return spool.places[method]


def _log_run_page(client: Any, spool: Spool) -> None:
    """Log the page of the whole run, with what other calls have logged into it."""
    run_id = str(spool.run_id)
    places = set(spool.places.values())
    with tempfile.TemporaryDirectory(prefix="mlflow-interp-") as folder:
        there = log.fetch_entries(client, run_id, Path(folder) / "logged")
    own = [_entry(spool, piece) for piece in spool.pieces() if piece.step is None]
    entries = [entry for entry in there if entry.place not in places] + own
    client.log_text(run_id, run_page.page(entries, run_id), f"{ROOT}/index.html")


def _entry(spool: Spool, piece: SpoolEntry) -> Entry:
    entry = read_entry(piece.folder)
    assert entry is not None  # noqa: S101 - pieces are complete
    return replace(entry, place=spool.places[piece.method])


def end_run(spool: Spool) -> None:
    """End the run, if it is the spool's to end."""
    if spool.status is not None:
        log.client().set_terminated(spool.run_id, spool.status)
