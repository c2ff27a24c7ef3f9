"""The docs match the code: options are listed, code blocks run, links work."""

from __future__ import annotations

import itertools
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from click.testing import CliRunner

import mlflow_interp
from docs.generate import generated
from docs.hooks import KATEX, on_config
from docs.method_pages import method_pages
from examples import demo
from examples.pretrained import save_photographs
from mlflow_interp.cli import main
from mlflow_interp.method_registry import find_method, own_method_names
from mlflow_interp.options import options_of, summary
from tests.other_packages import install

PROJECT = Path(__file__).parent.parent
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]


#: The sections of a method's page, in order.
SECTIONS = [
    "When to use it",
    "How to read it",
    "When it misleads",
    "Options",
    "Formula",
    "Cost",
    "Reference",
]
#: How titles of blocks begin that can't be run offline; the rest is the reason. Other titles are file names.
NOT_RUN = "Needs "
_FENCED = re.compile(
    r'^(?P<fence>```+)(?P<language>python|bash|markdown|toml)(?: title="(?P<title>[^"]*)")?\n'
    r"(?P<code>.*?)^(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)


def blocks(page):
    """Language, title and code of every block that is run, or written to the file of its title."""
    return [
        (found["language"], found["title"] or "", found["code"])
        for found in _FENCED.finditer(page.read_text(encoding="utf-8"))
    ]


def name_of(page):
    return page.relative_to(PROJECT).as_posix()


@pytest.fixture(scope="module")
def demo_store(tmp_path_factory):
    """The demo's registered classifier and photographs, and a folder that contains them as ./photos."""
    import mlflow

    before, folder = mlflow.get_tracking_uri(), tmp_path_factory.mktemp("demo")
    kept, demo.FOLDER = demo.FOLDER, folder
    uri = demo.use_local_store()
    demo.register_classifier()
    save_photographs(folder / "photos")
    yield folder, uri
    mlflow_interp.autolog(disable=True)
    demo.FOLDER = kept
    # Otherwise the experiment of `set_experiment` would remain set in tests with another store.
    mlflow.tracking.fluent._active_experiment_id = None
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
    mlflow.set_tracking_uri(before)


@pytest.fixture
def in_demo(demo_store, monkeypatch):
    import mlflow

    folder, uri = demo_store
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the command line modifies it
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    yield
    mlflow.set_tracking_uri(before)


def test_generated_files_are_up_to_date():
    stale = [name_of(file) for file, content in generated() if file.read_text(encoding="utf-8") != content]
    assert not stale, "run `make generated`"


def test_navigation_has_the_page_of_every_method():
    config = mkdocs_config()
    (methods,) = [entry["Methods"] for entry in on_config(config).nav if "Methods" in entry]
    assert [path for entry in methods for path in entry.values()] == [
        f"methods/{name}.md" for name in own_method_names()
    ]
    assert {"Grad-CAM": "methods/gradcam.md"} in methods


def mkdocs_config():
    class Loader(yaml.SafeLoader):
        """A loader that ignores Python objects in mkdocs.yml."""

    Loader.add_multi_constructor("", lambda *_: None)
    return SimpleNamespace(**yaml.load((PROJECT / "mkdocs.yml").read_text(encoding="utf-8"), Loader))


@pytest.mark.parametrize("page", method_pages(), ids=lambda page: page.method)
def test_every_method_has_a_complete_page_and_is_in_the_readme(page):
    text = page.path.read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in options_of(page.method))
    assert [each for each in re.findall(r"^## (.+)$", text, re.M) if each in SECTIONS] == SECTIONS
    reading = text.partition("## How to read it")[2].partition("## When it misleads")[0]
    assert re.search(rf"images/{page.method}-annotated\.webp\)\n\n1\. ", reading)
    said = summary(find_method(page.method)).rstrip(".")
    assert page.shows == said[0].lower() + said[1:]
    row = f"| [{page.title}](docs/methods/{page.method}.md) | {page.shows} |"
    assert row in (PROJECT / "README.md").read_text(encoding="utf-8")


def test_every_command_is_documented():
    text = (PROJECT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in main.list_commands(None))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_in_the_docs_exists(page):
    named = re.findall(
        r"^mlflow-interp ([a-z][\w-]*)|`mlflow-interp ([a-z][\w-]*)", page.read_text(encoding="utf-8"), re.M
    )
    # The methods created on this page.
    made = {"xgradcam", "activity"} if page.name == "own-method.md" else set()
    assert {one or other for one, other in named} <= {*main.list_commands(None), *made}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_images_exist(page):
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target


@pytest.mark.slow
def test_site_needs_no_other_host(tmp_path):
    """Scripts, styles, fonts and images are part of the site; so is KaTeX if npm has installed it."""
    pytest.importorskip("material")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(command, cwd=PROJECT, env=environment, check=True)
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(method_pages())
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|link)\b[^>]*", text)
        assert loaded
        assert not [tag for tag in loaded if re.search(r"""(?:src|href)=["']?(?:https?:)?//""", tag)], page
    katex = tmp_path / "assets/katex/dist"
    assert katex.is_dir() == KATEX.is_dir()
    for font in re.findall(r"url\((fonts/[^)]+\.woff2)\)", _text_of(katex / "katex.min.css")):
        assert (katex / font).exists()


def _text_of(file):
    return file.read_text(encoding="utf-8") if file.exists() else ""


