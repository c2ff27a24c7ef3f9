"""The figure of feature visualisations: the images of each feature beside the inputs that excite it most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption, names_of
from mlflow_interp.drawing.embedded_image import draw_image
from mlflow_interp.drawing.fonts import use_fonts
from mlflow_interp.drawing.layout import MARGIN, SMALL_SIZE, WIDTH, FigureLayout, fitted
from mlflow_interp.drawing.panels import find_panel
from mlflow_interp.drawing.tone import drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.feature_visualization.result import FeatureVisualizationResult

MOST_FEATURES = 16  # in a figure
MOST_IMAGES = 4  # of a feature
MOST_TILES = 8  # in a row
_TOP = 0.72  # inches above the first feature
_GAP = 0.08
_APART = 0.14  # between the images of a feature and the inputs
_LINE = 0.13
_LARGEST = 1.3  # inches of a tile

Lines = list[tuple[str, str]]  # lines of text with their colours


def draw(result: FeatureVisualizationResult) -> Figure:
    """Draw each feature in a row: its images, and the inputs that excite it most.

    Args:
        result: The images of features; at most 16 are drawn.
    """
    layout_of = _Row.of(result)
    shown = min(len(result.names), MOST_FEATURES)
    text = caption(meaning(result), result)
    layout = FigureLayout.of(WIDTH, _TOP + shown * layout_of.height, text)
    count = f" · {shown} of {len(result.names)} features" if shown < len(result.names) else ""
    layout.title(title_of(result) + count, headline(result))
    canvas = layout.axes((0, 0, layout.width, layout.height))
    canvas.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    canvas.set_axis_off()
    canvas.set_autoscale_on(False)
    for at in range(shown):
        _draw_row(layout, canvas, result, at, layout_of)
    return layout.finished([*names_of(result.examples), *result.names])


def draw_panel(axes: Any, result: FeatureVisualizationResult, panel: int | str) -> None:
    """Draw a feature, given by its position or name, into axes: its images, and the strongest inputs."""
    at = find_panel(panel, result.names, "feature")
    tiles = [drawn(image) for image in result.images[at, :MOST_IMAGES]]
    if result.pictures is not None:
        tiles += list(result.pictures[at, : MOST_TILES - len(tiles)])
    axes.imshow(np.concatenate(_of_one_height(tiles), axis=1), interpolation="antialiased")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(result.names[at], size=SMALL_SIZE, color=style.INK, parse_math=False)
    axes.set_xlabel(" · ".join(measures(result, at)), size=SMALL_SIZE, color=style.FAINT)
    use_fonts(axes, [result.names[at]])


def title_of(result: FeatureVisualizationResult) -> str:
    """Such as "Feature visualization at block9_expand_relu"."""
    place = "the output" if result.layer == "output" else result.layer
    return f"{result.title} at {place}" + (f", position {result.position}" if result.position else "")


def headline(result: FeatureVisualizationResult) -> str:
    """Such as "images excite 6 of 6 features at least as strongly as any input, …"."""
    stronger = int((~result.weaker).sum())
    text = f"images excite {stronger} of {len(result.names)} features at least as strongly as any input"
    finite = result.ratios[np.isfinite(result.ratios)]
    return text + (f", {times(float(np.median(finite)))} the best input (median)" if len(finite) else "")


def meaning(result: FeatureVisualizationResult) -> str:
    """What is drawn, in a few sentences."""
    what = {
        "channel": "the mean of the channel over all positions",
        "neuron": f"the channel at position {result.position}",
        "class": "the score of the class",
        "value": "the value",
        "direction": "the activations along the direction",
    }[result.kind]
    each = "Left: an image" if result.diversity == 1 else f"Left: {result.diversity} images"
    differ = "" if result.diversity == 1 else " and to differ from each other"
    chosen = f" Features were chosen by {result.chosen}." if result.chosen else ""
    return (
        f"{each} optimised from noise to excite a feature{differ}, drawn with softer contrasts, and how "
        f"strongly: {what}. Right: the inputs that excite it most.{chosen}"
    )


def times(ratio: float) -> str:
    """Such as "3.1 times"."""
    return f"{ratio:.1f} times" if ratio < 10 else f"{ratio:,.0f} times"


def number(value: float) -> str:
    """An activation with three digits, and a real minus."""
    return f"{value:.3g}".replace("-", "−")


def measures(result: FeatureVisualizationResult, at: int) -> list[str]:
    """How strongly the best image excites a feature, by itself and compared with the strongest input."""
    ratio = float(result.ratios[at])
    compared = [] if np.isnan(ratio) else [f"{times(ratio)} the best input"]
    alike = [f"similarity {result.similarities[at].mean():.2f}"] if result.diversity > 1 else []
    return [f"reaches {number(float(result.objectives[at].max()))}", *compared, *alike]


def input_lines(result: FeatureVisualizationResult, at: int, rank: int) -> Lines:
    """The activation of one of the strongest inputs, its label, prediction if it differs, and name."""
    examples = result.examples
    row = int(result.strongest[at, rank])
    label = int(examples.labels[row])
    lines = [(number(float(result.activations[row, at])), style.FAINT)]
    if label != UNKNOWN:
        lines.append((f"label {examples.class_name(label)}", style.INK))
    if examples.has_classes and examples.classes.shape[1]:
        predicted = int(examples.classes[row, 0])
        if predicted != label:
            colour = style.INK if label == UNKNOWN else style.WRONG
            lines.append((f"predicted {examples.class_name(predicted)}", colour))
    return [*lines, (examples.names[row], style.FAINT)]


class _Row:
    """The sizes of the row of a feature, in inches.

    Args:
        images: the number of images of a feature.
        inputs: the number of inputs beside them.
        aspect: the height of an image over its width.
    """

    def __init__(self, images: int, inputs: int, aspect: float) -> None:
        self.images = images
        self.inputs = inputs
        count = images + inputs
        free = WIDTH - 2 * MARGIN - _APART - (count - 1) * _GAP
        self.side = min(_LARGEST, free / count)
        self.tall = self.side * aspect
        self.height = max(self.tall, self.side) + 4 * _LINE + 0.2

    @classmethod
    def of(cls, result: FeatureVisualizationResult) -> _Row:
        """The sizes for a result."""
        images = min(result.diversity, MOST_IMAGES)
        inputs = min(result.strongest.shape[1], MOST_TILES - images)
        height, width = result.images.shape[2:4]
        return cls(images, inputs, min(2.0, height / width))


def _draw_row(
    layout: FigureLayout, canvas: Any, result: FeatureVisualizationResult, at: int, sizes: _Row
) -> None:
    """Draw the images of a feature, and the inputs."""
    top, left = _TOP + at * sizes.height, MARGIN
    for image in result.images[at, : sizes.images]:
        draw_image(canvas, _enlarged(drawn(image)), (left, top, sizes.side, sizes.tall))
        left += sizes.side + _GAP
    wide = sizes.images * (sizes.side + _GAP) + _APART - 0.04
    lines = [(result.names[at], style.INK), *((text, style.FAINT) for text in measures(result, at))]
    _write(layout, lines, (MARGIN, top + sizes.tall + 0.04), wide)
    left += _APART
    for rank in range(sizes.inputs):
        below = top
        if result.pictures is not None:
            draw_image(canvas, result.pictures[at, rank], (left, top, sizes.side, sizes.side))
            below += sizes.side + 0.04
        _write(layout, input_lines(result, at, rank), (left, below), sizes.side + _GAP - 0.02)
        left += sizes.side + _GAP


def _write(layout: FigureLayout, lines: Lines, corner: tuple[float, float], width: float) -> None:
    left, top = corner
    for row, (text, colour) in enumerate(lines):
        text = fitted(text, width, style.SMALLEST_TEXT)
        layout.write(left, top + row * _LINE, text, size=style.SMALLEST_TEXT, colour=colour)


def _enlarged(pixels: np.ndarray, least: int = 224) -> np.ndarray:
    """A small image enlarged pixel by pixel, so that it is not blurred."""
    factor = max(1, least // max(pixels.shape[:2]))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _of_one_height(tiles: list[np.ndarray]) -> list[np.ndarray]:
    """Tiles scaled to the height of the tallest, with a white line between them."""
    height = max(len(tile) for tile in tiles)
    scaled = []
    for tile in tiles:
        width = max(1, round(tile.shape[1] * height / len(tile)))
        pixels = np.asarray(Image.fromarray(tile).resize((width, height)))
        scaled += [pixels, np.full((height, max(1, height // 32), 3), 255, np.uint8)]
    return scaled[:-1]
