"""The classes that the explained class is contrasted with: why this class and not those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.regression import value_name

if TYPE_CHECKING:
    from mlflow_interp.core.examples import Explained

RUNNER_UP = "runner-up"  # the most probable class other than the target
OTHERS = "others"  # all classes other than the target
CLASSES = "classes"  # named classes; not a word of users

#: The words of users, as class indices in tensors.
CODES = {RUNNER_UP: -2, OTHERS: -3}

_PHRASES = {RUNNER_UP: "the runner-up", OTHERS: "all other classes"}
_MOST_NAMES = 3  # in a caption


def explained_name(explained: Explained, row: int) -> str:
    """What is explained for an input, such as "tench", "tench, not goldfish" or "road (positions 12, 20)".

    Empty if no class is explained, or the only value of a regression.
    """
    examples = explained.examples
    if not explained.has_target or (not examples.has_classes and examples.classes.shape[1] == 1):
        return ""
    target = class_or_value(explained, int(explained.targets[row]))
    contrast = f", not {contrast_name(explained, row)}" if explained.contrast else ""
    positions = f" (positions {explained.positions})" if explained.positions else ""
    return f"{target}{contrast}{positions}"


def contrast_name(explained: Explained, row: int) -> str:
    """The classes that the explained class of an input is contrasted with, such as "goldfish or eel"."""
    if explained.contrasts is None:
        return explained.contrast or ""
    target = int(explained.targets[row])
    others = [each for each in explained.contrasts[row].tolist() if each != target]
    return _joined([class_or_value(explained, each) for each in others or [target]])


def contrast_phrase(explained: Explained) -> str:
    """What all inputs are contrasted with, such as "the runner-up" or "goldfish or eel"; "" for nothing."""
    found = resolved_contrast(explained)
    return _PHRASES.get(found, found) if isinstance(found, str) else _joined(found)


def resolved_contrast(explained: Explained) -> Any:
    """The word for what all inputs are contrasted with, or the names of the classes; "" for nothing."""
    if explained.contrast == CLASSES and explained.contrasts is not None and len(explained.contrasts):
        return [class_or_value(explained, each) for each in explained.contrasts[0].tolist()]
    return explained.contrast or ""


def class_or_value(explained: Explained, index: int) -> str:
    """The name of a class, or of a value of a regression."""
    examples = explained.examples
    return examples.class_name(index) if examples.has_classes else value_name(examples, index)


def is_own_contrast(explained: Explained) -> np.ndarray:
    """(n,) bool, whether the explained class of an input is the only one that it is contrasted with."""
    if explained.contrasts is None:
        return np.zeros(len(explained.targets), bool)
    return np.asarray((explained.contrasts == explained.targets[:, np.newaxis]).all(axis=1))


def contrast_warnings(explained: Explained) -> list[str]:
    """A warning about inputs whose explained class is the only one that it is contrasted with."""
    flags = is_own_contrast(explained)
    names = [name for name, flag in zip(explained.examples.names, flags, strict=True) if flag]
    if not names:
        return []
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return [
        f"{len(names)} of {len(flags)} inputs have empty maps, as their target is the class that it is "
        f"contrasted with, {contrast_phrase(explained)} ({shown}); try contrast={RUNNER_UP!r} or another "
        "target"
    ]


def _joined(names: Sequence[str]) -> str:
    """Names as in "goldfish", "goldfish or eel", or "goldfish, eel, newt or 4 more"."""
    shown = list(names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        shown.append(f"{len(names) - _MOST_NAMES} more")
    return " or ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))
