"""The Keras callback."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from mlflow_interp.backend.startup import check_backend
from mlflow_interp.call_options import Methods
from mlflow_interp.options import takes
from mlflow_interp.training.failures import reason_in_words
from mlflow_interp.training.live_display import LiveDisplay
from mlflow_interp.training.options import TrainingOptions
from mlflow_interp.training.session import Session

check_backend()  # first, as importing Keras fails if its backend is not installed

import keras  # noqa: E402

logger = logging.getLogger("mlflow_interp")


def _never_raises(function: Callable[..., None]) -> Callable[..., None]:
    """Wrap a method of a callback: if it fails, the training continues without interpretation."""

    @functools.wraps(function)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            function(self, *args, **kwargs)
        except Exception as error:
            if self._session is not None:
                self._session.failures.give_up_all(error)
            elif not self._silent:
                logger.warning("training continues without interpretation: %s", reason_in_words(error))

    return guarded


@takes(TrainingOptions)
class InterpretationCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Interprets a model after each epoch of its training, and logs to the run that holds its losses.

    A separate process draws and logs the results. The training itself is never changed, and an error in the
    interpretation becomes a warning.

    Raises:
        OptionError: no such method or option, or a number out of range.
    """

    def __init__(
        self, methods: Methods = TrainingOptions.methods, *, _silent: bool = False, **options: Any
    ) -> None:
        super().__init__()
        self.options = TrainingOptions.of(methods, options)
        self._display = LiveDisplay.of(display=self.options.display, tensorboard=self.options.tensorboard)
        self._silent = _silent
        self._session: Session | None = None
        self._run_id: str | None = None

    @property
    def run_id(self) -> str | None:
        """The run that the last training was logged to, None if it is not known yet."""
        return self._run_id if self._session is None else self._session.run_id

    @_never_raises
    def on_train_begin(self, logs: Any = None) -> None:
        """Choose the inputs and start the worker."""
        self._session = None
        epochs = int((self.params or {}).get("epochs") or 1)
        self._session = Session(self.options, self.model, epochs, on_event=self._display, silent=self._silent)

    @_never_raises
    def on_test_begin(self, logs: Any = None) -> None:
        """Start capturing the validation pass."""
        if self._session is not None:
            self._session.begin_validation()

    @_never_raises
    def on_test_end(self, logs: Any = None) -> None:
        """Stop capturing."""
        if self._session is not None:
            self._session.end_validation()

    @_never_raises
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Interpret the model."""
        if self._session is not None:
            self._session.epoch(epoch)

    @_never_raises
    def on_train_end(self, logs: Any = None) -> None:
        """Wait until everything is logged."""
        if self._session is not None:
            self._session.end()
            # The session holds the user's data, which must not outlive the training.
            self._run_id = self._session.run_id
            self._session = None
