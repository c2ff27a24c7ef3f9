"""Layers that call several times: a map for every frame and input; the last call of a sequence."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import mlflow_interp
from mlflow_interp.backend.compile import compile_for
from mlflow_interp.engine.activations import ActivationOptions, trace_activations
from mlflow_interp.engine.layer_table import describe_layers
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.heatmap.figure import title_of
from mlflow_interp.kinds.heatmap.tiles import make_tiles
from tests.running import gradcam, layercam, run_method

layers = keras.layers
FRAMES = 4
VIDEOS = np.random.default_rng(0).random((3, FRAMES, 16, 16, 3), dtype=np.float32)
LEFT, RIGHT = np.random.default_rng(1).random((2, 3, 12, 12, 3), dtype=np.float32)


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(4, 3, activation="relu", name="c1"),
            layers.MaxPooling2D(),
            layers.Conv2D(5, 3, activation="relu", name="c2"),
            layers.GlobalAveragePooling2D(name="pool"),
        ],
        name="encoder",
    )


@pytest.fixture(scope="module")
def video_model(encoder):
    """An encoder applied to each frame, and a recurrent layer over its outputs."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((FRAMES, 16, 16, 3)),
            layers.TimeDistributed(encoder, name="td"),
            layers.LSTM(6, name="lstm"),
            layers.Dense(3, activation="softmax", name="head"),
        ],
        name="video",
    )


def maps_by_hand(encoder, model, videos, targets):
    """Grad-CAM of each frame, without the ReLU: its feature map, weighted by its mean gradients."""
    maps = []
    lstm, head = model.get_layer("lstm"), model.get_layer("head")
    for video, target in zip(videos, targets, strict=True):
        features = []
        for frame in video:
            value = frame[np.newaxis]
            for each in encoder.layers[:-1]:
                value = each(value)
            features.append(value)
        with tf.GradientTape() as tape:
            tape.watch(features)
            sequence = tf.stack([encoder.layers[-1](each) for each in features], axis=1)
            logits = lstm(sequence) @ head.kernel + head.bias
            score = logits[0, target]
        gradients = tape.gradient(score, features)
        maps.append(
            [
                (feature[0].numpy() * gradient[0].numpy().mean(axis=(0, 1))).sum(axis=-1)
                for feature, gradient in zip(features, gradients, strict=True)
            ]
        )
    return np.array(maps)


def test_every_frame_has_its_heatmap(encoder, video_model, batch_of):
    result = gradcam(video_model, batch_of(video_model, VIDEOS))
    assert result.layer == "td/encoder/c2"
    assert [call.frame for call in result.calls] == [0, 1, 2, 3]
    assert result.resolved["calls"] == "0,1,2,3"
    expected = maps_by_hand(encoder, video_model, VIDEOS, result.explained.targets)
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(result.heatmaps, expected, atol=1e-7)


@pytest.mark.parametrize(
    ("calls", "frames"), [("all", [0, 1, 2, 3]), ("2", [2]), (1, [1]), ([0, 3], [0, 3]), ("-1", [3])]
)
def test_runs_can_be_selected(video_model, batch_of, calls, frames):
    every = gradcam(video_model, batch_of(video_model, VIDEOS), target=1).heatmaps
    some = gradcam(video_model, batch_of(video_model, VIDEOS), target=1, calls=calls)
    assert [call.frame for call in some.calls] == frames
    expected = every[:, frames[0]] if len(frames) == 1 else every[:, frames]
    np.testing.assert_allclose(some.heatmaps, expected, atol=1e-7)


def test_result_does_not_depend_on_batch_size(video_model, batch_of):
    results = [
        layercam(video_model, batch_of(video_model, VIDEOS, batch_size=size)).heatmaps for size in (1, 3)
    ]
    np.testing.assert_allclose(*results, atol=1e-7)


def test_time_distributed_layer_has_the_maps_of_its_inner_layer(batch_of):
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((FRAMES, 8, 8, 3)),
            layers.TimeDistributed(layers.Conv2D(3, 3, name="conv"), name="td"),
            layers.TimeDistributed(layers.GlobalMaxPooling2D()),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    videos = VIDEOS[:, :, :8, :8]
    inner, outer = (gradcam(model, batch_of(model, videos), layer=name) for name in ("td/conv", "td"))
    assert outer.heatmaps.shape == (3, FRAMES, 6, 6)
    assert outer.calls == inner.calls
    np.testing.assert_allclose(outer.heatmaps, inner.heatmaps, atol=1e-7)


def activations(model, inputs, options):
    def traced(values):
        return trace_activations(Trace(model, values, {}), options).tensors

    return {name: each.numpy() for name, each in compile_for(traced, inputs)(inputs).items()}


