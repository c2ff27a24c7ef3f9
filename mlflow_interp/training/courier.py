"""The training's side of the process beside it: sends without waiting, hears, waits at the end a while."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mlflow_interp.artifacts.spool import make_folder
from mlflow_interp.training.orders import Finish, Start, Step, send

Hear = Callable[[Mapping[str, Any]], None]


class _Process:
    """A process that carries out orders, and is kept for the next training: what it has compiled stays.

    Attributes:
        hear: called with each thing it says, in a thread of its own.
        gone: whether it has ended.
    """

    def __init__(self) -> None:
        self.hear: Hear = lambda _: None
        self.gone = threading.Event()
        self._orders = queue.Queue[Any]()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow_interp.training.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
            # Ctrl-C is for the training, which says then what is to be done here.
            start_new_session=True,
        )
        for work in (self._send, self._listen):
            threading.Thread(target=work, name="mlflow-interp", daemon=True).start()

    def order(self, order: Any) -> None:
        """Have something done, in its turn."""
        self._orders.put(order)

    def knows_all(self) -> bool:
        """Whether every order has been sent; what has not is lost when the program ends."""
        return self._orders.unfinished_tasks == 0

    def last_words(self) -> str:
        """The last line of what it has printed."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self._process.poll()}"

    def _send(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101 - asked for above
        with contextlib.suppress(OSError), pipe:  # it may have ended, and `_listen` hears of that
            while True:
                send(self._orders.get(), pipe)
                self._orders.task_done()

    def _listen(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None  # noqa: S101 - asked for above
        with pipe:
            for line in pipe:
                self.hear(json.loads(line))
        self._process.wait()
        self.gone.set()


_idle: list[_Process] = []
_lock = threading.Lock()


def _taken() -> _Process:
    with _lock:
        while _idle:
            process = _idle.pop()
            if not process.gone.is_set():
                return process
    return _Process()


class Courier:
    """Sends the orders of one training, and keeps what it hears.

    Args:
        start: where results go; the spool is made here.
        hear: called with each thing that is said, in a thread of its own.
    """

    def __init__(self, start: Start, hear: Hear) -> None:
        self.spool = make_folder()
        self.outcome: Mapping[str, Any] = {}
        self._hear, self._done = hear, threading.Event()
        self._online, self._last = False, time.monotonic()
        self._process = _taken()
        self._process.hear = self._take
        self._process.order(replace(start, spool=str(self.spool)))

    def step(self, order: Step) -> None:
        """Hand over what was found after an epoch."""
        self._process.order(order)

    def finish(self, order: Finish, *, limit: float, patience: float) -> str | None:
        """Say that it is over, and wait until all is logged; if it isn't, why.

        Args:
            order: how the training ended.
            limit: most seconds to wait for what is still to be drawn and logged.
            patience: most seconds to wait for the tracking server without anything being logged.
        """
        self._process.order(order)
        until = time.monotonic() + limit
        while not self._done.wait(0.05):
            now = time.monotonic()
            if self._process.gone.is_set():
                return f"the process beside the training has ended: {self._process.last_words()}"
            if not self._process.knows_all() and now < until + patience:
                continue
            if self._online and now > self._last + patience:
                return "the tracking server does not answer"
            if now > until:
                return (
                    f"it takes more than {limit:g} s, and goes on in the background; unless that is cut off, "
                    "nothing is to be done"
                )
        with _lock:
            _idle.append(self._process)
        offline: str | None = self.outcome.get("offline")
        return offline

    def _take(self, said: Mapping[str, Any]) -> None:
        self._last = time.monotonic()
        self._online = said.get("online", False)
        # An error in who hears must not keep the rest from being heard.
        with contextlib.suppress(Exception):
            self._hear(said)
        if "done" in said:
            self.outcome = said
            self._done.set()
