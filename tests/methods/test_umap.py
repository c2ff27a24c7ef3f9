"""UMAP: layouts reflect the layer, are comparable and reproducible; unsuitable inputs are rejected."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from click.testing import CliRunner

import mlflow_interp
from mlflow_interp.cli import main
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.exceptions import InapplicableError, InputsError, OptionError
from mlflow_interp.kinds.embedding.quality import label_agreement
from tests.running import umap

FEW = {"n_epochs": 30}


def agreement(points, labels):
    return label_agreement(points, labels, np.arange(len(labels)), metric="euclidean")


@pytest.fixture(scope="module")
def batch(digits, batch_of):
    model, pixels, labels = digits
    return batch_of(model, pixels, labels=labels)


@pytest.fixture(scope="module")
def batch_of():
    from mlflow_interp.data.prepare import load_inputs
    from mlflow_interp.models.load import load_model

    return lambda model, inputs, **options: load_inputs(inputs, load_model(model), **options)


@pytest.fixture(scope="module")
def found(digits, batch):
    """Two layers of the digits network, used by several tests."""
    return umap(digits[0], batch, layers="input,features", n_epochs=100)


def test_classes_are_separated_at_the_features_but_not_at_the_input(digits, found):
    """The mean grey value of a digit says little about its class; the layer before the head, nearly all."""
    at_input, at_features = found.measures["knn_agreement"]
    assert at_features > 0.9
    assert at_input < 0.3
    assert agreement(found.embeddings[:, 1], digits[2]) > 0.85
    assert agreement(found.embeddings[:, 0], digits[2]) < 0.3
    assert found.measures["trustworthiness"][1] > 0.95
    assert found.warnings() == [
        "At layer 'input', pooling leaves 1 number for each input, so the map shows little of what the layer "
        "represents. Use pooling='flatten' to keep all values"
    ]


def test_flattened_pixels_keep_what_their_mean_loses(digits, batch):
    result = umap(digits[0], batch, layers="input", pooling="flatten", **FEW)
    assert result.measures["knn_agreement"][0] > 0.9
    assert result.warnings() == []


def test_few_features_are_warned_of_only_where_pooling_leaves_them(tiny_cnn, batch_of, tmp_path):
    """The colour channels of an image are few; so are three outputs, but they are all there are."""
    pixels = np.random.default_rng(0).random((12, 8, 8, 3), dtype=np.float32)
    options = {"layers": "input,first,head", "n_neighbors": 5, "cache": str(tmp_path), **FEW}
    first, cached = (umap(tiny_cnn, batch_of(tiny_cnn, pixels), **options) for _ in range(2))
    assert dict(first.reduced) == dict(cached.reduced) == {"input": 3}
    assert "pooling leaves 3 numbers for each input" in first.warnings()[0]


def test_result_describes_itself(digits, batch, found):
    model, pixels, labels = digits
    assert found.embeddings.shape == (600, 2, 2)
    assert found.layers == ("input", "features")
    assert found.fitted.all()
    assert found.resolved == {"layers": "input,features", "n_neighbors": 15, "n_epochs": 100}
    np.testing.assert_array_equal(found.examples.labels, labels)
    np.testing.assert_array_equal(found.examples.classes[:, 0], model.predict(pixels, verbose=0).argmax(1))
    accuracy = (found.examples.classes[:, 0] == labels).mean()
    assert found.metrics()["accuracy"] == pytest.approx(accuracy)
    assert found.metrics()["knn_agreement"] == pytest.approx(found.measures["knn_agreement"].mean())
    assert found.metrics()["knn_agreement/features"] == found.measures["knn_agreement"][1]
    table = found.table()
    assert table["x at input"] == found.embeddings[:, 0, 0].tolist()
    assert table["y at features"] == found.embeddings[:, 1, 1].tolist()
    assert table["label"][:3] == [str(label) for label in labels[:3]]
    assert found.thumbnails.shape == (600, 8, 8, 3)


def test_layout_is_determined_by_the_seed(digits, batch):
    first, again, other = (umap(digits[0], batch, **FEW, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.embeddings, again.embeddings)
    assert not np.allclose(first.embeddings, other.embeddings, atol=0.2)


def test_without_a_seed_all_cores_are_used(digits, batch):
    assert umap(digits[0], batch, **FEW, seed=None).measures["trustworthiness"][0] > 0.9


@pytest.mark.parametrize("components", [1, 3])
def test_one_and_three_components(digits, batch, components):
    result = umap(digits[0], batch, n_components=components, **FEW)
    assert result.embeddings.shape == (600, 1, components)
    assert [name for name in result.table() if name in "xyz"] == list("xyz"[:components])


def test_supervised_layout_separates_labels(digits, batch):
    plain, pulled = (
        umap(digits[0], batch, layers="first", n_epochs=100, supervised=each) for each in (False, True)
    )
    labels = digits[2]
    assert agreement(pulled.embeddings[:, 0], labels) > agreement(plain.embeddings[:, 0], labels) + 0.2
    # Metrics of the layer do not change.
    np.testing.assert_array_equal(plain.measures["knn_agreement"], pulled.measures["knn_agreement"])


def test_inputs_beyond_max_fit_are_placed_among_a_proportional_sample(digits, batch):
    labels = digits[2]
    result = umap(digits[0], batch, max_fit=200, **FEW)
    assert result.fitted.sum() == 200
    shares = np.bincount(labels[result.fitted], minlength=10) - np.bincount(labels, minlength=10) / 3
    assert (np.abs(shares) <= 1).all()
    points = result.embeddings[:, 0]
    assert np.isfinite(points).all()
    nearest = ((points[~result.fitted][:, np.newaxis] - points[result.fitted]) ** 2).sum(-1).argmin(1)
    assert (labels[result.fitted][nearest] == labels[~result.fitted]).mean() > 0.75


def test_without_labels_only_the_layout_is_measured(digits, batch_of):
    model, pixels, _ = digits
    result = umap(model, batch_of(model, pixels[:60]), **FEW)
    assert (result.examples.labels == UNKNOWN).all()
    assert set(result.metrics()) == {"inputs", "trustworthiness"}


def spread(points):
    return np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean())


def shift(before, after):
    """Mean displacement of the points, relative to their mean distance."""
    return np.sqrt(((before - after) ** 2).sum(axis=1).mean()) / spread(before)


def test_aligned_points_keep_their_positions(digits, batch, batch_of):
    """New inputs are placed among the old ones."""
    model, pixels, labels = digits
    first = umap(model, batch)
    aligned = umap(model, batch, align=first.embeddings, seed=1)
    assert aligned.resolved["n_epochs"] == 100
    assert aligned.resolved["learning_rate"] == 0.25
    near = shift(first.embeddings[:, 0], aligned.embeddings[:, 0])
    # Without alignment, two layouts may be similar by chance; three are not.
    alone = [umap(model, batch, seed=seed).embeddings[:, 0] for seed in (1, 2, 3)]
    assert near < 0.4
    assert near < 0.75 * max(shift(first.embeddings[:, 0], each) for each in alone)
    assert aligned.measures["trustworthiness"] > first.measures["trustworthiness"] - 0.01
    fewer = umap(model, batch_of(model, pixels[:400], labels=labels[:400]))
    more = umap(model, batch, align=fewer.embeddings)
    assert shift(fewer.embeddings[:, 0], more.embeddings[:400, 0]) < 0.4
    assert agreement(more.embeddings[:, 0], labels) > 0.85


def test_layout_can_be_aligned_with_a_saved_interpretation(digits, tmp_path, store):
    model, pixels, labels = digits
    given = {"labels": labels[:100], "quiet": True}
    first = mlflow_interp.visualize_umap(model, pixels[:100], **given)
    for align in (first.save(tmp_path), f"runs:/{first.run_id}/{first.artifact_path}"):
        second = mlflow_interp.visualize_umap(model, pixels[:100], **given, align=align, log=False)
        assert shift(first.embeddings[:, 0], second.embeddings[:, 0]) < 0.45
        assert str(second.manifest["given"]["align"]) == str(align)
    with pytest.raises(InputsError, match="no arrays can be read from"):
        mlflow_interp.visualize_umap(model, pixels[:100], **given, align=tmp_path / "none", log=False)


def test_cache_gives_the_same_result(digits, batch, tmp_path, capsys):
    first, second = (umap(digits[0], batch, cache=str(tmp_path), **FEW) for _ in range(2))
    np.testing.assert_array_equal(first.embeddings, second.embeddings)
    with mlflow_interp.progress.shown(True):
        umap(digits[0], batch, cache=str(tmp_path), **FEW)
    assert f"activations read from {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_neighbors": 30}, InputsError, r"n_neighbors is 30, but there are 20 inputs.*at most 19"),
        ({"metric": "nonsense"}, OptionError, "umap-learn rejects .*metric=nonsense"),
        ({"metric_kwds": "{p: 3}"}, OptionError, "metric_kwds is '{p: 3}'; give a JSON object"),
        ({"align": np.zeros((20, 3))}, OptionError, r"align is an embedding of shape \(20, 1, 3\)"),
        ({"align": np.zeros((20, 2, 2))}, OptionError, "align has 2 layers, but layers= selects 1"),
        ({"cache": "/proc/none"}, OptionError, "cache '/proc/none' can't be used"),
        ({"max_fit": 5}, OptionError, "max_fit is 5; give 10 or more"),
        ({"n_components": 4}, OptionError, "n_components is 4"),
        ({"layers": "nothing"}, OptionError, "no layer 'nothing'"),
        ({"pooling": "sum"}, OptionError, "no pooling 'sum'"),
    ],
)
def test_invalid_options_are_rejected(digits, batch_of, options, error, message):
    model, pixels, _ = digits
    with pytest.raises(error, match=message):
        umap(model, batch_of(model, pixels[:20]), **options)


def test_too_few_inputs_are_rejected(digits, batch_of):
    model, pixels, _ = digits
    with pytest.raises(InapplicableError, match="UMAP needs at least 5 inputs, but there are 4"):
        umap(model, batch_of(model, pixels[:4]))


def test_identical_inputs_are_rejected(digits, batch_of):
    model, pixels, _ = digits
    with pytest.raises(InputsError, match="layer 'features' has the same activations for all 20 inputs"):
        umap(model, batch_of(model, np.repeat(pixels[:1], 20, axis=0)))


def test_unreliable_layout_gives_a_warning(digits, batch_of):
    """Noise of 64 independent values has no faithful layout in the plane."""
    model, _, _ = digits
    noise = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 1), np.uint8)
    result = umap(model, batch_of(model, noise), layers="input", pooling="flatten", **FEW)
    (warning,) = result.warnings()
    assert "The layout of layer 'input' is unreliable (trustworthiness 0." in warning


@pytest.fixture
def umap_arguments(monkeypatch):
    """The arguments of the last `umap.UMAP`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap as umap_learn
    made = {}

    class Noting(umap_learn.UMAP):
        def __init__(self, **settings):
            made.clear()
            made.update(settings)
            super().__init__(**settings)

    monkeypatch.setattr(umap_learn, "UMAP", Noting)
    return made


