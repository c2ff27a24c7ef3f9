"""Names of files as users write them."""

from __future__ import annotations

from pathlib import Path

from mlflow_interp.exceptions import OptionError


def local_path(name: str | Path) -> Path:
    """The path that a user named, "~" expanded.

    Raises:
        OptionError: the name is blank, or of a user that does not exist.
    """
    # Path("") is the folder that happens to be the current one.
    if not str(name).strip():
        raise OptionError(f"{str(name)!r} names no file; give a path")
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise OptionError(f"{str(name)!r} is of a user that does not exist; give a path without ~") from error
