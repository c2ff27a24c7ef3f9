"""`mlflow.models.evaluate` with the evaluator that interprets."""

from __future__ import annotations

import mlflow
import numpy as np
import pandas as pd
import pytest

import mlflow_interp
from mlflow_interp.evaluator import as_inputs
from mlflow_interp.exceptions import InputsError, ModelError


@pytest.fixture
def pictures():
    return np.random.default_rng(2).integers(0, 255, (6, 8, 8, 3)).astype(np.float32)


def evaluate(model, data, **given):
    return mlflow.models.evaluate(
        model, data, targets="label", model_type="classifier", evaluators=["interpretations"], **given
    )


def test_logs_into_the_evaluations_run_and_returns_what_it_found(registered, pictures):
    """Grad-CAM of the dataset's rows, with metrics, artifacts and the model's own place in the manifest."""
    data = pd.DataFrame(pictures.reshape(6, -1)).rename(columns=str)
    data["label"] = [0, 1, 2, 0, 1, 2]
    with mlflow.start_run() as run:
        asked = {"methods": ["gradcam"], "target": "label"}
        result = evaluate(registered, data, evaluator_config={"interpretations": asked})
    assert result.metrics["interpretations/gradcam/inputs"] == 6
    manifest = result.artifacts["gradcam/manifest.json"].content
    assert manifest["parameters"]["target"] == "label"
    assert manifest["model"]["model_id"] is not None
    assert result.artifacts["gradcam/figure.png"].content.size[0] > 100
    logged = mlflow.MlflowClient().list_artifacts(run.info.run_id, "interpretations/gradcam")
    assert "interpretations/gradcam/manifest.json" in [item.path for item in logged]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")  # of MLflow's own metrics
def test_beside_mlflows_own_evaluator(registered, pictures):
    """MLflow's takes classes and no probabilities, so it is given a function; ours is told of which model."""
    keras_model = mlflow_interp.load_model(registered).keras

    def classes(frame):
        return keras_model.predict(np.stack(frame["pixels"]), verbose=0).argmax(axis=1)

    data = pd.DataFrame({"pixels": list(pictures), "label": [0, 1, 2, 0, 1, 2]})
    asked = {"model": registered, "methods": ["gradcam", "confusion_matrix"]}
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(
            classes,
            data,
            targets="label",
            model_type="classifier",
            evaluators=["default", "interpretations"],
            evaluator_config={"default": {"label_list": [0, 1, 2]}, "interpretations": asked},
        )
    assert result.metrics["interpretations/confusion_matrix/accuracy"] == result.metrics["accuracy_score"]
    assert {"gradcam/figure.png", "confusion_matrix/figure.png"} <= set(result.artifacts)
    assert mlflow.get_run(run.info.run_id).data.tags["mlflow_interp.model_version"] == "1"


def test_predictions_alone_need_a_model(pictures):
    data = pd.DataFrame({"pixels": list(pictures), "label": [0, 1] * 3, "said": [0, 1] * 3})
    asked = {"interpretations": {"methods": ["gradcam"]}}
    with pytest.raises(ModelError, match="only predictions were given; name it"):
        evaluate(None, data, predictions="said", evaluator_config=asked)


def test_takes_no_part_where_nobody_asked(registered):
    from mlflow_interp.evaluator import InterpretationEvaluator

    assert not InterpretationEvaluator.can_evaluate(model_type="classifier", evaluator_config={})
    assert not InterpretationEvaluator.can_evaluate(model_type="regressor", evaluator_config=None)
    assert "interpretations" in mlflow.models.list_evaluators()


def test_rows_become_what_the_model_takes(pictures):
    flat = pictures.reshape(6, -1)
    column = pd.DataFrame({"pixels": list(pictures)})
    for features in (flat, pd.DataFrame(flat), column, pictures):
        np.testing.assert_array_equal(as_inputs(features, (None, 8, 8, 3)), pictures)
    with pytest.raises(InputsError, match=r"rows of shape \(5,\), and the model takes \(8, 8, 3\)"):
        as_inputs(flat[:, :5], (None, 8, 8, 3))
