"""Labels, predictions and weights from files, compared with their known contents."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.data.labels import read_column
from mlflow_interp.exceptions import InputsError


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("3\n1\n2\n", [3, 1, 2]),
        ("label\n3\n1\n", [3, 1]),
        ("0.5\n1\n", [0.5, 1.0]),
        ("ant\nbee\n", ["ant", "bee"]),
        ('"cat, Egyptian"\n"two\nlines"\n', ["cat, Egyptian", "two\nlines"]),
        ("\ufeffclass\n7\n", [7]),
        ("a,b\n0.25,0.75\n1,0\n", [[0.25, 0.75], [1.0, 0.0]]),
        ("NA\nnull\n", ["NA", "null"]),
    ],
)
def test_table_is_read(tmp_path, content, values):
    path = tmp_path / "labels.csv"
    path.write_text(content, encoding="utf-8")
    read = read_column(path, "labels")
    assert read.tolist() == values
    assert read.dtype.kind == np.array(values).dtype.kind


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("1,2\n3\n", "lines have different numbers of values"),
        ("1\n2,3\n", "lines have different numbers of values"),
        ("1,a\n2,b\n", "could not convert"),
        ("", "it is empty"),
        ("9999999999999999999999\n", "is too large"),
    ],
)
def test_invalid_table_gives_a_one_line_error(tmp_path, content, reason):
    path = tmp_path / "labels.csv"
    path.write_text(content)
    with pytest.raises(InputsError, match=f"labels can't be read from .*: .*{reason}.*; give a ") as error:
        read_column(path, "labels")
    assert "\n" not in str(error.value)


def test_text_has_one_value_per_line(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("ant, black\n\n bee \n")
    assert read_column(path, "labels") == ["ant, black", "bee"]
