"""What mkdocs asks of the code: the navigation of the methods, which is that of their pages, and llms.txt."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
METHODS = "Methods"


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
