"""The Python API: load a model and inputs, run methods, draw and log. Only user interfaces import it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from mlflow_interp import progress
from mlflow_interp.call_options import CallPlan, Methods, plan_call
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.model_record import ModelRecord, with_record
from mlflow_interp.core.result import HasHistory
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.data.sources import find_inputs
from mlflow_interp.engine.explain import limit
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.parts import Part, Parts
from mlflow_interp.engine.requirements import suits_architecture, usable_methods
from mlflow_interp.engine.run import run
from mlflow_interp.exceptions import (
    ArchitectureError,
    InapplicableError,
    InterpretationError,
    warn,
)
from mlflow_interp.method_registry import find_method
from mlflow_interp.models.load import experiment_of, find_model, load_model
from mlflow_interp.models.origin import LoadedModel, digested
from mlflow_interp.options import argument_help, options_of, parameters_of, summary
from mlflow_interp.report.files import draw_files
from mlflow_interp.report.interpretation import Interpretation, InterpretationFiles
from mlflow_interp.report.manifest import complete_manifest, describe
from mlflow_interp.report.provenance import Provenance
from mlflow_interp.tracking.destination import Destination, open_run, without_autologging
from mlflow_interp.tracking.permission import check_may_log
from mlflow_interp.tracking.write import write


def visualize(method: str, model: Any, inputs: Any, **options: Any) -> Interpretation:
    """Run one method on a model and inputs, draw the result and log it to MLflow.

    Args:
        method: A name from `mlflow_interp.method_names()`.
        model: A Keras model, or where to find one; see `load_model`.
        inputs: Arrays, a dataset, or where to find inputs; see `load_inputs`.
        **options: Options of the method, and of loading, drawing and logging; `mlflow-interp METHOD --help`
            lists them all.

    Raises:
        InterpretationError: an error that the user can fix; the message says how.
    """
    return interpret(model, inputs, {method: {}}, **options)[method]


def interpret(
    model: Any, inputs: Any, methods: Methods = "all", *, quiet: bool = False, **options: Any
) -> dict[str, Interpretation]:
    """Run several methods on one model and the same inputs, and log the results to one run.

    "all" selects the methods that share one pass over the inputs; they cost at most two passes per input.
    The others need many passes, so add them by name, as in "all,saliency". A method selected only by "all" is
    left out, with a warning, if the inputs lack what it needs, such as labels, and without one if it is for
    other architectures, as attention is for transformers. If a method fails, the others still run, and its
    error is raised at the end.

    Args:
        model: A Keras model, or where to find one; see `load_model`.
        inputs: Arrays, a dataset, or where to find inputs; see `load_inputs`.
        methods: "all", one name, several names separated by commas, a list, or a mapping from each name to
            its own options. Options of loading and logging apply to the whole call, whichever method they
            are given for.
        quiet: Hide progress and the location of the results.
        **options: Each option goes to every method and every stage that takes it.

    Returns:
        The interpretation by each method, by name.

    Raises:
        InterpretationError: an error that the user can fix; the message says how. Its attribute
            `interpretations` holds the results of the methods that did not fail.
    """
    plan = plan_call(methods, options)
    shared = plan.shared
    with without_autologging(), progress.shown(not quiet), open_run(**shared["run"]) as destination:
        # Both are found before either is loaded, because loading takes longer.
        model, inputs = _find(model, inputs, **shared["model"])
        if destination.log:
            check_may_log(destination.run_id, destination.experiment, experiment_of(model))
        loaded = digested(load_model(model, **shared["model"]))
        batch = load_inputs(inputs, loaded, **shared["inputs"])
        destination.start(loaded.origin, run_name(plan, loaded))
        parts = run_methods(loaded, batch, plan)
        call = Call(Provenance.of(loaded, batch), destination, plan)
        interpretations, errors = concluded(parts, call)
        if errors:
            raise joined_error(errors, interpretations, _alternatives(errors, loaded, batch))
        report_destination(destination)
    return interpretations


def _find(model: Any, inputs: Any, *, trust_model_code: bool = False, **_: Any) -> tuple[Any, Any]:
    return find_model(model, trust_model_code=trust_model_code), find_inputs(inputs)


def run_name(plan: CallPlan, loaded: LoadedModel) -> str:
    """The name of a new run: its methods, without those that are left out for the model's architecture."""
    methods = [
        name
        for name in plan.options
        if name not in plan.only_by_all or suits_architecture(name, loaded.keras)
    ]
    version = f" v{loaded.origin.version}" if loaded.origin.version else ""
    return f"{'+'.join(methods)} {loaded.origin.name}{version}"


def run_methods(loaded: LoadedModel, batch: Batch, plan: CallPlan) -> Parts:
    """Run the methods of a call; the inputs are read once."""
    methods = {}
    errors = {}
    for name, by_stage in plan.by_stage.items():
        try:
            method = find_method(name)(loaded.keras, batch, **by_stage["method"])
            methods[name] = limit(method, **by_stage["engine"]) if isinstance(method, Explaining) else method
        except InterpretationError as error:
            errors[name] = error
    if not methods:
        return Parts(errors=errors)
    parts = run(loaded.keras, batch, methods)
    return replace(parts, errors=errors | parts.errors)


@dataclass(frozen=True)
class Call:
    """What the results of a call share.

    Attributes:
        provenance: the model and the inputs.
        destination: of the results.
        plan: the methods and their options.
    """

    provenance: Provenance
    destination: Destination
    plan: CallPlan


