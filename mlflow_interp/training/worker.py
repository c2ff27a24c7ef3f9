"""The process beside a training: lays out, draws, writes to the spool and logs, at low priority.

`python -m mlflow_interp.training.worker` reads orders of its own parent from standard input, and
says in lines of JSON on standard output how it gets on. A tracking server that is slow or gone holds up
this process, and never the training.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from mlflow_interp.artifacts.spool import Spool
from mlflow_interp.exceptions import first_line, without_password
from mlflow_interp.loading.store import is_local
from mlflow_interp.training.orders import Finish, Start, Step, received

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
        self.tell, self.series, self._shows = tell, dict[str, _Series](), start.shows
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
        from mlflow_interp.artifacts import logged, uploading

        client = logged.client()
        uploading.make_run(client, self.spool)
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

    def step(self, order: Step) -> None:
        """Draw and write the result of an epoch, and log it."""
        try:
            self._write(order)
        except Exception as error:
            self.tell(failed=order.method, why=f"{type(error).__name__}: {error}")
            return
        self._online(self._upload)

    def _write(self, order: Step) -> None:
        from mlflow_interp import report
        from mlflow_interp.deferral import Deferred
        from mlflow_interp.manifest import complete_manifest, write_folder
        from mlflow_interp.training import over_steps

        series = self.series.setdefault(order.method, _Series())
        previous = series.results[max(series.results)] if series.results else None
        result = order.result.conclude(previous) if isinstance(order.result, Deferred) else order.result
        _, files = report.files(order.method, result, order.figure, with_page=False)
        described = report.manifest(order.method, result, order.given, order.facts, seconds=order.seconds)
        manifest = complete_manifest(described | {"step": order.step}, files)
        self.spool.save()
        folder = self.spool.folder / order.method / f"epoch-{order.step:04d}"
        write_folder(folder, files, manifest)
        if not over_steps.needs_results(order.method):
            series.results.clear()
        series.results[order.step], series.manifests[order.step] = result, manifest
        series.figure = dict(order.figure)
        # The picture itself, as its file may be gone once it is logged.
        shown = {"picture": base64.b64encode(files["figure.png"]).decode()} if self._shows else {}
        self.tell(drawn=order.method, step=order.step, **shown)
        for warning in manifest["warnings"] if len(series.manifests) == 1 else ():
            self.tell(warning=f"{order.method}: {warning}")

    def _upload(self) -> None:
        from mlflow_interp.artifacts.uploading import upload
        from mlflow_interp.figures import index

        for piece in upload(self.spool, index.page):
            self.tell(logged=piece)

    def finish(self, order: Finish) -> None:
        """Write the pages over all steps, log what is left, end the run if it was made here."""
        from mlflow_interp.artifacts.uploading import end_run

        self.offline = None  # one more try
        for method in self.series:
            self._write_page(method)
        if self.spool.status is not None:
            self.spool.status = order.status
        self._online(self._upload)
        self._online(lambda: end_run(self.spool))
        if self.offline is None:
            self.spool.remove()
        else:
            with contextlib.suppress(OSError):  # on a full disk what was written last still counts
                self.spool.leave()
        self.tell(done=True, offline=self.offline)

    def _write_page(self, method: str) -> None:
        from mlflow_interp.training import over_steps

        series = self.series[method]
        if not series.results:
            return
        try:
            over_steps.write_whole(
                self.spool.folder / method, method, series.results, series.manifests, series.figure
            )
        except Exception as error:
            self.tell(failed=method, why=f"{type(error).__name__}: {error}")


def main() -> None:
    """Read orders until the last one, or until the parent is gone."""
    # What is printed, by whomever, goes to the parent's log and not among the lines it reads.
    told, sys.stdout = sys.stdout, sys.stderr
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    # umap-learn would import it, and nothing here needs it.
    sys.modules["tensorflow"] = None  # type: ignore[assignment]

    def tell(**what: Any) -> None:
        with contextlib.suppress(OSError):  # where the parent is gone, what it asked for is done all the same
            print(json.dumps(what), file=told, flush=True)

    _serve(sys.stdin.buffer, tell)


def _serve(orders: IO[bytes], tell: Tell) -> None:
    """Carry out the orders of one training after the other, until the parent is gone."""
    import mlflow

    worker: Worker | None = None
    for order in _taken_in(orders):
        if isinstance(order, Start):
            for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
                del os.environ[name]
            os.environ.update(_IMPATIENT | dict(order.environment))
            mlflow.set_tracking_uri(order.tracking_uri)
            worker = Worker(order, tell)
            _warm_up(order.warm_up)
        elif isinstance(order, Finish) and worker is not None:
            worker.finish(order)
            worker = None
        elif worker is not None:
            worker.step(order)
    if worker is not None:
        worker.finish(Finish("FAILED"))


def _taken_in(orders: IO[bytes]) -> Iterator[Any]:
    """Orders in their turn, read as they come: what a parent still holds when it ends is lost."""
    waiting = SimpleQueue[bytes | None]()

    def read() -> None:
        order: bytes | None = b""
        while order is not None:
            order = received(orders)
            waiting.put(order)

    threading.Thread(target=read, daemon=True).start()
    while (order := waiting.get()) is not None:
        yield pickle.loads(order)  # noqa: S301 - written by the parent


@cache
def _warm_up(methods: tuple[str, ...]) -> None:
    """Have Numba compile what the first layout would wait for."""
    if "umap" in methods:
        from mlflow_interp.embedding.layout import try_out

        try_out({"n_neighbors": 5, "min_dist": 0.1, "n_components": 2, "random_state": 0})


if __name__ == "__main__":
    main()
