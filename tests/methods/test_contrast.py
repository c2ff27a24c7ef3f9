"""Contrast, the score of one class minus that of others, against answers known without it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from matplotlib.text import Text

import mlflow_interp
from mlflow_interp.drawing.grid import prediction_lines
from mlflow_interp.engine.run import run
from mlflow_interp.exceptions import InterpretationError, OptionError
from mlflow_interp.method_registry import find_method, kind_of
from tests.figure_texts import check_texts
from tests.running import run_method

layers = keras.layers
NAMES = ["ant", "bee", "cat", "dog"]


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(1).normal(size=(7, 6, 6, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def linear_head(inputs):
    """A convolution, global average pooling and a softmax of four classes, each of which is predicted."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(5, 3, activation="relu", bias_initializer="random_normal", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    kernel = np.random.default_rng(5).normal(0, 5, (5, 4)).astype(np.float32)
    pooled = model.layers[0](inputs).numpy().mean(axis=(1, 2))
    model.layers[-1].set_weights([kernel, -np.median(pooled @ kernel, axis=0)])
    assert len(np.unique(model.predict(inputs, verbose=0).argmax(axis=1))) > 2
    return model


def cam(model, inputs, weights):
    """Class activation maps, (n, height, width), of a head's weights (channels,) or (n, channels)."""
    features = model.layers[0](inputs).numpy()
    weights = np.broadcast_to(weights, (len(inputs), features.shape[-1]))
    return np.einsum("nhwc,nc->nhw", features, weights) / np.prod(features.shape[1:3])


@pytest.mark.parametrize("method", ["gradcam", "hirescam"])
@pytest.mark.parametrize(
    ("contrast", "others"),
    [
        (3, [3]),
        ("dog", [3]),
        ([0, "dog"], [0, 3]),
        ("ant, dog", [0, 3]),
        ("others", [0, 2, 3]),
        (np.array([0, 2, 3]), [0, 2, 3]),
    ],
)
def test_map_has_the_difference_of_weights(linear_head, inputs, batch_of, method, contrast, others):
    """Under global average pooling, both are CAM: of w_A minus the mean w of the others."""
    batch = batch_of(linear_head, inputs, class_names=NAMES)
    result = run_method(method, linear_head, batch, target="bee", contrast=contrast)
    kernel, bias = linear_head.layers[-1].get_weights()
    wanted = cam(linear_head, inputs, kernel[:, 1] - kernel[:, others].mean(axis=1))
    np.testing.assert_allclose(result.heatmaps, wanted, atol=1e-6)
    rise = bias[1] - bias[others].mean()
    np.testing.assert_allclose(result.explained.scores, wanted.sum(axis=(1, 2)) + rise, atol=1e-5)
    # Target and probability stay those of the explained class.
    assert set(result.explained.targets.tolist()) == {1}
    predicted = linear_head.predict(inputs, verbose=0)
    np.testing.assert_allclose(result.explained.probabilities, predicted[:, 1], atol=1e-6)


def test_runner_up_is_that_of_each_input(linear_head, inputs, batch_of):
    ranked = np.argsort(-linear_head.predict(inputs, verbose=0), axis=1)
    assert len(np.unique(ranked[:, 1])) > 1
    kernel = linear_head.layers[-1].get_weights()[0].T
    # Of a target that is not predicted, it is the prediction.
    for target, runner_up in (
        (None, ranked[:, 1]),
        (2, np.where(ranked[:, 0] == 2, ranked[:, 1], ranked[:, 0])),
    ):
        batch = batch_of(linear_head, inputs)
        result = run_method("gradcam", linear_head, batch, target=target, contrast="runner-up")
        assert result.explained.contrasts.tolist() == runner_up[:, np.newaxis].tolist()
        weights = kernel[result.explained.targets] - kernel[runner_up]
        np.testing.assert_allclose(result.heatmaps, cam(linear_head, inputs, weights), atol=1e-6)


@pytest.mark.parametrize("method", ["gradcam", "gradcam_plus_plus", "hirescam", "layercam"])
def test_what_all_logits_share_does_not_count(linear_head, inputs, batch_of, method):
    """The softmax of logits plus a function of the input is the same, so that a contrast must be the same."""
    shifted = keras.models.clone_model(linear_head)
    shifted.set_weights(linear_head.get_weights())
    kernel, bias = linear_head.layers[-1].get_weights()
    shifted.layers[-1].set_weights([kernel - np.linspace(1, 3, 5)[:, np.newaxis], bias + 2])
    maps = [
        [
            run_method(method, each, batch_of(each, inputs), contrast=contrast).heatmaps
            for contrast in (None, "others")
        ]
        for each in (linear_head, shifted)
    ]
    assert np.abs(maps[0][0] - maps[1][0]).max() > 0.01
    np.testing.assert_allclose(maps[0][1], maps[1][1], atol=1e-5)


