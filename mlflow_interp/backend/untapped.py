"""Reasons why Keras' validation pass can't be captured, each with a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

EAGER_FUNCTIONS = (
    "validation batches can't be captured while TensorFlow runs functions eagerly; call "
    "tf.config.run_functions_eagerly(False), or pass data="
)
UNHEARD = (
    "validation batches were not captured, as the validation pass did not call the model's compute_metrics; "
    "pass data="
)


def not_tensors(types: Sequence[str]) -> str:
    """The reason for inputs that are not dense tensors."""
    return (
        f"validation batches can't be captured, as compute_metrics is given {', '.join(types)} as inputs and "
        "not dense tensors; pass data="
    )


def obstacle(model: Any) -> str | None:
    """What prevents capturing the batches of a compiled model, as far as known before a pass."""
    import tensorflow as tf

    name = f"model {model.name!r}"
    if model.run_eagerly:
        return (
            f"validation batches can't be captured, as {name} is compiled with run_eagerly=True; compile it "
            "without, or pass data="
        )
    if model.jit_compile and (besides := _unpredictable(model)):
        return (
            f"validation batches can't be captured, as {name} {besides} and is compiled with jit_compile, "
            "which Keras turns on by itself where there is a GPU; compile it with jit_compile=False, or pass "
            "data="
        )
    if isinstance(model.distribute_strategy, tf.distribute.TPUStrategy):
        return f"validation batches can't be captured, as {name} is trained on TPUs; pass data="
    return None


def _unpredictable(model: Any) -> str | None:
    """Why the batches of a validation pass that XLA compiles can't be predicted once more as Keras would."""
    for method in ("make_test_function", "test_step"):
        if _is_own(model, method):
            return f"has its own {method}"
    if model.distribute_strategy.num_replicas_in_sync > 1:
        return "is trained on several devices"
    return None


#: Remedies if a model overrides one of Keras' methods.
_OWN = {
    "evaluate": "pass data=",
    "make_test_function": "pass data=",
    "test_step": "call self.compute_metrics(x, y, y_pred, sample_weight) in it, or pass data=",
}


def own_test_code(model: Any, methods: Iterable[str] = tuple(_OWN)) -> str | None:
    """Which of a model's own methods overrides one of Keras' and did not call `compute_metrics`."""
    for method in methods:
        if _is_own(model, method):
            return (
                f"validation batches can't be captured, as model {model.name!r} has its own {method}, which "
                f"does not call compute_metrics; {_OWN[method]}"
            )
    return None


def _is_own(model: Any, method: str) -> bool:
    """Whether a method is not Keras': defined by the user's class, or set on the model itself."""
    import keras

    return method in vars(model) or getattr(type(model), method) is not getattr(keras.Model, method)
