"""Prepares a job that compares two versions, on the driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlflow_interp.call_options import CallPlan
from mlflow_interp.comparing.sides import class_order, stated_target
from mlflow_interp.data.class_names import declared_class_names
from mlflow_interp.exceptions import OptionError
from mlflow_interp.method_registry import class_of, kind_of
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.models.signature import input_shape
from mlflow_interp.spark.comparing.job import ComparedJob
from mlflow_interp.spark.job import NUMBERS, Columns, Job
from mlflow_interp.spark.preparing import class_names_of, make_job


def make_compared_job(
    data: Any, models: Sequence[LoadedModel], columns: Columns, plan: CallPlan
) -> ComparedJob:
    """The job of a call, and both models shipped to the workers.

    Raises:
        InputsError: the versions have different classes.
        ModelError: a model can't be saved, or can't be loaded again without its own code.
        OptionError: a model takes images of any size, or the versions take rows of different shapes.
    """
    if columns.kind == NUMBERS and input_shape(models[0]) != input_shape(models[1]):
        shapes = " and ".join(str((input_shape(each) or ())[1:]) for each in models)
        raise OptionError(f"the versions take inputs of shapes {shapes}, which one column can't hold")
    given = plan.shared["inputs"].get("class_names")
    names = [class_names_of(data, columns, each, given) for each in models]
    order = class_order(models, names)
    is_declared = given is not None or any(declared_class_names(each.metadata)[0] for each in models)
    jobs = []
    for loaded, own in zip(models, names, strict=True):
        job = make_job(data.sparkSession, loaded, columns, plan, class_names=own, seed=0)
        # Names that a model declares are its own: classes may be in another order.
        inputs = plan.shared["inputs"] if is_declared else job.inputs
        jobs.append(replace(job, inputs=inputs, methods=_on_all_rows(job)))
    old, new = jobs
    return ComparedJob(old, new, target=stated_target(plan), order=order)


def _on_all_rows(job: Job) -> dict[str, Any]:
    """The methods whose heatmaps or counts can be compared row by row; all others run on the sample."""
    return {
        name: options
        for name, options in job.methods.items()
        if kind_of(name).has_heatmaps or not getattr(class_of(name), "needs_examples", True)
    }
