"""Class names from a list, a mapping, a JSON or text file, or the model itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow_interp.core.paths import local_path
from mlflow_interp.exceptions import InputsError

#: A path, names in order, or a mapping from class index to name.
ClassNames = str | Path | Sequence[str] | Mapping[Any, Any] | None

_ACCEPTED = (
    'a JSON list, a JSON object {"0": "cat"} or {"0": ["n02123045", "tabby"]}, or text with one name per line'
)


def load_class_names(class_names: ClassNames) -> tuple[str, ...] | None:
    """Class names in order of their index.

    Raises:
        InputsError: the file is missing or malformed, or indices have gaps.
    """
    if class_names is None:
        return None
    content = _named(class_names) if isinstance(class_names, (str, Path)) else class_names
    if not isinstance(content, Iterable):
        raise InputsError(f"class names are a {type(content).__name__}; give {_ACCEPTED}")
    names = _in_order(content) if isinstance(content, Mapping) else list(content)
    wrong = [name for name in names if name is None or isinstance(name, (list, tuple, dict))]
    if wrong:
        raise InputsError(f"class names contain {wrong[0]!r}, which is not a name; give {_ACCEPTED}")
    texts = tuple(map(str, names))
    if not texts or not all(text.strip() for text in texts):
        raise InputsError(f"class names are missing or contain an empty name; give {_ACCEPTED}")
    return texts


def _named(class_names: str | Path) -> Any:
    """The names in a file, or in JSON given in place of a path, as on the command line."""
    text = str(class_names).strip()
    if isinstance(class_names, str) and text[:1] + text[-1:] in ("[]", "{}"):
        return _parsed(text, "class names")
    return _read(local_path(class_names))


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputsError(
            f"class names can't be read from {str(path)!r}: {error}; give {_ACCEPTED}"
        ) from error
    if path.suffix.lower() != ".json":
        # splitlines() also splits at characters that may be part of a name, such as U+2028.
        return text.removesuffix("\n").split("\n")
    return _parsed(text, repr(str(path)))


def _parsed(text: str, what: str) -> Any:
    try:
        content = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise InputsError(f"{what} is not valid JSON: {error}; give {_ACCEPTED}") from error
    if not isinstance(content, (list, dict)):
        raise InputsError(f"{what} contains a {type(content).__name__}; give {_ACCEPTED}")
    return content


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON allows duplicate keys; Python would keep the last one."""
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("duplicate key")
    return content


def _in_order(names: Mapping[Any, Any]) -> list[Any]:
    try:
        by_index = {int(index): name for index, name in names.items()}
    except (ValueError, TypeError) as error:
        raise InputsError(f"class names have a non-numeric key: {error}; give {_ACCEPTED}") from error
    missing = sorted(set(range(len(names))) - set(by_index))
    if missing or not names:
        raise InputsError(f"class names skip index {missing[0] if missing else 0}; number them 0, 1, 2, …")
    # Keras' ImageNet index maps each number to (WordNet id, name).
    ordered = [by_index[index] for index in range(len(names))]
    return [name[-1] if isinstance(name, (list, tuple)) and name else name for name in ordered]


def check_class_names(names: Sequence[str] | None, classes: int | None) -> list[str]:
    """A warning unless there is one name for each class; otherwise names may be assigned to wrong classes."""
    if names is None or classes is None or len(names) == classes:
        return []
    return [f"there are {len(names)} class names, but the model has {classes} classes; give one for each"]


def declared_class_names(metadata: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """The class names in a model's metadata, and a warning if they are not a list or mapping."""
    names = metadata.get("class_names")
    if names is None or isinstance(names, (list, tuple, dict)):
        return names, []
    # A path would let the model choose which of the user's files is read and logged.
    return None, ["class_names in the model's metadata is neither a list nor a mapping; pass class_names="]
