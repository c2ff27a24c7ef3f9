"""One folder for each kind of result, with everything about it.

- `result.py` has the class; its `difference(other)` returns the difference from another result.
- `figure.py` defines `draw(result, *, options…) -> Figure`, and
  `draw_panel(axes, result, panel, *, options…)`, which draws one panel of it into the user's axes.
- `page.py` defines `page(result, **options) -> str`, a self-contained page, and optionally
  `page_over({step: result}, **options)`, a page over several training steps, if that has more to show than
  the page of the run.
- `view.py` optionally defines `view(result, **options) -> View`, the kind's part of the run's page; if that
  has a panel, `panel.js` draws it (built from `web/src/kinds`, as the scripts of the pages here are from
  `web/src/pages`).
- `meanings.py` optionally defines `MEANINGS`, what each metric means in a line; see
  `report.metric_meanings`.
- `tiles.py` optionally defines `make_tiles(result, **options)`: the tiles that figure, page and view share.
  They are computed once and passed to each of them after the result.
- `maps.py` defines `maps(result)` if results are heatmaps: signed arrays with a row per input, by name. Their
  quality can be measured, and they can be compared with those of another model version.
- `stored.py` optionally defines the facts to store with a result's arrays, and restores a result from both;
  see `kinds.stored`.

All take the options of `draw`. A kind of another package is a folder of that package with the same files;
its templates and scripts are named `other_package:folder/page.html`.
"""
