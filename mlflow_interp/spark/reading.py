"""A table of results as NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.exceptions import InputsError, OptionError, nearest


@dataclass(frozen=True, eq=False)
class Heatmaps:
    """The heatmaps of a table.

    Attributes:
        ids: n ids.
        labels: (n,) int64, -1 where not known.
        predicted: (n,) int64, -1 for a regression.
        targets: (n,) int64, the explained class; -1 for a method without one.
        maps: (n, *grid) float32, signed.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    predicted: np.ndarray
    targets: np.ndarray
    maps: np.ndarray


def heatmaps(table: Any, method: str | None = None) -> Heatmaps:
    """The heatmaps of a table, read into memory; rows with errors are left out.

    Args:
        table: The data frame, such as `TableInterpretation.table` or a part of it.
        method: The method; not needed if the table has heatmaps of a single one.

    Raises:
        OptionError: the table has no heatmaps of this method.
        InputsError: it has no rows without error.
    """
    from pyspark.sql import functions as sql

    types = {field.name: field.dataType.simpleString() for field in table.schema.fields}
    having = [name for name, each in types.items() if each.startswith("struct<") and "heatmap:" in each]
    if method is None and len(having) != 1:
        raise OptionError(
            f"the table has heatmaps of {', '.join(having) or 'no method'}; name one with method="
        )
    method = method or having[0]
    if method not in having:
        raise OptionError(f"the table has no heatmaps of {method!r}{nearest(method, having)}")
    columns = [
        "id",
        "label",
        "predicted",
        *(sql.col(f"{method}.{each}") for each in ("target", "shape", "heatmap")),
    ]
    rows = table.where(f"`{method}` IS NOT NULL").select(*columns).collect()
    if not rows:
        raise InputsError("the table has no rows with heatmaps")
    return Heatmaps(
        tuple(row["id"] for row in rows),
        _classes(row["label"] for row in rows),
        _classes(row["predicted"] for row in rows),
        _classes(row["target"] for row in rows),
        np.array([row["heatmap"] for row in rows], np.float32).reshape(len(rows), *rows[0]["shape"]),
    )


def _classes(values: Any) -> np.ndarray:
    return np.array([UNKNOWN if each is None else each for each in values], np.int64)
