"""The page of a confusion matrix in a browser."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from playwright.sync_api import expect

from docs.pictures import browser_page
from mlflow_interp.kinds.confusion_matrix import from_predictions
from mlflow_interp.kinds.confusion_matrix.page import page, page_over

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")

NAMES = ["<b>cat</b>", '<a href="http://x">dog</a>', "<script>throw 1</script>", "=cow"]


def made(right=0.7, classes=4, names=None, count=800):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, count)
    found = np.where(rng.random(count) < right, labels, (labels + 1) % classes)
    pictures = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    probabilities = 0.7 * np.eye(classes)[found] + 0.3 / classes
    return from_predictions(labels, probabilities, class_names=names or NAMES, images=pictures)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A function that opens a page in a browser and collects its errors."""
    from contextlib import contextmanager

    @contextmanager
    def opening(html, width=1200, height=900):
        file = tmp_path_factory.mktemp("page") / "page.html"
        file.write_text(html, encoding="utf-8")
        problems = []
        with browser_page(width, height) as tab:
            tab.on(
                "console", lambda message: problems.append(message.text) if message.type == "error" else None
            )
            tab.on("pageerror", lambda error: problems.append(str(error)))
            tab.on("request", lambda each: problems.append(each.url) if each.url.startswith("http") else None)
            tab.goto(file.as_uri())
            tab.wait_for_selector("#plot .nsewdrag")
            yield tab
        assert problems == []

    return opening


def wait_for_text(tab, selector, text):
    """Wait for the effect of a click or a key."""
    expect(tab.locator(selector)).to_have_text(text)


def middle_of(tab, row, column, size=4):
    box = tab.locator("#plot .nsewdrag").first.bounding_box()
    return box["x"] + box["width"] * (column + 0.5) / size, box["y"] + box["height"] * (row + 0.5) / size


def test_hover_shows_the_numbers_of_a_cell(opened):
    result = made()
    with opened(page(result)) as tab:
        x, y = middle_of(tab, 1, 2)
        tab.mouse.move(x - 3, y)
        tab.mouse.move(x, y)
        tab.wait_for_selector("#card.shown")
        card = tab.text_content("#card")
        assert f"{NAMES[1]} predicted as {NAMES[2]}" in card
        assert f"{result.counts[1, 2]} inputs" in card
        assert f"{result.counts[1, 2] / result.counts[1].sum():.1%} of true" in card
        assert f"{result.counts[1, 2] / result.counts[:, 2].sum():.1%} of predicted" in card


def frames(tab):
    """Left, right, low and high edges of the frame of the selected cell, and of the visible area."""
    return tab.evaluate(
        """() => { const { layout } = document.getElementById("plot");
        const frame = layout.shapes.find((each) => each.type === "rect");
        const ends = frame && [frame.x0, frame.x1, frame.y0, frame.y1];
        return [ends, layout.xaxis.range, layout.yaxis.range]; }"""
    )


def many_classes():
    """Each of 100 classes is predicted as the next one, but class 40 more often as 10, and 70 as 90."""
    labels = np.concatenate([np.repeat(np.arange(100), 3), np.full(8, 40), np.full(6, 70)])
    found = np.concatenate([np.repeat((np.arange(100) + 1) % 100, 3), np.full(8, 10), np.full(6, 90)])
    return from_predictions(labels, found, class_names=[f"class {index}" for index in range(100)])


def test_cell_of_two_hidden_classes_is_brought_into_view(opened):
    with opened(page(many_classes())) as tab:
        tab.fill("#find", "class 3")
        expect(tab.locator("#shown")).to_contain_text("class 3 and the 2 classes")
        tab.locator("#pairs button", has_text="class 40 → class 10").click()
        wait_for_text(tab, "#cell", "class 40 predicted as class 10")
        frame, across, down = frames(tab)
        assert frame is not None
        assert min(across) <= frame[0] < frame[1] <= max(across)
        assert min(down) <= frame[2] < frame[3] <= max(down)
        expect(tab.locator("#shown")).to_contain_text("class 40 and the")


def test_cell_outside_the_zoomed_area_is_brought_into_view(opened):
    with opened(page(many_classes())) as tab:
        tab.evaluate(
            "Plotly.relayout('plot', {'xaxis.range[0]': 0, 'xaxis.range[1]': 5, 'yaxis.range[0]': 5, "
            "'yaxis.range[1]': 0})"
        )
        expect(tab.locator("#all")).to_be_visible()
        tab.locator("#pairs button", has_text="class 70 → class 90").click()
        frame, across, _ = frames(tab)
        assert frame is not None
        assert min(across) <= frame[0] < frame[1] <= max(across)


