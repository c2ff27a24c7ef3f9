"""A loaded model: its origin, and what was logged with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mlflow_interp.core.digests import weights_digest
from mlflow_interp.core.outputs import Output
from mlflow_interp.exceptions import InputsError


@dataclass(frozen=True)
class Origin:
    """The origin of a model; a field is None if it is not known.

    Attributes:
        uri: what the user gave: a URI, a path, or "keras.Model" for a model in memory.
        name: its registered name, or the name of the Keras model.
        version: its registered version.
        model_id: its LoggedModel id.
        run_id: the run that logged it.
        experiment_id: that run's experiment.
        weights_sha256: digest of all weights in order.
        aliases: the aliases of the registered version when it was loaded.
        input_shape: the shape of each input without the batch axis; None for a variable axis.
        parameters: the number of parameters.
    """

    uri: str
    name: str | None = None
    version: str | None = None
    model_id: str | None = None
    run_id: str | None = None
    experiment_id: str | None = None
    weights_sha256: str | None = None
    aliases: tuple[str, ...] = ()
    input_shape: tuple[tuple[int | None, ...], ...] | None = None
    parameters: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, for a manifest."""
        return asdict(self)


@dataclass(frozen=True)
class LoadedModel:
    """A Keras model, its origin, and what was logged with it.

    Attributes:
        keras: the model.
        origin: its origin.
        metadata: the `metadata` given to `log_model`; "class_names", "preprocess", "resize",
            "interpolation" and "head" are read from it.
        input_shape: (None, …) from the MLflow signature, if the model itself has no input shape.
        head: what its output represents, as the user, the metadata or the loss states it; else "auto".
        signature: the shape (None, …) of each input that its MLflow signature names.
        output: the output that was chosen, of a model with several; None for a model with one.
        head_source: what states the head: "head=", "metadata" or "loss"; "" if nothing does.
        ignored_label: the label that its loss ignores; None if there is none.
    """

    keras: Any
    origin: Origin
    metadata: Mapping[str, Any] = field(default_factory=dict)
    input_shape: tuple[int | None, ...] | None = None
    head: str = "auto"
    signature: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)
    output: Output | None = None
    head_source: str = ""
    ignored_label: int | None = None

    def labels_of(self, labels: Any) -> Any:
        """The labels, or weights, that belong to its output; None if there are none.

        Raises:
            InputsError: labels are given for several outputs, and none is chosen.
        """
        if isinstance(labels, Mapping):
            if self.output is None and len(labels) > 1:
                names = ", ".join(map(repr, labels))
                raise InputsError(f"labels are given for the outputs {names}; choose one with output=")
            return (self.output or Output()).of(labels)
        # Any other list may have a label for each input.
        are_arrays = isinstance(labels, (tuple, list)) and all(getattr(each, "ndim", 0) for each in labels)
        if are_arrays and self.output is not None and len(labels) == self.output.count:
            return self.output.of(labels)
        return labels


def digested(loaded: LoadedModel) -> LoadedModel:
    """The model with its size and the digest of its current weights, which reads all of them."""
    origin = replace(
        loaded.origin,
        weights_sha256=weights_digest(loaded.keras),
        input_shape=_input_shapes(loaded),
        parameters=int(loaded.keras.count_params()) if loaded.keras.built else None,
    )
    return replace(loaded, origin=origin)


def _input_shapes(loaded: LoadedModel) -> tuple[tuple[int | None, ...], ...] | None:
    """The shape of each input, by the model or its signature; None if neither has it."""
    import keras

    inputs = getattr(loaded.keras, "inputs", None) or ()
    shapes = [each.shape for each in keras.tree.flatten(inputs)] or [loaded.input_shape]
    return tuple(tuple(shape[1:]) for shape in shapes if shape is not None) or None
