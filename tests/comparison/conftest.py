"""Versions of a small network on handwritten digits, and a registry that holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def versions() -> dict[str, Any]:
    """By name, networks: "old", "seed" of another seed, "lost" that confuses the 8 with the 3.

    Also "inputs" and "labels" that none has seen.
    """
    import keras

    from examples import train_digits

    pixels, labels = train_digits.digits()

    def trained(seed: int, targets: np.ndarray) -> Any:
        keras.utils.set_random_seed(seed)
        model = train_digits.network()
        model.fit(pixels[:1200], targets[:1200], epochs=6, verbose=0)
        return model

    confused = np.where((labels == 8) & (np.arange(len(labels)) % 2 == 0), 3, labels)
    return {
        "old": trained(0, labels),
        "seed": trained(1, labels),
        "lost": trained(0, confused),
        "inputs": pixels[1200:1500],
        "labels": labels[1200:1500],
    }
