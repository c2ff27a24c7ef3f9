"""What does a comparison cost over the bare passes of both models and of the anchors?

    python -m benchmarks.compare             # two MobileNetV2 with seeded weights, 256 smooth images
    python -m benchmarks.compare --trial     # networks of three convolutions: does it run?

The floor is, for each model, a compiled forward pass with the gradient at the last layer in the same batches,
and three more of these for each input of the anchors (at most 256), in batches of eight. Ours is a whole call
without logging: reading, tracing, both passes, anchors, numbers with intervals, figure, page and tables.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import mlflow_interp
from benchmarks.gradcam import FLOOR, add_models, make_model
from benchmarks.quality import bare_gradcam
from benchmarks.timing import Candidate, interleaved, print_table
from mlflow_interp.engine.anchors import EXPLANATIONS, MOST, AnchorMethod

BATCH = 32
MADE = 32  # pictures


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=256)
    add_models(parser)
    options = parser.parse_args()
    count, options.images = options.images, min(options.images, MADE)
    old, made = make_model(options)
    new, _ = make_model(options)
    # More pictures by shifts: making them sets the statistics of the model in one pass.
    pictures = np.concatenate([np.roll(made, 7 * turn, axis=2) for turn in range(-(-count // len(made)))])
    pictures = pictures[:count]
    floor = bare_passes(old, new, pictures)

    def ours() -> None:
        mlflow_interp.compare(
            old,
            new,
            pictures,
            labels=np.arange(len(pictures)) % 10,
            min_inputs=1,
            batch_size=BATCH,
            head="probabilities",
            log=False,
            quiet=True,
        )

    candidates: dict[str, Candidate] = {FLOOR: floor, f"{FLOOR} again (noise)": floor, "compare": ours}
    title = f"Comparison on {len(pictures)} pictures, {old.name}"
    print_table(title, interleaved(candidates, options.rounds), FLOOR, "numpy")


def bare_passes(old: Any, new: Any, pictures: np.ndarray) -> Candidate:
    """Grad-CAM of all pictures by both models, and of the anchors by the old one, in the same batches."""
    import tensorflow as tf

    explained = [bare_gradcam(model, pictures) for model in (old, new)]
    anchors = pictures[:MOST]

    def run() -> None:
        for explain in explained:
            for start in range(0, len(pictures), BATCH):
                explain(tf.constant(pictures[start : start + BATCH])).numpy()
        for start in range(0, len(anchors), AnchorMethod.rows):
            for _ in range(EXPLANATIONS):
                explained[0](tf.constant(anchors[start : start + AnchorMethod.rows])).numpy()

    return run


if __name__ == "__main__":
    main()
