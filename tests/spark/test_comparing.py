"""Two versions compared on Spark: numbers of all rows are those of one process."""

from __future__ import annotations

import json

import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.exceptions import InputsError, OptionError
from tests.spark.conftest import COUNT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning"),
]

OPTIONS = {"preprocess": "0..1", "resize": "stretch", "interpolation": "bilinear", "quiet": True}
METHODS = {"gradcam": {}, "confusion_matrix": {}, "saliency": {"noise_samples": 2, "path_steps": 2}}


@pytest.fixture(scope="module")
def new_model(colour_model):
    """The old version with other weights in its head."""
    import keras

    new = keras.models.clone_model(colour_model)
    *others, kernel, bias = colour_model.get_weights()
    rng = np.random.default_rng(4)
    new.set_weights([*others, kernel + 0.5 * rng.normal(size=kernel.shape), bias])
    return new


@pytest.fixture(scope="module")
def photos(spark, store, classes_folder):
    from mlflow_interp.spark.folder import read_folder

    return read_folder(spark, classes_folder)[0].repartition(3)


@pytest.fixture(scope="module")
def found(photos, colour_model, new_model, tmp_path_factory):
    import mlflow_interp.spark

    table = str(tmp_path_factory.mktemp("compared") / "rows")
    return mlflow_interp.spark.compare(
        photos, colour_model, new_model, METHODS, table=table, label="label", sample=12, **OPTIONS
    )


@pytest.fixture(scope="module")
def alone(store, colour_model, new_model, classes_folder):
    return mlflow_interp.compare(colour_model, new_model, str(classes_folder), METHODS, log=False, **OPTIONS)


def test_numbers_of_all_rows_are_those_of_one_process(found, alone):
    assert (found.rows, found.errors) == (COUNT + 1, 1)
    of_sample = ("cka", "neighbour_overlap", "saliency")
    for name, value in alone.metrics.items():
        if not any(each in name for each in of_sample):
            assert found.metrics[name] == pytest.approx(value, abs=1e-4), name
    assert found.metrics["churn"] > 0
    assert found.verdict == alone.verdict
    for one, other in zip(found.comparison.result.verdicts, alone.result.verdicts, strict=True):
        assert (one.rule, one.status) == (other.rule, other.status)


def test_the_scale_of_agreement_is_that_of_one_process(
    photos, colour_model, new_model, classes_folder, tmp_path, monkeypatch
):
    """Of fewer inputs than there are: the same ones are taken, and are among the sample."""
    import mlflow_interp.spark as interp
    from mlflow_interp.engine.anchors import AnchorMethod
    from mlflow_interp.spark.comparing import table

    monkeypatch.setattr(AnchorMethod, "max_explained", 20)
    monkeypatch.setattr(table, "MOST_ANCHORS", 20)
    options = {"log": False, **OPTIONS}
    folder = str(classes_folder)
    alone = mlflow_interp.compare(colour_model, new_model, folder, **options)
    found = interp.compare(
        photos, colour_model, new_model, table=str(tmp_path / "rows"), label="label", sample=5, **options
    )
    one, other = (
        each.paired.agreements["gradcam"].anchors for each in (found.comparison.result, alone.result)
    )
    assert len(one.ceiling) == len(other.ceiling) == 20
    for name in ("ceiling", "floor"):
        values = (np.sort(getattr(each, name)) for each in (one, other))
        np.testing.assert_allclose(*values, atol=1e-3)


def test_counts_are_those_of_all_rows(found, alone):
    differences = [each.differences["confusion_matrix"] for each in (found.comparison.result, alone.result)]
    for name in ("minuend", "subtrahend"):
        np.testing.assert_array_equal(*(getattr(each, name).counts for each in differences))


def test_a_method_of_many_passes_is_compared_on_the_sample(found):
    whole = found.comparison.result.whole
    agreement = whole.agreements["saliency/integrated_gradients"]
    assert len(agreement.correlation) == len(whole.predictions) == COUNT
    # The rows with the smallest hashes, which have the scale of agreement, are all rows here.
    assert 12 <= agreement.explained.sum() <= COUNT


