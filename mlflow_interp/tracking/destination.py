"""The destination of one call's results: its run, created or existing, and the status it ends with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow_interp.core.paths import local_path
from mlflow_interp.core.process_switch import ProcessSwitch
from mlflow_interp.exceptions import InterpretationError, OptionError, TrackingError, without_password
from mlflow_interp.models.artifact_store import ask, check_reachable
from mlflow_interp.models.origin import Origin
from mlflow_interp.models.refusals import CREATE, LOG

LONGEST_TAG = 5000


@dataclass
class Destination:
    """The destination of one call's results: a run, a folder, both or neither.

    Attributes:
        run_id: the run, None before `start` or if nothing is logged.
        folder: the folder to save the files to as well, None for none.
        experiment: the experiment that the user named, None for the model's own.
        log: whether to log to MLflow at all.
        ends: whether this call ends the run.
        spool: the folder with results that could not be logged, None if there are no such results.
    """

    run_id: str | None
    folder: Path | None
    experiment: str | None
    log: bool
    ends: bool
    spool: Path | None = None

    def start(self, origin: Origin, name: str) -> None:
        """Create the run unless there is one: in the named experiment, or else the model's own.

        The run that `mlflow run` created for this process gets the name, unless the user named it.
        """
        if not self.log:
            return
        if self.run_id is not None:
            if self.ends:
                _name_run(self.run_id, name)
            return
        check_reachable()
        experiment_id = _experiment_id(self.experiment, origin)
        tags = context_tags() | {"mlflow.runName": name}
        about = f"experiment {self.experiment or experiment_id}"
        run = ask(lambda: mlflow_client().create_run(experiment_id, tags=tags), about, LOG)
        self.run_id = run.info.run_id
        self.ends = True


@contextmanager
def open_run(
    *,
    log: bool = True,
    experiment: str | None = None,
    run_id: str | None = None,
    save: str | Path | None = None,
) -> Iterator[Destination]:
    """Open the destination of the results, and end its run with the right status.

    The run is the named one, else the active one, else the one that `mlflow run` created for this process,
    else a new one. A run that was created for the call ends as FINISHED; on an error as FAILED, with the
    reason in the tag `mlflow_interp.error`; on Ctrl-C as KILLED. The user's own run is left running.

    Args:
        log: Log to MLflow. In the shell, --no-log needs --save, --json or --fail-if.
        experiment: The name of the experiment for a new run. By default, the one set in the environment
            (MLFLOW_EXPERIMENT_NAME), else that of the model's own run. In Python, one that is set with
            `mlflow.set_experiment` is used too. For an existing run, it must be the experiment of that run.
        run_id: An existing run to log to.
        save: A folder to save the files to as well.

    Raises:
        OptionError: the run is in another experiment, or `save` is a file.
    """
    destination = Destination(None, save_folder(save), experiment, log, ends=False)
    if log:
        destination.run_id, destination.ends = find_run(run_id, experiment)
    try:
        yield destination
    except BaseException as error:
        if isinstance(error, InterpretationError):
            error.run_id = destination.run_id
        _end(destination, "FAILED" if isinstance(error, Exception) else "KILLED", error)
        raise
    _end(destination, "FINISHED")


def _disabled_autologging() -> Any:
    from mlflow.utils.autologging_utils import disable_autologging

    return disable_autologging()


#: Prevents MLflow's autologging from logging models that a method fits, such as a neighbour search.
without_autologging = ProcessSwitch(_disabled_autologging)


def save_folder(save: str | Path | None) -> Path | None:
    """The folder to save files to, None for none.

    Raises:
        OptionError: it is a file, or its name is blank.
    """
    folder = None if save is None else local_path(save)
    if folder is not None and folder.exists() and not folder.is_dir():
        raise OptionError(f"save={str(save)!r} is a file; name a folder")
    return folder


def find_run(run_id: str | None, experiment: str | None) -> tuple[str | None, bool]:
    """The existing run to log to, None for a new one, and whether this call ends it.

    Args:
        run_id: the run that the user named.
        experiment: the experiment that the user named, which must be that of the run.

    Raises:
        ModelError: there is no such run.
        OptionError: the run is in another experiment.
        TrackingError: the tracking server does not answer.
    """
    found, ends = _existing_run(run_id)
    if experiment is not None and found is not None:
        _check_experiment(experiment, found, is_named=run_id is not None)
    return found, ends


def _existing_run(run_id: str | None) -> tuple[str | None, bool]:
    if run_id is not None:
        check_reachable()
        ask(lambda: mlflow_client().get_run(run_id), f"run {run_id}")
        return run_id, False
    import mlflow

    active = mlflow.active_run()
    if active is not None:
        return active.info.run_id, False
    return os.environ.get("MLFLOW_RUN_ID"), "MLFLOW_RUN_ID" in os.environ


def _check_experiment(experiment: str, run_id: str, *, is_named: bool) -> None:
    """Refuse an experiment other than that of the run to log to.

    Raises:
        OptionError: the run is in another experiment.
    """
    import mlflow

    client = mlflow_client()
    run = ask(lambda: client.get_run(run_id), f"run {run_id}")
    experiment_id = run.info.experiment_id
    actual = ask(lambda: client.get_experiment(experiment_id), f"experiment {experiment_id}").name
    if actual == experiment:
        return
    if is_named:
        reason = f"run_id is {run_id}, a run in experiment {actual!r}; omit one of them"
    elif mlflow.active_run() is not None:
        reason = (
            f"run {run_id} is active in experiment {actual!r}; end it with mlflow.end_run() to log to a new "
            "run, or omit experiment to log to the active one"
        )
    else:
        reason = (
            f"MLFLOW_RUN_ID is {run_id}, a run in experiment {actual!r}; omit experiment, or pass it with "
            "mlflow run --experiment-name"
        )
    raise OptionError(f"experiment is {experiment!r}, but {reason}")


def _name_run(run_id: str, name: str) -> None:
    """Name a run, unless the user has named it."""
    client = mlflow_client()
    run = ask(lambda: client.get_run(run_id), f"run {run_id}")
    if _is_generated(str(run.info.run_name)):
        ask(lambda: client.set_tag(run_id, "mlflow.runName", name), f"run {run_id}", LOG)


def _is_generated(name: str) -> bool:
    """Whether MLflow generated the name of a run, such as enthused-fish-265.

    MLflow does not record this, but all such names consist of two words of its lists and a number up to 1000.
    """
    try:
        from mlflow.utils.name_utils import _GENERATOR_NOUNS, _GENERATOR_PREDICATES
    except ImportError:  # private names of MLflow, which may change; then the run keeps its name
        return False
    found = re.fullmatch(r"(.+?)-(.+)-(0|[1-9]\d{0,2}|1000)", name)
    lower = [{word.lower() for word in words} for words in (_GENERATOR_PREDICATES, _GENERATOR_NOUNS)]
    return found is not None and found[1] in lower[0] and found[2] in lower[1]


def note_failure(error: Exception) -> None:
    """End the run that `mlflow run` created, if it did, as FAILED with the reason."""
    run_id = os.environ.get("MLFLOW_RUN_ID")
    _end(Destination(run_id, None, None, log=True, ends=True), "FAILED", error)


def _end(destination: Destination, status: str, error: BaseException | None = None) -> None:
    if destination.run_id is None:
        return
    try:
        if error is not None:
            reason = without_password(f"{type(error).__name__}: {error}")[:LONGEST_TAG]
            mlflow_client().set_tag(destination.run_id, "mlflow_interp.error", reason)
        if destination.ends:
            mlflow_client().set_terminated(destination.run_id, status)
    except Exception as end_error:
        # An error that is already being raised is the one that the user must see.
        if error is None:
            raise TrackingError(f"run {destination.run_id} could not be ended: {end_error}") from end_error


def mlflow_client() -> Any:
    """MLflow's client for the current tracking URI."""
    from mlflow import MlflowClient

    return MlflowClient()


