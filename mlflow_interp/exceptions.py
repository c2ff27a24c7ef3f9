"""Errors a user can act on. Each message says what was given, what is accepted and what to do.

InterpretationError
├── OptionError      an option, method or layer that does not exist, or a value that is not accepted
├── ModelError       a model that can't be found, loaded or explained
├── InputsError      inputs, labels or class names that can't be read or don't fit the model
│   └── InapplicableError   a model or inputs that are fine but lack what one method needs, such as labels
│       └── ArchitectureError   a model of another architecture than a method is for
└── TrackingError    a tracking server or artifact store that doesn't answer, or refuses access
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import warnings
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

_PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FEW = 12  # most names that a message lists if none is similar
_PASSWORD = re.compile(r"(?<=://)[^\s/?#'\"]*@")


def without_password(text: str) -> str:
    """A text without the user and password of any URI: http://me:secret@host becomes http://host."""
    return _PASSWORD.sub("", text)


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its type if the message is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def reason_of(error: BaseException) -> str:
    """The line of an error's message that says why.

    Keras puts the reason last: after the last "Exception encountered: ", or after a line that names the layer
    that was called. Colour codes for terminals are removed.
    """
    text = _COLOUR.sub("", str(error)).rpartition("Exception encountered: ")[2]
    lines = [line.strip() for line in text.splitlines()]
    reasons = [line for line in lines if line and not line.startswith("Exception encountered when calling")]
    return reasons[0] if reasons else type(error).__name__


class InterpretationError(Exception):
    """An error that the user can fix; the command line prints it as one line and exits with 2.

    Its message is logged and shown to others, so it never holds the password of a URI.

    Attributes:
        interpretations: of the methods of the call that did not fail, by name.
        run_id: the run of the call, None if nothing was logged.
    """

    interpretations: Mapping[str, Any] = MappingProxyType({})
    run_id: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(without_password(message))


class OptionError(InterpretationError, ValueError):
    """An option, method or layer that does not exist, or a value that is not accepted."""


class ModelError(InterpretationError, ValueError):
    """A model that can't be found, loaded or explained."""


class MissingModelError(ModelError):
    """There is no model of this name, version or alias, or no file at this path."""


class InputsError(InterpretationError, ValueError):
    """Inputs, labels or class names that can't be read or don't fit the model."""


class InapplicableError(InputsError, ModelError):
    """A model or inputs that are fine but lack what one method needs, such as labels or a feature map.

    A method that is selected only by `all` is then left out.
    """


class ArchitectureError(InapplicableError):
    """A model of another architecture than a method is for, such as one without attention.

    A method that is selected only by `all` is then left out without a warning: nothing is missing.
    """


class TrackingError(InterpretationError, RuntimeError):
    """A tracking server or artifact store that doesn't answer, or refuses access."""


class InterpretationWarning(UserWarning):
    """Something a user should know before trusting a figure."""


def warn(text: str) -> None:
    """Issue an `InterpretationWarning` that points at the line outside this package that called into it."""
    level = 1
    frame = sys._getframe()
    # Python 3.12 has skip_file_prefixes for this.
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    warnings.warn(text, InterpretationWarning, stacklevel=level)


def near(name: object, known: Iterable[str], *, most: int = 5) -> str:
    """The known names that are similar to `name`, to append to a message: "; nearest: a, b"."""
    close = difflib.get_close_matches(str(name), list(known), n=most)
    return f"; nearest: {', '.join(close)}" if close else ""


def nearest(name: object, known: Iterable[str], *, most: int = 5) -> str:
    """The known names that are similar to `name`, as the tail of a message: "; nearest: a, b".

    If none is similar, all of them if they are few: "; available: a, b"; otherwise their number.
    """
    names = list(known)
    if tail := near(name, names, most=most):
        return tail
    if len(names) <= _FEW:
        return f"; available: {', '.join(names)}" if names else ""
    return f"; give one of {len(names)} names, such as {names[0]}"
