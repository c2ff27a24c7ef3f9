"""The worker: rows in, rows out, without Spark; equal to what one process gives."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from mlflow_interp.core.sampling import sampling_keys
from mlflow_interp.exceptions import InputsError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import digested
from mlflow_interp.spark.blocks import row_indices
from mlflow_interp.spark.job import IMAGES, NUMBERS, Columns, Job
from mlflow_interp.spark.part import MeanMaps, merged, read_part
from mlflow_interp.spark.rows import Layout, ddl
from mlflow_interp.spark.worker import Worker
from tests import running
from tests.spark.conftest import NAMES

pa = pytest.importorskip("pyarrow")

INPUTS = {"preprocess": "0..1", "resize": "stretch", "interpolation": "bilinear", "class_names": NAMES}
METHODS = {"gradcam": {}, "confusion_matrix": {}}


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def contents():
    rng = np.random.default_rng(1)
    return [png(rng.integers(0, 255, (10, 12, 3), np.uint8)) for _ in range(23)]


@pytest.fixture(scope="module")
def labels():
    return [NAMES[index % 3] for index in range(23)]


@pytest.fixture(scope="module")
def make_worker(colour_model):
    loaded = digested(load_model(colour_model))

    def make(methods=METHODS, kind=IMAGES, label="label", **inputs):
        columns = Columns("content", kind, label, "path")
        return Worker(
            Job("", "", loaded, columns, methods, inputs={**INPUTS, **inputs}, class_names=NAMES), loaded
        )

    return make


def records(contents, labels, size=None):
    """Record batches of some rows each."""
    ids = [f"photo {index}" for index in range(len(contents))]
    columns = [pa.array(contents), pa.array(labels), pa.array(ids)]
    batch = pa.record_batch(columns, names=["content", "label", "path"])
    size = size or len(contents)
    return [batch.slice(start, size) for start in range(0, len(contents), size)]


def rows_of(worker, batches):
    rows = [row for batch in worker(batches) for row in batch.to_pylist()]
    return {row["id"]: row for row in rows}, [row["part"] for row in rows]


@pytest.fixture(scope="module")
def folder(contents, labels, tmp_path_factory):
    root = tmp_path_factory.mktemp("same")
    for index, (content, label) in enumerate(zip(contents, labels, strict=True)):
        (root / label).mkdir(exist_ok=True)
        (root / label / f"photo {index}.png").write_bytes(content)
    return root


def test_heatmaps_and_predictions_equal_those_of_one_process(
    make_worker, contents, labels, folder, colour_model, batch_of
):
    rows, _ = rows_of(make_worker(), records(contents, labels))
    result = running.gradcam(colour_model, batch_of(colour_model, str(folder), **INPUTS))
    names = [name.rpartition("/")[2].removesuffix(".png") for name in result.explained.examples.names]
    assert sorted(names) == sorted(rows)
    for place, name in enumerate(names):
        row = rows[name]
        maps = np.array(row["gradcam"]["heatmap"]).reshape(row["gradcam"]["shape"])
        assert np.abs(maps - result.heatmaps[place]).max() <= 1e-4 * np.abs(result.heatmaps).max()
        assert row["gradcam"]["target"] == result.explained.targets[place]
        assert row["digest"] == result.explained.examples.digests[place].tobytes()
        assert row["label"] == result.explained.examples.labels[place]
        assert row["probability"] == pytest.approx(float(result.explained.examples.probabilities[place, 0]))


@pytest.mark.parametrize("size", [1, 4, 23])
def test_how_rows_are_cut_changes_nothing_but_rounding(make_worker, contents, labels, size):
    whole, (*_, part) = rows_of(make_worker(batch_size=32), records(contents, labels))
    cut, parts = rows_of(make_worker(batch_size=3), records(contents, labels, size))
    assert [part for part in parts if part] == parts[-1:]
    for name, row in whole.items():
        assert cut[name]["gradcam"]["heatmap"] == pytest.approx(row["gradcam"]["heatmap"], abs=1e-5)
        assert (cut[name]["key"], cut[name]["predicted"]) == (row["key"], row["predicted"])
    counts = [read_part(each).parts.parts["confusion_matrix"].result().counts for each in (part, parts[-1])]
    np.testing.assert_array_equal(*counts)


def test_parts_of_tasks_merge_to_the_whole(make_worker, contents, labels, folder, colour_model, batch_of):
    worker = make_worker()
    tasks = [rows_of(worker, [batch])[1][-1] for batch in records(contents, labels, 5)]
    found = merged(read_part(task) for task in tasks)
    whole = running.confusion_matrix(colour_model, batch_of(colour_model, str(folder), **INPUTS))
    np.testing.assert_array_equal(found.parts.parts["confusion_matrix"].result().counts, whole.counts)
    record = batch_of(colour_model, str(folder), **INPUTS).record()
    assert found.parts.inputs.digest == record.digest
    assert sum(each.count for each in found.mean_maps["gradcam"].classes.values()) == len(contents)


def test_mean_heatmaps_are_those_of_the_rows(make_worker, contents, labels):
    rows, parts = rows_of(make_worker(), records(contents, labels))
    maps = np.array([row["gradcam"]["heatmap"] for row in rows.values()])
    targets = np.array([row["gradcam"]["target"] for row in rows.values()])
    for label, each in read_part(parts[-1]).mean_maps["gradcam"].classes.items():
        np.testing.assert_allclose(each.mean.reshape(-1), maps[targets == label].mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(each.deviation.reshape(-1), maps[targets == label].std(axis=0), atol=1e-6)


def test_rows_that_cannot_be_read_have_an_error(make_worker, contents, labels):
    broken = [*contents[:3], b"not an image", None, b"", *contents[3:]]
    rows, parts = rows_of(make_worker(), records(broken, ["ant", "bee", None, *["cat"] * (len(broken) - 3)]))
    errors = {name: row["error"] for name, row in rows.items() if row["error"]}
    assert errors == {
        "photo 3": "is not an image",
        "photo 4": "is null",
        "photo 5": "is empty (0 bytes)",
    }
    assert rows["photo 4"]["gradcam"] is None
    assert rows["photo 2"]["label"] is None
    assert read_part(parts[-1]).errors == 3
    assert read_part(parts[-1]).parts.inputs.count == len(contents)


def test_a_task_without_a_readable_row_has_errors_only(make_worker):
    worker = make_worker()
    rows, parts = rows_of(worker, records([b"x", b"y"], ["ant", "bee"]))
    assert [row["error"] for row in rows.values()] == ["is not an image"] * 2
    assert read_part(parts[-1]).parts.parts == {}


def test_predictions_that_are_not_finite_are_errors_of_their_rows(colour_model):
    loaded = digested(load_model(colour_model))
    job = Job("", "", loaded, Columns("x", NUMBERS, None, "id"), {"gradcam": {}})
    numbers = np.random.default_rng(0).random((6, 192), np.float32)
    numbers[2] = 3e38  # finite, but not what becomes of it
    numbers[4, 7] = np.nan
    batch = pa.record_batch([pa.array(list(numbers)), pa.array(list("abcdef"))], names=["x", "id"])
    rows, parts = rows_of(Worker(job, loaded), [batch])
    assert {name for name, row in rows.items() if row["error"]} == {"c", "e"}
    assert rows["c"]["error"].startswith("the model gives NaN or infinite values for input 'c'")
    assert rows["e"]["error"] == "contains NaN or infinite values"
    assert read_part(parts[-1]).parts.inputs.count == 4


@pytest.mark.parametrize("kind", [IMAGES, NUMBERS])
def test_rows_with_equal_ids_are_all_in_the_table(make_worker, contents, colour_model, kind):
    """An id may not identify rows as the user believes; each row still has its own result or error."""
    if kind == IMAGES:
        good, wrong, reason = contents[:2], b"no image", "is not an image"
    else:
        numbers = np.random.default_rng(0).random((2, 192), np.float32)
        good, wrong, reason = list(numbers), numbers[0, :3], "has 3 numbers, but the model takes 192"
    values = [wrong, good[0], None, wrong, good[1]]
    columns = [pa.array(values), pa.array([NAMES[0]] * 5), pa.array(["same"] * 5)]
    batch = pa.record_batch(columns, names=["content", "label", "path"])
    worker = make_worker(kind=kind)
    rows = [row for each in worker([batch]) for row in each.to_pylist()]
    assert [row["id"] for row in rows] == ["same"] * 5
    assert sorted(row["error"] for row in rows[2:]) == sorted([reason, reason, "is null"])
    part = read_part(rows[-1]["part"])
    assert (part.read, part.errors) == (2, 3)
    columns[2] = pa.array(list("abcde"))
    alone, _ = rows_of(worker, [pa.record_batch(columns, names=batch.schema.names)])
    assert [row["gradcam"] for row in rows[:2]] == [alone["b"]["gradcam"], alone["e"]["gradcam"]]


def test_rows_of_numbers_equal_the_array_in_memory(colour_model, batch_of):
    loaded = digested(load_model(colour_model))
    job = Job("", "", loaded, Columns("x", NUMBERS, "y", "id"), {"gradcam": {}})
    numbers = np.random.default_rng(0).random((6, 8, 8, 3), np.float32)
    columns = [
        pa.array([*numbers.reshape(6, -1)[:5], np.zeros(3, np.float32)]),
        pa.array([0, 1, None, 2, 0, 1]),
        pa.array(list("abcdef")),
    ]
    rows, _ = rows_of(Worker(job, loaded), [pa.record_batch(columns, names=["x", "y", "id"])])
    result = running.gradcam(colour_model, batch_of(colour_model, numbers))
    for place, name in enumerate("abcde"):
        assert rows[name]["gradcam"]["heatmap"] == pytest.approx(
            result.heatmaps[place].reshape(-1).tolist(), abs=1e-5
        )
        assert rows[name]["digest"] == result.explained.examples.digests[place].tobytes()
    assert [rows[name]["label"] for name in "abc"] == [0, 1, None]
    assert rows["f"]["error"] == "has 3 numbers, but the model takes 192"


def test_keys_are_those_of_the_one_rule_of_sampling(make_worker, contents, labels):
    rows, _ = rows_of(make_worker(), records(contents, labels))
    digests = np.array([list(row["digest"]) for row in rows.values()], np.uint8)
    assert [row["key"] for row in rows.values()] == [each.tobytes() for each in sampling_keys(digests, 0)]


def test_activations_are_stored_in_half_precision(
    make_worker, contents, labels, colour_model, batch_of, folder
):
    worker = make_worker({"umap": {"layers": "conv,pool"}})
    layout, errors = worker.layout_of(records(contents, labels))
    assert layout == Layout(vectors=(("umap", ("conv", "pool")),))
    assert not errors
    rows, _ = rows_of(worker, records(contents, labels))
    conv, pool = rows["photo 0"]["umap"]["activations"]
    assert len(conv) == len(pool) == 6
    assert pool == np.array(pool, np.float16).astype(np.float32).tolist()


def test_a_method_that_cannot_be_used_is_found_with_the_first_rows(make_worker, contents, labels):
    worker = make_worker({"gradcam": {"target": "dog"}, "confusion_matrix": {}})
    errors = worker.layout_of(records(contents, labels))[1]
    assert str(errors["gradcam"]).startswith("no class is named 'dog'")


def test_a_task_may_have_few_rows(make_worker, contents, labels):
    """Fewer than a method needs, which has them from all tasks."""
    rows, _ = rows_of(make_worker({"umap": {}}), records(contents[:2], labels[:2]))
    assert all(row["umap"] and not row["error"] for row in rows.values())


def test_unknown_names_of_labels_are_a_warning(make_worker, contents):
    _, parts = rows_of(make_worker(), records(contents, ["ant", "emu"] * 11 + ["ant"]))
    (warning,) = [each for each in read_part(parts[-1]).parts.inputs.warnings if "emu" in each]
    assert warning.startswith("labels that are not class names count as unknown: emu")


def test_a_part_runs_no_code(tmp_path):
    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    for harmful in (Harmful(), {"a": Harmful()}):
        with pytest.raises(InputsError, match=r"mkdir is not part of a result"):
            read_part(pickle.dumps(harmful))
    assert not (tmp_path / "harm").exists()
    # A function of this package could do harm with other arguments.
    with pytest.raises(InputsError, match=r"read_part is not part of a result"):
        read_part(pickle.dumps(read_part))
    with pytest.raises(InputsError, match=r"holds no part of a task"):
        read_part(pickle.dumps(MeanMaps()))


def test_mean_maps_merge_in_any_order():
    rng = np.random.default_rng(0)
    maps, classes = rng.normal(size=(20, 40, 3)), rng.integers(0, 3, 20)
    whole, first, second = MeanMaps(), MeanMaps(), MeanMaps()
    whole.update(classes, maps)
    first.update(classes[:7], maps[:7])
    second.update(classes[7:], maps[7:])
    second.merge(first)
    for label, each in whole.classes.items():
        assert each.count == second.classes[label].count == (classes == label).sum()
        np.testing.assert_allclose(each.mean, second.classes[label].mean)
        assert each.mean.shape == (28, 3)
        # Of blocks of unequal size, each counts by its size.
        sizes = np.diff(np.append(np.arange(28) * 40 // 28, 40))
        assert (each.mean.mean(axis=1) * sizes).sum() / 40 == pytest.approx(maps[classes == label].mean())


def test_the_schema_in_sparks_words():
    text = ddl(Layout(("gradcam",), (("umap", ("pool",)),)).schema())
    assert "gradcam struct<target: int, score: float, probability: float, shape: array<int>," in text
    assert "umap struct<activations: array<array<float>>>" in text


def test_jobs_with_another_meaning_of_the_model_are_others(colour_model):
    """Otherwise a table would be continued with rows of the first, and a worker would keep using it."""
    from dataclasses import replace

    loaded = replace(digested(load_model(colour_model)), keras=None)
    job = Job("", "weights", loaded, Columns("content", IMAGES, None, "path"), METHODS, inputs=INPUTS)
    others = [
        replace(job, loaded=replace(loaded, head="logits")),
        replace(job, loaded=replace(loaded, metadata={"preprocess": "-1..1"})),
        replace(job, model="other weights"),
        replace(job, inputs={**INPUTS, "preprocess": "none"}),
        replace(job, methods={"gradcam": {"target": 1}}),
    ]
    assert len({each.key for each in [job, *others]}) == 6
    assert replace(job, model_file="elsewhere").key == job.key


def test_indices_are_the_same_everywhere_and_positive():
    assert row_indices(["a"]).tolist() == [row_indices(["b", "a"])[1]]
    many = row_indices(map(str, range(1000)))
    assert ((many >= 0) & (many < 2**53)).all()  # which JavaScript holds exactly
    assert len(set(many.tolist())) == 1000


def test_importing_a_worker_imports_no_tensorflow_and_no_spark():
    code = (
        "import sys, mlflow_interp.spark.worker, mlflow_interp.spark.tasks, mlflow_interp.spark.udf\n"
        "assert not {'tensorflow', 'keras', 'pyspark'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_process_loads_each_model_once(colour_model, contents, labels, tmp_path):
    from dataclasses import replace

    from mlflow_interp.spark import worker

    path = tmp_path / "model.keras"
    colour_model.save(path)
    loaded = replace(digested(load_model(colour_model)), keras=None)
    loads = []

    def model_path(name):
        loads.append(1)
        return path

    jobs = [
        Job(
            "",
            name,
            loaded,
            Columns("content", IMAGES, "label", "path"),
            METHODS,
            inputs=INPUTS,
            class_names=NAMES,
        )
        for name in ("first", "second", "third")
    ]
    for job in (jobs[0], jobs[1], jobs[0], jobs[1]):  # tasks of two jobs in turn
        rows, _ = rows_of(worker.worker_for(job, model_path), records(contents, labels))
        assert len(rows) == len(contents)
    assert len(loads) == 2
    worker.worker_for(jobs[2], model_path)
    assert len(worker._workers) == worker.MOST_WORKERS
    worker._workers.clear()


def test_models_are_excluded_from_garbage_collections_once_per_job(monkeypatch):
    """PySpark collects after each task, which would take longer than a short task."""
    import gc

    from mlflow_interp.spark.tasks import exclude_from_collections

    monkeypatch.setattr("mlflow_interp.spark.tasks._excluded", set())
    before = gc.get_freeze_count()
    try:
        exclude_from_collections("first job")
        kept = gc.get_freeze_count()
        assert kept > before + 100_000
        new = [[] for _ in range(10_000)]
        exclude_from_collections("first job")
        assert gc.get_freeze_count() <= kept
        exclude_from_collections("second job")
        assert gc.get_freeze_count() > kept + len(new) / 2
    finally:
        gc.unfreeze()
