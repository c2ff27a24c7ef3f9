"""Datasets that come in blocks: a tf.data.Dataset, and iterators of Keras such as a PyDataset."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Arrays, flatten
from mlflow_interp.data.elements import Layout, are_batched, check_takes_text, find_layout
from mlflow_interp.exceptions import InputsError, InterpretationError, first_line
from mlflow_interp.models.signature import ModelInputs

_NODE = re.compile(r"\{\{.*?\}\} ?")  # the graph node that failed, at the start of TensorFlow's messages
_INFINITE = -1  # tf.data.INFINITE_CARDINALITY

#: Inputs, labels and weights; None for missing ones.
Block = tuple[Arrays, Any, Any]


@dataclass(frozen=True)
class Blocks:
    """An iterator of (inputs, labels, weights), new for each pass; `total` is None where it is unknown.

    `classes` are the names of the classes in the order of their numbers, where the dataset has them. `origin`
    is the dataset and how its elements are read: two of the same origin yield the same.
    """

    uri: str
    read: Callable[[], Iterator[Block]]
    total: int | None
    labelled: bool
    classes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    origin: tuple[Any, ...] = ()


def read_dataset(dataset: Any, *, batch_size: int, most: int | None, takes: ModelInputs | None) -> Blocks:
    """A tf.data.Dataset, batched or not.

    Args:
        dataset: the dataset.
        batch_size: the number of inputs in a block.
        most: the number of inputs to take; None for all.
        takes: what the model takes, None if not known.

    Raises:
        InputsError: the dataset is infinite, or lacks inputs of the model.
    """
    if int(dataset.cardinality()) == _INFINITE and most is None:  # checked first, as unbatch() loses it
        raise _endless("dataset")
    original = dataset
    classes = getattr(dataset, "class_names", None)  # of keras.utils.image_dataset_from_directory
    layout = find_layout(dataset.element_spec, takes)
    if layout.keys is not None:
        # Before elements are joined, as the parts that are left out may differ in shape.
        dataset = dataset.map(
            lambda *element: _present(layout.split(element if layout.is_tuple else element[0]))
        )
    by_position = layout if layout.keys is None else Layout(is_tuple=True)
    inputs, labels, _ = by_position.split(dataset.element_spec)
    if any(spec.dtype.name == "string" for spec in flatten(inputs)):
        check_takes_text(takes)
    is_batched = are_batched(inputs, takes)
    if is_batched:
        dataset = dataset.unbatch()
    dataset = dataset if most is None else dataset.take(most)
    total = int(dataset.cardinality())
    # TensorFlow would otherwise add a prefetch of its own choice.
    blocks = dataset.batch(batch_size).prefetch(1)

    def read() -> Iterator[Block]:
        elements = blocks.as_numpy_iterator()
        while (element := _next(elements)) is not None:
            yield by_position.split(element)

    return Blocks(
        "tf.data.Dataset",
        read,
        total if total >= 0 else None,
        labels is not None,
        tuple(classes) if isinstance(classes, (list, tuple)) else (),
        layout.warnings("the dataset"),
        (_Same(original), layout, is_batched, batch_size, most),
    )


@dataclass(frozen=True, eq=False)
class PyBatches:
    """A `keras.utils.PyDataset` with its first batch, which shows where the inputs are.

    Attributes:
        dataset: the dataset.
        count: the number of its batches; None if it is infinite.
        first: its first batch, which is not read again, as reading may be slow.
    """

    dataset: Any
    count: int | None
    first: Any


def open_py_dataset(dataset: Any, *, most: int | None) -> PyBatches:
    """A `keras.utils.PyDataset`, such as an iterator of an `ImageDataGenerator`, with its first batch.

    Raises:
        InputsError: the dataset is empty, infinite without a number of inputs to take, or fails.
    """
    count = _batch_count(dataset)
    if count is None and most is None:
        raise _endless("PyDataset")
    if count == 0:
        raise InputsError("the PyDataset has no batches; give at least one input")
    return PyBatches(dataset, count, _batch(dataset, 0))


def read_py_dataset(
    opened: PyBatches, *, batch_size: int, most: int | None, takes: ModelInputs | None
) -> Blocks:
    """A `keras.utils.PyDataset`: each batch once, by number.

    Args:
        opened: the dataset.
        batch_size: the number of inputs in a block.
        most: the number of inputs to take; None for all.
        takes: what the model takes, None if not known.

    Raises:
        InputsError: the dataset fails, or lacks inputs of the model.
    """
    dataset, count, first = opened.dataset, opened.count, opened.first
    layout = find_layout(first, takes)

    def batches() -> Iterator[Block]:
        for index in itertools.count() if count is None else range(count):
            inputs, labels, weights = layout.split(_batch(dataset, index) if index else first)
            yield tuple(inputs) if isinstance(inputs, list) else inputs, labels, weights

    return Blocks(
        "keras.utils.PyDataset",
        lambda: _resized(batches(), batch_size, most),
        None,
        layout.split(first)[1] is not None,
        _classes_by_index(getattr(dataset, "class_indices", None)),
        [*layout.warnings("the PyDataset"), *_order_warning(dataset)],
        (_Same(opened), layout, batch_size, most),
    )


@dataclass(frozen=True)
class _Same:
    """An object that equals only itself, whatever its own `__eq__` does."""

    of: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.of is other.of

    __hash__ = None  # type: ignore[assignment]


def _endless(what: str) -> InputsError:
    return InputsError(f"the {what} is infinite; limit the number of inputs with max_inputs=")


def _present(block: Block) -> tuple[Any, ...]:
    """A block without its missing parts, as TensorFlow has no None; weights need labels before them."""
    inputs, labels, weights = block
    if labels is None:
        return (inputs,)
    return (inputs, labels) if weights is None else (inputs, labels, weights)


def _next(elements: Iterator[Any]) -> Any:
    try:
        return next(elements, None)
    # A dataset runs user code, and its elements may not fit together.
    except Exception as error:
        raise InputsError(
            f"the dataset can't be read: {_NODE.sub('', first_line(error))}; give elements of one shape"
        ) from error


def _batch_count(dataset: Any) -> int | None:
    try:
        count = dataset.num_batches
    except NotImplementedError:  # neither that nor a length
        return None
    return None if count is None else int(count)


def _batch(dataset: Any, index: int) -> Any:
    """A batch in Keras' format: a mapping, or a tuple of inputs and optional labels and weights."""
    try:
        batch = dataset[index]
    except InterpretationError:
        raise
    # Code of the user.
    except Exception as error:
        raise InputsError(
            f"batch {index} of the PyDataset can't be read: {type(error).__name__}: {first_line(error)}; "
            "correct its __getitem__"
        ) from error
    return tuple(batch) if isinstance(batch, list) else batch


