"""Continues the history of earlier epochs with the inputs of one more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.core.examples import Examples
from mlflow_interp.core.selection import DECIMALS
from mlflow_interp.kinds.training_dynamics.accumulator import MOST_PICTURED, Epoch, identities

if TYPE_CHECKING:
    from mlflow_interp.kinds.training_dynamics.result import TrainingDynamicsResult

MOST_VALUES = 500_000  # of all trajectories; beyond it, every second epoch of them is dropped
NOT_SEEN = -1  # the predicted class in an epoch whose pass did not have the input


@dataclass(frozen=True, eq=False)
class History:
    """What is known of each input over the epochs, one row per input.

    Attributes:
        seen: (n,) int64, the number of epochs whose pass had the input.
        sums: (n, 2) float64, the sums over these epochs of the probability of the label and of its square.
        forgotten: (n,) int64, how often a right prediction was followed by a wrong one.
        right: (n,) int64, the number of epochs in which the prediction was right.
        learnt: (n,) int64, the number of epochs before the one since which the prediction has always been
            right; -1 if it is wrong now.
        trajectories: (n, k) float32, the probability of the label after each kept epoch; 0 if not seen.
        predicted: (n, k) int32, the predicted class likewise; `NOT_SEEN` if not seen.
    """

    seen: np.ndarray
    sums: np.ndarray
    forgotten: np.ndarray
    right: np.ndarray
    learnt: np.ndarray
    trajectories: np.ndarray
    predicted: np.ndarray

    @classmethod
    def empty(cls, count: int, kept: int) -> History:
        """The history of inputs that no earlier epoch had."""
        zeros = np.zeros(count, np.int64)
        return cls(
            seen=zeros,
            sums=np.zeros((count, 2)),
            forgotten=zeros,
            right=zeros,
            learnt=np.full(count, NOT_SEEN),
            trajectories=np.zeros((count, kept), np.float32),
            predicted=np.full((count, kept), NOT_SEEN, np.int32),
        )

    def filled(self, rows: np.ndarray, other: History, others: np.ndarray) -> History:
        """This with some rows replaced by rows of another."""
        columns = {}
        for name, values in vars(self).items():
            columns[name] = values.copy()
            columns[name][rows] = vars(other)[name][others]
        return History(**columns)

    def at(self, rows: np.ndarray) -> History:
        """Some rows, in this order."""
        return History(**{name: values[rows] for name, values in vars(self).items()})

    def kept(self, columns: np.ndarray) -> History:
        """With some epochs of the trajectories only."""
        return replace(self, trajectories=self.trajectories[:, columns], predicted=self.predicted[:, columns])

    def continued(
        self, of_label: np.ndarray, predicted: np.ndarray, is_right: np.ndarray, epochs: int
    ) -> History:
        """With one more epoch, after `epochs` others."""
        was_right = self.learnt != NOT_SEEN
        values = of_label.astype(np.float64)
        return History(
            seen=self.seen + 1,
            sums=self.sums + np.stack([values, values**2], axis=1),
            forgotten=self.forgotten + (was_right & ~is_right),
            right=self.right + is_right,
            learnt=np.where(is_right, np.where(was_right, self.learnt, epochs), NOT_SEEN),
            trajectories=np.concatenate([self.trajectories, of_label[:, np.newaxis]], axis=1),
            predicted=np.concatenate([self.predicted, predicted[:, np.newaxis]], axis=1),
        )

    @property
    def means(self) -> np.ndarray:
        """(n,) float64, the mean probability of the label over the epochs."""
        return np.asarray(self.sums[:, 0] / self.seen)

    @property
    def variability(self) -> np.ndarray:
        """(n,) float64, the standard deviation of the probability of the label over the epochs."""
        return np.asarray(np.sqrt(np.maximum(0, self.sums[:, 1] / self.seen - self.means**2)))


def continue_history(
    epoch: Epoch, class_names: tuple[str, ...] | None, previous: TrainingDynamicsResult | None
) -> TrainingDynamicsResult:
    """The result after one more epoch; the inputs with the least probable labels come first.

    Only inputs of this epoch are followed further. An input that an earlier epoch lacked starts here.
    """
    from mlflow_interp.kinds.training_dynamics.result import TrainingDynamicsResult

    rows = epoch.rows()
    same = identities(rows["digests"], rows["labels"])
    earlier = () if previous is None else previous.epochs
    history, first, found = _earlier_history(same, rows, previous)
    is_right = rows["predicted"] == rows["labels"]
    history = history.continued(rows["of_label"], rows["predicted"], is_right, len(earlier))
    order = np.lexsort((rows["labels"], rows["keys"], np.round(history.means, DECIMALS)))
    history = history.at(order)
    # A shuffled dataset gives an input another position each time; it keeps the name of its first.
    names, indices = (first[name][order] for name in ("names", "indices"))
    examples = Examples(
        indices=indices,
        names=tuple(names.tolist()),
        labels=rows["labels"][order],
        classes=rows["predicted"][order].astype(np.int64)[:, np.newaxis],
        probabilities=rows["confidence"][order][:, np.newaxis],
        class_names=class_names,
        images=None,
        digests=rows["digests"][order],
    )
    kept = np.arange(1) if previous is None else np.append(previous.kept, len(earlier))
    right, totals = _class_counts(epoch, previous)
    result = TrainingDynamicsResult(
        examples=examples,
        history=history,
        times=rows["times"][order],
        earlier=earlier,
        kept=kept,
        class_right=right,
        class_totals=totals,
        inputs=epoch.inputs,
        unlabelled=epoch.unlabelled,
        is_sample=epoch.is_sample,
        not_seen_before=0 if previous is None else int((~found).sum()),
        head=epoch.head,
    )
    pictures = ({} if previous is None else previous.pictures_by_identity()) | epoch.pictures()
    return _thinned(result).with_pictures(pictures, MOST_PICTURED)


def _earlier_history(
    same: np.ndarray, rows: dict[str, np.ndarray], previous: TrainingDynamicsResult | None
) -> tuple[History, dict[str, np.ndarray], np.ndarray]:
    """The history of each row, its first name and position, and whether an earlier epoch had it."""
    first = {"names": rows["names"].copy(), "indices": rows["indices"].copy()}
    if previous is None:
        return History.empty(len(same), 0), first, np.zeros(len(same), bool)
    row_of = {each.tobytes(): row for row, each in enumerate(previous.identities)}
    others = np.array([row_of.get(each.tobytes(), NOT_SEEN) for each in same], np.int64)
    found = others != NOT_SEEN
    history = History.empty(len(same), len(previous.kept))
    history = history.filled(np.flatnonzero(found), previous.history, others[found])
    first["names"][found] = np.array(previous.examples.names, object)[others[found]]
    first["indices"][found] = previous.examples.indices[others[found]]
    return history, first, found


def _class_counts(epoch: Epoch, previous: TrainingDynamicsResult | None) -> tuple[np.ndarray, np.ndarray]:
    """(k, classes) the number of correct predictions and of inputs of each class, by kept epoch."""
    right, totals = (np.asarray(each)[np.newaxis] for each in (epoch.right, epoch.totals))
    if previous is None or previous.class_right.shape[1] != right.shape[1]:
        earlier = 0 if previous is None else len(previous.kept)
        zeros = np.zeros((earlier, right.shape[1]), np.int64)
        return np.concatenate([zeros, right]), np.concatenate([zeros, totals])
    return np.concatenate([previous.class_right, right]), np.concatenate([previous.class_totals, totals])


def _thinned(result: TrainingDynamicsResult) -> TrainingDynamicsResult:
    """With every second kept epoch, from the last backwards, if the trajectories are too many."""
    count = len(result.kept)
    if count < 3 or count * len(result.examples) <= MOST_VALUES:
        return result
    columns = np.unique(np.append(np.arange(0, count, 2), count - 1))
    return replace(
        result,
        history=result.history.kept(columns),
        kept=result.kept[columns],
        class_right=result.class_right[columns],
        class_totals=result.class_totals[columns],
    )
