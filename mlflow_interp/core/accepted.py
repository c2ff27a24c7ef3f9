"""The values that an option accepts, stated in its annotation, so that all options are checked in one place.

`opacity: Annotated[float, Range(least=0, most=1)]`, `legend: Literal["shared", "each", "off"]`,
`colormap: Annotated[str, Checked(find_colormap)]`.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mlflow_interp.exceptions import OptionError

F = TypeVar("F", bound=Callable[..., Any])

# TensorFlow and umap-learn use 32 bits: a larger number would overflow there without an error.
LARGEST = 2**31 - 1  # of whole numbers
LARGEST_FLOAT = 3.4e38


@dataclass(frozen=True)
class Range:
    """A range of numbers, as metadata of an annotation.

    Attributes:
        least: the smallest accepted number (inclusive).
        above: an exclusive lower bound, in place of `least`.
        most: the largest accepted number (inclusive).
        below: an exclusive upper bound, in place of `most`.
    """

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def __contains__(self, number: float) -> bool:
        return (
            (self.least is None or number >= self.least)
            and (self.above is None or number > self.above)
            and (self.most is None or number <= self.most)
            and (self.below is None or number < self.below)
        )

    def __str__(self) -> str:
        """As text, such as "1 or more", "from 0 to 1" or "above 0, up to 100"."""
        upper = f"{self.most:g}" if self.most is not None else ""
        if self.below is not None:
            upper = f"below {self.below:g}"
        if self.least is not None:
            return f"from {self.least:g} to {upper}" if upper else f"{self.least:g} or more"
        upper = f"up to {upper}" if self.most is not None else upper
        return ", ".join(filter(None, (f"above {self.above:g}" if self.above is not None else "", upper)))


@dataclass(frozen=True)
class Checked:
    """Values for which a function raises no OptionError, as metadata of an annotation.

    Attributes:
        check: the function; it is called with the value, and its return value is not used.
    """

    check: Callable[[Any], Any]


def check(name: str, annotation: Any, value: Any) -> None:
    """Check the value of an option against its annotation.

    Numbers, ranges, choices and `Checked` are checked; other types are not, as functions accept anything
    that behaves like them.

    Raises:
        OptionError: a number that is not finite or out of range, a value that should be a number, or a text
            that is not one of the choices.
    """
    members = set(types_of(annotation))
    if value is None and type(None) in members:
        return
    _check_choice(name, members, value)
    _check_number(name, members, value, range_of(annotation))
    for condition in _metadata(annotation):
        if isinstance(condition, Checked):
            condition.check(value)


def checked(function: F) -> F:
    """Check the keyword arguments of a function that users call directly, like the options of a method."""

    @functools.cache
    def annotations() -> dict[str, Any]:
        return get_type_hints(function, include_extras=True)

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        for name, value in options.items():
            check(name, annotations().get(name, Any), value)
        return function(*arguments, **options)

    return call  # type: ignore[return-value]


def range_of(annotation: Any) -> Range | None:
    """The range of numbers that an annotation accepts; None if it states none."""
    return next((each for each in _metadata(annotation) if isinstance(each, Range)), None)


def types_of(annotation: Any) -> Iterator[Any]:
    """The types of a union, without metadata."""
    if get_origin(annotation) is Annotated:
        yield from types_of(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from types_of(member)
    else:
        yield annotation


def _metadata(annotation: Any) -> Iterator[Any]:
    """The metadata that `Annotated` adds to a type or to the types of a union."""
    if get_origin(annotation) is Annotated:
        yield from _metadata(get_args(annotation)[0])
        yield from annotation.__metadata__
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _metadata(member)


def _check_choice(name: str, members: set[Any], value: Any) -> None:
    literals = {member for member in members if get_origin(member) is Literal}
    if not literals or members - literals - {type(None)}:
        return
    choices = [choice for literal in literals for choice in get_args(literal)]
    if not any(isinstance(value, type(choice)) and value == choice for choice in choices):
        raise OptionError(f"no {name} {value!r}; available: {', '.join(map(str, choices))}")


def _check_number(name: str, members: set[Any], value: Any, accepted: Range | None) -> None:
    if not members & {int, float}:
        return
    if members <= {int, float, type(None)}:
        kind, what = (Real, "number") if float in members else (Integral, "whole number")
        if not isinstance(value, kind):
            raise OptionError(f"{name} is {value!r}; give a {what}")
    if not isinstance(value, Real):
        return
    number = int(value) if isinstance(value, Integral) else float(value)
    if accepted is not None and number not in accepted:
        words = str(accepted)
        raise OptionError(f"{name} is {value}; give {words if words[0].isdigit() else f'a number {words}'}")
    needs, largest = ("", LARGEST) if isinstance(number, int) else ("finite ", LARGEST_FLOAT)
    if not abs(number) <= largest:
        raise OptionError(f"{name} is {value}; give a {needs}number of at most {largest:,}")
