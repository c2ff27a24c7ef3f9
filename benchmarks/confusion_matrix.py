"""What does counting and drawing a confusion matrix cost?

    python -m benchmarks.confusion_matrix                  # a million predictions over 1,000 classes
    python -m benchmarks.confusion_matrix --classes 10 --rounds 21

The baseline is one `np.bincount` over everything, which needs all predictions in memory. We count chunk by
chunk; scikit-learn and TensorFlow count everything at once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from benchmarks.timing import Candidate, interleaved, print_table
from mlflow_interp.drawing.style import png
from mlflow_interp.kinds.confusion_matrix import Counter, from_predictions
from mlflow_interp.kinds.confusion_matrix.figure import draw
from mlflow_interp.kinds.confusion_matrix.page import page

FLOOR = "np.bincount at once (floor)"
CHUNKS = (1_000_000, 10_000, 1_000, 256)


def main() -> None:
    """Time, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    labels, predictions = drawn(options.count, options.classes)
    timings = interleaved(candidates(labels, predictions, options.classes), options.rounds)
    title = f"{options.count:,} predictions over {options.classes:,} classes"
    print_table(title, timings, FLOOR, "numpy", "scikit-learn")
    print_drawing(labels[:100_000], predictions[:100_000], options.classes, rounds=min(5, options.rounds))


def drawn(count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions; seven of ten are correct."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, count)
    return labels, np.where(rng.random(count) < 0.7, labels, rng.integers(0, classes, count))


def candidates(labels: np.ndarray, predictions: np.ndarray, classes: int) -> dict[str, Candidate]:
    """The baseline twice, our counter with several chunk sizes, and other packages."""
    import tensorflow as tf
    from sklearn.metrics import confusion_matrix

    def floor() -> np.ndarray:
        return np.bincount(labels * classes + predictions, minlength=classes * classes)

    return {
        FLOOR: floor,
        "the floor again": floor,
        **{
            f"mlflow_interp, chunks of {size:,}": in_chunks(labels, predictions, classes, size)
            for size in CHUNKS
        },
        "tf.math.confusion_matrix": lambda: tf.math.confusion_matrix(labels, predictions, classes).numpy(),
        "sklearn.metrics.confusion_matrix": lambda: confusion_matrix(
            labels, predictions, labels=np.arange(classes)
        ),
    }


def in_chunks(
    labels: np.ndarray, predictions: np.ndarray, classes: int, size: int
) -> Callable[[], np.ndarray]:
    """Our counter, with chunks of a given size."""

    def count() -> np.ndarray:
        counter = Counter(classes)
        for start in range(0, len(labels), size):
            counter.add(labels[start : start + size], predictions[start : start + size])
        return counter.counts

    return count


def print_drawing(labels: np.ndarray, predictions: np.ndarray, classes: int, *, rounds: int) -> None:
    """Print the time to draw figure and page."""
    names = [f"class {index}" for index in range(classes)]
    result = from_predictions(labels, predictions, class_names=names)
    png(draw(from_predictions([0, 1], [0, 1])))  # matplotlib searches its fonts
    print(f"\n### Drawing {classes:,} classes\n\n| | seconds |\n|---|--:|")
    works: dict[str, Candidate] = {
        "figure, classes as given": lambda: png(draw(result)),
        "figure, clustered": lambda: png(draw(result, order="cluster")),
        "page": lambda: page(result),
    }
    for name, work in works.items():
        taken = []
        for _ in range(rounds):
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
        print(f"| {name} | {np.median(taken):.2f} |")


if __name__ == "__main__":
    main()
