"""The pretrained classifier, the reader of its weights and its photographs."""

import os
import pickle
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from examples.pretrained import (
    _packaged_weights,
    efficientnet_lite0,
    imagenet_class_names,
    read_torch_weights,
    save_photographs,
)

EXPECTED = {
    "cat.png": ("Egyptian_cat", 0.385),
    "coffee.png": ("espresso", 0.940),
    "camera.png": ("tripod", 0.949),
    "motorcycle.png": ("moped", 0.722),
    "rocket.jpg": ("missile", 0.223),
    "palace.jpg": ("palace", 0.301),
}


class _Command:
    """Pickles as a call of os.system, as in an attacker's file."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def _legacy_file(path: Path, *objects: Any) -> Path:
    """Write pickles after the magic number and version of PyTorch."""
    header = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    path.write_bytes(b"".join(pickle.dumps(item, 2) for item in (*header, *objects)))
    return path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    paths = save_photographs(tmp_path_factory.mktemp("photographs") / "new")
    return {path.name: path for path in paths}


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return efficientnet_lite0()


@pytest.mark.parametrize("name", EXPECTED)
def test_top_class(name: str, model: keras.Model, photographs: dict[str, Path]) -> None:
    image = keras.utils.load_img(
        photographs[name],
        target_size=(224, 224),
        interpolation="bicubic",
        keep_aspect_ratio=True,  # crops the centre
    )
    pixels = keras.utils.img_to_array(image)
    probabilities = model.predict(pixels[None], verbose=0)[0]
    label, probability = EXPECTED[name]
    assert imagenet_class_names()[probabilities.argmax()] == label
    assert probabilities.max() == pytest.approx(probability, abs=0.01)


def test_photographs_are_the_expected_ones(photographs: dict[str, Path]) -> None:
    assert sorted(photographs) == sorted(EXPECTED)


def test_first_layer_scales_raw_pixels(model: keras.Model) -> None:
    rescale = model.layers[1]
    assert isinstance(rescale, keras.layers.Rescaling)
    np.testing.assert_allclose(rescale(np.array([127.0, 255.0])), [0.0, 1.0], atol=1e-6)


def test_random_weights_differ() -> None:
    first, second = (efficientnet_lite0(None).get_layer("stem_conv") for _ in range(2))
    assert not np.allclose(first.get_weights()[0], second.get_weights()[0])


def test_class_names() -> None:
    names = imagenet_class_names()
    assert len(names) == 1000
    assert names[285] == "Egyptian_cat"
    assert not any(" " in name or "," in name for name in names)


def test_unpickler_rejects_other_globals(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = _legacy_file(tmp_path / "evil.pth", {"weight": _Command(f"touch '{trace}'")})
    with pytest.raises(pickle.UnpicklingError, match="system is not allowed"):
        read_torch_weights(path)
    assert not trace.exists()


@pytest.mark.parametrize("value", [np.ones(2), print, Path()])
def test_unpickler_rejects_harmless_globals(value: Any, tmp_path: Path) -> None:
    with pytest.raises(pickle.UnpicklingError, match="is not allowed"):
        read_torch_weights(_legacy_file(tmp_path / "other.pth", {"weight": value}))


def test_reader_rejects_other_formats(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(pickle.dumps(1) * 3)
    with pytest.raises(pickle.UnpicklingError, match="not a legacy PyTorch file"):
        read_torch_weights(path)


def test_reader_rejects_a_truncated_file(tmp_path: Path) -> None:
    path = _legacy_file(tmp_path / "short.pth", {}, [])
    assert read_torch_weights(path) == {}
    path.write_bytes(_packaged_weights().read_bytes()[:-4])
    with pytest.raises(pickle.UnpicklingError, match="truncated"):
        read_torch_weights(path)


def test_layers_have_the_tensors_of_their_name(model: keras.Model) -> None:
    tensors = read_torch_weights(_packaged_weights())
    assert len(tensors) == 296
    (kernel,) = model.get_layer("block3_expand_conv").get_weights()
    expected = tensors["_blocks.2._expand_conv.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(kernel, expected)
    mean = model.get_layer("block16_depthwise_bn").get_weights()[2]
    np.testing.assert_array_equal(mean, tensors["_blocks.15._bn1.running_mean"])
