"""The result of Grad-CAM and similar methods: one heatmap per input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.calls import Call, numbers_text
from mlflow_interp.core.contrast import OTHERS, RUNNER_UP, contrast_phrase, contrast_warnings, is_own_contrast
from mlflow_interp.core.examples import Examples, Explained

if TYPE_CHECKING:
    from mlflow_interp.kinds.heatmap.difference import HeatmapDifference

SIGNIFICANT = 4  # standard errors that noise hardly exceeds at any of some hundred positions


@dataclass(frozen=True, eq=False)
class OtherClasses:
    """Heatmaps of the most probable classes other than the explained one, of the m inputs that are shown.

    Attributes:
        targets: (m, k) int64, the classes, the most probable first; k is at most 2.
        heatmaps: (m, k, height, width) float32, like `HeatmapResult.heatmaps`.
    """

    targets: np.ndarray
    heatmaps: np.ndarray


@dataclass(frozen=True, eq=False)
class HeatmapResult:
    """One heatmap per input.

    Attributes:
        explained: the inputs, their predictions, and the explained class.
        heatmaps: (n, height, width) float32, signed, unscaled, at the resolution of the feature map, or of
            the input for a method without a layer; for signals and text (n, length), for volumes
            (n, depth, height, width), for several calls of the layer (n, calls, …).
        layer: the path of the explained layer; several, separated by commas, for one map of several layers;
            empty for a method without a layer.
        title: the name of the method in titles and captions.
        relu: whether only positive values count, as the method's paper defines it: negative values are drawn
            as no heat, and `focus` and warnings ignore them. If false, both signs are drawn.
        calls: the calls of the layer, with one map each; maps have a calls axis only if there are several.
        others: heatmaps of the next most probable classes; None if they were not computed, as at earlier
            layers or for several calls.
        full_size: the size of the heatmaps if they were reduced, as images are not logged; else empty.
        standard_errors: of the heatmaps, in their shape, float32, for a method that estimates them from
            random samples; else None.
        chosen: further values of options that the method chose, by name: plain JSON values.
        is_table: whether positions are the columns of a table, which are drawn as bars.
        meaning: what heat is, in words, for a method without a class; by default the strongest pattern.
        why_empty: why a heatmap is empty, in words, for a method without a layer; by default, as no change
            of the input changes the score.
    """

    explained: Explained
    heatmaps: np.ndarray
    layer: str
    title: str = "Grad-CAM"
    relu: bool = True
    calls: tuple[Call, ...] = (Call(),)
    others: OtherClasses | None = None
    full_size: tuple[int, ...] = ()
    standard_errors: np.ndarray | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    is_table: bool = False
    meaning: str = ""
    why_empty: str = ""

    @property
    def examples(self) -> Examples:
        """The inputs and their predictions."""
        return self.explained.examples

    @property
    def evidence(self) -> np.ndarray:
        """The heat of each position, >= 0: the positive part, or the absolute value if signs are drawn."""
        return np.asarray(np.abs(self.drawn))

    @property
    def drawn(self) -> np.ndarray:
        """What is drawn: the positive part of the heatmaps, or the heatmaps with their signs."""
        return np.asarray(np.maximum(self.heatmaps, 0)) if self.relu else self.heatmaps

    @property
    def resolved(self) -> dict[str, Any]:
        """The explained layer and its calls, the kind of head, the contrast, and further options."""
        resolved = ({"layer": self.layer} if self.layer else {}) | self.explained.resolved
        calls = numbers_text(self.calls)
        return resolved | ({} if calls == "0" else {"calls": calls}) | dict(self.chosen)

    def arrays(self) -> dict[str, np.ndarray]:
        """Heatmaps, their standard errors if any, targets and predictions, by name."""
        others = (
            {}
            if self.others is None
            else {"other_targets": self.others.targets, "other_heatmaps": self.others.heatmaps}
        )
        errors = {} if self.standard_errors is None else {"standard_errors": self.standard_errors}
        return {"heatmaps": self.heatmaps} | errors | others | self.explained.arrays()

    def metrics(self) -> dict[str, float]:
        """Mean probability, accuracy, how much of an image its heat covers, and how exact the heat is."""
        empty = self._is_empty()
        metrics = self.explained.metrics() | {"empty_heatmaps": float(empty.sum())}
        if empty.all():
            return metrics
        metrics["focus"] = float(focus(self.evidence)[~empty].mean())
        if self.standard_errors is not None:
            errors, heat = (_by_row(each)[~empty] for each in (self.standard_errors, self.heatmaps))
            metrics["relative_error"] = float((errors.mean(axis=1) / np.abs(heat).max(axis=1)).mean())
        return metrics

    def table(self) -> dict[str, list[Any]]:
        """One row per input."""
        return self.explained.table() | {"focus": focus(self.evidence).tolist()}

    def warnings(self) -> list[str]:
        """Warnings about heatmaps without evidence, within their error, or that were reduced."""
        return [
            *self._warnings_of_zeros(),
            *contrast_warnings(self.explained),
            *self._warnings_of_errors(),
            *self._warnings_of_size(),
        ]

    def _warnings_of_errors(self) -> list[str]:
        if self.standard_errors is None:
            return []
        errors, heat = (_by_row(each) for each in (self.standard_errors, np.abs(self.heatmaps)))
        is_noise = (heat <= SIGNIFICANT * errors).all(axis=1) & ~self._is_empty()
        if not is_noise.any():
            return []
        return [
            f"{self._counted(is_noise)} can't be distinguished from noise: no heat exceeds {SIGNIFICANT} "
            f"standard errors ({self._named(is_noise)}); use more masks or samples"
        ]

    def _warnings_of_size(self) -> list[str]:
        if not self.full_size:
            return []
        size = self.heatmaps.shape[-len(self.full_size) :]
        full, reduced = (" × ".join(map(str, each)) for each in (self.full_size, size))
        return [
            f"heatmaps{f' at layer {self.layer!r}' if self.layer else ''} are reduced from {full} to "
            f"{reduced}, as larger ones show outlines of the inputs and log_images is False"
            + ("; choose a later layer for unreduced heatmaps" if self.layer else "")
        ]

    def _warnings_of_zeros(self) -> list[str]:
        empty = self._is_empty() & ~is_own_contrast(self.explained)
        if not empty.any():
            return []
        names = self._named(empty)
        counted = f"{self._counted(empty)} are empty:"
        if not self.layer:
            what = "target class" if self.examples.has_classes else "target"
            why = self.why_empty or "no change of the input changes the score"
            return [f"{counted} {why} of the {what} ({names})"]
        counted = f"{counted} layer {self.layer!r}"
        if not self.explained.has_target:
            return [f"{counted} is not active ({names}); try another layer"]
        if self.explained.contrast:
            evidence = f"evidence for the target class over {contrast_phrase(self.explained)}"
        else:
            evidence = "positive evidence for the target class"
        return [f"{counted} holds no {evidence} ({names}); try {self._remedies()}"]

    def _remedies(self) -> str:
        """What may help against empty heatmaps: a contrast too, if the method has it and it is another score.

        `OTHERS` first: it leaves fewer empty, see `benchmarks/contrast.py`. The scores of a binary head are
        z and -z already, and the runner-up of two classes is all others.
        """
        contrast = self.explained.contrast
        if contrast is None or self.explained.head in ("binary", "values"):
            return "another layer or target"
        if not contrast:
            return f"contrast={OTHERS!r} or {RUNNER_UP!r}, another layer or target"
        has_more = contrast != OTHERS and self.examples.classes.shape[1] > 2
        return f"contrast={OTHERS!r}, another layer or target" if has_more else "another layer or target"

    def _counted(self, flags: np.ndarray) -> str:
        return f"{flags.sum()} of {len(self.heatmaps)} heatmaps"

    def _named(self, flags: np.ndarray) -> str:
        """The names of the first inputs that are flagged."""
        names = [self.examples.names[row] for row in np.flatnonzero(flags).tolist()]
        return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")

    def difference(self, other: HeatmapResult) -> HeatmapDifference:
        """Heatmaps minus those of another result, for the inputs that both share.

        Raises:
            InputsError: the results do not match.
        """
        from mlflow_interp.kinds.heatmap.difference import difference

        return difference(self, other)

    def _is_empty(self) -> np.ndarray:
        return np.asarray(self.evidence.reshape(len(self.heatmaps), -1).max(axis=1) <= 0)


def _by_row(maps: np.ndarray) -> np.ndarray:
    return maps.reshape(len(maps), -1)


def focus(heatmaps: np.ndarray) -> np.ndarray:
    """The smallest fraction of each map that contains half its heat: near 0 for a spot, 0.5 for uniform heat.

    NaN for a map that is all zero.

    Args:
        heatmaps: (n, …) >= 0.
    """
    flat = -np.sort(-heatmaps.reshape(len(heatmaps), -1), axis=1)
    total = flat.sum(axis=1)
    positions = np.argmax(np.cumsum(flat, axis=1) >= total[:, np.newaxis] / 2, axis=1) + 1
    return np.where(total > 0, positions / flat.shape[1], np.nan)
