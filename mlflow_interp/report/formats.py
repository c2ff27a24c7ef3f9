"""The formats of artifacts: JSON, tables, CSV, .npz."""

from __future__ import annotations

import csv as csv_format
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_json(value: Any) -> bytes:
    """Indented JSON bytes; values of types that JSON lacks are written as text, NaN as null."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as compressed .npz bytes that load without pickle.

    Raises:
        TypeError: an array of objects.
    """
    pickled = [name for name, array in arrays.items() if array.dtype.hasobject]
    if pickled:
        raise TypeError(f"arrays of objects need pickle: {', '.join(pickled)}")
    buffer = io.BytesIO()
    # As np.savez_compressed, whose level 6 takes twice as long, for gradients' noise is hardly compressible.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    return buffer.getvalue()


def table_json(columns: Mapping[str, list[Any]]) -> bytes:
    """Columns in the form of `mlflow.log_table`, which MLflow's UI shows as a table."""
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    return json.dumps(_plain({"columns": list(columns), "data": rows}), ensure_ascii=False).encode()


def csv(columns: Mapping[str, list[Any]]) -> bytes:
    """Columns as CSV (RFC 4180); text that looks like a formula gets an apostrophe first."""
    buffer = io.StringIO(newline="")
    writer = csv_format.writer(buffer)
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    return buffer.getvalue().encode()


def _cell(value: Any) -> Any:
    plain = _plain(value)
    return f"'{plain}" if isinstance(plain, str) and plain.startswith(_FORMULA) else plain
