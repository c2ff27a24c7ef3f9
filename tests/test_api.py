"""From a registered model to the artifacts of its run, in a SQLite store."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.tracking.fluent import _get_experiment_id
from mlflow.utils.name_utils import _generate_random_name
from sklearn.linear_model import LogisticRegression

import mlflow_interp
from mlflow_interp.exceptions import (
    InputsError,
    InterpretationWarning,
    ModelError,
    OptionError,
    TrackingError,
)
from mlflow_interp.tracking.destination import _is_generated, without_autologging

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(scope="module")
def client(store):
    return MlflowClient()


def artifacts(client, run_id, path="interpretations"):
    names = set()
    for item in client.list_artifacts(run_id, path):
        names |= (
            artifacts(client, run_id, item.path)
            if item.is_dir
            else {item.path.removeprefix("interpretations/")}
        )
    return names


def fetch(client, run_id, path):
    return Path(client.download_artifacts(run_id, f"interpretations/{path}")).read_bytes()


@pytest.fixture(scope="module")
def logged(client, registered, tmp_path_factory):
    """One Grad-CAM of four images with labels from folders, used by many tests."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    for name, colour in {
        "ant/red": (200, 0, 0),
        "ant/dark": (60, 0, 0),
        "bee/green": (0, 200, 0),
        "cat/blue": (0, 0, 200),
    }.items():
        path = folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (12, 10), colour).save(path)
    return mlflow_interp.visualize_gradcam("models:/tiny@champion", folder, target="bee", quiet=True)


def test_every_documented_file_exists(client, logged):
    assert logged.artifact_path == "interpretations/gradcam"
    assert artifacts(client, logged.run_id) == {
        "index.html",
        *(
            f"gradcam/{name}"
            for name in (
                "figure.png",
                "figure.svg",
                "figure.html",
                "predictions.json",
                "arrays.npz",
                "index.json",
                "result.json",
                "manifest.json",
            )
        ),
    }


def test_manifest_has_lineage_parameters_and_correct_hashes(client, registered, logged):
    manifest = json.loads(fetch(client, logged.run_id, "gradcam/manifest.json"))
    info = mlflow.models.get_model_info(registered)
    assert manifest["schema_version"] == 2
    assert manifest["model"]["uri"] == "models:/tiny@champion"
    assert (manifest["model"]["name"], manifest["model"]["version"]) == ("tiny", "1")
    assert (manifest["model"]["model_id"], manifest["model"]["run_id"]) == (info.model_id, info.run_id)
    assert manifest["parameters"]["layer"] == "conv"
    assert manifest["parameters"]["target"] == "bee"
    assert manifest["parameters"]["preprocess"] == "none"
    assert manifest["parameters"]["colormap"] == "inferno"
    assert manifest["given"] == {"target": "bee"}
    assert manifest["inputs"]["count"] == 4
    for name, digest in manifest["files"].items():
        assert hashlib.sha256(fetch(client, logged.run_id, f"gradcam/{name}")).hexdigest() == digest
    assert set(manifest["files"]) == {
        "figure.png", "figure.svg", "figure.html", "predictions.json", "arrays.npz", "index.json",
        "result.json",
    }  # fmt: skip


def test_manifest_suffices_to_reproduce_the_arrays(client, logged):
    manifest = json.loads(fetch(client, logged.run_id, "gradcam/manifest.json"))
    again = mlflow_interp.visualize_gradcam(
        manifest["model"]["uri"], manifest["inputs"]["source"], log=False, quiet=True, **manifest["given"]
    )
    with np.load(io.BytesIO(fetch(client, logged.run_id, "gradcam/arrays.npz")), allow_pickle=False) as saved:
        for name, array in again.arrays.items():
            np.testing.assert_array_equal(saved[name], array)
    assert again.manifest["inputs"]["digest"] == manifest["inputs"]["digest"]
    assert again.manifest["model"]["weights_sha256"] == manifest["model"]["weights_sha256"]
    assert again.run_id is None


