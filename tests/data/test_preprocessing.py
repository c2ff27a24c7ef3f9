"""Preprocessing: which one is chosen for a model, and that it equals that of Keras."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.data.preprocessing import find_function, find_preprocess, takes_blue_first
from mlflow_interp.exceptions import InputsError, OptionError
from mlflow_interp.models.load import load_model
from tests.tiny_models import save_images, small_model

FAMILIES = [
    "convnext",
    "densenet",
    "efficientnet",
    "efficientnet_v2",
    "inception_resnet_v2",
    "inception_v3",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3",
    "nasnet",
    "resnet",
    "resnet_v2",
    "vgg16",
    "vgg19",
    "xception",
]
layers = keras.layers


def chosen(model: keras.Model, **metadata: Any) -> str:
    """The preprocessing that "auto" selects without a guess."""
    name, _, warning = find_preprocess("auto", model, metadata)
    assert warning is None
    return name


def guessed(model: keras.Model, **metadata: Any) -> str:
    name, _, warning = find_preprocess("auto", model, metadata)
    assert name == "0..1"
    assert warning
    return warning


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3)).astype(np.float32)


def _outer(inner: keras.Model) -> keras.Model:
    inputs = keras.Input(inner.input_shape[1:])
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inner(inputs))), name="outer")


@pytest.mark.parametrize("layer", [layers.Rescaling(1 / 255), layers.Normalization(mean=0.0, variance=1.0)])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_model_that_rescales_gets_raw_pixels(layer: Any, depth: int, pixels: np.ndarray) -> None:
    model = keras.Sequential([keras.Input((5, 6, 3)), layer], name="mobilenetv2")
    for _ in range(depth):
        model = _outer(model)
    assert chosen(model) == "none"
    _, function, _ = find_preprocess("auto", model, {})
    np.testing.assert_array_equal(function(pixels), pixels)


@pytest.mark.parametrize("declared", ["none", "0..1", "-1..1", "mobilenet_v2", "vgg16"])
def test_metadata_takes_precedence(declared: str) -> None:
    assert chosen(small_model(), preprocess=declared) == declared
    assert chosen(small_model(name="resnet50"), preprocess=declared) == declared


@pytest.mark.parametrize("declared", [None, 3, ["0..1"]])
def test_metadata_of_other_types_is_ignored(declared: Any) -> None:
    assert "assuming '0..1'" in guessed(small_model(), preprocess=declared)


def test_unknown_name_in_metadata() -> None:
    with pytest.raises(OptionError, match="no preprocess 'imagenet'"):
        find_preprocess("auto", small_model(), {"preprocess": "imagenet"})


def test_function_named_in_metadata_is_not_imported(trap_module: Path) -> None:
    warning = guessed(small_model(), preprocess="trap_module:prepare")
    assert "'trap_module:prepare', which is ignored, as it would run code; assuming '0..1'" in warning
    assert not trap_module.exists()
    assert "trap_module" not in sys.modules


APPLICATIONS = {
    "mobilenet_v2": lambda: keras.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, weights=None, include_top=False
    ),
    "mobilenet": lambda: keras.applications.MobileNet(
        (32, 32, 3), alpha=0.25, weights=None, include_top=False
    ),
    "vgg16": lambda: keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3)),
}


@pytest.mark.parametrize("family", APPLICATIONS)
def test_keras_applications_are_recognised_by_name(family: str) -> None:
    base = APPLICATIONS[family]()
    assert chosen(base) == family
    assert chosen(_outer(base)) == family


def test_mobilenet_v3_with_and_without_its_rescaling() -> None:
    """Without it, preprocess_input of Keras would leave pixels at 0..255, far from the -1..1 of the model."""
    options = {
        "input_shape": (32, 32, 3),
        "alpha": 0.75,
        "minimalistic": True,
        "weights": None,
        "include_top": False,
    }
    assert chosen(keras.applications.MobileNetV3Small(**options)) == "none"
    assert chosen(keras.applications.MobileNetV3Small(**options, include_preprocessing=False)) == "-1..1"


NAMES = {
    "mobilenet_1.00_224": "mobilenet",
    "mobilenetv2_1.00_224": "mobilenet_v2",
    "MobileNetV2": "mobilenet_v2",
    "mobilenet_v2": "mobilenet_v2",
    "MobileNetV3Large": "-1..1",
    "efficientnetv2-b0": "-1..1",
    "resnet50": "resnet",
    "ResNet152": "resnet",
    "resnet50v2": "resnet_v2",
    "resnet101_v2": "resnet_v2",
    "inception_v3": "inception_v3",
    "InceptionV3": "inception_v3",
    "inception_resnet_v2": "inception_resnet_v2",
    "densenet121": "densenet",
    "nasnet_mobile": "nasnet",
    "vgg19": "vgg19",
    "xception": "xception",
}


@pytest.mark.parametrize("name", NAMES)
def test_model_names_that_are_recognised(name: str) -> None:
    assert chosen(small_model(name=name)) == NAMES[name]


@pytest.mark.parametrize("name", ["mine", "my_resnet50", "efficientnetb0", "convnext_tiny", "inception"])
def test_other_names_give_a_guess_with_a_warning(name: str) -> None:
    warning = guessed(small_model(name=name))
    assert f"images for {name!r}" in warning
    assert "metadata={'preprocess': '0..1'}" in warning


def test_name_of_a_layer_is_not_evidence() -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3, name="resnet_block")], name="mine")
    assert "assuming '0..1'" in guessed(model)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_equal_preprocess_input_of_keras(family: str, pixels: np.ndarray) -> None:
    module = importlib.import_module(f"keras.applications.{family}")
    name, function, warning = find_preprocess(family, small_model(), {})
    assert (name, warning) == (family, None)
    before = pixels.copy()
    prepared = function(pixels)
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(prepared, module.preprocess_input(before.copy()))
    assert prepared.dtype == np.float32


def test_families_ignore_the_global_data_format(pixels: np.ndarray) -> None:
    _, function, _ = find_preprocess("vgg16", small_model(), {})
    expected = function(pixels)
    np.testing.assert_allclose(expected[..., 0], pixels[..., 2] - 103.939, rtol=1e-5)
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        np.testing.assert_array_equal(function(pixels), expected)
    finally:
        keras.config.set_image_data_format(before)


def test_families_need_colour_images() -> None:
    _, function, _ = find_preprocess("resnet", small_model(), {})
    with pytest.raises(OptionError, match="'resnet' is for colour images, but these have 1 channels"):
        function(np.zeros((1, 4, 4, 1), np.float32))


@pytest.mark.parametrize(
    ("name", "expected"), [("none", [0, 51, 255]), ("0..1", [0, 0.2, 1]), ("-1..1", [-1, -0.6, 1])]
)
def test_ranges_of_pixel_values(name: str, expected: list[float]) -> None:
    _, function, warning = find_preprocess(name, small_model(name="vgg16"), {"preprocess": "vgg16"})
    given = np.float32([0, 51, 255])
    prepared = function(given)
    assert warning is None
    np.testing.assert_allclose(prepared, expected, atol=1e-6)
    assert prepared.dtype == np.float32
    assert given.tolist() == [0, 51, 255]


def test_user_function_is_applied(trap_module: Path, pixels: np.ndarray) -> None:
    name, function, warning = find_preprocess("trap_module:prepare", small_model(), {})
    assert (name, warning) == ("trap_module:prepare", None)
    assert trap_module.read_text() == "ran"
    np.testing.assert_array_equal(function(pixels), pixels / 2)


@pytest.mark.parametrize(
    "name", ["nowhere:function", "math:nothing", ":function", "math:", "math:pi", "a b:c"]
)
def test_missing_functions_are_rejected(name: str) -> None:
    with pytest.raises(OptionError, match="give module:function") as caught:
        find_preprocess(name, small_model(), {})
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["", "0-1", "imagenet", "imagenet_utils", "../os", "AUTO"])
def test_unknown_names_are_rejected(name: str) -> None:
    with pytest.raises(OptionError) as caught:
        find_preprocess(name, small_model(), {})
    message = str(caught.value)
    assert message.startswith(
        f"no preprocess {name!r}; give module:function or one of auto, none, 0..1, -1..1, "
    )
    assert all(family in message for family in FAMILIES)


@pytest.mark.parametrize("name", ["none", "0..1", *FAMILIES])
def test_channel_order_is_known_without_an_image(name):
    assert takes_blue_first(find_function(name), (5, 6)) == (name in ("vgg16", "vgg19", "resnet"))


def test_channel_order_is_unknown_if_values_are_moved():
    assert takes_blue_first(lambda pixels: pixels[:, 1:], (5, 6)) is None
    assert takes_blue_first(lambda pixels: pixels.mean(axis=-1, keepdims=True), (5, 6)) is None


def test_chunks_record_whether_channels_are_bgr(batch_of):
    grey = np.full((2, 8, 8, 3), 90, np.uint8)
    for name, expected in (("resnet", True), ("0..1", False)):
        batch = batch_of(small_model(), grey, preprocess=name)
        assert [chunk.blue_first for chunk in batch.chunks()] == [expected]


FAULTS = {
    "raises": ("raise KeyError('mean')", "failed with KeyError: 'mean'; correct the function"),
    "says nothing": ("raise RuntimeError", "failed with RuntimeError; correct the function"),
    "says much": ("raise ValueError('one\\ntwo')", "failed with ValueError: one; correct the function"),
    "returns nothing": ("return None", "returned object values of shape () for 2 inputs; return numbers"),
    "returns text": ("return ['a', 'b']", "returned <U1 values of shape (2,) for 2 inputs"),
    "returns one": ("return pixels[:1]", "returned float32 values of shape (1, 8, 8, 3) for 2 inputs"),
    "returns ragged rows": ("return [[1], [2, 3]]", "failed with ValueError: "),
    "returns another size": (
        "return pixels[:, :4]",
        "inputs, as preprocess 'users:prepare' returns them, have shape (4, 8, 3) each, and model",
    ),
    "returns NaN": ("return pixels * float('nan')", "input '#0' contains NaN or infinite values"),
}


@pytest.fixture
def users_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """A function that writes a module `users`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda code: (tmp_path / "users.py").write_text(code) and None
    sys.modules.pop("users", None)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("given", ["images", "array", "dataset"])
