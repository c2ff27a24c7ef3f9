"""The page of a run in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from docs.pictures import browser_page
from mlflow_interp.method_registry import kind_of
from mlflow_interp.report import run_page, view_file
from mlflow_interp.report.folder import read_entries, read_view
from tests.interpretations import entries, examples, results

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")

CONTRACT_1 = Path(__file__).parents[1] / "report" / "contract_1"
COUNT = 10  # of which inputs 3 and 8 are taken for a camera, and are rockets


@pytest.fixture(scope="module")
def run():
    """All methods, of ten small inputs."""
    pixels = np.random.default_rng(4).integers(0, 256, (COUNT, 16, 16, 3), dtype=np.uint8)
    return entries(examples(COUNT, names=[f"<b>{at}</b>" for at in range(COUNT)], pictures=pixels))


@pytest.fixture(scope="module")
def trained(run):
    """Grad-CAM over three epochs, of which only the last takes input 3 for what it is not."""
    pixels = np.random.default_rng(4).integers(0, 256, (COUNT, 16, 16, 3), dtype=np.uint8)
    contents = {}
    for step in (0, 1, 2):
        shown = examples(COUNT, pictures=pixels, wrong=5 if step == 2 else 1_000)
        contents[step] = view_file.as_json(kind_of("gradcam").view(results(shown)["gradcam"]))
    whole = view_file.over_steps(contents, {"accuracy": [(0, 0.25), (1, 0.5), (2, 0.8)]}, run[0].figure)
    return replace(run[0], view=read_view(whole))


@pytest.fixture(scope="module")
def tab():
    with browser_page(1200, 900) as page:
        yield page


@pytest.fixture
def opened(tab, tmp_path):
    """A function that opens a page, with what went wrong in it on `problems`, all of which must be none."""
    problems = []
    heard = {
        "console": lambda message: problems.append(message.text) if message.type == "error" else None,
        "pageerror": lambda error: problems.append(str(error)),
        "request": lambda request: (
            None if request.url.startswith(("file:", "data:", "blob:")) else problems.append(request.url)
        ),
    }
    for event, hear in heard.items():
        tab.on(event, hear)

    def opening(html, width=1200, scheme="light"):
        (tmp_path / "index.html").write_text(html, encoding="utf-8")
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=scheme, media="screen")
        tab.goto((tmp_path / "index.html").as_uri())
        return tab

    yield opening
    for event, hear in heard.items():
        tab.remove_listener(event, hear)
    assert problems == []


def source_of(tab, place, tile=0):
    return tab.locator(f".view[data-place={place}] img").nth(tile).get_attribute("src")


def test_arrow_keys_walk_through_the_inputs_of_all_methods(opened, run):
    tab = opened(run_page.page(run, "r"))
    expect(tab.locator("#name")).to_have_text("<b>0</b>")
    first = [source_of(tab, place) for place in ("gradcam", "saliency", "caricature")]
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#name")).to_have_text("<b>1</b>")
    second = [source_of(tab, place) for place in ("gradcam", "saliency", "caricature")]
    assert not set(first) & set(second)
    expect(tab.locator("#verdict")).to_have_text("✓ coffee")
    expect(tab.locator(".view[data-place=confusion_matrix] figcaption")).to_contain_text(
        "coffee (2): 2 coffee"
    )
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    expect(tab.locator("#name")).to_have_text("<b>9</b>")
    expect(tab.locator("#thumbs button[aria-current=true]")).to_have_count(1)


LOADED = """[...document.images].filter((image) => !image.closest("[hidden]"))
    .every((image) => image.complete && image.naturalWidth > 0)"""
SILENT = """[...document.images].filter((image) => !image.alt && !image.closest("button[aria-label]"))
    .concat([...document.querySelectorAll("canvas")].filter((each) => each.ariaLabel.length < 20))
    .map((each) => each.outerHTML.slice(0, 80))"""


def test_every_picture_is_there_and_has_a_text(opened, run):
    tab = opened(run_page.page(run, "r"))
    assert tab.evaluate(LOADED)
    assert tab.evaluate(SILENT) == []


def test_a_point_on_the_map_chooses_its_input_everywhere(opened, run):
    tab = opened(run_page.page(run, "r"))
    canvas = tab.locator(".view[data-place=umap] canvas").first
    across, down = tab.evaluate(
        """() => { const map = data.methods.find((each) => each.place === "umap").steps[0].panel.data;
        const places = unpack(map.layers[0].places, Uint16Array), at = 2 * map.indices.indexOf(7);
        return [places[at] / 1000, 1 - places[at + 1] / 1000]; }"""
    )
    box = canvas.bounding_box()
    canvas.click(position={"x": 10 + across * (box["width"] - 20), "y": 10 + down * (box["width"] - 20)})
    expect(tab.locator("#name")).to_have_text("<b>7</b>")
    expected = data_of(tab)["images"][tiles_of(tab, "gradcam", 7)[0][1]]
    assert source_of(tab, "gradcam") == expected
    expect(tab.locator(".view[data-place=umap] canvas").first).to_have_attribute(
        "aria-label", re.compile("<b>7</b> lies beside")
    )


def data_of(tab):
    return json.loads(tab.locator("#data").text_content())


def tiles_of(tab, place, index_):
    method = next(each for each in data_of(tab)["methods"] if each["place"] == place)
    return method["steps"][0]["rows"][str(index_)]["tiles"]


def test_a_cell_of_the_matrix_walks_through_its_inputs(opened, run):
    tab = opened(run_page.page(run, "r"))
    canvas = tab.locator(".view[data-place=confusion_matrix] canvas")
    for name in ("<b>3</b>", "<b>8</b>", "<b>3</b>"):
        side = canvas.bounding_box()["width"]
        canvas.click(position={"x": side * 0.9, "y": side * 0.7})  # rocket, taken for camera
        expect(tab.locator("#name")).to_have_text(name)
        expect(tab.locator("#verdict")).to_have_text("✕ predicted camera, is rocket")


def test_a_damaged_panel_costs_itself_only(opened, run):
    damaged = json.loads(json.dumps(next(each for each in run if each.place == "umap").view))
    damaged["steps"][0]["panel"]["data"] = {"indices": 7}
    tab = opened(
        run_page.page([replace(each, view=damaged) if each.place == "umap" else each for each in run], "r")
    )
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#name")).to_have_text("<b>1</b>")
    expect(tab.locator(".view[data-place=umap]")).to_have_count(0)
    expect(tab.locator(".view[data-place=confusion_matrix] canvas")).to_have_count(1)


def test_what_version_1_wrote_opens_with_its_panels(opened):
    tab = opened(run_page.page(read_entries(CONTRACT_1), "r"))
    expect(tab.locator(".view[data-place=umap] canvas")).to_have_count(2)
    expect(tab.locator(".view[data-place=confusion_matrix] canvas")).to_have_count(1)
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#name")).to_have_text("photograph 1.jpg")
    assert tab.evaluate(LOADED)


def test_filters_leave_what_was_asked_for(opened, run):
    tab = opened(run_page.page(run, "r"))
    tab.click("#wrong")
    expect(tab.locator("#thumbs button")).to_have_count(2)
    expect(tab.locator("#name")).to_have_text("<b>3</b>")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#name")).to_have_text("<b>8</b>")
    tab.click("#all")
    tab.select_option("#class", label="cat")
    expect(tab.locator("#thumbs button")).to_have_count(2)
    expect(tab.locator("#name")).to_have_text("<b>0</b>")


def test_it_says_how_many_of_many_inputs_are_shown(opened, run):
    expect(opened(run_page.page(run, "r")).locator("#all")).to_have_text("All 10")
    many = [
        replace(each, manifest={**each.manifest, "inputs": {**each.manifest["inputs"], "count": 20_000}})
        for each in run
    ]
    expect(opened(run_page.page(many, "r")).locator("#all")).to_have_text("10 of 20,000")


def test_the_surest_mistake_is_a_click_away(opened, run):
    tab = opened(run_page.page(run, "r"))
    line = tab.locator("#glance li", has_text="surest mistake")
    name = line.locator("button").text_content()
    assert name in ("<b>3</b>", "<b>8</b>")
    line.locator("button").click()
    expect(tab.locator("#name")).to_have_text(name)


def test_arrow_keys_walk_through_epochs(opened, trained):
    tab = opened(run_page.page([trained], "r"))
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#at")).to_have_text("2")
    expect(tab.locator("#verdict")).to_have_text("✕ predicted camera, is rocket")
    expect(tab.locator(".chart output").first).to_have_text("0.8")
    tab.keyboard.press("ArrowUp")
    expect(tab.locator("#at")).to_have_text("1")
    expect(tab.locator("#verdict")).to_have_text("✓ rocket")
    expect(tab.locator(".chart output").first).to_have_text("0.5")
    expect(tab.locator("#wrong")).to_have_text("Wrong 0")


#: The contrast of every text that is seen, as WCAG 2 counts it, and where it stands.
CONTRASTS = """() => {
  const linear = (part) => (part <= 10 ? part / 3295 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const light = (text) => {
    const [red, green, blue] = text.match(/[0-9.]+/g).slice(0, 3).map((part) => linear(Number(part)));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (node) => {
    const found = getComputedStyle(node).backgroundColor;
    return found.startsWith("rgba") ? ground(node.parentElement) : found;
  };
  const speaks = (node) => [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
  return [...document.body.querySelectorAll("*:not(script, style, option)")]
    .filter((node) => node.checkVisibility() && !node.disabled && speaks(node))
    .map((node) => {
      const pair = [light(getComputedStyle(node).color), light(ground(node))];
      return [(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), node.outerHTML.slice(0, 80)];
    });
}"""


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(13, 17, 23)")])
def test_text_stands_out_from_its_ground(opened, run, scheme, ground):
    """At least 4.5 to 1, as WCAG 2 asks of text."""
    tab = opened(run_page.page(run, "r"), scheme=scheme)
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == ground
    found = tab.evaluate(CONTRASTS)
    assert len(found) > 50
    assert [what for ratio, what in found if ratio < 4.5] == []


@pytest.mark.parametrize("width", [360, 420, 700, 1400])
def test_fits_narrow_and_wide_windows(opened, run, trained, width):
    for page in (run_page.page(run, "r"), run_page.page([trained], "r")):
        tab = opened(page, width=width)
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_copying_falls_back_to_selecting_in_a_sandboxed_frame(opened, run, tab, tmp_path):
    """As MLflow shows it: scripts and nothing else, origin null."""
    opened(run_page.page(run, "r"))
    (tmp_path / "frame.html").write_text(
        '<iframe sandbox="allow-scripts" src="index.html" width="700" height="850"></iframe>'
    )
    tab.goto((tmp_path / "frame.html").as_uri())
    frame = tab.frame_locator("iframe")
    frame.locator("#next").click()
    expect(frame.locator("#name")).to_have_text("<b>1</b>")
    frame.locator("details", has_text="Make it again").first.locator("> summary").click()
    button = frame.locator("[data-copy]").nth(1)
    button.click()
    expect(button).to_have_text(re.compile("Copied|Selected: press Ctrl"))
    selected = tab.frames[1].evaluate("getSelection().toString()")
    assert selected == "mlflow-interp gradcam models:/sights/3 ./photos"


def test_prints_light_with_everything_opened(opened, run, tab):
    opened(run_page.page(run, "r"), scheme="dark")
    tab.emulate_media(media="print", color_scheme="dark")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate("[...document.querySelectorAll('details')].every((each) => each.open)")
    expect(tab.locator("#thumbs")).to_be_hidden()
    # What is drawn by a script is drawn anew, in the colours of paper, and before the page is printed.
    corner = "[...document.querySelectorAll('canvas')].map((each) => each.width)"
    assert all(width > 1 for width in tab.evaluate(corner))
