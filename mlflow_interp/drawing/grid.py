"""A grid of inputs with a colour bar; each input is a strip of tiles between its name and lines of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.contrast import explained_name
from mlflow_interp.core.examples import Explained
from mlflow_interp.core.regression import value_lines, value_name
from mlflow_interp.drawing import style
from mlflow_interp.drawing.colour_bar import ColourBar, draw_colour_bar
from mlflow_interp.drawing.embedded_image import draw_image
from mlflow_interp.drawing.fonts import use_fonts
from mlflow_interp.drawing.grid_sizes import TITLE_HEIGHT, GridSizes, Strip
from mlflow_interp.drawing.layout import SMALL_SIZE, FigureLayout, fitted, fitted_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.drawing.tiles import Tiles

Lines = list[tuple[str, str]]  # lines of text with their colours

SMALLEST = 224  # pixels: smaller images are enlarged, pixel by pixel, before an overlay
LARGEST = 256  # pixels that a tile or a page shows; images at least twice as large are reduced


def make_strips(names: Sequence[str], tiles: Tiles, lines: Callable[[int], Lines]) -> list[Strip]:
    """A strip for each input that has tiles.

    Args:
        names: of all inputs.
        tiles: of the inputs that are shown.
        lines: the lines of text of an input, given by its row.
    """
    return [
        Strip(names[row], pixels, lines(row)) for row, pixels in zip(tiles.rows, tiles.pixels, strict=True)
    ]


def draw_grid(
    title: str,
    strips: Sequence[Strip],
    *,
    headings: Sequence[str] = (),
    bar: ColourBar | None = None,
    caption: str = "",
    names: Sequence[str] = (),
) -> Figure:
    """Draw strips in a grid.

    Args:
        title: The title.
        strips: At least one, all with the same number and size of tiles.
        headings: A heading for each tile of a strip, written above the topmost strips.
        bar: The colour bar.
        caption: The text below the figure.
        names: Names of classes that the lines of strips may contain.
    """
    grid = GridSizes.of(strips, headings, bar.width if bar else 0)
    layout = FigureLayout.of(grid.width + (bar.width if bar else 0), grid.height, caption)
    layout.title(title)
    # One for all images: separate axes take longer to create than the images to draw.
    canvas = _canvas(layout)
    for index, strip in enumerate(strips):
        _draw_strip(layout, canvas, grid, index, strip)
    for column in range(grid.columns):
        for tile, lines in enumerate(grid.headings):
            left = grid.corner(column)[0] + tile * grid.tile[0]
            for row, line in enumerate(lines):
                top = TITLE_HEIGHT - 0.02 + row * grid.line_height
                layout.write(left, top, line, size=grid.font_size, colour=style.FAINT)
    if bar is not None:
        height = min(max(grid.tile[1], 1.4), 2.4, layout.bottom - grid.corner(0)[1] - 0.1)
        draw_colour_bar(layout, (grid.width, grid.corner(0)[1], 0.14, height), bar)
    return layout.finished([*(strip.name for strip in strips), *names])


def _canvas(layout: FigureLayout) -> Any:
    """Axes over the whole figure, in inches from the top left."""
    axes = layout.axes((0, 0, layout.width, layout.height))
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    axes.set_axis_off()
    axes.set_autoscale_on(False)
    return axes


def _draw_strip(layout: FigureLayout, canvas: Any, grid: GridSizes, index: int, strip: Strip) -> None:
    left, top = grid.corner(index)
    size = grid.font_size
    draw_image(canvas, _side_by_side(strip.tiles), (left, top, grid.strip_width, grid.tile[1]))
    layout.write(left, top - 0.04, fitted(strip.name, grid.strip_width, size), size=size, va="bottom")
    below = top + grid.tile[1] + 0.04
    for tile, lines in enumerate(strip.captions):
        for row, (text, colour) in enumerate(lines):
            line = fitted_line(text, grid.tile[0] - 0.04, size)
            tile_left = left + tile * grid.tile[0]
            layout.write(tile_left, below + row * grid.line_height, line, size=size, colour=colour)
    below += grid.captions * grid.line_height
    for row, (text, colour) in enumerate(strip.lines):
        line = fitted_line(text, grid.strip_width, size)
        layout.write(left, below + row * grid.line_height, line, size=size, colour=colour)


def _side_by_side(tiles: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((tiles[0].shape[0], tiles[0].shape[1] // 50 + 1, 3), 255, np.uint8)
    columns = [column for tile in tiles for column in (gap, tile)]
    return np.concatenate(columns[1:], axis=1)


def draw_strip(axes: Any, strip: Strip, headings: Sequence[str] = (), names: Sequence[str] = ()) -> None:
    """Draw one input into the user's axes: its tiles side by side, its name above, text below.

    Args:
        axes: the axes.
        strip: the input; of its lines only the first is written.
        headings: a heading for each tile.
        names: names of classes that the lines may contain.
    """
    pixels = _side_by_side(strip.tiles)
    axes.imshow(pixels, interpolation="antialiased")
    axes.set_title(style.shorten(strip.name, 60), size=9, color=style.INK, parse_math=False)
    axes.set_yticks([])
    centres = (np.arange(len(strip.tiles)) + 0.5) * pixels.shape[1] / len(strip.tiles)
    axes.set_xticks(centres[: len(headings)], headings, size=SMALL_SIZE, color=style.FAINT, parse_math=False)
    axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for centre, lines in zip(centres, strip.captions, strict=False):
        _write_below(axes, float(centre), pixels.shape[0], lines)
    for text, colour in strip.lines[:1]:
        axes.set_xlabel(style.shorten(text, 60), size=SMALL_SIZE, color=colour, parse_math=False)
    use_fonts(axes, [strip.name, *names])


def _write_below(axes: Any, centre: float, height: int, lines: Sequence[tuple[str, str]]) -> None:
    """Write lines below a tile, as a text of several lines in the colour of the first."""
    if lines:
        axes.annotate(
            "\n".join(text for text, _ in lines), (centre, height), (0, -3), textcoords="offset points",
            ha="center", va="top", size=SMALL_SIZE, color=lines[0][1], annotation_clip=False,
            parse_math=False,
        )  # fmt: skip


def enlarged(image: np.ndarray) -> np.ndarray:
    """A small image with each pixel repeated, so that an overlay can be smooth."""
    times = max(1, SMALLEST // max(image.shape[:2]))
    return image.repeat(times, axis=0).repeat(times, axis=1)


def reduced(pixels: np.ndarray) -> np.ndarray:
    """A large image or map reduced to a half, a third, … of its size, to about the displayed resolution."""
    times = max(pixels.shape[:2]) // LARGEST
    if times < 2:
        return pixels
    dtype = np.uint8 if pixels.dtype == np.uint8 else np.float32
    return np.asarray(Image.fromarray(np.asarray(pixels, dtype)).reduce(times))


def prediction_lines(explained: Explained, index: int) -> Lines:
    """The explained class, if any, with the label if known; and the three best predictions."""
    examples = explained.examples
    if not examples.has_classes:
        return _value_lines(explained, index)
    name = examples.class_name
    label = int(examples.labels[index])
    right = label == int(examples.classes[index, 0])
    colour = style.INK if label == UNKNOWN else style.RIGHT if right else style.WRONG
    parts = [
        f"explains {explained_name(explained, index)}" if explained.has_target else "",
        "" if label == UNKNOWN else f"label {name(label)}",
    ]
    lines = [(" · ".join(filter(None, parts)), colour)] if any(parts) else []
    classes = examples.classes[index, :3].tolist()
    probabilities = examples.probabilities[index, :3].tolist()
    for predicted, probability in zip(classes, probabilities, strict=True):
        lines.append((f"{_probability_text(probability, explained.head):>6}  {name(predicted)}", style.FAINT))
    return lines


def _value_lines(explained: Explained, index: int) -> Lines:
    """The values of an input with their labels; for several values, the explained one and the first three."""
    examples = explained.examples
    texts = value_lines(examples, index)
    outputs = examples.classes.shape[1]
    if outputs == 1:
        return [(" · ".join(f"{name} {text}" for name, text in texts), style.INK)]
    explains = f"explains {explained_name(explained, index)}"
    lines = [(explains, style.INK)] if explained.has_target else []
    for name in (value_name(examples, output) for output in range(min(3, outputs))):
        label = dict(texts).get(f"label of {name}")
        lines.append(
            (f"{dict(texts)[name]:>6}  {name}{'' if label is None else f' · label {label}'}", style.FAINT)
        )
    return lines


def _probability_text(value: float, head: str) -> str:
    """A probability in percent; any other value unchanged."""
    is_value = head == "values" or (head == "linear" and not 0 <= value <= 1)
    return f"{value:.3g}" if is_value else f"{value:.1%}"


def page_facts(explained: Explained, index: int) -> dict[str, Any]:
    """The facts of an input on a page: name, explained class ("" for none), label, predictions."""
    examples = explained.examples
    if not examples.has_classes:
        return {
            "name": examples.names[index],
            "target": explained_name(explained, index),
            "label": None,
            "right": None,
            "predictions": [list(line) for line in value_lines(examples, index)],
        }
    name = examples.class_name
    label = int(examples.labels[index])
    ranked = zip(examples.classes[index].tolist(), examples.probabilities[index].tolist(), strict=True)
    return {
        "name": examples.names[index],
        "target": explained_name(explained, index),
        "label": None if label == UNKNOWN else name(label),
        "right": None if label == UNKNOWN else label == int(examples.classes[index, 0]),
        "predictions": [[name(predicted), round(probability, 4)] for predicted, probability in ranked],
    }
