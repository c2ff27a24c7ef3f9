"""The type stubs of the public names, among them each `visualize_<method>` with its options."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args, get_origin

import mlflow_interp
from mlflow_interp.api import visualizer
from mlflow_interp.method_registry import own_method_names
from mlflow_interp.options import Option, options_of

_HEAD = '''"""Made by `make generated` from the signatures of the methods."""

# ruff: noqa: E501
'''
_FUNCTION = '''
def {name}(
    model: Any,
    inputs: Any,
    *,
{options}
    quiet: bool = False,
) -> Interpretation:
    """{summary}"""
'''


def render() -> str:
    """The text of `mlflow_interp/__init__.pyi`."""
    functions = [_function(method) for method in own_method_names()]
    public = vars(mlflow_interp)["_MODULES"]  # name by name, where it is defined
    imports = [f"from {module} import {name} as {name}" for name, module in public.items()]
    names = ", ".join(f'"{name}"' for name in mlflow_interp.__all__)
    blocks = [
        _HEAD,
        "import collections.abc\nimport pathlib\nfrom typing import Any, Literal\n",
        "import numpy\n",
        "\n".join(sorted(imports, key=lambda line: line.split()[1])) + "\n",
        f"__version__: str\n__all__ = [{names}]",
    ]
    return "\n".join(blocks) + "\n" + "".join(functions)


def _function(method: str) -> str:
    function: Callable[..., Any] = visualizer(method)
    return _FUNCTION.format(
        name=function.__name__,
        options="\n".join(_parameter(option) for option in options_of(method).values()),
        summary=(function.__doc__ or "").partition("\n")[0],
    )


def _parameter(option: Option) -> str:
    annotation = type_text(option.annotation)
    if option.default is None and "None" not in annotation.split(" | ") and annotation != "Any":
        annotation += " | None"
    return f"    {option.name}: {annotation} = {option.default!r},"


def type_text(annotation: Any) -> str:
    """A type as source code, without the aliases that stand for it and without metadata."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_text(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(dict.fromkeys(_flattened(arguments)))
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is not None:
        return f"{_class_text(origin)}[{', '.join(map(type_text, arguments))}]"
    return _class_text(annotation)


def _flattened(arguments: tuple[Any, ...]) -> Iterator[str]:
    for argument in arguments:
        yield from type_text(argument).split(" | ")


def _class_text(annotation: Any) -> str:
    if annotation in (None, types.NoneType):
        return "None"
    if annotation is Any:
        return "Any"
    if annotation is Ellipsis:
        return "..."
    module = "" if annotation.__module__ == "builtins" else f"{annotation.__module__}."
    return f"{module}{annotation.__qualname__}"
