"""Attention relevance and rollout: known products, a transformer in NumPy, models that can't be followed."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import mlflow_interp
from examples import planted_patch
from examples.planted_patch import ClassToken, vision_transformer
from mlflow_interp.backend import propagation
from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import forward
from mlflow_interp.backend.layer_tree import walk
from mlflow_interp.engine.layer_table import describe_layers
from mlflow_interp.exceptions import (
    ArchitectureError,
    InapplicableError,
    InterpretationWarning,
    ModelError,
    OptionError,
)
from mlflow_interp.training.failures import Failures
from mlflow_interp.training.options import TrainingOptions
from tests.running import attention, gradcam, quality

layers, ops = keras.layers, keras.ops


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(3)


def product(matrices, **weights):
    """The whole product of matrices (n, n): each of its rows is followed back."""
    count = len(matrices[0])
    tiled = [tf.tile(tf.constant(each, tf.float32)[None], (count, 1, 1)) for each in matrices]
    return propagation.followed_back(tf.eye(count), tiled, **weights).numpy()


ROLLOUT = {"keep": 0.5, "passed_on": 0.5}
RELEVANCE = {"keep": 1.0, "passed_on": 1.0}


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_rollout_of_uniform_attention(depth):
    """Each layer halves the identity, and the rest is uniform."""
    uniform = np.full((4, 4), 1 / 4)
    expected = 0.5**depth * np.eye(4) + (1 - 0.5**depth) * uniform
    np.testing.assert_allclose(product([uniform] * depth, **ROLLOUT), expected, atol=1e-7)


def test_tokens_that_attend_to_themselves_stay_apart():
    np.testing.assert_array_equal(product([np.eye(3)] * 4, **ROLLOUT), np.eye(3))


def test_relevance_without_gradient_is_the_identity():
    weights = tf.constant(np.random.default_rng(0).random((1, 2, 3, 3)), tf.float32)
    matrix = propagation.relevance_of_heads(weights, tf.zeros_like(weights))[0]
    np.testing.assert_array_equal(product([matrix] * 3, **RELEVANCE), np.eye(3))


def test_relevance_of_two_tokens_and_two_layers():
    """By hand: heads first, of [1 0; .2 0] and [0 0; 0 3], then (I + E₂)(I + E₁)."""
    first = propagation.relevance_of_heads(
        tf.constant([[[[0.5, 0.5], [0.2, 0.8]], [[1.0, 0.0], [0.0, 1.0]]]]),
        tf.constant([[[[2.0, -1.0], [1.0, 0.0]], [[-1.0, 1.0], [2.0, 3.0]]]]),
    )[0]
    np.testing.assert_allclose(first, [[0.5, 0], [0.1, 1.5]], atol=1e-7)
    second = [[0.0, 2.0], [0.0, 0.0]]
    np.testing.assert_allclose(product([first, second], **RELEVANCE), [[1.7, 5.0], [0.1, 2.5]], atol=1e-6)


class Subclassed(layers.MultiHeadAttention):
    """As libraries do, with a call of its own that never asks for the weights."""

    def call(self, query, value, key=None):
        found, _ = self._compute_attention(
            query=self._query_dense(query), key=self._key_dense(value), value=self._value_dense(value)
        )
        return self._output_dense(found)


class Nested(layers.Layer):
    """An attention layer and a residual connection inside another layer."""

    def __init__(self, kind, heads, size, **options):
        super().__init__(**options)
        self.attend = kind(heads, size)

    def build(self, shape):
        self.attend.build(shape, shape)

    def call(self, value):
        return value + self.attend(value, value)


def grouped(heads, size, **options):
    return layers.GroupQueryAttention(size, heads, 1, **options)


KINDS = {"plain": layers.MultiHeadAttention, "subclass": Subclassed, "grouped": grouped}


def tokens_model(kind=layers.MultiHeadAttention, *, read=0, nested=False, dropout=0.0):
    """Two attention layers with residual connections on five tokens; the head reads one or their mean."""
    options = {} if not dropout else {"dropout": dropout}
    value = tokens = keras.Input((5, 4))
    for name in "ab":
        if nested:
            value = Nested(kind, 2, 3, name=name)(value)
        else:
            value = value + kind(2, 3, name=name, **options)(value, value)
        value = layers.Activation("tanh")(value)
    value = layers.GlobalAveragePooling1D()(value) if read == "mean" else value[:, read]
    model = keras.Model(tokens, layers.Dense(3, activation="softmax", name="head")(value))
    for weight in model.weights:
        weight.assign(np.random.default_rng(len(weight.path)).normal(0, 0.6, weight.shape))
    return model


def attention_layers(model):
    found = [located.layer for located in walk(model)]
    kinds = layers.MultiHeadAttention, layers.GroupQueryAttention
    return [layer for layer in found if isinstance(layer, kinds)]


def in_numpy(model, tokens, read, changes=(0, 0)):
    """Logits and attention weights of one input, with `changes` added to the weights of each layer."""
    value, found = tokens.astype(np.float64), []
    for layer, change in zip(attention_layers(model), changes, strict=True):
        parts = (layer._query_dense, layer._key_dense, layer._value_dense)
        query, key, values = (
            np.einsum("nd,dhk->hnk", value, each.kernel.numpy()) + each.bias.numpy()[:, None]
            for each in parts
        )
        raw = np.einsum("hik,hjk->hij", query, np.broadcast_to(key, query.shape)) / np.sqrt(3)
        weights = np.exp(raw) / np.exp(raw).sum(axis=-1, keepdims=True)
        found.append(weights)
        mixed = np.einsum("hij,hjk->hik", weights + change, np.broadcast_to(values, query.shape))
        dense = layer._output_dense
        value = np.tanh(value + np.einsum("hik,hkd->id", mixed, dense.kernel.numpy()) + dense.bias.numpy())
    head = model.get_layer("head")
    pooled = value.mean(axis=0) if read == "mean" else value[read]
    return pooled @ head.kernel.numpy() + head.bias.numpy(), found


def relevance_in_numpy(model, tokens, read, score):
    """Chefer's rule, with gradients by finite differences; `score` takes logits."""
    _, weights = in_numpy(model, tokens, read)
    matrix = np.eye(5)
    for depth in range(2):
        gradient = np.zeros_like(weights[depth])
        for index in np.ndindex(gradient.shape):
            step = np.zeros_like(gradient)
            step[index] = 1e-5
            ends = [
                score(
                    in_numpy(model, tokens, read, [sign * step if each == depth else 0 for each in (0, 1)])[0]
                )
                for sign in (1, -1)
            ]
            gradient[index] = (ends[0] - ends[1]) / 2e-5
        matrix = matrix + np.maximum(gradient * weights[depth], 0).mean(axis=0) @ matrix
    identity = np.eye(5)
    return (matrix - identity).mean(axis=0) if read == "mean" else (matrix - identity)[read]


