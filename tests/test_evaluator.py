"""`mlflow.models.evaluate` with the evaluator `interpretations`."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import replace
from functools import partial

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest

import mlflow_interp
from mlflow_interp.data.frames import inputs_of_table
from mlflow_interp.exceptions import InputsError, InterpretationWarning, ModelError, OptionError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.mlmodel import signature_inputs


@pytest.fixture
def pictures():
    return np.random.default_rng(2).integers(0, 255, (6, 8, 8, 3)).astype(np.float32)


def evaluate(model, data, **given):
    return mlflow.models.evaluate(
        model, data, targets="label", model_type="classifier", evaluators=["interpretations"], **given
    )


def test_results_are_logged_to_the_run_of_the_evaluation(registered, pictures):
    """Grad-CAM of the rows of the dataset, with metrics, artifacts and the model's URI in the manifest."""
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


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")  # metrics of MLflow
def test_combined_with_mlflows_own_evaluator(registered, pictures):
    """MLflow's evaluator needs classes, so it is given a function; ours is given the model."""
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


def test_a_version_is_compared_with_the_one_in_use(registered, pictures):
    data = pd.DataFrame(pictures.reshape(6, -1)).rename(columns=str)
    data["label"] = [0, 1, 2, 0, 1, 2]
    with mlflow.start_run() as run:
        asked = {"against": "models:/tiny@champion", "min_inputs": 6, "anchors": False}
        result = evaluate(registered, data, evaluator_config={"interpretations": asked})
    assert result.metrics["interpretations/comparison/churn"] == 0
    assert result.metrics["interpretations/comparison/correlation/gradcam"] == 1
    assert result.artifacts["comparison/figure.png"].content.size[0] > 100
    assert mlflow.get_run(run.info.run_id).data.tags["mlflow_interp.gate"] in ("passed", "undecided")


def test_predictions_alone_need_a_model(pictures):
    data = pd.DataFrame({"pixels": list(pictures), "label": [0, 1] * 3, "predicted": [0, 1] * 3})
    asked = {"interpretations": {"methods": ["gradcam"]}}
    with pytest.raises(ModelError, match="only predictions are given; pass the Keras model"):
        evaluate(None, data, predictions="predicted", evaluator_config=asked)


def rows(pictures, **columns):
    return pd.DataFrame({"pixels": list(pictures), "label": [0, 1] * 3, **columns})


def evaluate_predictions(pictures, **asked):
    """An evaluation of predictions; only the configuration names the model."""
    data = rows(pictures, predicted=[0, 1] * 3)
    with mlflow.start_run():
        return evaluate(None, data, predictions="predicted", evaluator_config={"interpretations": asked})


def test_code_of_the_evaluated_model_runs_if_trusted(pictures, tmp_path):
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
    with pytest.raises(ModelError, match="contains code"):
        evaluate_predictions(pictures, model=file, methods=["gradcam"])
    for result in (
        evaluate_predictions(pictures, model=file, methods=["gradcam"], trust_model_code=True),
        evaluate_predictions(pictures, model=file, methods={"gradcam": {"trust_model_code": True}}),
    ):
        assert result.metrics["interpretations/gradcam/inputs"] == 6


def test_modules_of_the_evaluated_model_are_imported(pictures, tmp_path, monkeypatch):
    """With a layer that only the module registers, and that the process has forgotten."""
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
    """The URI of a model that returns a class and a size for each image."""
    inputs = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="conv")(inputs))
    size = keras.layers.Dense(1, name="size")(pooled)
    kind = keras.layers.Dense(3, activation="softmax", name="kind")(pooled)
    with mlflow.start_run():
        return mlflow.keras.log_model(keras.Model(inputs, [size, kind]), name="two").model_uri


def test_loading_options_apply_to_the_evaluated_model(two_outputs, pictures, monkeypatch):
    """All except the output, which `interpret` selects. Given labels override those of the dataset."""
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


