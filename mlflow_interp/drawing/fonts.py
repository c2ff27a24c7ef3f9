"""The fonts of figures: for letters that the main font lacks, others that are installed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any

from mlflow_interp.exceptions import warn

#: Fonts of further scripts and symbols, in the order in which they are tried.
FALLBACKS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK KR", "Noto Sans JP",
    "Noto Sans SC", "Noto Sans KR", "Source Han Sans", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "IPAexGothic", "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Yu Gothic", "Meiryo",
    "Microsoft YaHei", "Malgun Gothic", "Noto Sans Arabic", "Noto Naskh Arabic", "Geeza Pro",
    "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Thai", "Segoe UI",
    "Arial Unicode MS", "Noto Emoji", "Segoe UI Emoji", "Symbola", "Noto Sans Symbols",
    "Noto Sans Symbols 2", "DejaVu Sans",
)  # fmt: skip
_MOST_NAMED = 3


def families() -> tuple[str, ...]:
    """The families of a figure's texts: matplotlib's setting, then the installed ones of `FALLBACKS`."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    return _families(tuple(matplotlib.rcParams["font.family"]), len(fontManager.ttflist))


@cache
def _families(given: tuple[str, ...], _fonts: int) -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return tuple(dict.fromkeys((*given, *(name for name in FALLBACKS if name in installed))))


def lacking(text: str) -> str:
    """The characters of a text that no font of `families` has."""
    if text.isascii():
        return ""
    import matplotlib

    settings = tuple(matplotlib.rcParams["font.sans-serif"])
    known = _characters(families(), settings)
    # Marks and joiners are part of another character.
    return "".join(
        letter
        for letter in dict.fromkeys(text)
        if ord(letter) not in known and unicodedata.category(letter) not in ("Cc", "Cf", "Mn")
    )


@cache
def _characters(names: tuple[str, ...], _settings: tuple[str, ...]) -> frozenset[int]:
    """The code points that these families have."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known: set[int] = set()
    for name in names:
        known.update(get_font(findfont(FontProperties(family=[name]))).get_charmap())
    return frozenset(known)


def use_fonts(artist: Any, names: Iterable[str] = ()) -> None:
    """Give the texts of a figure or of axes the fonts of `families`, and warn about names that need others.

    Args:
        artist: the figure or the axes.
        names: the names that it may show, such as those of inputs and classes.
    """
    from matplotlib.text import Text

    texts = [text for text in artist.findobj(Text) if not text.get_text().isascii()]
    for text in texts:
        text.set_fontfamily(families())
    if any(lacking(text.get_text()) for text in texts):
        _warn(dict.fromkeys(name for name in names if lacking(name)))


def _warn(names: Iterable[str]) -> None:
    named = [repr(name) for name in names]
    if not named:
        return
    more = f" and {len(named) - _MOST_NAMED:,} more" if len(named) > _MOST_NAMED else ""
    warn(
        f"the figure shows boxes in {', '.join(named[:_MOST_NAMED])}{more}: no installed font has these "
        "characters. Install a font that has them, such as Noto Sans CJK or Noto Emoji, and draw again"
    )
