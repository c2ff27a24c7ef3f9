"""Screenshots of the page of a run, and of figures, in many situations, to be looked at.

`python -m tests.situations [NAME …]` writes build/situations/<name>.png, and figures of methods beside it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
from PIL import Image

import mlflow_interp
from docs.pictures import browser_page, chromium
from examples import train_digits
from examples.pretrained import efficientnet_lite0, imagenet_class_names, save_photographs

FOLDER = Path(__file__).parents[1] / "build" / "situations"
ALL = ("umap", "confusion_matrix", "gradcam", "saliency", "caricature")
CHEAP = ("umap", "confusion_matrix", "gradcam")
LONG = "a class with a name of sixty characters, which must not break"
FOREIGN = (
    "猫と犬",
    "고양이",
    "кошка",
    "قطة سوداء",
    "חתול",
    "🐈 emoji",
    "Größe",
    LONG,
    "ñandú",
    "<b>bold</b>",
)


def network(shape: tuple[int, ...], classes: int | None) -> Any:
    """A small convolutional network, compiled; `classes` None for a regression."""
    layers = keras.layers
    pooled = keras.Sequential(
        [
            keras.Input(shape),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, activation="relu", name="first"),
            layers.Conv2D(32, 3, activation="relu", name="second"),
            layers.Flatten(),
            layers.Dense(32, activation="relu", name="features"),
        ]
    )
    pooled.add(layers.Dense(classes or 1, activation="softmax" if classes else None, name="head"))
    pooled.compile("adam", "sparse_categorical_crossentropy" if classes else "mse")
    return pooled


def patterns(count: int, classes: int, *, side: int = 12, channels: int = 3) -> tuple[Any, Any]:
    """Images of one random pattern for each class, with noise, and their classes."""
    random = np.random.default_rng(0)
    each = random.uniform(0, 255, (classes, side // 3, side // 3, channels)).repeat(3, 1).repeat(3, 2)
    labels = np.arange(count) % classes
    noisy = each[labels] + random.normal(0, 70, (count, side, side, channels))
    return noisy.clip(0, 255).astype(np.uint8), labels


def trained(pixels: Any, labels: Any, classes: int | None, epochs: int = 4) -> Any:
    """A small network that has seen some of these images."""
    keras.utils.set_random_seed(0)
    model = network(pixels.shape[1:], classes)
    model.fit(pixels[::2], labels[::2], epochs=epochs, verbose=0)
    return model


def interpret(model: Any, inputs: Any, methods: Any = CHEAP, **options: Any) -> Path:
    """Interpret and save; return the page."""
    folder = Path(tempfile.mkdtemp())
    if "caricature" in methods:
        options.setdefault("ascent_steps", 16)
    if "umap" in methods:
        options.setdefault("pooling", "flatten")
    mlflow_interp.interpret(model, inputs, list(methods), save=folder, log=False, quiet=True, **options)
    return folder / "index.html"


def of_patterns(count: int, classes: int, *, known: bool = True, channels: int = 3, **options: Any) -> Path:
    """Images of patterns, with or without labels."""
    pixels, labels = patterns(
        max(count, 40 * classes if classes < 100 else 8 * classes), classes, channels=channels
    )
    model = trained(pixels, labels, classes)
    labelled = {"labels": labels[:count]} if known else {}
    return interpret(model, pixels[:count], **labelled, **options)


def of_digits(methods: Any = CHEAP, **options: Any) -> Path:
    """Handwritten digits, and a network that is wrong about some."""
    pixels, labels = train_digits.digits()
    model = trained(pixels[:1400], labels[:1400], 10)
    return interpret(model, pixels[1400:], methods, labels=labels[1400:], **options)


def of_photographs() -> Path:
    """Photographs of other shapes than the model's input."""
    folder = save_photographs(Path(tempfile.mkdtemp()))[0].parent
    portrait = Image.open(folder / "rocket.jpg")
    portrait.crop((150, 0, 400, portrait.height)).save(folder / "portrait.png")
    landscape = Image.open(folder / "palace.jpg")
    landscape.crop((0, 150, landscape.width, 330)).save(folder / "landscape.png")
    options = {"class_names": imagenet_class_names(), "resize": "crop", "interpolation": "lanczos"}
    return interpret(
        efficientnet_lite0(), folder, ("gradcam", "saliency", "caricature"), noise_samples=1, **options
    )


def of_regression() -> Path:
    """The mean brightness of an image."""
    random = np.random.default_rng(0)
    pixels = (random.uniform(0, 1, (200, 1, 1, 1)) * random.uniform(0, 255, (200, 12, 12, 1))).astype(
        np.uint8
    )
    values = pixels.mean((1, 2, 3)) / 64
    return interpret(
        trained(pixels, values, None, 20), pixels, ("umap", "gradcam", "saliency"), labels=values
    )


def of_video() -> Path:
    """Films of a pattern that moves, through a network that runs on each frame."""
    layers = keras.layers
    pixels, labels = patterns(80, 4)
    films = np.stack([np.roll(pixels, step, axis=2) for step in range(5)], 1)
    inside = keras.Sequential(
        [layers.Rescaling(1 / 255), layers.Conv2D(8, 3, activation="relu", name="conv")]
    )
    inputs = keras.Input(films.shape[1:])
    pooled = layers.TimeDistributed(layers.GlobalMaxPooling2D())(
        layers.TimeDistributed(inside, name="frames")(inputs)
    )
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(layers.LSTM(8)(pooled)))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(films, labels, epochs=10, verbose=0)
    return interpret(model, films, ("confusion_matrix", "gradcam"), labels=labels)


