"""Made by `make generated` from the signatures of the methods."""

# ruff: noqa: E501

import collections.abc
import pathlib
from typing import Any, Literal

import numpy

from mlflow_interp.api import interpret as interpret
from mlflow_interp.autologging import autolog as autolog
from mlflow_interp.data.prepare import load_inputs as load_inputs
from mlflow_interp.method_registry import method_names as method_names
from mlflow_interp.models.load import load_model as load_model
from mlflow_interp.report.interpretation import Interpretation as Interpretation
from mlflow_interp.report.load import load as load
from mlflow_interp.tracking.resume import resume as resume
from mlflow_interp.training.callback import InterpretationCallback as InterpretationCallback

__version__: str
__all__ = ["Interpretation", "InterpretationCallback", "autolog", "interpret", "load", "load_inputs", "load_model", "method_names", "resume", "visualize_caricature", "visualize_confusion_matrix", "visualize_gradcam", "visualize_hirescam", "visualize_layercam", "visualize_saliency", "visualize_umap"]

def visualize_caricature(
    model: Any,
    inputs: Any,
    *,
    layers: str | int | collections.abc.Sequence[str | int] | None = None,
    ascent_steps: int = 512,
    ascent_rate: float = 0.05,
    tolerance: float = 0.02,
    cosine_power: float = 0.5,
    parametrization: Literal['fourier', 'pixel'] = 'fourier',
    decay_power: float = 1.0,
    stddev: float = 0.01,
    colours: Literal['decorrelated', 'true'] = 'decorrelated',
    value_range: Literal['sigmoid', 'clip'] = 'sigmoid',
    snapshot_every: int = 0,
    seed: int = 0,
    trust_model_code: bool = False,
    imports: str | collections.abc.Sequence[str] | None = None,
    output: str | int | None = None,
    class_names: str | pathlib.Path | collections.abc.Sequence[str] | collections.abc.Mapping[Any, Any] | None = None,
    labels: str | pathlib.Path | collections.abc.Sequence[Any] | numpy.ndarray | None = None,
    preprocess: str = 'auto',
    resize: Literal['crop', 'pad', 'stretch'] = 'crop',
    batch_size: int = 32,
    max_inputs: int | None = None,
    max_explained: int | None = None,
    log: bool = True,
    experiment: str | None = None,
    run_id: str | None = None,
    save: str | pathlib.Path | None = None,
    quiet: bool = False,
) -> Interpretation:
    """What a layer sees in a picture, drawn from nothing until the layer answers as it does to the picture, drawn and logged to MLflow."""

def visualize_confusion_matrix(
    model: Any,
    inputs: Any,
    *,
    predictions: str | pathlib.Path | collections.abc.Sequence[Any] | numpy.ndarray | None = None,
    threshold: float = 0.5,
    sample_weight: str | pathlib.Path | collections.abc.Sequence[Any] | numpy.ndarray | None = None,
    top_k: int = 5,
    trust_model_code: bool = False,
    imports: str | collections.abc.Sequence[str] | None = None,
    output: str | int | None = None,
    class_names: str | pathlib.Path | collections.abc.Sequence[str] | collections.abc.Mapping[Any, Any] | None = None,
    labels: str | pathlib.Path | collections.abc.Sequence[Any] | numpy.ndarray | None = None,
    preprocess: str = 'auto',
    resize: Literal['crop', 'pad', 'stretch'] = 'crop',
    batch_size: int = 32,
    max_inputs: int | None = None,
    normalize: Literal['none', 'true', 'predicted', 'all'] = 'true',
    order: Literal['given', 'cluster', 'support', 'recall'] = 'given',
    colormap: str = 'Blues',
    log: bool = True,
    experiment: str | None = None,
    run_id: str | None = None,
    save: str | pathlib.Path | None = None,
    quiet: bool = False,
) -> Interpretation:
    """Which classes a model takes for which: counts of true against predicted classes, drawn and logged to MLflow."""

def visualize_gradcam(
    model: Any,
    inputs: Any,
    *,
    layer: str | int | None = None,
    target: str | int | collections.abc.Sequence[int | str] | None = None,
    trust_model_code: bool = False,
    imports: str | collections.abc.Sequence[str] | None = None,
    output: str | int | None = None,
    class_names: str | pathlib.Path | collections.abc.Sequence[str] | collections.abc.Mapping[Any, Any] | None = None,
    labels: str | pathlib.Path | collections.abc.Sequence[Any] | numpy.ndarray | None = None,
    preprocess: str = 'auto',
    resize: Literal['crop', 'pad', 'stretch'] = 'crop',
    batch_size: int = 32,
    max_inputs: int | None = None,
    colormap: str = 'inferno',
    opacity: float = 0.7,
    log: bool = True,
    experiment: str | None = None,
    run_id: str | None = None,
    save: str | pathlib.Path | None = None,
    quiet: bool = False,
) -> Interpretation:
    """Where a convolutional model looks for a class (Grad-CAM, Selvaraju et al. 2017), drawn and logged to MLflow."""

def visualize_hirescam(
    model: Any,
    inputs: Any,
    *,
    layer: str | int | None = None,
    target: str | int | collections.abc.Sequence[int | str] | None = None,
    trust_model_code: bool = False,
    imports: str | collections.abc.Sequence[str] | None = None,
    output: str | int | None = None,
    class_names: str | pathlib.Path | collections.abc.Sequence[str] | collections.abc.Mapping[Any, Any] | None = None,
    labels: str | pathlib.Path | collections.abc.Sequence[Any] | numpy.ndarray | None = None,
    preprocess: str = 'auto',
    resize: Literal['crop', 'pad', 'stretch'] = 'crop',
    batch_size: int = 32,
    max_inputs: int | None = None,
    colormap: str = 'inferno',
    opacity: float = 0.7,
    log: bool = True,
    experiment: str | None = None,
    run_id: str | None = None,
    save: str | pathlib.Path | None = None,
    quiet: bool = False,
) -> Interpretation:
    """Which positions of a feature map raise a class score (HiResCAM, Draelos and Carin 2020), drawn and logged to MLflow."""

