"""Finds inputs in files: by two colours that nothing else has, and by the pattern that the colours make."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
from PIL import Image

SIDE = 32
BLOCK = 4  # pixels of a block of one colour
COLOURS = np.array([(0, 255, 140), (255, 0, 200)])  # in no palette and no colormap of ours
_URI = re.compile(r"data:image/[a-z]+;base64,\s*([A-Za-z0-9+/=\n]+)")  # broken into lines in SVG
_BASE64 = re.compile(r'"([A-Za-z0-9+/]{60,}={0,2})"')
_PNG = re.compile(rb"\x89PNG\r\n\x1a\n.*?IEND\xaeB`\x82", re.DOTALL)
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def patterns(count, seed=0):
    """(count, 32, 32, 3) uint8: blocks of the two colours at random."""
    blocks = np.random.default_rng(seed).integers(0, 2, (count, SIDE // BLOCK, SIDE // BLOCK))
    return COLOURS[blocks.repeat(BLOCK, 1).repeat(BLOCK, 2)].astype(np.uint8)


def leaks(folder, inputs):
    """The files below a folder that show one of the inputs, each with the reason."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert files, folder
    return {
        str(path.relative_to(folder)): reason
        for path in files
        if (reason := _reason(path.name, path.read_bytes(), inputs))
    }


def _reason(name, content, inputs):
    if name.endswith(".npz"):
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = [key for key in arrays if _is_like(arrays[key], inputs)]
        return f"arrays {found}" if found else None
    if name.endswith(_ENDINGS):
        return _shown(content, inputs)
    if "tfevents" in name:
        return next(filter(None, (_shown(each, inputs) for each in _PNG.findall(content))), None)
    text = content.decode()
    images = {base64.b64decode(each) for each in _URI.findall(text)}
    reasons = [_shown(each, inputs) for each in images]
    # Numbers that a page draws, such as heatmaps, are base64 too.
    numbers = [np.frombuffer(base64.b64decode(each + "=="), np.uint8) for each in set(_BASE64.findall(text))]
    reasons += ["numbers" for each in numbers if _is_like(each[np.newaxis], inputs)]
    if name.endswith(".json"):
        reasons += ["values" for each in _lists(json.loads(text)) if _is_like(each[np.newaxis], inputs)]
    return next(filter(None, reasons), None)


def _lists(value):
    """Every list of numbers in JSON, as an array."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _lists(each)
    elif isinstance(value, list):
        try:
            array = np.array(value, float)
        except (ValueError, TypeError):
            for each in value:
                yield from _lists(each)
        else:
            yield array


def _shown(content, inputs):
    """Why an image shows an input: the colours, or the pattern of one of them over the whole image."""
    with Image.open(io.BytesIO(content)) as opened:
        image = opened.convert("RGB")
    pixels = np.asarray(image).astype(int)
    for colour in COLOURS:
        share = (np.abs(pixels - colour).max(axis=-1) < 48).mean()
        if share > 0.002:
            return f"{share:.1%} of its pixels have the colour {colour.tolist()}"
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))
    return "the pattern" if _is_like(small[np.newaxis], inputs) else None


def _is_like(array, inputs):
    """Whether a row of an array, in whole or one of its channels, correlates with an input."""
    if array.dtype.kind not in "fiu" or array.ndim < 2 or not len(array):
        return False
    grey = _blocks(inputs[..., 0].astype(float).reshape(len(inputs), SIDE, SIDE))
    for row in array:
        for plane in _planes(row):
            found = np.nan_to_num(_centred(_blocks(plane[np.newaxis])) @ _centred(grey).T)
            if np.abs(found).max() > 0.75:
                return True
    return False


def _planes(row):
    """Every reading of a row as planes of the size of an input."""
    values = row.astype(float)
    if values.size < SIDE * SIDE:
        return
    flat = values.reshape(-1)
    if values.ndim >= 3 and values.shape[-3:-1] == (SIDE, SIDE):
        yield from np.moveaxis(values, -1, 0).reshape(-1, SIDE, SIDE)
    for start in range(0, len(flat) - SIDE * SIDE + 1, SIDE * SIDE):
        yield flat[start : start + SIDE * SIDE].reshape(SIDE, SIDE)
    for channels in (3, 4):
        if flat.size == channels * SIDE * SIDE:
            yield from flat.reshape(SIDE, SIDE, channels).transpose(2, 0, 1)


def _blocks(planes):
    """(n, 64) the means of the blocks of planes."""
    cut = planes.reshape(len(planes), SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK)
    return cut.mean(axis=(2, 4)).reshape(len(planes), -1)


def _centred(rows):
    rows = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
