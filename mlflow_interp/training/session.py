"""The interpretation of one training: which inputs, after which epochs, and in which run."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import FrameType
from typing import Any

from mlflow_interp import progress
from mlflow_interp.backend.validation_tap import ValidationBatch, ValidationTap
from mlflow_interp.core.batch import Batch
from mlflow_interp.engine.explain import limit
from mlflow_interp.engine.method import Explaining, Predicting
from mlflow_interp.engine.parts import Part
from mlflow_interp.engine.run import run
from mlflow_interp.method_registry import class_of, find_method, kind_of
from mlflow_interp.models.origin import LoadedModel, Origin, digested
from mlflow_interp.models.output_head import compiled_loss, loss_of, output_facts
from mlflow_interp.models.outputs import find_output, only_output
from mlflow_interp.options import parameters_of, route
from mlflow_interp.report.provenance import Provenance
from mlflow_interp.tracking.destination import active_run_id, context_tags, tracking_uri
from mlflow_interp.training.closing import close, close_at_exit
from mlflow_interp.training.failures import Failures
from mlflow_interp.training.fit_data import (
    FitData,
    as_arrays,
    fit_data,
    fit_frame,
    is_under_way,
    was_interrupted,
)
from mlflow_interp.training.inputs import TrainingInputs
from mlflow_interp.training.messages import Start, Step
from mlflow_interp.training.options import TrainingOptions
from mlflow_interp.training.validation_pass import ValidationPass
from mlflow_interp.training.worker_client import Event, OnEvent, WorkerClient

WATCH_INTERVAL = 0.25  # seconds between checks that a training still runs
INTERRUPT_CHECKS = 4  # checks after a training for the interrupt that ended it


class Session:
    """Interprets one training from its beginning to its end.

    Args:
        options: the options of the training's interpretation.
        model: the Keras model in training.
        epochs: the planned number of epochs.
        on_event: called with each event that the worker reports; None for no listener.
        silent: whether to suppress warnings.

    Attributes:
        run_id: the run that is logged to; None until it is created.
        failures: the methods that failed.
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
        self.failures = Failures(self.methods, silent=silent, only_by_all=options.only_by_all)
        self.run_id = options.run_id or active_run_id()
        self._epoch_model: LoadedModel | None = None
        self._epoch = 0
        self._ended = False
        self._ending = threading.Lock()
        self._output = find_output(model, options.output)
        self._interpreted = model if options.output is None else only_output(model, options.output)
        frame = fit_frame(model)
        data = fit_data(frame)
        arrays = partial(as_arrays, output=self._output, loss=compiled_loss(model))
        self._inputs = TrainingInputs(options, data, arrays, self._loaded, self.failures.warn)
        self._pass = self._validation_pass(data)
        self._worker = WorkerClient(self._start(), self._receive)
        self._tap = self._validation_tap()
        if self._tap is not None and not self._tap.possible:
            self._warn_uncaptured()
        self._at_exit = weakref.finalize(self, close_at_exit, self._worker, self._tap)
        if frame is not None:
            threading.Thread(target=self._watch, args=(frame,), name="mlflow-interp", daemon=True).start()

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

    def _validation_pass(self, data: FitData) -> ValidationPass | None:
        """The pass for the methods that need only predictions; None if there are no such methods."""
        predicting = {
            name: route(name, options)["method"]
            for name, options in self.methods.items()
            if issubclass(class_of(name), Predicting)
        }
        if not predicting or self.options.data is not None or data.validation is None:
            return None
        # Replicas return their parts of a batch in any order.
        in_order = as_arrays(data.validation) is not None and not _has_replicas(self.model)
        return ValidationPass(
            predicting,
            self.options.class_names,
            self._loaded,
            self.failures.give_up,
            in_order=in_order,
            log_images=self.options.log_images,
        )

    def _validation_tap(self) -> ValidationTap | None:
        """The tap on the validation pass, None if nothing needs it."""
        if self._pass is None and not self._inputs.captures:
            return None
        head, output = self._loaded().head, self.options.output
        return ValidationTap(self.model, self._add, stated_head=head, output=output)

    def _warn_uncaptured(self) -> None:
        """Warn if a validation pass that is needed can't be captured, or was not."""
        reason = self._tap and self._inputs.captures and self._tap.why_not()
        if reason:
            self.failures.warn(reason)

    def _loaded(self) -> LoadedModel:
        origin = Origin("keras.Model", name=self.model.name, run_id=self.run_id)
        facts = output_facts(self.options.head, {}, loss_of(compiled_loss(self.model), self._output))
        return LoadedModel(self._interpreted, origin, output=self._output, **facts)

    def begin_validation(self) -> None:
        """Start capturing a validation pass, if it is needed."""
        if self._tap is not None and not self._ended:
            self._inputs.begin_pass(self._epoch)
            if self._pass is not None:
                self._pass.begin()
            self._tap.open()

    def end_validation(self) -> None:
        """Stop capturing."""
        if self._tap is not None:
            self._tap.close()
            if self._tap.incomplete and self._pass is not None:
                self._pass.begin()  # counts of a part are no counts of the pass
            self._warn_uncaptured()

    def _add(self, batch: ValidationBatch) -> None:
        """Add a batch of the validation pass; called by TensorFlow, so it must not raise."""
        try:
            self._inputs.add(batch)
            if self._pass is not None:
                self._pass.add(batch, str(self._tap and self._tap.head))
        except Exception as error:
            self.failures.give_up_all(error)

    def epoch(self, epoch: int) -> None:
        """Interpret the model after an epoch, if results are due."""
        self._epoch = epoch + 1
        self._epoch_model = None
        if (epoch + 1) % self.options.every_n_epochs and epoch + 1 != self.epochs:
            return
        predicting = () if self._pass is None else tuple(self._pass.methods)
        others = [name for name in self.methods if name not in predicting]
        self._guarded(predicting, epoch, self._interpret_pass)
        self._guarded(others, epoch, self._interpret_inputs)

    def _guarded(
        self, methods: Iterable[str], epoch: int, interpret: Callable[[Sequence[str], int], None]
    ) -> None:
        """Run the methods that have not failed; an error disables them, but never stops the training."""
        active = self.failures.active(methods)
        try:
            if active:
                interpret(active, epoch)
        except Exception as error:
            self.failures.give_up(active, error)

    def _interpret_pass(self, methods: Sequence[str], epoch: int) -> None:
        """Send what a validation pass accumulated; if it could not be captured, run over data in memory."""
        accumulated = self._pass and self._pass.parts(self._digested())
        if accumulated:
            parts, provenance = accumulated
            for method in methods:
                if method in parts:
                    self._send(method, epoch, parts[method], provenance)
            return
        # Never a sample after one epoch and all data after another: both would be points of one curve.
        self._run(methods, epoch, self._inputs.validation_batch())

    def _interpret_inputs(self, methods: Sequence[str], epoch: int) -> None:
        """Run methods on the inputs that were chosen."""
        self._run(methods, epoch, self._inputs.batch(epoch))

    def _run(self, methods: Sequence[str], epoch: int, batch: Batch | None) -> None:
        """Run methods on inputs; do nothing if there are no inputs yet."""
        if batch is None:
            return
        options = {name: route(name, self.methods[name]) for name in methods}
        running = {}
        for name in methods:
            try:
                method = find_method(name)(self._interpreted, batch, **options[name]["method"])
                is_limited = isinstance(method, Explaining)
                running[name] = limit(method, **options[name]["engine"]) if is_limited else method
            except Exception as error:
                self.failures.give_up([name], error)
        if not running:
            return
        with progress.shown(False):
            found = run(self._interpreted, batch, running, while_training=True)
        provenance = Provenance.of(self._digested(), batch)
        for name, failure in found.errors.items():
            self.failures.give_up([name], failure)
        for name, part in found.parts.items():
            self._send(name, epoch, part, provenance)

    def _send(self, method: str, epoch: int, part: Part, provenance: Provenance) -> None:
        """Send what a method has accumulated to the worker, which concludes and draws it."""
        try:
            self._send_step(method, epoch, part, provenance)
        except Exception as error:  # e.g. an object that can't be pickled
            self.failures.give_up([method], error)

    def _send_step(self, method: str, epoch: int, part: Part, provenance: Provenance) -> None:
        method_options = dict(self.methods[method])
        self._worker.step(
            Step(
                method=method,
                step=epoch,
                part=part,
                # As if it were given for each method, so that the calls that reproduce it are private too.
                given=method_options | ({} if self.options.log_images else {"log_images": False}),
                figure=route(method, method_options)["figure"],
                parameters=parameters_of(method, method_options),
                provenance=provenance,
            )
        )
        as_text = kind_of(method).as_text
        if self.options.verbose and as_text is not None:
            print(as_text(part.result()))

    def _digested(self) -> LoadedModel:
        """The model as it is after this epoch."""
        if self._epoch_model is None:
            self._epoch_model = digested(self._loaded())
        return self._epoch_model

    def end(self, status: str = "FINISHED") -> None:
        """Wait until everything is logged, up to the time limits, and warn if something is not."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
        self._at_exit.detach()
        if status == "FINISHED":  # each warning is given only once
            self._warn_uncaptured()
        close(self._worker, self._tap, status, self.options.wait)

    def _watch(self, frame: FrameType) -> None:
        """End the session if an exception ends `fit`, as Keras then calls no callback."""
        while not self._ended and is_under_way(frame, self.model):
            time.sleep(WATCH_INTERVAL)
        # An interrupt is known only after the interpreter, or the notebook, has reported it.
        for _ in range(INTERRUPT_CHECKS):
            if self._ended or was_interrupted(frame):
                break
            time.sleep(WATCH_INTERVAL)
        self.end("KILLED" if was_interrupted(frame) else "FAILED")

    def _receive(self, event: Event) -> None:
        """Handle an event that the worker reports; runs in the client's thread."""
        if "run" in event:
            self.run_id = event["run"]
        if "failed" in event:
            self.failures.warn(f"{event['failed']} could not be drawn: {event['why']}")
        if "warning" in event:
            self.failures.warn(event["warning"])
        if self._on_event is not None:
            self._on_event(event)


def _has_replicas(model: Any) -> bool:
    return bool(model.distribute_strategy.num_replicas_in_sync > 1)
