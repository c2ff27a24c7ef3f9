"""Heatmaps compared with marked regions: numbers that follow from the weights of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.exceptions import InputsError, InterpretationWarning

LEFT = np.zeros((4, 8, 8), bool)
LEFT[:, :, :4] = True
LEFT[3] = False


@pytest.fixture
def linear() -> Any:
    """Class 0 is three times the left half plus the right half; class 1 the opposite."""
    import keras

    weights = np.ones((8, 8, 1, 2), np.float32)
    weights[:, :4] = 3, -3
    weights[:, 4:] = 1, -1
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.layers[-1].set_weights([weights.reshape(64, 2), np.zeros(2)])
    return model


@pytest.fixture
def ones() -> np.ndarray:
    """Four inputs of ones."""
    return np.ones((4, 8, 8, 1), np.float32)


def test_share_of_contributions(linear: Any, ones: np.ndarray) -> None:
    """Contributions are 3 on the left and 1 on the right, so that three quarters lie on the left."""
    found = mlflow_interp.visualize_saliency(
        linear, ones, target=0, masks=LEFT, head="logits", log=False, quiet=True, noise_samples=2
    )
    metrics = found.metrics
    assert metrics["mass_inside/integrated_gradients"] == pytest.approx(0.75, abs=1e-6)
    assert metrics["mass_inside/gradients_times_inputs"] == pytest.approx(0.75, abs=1e-6)
    assert metrics["pointing_game/integrated_gradients"] == 1
    assert metrics["region_share"] == 0.5
    arrays = found.result.arrays()
    assert arrays["mass_inside/gradients"][3] == UNKNOWN
    assert found.result.table()["mass_inside/gradients"][2:] == [pytest.approx(0.75), None]


def test_of_the_other_class_nothing_lies_inside(linear: Any, ones: np.ndarray) -> None:
    """All contributions to class 1 are negative."""
    found = mlflow_interp.visualize_occlusion(
        linear, ones, target=1, masks=LEFT, head="logits", baseline=0, log=False, quiet=True
    )
    assert found.metrics["region_share"] == 0.5
    assert "mass_inside" not in found.metrics


def test_coarse_maps_are_compared_at_the_positions_of_the_input(tiny_cnn: Any, pixels: np.ndarray) -> None:
    """A map of 4×4 against masks of 8×8; everything inside, then complementary halves."""
    shares = []
    for mask in (
        np.ones((5, 8, 8)),
        np.tile(np.arange(8) < 4, (5, 8, 1)),
        np.tile(np.arange(8) >= 4, (5, 8, 1)),
    ):
        found = mlflow_interp.visualize_gradcam(tiny_cnn, pixels, masks=mask, log=False, quiet=True, target=1)
        assert found.result.heatmaps.shape == (5, 4, 4)
        shares.append(found.result.arrays()["mass_inside"])
    np.testing.assert_allclose(shares[0], np.where(shares[0] == UNKNOWN, UNKNOWN, 1), atol=1e-6)
    known = shares[0] != UNKNOWN
    assert known.any()
    np.testing.assert_allclose((shares[1] + shares[2])[known], 1, atol=1e-6)


def test_methods_share_the_regions_and_restore_them(
    tiny_cnn: Any, pixels: np.ndarray, tmp_path: Path
) -> None:
    """A method without a class, one of many passes on a selection, and one that makes no maps."""
    masks = np.random.default_rng(0).random((5, 8, 8)) < 0.5
    methods = {"gradcam": {}, "eigencam": {}, "saliency": {"noise_samples": 2}, "umap": {}}
    found = mlflow_interp.interpret(
        tiny_cnn, pixels, methods, masks=masks, save=str(tmp_path), log=False, quiet=True
    )
    shares = {
        name: each.result.arrays().get("region_share") for name, each in found.items() if name != "umap"
    }
    for share in shares.values():
        np.testing.assert_allclose(share, masks.mean(axis=(1, 2)), atol=1e-6)
    assert "region_share" not in found["umap"].metrics
    for name, each in found.items():
        if name == "umap":
            continue
        restored = mlflow_interp.load(str(tmp_path / name))
        assert restored.result.metrics() == pytest.approx(each.metrics)
        assert (each - restored).metrics["region_share"] == 0


def test_quality_tells_it_of_each_method(tiny_cnn: Any, pixels: np.ndarray) -> None:
    with pytest.warns(InterpretationWarning, match="too few for a verdict"):
        found = mlflow_interp.visualize_quality(
            tiny_cnn, pixels, of="gradcam,occlusion", masks=np.ones((5, 8, 8)), log=False, quiet=True
        )
    assert found.metrics["mass_inside/occlusion"] == pytest.approx(1)
    assert found.metrics["pointing_game/occlusion"] == 1


def test_masks_with_other_axes_than_the_maps(tiny_cnn: Any, pixels: np.ndarray) -> None:
    with pytest.raises(InputsError, match=r"masks of 8 positions don't fit heatmaps of 4×4"):
        mlflow_interp.visualize_gradcam(tiny_cnn, pixels, masks=np.ones((5, 8)), log=False, quiet=True)


def test_batches_change_nothing(tiny_cnn: Any, pixels: np.ndarray) -> None:
    masks = np.random.default_rng(0).random((5, 8, 8)) < 0.5
    arrays = [
        mlflow_interp.visualize_gradcam(
            tiny_cnn, pixels, masks=masks, batch_size=size, log=False, quiet=True
        ).result.arrays()["mass_inside"]
        for size in (1, 5)
    ]
    np.testing.assert_allclose(*arrays, atol=1e-5)


def test_regions_without_heatmaps_are_named(linear: Any, ones: np.ndarray) -> None:
    """A method without heatmaps can't use masks, which is said; with one that can, nothing is."""
    with pytest.warns(InterpretationWarning, match="masks is not used, as no method of this call makes heat"):
        mlflow_interp.visualize_confusion_matrix(
            linear, ones, labels=[0, 0, 1, 1], masks=LEFT, head="logits", log=False, quiet=True
        )
    found = mlflow_interp.interpret(
        linear, ones, "confusion_matrix,occlusion", labels=[0, 0, 1, 1], masks=LEFT, head="logits",
        baseline=0, log=False, quiet=True,
    )  # fmt: skip
    warned = [each for made in found.values() for each in made.manifest["warnings"]]
    assert not [each for each in warned if "not used" in each]
