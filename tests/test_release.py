"""What a release contains: metadata and README of the package, workflows, notebooks, llms.txt."""

from __future__ import annotations

import itertools
import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
import setuptools
import yaml
from trove_classifiers import classifiers

import mlflow_interp
from docs import llms, release
from docs.hooks import on_config
from tests.test_docs import mkdocs_config

PROJECT = Path(__file__).parent.parent
NOTEBOOKS = sorted((PROJECT / "examples").glob("*.ipynb"))
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
README = (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def metadata(monkeypatch):
    """The arguments that setup.py passes to setuptools."""
    given = {}
    monkeypatch.setattr(setuptools, "setup", lambda **metadata: given.update(metadata))
    runpy.run_path(str(PROJECT / "setup.py"))
    return given


def read_yaml(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def readme_versions():
    """(Python, TensorFlow, MLflow) in each row of README's table."""
    rows = re.findall(r"^\| ([\d.]+) \| ([\d.]+)[^|]* \| [\d.]+ \| ([\d.]+) \| ", README, re.MULTILINE)
    assert rows
    return rows


# The package


def test_version_is_stated_once(metadata):
    assert metadata["version"] == mlflow_interp.__version__
    assert read_yaml(PROJECT / "CITATION.cff")["version"] == mlflow_interp.__version__
    assert mlflow_interp.__version__ in (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_classifiers_exist_and_list_the_tested_python_versions(metadata):
    assert set(metadata["classifiers"]) <= classifiers
    named = [name for name in metadata["classifiers"] if re.search(r"Python :: 3\.", name)]
    pythons = sorted({python for python, *_ in readme_versions()})
    assert named == [f"Programming Language :: Python :: {python}" for python in pythons]
    assert f"![Python {' | '.join(pythons)}](" in README
    assert f"badge/python-{'_%7C_'.join(pythons)}-blue" in README


def test_package_readme_has_absolute_links_to_existing_files(metadata):
    text = metadata["long_description"]
    here = re.compile(re.escape(release.repository()) + r"/(?:raw|blob)/v[\d.]+/([^#)]+)")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert all(re.match("https?://|#", target) for target in targets)
    paths = [match[1] for match in map(here.match, targets) if match]
    assert len(paths) > 20
    assert all((PROJECT / path).exists() for path in paths)
    images = re.findall(r"!\[[^\]]*\]\((?!https)([^)]+)\)", README)
    assert images
    for path in images:  # raw, because blob is a page about the image
        assert f"]({release.repository()}/raw/v{mlflow_interp.__version__}/{path})" in text


def test_package_readme_differs_in_links_only(metadata):
    def without_links(text):
        return re.sub(r"\]\([^)]+\)", "]()", text)

    assert without_links(metadata["long_description"]) == without_links(README)


def test_every_file_has_the_repository_url_of_pyproject():
    if not (PROJECT / ".git").exists():
        pytest.skip("not a clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    paths = [PROJECT / name for name in listed.stdout.split("\0") if Path(name).suffix in TEXT]
    # Not this file, which contains other addresses intentionally.
    texts = {
        path: path.read_text(encoding="utf-8") for path in paths if path.exists() and path != Path(__file__)
    }
    assert [path for path, text in texts.items() if release.filled(text) != text] == []


TEXT = {".md", ".py", ".toml", ".yml", ".yaml", ".cff", ".ipynb", ".html", ".json"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("see https://github.com/someone/mlflow-interp/issues", "see {}/issues"),
        (
            "git+https://github.com/some-one/mlflow-interp#subdirectory=examples",
            "git+{}#subdirectory=examples",
        ),
        ("https://github.com/mlflow/mlflow/issues/1", "https://github.com/mlflow/mlflow/issues/1"),
        ("https://github.com/someone/mlflow-interpreter", "https://github.com/someone/mlflow-interpreter"),
        (
            "cff-version: 1.2.0\ntitle: x\nversion: 0.0.1\n",
            f"cff-version: 1.2.0\ntitle: x\nversion: {mlflow_interp.__version__}\n",
        ),
    ],
)
def test_address_and_version_are_filled_in(before, after):
    assert release.filled(before) == after.format(release.repository())


@pytest.fixture
def releasable(tmp_path, monkeypatch):
    """A project that can be released from https://github.com/a/mlflow-interp."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.mlflow_interp]\nrepository = "https://github.com/a/mlflow-interp"\n'
    )
    (tmp_path / "CHANGELOG.md").write_text(f"## [{mlflow_interp.__version__}] - 2027-01-01\n")
    (tmp_path / "README.md").write_text("pip install mlflow-interp\n")
    monkeypatch.setattr(release, "PROJECT", tmp_path)
    return tmp_path, f"v{mlflow_interp.__version__}", "https://github.com/a/mlflow-interp"


def test_consistent_release_has_no_problems(releasable):
    _, tag, origin = releasable
    assert release.problems(tag, origin) == []


def test_inconsistent_release_is_rejected(releasable):
    folder, tag, origin = releasable
    assert "the tag is v9.9" in release.problems("v9.9", origin)[0]
    assert "the repository is" in release.problems(tag, origin.replace("/a/", "/b/"))[0]
    (folder / "README.md").write_text("There is no release on\nPyPI yet.\n")
    (folder / "docs").mkdir()
    shutil.copy(folder / "README.md", folder / "docs" / "index.md")
    assert [problem.partition(" ")[0] for problem in release.problems(tag, origin)] == [
        "README.md",
        "docs/index.md",
    ]
    (folder / "CHANGELOG.md").write_text("## [Unreleased]\n")
    assert "CHANGELOG.md" in release.problems(tag, origin)[0]


# Workflows; `make lint` checks them against GitHub's schemas.


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_only_call_the_makefile(path):
    workflow = read_yaml(path)
    assert workflow["permissions"] == {"contents": "read"}
    targets = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for job in workflow["jobs"].values():
        assert "timeout-minutes" in job
        for step in job["steps"]:
            assert step.keys() & {"run", "uses"}
            if "run" in step:
                program, target, *_ = step["run"].split()
                assert program == "make"
                assert target in targets
            else:
                assert re.search(r"@(v\d+|release/v\d+)$", step["uses"])


def test_only_tested_combinations_must_pass(metadata):
    """The matrix of tests.yml without its experimental combinations equals README's table."""
    matrix = dict(
        read_yaml(PROJECT / ".github/workflows/tests.yml")["jobs"]["versions"]["strategy"]["matrix"]
    )
    rules = matrix.pop("include")
    assert all(rule.pop("experimental") for rule in rules)
    combinations = [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]
    assert len(combinations) == 12
    required = [each for each in combinations if not any(rule.items() <= each.items() for rule in rules)]
    assert sorted(tuple(each.values()) for each in required) == sorted(readme_versions())
    floors = dict(need.split(">=") for need in metadata["install_requires"])
    assert matrix["tensorflow"][0] == f"{floors['tensorflow']}.0"
    assert matrix["mlflow"][0] == floors["mlflow"]


# Notebooks


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_clean_and_open_in_colab(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None and not cell.metadata for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    place = release.repository().removeprefix("https://github.com/")
    link = f"(https://colab.research.google.com/github/{place}/blob/main/examples/{path.name})"
    assert link in notebook.cells[0].source
    assert f"@ git+{release.repository()}" in code[0].source
    assert not [cell.source for cell in code[1:] if re.search("^ *[%!]", cell.source, re.MULTILINE)]


def test_notebooks_are_named_in_the_readme():
    assert len(NOTEBOOKS) == 3
    assert all(f"](examples/{path.name})" in README for path in NOTEBOOKS)


def test_imports_of_notebooks_can_be_installed_without_a_clone():
    """Modules next to them are in the small package that Colab installs."""
    beside = {path.stem for path in (PROJECT / "examples").glob("*.py")}
    imported = {
        name
        for path in NOTEBOOKS
        for name in re.findall(r"(?:from|import) (\w+)", path.read_text(encoding="utf-8"))
    }
    settings = (PROJECT / "examples" / "pyproject.toml").read_text(encoding="utf-8")
    assert f"py-modules = {sorted(imported & beside)}".replace("'", '"') in settings


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_without_a_network_and_show_figures(path, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PROJECT), str(path.parent)]))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing responds there
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert (tmp_path / "mlflow.db").exists()


# llms.txt


def test_llms_txt_lists_every_page_of_the_navigation(tmp_path):
    config = on_config(mkdocs_config())
    config.site_dir, config.docs_dir = str(tmp_path), str(PROJECT / "docs")
    pages = sorted(path.relative_to(config.docs_dir) for path in Path(config.docs_dir).rglob("*.md"))
    for page in pages:
        (tmp_path / page).parent.mkdir(exist_ok=True)  # as the build does
    llms.write(config)
    text = (tmp_path / "llms.txt").read_text(encoding="utf-8")
    assert text.startswith("# mlflow_interp\n\n> Interpret Keras models and keep")
    listed = re.findall(r"^- \[[^\]]+\]\(([^)]+)\)", text, re.MULTILINE)
    assert sorted(map(Path, listed)) == pages
    assert all((tmp_path / path).read_bytes() == (PROJECT / "docs" / path).read_bytes() for path in listed)
    assert "\n## Methods\n\n- [Attention](methods/attention.md): " in text


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("# Title\n\nOne *thing*. Another.\n", "One *thing*."),
        (
            "---\nshows: x\n---\n\n# Title\n\n![A. B](c.jpg)\n\nIt has [a page](p.md)\nhere: see\n",
            "It has a page here",
        ),
        ("# Title\n\n```python\ncode()\n```\n\nAfter code.\n", "After code."),
        ("# Title\n\n## Question?\n\nAn answer.\n", ""),
    ],
)
def test_first_sentence_of_a_page(page, sentence, tmp_path):
    path = tmp_path / "page.md"
    path.write_text(page, encoding="utf-8")
    assert llms.first_sentence(path) == sentence
