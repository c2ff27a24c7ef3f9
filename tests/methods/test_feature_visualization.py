"""Feature visualisations of networks whose preferred images are known."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.call_options import methods_of_all
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.drawing.style import png
from mlflow_interp.drawing.tone import drawn, saturation
from mlflow_interp.engine.run import run as run_engine
from mlflow_interp.exceptions import InapplicableError, ModelError, OptionError
from mlflow_interp.kinds.feature_visualization.figure import draw, draw_panel, headline
from mlflow_interp.kinds.feature_visualization.page import page
from mlflow_interp.kinds.feature_visualization.view import view
from mlflow_interp.method_registry import find_method
from mlflow_interp.models.load import load_model
from mlflow_interp.optvis import feature_renderer
from mlflow_interp.optvis.reference import ReferenceInput
from tests import running

layers = keras.layers

PIXELS = np.random.default_rng(3).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)

#: Every value of an image is optimised by itself, from 0.5, and can reach 0 and 1 exactly.
FREE = {"parametrization": "pixel", "colours": "true", "value_range": "clip", "stddev": 1e-6, "tolerance": 0}
NAMES = ["ant", "bee", "cat"]


def kernels(*weights):
    """A 1×1 convolution of colours, with a row of weights for each channel."""
    return [np.array(weights, np.float32).T.reshape(1, 1, 3, -1), np.zeros(len(weights), np.float32)]


@pytest.fixture(scope="module")
def linear():
    """Scores are the sums of the left half less the right one, and of the blue channel less 10."""
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2, name="head")])
    left = np.ones((8, 8, 3), np.float32)
    left[:, 4:] = -1
    blue = np.zeros((8, 8, 3), np.float32)
    blue[..., 2] = 1
    weights = np.stack([left.ravel(), blue.ravel()], axis=1)
    model.layers[-1].set_weights([weights, np.array([0, -10], np.float32)])
    return model


@pytest.fixture(scope="module")
def colours():
    """A layer with the values of the image, and one that responds to red, to yellow and to nothing."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(3, 1, name="same"),
            layers.Conv2D(3, 1, activation="relu", name="detect"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, activation="softmax", name="head"),
        ],
        name="colours",
    )
    model.get_layer("same").set_weights(kernels([1, 0, 0], [0, 1, 0], [0, 0, 1]))
    model.get_layer("detect").set_weights(kernels([1, -1, -1], [1, 1, -2], [0, 0, 0]))
    return model


@pytest.fixture
def run():
    """A function of a model and options that returns the result; pixels become 0..1."""

    def run(model, inputs=PIXELS, *, batch_size=32, class_names=None, head="auto", **options):
        loaded = load_model(model, head=head)
        batch = load_inputs(inputs, loaded, batch_size=batch_size, class_names=class_names, preprocess="0..1")
        return running.feature_visualization(model, batch, **options)

    return run


def test_image_of_a_linear_unit_reaches_its_bound(run, linear):
    """w·x over 0..1 is at most the sum of the positive weights: 4·8·3, and 64 less 10."""
    result = run(linear, layer="output", head="values", features=[0, 1], ascent_steps=64, **FREE)
    left, blue = result.images[:, 0]
    bounds = np.array([96, 54])
    assert (result.objectives[:, 0] <= bounds + 1e-3).all()
    assert (result.objectives[:, 0] > 0.97 * bounds).all()
    # The image is what the weights are: bright on the left, dark on the right; and blue.
    assert (
        np.corrcoef(left.ravel(), np.broadcast_to(np.arange(8)[:, np.newaxis] < 4, left.shape).ravel())[0, 1]
        > 0.97
    )
    assert (blue[..., 2] > 0.99).all()


def test_objective_is_the_score_of_the_image(run, linear):
    """Computed again by the model itself, from the stored image."""
    result = run(linear, layer="output", head="values", features=[1], ascent_steps=16)
    score = linear(result.images[0]).numpy()[0, 1]
    assert result.objectives[0, 0] == pytest.approx(score, rel=1e-3)


