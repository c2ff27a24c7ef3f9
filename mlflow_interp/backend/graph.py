"""Which operations a tensor of a traced graph is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def dependencies(tensor: Any, *, but: Sequence[str] = ()) -> set[str]:
    """The names of all operations that a tensor of a traced graph is computed from, including its own.

    Args:
        tensor: the tensor.
        but: types of operations whose inputs are not followed.
    """
    names = set()
    pending = [tensor.op]
    while pending:
        operation = pending.pop()
        if operation.name not in names:
            names.add(operation.name)
            pending.extend(parent.op for parent in operation.inputs if operation.type not in but)
    return names
