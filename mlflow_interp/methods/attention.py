"""Attention: the tokens whose attention raises a class score, through all layers of a transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np

from mlflow_interp.backend import propagation as follow
from mlflow_interp.backend.attention import CAMS, Attention, find_attention, no_attention
from mlflow_interp.backend.layer_tree import AttentionLayers, find_layers, has_attention
from mlflow_interp.core.accepted import Checked
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.heatmap_accumulator import HeatmapAccumulator
from mlflow_interp.engine.method import Streaming
from mlflow_interp.engine.targets import Contrast, Target, explains_classes, kind_of_contrast
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import ArchitectureError, InapplicableError, OptionError
from mlflow_interp.kinds.heatmap.result import HeatmapResult

REQUIRES = ("attention",)

Propagation = Literal["relevance", "rollout"]
TITLES: Mapping[Propagation, str] = {"relevance": "Attention relevance", "rollout": "Attention rollout"}
ROLLOUT = (
    "the share of each token in what the classifier reads, if attention alone mixed the tokens, whatever the "
    "class"
)
NO_RELEVANCE = "no attention raises the score"

AUTO = "auto"
MEAN = "mean"
WINDOWS = "windows"
READ = "tokens_read"


def parse_token(token: str | int) -> str | int:
    """The token as `auto`, `mean`, or an index.

    Raises:
        OptionError: anything else.
    """
    if token in (AUTO, MEAN) or (isinstance(token, int) and not isinstance(token, bool)):
        return token
    try:
        return int(str(token))
    except ValueError:
        raise OptionError(f"token is {token!r}; give auto, mean, or the index of a token such as 0") from None


@explains_classes
def attention(
    model: Any,
    batch: Batch,
    *,
    propagation: Propagation = "relevance",
    token: Annotated[str | int, Checked(parse_token)] = AUTO,
    attention_layers: AttentionLayers = None,
    target: Target = None,
    contrast: Contrast = None,
) -> Streaming[HeatmapResult]:
    """The tokens whose attention raises a class score, through all layers of a transformer.

    Attention relevance (Chefer et al. 2021) multiplies the attention weights of each layer by the gradient of
    the class score with respect to them, keeps what is positive, averages it over heads, and follows it from
    the token that is read after the last layer back to the input. Attention rollout (Abnar and Zuidema 2020)
    follows the weights alone, averaged over heads, with one half for the residual connection; it does not
    depend on the class. The score is the logit if the model ends in a softmax or sigmoid.

    The tokens of a vision transformer are arranged on their grid of patches, without the class token.

    Args:
        propagation: What is followed from layer to layer: relevance (attention times gradient, of the
            explained class) or rollout (attention alone, whatever the class, so that target and contrast
            have no effect).
        token: Token after the last attention that is followed back: an index, such as 0 for a class token,
            or mean for all tokens. By default (auto), the mean of those that the score depends on: the class
            token if the model reads only this one, all tokens if it averages them.
        attention_layers: Layers whose attention is followed, separated by commas: indices, names, or paths.
            By default, all MultiHeadAttention and GroupQueryAttention layers. For attention written by hand,
            name the layers that return weights (batch, heads, tokens, tokens), such as a Softmax.

    Returns:
        Heatmaps (n, height, width), float32, unscaled, not negative, with one value for each patch; for
        signals and text (n, length).

    Raises:
        OptionError: no such layer or token, a layer without attention weights, a class out of range.
        ArchitectureError: the model has no attention.
        InapplicableError: attention within windows, in parallel branches, or on a varying number of tokens.
    """
    if attention_layers is None and not has_attention(model):
        raise ArchitectureError(no_attention(model))
    paths = (
        () if attention_layers is None else tuple(each.path for each in find_layers(model, attention_layers))
    )
    made = _AttentionMethod(batch, propagation, parse_token(token), paths)
    made.targets = (target,) if made.has_target else ()
    made.contrast = contrast if made.has_target else None
    return made


class _AttentionMethod(Streaming[HeatmapResult]):
    """Attention with its options."""

    def __init__(
        self, batch: Batch, propagation: Propagation, token: str | int, paths: tuple[str, ...]
    ) -> None:
        self.title = TITLES[propagation]
        self.has_target = propagation == "relevance"
        self._batch = batch
        self._token = token
        self._paths = paths
        self._is_coarse = not batch.log_images
        self._found: Attention | None = None

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The map of each input, the explained class if any, and which tokens were read."""
        explained = trace.explained(self.targets[0], self.contrast) if self.has_target else None
        score = follow.squared_sum(trace.scores.scores) if explained is None else explained.score
        found = find_attention(trace.model, trace.passed, score, self._paths)
        self._note_left_out(found)
        self._found = found
        heat, read = (self._relevance if self.has_target else self._rollout)(found, score)
        arrays = {
            "maps": follow.laid_out(heat, found.layout),
            READ: read,
            WINDOWS: follow.windows(found.weights, score),
        }
        return arrays | (explained.tensors if explained is not None else {})

    def _relevance(self, found: Attention, score: Any) -> tuple[Any, Any]:
        gradients = [follow.of_inputs(each, score) for each in follow.gradients(score, found.weights)]
        weights = [follow.of_inputs(each, score) for each in found.weights]
        row, read = self._row(weights[-1], gradients[-1])
        heads = [
            follow.relevance_of_heads(each, gradient)
            for each, gradient in zip(weights, gradients, strict=True)
        ]
        # Without the identity that the product starts from: a token is no evidence for itself.
        return follow.followed_back(row, heads, keep=1.0, passed_on=1.0) - row, read

    def _rollout(self, found: Attention, score: Any) -> tuple[Any, Any]:
        weights = [follow.of_inputs(each, score) for each in found.weights]
        needs_gradient = self._token == AUTO
        last = follow.gradients(score, found.weights[-1:])[0] if needs_gradient else weights[-1]
        row, read = self._row(weights[-1], follow.of_inputs(last, score))
        heads = [follow.mean_of_heads(each) for each in weights]
        return follow.followed_back(row, heads, keep=0.5, passed_on=0.5), read

    def _row(self, weights: Any, gradient: Any) -> tuple[Any, Any]:
        """The row of the product that is followed back (batch, n), and what is known of the tokens read."""
        if isinstance(self._token, int):
            self._check_token(self._token, weights.shape[-1])
            return follow.unit_row(weights, self._token), follow.given_tokens(weights)
        if self._token == MEAN:
            return follow.mean_row(follow.all_tokens(weights)), follow.given_tokens(weights)
        tokens = follow.influential_tokens(gradient)
        return follow.mean_row(tokens), follow.read_tokens(tokens)

    @staticmethod
    def _check_token(token: int, count: int | None) -> None:
        if count is not None and not -count <= token < count:
            raise OptionError(
                f"token {token} is out of range: the model has tokens 0–{count - 1}; give one, or mean"
            )

    def _note_left_out(self, found: Attention) -> None:
        for path in found.left_out:
            self._warn(
                f"layer {path!r} is left out: its queries are not the tokens of the input, so that what it "
                "attends to is not followed back"
            )

    def _warn(self, warning: str) -> None:
        if warning not in self._batch.warnings:
            self._batch.warnings.append(warning)

    def remember(self, chunk: Chunk, passed: Passed) -> None:
        """Check the maps of a chunk: stores nothing."""
        self._check_windows(passed.arrays)
        undetermined = np.flatnonzero(passed.arrays[READ][:, 0] == 0)
        if len(undetermined) and not self.has_target and self._token == AUTO:
            self._warn(
                f"the score does not depend on any token of {chunk.names[undetermined[0]]!r}, so that the "
                "mean over all tokens is followed back; to choose another, pass token="
            )

    def maps_of(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The heatmap."""
        self._check_windows(arrays)
        return {"": arrays["maps"]}

    def _check_windows(self, arrays: Mapping[str, np.ndarray]) -> None:
        most = int(arrays[WINDOWS].max(initial=1))
        if most > 1 and self._found is not None:
            raise InapplicableError(
                f"attention layer {self._found.paths[0]!r} attends within {most} windows, frames or other "
                f"parts of an input, between which attention can't be followed; {CAMS}"
            )

    def accumulator(self) -> AttentionAccumulator:
        """Accumulates the maps."""
        fields: dict[str, Any] = {"chosen": {}}
        if self._found is not None and not self._paths:
            fields["chosen"]["attention_layers"] = self._found.paths
        fields |= {"why_empty": NO_RELEVANCE} if self.has_target else {"meaning": ROLLOUT}
        return AttentionAccumulator(
            "",
            self.title,
            contrast=kind_of_contrast(self.contrast) if self.has_target else None,
            has_target=self.has_target,
            is_coarse=self._is_coarse,
            fields=fields,
        )


class AttentionAccumulator(HeatmapAccumulator):
    """Accumulates maps, and which token they were followed back from."""

    _tokens: frozenset[str | int] = frozenset()

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add the maps of a chunk."""
        self._tokens |= {_token(*row) for row in passed.arrays[READ].tolist()}
        arrays = {name: array for name, array in passed.arrays.items() if name not in (READ, WINDOWS)}
        super().update(chunk, replace(passed, arrays=arrays))

    def merge(self, other: HeatmapAccumulator) -> None:
        """Add the maps of other inputs."""
        super().merge(other)
        self._tokens |= other._tokens if isinstance(other, AttentionAccumulator) else frozenset()

    def result(self, examples: Examples, previous: HeatmapResult | None = None) -> HeatmapResult:
        """All maps so far, with the token if it is the same for all inputs."""
        result = super().result(examples, previous)
        if len(self._tokens) != 1 or AUTO in self._tokens:
            return result
        return replace(result, chosen={**result.chosen, "token": next(iter(self._tokens))})


def _token(number: int, first: int, count: int) -> str | int:
    """What was read, as the option `token` names it; `AUTO` if it has no name, or was given by the user."""
    if number == 1:
        return first
    return MEAN if number and number == count else AUTO
