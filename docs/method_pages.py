"""What the pages of the methods state at their top: the rows of the tables of methods, and the navigation."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from mlflow_interp.method_registry import own_method_names

DOCS = Path(__file__).parent
_FRONT = re.compile(r"\A---\n(?P<facts>.*?)^---\n+# (?P<title>[^\n]+)\n", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?![a-z]+:)([^)]+)\)")


@dataclass(frozen=True)
class MethodPage:
    """The page of a method.

    Attributes:
        method: the name of the method.
        path: the file.
        title: its heading.
        shows: what the method shows, as the end of a sentence.
        source: authors and year; empty where nobody's paper is needed.
        cost: in passes or in relation to something that is known; may have links relative to the page.
    """

    method: str
    path: Path
    title: str
    shows: str
    cost: str
    source: str = ""

    def linked_from(self, folder: Path) -> dict[str, str]:
        """A row of a table on a page in a folder."""
        here = os.path.relpath(self.path, folder)

        def moved(match: re.Match[str]) -> str:
            return f"]({os.path.relpath(self.path.parent / match[1], folder)})"

        return {
            "method": f"[{self.title}]({here})",
            "shows": self.shows,
            "source": self.source,
            "cost": _LINK.sub(moved, self.cost),
        }


def method_pages() -> list[MethodPage]:
    """The pages of all methods of this package.

    Raises:
        ValueError: one lacks its facts or its heading.
    """
    return [_read(method) for method in own_method_names()]


def _read(method: str) -> MethodPage:
    path = DOCS / "methods" / f"{method}.md"
    match = _FRONT.match(path.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{path} begins with neither its facts (shows, source, cost) nor a heading")
    return MethodPage(method, path, match["title"], **yaml.safe_load(match["facts"]))
