"""A demo on one machine: interpret a classifier on photographs and a training, and compare two versions.

Run it with `make demo`, and view the results with `make demo-ui`. Everything it creates is in ./demo: a
SQLite tracking store, artifacts, photographs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from numpy import dtype

from mlflow_interp.backend.startup import import_quietly
from mlflow_interp.report.links import artifact_link

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "demo"
NAME, ALIAS, EXPERIMENT = "imagenet-classifier", "champion", "demo"


def use_local_store() -> str:
    """Point MLflow at a SQLite store and an artifact folder below ./demo, and return its URI."""
    FOLDER.mkdir(exist_ok=True)
    uri = f"sqlite:///{FOLDER / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        mlflow.create_experiment(EXPERIMENT, artifact_location=(FOLDER / "artifacts").as_uri())
    mlflow.set_experiment(EXPERIMENT)
    return uri


def register_classifier() -> str:
    """Register the pretrained classifier unless it exists, and return the version's URI."""
    client = MlflowClient()
    try:
        version = client.get_model_version_by_alias(NAME, ALIAS).version
    except MlflowException:
        version = log_classifier()
        client.set_registered_model_alias(NAME, ALIAS, version)
    return f"models:/{NAME}/{version}"


def log_classifier() -> str:
    """Log the classifier to its own run and return the registered version."""
    from examples.pretrained import efficientnet_lite0, imagenet_class_names

    pixels = Schema([TensorSpec(dtype("float32"), (-1, 224, 224, 3))])
    classes = Schema([TensorSpec(dtype("float32"), (-1, 1000))])
    with mlflow.start_run(run_name="EfficientNet-Lite0, pretrained"):
        info = mlflow.keras.log_model(
            efficientnet_lite0(),
            name="classifier",
            registered_model_name=NAME,
            signature=ModelSignature(pixels, classes),
            metadata={
                "class_names": imagenet_class_names(),
                "resize": "crop",
                "interpolation": "lanczos",
            },
            pip_requirements=["keras", "tensorflow"],
        )
    return str(info.registered_model_version)


#: What the demo runs: entry points and parameters, chosen to take a minute or two on two cores.
RUNS = {
    "main": ["-P", "methods=gradcam,saliency", "-P", "noise_samples=2"],
    "caricature": [
        "-P",
        "layers=stem_relu,block9_expand_relu,head_relu",
        "-P",
        "ascent_steps=64",
        "-P",
        "max_inputs=2",
    ],
}


def interpret(entry_point: str, parameters: list[str], model: str, uri: str) -> None:
    """Run an entry point on the photographs with `mlflow run`, as a user would."""
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "run",
        str(PROJECT),
        "-e",
        entry_point,
        "--env-manager",
        "local",
    ]
    command += ["--experiment-name", EXPERIMENT, "-P", f"model={model}", "-P", f"inputs={FOLDER / 'photos'}"]
    command += parameters
    print("$ mlflow", *command[3:], flush=True)
    # `python` in the project's command must be the one that runs this.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri, "PATH": path}
    # An experiment set in this process must not apply to `mlflow run`, which names its own.
    environment.pop("MLFLOW_EXPERIMENT_ID", None)
    subprocess.run(command, check=True, env=environment)


def interpreted_runs() -> list[Run]:
    """The latest runs with interpretations, the oldest first."""
    found = mlflow.search_runs(
        experiment_names=[EXPERIMENT],
        filter_string="tags.`mlflow_interp.methods` LIKE '%'",
        max_results=len(RUNS) + 2,  # those, the training and the comparison
        output_format="list",
    )
    return list(reversed(found))


def page_of(run: Run) -> str:
    """The address of the run's page on this machine."""
    return f"{run.info.artifact_uri}/interpretations/index.html"


def show_where() -> None:
    """Print where the results are and how to view them."""
    print("\nPages, which open in any browser:")
    for run in interpreted_runs():
        print(f"  {run.info.run_name}: {page_of(run)}")
    print("\nView them in the MLflow UI:\n\n  make demo-ui")
    print("\nContinue with docs/tutorial.md, which starts here:\n\n  source .venv/bin/activate; cd demo")


def show_ui(port: int = 5000) -> None:
    """Start the MLflow UI and print the address of each run's page in it. It ends with Ctrl-C."""
    uri = use_local_store()
    print("The pages of the runs, once the UI has started:\n")
    for run in interpreted_runs():
        link = artifact_link(run.info.experiment_id, run.info.run_id, "interpretations/index.html")
        print(f"  {run.info.run_name}: http://127.0.0.1:{port}/{link}")
    print("\nStop with Ctrl-C.", flush=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--port", str(port)]
    os.execv(sys.executable, command)


def main() -> None:
    """Register, interpret, and print where the results are."""
    import_quietly()
    from examples import shortcut, train_digits
    from examples.pretrained import save_photographs

    use_local_store()
    print("Photographs:", ", ".join(path.name for path in save_photographs(FOLDER / "photos")))
    model = register_classifier()
    print("Model:      ", model, flush=True)
    for number, (entry_point, parameters) in enumerate(RUNS.items()):
        interpret(entry_point, parameters, model, mlflow.get_tracking_uri())
        if number == 0:
            page = page_of(interpreted_runs()[-1])
            print(f"\nOpen the first page while the demo goes on:\n\n  {page}\n", flush=True)
    print("Training:    digits, interpreted after each epoch", flush=True)
    train_digits.main()
    print("Comparison:  digits with a version that has learnt a shortcut", flush=True)
    shortcut.main(FOLDER)
    show_where()


if __name__ == "__main__":
    if sys.argv[1:] == ["ui"]:
        show_ui()
    else:
        main()