def test_click_shows_the_errors_behind_a_cell(opened):
    result = made()
    with opened(page(result)) as tab:
        tab.mouse.click(*middle_of(tab, 0, 1))
        wait_for_text(tab, "#cell", f"{NAMES[0]} predicted as {NAMES[1]}")
        expect(tab.locator("#mistakes figure")).to_have_count(6)
        tab.wait_for_function("[...document.images].every((image) => image.naturalWidth === 8)")
        behind = [
            name
            for name, cell in zip(result.examples.names, result.cells.tolist(), strict=True)
            if cell == [0, 1]
        ]
        assert tab.locator("#mistakes figure div.faint").all_text_contents() == behind
        tab.mouse.click(*middle_of(tab, 2, 2))
        expect(tab.locator("#mistakes figure")).to_have_count(0)
        expect(tab.locator("#cell")).to_contain_text("predicted correctly")


def test_cell_of_pixels_shows_inputs_with_their_shares(opened):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (9, 12, 10))
    found = np.where(rng.random(labels.shape) < 0.8, labels, (labels + 1) % 4)
    images = rng.integers(0, 256, (9, 12, 10, 3), dtype=np.uint8)
    result = from_predictions(labels, found, class_names=NAMES, images=images)
    with opened(page(result)) as tab:
        tab.mouse.click(*middle_of(tab, 0, 1))
        expect(tab.locator("#mistakes figure")).to_have_count(6)
        count = result.counts[0, 1]
        expect(tab.locator("#facts div").first).to_have_text(f"{count} pixels")
        shares = ((labels == 0) & (found == 1)).mean(axis=(1, 2))
        best = sorted(shares.tolist(), reverse=True)[:6]
        texts = tab.locator("#mistakes .prediction").all_text_contents()
        assert texts == [f"of its pixels{100 * share:.1f}%" for share in best]
        expect(tab.locator("#classes th").nth(1)).to_have_text("pixels")


def test_arrow_keys_move_between_cells(opened):
    with opened(page(made())) as tab:
        tab.focus("#plot")
        for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
            tab.keyboard.press(key)
        wait_for_text(tab, "#cell", f"{NAMES[1]}, predicted correctly")
        for _ in range(9):
            tab.keyboard.press("ArrowLeft")
        wait_for_text(tab, "#cell", f"{NAMES[1]} predicted as {NAMES[0]}")


def test_colours_and_order_can_be_changed(opened):
    result = made()
    with opened(page(result)) as tab:
        shares = numbers(tab)
        tab.select_option("#normalize", "none")
        assert sorted(map(int, numbers(tab))) == sorted(result.counts[result.counts > 0].tolist())
        assert all(re.fullmatch(r"\d+%", share) for share in shares)
        tab.check("#wrong")
        assert len(numbers(tab)) == np.count_nonzero(result.counts) - 4
        first = numbers_of_rows(tab)
        tab.select_option("#order", "support")
        order = np.argsort(-result.counts.sum(axis=1), kind="stable")
        assert first == [0, 1, 2, 3]
        assert numbers_of_rows(tab) == order.tolist()


def numbers_of_rows(tab):
    """The classes of the rows, recognised by the visible parts of names that are shortened in the middle."""
    return [
        next(at for at, name in enumerate(NAMES) if name.startswith(text.split("…")[0]))
        for text in tab.locator("#plot .ytick text").all_text_contents()
    ]


def numbers(tab):
    tab.wait_for_timeout(200)
    return [text for text in tab.locator("#plot .heatmap-label text").all_text_contents() if text]


def test_class_search_and_sorting_of_the_table(opened):
    with opened(page(made())) as tab:
        tab.fill("#find", "=cow")
        wait_for_text(tab, "#cell", f"=cow predicted as {NAMES[0]}")
        wait_for_text(tab, "#classes tr[aria-current=true] td >> nth=0", "=cow")
        tab.click("#classes th:nth-child(5) button")
        recalls = [
            float(text[:-1]) for text in tab.locator("#classes tbody td:nth-child(5)").all_text_contents()
        ]
        assert recalls == sorted(recalls)
        assert tab.get_attribute("#classes th:nth-child(5)", "aria-sort") == "ascending"
        tab.click("#pairs button >> nth=0")
        expect(tab.locator("#cell")).to_contain_text("predicted as")


