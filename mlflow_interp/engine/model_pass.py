"""One compiled pass through the model, shared by all methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import any_rows, compile_for
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Arrays, Chunk
from mlflow_interp.core.output_positions import POSITION_WEIGHTS
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.method import Method
from mlflow_interp.engine.output_warnings import labels_warnings, output_warnings, rows_warning
from mlflow_interp.engine.targets import PREDICTED, class_chooser, class_count, explained_key
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InputsError, InterpretationError


class ModelPass:
    """One compiled function for all methods: predictions, and the tensors that each method requests.

    Attributes:
        errors: the errors of methods that can't be used with the model, by name.

    Raises:
        ModelError: the model can't take the inputs.
    """

    def __init__(self, model: Any, batch: Batch, methods: Mapping[str, Method[Any]], chunk: Chunk) -> None:
        self.errors: dict[str, InterpretationError] = {}
        self._model = model
        self._batch = batch
        self._has_warned = False
        self._stated_head = batch.head
        self._methods = methods
        self._head = ""
        self._classes = 0
        self._is_contradicted = False
        self._has_positions = False
        explained = {
            explained_key(target, each.contrast): (target, each.contrast)
            for each in methods.values()
            for target in each.targets
        }
        self._columns: dict[str, slice] = {}
        self._column_count = 0
        for key, (_, contrast) in explained.items():
            start, self._column_count = self._column_count, self._column_count + class_count(contrast, batch)
            self._columns[key] = slice(start, self._column_count)
        weights = chunk.columns.get(POSITION_WEIGHTS)
        specs = [] if weights is None else [any_rows(np.float32, *weights.shape[1:])]
        self._function = compile_for(
            self._trace, chunk.inputs, any_rows(np.int64, self._column_count), *specs
        )
        found = output_warnings(
            model.name,
            batch,
            chunk,
            head=self._head,
            classes=self._classes,
            is_contradicted=self._is_contradicted,
        )
        of_labels = labels_warnings(batch, chunk, methods, head=self._head, has_positions=self._has_positions)
        for warning in (*found, *of_labels):
            if warning not in batch.warnings:
                batch.warnings.append(warning)
        self._choosers = {}
        for key, (target, contrast) in explained.items():
            try:
                self._choosers[key] = class_chooser(target, contrast, batch, self._classes)
            except InterpretationError as error:
                self._fail_all(key, error)

    def __call__(self, chunk: Chunk, explained: np.ndarray | None = None) -> tuple[Passed, dict[str, Passed]]:
        """Predictions, and the outputs for each method.

        Args:
            chunk: the inputs.
            explained: (n,) int64, the class to explain for each, in place of the targets of all methods.

        Raises:
            InputsError: predictions that are not finite.
        """
        classes = np.full((len(chunk), self._column_count), PREDICTED, np.int64)
        for key, choose in self._choosers.items():
            classes[:, self._columns[key]] = choose(chunk)
            if explained is not None:
                classes[:, self._columns[key].start] = explained  # the contrast classes stay
        weights = chunk.columns.get(POSITION_WEIGHTS)
        arguments = [] if weights is None else [weights]
        probabilities, tensors = self._function(chunk.inputs, classes, *arguments)
        stated = self._batch.positions
        where = "" if stated is None else stated.text
        passed = Passed(check_finite(chunk, probabilities.numpy()), self._head, positions=where)
        warning = None if self._has_warned else rows_warning(chunk, passed)
        if warning is not None:
            self._has_warned = True
            self._batch.warnings.append(warning)
        return passed, {
            name: replace(passed, arrays={key: tensor.numpy() for key, tensor in each.items()})
            for name, each in tensors.items()
        }

    def _trace(self, inputs: Arrays, classes: Any, *weights: Any) -> Any:
        by_key = {key: classes[:, columns] for key, columns in self._columns.items()}
        trace = Trace(self._model, inputs, by_key, head=self._stated_head, weights=next(iter(weights), None))
        self._head = trace.scores.head
        self._is_contradicted = trace.scores.is_contradicted
        self._has_positions = trace.scores.positions is not None
        self._classes = int(trace.scores.probabilities.shape[-1])
        tensors = {}
        for name, method in self._methods.items():
            try:
                tensors[name] = dict(method.trace(trace))
            except InterpretationError as error:
                self.errors[name] = error
        return trace.scores.probabilities, tensors

    def _fail_all(self, key: str, error: InterpretationError) -> None:
        """Fail every method that explains these classes."""
        for name, method in self._methods.items():
            if key in (explained_key(target, method.contrast) for target in method.targets):
                self.errors.setdefault(name, error)


def check_finite(chunk: Chunk, probabilities: np.ndarray) -> np.ndarray:
    """The same probabilities, after a check that they are finite.

    Raises:
        InputsError: some are not finite.
    """
    invalid = np.flatnonzero(~np.isfinite(probabilities).all(axis=1))
    if len(invalid):
        raise InputsError(
            f"the model gives NaN or infinite values for input {chunk.names[invalid[0]]!r} "
            f"({len(invalid)} of {len(chunk)} in its chunk); check the model's weights, or "
            "leave these inputs out"
        )
    return np.asarray(probabilities)
