"""The rows of the table of results: one for each input, in Arrow's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.core.coarse_maps import coarse
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.sampling import sampling_keys
from mlflow_interp.engine.method import Streaming
from mlflow_interp.exceptions import OptionError
from mlflow_interp.method_registry import kind_of

if TYPE_CHECKING:
    import pyarrow as pa

MAPS = "maps"  # the name of heatmaps among the arrays of methods
MOST_VALUES = 5  # of a regression with several outputs
PART = "part"  # the column with what a task accumulated, in its last row
_TYPES = {"int32": "int", "bool": "boolean"}  # Spark's names where they differ from Arrow's
CALL = "call"  # the column that tells calls apart in a table with several


@dataclass(frozen=True)
class Layout:
    """Which columns the table has.

    Attributes:
        heatmaps: the methods with a column of heatmaps.
        vectors: the methods with a column of activations, and the layers that these are of.
    """

    heatmaps: tuple[str, ...] = ()
    vectors: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def of(cls, methods: Mapping[str, Streaming[Any]], shares: Mapping[str, Passed]) -> Layout:
        """The columns for methods, from their outputs for some inputs.

        Raises:
            OptionError: the results of a method can't be stored in rows.
        """
        heatmaps = []
        vectors = []
        for name, share in shares.items():
            method = methods[name]
            if kind_of(name).has_heatmaps and MAPS in share.arrays:
                heatmaps.append(name)
            elif layers := method.vectors_of(share.arrays):
                vectors.append((name, tuple(layers)))
            elif method.needs_examples:
                raise OptionError(
                    f"{name} can't run on all rows of a table, as its results are neither heatmaps, "
                    "activations nor counts; omit it"
                )
        return cls(tuple(heatmaps), tuple(vectors))

    def schema(self) -> pa.Schema:
        """The columns that a worker returns, with their types."""
        import pyarrow as pa

        floats = pa.list_(pa.float32())
        prediction = [("label", pa.int32()), ("predicted", pa.int32()), ("probability", pa.float32())]
        heatmap = pa.struct(
            [
                ("target", pa.int32()),
                ("score", pa.float32()),
                ("probability", pa.float32()),
                ("shape", pa.list_(pa.int32())),
                ("heatmap", floats),
            ]
        )
        return pa.schema(
            [
                ("id", pa.string()),
                ("digest", pa.binary()),
                ("key", pa.binary()),
                *prediction,
                ("values", floats),
                *((name, heatmap) for name in self.heatmaps),
                *((name, pa.struct([("activations", pa.list_(floats))])) for name, _ in self.vectors),
                ("error", pa.string()),
                (PART, pa.binary()),
            ]
        )


def ddl(schema: pa.Schema) -> str:
    """A schema in the form that Spark takes."""
    return ", ".join(f"{field.name} {_type(field.type)}" for field in schema)


def _type(type_: Any) -> str:
    import pyarrow as pa

    if pa.types.is_struct(type_):
        fields = (f"{each.name}: {_type(each.type)}" for each in type_)
        return f"struct<{', '.join(fields)}>"
    if pa.types.is_list(type_):
        return f"array<{_type(type_.value_type)}>"
    return {"int32": "int", "float": "float", "string": "string", "binary": "binary", "bool": "boolean"}[
        str(type_)
    ]


class RowBuilder:
    """Makes rows of the table.

    Args:
        layout: its columns.
        methods: the methods, by name.
        seed: of the sample that `key` orders rows for.
        log_images: whether heatmaps may be so fine that they show the inputs.
    """

    def __init__(
        self, layout: Layout, methods: Mapping[str, Any], *, seed: int = 0, log_images: bool = True
    ) -> None:
        self.layout = layout
        self._methods = methods
        self._seed = seed
        self._log_images = log_images
        self.schema = layout.schema()

    def rows(self, chunk: Chunk, passed: Passed, shares: Mapping[str, Passed]) -> pa.RecordBatch:
        """The rows of a chunk; the columns of methods without outputs are null."""
        import pyarrow as pa

        columns: dict[str, Any] = {"id": pa.array(list(chunk.names), pa.string())}
        if chunk.digests is not None:
            columns["digest"] = binary(chunk.digests)
            columns["key"] = binary(sampling_keys(chunk.digests, self._seed))
        columns |= self._predictions(chunk, passed)
        for name in self.layout.heatmaps:
            if name in shares:
                columns[name] = self._heatmaps(chunk, shares[name], self.schema.field(name).type)
        for name, _ in self.layout.vectors:
            if name in shares:
                vectors = self._methods[name].vectors_of(shares[name].arrays)
                columns[name] = _activations(list(vectors.values()), self.schema.field(name).type)
        return self._batch(columns, len(chunk))

    def errors(self, ids: Sequence[str], reasons: Sequence[str]) -> pa.RecordBatch:
        """The rows of inputs that could not be interpreted, and why."""
        import pyarrow as pa

        texts = {"id": pa.array(ids, pa.string()), "error": pa.array(reasons, pa.string())}
        return self._batch(texts, len(ids))

    def _batch(self, columns: Mapping[str, Any], count: int) -> pa.RecordBatch:
        import pyarrow as pa

        arrays = [
            columns[field.name] if field.name in columns else pa.nulls(count, field.type)
            for field in self.schema
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _predictions(self, chunk: Chunk, passed: Passed) -> dict[str, Any]:
        import pyarrow as pa

        labels = passed.labels_of(chunk)
        columns: dict[str, Any] = {"label": pa.array(labels, pa.int32(), mask=labels == UNKNOWN)}
        probabilities = passed.probabilities
        if probabilities is None:
            return columns
        if not passed.has_classes:
            return columns | {"values": _lists(probabilities[:, :MOST_VALUES])}
        predicted = probabilities.argmax(axis=1)
        return columns | {
            "predicted": pa.array(predicted, pa.int32()),
            "probability": pa.array(probabilities.max(axis=1), pa.float32()),
        }

    def maps_of(self, chunk: Chunk, share: Passed) -> np.ndarray:
        """The heatmaps of a method for a chunk, float32, reduced if they may not show the inputs."""
        maps = np.asarray(share.arrays[MAPS], np.float32)
        return maps if self._log_images else coarse(maps, chunk.inputs, maps.ndim - 1)

    def _heatmaps(self, chunk: Chunk, share: Passed, type_: Any) -> Any:
        import pyarrow as pa

        arrays, maps = share.arrays, self.maps_of(chunk, share)
        count = len(chunk)
        shape = np.tile(np.array(maps.shape[1:], np.int32), (count, 1))
        fields = {"target": "targets", "score": "scores", "probability": "probabilities"}
        columns = {
            name: pa.array(arrays[key], type_.field(name).type)
            if key in arrays
            else pa.nulls(count, type_.field(name).type)
            for name, key in fields.items()
        }
        columns |= {"shape": _lists(shape), "heatmap": _lists(maps.reshape(count, -1))}
        return pa.StructArray.from_arrays([columns[each.name] for each in type_], fields=list(type_))


def binary(rows: np.ndarray) -> Any:
    """Rows of bytes (n, k) uint8 as an array of binary values."""
    import pyarrow as pa

    return pa.array([row.tobytes() for row in rows], pa.binary())


def _lists(rows: np.ndarray) -> Any:
    """(n, k) numbers as n lists."""
    import pyarrow as pa

    count, each = rows.shape
    offsets = np.arange(count + 1, dtype=np.int32) * each
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(rows).reshape(-1)))


def _activations(layers: Sequence[np.ndarray], type_: Any) -> Any:
    """Activations of several layers as n structs of lists of lists, rounded to half precision.

    Rounded numbers take half the space in compressed files. What is too large for half precision stays.
    """
    import pyarrow as pa

    rows = []
    for values in layers:
        with np.errstate(over="ignore"):
            rounded = values.astype(np.float16).astype(np.float32)
        rows.append(np.where(np.isfinite(rounded), rounded, values.astype(np.float32)))
    count = len(rows[0])
    lengths = np.tile([each.shape[1] for each in rows], count)
    inner = pa.ListArray.from_arrays(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        pa.array(np.concatenate(rows, axis=1).reshape(-1)),
    )
    outer = pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * len(rows), inner)
    return pa.StructArray.from_arrays([outer], fields=list(type_))
