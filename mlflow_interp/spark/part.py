"""What a task accumulated over its rows: counts, mean heatmaps, digests; merged in any order."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.coarse_maps import MOST_SIDE, block_means
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.parts import Parts
from mlflow_interp.exceptions import InputsError

#: What a part may be made of, besides classes of this package.
_SAFE = {
    *(("builtins", name) for name in ("set", "frozenset", "slice")),
    *(("collections", name) for name in ("Counter", "OrderedDict", "defaultdict")),
    *(("numpy", name) for name in ("concatenate", "dtype", "ndarray")),
    # Where NumPy 1 and 2 have the functions that restore arrays.
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}


@dataclass
class ClassMaps:
    """Sums of the heatmaps of one class.

    Attributes:
        count: the number of heatmaps.
        total: their sum, float64.
        squares: the sum of their squares, float64.
    """

    count: int
    total: np.ndarray
    squares: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean heatmap, signed."""
        return np.asarray(self.total / self.count)

    @property
    def deviation(self) -> np.ndarray:
        """The standard deviation of the heatmaps at each position."""
        return np.asarray(np.sqrt(np.maximum(self.squares / self.count - self.mean**2, 0)))


class MeanMaps:
    """Accumulates the mean heatmap of each explained class.

    Maps with more than 28 positions along a side are reduced to means of blocks.
    """

    def __init__(self) -> None:
        self.classes: dict[int, ClassMaps] = {}

    def update(self, classes: np.ndarray, maps: np.ndarray) -> None:
        """Add heatmaps (n, *grid) and their classes (n,)."""
        maps = np.asarray(maps, np.float64)
        for axis in range(1, maps.ndim):
            maps = block_means(maps, axis, MOST_SIDE)
        for label in np.unique(classes).tolist():
            of_class = maps[classes == label]
            self._add(label, ClassMaps(len(of_class), of_class.sum(axis=0), (of_class**2).sum(axis=0)))

    def merge(self, other: MeanMaps) -> None:
        """Add the heatmaps of other inputs."""
        for label, each in other.classes.items():
            self._add(label, each)

    def _add(self, label: int, added: ClassMaps) -> None:
        known = self.classes.get(label)
        if known is None:
            self.classes[label] = added
            return
        if known.total.shape != added.total.shape:
            raise InputsError(
                f"heatmaps of class {label} have shapes {known.total.shape} and {added.total.shape}; give "
                "inputs of one shape"
            )
        self.classes[label] = ClassMaps(
            known.count + added.count, known.total + added.total, known.squares + added.squares
        )


@dataclass
class TaskPart:
    """What a task accumulated.

    Attributes:
        parts: the counts of methods, and the record of the inputs that could be read.
        mean_maps: the mean heatmaps of each method, by its name.
        errors: the number of inputs that could not be interpreted.
        head: how scores were read from the model's output; see `Passed`.
    """

    parts: Parts = field(default_factory=Parts)
    mean_maps: dict[str, MeanMaps] = field(default_factory=dict)
    errors: int = 0
    head: str = ""

    @property
    def read(self) -> int:
        """The number of inputs that were interpreted."""
        return 0 if self.parts.inputs is None else self.parts.inputs.count

    @property
    def rows(self) -> int:
        """The number of inputs."""
        return self.read + self.errors

    def add_inputs(self, chunk: Chunk, passed: Passed) -> None:
        """Record inputs that were interpreted."""
        if self.parts.inputs is not None:
            self.parts.inputs.update(chunk)
        self.head = passed.head

    def add_maps(self, method: str, share: Passed, maps: np.ndarray) -> None:
        """Add the heatmaps of a method for a chunk, to the class that they explain or that is predicted."""
        classes = share.arrays.get("targets")
        if classes is None:
            classes = np.asarray(share.probabilities).argmax(axis=1)
        self.mean_maps.setdefault(method, MeanMaps()).update(np.asarray(classes), maps)

    def merge(self, other: TaskPart) -> None:
        """Add what another task accumulated."""
        self.parts.merge(other.parts)
        for name, maps in other.mean_maps.items():
            if name in self.mean_maps:
                self.mean_maps[name].merge(maps)
            else:
                self.mean_maps[name] = maps
        self.errors += other.errors
        self.head = self.head or other.head

    def to_bytes(self) -> bytes:
        """As bytes, for `read_part`."""
        return pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)


def merged(parts: Iterable[TaskPart]) -> TaskPart:
    """Several parts as one."""
    whole = TaskPart()
    for part in parts:
        whole.merge(part)
    return whole


def read_part(data: bytes) -> TaskPart:
    """The part in bytes, which run no code: only classes of this package and of NumPy are created.

    Raises:
        InputsError: the bytes hold something else, such as a part of another version.
    """
    try:
        part = _Unpickler(io.BytesIO(data)).load()
    # Damaged pickles raise almost anything.
    except Exception as error:
        raise InputsError(
            f"the table holds a part that can't be read ({error}); it may be from another version of "
            "mlflow_interp, so start again with overwrite"
        ) from error
    if not isinstance(part, TaskPart):
        raise InputsError("the table holds no part of a task; start again with overwrite")
    return part


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        is_own = module.startswith("mlflow_interp.")
        if is_own or (module, name) in _SAFE:
            found = super().find_class(module, name)
            if isinstance(found, type) or not is_own:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is not part of a result")
