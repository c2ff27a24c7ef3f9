"""Executors in processes of their own, and Spark Connect, give what one process gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import mlflow_interp
from tests.spark.conftest import COUNT, no_spark

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(no_spark() is not None, reason=str(no_spark())),
    pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning"),
]


@pytest.fixture(scope="module")
def saved(colour_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "colours.keras"
    colour_model.save(path)
    return str(path)


@pytest.mark.parametrize("kind", ["local-cluster[2,1,1536]", "connect"])
def test_other_kinds_of_spark_give_the_same(kind, saved, classes_folder, colour_model, tmp_path):
    arguments = [kind, saved, str(classes_folder), str(tmp_path / "rows")]
    environment = {
        **os.environ,
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONPATH": os.getcwd(),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "tests.spark.job_on_cluster", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("RESULT")]
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(lines[0].removeprefix("RESULT"))
    alone = mlflow_interp.interpret(
        colour_model,
        str(classes_folder),
        ["gradcam", "confusion_matrix"],
        preprocess="0..1",
        resize="stretch",
        interpolation="bilinear",
        log=False,
        quiet=True,
    )
    assert (found["rows"], found["errors"], found["lazy"]) == (COUNT + 1, 1, 3)
    assert found["counts"] == alone["confusion_matrix"].result.counts.tolist()
    assert len(found["sampled"]) == 9
    result = alone["gradcam"].result
    order = np.argsort(result.explained.examples.names)
    maps = result.heatmaps[order].reshape(COUNT, -1)
    np.testing.assert_allclose(found["maps"], maps, atol=1e-4 * np.abs(maps).max() + 1e-5)
