"""The class to explain for each input, and those it is contrasted with."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.core.contrast import CLASSES, CODES
from mlflow_interp.exceptions import InputsError, OptionError, near, nearest

PREDICTED = -1  # as a target: the predicted class

Target = str | int | Sequence[int | str] | None
Contrast = str | int | Sequence[int | str] | None

#: A function that gives the class of each input of a chunk, (n,) int64.
Chooser = Callable[[Chunk], np.ndarray]

#: The paragraphs of both options in the docstring of a method.
TARGET_HELP = """
    target: The class to explain: an index, a class name, "label" for the true label, or one of these
        for each input, separated by commas. By default, the predicted class.
    contrast: The class to contrast the target with, to see the evidence for the target over that class: an
        index, a class name, several of them separated by commas, "runner-up" for the most probable class
        other than the target, or "others" for all other classes. The explained score is then that of the
        target minus the mean of those classes. By default, it is that of the target alone."""

F = TypeVar("F", bound=Callable[..., Any])


def explains_classes(function: F) -> F:
    """Add the help of the options `target` and `contrast`, which a method declares, to its docstring."""
    before, arguments, after = (inspect.getdoc(function) or "").partition("\nArgs:")
    function.__doc__ = f"{before}{arguments}{TARGET_HELP}{after}"
    return function


def explained_key(target: Target, contrast: Contrast) -> str:
    """A text that is the same for equal targets with equal contrasts."""
    return f"{_key(target)} {_key(contrast)}"


def _key(classes: Target | Contrast) -> str:
    if classes is None or isinstance(classes, (str, int)):
        return f"{classes!r}"
    return f"{np.ravel(np.array(classes, dtype=object)).tolist()!r}"


def kind_of_contrast(contrast: Contrast) -> str:
    """`RUNNER_UP`, `OTHERS`, `CLASSES` for named classes, or "" for no contrast; see `Explained`."""
    if contrast is None:
        return ""
    return contrast if isinstance(contrast, str) and contrast in CODES else CLASSES


def class_count(contrast: Contrast, batch: Batch) -> int:
    """The number of columns of `class_chooser`: one for the target, others for the contrast."""
    if contrast is None:
        return 1
    return 2 if kind_of_contrast(contrast) != CLASSES else 1 + len(_split(contrast, batch))


def class_chooser(target: Target | Chooser, contrast: Contrast, batch: Batch, classes: int) -> Chooser:
    """A function that gives the target and the contrast of each input of a chunk, (n, 1 + k) int64.

    Args:
        target: see `target_chooser`.
        contrast: None for none; one or more class indices or names, also as text with commas; or one of
            `CODES`, whose code is given.
        batch: the inputs, with the class names.
        classes: the number of classes of the model.

    Raises:
        OptionError: a class that does not exist, fewer targets than inputs, or a contrast without classes,
            with a class twice, or with the target itself.
    """
    choose = target_chooser(target, batch, classes)
    contrasts = _contrasts(contrast, batch, classes)
    if contrast is not None and target is not None and target != "label" and not callable(target):
        fixed = [class_index(each, batch, classes) for each in _split(target, batch)]
        same = set(fixed) & set(contrasts)
        if len(set(fixed)) == 1 and same:
            raise OptionError(
                f"contrast names class {_shown(same.pop(), batch)}, which is the target; give other classes"
            )
    return lambda chunk: np.column_stack([choose(chunk), *(np.full(len(chunk), each) for each in contrasts)])


def _contrasts(contrast: Contrast, batch: Batch, classes: int) -> list[int]:
    """The indices, or the code, of the classes to contrast with.

    Raises:
        OptionError: see `class_chooser`.
    """
    if contrast is None:
        return []
    names = list(batch.class_names or ())
    if isinstance(contrast, str) and contrast in CODES:
        if contrast in names:
            raise OptionError(
                f"contrast {contrast!r} is ambiguous, as class {names.index(contrast)} has this name; give "
                "the indices of classes"
            )
        return [CODES[contrast]]
    given = _split(contrast, batch)
    for word in CODES:
        if word in given and word not in names:
            raise OptionError(f"contrast {word!r} can't be combined with other classes; give it alone")
    indices = [class_index(each, batch, classes, option="contrast") for each in given]
    if not indices:
        raise OptionError(f"contrast names no class; give one or more, or one of {', '.join(CODES)}")
    twice = [each for each in indices if indices.count(each) > 1]
    if twice:
        raise OptionError(f"contrast names class {_shown(twice[0], batch)} twice; give each class once")
    return indices


def _shown(index: int, batch: Batch) -> str:
    """A class as messages quote it."""
    names = batch.class_names
    return repr(names[index]) if names and index < len(names) else str(index)


def target_chooser(target: Target | Chooser, batch: Batch, classes: int) -> Chooser:
    """A function that gives the targets of a chunk, (n,) int64.

    Args:
        target: None for the predicted class; a class index or name; "label" for the true label
            (the predicted class if unknown); or one of these per input, also as text
            with commas. A comparison passes a function, which is returned.
        batch: the inputs, with the class names.
        classes: the number of classes of the model.

    Raises:
        OptionError: a class that does not exist, or fewer targets than inputs.
    """
    if callable(target):
        return target
    if target is None:
        return lambda chunk: np.full(len(chunk), PREDICTED, np.int64)
    if isinstance(target, str) and target == "label":
        return lambda chunk: label_or_predicted(chunk, classes)
    target_classes = np.array([class_index(each, batch, classes) for each in _split(target, batch)], np.int64)
    if len(target_classes) == 1:
        return lambda chunk: np.full(len(chunk), target_classes[0], np.int64)
    if not len(target_classes) or not batch.has_room_for(len(target_classes)):
        raise OptionError(
            f"target has {len(target_classes)} classes for {batch.total} inputs; give one, or one per input"
        )
    return lambda chunk: _targets_of(target_classes, chunk)


def label_or_predicted(chunk: Chunk, classes: int) -> np.ndarray:
    """The true class of each input of a chunk, (n,) int64; `PREDICTED` where it is not known.

    Raises:
        InputsError: a label that is no class of the model.
    """
    (wrong,) = np.nonzero(chunk.labels >= classes)
    if len(wrong):
        raise InputsError(
            f"label {chunk.labels[wrong[0]]} of input {chunk.names[wrong[0]]!r} is out of range: the model "
            f"has classes 0–{classes - 1}"
        )
    return np.where(chunk.labels == UNKNOWN, PREDICTED, chunk.labels)


def _targets_of(target_classes: np.ndarray, chunk: Chunk) -> np.ndarray:
    if chunk.indices.max() >= len(target_classes):
        raise OptionError(f"target has only {len(target_classes)} classes; give one, or one per input")
    return np.asarray(target_classes[chunk.indices])


def _split(target: Target | Contrast, batch: Batch) -> list[Any]:
    if not isinstance(target, str):
        return list(np.ravel(np.array(target, dtype=object)))
    if batch.class_names and target in batch.class_names:
        return [target]
    return [part.strip() for part in target.split(",")]


def class_index(target: Any, batch: Batch, classes: int, *, option: str = "target") -> int:
    """The index of a class that an option names, by name or index.

    Raises:
        OptionError: there is no such class.
    """
    names = list(batch.class_names or ())
    if names.count(target) > 1:
        indices = [str(index) for index, name in enumerate(names) if name == target]
        raise OptionError(f"{len(indices)} classes are named {target!r}; give an index: {', '.join(indices)}")
    if target in names:
        return names.index(target)
    try:
        index = operator.index(int(target) if isinstance(target, str) else target)
    except (TypeError, ValueError) as error:
        known = nearest(target, names, most=3) if names else "; class names are not known, so give an index"
        if option == "contrast":
            known = near(target, CODES) or known
        named = "no class is named" if option == "target" else f"{option}: no class is named"
        raise OptionError(f"{named} {target!r}{known}") from error
    if not 0 <= index < classes:
        raise OptionError(f"{option} {index} is out of range: the model has classes 0–{classes - 1}")
    return index
