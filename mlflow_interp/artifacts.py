"""Everything that is written to MLflow and to folders that a user names.

The only caller of MLflow's log functions. All calls name their run, through `MlflowClient`: no global
active run is started or ended.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow_interp.exceptions import InterpretationError, OptionError, TrackingError
from mlflow_interp.loading.models import Origin
from mlflow_interp.loading.store import ask, check_reachable, without_progress_bar
from mlflow_interp.manifest import (
    MANIFEST,
    Entry,
    complete_manifest,
    free_place,
    read_entries,
    to_json,
    write_folder,
)

ROOT = "interpretations"
TABLE = "predictions.json"
_LONGEST_PARAM, _LONGEST_TAG = 500, 5000

#: Draws the page of a whole run from its entries.
IndexPage = Callable[[list[Entry], str | None], str]


@dataclass
class Destination:
    """Where results of one call go: a run, a folder, both or neither.

    Attributes:
        run_id: the run, None before `start` or where nothing is logged.
        folder: the folder that files are written to as well, None for none.
        experiment: the experiment asked for, None for the model's own.
        log: whether to log to MLflow at all.
        ends: whether the run is this call's to end.
    """

    run_id: str | None
    folder: Path | None
    experiment: str | None
    log: bool
    ends: bool

    def start(self, origin: Origin, name: str) -> None:
        """Create the run unless there is one: in the experiment asked for, or else the model's own."""
        if not self.log or self.run_id is not None:
            return
        check_reachable()
        experiment_id = _experiment_id(self.experiment, origin)
        tags = _context_tags() | {"mlflow.runName": name}
        run = ask(lambda: _client().create_run(experiment_id, tags=tags), f"experiment {experiment_id}")
        self.run_id, self.ends = run.info.run_id, True

    def add(
        self,
        method: str,
        files: Mapping[str, bytes],
        manifest: Mapping[str, Any],
        index: IndexPage,
        *,
        step: int = 0,
    ) -> tuple[str, dict[str, Any]]:
        """Write one interpretation wherever this call writes, and return its place and whole manifest."""
        whole = complete_manifest(manifest, files)
        place = method
        if self.folder is not None:
            taken = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
            place = free_place(method, taken)
            write_folder(self.folder / place, files, whole)
            page = index(read_entries(self.folder), None)
            (self.folder / "index.html").write_text(page, encoding="utf-8")
        if self.run_id is not None:
            place = self._log(self.run_id, method, files, whole, index, step)
        return place, whole

    def _log(
        self,
        run_id: str,
        method: str,
        files: Mapping[str, bytes],
        manifest: dict[str, Any],
        index: IndexPage,
        step: int,
    ) -> str:
        try:
            with tempfile.TemporaryDirectory(prefix="mlflow-interp-") as folder, without_progress_bar():
                return _log_interpretation(run_id, Path(folder), method, files, manifest, index, step)
        except InterpretationError:
            raise
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise TrackingError(f"the results could not be logged to run {run_id}: {reason}") from error


@contextmanager
def open_run(
    *,
    log: bool = True,
    experiment: str | None = None,
    run_id: str | None = None,
    save: str | Path | None = None,
) -> Iterator[Destination]:
    """Open the place results go to, and leave its run with a true status.

    The run is the one named, else the active one, else the one that `mlflow run` made for this process,
    else a new one. A run that was made for the call ends FINISHED; on an error FAILED, with the reason in
    the tag `mlflow_interp.error`; on Ctrl-C KILLED. The user's own run is left running.

    Args:
        log: Log to MLflow.
        experiment: The name of the experiment for a new run. By default the one of the model's own run,
            unless another is set with `mlflow.set_experiment` or in the environment.
        run_id: An existing run to log to.
        save: A folder to write the files to as well.
    """
    folder = None if save is None else Path(save).expanduser()
    if folder is not None and folder.exists() and not folder.is_dir():
        raise OptionError(f"save={str(save)!r} is a file; name a folder")
    destination = Destination(None, folder, experiment, log, ends=False)
    if log:
        destination.run_id, destination.ends = _existing_run(run_id)
    try:
        yield destination
    except BaseException as error:
        _end(destination, "FAILED" if isinstance(error, Exception) else "KILLED", error)
        raise
    _end(destination, "FINISHED")


def _existing_run(run_id: str | None) -> tuple[str | None, bool]:
    """The run to log to and whether it is this call's to end."""
    if run_id is not None:
        check_reachable()
        ask(lambda: _client().get_run(run_id), f"run {run_id}")
        return run_id, False
    import mlflow

    active = mlflow.active_run()
    if active is not None:
        return active.info.run_id, False
    return os.environ.get("MLFLOW_RUN_ID"), "MLFLOW_RUN_ID" in os.environ


def note_failure(error: Exception) -> None:
    """Leave the run that `mlflow run` made, if it did, with a true status: FAILED, and why."""
    run_id = os.environ.get("MLFLOW_RUN_ID")
    _end(Destination(run_id, None, None, log=True, ends=True), "FAILED", error)