def test_negative_logits_leave_an_empty_map_but_not_a_contrast(linear_head, inputs, batch_of):
    model = keras.models.clone_model(linear_head)
    model.set_weights(linear_head.get_weights())
    model.layers[-1].set_weights([-np.float32([[4, 3, 2, 1]] * 5), np.zeros(4, np.float32)])
    assert (cam(model, inputs, np.ones(5)).max(axis=(1, 2)) > 0).all()
    empty = run_method("gradcam", model, batch_of(model, inputs), target=3)
    assert empty.metrics()["empty_heatmaps"] == 7
    assert "try contrast='others' or 'runner-up', another layer or target" in empty.warnings()[0]
    found = run_method("gradcam", model, batch_of(model, inputs), target=3, contrast="runner-up")
    assert found.metrics()["empty_heatmaps"] == 0
    assert found.warnings() == []


def test_all_others_are_suggested_where_the_runner_up_leaves_an_empty_map(linear_head, inputs, batch_of):
    """Not for two classes, of which the runner-up is all others."""
    model = keras.models.clone_model(linear_head)
    # Of positive features, class 1 is the runner-up of class 0 and has larger weights.
    model.set_weights(linear_head.get_weights())
    model.layers[-1].set_weights([np.float32([[1, 2, 0, 0]] * 5), np.zeros(4, np.float32)])
    result = run_method("gradcam", model, batch_of(model, inputs), target=0, contrast="runner-up")
    assert result.warnings() == [
        "7 of 7 heatmaps are empty: layer 'conv' holds no evidence for the target class over the runner-up "
        "(#0, #1, #2, …); try contrast='others', another layer or target"
    ]
    others = run_method("gradcam", model, batch_of(model, inputs), target=0, contrast="others")
    assert others.metrics()["empty_heatmaps"] == 0
    pair = keras.Model(model.inputs, layers.Dense(2, activation="softmax")(model.layers[1].output))
    pair.layers[-1].set_weights([np.float32([[1, 2]] * 5), np.zeros(2, np.float32)])
    (warning,) = run_method(
        "gradcam", pair, batch_of(pair, inputs), target=0, contrast="runner-up"
    ).warnings()
    assert warning.endswith("; try another layer or target")


