"""The note of a run, which a person may have written: theirs is never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from mlflow_interp.report.folder import Entry
from mlflow_interp.report.note import note
from mlflow_interp.tracking.log import ROOT

_CONTENT = "mlflow.note.content"  # shown under "Description"
_WRITTEN = "mlflow_interp.note_sha256"


def log_note(client: Any, run_id: str, entries: Sequence[Entry]) -> None:
    """Set the note of a run if it has none, or if it is unchanged since it was set here.

    Args:
        client: MLflow's client.
        run_id: the run.
        entries: all interpretations of the run, oldest first.
    """
    run = client.get_run(run_id)
    existing = run.data.tags.get(_CONTENT, "")
    if existing.strip() and run.data.tags.get(_WRITTEN) != _digest(existing):
        return
    content = note(entries, run.info.experiment_id, run_id, ROOT)
    # The digest first: if the note itself can't be set, the one that is there counts as a person's.
    client.set_tag(run_id, _WRITTEN, _digest(content))
    client.set_tag(run_id, _CONTENT, content)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
