"""What do attention relevance and rollout cost over a bare pass that takes the same gradient?

    python -m benchmarks.attention             # a transformer of the size of ViT-Ti/16, 8 images of 224×224
    python -m benchmarks.attention --blocks 2

The bare pass computes the score and its gradient with respect to the attention weights of all layers, and
nothing else. The methods are the compiled function that the engine calls for each chunk of inputs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.cams import forward_of
from benchmarks.gradcam import FLOOR, as_batch, as_chunk
from benchmarks.timing import Candidate, interleaved, print_table
from mlflow_interp.engine.model_pass import ModelPass
from mlflow_interp.method_registry import find_method

BARE = "bare pass with gradient"


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--blocks", type=int, default=12)
    options = parser.parse_args()
    model = vision_transformer(options.blocks)
    pictures = np.random.default_rng(0).random((options.images, 224, 224, 3), dtype=np.float32)
    candidates = {
        BARE: gradient_of(model, pictures),
        f"{BARE} again (noise)": gradient_of(model, pictures),
        "relevance": compiled(model, pictures, {}),
        "rollout": compiled(model, pictures, {"propagation": "rollout"}),
        "Grad-CAM": compiled(model, pictures, {}, "gradcam"),
        FLOOR: forward_of(model, pictures),
    }
    title = f"Attention of {len(pictures)} images of 224×224, a vision transformer of {options.blocks} blocks"
    print_table(title, interleaved(candidates, options.rounds), BARE, "numpy")


def vision_transformer(blocks: int, dim: int = 192, heads: int = 3, classes: int = 1000) -> Any:
    """A vision transformer of the size of ViT-Ti/16 with random weights; its head averages the tokens."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(0)
    pixels = keras.Input((224, 224, 3))
    value = layers.Reshape((196, dim))(layers.Conv2D(dim, 16, 16)(pixels))
    for _ in range(blocks):
        normed = layers.LayerNormalization()(value)
        value = value + layers.MultiHeadAttention(heads, dim // heads)(normed, normed)
        hidden = layers.Dense(4 * dim, activation="gelu")(layers.LayerNormalization()(value))
        value = value + layers.Dense(dim)(hidden)
    value = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(value))
    return keras.Model(pixels, layers.Dense(classes, activation="softmax")(value))


def compiled(
    model: Any, pictures: np.ndarray, options: Mapping[str, Any], method: str = "attention"
) -> Candidate:
    """The function that the engine calls for each chunk."""
    batch, chunk = as_batch(pictures), as_chunk(pictures)
    made = {method: find_method(method)(model, batch, **options)}
    return partial(ModelPass(model, batch, made, chunk), chunk)


def gradient_of(model: Any, pictures: np.ndarray) -> Candidate:
    """A forward pass, and the gradient of the best score with respect to all attention weights."""
    import tensorflow as tf

    from mlflow_interp.backend.compile import compile_for
    from mlflow_interp.backend.forward import forward
    from mlflow_interp.backend.heads import class_scores

    def work(inputs: Any) -> Any:
        passed = forward(model, inputs, attention=True)
        score = tf.reduce_max(class_scores(passed.outputs, model, "auto").scores, axis=1)
        gradients = tf.gradients(score, [tensor for _, tensor in passed.attention])
        # The sums, as copying all gradients out of TensorFlow would cost more than computing them.
        return score, [tf.reduce_sum(each) for each in gradients]

    function, inputs = compile_for(work, pictures), tf.constant(pictures)
    return lambda: [each.numpy() for each in tf.nest.flatten(function(inputs))]


if __name__ == "__main__":
    main()
