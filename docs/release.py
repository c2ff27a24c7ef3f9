"""Version and repository, which are stated once: filled in elsewhere, and checked at a release."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from mlflow_interp import __version__

PROJECT = Path(__file__).parent.parent
#: Files beside README and docs that name the one or the other.
FILES = [*PROJECT.glob("CITATION.cff"), *sorted((PROJECT / "examples").glob("*.ipynb"))]
#: An address of the repository, or of a file of it opened in Colab; whoever owned it before.
_ADDRESS = re.compile(
    r"(?P<host>https://(?:github\.com|colab\.research\.google\.com/github))/[\w.-]+/mlflow-interp\b"
)
_VERSION = re.compile(r"\A(cff-version:.*?^version: )[^\n]+", re.DOTALL | re.MULTILINE)


def repository() -> str:
    """The address of the repository, as pyproject.toml states it."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(settings["tool"]["mlflow_interp"]["repository"])


def filled(text: str) -> str:
    """A text with the address wherever it names the repository, and a citation with the version."""
    path = repository().removeprefix("https://github.com/")
    text = _ADDRESS.sub(lambda match: f"{match['host']}/{path}", text)
    return _VERSION.sub(lambda match: f"{match[1]}{__version__}", text)


def problems(tag: str, origin: str) -> list[str]:
    """Why a tag of the repository at `origin` can't be released; empty if it can."""
    expected = f"v{__version__}"
    found = [] if tag == expected else [f"the tag is {tag}, but the version makes it {expected}"]
    if origin != repository():
        found.append(f"the repository is {origin}, but pyproject.toml states {repository()}")
    if f"## [{__version__}]" not in (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"):
        found.append(f"CHANGELOG.md has no section [{__version__}]")
    for page in [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]:
        if "no release on PyPI" in " ".join(page.read_text(encoding="utf-8").split()):
            found.append(f"{page.relative_to(PROJECT)} says that there is no release on PyPI yet")
    return found


def main() -> None:
    """Exit with what is wrong with the tag and the repository of the arguments."""
    sys.exit("\n".join(problems(*sys.argv[1:])) or None)


if __name__ == "__main__":
    main()