def test_run_has_metrics_params_tags_image_table_and_inputs(client, registered, logged):
    run = client.get_run(logged.run_id)
    info = mlflow.models.get_model_info(registered)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["interpretations/gradcam/inputs"] == 4
    assert run.data.metrics["interpretations/gradcam/accuracy"] == logged.metrics["accuracy"]
    assert run.data.params["interpretations/gradcam/layer"] == "conv"
    assert run.data.tags["mlflow_interp.model_uri"] == "models:/tiny@champion"
    assert run.data.tags["mlflow_interp.model_id"] == info.model_id
    assert run.data.tags["mlflow_interp.model_version"] == "1"
    assert run.data.tags["mlflow_interp.methods"] == "gradcam"
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [
        {"path": "interpretations/gradcam/predictions.json", "type": "table"}
    ]
    assert run.inputs.model_inputs[0].model_id == info.model_id
    (dataset,) = run.inputs.dataset_inputs
    assert json.loads(dataset.dataset.profile) == {"num_rows": 4}
    assert any(item.path.endswith(".png") for item in client.list_artifacts(logged.run_id, "images"))


def test_model_and_version_link_to_the_run(client, registered, logged):
    info = mlflow.models.get_model_info(registered)
    assert "mlflow_interp.gradcam.run_id" in client.get_model_version("tiny", "1").tags
    assert "mlflow_interp.gradcam.run_id" in client.get_logged_model(info.model_id).tags


def test_a_run_lists_every_method_once(client, registered, pixels):
    for _ in range(2):
        found = mlflow_interp.interpret(registered, pixels, ["gradcam", "layercam"], quiet=True)
    with mlflow.start_run() as run:
        for method in ("layercam", "gradcam", "layercam"):
            mlflow_interp.interpret(registered, pixels, method, quiet=True)
    assert client.get_run(found["gradcam"].run_id).data.tags["mlflow_interp.methods"] == "gradcam,layercam"
    assert client.get_run(run.info.run_id).data.tags["mlflow_interp.methods"] == "layercam,gradcam"
    experiments = [client.get_run(found["gradcam"].run_id).info.experiment_id, run.info.experiment_id]
    listed = client.search_runs(experiments, "tags.`mlflow_interp.methods` LIKE '%layercam%'")
    assert {found["gradcam"].run_id, run.info.run_id} <= {each.info.run_id for each in listed}


@pytest.fixture
def trained(client):
    """A run with two logged models, of which the first is registered twice and the second once."""
    import keras

    with mlflow.start_run() as run:
        infos = []
        for size in (4, 5):
            layers = [
                keras.Input((8, 8, 3)),
                keras.layers.Conv2D(size, 3),
                keras.layers.GlobalAveragePooling2D(),
            ]
            model = keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")])
            infos.append(mlflow.keras.log_model(model, name=f"model{size}", pip_requirements=["keras"]))
    name = f"trained-{run.info.run_id}"
    for info in (infos[0], infos[0], infos[1]):
        mlflow.register_model(info.model_uri, name)
    return run.info.run_id, infos, name


def test_versions_registered_from_an_interpreted_model_lead_to_the_run(client, trained, pixels):
    """They are named nowhere in the call, which names the model that the run logged."""
    _, infos, name = trained
    found = mlflow_interp.visualize_gradcam(infos[0].model_uri, pixels, preprocess="none", quiet=True)
    tags = [client.get_model_version(name, version).tags for version in "123"]
    assert [each.get("mlflow_interp.gradcam.run_id") for each in tags] == [found.run_id, found.run_id, None]
    experiment = client.get_run(found.run_id).info.experiment_id
    page = (
        f"#/experiments/{experiment}/runs/{found.run_id}/artifacts/interpretations/index.html"
        "?workflowType=machine_learning"
    )
    assert [each.get("mlflow_interp.page") for each in tags] == [page, page, None]
    assert mlflow.artifacts.download_artifacts(f"runs:/{found.run_id}/interpretations/index.html")


