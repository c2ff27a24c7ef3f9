"""The frame of the pages: which scripts stand in them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

import mlflow_interp
from mlflow_interp.drawing.page import PANELS, SHARED, render
from mlflow_interp.method_registry import panel_scripts

PACKAGE = Path(mlflow_interp.__file__).parent
SOURCES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.js")
}
PANEL_SCRIPTS = {f"kinds/{kind}/panel.js" for kind in panel_scripts()}
OWN = sorted(set(SOURCES) - {SHARED, PANELS} - PANEL_SCRIPTS)


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


def test_panels_stand_between_each_in_a_scope_of_its_own():
    panels = {"embedding": panel_scripts()["embedding"]}
    html = render("drawing/page.html", "report/run_page.js", panels=panels, title="", data=[])
    _, code = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
    panel = f"(() => {{\n{SOURCES['kinds/embedding/panel.js']}}})();\n"
    assert code == SOURCES[SHARED] + SOURCES[PANELS] + panel + SOURCES["report/run_page.js"]


def test_every_kind_with_a_panel_registers_it_under_its_name():
    assert set(panel_scripts()) == {"embedding", "confusion_matrix"}
    for kind in panel_scripts():
        assert re.findall(r'registerPanel\("(\w+)"', SOURCES[f"kinds/{kind}/panel.js"]) == [kind]


def test_the_page_of_a_run_names_no_kind():
    kinds = {path.parent.name for path in PACKAGE.glob("kinds/*/result.py")}
    assert len(kinds) == 5
    words = set(re.findall(r"\w+", SOURCES["report/run_page.js"] + SOURCES[PANELS]))
    assert words & (kinds | {"scatter", "matrix", "umap", "gradcam"}) == set()


@pytest.mark.parametrize("script", [*OWN, *sorted(PANEL_SCRIPTS)])
def test_nothing_that_is_shared_is_defined_again(script):
    shared = names_in(SOURCES[SHARED])
    if script in PANEL_SCRIPTS or script == "report/run_page.js":
        shared |= names_in(SOURCES[PANELS])
    assert names_in(SOURCES[script], indented=" *") & shared == set()


def test_everything_that_is_shared_is_used():
    code = "".join(SOURCES.values())
    shared = names_in(SOURCES[SHARED]) | names_in(SOURCES[PANELS])
    assert [name for name in shared if len(re.findall(rf"\b{name}\b", code)) < 2] == []


def test_the_linter_knows_what_is_shared():
    settings = json.loads((PACKAGE.parent / "biome.json").read_text(encoding="utf-8"))
    pages, panels = settings["overrides"]
    shared = names_in(SOURCES[SHARED]) | names_in(SOURCES[PANELS])
    assert set(pages["javascript"]["globals"]) == shared | {"Plotly"}
    assert set(panels["javascript"]["globals"]) <= names_in(SOURCES[SHARED])


def test_a_page_without_a_script_allows_none():
    html = render("drawing/page.html", title="")
    assert "<script" not in html
    assert "script-src 'none'" in html
