"""One file a result type: `draw(result, *, …) -> Figure` and `page(result) -> str`, a self-contained page."""
