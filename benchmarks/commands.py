"""The time of whole commands in the shell: `python -m benchmarks.commands`.

In turn: a bare script that loads a registered model, predicts six photographs, draws a figure and logs it;
`mlflow-interp gradcam` for the same; its error for a path that does not exist; `--help`; and Python that only
imports TensorFlow and MLflow. Each is a separate process that finds compiled bytecode on disk;
`--without-bytecode` shows the cost of PYTHONDONTWRITEBYTECODE without it.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from benchmarks.timing import Timing, table

_IMPORTS = "import mlflow, tensorflow"
_BARE = """
import sys, glob
import mlflow, numpy as np
from matplotlib.figure import Figure
from PIL import Image
model = mlflow.keras.load_model(sys.argv[1])
paths = sorted(glob.glob(sys.argv[2] + "/*"))
pixels = [np.asarray(Image.open(path).convert("RGB").resize((224, 224))) for path in paths]
inputs = (np.stack(pixels).astype("float32") - 127) / 128
classes = model.predict(inputs, verbose=0).argmax(axis=1)
figure = Figure(figsize=(9, 6))
for at, (picture, name) in enumerate(zip(pixels, classes)):
    axes = figure.add_subplot(2, 3, at + 1, title=str(name))
    axes.imshow(picture)
with mlflow.start_run():
    mlflow.log_figure(figure, "figure.png")
"""


def commands(model: str, photographs: Path) -> dict[str, Sequence[str]]:
    """The measured commands, by name."""
    python, tool = sys.executable, [sys.executable, "-m", "mlflow_interp"]
    return {
        "a bare script: load, predict, draw, log": [python, "-c", _BARE, model, str(photographs)],
        "`mlflow-interp gradcam`": [*tool, "gradcam", model, str(photographs), "--quiet"],
        "`mlflow-interp gradcam` of a path that is not there": [*tool, "gradcam", "nowhere.keras", "nowhere"],
        "`mlflow-interp --help`": [*tool, "--help"],
        "`import mlflow, tensorflow` alone": [python, "-c", _IMPORTS],
    }


def measure(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Wall and CPU seconds of a process, including its children."""
    wall, cpu = time.perf_counter(), _cpu_of_children()
    subprocess.run(command, env=dict(environment), capture_output=True, check=False)
    return time.perf_counter() - wall, _cpu_of_children() - cpu


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-bytecode", action="store_true", help="Neither read nor write it.")
    options = parser.parse_args()
    import mlflow

    from examples.demo import log_classifier
    from examples.pretrained import save_photographs

    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        mlflow.set_tracking_uri(uri)
        mlflow.set_experiment("benchmark")
        model = f"models:/imagenet-classifier/{log_classifier()}"
        save_photographs(Path(folder) / "photos")
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"MLFLOW_TRACKING_URI": uri}
        if options.without_bytecode:
            nowhere = str(Path(folder) / "bytecode")
            environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": nowhere}
        work = commands(model, Path(folder) / "photos")
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
        for round_ in range(options.rounds + 1):  # the first is not counted
            for name, command in work.items():
                measured = measure(command, environment)
                seconds[name] += [measured] if round_ else []
    timings = {name: Timing(*np.array(pairs).T) for name, pairs in seconds.items()}
    print(table(timings, next(iter(timings))))


if __name__ == "__main__":
    main()
