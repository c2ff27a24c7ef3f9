"""How MLflow's UI shows a run of all methods that was logged over HTTP."""

from __future__ import annotations

import shutil

import mlflow
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

import mlflow_interp
from docs.pictures import browser_page
from tests.running import methods_for_convolutions

pytestmark = [
    pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed"),
    pytest.mark.filterwarnings("default::mlflow_interp.exceptions.InterpretationWarning"),
]

FIRST_TIME = 90_000  # milliseconds that the UI may take to come up on a busy machine
FILES = {"figure.png", "figure.svg", "figure.html", "predictions.json", "arrays.npz", "manifest.json"}


@pytest.fixture(scope="module")
def run(registered, store, server, tmp_path_factory):
    """A run with the artifacts of all methods for twelve labelled images, sent through the server."""
    folder, noise = tmp_path_factory.mktemp("labelled"), np.random.default_rng(0)
    for index in range(12):
        place = folder / ("ant", "bee", "cat")[index % 3]
        place.mkdir(exist_ok=True)
        pixels = noise.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"<b>{index:02}.png")
    mlflow.set_tracking_uri(server)
    try:
        experiment = mlflow.create_experiment("seen in the UI")  # artifacts are uploaded through the server
        with mlflow.start_run(experiment_id=experiment) as run:
            mlflow_interp.interpret(
                registered,
                folder,
                methods_for_convolutions(),
                quiet=True,
                ascent_steps=4,
                path_steps=4,
                noise_samples=2,
            )
    finally:
        mlflow.set_tracking_uri(store)
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    return run


@pytest.fixture(scope="module")
def tab():
    """One page for all tests in this file: after the first, MLflow's UI is in the browser's cache."""
    with browser_page(1400, 900) as page:
        yield page


@pytest.fixture
def opened(run, server, keep, tab):
    """A function that opens a page of the run in the UI; fails at the end if a script of ours failed."""
    problems = []

    def failed(error):
        problems.append(str(error))

    def collect_error(message):
        if is_our_error(message):
            problems.append(message.text)

    def open_place(place):
        tab.goto("about:blank")
        tab.goto(f"{server}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/{place}")
        return tab

    tab.on("pageerror", failed)
    tab.on("console", collect_error)
    yield open_place
    keep(tab)
    tab.remove_listener("pageerror", failed)
    tab.remove_listener("console", collect_error)
    assert problems == []


def is_our_error(message):
    """MLflow shows our pages as blobs; errors from elsewhere are those of the UI."""
    return message.type == "error" and message.location["url"].startswith("blob:")


@pytest.fixture
def framed(opened):
    """A function that opens a method's page in the frame in which MLflow shows it."""

    def open_page(method):
        page = opened(f"artifacts/interpretations/{method}/figure.html")
        frame = page.frame_locator("iframe").first
        frame.locator("body").wait_for(timeout=FIRST_TIME)
        wait_until_stable(page, frame)
        return frame

    return open_page


def wait_until_stable(page, frame, tries=20):
    """Wait until the document is stable; on a busy machine the UI may reload the frame and lose clicks."""
    for _ in range(tries):
        before = frame.locator("body").evaluate(
            "(body) => body.dataset.seen ?? (body.dataset.seen = '', null)"
        )
        if before is not None:
            return
        page.wait_for_timeout(500)
    raise AssertionError("the frame is reloaded again and again")


def test_tree_lists_every_file_of_every_method(opened):
    page = opened("artifacts/interpretations")
    for method in methods_for_convolutions():
        folder = page.get_by_text(method, exact=True).first
        folder.wait_for(timeout=FIRST_TIME)
        folder.click()
        for name in FILES:
            expect(page.get_by_text(name, exact=True).first).to_be_visible()
        folder.click()
    expect(page.get_by_text("index.html", exact=True).first).to_be_visible()


@pytest.mark.parametrize("method", methods_for_convolutions())
def test_figure_is_shown(opened, method):
    page = opened(f"artifacts/interpretations/{method}/figure.png")
    page.wait_for_function(
        "[...document.images].some((each) => each.naturalWidth >= 300)", timeout=FIRST_TIME
    )


