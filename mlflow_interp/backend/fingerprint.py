"""What a compiled function computes, told apart from all others by a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mlflow_interp.core.digests import update_digest
from mlflow_interp.exceptions import OptionError

_GRADIENT = "_gradient_op_type"  # numbered as they come, and no gradient is taken here


def graph_digest(function: Any) -> str:
    """The sha256 of all that decides what a compiled pass gives: every operation, and all values it reads.

    The same in another process, where names are the same: functions inside, which TensorFlow numbers as
    they come, count by what they do.

    Raises:
        OptionError: the pass reads something whose value can't be told, such as a lookup table.
    """
    graph = function.graph.as_graph_def()
    library = {inner.signature.name: inner.node_def for inner in graph.library.function}
    sha256 = hashlib.sha256(_nodes_digest(graph.node, library).encode())
    # In the order in which the graph takes them in, so that two weights that change places are noticed.
    variables = {id(variable.handle): variable for variable in function.graph.variables}
    for outside, _ in function.graph.captures:
        update_digest(sha256, _value(variables.get(id(outside), outside)))
    return sha256.hexdigest()


def _value(captured: Any) -> np.ndarray:
    """A variable's or constant's value."""
    try:
        return np.asarray(captured.numpy())
    except Exception as error:
        raise OptionError(
            "cache can't be used with this model, which reads a table or another resource whose content "
            "can't be compared; leave cache out"
        ) from error


def _nodes_digest(nodes: Iterable[Any], library: Mapping[str, Any]) -> str:
    sha256 = hashlib.sha256()
    for node in nodes:
        sha256.update(f"{node.op}{list(node.input)}".encode())
        for name in sorted(node.attr):
            if name != _GRADIENT:
                sha256.update(f"{name}{_attribute(node.attr[name], library)}".encode())
    return sha256.hexdigest()


def _attribute(value: Any, library: Mapping[str, Any]) -> str:
    called = [value.func] if value.HasField("func") else list(value.list.func)
    if called:
        return "".join(_nodes_digest(library.get(each.name, ()), library) for each in called)
    return str(value.SerializeToString(deterministic=True))
