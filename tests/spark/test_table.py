"""Tables on Spark with two threads: rows, samples, runs, interrupted jobs, lazy columns."""

from __future__ import annotations

import json
import os
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.core.sampling import sample_rows
from mlflow_interp.exceptions import InputsError, OptionError
from tests.spark.conftest import BROKEN, COUNT, NAMES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning"),
]

OPTIONS = {"preprocess": "0..1", "resize": "stretch", "interpolation": "bilinear"}


@pytest.fixture(scope="module")
def interp(spark, store):
    import mlflow_interp.spark

    return mlflow_interp.spark


@pytest.fixture(scope="module")
def photos(spark, interp, classes_folder):
    from mlflow_interp.spark.folder import read_folder

    data, has_labels = read_folder(spark, classes_folder)
    assert has_labels
    return data.repartition(3)


@pytest.fixture(scope="module")
def found(interp, photos, colour_model, tmp_path_factory):
    """All methods of one pass on all rows, in a run."""
    with pytest.warns(mlflow_interp.exceptions.InterpretationWarning, match="20 of 60 inputs are shown"):
        return interp.interpret(
            photos,
            colour_model,
            {
                "gradcam": {},
                "confusion_matrix": {},
                "umap": {"max_fit": 30},
                "saliency": {"noise_samples": 2, "path_steps": 2},
            },
            table=str(tmp_path_factory.mktemp("table") / "rows"),
            label="label",
            sample=20,
            quiet=True,
            **OPTIONS,
        )


@pytest.fixture(scope="module")
def alone(colour_model, classes_folder):
    """The same in one process."""
    return mlflow_interp.interpret(
        colour_model, str(classes_folder), ["gradcam", "confusion_matrix"], log=False, quiet=True, **OPTIONS
    )


def test_counts_are_those_of_one_process(found, alone):
    assert (found.rows, found.errors) == (COUNT + 1, 1)
    counts = alone["confusion_matrix"].result.counts
    np.testing.assert_array_equal(found.interpretations["confusion_matrix"].result.counts, counts)
    assert found.counts == {
        (label, predicted): count for (label, predicted), count in np.ndenumerate(counts) if count
    }


def test_shown_errors_have_their_images_though_tasks_keep_none(found, alone):
    from mlflow_interp.spark.part import read_part
    from mlflow_interp.spark.rows import PART

    def by_name(result):
        names = [name.rpartition("/")[2] for name in result.examples.names]
        return dict(zip(names, result.thumbnails, strict=True))

    expected = by_name(alone["confusion_matrix"].result)
    shown = by_name(found.interpretations["confusion_matrix"].result)
    assert shown.keys() == expected.keys()
    for name, thumbnail in shown.items():
        np.testing.assert_array_equal(thumbnail, expected[name])
    folder = found.table.inputFiles()[0].rpartition("/")[0]
    rows = found.table.sparkSession.read.parquet(folder).where(f"{PART} IS NOT NULL").collect()
    parts = [read_part(bytes(row[PART])).parts.parts["confusion_matrix"] for row in rows]
    assert len(parts) == 3
    named = [name for part in parts for name in part.accumulator.without_image().values()]
    assert {name.rpartition("/")[2] for name in named} >= expected.keys()


def count_errors(interp, data, model, folder, **options):
    """The confusion matrix alone, so that no sample is needed."""
    return interp.interpret(
        data,
        model,
        "confusion_matrix",
        table=str(folder / "rows"),
        label="label",
        log=False,
        quiet=True,
        **options,
    ).interpretations["confusion_matrix"]


def test_images_of_errors_are_also_those_of_numbers(interp, spark, colour_model, tmp_path):
    numbers = np.random.default_rng(3).random((12, 8, 8, 3), np.float32)
    rows = [(str(row), row % 3, each.reshape(-1).tolist()) for row, each in enumerate(numbers)]
    data = spark.createDataFrame(rows, "id string, label int, x array<float>")
    found = count_errors(interp, data, colour_model, tmp_path, id="id", input="x").result
    alone = mlflow_interp.interpret(
        colour_model, numbers, "confusion_matrix", labels=np.arange(12) % 3, log=False, quiet=True
    )["confusion_matrix"].result
    assert len(found.thumbnails) == len(alone.thumbnails) > 2
    expected = {
        digest.tobytes(): each for digest, each in zip(alone.examples.digests, alone.thumbnails, strict=True)
    }
    for digest, thumbnail in zip(found.examples.digests, found.thumbnails, strict=True):
        np.testing.assert_array_equal(thumbnail, expected[digest.tobytes()])


