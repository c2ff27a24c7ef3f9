"""The result of training dynamics: how each input was learnt, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.core.examples import MOST_IMAGES, Examples
from mlflow_interp.kinds.training_dynamics.accumulator import identities
from mlflow_interp.kinds.training_dynamics.history import NOT_SEEN, History

#: The lists of inputs by name, and what they hold.
LISTS = {
    "least learnt": "lowest mean probability of the label (mislabelled, ambiguous or hard)",
    "forgotten": "right in one epoch and wrong in a later one, most often first",
    "learnt last": "right from a late epoch on, the latest first",
}
_SHARES = {"least learnt": MOST_IMAGES // 2, "forgotten": MOST_IMAGES // 4, "learnt last": MOST_IMAGES // 4}
_LEAST = 1e-7  # of a probability, as in Keras' losses
_NOT_FOLLOWED = (
    "some inputs were not in the pass of the epoch before, and their history starts again; data that is "
    "augmented or sampled differently in each epoch can't be followed. Pass fixed inputs with data="
)


@dataclass(frozen=True, eq=False)
class TrainingDynamicsResult:
    """How inputs were learnt up to an epoch, one row per input: the least probable labels first.

    Inputs that are equal and have the same label are one row.

    Attributes:
        examples: the inputs, with the class that is predicted after this epoch.
        history: what is known of each over the epochs.
        times: (n,) int64, the number of inputs that are equal to each, with itself.
        earlier: the epochs before this one.
        kept: (k,) int64, the positions in `epochs` of those whose trajectories and class counts are kept.
        class_right: (k, classes) int64, the number of correct predictions of each class.
        class_totals: (k, classes) int64, the number of inputs of each class.
        inputs: the number of labelled inputs of the pass.
        unlabelled: the number of inputs without a label, which are left out.
        is_sample: whether only a sample of the inputs is followed.
        not_seen_before: the number of rows that the pass of the epoch before did not have.
        head: how probabilities were read from the output.
        pictured: (m,) int64, the rows with a thumbnail.
        pictures: (m, side, side, 3) uint8, their thumbnails; None if inputs aren't images.
        title: the name of the method in titles and captions.
    """

    examples: Examples
    history: History
    times: np.ndarray
    earlier: tuple[int, ...]
    kept: np.ndarray
    class_right: np.ndarray
    class_totals: np.ndarray
    inputs: int
    unlabelled: int
    is_sample: bool
    not_seen_before: int
    head: str
    pictured: np.ndarray | None = None
    pictures: np.ndarray | None = None
    title: str = "Training dynamics"

    @property
    def epochs(self) -> tuple[int, ...]:
        """All epochs, counted from 0; this one is the last."""
        record = self.examples.model_record
        step = None if record is None else record.step
        following = self.earlier[-1] + 1 if self.earlier else 0
        return (*self.earlier, following if step is None else step)

    @property
    def kept_epochs(self) -> np.ndarray:
        """(k,) int64, the epochs of the trajectories."""
        return np.asarray(np.array(self.epochs, np.int64)[self.kept])

    @property
    def identities(self) -> Any:
        """(n,) what identifies each row over epochs: digest and label."""
        return identities(np.asarray(self.examples.digests), self.examples.labels)

    @property
    def is_right(self) -> np.ndarray:
        """(n,) bool, whether the prediction after this epoch is right."""
        return np.asarray(self.examples.classes[:, 0] == self.examples.labels)

    @property
    def class_accuracy(self) -> np.ndarray:
        """(k, classes) float64, the accuracy of each class after each kept epoch; NaN without inputs."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.class_right / self.class_totals)

    @property
    def learnt_epochs(self) -> list[int | None]:
        """The epoch since which each input has always been right; None if it is wrong now."""
        epochs = self.epochs
        return [None if each == NOT_SEEN else epochs[each] for each in self.history.learnt.tolist()]

    def listed(self, name: str) -> np.ndarray:
        """(m,) int64, the rows of one of `LISTS`, in its order."""
        history = self.history
        rows = np.arange(len(self.examples))
        if name == "forgotten":
            rows = rows[history.forgotten > 0]
            return rows[np.argsort(-history.forgotten[rows], kind="stable")]
        if name == "learnt last":
            rows = rows[history.learnt > 0]
            return rows[np.argsort(-history.learnt[rows], kind="stable")]
        return rows

    def pictures_by_identity(self) -> dict[bytes, np.ndarray]:
        """Thumbnails by identity."""
        if self.pictures is None or self.pictured is None:
            return {}
        same = self.identities[self.pictured]
        return {each.tobytes(): picture for each, picture in zip(same, self.pictures, strict=True)}

    def with_pictures(self, pictures: Mapping[bytes, np.ndarray], most: int) -> TrainingDynamicsResult:
        """With thumbnails of the first inputs of each list, and the inputs that are shown."""
        of_list = [self.listed(name)[: most // len(LISTS)] for name in LISTS]
        row_of = {self.identities[row].tobytes(): row for row in np.unique(np.concatenate(of_list)).tolist()}
        found = {row: pictures[same] for same, row in row_of.items() if same in pictures}
        # Of one shape, that of the first row: inputs of an earlier epoch may have had another.
        rows = [row for row in found if found[row].shape == next(iter(found.values())).shape]
        shown = self._shown(rows if rows else None)
        images = np.stack([found[row] for row in shown.tolist()]) if rows else None
        return replace(
            self,
            examples=replace(self.examples, shown=shown, images=images),
            pictured=np.array(rows, np.int64) if rows else None,
            pictures=np.stack([found[row] for row in rows]) if rows else None,
        )

    def _shown(self, pictured: list[int] | None) -> np.ndarray:
        """The first rows of each list, those with a thumbnail if any has one."""
        chosen = set[int]()
        for name, most in _SHARES.items():
            rows = self.listed(name)
            rows = rows if pictured is None else rows[np.isin(rows, pictured)]
            chosen.update(rows[:most].tolist())
        return np.array(sorted(chosen), np.int64)

    @property
    def resolved(self) -> dict[str, Any]:
        """The kind of head that probabilities come from, and the epochs."""
        return {"head": self.head, "epochs": list(self.epochs)}

    def arrays(self) -> dict[str, np.ndarray]:
        """The history of each input and class, by name; the rows of classes are the kept epochs."""
        history = self.history
        return {
            "mean_probability": history.means.astype(np.float32),
            "variability": history.variability.astype(np.float32),
            "forgotten": history.forgotten,
            "epochs_right": history.right,
            "epochs_seen": history.seen,
            "learnt": history.learnt,
            "trajectories": history.trajectories,
            "predicted": history.predicted,
            "sums": history.sums,
            "times": self.times,
            "epochs": self.kept_epochs,
            "class_right": self.class_right,
            "class_totals": self.class_totals,
        } | self.examples.arrays()

    def metrics(self) -> dict[str, float]:
        """Accuracy of all labelled inputs, and loss and forgetting of those that are followed."""
        times = self.times
        of_label = self.history.trajectories[:, -1].astype(np.float64)
        losses = -np.log(np.maximum(of_label, _LEAST))
        accuracies = self.class_accuracy[-1]
        return {
            "inputs": float(self.inputs),
            "accuracy": float(self.class_right[-1].sum() / self.inputs),
            "label_probability": float(np.average(of_label, weights=times)),
            "loss": float(np.average(losses, weights=times)),
            "forgotten": float(times[self.history.forgotten > 0].sum()),
            "never_right": float(times[self.history.right == 0].sum()),
            "lowest_class_accuracy": float(np.nanmin(accuracies)),
        }

    def table(self) -> dict[str, list[Any]]:
        """One row per input, the least probable labels first."""
        history = self.history
        return self.examples.table() | {
            "mean_probability_of_label": history.means.tolist(),
            "variability": history.variability.tolist(),
            "forgotten": history.forgotten.tolist(),
            "right_since_epoch": self.learnt_epochs,
            "epochs_right": history.right.tolist(),
            "epochs": history.seen.tolist(),
            "times": self.times.tolist(),
        }

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """class_accuracy.csv: a row for each epoch, a column for each class that occurs."""
        accuracy = self.class_accuracy
        columns = {
            f"{index} {self.examples.class_name(index)}" if self.examples.class_names else str(index): [
                None if np.isnan(value) else value for value in accuracy[:, index].tolist()
            ]
            for index in self.occurring.tolist()
        }
        return {"class_accuracy.csv": {"epoch": self.kept_epochs.tolist()} | columns}

    @property
    def occurring(self) -> np.ndarray:
        """(c,) int64, the classes with inputs."""
        return np.flatnonzero(self.class_totals.sum(axis=0))

    def highlights(self) -> dict[str, Any]:
        """The first ten inputs of each list, by name."""
        names = self.examples.names
        return {
            name.replace(" ", "_"): [names[row] for row in self.listed(name)[:10].tolist()] for name in LISTS
        }

    def warnings(self) -> list[str]:
        """Warnings about inputs that are not followed, not labelled, or labelled in several ways."""
        warnings = self.later_warnings()
        if self.is_sample:
            warnings.append(
                f"only a sample of {len(self.examples):,} inputs is followed; raise max_followed for all"
            )
        if self.unlabelled:
            warnings.append(f"{self.unlabelled} inputs have no label and are left out")
        ambiguous = self._labelled_differently()
        if ambiguous:
            warnings.append(
                f"{ambiguous} inputs occur with different labels, so at least one label of each is wrong; "
                "correct them"
            )
        return warnings

    def later_warnings(self) -> list[str]:
        """Warnings that only a second epoch can give."""
        return [_NOT_FOLLOWED] if self.not_seen_before else []

    def _labelled_differently(self) -> int:
        """The number of inputs with several labels."""
        digests = np.ascontiguousarray(self.examples.digests).view("V16").reshape(-1)
        return int((np.unique(digests, return_counts=True)[1] > 1).sum())