@pytest.mark.slow
@pytest.mark.filterwarnings("default::mlflow_interp.exceptions.InterpretationWarning")
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
def test_code_blocks_run(page, in_demo, monkeypatch):
    """Run the blocks of a page in order, as a reader would."""
    names: dict[str, object] = {"__name__": "__main__"}
    for language, title, block in blocks(page):
        if title.startswith(NOT_RUN):
            check_unrun(language, block)
        elif title:
            path = Path(title)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block, encoding="utf-8")
        elif language == "toml":
            tomllib.loads(block)
        elif language == "python":
            monkeypatch.syspath_prepend(Path.cwd())  # as Python does for a script
            exec(compile(block, str(page), "exec"), names)
        else:
            for line in lines(block):
                run_command(line)


def lines(block):
    return [shlex.split(line, comments=True) for line in block.splitlines() if line]


def run_command(line):
    program, *args = line
    if program == "mlflow":
        check_mlflow_run(args)
    elif program == "python":
        runpy.run_path(*args, run_name="__main__")
    else:
        assert program == "mlflow-interp"
        done = CliRunner().invoke(main, args)
        assert done.exit_code == 0, done.output


def check_unrun(language, block):
    """Blocks that need a network or the reader's own data are at least valid, including names of options."""
    if language == "python":
        compile(block, "block", "exec")
    for program, *args in lines(block) if language == "bash" else []:
        if program == "mlflow-interp":
            command = main.get_command(None, args[0])
            command.make_context(args[0], args[1:])


def check_mlflow_run(args):
    """`mlflow run` is tested elsewhere; here, check that the entry point and parameters exist."""
    entry = args[args.index("-e") + 1] if "-e" in args else "main"
    project = yaml.safe_load((PROJECT / "MLproject").read_text(encoding="utf-8"))
    known = {*project["entry_points"][entry]["parameters"], *reached(entry), "fail_if"}
    given = {arg.partition("=")[0] for flag, arg in itertools.pairwise(args) if flag == "-P"}
    assert given
    assert given <= known


def reached(entry):
    """The options that `mlflow run` hands to the command of an entry point."""
    methods = own_method_names() if entry == "main" else [entry]
    return {option.name for method in methods for option in options_of(method).values()}


def own_method_files():
    """The files of docs/howto/own-method.md by name."""
    return {title: code for _, title, code in blocks(PROJECT / "docs/howto/own-method.md") if title}


@pytest.mark.slow
def test_example_methods_pass_their_tests(tmp_path):
    """The files of that page, in a copy of the project, pass their own tests and those of every method."""
    for folder in ("mlflow_interp", "docs", "examples", "tests"):
        unneeded = shutil.ignore_patterns("__pycache__", "images", "browser")
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=unneeded)
    for file in ("MLproject", "README.md", "pyproject.toml"):
        shutil.copy(PROJECT / file, tmp_path)
    in_tree = {title: code for title, code in own_method_files().items() if not title.startswith("interp-")}
    for title, code in in_tree.items():
        (tmp_path / title).write_text(code, encoding="utf-8")
    tests = [title for title in in_tree if title.startswith("tests/")]
    methods = [Path(title).stem for title in in_tree if title.startswith("mlflow_interp/methods/")]
    assert methods == ["xgradcam", "deviation"]
    # The page of the second is like that of the first.
    page = (tmp_path / "docs/methods/xgradcam.md").read_text(encoding="utf-8")
    (tmp_path / "docs/methods/deviation.md").write_text(
        page.replace("xgradcam", "deviation").replace("XGrad-CAM", "Deviation"), encoding="utf-8"
    )
    script = (
        "import sys, pytest; failed = pytest.main(sys.argv[1:]); "
        "from docs.generate import main; main(); sys.exit(failed)"
    )
    suite = ["tests/test_contract.py", "tests/test_exports.py", "tests/test_layering.py", *tests]
    done = subprocess.run(
        [sys.executable, "-c", script, *suite, "-k", " or ".join(methods), "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = {
        "docs/methods/xgradcam.md": "| `target` |",
        "docs/reference/command-line.md": "## xgradcam",
        "docs/reference/python.md": "## mlflow_interp.visualize_xgradcam",
        "docs/command-line.md": "- `xgradcam`: [XGrad-CAM](methods/xgradcam.md)",
        "docs/index.md": "| [XGrad-CAM](methods/xgradcam.md) |",
        "README.md": "| [XGrad-CAM](docs/methods/xgradcam.md) |",
        "MLproject": "  xgradcam:\n",
        "mlflow_interp/__init__.pyi": "def visualize_xgradcam(",
    }
    for file, text in made.items():
        assert text in (tmp_path / file).read_text(encoding="utf-8"), file


@pytest.mark.slow
def test_example_package_works(tmp_path, in_demo):
    """The package of that page, once installed, adds a method to the command line and to Python."""
    for title, code in own_method_files().items():
        if title.startswith("interp-"):
            path = tmp_path / title
            path.parent.mkdir(exist_ok=True)
            path.write_text(code, encoding="utf-8")
    source = tmp_path / "interp-activity"
    installed = install(source, tmp_path / "made")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(installed), str(PROJECT)]),
        "MLFLOW_TRACKING_URI": mlflow_uri(),
    }
    for command in (["-m", "mlflow_interp", "methods"], [str(source / "use.py")]):
        done = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        if "methods" in command:
            assert "activity" in done.stdout


def mlflow_uri():
    import mlflow

    return mlflow.get_tracking_uri()
