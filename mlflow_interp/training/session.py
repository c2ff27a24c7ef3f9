"""One training as interpretation sees it: what is looked at, after which epochs, and where it goes."""

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
from mlflow_interp.deferral import deferring
from mlflow_interp.exceptions import InapplicableError
from mlflow_interp.loading.models import LoadedModel, Origin, digested
from mlflow_interp.options import route
from mlflow_interp.registry import find_method
from mlflow_interp.report import Facts
from mlflow_interp.training.counted import Counted
from mlflow_interp.training.courier import Courier
from mlflow_interp.training.observing import (
    Seen,
    ValidationTap,
    fit_data,
    fit_frame,
    is_under_way,
    was_interrupted,
)
from mlflow_interp.training.orders import Finish, Start, Step
from mlflow_interp.training.samples import UNHEARD, Samples
from mlflow_interp.training.settings import Settings

logger = logging.getLogger("mlflow_interp")

WHOLE = "confusion_matrix"  # the method that looks at the whole validation set and not at a sample
PATIENCE = 5.0  # most seconds that a tracking server which doesn't answer may cost a training
WATCH = 0.25  # seconds between looks whether a training is still under way


class Session:
    """From the beginning of a training to its end.

    Args:
        settings: what is asked for.
        model: the Keras model in training.
        epochs: how many epochs are planned.

    Attributes:
        run_id: the run that is logged to; None until it is made.
        given_up: methods that training goes on without.
    """

    def __init__(self, settings: Settings, model: Any, epochs: int) -> None:
        self.settings, self.model, self.epochs = settings, model, epochs
        self.run_id = settings.run_id or _active_run()
        self.given_up: set[str] = set()
        self._as_now: LoadedModel | None = None
        self._said: set[str] = set()
        self._epoch, self._ended, self._ending = 0, False, threading.Lock()
        frame = fit_frame(model)
        data = fit_data(frame)
        self._samples = Samples(settings, data, self._loaded, self._say)
        counts = WHOLE in settings.methods and settings.data is None and data.validation is not None
        own = settings.methods.get(WHOLE, {})
        self._counted = Counted(own, settings.class_names, self._loaded) if counts else None
        self._courier = Courier(self._start(), self._heard)
        hears = counts or self._samples.listens
        self._tap = ValidationTap(model, self._hear) if hears else None
        if self._tap is not None and not self._tap.possible and self._samples.listens:
            self._say(UNHEARD)
        self._at_exit = weakref.finalize(self, _close_at_exit, self._courier, self._tap)
        if frame is not None:
            watch = (frame, threading.get_ident())
            threading.Thread(target=self._watch, args=watch, name="mlflow-interp", daemon=True).start()

    def _start(self) -> Start:
        import mlflow

        tags = _context_tags() if self.run_id is None else {}
        return Start(
            run_id=self.run_id,
            run_name=f"interpretation of {self.model.name}",
            tags=tags,
            tracking_uri=mlflow.get_tracking_uri(),
            environment=dict(os.environ),
            spool="",
            warm_up=tuple(self.settings.methods),
            shows=self.settings.hear is not None,
        )

    def _loaded(self) -> LoadedModel:
        return LoadedModel(self.model, Origin("keras.Model", name=self.model.name, run_id=self.run_id))

    def begin_validation(self) -> None:
        """Hear the validation pass that begins, where that is needed."""
        if self._tap is not None and not self._ended:
            self._samples.begin_pass(self._epoch)
            if self._counted is not None:
                self._counted.begin_pass()
            self._tap.open()

    def end_validation(self) -> None:
        """Hear no more."""
        if self._tap is not None:
            self._tap.close()

    def _hear(self, seen: Seen) -> None:
        """A batch of the validation pass; called by TensorFlow, which must not see an error."""
        try:
            self._samples.hear(seen)
            if self._counted is not None and WHOLE not in self.given_up:
                self._counted.hear(seen, str(self._tap and self._tap.head))
        except Exception as error:
            self.give_up(WHOLE, error)

    def epoch(self, epoch: int) -> None:
        """Interpret what the model is after an epoch, if it is one that was asked for."""
        self._epoch, self._as_now = epoch + 1, None
        if (epoch + 1) % self.settings.every_n_epochs and epoch + 1 != self.epochs:
            return
        for method in self.settings.methods:
            if method not in self.given_up:
                try:
                    self._interpret(method, epoch)
                except Exception as error:
                    self.give_up(method, error)

    def _interpret(self, method: str, epoch: int) -> None:
        started, given = time.perf_counter(), dict(self.settings.methods[method])
        options = route(method, given)
        found = self._found(method, epoch, options["method"])
        if found is None:
            return
        seconds = time.perf_counter() - started
        self._courier.step(Step(method, epoch, found[0], given, options["figure"], found[1], seconds))
        if method == WHOLE and self.settings.verbose:
            from mlflow_interp.figures.confusion_matrix import as_text

            print(as_text(found[0]))

    def _found(self, method: str, epoch: int, options: Mapping[str, Any]) -> tuple[Any, Facts] | None:
        """A result, or the rest of the work on it; None where there is nothing to look at yet."""
        if method == WHOLE and self._counted is not None:
            counted = self._counted.take(self._digested())
            # Not a sample now and the whole then: their numbers would make one curve.
            batch = None if counted else self._samples.whole()
        else:
            counted, batch = None, self._samples.batch(epoch)
        if batch is None:
            return counted
        with deferring(), progress.shown(False):
            result = find_method(method)(self.model, batch, **options)
        return result, Facts.of(self._digested(), batch)

    def _digested(self) -> LoadedModel:
        """The model as it is after this epoch."""
        if self._as_now is None:
            self._as_now = digested(self._loaded())
        return self._as_now

    def end(self, status: str = "FINISHED") -> None:
        """Wait until all is logged, within limits, and say what is not."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
        self._at_exit.detach()
        _close(self._courier, self._tap, status, self.settings.wait)

    def _watch(self, frame: FrameType, thread: int) -> None:
        """End what was begun when `fit` is left by an exception, which calls no callback."""
        while is_under_way(frame, thread):
            time.sleep(WATCH)
        # Who was interrupted is known once the interpreter, or the notebook, has told the user.
        for _ in range(4):
            if self._ended or was_interrupted(frame):
                break
            time.sleep(WATCH)
        self.end("KILLED" if was_interrupted(frame) else "FAILED")

    def give_up_all(self, error: Exception) -> None:
        """Go on without interpretation; what was found is logged, and the run ends as it should."""
        if self.given_up >= set(self.settings.methods):
            return
        self.given_up.update(self.settings.methods)
        self._say(f"training goes on without interpretation: {_reason(error)}")

    def give_up(self, method: str, error: Exception) -> None:
        """Go on without a method, and say why once."""
        if method in self.given_up:
            return
        self.given_up.add(method)
        self._say(f"training goes on without {method}: {_reason(error)}")

    def _say(self, text: str) -> None:
        if text not in self._said and not self.settings.silent:
            self._said.add(text)
            logger.warning("%s", text)

    def _heard(self, said: Mapping[str, Any]) -> None:
        """What the process beside says; in the courier's thread."""
        if "run" in said:
            self.run_id = said["run"]
        if "failed" in said:
            self._say(f"{said['failed']} could not be drawn: {said['why']}")
        if "warning" in said:
            self._say(said["warning"])
        if self.settings.hear is not None:
            self.settings.hear(said)


def _reason(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return first if isinstance(error, InapplicableError) else f"{type(error).__name__}: {first}"


def _active_run() -> str | None:
    import mlflow

    run = mlflow.active_run()
    return os.environ.get("MLFLOW_RUN_ID") if run is None else str(run.info.run_id)


def _context_tags() -> dict[str, str]:
    from mlflow.tracking.context.registry import resolve_tags

    return dict(resolve_tags())


def _close_at_exit(courier: Courier, tap: ValidationTap | None) -> None:
    """The program ends in the middle of a training; the process beside it does what is left to do."""
    interrupted = isinstance(getattr(sys, "last_value", None), KeyboardInterrupt)
    _close(courier, tap, "KILLED" if interrupted else "FAILED", 1.0)


def _close(courier: Courier, tap: ValidationTap | None, status: str, wait: float) -> None:
    if tap is not None:
        tap.restore()
    why = courier.finish(Finish(status), limit=wait, patience=PATIENCE)
    if why is not None:
        logger.warning(
            "not all interpretations are logged (%s); what is missing is kept, and logged with: "
            "mlflow-interp resume %s",
            why,
            courier.spool,
        )
