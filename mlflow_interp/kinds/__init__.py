"""One folder for each kind of result, with everything about it.

- `result.py` holds the class; its `difference(other)` gives what differs from another result.
- `figure.py` defines `draw(result, *, options…) -> Figure`, and
  `draw_panel(axes, result, panel, *, options…)`, which draws one panel of it into somebody's axes.
- `page.py` defines `page(result, **options) -> str`, a self-contained page, and optionally
  `page_over({step: result}, **options)`, a page over several steps of a training.
- `view.py` optionally defines `view(result, **options) -> View`, the part of the kind in the page of a run;
  if that has a panel, `panel.js` draws it.
- `tiles.py` optionally defines `make_tiles(result, **options)`: what figure, page and view share. It is
  computed once and handed to each of them after the result.
- `stored.py` optionally defines what is stored of a result besides arrays, and makes a result from what is
  stored; see `kinds.stored`.

All take the options of `draw`. A kind of another package is a folder of that package with the same files;
its templates and scripts are named `other_package:folder/page.html`.
"""
