"""Text is measured and shortened to the available width."""

from __future__ import annotations

import pytest

from mlflow_interp.drawing.layout import MARGIN, FigureLayout, fitted, fitted_line, width_of
from mlflow_interp.drawing.style import DPI

TEXTS = ("plain words", "W" * 50, "i" * 50, "AVAVAVAV To Ty", "two  blanks ", "$x^2$", "é" * 20)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("size", "bold"), [(7, False), (9, False), (11, True)])
def test_text_has_the_measured_width(text, size, bold):
    paper = FigureLayout.of(20, 1)
    paper.write(0, 0, text, size=size, weight="bold" if bold else "normal")
    paper.figure.canvas.draw()
    drawn = paper.figure.texts[0].get_window_extent().width / DPI
    # Letters with kerning, such as AV, are narrower than the sum of both.
    assert drawn - 0.02 <= width_of(text, size, bold=bold) <= 1.1 * drawn + 0.02


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("width", [0.3, 1.0, 5.0])
def test_text_is_shortened_only_as_far_as_necessary(text, width):
    shown = fitted(text, width, 9)
    assert width_of(shown, 9) <= width
    if shown != text:
        assert "…" in shown
        assert width_of(shown, 9) > width - 0.3


def test_long_parts_of_a_line_use_the_remaining_width():
    long = f"explains {'a' * 60} · label b"
    shown = fitted_line(long, 3, 9)
    assert shown.endswith(" · label b")
    assert 2.8 < width_of(shown, 9) <= 3
    one, other = fitted_line(f"{'n' * 60} · {'n' * 80}", 3, 9).split(" · ")
    assert abs(len(one) - len(other)) <= 1


def test_control_characters_are_replaced():
    assert fitted("two\nlines", 9, 9) == fitted_line("two\nlines", 9, 9) == "two·lines"


def test_titles_have_the_same_position():
    paper = FigureLayout.of(4, 2)
    paper.title("A title " * 20, "and what is below it " * 20)
    title, below = paper.figure.texts
    for text in (title, below):
        assert text.get_position()[0] * 4 == pytest.approx(MARGIN)
        assert text.get_window_extent().x1 <= DPI * (4 - MARGIN) + 1
