"""A digest that identifies what a compiled function computes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mlflow_interp.core.digests import update_digest
from mlflow_interp.exceptions import OptionError

_GRADIENT = "_gradient_op_type"  # numbered in order of creation; no gradient is computed here


def graph_digest(function: Any) -> str:
    """The sha256 of everything that determines the output of a compiled pass: its operations and values.

    It is the same in another process if names are the same. Inner functions, which TensorFlow numbers in the
    order of their creation, are identified by their content.

    Raises:
        OptionError: the pass uses a resource whose value can't be read, such as a lookup table.
    """
    graph = function.graph.as_graph_def()
    library = {inner.signature.name: inner.node_def for inner in graph.library.function}
    sha256 = hashlib.sha256(_nodes_digest(graph.node, library).encode())
    # In the order in which the graph captures them, so that two exchanged weights change the digest.
    variables = {id(variable.handle): variable for variable in function.graph.variables}
    for captured, _ in function.graph.captures:
        update_digest(sha256, _value(variables.get(id(captured), captured)))
    return sha256.hexdigest()


def _value(captured: Any) -> np.ndarray:
    """A variable's or constant's value."""
    try:
        return np.asarray(captured.numpy())
    except Exception as error:
        raise OptionError(
            "cache can't be used with this model: it reads a lookup table or another resource that can't "
            "be compared; leave cache out"
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
    functions = [value.func] if value.HasField("func") else list(value.list.func)
    if functions:
        return "".join(_nodes_digest(library.get(each.name, ()), library) for each in functions)
    return str(value.SerializeToString(deterministic=True))
