"""Files of an interpretation: no formulas for spreadsheets, and tables that are read back unchanged."""

from __future__ import annotations

import csv as csv_format
import io

import pytest

from mlflow_interp.models.origin import LoadedModel, Origin
from mlflow_interp.report.formats import csv
from mlflow_interp.report.manifest import describe
from mlflow_interp.report.provenance import Provenance
from tests.running import confusion_matrix


def rows(columns):
    return list(csv_format.reader(io.StringIO(csv(columns).decode(), newline="")))


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("x")'])
def test_text_that_looks_like_a_formula_is_escaped(text):
    assert rows({text: [text]}) == [[f"'{text}"], [f"'{text}"]]


def test_numbers_and_other_text_are_unchanged():
    columns = {"class": ["a,b", 'say "x"', "two\nlines", "a=b"], "recall": [0.5, -1, None, float("nan")]}
    assert rows(columns) == [
        ["class", "recall"], ["a,b", "0.5"], ['say "x"', "-1"], ["two\nlines", ""], ["a=b", ""],
    ]  # fmt: skip


def test_names_are_those_of_all_inputs(digits, batch_of):
    model, pixels, labels = digits
    batch = batch_of(model, pixels, labels=labels)
    result = confusion_matrix(model, batch)
    assert len(result.examples) < len(pixels)
    provenance = Provenance.of(LoadedModel(model, Origin("m")), batch)
    inputs = describe("confusion_matrix", result, {}, provenance, parameters={}, seconds=1)["inputs"]
    assert inputs["names"] == [f"#{index}" for index in range(len(pixels))]
    assert (inputs["digest"], inputs["count"]) == (batch.record().digest, len(pixels))
    assert "sha256" not in inputs