def test_experiment_that_contradicts_the_evaluation_is_rejected(registered, pictures):
    asked = {"methods": ["gradcam"], "experiment": "elsewhere"}
    with mlflow.start_run(), pytest.raises(OptionError, match="experiment is 'elsewhere', but run_id is"):
        evaluate(registered, rows(pictures), evaluator_config={"interpretations": asked})


def test_evaluator_is_inactive_without_methods(registered):
    from mlflow_interp.evaluator import InterpretationEvaluator

    assert not InterpretationEvaluator.can_evaluate(model_type="classifier", evaluator_config={})
    assert not InterpretationEvaluator.can_evaluate(model_type="regressor", evaluator_config=None)
    assert "interpretations" in mlflow.models.list_evaluators()


@pytest.fixture(scope="module")
def image_and_table(store):
    """A model whose class is the largest of three numbers, the first plus an image; and its URI."""
    layers = keras.layers
    image = keras.Input((4, 4, 1), name="image")
    table = keras.Input((3,), name="table")
    conv = layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")(image)
    first = layers.Dense(3, use_bias=False)
    added = layers.Add()([first(layers.GlobalAveragePooling2D()(conv)), table])
    first.set_weights([np.array([[1.0, 0.0, 0.0]])])
    model = keras.Model({"image": image, "table": table}, layers.Softmax()(added))
    with mlflow.start_run():
        return model, mlflow.keras.log_model(model, name="both", pip_requirements=["keras"]).model_uri


@pytest.fixture
def patients():
    """Thirty constant images, three numbers, and the class in closed form."""
    generator = np.random.default_rng(0)
    values, table = generator.random(30), generator.random((30, 3))
    images = np.broadcast_to(values[:, None, None, None], (30, 4, 4, 1)).astype(np.float32)
    return images, table, (table + values[:, None] * [1, 0, 0]).argmax(axis=1)


def accuracy(uri, data, **options):
    asked = {"methods": ["confusion_matrix", "gradcam"], **options}
    with mlflow.start_run():
        result = evaluate(uri, data, evaluator_config={"interpretations": asked})
    return result.metrics["interpretations/confusion_matrix/accuracy"]


@pytest.mark.parametrize("as_column", [list, lambda images: [each.tolist() for each in images]])
def test_one_column_per_input(as_column, image_and_table, patients):
    """Columns named after the inputs: arrays, nested lists, flattened ones."""
    model, uri = image_and_table
    images, table, label = patients
    assert (model.predict({"image": images, "table": table}, verbose=0).argmax(axis=1) == label).all()
    assert len(set(label)) == 3
    for pixels in (images, images[..., 0], images.reshape(30, 16)):
        data = pd.DataFrame({"table": as_column(table), "image": as_column(pixels), "label": label})
        assert accuracy(uri, data) == 1.0


def test_numeric_columns_form_the_remaining_input(image_and_table, patients):
    images, table, label = patients
    data = pd.DataFrame({"image": list(images), "label": label.astype(float)})
    data[["size", "age", "dose"]] = table
    with pytest.warns(InterpretationWarning, match="'size', 'age', 'dose' are used in this order"):
        assert accuracy(image_and_table[1], data, methods=["confusion_matrix"]) == 1.0


def test_one_number_per_row_and_unused_columns(store):
    inputs = [keras.Input((1,), name=name) for name in ("first", "second")]
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Concatenate()(inputs)))
    data = pd.DataFrame({"second": [0.0, 1.0, 2.0], "first": [1.0, 0.0, 3.0], "id": list("abc")})
    data["label"] = [0.0, 1.0, 0.0]
    with mlflow.start_run():
        uri = mlflow.keras.log_model(model, name="numbers", pip_requirements=["keras"]).model_uri
    left_out = r"columns 'id' are left out, as the model has the inputs 'first' \(1,\), 'second' \(1,\)"
    with pytest.warns(InterpretationWarning, match=left_out):
        assert accuracy(uri, data, methods=["confusion_matrix"]) == 1.0