def test_umap_learn_options_are_passed_from_the_command_line(digits, tmp_path, umap_arguments):
    model, pixels, _ = digits
    model.save(tmp_path / "digits.keras")
    np.save(tmp_path / "pixels.npy", pixels[:60])
    done = CliRunner().invoke(
        main,
        ["umap", str(tmp_path / "digits.keras"), str(tmp_path / "pixels.npy"), "--n_neighbors", "30",
         "--set_op_mix_ratio", "0.5", "--metric", "minkowski", "--metric-kwds", '{"p": 3}', "--densmap",
         "--n-epochs", "20", "--no-log", "--save", str(tmp_path / "out")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    expected = {
        "n_neighbors": 30,
        "set_op_mix_ratio": 0.5,
        "metric": "minkowski",
        "metric_kwds": {"p": 3},
        "densmap": True,
        "n_epochs": 20,
        "random_state": 0,
        "min_dist": 0.1,
        "n_components": 2,
    }
    assert umap_arguments == expected
    manifest = json.loads((tmp_path / "out" / "umap" / "manifest.json").read_text())
    assert manifest["parameters"]["set_op_mix_ratio"] == 0.5
    assert manifest["given"]["metric_kwds"] == '{"p": 3}'
    assert "learning_rate" not in manifest["parameters"]


def test_umap_learn_options_are_passed_from_python(digits, batch, umap_arguments):
    umap(digits[0], batch, **FEW, learning_rate=0.5, spread=2.0, metric_kwds=None)
    assert umap_arguments["learning_rate"] == 0.5
    assert umap_arguments["spread"] == 2.0
    assert "metric_kwds" not in umap_arguments
