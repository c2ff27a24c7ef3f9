"""Options find their way to the functions that declare them, and on to the libraries behind those."""

from __future__ import annotations

import pytest

from mlflow_interp.exceptions import OptionError
from mlflow_interp.options import distribute, options_of, parameters_of, route


def test_options_that_are_passed_on_are_options_of_the_method():
    option = options_of("umap")["set_op_mix_ratio"]
    assert option.forwarded
    assert (option.stage, option.default) == ("method", None)
    assert option.help.startswith("From intersection (0) to union")
    assert not options_of("umap")["n_neighbors"].forwarded
    assert route("umap", {"set_op_mix_ratio": 0.5, "max_inputs": 3})["method"] == {"set_op_mix_ratio": 0.5}


def test_only_those_given_stand_in_a_manifest():
    known = parameters_of("umap", {"spread": 2.0})
    assert known["spread"] == 2.0
    assert known["min_dist"] == 0.1
    assert "learning_rate" not in known


def test_an_option_goes_to_every_method_that_takes_it():
    assert distribute(
        ["caricature", "saliency", "umap"], ["learning_rate", "layers", "path_steps", "seed"]
    ) == {
        "learning_rate": ["umap"],
        "layers": ["caricature", "umap"],
        "path_steps": ["saliency"],
        "seed": ["caricature", "saliency", "umap"],
    }


def test_where_no_option_is_near_all_are_listed():
    with pytest.raises(OptionError, match="umap has no option 'zzzz'; there are: ") as error:
        route("umap", {"zzzz": 3})
    listed = str(error.value).partition("there are: ")[2].split(", ")
    assert listed == sorted(options_of("umap"))
    assert {"n_neighbors", "set_op_mix_ratio", "max_inputs", "legend"} <= set(listed)


@pytest.mark.parametrize("ask", [lambda: route("umap", {"n_neighbours": 3}),
                                 lambda: distribute(["umap"], ["n_neighbours"])])  # fmt: skip
def test_an_unknown_option_is_refused_with_the_nearest_ones(ask):
    with pytest.raises(OptionError, match="umap has no option 'n_neighbours'; nearest: n_neighbors"):
        ask()
