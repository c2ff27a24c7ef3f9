"""A kind of result: how results of one class are drawn, written and restored."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of result; its files are imported when they are used.

    Attributes:
        package: the package of its result's class: a folder of `mlflow_interp.kinds`, or another package's.
    """

    package: str

    @property
    def name(self) -> str:
        """Its name in files: the folder of one of `mlflow_interp.kinds`, the whole package of any other."""
        return self.package.removeprefix("mlflow_interp.kinds.")

    @property
    def has_heatmaps(self) -> bool:
        """Whether its results are heatmaps."""
        return self.maps is not None

    @property
    def maps(self) -> Callable[..., dict[str, Any]] | None:
        """Returns the heatmaps of a result by name; None if its results are none."""
        return self._find("maps", "maps")

    @property
    def shown_map(self) -> str:
        """The heatmap, of several, that stands for all where there is room for one."""
        return self._value("maps", "SHOWN") or ""

    @property
    def make_tiles(self) -> Callable[..., Any] | None:
        """Makes the tiles that figure, page and view share; None if they share none."""
        return self._find("tiles", "make_tiles")

    @property
    def draw(self) -> Callable[..., Any]:
        """Draws the figure of a result."""
        return self._function("figure", "draw")

    @property
    def draw_panel(self) -> Callable[..., None]:
        """Draws one panel of the figure into the given axes."""
        return self._function("figure", "draw_panel")

    @property
    def page(self) -> Callable[..., str]:
        """Makes the page of a result."""
        return self._function("page", "page")

    @property
    def page_over(self) -> Callable[..., str] | None:
        """Makes a page of results over steps; None if the page of the run shows all there is of them."""
        return self._find("page", "page_over")

    @property
    def holds_earlier(self) -> bool:
        """Whether a result holds those of earlier steps, so that its page shows them too."""
        return bool(self._value("page", "HOLDS_EARLIER"))

    @property
    def view(self) -> Callable[..., Any] | None:
        """Makes its part of the page of a run; None if it has none."""
        return self._find("view", "view")

    @property
    def panel_script(self) -> str | None:
        """The script that draws its panel on the page of a run; None if it has none."""
        script = resources.files(self.package).joinpath("panel.js")
        return script.read_text(encoding="utf-8") if script.is_file() else None

    @property
    def meanings(self) -> Mapping[str, str]:
        """A short explanation of its metrics, by name without number and layer; empty if it has none."""
        return self._value("meanings", "MEANINGS") or {}

    @property
    def as_text(self) -> Callable[..., str] | None:
        """Writes a result as text for a terminal; None if that is not possible."""
        return self._find("text", "as_text")

    @property
    def warm_up(self) -> Callable[[], None] | None:
        """Loads and compiles what the first result would otherwise wait for; None if there is nothing."""
        return self._find("warm_up", "warm_up")

    @property
    def facts(self) -> Callable[..., dict[str, Any]] | None:
        """Returns what is stored of a result besides its arrays; None if results can't be restored."""
        return self._find("stored", "facts")

    @property
    def earlier_facts(self) -> Callable[..., dict[str, Any]]:
        """Returns the facts of a result of schema version 1, which stored none."""
        return self._function("stored", "earlier_facts")

    @property
    def restored(self) -> Callable[..., Any]:
        """Makes a result from what is stored of it; see `kinds.stored`."""
        return self._function("stored", "restored")

    def _value(self, file: str, name: str) -> Any:
        if importlib.util.find_spec(f"{self.package}.{file}") is None:
            return None
        return getattr(importlib.import_module(f"{self.package}.{file}"), name, None)

    def _find(self, file: str, name: str) -> Callable[..., Any] | None:
        found: Callable[..., Any] | None = self._value(file, name)
        return found

    def _function(self, file: str, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(importlib.import_module(f"{self.package}.{file}"), name)
        return function