def test_heatmap_page_moves_between_inputs_and_changes_opacity(framed):
    frame = framed("gradcam")
    expect(frame.locator("#name")).to_have_text("ant/<b>00.png", timeout=FIRST_TIME)
    frame.locator("#strip button").nth(2).click()
    expect(frame.locator("#name")).to_have_text("ant/<b>06.png")
    frame.locator("#strip button").nth(2).press("ArrowLeft")
    expect(frame.locator("#name")).to_have_text("ant/<b>03.png")
    frame.locator("#opacity").fill("20")
    assert frame.locator("#heat").evaluate("(each) => each.style.opacity") == "0.2"


@pytest.mark.parametrize("method", ["saliency", "caricature"])
def test_gallery_pages_move_between_inputs_by_key(framed, method):
    frame = framed(method)
    expect(frame.locator("#name")).to_have_text("ant/<b>00.png", timeout=FIRST_TIME)
    frame.locator("#strip button").first.press("ArrowRight")
    expect(frame.locator("#name")).to_have_text("ant/<b>03.png")


def test_embedding_page_describes_points_and_filters(framed):
    frame = framed("umap")
    points = frame.locator("#plot .scatterlayer path.point")
    points.first.wait_for(timeout=FIRST_TIME)
    points.first.hover(force=True)
    expect(frame.locator("#card")).to_contain_text("predicted")
    frame.locator("#find").fill("bee")
    expect(frame.locator("#plot .scatterlayer path.point").first).to_be_visible()
    # Traces come in pairs: the points of a class, and the rings around wrong predictions.
    shown = "(plot) => [0, 2, 4].map((at) => plot.data[at].x.length)"
    assert frame.locator("#plot").evaluate(shown) == [0, 4, 0]


def test_matrix_shows_the_errors_behind_a_cell(framed):
    frame = framed("confusion_matrix")
    frame.locator("#pairs button").first.click(timeout=FIRST_TIME)
    expect(frame.locator("#cell")).to_contain_text("predicted as")
    expect(frame.locator("#mistakes img").first).to_be_visible()
    before = frame.locator("#cell").text_content()
    frame.locator("#plot").press("ArrowLeft")
    frame.locator("#plot").press("ArrowUp")
    expect(frame.locator("#cell")).not_to_have_text(before)


def test_run_page_has_every_method(opened):
    page = opened("artifacts/interpretations/index.html")
    frame = page.frame_locator("iframe").first
    for method in methods_for_convolutions():
        expect(frame.locator(f"#section-{method} > summary")).to_be_visible(timeout=FIRST_TIME)


def test_predictions_are_shown_as_a_table(opened):
    page = opened("artifacts/interpretations/gradcam/predictions.json")
    cells = page.get_by_role("cell")
    cells.first.wait_for(timeout=FIRST_TIME)
    texts = cells.all_text_contents()
    assert "ant/<b>00.png" in texts
    for column in ("input", "target", "predicted", "label"):
        expect(page.get_by_text(column, exact=True).first).to_be_visible()


def test_model_version_links_to_the_run(run, server, registered, keep, tab):
    name, version = registered.removeprefix("models:/").split("/")
    tab.goto(f"{server}/#/models/{name}/versions/{version}")
    tab.get_by_text("mlflow_interp.gradcam.run_id").first.wait_for(timeout=FIRST_TIME)
    assert run.info.run_id in tab.locator("body").text_content()
    keep(tab)


def test_the_note_leads_to_the_page_of_the_run(opened, run):
    """MLflow renders it as Markdown, and opens its links in a new tab."""
    page = opened("")
    link = page.get_by_role("link", name="Interpretations", exact=True)
    link.wait_for(timeout=FIRST_TIME)
    with page.context.expect_page() as popped:
        link.click()
    tab = popped.value
    try:
        frame = tab.frame_locator("iframe").first
        expect(frame.locator("#section-gradcam > summary")).to_be_visible(timeout=FIRST_TIME)
        assert "workflowType=machine_learning" in tab.url
    finally:
        tab.close()


def test_images_in_charts_are_large_squares(opened):
    page = opened("model-metrics")
    page.wait_for_function(
        "[...document.images].some((each) => each.naturalWidth > 1000 && "
        "each.naturalWidth === each.naturalHeight)",
        timeout=FIRST_TIME,
    )
