"""Quality against values known without it: on linear scores, and for maps of which is known what they are."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.engine import explainer
from mlflow_interp.engine.attribution import attribution
from mlflow_interp.engine.faithfulness import FaithfulnessOf
from mlflow_interp.engine.method import Streaming
from mlflow_interp.engine.perturbed_scores import PerturbedScores, Replacement, Space
from mlflow_interp.exceptions import InapplicableError, InterpretationWarning, OptionError
from mlflow_interp.method_registry import find_method, takes_target
from mlflow_interp.quality.nulls import NULLS
from mlflow_interp.quality.rankings import areas
from tests.running import quality

layers = keras.layers
SIDE = 6
SPACE = Space((SIDE, SIDE), (0, 1))


@pytest.fixture(scope="module")
def linear():
    """A model whose logits are linear, inputs, and the contributions to the logit of class 1."""
    model = keras.Sequential([keras.Input((SIDE, SIDE, 2)), layers.Flatten(), layers.Dense(3)])
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(SIDE * SIDE * 2, 3)).astype(np.float32)
    model.layers[-1].set_weights([weights, np.float32([0.5, -1, 2])])
    inputs = rng.normal(size=(5, SIDE, SIDE, 2)).astype(np.float32)
    contributions = (inputs * weights[:, 1].reshape(SIDE, SIDE, 2)).sum(axis=-1)
    return model, inputs, contributions


def finished(generator):
    """What a generator of passes returns, and the sum of what it yields."""
    passes = 0
    while True:
        try:
            passes += next(generator)
        except StopIteration as stop:
            return stop.value, passes


def faithfulness(model, batch, inputs, maps, *, target=1, seed=0):
    """The measures of maps with all scores read as logits, and a baseline of 0."""
    replacement = Replacement(None, 0.0, "logit")
    scores = PerturbedScores(model, batch, replacement, SPACE)
    numbers = np.arange(len(inputs))
    chunk = Chunk(numbers, tuple(map(str, numbers)), inputs, numbers, None)
    targets = np.full(len(inputs), target)
    found, passes = finished(FaithfulnessOf(scores, scores, chunk, targets, seed).measure(maps))
    return found, passes


def test_on_linear_scores_both_areas_sum_to_those_of_input_and_baseline(linear, batch_of):
    """Whatever the order: what is left by deletion and what is inserted are two halves of the input."""
    model, inputs, contributions = linear
    logits = model.predict(inputs, verbose=0)[:, 1] + model.layers[-1].bias.numpy()[1]
    for maps in (contributions, np.random.default_rng(1).random((5, SIDE, SIDE))):
        found, _ = faithfulness(model, batch_of(model, inputs), inputs, maps)
        np.testing.assert_allclose(areas(found["curves"]).sum(axis=1), logits, rtol=1e-4, atol=1e-4)
        nulls = areas(found["null_curves"]).sum(axis=-1)
        np.testing.assert_allclose(
            nulls, np.tile(logits[:, np.newaxis], (1, len(NULLS))), rtol=1e-4, atol=1e-4
        )


def test_on_linear_scores_heat_that_is_the_contribution_correlates_perfectly(linear, batch_of):
    model, inputs, contributions = linear
    batch = batch_of(model, inputs)
    gradient = np.broadcast_to(contributions / inputs.sum(axis=-1), contributions.shape)
    for factor in (1, 3.7):
        found, _ = faithfulness(model, batch, inputs, factor * contributions)
        np.testing.assert_allclose(found["correlation"], 1, atol=1e-6)
    assert (faithfulness(model, batch, inputs, -contributions)[0]["correlation"] < -0.999).all()
    assert (faithfulness(model, batch, inputs, gradient)[0]["correlation"] < 0.9).all()


def test_on_linear_scores_no_order_has_a_larger_area_than_that_of_contributions(linear, batch_of):
    model, inputs, contributions = linear
    found, _ = faithfulness(model, batch_of(model, inputs), inputs, contributions)
    deletion, insertion = areas(found["curves"]).T
    for at in range(len(NULLS)):
        other_deletion, other_insertion = areas(found["null_curves"][:, at]).T
        assert (insertion - deletion > other_insertion - other_deletion).all()


def test_scores_of_nulls_and_subsets_are_shared_by_methods(linear, batch_of):
    model, inputs, contributions = linear
    replacement = Replacement(None, 0.0, "logit")
    scores = PerturbedScores(model, batch_of(model, inputs), replacement, SPACE)
    numbers = np.arange(2)
    chunk = Chunk(numbers, ("a", "b"), inputs[:2], numbers, None)
    measured = FaithfulnessOf(scores, scores, chunk, np.ones(2, np.int64), 0)
    first, passes = finished(measured.measure(contributions[:2]))
    assert passes == 2 * (2 + 30 * (1 + 3 + 3) + 129)
    second, passes = finished(measured.measure(-contributions[:2]))
    assert passes == 2 * 30
    np.testing.assert_array_equal(first["null_curves"], second["null_curves"])


@attribution(title="Random map")
def random_map(features):
    """A map that is random, and the same for all inputs and weights."""
    import tensorflow as tf

    noise = tf.random.stateless_uniform(tf.shape(features)[1:3], seed=(1, 2))
    return tf.zeros(tf.shape(features)[:3]) + noise


class OfInputs(Streaming):
    """A method whose map is a function of the input alone."""

    title = "Of inputs"

    def __init__(self, function):
        self.function = function

    def trace(self, trace):
        return {"maps": self.function(trace.inputs)}

    def maps_of(self, arrays):
        return {"": arrays["maps"]}

    def accumulator(self):
        raise NotImplementedError


def image(model, batch):
    """The image itself."""
    return OfInputs(lambda inputs: inputs[..., 0])


def edges(model, batch):
    """The edges of the image."""
    import tensorflow as tf

    return OfInputs(lambda inputs: tf.reduce_sum(tf.image.sobel_edges(inputs) ** 2, axis=(3, 4)))


@pytest.fixture
def further_methods(monkeypatch):
    """Maps that say nothing about a prediction, as methods."""
    own = {"random_map": random_map, "image": image, "edges": edges}
    monkeypatch.setattr(explainer, "find_method", lambda name: own.get(name) or find_method(name))
    monkeypatch.setattr(explainer, "takes_target", lambda name: name not in own and takes_target(name))


def test_the_verdict_tells_heatmaps_from_maps_that_say_nothing(digits, batch_of, further_methods):
    """On handwritten digits, and a small network."""
    model, pixels, labels = digits
    batch = batch_of(model, pixels[:48], labels=labels[:48])
    result = quality(model, batch, of="saliency,random_map,image,edges", max_explained=48)
    verdicts = {key: [each.passes for each in result.checks(at)] for at, key in enumerate(result.titles)}
    assert verdicts["saliency/integrated_gradients"] == [True, True, True]
    assert not verdicts["random_map"][0]
    for name in ("image", "edges"):
        assert verdicts[name][1] is False, name
        at = list(result.titles).index(name)
        # The same whatever the weights.
        np.testing.assert_array_equal(result.measures["randomised_all"][:, at], 1)
        np.testing.assert_array_equal(result.measures["randomised_head"][:, at], 1)
    assert "heatmaps of Of inputs are not of this model: rank correlation 1.00" in " ".join(result.warnings())
    assert result.metrics()["passed/saliency/integrated_gradients"] == 3


def test_few_inputs_are_not_judged(tiny_cnn, pixels, batch_of):
    result = quality(tiny_cnn, batch_of(tiny_cnn, pixels), of="gradcam")
    assert [each.passes for each in result.checks(0)] == [None] * 3
    assert result.warnings() == [
        f"{len(pixels)} inputs are too few for a verdict on heatmaps; give at least 20"
    ]
    assert "passed/gradcam" not in result.metrics()


def test_noise_does_not_move_the_gradient_of_a_linear_model(linear, batch_of):
    model, inputs, _ = linear
    result = quality(model, batch_of(model, inputs), of="saliency", baseline=0)
    at = list(result.titles).index("saliency/gradients")
    stability = result.measures["stability"][:, at]
    assert (np.nan_to_num(stability) < 1e-6).all()
    # The gradient is that of the class, whatever the input.
    assert np.nanmax(result.measures["distance_to_others"][:, at]) < 3
    assert (result.measures["sparseness"] > 0).all()


def test_methods_agree_with_themselves(tiny_cnn, pixels, batch_of):
    """Under global average pooling and one dense layer, HiResCAM is Grad-CAM."""
    result = quality(tiny_cnn, batch_of(tiny_cnn, pixels), of=["gradcam", "hirescam"])
    (agreement,) = result.agreements
    assert (agreement.first, agreement.second) == ("gradcam", "hirescam")
    np.testing.assert_allclose(agreement.correlations, 1, atol=0.02)
    assert (agreement.overlaps > 0.9).all()


def test_weights_are_restored_even_if_a_method_fails_meanwhile(tiny_cnn, pixels, batch_of, monkeypatch):
    kept = [weight.numpy().copy() for weight in tiny_cnn.weights]
    calls = []
    original = explainer.Explainer.explain

    def failing(self, chunk, targets):
        now = tiny_cnn.get_weights()
        calls.append(not all(map(np.array_equal, kept, now)))
        if calls[-1]:
            raise KeyboardInterrupt
        return original(self, chunk, targets)

    monkeypatch.setattr(explainer.Explainer, "explain", failing)
    with pytest.raises(KeyboardInterrupt):
        quality(tiny_cnn, batch_of(tiny_cnn, pixels), of="gradcam")
    assert calls[-1]
    for weight, before in zip(tiny_cnn.weights, kept, strict=True):
        np.testing.assert_array_equal(weight.numpy(), before)


def test_what_can_not_be_measured_is_refused(tiny_cnn, pixels, batch_of):
    batch = batch_of(tiny_cnn, pixels)
    for name, message in {
        "umap": "umap makes no heatmaps",
        "gradcm": "no method 'gradcm'",
        "": "of is empty; give one or more of: ",
    }.items():
        with pytest.raises(OptionError, match=message):
            quality(tiny_cnn, batch, of=name)
    regression = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(1)]
    )
    regression.compile(loss="mse")
    with pytest.raises(InapplicableError, match="predicts values and has no classes"):
        quality(regression, replace(batch_of(regression, pixels), head="linear"), of="gradcam")


def test_at_most_64_inputs_are_measured_unless_asked_for_more(tiny_cnn):
    inputs = np.random.default_rng(0).random((70, 8, 8, 3), np.float32)
    with pytest.warns(InterpretationWarning):
        found = mlflow_interp.visualize_quality(tiny_cnn, inputs, of="eigencam", log=False, quiet=True)
    assert len(found.result.examples) == 64
    assert "64 of 70 inputs are explained" in " ".join(found.manifest["warnings"])


def test_what_is_stored_opens_again(tiny_cnn, pixels, batch_of, tmp_path):
    import matplotlib.pyplot as plt

    with pytest.warns(InterpretationWarning, match="too few for a verdict"):
        found = mlflow_interp.visualize_quality(
            tiny_cnn, pixels, of="gradcam,eigencam", log=False, quiet=True
        )
    again = mlflow_interp.load(found.save(tmp_path))
    for name, values in found.result.measures.items():
        np.testing.assert_array_equal(again.result.measures[name], values)
    assert again.result.titles == found.result.titles
    assert again.result.summary(1) == found.result.summary(1)
    assert np.isnan(again.result.measures["class_specific"][:, 1]).all()  # EigenCAM explains no class
    axes = plt.Figure().subplots()
    again.draw(ax=axes, panel="eigencam")
    assert len(axes.lines) == 1 + len(NULLS)


@pytest.mark.parametrize("of", ["saliency", "gradcam,eigencam,saliency,occlusion"])
def test_the_total_of_the_progress_bar_is_the_maximum_of_what_is_done(
    tiny_cnn, pixels, batch_of, monkeypatch, of
):
    seen = []

    def track(work, *, total, label, unit):
        seen.extend([total, sum(work)])
        return iter(())

    monkeypatch.setattr("mlflow_interp.engine.explain.track", track)
    quality(tiny_cnn, batch_of(tiny_cnn, pixels[:2]), of=of)
    total, done = seen
    # The scores of nulls and subsets are shared by heatmaps on one grid; saliency has four kinds.
    assert 0.4 * total < done <= total


def test_the_option_measures_the_heatmaps_of_the_call(tiny_cnn, pixels):
    """Of the layer and class of the call, as if both methods had been called alone."""
    options = {"log": False, "quiet": True}
    with pytest.warns(InterpretationWarning, match="too few"):
        found = mlflow_interp.interpret(
            tiny_cnn, pixels, {"gradcam": {"layer": "first"}}, quality=True, target=1, **options
        )
    assert list(found) == ["gradcam", "quality"]
    with pytest.warns(InterpretationWarning, match="too few"):
        alone = mlflow_interp.visualize_quality(
            tiny_cnn, pixels, of={"gradcam": {"layer": "first"}}, target=1, **options
        )
    ours, theirs = (
        {name: value for name, value in each.metrics.items() if not name.startswith("seconds")}
        for each in (found["quality"], alone)
    )
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert (found["quality"].result.explained.targets == 1).all()
    with pytest.warns(InterpretationWarning, match="too few"):
        other_layer = mlflow_interp.visualize_quality(tiny_cnn, pixels, target=1, **options)
    assert other_layer.metrics["sparseness/gradcam"] != ours["sparseness/gradcam"]


def test_the_option_is_one_of_methods_with_heatmaps_only(tiny_cnn, pixels):
    with pytest.raises(OptionError, match=r"umap has no option 'quality'; it is an option of .*gradcam"):
        mlflow_interp.visualize_umap(tiny_cnn, pixels, quality=True)
    with pytest.raises(OptionError, match="target is 1 for gradcam and 2 for hirescam"):
        mlflow_interp.interpret(
            tiny_cnn, pixels, {"gradcam": {"target": 1}, "hirescam": {"target": 2}}, quality=True
        )


def test_methods_with_options_as_json(tiny_cnn, pixels, batch_of):
    batch = batch_of(tiny_cnn, pixels)
    text = '{"gradcam": {"layer": "first"}, "eigencam": {}}'
    one, other = (quality(tiny_cnn, batch, of=of) for of in (text, {"gradcam": {"layer": "first"}}))
    np.testing.assert_array_equal(one.curves[:, 0], other.curves[:, 0])
    for wrong, message in {
        "{gradcam": "of is not JSON",
        '{"gradcam": 3}': "as a mapping",
        '{"gradcam": {"leyer": "first"}}': "an option 'leyer', which it does not have",
    }.items():
        with pytest.raises(OptionError, match=message):
            quality(tiny_cnn, batch, of=wrong)


def test_the_command_measures_the_same(tiny_cnn, pixels, tmp_path):
    from mlflow_interp.report.reproduce import command

    with pytest.warns(InterpretationWarning, match="too few"):
        found = mlflow_interp.interpret(
            tiny_cnn, pixels, {"gradcam": {"layer": "first"}}, quality=True, log=False, quiet=True
        )
    assert """'--of={"gradcam": {"layer": "first"}}'""" in command(found["quality"].manifest)


def test_quick_leaves_out_what_needs_many_explanations(tiny_cnn, pixels, batch_of):
    batch = batch_of(tiny_cnn, np.repeat(pixels, 4, axis=0))
    whole, quick = (quality(tiny_cnn, batch, of="gradcam,occlusion", quick=each) for each in (False, True))
    np.testing.assert_allclose(quick.curves, whole.curves, atol=1e-6)
    kept = {name for name in whole.summary(0) if "faithfulness" in name or name == "class_specific"}
    for column in range(2):
        summaries = [each.summary(column) for each in (whole, quick)]
        assert all(summaries[0][name] == pytest.approx(summaries[1][name], abs=1e-5) for name in kept)
        assert not {"correlation", "stability", "randomised_all"} & set(summaries[1])
    assert [check.passes is None for check in quick.checks(0)] == [False, True, True]
    assert quick.checks(0)[1].reason == "not measured, as quick is true"
    assert not any(name.startswith("passed") for name in quick.metrics())
