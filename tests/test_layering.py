"""Data flows one way: who may import whom, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mlflow_interp"
SURFACES = {
    "api",
    "cli",
    "__main__",
    "mlproject",
    "inspection",
    "autologging",
    "evaluator",
    "training",
    "resuming",
}


def ours(*rooms):
    return {f"mlflow_interp.{room}" for room in rooms}


#: By room, what it may import neither at the top of a file nor inside a function.
FORBIDDEN = {
    "methods": {"mlflow", "matplotlib", "click", *ours("figures", "artifacts", "loading")},
    "figures": {"tensorflow", "keras", "mlflow", "click", *ours("artifacts", "loading")},
    "loading": {"matplotlib", "click", *ours("methods", "figures", "artifacts")},
    "artifacts": {"tensorflow", "keras", "matplotlib", "click", *ours("methods", "figures")},
    "layers": {"mlflow", "matplotlib", "click", *ours("loading", "methods", "figures")},
    "featuremaps": {"mlflow", "matplotlib", "click", *ours("loading", "methods", "figures")},
    "compiling": {"mlflow", "matplotlib", "click", *ours("loading", "methods", "figures", "layers")},
    "scores": {"mlflow", "matplotlib", "click", *ours("loading", "methods", "figures")},
    "activations": {"mlflow", "matplotlib", "click", *ours("loading", "methods", "figures")},
    "embedding": {"tensorflow", "keras", "mlflow", "matplotlib", "click", *ours("loading", "methods")},
    "columns": {"tensorflow", "keras", "mlflow", "matplotlib", "click", *ours("loading", "methods")},
    "confusion": {
        *{"tensorflow", "keras", "mlflow", "matplotlib", "click"},
        *ours("loading", "methods", "figures"),
    },
    "arrays": {"tensorflow", "keras", "mlflow", "matplotlib", "click"},
    "runs": {"tensorflow", "keras", "matplotlib", "click", *ours("methods", "figures", "artifacts")},
    "manifest": {"tensorflow", "keras", "mlflow", "matplotlib", "click"},
    "core": {"tensorflow", "keras", "mlflow", "matplotlib", "click", *ours("results", "registry")},
    "results": {"tensorflow", "keras", "mlflow", "matplotlib", "click", *ours("methods", "registry")},
    "commands": {"tensorflow", "keras", "mlflow", "matplotlib", *ours("pipeline", "methods", "figures")},
}
HEAVY = {"tensorflow", "keras", "mlflow", "matplotlib", "umap"}
#: Classes and decorators of Keras and MLflow stand at the top of these, which are imported when used.
PLUGGED_IN = {"autologging.py", "evaluator.py", "callback.py"}
FILES = sorted(PACKAGE.rglob("*.py"))


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree, *, at_top=False):
    """Names of imported modules; those only for type checkers are left out."""
    nodes = tree.body if at_top else _without_type_checking(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _without_type_checking(tree):
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from _without_type_checking(node)


def within(name, package):
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_follow_the_flow(path):
    relative = path.relative_to(PACKAGE)
    room, tree = relative.parts[0].removesuffix(".py"), parsed(path)
    found = set(imports(tree))
    for forbidden in FORBIDDEN.get(room, set()):
        assert not [name for name in found if within(name, forbidden)], f"{relative} imports {forbidden}"
    if room not in SURFACES | {"__init__"}:
        for surface in SURFACES:
            assert not [name for name in found if within(name, f"mlflow_interp.{surface}")]
    if room not in SURFACES | {"__init__", "pipeline"}:
        assert not [name for name in found if within(name, "mlflow_interp.pipeline")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_heavy_libraries_are_imported_where_they_are_used(path):
    if path.name in PLUGGED_IN:
        return
    roots = {name.split(".")[0] for name in imports(parsed(path), at_top=True)}
    assert not roots & HEAVY


def test_only_artifacts_and_runs_write_to_mlflow():
    writing = (
        "log_metric",
        "log_param",
        "log_artifact",
        "log_image",
        "log_text",
        "log_batch",
        "set_tag",
        "log_inputs",
    )
    for path in FILES:
        if path.parent.name != "artifacts" and path.name != "runs.py":
            used = {node.attr for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute)}
            assert not [name for name in used if name.startswith(writing)], path


def test_pyplot_is_never_used():
    assert not [path for path in FILES if any("pyplot" in name for name in imports(parsed(path)))]
