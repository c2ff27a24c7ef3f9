"""Which panel of a figure is drawn into the user's own axes: that of an input, a layer or a label."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow_interp.core.examples import Examples
from mlflow_interp.exceptions import OptionError, nearest


def find_panel(panel: int | str, names: Sequence[str], what: str) -> int:
    """The index of a panel given by its index or name.

    Args:
        panel: the index or the name.
        names: the names of all panels.
        what: what they are, such as "layer".

    Raises:
        OptionError: there is no such panel.
    """
    if isinstance(panel, str):
        if panel not in names:
            raise OptionError(f"no {what} {panel!r}{nearest(panel, names)}")
        return list(names).index(panel)
    if not 0 <= panel < len(names):
        raise OptionError(f"panel {panel} is out of range: there are {what}s 0–{len(names) - 1}")
    return int(panel)


def find_shown(panel: int | str, examples: Examples) -> int:
    """The position in `shown_rows` of an input given by its row or name.

    Raises:
        OptionError: there is no such input, or it is not shown.
    """
    shown = examples.shown_rows.tolist()
    if isinstance(panel, str):
        return find_panel(panel, [examples.names[row] for row in shown], "shown input")
    row = find_panel(panel, examples.names, "input")
    if row not in shown:
        raise OptionError(
            f"input {row} is not shown: {len(shown)} of {len(examples)} inputs are; see examples.shown_rows"
        )
    return int(shown.index(row))
