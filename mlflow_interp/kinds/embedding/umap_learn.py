"""umap-learn, with its Numba-compiled functions cached on disk."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

_import_lock = threading.Lock()


def import_umap() -> Any:
    """The module `umap`; its compiled functions are cached next to it, like Python's bytecode.

    umap-learn and PyNNDescent compile some functions when imported and more for the first layout: 40
    seconds in each process. Numba can cache them (`cache=True`), but neither package does so; this function
    changes the default while they are imported. If the user has imported them before, nothing changes.
    """
    with _import_lock:
        if "umap" not in sys.modules:
            _import_cached()
    import umap

    return umap


def _import_cached() -> None:
    import numba

    originals = numba.jit, numba.njit
    numba.jit, numba.njit = map(_caching, originals)
    try:
        import umap  # noqa: F401
    finally:
        numba.jit, numba.njit = originals


def _caching(decorator: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(decorator)
    def caching(*args: Any, **kwargs: Any) -> Any:
        return decorator(*args, **{"cache": True} | kwargs)

    return caching
