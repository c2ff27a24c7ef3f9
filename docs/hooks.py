"""What mkdocs asks of the code: the navigation of the methods, llms.txt, and KaTeX."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
METHODS = "Methods"
KATEX = PROJECT / "node_modules" / "katex"
#: The part of KaTeX that a browser needs. It takes the first format of a font that it knows.
KATEX_FILES = ("LICENSE", "dist/katex.min.js", "dist/katex.min.css", "dist/fonts/*.woff2")


def on_config(config: Any) -> Any:
    """Put the pages of all methods where `mkdocs.yml` has the entry `Methods`."""
    sys.path.insert(0, str(PROJECT))  # mkdocs loads this file by its path
    from docs.method_pages import DOCS, method_pages

    pages = [{each.title: each.path.relative_to(DOCS).as_posix()} for each in method_pages()]
    config.nav = [{METHODS: pages} if METHODS in entry else entry for entry in config.nav]
    return config


def on_post_build(config: Any) -> None:
    """List the pages for language models."""
    from docs import llms

    llms.write(config)


def on_files(files: Any, *, config: Any) -> Any:
    """Ship KaTeX with the site, from where npm installed it, so that formulas need no other host."""
    from mkdocs.structure.files import File

    found = [file for pattern in KATEX_FILES for file in sorted(KATEX.glob(pattern))]
    if not found:
        logging.getLogger("mkdocs.hooks").info("Formulas are shown as TeX: KaTeX is not installed (npm ci)")
    for file in found:
        name = f"assets/katex/{file.relative_to(KATEX).as_posix()}"
        files.append(File.generated(config, name, abs_src_path=str(file)))
    return files
