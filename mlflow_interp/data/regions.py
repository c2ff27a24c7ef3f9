"""The regions that a person marked in inputs, as options: masks or boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np

from mlflow_interp.core.accepted import Checked
from mlflow_interp.core.batch import Batch, closed_at_end
from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.core.regions import REGIONS, Regions, column_of
from mlflow_interp.data.coco import BoxRegions, read_coco
from mlflow_interp.data.folders import ImageFiles, listed, named_like
from mlflow_interp.data.images import ImageFile
from mlflow_interp.data.mask_files import MaskRegions, mask_files
from mlflow_interp.data.resizing import Resizing
from mlflow_interp.exceptions import InputsError, OptionError
from mlflow_interp.models.artifact_store import is_uri


def check_masks(masks: str | Path | np.ndarray) -> None:
    """Check masks, unless they must be downloaded.

    Raises:
        InputsError: a folder without images, or an array that can't have a mask for each input.
    """
    if isinstance(masks, (str, Path)):
        if not is_uri(str(masks)):
            mask_files(masks)
        return
    values = np.asarray(masks)
    if values.ndim < 2 or values.dtype.kind not in "biuf":
        raise InputsError(
            f"masks are {values.dtype} values of shape {values.shape}; give a folder of masks, or an array "
            "with a mask for each input"
        )


def check_boxes(boxes: str | Path) -> None:
    """Check a file of boxes, unless it must be downloaded.

    Raises:
        InputsError: it can't be read, or is not a COCO file with boxes.
    """
    if not is_uri(str(boxes)):
        read_coco(boxes)


#: A folder of masks, or an array with a mask for each input.
Masks = Annotated[str | Path | np.ndarray | None, Checked(check_masks)]
#: A COCO file.
Boxes = Annotated[str | Path | None, Checked(check_boxes)]


class _RegionsOfImages(Protocol):
    """Regions of images by name."""

    @property
    def named(self) -> Mapping[str, Any]:
        """What there is, by the name of its image without suffix."""

    def find(self, name: str, path: ImageFile) -> Regions | None:
        """The regions of an image, at the positions of the model's input; None if it has none."""


def with_regions(batch: Batch, source: Any, masks: Masks, boxes: Boxes, resizing: Resizing) -> Batch:
    """A batch whose chunks have a column with the regions of each input, if masks or boxes are given.

    Args:
        batch: the inputs.
        source: where they come from.
        masks: a folder of masks, or an array with a mask for each input.
        boxes: a COCO file.
        resizing: how images are resized to the size of the model's input, and their regions with them.

    Raises:
        OptionError: both masks and boxes.
        InputsError: they can't be read, or do not fit the inputs.
    """
    if masks is not None and boxes is not None:
        raise OptionError("both masks and boxes are given; give one of them")
    if masks is not None and not isinstance(masks, (str, Path)):
        return _with_column(batch.with_columns({"masks": np.asarray(masks)}), "masks", _of_arrays)
    regions: _RegionsOfImages
    if masks is not None:
        regions = MaskRegions(mask_files(masks), *resized("masks", batch, source, resizing))
    elif boxes is not None:
        regions = BoxRegions(read_coco(boxes), *resized("boxes", batch, source, resizing), batch.class_names)
    else:
        return batch
    option = "boxes" if masks is None else "masks"
    _check_names(option, source, regions.named, batch.warnings)

    def of_images(chunk: Chunk) -> list[Regions | None]:
        rows = zip(chunk.names, chunk.indices.tolist(), strict=True)
        return [regions.find(name, source.paths[index]) for name, index in rows]

    return _with_column(batch, option, of_images)


def resized(
    option: str, batch: Batch, source: Any, resizing: Resizing
) -> tuple[list[str], tuple[int, int], Resizing]:
    """Where warnings go, and how images become inputs, for regions in files that an option gives.

    Raises:
        InputsError: the inputs are not image files.
    """
    if not isinstance(source, ImageFiles):
        raise InputsError(
            f"{option} in files belong to image files, and these inputs are not image files; give "
            f"{'masks' if option == 'boxes' else option}= as an array with a mask for each input"
        )
    height, width = batch.preparation["size"]
    return batch.warnings, (height, width), resizing


def _check_names(what: str, source: ImageFiles, named: Mapping[str, Any], warnings: list[str]) -> None:
    """Warn about images without regions.

    Raises:
        InputsError: no image has any.
    """
    without = [name for name in source.names if named_like(name, named) is None]
    if len(without) == len(source.names):
        raise InputsError(
            f"there are no {what} for any image: images are named {listed(source.names)}, {what} "
            f"{listed(list(named))}; name them like the images"
        )
    if without:
        warnings.append(
            f"{len(without)} of {len(source.names)} images have no {what}, so mass_inside and pointing_game "
            f"leave them out: {listed(without)}"
        )


def _with_column(batch: Batch, option: str, find: Callable[[Chunk], list[Regions | None]]) -> Batch:
    def read() -> Iterator[Chunk]:
        with closed_at_end(batch.read()) as chunks:
            for chunk in chunks:
                yield replace(chunk, columns={**chunk.columns, REGIONS: column_of(find(chunk))})

    return replace(batch, read=read, regions=option)


def _of_arrays(chunk: Chunk) -> list[Regions | None]:
    inside = np.asarray(chunk.columns["masks"]) > 0
    if inside.ndim > 2 and inside.shape[-1] == 1:
        inside = inside[..., 0]
    return [Regions(mask[np.newaxis], np.array([UNKNOWN])) if mask.any() else None for mask in inside]
