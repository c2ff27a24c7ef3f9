"""The result of saliency: three maps per input, each in the shape of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.contrast import contrast_warnings, is_own_contrast
from mlflow_interp.core.examples import Examples, Explained

if TYPE_CHECKING:
    from mlflow_interp.kinds.saliency.difference import SaliencyDifference


@dataclass(frozen=True, eq=False)
class SaliencyResult:
    """Three maps per input, each in the shape of the input, with all channels and signs.

    If integers are looked up in an embedding, maps have the shape of the embedded vectors.

    Attributes:
        explained: the inputs, their predictions, and the explained class.
        gradients: (n, …) float32, ∂score/∂input.
        smooth_gradients: (n, …) float32, their mean, or mean square, over noisy copies.
        integrated_gradients: (n, …) float32, attributions that sum to the score's increase over the baseline.
        completeness_gaps: (n,) float32, the relative deviation from that sum.
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

    @property
    def examples(self) -> Examples:
        """The inputs and their predictions."""
        return self.explained.examples

    @property
    def maps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gradients, SmoothGrad and integrated gradients."""
        return self.gradients, self.smooth_gradients, self.integrated_gradients

    @property
    def resolved(self) -> dict[str, Any]:
        """The kind of head that scores come from, the contrast, the number of noisy copies, the embedding."""
        resolved = self.explained.resolved | {"noise_samples": self.noise_samples}
        return resolved | ({"embedding": self.entry} if self.entry else {})

    def arrays(self) -> dict[str, np.ndarray]:
        """The three maps, the gaps, targets and predictions, by name."""
        maps = {
            "gradients": self.gradients,
            "smooth_gradients": self.smooth_gradients,
            "integrated_gradients": self.integrated_gradients,
            "completeness_gaps": self.completeness_gaps,
        }
        return maps | self.explained.arrays()

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
        if gap > 0.2:
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
