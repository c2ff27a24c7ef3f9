"""Which model a result is of, and when it was computed: what a figure states below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

R = TypeVar("R")


@dataclass(frozen=True)
class ModelRecord:
    """The model of a result, and the date of its computation.

    Attributes:
        name: the model's registered name, or the name of the Keras model; empty if it has none.
        version: its registered version; empty if it has none.
        date: the date in UTC, such as 2026-11-27; empty if not known.
        step: the epoch during training; None outside a training.
    """

    name: str = ""
    version: str = ""
    date: str = ""
    step: int | None = None

    @classmethod
    def of(cls, model: Mapping[str, Any], date: str, *, step: int | None = None) -> ModelRecord:
        """The record of a model whose `name` and `version` a manifest has."""
        return cls(str(model.get("name") or ""), str(model.get("version") or ""), date, step)

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, to be stored."""
        return asdict(self)

    @classmethod
    def restored(cls, stored: Mapping[str, Any] | None) -> ModelRecord | None:
        """The record with the stored fields; None without any."""
        if not stored:
            return None
        step = stored.get("step")
        name, version, date = (str(stored.get(each, "")) for each in ("name", "version", "date"))
        return cls(name, version, date, None if step is None else int(step))


def with_record(result: R, record: ModelRecord) -> R:
    """A result whose examples have a record; a result without examples is unchanged."""
    if not is_dataclass(result) or isinstance(result, type):
        return result
    changes = {}
    for each in fields(result):
        value = getattr(result, each.name)
        # Examples, or what has examples.
        if hasattr(value, "model_record"):
            changes[each.name] = replace(value, model_record=record)
        elif is_dataclass(value) and hasattr(getattr(value, "examples", None), "model_record"):
            changes[each.name] = with_record(value, record)
    return replace(result, **changes) if changes else result