def test_failing_user_function_is_named_in_one_line(
    fault: str, given: str, users_module: Callable[[str], None], tmp_path: Path
) -> None:
    body, expected = FAULTS[fault]
    users_module(f"def prepare(pixels):\n    {body}\n")
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    inputs: Any = pixels
    if given == "images":
        inputs = save_images(tmp_path / "in", {"0.png": 0, "1.png": 0})
    elif given == "dataset":
        inputs = tf.data.Dataset.from_tensor_slices(pixels)
    with pytest.raises(InputsError) as caught:
        list(load_inputs(inputs, load_model(small_model()), preprocess="users:prepare").chunks())
    message = str(caught.value)
    assert expected.replace("'#0'", "'0.png'" if given == "images" else "'#0'") in message
    assert "\n" not in message
    if "failed" in expected:
        assert type(caught.value.__cause__).__name__ in message
    if fault != "returns NaN":
        assert "preprocess 'users:prepare'" in message


@pytest.mark.parametrize("code", ["1 / 0", "def", "raise KeyError('no\\nno')", "import nowhere"])
def test_failing_user_module_is_named_in_one_line(code: str, users_module: Callable[[str], None]) -> None:
    users_module(code)
    with pytest.raises(
        OptionError, match=r"preprocess 'users:prepare' can't be imported: [A-Z].*Error"
    ) as caught:
        find_preprocess("users:prepare", small_model(), {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", ["images", "array", "dataset"])
def test_user_function_runs_in_the_calling_thread(
    given: str, users_module: Callable[[str], None], tmp_path: Path
) -> None:
    users_module(
        "import threading\ndef prepare(pixels):\n    return pixels + threading.get_ident() % 2**20\n"
    )
    inputs: Any = np.zeros((9, 8, 8, 3), np.uint8)
    if given == "images":
        inputs = save_images(tmp_path / "in", {f"{number}.png": 0 for number in range(9)})
    elif given == "dataset":
        inputs = tf.data.Dataset.from_tensor_slices(inputs)
    batch = load_inputs(inputs, load_model(small_model()), preprocess="users:prepare", batch_size=2)
    prepared_inputs = np.concatenate([chunk.inputs for chunk in batch.chunks()])
    assert (prepared_inputs == threading.get_ident() % 2**20).all()
    assert prepared_inputs.dtype == np.float32


# Order of precedence: what the author states, what the model does, guesses.


def scaled_twice() -> keras.Model:
    """A model that scales pixels itself, but was trained on pixels / 255."""
    inputs = keras.Input((5, 6, 3))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.Rescaling(2.0)(inputs))), name="twice")


