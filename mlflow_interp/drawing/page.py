"""The frame that all pages share: a template, a script allowed by its hash, data as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from mlflow_interp.drawing.style import counted

SHARED = "drawing/shared.js"


def _file(name: str) -> str | None:
    """The text of a file in this package, or in another one: `other_package:folder/page.html`."""
    package, colon, path = name.rpartition(":")
    file = resources.files(package if colon else "mlflow_interp").joinpath(path)
    return file.read_text(encoding="utf-8") if file.is_file() else None


@cache
def _templates() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["share"] = lambda value: f"{value:.1%}"
    environment.filters["counted"] = counted
    return environment


def render(
    template: str,
    script: str | None = None,
    *,
    plotly: bool = False,
    panels: Mapping[str, str] | None = None,
    **values: Any,
) -> str:
    """Fill a page template; only its script, which is allowed by its hash, can run.

    Values for the script go in as JSON under `data`, with "<" escaped so that no text can end the block.

    Args:
        template: the path of the template in this package, or in another as `other_package:page.html`.
        script: the path of its script, likewise; it can use the functions that web/src/shared.ts
            makes global, and read `data`.
        plotly: whether the page includes Plotly before the script.
        panels: the scripts of the panels that the page shows, by kind; None if it shows none.
        **values: the variables of the template.
    """
    code = _source(SHARED) + _panels(panels) + _source(script) if script else ""
    library = _plotly() if plotly else ""
    if "data" in values:
        values["data"] = json.dumps(values["data"], allow_nan=False).replace("<", "\\u003c")
    hashes = [_hash(source) for source in (code, library) if source]
    page = _templates().get_template(template)
    return str(page.render(script=code, library=library, script_hashes=hashes, **values))


def _panels(panels: Mapping[str, str] | None) -> str:
    """The scripts of panels, each in its own scope."""
    return "".join(f"(() => {{\n{code}}})();\n" for _, code in sorted((panels or {}).items()))


def _source(file: str) -> str:
    return str(_templates().loader.get_source(_templates(), file)[0])


def _hash(code: str) -> str:
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
