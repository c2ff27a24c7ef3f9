"""Do occlusion, RISE, deletion and insertion equal xplique's, on the same patches, masks and heatmaps?

    pip install xplique==1.3.3
    python -m benchmarks.peers_of_quality

A small network trained on handwritten digits, eight of them, a black baseline.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import mlflow_interp
from benchmarks.gradcam import as_batch
from examples import train_digits
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.engine.faithfulness import FaithfulnessOf
from mlflow_interp.engine.perturbed_scores import PerturbedScores, Replacement, Space
from mlflow_interp.methods.rise import _RandomMasks
from mlflow_interp.quality.rankings import STEPS, areas

SIDE = 8
MASKS = 400


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
    ):
        print(row)


def trained() -> tuple[Any, np.ndarray]:
    """The network as a functional model, which xplique needs, and eight digits that it has not seen."""
    import keras

    keras.utils.set_random_seed(0)
    (pixels, labels), network = train_digits.digits(), train_digits.network()
    network.fit(pixels[:1200], labels[:1200], epochs=4, verbose=0)
    inputs = keras.Input((SIDE, SIDE, 1))
    return keras.Model(inputs, network(inputs)), pixels[1200:1208].astype(np.float32)


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
    """The mean areas of deletion and insertion, for random heatmaps."""
    from xplique.metrics import Deletion, Insertion

    heat = np.random.default_rng(0).random(pictures.shape[:3])
    numbers = np.arange(len(pictures))
    scores = [
        PerturbedScores(model, as_batch(pictures), Replacement(None, 0.0, score), Space((SIDE, SIDE), (0, 1)))
        for score in ("probability", "logit")
    ]
    chunk = Chunk(numbers, tuple(map(str, numbers)), pictures, numbers, None)
    measured = FaithfulnessOf(scores[0], scores[1], chunk, predicted, 0).measure(heat)
    ours = areas(finished(measured)["curves"]).mean(axis=0)
    peers = {"deletion": Deletion, "insertion": Insertion}
    return [
        row(name, ours[at], peer(model, pictures, targets, steps=STEPS)(np.float32(heat[..., np.newaxis])))
        for at, (name, peer) in enumerate(peers.items())
    ]


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
