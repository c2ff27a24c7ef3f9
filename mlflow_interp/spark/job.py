"""A job: everything that a worker needs to interpret rows, as plain data that can be pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.spark.rows import Layout

if TYPE_CHECKING:
    import pyarrow as pa

#: The type of the input column: the bytes of an image file, or the numbers of an array in order.
IMAGES, NUMBERS = "images", "numbers"


@dataclass(frozen=True)
class Columns:
    """The columns of a table that hold the inputs; None for what a table does not have.

    Attributes:
        input: the inputs.
        kind: their type, `IMAGES` or `NUMBERS`.
        label: the true classes, as indices or names.
        id: what identifies a row.
    """

    input: str
    kind: str
    label: str | None = None
    id: str | None = None

    @property
    def names(self) -> list[str]:
        """The names of all columns, in the order in which workers expect them."""
        return [each for each in (self.input, self.label, self.id) if each is not None]


class TableJob(Protocol):
    """Any job that makes a table."""

    @property
    def key(self) -> str:
        """A text that is the same for jobs that give the same results."""

    @property
    def columns(self) -> Columns:
        """Where the inputs are."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The options of `load_inputs`."""

    @property
    def layout(self) -> HasSchema:
        """The columns of the table."""


class HasSchema(Protocol):
    """The columns of a table."""

    def schema(self) -> pa.Schema:
        """These columns, with their types."""


#: A job that makes a table.
J = TypeVar("J", bound=TableJob)


@dataclass(frozen=True)
class Job:
    """What workers do with rows.

    Attributes:
        model_file: the name of the Keras file, as it was shipped to workers.
        model: identifies the model: the digest of its weights.
        loaded: the model's origin and what was logged with it, without the model.
        columns: where the inputs are.
        methods: the options of each method that runs on all rows, by its name.
        layout: the columns of the table; empty before the first rows were interpreted.
        inputs: the options of `load_inputs`.
        class_names: the names of the classes, which labels may be.
        trust_model_code: see `load_model`, also for `imports`.
        seed: of the sample.
        threads: the number of threads that may decode, or work on one operation; None for all cores.
    """

    model_file: str
    model: str
    loaded: LoadedModel
    columns: Columns
    methods: Mapping[str, Mapping[str, Any]]
    layout: Layout = field(default_factory=Layout)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    class_names: tuple[str, ...] | None = None
    trust_model_code: bool = False
    imports: str | None = None
    seed: int = 0
    threads: int | None = None

    @property
    def key(self) -> str:
        """A text that is the same for jobs that give the same results; a worker compiles each once.

        The same weights may be logged again with another preprocessing or another meaning of the output.
        """
        loaded = self.loaded
        model = (self.model, loaded.head, loaded.output, loaded.ignored_label, loaded.input_shape)
        metadata = json.dumps(loaded.metadata, sort_keys=True, default=repr)
        methods, inputs = sorted(self.methods.items()), sorted(self.inputs.items())
        return repr((model, metadata, self.columns, methods, inputs, self.seed))
