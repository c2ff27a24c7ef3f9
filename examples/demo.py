"""A demo on one machine: interpret a registered classifier on photographs, and a training.

Run it with `make demo`. Everything it creates is in ./demo: a SQLite tracking store, artifacts, photographs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from numpy import dtype

from examples import train_digits
from examples.pretrained import efficientnet_lite0, imagenet_class_names, save_photographs

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


def show_where(uri: str) -> None:
    """Print where the results are and how to view them."""
    runs = mlflow.search_runs(
        experiment_names=[EXPERIMENT],
        filter_string="tags.`mlflow_interp.methods` LIKE '%'",
        max_results=len(RUNS) + 1,
        output_format="list",
    )
    print("\nArtifacts:")
    for run in reversed(runs):
        print(f"  {run.info.artifact_uri.removeprefix('file://')}/interpretations")
    print("\nView them in the MLflow UI, in each run's Artifacts tab:\n")
    print(f"  {Path(sys.executable).parent / 'mlflow'} ui --backend-store-uri {uri}\n")
    for run in reversed(runs):
        path = f"experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts"
        print(f"  http://127.0.0.1:5000/#/{path}/interpretations/index.html")
    print("\nContinue with docs/tutorial.md, which starts here:\n")
    print("  source .venv/bin/activate; cd demo")


def main() -> None:
    """Register, interpret, and print where the results are."""
    uri = use_local_store()
    print("Photographs:", ", ".join(path.name for path in save_photographs(FOLDER / "photos")))
    model = register_classifier()
    print("Model:      ", model, flush=True)
    for entry_point, parameters in RUNS.items():
        interpret(entry_point, parameters, model, uri)
    print("Training:    digits, interpreted after each epoch", flush=True)
    train_digits.main()
    show_where(uri)


if __name__ == "__main__":
    main()
