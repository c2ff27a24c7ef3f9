"""The interpretation of one training: of which inputs, after which epochs, and logged to which run."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from types import FrameType
from typing import Any

from mlflow_interp import progress
from mlflow_interp.backend.validation_tap import ValidationBatch, ValidationTap
from mlflow_interp.engine.deferral import deferring
from mlflow_interp.exceptions import InapplicableError
from mlflow_interp.method_registry import find_method
from mlflow_interp.models.origin import LoadedModel, Origin, digested
from mlflow_interp.options import parameters_of, route
from mlflow_interp.report.provenance import Provenance
from mlflow_interp.tracking.destination import active_run_id, context_tags, tracking_uri
from mlflow_interp.training.fit_data import fit_data, fit_frame, is_under_way, was_interrupted
from mlflow_interp.training.inputs import NOT_CAPTURED, TrainingInputs
from mlflow_interp.training.messages import Finish, Start, Step
from mlflow_interp.training.options import TrainingOptions
from mlflow_interp.training.validation_counts import ValidationCounts
from mlflow_interp.training.worker_client import Event, OnEvent, WorkerClient

logger = logging.getLogger("mlflow_interp")

FULL_VALIDATION_METHOD = (
    "confusion_matrix"  # the method that looks at the whole validation set and not at a sample
)
PATIENCE = 5.0  # most seconds that a training waits for a tracking server that doesn't answer
WATCH_INTERVAL = 0.25  # seconds between checks whether a training still runs
MISSES = 4  # looks in a row that find no training, before it counts as left


class Session:
    """Interprets one training from its beginning to its end.

    Args:
        options: of the training's interpretation.
        model: the Keras model in training.
        epochs: the number of epochs planned.
        on_event: called with each event that the worker reports; None without a listener.
        silent: whether to log no warnings.

    Attributes:
        run_id: the run that is logged to; None until it is created.
        given_up: methods that training goes on without.
    """

    def __init__(
        self,
        options: TrainingOptions,
        model: Any,
        epochs: int,
        *,
        on_event: OnEvent | None = None,
        silent: bool = False,
    ) -> None:
        self.options = options
        self.methods = options.by_method
        self.model = model
        self.epochs = epochs
        self._on_event = on_event
        self._silent = silent
        self.run_id = options.run_id or active_run_id()
        self.given_up: set[str] = set()
        self._epoch_model: LoadedModel | None = None
        self._warned: set[str] = set()
        self._epoch = 0
        self._ended = False
        self._ending = threading.Lock()
        frame = fit_frame(model)
        data = fit_data(frame)
        self._inputs = TrainingInputs(options, data, self._loaded, self._warn)
        counts = (
            FULL_VALIDATION_METHOD in self.methods and options.data is None and data.validation is not None
        )
        counts_options = self.methods.get(FULL_VALIDATION_METHOD, {})
        self._counts = ValidationCounts(counts_options, options.class_names, self._loaded) if counts else None
        self._worker = WorkerClient(self._start(), self._receive)
        captures = counts or self._inputs.captures
        self._tap = ValidationTap(model, self._add) if captures else None
        if self._tap is not None and not self._tap.possible and self._inputs.captures:
            self._warn(NOT_CAPTURED)
        self._at_exit = weakref.finalize(self, _close_at_exit, self._worker, self._tap)
        if frame is not None:
            watch = (frame, threading.get_ident())
            threading.Thread(target=self._watch, args=watch, name="mlflow-interp", daemon=True).start()

    def _start(self) -> Start:
        return Start(
            run_id=self.run_id,
            run_name=f"interpretation of {self.model.name}",
            tags=context_tags() if self.run_id is None else {},
            tracking_uri=tracking_uri(),
            environment=dict(os.environ),
            spool="",
            warm_up=tuple(self.methods),
            shows=self._on_event is not None,
        )

    def _loaded(self) -> LoadedModel:
        return LoadedModel(self.model, Origin("keras.Model", name=self.model.name, run_id=self.run_id))

    def begin_validation(self) -> None:
        """Start capturing a validation pass, where that is needed."""
        if self._tap is not None and not self._ended:
            self._inputs.begin_pass(self._epoch)
            if self._counts is not None:
                self._counts.begin_pass()
            self._tap.open()

    def end_validation(self) -> None:
        """Stop capturing."""
        if self._tap is not None:
            self._tap.close()

    def _add(self, batch: ValidationBatch) -> None:
        """Add a batch of the validation pass; called by TensorFlow, so it must not raise."""
        try:
            self._inputs.add(batch)
            if self._counts is not None and FULL_VALIDATION_METHOD not in self.given_up:
                self._counts.add(batch, str(self._tap and self._tap.head))
        except Exception as error:
            self.give_up(FULL_VALIDATION_METHOD, error)

    def epoch(self, epoch: int) -> None:
        """Interpret the model after an epoch, if it is one of those to interpret."""
        self._epoch = epoch + 1
        self._epoch_model = None
        if (epoch + 1) % self.options.every_n_epochs and epoch + 1 != self.epochs:
            return
        for method in self.methods:
            if method not in self.given_up:
                try:
                    self._interpret(method, epoch)
                except Exception as error:
                    self.give_up(method, error)

    def _interpret(self, method: str, epoch: int) -> None:
        started = time.perf_counter()
        method_options = dict(self.methods[method])
        options = route(method, method_options)
        outcome = self._result(method, epoch, options["method"])
        if outcome is None:
            return
        result, provenance = outcome
        seconds = time.perf_counter() - started
        self._worker.step(
            Step(
                method=method,
                step=epoch,
                result=result,
                given=method_options,
                figure=options["figure"],
                parameters=parameters_of(method, method_options),
                provenance=provenance,
                seconds=seconds,
            )
        )
        if method == FULL_VALIDATION_METHOD and self.options.verbose:
            from mlflow_interp.kinds.confusion_matrix.text import as_text

            print(as_text(result))

    def _result(self, method: str, epoch: int, options: Mapping[str, Any]) -> tuple[Any, Provenance] | None:
        """A result, or the deferred call that computes it; None where there are no inputs yet."""
        if method == FULL_VALIDATION_METHOD and self._counts is not None:
            counts = self._counts.result(self._digested())
            # Never a sample after one epoch and all data after another: they would share one curve.
            batch = None if counts else self._inputs.validation_batch()
        else:
            counts = None
            batch = self._inputs.batch(epoch)
        if batch is None:
            return counts
        with deferring(), progress.shown(False):
            result = find_method(method)(self.model, batch, **options)
        return result, Provenance.of(self._digested(), batch)

    def _digested(self) -> LoadedModel:
        """The model as it is after this epoch."""
        if self._epoch_model is None:
            self._epoch_model = digested(self._loaded())
        return self._epoch_model

    def end(self, status: str = "FINISHED") -> None:
        """Wait until everything is logged, up to the time limits, and warn of what is not."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
        self._at_exit.detach()
        _close(self._worker, self._tap, status, self.options.wait)

    def _watch(self, frame: FrameType, thread: int) -> None:
        """End the session when `fit` is left by an exception, which calls no callback."""
        misses = 0
        while misses < MISSES and not self._ended:
            # The frames of another thread change while they are walked, so that one look can miss the call.
            misses = 0 if is_under_way(frame, thread) else misses + 1
            # An interrupt is known once the interpreter, or the notebook, has reported it.
            if misses and was_interrupted(frame):
                break
            time.sleep(WATCH_INTERVAL)
        self.end("KILLED" if was_interrupted(frame) else "FAILED")

    def give_up_all(self, error: Exception) -> None:
        """Go on without interpretation; existing results are logged, and the run ends as usual."""
        if self.given_up >= set(self.methods):
            return
        self.given_up.update(self.methods)
        self._warn(f"training goes on without interpretation: {_reason(error)}")

    def give_up(self, method: str, error: Exception) -> None:
        """Go on without a method, with one warning about the reason."""
        if method in self.given_up:
            return
        self.given_up.add(method)
        self._warn(f"training goes on without {method}: {_reason(error)}")

    def _warn(self, text: str) -> None:
        if text not in self._warned and not self._silent:
            self._warned.add(text)
            logger.warning("%s", text)

    def _receive(self, event: Event) -> None:
        """Handle an event that the worker reports; runs in the client's thread."""
        if "run" in event:
            self.run_id = event["run"]
        if "failed" in event:
            self._warn(f"{event['failed']} could not be drawn: {event['why']}")
        if "warning" in event:
            self._warn(event["warning"])
        if self._on_event is not None:
            self._on_event(event)


def _reason(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return first if isinstance(error, InapplicableError) else f"{type(error).__name__}: {first}"


def _close_at_exit(worker: WorkerClient, tap: ValidationTap | None) -> None:
    """Close when the program ends during a training; the worker does the remaining work."""
    interrupted = isinstance(getattr(sys, "last_value", None), KeyboardInterrupt)
    _close(worker, tap, "KILLED" if interrupted else "FAILED", 1.0)


def _close(worker: WorkerClient, tap: ValidationTap | None, status: str, wait: float) -> None:
    if tap is not None:
        tap.restore()
    why = worker.finish(Finish(status), limit=wait, patience=PATIENCE)
    if why is not None:
        logger.warning(
            "not all interpretations are logged (%s); what is missing is kept, and logged with: "
            "mlflow-interp resume %s",
            why,
            worker.spool,
        )
