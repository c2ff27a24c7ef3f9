"""The outputs of a model with several: their names, and the labels, weights or losses of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_interp.exceptions import ModelError, OptionError, nearest

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Output:
    """One output of a model.

    Attributes:
        path: the keys and positions that lead to it in the model's output structure; empty if the model has
            only this output.
        position: its position among all outputs in Keras' order, which sorts keys; None if not known.
        count: the number of outputs, None if not known.
        layer: the name of the layer that computes it, which Keras also uses as its name; None if not known.
    """

    path: Path = ()
    position: int | None = None
    count: int | None = None
    layer: str | None = None

    @property
    def name(self) -> str:
        """Its key, or the name of its layer, or its position."""
        keys = [str(key) for key in self.path]
        if self.layer is not None and all(isinstance(key, int) for key in self.path):
            return self.layer
        return "/".join(keys) or "0"

    @property
    def names(self) -> set[str]:
        """All names that it can be selected by."""
        return {self.name, str(self.position), self.layer or self.name}

    def of(self, structure: Any) -> Any:
        """The part of outputs, labels, weights or losses that belongs to it; None if there is none.

        A single value that is not part of a structure belongs to every output.
        """
        part = structure
        for key in self.path or (0,):
            if isinstance(part, Mapping):
                if not self.path and len(part) == 1:
                    return next(iter(part.values()))
                found = [name for name in (key, self.layer) if name in part]
                part = part[found[0]] if found else None
            elif isinstance(part, (tuple, list)):
                at = key if self.position is None else self.position
                fits = isinstance(at, int) and at < len(part) and self.count in (None, len(part))
                part = part[int(at)] if fits else None
        return part


def paths(structure: Any) -> Iterator[Path]:
    """The paths of all leaves of a structure, in the order of Keras."""
    if isinstance(structure, Mapping):
        children: Any = ((key, structure[key]) for key in sorted(structure))
    elif isinstance(structure, (tuple, list)):
        children = enumerate(structure)
    else:
        yield ()
        return
    for key, child in children:
        for path in paths(child):
            yield (key, *path)


def outputs_of_structure(structure: Any, layers: Sequence[str] = ()) -> list[Output]:
    """Every output of a structure.

    Args:
        structure: the output structure of a model, such as a dict of tensors.
        layers: the names of the layers that compute them, such as Keras' `output_names`, if known.
    """
    found = list(paths(structure))
    named = list(layers) if len(layers) == len(found) else [None] * len(found)
    return [Output(path, at, len(found), named[at]) for at, path in enumerate(found)]


def choose(outputs: Sequence[Output], output: str | int | None, model_name: str) -> Output:
    """The output with a name or position; for None, the only output.

    Raises:
        ModelError: no output is named, but there are several.
        OptionError: there is no such output.
    """
    names = [each.name for each in outputs]
    if output is None:
        if len(outputs) > 1:
            one_of = f"{', '.join(map(repr, names[:-1]))} or {names[-1]!r}"
            raise ModelError(
                f"model {model_name!r} has {len(names)} outputs; choose the one to interpret with output= "
                f"({one_of})"
            )
        return outputs[0]
    for each in outputs:
        if str(output) in each.names:
            return each
    raise OptionError(f"model {model_name!r} has no output {output!r}{nearest(output, names)}")


def labels_for(output: Output | None, labels: Any, loss: Any) -> Any:
    """The labels that belong to an output, among those passed to `fit`; None if it has none.

    Args:
        output: the output; None for a model that is not known to have several.
        labels: one array, or a dict, tuple or list of arrays.
        loss: the loss that the model was compiled with: Keras expects one array for each output with a loss.
    """
    output = output or Output(count=1)
    is_structure = isinstance(labels, (Mapping, tuple, list))
    if not is_structure and (output.count or 1) > 1 and output.of(loss) is None:
        return None
    return output.of(labels)
