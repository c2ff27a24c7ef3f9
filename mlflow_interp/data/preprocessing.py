"""Preprocessing of pixels 0..255 into the inputs that a model was trained on."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlflow_interp.backend.input_layers import scales_input
from mlflow_interp.backend.layer_tree import walk
from mlflow_interp.core.modules import import_problem
from mlflow_interp.exceptions import InputsError, OptionError, first_line

Preprocess = Callable[[np.ndarray], np.ndarray]

_RANGES: dict[str, Preprocess] = {
    "none": lambda pixels: pixels,
    "0..1": lambda pixels: pixels / np.float32(255),
    "-1..1": lambda pixels: pixels / np.float32(127.5) - 1,
}
# Prefixes of the model names in keras.applications, without "-" and "_"; the longest match wins.
_FAMILIES = {
    "convnext": "convnext",
    "densenet": "densenet",
    "efficientnet": "efficientnet",
    "efficientnetv2": "efficientnet_v2",
    "inceptionresnetv2": "inception_resnet_v2",
    "inceptionv3": "inception_v3",
    "mobilenet": "mobilenet",
    "mobilenetv2": "mobilenet_v2",
    "mobilenetv3": "mobilenet_v3",
    "nasnet": "nasnet",
    "resnet": "resnet",
    "resnet50v2": "resnet_v2",
    "resnet101v2": "resnet_v2",
    "resnet152v2": "resnet_v2",
    "vgg16": "vgg16",
    "vgg19": "vgg19",
    "xception": "xception",
}
# The preprocess_input of these families does nothing, as their models rescale internally. Models built
# with include_preprocessing=False take this range; None if they don't take a plain range.
_RANGES_WITHOUT_RESCALING = {
    "convnext": None,
    "efficientnet": None,
    "efficientnet_v2": "-1..1",
    "mobilenet_v3": "-1..1",
}
GUESS = "0..1"


def find_preprocess(name: str, model: Any, metadata: Mapping[str, Any]) -> tuple[str, Preprocess, str | None]:
    """The function that a preprocess option selects for a model.

    Args:
        name: "auto", "none", "0..1", "-1..1", a keras.applications module such as "mobilenet_v2",
            or "module:function", which takes float32 pixels 0..255 (n, h, w, c).
        model: The Keras model. "auto" means "none" if the model scales its input itself.
        metadata: The metadata of the logged model; with "auto", its "preprocess" comes first.

    Returns:
        The resolved name, the function, and a warning if it is a guess.

    Raises:
        OptionError: no such preprocessing.
    """
    warning = None
    if name == "auto":
        name, warning = _resolve(model, metadata)
    return name, find_function(name), warning


def _resolve(model: Any, metadata: Mapping[str, Any]) -> tuple[str, str | None]:
    scales = scales_input(model)
    declared = metadata.get("preprocess")
    if isinstance(declared, str):
        # "module:function" in the metadata would let the model choose which code is run.
        if ":" not in declared:
            return declared, _disagreement(declared, scales, model)
        return (
            GUESS,
            f"the model's metadata states preprocess={declared!r}, which is ignored, as it would run code; "
            f"assuming {GUESS!r}. Pass preprocess= yourself to run it",
        )
    if scales == "yes":
        return "none", None
    if scales == "unknown":
        return "none", (
            f"Could not determine whether the input of {model.name!r} first passes through its layer that "
            "scales pixels; assuming preprocess='none'. Pass preprocess= to be sure"
        )
    family = _model_family(model)
    if family:
        return family, None
    return GUESS, (
        f"Could not determine how to preprocess images for {model.name!r}; assuming {GUESS!r} (pixel / 255). "
        "Pass preprocess=, or log the model with metadata={'preprocess': '0..1'}"
    )


def _disagreement(declared: str, scales: str, model: Any) -> str | None:
    """A warning if pixels would be scaled twice: by the stated preprocessing and by the model."""
    if scales != "yes" or declared == "none":
        return None
    return (
        f"the metadata of {model.name!r} states preprocess={declared!r}, but the model also scales its input "
        "itself; both are applied. Pass preprocess='none' to leave the scaling to the model"
    )


def _model_family(model: Any) -> str | None:
    """The keras.applications family, by the name of the model or of a nested model."""
    import keras

    # Only models count: a custom layer named "resnet_block" has no such preprocessing.
    nested = [node.layer.name for node in walk(model) if isinstance(node.layer, keras.Model)]
    family = next((family for family in map(_family, [model.name, *nested]) if family), None)
    return _RANGES_WITHOUT_RESCALING.get(family, family) if family else None


def _family(name: str) -> str | None:
    key = name.lower().replace("-", "").replace("_", "")
    matches = [prefix for prefix in _FAMILIES if key.startswith(prefix)]
    return _FAMILIES[max(matches, key=len)] if matches else None


def check_preprocess(name: str) -> None:
    """Check a preprocess option as far as possible without importing Keras or the user's code.

    Raises:
        OptionError: no such preprocessing, or a module or function that does not exist.
    """
    if ":" in name:
        module, _, function = name.partition(":")
        if problem := import_problem(module, function):
            raise _cannot_be_imported(name, problem)
    elif name not in _known():
        raise _unknown(name)


def find_function(name: str) -> Preprocess:
    """The preprocessing function for a name other than "auto".

    Raises:
        OptionError: no such preprocessing.
    """
    if name in _RANGES:
        return _RANGES[name]
    if name in _FAMILIES.values():
        return _keras_family(name)
    if ":" in name:
        return _imported(name)
    raise _unknown(name)


def _known() -> list[str]:
    return ["auto", *_RANGES, *sorted(set(_FAMILIES.values()))]


def _unknown(name: str) -> OptionError:
    return OptionError(f"no preprocess {name!r}; give module:function or one of {', '.join(_known())}")


def _cannot_be_imported(name: str, reason: str) -> OptionError:
    return OptionError(f"preprocess {name!r} can't be imported: {reason}; give module:function")


def takes_blue_first(prepare: Preprocess, size: tuple[int, ...]) -> bool | None:
    """Whether a preprocessing turns RGB into BGR, as that of VGG and ResNet does.

    Tested on noise, as grey images have the same values in all channels.

    Args:
        prepare: the preprocessing.
        size: (height, width) of an image that it takes.

    Returns:
        None if it can't be determined, because values do not keep their positions.
    """
    noise = np.random.default_rng(0).integers(0, 256, (1, *size, 3)).astype(np.float32)
    prepared = np.asarray(prepare(noise.copy()))
    if prepared.shape != noise.shape or noise[0, ..., 0].size < 2:
        return None
    red = noise[..., 0] - noise[..., 0].mean()
    covariances = np.abs(np.einsum("nhw,nhwc->c", red, prepared))
    return bool(covariances[2] > covariances[0])


def _keras_family(name: str) -> Preprocess:
    module = importlib.import_module(f"keras.applications.{name}")

    def prepare(pixels: np.ndarray) -> np.ndarray:
        if pixels.shape[-1] != 3:
            raise OptionError(
                f"preprocess {name!r} is for colour images, but these have {pixels.shape[-1]} channels; "
                "pass none, 0..1, -1..1 or module:function"
            )
        # Some families modify the array in place; all use the global data format by default.
        prepared = module.preprocess_input(pixels.copy(), data_format="channels_last")
        return np.asarray(prepared, np.float32)

    return prepare


def is_users(name: str) -> bool:
    """Whether a preprocessing is the user's own function, which may not be thread-safe."""
    return ":" in name


def _imported(name: str) -> Preprocess:
    module_name, _, function_name = name.partition(":")
    try:
        function: Callable[[np.ndarray], Any] = getattr(importlib.import_module(module_name), function_name)
    except Exception as error:  # importing a module runs its codes code
        raise _cannot_be_imported(name, _reason(error)) from error
    if not callable(function):
        raise OptionError(f"preprocess {name!r} is a {type(function).__name__}; give module:function")

    def prepare(pixels: np.ndarray) -> np.ndarray:
        rows = len(pixels)
        try:
            prepared = np.asarray(function(pixels))
        except Exception as error:
            raise InputsError(
                f"preprocess {name!r} failed with {_reason(error)}; correct the function"
            ) from error
        if prepared.dtype.kind not in "biuf" or prepared.shape[:1] != (rows,):
            raise InputsError(
                f"preprocess {name!r} returned {prepared.dtype} values of shape {prepared.shape} for "
                f"{rows} inputs; return numbers, with one row for each input"
            )
        return prepared

    return prepare


def _reason(error: Exception) -> str:
    """The type of an error, and the first line of its message if it has one."""
    name = type(error).__name__
    return f"{name}: {first_line(error)}" if str(error).strip() else name
