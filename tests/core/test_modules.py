"""Modules and names in them are found without an import."""

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
    """A package that must not be imported, with a module that must not be either."""
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
def test_what_a_module_binds_is_there(pixels, name):
    assert import_problem("unimported.pixels", name) is None


@pytest.mark.parametrize(
    ("name", "tail"),
    [("normalise", "; nearest: normalize"), ("inner", ""), ("pixels", ""), ("os", ""), ("", "")],
)
def test_what_it_does_not_bind_is_not(pixels, name, tail):
    assert import_problem("unimported.pixels", name) == f"module 'unimported.pixels' has no {name!r}{tail}"


@pytest.mark.parametrize("module", ["unimported", "unimported.dynamic", "unimported.lazy"])
def test_where_a_source_does_not_show_its_names_nothing_is_said(pixels, module):
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
def test_a_module_that_is_not_there(pixels, module, problem):
    assert import_problem(module) == problem


def test_a_module_that_python_cannot_read(pixels):
    assert import_problem("unimported.broken", "f").startswith("SyntaxError: ")


def test_a_module_that_is_imported_already_is_asked_itself():
    assert import_problem("os", "path") is None
    assert import_problem("os", "pathh") == "module 'os' has no 'pathh'; nearest: path, fspath, pathsep"


def test_a_module_without_source_is_not_read(monkeypatch):
    monkeypatch.delitem(sys.modules, "itertools", raising=False)
    assert import_problem("itertools", "nothing") is None
