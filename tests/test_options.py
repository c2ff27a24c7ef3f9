"""Options reach the functions that declare them, and the libraries behind those."""

from __future__ import annotations

import pytest

import mlflow_interp
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.confusion_matrix import from_predictions
from mlflow_interp.method_registry import own_method_names
from mlflow_interp.options import distribute, options_of, parameters_of, route


def test_forwarded_options_are_options_of_the_method():
    option = options_of("umap")["set_op_mix_ratio"]
    assert option.forwarded
    assert (option.stage, option.default) == ("method", None)
    assert option.help.startswith("How the neighbourhoods of single points")
    assert not options_of("umap")["n_neighbors"].forwarded
    assert route("umap", {"set_op_mix_ratio": 0.5, "max_inputs": 3})["method"] == {"set_op_mix_ratio": 0.5}


def test_manifest_has_only_the_given_options():
    known = parameters_of("umap", {"spread": 2.0})
    assert known["spread"] == 2.0
    assert known["min_dist"] == 0.1
    assert "learning_rate" not in known


def test_option_reaches_every_method_that_has_it():
    assert distribute(
        ["caricature", "saliency", "umap"], ["learning_rate", "layers", "path_steps", "seed"]
    ) == {
        "learning_rate": ["umap"],
        "layers": ["caricature", "umap"],
        "path_steps": ["saliency"],
        "seed": ["caricature", "saliency", "umap"],
    }


def test_all_options_are_listed_if_none_is_similar():
    with pytest.raises(OptionError, match="umap has no option 'zzzz'; available: ") as error:
        route("umap", {"zzzz": 3})
    listed = str(error.value).partition("available: ")[2].split(", ")
    assert listed == sorted(options_of("umap"))
    assert {"n_neighbors", "set_op_mix_ratio", "max_inputs", "legend"} <= set(listed)


@pytest.mark.parametrize("ask", [lambda: route("umap", {"n_neighbours": 3}),
                                 lambda: distribute(["umap"], ["n_neighbours"])])  # fmt: skip
def test_unknown_option_is_rejected_with_similar_ones(ask):
    with pytest.raises(OptionError, match="umap has no option 'n_neighbours'; nearest: n_neighbors"):
        ask()


RANGES = [
    ("gradcam", "batch_size", [1], [0, -1, 1.5]),
    ("gradcam", "max_inputs", [None, 1], [0]),
    ("gradcam", "resize", ["crop", "pad", "stretch"], ["zoom", 3]),
    ("gradcam", "opacity", [0, 0.5, 1], [-0.1, 1.1, 3, float("nan"), "0.5"]),
    ("gradcam", "colormap", ["inferno", "RdBu_r"], ["infernal"]),
    ("saliency", "noise_samples", [1], [0]),
    ("saliency", "noise", [0, 0.3], [-0.1, float("inf")]),
    ("saliency", "average", ["squared", "mean"], ["median"]),
    ("saliency", "path_steps", [1], [0, -3]),
    ("saliency", "seed", [0], [-1]),
    ("saliency", "max_explained", [None, 1], [0]),
    ("saliency", "percentile", [0.1, 100], [0, 100.1]),
    ("caricature", "ascent_steps", [1], [0]),
    ("caricature", "ascent_rate", [0.001], [0, -1.0]),
    ("caricature", "tolerance", [0], [-0.1]),
    ("caricature", "cosine_power", [0], [-0.1]),
    ("caricature", "parametrization", ["fourier", "pixel"], ["wavelet"]),
    ("caricature", "decay_power", [0], [-0.1]),
    ("caricature", "stddev", [0.1], [0]),
    ("caricature", "colours", ["true"], ["grey"]),
    ("caricature", "value_range", ["clip"], ["tanh"]),
    ("caricature", "snapshot_every", [0], [-1]),
    ("umap", "pooling", ["max"], ["sum"]),
    ("umap", "n_neighbors", [None, 2], [1]),
    ("umap", "min_dist", [0], [-0.1]),
    ("umap", "n_components", [1, 3], [0, 4]),
    ("umap", "n_epochs", [3], [2]),
    ("umap", "max_fit", [10], [9]),
    ("umap", "seed", [None, 0], [-1]),
    ("umap", "legend", ["shared", "each", "off"], ["none"]),
    ("umap", "point_size", [None, 0.1], [0]),
    ("confusion_matrix", "threshold", [0, 0.99], [1, -0.1]),
    ("confusion_matrix", "top_k", [0], [-1]),
    ("confusion_matrix", "normalize", ["none", "true", "predicted", "all"], ["row"]),
    ("confusion_matrix", "order", ["given", "cluster", "support", "recall"], ["size"]),
]


@pytest.mark.parametrize(("method", "option", "accepted", "refused"), RANGES)
def test_ranges_come_from_the_signature(method, option, accepted, refused):
    for value in accepted:
        route(method, {option: value})
    for value in refused:
        with pytest.raises(OptionError, match=f"^(no )?{option} "):
            route(method, {option: value})


@pytest.mark.parametrize(("method", "option", "_", "refused"), RANGES)
def test_no_model_is_loaded_for_an_option_out_of_range(method, option, _, refused):
    with pytest.raises(OptionError, match=f"^(no )?{option} "):
        mlflow_interp.interpret("models:/nobody/1", "nowhere", {"gradcam": {}, method: {option: refused[0]}})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.0}, "threshold is 1.0; give a number from 0 to below 1"),
        ({"top_k": -1}, "top_k is -1; give 0 or more"),
    ],
)
def test_public_functions_check_options(options, message):
    with pytest.raises(OptionError, match=message):
        from_predictions([0, 1], [0, 1], **options)


#: Options whose help differs between methods after the first sentence, and why.
DIFFERENT = {
    "baseline": "saliency compares all inputs with the same one",
    "colormap": "what else a colormap has to be depends on what is drawn",
    "layer": "only some methods combine several layers",
    "layers": "the default layer depends on the method",
    "calls": "which calls stand side by side depends on the inputs that a method takes",
    "seed": "umap-learn uses all cores without one",
}


def test_shared_options_have_one_meaning():
    """By its help: the same text, or the same first sentence if a reason is listed."""
    helps = {}
    for method in own_method_names():
        for name, option in options_of(method).items():
            helps.setdefault(name, set()).add(option.help)
    first = {name: {text.partition(".")[0] for text in texts} for name, texts in helps.items()}
    assert {name for name, texts in helps.items() if len(texts) > 1} == set(DIFFERENT)
    assert not {name for name, sentences in first.items() if len(sentences) > 1}
