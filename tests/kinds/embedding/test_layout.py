"""Layouts equal those of umap-learn with its defaults; its errors become one-line errors."""

from __future__ import annotations

import inspect
import warnings
from typing import get_type_hints

import numpy as np
import pytest

from mlflow_interp.exceptions import InapplicableError, InputsError, OptionError
from mlflow_interp.kinds.embedding.layout import (
    ALIGNED_EPOCHS,
    UmapOptions,
    check_settings,
    complete_settings,
    lay_out,
    plain_option,
    try_out,
)
from mlflow_interp.methods.umap import umap as method

SETTINGS = {
    "n_neighbors": None,
    "min_dist": 0.1,
    "n_components": 2,
    "metric": "euclidean",
    "n_epochs": None,
    "random_state": 0,
}

#: Options of umap-learn that the method does not offer, and why.
LEFT_OUT = {
    "verbose": "prints where progress is reported already",
    "tqdm_kwds": "of that same printing",
    "output_dens": "gives three arrays instead of one",
    "transform_mode": "graph gives no points",
    "precomputed_knn": "belongs to one set of activations, and there is one a layer",
}


@pytest.fixture(scope="module")
def umap_learn():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap
    return umap


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(3, 8))[np.arange(90) % 3] * 3 + rng.normal(size=(90, 8))).astype(np.float32)


def test_every_umap_learn_option_is_offered_or_excluded(umap_learn):
    theirs = set(inspect.signature(umap_learn.UMAP).parameters)
    own = set(inspect.signature(method).parameters) & theirs | {"random_state"}
    passed_on = set(get_type_hints(UmapOptions))
    assert own == set(SETTINGS)
    assert own | passed_on | set(LEFT_OUT) == theirs
    assert len(own) + len(passed_on) + len(LEFT_OUT) == len(theirs)


def test_layout_equals_that_of_umap_learn(umap_learn, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bare = umap_learn.UMAP(random_state=0).fit_transform(rows)
    ours = lay_out(rows, np.arange(90), complete_settings(SETTINGS, 90, aligned=False), None)
    np.testing.assert_array_equal(ours, bare)
    assert ours.dtype == np.float32


def test_remaining_inputs_are_placed_among_the_fitted_ones(rows):
    chosen = np.arange(60)
    settings = complete_settings(SETTINGS, 60, aligned=False)
    found = lay_out(rows, chosen, settings, None)
    np.testing.assert_array_equal(found[:60], lay_out(rows[:60], chosen, settings, None))
    centres = np.stack([found[:60][np.arange(60) % 3 == kind].mean(axis=0) for kind in range(3)])
    nearest = ((found[60:, np.newaxis] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == np.arange(60, 90) % 3).mean() > 0.9


def test_defaults_depend_on_the_number_of_inputs():
    few = complete_settings(SETTINGS, 8, aligned=False)
    assert (few["n_neighbors"], few["n_epochs"]) == (7, 500)
    many = complete_settings(SETTINGS, 20_000, aligned=False)
    assert (many["n_neighbors"], many["n_epochs"]) == (15, 200)
    assert complete_settings(SETTINGS, 8, aligned=True)["n_epochs"] == ALIGNED_EPOCHS
    given = complete_settings(SETTINGS | {"n_neighbors": 30, "n_epochs": 7}, 100, aligned=True)
    assert (given["n_neighbors"], given["n_epochs"]) == (30, 7)


@pytest.mark.parametrize("count", [5, 6, 10])
def test_very_few_inputs_can_be_laid_out(count, rows):
    settings = complete_settings(SETTINGS, count, aligned=False)
    assert np.isfinite(lay_out(rows[:count], np.arange(count), settings, None)).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"min_dist": 1.5}, "min_dist is 1.5; give a number from 0 to 1.0"),
        ({"min_dist": 0.6, "spread": 0.5}, "give a number from 0 to 0.5"),
    ],
)
def test_min_dist_above_spread_is_rejected(changed, message):
    with pytest.raises(OptionError, match=message):
        check_settings(SETTINGS | changed, None)


def test_too_few_inputs_are_rejected():
    with pytest.raises(InputsError, match=r"n_neighbors is 30, but there are 20 inputs.*at most 19"):
        check_settings(SETTINGS | {"n_neighbors": 30}, 20)
    with pytest.raises(InapplicableError, match="UMAP needs at least 5 inputs, but there are 4"):
        check_settings(SETTINGS, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"metric": "nonsense"},
        {"metric": "precomputed"},
        {"init": "nonsense"},
        {"set_op_mix_ratio": 3.0},
        {"learning_rate": -1.0},
        {"negative_sample_rate": -3},
        {"output_metric": "nonsense"},
    ],
)
def test_umap_learn_errors_are_raised_before_the_model_runs(wrong):
    with pytest.raises(OptionError, match="umap-learn rejects "):
        try_out(SETTINGS | wrong)


def test_points_without_neighbours_give_a_warning(rows):
    far = rows.copy()
    far[7] += 1000
    settings = complete_settings(SETTINGS | {"disconnection_distance": 50.0}, 90, aligned=False)
    with pytest.raises(OptionError, match="no neighbours for 1 inputs; use a larger disconnection_distance"):
        lay_out(far, np.arange(90), settings, None)


def test_metric_arguments_are_a_dict_or_json():
    assert plain_option("metric_kwds", '{"p": 3}') == {"p": 3}
    assert plain_option("metric_kwds", {"p": 3}) == {"p": 3}
    assert plain_option("init", "random") == "random"
    for wrong in ("{p: 3}", "[3]", "3"):
        with pytest.raises(OptionError, match="give a JSON object"):
            plain_option("metric_kwds", wrong)
