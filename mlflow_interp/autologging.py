"""`autolog()`: adds the callback to every training, following MLflow's rules for autologging."""

from __future__ import annotations

from typing import Any

from mlflow.utils.autologging_utils import (
    autologging_integration,
    get_autologging_config,
    safe_patch,
)

from mlflow_interp.call_options import Methods, parse_methods
from mlflow_interp.options import takes
from mlflow_interp.training.callback import InterpretationCallback
from mlflow_interp.training.options import TrainingOptions

NAME = "mlflow_interp"


@autologging_integration(NAME)  # type: ignore[untyped-decorator]
@takes(TrainingOptions, but=("run_id",))
def autolog(
    methods: Methods = TrainingOptions.methods,
    *,
    disable: bool = False,
    exclusive: bool = False,
    silent: bool = False,
    **options: Any,
) -> None:
    """Interpret every model that is trained with `fit` from now on, in the run that holds its losses.

    Works with `mlflow.tensorflow.autolog()` and `mlflow.keras.autolog()`, called in any order, and without
    them. `Model.fit` is not patched.

    Args:
        disable: Stop interpreting.
        exclusive: Interpret only if the user has no active run.
        silent: Suppress all messages, including warnings.

    Raises:
        OptionError: no such method or option, or a number out of range.
    """
    from keras.callbacks import CallbackList

    methods = parse_methods(methods, while_training=True).given  # read once, as it may be an iterator

    def make() -> InterpretationCallback:
        return InterpretationCallback(methods, _silent=silent, **options)

    make()  # refuses invalid options now, not in the middle of a training

    def init_with_callback(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        # Only `fit` asks for a history; `evaluate` and `predict` make lists of callbacks too.
        if not (kwargs.get("add_history") or (len(args) > 1 and args[1])) or _is_disabled_everywhere():
            return
        if any(isinstance(each, InterpretationCallback) for each in self.callbacks):
            return
        callback = make()
        callback.set_params(self.params)
        callback.set_model(self.model)
        self.callbacks.append(callback)  # to the list that Keras made, not to the user's

    safe_patch(NAME, CallbackList, "__init__", init_with_callback)


def _is_disabled_everywhere() -> bool:
    """Whether the user called `mlflow.autolog(disable=True)`, which doesn't reach other integrations."""
    return bool(get_autologging_config("mlflow", "disable", False))
