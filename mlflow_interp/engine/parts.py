"""The accumulated data of methods for some or all inputs; can be pickled and merged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlflow_interp.core.examples import ExampleAccumulator
from mlflow_interp.core.inputs_record import InputsRecord
from mlflow_interp.engine.method import Accumulator
from mlflow_interp.exceptions import InterpretationError


@dataclass
class Part:
    """The accumulated data of one method for some or all inputs; can be pickled, and merged with other parts.

    Attributes:
        accumulator: the accumulator of the method.
        examples: the inputs and their predictions; None for a method that needs none.
        notes: what a user should know about how it was run.
        seconds: the duration of the pass, or of the method itself if it makes its own passes.
    """

    accumulator: Accumulator[Any]
    examples: ExampleAccumulator | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def merge(self, other: Part) -> None:
        """Merge the part of other inputs."""
        self.accumulator.merge(other.accumulator)
        if self.examples is not None and other.examples is not None:
            self.examples.merge(other.examples)

    def result(self, previous: Any = None) -> Any:
        """The result of the method; see `Accumulator.result`."""
        examples = None if self.examples is None else self.examples.result()
        return self.accumulator.result(examples, previous)


@dataclass
class Parts:
    """The accumulated data of all methods of one call for some or all inputs.

    Attributes:
        parts: by the name of the method.
        errors: the errors of the methods that failed, by name.
        inputs: the record of the inputs; None if none was read.
    """

    parts: dict[str, Part] = field(default_factory=dict)
    errors: dict[str, InterpretationError] = field(default_factory=dict)
    inputs: InputsRecord | None = None

    def merge(self, other: Parts) -> None:
        """Merge the parts of other inputs; a method that failed on any part has failed."""
        self.errors = other.errors | self.errors
        for name, part in other.parts.items():
            if name in self.parts:
                self.parts[name].merge(part)
            else:
                self.parts[name] = part
        self.parts = {name: part for name, part in self.parts.items() if name not in self.errors}
        if self.inputs is None:
            self.inputs = other.inputs
        elif other.inputs is not None:
            self.inputs.merge(other.inputs)
