"""A gate in a YAML file, or by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from mlflow_interp.comparison.gate import DEFAULT, RULES, Gate
from mlflow_interp.comparison.verdict import Action, Limit
from mlflow_interp.exceptions import OptionError, nearest

_FORM = "give rules with a bound each, such as accuracy_drop: 0.01, or {bound: 0.01, action: warn}"


def read_gate(gate: str | Path | Mapping[str, Any] | None) -> Gate:
    """The rules of a gate.

    Args:
        gate: "default", "none" or None, the path of a YAML file, or the content of one.

    Raises:
        OptionError: a file that can't be read, a rule that does not exist, or a bound that is not a number.
    """
    if gate is None or gate == "none":
        return {}
    if gate == "default":
        return DEFAULT
    content = gate if isinstance(gate, Mapping) else _file(gate)
    return {str(name): _limit(str(name), given) for name, given in content.items()}


def _file(path: str | Path) -> Mapping[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise OptionError(
            f"gate {str(path)!r} can't be read: {first}; give default, none, or the path of a YAML file"
        ) from error
    if not isinstance(content, Mapping) or not content:
        raise OptionError(f"gate {str(path)!r} has no rules; {_FORM}")
    return content


def _limit(name: str, given: Any) -> Limit:
    if name not in RULES and name.partition("/")[0] not in _NUMBERS:
        raise OptionError(f"no rule {name!r}{nearest(name, [*RULES, *_NUMBERS], most=3)}")
    known = RULES[name].limit if name in RULES else Limit(math.nan)
    options = dict(given) if isinstance(given, Mapping) else {"bound": given}
    unknown = set(options) - {"bound", "least", "action"}
    action = options.get("action", "fail" if name not in RULES or "bound" in options else known.action)
    is_least = known.is_least or "least" in options
    bound = options.get("least", options.get("bound", known.bound))
    if unknown or action not in get_args(Action) or isinstance(bound, bool):
        raise OptionError(f"rule {name!r} is {given!r}; {_FORM}")
    if not isinstance(bound, (int, float)) or not math.isfinite(bound):
        raise OptionError(f"rule {name!r} has the bound {bound!r}; {_FORM}")
    return Limit(float(bound), action, is_least, is_stated=True)


#: The numbers that a rule may be about, besides those of `RULES`.
_NUMBERS = (
    "churn",
    "probability_shift",
    "positive_flips",
    "relative_negative_flips",
    "loss_change",
    "calibration_error_change",
    "correlation",
    "overlap",
    "moved",
    "kept",
    "faithfulness_drop",
)
