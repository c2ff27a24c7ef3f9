"""Do occlusion, RISE and measures of quality equal xplique's, and Grad-CAM++ that of tf-keras-vis?

    pip install xplique==1.3.3 tf-keras-vis==0.8.7
    python -m benchmarks.peers_of_quality

A small network trained on handwritten digits, eight of them, a black baseline; the same patches, masks,
subsets and heatmaps.
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

import mlflow_interp
from benchmarks.gradcam import as_batch
from examples import train_digits
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.engine.faithfulness import FaithfulnessOf
from mlflow_interp.engine.perturbed_scores import PerturbedScores, Replacement, Space
from mlflow_interp.methods.rise import _RandomMasks
from mlflow_interp.quality.measures import SUBSET_SHARE, SUBSETS, subsets
from mlflow_interp.quality.rankings import STEPS, areas

SIDE = 8
MASKS = 400
LAYER = "second"  # of Grad-CAM++


def main() -> None:
    """Compare and print."""
    model, pictures = trained()
    predicted = model.predict(pictures, verbose=0).argmax(axis=1)
    targets = np.eye(10, dtype=np.float32)[predicted]
    print("| what | largest difference | largest value |\n|---|--:|--:|")
    for row in (
        occlusion(model, pictures, targets),
        rise(model, pictures, targets),
        *fidelity(model, pictures, predicted, targets),
        *gradcam_plus_plus(model, pictures, predicted),
    ):
        print(row)


def trained() -> tuple[Any, np.ndarray]:
    """The network as a flat functional model, which peers need, and eight digits that it has not seen."""
    import keras

    keras.utils.set_random_seed(0)
    (pixels, labels), network = train_digits.digits(), train_digits.network()
    network.fit(pixels[:1200], labels[:1200], epochs=4, verbose=0)
    outputs = inputs = keras.Input((SIDE, SIDE, 1))
    for layer in network.layers:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs), pixels[1200:1208].astype(np.float32)


def linear(model: Any) -> Any:
    """The same weights without the softmax, as peers explain what the model gives, and we logits."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.layers[-1].activation = keras.activations.linear
    return copy


def occlusion(model: Any, pictures: np.ndarray, targets: np.ndarray) -> str:
    """Patches side by side: of patches that overlap, xplique adds the falls, and we take their mean."""
    from xplique.attributions import Occlusion

    options: dict[str, Any] = {"baseline": 0, "score": "probability", "log": False, "quiet": True}
    ours = mlflow_interp.visualize_occlusion(model, pictures, patch=2, stride=2, **options).heatmaps
    theirs = np.asarray(Occlusion(model, patch_size=2, patch_stride=2)(pictures, targets))
    return row("occlusion", ours, theirs.reshape(ours.shape))


def rise(model: Any, pictures: np.ndarray, targets: np.ndarray) -> str:
    """With our masks in both; we subtract the mean score, which xplique does not."""
    import tensorflow as tf
    from xplique.attributions import Rise

    ours = mlflow_interp.visualize_rise(
        model, pictures, random_masks=MASKS, cells=4, baseline=0, log=False, quiet=True
    ).heatmaps
    space = Space((SIDE, SIDE), (0, 1))
    masks = _RandomMasks.of(MASKS, 4, 0.5, 0, space).take(range(MASKS))[..., np.newaxis]
    Rise._get_masks = staticmethod(lambda *_: tf.constant(masks))
    Rise._apply_masks = staticmethod(lambda picture, given, _: (picture[np.newaxis] * given, given))
    theirs = np.asarray(Rise(model, nb_samples=MASKS)(pictures, targets)).reshape(ours.shape)
    chosen = targets.argmax(axis=1)
    scores = [
        model.predict(picture * masks, verbose=0)[:, at] for picture, at in zip(pictures, chosen, strict=True)
    ]
    return row("RISE", ours, theirs - np.mean(scores, axis=1)[:, np.newaxis, np.newaxis])


