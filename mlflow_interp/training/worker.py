"""The process beside a training: lays out, draws, writes to the spool and logs, at low priority.

`python -m mlflow_interp.training.worker` reads pickled orders of its own parent from standard input, and
says in lines of JSON on standard output how it gets on. A tracking server that is slow or gone holds up
this process, and never the training.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any

from mlflow_interp.loading.store import is_local
from mlflow_interp.training.orders import Finish, Start, Step

Tell = Callable[..., None]

NICENESS = 10
# A server that doesn't answer costs so many seconds a call, not 247.
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "4", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


@dataclass
class _Series:
    """One method over the steps: where it is logged, what was found, what is still to be uploaded."""

    place: str
    results: dict[int, Any] = field(default_factory=dict)
    manifests: dict[int, dict[str, Any]] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    figure: dict[str, Any] = field(default_factory=dict)


class Worker:
    """Carries out orders, one after the other."""

    def __init__(self, start: Start, tell: Tell) -> None:
        from mlflow_interp.artifacts.run_log import RunLog

        self.start, self.tell, self.spool = start, tell, Path(start.spool)
        self.series: dict[str, _Series] = {}
        self.log = RunLog(start.run_id)
        self.offline: str | None = None
        self._remote = not is_local(start.tracking_uri)
        self._online(self._open)

    def _open(self) -> None:
        if self.log.run_id is None:
            self.log.create(self.start.run_name, self.start.tags)
        self.tell(run=self.log.run_id)
        self._remote = self._remote or not is_local(self.log.artifact_uri())

    def _online(self, work: Callable[..., None], *arguments: Any) -> bool:
        """Do what needs the tracking server, unless that was found not to answer."""
        if self.offline is not None:
            return False
        # A disk here always answers, if late on a busy machine.
        self.tell(online=self._remote)
        try:
            work(*arguments)
        except Exception as error:
            self.offline = (str(error).strip().splitlines() or [type(error).__name__])[0]
            return False
        finally:
            self.tell(online=False)
        return True

    def step(self, order: Step) -> None:
        """Draw and write the result of an epoch, and log it."""
        try:
            self._write(order)
        except Exception as error:
            self.tell(failed=order.method, why=f"{type(error).__name__}: {error}")
            return
        self._upload(order.method)

    def _write(self, order: Step) -> None:
        from mlflow_interp import report
        from mlflow_interp.deferral import Deferred
        from mlflow_interp.manifest import complete_manifest, write_folder
        from mlflow_interp.training import over_steps

        series = self._series(order.method)
        previous = series.results[max(series.results)] if series.results else None
        result = order.result.conclude(previous) if isinstance(order.result, Deferred) else order.result
        _, files = report.files(order.method, result, order.figure, with_page=False)
        described = report.manifest(order.method, result, order.given, order.facts, seconds=order.seconds)
        manifest = complete_manifest(described | {"step": order.step}, files)
        folder = self._folder(order.method, order.step)
        write_folder(folder, files, manifest)
        if not over_steps.needs_results(order.method):
            series.results.clear()
        series.results[order.step], series.manifests[order.step] = result, manifest
        series.waiting.append(order.step)
        series.figure = dict(order.figure)
        self.tell(drawn=order.method, step=order.step, figure=str(folder / "figure.png"))
        for warning in manifest["warnings"] if len(series.manifests) == 1 else ():
            self.tell(warning=f"{order.method}: {warning}")

    def _series(self, method: str) -> _Series:
        if method not in self.series:
            places = [method]
            self._online(lambda: places.append(self.log.free_place(method)))
            self.series[method] = _Series(places[-1])
        return self.series[method]

    def _folder(self, method: str, step: int) -> Path:
        return self.spool / self.series[method].place / f"epoch-{step:04d}"

    def _upload(self, method: str) -> None:
        """Log what waits, the oldest first."""
        series = self.series[method]
        while series.waiting and self._online(self._upload_step, method, series.waiting[0]):
            series.waiting.pop(0)

    def _upload_step(self, method: str, step: int) -> None:
        series = self.series[method]
        self.log.step(series.place, step, self._folder(method, step), series.manifests[step])
        self.tell(logged=method, step=step)

    def finish(self, order: Finish) -> None:
        """Write the pages over all steps, log what is left, end the run if it was made here."""
        self.offline = None  # one more try
        pages = [method for method, series in self.series.items() if series.results and self._page(method)]
        for method in self.series:
            self._upload(method)
        for method in pages:
            self._online(self.log.whole, self.series[method].place, self.spool / self.series[method].place)
        if pages:
            self._online(self._index, [self.series[method].place for method in pages])
        if self.start.run_id is None:
            self._online(self.log.end, order.status)
        left = self.offline
        if left is None:
            shutil.rmtree(self.spool, ignore_errors=True)
        self.tell(done=True, offline=left)

    def _page(self, method: str) -> bool:
        from mlflow_interp.training import over_steps

        series = self.series[method]
        try:
            over_steps.write_whole(
                self.spool / series.place, method, series.results, series.manifests, series.figure
            )
        except Exception as error:
            self.tell(failed=method, why=f"{type(error).__name__}: {error}")
            return False
        return True

    def _index(self, places: list[str]) -> None:
        from mlflow_interp.figures import index

        self.log.index(index.page, self.spool, places)


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
    while True:
        try:
            order = pickle.load(orders)  # noqa: S301 - written by the parent
        except EOFError:
            if worker is not None:
                worker.finish(Finish("FAILED"))
            return
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


@cache
def _warm_up(methods: tuple[str, ...]) -> None:
    """Have Numba compile what the first layout would wait for."""
    if "umap" in methods:
        from mlflow_interp.embedding.layout import try_out

        try_out({"n_neighbors": 5, "min_dist": 0.1, "n_components": 2, "random_state": 0})


if __name__ == "__main__":
    main()
