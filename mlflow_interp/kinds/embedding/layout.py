"""The layout of an embedding by umap-learn, its options, and its errors in one line."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

import numpy as np

from mlflow_interp.exceptions import InapplicableError, InputsError, OptionError, first_line
from mlflow_interp.kinds.embedding.umap_learn import import_umap

ALIGNED_EPOCHS = 100  # enough from a good start: the same trustworthiness in about half the time
ALIGNED_RATE = 0.25  # as good a layout as with 1.0, and points stay nearer to their earlier positions
FEWEST_EPOCHS = 3  # umap-learn uses a third of them to transform further points
FEWEST_FITTED = 10
TRANSFORMED_AT_ONCE = 10_000
DEFAULT_NEIGHBOURS = 15


class UmapOptions(TypedDict, total=False):
    """What is handed to `umap.UMAP` as it is; its documentation says more. None is its own default.

    Attributes:
        metric_kwds: Arguments of the metric, in Python a dict, elsewhere JSON such as {"p": 3}.
        output_metric: The metric of the embedding's own space, euclidean by default.
        output_metric_kwds: Its arguments, as for `metric_kwds`.
        learning_rate: The optimisation's first learning rate, 1.0 by default, 0.25 where aligned.
        init: Where points start: spectral (the default), random, pca, tswspectral.
        spread: How far apart clusters lie, on the scale of `min_dist`, 1.0 by default.
        low_memory: Whether neighbours are looked for slowly in less memory, true by default.
        n_jobs: How many threads, -1 (all) by default; a seed allows one only.
        set_op_mix_ratio: From intersection (0) to union (1, the default) of local neighbourhoods.
        local_connectivity: How many neighbours a point is sure to be connected to, 1 by default.
        repulsion_strength: The weight of pushing apart, 1.0 by default.
        negative_sample_rate: Points pushed away for each one pulled, 5 by default.
        transform_queue_size: How widely neighbours of points placed later are looked for, 4.0 by default.
        a: The curve's first parameter, instead of `min_dist` and `spread`.
        b: The curve's second parameter.
        angular_rp_forest: Whether neighbours are first looked for by angle, false by default.
        target_n_neighbors: Neighbours among labels, with `supervised`; -1 takes `n_neighbors`.
        target_metric: The metric of labels, with `supervised`: categorical by default.
        target_metric_kwds: Its arguments, as for `metric_kwds`.
        target_weight: From the inputs alone (0) to the labels alone (1), with `supervised`; 0.5 by default.
        transform_seed: The seed of placing later points, 42 by default.
        force_approximation_algorithm: Whether neighbours are approximate for few points too.
        unique: Whether equal points are embedded once.
        densmap: Whether local density is kept (Narayan et al. 2021), false by default.
        dens_lambda: The weight of that, 2.0 by default.
        dens_frac: The share of epochs that count it, 0.3 by default.
        dens_var_shift: What keeps its variance from zero, 0.1 by default.
        disconnection_distance: Points further apart are no neighbours.
    """

    metric_kwds: dict[str, Any] | str | None
    output_metric: str | None
    output_metric_kwds: dict[str, Any] | str | None
    learning_rate: float | None
    init: str | None
    spread: float | None
    low_memory: bool
    n_jobs: int | None
    set_op_mix_ratio: float | None
    local_connectivity: float | None
    repulsion_strength: float | None
    negative_sample_rate: int | None
    transform_queue_size: float | None
    a: float | None
    b: float | None
    angular_rp_forest: bool
    target_n_neighbors: int | None
    target_metric: str | None
    target_metric_kwds: dict[str, Any] | str | None
    target_weight: float | None
    transform_seed: int | None
    force_approximation_algorithm: bool
    unique: bool
    densmap: bool
    dens_lambda: float | None
    dens_frac: float | None
    dens_var_shift: float | None
    disconnection_distance: float | None


def plain_option(name: str, value: Any) -> Any:
    """An option as umap-learn takes it: the command line passes dicts as JSON.

    Raises:
        OptionError: it is not valid JSON, or not an object.
    """
    if not (name.endswith("_kwds") and isinstance(value, str)):
        return value
    try:
        arguments = json.loads(value)
    except json.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise OptionError(f'{name} is {value!r}; give a JSON object such as {{"p": 3}}')
    return arguments


def check_settings(settings: Mapping[str, Any], total: int | None) -> None:
    """Check options against each other and the number of inputs, as umap-learn does late or not at all.

    Raises:
        OptionError: a distance above the spread.
        InputsError: fewer inputs than neighbours.
    """
    spread = settings.get("spread", 1.0)
    if settings["min_dist"] > spread:
        raise OptionError(f"min_dist is {settings['min_dist']}; give 0 to {spread}, which is spread")
    if total is not None:
        check_count(settings, total)


def check_count(settings: Mapping[str, Any], count: int) -> None:
    """Refuse fewer inputs than neighbours, and too few for a layout."""
    neighbours = settings["n_neighbors"]
    fewest = settings["n_components"] + 3
    if count < fewest:
        raise InapplicableError(f"UMAP needs {fewest} inputs or more, and there are {count}; give more")
    if neighbours is not None and neighbours >= count:
        raise InputsError(
            f"n_neighbors is {neighbours}, and there are {count} inputs; give more inputs, or n_neighbors "
            f"of at most {count - 1}"
        )


def try_out(settings: Mapping[str, Any]) -> None:
    """Embed a few random points, so that options that umap-learn refuses fail before the model runs."""
    rows = np.random.default_rng(0).random((24, 8), dtype=np.float32)
    lay_out(rows, np.arange(24), dict(settings) | {"n_neighbors": 5, "n_epochs": 1}, None)


def complete_settings(settings: Mapping[str, Any], count: int, *, aligned: bool) -> dict[str, Any]:
    """Settings with the defaults that depend on the number of inputs; epochs are umap-learn's own."""
    neighbours = settings["n_neighbors"]
    default_epochs = ALIGNED_EPOCHS if aligned else 500 if count <= 10_000 else 200
    defaults = {"learning_rate": ALIGNED_RATE} if aligned else {}
    return {
        **defaults,
        **settings,
        "n_neighbors": min(DEFAULT_NEIGHBOURS, count - 1) if neighbours is None else neighbours,
        "n_epochs": settings["n_epochs"] or default_epochs,
    }


