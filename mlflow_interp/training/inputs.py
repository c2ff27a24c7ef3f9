"""The inputs that are interpreted in a training: the same after every epoch, unless `resample` is set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.backend.heads import VALUES_BY_LOSS
from mlflow_interp.backend.validation_tap import ValidationBatch
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Arrays, Chunk, flatten, map_arrays, position_names
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.training.fit_data import AsArrays, FitData
from mlflow_interp.training.options import TrainingOptions
from mlflow_interp.training.reservoir import Reservoir, choose, is_classes

AT_ONCE = 128  # inputs in a batch of the sample

_OPTIMISTIC = (
    "no validation data: interpreting a sample of the training data, on which results are optimistic; pass "
    "validation_data to fit, or data="
)
_CONSUMED = (
    "no validation data, and sampling these training data would use them up, so nothing is interpreted; "
    "pass validation_data to fit, or data="
)


class TrainingInputs:
    """Chooses the inputs to interpret from the data of a training.

    Args:
        options: the options of the training's interpretation.
        data: the data of `fit`.
        arrays: returns inputs and labels in memory as arrays, and None for any others.
        loaded: returns the model in training.
        warn: warns the user, once for each text.
    """

    def __init__(
        self,
        options: TrainingOptions,
        data: FitData,
        arrays: AsArrays,
        loaded: Callable[[], LoadedModel],
        warn: Callable[[str], None],
    ) -> None:
        self._options = options
        self._data = data
        self._arrays = arrays
        self._loaded = loaded
        self._warn = warn
        self._validation = arrays(data.validation)
        self._reservoir: Reservoir | None = None
        self._batch: Batch | None = None
        #: Whether inputs are only available by capturing the validation pass.
        self.captures = options.data is None and data.validation is not None and self._validation is None

    def begin_pass(self, epoch: int) -> None:
        """Prepare for a validation pass."""
        if self.captures and (self._reservoir is None or self._options.resample):
            self._reservoir = Reservoir(self._options.samples, self._seed(epoch))

    def add(self, batch: ValidationBatch) -> None:
        """Add a batch of the validation pass."""
        if self.captures and self._reservoir is not None and (self._batch is None or self._options.resample):
            self._reservoir.add(batch)

    def validation_batch(self) -> Batch | None:
        """All validation data, if they are in memory."""
        if self._validation is None or self._options.data is not None:
            return None
        return self._batch_of(*self._validation, "validation data of fit")

    def batch(self, epoch: int) -> Batch | None:
        """The inputs to interpret after an epoch; None if there are no inputs, or not yet."""
        if self._batch is None or self._options.resample:
            self._batch = self._choose_batch(epoch)
        return self._batch

    def _seed(self, epoch: int) -> int:
        return self._options.seed + (epoch if self._options.resample else 0)

    def _choose_batch(self, epoch: int) -> Batch | None:
        if self._options.data is not None:
            return self._batch_of_data(epoch)
        if self._validation is not None:
            return self._sampled_batch(*self._validation, epoch, "sample of the validation data of fit")
        if self._data.validation is not None:
            return self._captured_batch()
        training = self._arrays(self._data.training)
        self._warn(_CONSUMED if training is None else _OPTIMISTIC)
        return training and self._sampled_batch(*training, epoch, "sample of the training data of fit")

    def _batch_of_data(self, epoch: int) -> Batch:
        data = self._options.data
        options = self._options
        pair = (data[0], data[1]) if isinstance(data, (tuple, list)) and len(data) == 2 else None
        arrays = self._arrays(pair)
        if arrays is not None:
            return self._sampled_batch(*arrays, epoch, "data")
        batch = load_inputs(
            data,
            self._loaded(),
            class_names=options.class_names,
            preprocess=options.preprocess,
            resize=options.resize,
            interpolation=options.interpolation,
            max_inputs=options.samples,
            log_images=options.log_images,
        )
        return batch.in_memory()  # a shuffled dataset gives other inputs when it is read again

    def _captured_batch(self) -> Batch | None:
        sample = None if self._reservoir is None else self._reservoir.sample()
        if sample is None:  # no validation pass yet, or none that could be captured
            return None
        inputs, labels, positions = sample
        return self._batch_of(inputs, labels, "sample of the validation data of fit", positions)

    def _sampled_batch(self, inputs: Arrays, labels: np.ndarray | None, epoch: int, source: str) -> Batch:
        rows = choose(inputs, labels, self._options.samples, self._seed(epoch))
        sampled = map_arrays(lambda array: np.asarray(array[rows]), inputs)
        return self._batch_of(sampled, None if labels is None else labels[rows], source, rows)

    def _batch_of(
        self, inputs: Arrays, labels: np.ndarray | None, source: str, rows: np.ndarray | None = None
    ) -> Batch:
        """Inputs as a batch in the form that the model takes; inputs of fit are never preprocessed."""
        is_regression = self._loaded().head in ("values", VALUES_BY_LOSS)
        if labels is not None and not is_classes(labels) and not is_regression:
            self._warn("the labels are not classes and are ignored; for a regression, pass head='values'")
            labels = None
        stated = self._options.preprocess
        batch = load_inputs(
            inputs,
            self._loaded(),
            labels=labels,
            class_names=self._options.class_names,
            preprocess="none" if self._options.data is None or stated == "auto" else stated,
            batch_size=min(AT_ONCE, len(flatten(inputs)[0])),
            log_images=self._options.log_images,
        )
        batch = replace(batch, source=source)
        return batch if rows is None else _numbered(batch, rows)


def _numbered(batch: Batch, rows: np.ndarray) -> Batch:
    """A batch whose inputs are named by their positions in the data that they were chosen from."""

    def read() -> Iterator[Chunk]:
        for chunk in batch.read():
            positions: Any = rows[chunk.indices]
            yield replace(chunk, indices=positions, names=position_names(positions))

    return replace(batch, read=read)
