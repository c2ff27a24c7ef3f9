"""Two versions compared on rows by the worker alone, without Spark."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import mlflow_interp
from mlflow_interp.comparison.version import ClassOrder
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import digested
from mlflow_interp.spark.blocks import side_by_side
from mlflow_interp.spark.comparing.job import ComparedJob
from mlflow_interp.spark.comparing.worker import ComparingWorker
from mlflow_interp.spark.job import NUMBERS, Columns, Job
from mlflow_interp.spark.part import merged, read_part

pytestmark = pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")

COUNT = 30
METHODS = {"gradcam": {}, "confusion_matrix": {}}
PIXELS = np.random.default_rng(0).random((COUNT, 6, 6, 2)).astype(np.float32)
LABELS = np.arange(COUNT) % 3


def network(seed, *, with_log=False):
    """An untrained network for 3 classes; with a logarithm of the pixels, NaN where one is negative."""
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6, 6, 2))
    values = keras.ops.log(inputs) if with_log else inputs
    activation = None if with_log else "relu"  # which makes NaN zero
    values = keras.layers.Conv2D(5, 3, activation=activation, bias_initializer="random_normal")(values)
    values = keras.layers.Flatten()(values)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(values))


@pytest.fixture(scope="module")
def versions():
    return network(1), network(2)


def make_worker(old, new, **options):
    columns = Columns("x", NUMBERS, "y", "id")
    models = [digested(load_model(each)) for each in (old, new)]
    inputs = {"batch_size": 8}
    jobs = [Job("", str(place), each, columns, METHODS, inputs=inputs) for place, each in enumerate(models)]
    return ComparingWorker(ComparedJob(*jobs, **options), *models)


def records(pixels=PIXELS, labels=LABELS, size=COUNT):
    columns = [
        pa.array(list(pixels.reshape(len(pixels), -1)), pa.list_(pa.float32())),
        pa.array(labels, pa.int64()),
        pa.array([f"row {row}" for row in range(len(pixels))]),
    ]
    batch = pa.record_batch(columns, names=["x", "y", "id"])
    return [batch.slice(start, size) for start in range(0, len(pixels), size)]


def rows_of(worker, batches):
    rows = [row for batch in worker(batches) for row in batch.to_pylist()]
    return {row["id"]: row for row in rows}, [row["part"] for row in rows]


def alone(old, new, pixels=PIXELS, labels=LABELS):
    return mlflow_interp.compare(
        old, new, pixels, list(METHODS), labels=labels, anchors=False, log=False, quiet=True
    ).result


def test_rows_equal_the_comparison_in_one_process(versions):
    rows, _ = rows_of(make_worker(*versions), records())
    result = alone(*versions)
    found = [rows[f"row {row}"] for row in range(COUNT)]
    agreement = result.paired.agreements["gradcam"]
    for name in ("correlation", "overlap", "moved"):
        expected = [None if np.isnan(each) else each for each in getattr(agreement, name).tolist()]
        assert [row["gradcam"][name] for row in found] == pytest.approx(expected, abs=1e-4)
    predictions = result.paired.predictions
    for at, version in enumerate(("old", "new")):
        assert [row[version]["predicted"] for row in found] == predictions.predicted[:, at].tolist()
        for name, values in (("probability", "confidence"), ("target_probability", "explained")):
            expected = getattr(predictions, values)[:, at].tolist()
            assert [row[version][name] for row in found] == pytest.approx(expected, abs=1e-5)
    assert [row["target"] for row in found] == [row["label"] for row in found] == LABELS.tolist()
    assert [row["digest"] for row in found] == [each.tobytes() for each in result.examples.digests]


def test_without_a_label_the_class_that_the_old_version_predicts_is_explained(versions):
    labels = [None if row % 2 else int(LABELS[row]) for row in range(COUNT)]
    rows, _ = rows_of(make_worker(*versions), records(labels=labels))
    for row in range(COUNT):
        found = rows[f"row {row}"]
        expected = found["old"]["predicted"] if row % 2 else LABELS[row]
        assert found["target"] == expected


@pytest.mark.parametrize("size", [1, 7, COUNT])
def test_how_rows_are_cut_changes_nothing_but_rounding(versions, size):
    whole, (*_, part) = rows_of(make_worker(*versions), records())
    cut, parts = rows_of(make_worker(*versions), records(size=size))
    for name, row in whole.items():
        assert cut[name]["gradcam"]["correlation"] == pytest.approx(row["gradcam"]["correlation"], abs=1e-4)
        assert cut[name]["key"] == row["key"]
    for version in ("old", "new"):
        counts = [
            read_part(each).parts.parts[f"{version}/confusion_matrix"].result().counts
            for each in (part, parts[-1])
        ]
        np.testing.assert_array_equal(*counts)


def test_tasks_count_for_both_versions(versions):
    worker = make_worker(*versions)
    found = merged(read_part(rows_of(worker, [batch])[1][-1]) for batch in records(size=11))
    for version, model in zip(("old", "new"), versions, strict=True):
        predicted = model.predict(PIXELS, verbose=0).argmax(axis=1)
        expected = np.zeros((3, 3), int)
        np.add.at(expected, (LABELS, predicted), 1)
        counts = found.parts.parts[f"{version}/confusion_matrix"].result().counts
        np.testing.assert_array_equal(counts, expected)


def test_classes_in_another_order_are_the_same_classes(versions):
    """The new version is the old one with its classes in the order 2, 0, 1."""
    import keras

    old = versions[0]
    new = keras.models.clone_model(old)
    *others, kernel, bias = old.get_weights()
    new.set_weights([*others, kernel[:, [2, 0, 1]], bias[[2, 0, 1]]])
    order = ClassOrder(np.array([1, 2, 0]))  # class 0 of the old version is class 1 of the new one
    rows, (*_, part) = rows_of(make_worker(old, new, order=order), records())
    for row in rows.values():
        assert row["old"] == pytest.approx(row["new"], abs=1e-6)
        assert row["gradcam"]["correlation"] in (None, pytest.approx(1, abs=1e-4))
    parts = read_part(part).parts.parts
    old_counts, new_counts = (parts[f"{each}/confusion_matrix"].result().counts for each in ("old", "new"))
    np.testing.assert_array_equal(new_counts, old_counts[np.ix_([2, 0, 1], [2, 0, 1])])


@pytest.mark.parametrize("at", [0, 1], ids=["old", "new"])
def test_an_input_that_one_version_fails_on_is_an_error_and_counts_for_neither(versions, at):
    models = list(versions)
    models[at] = network(3, with_log=True)
    pixels = PIXELS.copy()
    pixels[4, 2, 2, 0] = -1
    rows, (*_, part) = rows_of(make_worker(*models), records(pixels))
    assert "NaN or infinite" in rows["row 4"]["error"]
    assert rows["row 4"]["old"] is None
    assert sum(row["error"] is None for row in rows.values()) == COUNT - 1
    for version in ("old", "new"):
        assert read_part(part).parts.parts[f"{version}/confusion_matrix"].result().counts.sum() == COUNT - 1
    assert (read_part(part).errors, read_part(part).parts.inputs.count) == (1, COUNT - 1)


def test_a_label_that_is_no_class_is_a_row_with_an_error(versions):
    labels = LABELS.copy()
    labels[4] = 7
    for order in (ClassOrder(), ClassOrder(np.array([1, 2, 0]))):
        rows, (*_, part) = rows_of(make_worker(*versions, order=order), records(labels=labels))
        assert "label 7 of input 'row 4' is out of range: the model has classes 0–2" in rows["row 4"]["error"]
        assert read_part(part).parts.inputs.count == COUNT - 1


def test_a_method_that_fails_in_a_task_is_reported(versions):
    """Its counts in other tasks are not taken for those of all rows."""
    labels = LABELS.copy()
    labels[-1] = 7  # which a confusion matrix can't count
    worker = make_worker(*versions, target=0)
    parts = merged(read_part(rows_of(worker, [batch])[1][-1]) for batch in records(labels=labels, size=11))
    assert set(parts.parts.errors) == {"old/confusion_matrix", "new/confusion_matrix"}
    assert not {"old/confusion_matrix", "new/confusion_matrix"} & set(parts.parts.parts)


def test_what_fails_for_all_rows_is_not_an_error_of_each(versions):
    worker = make_worker(*versions)
    methods = {"gradcam": {"layer": "none"}}
    worker._compared = replace(worker._compared, old=replace(worker._compared.old, methods=methods))
    with pytest.raises(mlflow_interp.exceptions.OptionError, match="no layer 'none'"):
        worker.layout_of(records())


def test_a_block_of_null_rows_is_rows_with_errors(versions):
    columns = [pa.nulls(5, pa.list_(pa.float32())), pa.array([0] * 5), pa.array(list("abcde"))]
    batch = pa.record_batch(columns, names=["x", "y", "id"])
    rows, _ = rows_of(make_worker(*versions), [batch, *records()])
    assert [rows[each]["error"] for each in "abcde"] == ["is null"] * 5
    assert sum(row["error"] is None for row in rows.values()) == COUNT


def test_versions_that_predict_values_are_refused():
    import keras

    inputs = keras.Input((6, 6, 2))
    values = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(values))
    model.compile(loss="mse")
    with pytest.raises(mlflow_interp.exceptions.ModelError, match="needs models with classes"):
        make_worker(model, model).layout_of(records(labels=np.zeros(COUNT)))


def test_chunks_of_models_that_can_not_have_the_same_inputs_stay_side_by_side():
    """The first lacks inputs 3 to 5, a chunk of its own; the second lacks 1 and 7."""

    def chunks(*parts):
        for part in parts:
            rows = np.array(part)
            yield Chunk(rows, tuple(map(str, part)), rows[:, None] * 1.0, rows, images=None)

    one = chunks([0, 1, 2], [6, 7, 8])
    other = chunks([0, 2], [3, 4, 5], [6, 8])
    found = list(side_by_side([one, other]))
    assert [each.indices.tolist() for pair in found for each in pair] == [[0, 2], [0, 2], [6, 8], [6, 8]]
    assert all((pair[0].inputs == pair[1].inputs).all() for pair in found)


def test_jobs_that_differ_in_a_version_or_the_class_have_other_keys(versions):
    job = make_worker(*versions)._compared
    others = [
        replace(job, old=job.new),
        replace(job, target=1),
        replace(job, order=ClassOrder(np.array([1, 2, 0]))),
        replace(job, new=replace(job.new, inputs={"batch_size": 9})),
    ]
    assert len({each.key for each in (job, *others)}) == 5


def test_importing_it_imports_no_tensorflow_and_no_spark():
    code = (
        "import sys, mlflow_interp.spark.comparing.worker, mlflow_interp.spark.tasks\n"
        "assert not {'tensorflow', 'keras', 'pyspark'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
