"""Quality: whether the heatmaps of methods can be trusted, measured on a model and inputs."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from mlflow_interp.core.accepted import Range
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.baselines import Baseline
from mlflow_interp.engine.changes import EXPLANATIONS, explain_changed, flat
from mlflow_interp.engine.explainer import MethodNames, explainers_of
from mlflow_interp.engine.faithfulness import FaithfulnessOf
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.perturbed_scores import PerturbedScores, Replacement, Space, space_of
from mlflow_interp.engine.quality_accumulator import MAPS, QualityAccumulator
from mlflow_interp.engine.targets import Target
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InapplicableError
from mlflow_interp.kinds.quality.result import QualityResult
from mlflow_interp.quality.measures import SUBSETS, gini
from mlflow_interp.quality.nulls import NULLS, RANDOM_MAPS
from mlflow_interp.quality.rankings import STEPS

REQUIRES = ("one input", "classes")

_COPIES_OF_A_RANKING = 2 * (STEPS - 1)
_RANKINGS = RANDOM_MAPS + len(NULLS)  # of an input and a heatmap: its own and those of all nulls


def quality(
    model: Any,
    batch: Batch,
    *,
    of: MethodNames = "gradcam",
    target: Target = None,
    baseline: Baseline = None,
    quick: bool | None = None,
    seed: Annotated[int, Range(least=0)] = 0,
) -> Explaining[QualityResult]:
    """Whether the heatmaps of methods can be trusted.

    A heatmap can look right and say nothing about the prediction. For each method, this measures on your
    model and inputs: whether the score falls when the marked positions are replaced, and rises when they are
    restored, more than for maps that know nothing of the prediction (deletion and insertion, Petsiuk et al.
    2018); whether sets of positions with more heat change the score more (µFidelity, Bhatt et al. 2020);
    whether a map stays the same under small noise (sensitivity, Yeh et al. 2019), and changes with the
    model's weights (Adebayo et al. 2018) and with the class. Three of these make a verdict.

    Args:
        of: The methods whose heatmaps are measured, separated by commas, such as gradcam,saliency. They run
            with their default options. To give them others, name the methods and options as JSON, such as
            {"gradcam": {"layer": "block2"}}. In Python, also as a mapping.
        target: The class to explain: an index, a class name, "label" for the true label, or one of these
            for each input, separated by commas. By default, the predicted class.
        baseline: Reference input to compare with. It fills what is replaced: blur (the input blurred with a
            Gaussian of a tenth of its sides), black (for images made from pixels), mean (of each channel of
            the input), a number in the model's own scale, or the path of an image or array file. In Python,
            also an array. By default, blur; for a table or tokens, 0.
        quick: Whether to leave out the measures that need many explanations: only whether heatmaps are
            faithful, how sparse they are, and how they differ from those of the runner-up. By default, false,
            and true during training.
        seed: Random seed: the same seed gives the same result.

    Returns:
        For each method and input, the measures and the curves of deletion and insertion.

    Raises:
        OptionError: a method that does not exist or makes no heatmaps, a class out of range.
        InapplicableError: the model has several inputs or no classes, or a method can't be used with it.
    """
    return _QualityMethod(model, batch, of=of, target=target, baseline=baseline, quick=quick, seed=seed)


class _QualityMethod(Explaining[QualityResult]):
    """The measures with their options."""

    title = "Quality"
    most_explained = 64

    def __init__(
        self,
        model: Any,
        batch: Batch,
        *,
        of: MethodNames,
        target: Target,
        baseline: Baseline,
        quick: bool | None,
        seed: int,
    ) -> None:
        self.targets = (target,)
        self._model = model
        self._batch = batch
        self._quick = quick
        self._seed = seed
        self._explainers = explainers_of(of, model, batch, target)
        self._replacement = Replacement(target, baseline, "probability")
        self._space = Space((), ())
        self._scores: tuple[PerturbedScores, ...] = ()
        self._titles: dict[str, str] = {}

    @property
    def is_quick(self) -> bool:
        """Whether measures that need many explanations are left out."""
        return self.while_training if self._quick is None else self._quick

    def work(self, inputs: int) -> int:
        """The maximum number of passes: one for each copy of an input, and those of the explanations."""
        kinds: int = sum(each.map_count for each in self._explainers.values())
        subsets = 0 if self.is_quick else SUBSETS + 1
        copies = kinds * (_RANKINGS * _COPIES_OF_A_RANKING + subsets) + 2
        explanations: int = sum(each.work(self.rows) for each in self._explainers.values())
        return inputs * copies + -(-inputs // self.rows) * self._repeats * explanations

    @property
    def _repeats(self) -> int:
        """How often each input is explained."""
        return 2 if self.is_quick else 1 + EXPLANATIONS

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The explained class of each input with its scores, and the runner-up if there is another class."""
        self._space = space_of(trace, self.title)
        # Probabilities, for curves, and logits, for subsets, of perturbed copies.
        self._scores = tuple(
            PerturbedScores(self._model, self._batch, each, self._space)
            for each in (self._replacement, replace(self._replacement, score="logit"))
        )
        if trace.scores.head == "values":
            raise InapplicableError(
                "quality measures how probabilities change; this model predicts values and has no classes"
            )
        for explainer in self._explainers.values():
            explainer.prepare(trace)
        explained = trace.explained(self.targets[0])
        # For a binary head, the map of the other class is that of the first with the opposite sign.
        others = [] if trace.scores.head == "binary" else trace.other_classes(self.targets[0], 1)
        return explained.tensors | ({"runner_up": others[0].targets} if others else {})

    def explain(self, chunk: Chunk, passed: Passed) -> Generator[int, None, Mapping[str, np.ndarray]]:
        """Measure the heatmaps of at most `rows` inputs by every method."""
        probability, logit = self._scores
        faithfulness = FaithfulnessOf(probability, logit, chunk, passed.arrays["targets"], self._seed)
        columns: dict[str, list[np.ndarray]] = {}
        rows = {}
        for explainer in self._explainers.values():
            started = time.perf_counter()
            changes = yield from explain_changed(
                explainer, self._model, chunk, passed.arrays, self._seed, quick=self.is_quick
            )
            seconds = (time.perf_counter() - started) / (self._repeats * len(chunk))
            for name, maps in changes.own.maps.items():
                key = f"{explainer.name}/{name}" if name else explainer.name
                self._titles[key] = explainer.title_of(name)
                own = self._space.by_position(maps)
                measured = changes.measures(name) | {"sparseness": gini(flat(own))}
                measured |= yield from faithfulness.measure(own, quick=self.is_quick)
                for measure, values in (measured | {"seconds": np.full(len(chunk), seconds)}).items():
                    columns.setdefault(measure, []).append(values)
                rows[f"{MAPS}{key}"] = own.astype(np.float32)
        return rows | {name: np.stack(values, axis=1) for name, values in columns.items()}

    def measured_maps(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The heatmaps of the methods that are measured."""
        return {key: arrays[f"{MAPS}{key}"] for key in self._titles}

    def accumulator(self) -> QualityAccumulator:
        """Accumulates the measures."""
        baseline = self._replacement.baseline_for(self._space)
        chosen = {} if isinstance(baseline, np.ndarray) else {"baseline": baseline}
        chosen["quick"] = self.is_quick
        return QualityAccumulator(self._titles, self._space.sides, chosen)
