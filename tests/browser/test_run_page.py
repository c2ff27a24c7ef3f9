"""The page of a run in a real browser."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from docs.pictures import browser_page
from mlflow_interp.kinds.heatmap import tiles as heatmap_tiles
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
    listeners = {
        "console": lambda message: problems.append(message.text) if message.type == "error" else None,
        "pageerror": lambda error: problems.append(str(error)),
        "request": lambda request: (
            None if request.url.startswith(("file:", "data:", "blob:")) else problems.append(request.url)
        ),
    }
    for event, listener in listeners.items():
        tab.on(event, listener)

    def opening(html, width=1200, scheme="light"):
        (tmp_path / "index.html").write_text(html, encoding="utf-8")
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=scheme, media="screen")
        tab.goto((tmp_path / "index.html").as_uri())
        return tab

    yield opening
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    assert problems == []


def drawn(tab):
    """Wait until the large image is that of the chosen input and look; return its pixels as a data: URI."""
    tab.wait_for_function(
        """() => document.querySelector("#large").dataset.drawn?.split(" ")[0]
        === String(workbench.state.index)"""
    )
    return tab.evaluate("document.querySelector('#large').toDataURL()")


def chosen(tab, name):
    expect(tab.locator("#name")).to_have_text(name)
    expect(tab.locator("#thumbs button[aria-current=true]")).to_have_count(1)


def look(tab, place, number=0):
    tab.locator(f".look[data-place={place}]").nth(number).click()


def test_arrow_keys_walk_through_the_inputs(opened, run):
    tab = opened(run_page.page(run, "r"))
    tab.locator("#thumbs button").first.click()
    chosen(tab, "<b>0</b>")
    images = {}
    for place in ("gradcam", "saliency", "caricature"):
        look(tab, place)
        images[place] = drawn(tab)
    tab.keyboard.press("ArrowRight")
    chosen(tab, "<b>1</b>")
    expect(tab.locator("#verdict")).to_contain_text("✓ predicted coffee")
    for place, image in images.items():
        look(tab, place)
        assert drawn(tab) != image
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    chosen(tab, "<b>9</b>")


def test_it_starts_with_the_most_confident_error(opened, run):
    chosen(opened(run_page.page(run, "r")), re.compile("<b>[38]</b>"))


LOADED = """[...document.images].filter((image) => !image.closest("[hidden]"))
    .every((image) => image.complete && image.naturalWidth > 0)"""
SILENT = """[...document.images].filter((image) => !image.alt && !image.closest("button[aria-label]"))
    .concat([...document.querySelectorAll("canvas:not([aria-hidden])")].filter(({ariaLabel}) => !ariaLabel))
    .map((each) => each.outerHTML.slice(0, 80))"""


def test_every_image_is_there_and_has_a_text(opened, run):
    tab = opened(run_page.page(run, "r"))
    assert tab.evaluate(LOADED)
    assert tab.evaluate(SILENT) == []


def test_heat_is_drawn_as_in_the_figure(opened):
    """The pixels of the canvas equal the tile that the figure shows, except for rounding."""
    pixels = np.random.default_rng(4).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    shown = examples(1, pictures=pixels)
    result = results(shown)["gradcam"]
    tab = opened(run_page.page(entries(shown, methods=["gradcam"]), "r"))
    look(tab, "gradcam")
    content = base64.b64decode(drawn(tab).split(",")[1])
    canvas = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float)
    tile = heatmap_tiles.make_tiles(result).pixels[0][1]
    expected = np.asarray(Image.fromarray(tile).resize(canvas.shape[1::-1], Image.Resampling.NEAREST), float)
    # The figure's tile has fewer pixels, so heat is interpolated at other points.
    assert np.abs(canvas - expected).mean() < 4
    tab.locator("#opacity").fill("0")
    plain = np.asarray(Image.open(io.BytesIO(base64.b64decode(drawn(tab).split(",")[1]))).convert("RGB"))
    assert (plain[14::28, 14::28] == pixels[0]).all()


def data_of(tab):
    return json.loads(tab.locator("#data").text_content())


def point_of(tab, index):
    """Where a point of the map is on the canvas."""
    return tab.evaluate(
        """(index) => { const map = data.methods.find((each) => each.place === "umap").steps[0].panel.data;
        const places = unpack(map.layers.at(-1).places, Uint16Array), at = 2 * map.indices.indexOf(index);
        const { clientWidth, clientHeight } = document.querySelector(".embedding canvas");
        const side = Math.min(clientWidth, clientHeight) - 28;
        return [(clientWidth - side) / 2 + places[at] / 1000 * side,
                (clientHeight - side) / 2 + (1 - places[at + 1] / 1000) * side]; }""",
        index,
    )


def test_a_point_on_the_map_chooses_its_input(opened, run):
    tab = opened(run_page.page(run, "r"))
    tab.get_by_role("tab", name="UMAP").click()
    x, y = point_of(tab, 7)
    tab.locator(".embedding canvas").click(position={"x": x, "y": y})
    chosen(tab, "<b>7</b>")
    label = re.compile("<b>7</b> is closest to")
    expect(tab.locator(".embedding canvas")).to_have_attribute("aria-label", label)
    expect(tab.locator(".neighbour")).to_have_count(6)
    tab.locator(".neighbour").first.click()
    expect(tab.locator("#name")).not_to_have_text("<b>7</b>")


def test_neighbours_of_another_method_are_linked_on_the_map(opened, run):
    """Those that nearest examples found, in place of the closest ones in the plot."""
    near = {"by": "at pool", "of": {"7": [0, 4]}}
    first, *others = run
    step = first.view["steps"][0] | {"neighbours": near}
    tab = opened(run_page.page([replace(first, view=first.view | {"steps": [step]}), *others], "r"))
    tab.get_by_role("tab", name="UMAP").click()
    x, y = point_of(tab, 7)
    tab.locator(".embedding canvas").click(position={"x": x, "y": y})
    expect(tab.locator(".near")).to_contain_text("Nearest at pool:")
    titles = [each.get_attribute("title") for each in tab.locator(".neighbour").all()]
    assert [title.partition(",")[0] for title in titles] == ["<b>0</b>", "<b>4</b>"]
    x, y = point_of(tab, 3)
    tab.locator(".embedding canvas").click(position={"x": x, "y": y})
    expect(tab.locator(".near")).to_contain_text("Closest in this plot:")


def test_a_lasso_leaves_what_it_holds(opened, run):
    tab = opened(run_page.page(run, "r"))
    tab.get_by_role("tab", name="UMAP").click()
    tab.get_by_role("button", name="Lasso").click()
    box = tab.locator(".embedding canvas").bounding_box()
    x, y = point_of(tab, 7)
    x, y = box["x"] + x, box["y"] + y
    tab.mouse.move(x - 9, y - 9)
    tab.mouse.down()
    for across, down in ((9, -9), (9, 9), (-9, 9)):
        tab.mouse.move(x + across, y + down, steps=4)
    tab.mouse.up()
    expect(tab.locator("#filtertext")).to_have_text(re.compile("inputs selected on the map"))
    chosen(tab, "<b>7</b>")
    tab.keyboard.press("Escape")
    expect(tab.locator("#thumbs button")).to_have_count(COUNT)


def test_the_map_is_coloured_by_other_facts(opened, run):
    tab = opened(run_page.page(run, "r"))
    tab.get_by_role("tab", name="UMAP").click()
    tab.get_by_label("Colour by").select_option("correct")
    expect(tab.locator(".legend")).to_have_text("correctwrong")
    tab.get_by_label("Colour by").select_option("confidence")
    expect(tab.locator(".legend")).to_contain_text("100%")


def test_a_cell_of_the_matrix_shows_its_inputs(opened, run):
    tab = opened(run_page.page(run, "r"))
    tab.get_by_role("tab", name="Confusion matrix").click()
    tab.get_by_role("button", name="rocket predicted as camera: 2 of").click()
    expect(tab.locator("#filtertext")).to_have_text("rocket predicted as camera")
    expect(tab.locator("#thumbs button")).to_have_count(2)
    for name in ("<b>3</b>", "<b>8</b>", "<b>3</b>"):
        chosen(tab, name)
        expect(tab.locator("#verdict")).to_have_text(re.compile("✕ predicted camera with .*, label rocket"))
        tab.keyboard.press("ArrowRight")


def test_a_damaged_panel_costs_itself_only(opened, run):
    damaged = json.loads(json.dumps(next(each for each in run if each.place == "umap").view))
    damaged["steps"][0]["panel"]["data"] = {"indices": 7}
    tab = opened(
        run_page.page([replace(each, view=damaged) if each.place == "umap" else each for each in run], "r")
    )
    tab.locator("#thumbs button").nth(1).click()
    chosen(tab, "<b>1</b>")
    tab.get_by_role("tab", name="UMAP").click() if tab.get_by_role("tab", name="UMAP").count() else None
    expect(tab.get_by_role("tab")).to_have_text(["Confusion matrix"])
    expect(tab.locator(".cells button").first).to_be_visible()


def test_files_of_version_1_open_with_their_panels(opened):
    tab = opened(run_page.page(read_entries(CONTRACT_1), "r"))
    expect(tab.get_by_role("tab")).to_have_count(2)
    tab.locator("#thumbs button").nth(1).click()
    expect(tab.locator("#name")).to_have_text("photograph 1.jpg")
    tab.get_by_role("tab", name="UMAP").click()
    expect(tab.locator(".embedding canvas")).to_have_attribute("aria-label", re.compile("photograph 1.jpg"))
    assert tab.evaluate(LOADED)


def test_filters_leave_what_was_asked_for(opened, run):
    tab = opened(run_page.page(run, "r"))
    tab.click("#wrong")
    expect(tab.locator("#thumbs button")).to_have_count(2)
    tab.click("#all")
    tab.select_option("#class", label="cat")
    expect(tab.locator("#thumbs button")).to_have_count(2)
    chosen(tab, "<b>0</b>")


def test_inputs_are_ordered(opened, run):
    tab = opened(run_page.page(run, "r"))
    tab.select_option("#order", "errors first")
    names = [each.get_attribute("title") for each in tab.locator("#thumbs button").all()]
    assert set(names[:2]) == {"<b>3</b>", "<b>8</b>"}
    tab.select_option("#order", "position")
    assert tab.locator("#thumbs button").first.get_attribute("title") == "<b>0</b>"


def test_it_says_how_many_of_many_inputs_are_shown(opened, run):
    expect(opened(run_page.page(run, "r")).locator("#all")).to_have_text("All (10)")
    many = [
        replace(each, manifest={**each.manifest, "inputs": {**each.manifest["inputs"], "count": 20_000}})
        for each in run
    ]
    expect(opened(run_page.page(many, "r")).locator("#all")).to_have_text("All (10 of 20,000)")


def test_a_finding_shows_its_inputs(opened, run):
    tab = opened(run_page.page(run, "r"))
    expect(tab.locator("#findings li").first).to_have_text("8 of 10 inputs are predicted correctly (80.0%).")
    tab.locator("#findings button", has_text="rocket is predicted as camera in 2 of 2 cases.").click()
    expect(tab.locator("#thumbs button")).to_have_count(2)
    tab.locator("#unfilter").click()
    expect(tab.locator("#thumbs button")).to_have_count(COUNT)


def test_one_epoch_control_drives_everything(opened, trained):
    tab = opened(run_page.page([trained], "r"))
    tab.locator("#thumbs button").nth(3).click()
    expect(tab.locator("#at")).to_have_text("2")
    expect(tab.locator("#verdict")).to_have_text(re.compile("✕ predicted camera .*, label rocket"))
    expect(tab.locator("#findings")).to_contain_text("8 of 10 inputs are predicted correctly")
    tab.locator("details.method summary").first.click()
    expect(tab.locator(".chart output").first).to_have_text("0.8")
    tab.locator("#thumbs button").nth(3).focus()
    tab.keyboard.press("ArrowUp")
    expect(tab.locator("#at")).to_have_text("1")
    expect(tab.locator("#verdict")).to_have_text(re.compile("✓ predicted rocket"))
    expect(tab.locator(".chart output").first).to_have_text("0.5")
    expect(tab.locator("#wrong")).to_have_text("Errors (0)")
    expect(tab.locator("#findings li").first).to_have_text("All 10 labelled inputs are predicted correctly.")


def test_the_theme_is_switched_and_remembered(opened, run):
    tab = opened(run_page.page(run, "r"))
    ground = "getComputedStyle(document.body).backgroundColor"
    assert tab.evaluate(ground) == "rgb(255, 255, 255)"
    tab.get_by_role("button", name="Use dark colours").click()
    assert tab.evaluate(ground) == "rgb(13, 17, 23)"
    tab.reload()
    assert tab.evaluate(ground) == "rgb(13, 17, 23)"
    tab.get_by_role("button", name="Use light colours").click()
    assert tab.evaluate(ground) == "rgb(255, 255, 255)"
    tab.evaluate("localStorage.clear()")


def test_axe_finds_no_violation(opened, run, trained):
    for page in (run_page.page(run, "r"), run_page.page([trained], "r")):
        for scheme in ("light", "dark"):
            tab = opened(page, scheme=scheme)
            tab.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
            for face in tab.get_by_role("tab").all():
                face.click()
                assert violations(tab) == []


def violations(tab):
    """What axe-core finds, each with an example."""
    found = Axe().run(tab).response["violations"]
    return [(each["id"], each["help"], each["nodes"][0]["html"][:200]) for each in found]


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
    frame.locator("#thumbs button").nth(1).click()
    expect(frame.locator("#name")).to_have_text("<b>1</b>")
    frame.locator("details.method > summary").first.click()
    frame.locator("details.method").first.locator("details > summary", has_text="Reproduce").click()
    button = frame.locator("details.method [data-copy]").nth(1)
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


def test_the_caption_names_the_epoch_if_it_is_not_the_chosen_one(opened, run, trained):
    """Not every epoch of every method is kept; what is shown instead must not pass for the chosen one."""
    (saliency,) = [entry for entry in run if entry.place == "saliency"]
    steps = [saliency.view["steps"][0] | {"step": step} for step in (0, 2)]
    thinned = replace(saliency, view=saliency.view | {"over": "epoch", "steps": steps})
    tab = opened(run_page.page([trained, thinned], None))
    tab.locator("#looks button", has_text="gradients").first.click()
    expect(tab.locator("#caption")).to_have_text(re.compile("gradients$"))
    tab.fill("#epoch", "1")
    expect(tab.locator("#caption")).to_have_text(re.compile("gradients at epoch 0$"))
    tab.locator("#looks button", has_text="Grad-CAM").first.click()
    expect(tab.locator("#caption")).not_to_contain_text("epoch")
