"""Every architecture that `keras.applications` provides."""

from __future__ import annotations

import re
from typing import Any

CLASSES = 10


def names() -> list[str]:
    """The architectures of `keras.applications` in the installed version, including future ones."""
    import keras

    return sorted(name for name in dir(keras.applications) if name[0].isupper())


def smallest_side(name: str) -> int:
    """The smallest square input of an architecture, read from its error for a smaller one."""
    import keras

    try:
        getattr(keras.applications, name)(weights=None, classes=CLASSES, input_shape=(1, 1, 3))
    except ValueError as error:
        match = re.search(r"at least (\d+)x\1", str(error))
        if match:
            return int(match[1])
        raise
    return 1


def build(name: str) -> Any:
    """The architecture with reproducible random weights, for its smallest input and ten classes."""
    import keras

    keras.utils.set_random_seed(0)
    side = smallest_side(name)
    return getattr(keras.applications, name)(weights=None, classes=CLASSES, input_shape=(side, side, 3))


def set_batch_statistics(model: Any, inputs: Any) -> None:
    """Let batch normalisation compute the statistics of these inputs, as in training.

    Otherwise, activations in deep networks with random weights vanish until the squares of their gradients
    exceed the range of float32.
    """
    import keras

    from mlflow_interp.backend.layer_tree import walk

    kind = keras.layers.BatchNormalization
    normalising = [place.layer for place in walk(model) if isinstance(place.layer, kind)]
    momenta = [layer.momentum for layer in normalising]
    for layer in normalising:
        layer.momentum = 0.0
    model(inputs, training=True)
    for layer, momentum in zip(normalising, momenta, strict=True):
        layer.momentum = momentum


def preprocessing(name: str) -> str:
    """The module of `keras.applications` of an architecture, which preprocesses its inputs."""
    import keras

    return str(getattr(keras.applications, name).__module__.rpartition(".")[2])
