"""Autologging: where results are logged, which run is used, and that the training is unchanged."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import textwrap
import threading
import time

import keras
import mlflow
import numpy as np
import pytest
import tensorflow as tf

import mlflow_interp
from mlflow_interp.exceptions import OptionError
from tests.training.small import artifact_names, make_small, only_run, runs

CLIENT = mlflow.MlflowClient


def history(run, metric):
    return [(each.step, each.value) for each in CLIENT().get_metric_history(run.info.run_id, metric)]


def test_each_epoch_is_logged_to_a_new_run(small, images, logged_warnings):
    """Folders, metrics and images for each epoch, one page for all, tags, and a run that is FINISHED."""
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam,confusion_matrix", class_names=["dark", "bright"], samples=12)
    small.fit(inputs, labels, validation_data=(inputs[:20], labels[:20]), epochs=3, verbose=0)
    run = only_run()
    assert run.info.status == "FINISHED"
    assert artifact_names(run) == ["confusion_matrix", "gradcam", "index.html"]
    # Only a kind with more to show than the page of the run has a page over all epochs.
    for method, pages in {"gradcam": set(), "confusion_matrix": {"figure.html"}}.items():
        assert {
            "epoch-0000",
            "epoch-0001",
            "epoch-0002",
            "figure.png",
            "figure.svg",
            "index.json",
            "manifest.json",
        } | pages == set(artifact_names(run, f"interpretations/{method}"))
    assert [step for step, _ in history(run, "interpretations/gradcam/focus")] == [0, 1, 2]
    assert run.data.metrics["interpretations/gradcam/inputs"] == 12
    images = [path for path in artifact_names(run, "images") if path.startswith("interpretations~gradcam")]
    assert {path.split("step")[1][1] for path in images} == {"0", "1", "2"}
    methods = run.data.tags["mlflow_interp.methods"].split(",")
    assert sorted(methods) == ["confusion_matrix", "gradcam"]
    manifest = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/interpretations/gradcam/manifest.json")
    assert manifest["steps"] == [0, 1, 2]
    page = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/interpretations/index.html")
    shown = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert {method["place"]: [step["step"] for step in method["steps"]] for method in shown["methods"]} == {
        "confusion_matrix": [0, 1, 2],
        "gradcam": [0, 1, 2],
    }
    assert "at epoch 0" in page
    assert not [
        line for line in logged_warnings() if "without" in line or "ignored" in line or "not logged" in line
    ]


def test_confusion_matrix_of_the_validation_set_equals_keras(small, images):
    """Counts come from the validation pass of fit: their accuracy equals val_accuracy in each epoch."""
    inputs, labels = images
    mlflow_interp.autolog(methods="confusion_matrix", samples=4)
    history_ = small.fit(inputs, labels, validation_data=(inputs[:30], labels[:30]), epochs=3, verbose=0)
    found = [value for _, value in history(only_run(), "interpretations/confusion_matrix/accuracy")]
    np.testing.assert_allclose(found, history_.history["val_accuracy"], rtol=1e-6)


@pytest.mark.parametrize("first", ["mlflow.tensorflow", "mlflow.keras", "ours"])
def test_combined_with_mlflow_autologging_in_either_order(first, small, images, monkeypatch):
    """One run has the losses, the model and the interpretations, with links between them."""
    inputs, labels = images
    # MLflow would take half a minute to infer the requirements of the model.
    monkeypatch.setenv("MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT", "1")

    def autolog_of_mlflow():
        if first == "mlflow.keras":
            mlflow.keras.autolog()
        else:
            mlflow.tensorflow.autolog()

    if first == "ours":
        mlflow_interp.autolog(methods="gradcam")
    autolog_of_mlflow()
    if first != "ours":
        mlflow_interp.autolog(methods="gradcam")
    mine = []
    small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=2, verbose=0, callbacks=mine)
    run = only_run()
    assert run.info.status == "FINISHED"
    assert [step for step, _ in history(run, "val_loss")] == [0, 1]
    assert [step for step, _ in history(run, "interpretations/gradcam/inputs")] == [0, 1]
    assert not any(isinstance(each, mlflow_interp.InterpretationCallback) for each in mine)
    (model,) = CLIENT().search_logged_models([run.info.experiment_id])
    assert model.tags["mlflow_interp.gradcam.run_id"] == run.info.run_id
    assert CLIENT().get_run(run.info.run_id).data.tags["mlflow_interp.model_id"] == model.model_id


def test_a_version_registered_before_its_training_ends_leads_to_the_run(small, images):
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam", samples=4)
    with mlflow.start_run() as run:
        info = mlflow.keras.log_model(small, name="model", pip_requirements=["keras"])
        mlflow.register_model(info.model_uri, "trained while registered")
        small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=1, verbose=0)
    version = CLIENT().get_model_version("trained while registered", "1")
    assert (
        f"/runs/{version.run_id}/artifacts/interpretations/index.html?" in version.tags["mlflow_interp.page"]
    )
    assert version.tags["mlflow_interp.gradcam.run_id"] == run.info.run_id


TRAINED = """
        import hashlib
        def trained(**given):
            mlflow_interp.autolog(**given)
            model, mine = make_small(), [keras.callbacks.EarlyStopping(patience=9)]
            fitted = model.fit(
                inputs,
                labels,
                validation_data=(inputs[:20], labels[:20]),
                epochs=2,
                verbose=0,
                batch_size=8,
                callbacks=mine,
            )
            mlflow_interp.autolog(disable=True)
            weights = hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest()
            draws = float(np.random.random()), float(tf.random.uniform(())), float(keras.random.uniform(()))
            public = sorted(name for name in vars(model) if not name.startswith("_"))
            return weights, fitted.history, draws, public, len(mine), len(model.metrics)
        tf.config.experimental.enable_op_determinism()
        plain = trained(disable=True)
        watched = trained(methods="gradcam,saliency,confusion_matrix", samples=6)
        print("the same" if plain == watched else f"{plain}\\n{watched}")
        """


def test_training_is_identical_bit_for_bit(tmp_path):
    """Weights, losses, state of random generators, attributes and callbacks: equal with and without."""
    process = run_in_process(TRAINED, tmp_path)
    assert process.stdout.endswith("the same\n"), process.stdout + process.stderr[-3000:]
    assert artifact_names(only_run()) == ["confusion_matrix", "gradcam", "index.html", "saliency"]


def test_active_run_is_used_and_stays_open(small, images):
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam")
    with mlflow.start_run() as run:
        for _ in range(2):
            small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=1, verbose=0)
        assert CLIENT().get_run(run.info.run_id).info.status == "RUNNING"
        with mlflow.start_run(nested=True) as child:
            small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=1, verbose=0)
    assert artifact_names(run) == ["gradcam", "gradcam-2", "index.html"]
    assert artifact_names(child) == ["gradcam", "index.html"]
    assert {each.info.status for each in runs()} == {"FINISHED"}


def test_exclusive_leaves_the_active_run_unchanged(small, images):
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam", exclusive=True)
    with mlflow.start_run() as run:
        small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=1, verbose=0)
    assert artifact_names(run) == []
    assert len(runs()) == 1


def test_nothing_is_logged_if_disabled_or_outside_fit(small, images):
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam")
    small.evaluate(inputs, labels, verbose=0)
    small.predict(inputs, verbose=0)
    mlflow_interp.autolog(disable=True)
    small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=1, verbose=0)
    mlflow_interp.autolog(methods="gradcam")
    mlflow.autolog(disable=True)
    small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=1, verbose=0)
    assert not [run for run in runs() if artifact_names(run)]


def datasets(inputs, labels):
    """The same validation data in every form that fit accepts."""

    class Sequence(keras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return inputs[index * 4 : index * 4 + 4], labels[index * 4 : index * 4 + 4]

    def generator():
        while True:
            for start in range(0, 20, 4):
                yield inputs[start : start + 4], labels[start : start + 4]

    dataset = tf.data.Dataset.from_tensor_slices((inputs[:20], labels[:20]))
    return {
        "arrays": {"validation_data": (inputs[:20], labels[:20])},
        "split": {"validation_split": 0.5},
        "dataset": {"validation_data": dataset.batch(8)},
        "endless": {"validation_data": dataset.repeat().batch(4), "validation_steps": 5},
        "generator": {"validation_data": generator(), "validation_steps": 5},
        "sequence": {"validation_data": Sequence()},
        "every other": {"validation_data": (inputs[:20], labels[:20]), "validation_freq": 2},
    }


@pytest.mark.parametrize(
    "kind", ["arrays", "split", "dataset", "endless", "generator", "sequence", "every other"]
)
def test_every_form_of_validation_data(kind, small, images, logged_warnings):
    """Each validation pass counts twenty inputs and interprets ten; the results of fit do not change."""
    given = datasets(*images)[kind]
    mlflow_interp.autolog(methods="gradcam,confusion_matrix", samples=10)
    fitted = small.fit(*images, epochs=2, verbose=0, **given)
    run = only_run()
    assert run.data.metrics["interpretations/gradcam/inputs"] == 10
    counted = history(run, "interpretations/confusion_matrix/accuracy")
    if kind == "every other":
        assert counted[-1] == (1, pytest.approx(fitted.history["val_accuracy"][-1]))
    else:
        np.testing.assert_allclose([value for _, value in counted], fitted.history["val_accuracy"], rtol=1e-6)
    assert run.info.status == "FINISHED"
    assert not [line for line in logged_warnings() if "without" in line or "ignored" in line]


def test_epoch_without_validation_has_no_counts_of_another_epoch(small, images):
    """With validation in every other epoch, each matrix belongs to the weights of its own epoch."""
    inputs, _ = images
    labels = (np.arange(40) < 30).astype(int)

    def turn(epoch, logs=None):
        """Make the model predict bright after even epochs and dark after odd ones."""
        small.layers[-1].bias.assign([50.0 * (epoch % 2), 50.0 * (1 - epoch % 2)])

    small.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    mlflow_interp.autolog(methods="confusion_matrix")
    own = keras.callbacks.LambdaCallback(on_epoch_begin=turn)
    given = {"validation_data": (inputs, labels), "validation_freq": 2, "callbacks": [own]}
    small.fit(inputs, labels, epochs=4, verbose=0, **given)
    found = history(only_run(), "interpretations/confusion_matrix/accuracy")
    assert found == [(0, 0.75), (1, 0.25), (2, 0.75), (3, 0.25)]


def test_weights_of_the_validation_data_are_used(small, images):
    inputs, labels = images
    weights = np.where(labels == 1, 3.0, 1.0)
    mlflow_interp.autolog(methods="confusion_matrix")
    small.fit(inputs, labels, validation_data=(inputs, labels, weights), epochs=1, verbose=0)
    right = small.predict(inputs, verbose=0).argmax(axis=1) == labels
    found = only_run().data.metrics["interpretations/confusion_matrix/accuracy"]
    assert found == pytest.approx(float(right @ weights / weights.sum()))


def test_training_data_is_sampled_without_validation_data(small, images, logged_warnings):
    mlflow_interp.autolog(methods="gradcam", samples=10)
    small.fit(*images, epochs=1, verbose=0)
    assert only_run().data.metrics["interpretations/gradcam/inputs"] == 10
    assert any("sample of the training data" in line for line in logged_warnings())


def test_generators_of_training_data_are_not_consumed(small, images, logged_warnings):
    inputs, labels = images
    taken = []

    def generator():
        while True:
            taken.append(1)
            yield inputs[:8], labels[:8]

    mlflow_interp.autolog(methods="gradcam")
    small.fit(generator(), steps_per_epoch=3, epochs=1, verbose=0, shuffle=False)
    # Keras itself reads a few more than the three batches it trains on; a sample of 500 would need sixty.
    assert len(taken) < 12
    assert any("nothing is interpreted" in line for line in logged_warnings())


def test_data_option_and_every_n_epochs(small, images):
    inputs, labels = images
    mlflow_interp.autolog(methods="saliency", data=(inputs, labels), samples=6, every_n_epochs=2)
    small.fit(inputs, labels, epochs=5, verbose=0)
    run = only_run()
    assert [step for step, _ in history(run, "interpretations/saliency/inputs")] == [1, 3, 4]
    manifest = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/interpretations/saliency/manifest.json")
    assert manifest["inputs"]["source"] == "data"


def test_shuffled_dataset_is_read_once(small, images):
    dataset = tf.data.Dataset.from_tensor_slices(images).shuffle(len(images[0]))
    mlflow_interp.autolog(methods="saliency", data=dataset, samples=6)
    small.fit(*images, epochs=2, verbose=0)
    base = f"{only_run().info.artifact_uri}/interpretations/saliency"
    first, second = (mlflow.artifacts.load_dict(f"{base}/epoch-000{epoch}/manifest.json") for epoch in (0, 1))
    assert first["inputs"]["digest"] == second["inputs"]["digest"]
    assert not [warning for warning in second["warnings"] if "read again" in warning]


def test_inputs_stay_the_same_unless_resampled(small, images):
    inputs, labels = images
    names = {}
    for resample in (False, True):
        mlflow_interp.autolog(methods="gradcam", samples=6, resample=resample, exclusive=True)
        small.fit(inputs, labels, validation_data=(inputs, labels), epochs=2, verbose=0)
        run = runs()[-1]
        base = f"{run.info.artifact_uri}/interpretations/gradcam"
        names[resample] = [
            mlflow.artifacts.load_dict(f"{base}/epoch-000{epoch}/manifest.json")["inputs"]["names"]
            for epoch in range(2)
        ]
    assert names[False][0] == names[False][1]
    assert names[True][0] != names[True][1]
    # Proportional to the classes.
    assert sum(int(name.removeprefix("#")) % 2 for name in names[False][0]) == 3


class FailingCallback(keras.callbacks.Callback):
    """Raises an exception during a training."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise self.error


