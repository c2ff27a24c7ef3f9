"""Help texts that are wrapped at spaces only: a flag such as --path-steps stays in one piece."""

from __future__ import annotations

from collections.abc import Iterable

import click

_UNBREAKABLE = "\N{NON-BREAKING HYPHEN}"  # Click has no option to wrap at spaces only


class HelpFormatter(click.HelpFormatter):
    """Click's formatter, which would also wrap at hyphens."""

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        super().write_text(text.replace("-", _UNBREAKABLE))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write a list of options or commands."""
        unbreakable = [(name, text.replace("-", _UNBREAKABLE)) for name, text in rows]
        super().write_dl(unbreakable, col_max, col_spacing)

    def getvalue(self) -> str:
        """The help, with ordinary hyphens."""
        return super().getvalue().replace(_UNBREAKABLE, "-")


class Context(click.Context):
    """The context of every command of the package."""

    formatter_class = HelpFormatter