def _classes_by_index(indices: Any) -> tuple[str, ...]:
    """The names in a mapping from name to index; none if the attribute is something else."""
    if not isinstance(indices, Mapping) or set(indices.values()) != set(range(len(indices))):
        return ()
    return tuple(sorted(indices, key=lambda name: int(indices[name])))


def _order_warning(dataset: Any) -> list[str]:
    # A user's own PyDataset may mean something else by the name.
    if not (getattr(dataset, "shuffle", None) is True and hasattr(dataset, "index_array")):
        return []
    return [
        "the iterator shuffles, so inputs are numbered in shuffled order, not in the order of its data; "
        "create it with shuffle=False to keep the order of the data"
    ]


def _resized(blocks: Iterator[Block], size: int, most: int | None) -> Iterator[Block]:
    """The same rows in blocks of `size`, at most `most` of them."""
    pending: list[Block] = []
    waiting = 0  # rows in them
    left = most
    for block in blocks:
        rows = _rows(block) if left is None else min(_rows(block), left)
        pending.append(_part(block, 0, rows))
        waiting += rows
        left = None if left is None else left - rows
        if waiting >= size:
            joined = _joined(pending)
            whole = waiting - waiting % size
            for start in range(0, whole, size):
                yield _part(joined, start, start + size)
            pending = [_part(joined, whole, waiting)]
            waiting -= whole
        if left == 0:
            break
    if waiting:
        yield _joined(pending)


def _rows(block: Block) -> int:
    return len(flatten(block[0])[0])


def _part(block: Block, start: int, end: int) -> Block:
    import keras

    part: Block = keras.tree.map_structure(
        lambda array: None if array is None else np.asarray(array)[start:end], block
    )
    return part


def _joined(blocks: Sequence[Block]) -> Block:
    import keras

    joined: Block = keras.tree.map_structure(
        lambda *arrays: None if arrays[0] is None else np.concatenate(arrays), *blocks
    )
    return joined
