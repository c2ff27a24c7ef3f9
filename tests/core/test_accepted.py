"""Values that annotations accept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pytest

from mlflow_interp.core.accepted import Checked, Range, check, checked, range_of
from mlflow_interp.exceptions import OptionError


@pytest.mark.parametrize(
    ("accepted", "inside", "outside", "words"),
    [
        (Range(least=1), [1, 7], [0, -1], "1 or more"),
        (Range(above=0), [1e-9, 5], [0, -1], "above 0"),
        (Range(least=0, most=1), [0, 0.5, 1], [-0.1, 1.1], "from 0 to 1"),
        (Range(least=0, below=1), [0, 0.99], [1, -1], "from 0 to below 1"),
        (Range(above=0, most=100), [0.1, 100], [0, 101], "above 0, up to 100"),
        (Range(above=0, below=1), [0.5], [0, 1], "above 0, below 1"),
        (Range(most=3), [3, -9], [4], "up to 3"),
        (Range(below=3), [2], [3], "below 3"),
    ],
)
def test_ranges_are_described(accepted, inside, outside, words):
    assert all(number in accepted for number in inside)
    assert not any(number in accepted for number in (*outside, float("nan")))
    assert str(accepted) == words


def is_even(value):
    if value % 2:
        raise OptionError(f"{value} is odd")


SHARE = Annotated[float, Range(least=0, most=1)]
COUNT = Annotated[int | None, Range(least=2)]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (SHARE, 0), (SHARE, 1.0), (SHARE, np.float32(0.5)), (COUNT, None), (COUNT, np.int64(2)),
        (Annotated[int, Range(least=2)] | None, None), (Annotated[float | str, Range(least=0)], "file.npy"),
        (Literal["a", "b"], "b"), (Literal["a", "b"], np.str_("a")), (Literal["a"] | None, None),
        (Literal["a"] | int, 3), (Literal[1, 2], 2), (str, "any"), (Any, object()), (int, 2**31 - 1),
        (Annotated[int, Checked(is_even)], 4), (Annotated[str | int | None, "spatial"], "conv"),
    ],
)  # fmt: skip
def test_valid_values_are_accepted(annotation, value):
    check("it", annotation, value)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (SHARE, 3, "it is 3; give a number from 0 to 1"),
        (SHARE, float("nan"), "it is nan; give a number from 0 to 1"),
        (SHARE, "0.5", "it is '0.5'; give a number"),
        (SHARE, None, "it is None; give a number"),
        (COUNT, 1, "it is 1; give 2 or more"),
        (COUNT, 2.5, "it is 2.5; give a whole number"),
        (Annotated[int, Range(least=2)] | None, 1, "it is 1; give 2 or more"),
        (Annotated[float | str, Range(least=0)], -1, "it is -1; give 0 or more"),
        (int, 2**31, "it is 2147483648; give a number of at most 2,147,483,647"),
        (float, float("inf"), "it is inf; give a finite number"),
        (Literal["a", "b"], "c", "no it 'c'; available: a, b"),
        (Literal["a", "b"], np.zeros(3), "no it array"),
        (Literal["a", "b"], None, "no it None; available: a, b"),
        (Annotated[int, Checked(is_even)], 3, "3 is odd"),
    ],
)
def test_invalid_values_are_rejected(annotation, value, message):
    with pytest.raises(OptionError) as error:
        check("it", annotation, value)
    assert str(error.value).startswith(message)


def test_range_is_read_from_the_annotation():
    assert range_of(COUNT) == range_of(Annotated[int, Range(least=2)] | None) == Range(least=2)
    assert range_of(int) is range_of(Annotated[str | None, "spatial"]) is None


def test_checked_function_checks_its_keyword_arguments():
    @checked
    def function(first: int, *, share: SHARE = 0.5) -> float:
        """What it does."""
        return first * share

    assert function(4, share=0.25) == 1
    assert (function.__doc__, function.__name__) == ("What it does.", "function")
    with pytest.raises(OptionError, match="share is 2; give a number from 0 to 1"):
        function(4, share=2)
    with pytest.raises(TypeError, match="other"):
        function(4, other=2)
