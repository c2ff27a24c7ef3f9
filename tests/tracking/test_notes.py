"""The note of a run: findings and links; what a person wrote there is kept."""

from __future__ import annotations

import re
from unittest import mock

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.utils.autologging_utils import AUTOLOGGING_INTEGRATIONS

import mlflow_interp
from mlflow_interp.report.note import LONGEST, note
from tests.interpretations import entry, examples, results

pytestmark = pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")


def note_of(run_id):
    return MlflowClient().get_run(run_id).data.tags.get("mlflow.note.content")


@pytest.fixture
def labelled(tmp_path):
    """Four images in folders of their classes."""
    from PIL import Image

    colours = {"ant/red": 200, "ant/dark": 60, "bee/green": 90, "cat/blue": 30}
    for name, red in colours.items():
        path = tmp_path / "pictures" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 10), (red, 40, 40)).save(path)
    return tmp_path / "pictures"


def test_a_new_run_has_a_note_with_the_findings_and_links_to_what_exists(registered, labelled):
    found = mlflow_interp.interpret(registered, labelled, "gradcam,confusion_matrix", quiet=True)
    run = MlflowClient().get_run(found["gradcam"].run_id)
    text = run.data.tags["mlflow.note.content"]
    accuracy = found["gradcam"].metrics["accuracy"]
    assert (
        f"- {round(4 * accuracy)} of 4 inputs are predicted correctly ({accuracy:.1%})." in text.splitlines()
    )
    assert "tiny version 1, 4 inputs of " in text
    links = re.findall(r"\((#/[^)]+)\)", text)
    prefix = f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts/"
    assert all(each.startswith(prefix) for each in links)
    assert all(each.endswith("?workflowType=machine_learning") for each in links)
    paths = [each.removeprefix(prefix).partition("?")[0] for each in links]
    assert paths == [
        "interpretations/index.html",
        "interpretations/gradcam/figure.html",
        "interpretations/confusion_matrix/figure.html",
    ]
    for path in paths:
        assert mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/{path}")


def test_our_own_note_follows_what_is_added(registered, labelled):
    with mlflow.start_run() as run:
        mlflow_interp.visualize_gradcam(registered, labelled, quiet=True)
        first = note_of(run.info.run_id)
        mlflow_interp.visualize_layercam(registered, labelled, quiet=True)
    assert "layercam" not in first
    assert "[layercam](" in note_of(run.info.run_id)
    assert "[gradcam](" in note_of(run.info.run_id)
    assert note_of(run.info.run_id).count("predicted correctly") == 1


@pytest.mark.parametrize("when", ["before", "after", "edited", "ours with a word more"])
def test_what_a_person_wrote_is_kept(registered, labelled, when):
    client, theirs = MlflowClient(), "My findings:\n\n- the tripod\n"
    with mlflow.start_run() as run:
        run_id = run.info.run_id
        if when == "before":
            client.set_tag(run_id, "mlflow.note.content", theirs)
        mlflow_interp.visualize_gradcam(registered, labelled, quiet=True)
        if when == "ours with a word more":
            theirs = f"{note_of(run_id)} agreed"
        if when != "before":
            client.set_tag(run_id, "mlflow.note.content", theirs)
        mlflow_interp.visualize_layercam(registered, labelled, quiet=True)
    assert note_of(run_id) == theirs


def test_a_note_that_a_person_emptied_is_written_again(registered, labelled):
    with mlflow.start_run(description="") as run:
        mlflow_interp.visualize_gradcam(registered, labelled, quiet=True)
        MlflowClient().set_tag(run.info.run_id, "mlflow.note.content", "")
        mlflow_interp.visualize_layercam(registered, labelled, quiet=True)
    assert "[layercam](" in note_of(run.info.run_id)


def test_the_description_of_start_run_is_kept(registered, labelled):
    with mlflow.start_run(description="baseline") as run:
        mlflow_interp.visualize_gradcam(registered, labelled, quiet=True)
    assert note_of(run.info.run_id) == "baseline"


def test_a_training_has_the_findings_of_its_last_epoch(tiny_cnn, pixels, store):
    import keras
    import numpy as np

    model, labels = keras.models.clone_model(tiny_cnn), np.arange(len(pixels)) % 3
    model.compile("sgd", "sparse_categorical_crossentropy")
    with mock.patch.dict(AUTOLOGGING_INTEGRATIONS):
        mlflow_interp.autolog("gradcam")
        with mlflow.start_run() as run:
            model.fit(pixels, labels, validation_data=(pixels, labels), epochs=2, verbose=0)
    mlflow_interp.autolog(disable=True)
    predicted = model.predict(pixels, verbose=0).argmax(axis=1)
    right, count = int((predicted == labels).sum()), len(labels)
    text = note_of(run.info.run_id)
    assert f"after epoch 1, {count} inputs of" in text
    assert f"- {right} of {count} inputs are predicted correctly ({right / count:.1%})." in text


def test_names_from_data_are_not_taken_for_markdown():
    hostile = "<img src=x> [a](javascript:b) *c* `d` http://e\n# f"
    shown = examples(5, class_names=tuple(f"{hostile}{at}" for at in range(5)), names=[hostile] * 5)
    found = entry("gradcam", results(shown)["gradcam"], model={"name": hostile}, inputs={"source": hostile})
    text = note([found], "0", "abc", "interpretations")
    assert "<" not in text
    assert "\n#" not in text
    assert "http://" not in text
    for mark in "*`[":
        bare = re.findall(rf"(?<!\\){re.escape(mark)}", text)
        assert len(bare) == {"*": 4, "`": 0, "[": 2}[mark]
    assert re.findall(r"(?<!\\)\]\((?!#/)", text) == []


def test_a_long_note_is_shortened():
    shown = examples(3)
    result = results(shown)["gradcam"]
    many = [
        entry("gradcam", result, place=f"gradcam-{at}", inputs={"source": "s" * 400 + str(at)})
        for at in range(30)
    ]
    text = note(many, "0", "abc", "interpretations")
    assert 1_000 < len(text) <= LONGEST + 4
    assert text.endswith("\n- …")
    assert "gradcam-29" in text  # the latest come first
