"""All inputs of a run, and heatmaps as numbers, for its page."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from PIL import Image

from mlflow_interp.drawing import overview
from mlflow_interp.drawing.heat import MOST_BYTES, make_heat
from tests.interpretations import examples


def small(count, **more):
    pixels = np.random.default_rng(4).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return replace(examples(count, pictures=pixels), **more)


def opened(thumbnails):
    kind, content = thumbnails["source"].split(";base64,")
    return kind, np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


def test_every_input_has_its_facts():
    shown = small(7)
    made = overview.make_overview(shown)
    assert made["count"] == 7
    assert made["indices"] == list(range(7))
    assert made["labels"] == shown.labels.tolist()
    assert made["predicted"] == shown.classes[:, 0].tolist()
    assert made["confidence"] == pytest.approx(shown.probabilities[:, 0], abs=1e-4)
    assert made["classes"] == {str(at): name for at, name in enumerate(shown.class_names)}


def test_small_thumbnails_are_exact():
    shown = small(7)
    kind, sheet = opened(overview.make_overview(shown)["thumbnails"])
    assert kind == "data:image/png"
    for at, pixels in enumerate(shown.images):
        row, column = divmod(at, 3)
        assert (sheet[16 * row :, 16 * column :][:16, :16] == pixels).all()


def test_1500_photographs_take_less_than_a_megabyte():
    photographs = examples(30)
    tiled = np.tile(photographs.thumbnails, (50, 1, 1, 1))
    made = overview.sprite(tiled)
    assert (made["side"], made["columns"]) == (48, 39)
    assert len(made["source"]) < 1_000_000
    kind, sheet = opened(made)
    assert kind == "data:image/webp"
    assert sheet.shape == (39 * 48, 39 * 48, 3)
    assert np.abs(sheet[:48, :48].astype(int) - tiled[0]).mean() < 12


def test_a_selection_has_no_overview():
    assert overview.make_overview(small(3, is_selection=True)) is None


def test_of_many_inputs_a_sample_holds_those_that_are_shown():
    count = 4_000
    shown = np.array([3, 1_999, 3_998])
    many = replace(
        small(5), indices=np.arange(count), names=("x",) * count, labels=np.arange(count) % 2,
        classes=np.zeros((count, 1), np.int64), probabilities=np.ones((count, 1), np.float32),
        digests=np.random.default_rng(0).integers(0, 256, (count, 16), dtype=np.uint8),
        shown=shown, thumbnails=None,
    )  # fmt: skip
    rows = overview.sample(many)
    assert len(rows) == overview.MOST_INPUTS
    assert set(shown) <= set(rows.tolist())
    assert (np.diff(rows) > 0).all()


# --- heat ------------------------------------------------------------------------------------------


def unpacked(heat):
    height, width = heat["size"]
    return np.frombuffer(base64.b64decode(heat["maps"]), np.uint8).reshape(-1, height, width)


def heat_of(shown, maps, *, signed=False, name="inferno"):
    return make_heat(
        shown, maps, matplotlib.colormaps[name], signed=signed, targets=["t"] * len(shown), opacity=0.7
    )


def test_heat_is_relative_to_the_strongest_of_each_input():
    maps = np.float32([[[0, 1], [2, 4]], [[0, 0], [0, 0]], [[10, 0], [0, 5]]])
    made = heat_of(small(3), maps)
    assert made["indices"] == [0, 1, 2]
    assert unpacked(made).tolist() == [[[0, 64], [128, 255]], [[0, 0], [0, 0]], [[255, 0], [0, 128]]]
    colours = np.frombuffer(base64.b64decode(made["colours"]), np.uint8).reshape(256, 3)
    assert (colours == matplotlib.colormaps["inferno"](np.arange(256), bytes=True)[:, :3]).all()


def test_signed_heat_has_its_middle_at_128():
    made = heat_of(small(1), np.float32([[[-2, 0, 1]]]), signed=True, name="RdBu_r")
    assert unpacked(made).tolist() == [[[1, 128, 192]]]


def test_maps_of_shown_inputs_always_fit():
    shown = small(64)
    maps = np.random.default_rng(0).random((64, 112, 112), np.float32)
    made = heat_of(shown, maps)
    assert len(made["indices"]) == 64
    assert unpacked(made).nbytes <= MOST_BYTES
    assert made["size"][0] == made["size"][1] > 40
