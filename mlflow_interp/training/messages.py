"""What the training process asks of its worker process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_interp.engine.deferral import Deferred
from mlflow_interp.report.provenance import Provenance


@dataclass(frozen=True)
class Start:
    """Where results go.

    Attributes:
        run_id: the run to log to; None to make one, which then is ended too.
        run_name: of a new run.
        tags: of a new run.
        tracking_uri: the tracking server or store.
        environment: the training's, which may name an experiment, and hold what opens a server.
        spool: the folder that everything is written to first.
        warm_up: methods whose libraries are to be made ready while there is nothing to do.
        shows: whether figures are sent to the training too, which shows them.
    """

    run_id: str | None
    run_name: str
    tags: Mapping[str, str]
    tracking_uri: str
    environment: Mapping[str, str]
    spool: str
    warm_up: tuple[str, ...] = ()
    shows: bool = False


@dataclass(frozen=True)
class Step:
    """What a method found after an epoch, to be drawn and logged.

    Attributes:
        method: its name.
        step: the epoch, counted from 0 as MLflow counts those of losses.
        result: a result, or the rest of the work on one.
        given: the options that were given to the method and to its figure.
        figure: those of them that are the figure's.
        parameters: the options with their defaults.
        provenance: of the model and the inputs.
        seconds: what it cost the training.
    """

    method: str
    step: int
    result: Any | Deferred
    given: Mapping[str, Any]
    figure: Mapping[str, Any]
    parameters: Mapping[str, Any]
    provenance: Provenance
    seconds: float


@dataclass(frozen=True)
class Finish:
    """The end of the training.

    Attributes:
        status: FINISHED, FAILED or KILLED, for a run that was made here.
    """

    status: str
