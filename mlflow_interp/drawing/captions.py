"""The caption below a figure: what it shows, of which model, and when it was computed."""

from __future__ import annotations

from typing import Any

from mlflow_interp.core.contrast import contrast_phrase
from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.core.model_record import ModelRecord
from mlflow_interp.drawing import style

_MOST_LETTERS = 60  # of the names of classes


def caption(what: str, result: Any) -> str:
    """A caption: what a figure shows, the model and the date; for a difference, those of both results.

    Args:
        what: sentences about what is drawn.
        result: the result, with `examples`; a difference has a `minuend` and a `subtrahend`.
    """
    sides = [getattr(result, name, None) for name in ("minuend", "subtrahend")]
    if any(side is None for side in sides):
        model = _model(result.examples)
        return f"{what} {model[:1].upper()}{model[1:]}." if model else what
    texts = [_model(side.examples) for side in sides if side is not None]
    named = [f"{which}: {text}" for which, text in zip(("First", "Second"), texts, strict=True) if text]
    return " ".join([what, *(f"{text}." for text in named)])


def _model(examples: Examples) -> str:
    """Such as "model sights, version 3, epoch 2; 2026-11-27"."""
    record = examples.model_record or ModelRecord()
    parts = [
        f"model {record.name}" if record.name else "",
        f"version {record.version}" if record.version else "",
        "" if record.step is None else f"epoch {record.step}",
    ]
    return "; ".join(filter(None, (", ".join(filter(None, parts)), record.date)))


def contrast_of(explained: Explained) -> str:
    """What all inputs are contrasted with, short enough for titles and captions; "" for nothing."""
    return style.shorten(contrast_phrase(explained), _MOST_LETTERS)


def names_of(examples: Examples) -> list[str]:
    """The names that a figure of examples may show: of inputs that are shown, and of classes."""
    return [*(examples.names[row] for row in examples.shown_rows), *(examples.class_names or ())]
