"""The Keras callback."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from mlflow_interp.exceptions import OptionError
from mlflow_interp.layers import Layers
from mlflow_interp.options import distribute
from mlflow_interp.registry import find_method
from mlflow_interp.training.session import Session
from mlflow_interp.training.settings import Settings
from mlflow_interp.training.showing import Showing

logger = logging.getLogger("mlflow_interp")

Methods = str | Iterable[str] | Mapping[str, Mapping[str, Any]]
DEFAULT_METHODS = ("umap", "confusion_matrix")


def _never_raises(function: Callable[..., None]) -> Callable[..., None]:
    """A callback's method that gives up on interpretation where it fails, and never on the training."""

    @functools.wraps(function)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            function(self, *args, **kwargs)
        except Exception as error:
            if self._session is not None:
                self._session.give_up_all(error)
            else:
                logger.warning("training goes on without interpretation: %s: %s", type(error).__name__, error)

    return guarded


class InterpretationCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Interprets a model after each epoch of its training, into the run that its losses go to.

    What it finds is drawn and logged by a process beside the training. It never changes the training,
    and an error in it becomes a warning.

    Args:
        methods: Names, separated by commas or in a list, or a mapping from each to options of its own.
        data: What to interpret: arrays (inputs, labels), a dataset, a path. By default fit's validation
            data, else a sample of its training data.
        samples: So many inputs are looked at, every class in its share; the confusion matrix looks at
            the whole validation set.
        every_n_epochs: After each so many epochs, and after the last.
        class_names: The names of the classes, as elsewhere.
        layers: The layers to look at, for the methods that take layers.
        resample: Choose other inputs each time.
        seed: Of the choice of inputs.
        run_id: The run to log to. By default the active one, else a new one that ends with the training.
        wait: Most seconds to wait at the end of training for what is still to be drawn and logged.
        verbose: Print the confusion matrix after each epoch.
        display: Show the latest figures in a notebook as training goes.
        tensorboard: A folder to write the figures to for TensorBoard as well.

    Raises:
        OptionError: no such method or option, or a number out of range.
    """

    def __init__(
        self,
        methods: Methods = DEFAULT_METHODS,
        *,
        data: Any = None,
        samples: int = 500,
        every_n_epochs: int = 1,
        class_names: Any = None,
        layers: Layers = None,
        resample: bool = False,
        seed: int = 0,
        run_id: str | None = None,
        wait: float = 60.0,
        verbose: bool = False,
        display: bool = False,
        tensorboard: str | None = None,
        _silent: bool = False,
    ) -> None:
        super().__init__()
        self.settings = Settings(
            methods=_with_layers(methods, layers),
            data=data,
            samples=samples,
            every_n_epochs=every_n_epochs,
            class_names=class_names,
            resample=resample,
            seed=seed,
            run_id=run_id,
            wait=wait,
            verbose=verbose,
            silent=_silent,
            hear=Showing.of(display=display, tensorboard=tensorboard),
        )
        self.settings.check()
        self._session: Session | None = None
        self._run_id: str | None = None

    @property
    def run_id(self) -> str | None:
        """The run that the last training was logged to, None where that is not known yet."""
        return self._run_id if self._session is None else self._session.run_id

    @_never_raises
    def on_train_begin(self, logs: Any = None) -> None:
        """Look at the data and start the process beside."""
        self._session = None
        self._session = Session(self.settings, self.model, int((self.params or {}).get("epochs") or 1))

    @_never_raises
    def on_test_begin(self, logs: Any = None) -> None:
        """Listen to the validation pass."""
        if self._session is not None:
            self._session.begin_validation()

    @_never_raises
    def on_test_end(self, logs: Any = None) -> None:
        """Listen no more."""
        if self._session is not None:
            self._session.end_validation()

    @_never_raises
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Interpret."""
        if self._session is not None:
            self._session.epoch(epoch)

    @_never_raises
    def on_train_end(self, logs: Any = None) -> None:
        """Wait until all is logged."""
        if self._session is not None:
            self._session.end()
            # The session holds the user's data, which need not be kept longer than the training.
            self._run_id, self._session = self._session.run_id, None


def _with_layers(methods: Methods, layers: Layers) -> dict[str, dict[str, Any]]:
    """Options by method, `layers` given to those that take layers."""
    if isinstance(methods, Mapping):
        chosen = {name: dict(own) for name, own in methods.items()}
    else:
        names = methods.split(",") if isinstance(methods, str) else list(methods)
        chosen = {name.strip(): {} for name in names if name.strip()}
    if layers is not None:
        for name in chosen:
            find_method(name)
        takers = distribute(chosen, ["layers"])["layers"]
        if not takers:
            raise OptionError(f"layers is given, and {', '.join(chosen)} takes none")
        chosen = {name: ({"layers": layers} if name in takers else {}) | own for name, own in chosen.items()}
    return chosen
