"""How often the default gate fails for versions that are equally good."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gate import GATE, decided, simulated

DRAWS = 500


def test_simulated_versions_are_as_stated() -> None:
    """Equal accuracy of 0.9 and a churn of 0.1; or a drop of 0.05 with the same churn."""
    for drop in (0.0, 0.05):
        found = simulated(100_000, np.random.default_rng(0), drop=drop)
        assert found.right.mean(axis=0) == pytest.approx([0.9, 0.9 - drop], abs=0.005)
        assert found.changed.mean() == pytest.approx(0.1, abs=0.005)
    one_class = simulated(100_000, np.random.default_rng(0), class_drop=0.2)
    drops = {label: one_class.class_drops(range(10))[label].value for label in (0, 1)}
    assert drops == pytest.approx({0: 0.2, 1: 0}, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("count", [500, 5_000])
def test_equal_versions_seldom_fail(count: int) -> None:
    found = decided(count, DRAWS)
    assert set(found) == {"accuracy_drop", "class_accuracy_drop", "negative_flips", GATE}
    assert found[GATE]["failed"] <= 0.05
    assert found["negative_flips"]["failed"] == 0
