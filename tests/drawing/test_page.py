"""The frame of the pages: which scripts stand in them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

import mlflow_interp
from mlflow_interp.drawing.page import SHARED, render

PACKAGE = Path(mlflow_interp.__file__).parent
SOURCES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.js")
}
OWN = sorted(set(SOURCES) - {SHARED})


def names_in(code, *, indented=""):
    """What a script defines: at its top, or anywhere where it may be indented by spaces."""
    found = re.findall(rf"^{indented}(?:async )?(?:function|const|let|var|class) (\w+)", code, re.MULTILINE)
    assert len(found) > 1
    return set(found)


def test_there_are_scripts_and_what_they_share():
    assert len(OWN) == 6
    assert names_in(SOURCES[SHARED]) > {"data", "find", "make", "plain", "percent", "hoverCard"}


@pytest.mark.parametrize("script", OWN)
def test_a_pages_script_is_what_pages_share_and_its_own(script):
    html = render("drawing/page.html", script, title="", data=[])
    data, code = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
    assert data == "[]"
    assert code == SOURCES[SHARED] + SOURCES[script]
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert re.findall(r"script-src ([^;\"]*)", html) == [f"'sha256-{digest}'"]


@pytest.mark.parametrize("script", OWN)
def test_nothing_that_is_shared_is_defined_again(script):
    assert names_in(SOURCES[script], indented=" *") & names_in(SOURCES[SHARED]) == set()


def test_everything_that_is_shared_is_used():
    code = "".join(SOURCES.values())
    assert [name for name in names_in(SOURCES[SHARED]) if len(re.findall(rf"\b{name}\b", code)) < 2] == []


def test_the_linter_knows_what_is_shared():
    settings = json.loads((PACKAGE.parent / "biome.json").read_text(encoding="utf-8"))
    (pages,) = settings["overrides"]
    assert set(pages["javascript"]["globals"]) == names_in(SOURCES[SHARED]) | {"Plotly"}


def test_a_page_without_a_script_allows_none():
    html = render("drawing/page.html", title="")
    assert "<script" not in html
    assert "script-src 'none'" in html
