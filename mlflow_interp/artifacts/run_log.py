"""Interpretations that come step by step, such as after each epoch of a training, into one run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow_interp.artifacts import logged
from mlflow_interp.artifacts.logged import ROOT, TABLE, Finished, IndexPage
from mlflow_interp.loading.store import without_progress_bar
from mlflow_interp.manifest import MANIFEST, free_place, read_entry


class RunLog:
    """What a run gets step by step, of interpretations that lie in folders already.

    Every call may take as long as MLflow's own settings let it, and raises what MLflow raises.
    """

    def __init__(self, run_id: str | None) -> None:
        self.run_id, self._described = run_id, set[str]()

    def create(self, name: str, tags: Mapping[str, str]) -> None:
        """Make a run in the current experiment."""
        from mlflow.tracking.fluent import _get_experiment_id

        run = logged.client().create_run(_get_experiment_id(), tags={**tags, "mlflow.runName": name})
        self.run_id = run.info.run_id

    def artifact_uri(self) -> str:
        """Where the run's artifacts lie."""
        return str(logged.client().get_run(self.run_id).info.artifact_uri)

    def free_place(self, method: str) -> str:
        """The first free name among the run's interpretations: umap, umap-2 and so on."""
        return free_place(
            method,
            {Path(item.path).name for item in logged.client().list_artifacts(self.run_id, ROOT)},
        )

    def step(self, place: str, step: int, folder: Path, manifest: Mapping[str, Any]) -> None:
        """Log one step's folder, its manifest last, its metrics and its figure with the step."""
        client, run_id, path = logged.client(), str(self.run_id), f"{ROOT}/{place}"
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != MANIFEST}
        finished = Finished(str(manifest["method"]), files, manifest)
        with without_progress_bar():
            if place not in self._described:
                logged.log_lineage(client, run_id, manifest)
                logged.log_params(client, run_id, path, manifest)
            logged.log_metrics(client, run_id, path, finished, step)
            for name in files:
                client.log_artifact(run_id, str(folder / name), f"{path}/{folder.name}")
            logged.log_table_tag(client, run_id, f"{path}/{folder.name}/{TABLE}")
            logged.log_images(client, run_id, path, finished, step)
            client.log_artifact(run_id, str(folder / MANIFEST), f"{path}/{folder.name}")
        self._described.add(place)

    def whole(self, place: str, folder: Path) -> None:
        """Log the page and figure over all steps, the manifest last, and the tags that lead to the model."""
        client, run_id, path = logged.client(), str(self.run_id), f"{ROOT}/{place}"
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest["model"] |= {"model_id": self._logged_model(client)}
        with without_progress_bar():
            for name in manifest["files"]:
                client.log_artifact(run_id, str(folder / name), path)
            logged.tag_all(client, run_id, str(manifest["method"]), manifest)
            client.log_artifact(run_id, str(folder / MANIFEST), path)

    def _logged_model(self, client: Any) -> str | None:
        """The model that the run's training logs, which `mlflow.*.autolog` makes before it starts."""
        experiment = client.get_run(self.run_id).info.experiment_id
        found = client.search_logged_models([experiment], f"source_run_id = '{self.run_id}'", max_results=1)
        return str(found[0].model_id) if found else None

    def index(self, page: IndexPage, spool: Path, places: Sequence[str]) -> None:
        """Log the page of the whole run, with what other calls have logged into it."""
        client, run_id = logged.client(), str(self.run_id)
        with tempfile.TemporaryDirectory(prefix="mlflow-interp-") as folder, without_progress_bar():
            others = [
                entry
                for entry in logged.fetch_entries(client, run_id, Path(folder) / "logged")
                if entry.place not in places
            ]
            own = [read_entry(spool / place) for place in places]
            entries = [*others, *(entry for entry in own if entry)]
            client.log_text(run_id, page(entries, run_id), f"{ROOT}/index.html")

    def end(self, status: str) -> None:
        """End the run."""
        logged.client().set_terminated(self.run_id, status)
