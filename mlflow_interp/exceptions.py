"""Errors a user can act on. Each message says what was given, what is accepted and what to do.

InterpretationError
├── OptionError      an option, method or layer that does not exist, or a value it can't take
├── ModelError       a model that can't be found, can't be loaded, or that can't be explained
├── InputsError      inputs, labels or class names that can't be read or don't fit the model
│   └── InapplicableError   a model or inputs that are fine but lack what one method needs, such as labels
└── TrackingError    a tracking server or artifact store that doesn't answer, or refuses
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
_FEW = 12  # names that a message lists where none is near
_PASSWORD = re.compile(r"(?<=://)[^\s/?#'\"]*@")


def without_password(text: str) -> str:
    """A text in which no URI has a user and password: http://me:secret@host is http://host."""
    return _PASSWORD.sub("", text)


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its type where the message is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def reason_of(error: BaseException) -> str:
    """The line of an error's message that says why.

    Keras puts the reason behind what it was doing: after the last "Exception encountered: ", or after a line
    that names the layer that was called. Colours for terminals are left out.
    """
    text = _COLOUR.sub("", str(error)).rpartition("Exception encountered: ")[2]
    lines = [line.strip() for line in text.splitlines()]
    reasons = [line for line in lines if line and not line.startswith("Exception encountered when calling")]
    return reasons[0] if reasons else type(error).__name__


class InterpretationError(Exception):
    """Anything the user can mend; the command line prints it as one line and exits with 2.

    Its message is logged and shown to others, so it never holds the password of a URI.

    Attributes:
        interpretations: of the methods of the call that did not fail, by name.
        run_id: the run of the call, None where nothing was logged.
    """

    interpretations: Mapping[str, Any] = MappingProxyType({})
    run_id: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(without_password(message))


class OptionError(InterpretationError, ValueError):
    """An option, method or layer that does not exist, or a value it can't take."""


class ModelError(InterpretationError, ValueError):
    """A model that can't be found, can't be loaded, or that can't be explained."""


class InputsError(InterpretationError, ValueError):
    """Inputs, labels or class names that can't be read or don't fit the model."""


class InapplicableError(InputsError, ModelError):
    """A model or inputs that are fine but lack what one method needs, such as labels or a feature map.

    `all` goes without that method.
    """


class TrackingError(InterpretationError, RuntimeError):
    """A tracking server or artifact store that doesn't answer, or refuses."""


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
    """The known names that are near `name`, as the tail of a message: "; nearest: a, b". Empty for none."""
    close = difflib.get_close_matches(str(name), list(known), n=most)
    return f"; nearest: {', '.join(close)}" if close else ""


def nearest(name: object, known: Iterable[str], *, most: int = 5) -> str:
    """The known names that are near `name`, as the tail of a message: "; nearest: a, b".

    Where none is near, all of them if they are few: "; there are: a, b"; else how many there are.
    """
    names = list(known)
    if tail := near(name, names, most=most):
        return tail
    if len(names) <= _FEW:
        return f"; there are: {', '.join(names)}" if names else ""
    return f"; give one of {len(names)} names, such as {names[0]}"