def test_the_table_has_a_row_for_each_input(found):
    rows = {row["id"]: row for row in found.table.collect()}
    assert len(rows) == COUNT + 1
    (broken,) = [row for row in rows.values() if row["error"] is not None]
    assert broken["error"] == "is not an image"
    good = [row for row in rows.values() if row["error"] is None]
    differ = np.mean([row["old"]["predicted"] != row["new"]["predicted"] for row in good])
    assert differ == pytest.approx(found.metrics["churn"])
    agreement = np.array([row["gradcam"]["correlation"] for row in good], float)
    right = [row["old"]["predicted"] == row["new"]["predicted"] == row["label"] for row in good]
    expected = np.nanmedian(agreement[right])
    assert found.metrics["correlation/gradcam"] == pytest.approx(expected, abs=1e-6)


def test_the_run_holds_the_comparison(found):
    import mlflow

    run = mlflow.get_run(found.run_id)
    assert run.info.status == "FINISHED"
    path = mlflow.artifacts.download_artifacts(
        f"runs:/{found.run_id}/interpretations/comparison/manifest.json"
    )
    with open(path, encoding="utf-8") as file:
        manifest = json.load(file)
    assert manifest["inputs"]["count"] == COUNT
    assert manifest["inputs"]["table"]["format"] == "parquet"
    assert "mlflow_interp.spark.compare(data, old, new" in manifest["calls"]["Python"]


def test_the_same_call_continues_and_another_is_refused(photos, colour_model, new_model, found, tmp_path):
    import mlflow_interp.spark as interp

    options = {"label": "label", "anchors": False, "log": False, **OPTIONS}
    table = str(tmp_path / "rows")
    first = interp.compare(photos.limit(30), colour_model, new_model, table=table, **options)
    again = interp.compare(photos, colour_model, new_model, table=table, **options)
    assert (first.rows, again.rows) == (30, COUNT + 1)
    assert again.metrics["churn"] == pytest.approx(found.metrics["churn"])
    with pytest.raises(OptionError, match="has the results of another call"):
        interp.compare(photos, new_model, colour_model, table=table, **options)


def test_a_sample_of_very_many_rows(photos, colour_model, new_model, found, tmp_path, monkeypatch):
    """Those with the smallest keys, whose numbers are stated to be of a sample."""
    import mlflow_interp.spark as interp
    from mlflow_interp.spark.comparing import numbers

    monkeypatch.setattr(numbers, "MOST_ROWS", 40)
    options = {"label": "label", "anchors": False, "log": False, "sample": 5, **OPTIONS}
    made = interp.compare(photos, colour_model, new_model, table=str(tmp_path / "rows"), **options)
    rows = [row for row in found.table.collect() if row["error"] is None]
    rows.sort(key=lambda row: bytes(row["key"]))
    expected = np.mean([row["old"]["predicted"] != row["new"]["predicted"] for row in rows[:40]])
    assert made.metrics["churn"] == pytest.approx(expected)
    assert "numbers are those of a sample of 40 of 60 inputs" in made.comparison.result.warnings()


def test_bad_calls_are_refused_before_the_job(photos, colour_model, new_model, tmp_path):
    import keras

    import mlflow_interp.spark as interp

    options = {"table": str(tmp_path / "rows"), "log": False, **OPTIONS}
    other = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    with pytest.raises(InputsError, match="3 classes, and the new one 4"):
        interp.compare(photos, colour_model, other, **options)
    with pytest.raises(OptionError, match="can't be subtracted"):
        interp.compare(photos, colour_model, new_model, "nearest_examples", **options)
    with pytest.raises(InputsError, match="give at least 100"):
        interp.compare(photos, colour_model, new_model, min_inputs=100, **options)
    passed = interp.compare(photos, str(tmp_path / "none.keras"), new_model, if_old_missing="pass", **options)
    assert (passed.passed, passed.table, passed.run_id) == (True, None, None)
