"""Run every method on one architecture and check the results: `python -m tests.zoo.trial NAME FILE`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core.batch import Batch
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.engine.explain import limit
from mlflow_interp.engine.parts import Parts
from mlflow_interp.engine.run import run
from mlflow_interp.method_registry import find_method
from mlflow_interp.models.load import load_model
from tests.running import methods_for_convolutions
from tests.zoo import architectures

INPUTS, DRAWN = 12, 2  # inputs of every method, and of those that are slow
OPTIONS: dict[str, dict[str, Any]] = {
    # Gradients of random weights reach 1e19, whose squares exceed the range of float32.
    "saliency": {"noise_samples": 2, "path_steps": 3, "average": "mean"},
    "caricature": {"ascent_steps": 3},
    "feature_visualization": {"ascent_steps": 3, "max_features": 2},
    "rise": {"random_masks": 8},
}
SLOW = ("caricature", "quality")


def options_of(name: str, side: int) -> dict[str, Any]:
    """The options of a method for images of this size."""
    return {"patch": side // 2, "stride": side // 3} if name == "occlusion" else OPTIONS.get(name, {})


def photographs(side: int) -> np.ndarray:
    """Twelve different square crops of photographs, (12, side, side, 3) uint8."""
    from PIL import Image
    from skimage import data

    squares = []
    for photo in (data.chelsea(), data.coffee(), data.rocket(), data.astronaut()):
        high = min(photo.shape[:2])
        for left in np.linspace(0, photo.shape[1] - high // 2, 3).astype(int):
            square = photo[high // 4 : high // 4 + high // 2, left : left + high // 2]
            squares.append(np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling.BOX)))
    return np.stack(squares)


def batch_for(model: Any, preprocess: str) -> Batch:
    """The first photographs for a model, each labelled with its prediction, but the first one wrongly."""
    loaded, pixels = load_model(model), photographs(model.input_shape[1])
    unlabelled = load_inputs(pixels, loaded, preprocess=preprocess)
    predicted = model.predict(next(unlabelled.chunks()).inputs, verbose=0).argmax(axis=1)
    predicted[0] = (predicted[0] + 1) % architectures.CLASSES
    return load_inputs(pixels, loaded, labels=predicted, preprocess=preprocess)


def check_heatmaps(result: Any, shape: tuple[int, ...]) -> None:
    """One finite map per input; some not zero, and most of those not constant.

    With random weights there may be no evidence for a class, so maps can be zero.
    """
    maps = result.heatmaps
    assert maps.ndim == 3, f"maps have shape {maps.shape}"
    assert len(maps) == shape[0], f"there are {len(maps)} maps"
    assert np.isfinite(maps).all(), "maps are not finite"
    flat = maps.reshape(len(maps), -1)
    hot = flat[flat.max(axis=1) > 0]
    assert len(hot), "all maps are empty"
    varied = (hot.std(axis=1) > 0).mean()
    assert varied >= 0.5, f"only {varied:.0%} of the maps with heat vary over the picture"


def check_perturbation(result: Any, shape: tuple[int, ...]) -> None:
    """One finite map per input, in its size; none of them all zero."""
    maps = result.heatmaps
    assert maps.shape == shape[:3], f"maps have shape {maps.shape}"
    assert np.isfinite(maps).all(), "maps are not finite"
    assert np.abs(maps).reshape(len(maps), -1).max(axis=1).all(), "a map is zero"


def check_saliency(result: Any, shape: tuple[int, ...]) -> None:
    """Three finite maps in the size of the input, none of them all zero."""
    for name in ("gradients", "smooth_gradients", "integrated_gradients"):
        maps = getattr(result, name)
        assert maps.shape == shape, f"{name} have shape {maps.shape}"
        assert np.isfinite(maps).all(), f"{name} are not finite"
        assert np.abs(maps).reshape(len(maps), -1).max(axis=1).all(), f"{name} are zero for an input"


def check_caricature(result: Any, shape: tuple[int, ...]) -> None:
    """One image in colour per input, not constant, with finite metrics."""
    images = result.images
    assert images.shape == (DRAWN, 1, *shape[1:]), f"images have shape {images.shape}"
    assert ((images >= 0) & (images <= 1)).all(), "images leave 0..1"
    assert images.reshape(len(images), -1).std(axis=1).all(), "an image is flat"
    assert np.isfinite([result.objectives, result.cosines, result.dots]).all(), "measures are not finite"


def check_features(result: Any, shape: tuple[int, ...]) -> None:
    """One image in colour per feature, not constant, and how strongly each input excites it."""
    images = result.images
    assert images.shape == (2, 1, *shape[1:]), f"images have shape {images.shape}"
    assert ((images >= 0) & (images <= 1)).all(), "images leave 0..1"
    assert images.reshape(len(images), -1).std(axis=1).all(), "an image is flat"
    assert result.activations.shape == (shape[0], 2), f"activations have shape {result.activations.shape}"


def check_quality(result: Any, shape: tuple[int, ...]) -> None:
    """Probabilities along all curves, and a measure of every kind that is defined."""
    assert result.curves.shape == (DRAWN, 1, 2, 17), f"curves have shape {result.curves.shape}"
    for curves in (result.curves, result.null_curves):
        assert ((curves >= 0) & (curves <= 1 + 1e-3)).all(), "curves leave 0..1"
    assert {"faithfulness", "stability"} <= set(result.summary(0)), "measures are not defined"


def check_umap(result: Any, shape: tuple[int, ...]) -> None:
    """Finite and distinct points."""
    points = result.embeddings[:, 0]
    assert points.shape == (shape[0], 2), f"points have shape {points.shape}"
    assert np.isfinite(points).all(), "points are not finite"
    assert len(np.unique(points, axis=0)) == len(points), "points fall together"


def check_nearest_examples(result: Any, shape: tuple[int, ...]) -> None:
    """Neighbours among the other inputs, with cosines, the most similar first."""
    neighbours, cosines = result.neighbours, result.similarities
    assert len(neighbours) == shape[0], f"{len(neighbours)} inputs have neighbours"
    assert (neighbours != np.arange(shape[0])[:, None]).all(), "an input is its own neighbour"
    assert ((cosines >= -1 - 1e-5) & (cosines <= 1 + 1e-5)).all(), "cosines leave -1..1"
    assert (np.diff(cosines, axis=1) <= 1e-6).all(), "neighbours are not sorted"


def check_confusion_matrix(result: Any, shape: tuple[int, ...]) -> None:
    """Every input in its cell: all on the diagonal except the one with a wrong label."""
    counts = result.counts
    assert counts.sum() == shape[0], f"{counts.sum()} inputs are counted"
    assert np.trace(counts) == shape[0] - 1, f"{np.trace(counts)} lie on the diagonal"


CHECKS: dict[str, Callable[[Any, tuple[int, ...]], None]] = {
    "caricature": check_caricature,
    "confusion_matrix": check_confusion_matrix,
    "eigencam": check_heatmaps,
    "feature_visualization": check_features,
    "gradcam": check_heatmaps,
    "gradcam_plus_plus": check_heatmaps,
    "hirescam": check_heatmaps,
    "layercam": check_heatmaps,
    "nearest_examples": check_nearest_examples,
    "occlusion": check_perturbation,
    "quality": check_quality,
    "rise": check_perturbation,
    "saliency": check_saliency,
    "umap": check_umap,
}


def attempt(methods: Sequence[str], model: Any, preprocess: str) -> dict[str, dict[str, str]]:
    """The outcome of each method of a call: pass, not applicable (with the message for users), or fail."""
    batch = batch_for(model, preprocess)
    side = model.input_shape[1]
    called = {name: find_method(name)(model, batch, **options_of(name, side)) for name in methods}
    for name in SLOW:
        if name in called:
            called[name] = limit(called[name], max_explained=DRAWN)
    try:
        parts = run(model, batch, called)
    except Exception as error:
        return {name: _failure(error) for name in methods}
    shape = next(batch.chunks()).inputs.shape
    return {name: _judged(name, parts, shape) for name in methods}


def _judged(name: str, parts: Parts, shape: tuple[int, ...]) -> dict[str, str]:
    if name in parts.errors:
        return {"outcome": "not applicable", "message": str(parts.errors[name])}
    try:
        CHECKS[name](parts.parts[name].result(), shape)
    except Exception as error:
        return _failure(error)
    return {"outcome": "pass", "message": ""}


def _failure(error: Exception) -> dict[str, str]:
    return {"outcome": "fail", "message": f"{type(error).__name__}: {error}".splitlines()[0]}


def trial(name: str) -> dict[str, Any]:
    """Run every method on one architecture, in one call."""
    model = architectures.build(name)
    preprocess = architectures.preprocessing(name)
    seen = load_inputs(photographs(model.input_shape[1]), load_model(model), preprocess=preprocess)
    architectures.set_batch_statistics(model, next(seen.chunks()).inputs)
    started = time.perf_counter()
    methods = attempt(methods_for_convolutions(), model, preprocess)
    return {
        "name": name,
        "side": model.input_shape[1],
        "parameters": model.count_params(),
        "methods": methods,
        "seconds": round(time.perf_counter() - started, 1),
    }


if __name__ == "__main__":
    _, wanted, file = sys.argv
    Path(file).write_text(json.dumps(trial(wanted), indent=1), encoding="utf-8")
