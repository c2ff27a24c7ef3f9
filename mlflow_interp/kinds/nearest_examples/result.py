"""The result of nearest examples: the neighbours of each input, and how far their labels agree with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import Examples

HALF = 0.5  # of the neighbours
MOST_IN_TABLE = 2_000  # inputs whose neighbours neighbours.csv lists; arrays.npz holds all
NOT_KNOWN = -1.0  # the agreement of an input without a label, or of neighbours without labels


@dataclass(frozen=True, eq=False)
class NearestExamplesResult:
    """The neighbours of each input in a layer, the most similar first.

    Attributes:
        examples: the inputs and their predictions; those that are shown come first in `order`.
        layer: the path of the layer.
        neighbours: (n, k) int64, the positions of the neighbours in the reference as given.
        similarities: (n, k) float32, their cosine similarities.
        neighbour_labels: (n, k) int64, their labels, `UNKNOWN` where not given.
        neighbour_predicted: (n, k) int64, their predicted classes.
        neighbour_names: n tuples of k names.
        pictures: (m, k, side, side, 3) uint8, the neighbours of the m inputs that are shown; None if they
            aren't images.
        reference: where the reference comes from; "" if it is the inputs themselves.
        reference_count: the number of inputs in it.
        equal: the number of inputs that are equal to another; 0 if there is a reference.
        zeros: the number of inputs whose activations are all zero.
        given: given labels of the reference, as text.
        title: the name of the method in titles and captions.
    """

    examples: Examples
    layer: str
    neighbours: np.ndarray
    similarities: np.ndarray
    neighbour_labels: np.ndarray
    neighbour_predicted: np.ndarray
    neighbour_names: tuple[tuple[str, ...], ...]
    pictures: np.ndarray | None
    reference: str
    reference_count: int
    equal: int
    zeros: int
    given: Mapping[str, str] = field(default_factory=dict)
    title: str = "Nearest examples"

    @property
    def is_labelled(self) -> bool:
        """Whether the agreement of any input is known."""
        return bool((self.agreement >= 0).any())

    @cached_property
    def agreement(self) -> np.ndarray:
        """(n,) float32, the share of labelled neighbours with the input's label; −1 if not known."""
        known = self.neighbour_labels != UNKNOWN
        labels = self.examples.labels[:, np.newaxis]
        same = ((self.neighbour_labels == labels) & known).sum(axis=1)
        totals = known.sum(axis=1)
        is_known = (totals > 0) & (self.examples.labels != UNKNOWN)
        return np.where(is_known, same / np.maximum(totals, 1), NOT_KNOWN).astype(np.float32)

    @cached_property
    def suggested(self) -> np.ndarray:
        """(n,) int64, the most frequent label of the neighbours, of equally frequent ones the nearest."""
        return np.array([_most_frequent(labels) for labels in self.neighbour_labels.tolist()], np.int64)

    @cached_property
    def order(self) -> np.ndarray:
        """(n,) int64, all rows: the lowest agreement first, of equal ones those with the nearest neighbours.

        Without labels, the inputs that are least similar to any other come first.
        """
        return listing_order(self.agreement, self.similarities, self.examples)

    @property
    def resolved(self) -> dict[str, Any]:
        """The layer, the number of neighbours, and the reference."""
        return {
            "layer": self.layer,
            "nearest": int(self.neighbours.shape[1]),
            "reference": self.reference or "the inputs",
        } | dict(self.given)

    def arrays(self) -> dict[str, np.ndarray]:
        """The neighbours with similarities, labels and predictions, and the agreement, by name."""
        arrays = {
            "neighbours": self.neighbours,
            "similarities": self.similarities,
            "neighbour_labels": self.neighbour_labels,
            "neighbour_predicted": self.neighbour_predicted,
            "agreement": self.agreement,
            "suggested": self.suggested,
        }
        pictures = {} if self.pictures is None else {"pictures": self.pictures}
        return arrays | pictures | self.examples.arrays()

    def metrics(self) -> dict[str, float]:
        """The number of inputs and of the reference, similarity, and agreement if labels are known."""
        metrics = {
            "inputs": float(len(self.examples)),
            "reference": float(self.reference_count),
            "similarity": float(self.similarities[:, 0].mean()),
        }
        labels = self.examples.labels
        if (labels != UNKNOWN).any():
            right = self.examples.classes[:, 0] == labels
            metrics["accuracy"] = float(right[labels != UNKNOWN].mean())
        known = self.agreement >= 0
        if known.any():
            metrics["agreement"] = float(self.agreement[known].mean())
            metrics["neighbour_accuracy"] = float((self.suggested == labels)[known].mean())
            metrics["disagreeing"] = float((self.agreement[known] < HALF).sum())
        return metrics

    def table(self) -> dict[str, list[Any]]:
        """One row per input: its prediction, the agreement, and its neighbours with similarities."""
        suggested = self.suggested.tolist()
        name = self.examples.class_name
        return self.examples.table() | {
            "agreement": [None if each < 0 else round(each, 4) for each in self.agreement.tolist()],
            "label_of_neighbours": [None if each == UNKNOWN else name(each) for each in suggested],
            "nearest": [names[0] for names in self.neighbour_names],
            "similarity": self.similarities[:, 0].tolist(),
        }

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """neighbours.csv: a row for each neighbour of the first inputs of `order`."""
        count = self.neighbours.shape[1]
        first = self.order[:MOST_IN_TABLE]
        rows = np.repeat(first, count).tolist()
        ranks = np.tile(np.arange(count), len(first)).tolist()
        pairs = list(zip(rows, ranks, strict=True))
        name = self.examples.class_name

        def label(index: int) -> str | None:
            return None if index == UNKNOWN else name(index)

        return {
            "neighbours.csv": {
                "input": [self.examples.names[row] for row in rows],
                "label": [label(int(self.examples.labels[row])) for row in rows],
                "rank": [rank + 1 for rank in ranks],
                "neighbour": [self.neighbour_names[row][rank] for row, rank in pairs],
                "similarity": [float(self.similarities[pair]) for pair in pairs],
                "neighbour_label": [label(int(self.neighbour_labels[pair])) for pair in pairs],
            }
        }

    def highlights(self) -> dict[str, Any]:
        """The first ten inputs whose neighbours mostly have another label."""
        rows = [row for row in self.order.tolist() if 0 <= self.agreement[row] < HALF][:10]
        name = self.examples.class_name
        return {
            "disagreeing": [
                {
                    "input": self.examples.names[row],
                    "label": name(int(self.examples.labels[row])),
                    "label_of_neighbours": name(int(self.suggested[row])),
                }
                for row in rows
            ]
        }

    def warnings(self) -> list[str]:
        """Warnings about equal inputs, and about activations that are zero."""
        warnings = []
        if self.equal:
            warnings.append(
                f"{self.equal} inputs are equal to another input, and equal inputs are not listed as "
                "neighbours; remove duplicates, or set equal_inputs='keep' to see them"
            )
        if self.zeros:
            warnings.append(
                f"layer {self.layer!r} gives only zeros for {self.zeros} inputs, which are similar to none; "
                "choose another layer"
            )
        return warnings


def listing_order(agreement: np.ndarray, similarities: np.ndarray, examples: Examples) -> np.ndarray:
    """(n,) int64, the order of `NearestExamplesResult.order`."""
    nearest = np.round(similarities.mean(axis=1).astype(np.float64), 4)
    is_known = agreement >= 0
    digests = np.zeros((len(examples), 16), np.uint8) if examples.digests is None else examples.digests
    words = np.ascontiguousarray(digests).view(">u8").astype(np.uint64)
    keys = (
        examples.indices,
        words[:, 0],
        np.where(is_known, -nearest, nearest),
        np.round(agreement.astype(np.float64), 4),
        ~is_known,
    )
    return np.asarray(np.lexsort(keys))


def _most_frequent(labels: list[int]) -> int:
    known = [label for label in labels if label != UNKNOWN]
    # Of equally frequent labels, `max` returns the first: that of the nearest neighbour.
    return max(known, key=known.count) if known else UNKNOWN
