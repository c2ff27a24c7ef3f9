"""How images are resized to the model's input size: as stated, otherwise by a guess with a warning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image, ImageOps

from mlflow_interp.backend.tensorflow_images import resize_image

Resize = Literal["auto", "crop", "pad", "stretch"]
#: Pillow's, and with "tf-" those of `tf.image.resize` that leave an image of the right size unchanged.
Interpolation = Literal[
    "auto", "nearest", "box", "bilinear", "hamming", "bicubic", "lanczos",
    "tf-nearest", "tf-bilinear", "tf-bicubic", "tf-area", "tf-lanczos3", "tf-lanczos5",
]  # fmt: skip

_TENSORFLOW = "tf-"
_ROUNDED = 0.02  # of the ratio of two sides
_GUESSES = {"resize": "crop", "interpolation": "lanczos"}
_ACCEPTED = {"resize": get_args(Resize)[1:], "interpolation": get_args(Interpolation)[1:]}


@dataclass(frozen=True)
class Resizing:
    """How images are resized.

    Attributes:
        resize: "crop" keeps the centre, "pad" adds black borders, "stretch" distorts.
        interpolation: one of `Interpolation` except "auto".
        guess: what is guessed and how to state it, for a warning if images are actually resized; None if
            both are stated.
    """

    resize: str = _GUESSES["resize"]
    interpolation: str = _GUESSES["interpolation"]
    guess: str | None = None

    @property
    def is_tensorflows(self) -> bool:
        """Whether TensorFlow resizes, as Keras' own loaders do."""
        return self.interpolation.startswith(_TENSORFLOW)

    def fit(self, image: Image.Image, size: tuple[int, int]) -> np.ndarray:
        """The pixels of an image at a size (height, width): uint8, or float32 where TensorFlow resizes."""
        height, width = size
        if image.size == (width, height):
            return np.asarray(image)
        if self.is_tensorflows:
            return self._by_tensorflow(np.asarray(image), size)
        method = Image.Resampling[self.interpolation.upper()]
        if self.resize == "crop":
            return np.asarray(ImageOps.fit(image, (width, height), method=method))
        if self.resize == "pad":
            return np.asarray(_pad(image, (width, height), method))
        return np.asarray(image.resize((width, height), method))

    def fit_mask(self, mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """A mask (height, width) bool at a size, moved and scaled as its image is; borders are outside."""
        interpolation = "tf-nearest" if self.is_tensorflows else "nearest"
        nearest = replace(self, interpolation=interpolation)
        return np.asarray(nearest.fit(Image.fromarray(mask.astype(np.uint8)), size)) > 0

    def _by_tensorflow(self, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        method = self.interpolation.removeprefix(_TENSORFLOW)
        with_channels = pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
        resized = resize_image(with_channels, size, mode=self.resize, method=method)
        return resized if pixels.ndim == 3 else resized[..., 0]


def have_same_shape(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two sizes (height, width) differ by no more than their scale, up to rounding of sides."""
    return abs(one[1] * other[0] / (one[0] * other[1]) - 1) < _ROUNDED


def find_resizing(resize: Resize, interpolation: Interpolation, metadata: Mapping[str, Any]) -> Resizing:
    """The resizing stated by the options, else by the metadata of the logged model, else a guess.

    Args:
        resize: the user's option.
        interpolation: the user's option.
        metadata: may have "resize" and "interpolation".
    """
    chosen = {"resize": str(resize), "interpolation": str(interpolation)}
    guessed: dict[str, str] = {}
    unknown: dict[str, Any] = {}
    for name in chosen:
        if chosen[name] != "auto":
            continue
        declared = metadata.get(name)
        # The author may use such a key for something else, such as "resize": [224, 224].
        if isinstance(declared, str) and declared in _ACCEPTED[name]:
            chosen[name] = declared
        else:
            chosen[name] = guessed[name] = _GUESSES[name]
            unknown |= {} if declared is None else {name: declared}
    return Resizing(**chosen, guess=_guess(guessed, unknown) if guessed else None)


def _guess(guessed: Mapping[str, str], unknown: Mapping[str, Any]) -> str:
    """What is guessed and how to state it, and metadata values that are not accepted."""
    assumed = " and ".join(f"{name}={value!r}" for name, value in guessed.items())
    options = " and ".join(f"{name}=" for name in guessed)
    keras = {"resize": "stretch", "interpolation": "tf-bilinear"}
    example = ", ".join(f"{name!r}: {keras[name]!r}" for name in guessed)
    invalid = "".join(
        f"; the model's metadata states {name}={value!r}, which is not one of {', '.join(_ACCEPTED[name])}"
        for name, value in unknown.items()
    )
    return (
        f"assuming {assumed}. Pass {options}, or log the model with metadata, such as {{{example}}} if it "
        f"was trained on what keras.utils.image_dataset_from_directory gives{invalid}"
    )


def _pad(image: Image.Image, target: tuple[int, int], method: Image.Resampling) -> Image.Image:
    """Pad to a size; Pillow's own function loses images thinner than half a pixel."""
    scale = min(target[0] / image.width, target[1] / image.height)
    width = max(1, round(image.width * scale))
    height = max(1, round(image.height * scale))
    padded = Image.new(image.mode, target)
    padded.paste(image.resize((width, height), method), ((target[0] - width) // 2, (target[1] - height) // 2))
    return padded
