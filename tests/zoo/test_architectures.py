"""A small part of the zoo, and a check that the table in the docs is complete."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.running import methods_for_convolutions
from tests.zoo import architectures, table, trial

DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def test_architectures_come_from_the_package():
    names = architectures.names()
    assert len(names) >= 40
    assert {"VGG16", "NASNetLarge", "ConvNeXtXLarge"} <= set(names)
    assert (architectures.smallest_side("VGG16"), architectures.smallest_side("InceptionV3")) == (32, 75)
    assert architectures.preprocessing("EfficientNetB0") == "efficientnet"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_small_architecture_passes(small):
    """UMAP has separate tests; here it would compile for half a minute."""
    methods = [name for name in methods_for_convolutions() if name != "umap"]
    found = trial.attempt(methods, small, "mobilenet_v3")
    assert found == {name: {"outcome": "pass", "message": ""} for name in methods}


@pytest.fixture(scope="module")
def small():
    model = architectures.build("MobileNetV3Small")
    architectures.set_batch_statistics(model, trial.photographs(32).astype(np.float32))
    return model


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((12, 2, 2), np.nan), "not finite"),
        (np.ones((12, 2, 2)), "only 0% of the maps with heat vary"),
        (np.zeros((12, 2, 2)), "all maps are empty"),
    ],
)
def test_constant_or_non_finite_results_do_not_pass(values, message):
    class Result:
        heatmaps = values

    with pytest.raises(AssertionError, match=message):
        trial.check_heatmaps(Result(), (12, 32, 32, 3))


def test_table_has_every_architecture_and_no_failure():
    text = DOCS.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "×" in line]
    names = [row.split(" | ")[0].removeprefix("| ") for row in rows]
    assert names == architectures.names()
    assert (
        f"{len(names)} of {len(names)} architectures: {7 * len(names)} pass, 0 not applicable, 0 fail" in text
    )
    assert not [row for row in rows if "fail" in row]


def test_table_shows_the_messages_for_users():
    fared = {name: {"outcome": "pass", "message": ""} for name in methods_for_convolutions()}
    fared["gradcam"] = {"outcome": "not applicable", "message": "no space"}
    made = {"name": "Net", "side": 32, "parameters": 1_250_000, "methods": fared, "seconds": 6.2}
    text = table.filled("before\n<!-- zoo -->\n<!-- end -->\nafter", [json.loads(json.dumps(made))])
    assert f"architectures: {len(fared) - 1} pass, 1 not applicable, 0 fail" in text
    outcomes = " | ".join(each["outcome"] for each in fared.values())
    assert f"| Net | 32×32 | 1.2 M | {outcomes} | 6 s |" in text
    assert "- Net, gradcam, not applicable: no space" in text
    assert text.endswith("<!-- end -->\nafter")
    assert not table.failed([made])
