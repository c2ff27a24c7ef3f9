"""The run of a training in MLflow's UI: sliders over epochs."""

from __future__ import annotations

import shutil

import keras
import mlflow
import numpy as np
import pytest
from playwright.sync_api import expect

import mlflow_interp
from docs.pictures import browser_page

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")


# Whether the images of the chart are loaded.
PICTURES = "[...document.images].filter((each) => each.naturalWidth > 100).length >= 2"


@pytest.fixture(scope="module")
def run(store, tmp_path_factory):
    """A run with three epochs of confusion matrices and heatmaps."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    labels = np.arange(20) % 2
    inputs = np.random.default_rng(0).random((20, 8, 8, 1), dtype=np.float32)
    folder = tmp_path_factory.mktemp("trained")
    experiment = mlflow.create_experiment("trained", artifact_location=folder.as_uri())
    callback = mlflow_interp.InterpretationCallback("confusion_matrix,gradcam", samples=4, wait=300)
    with mlflow.start_run(experiment_id=experiment) as run:
        model.fit(inputs, labels, validation_data=(inputs, labels), epochs=3, verbose=0, callbacks=[callback])
    return run


def test_metrics_tab_has_a_slider_over_epochs(run, server, keep):
    with browser_page(1400, 900) as page:
        address = f"{server}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/model-metrics"
        page.goto(address)
        slider = page.locator("[role=slider]").first
        slider.wait_for(timeout=90_000)
        slider.scroll_into_view_if_needed()
        assert slider.get_attribute("aria-valuemin") == "0"
        assert slider.get_attribute("aria-valuemax") == "2"
        expect(page.get_by_text("interpretations/gradcam", exact=True).first).to_be_visible()
        slider.focus()
        last = slider.get_attribute("aria-valuenow")
        page.keyboard.press("ArrowLeft" if last == "2" else "ArrowRight")
        expect(slider).not_to_have_attribute("aria-valuenow", last)
        page.wait_for_function(PICTURES, timeout=90_000)
        keep(page)


@pytest.fixture
def framed(run, server, keep):
    """A function that opens a page of the run in the frame in which MLflow shows it."""
    problems = []
    with browser_page(1400, 900) as page:
        page.on("pageerror", lambda error: problems.append(str(error)))

        def opening(place):
            root = f"{server}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts"
            page.goto(f"{root}/interpretations/{place}")
            return page.frame_locator("iframe").first

        yield opening
        keep(page)
    assert problems == []


def test_the_page_of_a_confusion_matrix_has_a_slider_over_epochs(framed):
    frame = framed("confusion_matrix/figure.html")
    slider = frame.locator("input[type=range]#step")
    slider.wait_for(timeout=90_000)
    expect(frame.locator("#at")).to_have_text("2", timeout=90_000)  # once the script has run
    slider.fill("0")
    expect(frame.locator("#at")).to_have_text("0")
    frame.locator("#pairs button").first.click()
    expect(frame.locator("#cell")).to_contain_text("predicted as")
    expect(frame.locator("#mistakes img").first).to_be_visible()


def test_the_page_of_the_run_shows_the_heat_of_every_epoch(framed):
    frame = framed("index.html")
    expect(frame.locator("#at")).to_have_text("2", timeout=90_000)
    caption = frame.locator("#caption")
    pictures = []
    for position in ("2", "1", "0"):
        frame.locator("#epoch").fill(position)
        expect(frame.locator("#at")).to_have_text(position)
        expect(caption).to_contain_text("Grad-CAM")
        expect(caption).not_to_contain_text("epoch")  # it is of the chosen one
        pictures.append(frame.locator("#large").evaluate("(canvas) => canvas.toDataURL()"))
    assert len(set(pictures)) == 3