def _end(destination: Destination, status: str, error: BaseException | None = None) -> None:
    if destination.run_id is None:
        return
    try:
        if error is not None:
            reason = f"{type(error).__name__}: {error}"[:_LONGEST_TAG]
            _client().set_tag(destination.run_id, "mlflow_interp.error", reason)
        if destination.ends:
            _client().set_terminated(destination.run_id, status)
    except Exception as failure:
        # With an error under way, that error is what the user must see, not this one.
        if error is None:
            raise TrackingError(f"run {destination.run_id} could not be ended: {failure}") from failure


def _client() -> Any:
    from mlflow import MlflowClient

    return MlflowClient()


def _context_tags() -> dict[str, str]:
    from mlflow.tracking.context.registry import resolve_tags

    tags: dict[str, str] = resolve_tags()
    return tags


def _experiment_id(experiment: str | None, origin: Origin) -> str:
    client = _client()
    if experiment is None:
        told = any(os.environ.get(name) for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"))
        if origin.experiment_id is not None and not told:
            return origin.experiment_id
        from mlflow.tracking.fluent import _get_experiment_id

        return str(ask(_get_experiment_id, "the current experiment"))
    found = ask(lambda: client.get_experiment_by_name(experiment), f"experiment {experiment}")
    if found is not None:
        return str(found.experiment_id)
    return str(ask(lambda: client.create_experiment(experiment), f"experiment {experiment}"))


def _log_interpretation(
    run_id: str,
    folder: Path,
    method: str,
    files: Mapping[str, bytes],
    manifest: dict[str, Any],
    index: IndexPage,
    step: int,
) -> str:
    client = _client()
    entries = _fetch_entries(client, run_id, folder / "logged")
    taken = {Path(item.path).name for item in client.list_artifacts(run_id, ROOT)}
    place = free_place(method, taken)
    path = f"{ROOT}/{place}"
    write_folder(folder / "new", files, manifest)
    (folder / "new" / MANIFEST).unlink()
    _log_lineage(client, run_id, manifest)
    _log_values(client, run_id, path, manifest, step)
    client.log_artifacts(run_id, str(folder / "new"), path)
    _log_table_tag(client, run_id, f"{path}/{TABLE}")
    _log_image(client, run_id, files["figure.png"], path, step)
    entries.append(Entry(place, manifest, files["figure.png"]))
    client.log_text(run_id, index(entries, run_id), f"{ROOT}/index.html")
    _tag(client, run_id, method, manifest)
    client.log_text(run_id, to_json(manifest).decode(), f"{path}/{MANIFEST}")
    return place


def _fetch_entries(client: Any, run_id: str, folder: Path) -> list[Entry]:
    """What the run holds already: manifests and figures, nothing larger."""
    folder.mkdir()
    for item in client.list_artifacts(run_id, ROOT):
        names = (
            {Path(child.path).name for child in client.list_artifacts(run_id, item.path)}
            if item.is_dir
            else set()
        )
        if {MANIFEST, "figure.png"} <= names:
            (folder / Path(item.path).name).mkdir()
            for name in (MANIFEST, "figure.png"):
                local = client.download_artifacts(run_id, f"{item.path}/{name}", str(folder))
                Path(local).replace(folder / Path(item.path).name / name)
    return read_entries(folder)


def _log_lineage(client: Any, run_id: str, manifest: Mapping[str, Any]) -> None:
    """The model and the inputs as inputs of the run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput

    inputs, model_id = manifest["inputs"], manifest["model"]["model_id"]
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


def _log_values(client: Any, run_id: str, path: str, manifest: Mapping[str, Any], step: int) -> None:
    """Metrics with step and model; parameters under the method's own name, apart from `mlflow run`'s."""
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    model_id = manifest["model"]["model_id"]
    metrics = [
        Metric(f"{path}/{name}", value, now, step, model_id=model_id)
        for name, value in manifest["metrics"].items()
    ]
    params = [
        Param(f"{path}/{name}", str(value)[:_LONGEST_PARAM]) for name, value in manifest["parameters"].items()
    ]
    client.log_batch(run_id, metrics=metrics, params=params)


def _log_table_tag(client: Any, run_id: str, path: str) -> None:
    """Tell MLflow's UI that a file is a table, as `log_table` does.

    `log_table` itself appends to a file that is there, so that a retried upload would double its rows.
    """
    name = "mlflow.loggedArtifacts"
    known = json.loads(client.get_run(run_id).data.tags.get(name, "[]"))
    if all(item.get("path") != path for item in known):
        client.set_tag(run_id, name, json.dumps([*known, {"path": path, "type": "table"}]))


def _log_image(client: Any, run_id: str, figure: bytes, key: str, step: int) -> None:
    from PIL import Image

    with Image.open(io.BytesIO(figure)) as image:
        client.log_image(run_id, image.convert("RGB"), key=key, step=step, synchronous=True)


def _tag(client: Any, run_id: str, method: str, manifest: Mapping[str, Any]) -> None:
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