def concluded(parts: Parts, call: Call) -> tuple[dict[str, Interpretation], dict[str, InterpretationError]]:
    """Draw the results of methods, and write them.

    Returns:
        The interpretations, and the errors of methods that failed, without those of methods that are named
        only by "all" and can't be used here: there is a warning about each.
    """
    interpretations = {}
    errors = dict(parts.errors)
    for method, part in parts.parts.items():
        try:
            interpretations[method] = _conclude(method, part, call)
        except InterpretationError as error:
            errors[method] = error
    errors = {name: errors[name] for name in call.plan.options if name in errors}
    if interpretations:
        errors = dict(_warn_inapplicable(errors, call.plan.only_by_all))
    return interpretations, errors


def _conclude(method: str, part: Part, call: Call) -> Interpretation:
    """Draw the result of a method, and write it."""
    started = time.perf_counter()
    options = call.plan.options[method]
    today = datetime.now(UTC).date().isoformat()
    result = with_record(part.result(), ModelRecord.of(call.provenance.model, today))
    figure, files = draw_files(method, result, call.plan.by_stage[method]["figure"])
    described = describe(
        method,
        result,
        options,
        call.provenance.with_warnings(part.notes),
        parameters=parameters_of(method, options),
        seconds=part.seconds + time.perf_counter() - started,
    )
    manifest = complete_manifest(described, files)
    for warning in manifest["warnings"]:
        warn(warning)
    interpretation = InterpretationFiles(method, files, manifest)
    if isinstance(result, HasHistory):
        interpretation = replace(interpretation, series=result.series(), frames=result.frames())
    path, folder = write(interpretation, call.destination)
    return Interpretation(method, result, figure, manifest, call.destination.run_id, path, files, folder)


def _warn_inapplicable(
    errors: Mapping[str, InterpretationError], optional: Collection[str]
) -> Iterator[tuple[str, InterpretationError]]:
    """Warn about each optional method that can't be used here; yield the other errors."""
    for method, error in errors.items():
        if method in optional and isinstance(error, ArchitectureError):
            continue  # a warning would come with every call
        if method in optional and isinstance(error, InapplicableError):
            warn(f"{method} was left out: {error}")
        else:
            yield method, error


def _alternatives(errors: Mapping[str, InterpretationError], loaded: LoadedModel, batch: Batch) -> str:
    """The methods that can be used here, as the tail of a message about one that can't."""
    if not any(isinstance(error, InapplicableError) for error in errors.values()):
        return ""
    try:
        usable = [name for name in usable_methods(loaded.keras, batch) if name not in errors]
    except InterpretationError:  # no method can be used, and the first error says why
        return ""
    return f"; methods that can be used here: {', '.join(usable)}" if usable else ""


def joined_error(
    errors: Mapping[str, InterpretationError], found: Mapping[str, Interpretation], tail: str = ""
) -> InterpretationError:
    """The errors of methods as one, with the interpretations of the others; `tail` ends the message."""
    joined = first = next(iter(errors.values()))
    if len(errors) > 1:
        joined = type(first)("; ".join(f"{method}: {error}" for method, error in errors.items()) + tail)
    elif tail:
        joined = type(first)(f"{first}{tail}").with_traceback(first.__traceback__)
    joined.interpretations = found
    return joined


def report_destination(destination: Destination) -> None:
    """Print where the results are."""
    if destination.folder is not None:
        progress.say(f"files: {destination.folder}")
    if destination.run_id is not None:
        progress.say(f"run: {destination.run_id}, artifacts: interpretations/")


_HEADINGS = {
    "method": "Options of the method",
    "model": "Options for loading the model",
    "inputs": "Options for loading the inputs",
    "engine": "Options for running",
    "quality": "Options for measuring",
    "figure": "Options for drawing",
    "run": "Options for logging",
}


@cache
def visualizer(method: str) -> Any:
    """The function `visualize_<method>(model, inputs, *, …) -> Interpretation`.

    Raises:
        OptionError: there is no such method, or the package that registers it is broken.
    """

    def visualize_method(model: Any, inputs: Any, **options: Any) -> Interpretation:
        return visualize(method, model, inputs, **options)

    visualize_method.__name__ = visualize_method.__qualname__ = f"visualize_{method}"
    visualize_method.__signature__ = _signature(method)  # type: ignore[attr-defined]
    visualize_method.__doc__ = _docstring(method)
    return visualize_method


def _signature(method: str) -> inspect.Signature:
    positional = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("model", "inputs")
    ]
    keywords = [
        inspect.Parameter(
            option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=option.annotation
        )
        for option in options_of(method).values()
    ]
    quiet = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool)
    return inspect.Signature([*positional, *keywords, quiet], return_annotation=Interpretation)


def _docstring(method: str) -> str:
    lines = [f"{summary(find_method(method)).rstrip('.')}, drawn and logged to MLflow.", "", "Args:"]
    lines.append(f"    model: {argument_help(load_model)['model']}")
    lines.append(f"    inputs: {argument_help(load_inputs)['inputs']}")
    for stage, heading in _HEADINGS.items():
        stage_options = [option for option in options_of(method).values() if option.stage == stage]
        if stage_options:
            lines += ["", f"{heading}:", *(f"    {option.name}: {option.help}" for option in stage_options)]
    lines += ["    quiet: Hide progress and the location of the results.", "", "Returns:"]
    lines.append("    The interpretation: its arrays, figure and manifest, and the run that holds them.")
    return "\n".join(lines)
