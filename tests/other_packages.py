"""Packages that register methods, installed for a test."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlflow_interp import api, method_registry, options
from mlflow_interp.cli import method_commands

CALIBRATION = Path(__file__).parent / "packages" / "calibration"


def install(source: Path, folder: Path) -> Path:
    """Install a package into a folder that can be added to `sys.path`, and return it."""
    copy = folder / "source"
    shutil.copytree(source, copy)  # building writes files next to the sources
    target = folder / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, *offline, "--target", str(target), str(copy)], check=True)
    return target


def register(folder: Path, distribution: str, methods: Mapping[str, str], version: str = "1.0") -> None:
    """Write the metadata of an installed package that registers methods, without its code."""
    metadata = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    lines = [f"{name} = {value}" for name, value in methods.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[mlflow_interp.methods]", *lines, ""]))


@contextmanager
def on_path(folder: Path) -> Iterator[None]:
    """Make the packages installed in a folder available in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        _forget()
        yield
    _forget()


def _forget() -> None:
    """Search for methods again, as in a new process."""
    for module in (method_registry, options, api, method_commands):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
