"""What does `nearest_examples` cost over the bare forward pass, and how long does a search take?

    python -m benchmarks.nearest_examples            # MobileNetV2, 256 images; 1,000 among 100,000 vectors
    python -m benchmarks.nearest_examples --trial    # a network of three convolutions: does it run?

The floor traces a forward pass once, and returns predictions and the activations of the layer before the
head. Ours also finds the layer, keeps names, labels, predictions and thumbnails, writes activations to disk,
and compares all pairs.
"""

from __future__ import annotations

import argparse
import resource
import time
from functools import partial
from typing import Any

import numpy as np

from benchmarks.running import result_of
from benchmarks.timing import Candidate, interleaved, print_table
from mlflow_interp.core.batch import Batch
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.engine.row_store import RowStore
from mlflow_interp.kinds.nearest_examples.search import find_neighbours
from mlflow_interp.models.load import load_model

FLOOR = "bare forward, traced once (floor)"
FEATURES = 1280
QUERIES = 1_000


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--reference", type=int, default=100_000)
    parser.add_argument("--trial", action="store_true")
    options = parser.parse_args()
    side = 32 if options.trial else 224
    model = network(side) if options.trial else mobilenet()
    rng = np.random.default_rng(0)
    images = rng.random((options.images, side, side, 3), np.float32)
    timings = interleaved(candidates(model, images, rng.integers(0, 10, options.images)), options.rounds)
    print_table(f"Nearest examples of {options.images} images", timings, FLOOR)
    time_search(options.reference)


def network(side: int) -> Any:
    """Three convolutions, to see that the benchmark runs."""
    import keras

    layers = keras.layers
    convolutions = [layers.Conv2D(8, 3, activation="relu") for _ in range(3)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((side, side, 3)), *convolutions, *head])


def mobilenet() -> Any:
    """MobileNetV2 with seeded weights."""
    import keras

    keras.utils.set_random_seed(0)
    return keras.applications.MobileNetV2(weights=None)


def candidates(model: Any, images: np.ndarray, labels: np.ndarray) -> dict[str, Candidate]:
    """The baseline, twice to show the noise, and our method."""
    batch = load_inputs(images, load_model(model), labels=labels)
    bare = partial(bare_forward, model, images)
    return {
        FLOOR: bare,
        "the floor again (noise)": bare,
        "ours, nearest_examples()": partial(ours, model, batch),
    }


def bare_forward(model: Any, images: np.ndarray) -> np.ndarray:
    """Activations and predictions in batches of 32, traced once per call, as a call of ours does."""
    import keras
    import tensorflow as tf

    both = keras.Model(model.inputs, [model.layers[-2].output, model.outputs[0]])
    compiled = tf.function(lambda inputs: both(inputs, training=False))
    parts = [
        [each.numpy() for each in compiled(tf.constant(images[start : start + 32]))]
        for start in range(0, len(images), 32)
    ]
    return np.concatenate([rows for rows, _ in parts])


def ours(model: Any, batch: Batch) -> np.ndarray:
    """The method as called by users."""
    return np.asarray(result_of("nearest_examples", model, batch).neighbours)


def time_search(count: int) -> None:
    """Time a search in a reference that is on disk, and print the memory of the process."""
    rng = np.random.default_rng(0)
    store = RowStore()
    for _ in range(0, count, 1_000):
        store.append(rng.random((min(count, 1_000), FEATURES), np.float32))
    rows = store.rows()
    digests = rng.integers(0, 256, (len(rows), 16), np.uint8)
    queries = min(QUERIES, len(rows))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    find_neighbours(rows[:queries], rows, 10, identities=(digests[:queries], digests), exclude_equal=True)
    seconds = time.perf_counter() - started
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"\n{queries:,} inputs among {len(rows):,} of {FEATURES:,} features: {seconds:.1f} s; the largest "
        f"memory of the process grew by {more:.0f} MiB, including pages of the file that is read"
    )


if __name__ == "__main__":
    main()
