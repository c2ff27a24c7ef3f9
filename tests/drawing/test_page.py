"""The frame of the pages: which scripts stand in them."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

import mlflow_interp
from mlflow_interp.drawing.page import SHARED, render
from mlflow_interp.method_registry import panel_scripts

PACKAGE = Path(mlflow_interp.__file__).parent
SOURCES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.js")
}
PANEL_SCRIPTS = {f"kinds/{kind}/panel.js" for kind in panel_scripts()}
RUN_PAGE = "report/workbench.js"
OWN = sorted(set(SOURCES) - {SHARED, RUN_PAGE} - PANEL_SCRIPTS)
#: What shared.js makes global, as the bundler writes it.
SHARED_NAMES = set(re.findall(r"^    (\w+): \(\) => \w+", SOURCES[SHARED], re.MULTILINE)) | {
    "data", "isDark", "onThemeChange",
}  # fmt: skip


def test_there_are_scripts_and_shared_functions():
    assert len(OWN) == 7
    assert {"find", "make", "plain", "percent", "unpack", "registerPanel", "plot"} < SHARED_NAMES


@pytest.mark.parametrize("script", sorted(SOURCES))
def test_every_script_is_built_from_typescript(script):
    assert SOURCES[script].startswith("// Built from web/src by `npm run build`: do not edit.\n")


@pytest.mark.parametrize("script", [*OWN, RUN_PAGE])
def test_a_page_has_the_shared_script_and_its_own(script):
    html = render("drawing/page.html", script, title="", data=[])
    data, code = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
    assert data == "[]"
    assert code == SOURCES[SHARED] + SOURCES[script]
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert re.findall(r"script-src ([^;\"]*)", html) == [f"'sha256-{digest}'"]


def test_panels_come_between_each_in_its_own_scope():
    panels = {"embedding": panel_scripts()["embedding"]}
    html = render("drawing/page.html", RUN_PAGE, panels=panels, title="", data=[])
    _, code = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
    panel = f"(() => {{\n{SOURCES['kinds/embedding/panel.js']}}})();\n"
    assert code == SOURCES[SHARED] + panel + SOURCES[RUN_PAGE]


def test_no_page_may_send_a_form_or_change_its_base():
    policy = re.search(r'Content-Security-Policy" content="([^"]*)', render("drawing/page.html", title=""))[1]
    assert {"default-src 'none'", "form-action 'none'", "base-uri 'none'"} <= set(policy.split("; "))


def test_every_kind_with_a_panel_registers_it_under_its_name():
    assert set(panel_scripts()) == {"embedding", "confusion_matrix"}
    for kind in panel_scripts():
        assert re.findall(r'registerPanel\("(\w+)"', SOURCES[f"kinds/{kind}/panel.js"]) == [kind]


def test_the_page_of_a_run_names_no_kind():
    kinds = {path.parent.name for path in PACKAGE.glob("kinds/*/result.py")}
    assert len(kinds) == 11
    sources = (PACKAGE.parent / "web" / "src" / "workbench").glob("*.ts")
    code = "".join(re.sub(r"/\*.*?\*/|//.*", "", path.read_text(), flags=re.DOTALL) for path in sources)
    names = kinds - {"table"} | {"scatter", "umap", "gradcam"}  # the page has tables of its own
    assert set(re.findall(r"\w+", code)) & names == set()


def test_a_page_without_a_script_allows_none():
    html = render("drawing/page.html", title="")
    assert "<script" not in html
    assert "script-src 'none'" in html
