"""A page of figures over epochs: a slider, and the metrics of each."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from mlflow_interp.drawing.page import render


def page(title: str, figures: Mapping[int, bytes], metrics: Mapping[int, Mapping[str, float]]) -> str:
    """A page that works offline: one figure, with a slider and arrow keys for the other steps.

    Args:
        title: what the figures show.
        figures: PNG bytes by step.
        metrics: by step, values by name.
    """
    return render(
        "drawing/epoch_slider.html",
        "drawing/epoch_slider.js",
        title=f"{title} over {len(figures)} epochs" if len(figures) > 1 else title,
        last=len(figures) - 1,
        data=[
            {
                "step": step,
                "figure": f"data:image/png;base64,{base64.b64encode(figure).decode()}",
                "metrics": [[name, f"{value:.4g}"] for name, value in metrics[step].items()],
            }
            for step, figure in figures.items()
        ],
    )