def test_without_images_nothing_is_read_again(interp, photos, colour_model, tmp_path, monkeypatch):
    monkeypatch.setattr("mlflow_interp.spark.results.small_images", None)
    found = count_errors(interp, photos, colour_model, tmp_path, log_images=False, **OPTIONS)
    assert found.result.thumbnails is None


def test_errors_whose_images_are_gone_are_still_counted(
    interp, photos, alone, colour_model, tmp_path, monkeypatch
):
    def fail(*_):
        raise InputsError("the files were moved")

    monkeypatch.setattr("mlflow_interp.spark.results.small_images", fail)
    with pytest.warns(
        mlflow_interp.exceptions.InterpretationWarning, match="errors can't be shown: the files"
    ):
        found = count_errors(interp, photos, colour_model, tmp_path, **OPTIONS)
    assert found.result.thumbnails is None
    np.testing.assert_array_equal(found.result.counts, alone["confusion_matrix"].result.counts)


def test_files_become_tasks_for_all_cores_unless_the_user_has_set_sizes(spark, tmp_path, interp):
    from mlflow_interp.spark.writing import task_sizes

    spark.range(200_000, numPartitions=1).selectExpr("id", "cast(id AS string) AS name").write.option(
        "parquet.block.size", 2**18
    ).parquet(str(tmp_path / "rows"))

    def tasks():
        return spark.read.parquet(str(tmp_path / "rows")).rdd.getNumPartitions()

    cores = spark.sparkContext.defaultParallelism
    before = tasks()
    with task_sizes(spark)():
        with pytest.raises(KeyError), task_sizes(spark)():  # as another thread of the same session does
            raise KeyError
        assert tasks() >= min(8, 4 * cores)
    assert tasks() == before <= 2 * cores
    assert spark.conf.get("spark.sql.files.openCostInBytes") == "4194304b"
    spark.conf.set("spark.sql.files.minPartitionNum", "1")
    try:
        with task_sizes(spark)():
            assert tasks() == before
            assert spark.conf.get("spark.sql.files.minPartitionNum") == "1"
    finally:
        spark.conf.unset("spark.sql.files.minPartitionNum")


def test_rows_are_those_of_one_process(interp, found, alone):
    result = alone["gradcam"].result
    maps = dict(zip(result.explained.examples.names, result.heatmaps, strict=True))
    stored = interp.heatmaps(found.table)
    assert len(stored.ids) == COUNT
    for place, id in enumerate(stored.ids):
        expected = maps[id.rpartition("/")[0].rpartition("/")[2] + "/" + id.rpartition("/")[2]]
        assert np.abs(stored.maps[place] - expected).max() <= 1e-4 * np.abs(result.heatmaps).max()


def test_the_broken_file_is_a_row_with_an_error(found):
    (row,) = found.table.where("error IS NOT NULL").collect()
    assert row["id"].endswith(BROKEN)
    assert row["error"] == "is not an image"


@pytest.mark.parametrize("partitions", [1, 5])
def test_the_sample_is_exact_however_rows_are_partitioned(found, partitions):
    from mlflow_interp.spark.sample import sample_of

    rows = found.table.where("error IS NULL").orderBy("id").collect()
    digests = np.array([list(row["digest"]) for row in rows], np.uint8)
    cells = np.array([[row["label"], row["predicted"]] for row in rows])
    for count in (7, 20):
        expected = [rows[place]["id"] for place in sample_rows(digests, cells, count, seed=0)]
        assert [row.id for row in sample_of(found.table.repartition(partitions), count)] == expected


def test_the_summary_counts_every_row(found):
    rows = found.table.where("error IS NULL").select("label", "predicted", "probability").collect()
    labels, predicted = np.array([[row["label"], row["predicted"]] for row in rows]).T
    probabilities = np.array([row["probability"] for row in rows], np.float64)
    right = labels == predicted
    at = np.minimum(np.floor(20 * probabilities), 19)
    gaps = [abs((right[at == each] - probabilities[at == each]).sum()) for each in np.unique(at)]
    assert found.summary.metrics["calibration_error"] == pytest.approx(sum(gaps) / COUNT)
    assert found.summary.metrics["accuracy"] == right.mean()
    assert (found.summary.metrics["rows"], found.summary.metrics["errors"]) == (COUNT + 1, 1)
    loaded = mlflow_interp.load(f"runs:/{found.run_id}/interpretations/table").result
    assert loaded.counts == found.counts
    (heatmaps,) = loaded.heatmaps
    assert heatmaps.relu
    for label, mean in zip(heatmaps.classes.tolist(), heatmaps.means, strict=True):
        assert np.array_equal(mean, found.mean_heatmaps["gradcam"].classes[label].mean)
    names = dict(loaded.location.columns)
    assert set(found.table.columns) == set(names) - {"call"}
    assert names["probability"] == "float"


