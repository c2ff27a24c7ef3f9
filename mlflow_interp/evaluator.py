"""`mlflow.models.evaluate(…, evaluators=["interpretations"])`: interpretation as part of an evaluation."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from mlflow.models.evaluation import EvaluationResult, ModelEvaluator
from mlflow.models.evaluation.artifacts import ImageEvaluationArtifact, JsonEvaluationArtifact

from mlflow_interp.api import interpret
from mlflow_interp.call_options import parse_methods, plan_call
from mlflow_interp.comparing.models import compare, options_of_compare
from mlflow_interp.data.frames import inputs_of_table
from mlflow_interp.exceptions import ModelError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel, Origin
from mlflow_interp.report.interpretation import Interpretation

NAME = "interpretations"


class InterpretationEvaluator(ModelEvaluator):  # type: ignore[misc]
    """Runs the methods named in its configuration, and logs to the evaluation's run.

    `evaluator_config={"interpretations": {"methods": ["gradcam"], …}}` takes methods, their options and
    those of `interpret`. With `against`, the model is compared with another version, and the options are
    those of `compare`. If predictions or a function are evaluated, it also needs the Keras model, as
    `model`. Without methods or `against`, the evaluator does nothing.
    """

    @classmethod
    def can_evaluate(cls, *, model_type: str, evaluator_config: Mapping[str, Any], **kwargs: Any) -> bool:
        """Whether the configuration names methods, or a version to compare with."""
        config = evaluator_config or {}
        return bool(config.get("methods") or config.get("against") is not None)

    def evaluate(
        self,
        *,
        model_type: str,
        dataset: Any,
        run_id: str,
        evaluator_config: Mapping[str, Any],
        model: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The metrics and artifacts of every method.

        Raises:
            InterpretationError: an error that the user can fix; the message says how.
        """
        options = dict(evaluator_config)
        against = options.pop("against", None)
        # Read once, as it may be an iterator.
        methods = parse_methods(options.pop("methods", None) or "gradcam").given
        keras_model = options.pop("model", None)
        own = options_of_compare() if against is not None else ()
        shared = plan_call(methods, {name: each for name, each in options.items() if name not in own}).shared
        # `output` is left to `interpret`, as a model can't be reduced to one output twice.
        loading = {name: value for name, value in shared["model"].items() if name != "output"}
        if keras_model is None:
            loaded = _loaded(model, kwargs.get("model_id"), loading)
        else:
            loaded = load_model(keras_model, **loading)
        labels = dataset.labels_data if dataset.has_targets else None
        if labels is not None and "labels" not in shared["inputs"]:
            options["labels"] = np.asarray(labels)
        inputs = inputs_of_table(dataset.features_data, loaded)
        if against is not None:
            found = compare(against, loaded, inputs, methods, run_id=run_id, quiet=True, **options)
            made = found.interpretation
            interpretations = {} if made is None else {made.method: made}
        else:
            interpretations = interpret(loaded, inputs, methods, run_id=run_id, quiet=True, **options)
        return EvaluationResult(_metrics(interpretations), _artifacts(interpretations))


def _loaded(model: Any, model_id: str | None, loading: Mapping[str, Any]) -> LoadedModel:
    """The Keras model that is evaluated, and its origin; `loading` holds the options of `load_model`."""
    if model is None:
        raise ModelError(
            "an interpretation needs a model, but only predictions are given; pass the Keras model with "
            'evaluator_config={"interpretations": {"model": …}}'
        )
    model_id = model_id or getattr(model, "model_id", None)
    if model_id:
        return load_model(f"models:/{model_id}", **loading)
    raw = model.get_raw_model()
    if not hasattr(raw, "layers"):
        raise ModelError(
            f"the model is a {type(raw).__name__}; only Keras models can be interpreted: pass one with "
            'evaluator_config={"interpretations": {"model": …}}'
        )
    origin = Origin("keras.Model", name=raw.name, run_id=model.metadata.run_id)
    return replace(load_model(raw, **loading), origin=origin)


def _metrics(interpretations: Mapping[str, Interpretation]) -> dict[str, float]:
    return {
        f"{NAME}/{method}/{name}": value
        for method, each in interpretations.items()
        for name, value in each.metrics.items()
    }


def _artifacts(interpretations: Mapping[str, Interpretation]) -> dict[str, Any]:
    from PIL import Image

    artifacts: dict[str, Any] = {}
    for method, each in interpretations.items():
        base = f"runs:/{each.run_id}/{each.artifact_path}"
        figure = Image.open(io.BytesIO(each._repr_png_()))
        artifacts[f"{method}/figure.png"] = ImageEvaluationArtifact(f"{base}/figure.png", figure)
        artifacts[f"{method}/manifest.json"] = JsonEvaluationArtifact(
            f"{base}/manifest.json", dict(each.manifest)
        )
    return artifacts
