"""Results of all five methods, built from photographs without running them, and entries of a run's page."""

from __future__ import annotations

import io
from importlib.resources import files as files_of

import numpy as np
from PIL import Image

from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.core.image_arrays import thumbnails
from mlflow_interp.kinds.caricature.result import CaricatureResult
from mlflow_interp.kinds.confusion_matrix import from_predictions
from mlflow_interp.kinds.embedding.result import EmbeddingResult
from mlflow_interp.kinds.heatmap.result import HeatmapResult
from mlflow_interp.kinds.saliency.result import SaliencyResult
from mlflow_interp.method_registry import kind_of
from mlflow_interp.options import parameters_of
from mlflow_interp.report import view_file
from mlflow_interp.report.folder import VIEW_FILE, Entry, read_view
from mlflow_interp.report.manifest import complete_manifest, describe
from mlflow_interp.report.provenance import Provenance

PHOTOGRAPHS = ("chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "camera.png")
CLASSES = ("cat", "coffee", "motorcycle", "rocket", "camera")
LAYERS = ("early", "middle", "late")
SIDE = 224


def photographs(count):
    """(count, 224, 224, 3) uint8: crops of five photographs in turn, each at another position."""
    rng, found = np.random.default_rng(0), []
    for at in range(count):
        with (files_of("skimage") / "data" / PHOTOGRAPHS[at % 5]).open("rb") as file:
            picture = Image.open(file).convert("RGB")
        size = int(min(picture.size) * rng.uniform(0.5, 0.95))
        left, top = (int(rng.integers(0, most - size + 1)) for most in picture.size)
        crop = picture.crop((left, top, left + size, top + size))
        found.append(np.asarray(crop.resize((SIDE, SIDE), Image.Resampling.BICUBIC)))
    return np.stack(found)


def examples(count, *, names=None, class_names=CLASSES, pictures=None, wrong=5):
    """Inputs of five classes in turn; every `wrong`th is predicted as the next class."""
    labels = np.arange(count) % len(class_names)
    predicted = np.where(np.arange(count) % wrong == wrong - 2, (labels + 1) % len(class_names), labels)
    sure = 0.55 + 0.4 * np.random.default_rng(1).random(count)
    images = photographs(count) if pictures is None else pictures
    return Examples(
        indices=np.arange(count),
        names=tuple(names or (f"photograph {at}.jpg" for at in range(count))),
        labels=labels,
        classes=np.stack([predicted, (predicted + 1) % len(class_names)], axis=1),
        probabilities=np.stack([sure, 1 - sure], axis=1).astype(np.float32),
        class_names=class_names,
        images=images,
        thumbnails=thumbnails(images, 48),
    )


def results(shown):
    """By method, a plausible result for these inputs."""
    rng, count, pictures = np.random.default_rng(2), len(shown), shown.images
    explained = Explained(shown, shown.classes[:, 0], np.ones(count), shown.probabilities[:, 0], "softmax")
    shape, side = pictures.shape, pictures.shape[1]
    edges = np.abs(np.diff(pictures.astype(np.float32), axis=1, prepend=0)) * rng.random(shape, np.float32)
    noise = 0.15 * rng.standard_normal((count, len(LAYERS), *shape[1:]), np.float32)
    drawn = np.clip(np.float32(pictures[:, np.newaxis]) / 255 + noise, 0, 1)
    measured = np.tile(np.float32([0.9, 0.7, 0.5]), (count, 1))
    points = rng.normal(0, 1, (count, 2, 2)) + 3 * shown.labels[:, np.newaxis, np.newaxis]
    names, classes = shown.class_names, len(shown.class_names)
    return {
        "gradcam": HeatmapResult(explained, rng.random((count, 7, 7), np.float32) ** 3, "late"),
        "saliency": SaliencyResult(explained, edges, edges**2, edges**0.5, np.full(count, 0.02), 7),
        "umap": EmbeddingResult(
            shown, points.astype(np.float32), LAYERS[1:], np.ones(count, bool),
            {"trustworthiness": np.array([0.95, 0.97])}, pictures[:, :: side // 8, :: side // 8], {},
        ),
        "confusion_matrix": from_predictions(
            shown.labels, np.eye(classes)[shown.classes[:, 0]], class_names=list(names), images=pictures
        ),
        "caricature": CaricatureResult(
            shown, drawn, LAYERS, measured, measured, measured, measured / 3,
            np.cumsum(np.ones((count, len(LAYERS), 8), np.float32), axis=2), np.full((count, 3), 256),
            np.ones((count, 3), bool), np.zeros((count, 3, 0, side, side, 3), np.uint8), 0, 32,
        ),
    }  # fmt: skip


MODEL = {
    "uri": "models:/sights/3", "name": "sights", "version": "3", "aliases": ["champion"], "model_id": "m-1",
    "run_id": "abc", "experiment_id": "1", "weights_sha256": "0" * 64, "input_shape": [[224, 224, 3]],
    "parameters": 4_694_024,
}  # fmt: skip


def picture():
    """The smallest PNG, for tests in which the appearance of the figure does not matter."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), "#3f90da").save(buffer, "PNG")
    return buffer.getvalue()


def entry(method, result, *, place=None, given=None, inputs=None, model=None, figure=None, **more):
    """The entry of a result on the run's page."""
    source = {"source": "./photos", "sha256": "d1", "count": len(result.examples), "skipped": {}}
    provenance = Provenance(MODEL | (model or {}), source | (inputs or {}), {"resize": "crop"}, ())
    figure = figure or picture()
    content = view_file.as_json(kind_of(method).view(result), figure=figure)
    files = {"figure.png": figure, VIEW_FILE: content}
    manifest = complete_manifest(
        describe(
            method,
            result,
            given or {},
            provenance,
            parameters=parameters_of(method, given or {}),
            seconds=1.5,
        ),
        files,
    )
    return Entry(place or method, manifest | more, figure, read_view(content))


def entries(shown, methods=None):
    """The entries of all methods on the run's page."""
    found = results(shown)
    return [entry(method, found[method]) for method in methods or found]
