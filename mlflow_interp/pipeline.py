"""The one verb: load a model and inputs, run methods, draw, write. The only room that sees all others."""

from __future__ import annotations

import base64
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp import progress, report
from mlflow_interp.applicability import usable_methods
from mlflow_interp.artifacts.logged import ROOT, Finished
from mlflow_interp.artifacts.writing import write
from mlflow_interp.core import Batch
from mlflow_interp.exceptions import InapplicableError, InterpretationError, OptionError
from mlflow_interp.figures import index
from mlflow_interp.loading.inputs import load_inputs
from mlflow_interp.loading.models import LoadedModel, digested, load_model
from mlflow_interp.manifest import complete_manifest, free_place, write_folder
from mlflow_interp.options import distribute, route
from mlflow_interp.registry import find_method, method_names
from mlflow_interp.results import Growing, Result
from mlflow_interp.runs import Destination, open_run, without_autologging

Methods = str | Iterable[str] | Mapping[str, Mapping[str, Any]]


class InterpretationWarning(UserWarning):
    """Something a user should know before trusting a picture."""


@dataclass(frozen=True, eq=False)
class Interpretation:
    """What one method found, drawn and written.

    Attributes:
        method: the method's name.
        result: the raw result; its fields, such as `heatmaps`, can be read from here directly.
        figure: the matplotlib figure.
        manifest: everything needed to make it again.
        run_id: the MLflow run that holds it, None where nothing was logged.
        artifact_path: its folder among that run's artifacts.
    """

    method: str
    result: Result
    figure: Any
    manifest: Mapping[str, Any]
    run_id: str | None
    artifact_path: str | None
    _files: Mapping[str, bytes] = field(repr=False)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The raw results by name, plain NumPy."""
        return self.result.arrays()

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics that were logged, by name."""
        return self.result.metrics()

    def save(self, folder: str | Path) -> Path:
        """Write the figure, page, table, arrays and manifest below a folder, and return where."""
        folder = Path(folder).expanduser()
        taken = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
        target = folder / free_place(self.method, taken)
        write_folder(target, self._files, self.manifest)
        return target

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.result, name)

    def _repr_png_(self) -> bytes:
        return self._files["figure.png"]

    def _repr_html_(self) -> str:
        picture = base64.b64encode(self._files["figure.png"]).decode()
        return f'<img alt="{self.method}" src="data:image/png;base64,{picture}">'


def visualize(method: str, model: Any, inputs: Any, **options: Any) -> Interpretation:
    """Run one method on a model and inputs, draw what it finds, and log it to MLflow.

    Args:
        method: a name from `mlflow_interp.method_names()`.
        model: a Keras model, or where to find one; see `load_model`.
        inputs: arrays, a dataset, or where to find inputs; see `load_inputs`.
        **options: of the method, of loading, drawing and logging; `mlflow-interp METHOD --help` lists all.

    Raises:
        InterpretationError: something the user can mend; the message says how.
    """
    return interpret(model, inputs, {method: {}}, **options)[method]


def interpret(
    model: Any, inputs: Any, methods: Methods = "all", *, quiet: bool = False, **options: Any
) -> dict[str, Interpretation]:
    """Run several methods on one model and the same inputs, and log all to one run.

    A method that fails does not keep the others from running; its error is raised at the end. Of "all"
    those are left out, with a warning, that need what the inputs don't have, such as labels.

    Args:
        model: A Keras model, or where to find one; see `load_model`.
        inputs: Arrays, a dataset, or where to find inputs; see `load_inputs`.
        methods: "all", a name or names separated by commas, a list, or a mapping from each name to
            options of its own.
        quiet: Show neither progress nor where results went.
        **options: Each goes to every method, and every step, that takes it.

    Returns:
        What each method found, by name.

    Raises:
        InterpretationError: something the user can mend; the message says how.
    """
    chosen = _with_options(_chosen(methods), options)
    shared = route(next(iter(chosen)), next(iter(chosen.values())))
    with without_autologging(), progress.shown(not quiet), open_run(**shared["run"]) as destination:
        loaded = digested(load_model(model, **shared["model"]))
        batch = load_inputs(inputs, loaded, **shared["inputs"])
        destination.start(loaded.origin, _run_name(list(chosen), loaded))
        found, failed = {}, {}
        for method, given in chosen.items():
            try:
                found[method] = _run(method, loaded, batch, destination, given)
            except InterpretationError as error:
                failed[method] = error
        if methods == "all" and found:
            failed = dict(_left_out(failed))
        if failed:
            raise _joined(failed, _instead(failed, loaded, batch))
        _say_where(destination)
    return found


