"""Every architecture of `keras.applications`, as the package itself lists them."""

from __future__ import annotations

import re
from typing import Any

CLASSES = 10


def names() -> list[str]:
    """What `keras.applications` can build: new ones come by themselves."""
    import keras

    return sorted(name for name in dir(keras.applications) if name[0].isupper())


def smallest_side(name: str) -> int:
    """The smallest square input an architecture takes, as its own refusal of a smaller one says."""
    import keras

    try:
        getattr(keras.applications, name)(weights=None, classes=CLASSES, input_shape=(1, 1, 3))
    except ValueError as error:
        told = re.search(r"at least (\d+)x\1", str(error))
        if told:
            return int(told[1])
        raise
    return 1


def build(name: str) -> Any:
    """The architecture with random weights, the same at each call, for its smallest input and ten classes."""
    import keras

    keras.utils.set_random_seed(0)
    side = smallest_side(name)
    return getattr(keras.applications, name)(weights=None, classes=CLASSES, input_shape=(side, side, 3))


def settle(model: Any, inputs: Any) -> None:
    """Let batch normalisation take the statistics of these inputs, as a training would.

    Without, random weights let what deep networks say fade until float32 can't hold its gradients' squares.
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
    """The module of `keras.applications` that an architecture comes from, which prepares its inputs."""
    import keras

    return str(getattr(keras.applications, name).__module__.rpartition(".")[2])
