"""The end of a training's interpretation: restore the model, and wait for the worker."""

from __future__ import annotations

import logging
import sys

from mlflow_interp.backend.validation_tap import ValidationTap
from mlflow_interp.training.messages import Finish
from mlflow_interp.training.worker_client import WorkerClient

logger = logging.getLogger("mlflow_interp")

PATIENCE = 5.0  # most seconds to wait for a tracking server that doesn't answer


def close_at_exit(worker: WorkerClient, tap: ValidationTap | None) -> None:
    """Close if the program ends during a training; the worker does the remaining work."""
    interrupted = isinstance(getattr(sys, "last_value", None), KeyboardInterrupt)
    close(worker, tap, "KILLED" if interrupted else "FAILED", 1.0)


def close(worker: WorkerClient, tap: ValidationTap | None, status: str, wait: float) -> None:
    """Restore the model's test function, and wait until everything is logged, up to the time limits."""
    if tap is not None:
        tap.restore()
    why = worker.finish(Finish(status), limit=wait, patience=PATIENCE)
    if why is not None:
        logger.warning(
            "some interpretations are not logged (%s). They are saved locally; upload them with: "
            "mlflow-interp resume %s",
            why,
            worker.spool,
        )