def test_user_exception_is_raised_and_the_run_fails(small, images):
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam")
    with pytest.raises(RuntimeError, match="mine"):
        small.fit(
            inputs,
            labels,
            validation_data=(inputs[:8], labels[:8]),
            epochs=3,
            verbose=0,
            callbacks=[FailingCallback(RuntimeError("mine"))],
        )
    assert ended().info.status == "FAILED"


def test_exception_during_validation_leaves_the_model_unchanged(small, images):
    class FailingInValidation(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            raise RuntimeError("mine")

    inputs, labels = images
    mlflow_interp.autolog(methods="confusion_matrix")
    with pytest.raises(RuntimeError, match="mine"):
        small.fit(
            inputs, labels, validation_data=(inputs, labels), verbose=0, callbacks=[FailingInValidation()]
        )
    assert ended().info.status == "FAILED"
    assert "compute_metrics" not in vars(small)
    assert small.test_function is None


def ended():
    """The only run, once it has ended; after an exception, nothing waits for it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if runs() and only_run().info.status != "RUNNING":
            break
        time.sleep(0.2)
    return only_run()


SCRIPT = """
import os, sys
sys.path.insert(0, {root!r})
import mlflow
mlflow.set_tracking_uri({uri!r})
mlflow.set_experiment({experiment!r})
import numpy as np, tensorflow as tf, keras, mlflow_interp
from tests.training.small import make_small
from tests.training.test_autolog import FailingCallback
generator = np.random.default_rng(0)
inputs, labels = generator.random((40, 8, 8, 1), dtype=np.float32), np.arange(40) % 2
mlflow_interp.autolog(methods="gradcam,confusion_matrix", samples=10)
{body}
"""


def run_in_process(body, tmp_path, **settings):
    """Run a training in a separate process."""
    text = SCRIPT.format(
        root=os.getcwd(), uri=mlflow.get_tracking_uri(), experiment=tmp_path.name, body=textwrap.dedent(body)
    )
    return subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=240, check=False, **settings
    )


def test_ctrl_c_ends_the_run_as_killed(tmp_path):
    process = run_in_process(
        """
        make_small().fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=3, verbose=0,
                         callbacks=[FailingCallback(KeyboardInterrupt())])
        """,
        tmp_path,
    )
    assert "KeyboardInterrupt" in process.stderr
    assert ended().info.status == "KILLED"


def test_program_that_ends_early_loses_nothing(tmp_path):
    """When the program ends, more data than fits in a pipe remains to be sent."""
    process = run_in_process(
        """
        inputs, labels = np.tile(inputs, (20, 1, 1, 1)), np.tile(labels, 20)
        mlflow_interp.autolog(methods="gradcam", samples=800, wait=0)
        make_small().fit(inputs, labels, validation_data=(inputs, labels), epochs=4, verbose=0)
        """,
        tmp_path,
    )
    assert "continues in the background" in process.stderr
    assert ended().info.status == "FINISHED"
    epochs = [f"epoch-000{epoch}" for epoch in range(4)]
    assert set(epochs) < set(artifact_names(only_run(), "interpretations/gradcam"))
    for each in ["interpretations/gradcam", *(f"interpretations/gradcam/{epoch}" for epoch in epochs)]:
        assert "manifest.json" in artifact_names(only_run(), each)


def test_two_replicas(tmp_path):
    """MirroredStrategy: every input of the validation pass is counted once."""
    process = run_in_process(
        """
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        with strategy.scope():
            model = make_small()
        fitted = model.fit(inputs, labels, validation_data=(inputs[:20], labels[:20]), epochs=2, verbose=0)
        print("accuracy", fitted.history["val_accuracy"][-1])
        """,
        tmp_path,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    run = only_run()
    accuracy = float(process.stdout.split("accuracy")[1])
    assert run.data.metrics["interpretations/confusion_matrix/accuracy"] == pytest.approx(accuracy)
    assert run.info.status == "FINISHED"


def test_two_threads_train_simultaneously(images):
    """Each training has a separate run, and both end."""
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam,confusion_matrix", samples=10)
    models = [make_small(), make_small()]
    threads = [
        threading.Thread(
            target=model.fit,
            args=(inputs, labels),
            kwargs={"validation_data": (inputs[:8], labels[:8]), "epochs": 2, "verbose": 0},
        )
        for model in models
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.info.status for run in runs()] == ["FINISHED", "FINISHED"]
    assert all(artifact_names(run) == ["confusion_matrix", "gradcam", "index.html"] for run in runs())


def test_inapplicable_method_is_skipped_with_one_warning(images, logged_warnings):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam,saliency")
    model.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=3, verbose=0)
    assert len([line for line in logged_warnings() if "without gradcam" in line]) == 1
    assert artifact_names(only_run()) == ["index.html", "saliency"]


def test_mixed_precision_and_regression(images, logged_warnings):
    inputs, labels = images
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = make_small()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    mlflow_interp.autolog(methods="gradcam,confusion_matrix")
    model.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=1, verbose=0)
    assert artifact_names(only_run()) == ["confusion_matrix", "gradcam", "index.html"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"methods": "gradcma"}, "no method 'gradcma'"),
        ({"sample": 3}, "InterpretationCallback has no option 'sample'; nearest: samples"),
        ({"methods": ""}, "methods is empty"),
        ({"methods": {"gradcam": {"labels": [1]}}}, "'labels' is not an option during training"),
        ({"methods": {"gradcam": {"colour": 1}}}, "gradcam has no option 'colour'"),
        ({"methods": {"gradcam": {"opacity": 3}}}, "opacity is 3; give a number from 0 to 1"),
        (
            {"methods": {"gradcam": {"class_names": "ab"}, "umap": {"class_names": "cd"}}},
            "class_names is 'ab' for gradcam and 'cd' for umap",
        ),
        (
            {"methods": {"umap": {"class_names": "cd"}}, "class_names": "ab"},
            "class_names is 'ab' for the call and 'cd' for umap",
        ),
        (
            {"methods": {"all": {"noise_samples": 3}}},
            "have no option 'noise_samples'; it is an option of saliency",
        ),
        ({"wait": -1}, "wait is -1; give 0 or more"),
        ({"samples": 0}, "samples is 0"),
        ({"every_n_epochs": -1}, "every_n_epochs is -1"),
    ],
)
def test_invalid_arguments_are_rejected_immediately(given, message):
    with pytest.raises(OptionError, match=message):
        mlflow_interp.InterpretationCallback(**given)


@pytest.mark.parametrize("methods", ["all", ["all"], {"all": {}}])
def test_all_selects_methods_with_a_single_pass(methods):
    options = mlflow_interp.InterpretationCallback(methods).options
    cams = ["eigencam", "gradcam", "gradcam_plus_plus", "hirescam", "layercam"]
    assert sorted(options.by_method) == [
        "attention",
        "confusion_matrix",
        *cams,
        "nearest_examples",
        "training_dynamics",
        "umap",
    ]


def test_class_names_for_one_method_apply_to_all():
    methods = {"gradcam": {"class_names": ["dark", "bright"], "layer": "conv"}, "all": {"n_neighbors": 5}}
    options = mlflow_interp.InterpretationCallback(methods).options
    assert options.class_names == ["dark", "bright"]
    assert (options.by_method["gradcam"], options.by_method["umap"]) == (
        {"layer": "conv"},
        {"n_neighbors": 5},
    )


def test_autolog_rejects_run_id():
    with pytest.raises(OptionError, match="autolog has no option 'run_id'"):
        mlflow_interp.autolog(run_id="r")


def test_autolog_and_the_callback_have_the_same_options():
    ours, own = (
        inspect.signature(each).parameters
        for each in (mlflow_interp.autolog, mlflow_interp.InterpretationCallback)
    )
    of_mlflow, of_one_training = {"disable", "exclusive", "silent"}, {"run_id", "_silent"}
    assert set(ours) - of_mlflow == set(own) - of_one_training
    for name in set(ours) - of_mlflow:
        assert ours[name].default == own[name].default, name
        assert ours[name].annotation == own[name].annotation, name


def test_callback_without_autolog(small, images):
    inputs, labels = images
    callback = mlflow_interp.InterpretationCallback({"gradcam": {"layer": "conv"}}, samples=5)
    small.fit(
        inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=2, verbose=0, callbacks=[callback]
    )
    run = only_run()
    assert run.info.run_id == callback.run_id
    assert run.data.params["interpretations/gradcam/layer"] == "conv"


# Labels of another structure.


@pytest.mark.parametrize("in_memory", [True, False])
def test_masks_do_not_stop_the_interpretation(in_memory):
    """A segmentation, whose labels are a class for each pixel."""
    keras.utils.set_random_seed(0)
    inputs = np.random.default_rng(0).random((20, 8, 8, 1), np.float32)
    masks = (inputs[..., 0] > 0.5).astype(np.int32)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv"),
            keras.layers.Conv2D(2, 1, activation="softmax", name="head"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    validation = (inputs, masks)
    if not in_memory:
        validation = tf.data.Dataset.from_tensor_slices(validation).batch(10)
    mlflow_interp.autolog(methods="gradcam,umap", samples=10)
    model.fit(inputs, masks, validation_data=validation, epochs=1, verbose=0)
    run = only_run()
    assert set(artifact_names(run)) >= {"gradcam", "umap"}
    assert run.data.metrics["interpretations/gradcam/inputs"] == 10
    assert "interpretations/gradcam/accuracy" not in run.data.metrics


def test_quality_is_quick(small, images):
    """The two numbers that cost little, after each epoch."""
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam,quality", samples=6, every_n_epochs=2)
    small.fit(inputs, labels, validation_data=(inputs[:20], labels[:20]), epochs=3, verbose=0)
    run = only_run()
    metrics = run.data.metrics
    assert [step for step, _ in history(run, "interpretations/quality/faithfulness/gradcam")] == [1, 2]
    assert "interpretations/quality/stability/gradcam" not in metrics
    assert metrics["interpretations/quality/inputs"] == 6
