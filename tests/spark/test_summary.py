"""The summary of a table: what Spark counts, and how the call is written down."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.call_options import plan_call
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.spark.part import MeanMaps
from mlflow_interp.spark.summary import _bins, _cells, _heatmaps, _of_methods, _python

#: Label, prediction, probability and error of rows.
ROWS = [
    (0, 0, 0.05, None),  # the lower bound of the second bin
    (0, 0, 0.049, None),
    (0, 1, 1.0, None),  # in the last bin
    (1, 1, 1.0000001, None),  # rounded
    (None, 1, 0.5, None),
    (None, None, None, None),  # a regression
    (1, None, None, "is not an image"),
]


@pytest.fixture(scope="module")
def table(spark):
    schema = "label int, predicted int, probability float, error string"
    return spark.createDataFrame(ROWS, schema).repartition(3)


def test_cells_are_counted_with_their_probabilities(table):
    cells = _cells(table)
    assert cells.classes.tolist() == [[UNKNOWN, UNKNOWN], [UNKNOWN, 1], [0, 0], [0, 1], [1, 1]]
    assert cells.counts.tolist() == [1, 1, 2, 1, 1]
    assert cells.probabilities == pytest.approx([0, 0.5, 0.099, 1, 1])


def test_bins_are_closed_below_and_the_last_holds_one(table):
    bins = _bins(table)
    filled = {tuple(at): int(bins.counts[tuple(at)]) for at in np.argwhere(bins.counts).tolist()}
    assert filled == {(0, 0): 1, (0, 1): 1, (1, 19): 1, (0, 19): 1, (2, 10): 1}
    assert bins.sums.sum() == pytest.approx(2.599)


def test_scores_are_in_no_bin(spark):
    rows = [(0, 0, 7.5, None), (0, 0, -0.5, None), (0, 0, 0.5, None)]
    bins = _bins(spark.createDataFrame(rows, "label int, predicted int, probability float, error string"))
    assert bins.counts.sum() == 1


def test_no_rows(spark):
    empty = spark.createDataFrame([], "label int, predicted int, probability float, error string")
    assert _cells(empty).classes.shape == (0, 2)
    assert _bins(empty).counts.sum() == 0


def test_mean_heatmaps_are_sorted_by_class():
    maps = MeanMaps()
    maps.update(np.array([7, 2, 7]), np.stack([np.full((2, 2), value) for value in (1.0, 5.0, 3.0)]))
    found = _heatmaps("gradcam", "Grad-CAM", maps)
    assert found.classes.tolist() == [2, 7]
    assert found.counts.tolist() == [1, 2]
    assert found.means[:, 0, 0].tolist() == [5, 2]
    assert found.deviations[:, 0, 0].tolist() == [0, 1]


def test_the_call_is_written_down_with_each_option_once():
    given = _of_methods(plan_call(["gradcam", "umap"], {"preprocess": "0..1", "target": 3}))
    manifest = {"given": given | {"table": "/t"}, "model": {"uri": "models:/m/1"}, "at_hand": ["class_names"]}
    assert _python(manifest).splitlines()[-1] == (
        "found = mlflow_interp.spark.interpret(data, 'models:/m/1', ['gradcam', 'umap'], preprocess='0..1', "
        "target=3, table='/t', class_names=class_names)"
    )


def test_options_that_differ_between_methods_stay_with_them():
    plan = plan_call({"gradcam": {"target": 3}, "layercam": {"target": 4}}, {})
    assert _of_methods(plan) == {"methods": {"gradcam": {"target": 3}, "layercam": {"target": 4}}}
    manifest = {"given": _of_methods(plan), "model": {"uri": "keras.Model"}, "at_hand": []}
    assert "interpret(data, model, {'gradcam': {'target': 3}, " in _python(manifest)
