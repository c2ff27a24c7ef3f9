"""Tiny models in a store of their own."""

from tests.filled_store import filled_store, loaded, store, trap_module

__all__ = ["filled_store", "loaded", "store", "trap_module"]