def test_metadata_overrides_scaling_inside_the_model() -> None:
    name, function, warning = find_preprocess("auto", scaled_twice(), {"preprocess": "0..1"})
    assert name == "0..1"
    assert function(np.float32([[255]])) == 1
    assert warning
    assert "states preprocess='0..1', but the model also scales its input itself" in warning
    assert "preprocess='none'" in warning


def test_stated_preprocessing_gives_the_predictions_of_keras(pixels: np.ndarray) -> None:
    model = scaled_twice()
    loaded = replace(load_model(model), metadata={"preprocess": "0..1"})
    inputs = next(load_inputs(pixels.astype(np.uint8), loaded).chunks()).inputs
    np.testing.assert_allclose(
        model.predict(inputs, verbose=0), model.predict(pixels / 255, verbose=0), atol=1e-5
    )


def arithmetic() -> keras.Model:
    inputs = keras.Input((5, 6, 3))
    return keras.Model(inputs, layers.Flatten()(inputs / 127.5 - 1))


def augmented() -> keras.Model:
    augmentation = keras.Sequential([layers.RandomFlip(), layers.RandomZoom(0.1)])
    inputs = keras.Input((5, 6, 3))
    return keras.Model(inputs, layers.Flatten()(layers.Rescaling(1 / 255)(augmentation(inputs))))


