"""The docs say what the code does: every option stands there, every code block runs, every link leads on."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from docs.tables import filled
from examples import demo
from examples.pretrained import save_photographs
from mlflow_interp.cli import main
from mlflow_interp.core import method_names
from mlflow_interp.options import options_of

PROJECT = Path(__file__).parent.parent
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
NAMES = [page.relative_to(PROJECT).as_posix() for page in PAGES]


def blocks(page, language):
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.fixture(scope="module")
def demo_store(tmp_path_factory):
    """The demo's registered classifier and photographs, and a folder that has them as ./photos."""
    import mlflow

    before, folder = mlflow.get_tracking_uri(), tmp_path_factory.mktemp("demo")
    kept, demo.FOLDER = demo.FOLDER, folder
    uri = demo.use_local_store()
    demo.register_classifier()
    save_photographs(folder / "photos")
    yield folder, uri
    demo.FOLDER = kept
    # What `set_experiment` pinned would be another experiment in another test's store.
    mlflow.tracking.fluent._active_experiment_id = None
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
    mlflow.set_tracking_uri(before)


@pytest.fixture
def in_demo(demo_store, monkeypatch):
    import mlflow

    folder, uri = demo_store
    monkeypatch.chdir(folder)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    yield
    mlflow.set_tracking_uri(before)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_tables_are_made_from_the_signatures(page):
    text = page.read_text(encoding="utf-8")
    assert filled(text) == text, "run `python -m docs.tables`"


@pytest.mark.parametrize("method", method_names())
def test_every_method_has_a_page_with_every_option_and_stands_in_the_readme(method):
    text = (PROJECT / "docs" / "methods" / f"{method}.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in options_of(method))
    assert f"docs/methods/{method}.md" in (PROJECT / "README.md").read_text(encoding="utf-8")


def test_every_command_is_documented():
    text = (PROJECT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in main.list_commands(None))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.filterwarnings("default::mlflow_interp.pipeline.InterpretationWarning")
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=str)
def test_python_blocks_run(page, in_demo):
    """The blocks of a page run one after another, as a reader would run them."""
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "bash")], ids=str)
def test_shell_blocks_run(page, in_demo):
    for line in filter(None, "\n".join(blocks(page, "bash")).splitlines()):
        program, *args = shlex.split(line, comments=True)
        if program == "mlflow":
            check_mlflow_run(args)
        else:
            assert program == "mlflow-interp"
            done = CliRunner().invoke(main, args)
            assert done.exit_code == 0, done.output


def check_mlflow_run(args):
    """`mlflow run` itself is tested elsewhere; here, that entry point and parameters exist."""
    entry = args[args.index("-e") + 1] if "-e" in args else "main"
    project = yaml.safe_load((PROJECT / "MLproject").read_text(encoding="utf-8"))
    known = project["entry_points"][entry]["parameters"]
    given = {arg.partition("=")[0] for flag, arg in itertools.pairwise(args) if flag == "-P"}
    assert given
    assert given <= set(known)