def test_binary_head_is_not_told_to_contrast_its_two_classes(batch_of):
    """Its logits are -z and z: a contrast is twice the map, and as empty."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(3, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid", kernel_initializer="ones"),
        ]
    )
    inputs = np.random.default_rng(2).random((3, 6, 6, 2), dtype=np.float32)
    alone = run_method("gradcam", model, batch_of(model, inputs), target=0)
    assert "try another layer or target" in alone.warnings()[0]
    for contrast in (1, "runner-up", "others"):
        both = run_method("gradcam", model, batch_of(model, inputs), target=0, contrast=contrast)
        np.testing.assert_allclose(both.heatmaps, 2 * alone.heatmaps, atol=1e-6)
        assert "over" in both.warnings()[0]


def test_independent_classes_are_contrasted_by_their_logits(linear_head, inputs, batch_of):
    features = linear_head.layers[1].output
    outputs = layers.Dense(4, activation="sigmoid")(features)
    model = keras.Model(linear_head.inputs, outputs)
    kernel = model.layers[-1].get_weights()[0]
    result = run_method("gradcam", model, batch_of(model, inputs), target=0, contrast=2)
    assert result.explained.head == "sigmoid"
    np.testing.assert_allclose(
        result.heatmaps, cam(linear_head, inputs, kernel[:, 0] - kernel[:, 2]), atol=1e-6
    )


def linear(units=3, activation="softmax"):
    """A model that is linear from pixels to logits."""
    keras.utils.set_random_seed(5)
    return keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(units, activation=activation)]
    )


def test_saliency_has_the_difference_of_weights(batch_of):
    """Also at noisy points, whose own runner-up is often another: that of the clean input counts."""
    model = linear()
    inputs = np.random.default_rng(3).normal(size=(9, 4, 4, 1)).astype(np.float32)
    kernel = model.layers[-1].get_weights()[0].T.reshape(3, 4, 4, 1)
    first, second = np.argsort(-model.predict(inputs, verbose=0), axis=1)[:, :2].T
    assert len(np.unique(second)) > 1
    options = {"noise": 2.0, "average": "mean", "noise_samples": 4, "path_steps": 3}
    result = run_method("saliency", model, batch_of(model, inputs), contrast="runner-up", **options)
    wanted = kernel[first] - kernel[second]
    np.testing.assert_allclose(result.gradients, wanted, atol=1e-6)
    np.testing.assert_allclose(result.smooth_gradients, wanted, atol=1e-5)
    np.testing.assert_allclose(result.completeness_gaps, 0, atol=1e-3)
    others = run_method("saliency", model, batch_of(model, inputs), target=1, contrast="others", **options)
    np.testing.assert_allclose(
        others.smooth_gradients,
        np.broadcast_to(kernel[1] - (kernel[0] + kernel[2]) / 2, wanted.shape),
        atol=1e-5,
    )
    assert others.explained.contrasts is None
    assert np.abs(others.integrated_gradients).max() > 0


def test_saliency_of_words(batch_of):
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(9, 4),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    words = np.random.default_rng(0).integers(0, 9, (2, 6))
    result = run_method("saliency", model, batch_of(model, words), target=2, contrast=0)
    kernel = model.layers[-1].get_weights()[0]
    np.testing.assert_allclose(
        result.gradients, np.broadcast_to((kernel[:, 2] - kernel[:, 0]) / 6, (2, 6, 4)), atol=1e-6
    )


@pytest.mark.parametrize("method", ["gradcam", "saliency"])
@pytest.mark.parametrize("contrast", ["runner-up", "others", [0, 3]])
def test_batch_size_and_order_make_no_difference(linear_head, inputs, batch_of, method, contrast):
    def explained(rows, size):
        batch = batch_of(linear_head, rows, batch_size=size)
        return run_method(method, linear_head, batch, contrast=contrast).arrays()

    together, chunked, turned = explained(inputs, 7), explained(inputs, 2), explained(inputs[::-1], 3)
    for name in {"heatmaps", "gradients", "smooth_gradients", "scores", "contrasts", "targets"} & set(
        together
    ):
        np.testing.assert_allclose(chunked[name], together[name], atol=1e-5)
        np.testing.assert_allclose(turned[name][::-1], together[name], atol=1e-5)


@pytest.mark.parametrize("method", ["gradcam", "saliency"])
def test_target_that_is_its_own_contrast_has_an_empty_map(linear_head, inputs, batch_of, method):
    predicted = linear_head.predict(inputs, verbose=0).argmax(axis=1)
    same = predicted == predicted[0]
    assert 0 < same.sum() < len(same)
    batch = batch_of(linear_head, inputs, class_names=NAMES)
    result = run_method(method, linear_head, batch, contrast=int(predicted[0]))
    maps = result.heatmaps if method == "gradcam" else result.gradients
    assert (np.abs(maps).reshape(7, -1).max(axis=1) == 0).tolist() == same.tolist()
    assert (result.explained.scores == 0).tolist() == same.tolist()
    name = NAMES[predicted[0]]
    (warning,) = [each for each in result.warnings() if "contrast" in each]
    assert f"{same.sum()} of 7 inputs have empty maps" in warning
    assert f"is the class that it is contrasted with, {name}" in warning
    assert not [each for each in result.warnings() if "heatmaps are empty" in each or "all zero" in each]
    assert result.table()["contrast"] == [name] * 7


def test_target_is_left_out_of_several_contrasts(linear_head, inputs, batch_of):
    """All classes, the target among them, are the same as all others."""
    everything = run_method("gradcam", linear_head, batch_of(linear_head, inputs), contrast=[0, 1, 2, 3])
    others = run_method("gradcam", linear_head, batch_of(linear_head, inputs), contrast="others")
    np.testing.assert_allclose(everything.heatmaps, others.heatmaps, atol=1e-6)
    assert everything.warnings() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"contrast": "catt"}, "contrast: no class is named 'catt'; nearest: cat"),
        ({"contrast": "runner_up"}, "contrast: no class is named 'runner_up'; nearest: runner-up"),
        ({"contrast": 4}, "contrast 4 is out of range: the model has classes 0–3"),
        ({"contrast": -1}, "contrast -1 is out of range: the model has classes 0–3"),
        ({"contrast": []}, "contrast names no class; give one or more, or one of runner-up, others"),
        ({"contrast": "1,bee"}, "contrast names class 'bee' twice; give each class once"),
        (
            {"contrast": ["others", 1]},
            "contrast 'others' can't be combined with other classes; give it alone",
        ),
        (
            {"target": "cat", "contrast": "2"},
            "contrast names class 'cat', which is the target; give other classes",
        ),
        (
            {"target": 0, "contrast": "bee, ant"},
            "contrast names class 'ant', which is the target; give other classes",
        ),
    ],
)
@pytest.mark.parametrize("method", ["layercam", "saliency"])
def test_contrasts_that_do_not_exist(linear_head, inputs, batch_of, method, options, message):
    batch = batch_of(linear_head, inputs, class_names=NAMES)
    with pytest.raises(OptionError) as error:
        run_method(method, linear_head, batch, **options)
    assert str(error.value) == message


def test_word_that_is_also_a_class_is_refused(linear_head, inputs, batch_of):
    batch = batch_of(linear_head, inputs, class_names=["ant", "bee", "cat", "others"])
    with pytest.raises(
        OptionError, match="'others' is ambiguous, as class 3 has this name; give the indices"
    ):
        run_method("gradcam", linear_head, batch, contrast="others")
    found = run_method("gradcam", linear_head, batch, target=0, contrast=["others"])
    assert found.explained.contrasts.tolist() == [[3]] * 7


def test_error_of_a_contrast_fails_its_method_only(linear_head, inputs, batch_of):
    """Methods of one pass may have different contrasts."""
    batch = batch_of(linear_head, inputs)
    options = {"gradcam": {"contrast": 9}, "hirescam": {"contrast": 3}, "layercam": {}}
    methods = {
        name: find_method(name)(linear_head, batch, target=1, **given) for name, given in options.items()
    }
    found = run(linear_head, batch, methods)
    assert set(found.errors) == {"gradcam"}
    kernel = linear_head.layers[-1].get_weights()[0]
    wanted = cam(linear_head, inputs, kernel[:, 1] - kernel[:, 3])
    np.testing.assert_allclose(found.parts["hirescam"].result().heatmaps, wanted, atol=1e-6)
    assert found.parts["layercam"].result().explained.contrasts is None


@pytest.mark.parametrize("method", ["gradcam", "saliency"])
def test_values_have_no_runner_up(batch_of, method):
    model = keras.Sequential(
        [keras.Input((5, 5, 1)), layers.Conv2D(2, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    )
    inputs = np.random.default_rng(0).random((2, 5, 5, 1), dtype=np.float32)
    model.compile(loss="mse")
    for word in ("runner-up", "others"):
        with pytest.raises(InterpretationError) as error:
            run_method(method, model, batch_of(model, inputs), contrast=word)
        assert str(error.value) == (
            f"contrast {word!r} needs a model with classes, but this one predicts values; give the index or "
            "name of another value"
        )
    result = run_method(method, model, batch_of(model, inputs), target=0, contrast=2)
    values = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(result.explained.scores, values[:, 0] - values[:, 2], atol=1e-6)
    assert result.table()["contrast"] == ["output 2", "output 2"]


def test_maps_of_other_classes_are_left_out(linear_head, inputs, batch_of):
    assert run_method("gradcam", linear_head, batch_of(linear_head, inputs)).others is not None
    contrasted = run_method("gradcam", linear_head, batch_of(linear_head, inputs), contrast="others")
    assert contrasted.others is None


def test_methods_without_a_class_have_no_contrast(linear_head, inputs):
    with pytest.raises(OptionError, match="eigencam has no option 'contrast'; it is an option of"):
        mlflow_interp.visualize_eigencam(linear_head, inputs, contrast="others", log=False, quiet=True)


@pytest.mark.parametrize("method", ["gradcam", "saliency"])
@pytest.mark.parametrize("contrast", [None, "runner-up", "others", ["cat", "dog"]])
@pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")
def test_contrast_is_stored_and_restored(linear_head, inputs, tmp_path, method, contrast):
    found = mlflow_interp.interpret(
        linear_head, inputs, {method: {"contrast": contrast}}, target="bee", class_names=NAMES,
        save=tmp_path, log=False, quiet=True,
    )[method]  # fmt: skip
    loaded = mlflow_interp.load(tmp_path / method)
    one, other = found.result, loaded.result
    assert repr(one.table()) == repr(other.table())  # in which NaN equals itself
    assert one.explained.contrast == other.explained.contrast
    assert {name: array.tolist() for name, array in one.explained.arrays().items()} == {
        name: array.tolist() for name, array in other.explained.arrays().items()
    }
    assert ("contrast" in one.table()) == (contrast is not None)
    assert found.manifest["parameters"]["contrast"] == contrast
    assert ("contrast" in found.manifest["resolved"]) == (contrast is not None)


@pytest.mark.parametrize(
    ("contrast", "phrase", "rows"),
    [
        ("runner-up", "the runner-up", None),
        ("others", "all other classes", ["bee, not others"] * 7),
        ("cat", "cat", ["bee, not cat"] * 7),
        ("cat,dog,ant", "cat, dog or ant", ["bee, not cat, dog or ant"] * 7),
        (None, "", ["bee"] * 7),
    ],
)
@pytest.mark.parametrize("method", ["gradcam", "saliency"])
@pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")
def test_figure_and_pages_name_the_contrast(linear_head, inputs, method, contrast, phrase, rows):
    found = mlflow_interp.interpret(
        linear_head, inputs[..., :1] * np.ones(2, np.float32), method, target="bee", contrast=contrast,
        class_names=NAMES, log=False, quiet=True,
    )[method]  # fmt: skip
    predicted = found.examples.classes
    if rows is None:
        runner_up = np.where(predicted[:, 0] == 1, predicted[:, 1], predicted[:, 0])
        rows = [f"bee, not {NAMES[each]}" for each in runner_up]
    figure = found.draw()
    check_texts(figure)
    texts = [text.get_text() for text in figure.findobj(Text)]
    title = next(text for text in texts if text.startswith(found.title))
    assert title.split(" (")[0].endswith(f", contrasted with {phrase}") == bool(phrase)
    lines = [prediction_lines(found.explained, row)[0][0] for row in range(7)]
    assert lines == [f"explains {each}" for each in rows]
    assert len([text for text in texts if text.startswith("explains")]) == 7
    caption = " ".join(texts).replace("\n", " ")
    if phrase:
        assert f"the explained class {'over' if method == 'gradcam' else 'minus that of'} {phrase}" in caption
    kind = kind_of(method)
    view = kind.view(found.result)
    assert [row["target"] for row in view.inputs] == rows
    if view.heat is not None:
        assert view.heat["targets"] == rows
        assert (view.heat["others"] is None) == bool(contrast)
    page = kind.page(found.result)
    assert all(f'"target": "{each}"' in page for each in rows)


def test_class_names_of_any_kind_are_drawn(linear_head, inputs, batch_of):
    names = ["<b>", "two\nlines $x^2$", "n" * 300, "=1+1"]
    batch = batch_of(linear_head, inputs[:2], class_names=names)
    for method in ("gradcam", "saliency"):
        result = run_method(method, linear_head, batch, target=0, contrast=[1, 2, 3])
        check_texts(kind_of(method).draw(result))


def test_perturbation_explains_the_difference(inputs, batch_of):
    """Occlusion of a linear score by single patches: contributions with the difference of weights."""
    model = keras.Sequential([keras.Input((6, 6, 2)), layers.Flatten(), layers.Dense(4)])
    weights = np.random.default_rng(2).normal(size=(72, 4)).astype(np.float32)
    model.layers[-1].set_weights([weights, np.float32([1, 2, 3, 4])])
    options = {"target": 1, "contrast": [0, 3], "patch": 1, "stride": 1, "baseline": 0}
    result = run_method("occlusion", model, batch_of(model, inputs), **options)
    difference = (weights[:, 1] - weights[:, [0, 3]].mean(axis=1)).reshape(6, 6, 2)
    np.testing.assert_allclose(result.heatmaps, (inputs * difference).sum(axis=-1), atol=1e-4)
    assert result.explained.contrasts.tolist() == [[0, 3]] * len(inputs)
    # A softmax of such logits: RISE of the difference of probabilities is the difference of both maps.
    rise = {
        contrast: run_method(
            "rise",
            model,
            batch_of(model, inputs),
            target=1,
            contrast=contrast,
            random_masks=20,
            cells=3,
            baseline=0,
        ).heatmaps
        for contrast in (None, 3)
    }
    other = run_method(
        "rise", model, batch_of(model, inputs), target=3, random_masks=20, cells=3, baseline=0
    ).heatmaps
    np.testing.assert_allclose(rise[3], rise[None] - other, atol=1e-5)
