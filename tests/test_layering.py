"""Data flows one way: what each room may import, read from the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mlflow_interp"
LIBRARIES = {"tensorflow", "keras", "mlflow", "matplotlib", "umap", "click"}

#: Each room with the rooms and the heavy libraries that it may import, at the top of a file or in a function.
#: What stands above imports what stands below. Only method_registry, and the package's face, import by name:
#: methods and kinds, which a registry finds and does not know.
RULES = """
__main__         cli
cli              api backend call_options core data engine models options progress method_registry report
                 tracking | click
autologging      call_options options training | keras mlflow
evaluator        api call_options data models report | mlflow
api              call_options core data engine models options progress method_registry report tracking
training         backend call_options core data drawing engine kinds models options progress
                 method_registry report tracking | keras
call_options     engine options method_registry
options          core data engine models method_registry tracking
tracking         core models progress report | mlflow
report           core drawing models method_registry result_kind
methods          backend core data engine kinds optvis progress
engine           backend core kinds models progress method_registry
optvis           backend core | tensorflow keras
kinds            core data drawing | matplotlib umap
drawing          core | matplotlib
data             backend core models | keras
models           backend core progress | keras mlflow
backend          core | tensorflow keras
method_registry  result_kind
result_kind
core
progress
exceptions
"""
MAY_IMPORT = {
    room: set(allowed) - {"|"}
    for room, *allowed in map(str.split, re.sub(r"\n +", " ", RULES).strip().splitlines())
}
#: The package's own face names what it imports when it is asked for it.
FACE = "__init__"
#: In a room that may import a library, the only files that do.
ONLY = {("models", "mlflow"): {"artifact_store.py", "model_registry.py", "refusals.py"}}
#: Their classes and decorators are used, so these stand at the top of a file that is imported when needed.
PLUGS_INTO = {"autologging.py": "mlflow", "evaluator.py": "mlflow", "training/callback.py": "keras"}
#: How the names of the methods of MLflow begin that write.
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


def room_of(name):
    return name.partition("/")[0].removesuffix(".py")


def imports(tree, *, at_top=False):
    """Names of imported modules; those only for type checkers are left out."""
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


def imported_rooms(name):
    """The rooms of the package that a file imports, but its own, and the heavy libraries."""
    found = set()
    for module in imports(parsed(name)):
        first, _, rest = module.partition(".")
        if first == "mlflow_interp" and rest:
            found.add(rest.partition(".")[0])
        elif first in LIBRARIES:
            found.add(first)
    return found - {room_of(name), "exceptions", "__version__"}


def test_every_room_has_a_rule():
    assert {room_of(name) for name in NAMES} == {*MAY_IMPORT, FACE}


def test_no_room_imports_one_that_imports_it():
    open_rooms = {room: allowed & set(MAY_IMPORT) for room, allowed in MAY_IMPORT.items()}
    while ground := [room for room, allowed in open_rooms.items() if not allowed & set(open_rooms)]:
        for room in ground:
            del open_rooms[room]
    assert not open_rooms


@pytest.mark.parametrize("name", [name for name in NAMES if room_of(name) != FACE])
def test_a_room_imports_what_its_rule_allows(name):
    assert imported_rooms(name) <= MAY_IMPORT[room_of(name)]


@pytest.mark.parametrize("name", NAMES)
def test_heavy_libraries_are_imported_inside_functions(name):
    at_top = {module.partition(".")[0] for module in imports(parsed(name), at_top=True)}
    assert at_top & (LIBRARIES - {"click"}) <= {PLUGS_INTO.get(name)}


@pytest.mark.parametrize(("room", "library"), ONLY)
def test_few_files_of_a_room_import_a_library(room, library):
    users = {name for name in NAMES if room_of(name) == room and library in imported_rooms(name)}
    assert users == {f"{room}/{file}" for file in ONLY[room, library]}


@pytest.mark.parametrize("name", [name for name in NAMES if room_of(name) != "tracking"])
def test_only_tracking_writes_to_mlflow(name):
    calls = [node for node in ast.walk(parsed(name)) if isinstance(node, ast.Call)]
    methods = [call.func.attr for call in calls if isinstance(call.func, ast.Attribute)]
    assert not [method for method in methods if method.startswith(WRITES)]


def test_pyplot_is_never_used():
    assert not [name for name in NAMES if any("pyplot" in module for module in imports(parsed(name)))]