def _chosen(methods: Methods) -> dict[str, dict[str, Any]]:
    if isinstance(methods, Mapping):
        chosen = {name: dict(own) for name, own in methods.items()}
    else:
        names = methods.split(",") if isinstance(methods, str) else methods
        chosen = {name.strip(): {} for name in names if name.strip()}
    if list(chosen) == ["all"]:
        chosen = {name: {} for name in method_names()}
    if not chosen:
        raise OptionError(f"methods names none; give all, or some of: {', '.join(method_names())}")
    for name in chosen:
        find_method(name)
    return chosen


def _with_options(
    chosen: Mapping[str, dict[str, Any]], options: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Give each method the options it takes; an option that none takes is an error."""
    takers = distribute(chosen, options)
    return {
        name: {key: value for key, value in options.items() if name in takers[key]} | own
        for name, own in chosen.items()
    }


def _run_name(methods: list[str], loaded: LoadedModel) -> str:
    version = f" v{loaded.origin.version}" if loaded.origin.version else ""
    return f"{'+'.join(methods)} {loaded.origin.name}{version}"


def _run(
    method: str, loaded: LoadedModel, batch: Batch, destination: Destination, given: Mapping[str, Any]
) -> Interpretation:
    started = time.perf_counter()
    options = route(method, given)
    result = find_method(method)(loaded.keras, batch, **options["method"])
    figure, files = report.files(method, result, options["figure"])
    facts = report.Facts.of(loaded, batch)
    described = report.manifest(method, result, given, facts, seconds=time.perf_counter() - started)
    manifest = complete_manifest(described, files)
    for warning in manifest["warnings"]:
        warnings.warn(warning, InterpretationWarning, stacklevel=4)
    finished = Finished(method, files, manifest)
    if isinstance(result, Growing):
        finished = replace(finished, series=result.series(), frames=result.frames())
    place = write(finished, destination, index.page)
    path = f"{ROOT}/{place}" if destination.run_id else None
    return Interpretation(method, result, figure, manifest, destination.run_id, path, files)


def _left_out(failed: Mapping[str, InterpretationError]) -> Iterator[tuple[str, InterpretationError]]:
    """What is left of the errors when `all` goes without what these inputs can't be used for."""
    for method, error in failed.items():
        if isinstance(error, InapplicableError):
            warnings.warn(f"{method} was left out: {error}", InterpretationWarning, stacklevel=4)
        else:
            yield method, error


def _instead(failed: Mapping[str, InterpretationError], loaded: LoadedModel, batch: Batch) -> str:
    """The methods that can be used where another can't, as the tail of a message."""
    if not any(isinstance(error, InapplicableError) for error in failed.values()):
        return ""
    try:
        others = [name for name in usable_methods(loaded.keras, batch) if name not in failed]
    except InterpretationError:  # nothing can be used, and the first error says more
        return ""
    return f"; methods that can be used here: {', '.join(others)}" if others else ""


def _joined(failed: Mapping[str, InterpretationError], tail: str) -> InterpretationError:
    first = next(iter(failed.values()))
    if len(failed) == 1:
        return type(first)(f"{first}{tail}").with_traceback(first.__traceback__) if tail else first
    return type(first)("; ".join(f"{method}: {error}" for method, error in failed.items()) + tail)


def _say_where(destination: Destination) -> None:
    if destination.folder is not None:
        progress.say(f"files: {destination.folder}")
    if destination.run_id is not None:
        progress.say(f"run: {destination.run_id}, artifacts: interpretations/")
