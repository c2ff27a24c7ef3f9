"""The page of an embedding in a browser: from a file, and inside the sandboxed frame of an MLflow server."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import mlflow_interp
from docs.pictures import browser_page
from mlflow_interp.kinds.embedding.page import page as page_of
from mlflow_interp.kinds.embedding.page import page_over

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")

NAMES = ("<b>x</b>", "$a$ & b", "cat")


@pytest.fixture
def opened(tmp_path):
    """A function that opens HTML from a file; at the end, the fixture asserts that there were no errors."""
    problems, contexts = [], []

    def open_page(html, width=900, height=640):
        (tmp_path / "figure.html").write_text(html, encoding="utf-8")
        contexts.append(browser_page(width, height))
        page = contexts[-1].__enter__()
        page.on(
            "console", lambda message: problems.append(message.text) if message.type != "warning" else None
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:", "blob:"))
                else problems.append(asked.url))  # fmt: skip
        page.goto((tmp_path / "figure.html").as_uri())
        page.wait_for_function("document.querySelector('#plot').layout !== undefined")
        return page

    yield open_page
    for context in contexts:
        context.__exit__(None, None, None)
    assert problems == []


# The position of a point of a trace in the window.
PLACE = """([trace, at]) => {
  const plot = document.getElementById("plot"), { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect(), data = plot.data[trace];
  return [box.left + xaxis._offset + xaxis.l2p(data.x[at]), box.top + yaxis._offset + yaxis.l2p(data.y[at])];
}"""
SHOWN = "document.getElementById('plot').data.filter((_, at) => at % 2 === 0).map((each) => each.x.length)"


def hover(page, trace, at):
    x, y = page.evaluate(PLACE, [trace, at])
    # Plotly reports points late: the card of an earlier point could be read.
    page.mouse.move(5, 5)
    page.wait_for_selector("#card:not(.shown)", state="attached")
    page.mouse.move(x + 3, y + 3)
    page.mouse.move(x, y)
    page.wait_for_selector("#card.shown")
    return page.text_content("#name"), page.text_content("#facts")


def test_hover_shows_thumbnail_label_and_prediction(opened, embedding_of):
    result = embedding_of(names=NAMES)
    page = opened(page_of(result))
    # Traces come in pairs: the points of a class, and the rings around wrong predictions.
    assert hover(page, 2, 0) == ("input 1", "input 1label $a$ & bpredicted $a$ & b 80.0%")
    name, facts = hover(page, 3, 0)
    wrong = int(name.removeprefix("input "))
    assert result.examples.classes[wrong, 0] != result.examples.labels[wrong]
    assert facts == f"input {wrong}label $a$ & bpredicted cat 80.0%"
    assert page.locator("#facts .wrong").count() == 1
    row, column = divmod(wrong, 8)
    style = page.locator("#picture").evaluate("(each) => [each.style.backgroundPosition, each.offsetWidth]")
    assert style == [f"{-column * 96}px {-row * 96}px".replace("-0px", "0px"), 96]
    assert page.evaluate("getComputedStyle(document.getElementById('picture')).backgroundImage").startswith(
        'url("data:image/jpeg'
    )
    page.mouse.move(5, 5)
    page.wait_for_selector("#card:not(.shown)", state="attached")


def test_regression_has_a_colour_scale_and_no_classes(opened, embedding_of):
    """Values from 0 to 1 are shown as numbers, not as percentages."""
    result = embedding_of(labelled=False)
    count = len(result.examples)
    values = np.linspace(0, 1, count)[:, np.newaxis]
    # A point that no other covers, wherever the layout of this machine puts it, has no label.
    points = result.embeddings[:, -1]
    distances = np.linalg.norm(points[:, np.newaxis] - points, axis=-1) + 1e9 * np.eye(count)
    alone, labelled = np.argsort(-distances.min(axis=1))[:2].tolist()
    examples = replace(
        result.examples,
        has_classes=False,
        classes=np.zeros((count, 1), np.int64),
        probabilities=values.astype(np.float32),
        true_values=np.where(values == values[alone], np.nan, 2 * values),
    )
    page = opened(page_of(replace(result, examples=examples)))
    value = values[labelled, 0]
    assert hover(page, 0, labelled) == (
        f"input {labelled}",
        f"input {labelled}value {value:.5g}label {2 * value:.5g}",
    )
    assert hover(page, 0, alone)[1] == f"input {alone}value {values[alone, 0]:.5g}"
    bar = page.evaluate("document.getElementById('plot').data[0].marker.colorbar.title.text")
    assert bar == "label"
    shown = page.locator("body").inner_text()
    assert "predicted" not in shown
    assert "Class" not in shown


def test_names_are_shown_as_text(opened, embedding_of):
    page = opened(page_of(embedding_of(names=NAMES)))
    assert page.locator(".legendtext").all_text_contents() == list(NAMES)
    assert "label <b>x</b>" in hover(page, 0, 0)[1]
    assert page.locator("#facts b, .legend b, #classes b").count() == 0


def test_legend_hides_a_class_and_its_rings(opened, embedding_of):
    page = opened(page_of(embedding_of(names=NAMES)))
    page.locator(".legendtoggle").nth(1).click()
    hidden = "document.getElementById('plot').data.map((each) => each.visible ?? true)"
    page.wait_for_function(f"({hidden}).includes('legendonly')")
    assert page.evaluate(hidden) == [True, True, "legendonly", "legendonly", True, True]


def test_filters_show_wrong_predictions_or_one_class(opened, embedding_of):
    page = opened(page_of(embedding_of(names=NAMES)))
    assert page.evaluate(SHOWN) == [20, 20, 20]
    assert "3 of 60 wrongly predicted" in page.text_content("#measures")
    page.check("#wrong")
    assert sum(page.evaluate(SHOWN)) == 3
    page.uncheck("#wrong")
    page.fill("#find", "cat")
    assert page.evaluate(SHOWN) == [0, 0, 20]
    page.fill("#find", "")
    assert page.evaluate(SHOWN) == [20, 20, 20]


def test_layer_select_moves_the_points(opened, embedding_of):
    result = embedding_of(layers=("first", "last"))
    page = opened(page_of(result))
    for place, name in enumerate(result.layers):
        page.select_option("#layer", label=name)
        xs = page.evaluate("document.getElementById('plot').data[0].x")
        np.testing.assert_allclose(xs, result.embeddings[::3, place, 0], rtol=1e-6)
        agreement = round(float(result.measures["knn_agreement"][place]), 3)
        assert f"knn agreement {agreement}" in page.text_content("#measures")


def test_slider_changes_the_step(opened, embedding_of):
    results = {step: embedding_of(seed=step) for step in (1, 5, 9)}
    page = opened(page_over(results))
    # The page opens at the last step.
    for slider, step in ((None, 9), (0, 1), (1, 5)):
        if slider is not None:
            page.fill("#step", str(slider))
        assert page.text_content("#at") == str(step)
        xs = page.evaluate("document.getElementById('plot').data[0].x")
        np.testing.assert_allclose(xs, results[step].embeddings[::3, 0, 0], rtol=1e-6)


def test_each_step_shows_its_inputs(opened, embedding_of):
    first, second = embedding_of(names=NAMES), embedding_of(names=NAMES, seed=1)
    shown = replace(
        second.examples,
        names=tuple(f"other {index}" for index in range(60)),
        indices=second.examples.indices + 100,
        labels=(second.examples.labels + 1) % 3,
    )
    second = replace(second, examples=shown)
    page = opened(page_over({0: first, 1: second}))
    page.fill("#find", NAMES[2])
    assert page.evaluate(SHOWN) == [0, 0, 20]
    assert hover(page, 4, 0) == ("other 1", f"input 101label {NAMES[2]}predicted {NAMES[1]} 80.0%")
    page.fill("#step", "0")
    assert hover(page, 4, 0) == ("input 2", f"input 2label {NAMES[2]}predicted {NAMES[2]} 80.0%")


@pytest.mark.parametrize("components", [1, 2, 3])
def test_no_button_sends_the_plot_anywhere(opened, embedding_of, components):
    """Plotly adds one that uploads to its cloud, so the page lists the buttons that it allows."""
    page = opened(page_of(embedding_of(components=components)))
    titles = page.locator(".modebar-btn").evaluate_all("(all) => all.map((each) => each.dataset.title)")
    assert "Download plot as a PNG" in titles
    assert "Pan" in titles
    assert not [title for title in titles if "hare" in title or "loud" in title or "dit" in title]


def test_three_dimensions_have_names_small_points_and_rings(opened, embedding_of):
    result = embedding_of(components=3)
    page = opened(page_of(result))
    scene = page.evaluate("document.getElementById('plot').layout.scene")
    assert [scene[f"{axis}axis"]["title"]["text"] for axis in "xyz"] == ["UMAP 1", "UMAP 2", "UMAP 3"]
    traces = page.evaluate("document.getElementById('plot').data.map(({ marker, x }) => [marker, x.length])")
    (dots, rings) = traces[::2], traces[1::2]
    assert all(dot["size"] < ring["size"] for (dot, _), (ring, _) in zip(dots, rings, strict=True))
    assert {ring["symbol"] for ring, _ in rings} == {"circle-open"}
    wrong = result.examples.labels != result.examples.classes[:, 0]
    assert sum(count for _, count in rings) == wrong.sum() == 3
    # On the screen, clusters of points stay apart: ink covers a small part of the plot.
    pixels = np.asarray(Image.open(io.BytesIO(page.locator("#plot").screenshot())).convert("HSV"))
    assert 0 < (pixels[:, : 3 * pixels.shape[1] // 4, 1] > 100).mean() < 0.02


def test_a_name_in_arabic_leaves_the_percentage_in_one_piece(opened, embedding_of):
    page = opened(page_of(embedding_of(names=("قطة", "كلب", "عصفور"))))
    _, facts = hover(page, 2, 0)
    assert facts.endswith("predicted كلب 80.0%")
    # The left and right edge of each character of the percentage, which touch.
    edges = page.evaluate(
        """() => {
          const walker = document.createTreeWalker(document.getElementById("facts"), NodeFilter.SHOW_TEXT);
          let node = null;
          while (walker.nextNode()) if (walker.currentNode.data.includes("80.0%")) node = walker.currentNode;
          const range = document.createRange();
          return [..."80.0%"].map((_, at) => {
            range.setStart(node, node.data.indexOf("80.0%") + at);
            range.setEnd(node, node.data.indexOf("80.0%") + at + 1);
            const { left, right } = range.getBoundingClientRect();
            return [left, right];
          });
        }"""
    )
    (lefts, rights) = zip(*edges, strict=True)
    np.testing.assert_allclose(lefts[1:], rights[:-1], atol=0.5)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"components": 1}, "scatter"),
        ({"count": 2000, "classes": 40}, "scattergl"),
        ({"count": 2000, "classes": 300}, "scattergl"),
        ({"components": 3}, "scatter3d"),
        ({"labelled": False}, "scatter"),
    ],
)
def test_every_kind_of_embedding_opens(opened, embedding_of, options, kind):
    page = opened(page_of(embedding_of(**options)))
    page.wait_for_timeout(300)
    types = page.evaluate("document.getElementById('plot').data.map((each) => each.type)")
    assert set(types) == {kind}
    assert sum(page.evaluate(SHOWN)) == options.get("count", 60)
    if options.get("classes") == 300:
        page.fill("#find", "7")
        assert sum(page.evaluate(SHOWN)) == 7
        assert page.locator(".legend").count() == 0


def test_hover_works_with_many_points(opened, embedding_of):
    page = opened(page_of(embedding_of(2000, classes=4)))
    page.wait_for_timeout(500)
    assert hover(page, 0, 0)[0].startswith("input ")


@pytest.mark.parametrize("size", [(420, 700), (1400, 900)])
def test_fits_narrow_and_wide_windows(opened, embedding_of, size):
    names = tuple(f"a class with a name too long for a legend, number {index}" for index in range(3))
    page = opened(page_of(embedding_of(names=names, layers=("a/long/path/" * 8, "b"))), *size)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    # Most of the window shows the points.
    assert page.locator(".nsewdrag").bounding_box()["width"] > 0.6 * size[0]


def test_works_inside_the_mlflow_frame(digits, server):
    """MLflow shows HTML in a frame that allows scripts and nothing else."""
    import mlflow

    model, pixels, labels = digits
    found = mlflow_interp.visualize_umap(model, pixels[:80], labels=labels[:80], n_epochs=20, quiet=True)
    experiment = mlflow.get_run(found.run_id).info.experiment_id
    with browser_page(1400, 900) as page:
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        root = f"{server}/#/experiments/{experiment}/runs/{found.run_id}/artifacts/interpretations"
        page.goto(f"{root}/umap/figure.html")
        frame = page.frame_locator("iframe").first
        frame.locator("#plot .scatterlayer path.point").first.wait_for(timeout=90_000)
        assert frame.locator("#plot .scatterlayer path.point").count() >= 80
        assert "trustworthiness" in frame.locator("#measures").text_content()
        frame.locator("#wrong").check()
        frame.locator("#plot .scatterlayer path.point").first.wait_for(state="attached", timeout=5_000)
        assert frame.locator("#plot .scatterlayer path.point").count() < 80
        frame.locator("#wrong").uncheck()
        frame.locator("#plot .scatterlayer path.point").nth(5).hover(force=True)
        frame.locator("#card.shown").wait_for(timeout=5_000)
        assert "predicted" in frame.locator("#facts").text_content()
    assert problems == []
