"""What a model's output represents, as its user or author states it, or by its loss."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from mlflow_interp.backend.heads import VALUES_BY_LOSS, Head
from mlflow_interp.core.outputs import Output
from mlflow_interp.exceptions import OptionError

_VALUES = frozenset(
    ("mean_squared_error", "mse", "mean_absolute_error", "mae", "mean_absolute_percentage_error", "mape",
     "mean_squared_logarithmic_error", "msle", "huber", "log_cosh", "logcosh", "poisson", "tversky")
)  # fmt: skip
_OF_ONE = ("binary_crossentropy", "binary_focal_crossentropy")
_OF_SEVERAL = (
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "categorical_focal_crossentropy",
)


def resolve_head(stated: str, metadata: Mapping[str, Any], loss: Any) -> str:
    """What the output represents, by the option, else the metadata, else the loss; "auto" if none states it.

    Args:
        stated: the option, one of `Head`.
        metadata: the metadata of the logged model, which may have a "head".
        loss: as `head_of_loss` takes it.

    Raises:
        OptionError: the metadata states a head that is not one of `Head`.
    """
    if stated != "auto":
        return stated
    declared = metadata.get("head", "auto")
    if declared not in get_args(Head):
        known = ", ".join(get_args(Head))
        raise OptionError(
            f"the model's metadata states head={declared!r}, which is unknown; pass head=, one of: {known}"
        )
    return str(declared) if declared != "auto" else head_of_loss(loss)


def loss_of(loss: Any, output: Output | None) -> Any:
    """The loss of one output of a model; None if it has none.

    Args:
        loss: of the model: one for all outputs, or one for each in a list or a dict.
        output: the output, None for a model that is not known to have several.
    """
    is_one = isinstance(loss, Mapping) and "class_name" in loss
    return loss if is_one or output is None else output.of(loss)


def output_facts(stated: str, metadata: Mapping[str, Any], loss: Any) -> dict[str, Any]:
    """What is stated about an output, as fields of a `LoadedModel`; for the arguments see `resolve_head`."""
    head = resolve_head(stated, metadata, loss)
    if stated != "auto":
        source = "head="
    else:
        source = "metadata" if metadata.get("head", "auto") != "auto" else "loss" if head != "auto" else ""
    return {"head": head, "head_source": source, "ignored_label": _ignored_label(loss)}


def head_of_loss(loss: Any) -> str:
    """What an output represents, by its loss: "logits", "binary_logit" or `VALUES_BY_LOSS`; else "auto".

    A loss of probabilities adds nothing to what the model's last operations show.

    Args:
        loss: a name, a loss object, or the configuration of one as files have it.
    """
    name, settings = _described(loss)
    from_logits = bool(settings.get("from_logits"))
    if name in _VALUES:
        return VALUES_BY_LOSS
    if from_logits and name in _OF_ONE:
        return "binary_logit"
    return "logits" if from_logits and name in _OF_SEVERAL else "auto"


def compiled_loss(model: Any) -> Any:
    """The loss that a model in memory was compiled with; None if it has none."""
    return getattr(model, "loss", None) if getattr(model, "compiled", False) else None


def stored_loss(path: Path) -> Any:
    """The loss in a Keras file, as data; None if there is none that can be read."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                compiled = json.loads(archive.read("config.json")).get("compile_config")
        else:
            compiled = _training_config(path)
        return (compiled or {}).get("loss")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RuntimeError):
        return None


def _training_config(path: Path) -> Any:
    import h5py

    with h5py.File(path) as file:
        return json.loads(file.attrs["training_config"])


def _ignored_label(loss: Any) -> int | None:
    """The label that a loss ignores, such as 255 in masks; None if there is none."""
    ignored = _described(loss)[1].get("ignore_class")
    return ignored if isinstance(ignored, int) else None


def _described(loss: Any) -> tuple[str, Mapping[str, Any]]:
    """The name of a loss in snake case, and its settings, such as whether it takes logits."""
    if isinstance(loss, str):
        return _snake(loss), {}
    if isinstance(loss, Mapping) and "class_name" in loss:
        config = loss.get("config")
        # A function is stored by its name as the configuration.
        name = config if isinstance(config, str) else str(loss["class_name"])
        return _snake(name), config if isinstance(config, Mapping) else {}
    if callable(loss) and not isinstance(loss, Mapping):
        name = getattr(loss, "__name__", None) or type(loss).__name__
        return _snake(str(name)), _settings(loss)
    return "", {}


def _settings(loss: Any) -> Mapping[str, Any]:
    try:
        return dict(loss.get_config())
    # A custom loss may have no configuration.
    except Exception:
        return {"from_logits": getattr(loss, "from_logits", False)}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
