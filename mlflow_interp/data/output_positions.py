"""The option that states which positions of a model's output are explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np

from mlflow_interp.core.accepted import Checked
from mlflow_interp.core.batch import Batch, closed_at_end
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.output_positions import POSITION_MASKS, parse_positions
from mlflow_interp.data.folders import named_like
from mlflow_interp.data.images import ImageFile
from mlflow_interp.data.mask_files import MaskRegions, mask_files
from mlflow_interp.data.regions import resized
from mlflow_interp.data.resizing import Resizing
from mlflow_interp.exceptions import InputsError, OptionError
from mlflow_interp.models.artifact_store import is_uri

_OPTION = "positions"


def check_positions(positions: Any) -> None:
    """Check a set of positions, unless it must be downloaded.

    Raises:
        OptionError: see `parse_positions`; or an array that can't have a mask for each input.
        InputsError: a folder without masks.
    """
    parsed = parse_positions(positions)
    if parsed is None or not parsed.with_masks:
        return
    if not isinstance(positions, (str, Path)):
        values = np.asarray(positions)
        if values.ndim < 2 or values.dtype.kind not in "biuf":
            raise OptionError(
                f"positions are {values.dtype} values of shape {values.shape}; give whole numbers, 'class' "
                "with a name, a folder of masks, or an array with a mask for each input"
            )
    elif not is_uri(str(positions)):
        mask_files(positions, _OPTION)


#: Whole numbers, a class, a folder of masks, or an array with a mask for each input.
Positions = Annotated[Any, Checked(check_positions)]


def with_positions(batch: Batch, source: Any, positions: Any, resizing: Resizing) -> Batch:
    """A batch that states which positions of the output are explained; with masks, its chunks have them.

    Args:
        batch: the inputs.
        source: where they come from.
        positions: the option.
        resizing: how images are resized to the size of the model's input, and their masks with them.

    Raises:
        InputsError: masks can't be read, or do not fit the inputs.
    """
    parsed = parse_positions(positions)
    if parsed is None:
        return batch
    # In place, as the preparation of a dataset is only complete after reading.
    cast(dict[str, Any], batch.preparation)[_OPTION] = parsed.text
    batch = replace(batch, positions=parsed)
    if not parsed.with_masks:
        return batch
    if not isinstance(positions, (str, Path)):
        return batch.with_columns({POSITION_MASKS: np.asarray(positions) > 0})
    regions = MaskRegions(mask_files(positions, _OPTION), *resized(_OPTION, batch, source, resizing))

    def read() -> Iterator[Chunk]:
        with closed_at_end(batch.read()) as chunks:
            for chunk in chunks:
                rows = zip(chunk.names, chunk.indices.tolist(), strict=True)
                masks = [_mask_of(regions, name, source.paths[index]) for name, index in rows]
                yield replace(chunk, columns={**chunk.columns, POSITION_MASKS: np.stack(masks)})

    return replace(batch, read=read)


def _mask_of(regions: MaskRegions, name: str, path: ImageFile) -> np.ndarray:
    """The mask of an image at the positions of the model's input, which may be empty.

    Raises:
        InputsError: there is none.
    """
    if named_like(name, regions.named) is None:
        raise InputsError(f"positions has no mask for input {name!r}; give a mask for each input")
    found = regions.find(name, path)
    return np.zeros(regions.size, bool) if found is None else np.asarray(found.masks[0])
