"""File paths as users write them."""

from __future__ import annotations

from pathlib import Path

from mlflow_interp.exceptions import OptionError


def local_path(name: str | Path) -> Path:
    """The path that a user gave, with "~" expanded.

    Raises:
        OptionError: the path is blank, or in the home of a user that does not exist.
    """
    # Path("") would be the current folder.
    if not str(name).strip():
        raise OptionError(f"{str(name)!r} is not a path; give the path of a file or folder")
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise OptionError(f"the user in {str(name)!r} does not exist; give a path without ~") from error
