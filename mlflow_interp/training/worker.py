"""The worker process of a training: computes layouts, draws, writes to the spool and logs, at low priority.

`python -m mlflow_interp.training.worker DESCRIPTOR` receives messages from its parent over a connection, and
reports events over it. A slow or unreachable tracking server delays this process, but never the training.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from mlflow_interp.core.model_record import ModelRecord, with_record
from mlflow_interp.core.result import HasLaterWarnings
from mlflow_interp.exceptions import InterpretationError, first_line, without_password
from mlflow_interp.models.artifact_store import is_local
from mlflow_interp.models.refusals import LOG, refusal
from mlflow_interp.tracking.destination import mlflow_client, use_tracking_uri
from mlflow_interp.tracking.spool import Spool
from mlflow_interp.training.messages import Finish, Start, Step

Report = Callable[..., None]

NICENESS = 10
# MLflow's defaults wait up to 247 seconds per call for a server that doesn't answer.
_SHORT_TIMEOUTS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "4", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


@dataclass
class _Series:
    """One method over the steps: results, manifests and options of the figure."""

    results: dict[int, Any] = field(default_factory=dict)
    manifests: dict[int, dict[str, Any]] = field(default_factory=dict)
    figure: dict[str, Any] = field(default_factory=dict)


class Worker:
    """Processes the messages of one training, one after another."""

    def __init__(self, start: Start, report: Report) -> None:
        self.report = report
        self.series = dict[str, _Series]()
        self._shows = start.shows
        self.spool = Spool(
            folder=Path(start.spool),
            tracking_uri=without_password(start.tracking_uri),
            run_id=start.run_id,
            run_name=start.run_name,
            tags=start.tags,
            experiment_id=start.environment.get("MLFLOW_EXPERIMENT_ID"),
            # Until the training reports its status.
            status="KILLED" if start.run_id is None else None,
            process=os.getpid(),
        )
        self.offline: str | None = None
        self._remote = not is_local(start.tracking_uri)
        self._online(self._open)

    def _open(self) -> None:
        from mlflow_interp.tracking import upload

        client = mlflow_client()
        upload.make_run(client, self.spool)
        self.report(run=self.spool.run_id)
        stored = client.get_run(self.spool.run_id).info.artifact_uri
        self._remote = self._remote or not is_local(stored)

    def _online(self, work: Callable[[], None]) -> None:
        """Do work that needs the tracking server, unless an earlier call to it failed."""
        if self.offline is not None:
            return
        # A local disk always answers, if slowly on a busy machine.
        self.report(online=self._remote)
        try:
            work()
        except Exception as error:
            refused = self._refusal(error)
            self.offline = refused or first_line(error)
            if refused:  # unlike a busy server, this won't resolve itself
                self.report(warning=f"nothing is logged during training: {refused}")
        finally:
            self.report(online=False)

    def _refusal(self, error: Exception) -> str | None:
        if self.spool.run_id is not None:
            return refusal(error, f"run {self.spool.run_id}", LOG)
        named = self.spool.experiment_id
        return refusal(error, "the current experiment" if named is None else f"experiment {named}", LOG)

    def step(self, message: Step) -> None:
        """Draw and write the result of an epoch, and log it."""
        try:
            self._write(message)
        except Exception as error:
            self.report(failed=message.method, why=f"{type(error).__name__}: {error}")
            return
        self._online(self._upload)

    def _write(self, message: Step) -> None:
        from mlflow_interp.report.files import draw_files
        from mlflow_interp.report.folder import write_folder
        from mlflow_interp.report.manifest import complete_manifest, describe
        from mlflow_interp.training import epoch_summary

        series = self.series.setdefault(message.method, _Series())
        previous = series.results[max(series.results)] if series.results else None
        today = datetime.now(UTC).date().isoformat()
        record = ModelRecord.of(message.provenance.model, today, step=message.step)
        result = with_record(message.part.result(previous), record)
        _figure, files = draw_files(message.method, result, message.figure, with_page=False)
        described = describe(
            message.method,
            result,
            message.given,
            message.provenance.with_warnings(message.part.notes),
            parameters=message.parameters,
            seconds=message.part.seconds,
        )
        manifest = complete_manifest(described | {"step": message.step}, files)
        self.spool.save()
        folder = self.spool.folder / message.method / f"epoch-{message.step:04d}"
        write_folder(folder, files, manifest)
        if not epoch_summary.needs_results(message.method):
            series.results.clear()
        series.results[message.step] = result
        series.manifests[message.step] = manifest
        series.figure = dict(message.figure)
        # The figure itself, as its file may be removed once it is logged.
        figure_event = {"figure": files["figure.png"]} if self._shows else {}
        self.report(drawn=message.method, step=message.step, **figure_event)
        for warning in manifest["warnings"] if len(series.manifests) == 1 else _later_warnings(result):
            self.report(warning=f"{message.method}: {warning}")

    def _upload(self) -> None:
        from mlflow_interp.tracking.upload import upload

        for name in upload(self.spool):
            self.report(logged=name)

    def finish(self, message: Finish) -> None:
        """Write the pages over all steps, log the rest, and end the run if it was created here."""
        from mlflow_interp.tracking.upload import end_run

        self.offline = None  # try once more
        for method in self.series:
            self._write_page(method)
        if self.spool.status is not None:
            self.spool.status = message.status
        self._online(self._upload)
        self._online(lambda: end_run(self.spool))
        if self.offline is None:
            self.spool.remove()
        else:
            with contextlib.suppress(OSError):  # on a full disk, the last saved state stays valid
                self.spool.leave()
        self.report(done=True, offline=self.offline)

    def _write_page(self, method: str) -> None:
        from mlflow_interp.training import epoch_summary

        series = self.series[method]
        if not series.results:
            return
        try:
            epoch_summary.write_whole(
                self.spool.folder / method, method, series.results, series.manifests, series.figure
            )
        except Exception as error:
            self.report(failed=method, why=f"{type(error).__name__}: {error}")


def _later_warnings(result: Any) -> list[str]:
    """What a result warns of that its first epoch could not know; the same text each time."""
    return result.later_warnings() if isinstance(result, HasLaterWarnings) else []


def main() -> None:
    """Process the parent's messages until it is gone."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    # umap-learn would import it, but nothing here needs it.
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    # One stream for all output, so that the last line is the last one printed.
    sys.stdout = sys.stderr
    connection = Connection(int(sys.argv[1]))

    def report(**event: Any) -> None:
        with contextlib.suppress(OSError):  # the parent may be gone; its messages are still processed
            connection.send(event)

    _serve(connection, report)