def test_a_version_also_leads_to_the_interpretations_of_its_training(client, trained, pixels):
    source, _, name = trained
    client.set_tag(source, "mlflow_interp.methods", "umap,gradcam")
    found = mlflow_interp.visualize_gradcam(f"models:/{name}/3", pixels, preprocess="none", quiet=True)
    tags = client.get_model_version(name, "3").tags
    assert tags["mlflow_interp.gradcam.run_id"] == found.run_id
    assert tags["mlflow_interp.umap.run_id"] == source
    assert "mlflow_interp.umap.run_id" not in client.get_model_version(name, "2").tags


def test_metrics_are_linked_to_the_model(client, registered, logged):
    info = mlflow.models.get_model_info(registered)
    found = {metric.key for metric in client.get_logged_model(info.model_id).metrics or []}
    assert "interpretations/gradcam/accuracy" in found


def test_table_has_the_format_of_log_table(client, logged):
    experiment = client.get_run(logged.run_id).info.experiment_id
    table = client.load_table(experiment, "interpretations/gradcam/predictions.json", [logged.run_id])
    assert table["input"].tolist() == ["ant/dark.png", "ant/red.png", "bee/green.png", "cat/blue.png"]
    assert table["label"].tolist() == ["ant", "ant", "bee", "cat"]
    assert set(table["target"]) == {"bee"}


def test_new_run_is_in_the_experiment_of_the_models_run(client, registered, logged):
    source = client.get_run(mlflow.models.get_model_info(registered).run_id)
    assert client.get_run(logged.run_id).info.experiment_id == source.info.experiment_id


def test_experiment_can_be_set(client, registered, photos, monkeypatch):
    named = mlflow_interp.visualize_gradcam(registered, photos, experiment="elsewhere", quiet=True)
    elsewhere = client.get_experiment_by_name("elsewhere").experiment_id
    assert client.get_run(named.run_id).info.experiment_id == elsewhere
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "elsewhere")
    result = mlflow_interp.visualize_gradcam(registered, photos, quiet=True)
    assert client.get_run(result.run_id).info.experiment_id == elsewhere


def test_active_run_is_used_and_stays_open(client, registered, photos):
    with mlflow.start_run() as active:
        first = mlflow_interp.visualize_gradcam(registered, photos, quiet=True)
        second = mlflow_interp.visualize_gradcam(registered, photos, target=0, quiet=True)
        assert client.get_run(active.info.run_id).info.status == "RUNNING"
        assert mlflow.active_run().info.run_id == active.info.run_id
    assert first.run_id == second.run_id == active.info.run_id
    assert second.artifact_path == "interpretations/gradcam-2"
    params = client.get_run(active.info.run_id).data.params
    assert "interpretations/gradcam/target" not in params
    assert params["interpretations/gradcam-2/target"] == "0"
    index = fetch(client, active.info.run_id, "index.html").decode()
    assert 'id="section-gradcam"' in index
    assert 'id="section-gradcam-2"' in index


def test_estimators_fitted_by_a_method_are_not_autologged(client, tiny_cnn, pixels):
    """UMAP finds neighbours with scikit-learn, which the user's MLflow autologging may be logging."""
    mlflow.sklearn.autolog()
    try:
        with mlflow.start_run() as run:
            mlflow_interp.visualize_umap(
                tiny_cnn, np.tile(pixels, (4, 1, 1, 1)), labels=[0, 1, 2, 1, 0] * 4, quiet=True
            )
    finally:
        mlflow.sklearn.autolog(disable=True)
    logged = client.get_run(run.info.run_id)
    assert all(name.startswith("interpretations/") for name in (*logged.data.params, *logged.data.metrics))
    assert "mlflow.autologging" not in logged.data.tags
    assert not logged.outputs.model_outputs


