"""The run of a training in MLflow's UI: the slider over epochs."""

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


@pytest.mark.parametrize("method", ["confusion_matrix", "gradcam"])
def test_pages_over_all_epochs_have_a_slider(method, run, server, keep):
    with browser_page(1400, 900) as page:
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        root = f"{server}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts"
        page.goto(f"{root}/interpretations/{method}/figure.html")
        frame = page.frame_locator("iframe").first
        slider = frame.locator("input[type=range]#step")
        slider.wait_for(timeout=90_000)
        expect(frame.locator("#at")).to_have_text("2", timeout=90_000)  # once the script has run
        slider.fill("0")
        expect(frame.locator("#at")).to_have_text("0")
        if method == "confusion_matrix":
            frame.locator("#pairs button").first.click()
            expect(frame.locator("#cell")).to_contain_text("predicted as")
            expect(frame.locator("#mistakes img").first).to_be_visible()
        keep(page)
        assert problems == []
