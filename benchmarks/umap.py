"""What does `umap` cost over a bare forward pass and a bare `umap.UMAP(random_state=0).fit_transform`?

    python -m benchmarks.umap                       # 500 and 5,000 inputs of 1,280 features
    python -m benchmarks.umap --sizes 500 --rounds 9

Both compute a layout of the same activations with the same settings. Ours also writes them to disk and reads
them again, finds the layer, keeps names, labels and predictions, selects the inputs to show, and computes
trustworthiness, agreement of neighbours and silhouette. Numba compiles during the warm-up.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from typing import Any

import numpy as np

from benchmarks.running import result_of
from benchmarks.timing import Candidate, interleaved, print_table
from mlflow_interp.core.batch import Batch
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.models.load import load_model

FLOOR = "bare forward and umap-learn (floor)"
CLASSES, WIDTH, FEATURES = 10, 64, 1280


def main() -> None:
    """Time, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 5000])
    options = parser.parse_args()
    model = network()
    for count in options.sizes:
        inputs, labels = clouds(count)
        timings = interleaved(candidates(model, inputs, labels), options.rounds)
        print_table(f"UMAP of {count:,} inputs, {FEATURES:,} features", timings, FLOOR, "umap-learn", "numba")


def network() -> Any:
    """A network with as many features before the head as EfficientNet-B0."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((WIDTH,)),
            layers.Dense(FEATURES, activation="relu", name="features"),
            layers.Dense(CLASSES, activation="softmax", name="head"),
        ],
        name="wide",
    )


def clouds(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (count, 64) float32 in overlapping clusters, one per class, and their labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, count)
    centres = rng.normal(0, 1.5, (CLASSES, WIDTH))
    return (centres[labels] + rng.normal(size=(count, WIDTH))).astype(np.float32), labels


def candidates(model: Any, inputs: np.ndarray, labels: np.ndarray) -> dict[str, Candidate]:
    """The baseline, twice to show the noise, and our method."""
    batch = load_inputs(inputs, load_model(model), labels=labels)
    bare = partial(bare_umap, model, inputs)
    return {FLOOR: bare, "the floor again (noise)": bare, "ours, umap()": partial(ours, model, batch)}


def bare_umap(model: Any, inputs: np.ndarray) -> np.ndarray:
    """Activations and predictions by `predict`, and umap-learn with a seed."""
    import keras
    from umap import UMAP

    both = keras.Model(model.inputs, [model.get_layer("features").output, model.outputs[0]])
    rows, _ = both.predict(inputs, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(UMAP(random_state=0).fit_transform(rows))


def ours(model: Any, batch: Batch) -> np.ndarray:
    """The method as called by users."""
    return np.asarray(result_of("umap", model, batch).embeddings)


if __name__ == "__main__":
    main()
