"""Modules and the names in them are found without importing them."""

from __future__ import annotations

import sys

import pytest

from mlflow_interp.core.modules import import_problem

PIXELS = """
import json as written
from os.path import join
raise RuntimeError("imported")
def normalize(pixels):
    inner = pixels
    return inner
class Scale: ...
if True:
    halves = lambda pixels: pixels / 2
for each, (first, *others) in []:
    with open("nothing") as file:
        walrus = (inside := 3)
"""


@pytest.fixture
def pixels(tmp_path, monkeypatch):
    """A package and a module in it, neither of which may be imported."""
    folder = tmp_path / "unimported"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "pixels.py").write_text(PIXELS)
    (folder / "dynamic.py").write_text("from math import *\n")
    (folder / "lazy.py").write_text("def __getattr__(name): return len\n")
    (folder / "broken.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    assert not [name for name in sys.modules if name.startswith("unimported")]


@pytest.mark.parametrize(
    "name",
    ["normalize", "Scale", "halves", "written", "join", "each", "first", "others", "file", "walrus", "inside",
     None],
)  # fmt: skip
def test_names_bound_in_a_module_are_found(pixels, name):
    assert import_problem("unimported.pixels", name) is None


@pytest.mark.parametrize(
    ("name", "tail"),
    [("normalise", "; nearest: normalize"), ("inner", ""), ("pixels", ""), ("os", ""), ("", "")],
)
def test_other_names_are_not_found(pixels, name, tail):
    assert import_problem("unimported.pixels", name) == f"module 'unimported.pixels' has no {name!r}{tail}"


@pytest.mark.parametrize("module", ["unimported", "unimported.dynamic", "unimported.lazy"])
def test_result_is_unknown_if_the_source_does_not_show_its_names(pixels, module):
    assert import_problem(module, "anything") is None


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        ("nowhere_at_all", "ModuleNotFoundError: no module named 'nowhere_at_all'"),
        ("unimported.nothing", "ModuleNotFoundError: no module named 'unimported.nothing'"),
        ("unimported.nothing.below", "ModuleNotFoundError: no module named 'unimported.nothing'"),
        ("unimported.pixels.below", "ModuleNotFoundError: no module named 'unimported.pixels.below'"),
        ("", "ModuleNotFoundError: no module named ''"),
        ("..", "ModuleNotFoundError: no module named '..'"),
        ("../x", "ModuleNotFoundError: no module named '../x'"),
        ("unimported..pixels", "ModuleNotFoundError: no module named 'unimported..pixels'"),
        ("a b", "ModuleNotFoundError: no module named 'a b'"),
    ],
)
def test_missing_module_is_reported(pixels, module, problem):
    assert import_problem(module) == problem


def test_module_with_a_syntax_error_is_reported(pixels):
    assert import_problem("unimported.broken", "f").startswith("SyntaxError: ")


def test_imported_module_is_inspected_directly():
    assert import_problem("os", "path") is None
    assert import_problem("os", "pathh") == "module 'os' has no 'pathh'; nearest: path, fspath, pathsep"


def test_module_without_source_is_not_read(monkeypatch):
    monkeypatch.delitem(sys.modules, "itertools", raising=False)
    assert import_problem("itertools", "nothing") is None
