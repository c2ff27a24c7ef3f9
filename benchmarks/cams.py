"""What do five CAMs in one call cost over Grad-CAM alone, in the pass through the model?

    python -m benchmarks.cams                     # MobileNetV2, seeded weights, 32 smooth images
    python -m benchmarks.cams --layer block_5_add # an earlier layer: 28×28 positions
    python -m benchmarks.cams --trial             # a network of three convolutions: does it run?

Both are the compiled function that the engine calls for each chunk of inputs: prediction, class and maps, as
NumPy. The methods of a call share the forward pass and the gradient. With `--apart`, each of the five is also
timed alone. EigenCAM adds an eigendecomposition for each image.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.gradcam import FLOOR, add_models, as_batch, as_chunk, compiled_forward, make_model
from benchmarks.timing import Candidate, interleaved, print_table
from mlflow_interp.engine.model_pass import ModelPass
from mlflow_interp.method_registry import find_method

METHODS = ("gradcam", "hirescam", "layercam", "gradcam_plus_plus", "eigencam")
ALONE = "gradcam"


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--layer", help="by default the last one with a feature map")
    parser.add_argument("--apart", action="store_true", help="time each method alone too")
    add_models(parser)
    options = parser.parse_args()
    model, pictures = make_model(options)
    candidates = {
        ALONE: compiled(model, pictures, [ALONE], options.layer),
        f"{ALONE} again (noise)": compiled(model, pictures, [ALONE], options.layer),
        "all five": compiled(model, pictures, METHODS, options.layer),
        FLOOR: forward_of(model, pictures),
    }
    if options.apart:
        candidates |= {name: compiled(model, pictures, [name], options.layer) for name in METHODS[1:]}
    title = f"Five CAMs of {len(pictures)} pictures, {model.name}, {options.layer or 'the default layer'}"
    print_table(title, interleaved(candidates, options.rounds), ALONE, "numpy")


def compiled(model: Any, pictures: np.ndarray, methods: Sequence[str], layer: str | None) -> Candidate:
    """The function that the engine calls for each chunk."""
    batch, chunk = as_batch(pictures), as_chunk(pictures)
    made = {name: find_method(name)(model, batch, layer=layer) for name in methods}
    return partial(ModelPass(model, batch, made, chunk), chunk)


def forward_of(model: Any, pictures: np.ndarray) -> Candidate:
    """A bare forward pass."""
    import tensorflow as tf

    function, inputs = compiled_forward(model, pictures), tf.constant(pictures)
    return lambda: function(inputs).numpy()


if __name__ == "__main__":
    main()
