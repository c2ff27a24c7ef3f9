"""Write one interpretation to a run, a folder, or both."""

from __future__ import annotations

import os
from pathlib import Path

from mlflow_interp import progress
from mlflow_interp.exceptions import TrackingError, without_password
from mlflow_interp.models.artifact_store import check_reachable
from mlflow_interp.models.refusals import LOG, in_words
from mlflow_interp.report import run_page
from mlflow_interp.report.folder import new_place, read_entries, write_folder
from mlflow_interp.report.interpretation import InterpretationFiles
from mlflow_interp.tracking.destination import Destination, tracking_uri
from mlflow_interp.tracking.log import ROOT
from mlflow_interp.tracking.spool import Spool, make_folder
from mlflow_interp.tracking.upload import upload


def write(interpretation: InterpretationFiles, destination: Destination) -> tuple[str | None, Path | None]:
    """Write an interpretation to the destination of a call.

    Returns:
        Its folder among the run's artifacts, such as interpretations/gradcam-2, and its folder on this
        machine; None if it is not logged or not saved.

    Raises:
        TrackingError: the server or the artifact store does not answer, or refuses access.
    """
    saved = None if destination.folder is None else _save(interpretation, destination.folder)
    logged = None if destination.run_id is None else f"{ROOT}/{_log(interpretation, destination)}"
    return logged, saved


def _save(interpretation: InterpretationFiles, folder: Path) -> Path:
    name = new_place(folder, interpretation.method)
    write_folder(folder / name, interpretation.files, interpretation.manifest)
    (folder / "index.html").write_text(run_page.page(read_entries(folder), None), encoding="utf-8")
    return folder / name


def _log(interpretation: InterpretationFiles, destination: Destination) -> str:
    spool = _add_to_spool(interpretation, destination)
    try:
        check_reachable()
        for _ in upload(spool):
            pass
    except Exception as error:
        reason = in_words(error, f"run {spool.run_id}", LOG)
        spool.status = "FINISHED" if destination.ends else None
        spool.leave()
        raise TrackingError(
            f"some results could not be logged to run {spool.run_id} ({reason}). They are saved locally; "
            f"upload them with: mlflow-interp resume {spool.folder}"
        ) from error
    except BaseException:
        spool.leave()
        progress.say(
            "some results are not logged. They are saved locally; upload them with: "
            f"mlflow-interp resume {spool.folder}"
        )
        raise
    destination.spool = None
    spool.remove()
    return spool.places[interpretation.method]


def _add_to_spool(interpretation: InterpretationFiles, destination: Destination) -> Spool:
    """Write the interpretation to the call's spool, which holds what the call could not log before."""
    try:
        folder = destination.spool or make_folder()
        if destination.spool is None:
            # The results that a killed process leaves behind are complete, but its run is not.
            status = "KILLED" if destination.ends else None
            uri = without_password(tracking_uri())
            Spool(folder, uri, destination.run_id, status=status).save()
        spool = Spool.read(folder)
        spool.process = os.getpid()
        destination.spool = folder
        spool.add(interpretation)
        spool.save()
    except OSError as error:
        raise TrackingError(
            f"the results of {interpretation.method} could not be written to disk ({error}); free disk "
            "space, or set TMPDIR to another folder"
        ) from error
    return spool