def fidelity(model: Any, pictures: np.ndarray, predicted: np.ndarray, targets: np.ndarray) -> list[str]:
    """For random heatmaps, the mean areas of deletion and insertion, and the mean µFidelity."""
    from xplique.metrics import Deletion, Insertion

    heat = np.random.default_rng(0).random(pictures.shape[:3])
    numbers = np.arange(len(pictures))
    scores = [
        PerturbedScores(model, as_batch(pictures), Replacement(None, 0.0, score), Space((SIDE, SIDE), (0, 1)))
        for score in ("probability", "logit")
    ]
    chunk = Chunk(numbers, tuple(map(str, numbers)), pictures, numbers, None)
    measured = finished(FaithfulnessOf(scores[0], scores[1], chunk, predicted, 0).measure(heat))
    ours = areas(measured["curves"]).mean(axis=0)
    peers = {"deletion": Deletion, "insertion": Insertion}
    given = heat[..., np.newaxis].astype(np.float32)
    return [
        *(
            row(name, ours[at], peer(model, pictures, targets, steps=STEPS)(given))
            for at, (name, peer) in enumerate(peers.items())
        ),
        row("µFidelity", measured["correlation"].mean(), mu_fidelity(model, pictures, targets, given)),
    ]


def mu_fidelity(model: Any, pictures: np.ndarray, targets: np.ndarray, heat: np.ndarray) -> float:
    """xplique's, with our subsets: it replaces the cells whose random number is small."""
    import tensorflow as tf
    from xplique.metrics import MuFidelity

    kept = tf.constant(~subsets((SIDE, SIDE), 0).reshape(SUBSETS, -1), tf.float32)
    options = {"grid_size": SIDE, "subset_percent": SUBSET_SHARE, "nb_samples": SUBSETS}
    peer = MuFidelity(linear(model), pictures, targets, batch_size=None, **options)
    with mock.patch.object(tf.random, "uniform", return_value=kept):
        return float(peer(heat))


def gradcam_plus_plus(model: Any, pictures: np.ndarray, predicted: np.ndarray) -> list[str]:
    """tf-keras-vis without dividing α by its sum over a channel, and as it is, each map ÷ its maximum.

    It multiplies a map by the exponential of the score, which the first comparison divides by.
    """
    from tf_keras_vis import gradcam_plus_plus as theirs
    from tf_keras_vis.utils.scores import CategoricalScore

    logits = linear(model)

    def peer() -> np.ndarray:
        score = CategoricalScore(predicted.tolist())
        options = {"seek_penultimate_conv_layer": False, "expand_cam": False, "normalize_cam": False}
        visualize = theirs.GradcamPlusPlus(logits, clone=False)
        return np.asarray(visualize(score, pictures, penultimate_layer=LAYER, **options))

    options: dict[str, Any] = {"layer": LAYER, "log": False, "quiet": True}
    ours = mlflow_interp.visualize_gradcam_plus_plus(model, pictures, **options).heatmaps
    scores = logits.predict(pictures, verbose=0)[np.arange(len(pictures)), predicted]
    sums: list[np.ndarray] = []
    with mock.patch.object(theirs, "K", without_second_sum(theirs.K, sums)):
        plain = peer() / np.exp(scores)[:, np.newaxis, np.newaxis]
    normalised = peer()
    empty = [int((maps <= 0).all(axis=(1, 2)).sum()) for maps in (normalised, ours)]
    return [
        row("Grad-CAM++, α not divided by its sum", ours, plain),
        row("Grad-CAM++, theirs as it is, ÷ maximum", scaled(ours), scaled(normalised)),
        f"\nThe sum of α is below zero for {(sums[0] < 0).mean():.0%} of channels; of {len(ours)} maps, "
        f"{empty[0]} of theirs and {empty[1]} of ours are empty.",
    ]


def without_second_sum(backend: Any, sums: list[np.ndarray]) -> Any:
    """A backend whose second sum, that of α, goes to a list and is 0, which tf-keras-vis replaces by 1."""
    calls = itertools.count(1)

    def total(tensor: Any, **options: Any) -> Any:
        found = backend.sum(tensor, **options)
        if next(calls) != 2:
            return found
        sums.append(np.asarray(found))
        return 0 * found

    return SimpleNamespace(sum=total, relu=backend.relu)


def scaled(maps: np.ndarray) -> np.ndarray:
    """Maps divided by their maximum, unless it is 0."""
    most = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(maps / np.where(most > 0, most, 1))


def finished(generator: Any) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value


def row(name: str, ours: Any, theirs: Any) -> str:
    """A row of the table."""
    return f"| {name} | {np.abs(ours - theirs).max():.1e} | {np.abs(ours).max():.2f} |"


if __name__ == "__main__":
    main()
