"""What `autolog` adds to a training: `python -m benchmarks.autolog`.

LeNet on 50,000 + 10,000 random images in the shape of CIFAR-10, batches of 32, with a UMAP of 500 points and
a confusion matrix of the whole validation set after each epoch, compared with the bare `fit`. All trainings
run in this process, with and without interpretation in turn. The first one with interpretation is cold,
because Numba compiles in the worker process.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

CLASSES = 10


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (count, 32, 32, 3) float32 that are slightly distinguishable, and their classes."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, count)
    inputs = generator.random((count, 32, 32, 3), dtype=np.float32)
    inputs += np.linspace(0, 0.6, CLASSES, dtype=np.float32)[labels][:, np.newaxis, np.newaxis, np.newaxis]
    return inputs, labels


def fit(data: tuple[np.ndarray, np.ndarray], others: tuple[np.ndarray, np.ndarray], epochs: int) -> None:
    """Train a new LeNet."""
    import keras

    from examples.train_cifar10 import lenet

    keras.utils.set_random_seed(0)
    lenet().fit(*data, validation_data=others, epochs=epochs, batch_size=32, verbose=0)


def timed(watched: bool, *arguments: object) -> float:
    """Seconds of one training, including all waiting at its end."""
    import mlflow_interp

    mlflow_interp.autolog(methods="umap,confusion_matrix", disable=not watched)
    started = time.perf_counter()
    fit(*arguments)  # type: ignore[arg-type]
    return time.perf_counter() - started


def main() -> None:
    """Print both ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=50_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{Path(folder) / 'mlflow.db'}")
        mlflow.create_experiment("benchmark", artifact_location=(Path(folder) / "artifacts").as_uri())
        mlflow.set_experiment("benchmark")
        arguments = (pictures(asked.inputs, 0), pictures(asked.inputs // 5, 1), asked.epochs)
        fit(*arguments[:2], 1)  # TensorFlow itself is then warm for both
        cold = timed(True, *arguments)
        rounds = [(timed(False, *arguments), timed(True, *arguments)) for _ in range(asked.rounds)]
    bare, watched = np.median(np.array(rounds), axis=0)
    ratios = [watched / bare for bare, watched in rounds]
    print(f"bare fit       {bare:7.1f} s")
    print(f"watched, cold  {cold:7.1f} s  {cold / bare:.2f}×")
    print(f"watched, warm  {watched:7.1f} s  {np.median(ratios):.2f}× ({min(ratios):.2f}–{max(ratios):.2f})")


if __name__ == "__main__":
    main()