TOKENS = np.random.default_rng(1).normal(size=(4, 5, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "read", "nested"),
    [("plain", 0, False), ("plain", "mean", True), ("subclass", 3, False), ("grouped", "mean", False)],
)
def test_relevance_equals_that_of_a_transformer_in_numpy(batch_of, kind, read, nested):
    model = tokens_model(KINDS[kind], read=read, nested=nested)
    result = attention(model, batch_of(model, TOKENS), target=1)
    expected = [relevance_in_numpy(model, each, read, lambda logits: logits[1]) for each in TOKENS]
    np.testing.assert_allclose(result.heatmaps, expected, rtol=1e-3, atol=1e-5)
    assert result.chosen["token"] == read
    paths = result.chosen["attention_layers"]
    assert [path.partition("/")[0] for path in paths] == ["a", "b"]


def test_contrast_changes_the_score_whose_gradient_is_followed(batch_of):
    model = tokens_model()
    result = attention(model, batch_of(model, TOKENS), target=1, contrast=2)
    expected = [relevance_in_numpy(model, each, 0, lambda logits: logits[1] - logits[2]) for each in TOKENS]
    np.testing.assert_allclose(result.heatmaps, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("read", [2, "mean"])
def test_rollout_equals_that_of_a_transformer_in_numpy(batch_of, read):
    model = tokens_model(read=read)
    result = attention(model, batch_of(model, TOKENS), propagation="rollout")
    for heat, tokens in zip(result.heatmaps, TOKENS, strict=True):
        first, second = (0.5 * (each.mean(axis=0) + np.eye(5)) for each in in_numpy(model, tokens, read)[1])
        whole = second @ first
        np.testing.assert_allclose(heat, whole.mean(axis=0) if read == "mean" else whole[read], atol=1e-5)
    assert result.chosen["token"] == read
    assert not result.explained.has_target


def test_token_can_be_chosen(batch_of):
    """The row of a token that the head does not read has no relevance, but a rollout."""
    model = tokens_model(read=0)
    batch = batch_of(model, TOKENS)
    by_row = [attention(model, batch, token=token, propagation="rollout").heatmaps for token in range(5)]
    mean = attention(model, batch, token="mean", propagation="rollout")
    np.testing.assert_allclose(mean.heatmaps, np.mean(by_row, axis=0), atol=1e-6)
    last = attention(model, batch, token="-1", propagation="rollout")
    np.testing.assert_array_equal(last.heatmaps, by_row[4])
    assert not {"token"} & (set(mean.chosen) | set(last.chosen))  # what the user gave is recorded as it is


def test_token_out_of_range(batch_of):
    model = tokens_model()
    with pytest.raises(OptionError, match="token 5 is out of range: the model has tokens 0–4"):
        attention(model, batch_of(model, TOKENS), token=5)
    with pytest.raises(OptionError, match="token is 'first'; give auto, mean, or the index"):
        attention(model, batch_of(model, TOKENS), token="first")


def attributes(model):
    """The attributes of each layer that tracing may touch, and how they are held."""
    names = "call", "_compute_attention", "_flash_attention", "_return_attention_scores"
    return [{name: vars(located.layer).get(name, "none") for name in names} for located in walk(model)]


@pytest.mark.parametrize("kind", KINDS)
def test_layers_and_outputs_are_unchanged_afterwards(batch_of, kind):
    model = tokens_model(KINDS[kind])
    expected = model(TOKENS).numpy()
    before = attributes(model)
    attention(model, batch_of(model, TOKENS))
    assert attributes(model) == before
    np.testing.assert_array_equal(model(TOKENS).numpy(), expected)


def test_layers_are_unchanged_after_an_error(monkeypatch):
    model = tokens_model()
    before = attributes(model)

    def failing(*_):
        raise ValueError("out of order")

    monkeypatch.setattr(layers.MultiHeadAttention, "_masked_softmax", failing)
    with pytest.raises(ModelError, match="out of order"):
        compile_for(lambda values: forward(model, values, attention=True).outputs, TOKENS)
    assert attributes(model) == before


def test_dropout_changes_nothing(batch_of):
    """With dropout, Keras computes the weights itself."""
    plain, dropped = tokens_model(), tokens_model(dropout=0.3)
    dropped.set_weights(plain.get_weights())
    maps = [attention(model, batch_of(model, TOKENS), target=0).heatmaps for model in (plain, dropped)]
    np.testing.assert_allclose(*maps, atol=1e-6)


def by_hand(*, several_outputs):
    """A head of attention written by hand, as layers or as one layer that also returns the weights."""

    class WithWeights(layers.Layer):
        def call(self, value):
            weights = ops.softmax(ops.matmul(value, ops.transpose(value, (0, 2, 1))))[:, None]
            return ops.matmul(weights[:, 0], value), weights

    tokens = keras.Input((5, 4))
    if several_outputs:
        mixed, _ = WithWeights(name="weights")(tokens)
    else:
        raw = layers.Dot(2)([tokens, tokens])
        weights = layers.Softmax(name="weights")(layers.Reshape((1, 5, 5), name="raw")(raw))
        mixed = layers.Dot((2, 1))([layers.Reshape((5, 5))(weights), tokens])
    value = layers.GlobalAveragePooling1D()(layers.Add()([tokens, mixed]))
    return keras.Model(tokens, layers.Dense(2, activation="softmax", name="head")(value), name="by_hand")


@pytest.mark.parametrize("several_outputs", [False, True])
def test_attention_written_by_hand_is_named(batch_of, several_outputs):
    model = by_hand(several_outputs=several_outputs)
    result = attention(model, batch_of(model, TOKENS), attention_layers="weights", propagation="rollout")
    raw = np.exp(TOKENS @ TOKENS.transpose(0, 2, 1))
    weights = raw / raw.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(result.heatmaps, (0.5 * weights + 0.5 * np.eye(5)).mean(axis=1), atol=1e-5)
    relevance = attention(model, batch_of(model, TOKENS), attention_layers="weights", target=0)
    values = TOKENS @ model.get_layer("head").kernel.numpy()[:, 0] / 5  # gradient of a weight of any row
    expected = np.maximum(weights * values[:, None], 0).mean(axis=1)
    np.testing.assert_allclose(relevance.heatmaps, expected, atol=1e-5)


def test_layers_without_weights_are_refused(batch_of):
    model = tokens_model()
    with pytest.raises(OptionError, match=r"'head' has no attention weights of shape .*\(None, 3\)"):
        attention(model, batch_of(model, TOKENS), attention_layers="a,head")
    hand = by_hand(several_outputs=False)
    with pytest.raises(ArchitectureError, match=r"'by_hand' has no MultiHead.*attention_layers="):
        attention(hand, batch_of(hand, TOKENS))


def test_layer_table_shows_attention_layers():
    rows = {row[1]: row[4] for row in describe_layers(tokens_model())}
    assert {name for name, methods in rows.items() if "attention" in methods.split(", ")} == {"a", "b"}
    rows = {row[1]: row[4] for row in describe_layers(by_hand(several_outputs=False))}
    assert "attention" not in rows["weights"]  # as the default can't be used, the method is not listed


def images(*shape, count=3):
    return np.random.default_rng(2).random((count, *shape), dtype=np.float32)


@pytest.mark.parametrize("class_token", [True, False])
def test_tokens_of_images_are_on_the_grid_of_patches(batch_of, class_token):
    """The heat of the patches is that of their tokens, without the class token."""
    model, inputs = vision_transformer((16, 24), class_token=class_token), images(16, 24, 3)
    result = attention(model, batch_of(model, inputs), target=0)
    assert result.heatmaps.shape == (3, 4, 6)
    assert result.heatmaps.min() >= 0
    assert result.chosen["token"] == (0 if class_token else "mean")
    rollout = attention(model, batch_of(model, inputs), propagation="rollout").heatmaps
    total = rollout.sum(axis=(1, 2))  # of all tokens, it is 1
    np.testing.assert_allclose(total, 1, atol=1e-5) if not class_token else np.testing.assert_array_less(
        total, 1
    )


def text_model(*, class_token=False, read=0):
    words = keras.Input((6,), dtype="int32")
    value = layers.Embedding(20, 8, mask_zero=not class_token)(words)
    value = ClassToken()(value) if class_token else value
    value = layers.Add()([value, layers.MultiHeadAttention(2, 4)(value, value)])
    value = value[:, read] if read != "mean" else layers.GlobalAveragePooling1D()(value)
    return keras.Model(words, layers.Dense(2, activation="softmax")(value))


WORDS = np.random.default_rng(5).integers(1, 20, (3, 6)).astype(np.int32)


def test_text_has_heat_for_each_token(batch_of):
    model = text_model(read=0)
    result = attention(model, batch_of(model, WORDS))
    assert result.heatmaps.shape == (3, 6)
    assert result.chosen["token"] == 0
    prepended = text_model(class_token=True)
    assert attention(prepended, batch_of(prepended, WORDS)).heatmaps.shape == (3, 6)


def test_padding_is_not_read(batch_of):
    """The mean over unmasked tokens: which these are depends on the input, so that no token is recorded."""
    model = text_model(read="mean")
    words = WORDS.copy()
    words[0, 4:] = 0
    result = attention(model, batch_of(model, words), propagation="rollout")
    assert "token" not in result.chosen
    np.testing.assert_array_equal(result.heatmaps[0, 4:], 0)
    np.testing.assert_allclose(result.heatmaps.sum(axis=1), 1, atol=1e-5)
    assert (result.heatmaps[1:] > 0).all()


@pytest.mark.parametrize("class_token", [True, False])
def test_cam_of_text_is_at_the_layer_where_all_words_still_count(batch_of, class_token):
    """After the attention only one token is read: the layer before it is used, one value for each word."""
    model = text_model(class_token=class_token, read=0)
    result = gradcam(model, batch_of(model, WORDS), target=0)
    assert result.heatmaps.shape == (3, 6)
    assert (np.count_nonzero(result.heatmaps, axis=1) == 6).all()


def windows_model():
    """Attention within four windows of 2×2 of 4×4 patches, as in Swin."""
    pixels = keras.Input((16, 16, 3))
    value = layers.Conv2D(8, 4, 4)(pixels)
    value = layers.Reshape((2, 2, 2, 2, 8))(value)
    value = layers.Lambda(lambda each: ops.reshape(ops.transpose(each, (0, 1, 3, 2, 4, 5)), (-1, 4, 8)))(
        value
    )
    value = layers.MultiHeadAttention(2, 4, name="windowed")(value, value)
    value = layers.Lambda(lambda each: ops.reshape(each, (-1, 16, 8)))(value)
    value = layers.GlobalAveragePooling1D()(value)
    return keras.Model(pixels, layers.Dense(2, activation="softmax")(value), name="swin")


def cross_attention_model(*, first):
    """Attention of three queries to the tokens, before self-attention or after it."""
    tokens = keras.Input((5, 4))
    queries = layers.Lambda(lambda each: each[:, :3] * 0 + 1.0)
    cross, own = layers.MultiHeadAttention(2, 3, name="cross"), layers.MultiHeadAttention(2, 3, name="own")
    if first:
        value = cross(queries(tokens), tokens)
        value = own(value, value)
    else:
        value = own(tokens, tokens)
        value = cross(queries(tokens), value)
    return keras.Model(tokens, layers.Dense(2, activation="softmax")(layers.Flatten()(value)), name="cross")


def changing_model(*, parallel):
    tokens = keras.Input((6, 4))
    first, second = layers.MultiHeadAttention(2, 3, name="one"), layers.MultiHeadAttention(2, 3, name="two")
    value = first(tokens, tokens)
    if parallel:
        value = layers.Add()([value, second(tokens, tokens)])
    else:
        value = layers.MaxPooling1D(2)(value)
        value = second(value, value)
    return keras.Model(
        tokens, layers.Dense(2, activation="softmax")(layers.Flatten()(value)), name="changing"
    )


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (windows_model, (16, 16, 3), "'windowed' (attends within 4 windows|.*no grid of patches).*CAMs"),
        (lambda: cross_attention_model(first=True), (5, 4), "'cross'.* comes before self-attention"),
        (lambda: changing_model(parallel=False), (6, 4), "'one' and 'two' .* have 6 and 3 tokens"),
        (lambda: changing_model(parallel=True), (6, 4), "are not one after the other; name those of one"),
    ],
)
def test_attention_that_cannot_be_followed_is_refused(batch_of, model, shape, message):
    model = model()
    with pytest.raises(InapplicableError, match=message):
        attention(model, batch_of(model, images(*shape)))


