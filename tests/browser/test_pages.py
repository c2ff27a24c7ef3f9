"""Pages in a browser: from a file, and inside the sandboxed frame of an MLflow server."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

import mlflow_interp
from docs.pictures import browser_page
from mlflow_interp.kinds.table.page import page as table_page
from mlflow_interp.kinds.table.result import no_examples
from tests.kinds.test_table import result_of

pytestmark = [
    pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed"),
    pytest.mark.filterwarnings("default::mlflow_interp.exceptions.InterpretationWarning"),
]


@pytest.fixture(scope="module")
def run(registered, tmp_path_factory):
    """A run with the pages of all methods for four images."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("shown")
    for name, colour in {
        "red": (200, 0, 0),
        "green": (0, 200, 0),
        "<b>blue": (0, 0, 200),
        "grey": (9, 9, 9),
    }.items():
        Image.new("RGB", (12, 10), colour).save(folder / f"{name}.png")
    return mlflow_interp.interpret(registered, folder, ["gradcam", "saliency"], quiet=True, path_steps=4)


def watch(page):
    """Collect the errors of a page."""
    problems = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request", lambda request: problems.append(request.url) if request.url.startswith("http") else None
    )
    return problems


@pytest.mark.parametrize("method", ["gradcam", "saliency"])
def test_page_opens_offline_and_moves_between_inputs(run, method, tmp_path):
    """Keys and clicks change the input, without requests and errors."""
    address = (run[method].save(tmp_path) / "figure.html").as_uri()
    with browser_page(900, 700) as page:
        problems = watch(page)
        page.goto(address)
        assert page.text_content("#name") == "<b>blue.png"
        page.keyboard.press("ArrowRight")
        assert page.text_content("#name") == "green.png"
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert page.text_content("#name") == "red.png"
        page.click("#strip button:nth-child(3)")
        assert page.text_content("#name") == "grey.png"
        assert page.locator("#strip button[aria-current=true]").count() == 1
        assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    assert problems == []


def test_slider_changes_the_opacity(run, tmp_path):
    with browser_page(900, 700) as page:
        page.goto((run["gradcam"].save(tmp_path) / "figure.html").as_uri())
        assert page.evaluate("document.getElementById('heat').style.opacity") == "0.7"
        page.fill("#opacity", "20")
        assert page.evaluate("document.getElementById('heat').style.opacity") == "0.2"


@pytest.mark.parametrize("size", [(420, 700), (1400, 900)])
def test_pages_fit_narrow_and_wide_windows(run, size, tmp_path):
    for method in ("gradcam", "saliency"):
        with browser_page(*size) as page:
            page.goto((run[method].save(tmp_path) / "figure.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("method", ["gradcam", "saliency"])
def test_prints_in_light_colours_without_controls(run, method, tmp_path):
    """Controls are not printed; the text is dark on white."""
    address = (run[method].save(tmp_path) / "figure.html").as_uri()
    with browser_page(900, 700) as page:
        page.emulate_media(media="print", color_scheme="dark")
        page.goto(address)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("#name").is_visible()
        assert not page.locator("#strip").is_visible()
        assert not any(each.is_visible() for each in page.locator("input, .hint").all())


def test_classes_of_a_table_are_sorted_by_any_column(tmp_path):
    """Names from the first, numbers from the largest; a second click reverses the order."""
    result = replace(
        result_of([(0, 0, 60, 0.95), (1, 1, 900, 0.75), (2, 0, 10, 0.55)]),
        examples=no_examples(["b", "C", "a"]),
    )
    (tmp_path / "page.html").write_text(table_page(result), encoding="utf-8")
    with browser_page(420, 700) as page:
        problems = watch(page)
        page.goto((tmp_path / "page.html").as_uri())

        def names():
            return page.locator("#classes tbody td:first-child").all_text_contents()

        assert names() == ["C", "b", "a"]
        orders = []
        for column in ("class", "class", "labelled", "labelled", "accuracy"):
            page.get_by_role("button", name=column).click()
            orders.append("".join(names()))
        assert orders == ["abC", "Cba", "Cba", "abC", "bCa"]
        assert page.locator("#classes th[aria-sort]").all_text_contents() == ["accuracy"]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    assert problems == []
