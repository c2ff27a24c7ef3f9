"""Letters that the main font lacks are drawn in another, or reported once."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest
from matplotlib.font_manager import findfont, fontManager, get_font

from mlflow_interp.drawing import fonts
from mlflow_interp.drawing.layout import FigureLayout, width_of
from mlflow_interp.drawing.style import png, svg
from mlflow_interp.exceptions import InterpretationWarning

#: DejaVu Sans, which matplotlib brings along, has these letters; its font "cmr10" does not.
ARABIC = "قطة"
DOG = "犬"  # neither has this one
FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"


@pytest.fixture
def latin_only():
    """A main font with Latin letters only; the fallback is DejaVu Sans, which matplotlib brings along."""
    before = matplotlib.rcParams["font.family"], list(fontManager.ttflist)
    # A font list that was made on a machine with fonts of its own may lack it.
    fontManager.addfont(str(FONTS / "cmr10.ttf"))
    matplotlib.rcParams["font.family"] = ["cmr10"]
    yield
    matplotlib.rcParams["font.family"], fontManager.ttflist = before


def figure_of(*texts):
    layout = FigureLayout.of(3, 2)
    for row, text in enumerate(texts):
        layout.write(0.1, 0.1 + 0.3 * row, text, size=9)
    return layout


def test_a_letter_that_the_main_font_lacks_is_drawn_in_another(latin_only):
    assert ord(ARABIC[0]) not in get_font(findfont("cmr10")).get_charmap()
    assert fonts.lacking(ARABIC) == ""
    layout = figure_of("plain", ARABIC)
    layout.finished([ARABIC])
    plain, arabic = layout.figure.texts
    assert plain.get_fontfamily() == ["cmr10"]
    assert "DejaVu Sans" in arabic.get_fontfamily()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        layout.figure.canvas.draw()
    assert not [each for each in caught if "Glyph" in str(each.message)]
    # Measured in the font in which it is drawn.
    drawn = arabic.get_window_extent().width / layout.figure.dpi
    assert drawn <= width_of(ARABIC, 9) * 1.05


def test_names_whose_letters_no_font_has_are_reported_once():
    names = [f"{DOG}{index}.png" for index in range(5)] + ["cat.png", "é.png"]
    if not fonts.lacking(DOG):
        pytest.skip("a font with Chinese letters is installed here")
    layout = figure_of(*names)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure = layout.finished(names)
        png(figure)
        svg(figure)
    (warning,) = caught
    assert warning.category is InterpretationWarning
    assert str(warning.message) == (
        f"the figure shows boxes in '{DOG}0.png', '{DOG}1.png', '{DOG}2.png' and 2 more: no installed "
        "font has these characters. Install a font that has them, such as Noto Sans CJK or Noto Emoji, and "
        "draw again"
    )


def test_marks_and_joiners_are_no_letters_of_their_own():
    assert fonts.lacking("e\u0301\u200d\ufe0f") == ""
    assert fonts.lacking("plain") == ""


def test_a_font_that_is_added_later_is_found(monkeypatch):
    """A notebook's user adds a font, and draws again."""
    before = fonts.families()
    if "Noto Emoji" in before:
        pytest.skip("it is installed here")
    monkeypatch.setattr(fontManager, "ttflist", list(fontManager.ttflist))
    fontManager.addfont(str(FONTS / "DejaVuSerif.ttf"))
    fontManager.ttflist[-1] = replace(fontManager.ttflist[-1], name="Noto Emoji")
    assert set(fonts.families()) - set(before) == {"Noto Emoji"}
