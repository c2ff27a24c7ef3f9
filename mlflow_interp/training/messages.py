"""The messages from the training process to its worker process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_interp.engine.parts import Part
from mlflow_interp.report.provenance import Provenance


@dataclass(frozen=True)
class Start:
    """The start of a training, with the destination of its results.

    Attributes:
        run_id: the run to log to; None to create one, which the worker also ends.
        run_name: the name of a new run.
        tags: the tags of a new run.
        tracking_uri: the tracking server or store.
        environment: the environment variables of the training, which may name an experiment and hold the
            credentials of a server.
        spool: the folder that everything is written to first.
        warm_up: methods whose libraries are loaded and compiled while the worker is idle.
        shows: whether to send figures back to the training, which shows them.
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
    """What a method has accumulated after an epoch; the worker concludes, draws and logs it.

    Attributes:
        method: the name of the method.
        step: the epoch, counted from 0, as MLflow's Keras autologging counts the epochs of losses.
        part: what the method has accumulated, from which its result is computed.
        given: the options that were given for the method and its figure.
        figure: the options in `given` that are for the figure.
        parameters: the options with their defaults.
        provenance: the provenance of the model and the inputs.
    """

    method: str
    step: int
    part: Part
    given: Mapping[str, Any]
    figure: Mapping[str, Any]
    parameters: Mapping[str, Any]
    provenance: Provenance


@dataclass(frozen=True)
class Finish:
    """The end of the training.

    Attributes:
        status: FINISHED, FAILED or KILLED, for a run that the worker created.
    """

    status: str