@pytest.mark.parametrize("pooling", ["mean", "max", "flatten"])
def test_umap_pools_every_frame(encoder, video_model, pooling):
    path = "td/encoder/c2"
    found = activations(video_model, VIDEOS, ActivationOptions([path], None, pooling))[path]
    inner = keras.Model(encoder.inputs, encoder.get_layer("c2").output)
    frames = inner.predict(VIDEOS.reshape(-1, 16, 16, 3), verbose=0).reshape(3, FRAMES, 5, 5, 5)
    expected = {
        "mean": frames.mean(axis=(1, 2, 3)),
        "max": frames.max(axis=(1, 2, 3)),
        "flatten": frames.reshape(3, -1),
    }[pooling]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    one = activations(video_model, VIDEOS, ActivationOptions([path], (2,), "mean"))[path]
    np.testing.assert_allclose(one, frames[:, 2].mean(axis=(1, 2)), atol=1e-6)


def test_umap_records_the_runs(video_model, batch_of):
    videos = np.random.default_rng(5).random((8, FRAMES, 16, 16, 3), dtype=np.float32)
    result = run_method("umap", video_model, batch_of(video_model, videos), layers="td/encoder/c2,lstm")
    assert result.resolved["calls"] == "td/encoder/c2: 0,1,2,3; lstm: 0"
    result = run_method(
        "umap", video_model, batch_of(video_model, videos), layers="td/encoder/c2", calls="1,2"
    )
    assert result.resolved["calls"] == "1,2"


@pytest.fixture(scope="module")
def siamese():
    """A shared encoder of two images: the score is 3 times the left mean minus the right mean."""
    left, right = keras.Input((12, 12, 3), name="left"), keras.Input((12, 12, 3), name="right")
    features = layers.Conv2D(1, 1, use_bias=False, name="conv")
    pool = layers.GlobalAveragePooling2D()
    both = layers.Concatenate()([pool(features(left)), pool(features(right))])
    model = keras.Model([left, right], layers.Dense(1, use_bias=False, name="head")(both), name="siamese")
    features.set_weights([np.ones((1, 1, 3, 1), np.float32)])
    model.get_layer("head").set_weights([np.array([[3.0], [-1.0]], np.float32)])
    return model


@pytest.mark.parametrize("form", [dict, tuple])
def test_every_input_of_a_shared_encoder_has_its_heatmap(siamese, batch_of, form):
    """The gradients at each position are 3/144 and -1/144; the feature map is the sum of the channels."""
    inputs = {"left": LEFT, "right": RIGHT} if form is dict else (LEFT, RIGHT)
    result = gradcam(siamese, batch_of(siamese, inputs))
    expected = np.stack([LEFT.sum(axis=-1) * 3 / 144, -RIGHT.sum(axis=-1) / 144], axis=1)
    np.testing.assert_allclose(result.heatmaps, expected, atol=1e-6)
    assert [call.inputs for call in result.calls] == [(0,), (1,)]
    assert [part.name for part in result.examples.parts] == ["left", "right"]


def test_heat_of_a_shared_encoder_is_over_its_image(siamese, batch_of):
    """Only the left image supports the value, so only the left half of the figure is warm."""
    inputs = {"left": np.full_like(LEFT, 0.5), "right": np.full_like(RIGHT, 0.5)}
    result = gradcam(siamese, batch_of(siamese, inputs))
    image, heat = make_tiles(result, colormap="hot", opacity=1.0).pixels[0]
    change = np.abs(heat.astype(int) - image).max(axis=-1)
    half = image.shape[1] // 2
    left, right = change[:, :half].mean(), change[:, half:].mean()
    assert left > 50
    assert right == 0


def two_branches():
    """Two separate encoders; the last convolution depends on the right image only."""
    keras.utils.set_random_seed(3)
    left, right = keras.Input((12, 12, 3), name="left"), keras.Input((12, 12, 3), name="right")
    pool = layers.GlobalAveragePooling2D()
    features = [
        pool(layers.Conv2D(2, 3, name=f"{name}_conv")(image))
        for name, image in (("left", left), ("right", right))
    ]
    return keras.Model([left, right], layers.Dense(2, activation="softmax")(layers.Concatenate()(features)))


@pytest.mark.parametrize("branch", ["left", "right"])
def test_heat_of_a_branch_is_over_its_image(batch_of, branch):
    model = two_branches()
    result = gradcam(model, batch_of(model, {"left": LEFT, "right": RIGHT}), layer=f"{branch}_conv", target=0)
    opposite = gradcam(
        model, batch_of(model, {"left": LEFT, "right": RIGHT}), layer=f"{branch}_conv", target=1
    )
    warmed = set()
    for each in (result, opposite):  # evidence for one class of two is evidence against the other
        for image, heat in make_tiles(each, opacity=1.0).pixels:
            columns = np.abs(heat.astype(int) - image).max(axis=(0, 2)).nonzero()[0]
            warmed |= {"left" if column < image.shape[1] / 2 else "right" for column in columns.tolist()}
    assert warmed == {branch}


def shared_activation():
    """One ReLU layer, called after each convolution and after a dense layer."""
    keras.utils.set_random_seed(4)
    relu = layers.ReLU(name="relu")
    image = keras.Input((12, 12, 3))
    values = relu(layers.Conv2D(3, 3, name="a")(image))
    values = relu(layers.Conv2D(3, 3, padding="same", name="b")(values))
    values = relu(layers.Conv2D(4, 3, name="c")(values))
    values = relu(layers.Dense(5, name="d")(layers.GlobalAveragePooling2D()(values)))
    return keras.Model(image, layers.Dense(2, name="head")(values), name="shared")