@pytest.mark.parametrize(("feature", "expected"), [(0, (1, 0, 0)), (1, (1, 1, 0))], ids=["red", "yellow"])
def test_channel_shows_the_colour_it_detects(run, colours, feature, expected):
    result = run(colours, layer="detect", features=feature, ascent_steps=64, **FREE)
    np.testing.assert_allclose(result.images[0, 0], np.broadcast_to(expected, (8, 8, 3)), atol=0.02)
    assert result.objectives[0, 0] == pytest.approx(sum(expected), abs=0.05)
    assert result.names == (f"channel {feature}",)


def test_channel_of_an_edge_detector_shows_edges_in_its_direction(run):
    """Sobel's, right minus left: brightness changes from left to right, and not from top to bottom."""
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(1, 3, activation="relu", name="edges"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32).reshape(3, 3, 1, 1)
    model.layers[0].set_weights([sobel, np.zeros(1, np.float32)])
    result = run(
        model, PIXELS[:, :, :, :1].repeat(2, axis=1).repeat(2, axis=2), layer="edges", ascent_steps=64
    )
    image = result.images[0, 0, ..., 0]
    assert np.abs(np.diff(image, axis=1)).mean() > 2 * np.abs(np.diff(image, axis=0)).mean()
    assert result.ratios[0] > 1


def test_direction_shows_what_it_points_to(run, colours):
    """Red less green has the length √2, so that pure red reaches 1/√2, whatever the length given."""
    for length in (1, 40):
        result = run(colours, layer="same", direction=[length, -length, 0], ascent_steps=64, **FREE)
        image = result.images[0, 0]
        assert (image[..., 0] > 0.99).all()
        assert (image[..., 1] < 0.01).all()
        np.testing.assert_allclose(image[..., 2], 0.5, atol=0.01)
        np.testing.assert_allclose(result.objectives, [[2**-0.5]], rtol=0.01)
    np.testing.assert_allclose(result.directions, [[2**-0.5, -(2**-0.5), 0]], rtol=1e-6)
    assert result.names == ("direction",)
    assert result.resolved["direction"] == "int64 array of shape (3,)"


@pytest.mark.parametrize(("position", "place"), [("2,5", (2, 5)), ("centre", (4, 4)), ((0, 7), (0, 7))])
def test_neuron_changes_only_what_it_sees(run, colours, position, place):
    result = run(colours, layer="same", features=1, neuron=position, ascent_steps=64, **FREE)
    green = result.images[0, 0, ..., 1]
    assert green[place] > 0.99
    # The centre of what has changed, which shifts and zooms spread over its neighbours.
    change = np.abs(green - 0.5)
    centre = [(change * along).sum() / change.sum() for along in np.indices((8, 8))]
    np.testing.assert_allclose(centre, place, atol=1)
    away = np.hypot(*(np.indices((8, 8)) - np.reshape(place, (2, 1, 1)))) > 3
    np.testing.assert_allclose(green[away], 0.5, atol=0.01)
    assert result.names == ("neuron 1",)


