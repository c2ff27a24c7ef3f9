"""Training dynamics: which inputs a model learns late, forgets, or never agrees with the label of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from mlflow_interp.core.accepted import Range
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.method import Predicting
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InapplicableError
from mlflow_interp.kinds.training_dynamics.accumulator import Epoch
from mlflow_interp.kinds.training_dynamics.history import continue_history
from mlflow_interp.kinds.training_dynamics.result import TrainingDynamicsResult

REQUIRES = ("classes", "labels", "training")

_NO_LABELS = (
    "no input has a label, and training dynamics follow the probability of the label; give a dataset of "
    "(input, label) pairs or arrays with labels"
)


def training_dynamics(
    model: Any, batch: Batch, *, max_followed: Annotated[int, Range(least=1)] = 10_000
) -> Predicting[TrainingDynamicsResult]:
    """Which inputs are learnt late, forgotten, or likely mislabelled, during a training.

    After each epoch, the probability that the model gives to the label of each input is noted. Its mean and
    standard deviation over the epochs are the confidence and variability of dataset cartography (Swayamdipta
    et al. 2020): a low mean marks labels that are wrong, ambiguous or hard to learn, a high deviation inputs
    that the model is undecided about. An input is forgotten when a right prediction is followed by a wrong
    one (Toneva et al. 2019). The accuracy of each class is counted on all labelled inputs.

    For use during training only. Inputs are recognised by their values and label, whatever their order. Data
    that is augmented differently in each epoch can't be followed.

    Args:
        max_followed: Maximum number of inputs to follow, the same in each epoch; of more inputs, a sample
            selected by hash. Memory grows with their number and, up to 500,000 values, with the number of
            epochs.

    Returns:
        Probability of the label (n, epochs) float32, correct predictions (epochs, classes) int64.

    Raises:
        InapplicableError: no input has a label, or inputs have several.
        InputsError: a label that is not a class of the model.
    """
    if not batch.labelled:
        raise InapplicableError(_NO_LABELS)
    return _TrainingDynamicsMethod(batch.class_names, max_followed)


class _TrainingDynamicsMethod(Predicting[TrainingDynamicsResult]):
    """Training dynamics with its options."""

    title = TrainingDynamicsResult.title

    def __init__(self, class_names: tuple[str, ...] | None, max_followed: int) -> None:
        self._class_names = class_names
        self._max_followed = max_followed

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The prediction at each position, for a model that predicts classes of positions: it is refused."""
        return trace.at_positions()

    def accumulator(self) -> TrainingDynamicsAccumulator:
        """Accumulates one epoch."""
        return TrainingDynamicsAccumulator(Epoch(self._max_followed), self._class_names)


class TrainingDynamicsAccumulator:
    """Accumulates the inputs of one epoch, and continues the history of earlier ones.

    Args:
        epoch: accumulates the inputs.
        class_names: the names of the classes, if known.
    """

    def __init__(self, epoch: Epoch, class_names: tuple[str, ...] | None) -> None:
        self._epoch = epoch
        self._class_names = class_names

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk.

        Raises:
            InapplicableError: not one class for each input.
            InputsError: a label that is not a class.
        """
        self._epoch.update(chunk, passed)

    def merge(self, other: TrainingDynamicsAccumulator) -> None:
        """Add other inputs of the same epoch."""
        self._epoch.merge(other._epoch)

    def result(
        self, examples: Any = None, previous: TrainingDynamicsResult | None = None
    ) -> TrainingDynamicsResult:
        """The history up to this epoch.

        Raises:
            InapplicableError: no input has a label.
        """
        if not self._epoch.inputs:
            raise InapplicableError(_NO_LABELS)
        return continue_history(self._epoch, self._class_names, previous)
