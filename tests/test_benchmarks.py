"""Benchmarks run: they use internal parts of the package, and could otherwise break unnoticed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import MEASUREMENTS

ROOT = Path(__file__).parent.parent
PARTS = {"__init__", "__main__", "running", "timing"}
FILES = {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - PARTS
#: Arguments of those that use internal parts; the others use the public API.
SMALLEST = {
    "gradcam": "--trial --rounds 1 --images 2",
    "cams": "--trial --rounds 1 --images 2",
    "perturbation": "--trial --rounds 1 --images 2",
    "quality": "--trial --rounds 1 --images 2",
    "compare": "--trial --rounds 1 --images 4",
    "saliency": "--trial --rounds 1 --peer-rounds 0 --images 1",
    "caricature": "--only steps --rounds 1 --photographs 1 --layers early",
    "feature_visualization": "--trial --rounds 1",
    "umap": "--rounds 1 --sizes 50",
    "nearest_examples": "--trial --rounds 1 --images 12 --reference 50",
    "confusion_matrix": "--rounds 1 --count 1000 --classes 10",
}
#: Runs all in one process, because importing TensorFlow takes longer than most of them.
ALL = r"""
import json, runpy, sys
for name, arguments in json.loads(sys.argv[1]).items():
    print(f"\0{name}")
    sys.argv = [name, *arguments.split()]
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")
"""


def run(arguments):
    """The output of Python in a separate process."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_benchmark_is_listed():
    assert {measurement.split()[0] for measurement in MEASUREMENTS} == FILES


def test_benchmarks_can_be_imported():
    """In a separate process, because they set environment variables."""
    run(["-c", f"import {', '.join(f'benchmarks.{name}' for name in sorted(FILES))}"])


@pytest.mark.slow
def test_benchmarks_run():
    _, *printed = run(["-c", ALL, json.dumps(SMALLEST)]).split("\0")
    printed = {name: text for name, _, text in (each.partition("\n") for each in printed)}
    assert all("÷ floor" in printed[name] for name in SMALLEST)
