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
ALIGNED_RATE = 0.25  # an equally good layout as with 1.0, and points stay closer to their earlier positions
FEWEST_EPOCHS = 3  # umap-learn uses a third of them to transform additional points
FEWEST_FITTED = 10
TRANSFORMED_AT_ONCE = 10_000
DEFAULT_NEIGHBOURS = 15


class UmapOptions(TypedDict, total=False):
    """Options that are passed unchanged to `umap.UMAP`; see its documentation. None is its own default.

    Attributes:
        metric_kwds: Arguments of the metric, as JSON such as {"p": 3}. In Python, also a dict.
        output_metric: Metric of the embedding space, euclidean by default.
        output_metric_kwds: Arguments of that metric, like `metric_kwds`.
        learning_rate: Initial learning rate of the optimisation, 1.0 by default, 0.25 with `align`.
        init: Initial positions of points: spectral (the default), random, pca, tswspectral.
        spread: Scale of the whole map, 1.0 by default. Together with `min_dist`, it determines how clumped
            points are.
        low_memory: Whether to search for neighbours with less memory but more slowly, true by default.
        n_jobs: Number of threads, -1 for all. It has an effect only without a seed: with one, as by default,
            there is a single thread.
        set_op_mix_ratio: How the neighbourhoods of single points are combined: from 0, their intersection, to
            1 (the default), their union.
        local_connectivity: Number of neighbours that a point is certain to be connected to, 1 by default.
        repulsion_strength: Weight of repulsion between points, 1.0 by default.
        negative_sample_rate: Number of points to repel for each one attracted, 5 by default.
        transform_queue_size: How widely to search for the neighbours of points that are placed afterwards,
            4.0 by default.
        a: First parameter of the distance curve, by default from `min_dist` and `spread`.
        b: Second parameter of the distance curve, likewise.
        angular_rp_forest: Whether to search for neighbours by angle first, false by default.
        target_n_neighbors: Number of neighbours among labels, with `supervised`; -1 means `n_neighbors`.
        target_metric: Metric of labels, with `supervised`: categorical by default.
        target_metric_kwds: Arguments of that metric, like `metric_kwds`.
        target_weight: Weight of the labels, with `supervised`: from 0, inputs alone, to 1, mostly labels; 0.5
            by default.
        transform_seed: Seed for placing points that were not fitted, 42 by default.
        force_approximation_algorithm: Whether to approximate neighbours for few points too, false by default.
        unique: Whether to embed equal points only once, false by default.
        densmap: Whether to preserve local density (Narayan et al. 2021), false by default.
        dens_lambda: Weight of the density term, 2.0 by default.
        dens_frac: Fraction of epochs that use the density term, 0.3 by default.
        dens_var_shift: Constant that keeps the density variance above zero, 0.1 by default.
        disconnection_distance: Distance beyond which points are not neighbours, infinite by default for most
            metrics.
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
    """An option in the form that umap-learn expects: the command line passes dicts as JSON.

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
    """Check options against each other and the number of inputs; umap-learn does so late or not at all.

    Raises:
        OptionError: a distance above the spread.
        InputsError: fewer inputs than neighbours.
    """
    spread = settings.get("spread", 1.0)
    if settings["min_dist"] > spread:
        raise OptionError(f"min_dist is {settings['min_dist']}; give a number from 0 to {spread} (spread)")
    if total is not None:
        check_count(settings, total)


def check_count(settings: Mapping[str, Any], count: int) -> None:
    """Reject fewer inputs than neighbours, and too few for a layout."""
    neighbours = settings["n_neighbors"]
    fewest = settings["n_components"] + 3
    if count < fewest:
        raise InapplicableError(f"UMAP needs at least {fewest} inputs, but there are {count}; give more")
    if neighbours is not None and neighbours >= count:
        raise InputsError(
            f"n_neighbors is {neighbours}, but there are {count} inputs; give more inputs, or n_neighbors "
            f"of at most {count - 1}"
        )


def try_out(settings: Mapping[str, Any]) -> None:
    """Embed a few random points, so that options that umap-learn rejects fail before the model runs."""
    rows = np.random.default_rng(0).random((24, 8), dtype=np.float32)
    lay_out(rows, np.arange(24), dict(settings) | {"n_neighbors": 5, "n_epochs": 1}, None)


def complete_settings(settings: Mapping[str, Any], count: int, *, aligned: bool) -> dict[str, Any]:
    """Settings with the defaults that depend on the number of inputs; epochs are umap-learn's default."""
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
            f"umap-learn found no neighbours for {isolated} inputs; use a larger disconnection_distance"
        )
    return points


@contextlib.contextmanager
def _umap_errors(settings: Mapping[str, Any]) -> Iterator[None]:
    """Convert umap-learn's errors to ours, and silence its warnings and Numba's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            reason = first_line(error)
            options = ", ".join(f"{name}={value}" for name, value in settings.items())
            raise OptionError(f"umap-learn rejects {options}: {reason}; give other values") from error
