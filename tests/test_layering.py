"""Data flows one way: which packages each package may import, checked in the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mlflow_interp"
LIBRARIES = {"tensorflow", "keras", "mlflow", "matplotlib", "umap", "click"}

#: The packages and heavy libraries that each package may import, at the top of a file or in a function. Upper
#: ones import lower ones. Only method_registry and the top-level module import methods and kinds by name,
#: found through a registry.
RULES = """
__main__         cli
cli              api backend call_options comparing core data engine models options progress method_registry
                 report spark tracking | click
autologging      call_options options training | keras mlflow
comparing        call_options comparison core data engine kinds models options progress method_registry
                 report tracking
evaluator        api call_options comparing data models report | mlflow
api              call_options core data engine models options progress method_registry report tracking
spark            api backend call_options comparing comparison core data engine kinds models options
                 method_registry progress report tracking
training         backend call_options core data drawing engine kinds models options progress
                 method_registry report tracking | keras
call_options     engine options method_registry
options          core data engine models method_registry tracking
tracking         core models progress report | mlflow
report           core drawing models method_registry result_kind
methods          backend core data engine kinds optvis progress quality
engine           backend comparison core kinds models progress method_registry quality
optvis           backend core | tensorflow keras
kinds            comparison core data drawing quality result_kind | matplotlib umap
drawing          core | matplotlib
data             backend core models | keras
models           backend core progress | keras mlflow
backend          core | tensorflow keras
comparison       core quality
quality          core
method_registry  result_kind
result_kind
core
progress
exceptions
"""
MAY_IMPORT = {
    package: set(allowed) - {"|"}
    for package, *allowed in map(str.split, re.sub(r"\n +", " ", RULES).strip().splitlines())
}
#: The top-level module names what it imports on demand.
FACE = "__init__"
#: The only files of a package that may import a library.
ONLY = {("models", "mlflow"): {"artifact_store.py", "model_registry.py", "refusals.py"}}
#: Their classes and decorators are used at the top of a file, which is imported on demand.
PLUGS_INTO = {"autologging.py": "mlflow", "evaluator.py": "mlflow", "training/callback.py": "keras"}
#: Prefixes of the names of MLflow methods that write.
WRITES = (
    "log_",
    "set_tag",
    "set_terminated",
    "set_logged_model",
    "set_model_version",
    "create_run",
    "create_exp",
)
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [path.relative_to(PACKAGE).as_posix() for path in FILES]


def parsed(name):
    return ast.parse((PACKAGE / name).read_text(encoding="utf-8"))


def package_of(name):
    return name.partition("/")[0].removesuffix(".py")


def imports(tree, *, at_top=False):
    """Names of imported modules, except those imported for type checkers only."""
    for node in tree.body if at_top else _without_type_checking(tree):
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


def imported_packages(name):
    """The packages of the project that a file imports, except its own, and the heavy libraries."""
    found = set()
    for module in imports(parsed(name)):
        first, _, rest = module.partition(".")
        if first == "mlflow_interp" and rest:
            found.add(rest.partition(".")[0])
        elif first in LIBRARIES:
            found.add(first)
    return found - {package_of(name), "exceptions", "__version__"}


def test_every_package_has_a_rule():
    assert {package_of(name) for name in NAMES} == {*MAY_IMPORT, FACE}


def test_imports_between_packages_have_no_cycles():
    remaining = {package: allowed & set(MAY_IMPORT) for package, allowed in MAY_IMPORT.items()}
    while independent := [package for package, allowed in remaining.items() if not allowed & set(remaining)]:
        for package in independent:
            del remaining[package]
    assert not remaining


@pytest.mark.parametrize("name", [name for name in NAMES if package_of(name) != FACE])
def test_packages_import_what_their_rule_allows(name):
    assert imported_packages(name) <= MAY_IMPORT[package_of(name)]


@pytest.mark.parametrize("name", NAMES)
def test_heavy_libraries_are_imported_inside_functions(name):
    at_top = {module.partition(".")[0] for module in imports(parsed(name), at_top=True)}
    assert at_top & (LIBRARIES - {"click"}) <= {PLUGS_INTO.get(name)}


@pytest.mark.parametrize(("package", "library"), ONLY)
def test_libraries_are_imported_by_the_listed_files_only(package, library):
    users = {name for name in NAMES if package_of(name) == package and library in imported_packages(name)}
    assert users == {f"{package}/{file}" for file in ONLY[package, library]}


@pytest.mark.parametrize("name", [name for name in NAMES if package_of(name) != "tracking"])
def test_only_tracking_writes_to_mlflow(name):
    calls = [node for node in ast.walk(parsed(name)) if isinstance(node, ast.Call)]
    methods = [call.func.attr for call in calls if isinstance(call.func, ast.Attribute)]
    assert not [method for method in methods if method.startswith(WRITES)]


def test_pyplot_is_never_used():
    assert not [name for name in NAMES if any("pyplot" in module for module in imports(parsed(name)))]
