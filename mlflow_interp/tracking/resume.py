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
    """Log what is missing of an interpretation or a training, and return its run.

    Args:
        folder: the one that the error or the warning named.
        tracking_uri: the tracking server or store, where it is no longer the one it was.
        quiet: show no progress.

    Raises:
        InputsError: nothing in the folder waits to be logged, or another process is at it.
        TrackingError: the server still does not answer, or refuses; the folder is kept.
    """
    spool = Spool.read(local_path(folder))
    if is_alive(spool.process):
        raise InputsError(f"process {spool.process} is still logging {str(folder)!r}; wait for it, or end it")
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
            raise TrackingError(f"not all could be logged: {reason}; {str(folder)!r} is kept") from error
    spool.remove()
    return str(spool.run_id)


@contextlib.contextmanager
def _tracking(uri: str) -> Iterator[None]:
    """Use a tracking URI for the block; where only a password differs, the current one stays."""
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
    """End the run, without the error in its tag where that was only a failure to log."""
    end_run(spool)
    client = mlflow_client()
    reason = client.get_run(spool.run_id).data.tags.get(_REASON, "")
    if spool.status == "FINISHED" and reason.startswith(TrackingError.__name__):
        client.delete_tag(spool.run_id, _REASON)
