"""llms.txt (llmstxt.org): a list of the pages for language models, made from the navigation."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Facts at the top of a page, code, images and comments.
_NO_TEXT = re.compile(r"\A---\n.*?^---\n|^```.*?^```$|^!\[.*?$|^<!--.*?-->$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def write(config: Any) -> None:
    """Write llms.txt into the built site, and beside each page the Markdown that it was made from."""
    docs, site = Path(config.docs_dir), Path(config.site_dir)
    text = f"# {config.site_name}\n\n> {config.site_description}\n"
    for section, pages in sections(config.nav):
        text += f"\n## {section}\n\n"
        for title, path in pages:
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(docs / path, site / path)
            about = first_sentence(docs / path)
            text += f"- [{title}]({path})" + (f": {about}\n" if about else "\n")
    (site / "llms.txt").write_text(text, encoding="utf-8")


def sections(nav: list[dict[str, Any]]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Sections with the title and path of each page; the pages that are in none come first."""
    yield "Pages", [pair for entry in nav for pair in entry.items() if isinstance(pair[1], str)]
    for entry in nav:
        for title, pages in entry.items():
            if not isinstance(pages, str):
                yield title, list(_leaves(pages))


def _leaves(nav: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The title and path of each page, also of those in sections inside."""
    for entry in nav:
        for title, pages in entry.items():
            yield from [(title, pages)] if isinstance(pages, str) else _leaves(pages)


def first_sentence(page: Path) -> str:
    """The first sentence below the heading of a page, without links; empty if another heading comes first."""
    body = _NO_TEXT.sub("", page.read_text(encoding="utf-8"))
    introduction = re.split(r"^#+ .*\n", body, flags=re.MULTILINE)[1].strip()
    text = _LINK.sub(r"\1", introduction.partition("\n\n")[0])
    text = text.replace("\n", " ").replace("**", "")
    return re.split(r"(?<=[.:])\s", text)[0].rstrip(":")
