"""What is compared of all rows of a table, collected on the driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.comparison.agreement import Agreement
from mlflow_interp.comparison.paired import Paired
from mlflow_interp.comparison.predictions import Predictions
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.spark.comparing.job import VERSIONS, ComparedJob
from mlflow_interp.spark.output import Output
from mlflow_interp.spark.preparing import to_arrow
from mlflow_interp.spark.session import one_line_errors

MOST_ROWS = 2_000_000  # some 500 bytes each while numbers are computed; more make intervals hardly narrower

_PREDICTION = ("predicted", "probability", "target_probability")
_NUMBERS = ("correlation", "overlap", "moved")
_EMPTY = tuple(f"{version}_is_empty" for version in VERSIONS)
_AGREEMENT = (*_NUMBERS, *_EMPTY)
_SAMPLED = "sampled"


def collected(output: Output[ComparedJob], count: int, sample: Sequence[str]) -> tuple[Any, str]:
    """The numbers of rows as an Arrow table, and what a user should know if these are not all.

    Args:
        output: the table.
        count: the number of its rows without errors. Of more than two million, those with the smallest keys
            are collected, a sample that is the same however rows are partitioned.
        sample: ids of rows; the column `sampled` has their positions in this list.
    """
    from pyspark.sql import functions as sql

    rows = output.rows().where("error IS NULL")
    note = ""
    if count > MOST_ROWS:
        rows = rows.orderBy("key", "id").limit(MOST_ROWS)
        note = f"numbers are those of a sample of {MOST_ROWS:,} of {count:,} inputs"
    columns = [
        "label",
        "target",
        _SAMPLED,
        *(f"{version}.{name} AS `{version}/{name}`" for version in VERSIONS for name in _PREDICTION),
        *(f"`{key}`.{name} AS `{key}/{name}`" for key in output.job.layout.heatmaps for name in _AGREEMENT),
    ]
    with one_line_errors():
        places = output.spark.createDataFrame(
            [(each, place) for place, each in enumerate(sample)], f"id string, {_SAMPLED} int"
        )
        return to_arrow(rows.join(sql.broadcast(places), "id", "left").selectExpr(*columns)), note


def paired_of(rows: Any, of_sample: Paired, places: np.ndarray, class_name: Callable[[int], str]) -> Paired:
    """What is compared of all rows.

    Args:
        rows: an Arrow table; see `collected`.
        of_sample: what is compared of the sample, which has the scale of agreement, the faithfulness, and
            the agreement of methods that explained only the sample.
        places: (n,) int64, the position in the sample of each row of `of_sample`.
        class_name: gives the name of a class.
    """
    labels = rows["label"].fill_null(UNKNOWN).to_numpy().astype(np.int64)
    predicted, *probabilities = (
        np.stack([rows[f"{version}/{name}"].to_numpy() for version in VERSIONS], axis=1)
        for name in _PREDICTION
    )
    confidence, explained = (each.astype(np.float64) for each in probabilities)
    targets = rows["target"].to_numpy().astype(np.int64)
    predictions = Predictions(labels, predicted.astype(np.int64), confidence, explained, targets)
    sampled = rows[_SAMPLED].fill_null(UNKNOWN).to_numpy()
    agreements = {
        key: _agreement(rows, key, each)
        if f"{key}/correlation" in rows.column_names
        else _of_sampled(each, places, sampled)
        for key, each in of_sample.agreements.items()
    }
    known = np.unique(labels[labels != UNKNOWN]).tolist()
    names = {label: class_name(label) for label in known}
    return replace(of_sample, predictions=predictions, agreements=agreements, class_names=names)


def _agreement(rows: Any, key: str, of_sample: Agreement) -> Agreement:
    correlation, overlap, moved = (rows[f"{key}/{name}"].to_numpy().astype(np.float64) for name in _NUMBERS)
    empty = np.stack([rows[f"{key}/{name}"].to_numpy().astype(bool) for name in _EMPTY], axis=1)
    return Agreement(correlation, overlap, moved, empty, of_sample.anchors)


def _of_sampled(each: Agreement, places: np.ndarray, sampled: np.ndarray) -> Agreement:
    """The agreement of all rows, which is defined for those of the sample."""
    row_of = {place: row for row, place in enumerate(places.tolist())}
    at = np.flatnonzero(np.isin(sampled, places))
    rows = np.array([row_of[place] for place in sampled[at].tolist()], np.int64)
    own = Agreement(
        each.correlation[rows],
        each.overlap[rows],
        each.moved[rows],
        each.empty[rows],
        each.anchors,
        None if each.explained is None else each.explained[rows],
    )
    return own.spread(at, len(sampled))
