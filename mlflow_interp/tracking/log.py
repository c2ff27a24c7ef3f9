"""What is logged of one interpretation, piece by piece."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlflow_interp.report.folder import MANIFEST, VIEW_FILE, Entry, read_entries
from mlflow_interp.report.interpretation import InterpretationFiles

ROOT = "interpretations"
TABLE = "predictions.json"
_LONGEST_PARAM = 500
_MOST_METRICS = 1000  # that MLflow takes in one call


def client() -> Any:
    """MLflow's client, for the tracking URI in force."""
    from mlflow import MlflowClient

    return MlflowClient()


def fetch_entries(client: Any, run_id: str, folder: Path) -> list[Entry]:
    """What the run holds already: manifests and what its page shows, nothing larger."""
    folder.mkdir()
    for item in client.list_artifacts(run_id, ROOT):
        names = (
            {Path(child.path).name for child in client.list_artifacts(run_id, item.path)}
            if item.is_dir
            else set()
        )
        if {MANIFEST, "figure.png"} <= names:
            (folder / Path(item.path).name).mkdir()
            # The figure is in the view already, at a size fit for the page.
            for name in (MANIFEST, VIEW_FILE if VIEW_FILE in names else "figure.png"):
                local = client.download_artifacts(run_id, f"{item.path}/{name}", str(folder))
                Path(local).replace(folder / Path(item.path).name / name)
    return read_entries(folder)


def log_lineage(client: Any, run_id: str, manifest: Mapping[str, Any]) -> None:
    """The model and the inputs as inputs of the run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput

    inputs = manifest["inputs"]
    model_id = manifest["model"]["model_id"]
    dataset = Dataset(
        name=Path(str(inputs["source"])).name[:500] or "inputs",
        digest=inputs["sha256"][:36],
        source_type="mlflow_interp",
        source=json.dumps({"source": inputs["source"]}),
        profile=json.dumps({"num_rows": inputs["count"]}),
    )
    models = [LoggedModelInput(model_id)] if model_id else []
    tagged = DatasetInput(dataset, [InputTag("mlflow.data.context", "interpretation")])
    client.log_inputs(run_id, datasets=[tagged], models=models)


def log_metrics(client: Any, run_id: str, path: str, finished: InterpretationFiles, step: int = 0) -> None:
    """Metrics with step and model, and those on the way to the result."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    manifest = finished.manifest
    model_id = manifest["model"]["model_id"]
    metrics = [
        Metric(f"{path}/{name}", value, now, step, model_id=model_id)
        for name, value in manifest["metrics"].items()
    ]
    metrics += [
        Metric(f"{path}/{name}", value, now, at, model_id=model_id)
        for name, points in finished.series.items()
        for at, value in points
    ]
    for some in _at_most(metrics, _MOST_METRICS):
        client.log_batch(run_id, metrics=some)


def log_params(client: Any, run_id: str, path: str, manifest: Mapping[str, Any]) -> None:
    """What was given, and what the method made of the rest, under the method's own name.

    Not every default: MLflow's UI shows all of a run's parameters beside each of its images.
    """
    from mlflow.entities import Param

    parameters = manifest["parameters"]
    names = [name for name in parameters if name in manifest["given"] or name in manifest["resolved"]]
    params = [Param(f"{path}/{name}", str(parameters[name])[:_LONGEST_PARAM]) for name in names]
    client.log_batch(run_id, params=params)


def _at_most(items: list[Any], count: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), count):
        yield items[start : start + count]


def log_table_tag(client: Any, run_id: str, path: str) -> None:
    """Tell MLflow's UI that a file is a table, as `log_table` does.

    `log_table` itself appends to a file that is there, so that a retried upload would double its rows.
    """
    name = "mlflow.loggedArtifacts"
    known = json.loads(client.get_run(run_id).data.tags.get(name, "[]"))
    if all(item.get("path") != path for item in known):
        client.set_tag(run_id, name, json.dumps([*known, {"path": path, "type": "table"}]))


def log_images(client: Any, run_id: str, key: str, finished: InterpretationFiles, at: int = 0) -> None:
    """The figure, and the frames under a key of their own: the UI shows a slider over their steps."""
    from PIL import Image

    with Image.open(io.BytesIO(finished.files["figure.png"])) as image:
        client.log_image(run_id, image.convert("RGB"), key=key, step=at, synchronous=True)
    for step, frame in finished.frames:
        client.log_image(run_id, frame, key=f"{key}/steps", step=step, synchronous=True)


def tag_all(client: Any, run_id: str, method: str, manifest: Mapping[str, Any]) -> None:
    """Tags that lead from the run to the model, and from the model and its version to the run."""
    model = manifest["model"]
    tags = {
        "model_uri": model["uri"],
        "model_id": model["model_id"],
        "model_version": model["version"],
        "method": method,
        "source_run_id": model["run_id"],
    }
    for name, value in tags.items():
        if value is not None:
            client.set_tag(run_id, f"mlflow_interp.{name}", str(value))
    back = f"mlflow_interp.{method}.run_id"
    if model["model_id"]:
        client.set_logged_model_tags(model["model_id"], {back: run_id})
    if model["version"]:
        client.set_model_version_tag(model["name"], model["version"], back, run_id)
