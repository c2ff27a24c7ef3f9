"""The page of training dynamics: the accuracy of classes, the map of the inputs, and each input's history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.page import render
from mlflow_interp.drawing.palette import class_colours
from mlflow_interp.kinds.training_dynamics.figure import headline, named_classes
from mlflow_interp.kinds.training_dynamics.result import LISTS

if TYPE_CHECKING:
    from mlflow_interp.kinds.training_dynamics.result import TrainingDynamicsResult

HOLDS_EARLIER = True  # see `Kind.holds_earlier`
MOST_LISTED = 120  # inputs of each list
MOST_POINTS = 3_000  # of the map; those that are listed, and evenly spaced others
_DECIMALS = 3


def page(result: TrainingDynamicsResult) -> str:
    """A page that works offline: lists of inputs, and the history of the input that is chosen."""
    return render(
        "kinds/training_dynamics/page.html",
        "kinds/training_dynamics/page.js",
        title=result.title,
        headline=headline(result),
        lists=[{"name": name, "meaning": meaning} for name, meaning in LISTS.items()],
        classes=[result.examples.class_name(index) for index in result.occurring.tolist()],
        data=_data(result),
    )


def _data(result: TrainingDynamicsResult) -> dict[str, Any]:
    lists = {name: result.listed(name)[:MOST_LISTED] for name in LISTS}
    rows = np.unique(np.concatenate(list(lists.values())))
    place = {row: at for at, row in enumerate(rows.tolist())}
    accuracy = np.round(result.class_accuracy, _DECIMALS)
    named = named_classes(result)
    colours = dict(zip(named, class_colours(len(named)), strict=True))
    occurring = result.occurring.tolist()
    return {
        "epochs": result.kept_epochs.tolist(),
        "classes": [
            {
                "name": result.examples.class_name(index),
                "colour": colours.get(index),
                "values": [None if np.isnan(value) else value for value in accuracy[:, index].tolist()],
            }
            for index in occurring
        ],
        "predictedNames": {
            str(index): result.examples.class_name(index)
            for index in np.unique(result.history.predicted[rows]).tolist()
            if index >= 0
        },
        "lists": {name: [place[row] for row in each.tolist()] for name, each in lists.items()},
        "inputs": _inputs(result, rows),
        "points": _points(result, place),
    }


def _inputs(result: TrainingDynamicsResult, rows: np.ndarray) -> list[dict[str, Any]]:
    """The history of each listed input."""
    examples, history, learnt = result.examples, result.history, result.learnt_epochs
    pictured = {} if result.pictured is None else {row: at for at, row in enumerate(result.pictured.tolist())}
    return [
        {
            "name": examples.names[row],
            "label": examples.class_name(int(examples.labels[row])),
            "predicted": examples.class_name(int(examples.classes[row, 0])),
            "mean": round(float(history.means[row]), _DECIMALS),
            "variability": round(float(history.variability[row]), _DECIMALS),
            "forgotten": int(history.forgotten[row]),
            "since": learnt[row],
            "right": int(history.right[row]),
            "seen": int(history.seen[row]),
            "times": int(result.times[row]),
            "values": _values(result, row),
            "predictions": history.predicted[row].tolist(),
            "picture": _picture(result, pictured.get(row)),
        }
        for row in rows.tolist()
    ]


def _values(result: TrainingDynamicsResult, row: int) -> list[float | None]:
    """The probability of the label after each kept epoch; None where the pass lacked the input."""
    history = result.history
    pairs = zip(history.trajectories[row].tolist(), history.predicted[row].tolist(), strict=True)
    return [None if predicted < 0 else round(value, _DECIMALS) for value, predicted in pairs]


def _picture(result: TrainingDynamicsResult, at: int | None) -> str | None:
    if at is None or result.pictures is None:
        return None
    pixels = result.pictures[at]
    return style.data_uri(pixels, lossless=max(pixels.shape[:2]) <= 32)


def _points(result: TrainingDynamicsResult, place: dict[int, int]) -> list[list[Any]]:
    """[deviation, mean, whether right, position in the inputs or −1] of each point of the map."""
    count = len(result.examples)
    others = np.setdiff1d(np.arange(count), list(place))
    room = max(0, MOST_POINTS - len(place))
    if len(others) > room:
        others = others[np.linspace(0, len(others) - 1, room).astype(int)] if room else others[:0]
    rows = [*others.tolist(), *reversed(list(place))]
    history, right = result.history, result.is_right
    return [
        [
            round(float(history.variability[row]), _DECIMALS),
            round(float(history.means[row]), _DECIMALS),
            int(right[row]),
            place.get(row, -1),
        ]
        for row in rows
    ]
