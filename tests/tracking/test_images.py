"""The images that MLflow's charts show, as files of a real store."""

from __future__ import annotations

import io
import re
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image

import mlflow_interp
from mlflow_interp.report.card_image import card, webp
from tests.interpretations import examples, results

NAME = r"images/{key}\+step\+{step}\+timestamp\+\d+\+[0-9a-f-]{{36}}"


def files(client, run_id):
    return sorted(item.path for item in client.list_artifacts(run_id, "images"))


def pattern_of(path):
    """A file's name with the step, time and id replaced."""
    return re.sub(r"\+step\+\d+\+timestamp\+\d+\+[0-9a-f-]{36}", "+…", path)


@pytest.fixture(scope="module")
def run(store, registered, tmp_path_factory):
    """A run with a Grad-CAM and a caricature with steps, and an image that MLflow logged itself."""
    folder, noise = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    for index in range(3):
        Image.fromarray(noise.integers(0, 256, (8, 8, 3), np.uint8)).save(folder / f"{index}.png")
    with mlflow.start_run() as run:
        mlflow_interp.interpret(registered, folder, "gradcam,caricature", ascent_steps=4, quiet=True)
        mlflow.log_image(noise.integers(0, 256, (8, 8, 3), np.uint8), key="by/mlflow", step=3)
    return run.info.run_id


def test_images_are_named_as_mlflow_names_them(run):
    """A PNG and a WebP of the same name, for each image: MLflow's UI finds them by their names."""
    found = files(MlflowClient(), run)
    keys = {"by~mlflow", "interpretations~gradcam", "interpretations~caricature", *(
        {"interpretations~caricature~steps"} if any("~steps" in path for path in found) else ()
    )}  # fmt: skip
    assert {pattern_of(path) for path in found} == {
        f"images/{key}+…{end}" for key in keys for end in (".png", "+compressed.webp")
    }
    stems = [path.removesuffix(".png") for path in found if path.endswith(".png")]
    assert sorted(f"{stem}+compressed.webp" for stem in stems) == [
        path for path in found if path.endswith(".webp")
    ]
    assert MlflowClient().get_run(run).data.tags["mlflow.loggedImages"] == "True"


def test_the_png_is_the_figure_and_the_card_a_sharp_square(run, tmp_path):
    client = MlflowClient()
    (png,) = [
        path
        for path in files(client, run)
        if re.fullmatch(NAME.format(key=".*gradcam", step=0) + ".png", path)
    ]
    figure = Path(client.download_artifacts(run, "interpretations/gradcam/figure.png", tmp_path)).read_bytes()
    assert Path(client.download_artifacts(run, png, tmp_path)).read_bytes() == figure
    small = client.download_artifacts(run, png.replace(".png", "+compressed.webp"), tmp_path)
    with Image.open(small) as image, Image.open(io.BytesIO(figure)) as original:
        assert image.format == "WEBP"
        assert image.width == image.height == max(original.size) > 1_000


def stripes(width, rows, height=30, gap=6):
    """A figure with rows of black, each of two parts with a narrower gap between them."""
    row = np.full((height, width, 3), 0, np.uint8)
    row[height - gap : height] = 255
    row[height // 2 : height // 2 + 2] = 255
    return Image.fromarray(np.concatenate([row] * rows))


@pytest.mark.parametrize(("width", "height"), [(300, 120), (120, 120), (2_000, 900), (100, 130)])
def test_a_card_is_a_square_that_shows_all_of_an_image(width, height):
    """Up to 1,600 pixels; nothing is cut where there is no gap to cut at."""
    image = Image.new("RGB", (width, height), (200, 0, 0))
    found = np.asarray(card(image))
    side = min(1_600, max(width, height))
    assert found.shape == (side, side, 3)
    red = (found == (200, 0, 0)).all(axis=2)
    scale = side / max(width, height)
    assert abs(red.any(axis=1).sum() - height * scale) <= 1
    assert abs(red.any(axis=0).sum() - width * scale) <= 1
    assert (found[~red] == 255).all()


@pytest.mark.parametrize(("rows", "whole"), [(3, 3), (4, 3), (20, 3)])
def test_a_card_shows_whole_rows_of_a_high_figure(rows, whole):
    """Rows of 30 pixels in a figure that is 100 wide: three fit, and the gaps inside a row are not used."""
    found = np.asarray(card(stripes(100, rows)))
    assert found.shape == (100, 100, 3)
    dark = (found == 0).all(axis=2).any(axis=1)
    assert dark.sum() == whole * (30 - 6 - 2)


def test_cards_of_figures_of_many_inputs_are_filled(tmp_path):
    """A Grad-CAM of 36 inputs is nearly twice as high as wide."""
    from mlflow_interp.report.files import draw_files

    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (36, 16, 16, 3), np.uint8)
    result = results(examples(36, pictures=pictures))["gradcam"]
    _, found = draw_files("gradcam", result, {}, with_page=False)
    with Image.open(io.BytesIO(found["figure.png"])) as figure:
        assert figure.height > 1.5 * figure.width
        square = card(figure.convert("RGB"))
    assert square.width == square.height
    used = (np.asarray(square) < 255).any(axis=2)
    assert used.any(axis=1).mean() > 0.5
    assert used.any(axis=0).mean() > 0.8
    assert len(webp(square)) < 400_000
