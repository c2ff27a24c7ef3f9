"""Where a table is, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Location:
    """Where a table is, and how it is read.

    Attributes:
        where: its folder, or its name in the catalog.
        format: such as "parquet".
        call: the value of its column `call` that tells its rows apart from those of other calls.
        columns: the names and types of its columns.
        is_path: whether it is a folder.
    """

    where: str
    format: str
    call: str
    columns: tuple[tuple[str, str], ...] = ()
    is_path: bool = True

    def code(self, method: str | None) -> str:
        """Two lines of Python that read the rows back, and the heatmaps of a method of some of them.

        Without a method, how many rows there are of each label and prediction.
        """
        if not self.is_path:
            read = f"spark.table({self.where!r})"
        elif self.format == "parquet":
            read = f"spark.read.parquet({self.where!r})"
        else:
            read = f"spark.read.format({self.format!r}).load({self.where!r})"
        condition = f"call = '{self.call}'"
        then = 'rows.groupBy("label", "predicted").count().show()'
        if method is not None:
            then = f"found = mlflow_interp.spark.heatmaps(rows.limit(1000), {method!r})"
        return f"rows = {read}.where({condition!r})\n{then}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        columns = [{"name": name, "type": type_} for name, type_ in self.columns]
        return {
            "where": self.where,
            "format": self.format,
            "call": self.call,
            "is_path": self.is_path,
            "columns": columns,
        }

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Location:
        """The location with these values."""
        columns = tuple((str(each["name"]), str(each["type"])) for each in stored["columns"])
        where, format_, call = (str(stored[name]) for name in ("where", "format", "call"))
        return cls(where, format_, call, columns, bool(stored["is_path"]))
