"""The methods of a call and the options of each."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.call_options import parse_methods, plan_call
from mlflow_interp.exceptions import InterpretationWarning, OptionError

#: The methods with a single pass over the inputs; saliency and caricature take many.
CHEAP = [
    "attention", "confusion_matrix", "eigencam", "gradcam", "gradcam_plus_plus", "hirescam", "layercam",
    "nearest_examples", "umap",
]  # fmt: skip
LABELS = [0, 1, 2]


@pytest.mark.parametrize("methods", ["all", ["all"], ("all",), iter(["all"]), " all ,", {"all": {}}])
def test_all_selects_single_pass_methods_in_every_form(methods):
    plan = plan_call(methods, {})
    assert plan.options == {name: {} for name in CHEAP}
    assert plan.only_by_all == set(CHEAP)


@pytest.mark.parametrize("methods", ["all,saliency", ["all", "saliency"], {"all": {}, "saliency": {}}])
def test_expensive_methods_can_be_added_to_all(methods):
    plan = plan_call(methods, {})
    assert list(plan.options) == [*CHEAP, "saliency"]
    assert plan.only_by_all == set(CHEAP)


def test_method_added_to_all_runs_once_and_is_required():
    plan = plan_call("saliency,gradcam,all", {})
    assert list(plan.options)[:2] == ["saliency", "gradcam"]
    assert set(plan.options) == {"saliency", *CHEAP}
    assert plan.only_by_all == set(CHEAP) - {"gradcam"}


def test_options_for_all_are_kept():
    plan = plan_call(
        {
            "all": {"seed": 3, "opacity": 0.2, "layer": "a"},
            "saliency": {"noise_samples": 3},
            "gradcam": {"layer": "b"},
        },
        {"opacity": 0.9, "seed": 5, "layer": "c"},
    )
    assert plan.options == {
        "attention": {"opacity": 0.2},
        "confusion_matrix": {},
        "eigencam": {"opacity": 0.2, "layer": "a"},
        "gradcam": {"opacity": 0.2, "layer": "b"},
        "gradcam_plus_plus": {"opacity": 0.2, "layer": "a"},
        "hirescam": {"opacity": 0.2, "layer": "a"},
        "layercam": {"opacity": 0.2, "layer": "a"},
        "saliency": {"seed": 5, "noise_samples": 3},
        "nearest_examples": {"layer": "a"},
        "umap": {"seed": 3},
    }


def test_loading_and_logging_options_apply_to_the_whole_call():
    """Whichever method they are given for, not only the first."""
    plan = plan_call({"gradcam": {}, "confusion_matrix": {"labels": LABELS, "log": False, "top_k": 3}}, {})
    assert plan.shared == {"model": {}, "inputs": {"labels": LABELS}, "run": {"log": False}}
    assert plan.options["gradcam"] == {"labels": LABELS, "log": False}
    assert plan.by_stage["gradcam"]["inputs"] == {"labels": LABELS}
    assert plan.by_stage["confusion_matrix"]["method"] == {"top_k": 3}


def test_options_of_a_method_apply_to_it_only():
    plan = plan_call(
        {"saliency": {"max_explained": 3}, "caricature": {"seed": 1}}, {"max_explained": 9, "seed": 2}
    )
    assert plan.options == {
        "saliency": {"max_explained": 3, "seed": 2},
        "caricature": {"max_explained": 9, "seed": 1},
    }


def test_equal_values_are_accepted():
    methods = {"gradcam": {"labels": np.array(LABELS)}, "umap": {"labels": LABELS, "batch_size": 8}}
    plan = plan_call(methods, {"batch_size": 8})
    assert plan.shared["inputs"]["batch_size"] == 8
    assert list(plan.shared["inputs"]["labels"]) == LABELS


@pytest.mark.parametrize(
    ("methods", "options", "message"),
    [
        (
            {"gradcam": {"labels": LABELS}, "umap": {"labels": [0, 0, 0]}},
            {},
            "labels is [0, 1, 2] for gradcam and [0, 0, 0] for umap; it applies to the whole call, so",
        ),
        (
            {"umap": {"batch_size": 8}},
            {"batch_size": 16},
            "batch_size is 16 for the call and 8 for umap; it applies to the whole call, so give one value",
        ),
        (
            {"all": {"experiment": "a"}, "saliency": {"experiment": "b"}},
            {},
            "experiment is 'a' for all and 'b' for saliency; it applies to the whole call, so give one value",
        ),
        (
            "all",
            {"noise_samples": 3},
            f"{', '.join(CHEAP)} have no option 'noise_samples'; it is an option of saliency",
        ),
        (
            {"all": {"ascent_steps": 3}},
            {},
            f"{', '.join(CHEAP)} have no option 'ascent_steps'; it is an option of caricature",
        ),
        ({"gradcam": {"colour": "red"}}, {}, "gradcam has no option 'colour'; nearest: colormap"),
        ({"gradcam": 3}, {}, "methods gives 3 as the options of gradcam; give a mapping, such as {}"),
        ("all,gradcma", {}, "no method 'gradcma'; nearest: gradcam"),
        (" ,", {}, "methods is empty; give one or more of: attention, caricature"),
        ({}, {}, "methods is empty"),
    ],
)
def test_contradictions_are_rejected(methods, options, message):
    with pytest.raises(OptionError) as error:
        plan_call(methods, options)
    assert str(error.value).startswith(message)


def test_given_mapping_is_not_modified():
    methods = {"gradcam": {"layer": "a"}, "all": {}}
    parse_methods(methods).options["gradcam"]["target"] = 3
    plan_call(methods, {"batch_size": 3}).options["gradcam"]["target"] = 3
    assert methods == {"gradcam": {"layer": "a"}, "all": {}}


def test_without_images_a_method_that_shows_inputs_is_refused():
    with pytest.raises(OptionError, match=r"saliency can't be used with log_images=False: .*; omit saliency"):
        plan_call("all,saliency", {"log_images": False})
    with pytest.raises(OptionError, match="caricature can't be used"):
        plan_call({"caricature": {"log_images": False}}, {})
    assert "saliency" in plan_call("saliency", {"log_images": True}).options


def test_without_images_all_leaves_out_what_shows_inputs(monkeypatch):
    """As a method of another package may, which nobody named."""
    monkeypatch.setattr("mlflow_interp.methods.umap.SHOWS_INPUTS", "its maps show the inputs", raising=False)
    with pytest.warns(InterpretationWarning, match="umap was left out, as log_images is False: its maps"):
        plan = plan_call("all", {"log_images": False})
    assert "gradcam" in plan.options
    assert "umap" not in plan.options
    assert set(plan.by_stage) == set(plan.options)
    with pytest.raises(OptionError, match="umap can't be used with log_images=False"):
        plan_call("all,umap", {"log_images": False})
