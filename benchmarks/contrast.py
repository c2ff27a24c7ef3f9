"""How many Grad-CAM heatmaps are empty, alone and with each contrast?

    python -m benchmarks.contrast                       # five seeds; 1, 2 and 6 epochs
    python -m benchmarks.contrast --seeds 1 --epochs 1  # a single training of each network

Two networks are trained on handwritten digits: that of the tutorial, which flattens the feature map
before two dense layers, and one with global average pooling and one dense layer. The predicted classes of the
unseen digits are explained.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import keras
import numpy as np

import mlflow_interp
from examples import train_digits
from mlflow_interp.exceptions import InterpretationWarning

TRAINED = 1200
CONTRASTS = (None, "runner-up", "others")


def main() -> None:
    """Train, explain and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each network and number of epochs")
    parser.add_argument("--epochs", default="1,2,6")
    options = parser.parse_args()
    pixels, labels = train_digits.digits()
    for name, make in (("dense layers", train_digits.network), ("average pooling", pooled)):
        for epochs in map(int, options.epochs.split(",")):
            rows = []
            for seed in range(options.seeds):
                keras.utils.set_random_seed(seed)
                model = make()
                model.fit(pixels[:TRAINED], labels[:TRAINED], epochs=epochs, verbose=0)
                rows.append(empty_maps(model, pixels[TRAINED:]))
            print_row(f"{name}, {epochs} epochs", np.concatenate(rows, axis=1))


def pooled() -> Any:
    """A network whose logits are linear in the mean of its feature map."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def empty_maps(model: Any, inputs: np.ndarray) -> np.ndarray:
    """(contrasts, n) bool, whether the heatmap of the predicted class is empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpretationWarning)
        found = [
            mlflow_interp.visualize_gradcam(model, inputs, contrast=contrast, log=False, quiet=True)
            for contrast in CONTRASTS
        ]
    return np.stack([np.asarray(each.heatmaps).max(axis=(1, 2)) <= 0 for each in found])


def print_row(name: str, empty: np.ndarray) -> None:
    """Print the number of empty heatmaps with each contrast, and how many are empty only with it."""
    alone = empty[0]
    parts = [
        f"{contrast or 'no contrast'} {row.sum():4}"
        + ("" if contrast is None else f" ({(row & ~alone).sum()} of them only with it)")
        for contrast, row in zip(CONTRASTS, empty, strict=True)
    ]
    print(f"{name:26} {len(alone)} inputs; empty: {', '.join(parts)}", flush=True)


if __name__ == "__main__":
    main()
