"""A job that compares two versions, as plain data that can be pickled, and the columns of its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlflow_interp.comparison.version import ClassOrder
from mlflow_interp.spark.job import Columns, Job
from mlflow_interp.spark.rows import PART

if TYPE_CHECKING:
    import pyarrow as pa

VERSIONS = ("old", "new")


@dataclass(frozen=True)
class ComparedLayout:
    """Which columns the table of a comparison has.

    Attributes:
        heatmaps: the methods whose heatmaps are compared.
    """

    heatmaps: tuple[str, ...] = ()

    def schema(self) -> pa.Schema:
        """The columns that a worker returns, with their types."""
        import pyarrow as pa

        prediction = pa.struct(
            [
                ("predicted", pa.int32()),
                ("probability", pa.float32()),
                ("target_probability", pa.float32()),
            ]
        )
        agreement = pa.struct(
            [
                ("correlation", pa.float32()),
                ("overlap", pa.float32()),
                ("moved", pa.float32()),
                *((f"{version}_is_empty", pa.bool_()) for version in VERSIONS),
            ]
        )
        return pa.schema(
            [
                ("id", pa.string()),
                ("digest", pa.binary()),
                ("key", pa.binary()),
                ("label", pa.int32()),
                ("target", pa.int32()),
                *((version, prediction) for version in VERSIONS),
                *((name, agreement) for name in self.heatmaps),
                ("error", pa.string()),
                (PART, pa.binary()),
            ]
        )


@dataclass(frozen=True)
class ComparedJob:
    """What workers do with rows to compare two versions.

    Attributes:
        old: the job of the old version.
        new: that of the new one, with the same columns and options.
        target: the class to explain, an index or "label"; None for the class that the old version predicts.
        order: which class of the new version is which class of the old one.
        layout: the columns of the table.
    """

    old: Job
    new: Job
    target: Any = None
    order: ClassOrder = field(default_factory=ClassOrder)
    layout: ComparedLayout = field(default_factory=ComparedLayout)

    @property
    def key(self) -> str:
        """A text that is the same for jobs that give the same results."""
        order = None if self.order.to_new is None else self.order.to_new.tolist()
        return repr(("compare", self.old.key, self.new.key, self.target, order, self.layout))

    @property
    def columns(self) -> Columns:
        """Where the inputs are."""
        return self.old.columns

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The options of `load_inputs`."""
        return self.old.inputs
