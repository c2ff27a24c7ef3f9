"""What do occlusion and RISE cost over the bare forward passes that they need?

    python -m benchmarks.perturbation             # MobileNetV2, seeded weights, 4 smooth images
    python -m benchmarks.perturbation --trial     # a network of three convolutions: does it run?

The floor is a compiled forward pass of as many images in batches of the same size, which are in memory
already. Ours makes the copies: masks, baselines, mixing, and the scores of the explained class.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np

from benchmarks.gradcam import FLOOR, add_models, as_batch, as_chunk, compiled_forward, make_model
from benchmarks.timing import Candidate, interleaved, print_table
from mlflow_interp.engine.model_pass import ModelPass
from mlflow_interp.method_registry import find_method

BATCH = 32  # copies in a pass
COPIES = 224  # of each image: the masks of RISE, and about as many as occlusion has patches


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=4)
    add_models(parser)
    options = parser.parse_args()
    model, pictures = make_model(options)
    occlusion, patches = explained(model, pictures, "occlusion")
    rise, masks = explained(model, pictures, "rise", random_masks=COPIES)
    for name, candidate, copies in (("occlusion", occlusion, patches), ("RISE", rise, masks)):
        candidates = {
            FLOOR: forwards(model, pictures, copies),
            f"{FLOOR} again (noise)": forwards(model, pictures, copies),
        }
        title = f"{name}: {copies} copies of each of {len(pictures)} pictures, {model.name}"
        print_table(title, interleaved(candidates | {name: candidate}, options.rounds), FLOOR, "numpy")


def explained(model: Any, pictures: np.ndarray, name: str, **options: Any) -> tuple[Candidate, int]:
    """The explanation of the pictures, without the first pass, and the number of copies of each."""
    batch, chunk = as_batch(pictures), as_chunk(pictures)
    method: Any = find_method(name)(model, batch, **options)
    passed = ModelPass(model, batch, {name: method}, chunk)(chunk)[1][name]

    def explain() -> int:
        return sum(method.explain(chunk, passed))

    return explain, explain() // len(pictures)


def forwards(model: Any, pictures: np.ndarray, copies: int) -> Candidate:
    """Bare forward passes of as many images, in batches of the same size."""
    import tensorflow as tf

    rows = np.resize(pictures, (BATCH, *pictures.shape[1:]))
    function, inputs = compiled_forward(model, rows), tf.constant(rows)
    passes = -(-copies * len(pictures) // BATCH)

    def run() -> None:
        for _ in range(passes):
            function(inputs).numpy()

    return partial(run)


if __name__ == "__main__":
    main()