def test_last_of_two_simultaneous_calls_restores_autologging(client):
    def logged():
        with mlflow.start_run() as run:
            LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        return bool(client.get_run(run.info.run_id).data.params)

    longer, shorter = without_autologging(), without_autologging()
    mlflow.sklearn.autolog(log_models=False)
    try:
        with longer:
            with shorter:
                pass
            assert not logged()
        assert logged()
    finally:
        mlflow.sklearn.autolog(disable=True)


def test_given_run_is_used_and_keeps_its_status(client, registered, photos):
    run = client.create_run("0")
    found = mlflow_interp.visualize_gradcam(registered, photos, run_id=run.info.run_id, quiet=True)
    assert found.run_id == run.info.run_id
    assert client.get_run(run.info.run_id).info.status == "RUNNING"


def test_run_of_mlflow_run_is_used_and_ended(client, registered, photos, monkeypatch):
    run = client.create_run("0")
    client.log_param(run.info.run_id, "target", "")
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    assert mlflow_interp.visualize_gradcam(registered, photos, quiet=True).run_id == run.info.run_id
    assert client.get_run(run.info.run_id).info.status == "FINISHED"


def test_run_of_mlflow_run_is_named_as_any_other(client, registered, photos, monkeypatch):
    run = client.create_run("0")  # with a name that MLflow generates
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    mlflow_interp.visualize_gradcam(registered, photos, quiet=True)
    monkeypatch.delenv("MLFLOW_RUN_ID")
    other = mlflow_interp.visualize_gradcam(registered, photos, quiet=True)
    found = [client.get_run(each).info.run_name for each in (run.info.run_id, other.run_id)]
    assert found == ["gradcam tiny v1"] * 2


@pytest.mark.parametrize(
    "name",
    ["release 3", "enthused-fish", "enthused-fish-265 b", "enthused-fish-1001", "my-fish-2", "my-net-3"],
)
def test_name_of_a_run_that_may_be_the_users_is_kept(client, registered, photos, monkeypatch, name):
    run = client.create_run("0", run_name=name)
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    mlflow_interp.visualize_gradcam(registered, photos, quiet=True)
    assert client.get_run(run.info.run_id).info.run_name == name


@pytest.mark.parametrize("how", ["active", "run_id"])
def test_name_of_the_users_own_run_is_kept(client, registered, photos, how):
    with mlflow.start_run() as run:
        if how == "active":
            mlflow_interp.visualize_gradcam(registered, photos, quiet=True)
    if how == "run_id":
        mlflow_interp.visualize_gradcam(registered, photos, run_id=run.info.run_id, quiet=True)
    assert client.get_run(run.info.run_id).info.run_name == run.info.run_name


def test_generated_names_of_mlflow_are_recognised():
    assert all(_is_generated(_generate_random_name()) for _ in range(200))


def test_model_in_memory_is_logged_to_the_current_experiment(client, tiny_cnn, pixels):
    found = mlflow_interp.visualize_gradcam(tiny_cnn, pixels, quiet=True)
    assert found.manifest["model"]["uri"] == "keras.Model"
    assert client.get_run(found.run_id).info.experiment_id == "0"


def test_no_log_writes_nothing(client, registered, photos):
    before = len(client.search_runs(["0", "1"]))
    found = mlflow_interp.visualize_gradcam(registered, photos, log=False, quiet=True)
    assert found.run_id is None
    assert found.heatmaps.shape == (4, 6, 6)
    assert len(client.search_runs(["0", "1"])) == before


def test_save_writes_the_same_files(tmp_path, registered, photos):
    found = mlflow_interp.visualize_gradcam(registered, photos, log=False, save=tmp_path / "out", quiet=True)
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert names == {
        "index.html", "gradcam/figure.png", "gradcam/figure.svg", "gradcam/figure.html",
        "gradcam/predictions.json",
        "gradcam/arrays.npz", "gradcam/index.json", "gradcam/result.json", "gradcam/manifest.json",
    }  # fmt: skip
    again = found.save(tmp_path / "out")
    assert again.name == "gradcam-2"
    for path in again.iterdir():
        assert path.read_bytes() == (tmp_path / "out" / "gradcam" / path.name).read_bytes()


