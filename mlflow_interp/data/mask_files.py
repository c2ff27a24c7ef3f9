"""A folder of masks, named like the images that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.regions import Regions
from mlflow_interp.data.folders import named_like
from mlflow_interp.data.images import ImageFile, find_images, image_size, read_image
from mlflow_interp.data.resizing import Resizing, have_same_shape
from mlflow_interp.exceptions import InputsError, without_password
from mlflow_interp.models.artifact_store import fetched

_SEVERAL = "masks have several values"


def mask_files(folder: str | Path, option: str = "masks") -> dict[str, Path]:
    """The masks below a folder, which may be an artifact, by path without suffix.

    Args:
        folder: the folder.
        option: the option that gives it, for messages.

    Raises:
        InputsError: there are none.
    """
    shown = without_password(str(folder))
    path = fetched(folder)
    if not path.is_dir():
        raise InputsError(f"{option}={shown!r} is not a folder; give a folder of masks named like the images")
    files = find_images(path)
    if not files:
        raise InputsError(f"no images in {option}={shown!r}; give a mask for each image, named like it")
    return {file.relative_to(path).with_suffix("").as_posix(): file for file in files}


@dataclass(frozen=True)
class MaskRegions:
    """Masks in image files as regions, which count for every class.

    Attributes:
        named: the files by the name of their image without suffix.
        warnings: warnings so far; reading may add one.
        size: (height, width) of the model's input.
        resizing: how images are resized to it.
    """

    named: Mapping[str, Path]
    warnings: list[str]
    size: tuple[int, int]
    resizing: Resizing

    def find(self, name: str, path: ImageFile) -> Regions | None:
        """The mask of an image, everything but black; None if it has none.

        Raises:
            InputsError: it can't be read, or has another shape than the image.
        """
        file = named_like(name, self.named)
        if file is None:
            return None
        try:
            mask = read_image(file, size=None, channels=1).pixels[..., 0]
        except InputsError as error:
            raise InputsError(f"mask {str(file)!r} {error}; give another mask, or none") from error
        self._warn_of_several(mask, file.name)
        size = image_size(path)
        if not have_same_shape(mask.shape, size):
            raise InputsError(
                f"mask {file.name!r} has {mask.shape[1]}×{mask.shape[0]} pixels, a different shape than the "
                f"{size[1]}×{size[0]} pixels of image {name!r}; give a mask of the whole image"
            )
        inside = self.resizing.fit_mask(mask > 0, self.size)
        return Regions(inside[np.newaxis], np.array([UNKNOWN])) if inside.any() else None

    def _warn_of_several(self, mask: np.ndarray, name: str) -> None:
        values = np.unique(mask)
        if len(values) > 2 and not any(each.startswith(_SEVERAL) for each in self.warnings):
            some = ", ".join(map(str, values[:4]))
            self.warnings.append(f"{_SEVERAL}, such as {some} in {name!r}; all but 0 count as inside")