def lay_out(
    rows: np.ndarray,
    fit_rows: np.ndarray,
    settings: Mapping[str, Any],
    labels: np.ndarray | None,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Points (n, components) float32: `fit_rows` are fitted, the others transformed afterwards."""
    init = {} if start is None else {"init": start[fit_rows]}
    fits_all = len(fit_rows) == len(rows)
    points = np.empty((len(rows), settings["n_components"]), np.float32)
    with _umap_errors(settings):
        reducer = import_umap().UMAP(**{**settings, **init})
        points[fit_rows] = reducer.fit_transform(rows if fits_all else rows[fit_rows], labels)
        rest = np.setdiff1d(np.arange(len(rows)), fit_rows)
        for first in range(0, len(rest), TRANSFORMED_AT_ONCE):
            block = rest[first : first + TRANSFORMED_AT_ONCE]
            points[block] = reducer.transform(rows[block])
    if not np.isfinite(points).all():
        isolated = int((~np.isfinite(points)).any(axis=1).sum())
        raise OptionError(
            f"umap-learn found no neighbours for {isolated} inputs; raise disconnection_distance"
        )
    return points


@contextlib.contextmanager
def _umap_errors(settings: Mapping[str, Any]) -> Iterator[None]:
    """Turn umap-learn's errors into ours, and silence its warnings and Numba's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            reason = first_line(error)
            options = ", ".join(f"{name}={value}" for name, value in settings.items())
            raise OptionError(f"umap-learn can't embed with {options}: {reason}; give others") from error