def test_input_names_from_the_signature(patients):
    """For a subclassed model that expects a dict."""
    images, table, _ = patients
    loaded = load_model(keras.Sequential([keras.layers.Dense(1)]))
    signature = {"table": (None, 3), "image": (None, 4, 4, 1)}
    data = pd.DataFrame({"image": list(images.reshape(30, 16)), "table": list(table)})
    inputs = inputs_of_table(data, replace(loaded, signature=signature))
    np.testing.assert_array_equal(inputs["image"], images)
    np.testing.assert_array_equal(inputs["table"], table)


def test_names_in_a_signature_are_read():
    """As MLflow writes them for a dict of tensors."""
    given = {"image": np.zeros((1, 4, 4, 1)), "table": np.zeros((1, 3))}
    mlmodel = {"signature": mlflow.models.infer_signature(given).to_dict()}
    assert signature_inputs(mlmodel) == {"image": (None, 4, 4, 1), "table": (None, 3)}
    assert signature_inputs({"signature": mlflow.models.infer_signature(given["table"]).to_dict()}) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.drop(columns="dose"), "no column for input 'table' of 'image' (4, 4, 1), "),
        (lambda data: data.drop(columns="image"), "no column for input 'image' and 'table' of"),
        (lambda data: data.assign(dose="much"), "Name a column for each input, or give as many"),
        (lambda data: data.assign(image=[np.zeros((5, 5, 1))] * 30),
         "column 'image' has rows of shape (5, 5, 1), but the model takes (4, 4, 1)"),
        (lambda data: data.assign(image=[np.zeros((4 + row, 4, 1)) for row in range(30)]),
         "column 'image' has arrays of shape (4, 4, 1) and, in row 1, (5, 4, 1)"),
        (lambda data: data.assign(image=[[[1], [1, 2]]] * 30), "column 'image' has lists that can't be"),
    ],
)  # fmt: skip
def test_unused_columns_are_reported(change, message, image_and_table, patients):
    images, table, label = patients
    data = pd.DataFrame({"image": list(images), "label": label})
    data[["size", "age", "dose"]] = table
    with pytest.raises(InputsError, match=re.escape(message)):
        accuracy(image_and_table[1], change(data))


def test_one_array_for_two_inputs_is_rejected(image_and_table, patients):
    asked = {"interpretations": {"methods": ["gradcam"]}}
    with (
        mlflow.start_run(),
        pytest.raises(InputsError, match=r"the dataset is one array, but model .*'image'"),
    ):
        mlflow.models.evaluate(
            image_and_table[1],
            patients[1],
            targets=patients[2],
            model_type="classifier",
            evaluators=["interpretations"],
            evaluator_config=asked,
        )


@pytest.fixture
def of_images():
    """A function that returns the inputs of a model of images, whose input has a name."""
    layers = [keras.Input((8, 8, 3), name="pixels"), keras.layers.Conv2D(1, 3)]
    return partial(inputs_of_table, loaded=load_model(keras.Sequential(layers)))


def test_rows_are_reshaped_for_the_model(pictures, of_images):
    flat = pictures.reshape(6, -1)
    column = pd.DataFrame({"any": list(pictures)})
    for features in (flat, pd.DataFrame(flat), column, pictures, column.map(np.ravel)):
        np.testing.assert_array_equal(of_images(features), pictures)
    assert of_images(column.map(np.uint8)).dtype == np.uint8
    with pytest.raises(InputsError, match=r"rows of shape \(5,\), but the model takes \(8, 8, 3\)"):
        of_images(flat[:, :5])


def test_input_column_among_others(pictures, of_images):
    """The column named after the input."""
    data = pd.DataFrame({"id": list("abcdef"), "pixels": list(pictures)})
    with pytest.warns(InterpretationWarning, match="columns 'id' are left out"):
        np.testing.assert_array_equal(of_images(data), pictures)
    with pytest.raises(
        InputsError,
        match=r"'id' is not numeric, and .* one input, 'pixels', for columns 'id', 'photo'",
    ):
        of_images(data.rename(columns={"pixels": "photo"}))