def active_run_id() -> str | None:
    """The active run of this process, or the one that `mlflow run` created for it; None without either."""
    import mlflow

    run = mlflow.active_run()
    return os.environ.get("MLFLOW_RUN_ID") if run is None else str(run.info.run_id)


def tracking_uri() -> str:
    """The URI of the current tracking server or store; it may hold a password."""
    import mlflow

    return str(mlflow.get_tracking_uri())


def use_tracking_uri(uri: str) -> None:
    """Use another tracking server or store from now on."""
    import mlflow

    mlflow.set_tracking_uri(uri)


def context_tags() -> dict[str, str]:
    """The tags that MLflow sets on the runs of this program, such as its user and source."""
    from mlflow.tracking.context.registry import resolve_tags

    tags: dict[str, str] = resolve_tags()
    return tags


def _experiment_id(experiment: str | None, origin: Origin) -> str:
    client = mlflow_client()
    if experiment is None:
        is_set_by_environment = any(
            os.environ.get(name) for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")
        )
        if origin.experiment_id is not None and not is_set_by_environment:
            return origin.experiment_id
        from mlflow.tracking.fluent import _get_experiment_id

        return str(ask(_get_experiment_id, "the current experiment"))
    existing = ask(lambda: client.get_experiment_by_name(experiment), f"experiment {experiment}")
    if existing is not None:
        return str(existing.experiment_id)
    return str(ask(lambda: client.create_experiment(experiment), f"experiment {experiment}", CREATE))
