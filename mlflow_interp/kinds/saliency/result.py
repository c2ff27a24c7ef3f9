"""The result of saliency: four maps per input, each in the shape of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.contrast import contrast_warnings, is_own_contrast
from mlflow_interp.core.examples import Examples, Explained

if TYPE_CHECKING:
    from mlflow_interp.kinds.saliency.difference import SaliencyDifference


#: The maps, in the order in which they are drawn: the attributes of the result.
MAPS = ("gradients", "smooth_gradients", "integrated_gradients", "gradients_times_inputs")
#: The display name of each.
TITLES = {
    "gradients": "Gradients",
    "smooth_gradients": "SmoothGrad",
    "integrated_gradients": "Integrated gradients",
    "gradients_times_inputs": "Gradient × input",
}
MOST_GAP = 0.05  # the largest deviation from their sum at which integrated gradients count as complete


@dataclass(frozen=True, eq=False)
class SaliencyResult:
    """Four maps per input, each in the shape of the input, with all channels and signs.

    If integers are looked up in an embedding, maps have the shape of the embedded vectors.

    Attributes:
        explained: the inputs, their predictions, and the explained class.
        gradients: (n, …) float32, ∂score/∂input.
        smooth_gradients: (n, …) float32, their mean, or mean square, over noisy copies.
        integrated_gradients: (n, …) float32, attributions that sum to the score's increase over the baseline.
        completeness_gaps: (n,) float32, the relative deviation from that sum.
        gradients_times_inputs: (n, …) float32, the gradients times the input or its embedding: what it would
            contribute to the score of a linear model. None for a result stored by an earlier version.
        path_points: (n,) int64, the number of gradients along the path of each input, likewise.
        noise_samples: the number of noisy copies; one without noise.
        entry: path of the embedding layer that gradients are computed with respect to; empty for the input.
        title: the name of the method in titles.
    """

    explained: Explained
    gradients: np.ndarray
    smooth_gradients: np.ndarray
    integrated_gradients: np.ndarray
    completeness_gaps: np.ndarray
    noise_samples: int
    entry: str = ""
    title: str = "Saliency"
    gradients_times_inputs: np.ndarray | None = None
    path_points: np.ndarray | None = None

    @property
    def examples(self) -> Examples:
        """The inputs and their predictions."""
        return self.explained.examples

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """The maps, by name: those of `MAPS` that it has."""
        found = {name: getattr(self, name) for name in MAPS}
        return {name: array for name, array in found.items() if array is not None}

    @property
    def resolved(self) -> dict[str, Any]:
        """The head and the contrast, the numbers of noisy copies and of points on the path, the embedding."""
        resolved = self.explained.resolved | {"noise_samples": self.noise_samples}
        if self.path_points is not None:
            resolved["path_points_mean"] = float(self.path_points.mean())
            resolved["path_points_max"] = int(self.path_points.max())
        return resolved | ({"embedding": self.entry} if self.entry else {})

    def arrays(self) -> dict[str, np.ndarray]:
        """The maps, the gaps, the points on the paths, targets and predictions, by name."""
        further = {"completeness_gaps": self.completeness_gaps}
        if self.path_points is not None:
            further["path_points"] = self.path_points
        return self.maps | further | self.explained.arrays()

    def metrics(self) -> dict[str, float]:
        """Mean probability, accuracy, and the completeness gap of integrated gradients."""
        return self.explained.metrics() | {"completeness_gap": float(self.completeness_gaps.mean())}

    def table(self) -> dict[str, list[Any]]:
        """One row per input."""
        return self.explained.table() | {"completeness_gap": self.completeness_gaps.tolist()}

    def warnings(self) -> list[str]:
        """Warnings about an integral that is too coarse, inputs without a gradient, and overflow."""
        warnings = contrast_warnings(self.explained)
        gap = float(np.median(self.completeness_gaps))
        if gap > MOST_GAP:
            warnings.append(
                f"integrated gradients miss their expected sum by {gap:.0%} (median); use more path_steps"
            )
        is_flat = np.abs(self.gradients).reshape(len(self.gradients), -1).max(axis=1) == 0
        flat = int((is_flat & ~is_own_contrast(self.explained)).sum())
        if flat:
            warnings.append(f"the gradients of {flat} inputs are all zero: the score does not depend on them")
        finite = np.isfinite(self.smooth_gradients.reshape(len(self.gradients), -1)).all(axis=1)
        overflows = int((~finite).sum())
        if overflows:
            warnings.append(
                f"SmoothGrad of {overflows} inputs overflows float32; use average='mean', without squares"
            )
        return warnings

    def difference(self, other: SaliencyResult) -> SaliencyDifference:
        """Maps minus those of another result, for the inputs that both share.

        Raises:
            InputsError: the results do not match.
        """
        from mlflow_interp.kinds.saliency.difference import difference

        return difference(self, other)
