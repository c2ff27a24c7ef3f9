"""Prepares for the first layout, which would otherwise wait for compilation."""

from __future__ import annotations

from mlflow_interp.kinds.embedding.layout import try_out


def warm_up() -> None:
    """Have Numba compile the functions that the first layout would otherwise wait for."""
    try_out({"n_neighbors": 5, "min_dist": 0.1, "n_components": 2, "random_state": 0})
