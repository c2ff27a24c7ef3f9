"""One folder, one kind of result: all that is known of it.

`result.py` holds the class; `figure.py` defines `draw(result, *, options…) -> Figure`, `page.py` defines
`page(result, **options) -> str`, a self-contained page, and where a kind has a page over several steps of a
training `page_over({step: result}, **options)`; `view.py` defines `view(result, **options) -> View`, its part
of the page of a run. The options of `draw` are those of all three.
"""
