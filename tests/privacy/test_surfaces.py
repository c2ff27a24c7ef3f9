"""With log_images=False, no surface writes images of inputs: all artifacts of a real store are searched."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from pathlib import Path
from unittest import mock

import mlflow
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from mlflow.utils.autologging_utils import AUTOLOGGING_INTEGRATIONS

import mlflow_interp
from mlflow_interp.cli import main
from mlflow_interp.exceptions import InterpretationWarning, OptionError, TrackingError
from mlflow_interp.tracking.spool import left_behind
from tests.privacy.leaks import leaks
from tests.privacy.small import make_model
from tests.test_mlproject import mlflow_run

HEATMAPS = ["gradcam", "hirescam", "layercam", "gradcam_plus_plus", "eigencam"]
ALL = [*HEATMAPS, "confusion_matrix", "umap"]


@pytest.fixture(autouse=True)
def quiet_warnings(recwarn):
    """Eight inputs are few for a layout, and which resizing is best is not at issue here."""


def manifests(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("manifest.json"))]


def names(folder):
    return {path.name for path in folder.rglob("*") if path.is_file()}


def assert_private(folder, images):
    """No file shows an input, and every manifest and every result says that none may."""
    assert leaks(folder, images) == {}
    assert manifests(folder)
    assert all(each["parameters"]["log_images"] is False for each in manifests(folder) if "steps" not in each)
    assert all(each["given"]["log_images"] is False for each in manifests(folder) if "steps" not in each)


def test_all_methods_and_the_saved_folder(model, images, labels, logged, tmp_path):
    given = {"labels": labels, "n_neighbors": 3, "save": tmp_path / "saved", "quiet": True}
    found = mlflow_interp.interpret(model, images, ALL, log_images=False, **given)
    assert_private(logged, images)
    assert_private(tmp_path / "saved", images)
    assert {"figure.png", "figure.html", "index.json", "index.html", "arrays.npz"} <= names(logged)
    # Nor are any in memory, from where they could be saved later.
    for each in found.values():
        assert each.result.examples.images is each.result.examples.values is None
        assert each.result.examples.thumbnails is None
    assert mlflow.get_run(found["umap"].run_id).data.params["interpretations/umap/log_images"] == "False"
    again = mlflow_interp.load(f"runs:/{found['gradcam'].run_id}/interpretations/gradcam")
    again.draw().savefig(tmp_path / "saved" / "again.png")
    assert leaks(tmp_path / "saved", images) == {}


def test_numbers_names_and_predictions_are_the_same(model, photos, logged):
    """Without images, everything else is logged as before."""
    options = {"log": False, "n_neighbors": 3, "quiet": True, "preprocess": "none", "resize": "stretch"}
    private = mlflow_interp.interpret(model, str(photos), ALL, log_images=False, **options)
    public = mlflow_interp.interpret(model, str(photos), ALL, **options)
    for name in ALL:
        assert private[name].metrics == public[name].metrics
        assert private[name].result.table() == public[name].result.table()
        arrays = private[name].arrays
        assert set(arrays) == set(public[name].arrays)
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, public[name].arrays[key])
    assert private["gradcam"].result.table()["input"][:2] == ["a/0.png", "a/2.png"]


def test_the_search_finds_images_that_are_logged(model, images, labels, logged):
    """Otherwise the other tests show nothing."""
    mlflow_interp.interpret(model, images, [*ALL, "saliency"], labels=labels, n_neighbors=3, quiet=True)
    found = leaks(logged, images)
    for name in HEATMAPS:
        for file in ("figure.png", "figure.html", "index.json"):
            assert any(f"interpretations/{name}/{file}" in each for each in found), (name, file, found)
    for place in ("umap/figure.html", "umap/index.json", "confusion_matrix/figure.html", "index.html"):
        assert any(each.endswith(f"interpretations/{place}") for each in found), (place, found)
    assert any("/artifacts/images/" in each for each in found)
    manifest = next(each for each in manifests(logged) if each["method"] == "gradcam")
    assert manifest["parameters"]["log_images"] is True


@pytest.mark.parametrize("command", ["interpret", "gradcam", "umap"])
def test_the_command_line(command, model_file, photos, images, logged, tmp_path):
    arguments = [str(model_file), str(photos), "--no-log-images", "--quiet"]
    arguments += ["--methods=gradcam,confusion_matrix"] if command == "interpret" else []
    arguments += ["--n-neighbors=3"] if command == "umap" else []
    done = CliRunner().invoke(main, [command, *arguments, f"--save={tmp_path / 'saved'}"])
    assert done.exit_code == 0, done.output
    assert_private(logged, images)
    assert_private(tmp_path / "saved", images)


def test_mlflow_run(store, model_file, photos, images):
    parameters = ["-P", f"model={model_file}", "-P", f"inputs={photos}", "-P", "log_images=false"]
    done = mlflow_run(store, "-e", "gradcam", *parameters, folder=photos.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = mlflow.MlflowClient().search_runs(["0"], max_results=1)
    assert_private(
        Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/interpretations")), images
    )


def test_evaluate(model, images, labels, logged):
    data = pd.DataFrame({"image": list(images.astype(np.float32)), "label": labels})
    given = {"model": model, "methods": ["gradcam", "confusion_matrix"], "log_images": False}
    predicted = data.assign(predicted=labels)
    with mlflow.start_run():
        result = mlflow.models.evaluate(
            None,
            predicted,
            targets="label",
            predictions="predicted",
            model_type="classifier",
            evaluators=["interpretations"],
            evaluator_config={"interpretations": given},
        )
    assert result.artifacts["gradcam/manifest.json"].content["parameters"]["log_images"] is False
    assert_private(logged, images)


@pytest.fixture
def trained(images, labels, logged):
    """A function that trains for two epochs, with data in memory or in a dataset."""
    import tensorflow as tf

    def train(*, is_dataset=False, **given):
        model = make_model()
        inputs = images.astype(np.float32)
        validation = (inputs, labels)
        if is_dataset:
            validation = tf.data.Dataset.from_tensor_slices(validation).batch(4)
        model.fit(inputs, labels, validation_data=validation, epochs=2, verbose=0, **given)

    with mock.patch.dict(AUTOLOGGING_INTEGRATIONS):
        yield train
    mlflow_interp.autolog(disable=True)


METHODS_OF_TRAINING = {"gradcam": {}, "confusion_matrix": {}, "umap": {"n_neighbors": 3}}


@pytest.mark.parametrize("data", ["arrays", "dataset", "folder"])
def test_autolog(data, trained, images, photos, logged, tmp_path):
    """Of validation data in memory, captured, or of other data; also what is shown while training."""
    board = tmp_path / "board"
    given = {"data": str(photos), "resize": "stretch", "preprocess": "none"} if data == "folder" else {}
    mlflow_interp.autolog(METHODS_OF_TRAINING, log_images=False, tensorboard=str(board), **given)
    trained(is_dataset=data == "dataset")
    assert_private(logged, images)
    assert len(manifests(logged)) == 3 * (2 + 1)
    assert leaks(board, images) == {}


def test_autolog_logs_images_by_default(trained, images, logged, tmp_path):
    mlflow_interp.autolog(METHODS_OF_TRAINING, tensorboard=str(tmp_path / "board"))
    trained()
    assert leaks(tmp_path / "board", images)
    found = " ".join(leaks(logged, images))
    for place in ("gradcam/epoch-0000/figure.png", "confusion_matrix/figure.html", "umap/figure.html"):
        assert place in found


def test_callback(trained, images, logged):
    """An option that is given for a method applies to the whole training, as elsewhere."""
    callback = mlflow_interp.InterpretationCallback(
        {"gradcam": {"log_images": False}, "umap": {"n_neighbors": 3}}
    )
    trained(callbacks=[callback])
    assert_private(logged, images)
    assert len(manifests(logged)) == 2 * (2 + 1)


def test_what_a_failed_server_leaves_behind_is_private_too(
    model, images, labels, logged, tmp_path, monkeypatch
):
    """Neither the folder that waits to be uploaded nor what `resume` uploads shows an input."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fail(*_, **__):
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr("mlflow.MlflowClient.log_artifact", fail)
        with pytest.raises(TrackingError, match="saved locally") as error:
            mlflow_interp.visualize_gradcam(model, images, log_images=False, quiet=True)
    (folder,) = left_behind()
    assert str(folder) in str(error.value)
    shutil.copytree(folder, tmp_path / "copy")
    assert_private(tmp_path / "copy", images)
    assert CliRunner().invoke(main, ["resume", str(folder)]).exit_code == 0
    assert_private(logged, images)
    assert not folder.exists()


