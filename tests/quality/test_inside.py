"""How much of a map lies inside a region, on maps whose answer is counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.quality.inside import mass_inside, maximum_inside

MAP = np.array([[3.0, 1.0, -5.0], [0.0, 4.0, 2.0]])


def region(*positions: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(MAP.shape, bool)
    for position in positions:
        mask[position] = True
    return mask


def test_mass_is_the_share_of_positive_heat() -> None:
    assert mass_inside(MAP, region((0, 0), (0, 2))) == pytest.approx(0.3)  # 3 of 10; -5 does not count
    assert mass_inside(MAP, np.ones(MAP.shape, bool)) == 1


def test_uniform_heat_has_the_share_of_the_region_inside() -> None:
    assert mass_inside(np.ones((2, 3)), region((0, 0), (1, 1))) == pytest.approx(2 / 6)


def test_maximum() -> None:
    assert maximum_inside(MAP, region((1, 1))) == 1
    assert maximum_inside(MAP, region((0, 0), (1, 2))) == 0
    assert maximum_inside(np.array([[1.0, 1.0, 0.0, 1.0]]), np.array([[True, False, True, False]])) == (
        pytest.approx(1 / 3)
    )


def test_a_map_without_positive_heat_has_no_answer() -> None:
    assert np.isnan(mass_inside(-np.ones((2, 3)), region((0, 0))))
    assert np.isnan(maximum_inside(np.zeros((2, 3)), region((0, 0))))