def test_default_is_the_last_run_with_a_feature_map(batch_of):
    """The run after the dense layer has no feature map; that after `c` is known in closed form."""
    model = shared_activation()
    result = gradcam(model, batch_of(model, LEFT))
    assert result.layer == "relu"
    assert [call.number for call in result.calls] == [2]
    assert result.resolved["calls"] == "2"
    assert title_of(result) == "Grad-CAM at relu, call 2"
    features = keras.Model(model.inputs, model.get_layer("c").output)
    relu_c = np.maximum(features.predict(LEFT, verbose=0), 0)
    pooled = relu_c.mean(axis=(1, 2))
    head, dense = model.get_layer("head"), model.get_layer("d")
    hidden = pooled @ dense.kernel.numpy() + dense.bias.numpy()
    gradient = ((hidden > 0) * head.kernel.numpy().T[result.explained.targets]) @ dense.kernel.numpy().T
    expected = (relu_c * gradient[:, np.newaxis, np.newaxis] / 64).sum(axis=-1)
    np.testing.assert_allclose(result.heatmaps, expected, atol=1e-6)


def test_remedies_in_messages_about_runs_work(batch_of):
    model = shared_activation()
    batch = batch_of(model, LEFT)
    with pytest.raises(OptionError, match=r"call 7 of layer 'relu' is out of range: it has calls 0 to 3"):
        gradcam(model, batch, layer="relu", calls=7)
    with pytest.raises(OptionError, match=r"call 3 of layer 'relu' has output shape \(None, 5\)"):
        gradcam(model, batch, layer="relu", calls=3)
    with pytest.raises(OptionError, match=r"calls is 'first'; give all, or positions"):
        gradcam(model, batch, calls="first")
    with pytest.raises(OptionError, match=r"calls 0,1,2 of .* different sizes; .* such as calls=2"):
        gradcam(model, batch, layer="relu", calls="all")
    assert gradcam(model, batch, layer="relu", calls=2).heatmaps.shape == (3, 8, 8)
    assert gradcam(model, batch, layer="relu", calls=[0, 1]).heatmaps.shape == (3, 2, 10, 10)


def test_umap_of_a_shared_activation_uses_its_last_run():
    model = shared_activation()
    found = activations(model, LEFT, ActivationOptions(["relu"]))["relu"]
    expected = keras.Model(model.inputs, model.get_layer("head").input).predict(LEFT, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(OptionError, match=r"3, 3, 4, 5 features, .* pass pooling='flatten'"):
        activations(model, LEFT, ActivationOptions(["relu"], "all"))
    flat = activations(model, LEFT, ActivationOptions(["relu"], "all", "flatten"))["relu"]
    assert flat.shape == (3, 3 * 100 + 3 * 100 + 4 * 64 + 5)


@pytest.mark.parametrize(("calls", "numbers"), [(None, "1"), ("0", "0"), ("0,1", "0,1")])
def test_caricatures_use_the_selected_runs(batch_of, calls, numbers):
    keras.utils.set_random_seed(5)
    relu = layers.ReLU(name="relu")
    image = keras.Input((12, 12, 3))
    values = relu(layers.Conv2D(3, 3, name="a")(image))
    values = relu(layers.Conv2D(4, 3, name="b")(values))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(values)))
    result = run_method(
        "caricature", model, batch_of(model, LEFT[:2]), layers="relu", calls=calls, ascent_steps=16
    )
    assert result.resolved.get("calls", "0") == numbers
    alone = {"0": "a", "1": "b"}.get(numbers)
    if alone is not None:
        # The activation of a single call equals that of a separate layer.
        outputs = layers.ReLU(name="own")(model.get_layer(alone).output)
        own = keras.Model(model.inputs, outputs)
        drawn = run_method("caricature", own, batch_of(own, LEFT[:2]), layers="own", ascent_steps=16)
        np.testing.assert_allclose(result.cosines, drawn.cosines, atol=1e-3)
    assert (result.cosines > 0.2).all()


def test_layer_table_shows_the_number_of_runs(video_model):
    shapes = {row[1]: row[3] for row in describe_layers(video_model)[1:]}
    assert shapes["td/encoder/c2"] == "(None, 5, 5, 5) × 4"
    assert shapes["lstm"] == "(None, 6)"


def test_runs_are_recorded_and_loaded(video_model, tmp_path):
    found = mlflow_interp.visualize_gradcam(video_model, VIDEOS, calls="1,3", save=tmp_path, log=False)
    loaded = mlflow_interp.load(found.folder)
    assert loaded.result.calls == found.result.calls
    assert [call.frame for call in loaded.result.calls] == [1, 3]
    assert loaded.result.examples.parts == found.result.examples.parts
    np.testing.assert_array_equal(loaded.result.heatmaps, found.result.heatmaps)
    change = found.result.difference(loaded.result)
    assert change.calls == found.result.calls
    assert not change.heatmaps.any()