def test_one_of_several_branches_can_be_chosen(batch_of):
    model = changing_model(parallel=True)
    result = attention(model, batch_of(model, images(6, 4)), attention_layers="two")
    assert result.heatmaps.shape == (3, 6)


def test_cross_attention_after_self_attention_is_left_out_with_a_warning(batch_of):
    model = cross_attention_model(first=False)
    batch = batch_of(model, images(5, 4))
    assert attention(model, batch).heatmaps.shape == (3, 5)
    assert any("layer 'cross' is left out: its queries are not the tokens" in each for each in batch.warnings)


def test_all_leaves_it_out_silently_without_attention(tiny_cnn, pixels):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = mlflow_interp.interpret(tiny_cnn, pixels, "all", log=False, quiet=True)
    assert "attention" not in found
    assert not [each for each in caught if "attention" in str(each.message)]
    with pytest.raises(ArchitectureError, match=r"'tiny' has no MultiHeadAttention.*can be used here: "):
        mlflow_interp.interpret(tiny_cnn, pixels, "attention", log=False, quiet=True)


def test_stored_rollout_says_what_it_shows(tmp_path):
    model = tokens_model()
    found = mlflow_interp.visualize_attention(
        model, TOKENS, propagation="rollout", save=tmp_path, log=False, quiet=True
    )
    assert found.manifest["parameters"]["token"] == 0
    assert found.manifest["parameters"]["attention_layers"] == ["a", "b"]
    loaded = mlflow_interp.load(tmp_path / "attention")
    np.testing.assert_array_equal(loaded.heatmaps, found.heatmaps)
    assert "attention alone" in loaded.meaning
    assert loaded.meaning == found.result.meaning