def test_result_displays_itself_in_a_notebook(logged):
    assert logged._repr_png_().startswith(b"\x89PNG")
    assert logged._repr_html_().startswith("<img alt=")


def failed_run(client, error):
    """The newest run, which must state why it failed and have no complete interpretation."""
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=1)
    assert run.info.status == "FAILED"
    assert run.data.tags["mlflow_interp.error"] == f"{type(error.value).__name__}: {error.value}"
    assert not [name for name in artifacts(client, run.info.run_id) if name.endswith("manifest.json")]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"layer": "cnov"}, OptionError, "no layer 'cnov'"),
        ({"target": "dog"}, OptionError, "no class is named 'dog'"),
    ],
)
def test_errors_during_work_leave_a_failed_run_with_the_reason(
    client, registered, photos, options, kind, message
):
    with pytest.raises(kind, match=message) as error:
        mlflow_interp.visualize_gradcam(registered, photos, quiet=True, **options)
    failed_run(client, error)


@pytest.mark.parametrize(
    ("model", "inputs", "options", "kind", "message"),
    [
        ("models:/tiny/99", None, {}, ModelError, "models:/tiny/99"),
        ("models:/nobody/1", None, {}, ModelError, "nobody"),
        (None, "nowhere", {}, InputsError, "nothing found at 'nowhere'"),
        (None, None, {"colour": "red"}, OptionError, "gradcam has no option 'colour'; nearest: colormap"),
        (None, None, {"run_id": "0" * 32}, (ModelError, TrackingError), "0" * 32),
        (None, None, {"batch_size": 0}, OptionError, "batch_size is 0"),
        (None, None, {"colormap": "infernal"}, OptionError, "no colormap 'infernal'; nearest: inferno"),
        (None, None, {"opacity": 1.5}, OptionError, "opacity is 1.5; give a number from 0 to 1"),
    ],
)
def test_errors_before_work_create_no_run(client, registered, photos, model, inputs, options, kind, message):
    before = len(client.search_runs([e.experiment_id for e in client.search_experiments()]))
    with pytest.raises(kind, match=message):
        mlflow_interp.visualize_gradcam(model or registered, inputs or photos, quiet=True, **options)
    assert len(client.search_runs([e.experiment_id for e in client.search_experiments()])) == before


def test_error_in_a_run_of_mlflow_run_marks_it_failed(client, photos, monkeypatch):
    run = client.create_run("0")
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    with pytest.raises(ModelError):
        mlflow_interp.visualize_gradcam("models:/nobody/1", photos, quiet=True)
    ended = client.get_run(run.info.run_id)
    assert ended.info.status == "FAILED"
    assert "nobody" in ended.data.tags["mlflow_interp.error"]


def test_interrupt_ends_the_run_as_killed(client, registered, photos, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlflow_interp.api.draw_files", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mlflow_interp.visualize_gradcam(registered, photos, quiet=True)
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=1)
    assert run.info.status == "KILLED"


