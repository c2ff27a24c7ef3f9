"""What one version gives for the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlflow_interp.comparison.agreement import Anchors
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import Explained
from mlflow_interp.core.image_arrays import ImagePart
from mlflow_interp.core.whole_image import WholeImage


@dataclass(frozen=True, eq=False)
class ShownInputs:
    """Inputs to show.

    Attributes:
        indices: (m,) int64, their positions in the inputs as given.
        images: (m, height, width, 3) uint8; None if inputs are not images.
        values: (m, …) the inputs themselves if they are not images; None if they can't be drawn.
        parts: see `Chunk`.
        wholes: see `Chunk`.
    """

    indices: np.ndarray
    images: np.ndarray | None = None
    values: np.ndarray | None = None
    parts: tuple[ImagePart, ...] = ()
    wholes: tuple[WholeImage | None, ...] = ()

    def at(self, positions: np.ndarray) -> ShownInputs:
        """Some of them, in this order."""
        return ShownInputs(
            self.indices[positions],
            None if self.images is None else self.images[positions],
            None if self.values is None else self.values[positions],
            self.parts,
            tuple(self.wholes[position] for position in positions.tolist()) if self.wholes else (),
        )


@dataclass(frozen=True, eq=False)
class VersionResults:
    """What one version gives for the inputs.

    Attributes:
        name: of the version, such as "pirates v3".
        rows: the predictions for all inputs, with the explained class.
        results: the result of each method, by name.
        anchors: of each heatmap, by name such as "gradcam"; empty if not computed.
        shown: inputs to show; None to show those that `rows` shows.
        vectors: positions (m,) int64 of a sample of inputs, and the vectors (m, features) that the version
            represents them by; None if not computed.
    """

    name: str
    rows: Explained
    results: Mapping[str, Any] = field(default_factory=dict)
    anchors: Mapping[str, Anchors] = field(default_factory=dict)
    shown: ShownInputs | None = None
    vectors: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class ClassOrder:
    """Which class of the new version is which class of the old one.

    Attributes:
        to_new: (classes,) int64, the index in the new version of each class of the old one; None if they are
            in the same order.
    """

    to_new: np.ndarray | None = None

    def new(self, classes: np.ndarray) -> np.ndarray:
        """Classes of the old version, as those of the new one."""
        return classes if self.to_new is None else np.asarray(self.to_new[classes])

    def new_labels(self, labels: np.ndarray) -> np.ndarray:
        """Labels of the old version, as those of the new one; those that are no classes are not known."""
        if self.to_new is None:
            return labels
        is_class = (labels >= 0) & (labels < len(self.to_new))
        return np.where(is_class, self.to_new[np.where(is_class, labels, 0)], UNKNOWN)

    def old(self, classes: np.ndarray) -> np.ndarray:
        """Classes of the new version, as those of the old one."""
        return classes if self.to_new is None else np.asarray(np.argsort(self.to_new)[classes])