def test_page_of_the_run_has_heatmaps_as_numbers(model, images, tmp_path):
    found = mlflow_interp.visualize_gradcam(
        model, images, log_images=False, log=False, save=tmp_path / "out", quiet=True
    )
    (step,) = json.loads((tmp_path / "out" / "gradcam" / "index.json").read_text())["steps"]
    assert step["heat"]["indices"] == list(range(len(images)))
    maps = np.frombuffer(base64.b64decode(step["heat"]["maps"]), np.uint8)
    drawn = np.maximum(found.result.heatmaps, 0)
    expected = drawn / np.maximum(drawn.max(axis=(1, 2), keepdims=True), 1e-30)
    np.testing.assert_array_equal(maps.reshape(drawn.shape), np.rint(255 * expected))
    assert not any(row["tiles"] for row in step["inputs"])


@pytest.mark.parametrize("method", ["saliency", "caricature"])
def test_methods_whose_results_show_inputs_are_refused_first(method, logged):
    """Before the model or the inputs are looked for."""
    with pytest.raises(OptionError, match=f"{method} can't be used with log_images=False: .*; omit {method}"):
        mlflow_interp.interpret("nothing.keras", "nowhere", f"all,{method}", log_images=False)
    with pytest.raises(OptionError, match=f"{method} can't be used"):
        mlflow_interp.InterpretationCallback(method, log_images=False)
    done = CliRunner().invoke(main, [method, "nothing.keras", "nowhere", "--no-log-images"])
    assert done.exit_code == 2
    assert re.fullmatch(rf"mlflow-interp: {method} can't be used .*\n", done.output)
    assert not os.listdir(logged) if logged.exists() else True


def test_maps_of_early_layers_are_reduced(model, images, logged):
    """16 × 16 of 32 × 32 would show edges: a quarter of the sides is kept, as means, with a warning."""
    options = {"layer": "early", "log": False, "quiet": True}
    full = mlflow_interp.visualize_gradcam(model, images, **options).result.heatmaps
    with pytest.warns(InterpretationWarning, match="'early' are reduced from 16 × 16 to 8 × 8"):
        private = mlflow_interp.visualize_gradcam(model, images, log_images=False, **options)
    np.testing.assert_allclose(
        private.result.heatmaps, full.reshape(8, 8, 2, 8, 2).mean(axis=(2, 4)), rtol=1e-5, atol=1e-8
    )
    assert "reduced" in " ".join(private.manifest["warnings"])