def test_failed_upload_leaves_no_manifest(client, registered, photos, monkeypatch):
    def refuse(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("mlflow.MlflowClient.log_artifact", refuse)
    with pytest.raises(
        TrackingError,
        match=r"could not be logged to run .* \(disk full\)\. .* upload them with: mlflow-interp resume ",
    ) as error:
        mlflow_interp.visualize_gradcam(registered, photos, quiet=True)
    failed_run(client, error)


def test_unreadable_images_are_skipped_named_and_counted(client, registered, photos):
    (photos / "broken.png").write_bytes(b"not a picture")
    (photos / "empty.png").touch()
    with pytest.warns(InterpretationWarning) as caught:
        found = mlflow_interp.visualize_gradcam(registered, photos, quiet=True)
    assert found.manifest["inputs"]["skipped"] == {
        "broken.png": "is not an image",
        "empty.png": "is empty (0 bytes)",
    }
    assert [str(warning.message) for warning in caught] == [
        "broken.png was left out: is not an image",
        "empty.png was left out: is empty (0 bytes)",
    ]
    assert found.manifest["inputs"]["count"] == 4
    assert "broken.png" in fetch(client, found.run_id, "index.html").decode()


def test_interpret_runs_several_methods_with_their_options(registered, photos):
    found = mlflow_interp.interpret(
        registered, photos, {"gradcam": {"target": "cat"}}, opacity=0.2, log=False, quiet=True
    )
    assert found["gradcam"].manifest["parameters"]["opacity"] == 0.2
    assert set(found["gradcam"].explained.targets.tolist()) == {2}
    with pytest.raises(OptionError, match="no method 'gradcma'"):
        mlflow_interp.interpret(registered, photos, "gradcma", log=False)
    with pytest.raises(OptionError, match="methods is empty"):
        mlflow_interp.interpret(registered, photos, ",", log=False)


@pytest.mark.parametrize("methods", ["all", ["all"], {"all": {}, "gradcam": {}}])
def test_all_skips_methods_unsuitable_for_the_inputs(client, registered, photos, methods):
    """Four images are too few for UMAP; if UMAP is requested by name, that is an error."""
    with (
        pytest.warns(InterpretationWarning, match="umap was left out: UMAP needs at least 5 inputs"),
        pytest.warns(InterpretationWarning, match="confusion_matrix was left out: no input has a label"),
    ):
        found = mlflow_interp.interpret(registered, photos, methods, quiet=True)
    assert set(found) == {
        "eigencam", "gradcam", "gradcam_plus_plus", "hirescam", "layercam", "nearest_examples",
    }  # fmt: skip
    assert client.get_run(found["gradcam"].run_id).info.status == "FINISHED"
    with pytest.raises(InputsError, match="UMAP needs at least 5 inputs"):
        mlflow_interp.interpret(registered, photos, ["gradcam", "umap"], log=False, quiet=True)
    with (
        pytest.warns(InterpretationWarning, match="confusion_matrix was left out"),
        pytest.raises(InputsError, match="UMAP needs at least 5 inputs"),
    ):
        mlflow_interp.interpret(registered, photos, ["all", "umap"], log=False, quiet=True)
    # An error unrelated to the inputs is still raised.
    with pytest.raises(OptionError, match="n_neighbors is 1"):
        mlflow_interp.interpret(registered, photos, n_neighbors=1, log=False, quiet=True)


def test_loading_options_given_for_one_method_apply_to_all(tiny_cnn, pixels):
    """Labels given for the confusion matrix also apply to Grad-CAM, which reports an accuracy."""
    labels = tiny_cnn.predict(pixels, verbose=0).argmax(axis=1)
    labels[0] = (labels[0] + 1) % 3
    methods = {"gradcam": {}, "confusion_matrix": {"labels": labels, "log": False}}
    found = mlflow_interp.interpret(tiny_cnn, pixels, methods, quiet=True)
    expected = 1 - 1 / len(pixels)
    assert [each.metrics["accuracy"] for each in found.values()] == pytest.approx([expected, expected])
    assert found["gradcam"].run_id is None
    with pytest.raises(
        OptionError, match=r"batch_size is 2 for gradcam and 3 for confusion_matrix; .* one value"
    ):
        mlflow_interp.interpret(
            "models:/nobody/1", pixels, {"gradcam": {"batch_size": 2}, "confusion_matrix": {"batch_size": 3}}
        )


@pytest.fixture
def experiment(client):
    found = client.get_experiment_by_name("of the run")
    return found.experiment_id if found else client.create_experiment("of the run")


def test_experiment_of_the_active_run_can_be_given(client, tiny_cnn, pixels, experiment):
    with mlflow.start_run(experiment_id=experiment) as run:
        found = mlflow_interp.visualize_gradcam(tiny_cnn, pixels, experiment="of the run", quiet=True)
    assert found.run_id == run.info.run_id


@pytest.mark.parametrize("log_to", ["active", "run_id", "mlflow run"])
def test_experiment_that_contradicts_the_run_is_rejected(client, experiment, monkeypatch, log_to):
    """Before a model is loaded, and without creating the experiment."""
    run_id = client.create_run(experiment).info.run_id
    options = {"experiment": "not there"}
    if log_to == "active":
        mlflow.start_run(run_id=run_id)
        message = f"experiment is 'not there', but run {run_id} is active in experiment 'of the run'; end it"
    elif log_to == "run_id":
        options |= {"run_id": run_id}
        message = f"experiment is 'not there', but run_id is {run_id}, a run in experiment 'of the run'; omit"
    else:
        monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
        message = (
            f"experiment is 'not there', but MLFLOW_RUN_ID is {run_id}, a run in experiment 'of the run'"
        )
    try:
        with pytest.raises(OptionError) as error:
            mlflow_interp.visualize_gradcam("models:/nobody/1", "nowhere", quiet=True, **options)
    finally:
        if log_to == "active":
            mlflow.end_run()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert client.get_experiment_by_name("not there") is None


def test_hostile_names_are_shown_as_text(client, registered, photos):
    hostile = "<script>alert(1)</script>"
    (photos / "red.png").rename(photos / "<img src=x onerror=alert(1)>.png")
    found = mlflow_interp.visualize_gradcam(
        registered, photos, class_names=[hostile, "=HYPERLINK()", "../../etc"], quiet=True
    )
    for page in ("index.html", "gradcam/figure.html", "gradcam/figure.svg"):
        text = fetch(client, found.run_id, page).decode()
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    assert artifacts(client, found.run_id) == artifacts(client, found.run_id) & {
        "index.html", "gradcam/figure.png", "gradcam/figure.svg", "gradcam/figure.html",
        "gradcam/predictions.json",
        "gradcam/arrays.npz", "gradcam/index.json", "gradcam/result.json", "gradcam/manifest.json",
    }  # fmt: skip


def test_threads_log_to_separate_runs(registered, photos):
    found = []

    def work():
        with warnings.catch_warnings():
            found.append(mlflow_interp.visualize_gradcam(registered, photos, quiet=True))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.run_id for each in found}) == 4
    assert all(np.array_equal(found[0].heatmaps, each.heatmaps) for each in found)


