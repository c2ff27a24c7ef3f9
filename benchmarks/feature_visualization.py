"""What does a step of `feature_visualization` cost over the bare optimisation loop?

    python -m benchmarks.feature_visualization            # EfficientNet-Lite0, 8 images, 16 steps
    python -m benchmarks.feature_visualization --trial    # a network of three convolutions: does it run?
    python -m benchmarks.feature_visualization --looks looks.png   # saturation, at full length

The floor runs the same number of bare forward and backward passes through the model up to the layer, to
images of the same size, one batch of eight as ours. Ours also computes images from spectra, transforms them,
and takes the steps of Adam. Compilation and the pass over the inputs, once each, are not counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.caricature import LAYERS, pretrained
from benchmarks.nearest_examples import network
from benchmarks.timing import interleaved, print_table
from mlflow_interp.drawing.tone import drawn, saturation
from mlflow_interp.optvis.feature_renderer import ROWS, Feature, FeatureOptions, FeatureRenderer
from mlflow_interp.optvis.features import OUTPUT, FeatureLayer
from mlflow_interp.optvis.optimize import Optimization
from mlflow_interp.optvis.param import ImageParam, noise
from mlflow_interp.optvis.transform import InputMapping

FLOOR = "bare forward + backward (floor)"
STEPS = 16


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--trial", action="store_true")
    parser.add_argument("--looks", help="where to write images as optimised above images as drawn")
    options = parser.parse_args()
    model = network(32) if options.trial else pretrained(["late"], 1)[0].model
    side, white = (32, 1.0) if options.trial else (224, 255.0)
    layers = [model.layers[2].name] if options.trial else [*LAYERS.values(), OUTPUT]
    for layer in layers:
        renderer = renderer_of(model, layer, side, white)
        if options.looks:
            print_looks(renderer, layer, options.looks)
            continue
        timings = interleaved(
            {
                FLOOR: floor(model, layer, side, white),
                "feature_visualization": ours(renderer, channels_of(model, layer)),
            },
            options.rounds,
            warmups=2,
        )
        print_table(f"{STEPS} steps of {ROWS} images at {layer}", timings, FLOOR)


def renderer_of(model: Any, layer: str, side: int, white: float) -> FeatureRenderer:
    """The renderer as the method creates it, with its defaults."""
    mapping = InputMapping(np.full((1, 3), white, np.float32), np.zeros((1, 3), np.float32))
    options = FeatureOptions(ImageParam((side, side), 3), 256, 0.05, 0.02, 0.01, 1, 0)
    return FeatureRenderer(model, FeatureLayer(layer), mapping, options)


def output_of(model: Any, layer: str) -> Any:
    """The symbolic output of a layer."""
    return model.outputs[0] if layer == OUTPUT else model.get_layer(layer).output


def channels_of(model: Any, layer: str) -> int:
    """The number of channels of a layer."""
    return int(output_of(model, layer).shape[-1])


def floor(model: Any, layer: str, side: int, white: float) -> Callable[[], object]:
    """Bare passes of the mean of each of eight channels, with weights as variables."""
    import keras
    import tensorflow as tf

    truncated = keras.Model(model.inputs, output_of(model, layer))
    inputs = tf.constant(np.random.default_rng(0).random((ROWS, side, side, 3), np.float32) * white)
    rows = tf.stack([tf.range(ROWS), tf.range(ROWS)], axis=1)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def once(images: Any) -> Any:
        found = truncated(images, training=False)
        pooled = found if found.shape.rank == 2 else tf.reduce_mean(found, axis=(1, 2))
        return tf.gradients(tf.reduce_sum(tf.gather_nd(pooled, rows)), images)[0]

    return lambda: [once(inputs).numpy() for _ in range(STEPS)]


def ours(renderer: FeatureRenderer, channels: int) -> Callable[[], object]:
    """The same number of steps of the method."""
    start = noise(renderer.options.param, range(1), stddev=0.01, seed=0).repeat(ROWS, axis=0)
    constants = (np.eye(channels, dtype=np.float32)[:ROWS], np.arange(ROWS, dtype=np.int32))
    step = renderer._compiled(start, constants)
    return lambda: list(Optimization(step, constants, start.copy(), renderer._views()).run(STEPS, 0))


def print_looks(renderer: FeatureRenderer, layer: str, path: str) -> None:
    """Print how saturated images are with all defaults, as optimised and as drawn, and write both."""
    from PIL import Image

    weights = np.eye(channels_of(renderer.model, layer), dtype=np.float32)[:ROWS]
    images = [each["images"][0] for each in finished(renderer.draw([Feature(row, 1.0) for row in weights]))]
    pairs = [(np.rint(image * 255).astype(np.uint8), drawn(image)) for image in images]
    for name, pictures in zip(("as optimised", "as drawn"), zip(*pairs, strict=True), strict=True):
        shares = [saturation(pixels / 255) for pixels in pictures]
        print(f"{layer}, {name}: {np.mean(shares):.1%} of values are saturated, at most {max(shares):.1%}")
    sheet = np.concatenate([np.concatenate(pictures, axis=1) for pictures in zip(*pairs, strict=True)])
    Image.fromarray(sheet).save(path.replace(".", f"-{layer}.", 1))


def finished(generator: Any) -> Any:
    """What a generator returns."""
    try:
        while True:
            next(generator)
    except StopIteration as stop:
        return stop.value


if __name__ == "__main__":
    main()
