"""TIFFs of scientific instruments, written by tifffile: same scaling for all depths, no unknown ranges."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from mlflow_interp.data.images import read_image
from mlflow_interp.exceptions import InputsError

DEEP = np.uint16([[0, 128, 129, 257], [32767, 32896, 65278, 65535]])
EIGHT = [[0, 0, 1, 1], [127, 128, 254, 255]]  # divided by 257 and rounded


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(values: np.ndarray, **settings: Any) -> Path:
        tifffile.imwrite(tmp_path / "a.tif", values, **settings)
        return tmp_path / "a.tif"

    return write


def read(path: Path, channels: int = 1) -> list[Any]:
    pixels: list[Any] = np.squeeze(read_image(path, size=None, channels=channels).pixels).tolist()
    return pixels


SEVEN_CHANNELS = {"photometric": "minisblack", "planarconfig": "contig"}

FORMS: list[dict[str, Any]] = [{}, {"byteorder": ">"}, {"bigtiff": True}, {"tile": (16, 16)}]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("depth", [8, 16])
def test_white_is_white_at_all_depths(
    form: dict[str, Any], photometric: str, depth: int, write: Callable[..., Path]
) -> None:
    values = DEEP if depth == 16 else np.uint8(EIGHT)
    expected = np.array(EIGHT) if photometric == "minisblack" else 255 - np.array(EIGHT)
    if photometric == "miniswhite" and depth == 16:
        expected = np.rint((65535 - DEEP.astype(int)) / 257).astype(int)
    assert read(write(values, photometric=photometric, **form)) == expected.tolist()


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_deep_colours_are_scaled(planar: str, write: Callable[..., Path]) -> None:
    colours = np.stack([DEEP, DEEP[::-1], 65535 - DEEP], axis=-1)
    values = colours if planar == "contig" else np.moveaxis(colours, -1, 0)
    path = write(values, photometric="rgb", planarconfig=planar)
    found = np.array(read(path, channels=3))
    # Pillow reads some deep colours itself and keeps their upper byte.
    np.testing.assert_allclose(found, np.rint(colours / 257), atol=1)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.int16([[-5, 300]]), "signed 16-bit integer"),
        (np.int32([[-5, 300]]), "signed 32-bit integer"),
        (np.uint32([[5, 300]]), "32-bit integer"),
        (np.uint64([[5, 300]]), "64-bit integer"),
        (np.float16([[0, 1]]), "16-bit floating-point"),
        (np.float32([[0, 1]]), "32-bit floating-point"),
        (np.float64([[0, 1]]), "64-bit floating-point"),
    ],
)
def test_pixels_without_a_fixed_range_are_rejected(
    values: np.ndarray, kind: str, write: Callable[..., Path]
) -> None:
    with pytest.raises(InputsError, match=f"^{kind} pixels have no fixed range; convert"):
        read(write(values))


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [
        (
            np.zeros((4, 6, 7), np.uint16),
            {"photometric": "minisblack", "planarconfig": "contig"},
            "7 channels",
        ),
        (np.zeros((3, 4, 6), np.complex64), {}, "no fixed range"),
    ],
)
def test_file_that_is_not_an_image_is_rejected(
    values: np.ndarray, settings: dict[str, Any], message: str, write: Callable[..., Path]
) -> None:
    with pytest.raises(InputsError, match=message):
        read(write(values, **settings))


def test_missing_tifffile_is_named_in_the_error(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(np.float64([[0, 1]]))
    imported = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "tifffile":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputsError, match=r"pip install 'mlflow-interp\[tiff\]'"):
        read(path)


def test_damaged_file_gives_a_one_line_error(write: Callable[..., Path]) -> None:
    """Deep colours in separate planes, which tifffile reads, truncated."""
    path = write(np.stack([DEEP] * 3), photometric="rgb", planarconfig="separate", compression="zlib")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(InputsError) as error:
        read(path, channels=3)
    assert "\n" not in str(error.value)
