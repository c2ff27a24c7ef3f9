"""Files of an interpretation: what a spreadsheet must not run, and tables that come back as they were."""

from __future__ import annotations

import csv as csv_format
import io

import pytest

from mlflow_interp.report.formats import csv


def rows(columns):
    return list(csv_format.reader(io.StringIO(csv(columns).decode(), newline="")))


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("x")'])
def test_text_that_looks_like_a_formula_is_made_text(text):
    assert rows({text: [text]}) == [[f"'{text}"], [f"'{text}"]]


def test_numbers_and_other_text_stay_as_they_are():
    columns = {"class": ["a,b", 'say "x"', "two\nlines", "a=b"], "recall": [0.5, -1, None, float("nan")]}
    assert rows(columns) == [
        ["class", "recall"], ["a,b", "0.5"], ['say "x"', "-1"], ["two\nlines", ""], ["a=b", ""],
    ]  # fmt: skip
