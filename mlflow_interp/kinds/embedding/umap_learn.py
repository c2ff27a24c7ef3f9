"""umap-learn, with what Numba compiles for it kept on disk."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

_importing = threading.Lock()


def import_umap() -> Any:
    """The module `umap`; its compiled functions are written beside it, as Python writes its own.

    umap-learn and PyNNDescent compile some functions when imported and more at the first layout: 40
    seconds in each process. Numba can keep them (`cache=True`), which neither asks for, so it is asked
    for while they are imported. Where the user has imported them before, nothing changes.
    """
    with _importing:
        if "umap" not in sys.modules:
            _import_cached()
    import umap

    return umap


def _import_cached() -> None:
    import numba

    kept = numba.jit, numba.njit
    numba.jit, numba.njit = map(_caching, kept)
    try:
        import umap  # noqa: F401
    finally:
        numba.jit, numba.njit = kept


def _caching(decorator: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(decorator)
    def caching(*args: Any, **kwargs: Any) -> Any:
        return decorator(*args, **{"cache": True} | kwargs)

    return caching
