"""Resizing: equal to Keras' own loaders, how the method is determined, and what is recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mlflow_interp.core.batch import Batch
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.data.resizing import Interpolation, Resizing, find_resizing
from mlflow_interp.exceptions import OptionError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel
from tests.running import confusion_matrix
from tests.tiny_models import save_images, small_model

layers = keras.layers
SIZE = (12, 16)
MODES = {
    "stretch": {},
    "crop": {"crop_to_aspect_ratio": True},
    "pad": {"pad_to_aspect_ratio": True},
}
PILLOW = [name for name in get_args(Interpolation)[1:] if not name.startswith("tf-")]
TENSORFLOW = [name.removeprefix("tf-") for name in get_args(Interpolation) if name.startswith("tf-")]


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of noise, larger and smaller than the model's input, wide and tall; some as JPEGs."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    sizes = [(30, 50), (50, 31), (17, 13), (9, 41), (12, 16), (5, 7), (24, 32)]
    for name in ("cat", "dog"):
        (folder / name).mkdir()
        for index, (height, width) in enumerate(sizes):
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.{'jpg' if index % 2 else 'png'}")
    return folder


@pytest.fixture(scope="session")
def classifier() -> LoadedModel:
    """A model that scales its input itself; its probabilities are far from 0.5."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return load_model(model)


def dataset_of_keras(folder: Path, **options: Any) -> Any:
    return keras.utils.image_dataset_from_directory(
        folder, image_size=SIZE, shuffle=False, verbose=False, **options
    )


def prepared_inputs(batch: Batch) -> np.ndarray:
    return np.concatenate([chunk.inputs for chunk in batch.chunks()])


def shown(batch: Batch) -> np.ndarray:
    return np.concatenate([chunk.images for chunk in batch.chunks() if chunk.images is not None])


# Equal to Keras.


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", TENSORFLOW)
def test_folder_equals_that_of_keras(
    mode: Any, method: str, photographs: Path, classifier: LoadedModel
) -> None:
    expected = np.concatenate(
        [images for images, _ in dataset_of_keras(photographs, interpolation=method, **MODES[mode])]
    )
    interpolation: Any = f"tf-{method}"
    batch = load_inputs(photographs, classifier, resize=mode, interpolation=interpolation)
    # TensorFlow's Lanczos is not exact for images that have the right size already.
    np.testing.assert_allclose(prepared_inputs(batch), expected, atol=1e-3 if "lanczos" in method else 0)
    # The images shown have the pixels that the model sees, so that heatmaps are aligned with them.
    np.testing.assert_array_equal(shown(batch), np.rint(np.clip(prepared_inputs(batch), 0, 255)))
    assert batch.warnings == []


@pytest.mark.parametrize("mode", MODES)
def test_accuracy_and_predictions_equal_those_of_keras(
    mode: Any, photographs: Path, classifier: LoadedModel
) -> None:
    dataset = dataset_of_keras(photographs, **MODES[mode])
    batch = load_inputs(photographs, classifier, resize=mode, interpolation="tf-bilinear")
    result = confusion_matrix(classifier.keras, batch)
    accuracy = classifier.keras.evaluate(dataset, verbose=0, return_dict=True)["accuracy"]
    assert result.metrics()["accuracy"] == pytest.approx(accuracy)
    np.testing.assert_allclose(
        classifier.keras.predict(prepared_inputs(batch), verbose=0),
        classifier.keras.predict(dataset, verbose=0),
        atol=1e-6,
    )


def test_default_guess_differs_from_keras(photographs: Path, classifier: LoadedModel) -> None:
    """Without this, the tests above could not fail."""
    expected = np.concatenate([images for images, _ in dataset_of_keras(photographs)])
    assert np.abs(prepared_inputs(load_inputs(photographs, classifier)) - expected).max() > 30


@pytest.mark.parametrize("method", PILLOW)
def test_folder_equals_that_of_an_image_data_generator(
    method: Any, photographs: Path, classifier: LoadedModel
) -> None:
    """It stretches with Pillow, with nearest-neighbour interpolation by default."""
    options = {} if method == "nearest" else {"interpolation": method}
    iterator = tf.keras.preprocessing.image.ImageDataGenerator().flow_from_directory(
        photographs, target_size=SIZE, shuffle=False, class_mode="sparse", **options
    )
    batch = load_inputs(photographs, classifier, resize="stretch", interpolation=method)
    np.testing.assert_array_equal(prepared_inputs(batch), iterator[0][0])


def test_jpegs_are_decoded_as_by_keras_and_rotated_upright(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    for name, options in {"plain": {}, "turned": {"exif": exif}}.items():
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "a.jpg", **options)
    expected = keras.utils.image_dataset_from_directory(
        tmp_path / "plain", image_size=(8, 8), labels=None, verbose=False
    )
    (image,) = next(expected.as_numpy_iterator())
    options = {"resize": "stretch", "interpolation": "tf-bilinear", "preprocess": "none"}
    model = load_model(small_model())
    np.testing.assert_array_equal(
        prepared_inputs(load_inputs(tmp_path / "plain", model, **options))[0], image
    )
    turned = prepared_inputs(load_inputs(tmp_path / "turned", model, **options))[0]
    np.testing.assert_allclose(turned, np.rot90(image, -1), atol=1e-3)


