"""Logging what could not be logged when it was found: a server was gone, a process killed."""

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
    first_line,
    without_password,
)
from mlflow_interp.models.artifact_store import check_reachable
from mlflow_interp.tracking import log
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
            for piece in upload(spool):
                progress.say(f"logged {piece}")
            _end(spool)
        except InterpretationError:
            spool.leave()
            raise
        except Exception as error:
            spool.leave()
            reason = first_line(error)
            raise TrackingError(f"not all could be logged: {reason}; {str(folder)!r} is kept") from error
    spool.remove()
    return str(spool.run_id)


@contextlib.contextmanager
def _tracking(uri: str) -> Iterator[None]:
    """The tracking URI for a while; one that is in force already may hold a password, and stays."""
    import mlflow

    before = mlflow.get_tracking_uri()
    if without_password(before) == without_password(uri):
        yield
        return
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def _end(spool: Spool) -> None:
    """End the run; one that failed only because it could not be logged has not failed any more."""
    end_run(spool)
    client = log.client()
    reason = client.get_run(spool.run_id).data.tags.get(_REASON, "")
    if spool.status == "FINISHED" and reason.startswith(TrackingError.__name__):
        client.delete_tag(spool.run_id, _REASON)