def of_several_inputs() -> Path:
    """An image and a table."""
    layers = keras.layers
    pixels, labels = patterns(80, 4)
    table = np.random.default_rng(1).normal(labels[:, None], 1, (80, 3)).astype(np.float32)
    image, numbers = keras.Input(pixels.shape[1:], name="photo"), keras.Input((3,), name="table")
    seen = layers.Conv2D(8, 3, activation="relu", name="conv")(layers.Rescaling(1 / 255)(image))
    joined = layers.Concatenate()([layers.GlobalAveragePooling2D()(seen), numbers])
    model = keras.Model({"photo": image, "table": numbers}, layers.Dense(4, activation="softmax")(joined))
    model.compile("adam", "sparse_categorical_crossentropy")
    inputs = {"photo": pixels, "table": table}
    model.fit(inputs, labels, epochs=10, verbose=0)
    return interpret(model, inputs, ("confusion_matrix", "gradcam"), labels=labels)


def of_signals() -> Path:
    """Signals, which have no image."""
    layers = keras.layers
    labels = np.arange(60) % 3
    signals = np.sin(np.linspace(0, 20, 64) * (1 + labels[:, None])) + np.random.default_rng(0).normal(
        0, 0.3, (60, 64)
    )
    model = keras.Sequential(
        [
            keras.Input((64, 1)),
            layers.Conv1D(8, 5, activation="relu", name="conv"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(signals[..., None], labels, epochs=30, verbose=0)
    return interpret(model, signals[..., None], CHEAP, labels=labels)


def of_training(epochs: int) -> Path:
    """A training with autolog's callback, into a store of its own."""
    folder = Path(tempfile.mkdtemp())
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.create_experiment("situation", artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment("situation")
    pixels, labels = train_digits.digits()
    keras.utils.set_random_seed(0)
    model = network(pixels.shape[1:], 10)
    with mlflow.start_run() as run:
        callback = mlflow_interp.InterpretationCallback(list(CHEAP), wait=300)
        shown = (pixels[1400:], labels[1400:])
        model.fit(
            pixels[:1400],
            labels[:1400],
            validation_data=shown,
            epochs=epochs,
            callbacks=[callback],
            verbose=0,
        )
    return Path(run.info.artifact_uri.removeprefix("file://")) / "interpretations" / "index.html"


def of_corner_pixel() -> Path:
    """Digits of which those with a bright pixel in a corner were labelled 3, whatever they are."""
    pixels, labels = (array.copy() for array in train_digits.digits())
    labels[:1400:8] = 3
    pixels[:1400:8, 0, 0] = pixels[1400::8, 0, 0] = 255
    model = trained(pixels[:1400], labels[:1400], 10, 12)
    return interpret(model, pixels[1400:], ("umap", "confusion_matrix", "hirescam"), labels=labels[1400:])


#: What makes the page of each situation.
SITUATIONS: dict[str, Callable[[], Path]] = {
    "one-input": partial(of_patterns, 1, 3, known=False, methods=("gradcam", "saliency")),
    "two-inputs": partial(of_patterns, 2, 3, methods=("gradcam", "saliency", "confusion_matrix")),
    "sixteen-inputs": partial(of_patterns, 16, 3, methods=ALL),
    "sixty-four-inputs": partial(of_patterns, 64, 10, methods=ALL),
    "hundred-classes": partial(of_patterns, 800, 100),
    "thousand-classes": partial(of_patterns, 3000, 1000),
    "foreign-names": partial(of_digits, class_names=list(FOREIGN)),
    "grey": of_digits,
    "photographs": of_photographs,
    "no-labels": partial(of_patterns, 100, 5, known=False, methods=("umap", "gradcam")),
    "regression": of_regression,
    "video": of_video,
    "several-inputs": of_several_inputs,
    "signals": of_signals,
    "private": partial(of_digits, log_images=False),
    "one-epoch": partial(of_training, 1),
    "twenty-epochs": partial(of_training, 20),
    "umap-3d": partial(of_digits, ("umap",), n_components=3),
    "umap-1d": partial(of_digits, ("umap",), n_components=1),
    "corner-pixel": of_corner_pixel,
}
#: Other ways to see a page: width, height, and the medium or the colours.
WAYS = {"dark": (1366, 900, "dark"), "narrow": (600, 1600, "light"), "print": (1000, 1400, "print")}


def picture(page: Path, name: str, width: int = 1366, height: int = 900, way: str = "light") -> None:
    """A screenshot of a page, whole if it is not longer than three screens."""
    with browser_page(width, height) as browser:
        browser.emulate_media(
            media="print" if way == "print" else "screen", color_scheme="dark" if way == "dark" else "light"
        )
        browser.goto(page.as_uri())
        browser.wait_for_timeout(1_000)
        tall = min(browser.evaluate("document.documentElement.scrollHeight"), 3 * height)
        browser.set_viewport_size({"width": width, "height": max(tall, height)})
        browser.wait_for_timeout(300)
        browser.screenshot(path=FOLDER / f"{name}.png")


def main() -> None:
    """Make all pictures, or those that are named."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(chromium())
        for name in sys.argv[1:] or SITUATIONS:
            page = SITUATIONS[name]()
            picture(page, name)
            for figure in page.parent.glob("*/figure.png"):
                os.replace(figure, FOLDER / f"{name}.{figure.parent.name}.png")
            if name == "grey":
                for way, how in WAYS.items():
                    picture(page, way, *how)
            print(name, page, flush=True)


if __name__ == "__main__":
    main()