def test_threads_that_log_to_one_run_take_turns(client, tiny_cnn, pixels):
    """Each has a separate, complete folder, and all are on the run's page."""
    with mlflow.start_run() as run:
        pass

    def work(_):
        return mlflow_interp.visualize_gradcam(tiny_cnn, pixels, run_id=run.info.run_id, quiet=True)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(work, range(4)))
    places = {each.artifact_path.removeprefix("interpretations/") for each in found}
    assert places == {"gradcam", "gradcam-2", "gradcam-3", "gradcam-4"}
    for each, place in ((each, each.artifact_path.removeprefix("interpretations/")) for each in found):
        for name, digest in each.manifest["files"].items():
            content = fetch(client, run.info.run_id, f"{place}/{name}")
            assert hashlib.sha256(content).hexdigest() == digest
    page = fetch(client, run.info.run_id, "index.html").decode()
    assert all(f'id="section-{place}"' in page for place in places)
    tables = json.loads(client.get_run(run.info.run_id).data.tags["mlflow.loggedArtifacts"])
    assert len(tables) == 4


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are counted as Linux shows them")
def test_repeated_calls_leak_no_resources(client, tiny_cnn, pixels):
    """After the first calls, no threads, open files or open runs are added."""

    def held():
        running = client.search_runs([_get_experiment_id()], "attributes.status = 'RUNNING'")
        return threading.active_count(), len(os.listdir("/proc/self/fd")), len(running)

    for call in range(6):
        mlflow_interp.visualize_gradcam(tiny_cnn, pixels[:1], quiet=True)
        if call == 1:
            before = held()
    after = held()
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)
