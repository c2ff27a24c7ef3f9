"""Find modules and the names in them without importing anything."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec, PathFinder

from mlflow_interp.exceptions import near

#: A module that uses one of these may have names that its source does not show.
_DYNAMIC = frozenset(("*", "__getattr__", "exec", "globals", "setattr"))


def import_problem(module: str, attribute: str | None = None) -> str | None:
    """Why a module, or a name in it, can't be imported; None if no problem is found.

    Nothing is imported, not even the packages that contain the module: their code may import TensorFlow, or
    do anything else. A module that fails on import is therefore not detected here.
    """
    if module in sys.modules:
        loaded = sys.modules[module]
        if attribute is None or hasattr(loaded, attribute):
            return None
        return f"module {module!r} has no {attribute!r}{near(attribute, _public(dir(loaded)), most=3)}"
    try:
        spec = _find(module)
        names = None if attribute is None or spec.submodule_search_locations else _names_in(spec)
    except (ImportError, SyntaxError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    if names is None or attribute in names:
        return None
    return f"module {module!r} has no {attribute!r}{near(attribute, _public(names), most=3)}"


def _find(module: str) -> ModuleSpec:
    """Where a module is; `importlib.util.find_spec` would import the packages that contain it."""
    name, *rest = module.split(".")
    if not name or not all(rest):
        raise ModuleNotFoundError(f"no module named {module!r}")
    spec = importlib.util.find_spec(name)
    for part in rest:
        if spec is not None:
            name = f"{name}.{part}"
            spec = PathFinder.find_spec(name, spec.submodule_search_locations or [])
    if spec is None:
        raise ModuleNotFoundError(f"no module named {name!r}")
    return spec


def _names_in(spec: ModuleSpec) -> set[str] | None:
    """The names that the source of a module binds; None if they can't be determined."""
    source = spec.loader.get_source(spec.name) if isinstance(spec.loader, InspectLoader) else None
    if source is None:
        return None
    tree = ast.parse(source)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names = set(_bound(tree))
    is_dynamic = (used | names) & _DYNAMIC or any(isinstance(node, ast.Global) for node in ast.walk(tree))
    return None if is_dynamic else names


def _bound(parent: ast.AST) -> Iterator[str]:
    """The names that a node binds, but not those inside functions and classes."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        else:
            yield from _bound(node)


def _public(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("_"))