def _serve(connection: Connection, report: Report) -> None:
    """Work for one training after another, until the parent is gone."""
    worker: Worker | None = None
    for message in _received(connection):
        if isinstance(message, Start):
            for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
                del os.environ[name]
            os.environ.update(_SHORT_TIMEOUTS | dict(message.environment))
            use_tracking_uri(message.tracking_uri)
            worker = Worker(message, report)
            _warm_up(message.warm_up)
        elif isinstance(message, Finish) and worker is not None:
            worker.finish(message)
            worker = None
        elif worker is not None:
            worker.step(message)
    if worker is not None:
        worker.finish(Finish("FAILED"))


def _received(connection: Connection) -> Iterator[Any]:
    """The messages in order, read as soon as they arrive: what a parent has not sent is lost when it ends."""
    waiting = SimpleQueue[bytes | None]()

    def read() -> None:
        try:
            with contextlib.suppress(
                EOFError, OSError
            ):  # the parent is gone, perhaps in the middle of a message
                while True:
                    waiting.put(connection.recv_bytes())
        finally:
            waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (message := waiting.get()) is not None:
        yield pickle.loads(message)  # noqa: S301 - written by the parent


@cache
def _warm_up(methods: tuple[str, ...]) -> None:
    """Load and compile what the first results would otherwise wait for."""
    from mlflow_interp.method_registry import kind_of

    for method in methods:
        # An error here is reported when the result is drawn.
        with contextlib.suppress(InterpretationError):
            warm_up = kind_of(method).warm_up
            if warm_up is not None:
                warm_up()


if __name__ == "__main__":
    main()
