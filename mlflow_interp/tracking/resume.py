"""Upload results left behind by a failed server or a killed process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mlflow_interp import progress
from mlflow_interp.core.paths import local_path
from mlflow_interp.exceptions import (
    InputsError,
    InterpretationError,
    TrackingError,
    without_password,
)
from mlflow_interp.models.artifact_store import check_reachable
from mlflow_interp.models.refusals import LOG, in_words
from mlflow_interp.tracking.destination import mlflow_client
from mlflow_interp.tracking.spool import Spool, is_alive
from mlflow_interp.tracking.upload import end_run, upload

_REASON = "mlflow_interp.error"


def resume(folder: str | Path, *, tracking_uri: str | None = None, quiet: bool = False) -> str:
    """Upload the results of an interpretation or a training that could not be logged, and return their run.

    Args:
        folder: The folder named in the error or warning.
        tracking_uri: The tracking server or store, if it has moved.
        quiet: Hide progress.

    Raises:
        InputsError: the folder holds no results to upload, or another process is uploading them.
        TrackingError: the server still does not answer, or refuses access; the folder is kept.
    """
    spool = Spool.read(local_path(folder))
    if is_alive(spool.process):
        raise InputsError(
            f"process {spool.process} is still uploading {str(folder)!r}; wait until it ends, or end it"
        )
    spool.process = os.getpid()
    with progress.shown(not quiet), _tracking(tracking_uri or spool.tracking_uri):
        try:
            check_reachable()
            for name in upload(spool):
                progress.say(f"logged {name}")
            _end(spool)
        except InterpretationError:
            spool.leave()
            raise
        except Exception as error:
            spool.leave()
            reason = in_words(error, f"run {spool.run_id}" if spool.run_id else "the current experiment", LOG)
            raise TrackingError(
                f"some results could not be logged ({reason}). They are still saved locally; upload them "
                f"with: mlflow-interp resume {folder}"
            ) from error
    spool.remove()
    return str(spool.run_id)


@contextlib.contextmanager
def _tracking(uri: str) -> Iterator[None]:
    """Use a tracking URI for the block; keep the current one if only the password differs."""
    import mlflow

    previous = mlflow.get_tracking_uri()
    if without_password(previous) == without_password(uri):
        yield
        return
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(previous)


def _end(spool: Spool) -> None:
    """End the run; remove the error from its tag if it was only a failure to log."""
    end_run(spool)
    client = mlflow_client()
    reason = client.get_run(spool.run_id).data.tags.get(_REASON, "")
    if spool.status == "FINISHED" and reason.startswith(TrackingError.__name__):
        client.delete_tag(spool.run_id, _REASON)