def branched() -> keras.Model:
    inputs = keras.Input((5, 6, 3))
    first, second = layers.Rescaling(1 / 255)(inputs), layers.Conv2D(2, 3)(inputs)
    return keras.Model(inputs, layers.Concatenate()([layers.Flatten()(first), layers.Flatten()(second)]))


@pytest.mark.parametrize("build", [arithmetic, augmented, branched])
def test_scaling_next_to_the_input_is_recognised(build: Callable[[], keras.Model]) -> None:
    assert chosen(build()) == "none"
    assert chosen(_outer_of(build())) == "none"


def _outer_of(inner: keras.Model) -> keras.Model:
    inputs = keras.Input(inner.input_shape[1:])
    return keras.Model(inputs, layers.Dense(2)(inner(inputs)), name="outer")


def scaled_inside() -> keras.Model:
    inputs = keras.Input((5, 6, 3))
    features = layers.Rescaling(0.1)(layers.Conv2D(4, 3)(inputs))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(features)))


def skipped() -> keras.Model:
    inputs = keras.Input((5, 6, 3))
    features = layers.Conv2D(3, 3, padding="same")(inputs)
    return keras.Model(inputs, layers.Flatten()(features * 0.5))


@pytest.mark.parametrize("build", [scaled_inside, skipped])
def test_scaling_further_inside_is_ignored(build: Callable[[], keras.Model]) -> None:
    assert "Could not determine how to preprocess images" in guessed(build())


def test_scaling_in_a_subclassed_model_is_a_guess() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.scale = layers.Rescaling(1 / 255)
            self.head = layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.head(self.scale(inputs))

    name, _, warning = find_preprocess("auto", Own(), {})
    assert name == "none"
    assert warning
    assert "whether the input of 'own' first passes through its layer" in warning


# Several inputs.


def image_and_table() -> keras.Model:
    image, table = keras.Input((4, 4, 3), name="image"), keras.Input((2,), name="table")
    features = layers.Concatenate()([layers.Flatten()(image), table])
    return keras.Model({"image": image, "table": table}, layers.Dense(2)(features), name="both")


def prepared(inputs: Any, **options: Any) -> tuple[Any, Any]:
    batch = load_inputs(inputs, load_model(image_and_table()), **options)
    return next(batch.chunks()).inputs, batch.preparation


IMAGE = np.random.default_rng(2).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
TABLE = np.random.default_rng(3).normal(size=(3, 2)).astype(np.float32)


@pytest.mark.parametrize("as_dataset", [False, True])
def test_stated_preprocessing_is_applied_to_the_image_input(as_dataset: bool) -> None:
    inputs: Any = {"image": IMAGE, "table": TABLE}
    if as_dataset:
        inputs = tf.data.Dataset.from_tensor_slices(inputs).batch(2)
    found, preparation = prepared(inputs, preprocess="0..1", batch_size=3)
    np.testing.assert_allclose(found["image"], IMAGE / 255, atol=1e-6)
    np.testing.assert_array_equal(found["table"], TABLE)
    assert (preparation["preprocess"], preparation["preprocessed"]) == ("0..1", ["image"])


def test_image_input_is_scaled_by_a_guess_with_a_warning() -> None:
    batch = load_inputs({"image": IMAGE, "table": TABLE}, load_model(image_and_table()))
    np.testing.assert_allclose(next(batch.chunks()).inputs["image"], IMAGE / 255, atol=1e-6)
    (warning,) = batch.warnings
    assert "assuming '0..1' (pixel / 255)" in warning


def test_float_images_are_preprocessed_if_it_is_stated() -> None:
    floats = IMAGE.astype(np.float32)
    assert prepared({"image": floats, "table": TABLE})[0]["image"].max() > 1
    found, preparation = prepared({"image": floats, "table": TABLE}, preprocess="-1..1")
    np.testing.assert_allclose(found["image"], floats / 127.5 - 1, atol=1e-6)
    assert preparation["preprocessed"] == ["image"]


def test_preprocessing_without_an_image_input_is_rejected() -> None:
    first, second = keras.Input((2,), name="first"), keras.Input((3,), name="second")
    outputs = layers.Dense(2)(layers.Concatenate()([first, second]))
    loaded = load_model(keras.Model({"first": first, "second": second}, outputs))
    inputs = {"first": TABLE, "second": np.zeros((3, 3), np.float32)}
    message = r"none of the inputs is an image \(their shapes are \(2,\), \(3,\)\)"
    with pytest.raises(OptionError, match=message):
        load_inputs(inputs, loaded, preprocess="0..1")
