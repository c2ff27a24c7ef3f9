"""The stored form of a result: its arrays and further facts, from which it can be restored.

`stored.py` of a kind defines `facts(result)`, `earlier_facts(manifest, series)` for results stored before
there were facts, and `restored(arrays, facts, pictures)`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.core.image_arrays import ImagePart
from mlflow_interp.core.localization import Localization
from mlflow_interp.core.model_record import ModelRecord
from mlflow_interp.core.whole_image import LARGEST, WholeImage
from mlflow_interp.drawing import style

_LOSSLESS = 32  # pixels of the longer side


@dataclass(frozen=True, eq=False)
class Stored:
    """The stored form of a result.

    Attributes:
        arrays: the arrays of the result, by name.
        facts: the facts of the result and of its examples, by name.
        pictures: (m, height, width, 3) uint8 of the inputs that are shown, as stored: reduced to at most 256
            pixels, with JPEG losses if larger than 32 pixels; None if there are no images.
    """

    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]
    pictures: np.ndarray | None

    def examples(self) -> Examples:
        """The inputs and their predictions."""
        class_names = self.facts["class_names"]
        return Examples(
            indices=self.arrays["indices"],
            names=tuple(self.facts["names"]),
            labels=self.arrays["labels"],
            classes=self.arrays["classes"],
            probabilities=self.arrays["probabilities"],
            class_names=None if class_names is None else tuple(class_names),
            images=self.images(self.facts.get("image_size")),
            values=self.arrays.get("values"),
            shown=self.arrays.get("shown"),
            digests=self.arrays.get("digests"),
            is_selection=bool(self.facts.get("is_selection")),
            parts=tuple(_part(*each) for each in self.facts.get("image_parts", ())),
            has_classes=bool(self.facts.get("has_classes", True)),
            true_values=self.arrays.get("true_values"),
            wholes=tuple(map(_whole, self.facts.get("whole_images") or ())),
            model_record=ModelRecord.restored(self.facts.get("model")),
        )

    def explained(self) -> Explained:
        """The inputs, and the explained class of each."""
        if "targets" not in self.arrays:
            explained = Explained.without_target(self.examples(), str(self.facts["head"]))
            return replace(explained, localization=Localization.of_arrays(self.arrays))
        contrast = self.facts.get("contrast")  # not in files of earlier versions
        return Explained(
            examples=self.examples(),
            targets=self.arrays["targets"],
            scores=self.arrays["scores"],
            probabilities=self.arrays["target_probabilities"],
            head=str(self.facts["head"]),
            contrast=None if contrast is None else str(contrast),
            contrasts=self.arrays.get("contrasts"),
            localization=Localization.of_arrays(self.arrays),
            positions=str(self.facts.get("positions") or ""),
        )

    def images(self, size: Any) -> np.ndarray | None:
        """The stored images, enlarged to (height, width) if given."""
        if self.pictures is None or size is None or self.pictures.shape[1:3] == tuple(size):
            return self.pictures
        height, width = map(int, size)
        return np.stack(
            [np.asarray(Image.fromarray(image).resize((width, height))) for image in self.pictures]
        )

    def thumbnails(self) -> np.ndarray | None:
        """Thumbnails of all inputs, None unless all have a stored image."""
        all_shown = self.pictures is not None and len(self.pictures) == len(self.facts["names"])
        return self.images(self.facts.get("thumbnail_size")) if all_shown else None


def example_facts(examples: Examples) -> dict[str, Any]:
    """The facts of examples that are not in their arrays."""
    record = examples.model_record
    return {
        "names": list(examples.names),
        "whole_images": [None if whole is None else _packed(whole) for whole in examples.wholes],
        "model": None if record is None else record.as_dict(),
        "is_selection": examples.is_selection,
        "has_classes": examples.has_classes,
        "class_names": None if examples.class_names is None else list(examples.class_names),
        "image_size": None if examples.images is None else list(examples.images.shape[1:3]),
        "image_parts": [
            [part.input, part.name, list(part.box), part.frame, part.frames] for part in examples.parts
        ],
    }


def explained_facts(explained: Explained) -> dict[str, Any]:
    """The facts of explained examples that are not in their arrays."""
    facts = {"head": explained.head, "contrast": explained.contrast, "positions": explained.positions}
    return example_facts(explained.examples) | facts


def _packed(whole: WholeImage) -> dict[str, Any]:
    """A whole image as JSON; one that is hardly larger than an icon without losses, as the images are."""
    lossless = max(whole.pixels.shape) <= _LOSSLESS
    return {
        "image": style.data_uri(whole.pixels, lossless=lossless, most=LARGEST, quality=80),
        "box": list(whole.box),
    }


def _whole(packed: Mapping[str, Any] | None) -> WholeImage | None:
    """A whole image from JSON.

    Raises:
        ValueError: it is larger than this package writes.
    """
    if packed is None:
        return None
    content = base64.b64decode(str(packed["image"]).partition(",")[2])
    with Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]) as image:
        if max(image.size) > LARGEST:
            raise ValueError(f"an image has {image.size[0]} × {image.size[1]} pixels")
        pixels = np.asarray(image.convert("RGB"))
    top, left, height, width = (min(max(float(each), 0.0), 1.0) for each in packed["box"])
    return WholeImage(pixels, (top, left, height, width))


def _part(input_: int, name: str, box: Sequence[int], frame: int | None, frames: int) -> ImagePart:
    top, left, height, width = box
    return ImagePart(input_, name, (top, left, height, width), frame, frames)


def thumbnail_size(thumbnails: np.ndarray | None) -> list[int] | None:
    """The height and width of thumbnails."""
    return None if thumbnails is None else list(thumbnails.shape[1:3])