def visualize_layercam(
    model: Any,
    inputs: Any,
    *,
    layer: str | int | None = None,
    target: str | int | collections.abc.Sequence[int | str] | None = None,
    trust_model_code: bool = False,
    imports: str | collections.abc.Sequence[str] | None = None,
    output: str | int | None = None,
    class_names: str | pathlib.Path | collections.abc.Sequence[str] | collections.abc.Mapping[Any, Any] | None = None,
    labels: str | pathlib.Path | collections.abc.Sequence[Any] | numpy.ndarray | None = None,
    preprocess: str = 'auto',
    resize: Literal['crop', 'pad', 'stretch'] = 'crop',
    batch_size: int = 32,
    max_inputs: int | None = None,
    colormap: str = 'inferno',
    opacity: float = 0.7,
    log: bool = True,
    experiment: str | None = None,
    run_id: str | None = None,
    save: str | pathlib.Path | None = None,
    quiet: bool = False,
) -> Interpretation:
    """Where a layer holds evidence for a class, finely and at any depth (LayerCAM, Jiang et al. 2021), drawn and logged to MLflow."""

def visualize_saliency(
    model: Any,
    inputs: Any,
    *,
    target: str | int | collections.abc.Sequence[int | str] | None = None,
    noise_samples: int = 7,
    noise: float = 0.15,
    average: Literal['squared', 'mean'] = 'squared',
    path_steps: int = 25,
    baseline: float | str | numpy.ndarray = 0.0,
    seed: int = 0,
    trust_model_code: bool = False,
    imports: str | collections.abc.Sequence[str] | None = None,
    output: str | int | None = None,
    class_names: str | pathlib.Path | collections.abc.Sequence[str] | collections.abc.Mapping[Any, Any] | None = None,
    labels: str | pathlib.Path | collections.abc.Sequence[Any] | numpy.ndarray | None = None,
    preprocess: str = 'auto',
    resize: Literal['crop', 'pad', 'stretch'] = 'crop',
    batch_size: int = 32,
    max_inputs: int | None = None,
    max_explained: int | None = None,
    colormap: str = 'gray',
    percentile: float = 99.0,
    log: bool = True,
    experiment: str | None = None,
    run_id: str | None = None,
    save: str | pathlib.Path | None = None,
    quiet: bool = False,
) -> Interpretation:
    """Which pixels a class score depends on: gradients, SmoothGrad and integrated gradients, side by side, drawn and logged to MLflow."""

def visualize_umap(
    model: Any,
    inputs: Any,
    *,
    layers: str | int | collections.abc.Sequence[str | int] | None = None,
    pooling: Literal['mean', 'max', 'flatten'] = 'mean',
    n_neighbors: int | None = None,
    min_dist: float = 0.1,
    n_components: int = 2,
    metric: str = 'euclidean',
    n_epochs: int | None = None,
    supervised: bool = False,
    max_fit: int = 20000,
    align: str | pathlib.Path | numpy.ndarray | None = None,
    cache: str | None = None,
    seed: int | None = 0,
    metric_kwds: dict[str, Any] | str | None = None,
    output_metric: str | None = None,
    output_metric_kwds: dict[str, Any] | str | None = None,
    learning_rate: float | None = None,
    init: str | None = None,
    spread: float | None = None,
    low_memory: bool | None = None,
    n_jobs: int | None = None,
    set_op_mix_ratio: float | None = None,
    local_connectivity: float | None = None,
    repulsion_strength: float | None = None,
    negative_sample_rate: int | None = None,
    transform_queue_size: float | None = None,
    a: float | None = None,
    b: float | None = None,
    angular_rp_forest: bool | None = None,
    target_n_neighbors: int | None = None,
    target_metric: str | None = None,
    target_metric_kwds: dict[str, Any] | str | None = None,
    target_weight: float | None = None,
    transform_seed: int | None = None,
    force_approximation_algorithm: bool | None = None,
    unique: bool | None = None,
    densmap: bool | None = None,
    dens_lambda: float | None = None,
    dens_frac: float | None = None,
    dens_var_shift: float | None = None,
    disconnection_distance: float | None = None,
    trust_model_code: bool = False,
    imports: str | collections.abc.Sequence[str] | None = None,
    output: str | int | None = None,
    class_names: str | pathlib.Path | collections.abc.Sequence[str] | collections.abc.Mapping[Any, Any] | None = None,
    labels: str | pathlib.Path | collections.abc.Sequence[Any] | numpy.ndarray | None = None,
    preprocess: str = 'auto',
    resize: Literal['crop', 'pad', 'stretch'] = 'crop',
    batch_size: int = 32,
    max_inputs: int | None = None,
    legend: Literal['shared', 'each', 'off'] = 'shared',
    point_size: float | None = None,
    log: bool = True,
    experiment: str | None = None,
    run_id: str | None = None,
    save: str | pathlib.Path | None = None,
    quiet: bool = False,
) -> Interpretation:
    """What a layer knows: its activations laid out in the plane (UMAP, McInnes, Healy and Melville 2018), drawn and logged to MLflow."""