def test_empty_heatmaps_say_why():
    model = tokens_model()
    model.get_layer("head").kernel.assign(np.zeros((4, 3)))
    with pytest.warns(
        InterpretationWarning, match="4 of 4 heatmaps are empty: no attention raises the score"
    ):
        mlflow_interp.visualize_attention(model, TOKENS, target=0, log=False, quiet=True)


@pytest.fixture(scope="module")
def planted():
    """A model that tells the colour of a bright patch, which is one of 16 at a random position."""
    return planted_patch.trained()


@pytest.mark.filterwarnings("ignore:.* heatmaps are empty")
def test_relevance_and_cam_of_tokens_find_the_patch_that_decides(planted, store, monkeypatch, capsys):
    """By chance, a sixteenth of the heat lies on it. Measured: relevance 0.60, Grad-CAM 1.00.

    The class token alone is read after the last block, so that Grad-CAM's default layer is its input.
    """
    monkeypatch.setattr(planted_patch, "trained", lambda: planted)
    metrics = planted_patch.main()
    assert metrics["attention"]["accuracy"] == 1
    assert metrics["attention"]["region_share"] == 1 / 16
    assert metrics["attention"]["pointing_game"] > 0.5
    assert all(each["mass_inside"] > 3 / 16 for each in metrics.values())
    assert metrics["gradcam"]["empty_heatmaps"] < 15
    assert "of the heat on 6% of an image" in capsys.readouterr().out


def test_rollout_finds_it_too_where_attention_alone_leads_there(planted, batch_of):
    """Measured: 0.45."""
    pixels, _, masks = planted_patch.planted_patches(60, seed=1)
    heat = attention(planted, batch_of(planted, pixels), propagation="rollout").heatmaps
    patches = masks[:, ::4, ::4]
    assert (heat[patches] / heat.sum(axis=(1, 2))).mean() > 3 / 16


def test_quality_measures_it(batch_of):
    model = vision_transformer()
    batch = batch_of(model, images(16, 16, 3, count=2))
    assert quality(model, batch, of="attention", quick=True).titles == {"attention": "Attention relevance"}


def test_training_leaves_it_out_silently_if_only_all_selects_it(caplog):
    error = ArchitectureError("no attention")
    of_all = TrainingOptions.of("all", {})
    assert "attention" in of_all.only_by_all
    for named, warned in [(of_all, False), (TrainingOptions.of("all,attention", {}), True)]:
        caplog.clear()
        failures = Failures(named.by_method, silent=False, only_by_all=named.only_by_all)
        failures.give_up(["attention"], error)
        assert failures.active(["attention"]) == []
        assert ("training continues without attention: no attention" in caplog.text) is warned
