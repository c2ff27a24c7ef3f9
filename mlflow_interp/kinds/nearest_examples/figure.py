"""The figure of nearest examples: each input with its neighbours, framed if their label differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption, names_of
from mlflow_interp.drawing.embedded_image import draw_image
from mlflow_interp.drawing.fonts import use_fonts
from mlflow_interp.drawing.layout import MARGIN, SMALL_SIZE, WIDTH, FigureLayout, fitted
from mlflow_interp.drawing.panels import find_shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.nearest_examples.result import NearestExamplesResult

MOST_INPUTS = 8  # in a figure
MOST_NEIGHBOURS = 7
_TOP = 0.72  # inches above the first input
_GAP = 0.1
_APART = 0.12  # between an input and its neighbours
_SIDE = (WIDTH - 2 * MARGIN - _APART - MOST_NEIGHBOURS * _GAP) / (MOST_NEIGHBOURS + 1)
_LINE = 0.13
_FRAME = 1.6  # points
_MEANING = (
    "Left: an input with its label and, if it differs, the prediction. Right: its neighbours at the layer, "
    "the most similar first, with cosine similarity and label; red marks labels that differ from the input's."
)


def draw(result: NearestExamplesResult) -> Figure:
    """Draw the first inputs of the list, each in a row with its neighbours.

    Args:
        result: The neighbours of inputs.
    """
    rows = [row for row in result.order.tolist() if row in result.examples.shown_rows][:MOST_INPUTS]
    height = _row_height(result)
    layout = FigureLayout.of(WIDTH, _TOP + len(rows) * height, caption(_MEANING, result))
    count = f" · {len(rows)} of {style.counted(len(result.examples))}"
    layout.title(title_of(result) + (count if len(rows) < len(result.examples) else ""), headline(result))
    canvas = layout.axes((0, 0, layout.width, layout.height))
    canvas.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    canvas.set_axis_off()
    canvas.set_autoscale_on(False)
    for at, row in enumerate(rows):
        _draw_row(layout, canvas, result, row, _TOP + at * height)
    return layout.finished(names_of(result.examples))


def draw_panel(axes: Any, result: NearestExamplesResult, panel: int | str) -> None:
    """Draw an input, given by its row or name, and its neighbours into axes."""
    place = find_shown(panel, result.examples)
    row = int(result.examples.shown_rows[place])
    images, pictures = result.examples.images, result.pictures
    if images is not None and pictures is not None:
        tiles = [images[place], *pictures[place]]
        axes.imshow(np.concatenate(_of_one_size(tiles), axis=1), interpolation="nearest")
    axes.set_yticks([])
    axes.set_xticks([])
    texts = [_text(similarity) for similarity in result.similarities[row].tolist()]
    axes.set_title(result.examples.names[row], size=SMALL_SIZE, color=style.INK, parse_math=False)
    axes.set_xlabel(f"similarity {', '.join(texts)}", size=SMALL_SIZE, color=style.FAINT)
    use_fonts(axes, [result.examples.names[row]])


def title_of(result: NearestExamplesResult) -> str:
    """Such as "Nearest examples at features"."""
    return f"{result.title} at {result.layer}"


def headline(result: NearestExamplesResult) -> str:
    """Such as "93.1% of neighbours have the label of the input; for 4 inputs, less than half do"."""
    metrics = result.metrics()
    among = f"among {style.counted(result.reference_count)}"
    if "agreement" not in metrics:
        return f"{among}: the nearest neighbour has a similarity of {_text(metrics['similarity'])} on average"
    few = int(metrics["disagreeing"])
    tail = f"for {style.counted(few)}, less than half do" if few else "for each input, at least half do"
    return f"{among}: {metrics['agreement']:.1%} of neighbours have the label of the input; {tail}"


def label_lines(result: NearestExamplesResult, row: int) -> list[tuple[str, str]]:
    """The label of an input, its prediction if it differs, and its agreement, with their colours."""
    examples = result.examples
    label, predicted = int(examples.labels[row]), int(examples.classes[row, 0])
    lines = []
    if label != UNKNOWN:
        lines.append((f"label {examples.class_name(label)}", style.INK))
    if examples.has_classes and predicted != label:
        colour = style.FAINT if label == UNKNOWN else style.WRONG
        lines.append((f"predicted {examples.class_name(predicted)}", colour))
    agreement = float(result.agreement[row])
    if agreement >= 0:
        lines.append((f"agreement {agreement:.0%}", style.FAINT))
    return lines


def neighbour_label(result: NearestExamplesResult, row: int, rank: int) -> tuple[str, bool | None]:
    """The label of a neighbour, and whether it is that of the input; "" and None if one is not known."""
    label, own = int(result.neighbour_labels[row, rank]), int(result.examples.labels[row])
    if label == UNKNOWN:
        return "", None
    return result.examples.class_name(label), None if own == UNKNOWN else label == own


def _row_height(result: NearestExamplesResult) -> float:
    side = 0.0 if result.examples.images is None else _SIDE
    return side + 4 * _LINE + 0.2


def _draw_row(layout: FigureLayout, canvas: Any, result: NearestExamplesResult, row: int, top: float) -> None:
    """Draw an input and its neighbours."""
    place = int(np.searchsorted(result.examples.shown_rows, row))
    images, pictures = result.examples.images, result.pictures
    lines = [(result.examples.names[row], style.INK), *label_lines(result, row)]
    _draw_tile(layout, canvas, None if images is None else images[place], (MARGIN, top), lines)
    left = MARGIN + _SIDE + _GAP + _APART
    for rank in range(min(MOST_NEIGHBOURS, result.neighbours.shape[1])):
        label, is_same = neighbour_label(result, row, rank)
        colour = style.WRONG if is_same is False else style.INK
        similarity = _text(float(result.similarities[row, rank]))
        lines = [(similarity, style.FAINT), (label, colour), (result.neighbour_names[row][rank], style.FAINT)]
        pixels = None if pictures is None or images is None else pictures[place, rank]
        _draw_tile(layout, canvas, pixels, (left, top), [line for line in lines if line[0]])
        if pixels is not None and is_same is False:
            xs, ys = [left, left + _SIDE, left + _SIDE, left, left], [top, top, top + _SIDE, top + _SIDE, top]
            canvas.plot(xs, ys, color=style.WRONG, linewidth=_FRAME, solid_joinstyle="miter")
        left += _SIDE + _GAP


def _draw_tile(
    layout: FigureLayout,
    canvas: Any,
    pixels: np.ndarray | None,
    corner: tuple[float, float],
    lines: list[tuple[str, str]],
) -> None:
    """Draw an image, if there is one, and lines of text below it."""
    left, top = corner
    if pixels is not None:
        draw_image(canvas, pixels, (left, top, _SIDE, _SIDE))
        top += _SIDE + 0.04
    for text, colour in lines:
        text = fitted(text, _SIDE + _GAP - 0.02, style.SMALLEST_TEXT)
        layout.write(left, top, text, size=style.SMALLEST_TEXT, colour=colour)
        top += _LINE


def _of_one_size(tiles: list[np.ndarray]) -> list[np.ndarray]:
    """Square tiles, the smaller ones padded with white."""
    side = max(len(tile) for tile in tiles)
    return [
        np.pad(tile, ((0, side - len(tile)), (0, side - len(tile)), (0, 0)), constant_values=255)
        for tile in tiles
    ]


def _text(similarity: float) -> str:
    return f"{similarity:.3f}".replace("-", "−")
