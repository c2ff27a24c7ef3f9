"""Log the parts of one interpretation: files, metrics, parameters, images, tags."""

from __future__ import annotations

import io
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlflow_interp.models.refusals import LOG, refusal
from mlflow_interp.report.card_image import card, webp
from mlflow_interp.report.folder import MANIFEST, VIEW_FILE, Entry, read_entries
from mlflow_interp.report.interpretation import InterpretationFiles

ROOT = "interpretations"
TABLE = "predictions.json"
_LONGEST_PARAM = 500
_LOGGED_IMAGES = "mlflow.loggedImages"  # tells the UI that there are images for charts
_MOST_METRICS = 1000  # in one call of MLflow


def fetch_entries(client: Any, run_id: str, folder: Path) -> list[Entry]:
    """The interpretations already in the run: their manifests and what its page shows, nothing larger."""
    folder.mkdir()
    for item in client.list_artifacts(run_id, ROOT):
        names = (
            {Path(child.path).name for child in client.list_artifacts(run_id, item.path)}
            if item.is_dir
            else set()
        )
        if {MANIFEST, "figure.png"} <= names:
            (folder / Path(item.path).name).mkdir()
            # The view already holds the figure, reduced to the size for the page.
            for name in (MANIFEST, VIEW_FILE if VIEW_FILE in names else "figure.png"):
                local = client.download_artifacts(run_id, f"{item.path}/{name}", str(folder))
                Path(local).replace(folder / Path(item.path).name / name)
    return read_entries(folder)


def log_lineage(client: Any, run_id: str, manifest: Mapping[str, Any]) -> None:
    """Log the model and the inputs as inputs of the run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput

    inputs = manifest["inputs"]
    model_id = manifest["model"]["model_id"]
    dataset = Dataset(
        name=Path(str(inputs["source"])).name[:500] or "inputs",
        digest=str(inputs.get("digest") or inputs["sha256"])[:36],
        source_type="mlflow_interp",
        source=json.dumps({"source": inputs["source"]}),
        profile=json.dumps({"num_rows": inputs["count"]}),
    )
    dataset_input = DatasetInput(dataset, [InputTag("mlflow.data.context", "interpretation")])

    earlier = (manifest.get("old_model") or {}).get("model_id")

    def write(model_id: str | None) -> None:
        models = [LoggedModelInput(each) for each in dict.fromkeys((model_id, earlier)) if model_id and each]
        client.log_inputs(run_id, datasets=[dataset_input], models=models)

    _with_model(write, model_id)


def logged_methods(run_id: str) -> list[str]:
    """The names of the folders of interpretations in a run.

    Raises:
        ModelError: there is no such run.
        TrackingError: the server does not answer.
    """
    from mlflow_interp.models.artifact_store import ask
    from mlflow_interp.tracking.destination import mlflow_client

    found = ask(lambda: mlflow_client().list_artifacts(run_id, ROOT), f"run {run_id}")
    return [Path(item.path).name for item in found if item.is_dir]


def log_metrics(
    client: Any, run_id: str, path: str, interpretation: InterpretationFiles, step: int = 0
) -> None:
    """Log the metrics with step and model, and their values during the computation."""
    from mlflow.entities import Metric

    timestamp = int(time.time() * 1000)
    manifest = interpretation.manifest
    points = [(name, value, step) for name, value in manifest["metrics"].items()]
    points += [
        (name, value, point_step)
        for name, series in interpretation.series.items()
        for point_step, value in series
    ]
    for batch in _batches(points, _MOST_METRICS):

        def write(model_id: str | None, batch: list[Any] = batch) -> None:
            metrics = [
                Metric(f"{path}/{name}", value, timestamp, at, model_id=model_id) for name, value, at in batch
            ]
            client.log_batch(run_id, metrics=metrics)

        _with_model(write, manifest["model"]["model_id"])


def _with_model(write: Callable[[str | None], None], model_id: str | None) -> None:
    """Write with the id of the model, or without it if the user may only read the model."""
    try:
        write(model_id)
    except Exception as error:
        if model_id is None or refusal(error, "model", LOG) is None:
            raise
        write(None)


def log_params(client: Any, run_id: str, path: str, manifest: Mapping[str, Any]) -> None:
    """Log the options that were given, and those resolved by the method, under the method's name.

    Defaults are not logged: MLflow's UI shows all of a run's parameters next to each of its images.
    """
    from mlflow.entities import Param

    parameters = manifest["parameters"]
    names = [name for name in parameters if name in manifest["given"] or name in manifest["resolved"]]
    params = [Param(f"{path}/{name}", str(parameters[name])[:_LONGEST_PARAM]) for name in names]
    client.log_batch(run_id, params=params)


def _batches(items: list[Any], count: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), count):
        yield items[start : start + count]


def log_images(
    client: Any, run_id: str, key: str, interpretation: InterpretationFiles, step: int = 0
) -> None:
    """Log the figure, and the frames under their own key: the UI shows a slider over their steps."""
    from PIL import Image

    figure = interpretation.files["figure.png"]
    with Image.open(io.BytesIO(figure), formats=["PNG"]) as image:
        _log_image(client, run_id, key, step, image.convert("RGB"), figure)
    for frame_step, frame in interpretation.frames:
        _log_image(client, run_id, f"{key}/steps", frame_step, Image.fromarray(frame))
    client.set_tag(run_id, _LOGGED_IMAGES, "True")


def _log_image(client: Any, run_id: str, key: str, step: int, image: Any, png: bytes | None = None) -> None:
    """Log an image of MLflow's charts as `log_image` does, but with a square image for the card.

    `log_image` itself reduces the image of the card to 256 pixels.
    """
    stem = f"{key.replace('/', '~')}+step+{step}+timestamp+{int(time.time() * 1000)}+{uuid.uuid4()}"
    if png is None:
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        png = buffer.getvalue()
    files = {f"{stem}.png": png, f"{stem}+compressed.webp": webp(card(image))}
    with tempfile.TemporaryDirectory(prefix="mlflow-interp-") as folder:
        for name, content in files.items():
            file = Path(folder) / name
            file.write_bytes(content)
            client.log_artifact(run_id, str(file), "images")
