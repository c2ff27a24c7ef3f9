"""`autolog()`: the callback put into every training, by MLflow's rules for autologging."""

from __future__ import annotations

from typing import Any

from mlflow.utils.autologging_utils import (
    autologging_integration,
    get_autologging_config,
    safe_patch,
)

from mlflow_interp.layers import Layers
from mlflow_interp.training.callback import DEFAULT_METHODS, InterpretationCallback, Methods

NAME = "mlflow_interp"


@autologging_integration(NAME)  # type: ignore[untyped-decorator]
def autolog(
    methods: Methods = DEFAULT_METHODS,
    data: Any = None,
    samples: int = 500,
    every_n_epochs: int = 1,
    class_names: Any = None,
    layers: Layers = None,
    resample: bool = False,
    seed: int = 0,
    wait: float = 60.0,
    verbose: bool = False,
    display: bool = False,
    tensorboard: str | None = None,
    disable: bool = False,
    exclusive: bool = False,
    silent: bool = False,
) -> None:
    """Interpret every model that is trained with `fit` from now on, into the run of its losses.

    Works beside `mlflow.tensorflow.autolog()` and `mlflow.keras.autolog()`, called in any order, and
    without either. `Model.fit` is not patched.

    Args:
        methods: Names, separated by commas or in a list, or a mapping from each to options of its own.
        data: What to interpret; by default fit's validation data, else a sample of its training data.
        samples: So many inputs are looked at.
        every_n_epochs: After each so many epochs, and after the last.
        class_names: The names of the classes.
        layers: The layers to look at, for the methods that take layers.
        resample: Choose other inputs each time.
        seed: Of the choice of inputs.
        wait: Most seconds to wait at the end of a training for what is still to be drawn and logged.
        verbose: Print the confusion matrix after each epoch.
        display: Show the latest figures in a notebook as training goes.
        tensorboard: A folder to write the figures to for TensorBoard as well.
        disable: Interpret no more.
        exclusive: Interpret only where the user has no run open.
        silent: Say nothing, not even warnings.

    Raises:
        OptionError: no such method or option, or a number out of range.
    """
    from keras.callbacks import CallbackList

    def make() -> InterpretationCallback:
        return InterpretationCallback(
            methods,
            data=data,
            samples=samples,
            every_n_epochs=every_n_epochs,
            class_names=class_names,
            layers=layers,
            resample=resample,
            seed=seed,
            wait=wait,
            verbose=verbose,
            display=display,
            tensorboard=tensorboard,
            _silent=silent,
        )

    make()  # so that what can't be done is refused here and not in the middle of a training

    def with_ours(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        # Only `fit` asks for a history; `evaluate` and `predict` make lists of callbacks too.
        if not (kwargs.get("add_history") or (len(args) > 1 and args[1])) or _is_disabled_everywhere():
            return
        if any(isinstance(each, InterpretationCallback) for each in self.callbacks):
            return
        callback = make()
        callback.set_params(self.params)
        callback.set_model(self.model)
        self.callbacks.append(callback)  # of the list that Keras made, not of the user's own

    safe_patch(NAME, CallbackList, "__init__", with_ours)


def _is_disabled_everywhere() -> bool:
    """Whether the user said `mlflow.autolog(disable=True)`, which doesn't reach integrations of others."""
    return bool(get_autologging_config("mlflow", "disable", False))
