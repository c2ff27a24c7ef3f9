"""The training's client of its worker process: sends without waiting, listens, waits at the end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mlflow_interp.tracking.spool import make_folder
from mlflow_interp.training.messages import Finish, Start, Step

Event = Mapping[str, Any]
OnEvent = Callable[[Event], None]


class _Process:
    """A worker process, which is reused for the next training with everything it has compiled.

    Attributes:
        on_event: called with each event that the process reports, in a separate thread.
        ended: whether it has ended.
        path: its search path for modules.
    """

    def __init__(self) -> None:
        self.on_event: OnEvent = lambda _: None
        self.ended = threading.Event()
        self.path = _module_path()
        self._messages = queue.Queue[bytes | None]()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - open while the process runs
        self._connection, worker_end = multiprocessing.Pipe()
        self._process = subprocess.Popen(  # noqa: S603 - our own Python
            [sys.executable, "-m", "mlflow_interp.training.worker", str(worker_end.fileno())],
            pass_fds=[worker_end.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            env=os.environ | {"PYTHONPATH": self.path},
            # Ctrl-C interrupts the training, which then sends the worker a message.
            start_new_session=True,
        )
        worker_end.close()
        for work in (self._send, self._listen):
            threading.Thread(target=work, name="mlflow-interp", daemon=True).start()

    def send(self, message: Any) -> None:
        """Send a message, after those that are waiting.

        Raises:
            Exception: the message can't be pickled; its parts may raise anything.
        """
        self._messages.put(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))

    def has_sent_all(self) -> bool:
        """Whether the queue is empty; a message in it is lost when the program ends."""
        return self._messages.unfinished_tasks == 0

    def last_line(self) -> str:
        """The last line that the process printed."""
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self._process.poll()}"

    def dismiss(self) -> None:
        """End the process, which has nothing left to do."""
        self._process.terminate()
        self._process.wait()
        self._output.close()

    def _send(self) -> None:
        with contextlib.suppress(OSError):  # the process may have ended, which `_listen` notices
            while (message := self._messages.get()) is not None:
                self._connection.send_bytes(message)
                self._messages.task_done()

    def _listen(self) -> None:
        try:
            with contextlib.suppress(EOFError, OSError):  # the process has ended
                while True:
                    event = self._connection.recv()
                    # Looked up for each event: the process may meanwhile serve another training.
                    self.on_event(event)
        finally:
            self._connection.close()
            self._messages.put(None)
            self._process.wait()
            self.ended.set()


_idle: list[_Process] = []
_lock = threading.Lock()


def _idle_or_new() -> _Process:
    """A worker process that no other training uses and that finds the same modules as this process.

    An older process would not find a package that was installed since, such as one with methods.
    """
    with _lock:
        while _idle:
            process = _idle.pop()
            if process.ended.is_set():
                continue
            if process.path == _module_path():
                return process
            process.dismiss()
    return _Process()


def _module_path() -> str:
    return os.pathsep.join(each for each in sys.path if each)


class WorkerClient:
    """Sends the messages of one training to a worker, and receives its events.

    Args:
        start: the first message; the spool is created here.
        on_event: called with each event that the worker reports, in a separate thread.
    """

    def __init__(self, start: Start, on_event: OnEvent) -> None:
        self.spool = make_folder()
        self.outcome: Event = {}
        self._on_event = on_event
        self._done = threading.Event()
        self._online = False
        self._last_event = time.monotonic()
        self._process = _idle_or_new()
        self._process.on_event = self._receive
        self._process.send(replace(start, spool=str(self.spool)))

    def step(self, step: Step) -> None:
        """Send the result of an epoch."""
        self._process.send(step)

    def finish(self, finish: Finish, *, limit: float, patience: float) -> str | None:
        """Send the end of the training, and wait until everything is logged; return why it is not, or None.

        Args:
            finish: how the training ended.
            limit: maximum seconds to wait for the remaining drawing and logging.
            patience: maximum seconds to wait for the tracking server while nothing is logged.
        """
        self._process.send(finish)
        deadline = time.monotonic() + limit
        while not self._done.wait(0.05):
            now = time.monotonic()
            if self._process.ended.is_set():
                return f"the worker process has ended: {self._process.last_line()}"
            if not self._process.has_sent_all() and now < deadline + patience:
                continue
            if self._online and now > self._last_event + patience:
                return "the tracking server does not answer"
            if now > deadline:
                return (
                    f"logging takes longer than {limit:g} s and continues in the background; no action is "
                    "needed unless it is interrupted"
                )
        with _lock:
            _idle.append(self._process)
        offline: str | None = self.outcome.get("offline")
        return offline

    def _receive(self, event: Event) -> None:
        self._last_event = time.monotonic()
        self._online = event.get("online", False)
        # An error in a listener must not keep the rest from being received.
        with contextlib.suppress(Exception):
            self._on_event(event)
        if "done" in event:
            self.outcome = event
            self._done.set()