def test_slider_changes_the_step(opened):
    html = page_over({3: made(0.3), 6: made(0.6), 9: made(0.9)})
    with opened(html) as tab:
        wait_for_text(tab, "#at", "9")
        last = tab.text_content("#headline")
        tab.fill("#step", "0")
        wait_for_text(tab, "#at", "3")
        expect(tab.locator("#headline")).not_to_have_text(last)


def test_thousand_classes_remain_usable(opened):
    names = [f"class {index}" for index in range(1000)]
    result = made(classes=1000, names=names, count=20_000)
    with opened(page(result)) as tab:
        assert "1,000 classes" in tab.text_content("#shown")
        assert tab.locator("#classes tbody tr").count() == 1000
        tab.fill("#find", "class 500")
        expect(tab.locator("#plot .ytick text").first).to_have_text("class 500")
        expect(tab.locator("#plot .ytick")).to_have_count(3)
        tab.click("#all")
        assert tab.locator("#plot .ytick").count() < 60
        x, y = middle_of(tab, 100, 100, 1000)
        tab.mouse.move(x, y)
        tab.mouse.down()
        tab.mouse.move(x + 40, y + 40, steps=3)
        tab.mouse.up()
        tab.wait_for_timeout(500)
        # After zooming in, a cell is large enough to point at: the one in the middle.
        _, across, down = frames(tab)
        column, row = round(sum(across) / 2), round(sum(down) / 2)
        box = tab.locator("#plot .nsewdrag").first.bounding_box()
        tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        found = "predicted correctly" if row == column else f"predicted as class {column}"
        expect(tab.locator("#cell")).to_contain_text(f"class {row}")
        expect(tab.locator("#cell")).to_contain_text(found)
        expect(tab.locator("#all")).to_be_visible()
        tab.click("#all")
        expect(tab.locator("#all")).to_be_hidden()


def test_several_labels_are_shown_one_at_a_time(opened):
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 4)) < 0.4).astype(int)
    probabilities = np.clip(0.5 * labels + 0.7 * rng.random(labels.shape), 0, 1)
    result = from_predictions(labels, probabilities, class_names=NAMES)
    with opened(page(result)) as tab:
        tab.fill("#find", NAMES[1])
        tab.mouse.click(*middle_of(tab, 0, 1, 2))
        wait_for_text(tab, "#cell", f"{NAMES[1]}: absent, predicted")
        expect(tab.locator("#facts")).to_contain_text(f"{result.counts[1, 0, 1]} inputs")
        expect(tab.locator("#mistakes figure")).to_have_count(6)


@pytest.mark.parametrize("width", [420, 1400])
def test_fits_narrow_and_wide_windows(opened, width):
    with opened(page(made()), width=width) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_works_inside_a_sandboxed_frame(tmp_path):
    """As in MLflow: scripts only, origin null."""
    (tmp_path / "page.html").write_text(page(made()), encoding="utf-8")
    (tmp_path / "frame.html").write_text(
        '<iframe sandbox="allow-scripts" src="page.html" width="1200" height="900"></iframe>'
    )
    with browser_page(1300, 1000) as tab:
        tab.goto((tmp_path / "frame.html").as_uri())
        frame = tab.frame_locator("iframe")
        frame.locator("#pairs button").first.click()
        expect(frame.locator("#cell")).to_contain_text("predicted as")
        expect(frame.locator("#mistakes img")).to_have_count(6)


def test_prints_in_light_colours_in_dark_mode(opened):
    with opened(page(made())) as tab:
        tab.emulate_media(color_scheme="dark")
        ground = "getComputedStyle(document.querySelector('#plot .main-svg')).backgroundColor"
        tab.wait_for_function(f"{ground} !== 'rgb(255, 255, 255)'")
        tab.emulate_media(color_scheme="dark", media="print")
        tab.wait_for_function(f"{ground} === 'rgb(255, 255, 255)'")
        assert not tab.locator("#order").is_visible()


def test_no_button_sends_the_matrix_anywhere(opened):
    with opened(page(made())) as tab:
        tab.hover("#plot")
        assert tab.locator(".modebar-btn").count() == 0


def test_names_in_arabic_keep_their_places(opened):
    """Without isolation, the names of a pair are drawn in the wrong order."""
    with opened(page(made(names=["قطة", "كلب", "عصفور", "حصان"]))) as tab:
        tab.mouse.click(*middle_of(tab, 0, 1))
        wait_for_text(tab, "#cell", "قطة predicted as كلب")
        for place in ("#cell", "#pairs button >> nth=0"):
            first, second = (tab.locator(f"{place} >> bdi").nth(at).bounding_box() for at in (0, 1))
            assert first["x"] + first["width"] < second["x"]
