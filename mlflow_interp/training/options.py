"""The options of interpreting a training, the same for `autolog` and the callback."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, get_type_hints

from mlflow_interp.backend.heads import Head
from mlflow_interp.backend.layer_tree import Layers
from mlflow_interp.call_options import Methods, parse_methods, shared_values, without_images
from mlflow_interp.core.accepted import Range, check
from mlflow_interp.data.resizing import Interpolation, Resize
from mlflow_interp.exceptions import OptionError
from mlflow_interp.options import distribute, options_of, route

METHODS_IN_TRAINING = ("umap", "confusion_matrix")  # unless others are named

# A method's mapping may hold these too, as elsewhere; they apply to the whole training.
_OF_LOADING = ("class_names", "head", "output", "preprocess", "resize", "interpolation", "log_images")
_STAGES = ("method", "engine", "figure")  # whose options each method takes during training


@dataclass(frozen=True)
class TrainingOptions:
    """The options for interpreting a training.

    Attributes:
        methods: Names, separated by commas or in a list, or a mapping from each name to its own options.
            all selects the methods that share one pass over the inputs.
        data: What to interpret: arrays (inputs, labels), a dataset or a path. By default fit's validation
            data, else a sample of its training data.
        samples: The number of inputs to interpret, stratified by class. Methods that need only predictions,
            such as the confusion matrix, use the whole validation set.
        every_n_epochs: Interpret every N epochs and after the last.
        class_names: The names of the classes, as elsewhere.
        head: What the model's output represents: probabilities, sigmoid, logits, binary_logit or values. By
            default, it follows from the model's loss or its last operations.
        output: Output to interpret, if the model has several: its name or position. Labels and sample
            weights are those of that output.
        preprocess: How to preprocess pixels 0..255 of `data` for the model, as elsewhere.
        resize: How to resize images of `data` to the model's input size, as elsewhere.
        interpolation: How to resample images of `data`, as elsewhere.
        log_images: Log images, or other values, of the inputs, as elsewhere. If false, figures and pages show
            only heatmaps, numbers, predictions, labels and names.
        layers: The layers to interpret, for the methods that take layers.
        resample: Choose other inputs each time.
        seed: The seed for choosing the inputs.
        run_id: The run to log to. By default the active one, else a new one that ends with the training.
        wait: Maximum time in seconds to wait, at the end of training, until all results are drawn and logged.
        verbose: Print results that can be written as text, such as the confusion matrix.
        display: Show the latest figures in a notebook during training.
        tensorboard: A folder to also write the figures to, for TensorBoard.
        only_by_all: The methods that are selected only by `all`; not an option.
    """

    methods: Methods = METHODS_IN_TRAINING
    data: Any = None
    samples: Annotated[int, Range(least=1)] = 500
    every_n_epochs: Annotated[int, Range(least=1)] = 1
    class_names: Any = None
    head: Head = "auto"
    output: str | int | None = None
    preprocess: str = "auto"
    resize: Resize = "auto"
    interpolation: Interpolation = "auto"
    log_images: bool = True
    layers: Layers = None
    resample: bool = False
    seed: Annotated[int, Range(least=0)] = 0
    run_id: str | None = None
    wait: Annotated[float, Range(least=0)] = 60.0
    verbose: bool = False
    display: bool = False
    tensorboard: str | None = None
    only_by_all: frozenset[str] = field(default=frozenset(), init=False)

    @classmethod
    def of(cls, methods: Methods, options: Mapping[str, Any]) -> TrainingOptions:
        """The options of a call, checked.

        Raises:
            OptionError: no such method or option, or a number out of range.
        """
        # Read once, as methods may be an iterator, and copied, as the caller's mapping may change.
        named = parse_methods(methods, while_training=True)
        shared = shared_values({"the call": options, **named.given}, _OF_LOADING)
        own = {
            method: {name: value for name, value in given.items() if name not in shared}
            for method, given in named.options.items()
        }
        checked = cls(own, **{**options, **shared})
        checked.check()
        if not checked.log_images:
            checked = replace(checked, methods=without_images(own, named.only_by_all))
        object.__setattr__(checked, "only_by_all", named.only_by_all)
        return checked

    @property
    def by_method(self) -> dict[str, dict[str, Any]]:
        """The options of each method, with `layers` for those that take layers."""
        by_method = dict(parse_methods(self.methods, while_training=True).options)
        if self.layers is None:
            return by_method
        takers = distribute(by_method, ["layers"])["layers"]
        return {
            name: ({"layers": self.layers} if name in takers else {}) | options
            for name, options in by_method.items()
        }

    def check(self) -> None:
        """Refuse invalid options before the training begins.

        Raises:
            OptionError: no such method or option, a number out of range, or no worker process on this system.
        """
        if sys.platform == "win32":
            raise OptionError(
                "interpreting during training needs Linux or macOS; interpret the trained model instead with "
                "mlflow_interp.interpret(model, inputs)"
            )
        for name, annotation in get_type_hints(type(self), include_extras=True).items():
            check(name, annotation, getattr(self, name))
        for method, method_options in self.by_method.items():
            for stage, options in route(method, method_options).items():
                if options and stage not in _STAGES:
                    raise OptionError(
                        f"{next(iter(options))!r} is not an option during training; {method} takes "
                        f"{', '.join(_accepted_options(method))}"
                    )


def _accepted_options(method: str) -> list[str]:
    return [name for name, option in options_of(method).items() if option.stage in _STAGES]
