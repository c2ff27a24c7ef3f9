"""`mlflow.models.evaluate` with the evaluator that interprets."""

from __future__ import annotations

import importlib
import sys

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest

import mlflow_interp
from mlflow_interp.evaluator import as_inputs
from mlflow_interp.exceptions import InputsError, ModelError, OptionError


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


def rows(pictures, **columns):
    return pd.DataFrame({"pixels": list(pictures), "label": [0, 1] * 3, **columns})


def evaluate_predictions(pictures, **asked):
    """An evaluation of predictions, whose model only the configuration names."""
    data = rows(pictures, predicted=[0, 1] * 3)
    with mlflow.start_run():
        return evaluate(None, data, predictions="predicted", evaluator_config={"interpretations": asked})


def test_code_of_the_evaluated_model_runs_where_it_is_trusted(pictures, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(2, 3, name="conv"),
            keras.layers.Lambda(lambda x: x * 2.0, output_shape=(6, 6, 2)),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    model.save(tmp_path / "code.keras")
    file = str(tmp_path / "code.keras")
    with pytest.raises(ModelError, match="carries code of its own"):
        evaluate_predictions(pictures, model=file, methods=["gradcam"])
    for result in (
        evaluate_predictions(pictures, model=file, methods=["gradcam"], trust_model_code=True),
        evaluate_predictions(pictures, model=file, methods={"gradcam": {"trust_model_code": True}}),
    ):
        assert result.metrics["interpretations/gradcam/inputs"] == 6


def test_modules_of_the_evaluated_model_are_imported(pictures, tmp_path, monkeypatch):
    """Of a layer that only the module registers; the process has forgotten it."""
    (tmp_path / "doubling_layer.py").write_text(
        "import keras\n\n"
        "@keras.saving.register_keras_serializable('doubling')\n"
        "class Doubled(keras.layers.Layer):\n"
        "    def call(self, inputs):\n"
        "        return inputs * 2.0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    layer = importlib.import_module("doubling_layer").Doubled()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(2, 3, name="conv"),
            layer,
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    model.save(tmp_path / "own.keras")
    keras.saving.get_custom_objects().pop("doubling>Doubled")
    monkeypatch.delitem(sys.modules, "doubling_layer")
    file = str(tmp_path / "own.keras")
    with pytest.raises(ModelError, match="Doubled"):
        evaluate_predictions(pictures, model=file, methods=["gradcam"])
    result = evaluate_predictions(pictures, model=file, methods=["gradcam"], imports="doubling_layer")
    assert result.metrics["interpretations/gradcam/inputs"] == 6


@pytest.fixture
def two_outputs(store):
    """The URI of a model with a class and a size of each picture."""
    inputs = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="conv")(inputs))
    size = keras.layers.Dense(1, name="size")(pooled)
    kind = keras.layers.Dense(3, activation="softmax", name="kind")(pooled)
    with mlflow.start_run():
        return mlflow.keras.log_model(keras.Model(inputs, [size, kind]), name="two").model_uri


def test_options_of_loading_reach_the_model_that_mlflow_evaluates(two_outputs, pictures, monkeypatch):
    """All but the output, which `interpret` chooses. Given labels come before the dataset's."""
    loaded, load = [], mlflow_interp.load_model
    monkeypatch.setattr(
        "mlflow_interp.evaluator.load_model",
        lambda model, **options: loaded.append((model, options)) or load(model, **options),
    )
    asked = {"methods": {"gradcam": {"labels": [2] * 6}}, "trust_model_code": True, "output": 1}
    with mlflow.start_run():
        result = evaluate(two_outputs, rows(pictures), evaluator_config={"interpretations": asked})
    assert loaded == [(two_outputs, {"trust_model_code": True})]
    manifest = result.artifacts["gradcam/manifest.json"].content
    assert (manifest["parameters"]["trust_model_code"], manifest["parameters"]["output"]) == (True, 1)
    predicted = load(two_outputs, output="kind").keras.predict(pictures, verbose=0).argmax(axis=1)
    assert result.metrics["interpretations/gradcam/accuracy"] == (predicted == 2).mean()


def test_an_experiment_other_than_that_of_the_evaluation_is_refused(registered, pictures):
    asked = {"methods": ["gradcam"], "experiment": "elsewhere"}
    with mlflow.start_run(), pytest.raises(OptionError, match="experiment is 'elsewhere', and run_id is"):
        evaluate(registered, rows(pictures), evaluator_config={"interpretations": asked})


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
