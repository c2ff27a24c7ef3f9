"""What is asked of a training's interpretation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_interp.exceptions import OptionError
from mlflow_interp.options import options_of, route
from mlflow_interp.registry import find_method


@dataclass(frozen=True)
class Settings:
    """See `InterpretationCallback` for each; `hear` is told what the process beside the training says."""

    methods: Mapping[str, Mapping[str, Any]]
    data: Any = None
    samples: int = 500
    every_n_epochs: int = 1
    class_names: Any = None
    resample: bool = False
    seed: int = 0
    run_id: str | None = None
    wait: float = 60.0
    verbose: bool = False
    silent: bool = False
    hear: Callable[[Mapping[str, Any]], None] | None = None

    def check(self) -> None:
        """Refuse what can't be done before the training begins.

        Raises:
            OptionError: no such method or option, or a number out of range.
        """
        if not self.methods:
            raise OptionError("methods names none; name some, such as umap,confusion_matrix")
        for name, value in (("samples", self.samples), ("every_n_epochs", self.every_n_epochs)):
            if not isinstance(value, int) or value < 1:
                raise OptionError(f"{name} is {value!r}; give a whole number, 1 or more")
        for method, own in self.methods.items():
            find_method(method)
            for room, given in route(method, own).items():
                if given and room not in ("method", "figure"):
                    raise OptionError(
                        f"{next(iter(given))!r} is no option while training; {method} takes "
                        f"{', '.join(_own_options(method))}"
                    )


def _own_options(method: str) -> list[str]:
    return [name for name, option in options_of(method).items() if option.room in ("method", "figure")]