def test_the_run_has_the_pages_of_the_sample(found):
    import mlflow

    run = mlflow.get_run(found.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["interpretations/confusion_matrix/inputs"] == COUNT
    artifacts = {
        each.path: each.path for each in mlflow.MlflowClient().list_artifacts(found.run_id, "interpretations")
    }
    for method in ("gradcam", "confusion_matrix", "umap", "saliency"):
        assert f"interpretations/{method}" in artifacts
    loaded = mlflow_interp.load(f"runs:/{found.run_id}/interpretations/gradcam")
    assert len(loaded.result.explained.examples) == 20
    assert loaded.result.explained.examples.is_selection
    assert loaded.manifest["inputs"]["count"] == COUNT
    shown = [set(each.result.examples.indices.tolist()) for each in (loaded, found.interpretations["umap"])]
    assert shown[0] < shown[1]  # so that the page of the run joins them
    assert loaded.manifest["inputs"]["table"]["format"] == "parquet"


def test_the_embedding_is_fitted_to_some_rows_and_all_have_a_point(found):
    result = found.interpretations["umap"].result
    fitted = len(result.examples)
    assert 30 <= fitted <= 50
    points = {row["id"]: row["points"] for row in found.points["umap"].collect()}
    assert len(points) == COUNT
    by_name = {id.rpartition("/")[2]: point for id, point in points.items()}
    for name, point in zip(result.examples.names, result.embeddings, strict=True):
        np.testing.assert_allclose(by_name[name.rpartition("/")[2]], point, rtol=1e-6)
    everywhere = np.array(list(points.values()))
    assert (everywhere.min(axis=0) >= result.embeddings.min(axis=0) - 1e-5).all()
    assert result.examples.images is not None


def test_an_interrupted_job_continues_where_it_stopped(interp, spark, photos, colour_model, tmp_path, capsys):
    options = {"table": str(tmp_path / "rows"), "label": "label", "log": False, **OPTIONS}
    first = interp.interpret(photos, colour_model, "confusion_matrix", **options, quiet=True)
    counts = first.counts
    # A task's file that was not written when the job was killed.
    files = sorted(Path(tmp_path / "rows").rglob("part-*.parquet"), key=lambda file: file.stat().st_size)
    files[-1].unlink()
    assert 0 < spark.read.parquet(options["table"]).count() < COUNT + 1
    again = interp.interpret(photos, colour_model, "confusion_matrix", **options)
    assert "rows are in" in capsys.readouterr().err
    assert (again.rows, again.errors, again.counts) == (COUNT + 1, 1, counts)
    np.testing.assert_array_equal(
        again.interpretations["confusion_matrix"].result.counts,
        first.interpretations["confusion_matrix"].result.counts,
    )


def test_another_call_is_refused_appended_or_replaces(interp, photos, colour_model, tmp_path, spark):
    where = str(tmp_path / "rows")
    options = {"table": where, "log": False, "quiet": True, **OPTIONS}
    few = photos.where("label = 'ant'")
    interp.interpret(few, colour_model, "gradcam", **options)
    with pytest.raises(OptionError, match="has the results of another call; append to it, overwrite it"):
        interp.interpret(few, colour_model, {"gradcam": {"target": 1}}, **options)
    interp.interpret(few, colour_model, {"gradcam": {"target": 1}}, **options, append=True)
    assert spark.read.parquet(where).count() == 40
    replaced = interp.interpret(few, colour_model, {"gradcam": {"target": 2}}, **options, overwrite=True)
    assert spark.read.parquet(where).count() == replaced.table.count() == 20
    assert {row[0] for row in replaced.table.select("gradcam.target").distinct().collect()} == {2}


def test_a_folder_with_something_else_is_never_overwritten(interp, photos, colour_model, tmp_path, spark):
    spark.range(3).write.parquet(str(tmp_path / "other"))
    with pytest.raises(OptionError, match=r"holds something else than results \(columns id\)"):
        interp.interpret(
            photos,
            colour_model,
            "gradcam",
            table=str(tmp_path / "other"),
            overwrite=True,
            log=False,
            **OPTIONS,
        )


def test_a_table_of_the_catalog(interp, photos, colour_model, spark, tmp_path):
    spark.sql(f"CREATE DATABASE IF NOT EXISTS shown LOCATION '{tmp_path}/warehouse'")
    options = {"table": "shown.rows", "log": False, "quiet": True, "label": "label", **OPTIONS}
    options |= {"class_names": NAMES}
    few = photos.where("label <> 'cat'")
    first = interp.interpret(few, colour_model, ["gradcam", "umap"], **options)
    assert spark.table("shown.rows").count() == first.rows == 41
    again = interp.interpret(photos, colour_model, ["gradcam", "umap"], **options)
    assert (again.rows, again.points["umap"].count()) == (COUNT + 1, COUNT)
    spark.sql("DROP DATABASE shown CASCADE")


def test_many_errors_fail_the_run_and_keep_the_table(interp, photos, colour_model, tmp_path, store):
    import mlflow

    with pytest.raises(InputsError, match="1 of 61 rows could not be interpreted, more than") as caught:
        interp.interpret(
            photos, colour_model, "gradcam", table=str(tmp_path / "rows"), max_errors=0, quiet=True, **OPTIONS
        )
    assert mlflow.get_run(caught.value.run_id).info.status == "FAILED"
    assert list(Path(tmp_path / "rows").rglob("*.parquet"))


def test_a_killed_worker_changes_nothing(interp, photos, colour_model, tmp_path, monkeypatch):
    """A module that kills the first worker that imports it."""
    (tmp_path / "fatal.py").write_text(
        textwrap.dedent(
            f"""
            import os, signal
            from pathlib import Path
            from pyspark import TaskContext

            flag = Path({str(tmp_path / "killed")!r})
            if TaskContext.get() is not None and not flag.exists():
                flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            """
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.chdir(tmp_path)
    photos.sparkSession.sparkContext.addPyFile(str(tmp_path / "fatal.py"))
    found = interp.interpret(
        photos,
        colour_model,
        "confusion_matrix",
        table=str(tmp_path / "rows"),
        label="label",
        imports="fatal",
        log=False,
        quiet=True,
        **OPTIONS,
    )
    assert (tmp_path / "killed").exists()
    assert (found.rows, sum(found.counts.values())) == (COUNT + 1, COUNT)


def test_a_lazy_column(interp, spark, photos, colour_model, found):
    explain = interp.interpret_udf(spark, colour_model, "gradcam", **OPTIONS)
    rows = {row["path"]: row["e"] for row in photos.withColumn("e", explain("content")).collect()}
    stored = {row["id"]: row for row in found.table.collect()}
    assert rows.keys() == stored.keys()
    for path, row in rows.items():
        assert row["error"] == stored[path]["error"]
        assert row["predicted"] == stored[path]["predicted"]
        if row["error"] is None:
            assert row["heatmap"] == pytest.approx(stored[path]["gradcam"]["heatmap"], abs=1e-5)


def test_a_lazy_column_in_a_stream(interp, spark, classes_folder, colour_model, tmp_path):
    explain = interp.interpret_udf(spark, colour_model, "gradcam", **OPTIONS)
    stream = (
        spark.readStream.format("binaryFile")
        .schema("path string, modificationTime timestamp, length long, content binary")
        .load(str(classes_folder / "ant"))
        .select("path", explain("content").alias("e"))
        .writeStream.format("memory")
        .queryName("explained")
        .option("checkpointLocation", str(tmp_path))
        .trigger(availableNow=True)
        .start()
    )
    stream.awaitTermination(300)
    assert spark.table("explained").where("e.predicted IS NOT NULL").count() == 20


def test_numbers_of_a_column(interp, spark, colour_model, tmp_path):
    numbers = np.random.default_rng(0).random((12, 192)).astype(np.float32)
    rows = [(index, values.tolist(), index % 3) for index, values in enumerate(numbers)]
    data = spark.createDataFrame(rows, "n int, x array<float>, y int")
    found = interp.interpret(
        data, colour_model, "gradcam", table=str(tmp_path / "rows"), id="n", label="y", log=False, quiet=True
    )
    assert found.rows == 12
    result = mlflow_interp.visualize_gradcam(
        colour_model, numbers.reshape(12, 8, 8, 3), log=False, quiet=True
    )
    stored = interp.heatmaps(found.table)
    place = np.argsort([int(each) for each in stored.ids])
    np.testing.assert_allclose(stored.maps[place], result.result.heatmaps, atol=1e-5)


def test_rows_without_ids_are_identified_by_their_digest(interp, photos, colour_model, tmp_path):
    data = photos.select("content", "label")
    options = {"table": str(tmp_path / "rows"), "label": "label", "log": False, "quiet": True, **OPTIONS}
    found = interp.interpret(data, colour_model, "gradcam", sample=5, **options)
    assert len(found.interpretations["gradcam"].result.explained.examples) == 5
    with pytest.raises(OptionError, match="name the column that identifies rows"):
        interp.interpret(data, colour_model, "gradcam", sample=5, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": "pixels"}, "input: there is no column 'pixels'"),
        ({"label": "klass"}, "label: there is no column 'klass'; nearest: 'label'|label: there is no column"),
        ({"input": "label"}, "column 'label' has the type string; give images as binary"),
        ({"target": "0,1,2"}, "target has only 3 classes|target has 3 classes"),
        ({"labels": [0]}, "labels can't be used with engine 'spark'; use label="),
        ({"methods": "gradcam", "layer": "nowhere"}, "nowhere"),
        ({"append": True, "overwrite": True}, "append and overwrite contradict each other"),
        ({"table": "./rows[1]"}, "has characters that Spark reads as a pattern"),
    ],
)
def test_wrong_calls_fail_in_one_line_before_the_job(
    interp, photos, colour_model, tmp_path, options, message
):
    given = {"table": str(tmp_path / "rows"), "methods": "gradcam", **OPTIONS, **options}
    with pytest.raises((OptionError, InputsError), match=message) as caught:
        interp.interpret(photos, colour_model, log=False, quiet=True, **given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "rows").exists()


def test_the_command(interp, classes_folder, registered, tmp_path, store):
    from click.testing import CliRunner

    from mlflow_interp.cli import main

    arguments = ["interpret", registered, str(classes_folder), "--methods=gradcam", "--engine=spark"]
    arguments += [
        f"--table={tmp_path / 'rows'}",
        "--sample=6",
        "--json",
        f"--tracking-uri={store}",
        "--quiet",
    ]
    outcome = CliRunner().invoke(main, arguments)
    assert outcome.exit_code == 0, outcome.output
    content = json.loads(outcome.stdout)
    assert content["inputs"]["count"] == COUNT
    assert content["inputs"]["source"] == str(classes_folder)
    assert NAMES  # the registered model has these names, so that folders are labels


def test_options_of_spark_without_spark():
    from click.testing import CliRunner

    from mlflow_interp.cli import main

    for arguments, message in [
        (["--table=x"], "--table is an option of Spark; add --engine spark, or omit it"),
        (["--engine=spark"], "engine 'spark' writes a row for each input"),
        (["--engine=spark", "--table=./x", "--spark-conf=cores"], "spark_conf has 'cores'"),
    ]:
        outcome = CliRunner().invoke(main, ["interpret", "models:/tiny/1", "photos", *arguments])
        assert outcome.exit_code == 2
        assert message in outcome.output


def test_the_how_to_runs(interp, spark, store, tmp_path, monkeypatch):
    """Its Python blocks, in order, with a small model of the name and the classes that they use."""
    import keras
    import mlflow
    from PIL import Image

    cup = 968
    text = (Path(__file__).parents[2] / "docs" / "howto" / "spark.md").read_text(encoding="utf-8")
    blocks = re.findall(r'^```python title="Needs Spark"\n(.*?)^```', text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 5
    bias = np.zeros(1000, np.float32)
    bias[cup] = 9
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu", bias_initializer="ones"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1000, "softmax", bias_initializer=keras.initializers.Constant(bias)),
        ]
    )
    experiment = mlflow.get_experiment_by_name("models").experiment_id
    with mlflow.start_run(experiment_id=experiment):
        names = ["cup" if index == cup else f"class {index}" for index in range(1000)]
        for name in ("model", "retrained"):
            mlflow.keras.log_model(
                model,
                name=name,
                registered_model_name="imagenet-classifier",
                metadata={"class_names": names, "resize": "crop", "interpolation": "lanczos"},
                pip_requirements=["keras"],
            )
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    rng = np.random.default_rng(0)
    for index in range(20):
        Image.fromarray(rng.integers(0, 255, (9, 9, 3), np.uint8)).save(f"photos/{index}.png")
    namespace = {"spark": spark}
    for block in blocks:
        # Spark's own process has another working folder.
        exec(compile(block.replace('"./', f'"{tmp_path}/'), "docs/howto/spark.md", "exec"), namespace)
    assert namespace["found"].rows == 20
    assert namespace["cups"].maps.shape == (20, 6, 6)
    assert (namespace["changed"].passed, namespace["changed"].metrics["churn"]) == (True, 0)
