"""The process beside a training: lays out, draws, writes to the spool and logs, at low priority.

`python -m mlflow_interp.training.worker DESCRIPTOR` gets messages from its own parent over a connection, and
reports over the same one. A tracking server that is slow or gone holds up
this process, and never the training.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from mlflow_interp.exceptions import first_line, without_password
from mlflow_interp.models.artifact_store import is_local
from mlflow_interp.tracking.destination import use_tracking_uri
from mlflow_interp.tracking.spool import Spool
from mlflow_interp.training.messages import Finish, Start, Step

Tell = Callable[..., None]

NICENESS = 10
# A server that doesn't answer costs so many seconds a call, not 247.
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "4", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


@dataclass
class _Series:
    """One method over the steps: what was found, and how it is drawn."""

    results: dict[int, Any] = field(default_factory=dict)
    manifests: dict[int, dict[str, Any]] = field(default_factory=dict)
    figure: dict[str, Any] = field(default_factory=dict)


class Worker:
    """Carries out orders, one after the other."""

    def __init__(self, start: Start, tell: Tell) -> None:
        self.tell = tell
        self.series = dict[str, _Series]()
        self._shows = start.shows
        self.spool = Spool(
            folder=Path(start.spool),
            tracking_uri=without_password(start.tracking_uri),
            run_id=start.run_id,
            run_name=start.run_name,
            tags=start.tags,
            experiment_id=start.environment.get("MLFLOW_EXPERIMENT_ID"),
            # Until the training says otherwise.
            status="KILLED" if start.run_id is None else None,
            process=os.getpid(),
        )
        self.offline: str | None = None
        self._remote = not is_local(start.tracking_uri)
        self._online(self._open)

    def _open(self) -> None:
        from mlflow_interp.tracking import log, upload

        client = log.client()
        upload.make_run(client, self.spool)
        self.tell(run=self.spool.run_id)
        stored = client.get_run(self.spool.run_id).info.artifact_uri
        self._remote = self._remote or not is_local(stored)

    def _online(self, work: Callable[[], None]) -> None:
        """Do what needs the tracking server, unless that was found not to answer."""
        if self.offline is not None:
            return
        # A disk here always answers, if late on a busy machine.
        self.tell(online=self._remote)
        try:
            work()
        except Exception as error:
            self.offline = first_line(error)
        finally:
            self.tell(online=False)

    def step(self, message: Step) -> None:
        """Draw and write the result of an epoch, and log it."""
        try:
            self._write(message)
        except Exception as error:
            self.tell(failed=message.method, why=f"{type(error).__name__}: {error}")
            return
        self._online(self._upload)

    def _write(self, message: Step) -> None:
        from mlflow_interp.engine.deferral import Deferred
        from mlflow_interp.report.files import draw_files
        from mlflow_interp.report.folder import write_folder
        from mlflow_interp.report.manifest import complete_manifest, describe
        from mlflow_interp.training import epoch_summary

        series = self.series.setdefault(message.method, _Series())
        previous = series.results[max(series.results)] if series.results else None
        result = message.result.conclude(previous) if isinstance(message.result, Deferred) else message.result
        _, files = draw_files(message.method, result, message.figure, with_page=False)
        described = describe(
            message.method,
            result,
            message.given,
            message.provenance,
            parameters=message.parameters,
            seconds=message.seconds,
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
        # The figure itself, as its file may be gone once it is logged.
        shown = {"figure": files["figure.png"]} if self._shows else {}
        self.tell(drawn=message.method, step=message.step, **shown)
        for warning in manifest["warnings"] if len(series.manifests) == 1 else ():
            self.tell(warning=f"{message.method}: {warning}")

    def _upload(self) -> None:
        from mlflow_interp.tracking.upload import upload

        for piece in upload(self.spool):
            self.tell(logged=piece)

    def finish(self, message: Finish) -> None:
        """Write the pages over all steps, log what is left, end the run if it was made here."""
        from mlflow_interp.tracking.upload import end_run

        self.offline = None  # one more try
        for method in self.series:
            self._write_page(method)
        if self.spool.status is not None:
            self.spool.status = message.status
        self._online(self._upload)
        self._online(lambda: end_run(self.spool))
        if self.offline is None:
            self.spool.remove()
        else:
            with contextlib.suppress(OSError):  # on a full disk what was written last still counts
                self.spool.leave()
        self.tell(done=True, offline=self.offline)

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
            self.tell(failed=method, why=f"{type(error).__name__}: {error}")


def main() -> None:
    """Carry out what the parent asks for, until it is gone."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    # umap-learn would import it, and nothing here needs it.
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    connection = Connection(int(sys.argv[1]))

    def tell(**event: Any) -> None:
        with contextlib.suppress(OSError):  # where the parent is gone, what it asked for is done all the same
            connection.send(event)

    _serve(connection, tell)


def _serve(connection: Connection, tell: Tell) -> None:
    """Work for one training after the other, until the parent is gone."""
    worker: Worker | None = None
    for message in _received(connection):
        if isinstance(message, Start):
            for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
                del os.environ[name]
            os.environ.update(_IMPATIENT | dict(message.environment))
            use_tracking_uri(message.tracking_uri)
            worker = Worker(message, tell)
            _warm_up(message.warm_up)
        elif isinstance(message, Finish) and worker is not None:
            worker.finish(message)
            worker = None
        elif worker is not None:
            worker.step(message)
    if worker is not None:
        worker.finish(Finish("FAILED"))


def _received(connection: Connection) -> Iterator[Any]:
    """Messages in their turn, read as they come: what a parent still holds when it ends is lost."""
    waiting = SimpleQueue[bytes | None]()

    def read() -> None:
        with contextlib.suppress(EOFError, OSError):  # the parent is gone, in the middle of a message too
            while True:
                waiting.put(connection.recv_bytes())
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (message := waiting.get()) is not None:
        yield pickle.loads(message)  # noqa: S301 - written by the parent


@cache
def _warm_up(methods: tuple[str, ...]) -> None:
    """Have Numba compile what the first layout would wait for."""
    if "umap" in methods:
        from mlflow_interp.kinds.embedding.layout import try_out

        try_out({"n_neighbors": 5, "min_dist": 0.1, "n_components": 2, "random_state": 0})


if __name__ == "__main__":
    main()