def test_damaged_jpeg_is_named(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jpg"
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(whole)
    (tmp_path / "cut.jpg").write_bytes(whole.read_bytes()[:1000])
    batch = load_inputs(tmp_path, load_model(small_model()), interpolation="tf-bilinear", resize="stretch")
    assert len(prepared_inputs(batch)) == 1
    assert list(batch.skipped) == ["cut.jpg"]
    assert "\n" not in batch.skipped["cut.jpg"]
    assert "node" not in batch.skipped["cut.jpg"]


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_images(channels: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (9, 7, channels), dtype=np.uint8)
    (tmp_path / "a").mkdir()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(tmp_path / "a" / "a.png")
    mode = "grayscale" if channels == 1 else "rgba"
    expected = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(8, 8), labels=None, color_mode=mode, verbose=False
    )
    model = load_model(small_model(channels=channels))
    batch = load_inputs(tmp_path, model, resize="stretch", interpolation="tf-bilinear", preprocess="none")
    np.testing.assert_array_equal(prepared_inputs(batch), next(expected.as_numpy_iterator()))


def test_colour_jpegs_in_grey(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    pixels = np.random.default_rng(2).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a" / "a.jpg")
    expected = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(8, 8), labels=None, color_mode="grayscale", verbose=False
    )
    model = load_model(small_model(channels=1))
    batch = load_inputs(tmp_path, model, resize="stretch", interpolation="tf-bilinear", preprocess="none")
    np.testing.assert_array_equal(prepared_inputs(batch), next(expected.as_numpy_iterator()))


# How the method is determined.


def guess(resize: Any = "auto") -> str:
    found = find_resizing(resize, "auto", {})
    assert (found.resize, found.interpolation) == ("crop", "lanczos")
    assert found.guess
    return found.guess


def test_options_override_metadata() -> None:
    metadata = {"resize": "pad", "interpolation": "tf-area"}
    assert find_resizing("auto", "auto", metadata) == Resizing("pad", "tf-area")
    assert find_resizing("stretch", "auto", metadata) == Resizing("stretch", "tf-area")
    assert find_resizing("stretch", "box", metadata) == Resizing("stretch", "box")


def test_warning_names_only_what_is_guessed() -> None:
    both = guess()
    assert "assuming resize='crop' and interpolation='lanczos'. Pass resize= and interpolation=" in both
    assert "such as {'resize': 'stretch', 'interpolation': 'tf-bilinear'}" in both
    assert "assuming interpolation='lanczos'. Pass interpolation=, or" in guess(resize="crop")
    other = find_resizing("auto", "auto", {"interpolation": "tf-bilinear"})
    assert other.guess
    assert "assuming resize='crop'. Pass resize=, or" in other.guess


@pytest.mark.parametrize("declared", [[224, 224], 224, "fill", "auto", True])
def test_invalid_metadata_gives_a_warning(declared: Any) -> None:
    """Authors use such keys for their own purposes; this must not stop a call or change the result."""
    warning = find_resizing("auto", "lanczos", {"resize": declared}).guess
    assert warning
    assert f"metadata states resize={declared!r}, which is not one of crop, pad, stretch" in warning


def test_metadata_of_a_model_is_used(photographs: Path, classifier: LoadedModel) -> None:
    stated = replace(classifier, metadata={"resize": "stretch", "interpolation": "tf-bilinear"})
    batch = load_inputs(photographs, stated)
    np.testing.assert_array_equal(
        prepared_inputs(batch), np.concatenate([images for images, _ in dataset_of_keras(photographs)])
    )
    assert batch.warnings == []


def test_guess_gives_one_warning_only_if_an_image_is_resized(
    photographs: Path, classifier: LoadedModel, tmp_path: Path
) -> None:
    batch = load_inputs(photographs, classifier, batch_size=2)
    assert batch.warnings == []
    for _ in range(2):
        prepared_inputs(batch)
    (warning,) = batch.warnings
    assert warning.startswith("images of other sizes than 12×16 are resized; assuming resize='crop' and")
    folder = save_images(tmp_path, {"a.png": 1, "b.png": 2})
    fits = load_inputs(folder, load_model(small_model()), preprocess="0..1")
    prepared_inputs(fits)
    assert fits.warnings == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, ("crop", "lanczos")), ({"resize": "pad", "interpolation": "tf-area"}, ("pad", "tf-area"))],
)
def test_method_is_recorded_in_the_manifest(
    options: dict[str, Any], expected: tuple[str, str], photographs: Path, classifier: LoadedModel
) -> None:
    batch = load_inputs(photographs, classifier, **options)
    prepared_inputs(batch)
    assert (batch.preparation["resize"], batch.preparation["interpolation"]) == expected
    assert batch.preparation["size"] == list(SIZE)


def test_baseline_resized_by_a_guess_gives_a_warning(photographs: Path, classifier: LoadedModel) -> None:
    batch = load_inputs(np.zeros((2, *SIZE, 3), np.float32), classifier)
    assert batch.read_like is not None
    assert batch.read_like(str(photographs / "cat" / "0.png")).shape == (*SIZE, 3)
    assert any("assuming resize='crop'" in warning for warning in batch.warnings)


@pytest.mark.parametrize("value", ["cubic", "tf-lanczos", "BILINEAR", 2])
def test_unknown_interpolations_are_rejected(value: Any, photographs: Path, classifier: LoadedModel) -> None:
    with pytest.raises(OptionError, match=r"no interpolation .*; available: auto, nearest, box"):
        load_inputs(photographs, classifier, interpolation=value)