def test_neurons_rank_inputs_by_the_value_at_the_position(run, colours):
    result = run(colours, layer="same", features=0, neuron="3,6", ascent_steps=1)
    np.testing.assert_allclose(result.activations[:, 0], PIXELS[:, 3, 6, 0] / 255, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_strongest_inputs_are_those_of_an_argsort(run, tiny_cnn, batch_size):
    result = run(tiny_cnn, batch_size=batch_size, strongest=3, ascent_steps=1)
    assert result.layer == "second"
    maps = keras.Model(tiny_cnn.inputs, tiny_cnn.get_layer("second").output).predict(PIXELS / 255, verbose=0)
    means = maps.mean(axis=(1, 2))
    np.testing.assert_allclose(result.activations, means[:, result.features], rtol=1e-4)
    np.testing.assert_array_equal(result.strongest, np.argsort(-means, axis=0)[:3].T[result.features])
    assert result.best_inputs.tolist() == result.activations.max(axis=0).tolist()


def test_equal_inputs_are_ranked_whatever_their_order(run, colours):
    twice = np.concatenate([PIXELS, PIXELS[::-1]])
    result = run(colours, twice, layer="same", features=0, strongest=10, ascent_steps=1)
    moved = run(colours, twice[::-1], layer="same", features=0, strongest=10, ascent_steps=1)
    np.testing.assert_allclose(
        result.activations[result.strongest[0], 0], moved.activations[moved.strongest[0], 0], rtol=1e-6
    )


def test_the_default_features_are_those_that_vary_most(run, tiny_cnn):
    result = run(tiny_cnn, max_features=2, ascent_steps=1)
    maps = keras.Model(tiny_cnn.inputs, tiny_cnn.get_layer("second").output).predict(PIXELS / 255, verbose=0)
    spread = maps.mean(axis=(1, 2)).std(axis=0)
    assert result.features.tolist() == sorted(np.argsort(-spread)[:2].tolist())
    assert result.resolved["features_chosen_by"] == "the largest standard deviation over the inputs"
    assert "chosen by the largest standard deviation" in page(result)
    only = run(tiny_cnn, PIXELS[:1], max_features=1, ascent_steps=1)
    assert only.features.tolist() == [maps[:1].mean(axis=(1, 2)).argmax()]


def test_the_default_classes_are_those_that_are_predicted(run, tiny_cnn):
    result = run(tiny_cnn, layer="output", max_features=1, class_names=NAMES, ascent_steps=1)
    predicted = np.bincount(tiny_cnn.predict(PIXELS / 255, verbose=0).argmax(axis=1))
    assert result.features.tolist() == [predicted.argmax()]
    assert result.names == (NAMES[predicted.argmax()],)


def test_classes_are_found_by_name_and_their_image_has_a_higher_score(run, tiny_cnn):
    result = run(tiny_cnn, layer="output", features="cat,ant", class_names=NAMES, ascent_steps=128)
    assert result.features.tolist() == [2, 0]
    assert result.names == ("cat", "ant")
    assert (result.objectives[:, 0] > result.best_inputs).all()


@pytest.mark.parametrize(
    ("head", "class_names", "names"),
    [
        ("logits", None, ("class 0", "class 1")),
        ("values", None, ("value 0", "value 1")),
        ("logits", ["it's, a", "it's, a"], ("it's, a (0)", "it's, a (1)")),
    ],
)
def test_a_model_without_feature_maps_shows_its_output(run, linear, head, class_names, names):
    result = run(linear, head=head, class_names=class_names, ascent_steps=1)
    assert result.layer == "output"
    assert result.names == names
    assert [key.partition("/")[2] for key in result.series()] == [f"{result.kind}_0", f"{result.kind}_1"]


def test_more_steps_reach_more(run, tiny_cnn):
    few, many = (run(tiny_cnn, ascent_steps=steps, tolerance=0) for steps in (2, 64))
    assert (many.objectives >= few.objectives - 1e-4).all()
    assert many.objectives.sum() > 1.2 * few.objectives.sum()
    assert many.steps_taken.tolist() == [[64]] * 5
    series = many.series()["objective_over_steps/channel_0"]
    assert [step for step, _ in series] == list(range(8, 65, 8))


def test_an_inactive_unit_is_excited_too(run):
    """Its ReLU is zero for every input and for the noise at the start, where it has no gradient."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(1, 1, activation="relu", name="rare"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    model.layers[0].set_weights([np.ones((1, 1, 3, 1), np.float32), np.full(1, -2.8, np.float32)])
    result = run(model, np.full((2, 8, 8, 3), 100, np.uint8), ascent_steps=64, **FREE)
    assert not result.activations.any()
    assert result.objectives[0, 0] == pytest.approx(0.2, abs=0.02)
    assert "ratio" not in result.metrics()
    assert result.table()["ratio"] == [None]
    assert not result.warnings()


def test_a_unit_that_nothing_excites_is_reported(run, colours):
    result = run(colours, layer="detect", features=2, ascent_steps=8)
    assert result.metrics()["stronger"] == 0
    assert (
        "of 1 features (channel 2) excite them less than an input does, or not at all" in result.warnings()[0]
    )


def test_diversity_lowers_the_similarity_of_images(run, tiny_cnn, monkeypatch):
    options = {"features": "0,1", "diversity": 4, "ascent_steps": 96, "tolerance": 0}
    diverse = run(tiny_cnn, **options)
    assert diverse.images.shape[:2] == (2, 4)
    monkeypatch.setattr(feature_renderer, "DIVERSITY_WEIGHT", 0.0)
    alike = run(tiny_cnn, **options)
    assert (diverse.similarities.mean(axis=1) < alike.similarities.mean(axis=1) - 0.02).all()
    assert diverse.metrics()["similarity"] == pytest.approx(float(diverse.similarities.mean()))
    # The first of four images without a weight is the only one of a call without diversity.
    alone = run(tiny_cnn, **options | {"diversity": 1})
    np.testing.assert_allclose(alone.images[:, 0], alike.images[:, 0], atol=2e-3)


@pytest.mark.parametrize("positions", [2, 9])
def test_likeness_is_the_cosine_of_gram_matrices(positions):
    maps = np.random.default_rng(0).normal(size=(4, positions, 5)).astype(np.float32)
    grams = np.stack([(each.T @ each).ravel() for each in maps])
    units = grams / np.linalg.norm(grams, axis=1, keepdims=True)
    cosines = units @ units.T
    groups = np.array([0, 0, 0, 1], np.int32)
    expected = [(cosines[row, :3].sum() - 1) / 2 for row in range(3)] + [0]
    np.testing.assert_allclose(feature_renderer.likeness(tf_tensor(maps), groups), expected, atol=1e-5)


def tf_tensor(array):
    return keras.ops.convert_to_tensor(array)


def test_result_is_determined_by_the_seed_and_not_by_batches(run, tiny_cnn):
    first, same, other = (
        run(tiny_cnn, ascent_steps=8, seed=seed, batch_size=size) for seed, size in ((0, 5), (0, 2), (1, 5))
    )
    np.testing.assert_array_equal(first.images, same.images)
    assert np.abs(first.images - other.images).max() > 0.01


def test_a_feature_does_not_depend_on_the_others(run, tiny_cnn):
    together = run(tiny_cnn, features=[0, 3, 4], ascent_steps=8)
    alone = run(tiny_cnn, features=3, ascent_steps=8)
    np.testing.assert_allclose(alone.images[0], together.images[1], atol=2e-3)


def test_merged_parts_show_features_that_a_part_has_rendered(batch_of, tiny_cnn, pixels):
    found = []
    for rows in (pixels[:2], pixels[2:]):
        batch = batch_of(tiny_cnn, rows)
        method = find_method("feature_visualization")(tiny_cnn, batch, max_features=2, ascent_steps=1)
        found.append(run_engine(tiny_cnn, batch, {"it": method}).parts["it"])
    rendered = {int(each) for part in found for each in part.result().features}
    found[0].merge(found[1])
    assert set(found[0].result().features.tolist()) <= rendered


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "secnod"}, "no layer 'secnod'.*nearest: second"),
        ({"features": 5}, "features 5 is out of range: there are channels 0–4"),
        ({"features": "-1"}, "features -1 is out of range"),
        ({"features": "edges"}, "features: no channel 'edges'; give the index of a channel"),
        ({"features": "1,1"}, "features names channel 1 twice"),
        ({"features": ","}, "features names none"),
        ({"layer": "output", "features": "cta"}, "features: no class 'cta'; nearest: cat"),
        (
            {"layer": "output", "features": "bee", "class_names": ["bee", "ant", "bee"]},
            "2 classes are named 'bee'",
        ),
        ({"layer": "output", "neuron": "centre"}, "the output has no feature map"),
        ({"neuron": "middle"}, "neuron is 'middle'; give centre"),
        ({"neuron": "1"}, "neuron '1' has 1 numbers, but the feature map of layer 'second' has 2 axes"),
        ({"neuron": "9,0"}, "neuron '9,0' is out of range: the feature map of layer 'second' is 4×4"),
        ({"layer": "pool", "neuron": "centre"}, "layer 'pool' gives shape .* which has no positions"),
        ({"direction": [1, 2]}, "direction has 2 numbers, but layer 'second' has 5 channels"),
        ({"direction": "[1, 2"}, r"direction is '\[1, 2', which is not JSON"),
        ({"direction": [0] * 5}, "aren't all 0"),
        ({"direction": ["a"]}, "direction is not numbers"),
        ({"direction": [1] * 5, "features": 1}, "features and direction are both given"),
        ({"diversity": 9}, "diversity is 9"),
        ({"strongest": 0}, "strongest is 0"),
    ],
)
def test_bad_options_are_refused(run, tiny_cnn, options, message):
    with pytest.raises(OptionError, match=message) as raised:
        run(tiny_cnn, **{"class_names": NAMES, "ascent_steps": 1} | options)
    assert "\n" not in str(raised.value)


def test_directions_are_read_from_files_and_text(run, colours, tmp_path):
    np.save(tmp_path / "rows.npy", np.eye(3)[:2])
    for given in (str(tmp_path / "rows.npy"), "[[1, 0, 0], [0, 1, 0]]"):
        result = run(colours, layer="same", direction=given, ascent_steps=1)
        assert result.names == ("direction 0", "direction 1")
        assert result.resolved["direction"] == given


def test_inputs_that_are_not_images_are_refused(run):
    model = keras.Sequential(
        [keras.Input((9,)), layers.Dense(3, activation="relu", name="hidden"), layers.Dense(2)]
    )
    with pytest.raises(InapplicableError, match="feature_visualization needs grey or colour images"):
        run(model, np.ones((2, 9), np.float32), layer="hidden")


@pytest.mark.parametrize("shape", [(13, 17, 1), (15, 11, 3)])
def test_grey_images_and_odd_sizes(run, shape):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input(shape), layers.Conv2D(4, 3, name="conv"), layers.Flatten(), layers.Dense(2)]
    )
    result = run(model, np.random.default_rng(0).random((3, *shape), dtype=np.float32), ascent_steps=4)
    assert result.images.shape == (4, 1, *shape)
    assert result.strongest.shape == (4, 3)
    assert png(draw(result))


@pytest.fixture(scope="module")
def digits_found(digits):
    """Features of a network trained on digits, as files."""
    model, pixels, labels = digits
    return mlflow_interp.visualize_feature_visualization(
        model,
        pixels[:100],
        labels=labels[:100],
        layer="output",
        diversity=2,
        ascent_steps=64,
        log=False,
        quiet=True,
    )


def test_images_of_digits_are_recognized_as_their_class(digits, digits_found):
    result = digits_found.result
    scores = digits[0].predict(result.images.reshape(-1, 8, 8, 1) * 255, verbose=0)
    assert (scores.argmax(axis=1) == result.features.repeat(2)).mean() >= 0.9
    assert (result.ratios > 1).all()


def test_what_is_stored_gives_the_same_figure(digits_found, tmp_path):
    loaded = mlflow_interp.load(digits_found.save(tmp_path))
    assert png(loaded.draw()) == png(digits_found.draw())
    assert loaded.result.names == digits_found.result.names
    assert (tmp_path / "feature_visualization" / "strongest_inputs.csv").is_file()


def test_pages_and_panels_show_features_and_inputs(digits_found):
    from matplotlib.figure import Figure

    result = digits_found.result
    shown = page(result)
    for name in result.names:
        assert f"<bdi>{name}</bdi>" in shown
    assert shown.count("<img") == 6 * (2 + 5)
    on_run = view(result)
    assert len(on_run.inputs) == len(np.unique(result.strongest))
    assert all(row["tiles"] and "excites" in row["notes"][0] for row in on_run.inputs)
    assert "6 of 6 features" in headline(result)
    axes = Figure().add_subplot()
    draw_panel(axes, result, result.names[1])
    assert axes.images
    bare = replace(result, pictures=None, examples=replace(result.examples, images=None))
    assert png(draw(bare)) != png(draw(result))
    assert page(bare).count("<img") == 6 * 2


def test_drawn_images_are_hardly_saturated(digits_found):
    for image in digits_found.result.images.reshape(-1, 8, 8, 1):
        assert saturation(drawn(image) / 255) <= 0.05


def test_private_images_are_not_kept(digits):
    model, pixels, _ = digits
    found = mlflow_interp.visualize_feature_visualization(
        model, pixels[:20], log_images=False, ascent_steps=64, log=False, quiet=True
    )
    assert found.result.pictures is None
    assert found.result.examples.images is None


def test_results_can_not_be_subtracted(digits):
    model, pixels, _ = digits
    with pytest.raises(OptionError, match="feature_visualization"):
        mlflow_interp.compare(model, model, pixels[:20], "feature_visualization", log=False, quiet=True)


def test_it_is_not_one_of_all_methods():
    assert "feature_visualization" not in methods_of_all()


def test_an_error_while_optimising_does_not_affect_other_methods(batch_of, tiny_cnn, pixels, monkeypatch):
    def fail(*_):
        raise ModelError("Not enough memory for one batch; use a smaller batch_size")
        yield 1

    monkeypatch.setattr(feature_renderer.FeatureRenderer, "draw", fail)
    batch = batch_of(tiny_cnn, pixels)
    methods = {name: find_method(name)(tiny_cnn, batch) for name in ("feature_visualization", "gradcam")}
    found = run_engine(tiny_cnn, batch, methods)
    assert list(found.parts) == ["gradcam"]
    assert "Not enough memory" in str(found.errors["feature_visualization"])


def test_thumbnails_of_all_inputs_are_on_the_page_of_a_run(digits_found):
    assert view(digits_found.result).overview["count"] == 100
    assert view(digits_found.result).overview["thumbnails"] is not None


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_preprocessing_is_read_from_the_input_that_shows_it_best(colours, order):
    """Black, grey and a colourful image, in BGR less the mean of each channel, as VGG takes them."""
    colourful = np.random.default_rng(1).integers(0, 256, (8, 8, 3))
    inputs = np.stack([np.zeros((8, 8, 3)), np.full((8, 8, 3), 77), colourful]).astype(np.uint8)[order]
    reference = ReferenceInput(channels_first=False)
    for chunk in load_inputs(inputs, load_model(colours), preprocess="vgg16", batch_size=1).chunks():
        reference.update(colours, chunk)
    mapping, size, channels = reference.mapping()
    assert (size, channels, mapping.reverse) == ((8, 8), 3, True)
    np.testing.assert_allclose(mapping.span, [[255, 255, 255]], rtol=1e-4)
    np.testing.assert_allclose(mapping.black, [[-103.939, -116.779, -123.68]], rtol=1e-4)


def test_positions_of_the_output_are_refused(pixels):
    """They would be ignored: an optimised image has none of the objects that positions are of."""
    segmenter = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 1, activation="softmax")])
    batch = load_inputs(pixels, load_model(segmenter), positions="2,3")
    with pytest.raises(OptionError, match="images of classes are optimised for all positions"):
        running.feature_visualization(segmenter, batch, layer="output", ascent_steps=1)
