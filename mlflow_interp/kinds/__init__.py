"""One folder for each kind of result, with everything about it.

`result.py` holds the class. `figure.py` defines `draw(result, *, options…) -> Figure`. `page.py` defines
`page(result, **options) -> str`, a self-contained page, and optionally `page_over({step: result},
**options)`, a page over several steps of a training. `view.py` defines `view(result, **options) -> View`,
the part of the kind in the page of a run. All three take the options of `draw`.
"""
