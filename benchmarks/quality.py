"""What does quality cost over the bare passes that it needs?

    python -m benchmarks.quality             # Grad-CAM, MobileNetV2, seeded weights, 4 smooth images
    python -m benchmarks.quality --trial     # a network of three convolutions: does it run?

The floor is a compiled forward pass of as many images as there are copies, in batches of the same size, which
are in memory already, and a compiled forward pass with the gradient at the last layer for each heatmap. Ours
also makes the copies, adds noise, permutes weights, ranks positions and computes the measures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.gradcam import FLOOR, add_models, as_batch, as_chunk, make_model
from benchmarks.perturbation import forwards
from benchmarks.running import result_of
from benchmarks.timing import Candidate, interleaved, print_table
from mlflow_interp.core.chunk import some
from mlflow_interp.engine.changes import EXPLANATIONS
from mlflow_interp.engine.model_pass import ModelPass
from mlflow_interp.engine.perturbed_scores import blocks
from mlflow_interp.method_registry import find_method

HEATMAPS = 1 + EXPLANATIONS  # of each input


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=4)
    add_models(parser)
    options = parser.parse_args()
    model, pictures = make_model(options)
    ours, chunks = measured(model, pictures)
    copies = (ours() - HEATMAPS * len(chunks)) // len(pictures)
    candidates = {
        FLOOR: floor(model, pictures, copies, chunks),
        f"{FLOOR} again (noise)": floor(model, pictures, copies, chunks),
        "quality of Grad-CAM": ours,
    }
    title = (
        f"Quality: {copies} copies and {HEATMAPS} heatmaps of each of {len(pictures)} pictures, {model.name}"
    )
    print_table(title, interleaved(candidates, options.rounds), FLOOR, "numpy")


def measured(model: Any, pictures: np.ndarray) -> tuple[Callable[[], int], list[range]]:
    """The measures of the pictures, which return their number of passes, and the pictures of each chunk."""
    batch, chunk = as_batch(pictures), as_chunk(pictures)
    method: Any = find_method("quality")(model, batch)
    passed = ModelPass(model, batch, {"quality": method}, chunk)
    chunks = blocks(len(pictures), method.rows)
    parts = [some(chunk, np.array(numbers)) for numbers in chunks]
    given = [passed(part)[1]["quality"] for part in parts]

    def explain() -> int:
        return sum(sum(method.explain(*each)) for each in zip(parts, given, strict=True))

    return explain, chunks


def floor(model: Any, pictures: np.ndarray, copies: int, chunks: list[range]) -> Candidate:
    """Bare passes: forward for each copy, and with the gradient for each heatmap of each chunk."""
    import tensorflow as tf

    scored, explained = forwards(model, pictures, copies), bare_gradcam(model, pictures)
    inputs = [tf.constant(pictures[numbers.start : numbers.stop]) for numbers in chunks]

    def run() -> None:
        scored()
        for each in inputs:
            for _ in range(HEATMAPS):
                explained(each).numpy()

    return run


def bare_gradcam(model: Any, pictures: np.ndarray) -> Callable[[Any], Any]:
    """Grad-CAM of the predicted class at the last layer, compiled."""
    import keras
    import tensorflow as tf

    layer = model.get_layer(result_of("gradcam", model, as_batch(pictures)).layer)
    parts = keras.Model(model.inputs, [layer.output, *model.outputs])

    def explain(inputs: Any) -> Any:
        features, probabilities = parts(inputs, training=False)
        gradient = tf.gradients(tf.reduce_max(probabilities, axis=1), features)[0]
        return tf.reduce_sum(tf.reduce_mean(gradient, axis=(1, 2), keepdims=True) * features, axis=-1)

    function: Callable[[Any], Any] = tf.function(explain)
    return function


if __name__ == "__main__":
    main()
