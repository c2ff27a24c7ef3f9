"""Inputs and the model's predictions for them, one row per input."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.core.contrast import class_or_value, contrast_name, resolved_contrast
from mlflow_interp.core.image_arrays import ImagePart, thumbnails
from mlflow_interp.core.localization import Localization
from mlflow_interp.core.model_record import ModelRecord
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.regression import value_columns, value_labels
from mlflow_interp.core.rows import Rows
from mlflow_interp.core.sampling import position_digests, sample_rows, stratified_rows
from mlflow_interp.core.selection import Selection
from mlflow_interp.core.whole_image import WholeImage

MOST_IMAGES = 64  # a person can't read more in one figure; pages and figures show a sample of this size
TOP_CLASSES = 5  # the most probable classes of an input
MOST_VALUES = 2**20  # of an input that is not an image and is kept for drawing
MOST_STORED = 2**22  # values of all of them that are stored in arrays.npz


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs and the model's predictions for them: one row per input.

    Attributes:
        indices: (n,) int64 positions in the inputs as given.
        names: n display names.
        labels: (n,) int64, `UNKNOWN` where not given.
        classes: (n, k) int64, the k most probable classes, best first.
        probabilities: (n, k) float32, of these classes.
        class_names: names of the classes, or None.
        images: (m, height, width, 3) uint8, of the m <= 64 inputs that are shown; None if not images.
        parts: what `images` are composed of if an input has several images; else empty.
        values: (m, …) the model inputs that are shown; None if they are images, if the model has several
            inputs, or if they are large.
        shown: (m,) int64 the rows of the inputs that are shown, ascending; None for the first 64.
        thumbnails: (n, side, side, 3) uint8 of all inputs; None if not images, or not kept.
        digests: (n, 16) uint8, identifies each input as given; None if not known.
        is_selection: whether these were selected from more inputs with a preference for errors, so that
            their shares and means are not those of all inputs.
        has_classes: false for a regression: `probabilities` are then the first k values of the model, in the
            order of its outputs, and `classes` their positions.
        true_values: (n, k) float64, the labels of a regression, NaN where not known; None without labels.
        wholes: m whole images of which `images` are crops; see `Chunk`.
        model_record: which model predicted, and when, for captions; None if not known.
    """

    indices: np.ndarray
    names: tuple[str, ...]
    labels: np.ndarray
    classes: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...] | None
    images: np.ndarray | None
    values: np.ndarray | None = None
    shown: np.ndarray | None = None
    thumbnails: np.ndarray | None = None
    digests: np.ndarray | None = None
    is_selection: bool = False
    parts: tuple[ImagePart, ...] = ()
    has_classes: bool = True
    true_values: np.ndarray | None = None
    model_record: ModelRecord | None = None
    wholes: tuple[WholeImage | None, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shown_rows(self) -> np.ndarray:
        """(m,) int64 the rows of the inputs that figures and pages show; `images` has an image of each."""
        return np.arange(min(len(self), MOST_IMAGES)) if self.shown is None else self.shown

    def balanced_sample(self, count: int) -> np.ndarray:
        """(m,) int64 sorted rows of at most `count` inputs to show, of each label and prediction in turn."""
        cells = np.stack([self.labels, self.classes[:, 0]], axis=1)
        return sample_rows(self._identities, cells, count, seed=0)

    def proportional_sample(self, count: int, *, seed: int = 0) -> np.ndarray:
        """(m,) int64 sorted rows of at most `count` inputs to measure, in proportion to the labels."""
        return stratified_rows(self._identities, self.labels, count, seed=seed)

    @property
    def _identities(self) -> np.ndarray:
        return position_digests(self.indices) if self.digests is None else self.digests

    def arrays(self) -> dict[str, np.ndarray]:
        """By name, positions, labels, predictions, digests, and which inputs are shown.

        Also the values of shown inputs that are not images, unless they are large.
        """
        arrays = {
            "indices": self.indices,
            "labels": self.labels,
            "classes": self.classes,
            "probabilities": self.probabilities,
        }
        is_small = self.values is not None and self.values.size <= MOST_STORED
        optional = {
            "digests": self.digests,
            "shown": self.shown,
            "values": self.values if is_small else None,
            "true_values": self.true_values,
        }
        return arrays | {name: array for name, array in optional.items() if array is not None}

    def table(self) -> dict[str, list[Any]]:
        """One row per input: its name, the predicted class or the value, the label if known."""
        if not self.has_classes:
            return {"input": list(self.names)} | value_columns(self)
        name = self.class_name
        return {
            "input": list(self.names),
            "predicted": [name(index) for index in self.classes[:, 0].tolist()],
            "probability": self.probabilities[:, 0].tolist(),
            "label": [None if label == UNKNOWN else name(label) for label in self.labels.tolist()],
        }

    def class_name(self, index: int) -> str:
        """The name of a class, or its number if it has none."""
        known = self.class_names is not None and 0 <= index < len(self.class_names)
        return self.class_names[index] if known and self.class_names else str(index)


@dataclass(frozen=True, eq=False)
class Explained:
    """Examples with the explained class of each.

    Attributes:
        examples: the inputs and the model's predictions for them.
        targets: (n,) int64, the explained class.
        scores: (n,) float32, its logit; with a contrast, minus the mean logit of the classes contrasted with.
        probabilities: (n,) float32, its probability.
        head: how scores were read: "softmax", "sigmoid", "binary", "probabilities" or "linear".
        has_target: whether the result depends on the explained class. If not, as for EigenCAM, none is named,
            and the three arrays are those of the first prediction, with its probability as the score.
        contrast: what kind of classes the explained class is contrasted with: `RUNNER_UP`, `OTHERS`, or
            `CLASSES` for named ones, all in `core.contrast`; "" for none; None if the method has no such
            option.
        contrasts: (n, k) int64, these classes; None for none, and for `OTHERS`. The explained class of an
            input is left out where it is one of them.
        localization: how far heatmaps lie inside the marked regions of inputs; None without regions.
        positions: the positions of the output that scores are means over, as text; "" for all.
    """

    examples: Examples
    targets: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray
    head: str
    has_target: bool = True
    contrast: str | None = None
    contrasts: np.ndarray | None = None
    localization: Localization | None = None
    positions: str = ""

    @classmethod
    def without_target(cls, examples: Examples, head: str) -> Explained:
        """Examples whose results do not depend on a class."""
        probabilities = examples.probabilities[:, 0]
        return cls(examples, examples.classes[:, 0], probabilities, probabilities, head, has_target=False)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything except names and images, by name."""
        located = {} if self.localization is None else self.localization.arrays()
        if not self.has_target:
            return located | self.examples.arrays()
        arrays = {
            "targets": self.targets,
            "scores": self.scores,
            "target_probabilities": self.probabilities,
        }
        contrasts = {} if self.contrasts is None else {"contrasts": self.contrasts}
        return arrays | contrasts | located | self.examples.arrays()

    def metrics(self) -> dict[str, float]:
        """The number of inputs, the mean target probability, the accuracy if labels are known, localization.

        For a selection that prefers errors, without probability and accuracy, which would not represent all
        inputs.
        """
        located = {} if self.localization is None else self.localization.metrics()
        if self.examples.is_selection:
            return {"inputs": float(len(self.examples))} | located
        known = self.examples.labels != UNKNOWN
        correct = self.examples.classes[:, 0] == self.examples.labels
        metrics = {"inputs": float(len(self.examples))}
        if self.has_target:
            metrics[f"target_{self._measure}"] = float(self.probabilities.mean())
        return metrics | ({"accuracy": float(correct[known].mean())} if known.any() else {}) | located

    def table(self) -> dict[str, list[Any]]:
        """One row per input: its name, the target, the predicted class, the label if known, localization.

        For a regression, the values, and the target only if there are several.
        """
        examples = self.examples
        located = {} if self.localization is None else self.localization.table()
        if not self.has_target or (not examples.has_classes and examples.classes.shape[1] == 1):
            return examples.table() | located
        explained = {
            "input": list(examples.names),
            "target": [class_or_value(self, target) for target in self.targets.tolist()],
            f"target_{self._measure}": self.probabilities.tolist(),
        }
        contrast = {"contrast": [contrast_name(self, row) for row in range(len(examples))]}
        return explained | (contrast if self.contrast else {}) | examples.table() | located

    @property
    def resolved(self) -> dict[str, Any]:
        """The kind of head that scores come from, and the classes contrasted with, for a manifest."""
        positions = {"positions": self.positions} if self.positions else {}
        contrast = {"contrast": resolved_contrast(self)} if self.contrast else {}
        return {"head": self.head} | contrast | positions

    @property
    def _measure(self) -> str:
        return "probability" if self.examples.has_classes else "value"


class ExampleAccumulator:
    """Accumulates `Examples`: a row for every input, images only of those that are shown.

    Args:
        class_names: the names of the classes, None if not known.
        selection: chooses the inputs that are shown.
        thumbnail_side: pixels of the thumbnails of all inputs; None for no thumbnails.
        most_thumbnails: the number of inputs above which no thumbnails are kept; None for no limit.
        is_selection: see `Examples`.
        log_images: whether images or values of inputs are kept at all.
    """

    def __init__(
        self,
        class_names: tuple[str, ...] | None,
        selection: Selection,
        *,
        thumbnail_side: int | None = None,
        most_thumbnails: int | None = None,
        is_selection: bool = False,
        log_images: bool = True,
    ) -> None:
        self.class_names = class_names
        self.selection = selection
        self.thumbnail_side = thumbnail_side
        self.most_thumbnails = most_thumbnails
        self.is_selection = is_selection
        self.log_images = log_images
        self._has_classes = True
        self._rows = Rows()

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk and its predictions."""
        if not self.log_images:
            chunk = replace(chunk, inputs=None, images=None, parts=())
        probabilities = passed.probabilities
        if probabilities is None:
            probabilities = np.zeros((len(chunk), 0), np.float32)
        optional = {"digests": chunk.digests}
        self._has_classes = passed.has_classes
        if passed.has_classes:
            classes = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP_CLASSES]
        else:
            outputs = probabilities.shape[1]
            classes = np.tile(np.arange(min(outputs, TOP_CLASSES)), (len(chunk), 1))
            known = value_labels(chunk.given_labels, outputs)
            optional["true_values"] = None if known is None else known[:, :TOP_CLASSES]
        self._limit_thumbnails(len(self) + len(chunk))
        if self.thumbnail_side is not None and chunk.images is not None:
            optional["thumbnails"] = thumbnails(chunk.images, self.thumbnail_side)
        self._rows.add(
            chunk.indices,
            names=np.array(chunk.names, object),
            labels=passed.labels_of(chunk),
            classes=classes.astype(np.int64),
            probabilities=np.take_along_axis(probabilities, classes, axis=1).astype(np.float32),
            **{name: array for name, array in optional.items() if array is not None},
        )
        self.selection.update(chunk, passed)

    def merge(self, other: ExampleAccumulator) -> None:
        """Add all examples of another part."""
        if len(other):
            self._has_classes = other._has_classes
        self._rows.merge(other._rows)
        self._limit_thumbnails(len(self) if other.thumbnail_side is not None else math.inf)
        self.selection.merge(other.selection)

    def _limit_thumbnails(self, count: float) -> None:
        """Keep no thumbnails at all if there are too many inputs, whatever their order."""
        if self.most_thumbnails is not None and count > self.most_thumbnails:
            self.thumbnail_side = None
            self._rows.drop("thumbnails")

    def __len__(self) -> int:
        return len(self._rows)

    def result(self) -> Examples:
        """All examples so far, in the order of the inputs."""
        rows = self._rows.arrays()
        shown = self.selection.chunk()
        images = None if shown is None else shown.images
        return Examples(
            indices=rows["indices"],
            names=tuple(rows["names"].tolist()),
            labels=rows["labels"],
            classes=rows["classes"],
            probabilities=rows["probabilities"],
            class_names=self.class_names,
            images=images,
            values=None if shown is None or images is not None else _drawable(shown.inputs),
            shown=np.searchsorted(rows["indices"], self.selection.chosen()),
            thumbnails=rows.get("thumbnails"),
            digests=rows.get("digests"),
            is_selection=self.is_selection,
            parts=() if shown is None else shown.parts,
            has_classes=self._has_classes,
            true_values=rows.get("true_values"),
            wholes=() if shown is None else shown.wholes,
        )


def _drawable(inputs: Any) -> np.ndarray | None:
    """The inputs if they are one array of numbers with rows that are small enough to draw; else None."""
    is_numbers = isinstance(inputs, np.ndarray) and inputs.dtype.kind != "O"
    return inputs if is_numbers and inputs[0].size <= MOST_VALUES else None
