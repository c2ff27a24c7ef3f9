"""Fuzz the loaders of images, arrays and class names: a result or an InterpretationError, nothing else.

Run as `python -m tests.fuzz.loaders pictures tests/fuzz/corpus/pictures -max_total_time=60`; `make fuzz`
runs all three. Needs atheris, which has wheels for some Python versions only.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris
import numpy as np

INSTRUMENTED = ["PIL", "numpy.lib._format_impl", "numpy.lib._npyio_impl", "zipfile", "json", "mlflow_interp"]

with atheris.instrument_imports(include=INSTRUMENTED):
    from mlflow_interp.core.annotations import annotate
    from mlflow_interp.data.array_files import open_rows
    from mlflow_interp.data.class_names import load_class_names
    from mlflow_interp.data.images import read_image
    from mlflow_interp.data.labels import read_column
    from mlflow_interp.data.resizing import Resizing
    from mlflow_interp.data.sources import ArrayRows, find_inputs, find_source
    from mlflow_interp.exceptions import InputsError, InterpretationError

FOLDER = Path(tempfile.mkdtemp(prefix="mlflow-interp-fuzz-"))


def written(name: str, content: bytes) -> Path:
    """A file with this content."""
    path = FOLDER / name
    path.write_bytes(content)
    return path


def pictures(content: bytes) -> None:
    """Read bytes as an image, at its own size and resized."""
    path = written("a.png", content)
    pixels = read_image(path, size=None, channels=3).pixels
    assert pixels.dtype == "uint8"
    assert pixels.shape[2] == 3
    assert read_image(path, size=(5, 7), channels=1, resizing=Resizing("pad")).pixels.shape == (5, 7, 1)


def arrays(content: bytes) -> None:
    """Read bytes as an .npy or .npz file of inputs and labels."""
    suffix = "npz" if content[:2] == b"PK" else "npy"
    source = find_source(
        find_inputs(str(written(f"a.{suffix}", content))), None, batch_size=8, most=None, takes=None
    )
    assert isinstance(source, ArrayRows)
    assert source.inputs.dtype.kind in "biuf"
    with open_rows(source.inputs) as take:
        assert len(take(np.arange(min(8, len(source.inputs))))) == min(8, len(source.inputs))
    annotations, _ = annotate(source.labels, len(source.inputs), None)
    assert len(annotations.labels) == len(source.inputs)


def classes(content: bytes) -> None:
    """Read bytes as class names in JSON and in text, and as labels."""
    for name in ("c.json", "c.txt"):
        try:
            names = load_class_names(written(name, content))
        except InputsError:
            continue
        assert names
        assert all(isinstance(name, str) and name.strip() for name in names)
    for name in ("l.txt", "l.csv"):
        column = read_column(written(name, content), "labels")
        annotate(column, len(column), ("cat", "dog"))


TARGETS: dict[str, Callable[[bytes], None]] = {"pictures": pictures, "arrays": arrays, "classes": classes}


def only_our_errors(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The target without the errors meant for users; any other error is a finding."""

    def run(content: bytes) -> None:
        try:
            target(content)
        except InterpretationError:
            return

    return run


def main() -> None:
    """Fuzz the target named first, with libFuzzer's own options after it."""
    warnings.simplefilter("ignore")
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, only_our_errors(TARGETS[name]))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
