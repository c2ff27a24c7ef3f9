"""Colours of classes can be told apart by people who lack one kind of cones, and from what is around them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mlflow_interp.drawing.palette import UNKNOWN_COLOUR, class_colours, class_markers
from mlflow_interp.drawing.style import INK

# Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency", the tables for severity 1.0; of linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
# sRGB to CIE XYZ, D65.
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def lab(colours, sight):
    """CIE Lab (D65) of hex colours, as seen."""
    rgb = np.array([[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ SIGHT[sight].T, 0, 1)
    relative = seen @ XYZ.T / XYZ.sum(axis=1)
    cube = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = cube.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def distances(colours, others, sight):
    return np.linalg.norm(lab(colours, sight)[:, np.newaxis] - lab(others, sight), axis=2)


def test_lab_is_what_tables_say():
    np.testing.assert_allclose(
        lab(["#ffffff", "#ff0000"], "normal"), [[100, 0, 0], [53.24, 80.09, 67.2]], atol=0.02
    )


@pytest.mark.parametrize("sight", SIGHT)
def test_ten_colours_differ_from_each_other_and_from_what_is_around_them(sight):
    colours = class_colours(10)
    apart = distances(colours, colours, sight)[np.triu_indices(10, 1)]
    assert apart.min() > 25
    assert distances(colours, ["#ffffff"], sight).min() > 30  # the background
    assert distances(colours, [INK], sight).min() > 30  # the rings around wrong predictions
    assert distances(colours, [UNKNOWN_COLOUR], sight).min() > 20
    assert distances(colours, ["#0d1117"], sight).min() > 30  # a page in dark mode


@pytest.mark.parametrize("sight", SIGHT)
def test_the_fewer_classes_the_further_apart(sight):
    apart = [
        min(
            distances([one], [other], sight)[0, 0]
            for one, other in itertools.combinations(class_colours(n), 2)
        )
        for n in range(2, 11)
    ]
    assert apart == sorted(apart, reverse=True)
    assert apart[1] > 45


def test_no_two_are_grey_or_orange():
    _, a, b = lab(class_colours(10), "normal").T
    assert np.hypot(a, b).min() > 30
    hues = np.degrees(np.arctan2(b, a)) % 360
    chroma = np.hypot(a, b)
    assert ((hues > 45) & (hues < 75) & (chroma > 50)).sum() == 1


def test_colours_do_not_depend_on_how_many_classes_there_are():
    assert class_colours(70)[:10] == class_colours(10)


def test_beyond_ten_classes_a_colour_and_a_marker_together_are_unique():
    for count in (11, 40, 70):
        pairs = list(zip(class_colours(count), class_markers(count), strict=True))
        assert len(set(pairs)) == len(set(class_colours(count))) == count
    assert len(set(class_markers(40))) == 4
    # Of the classes with one marker, any two have different colours of the ten.
    assert set(class_markers(10)) == {"o"}
