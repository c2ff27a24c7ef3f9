"""One interpretation into a run, a folder, or both."""

from __future__ import annotations

import os
from pathlib import Path

from mlflow_interp import progress
from mlflow_interp.exceptions import TrackingError, first_line, without_password
from mlflow_interp.models.artifact_store import check_reachable
from mlflow_interp.report import run_page
from mlflow_interp.report.folder import new_place, read_entries, write_folder
from mlflow_interp.report.interpretation import InterpretationFiles
from mlflow_interp.tracking.destination import Destination
from mlflow_interp.tracking.spool import Spool, make_folder
from mlflow_interp.tracking.upload import upload


def write(finished: InterpretationFiles, destination: Destination) -> str:
    """Write an interpretation wherever a call writes, and return its place, such as gradcam-2.

    Raises:
        TrackingError: the server or the artifact store does not answer, or refuses.
    """
    place = finished.method
    if destination.folder is not None:
        place = _save(finished, destination.folder)
    if destination.run_id is not None:
        place = _log(finished, destination)
    return place


def _save(finished: InterpretationFiles, folder: Path) -> str:
    place = new_place(folder, finished.method)
    write_folder(folder / place, finished.files, finished.manifest)
    (folder / "index.html").write_text(run_page.page(read_entries(folder), None), encoding="utf-8")
    return place


def _log(finished: InterpretationFiles, destination: Destination) -> str:
    spool = _spooled(finished, destination)
    try:
        check_reachable()
        for _ in upload(spool):
            pass
    except Exception as error:
        reason = first_line(error)
        spool.status = "FINISHED" if destination.ends else None
        spool.leave()
        raise TrackingError(
            f"not all could be logged to run {spool.run_id}: {reason}; what is missing is kept, and logged "
            f"with: mlflow-interp resume {spool.folder}"
        ) from error
    except BaseException:
        spool.leave()
        progress.say(
            f"not all is logged; what is missing is logged with: mlflow-interp resume {spool.folder}"
        )
        raise
    destination.spool = None
    spool.remove()
    return spool.places[finished.method]


def _spooled(finished: InterpretationFiles, destination: Destination) -> Spool:
    """The interpretation on disk, beside what the same call could not log before."""
    import mlflow

    try:
        folder = destination.spool or make_folder()
        if destination.spool is None:
            # What a process that was killed leaves behind is complete, but its run isn't.
            status = "KILLED" if destination.ends else None
            uri = without_password(mlflow.get_tracking_uri())
            Spool(folder, uri, destination.run_id, status=status).save()
        spool = Spool.read(folder)
        spool.process = os.getpid()
        destination.spool = folder
        spool.add(finished)
        spool.save()
    except OSError as error:
        raise TrackingError(
            f"the results of {finished.method} could not be written to disk ({error}); free some space, "
            "or name another folder with the variable TMPDIR"
        ) from error
    return spool
