"""Boxes in a COCO file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mlflow_interp.core.annotations import class_indices
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.regions import Regions
from mlflow_interp.data.folders import listed, named_like
from mlflow_interp.data.images import ImageFile, image_size
from mlflow_interp.data.resizing import Resizing, have_same_shape
from mlflow_interp.exceptions import InputsError, without_password
from mlflow_interp.models.artifact_store import fetched


@dataclass(frozen=True)
class Box:
    """A box in pixels of its image, and the category of what is inside."""

    left: float
    top: float
    width: float
    height: float
    category: str


@dataclass(frozen=True)
class Coco:
    """Boxes by the name of their image without suffix, and the stated (height, width) of images."""

    boxes: Mapping[str, list[Box]]
    sizes: Mapping[str, tuple[float, float]]

    @property
    def categories(self) -> list[str]:
        """The categories of all boxes."""
        return sorted({box.category for boxes in self.boxes.values() for box in boxes})


def read_coco(path: str | Path) -> Coco:
    """The boxes in a COCO file, which may be an artifact.

    Raises:
        InputsError: it can't be read, or is not a COCO file with boxes.
    """
    shown = without_password(str(path))
    try:
        content = json.loads(fetched(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputsError(f"boxes can't be read from {shown!r}: {error}; give a COCO JSON file") from error
    try:
        found = _boxes_in(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputsError(
            f"{shown!r} is not a COCO file ({type(error).__name__}: {error}); give JSON with images (id, "
            "file_name), annotations (image_id, bbox, category_id) and categories (id, name)"
        ) from error
    if not found.boxes:
        raise InputsError(f"{shown!r} has no annotations; give a COCO file with boxes")
    return found


def _boxes_in(content: Any) -> Coco:
    names = {each["id"]: str(PurePosixPath(each["file_name"]).with_suffix("")) for each in content["images"]}
    sizes = {
        names[each["id"]]: (float(each["height"]), float(each["width"]))
        for each in content["images"]
        if each.get("height") and each.get("width")
    }
    categories = {each["id"]: str(each["name"]) for each in content.get("categories", ())}
    boxes: dict[str, list[Box]] = {}
    for each in content["annotations"]:
        category = categories.get(each.get("category_id"), "")
        left, top, width, height = map(float, each["bbox"])
        box = Box(left, top, width, height, category)
        boxes.setdefault(names[each["image_id"]], []).append(box)
    return Coco(boxes, sizes)


@dataclass(frozen=True)
class BoxRegions:
    """The boxes of images as regions.

    A box is of the class that its category is named like. If no category is named like a class, boxes count
    for every class, with a warning.

    Attributes:
        coco: the boxes.
        warnings: warnings so far; reading may add more.
        size: (height, width) of the model's input.
        resizing: how images are resized to it.
        class_names: the names of the model's classes, None if not known.
    """

    coco: Coco
    warnings: list[str]
    size: tuple[int, int]
    resizing: Resizing
    class_names: tuple[str, ...] | None

    @property
    def named(self) -> Mapping[str, Any]:
        """The boxes by the name of their image without suffix."""
        return self.coco.boxes

    def find(self, name: str, path: ImageFile) -> Regions | None:
        """The boxes of an image; None if it has none.

        Raises:
            InputsError: the file states another shape than the image has.
        """
        boxes = named_like(name, self.coco.boxes) or []
        classes = self._classes
        if classes is not None:
            boxes = [box for box in boxes if box.category in classes]
        if not boxes:
            return None
        size = image_size(path)
        stated = named_like(name, self.coco.sizes) or size
        if not have_same_shape(stated, size):
            raise InputsError(
                f"boxes of {name!r} are of an image of {stated[1]:g}×{stated[0]:g} pixels, and the image has "
                f"{size[1]}×{size[0]}; give the boxes of the upright image"
            )
        scale = size[0] / stated[0], size[1] / stated[1]
        masks = np.stack([self.resizing.fit_mask(_filled(box, size, scale), self.size) for box in boxes])
        found = [UNKNOWN if classes is None else classes[box.category] for box in boxes]
        return Regions(masks, np.array(found, np.int64))

    @cached_property
    def _classes(self) -> Mapping[str, int] | None:
        """The class of each category that is named like one; None if none is."""
        names = self.coco.categories
        indices, unknown = class_indices(np.array(names), self.class_names)
        if len(unknown) == len(names):
            self.warnings.append(
                f"categories of boxes are not class names ({listed(names)}), so boxes count for every class; "
                "name categories like the classes to compare each heatmap with the boxes of its class"
            )
            return None
        if unknown:
            self.warnings.append(
                f"boxes of categories that are not class names are left out: {listed(unknown)}"
            )
        return {name: int(index) for name, index in zip(names, indices, strict=True) if index != UNKNOWN}


def _filled(box: Box, size: tuple[int, int], scale: tuple[float, float]) -> np.ndarray:
    """A mask (height, width) bool of the pixels whose centre lies in a box."""
    mask = np.zeros(size, bool)
    rows = _pixels(box.top * scale[0], box.height * scale[0])
    mask[rows, _pixels(box.left * scale[1], box.width * scale[1])] = True
    return mask


def _pixels(start: float, length: float) -> slice:
    first, end = (max(0, int(np.ceil(each - 0.5))) for each in (start, start + length))
    return slice(first, end)
