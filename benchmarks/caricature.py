"""What does a step of a caricature cost, and how long until it is as good as 512 steps of the reference?

    python -m benchmarks.caricature                      # EfficientNet-Lite0, three layers, three photographs
    python -m benchmarks.caricature --photographs 1      # a third of the time
    python -m benchmarks.caricature --only quality --seeds 3     # a single result depends on the seed
    python -m benchmarks.caricature --inception --only steps     # InceptionV3 at 299×299, layer 196
    python -m benchmarks.caricature --photographs 2 --only looks --picture looks.jpg   # side by side

Needs the pretrained model and photographs of `pip install -e .[demo]`. The reference is FastEstimator's
caricature (2020) as intended: by mistake, its own code zooms by a factor of up to twenty.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from benchmarks.timing import interleaved, machine, print_table
from mlflow_interp.backend.forward import forward
from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.optvis.objectives import CaricatureOptions, LayerObjective, Subject
from mlflow_interp.optvis.optimize import Optimization
from mlflow_interp.optvis.param import COLOUR_CORRELATION, noise, to_image
from mlflow_interp.optvis.render import Renderer
from mlflow_interp.optvis.transform import warp

FLOOR = "bare forward + backward (floor)"
LAYERS = {"early": "block3_expand_relu", "middle": "block9_expand_relu", "late": "head_relu"}
PHOTOGRAPHS = ("cat.png", "coffee.png", "motorcycle.png")
STEPS, ENOUGH = 512, 0.98
DEFAULTS = CaricatureOptions(STEPS, 0.05, 0.0, 0.5, "fourier", 1.0, 0.01, "decorrelated", "sigmoid", 0, 0)


@dataclass(frozen=True, eq=False)
class Task:
    """One layer, and the photographs to draw for it.

    Attributes:
        model: the whole model.
        truncated: the model up to the layer.
        layer: its path.
        photographs: (n, height, width, 3) uint8.
        low: the model's input for black.
        high: the model's input for white.
    """

    model: Any
    truncated: Any
    layer: str
    photographs: np.ndarray
    low: float
    high: float

    @property
    def chunk(self) -> Chunk:
        """The photographs as passed to `caricature`."""
        fed = self.low + self.photographs / np.float32(255) * (self.high - self.low)
        count = len(fed)
        names = tuple(map(str, range(count)))
        labels = np.full(count, UNKNOWN)
        return Chunk(np.arange(count), names, fed.astype(np.float32), labels, self.photographs)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--photographs", type=int, default=3)
    parser.add_argument("--layers", default=",".join(LAYERS), help="some of early,middle,late")
    parser.add_argument("--inception", action="store_true", help="InceptionV3, random weights, layer 196")
    parser.add_argument("--only", choices=["steps", "quality", "looks"])
    parser.add_argument("--picture", help="where to write photographs beside both caricatures")
    parser.add_argument("--seeds", type=int, default=1, help="how many times each is drawn, by both")
    parser.add_argument("--ascent-rate", type=float, default=DEFAULTS.ascent_rate)
    options = parser.parse_args()
    tasks = inception() if options.inception else pretrained(options.layers.split(","), options.photographs)
    settings = CaricatureOptions(**(vars(DEFAULTS) | {"ascent_rate": options.ascent_rate}))
    if options.only in (None, "steps"):
        for task in tasks:
            time_steps(task, settings, options.rounds)
    if options.only in (None, "quality"):
        print_quality(tasks, settings, options.seeds)
    if options.picture:
        draw_comparison(tasks, settings, options.picture)


def pretrained(names: list[str], count: int) -> list[Task]:
    """EfficientNet-Lite0 with ImageNet weights, at some of three layers."""
    import keras
    from PIL import Image, ImageOps

    from examples.pretrained import efficientnet_lite0, save_photographs

    model = efficientnet_lite0()
    with tempfile.TemporaryDirectory() as folder:
        files = {path.name: path for path in save_photographs(folder)}
        photographs = np.stack(
            [
                np.asarray(ImageOps.fit(Image.open(files[name]).convert("RGB"), (224, 224)))
                for name in PHOTOGRAPHS
            ]
        )
    return [
        Task(model, keras.Model(model.input, model.get_layer(LAYERS[name]).output), LAYERS[name],
             photographs[:count], 0.0, 255.0)
        for name in names
    ]  # fmt: skip


def inception() -> list[Task]:
    """InceptionV3 with seeded weights at layer 196, 299×299, for which the reference took 5 min 33 s."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.applications.InceptionV3(weights=None)
    layer = model.layers[196]
    noise_ = np.random.default_rng(0).integers(0, 256, (1, 299, 299, 3)).astype(np.uint8)
    return [Task(model, keras.Model(model.input, layer.output), layer.name, noise_, -1.0, 1.0)]


class Reference:
    """The reference algorithm for one photograph, with a compiled step, unlike its own code.

    The variable is a spectrum drawn from N(0, 0.01); Adam (0.05, AMSGrad). Each step applies different affine
    transformations to input and image, and runs another forward pass for the target.
    """

    def __init__(self, task: Task, photograph: np.ndarray, seed: int = 0) -> None:
        import keras
        import tensorflow as tf

        self.task, self.size = task, photograph.shape[:2]
        height, width = self.size
        self._generator = np.random.default_rng(seed)
        shape = (2, 1, 3, height, width // 2 + 1 + width % 2)
        self._spectrum = tf.Variable(self._generator.normal(0, 0.01, shape).astype(np.float32))
        self._scale = tf.constant(_reference_scale(height, width))
        self._optimizer = keras.optimizers.Adam(0.05, amsgrad=True)
        self._optimizer.build([self._spectrum])
        fed = task.low + photograph[np.newaxis] / np.float32(255) * (task.high - task.low)
        self._input = tf.constant(fed, tf.float32)
        views = [tf.TensorSpec([1, 8], tf.float32)] * 2
        # The stronger baseline: in eager mode, a step takes half as long again with this model.
        self._step = tf.function(self._optimizer_step, autograph=False).get_concrete_function(*views)

    def step(self) -> float:
        """Take a step and return its loss."""
        return float(self._step(self._view(), self._view()))

    def image(self) -> Any:
        """The image (1, height, width, 3) in 0..1."""
        import tensorflow as tf

        height, width = self.size
        spectrum = tf.complex(self._spectrum[0], self._spectrum[1]) * tf.cast(self._scale, tf.complex64)
        image = tf.transpose(tf.signal.irfft2d(spectrum)[..., :height, :width] / 4, (0, 2, 3, 1))
        image = tf.reshape(tf.matmul(tf.reshape(image, (-1, 3)), COLOUR_CORRELATION.T), tf.shape(image))
        return tf.sigmoid(image)

    def _optimizer_step(self, input_view: Any, image_view: Any) -> Any:
        import tensorflow as tf

        low, high = self.task.low, self.task.high
        target = self.task.truncated(warp(self._input, input_view), training=False)
        with tf.GradientTape() as tape:
            image = low + (high - low) * self.image()
            found = self.task.truncated(warp(image, image_view), training=False)
            dot = tf.reduce_sum(found * target)
            cosine = dot / (tf.norm(found) * tf.norm(target) + 1e-12)
            loss = -dot * tf.maximum(0.1, cosine) ** 0.5
        self._optimizer.apply_gradients([(tape.gradient(loss, self._spectrum), self._spectrum)])
        return loss

    def _view(self) -> np.ndarray:
        """Rotation ±5°, shear 5°, zoom ±5 %, shifts ±5 px."""
        rotation, shear = np.deg2rad(self._generator.uniform(-5, 5, 2))
        zoom, (across, down) = 1 + self._generator.uniform(-0.05, 0.05), self._generator.uniform(-5, 5, 2)
        linear = zoom * np.array(
            [[np.cos(rotation), -np.sin(rotation + shear)], [np.sin(rotation), np.cos(rotation + shear)]]
        )
        centre = (np.array(self.size[::-1]) - 1) / 2
        offset = np.array([across, down]) + centre - linear @ centre
        return np.array([[*linear[0], offset[0], *linear[1], offset[1], 0, 0]], np.float32)


def _reference_scale(height: int, width: int) -> np.ndarray:
    down = np.fft.fftfreq(height)[:, np.newaxis]
    across = np.fft.fftfreq(width)[: width // 2 + 1 + width % 2]
    frequency = np.maximum(np.hypot(down, across), 1 / max(height, width))
    return np.asarray(np.sqrt(width * height) / frequency, np.float32)


def renderer_of(task: Task, settings: CaricatureOptions) -> Renderer:
    """The renderer of a task, as created by `caricature`."""
    import tensorflow as tf

    calls: list[int] = []

    def look(inputs: Any) -> Any:
        passed = forward(task.model, inputs)
        calls.append(len(passed.calls[task.layer]) - 1)
        return passed.outputs

    spec = tf.TensorSpec([None, *task.photographs.shape[1:]], tf.float32)
    tf.function(look, autograph=False).get_concrete_function(spec)
    return Renderer(task.model, task.layer, calls, settings)


def time_steps(task: Task, settings: CaricatureOptions, rounds: int, steps: int = 16) -> None:
    """Print the cost of a number of steps over bare forward and backward passes, for one photograph."""
    one = Task(task.model, task.truncated, task.layer, task.photographs[:1], task.low, task.high)
    reference = Reference(one, one.photographs[0])
    subject = Subject.of(one.chunk, channels_first=False)
    objective = renderer_of(one, settings)._objective(subject)
    candidates: dict[str, Callable[[], object]] = {
        FLOOR: _floor(one, steps),
        "caricature": _steps_of(objective, subject, steps),
    }
    candidates["reference algorithm"] = lambda: [reference.step() for _ in range(steps)]
    title = f"{steps} steps of a caricature, {task.model.name}, layer {task.layer}, batch 1"
    print_table(title, interleaved(candidates, rounds, warmups=2), FLOOR, "numpy")


def _floor(task: Task, steps: int) -> Callable[[], object]:
    import tensorflow as tf

    inputs = tf.constant(task.chunk.inputs)
    target = task.truncated(inputs, training=False)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def once(image: Any) -> Any:
        found = task.truncated(image, training=False)
        return tf.gradients(tf.reduce_sum(found * target), image)[0]

    return lambda: [once(inputs).numpy() for _ in range(steps)]


def _steps_of(objective: LayerObjective, subject: Subject, steps: int) -> Callable[[], object]:
    """Run the given number of steps; the forward passes for the targets, run once, are not counted."""
    start = noise(objective.param, [0], stddev=0.01, seed=0)
    optimization = objective.optimization(subject, start)

    def again() -> list[int]:
        return list(
            Optimization(
                optimization.step, optimization.constants, optimization.variable.copy(), optimization.views
            ).run(steps, 0)
        )

    return again


@dataclass(frozen=True)
class Mark:
    """A checkpoint: steps taken, time so far (wall and CPU), held-out objective and cosine."""

    steps: int
    time: np.ndarray
    objective: float
    cosine: float


Judge = Callable[[np.ndarray], tuple[float, float]]  # images in 0..1 => held-out objective and cosine


def _now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def reference_progress(reference: Reference, judge: Judge) -> list[Mark]:
    """The reference from the start to 512 steps; evaluation and compilation are not timed."""
    reference.step()  # TensorFlow optimises its graph
    spent, marks = np.zeros(2), []
    for number in range(1, STEPS + 1):
        started = _now()
        reference.step()
        spent = spent + _now() - started
        if number % 32 == 0:
            marks.append(Mark(number, spent, *judge(np.asarray(reference.image()))))
    return marks


def our_progress(
    subject: Subject, settings: CaricatureOptions, judge: Judge, renderer: Renderer
) -> Iterator[Mark]:
    """Our method, checkpoint by checkpoint, including the forward passes for the targets."""
    objective = renderer._objective(subject)
    start = noise(objective.param, subject.indices.tolist(), stddev=settings.stddev, seed=settings.seed)
    list(objective.optimization(subject, start).run(1, 0))  # compiles
    spent, taken, started = np.zeros(2), 0, _now()
    optimization = objective.optimization(subject, start)
    for count in optimization.run(settings.ascent_steps, 0):
        spent, taken = spent + _now() - started, taken + count
        yield Mark(taken, spent, *judge(to_image(objective.param, optimization.variable).numpy()))
        started = _now()


COLUMNS = (
    "layer", "photograph", "seed", "reference", "its time (wall, CPU)", "it was as good at step", "ours",
    "at step", "our time (wall, CPU)", "wall ratio", "CPU ratio",
)  # fmt: skip


def print_quality(tasks: list[Task], settings: CaricatureOptions, seeds: int) -> None:
    """Print the time for each photograph and layer to reach 98 % of the reference's last objective."""
    print(f"\n### Time to {ENOUGH:.0%} of the reference's objective after {STEPS} steps\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    spent = {}
    for task in tasks:
        pairs = product(range(len(task.photographs)), range(seeds))
        rows = [_compare(task, number, replace(settings, seed=seed)) for number, seed in pairs]
        spent[task.layer] = np.sum(rows, axis=0)
    print("\nObjectives are held-out means, cosines in brackets.", machine("numpy"), "\n")
    for name, times in [*spent.items(), ("all together", np.sum([*spent.values()], axis=0))]:
        wall, cpu = times[0] / times[1]
        print(f"{name}: wall 1/{wall:.1f}, CPU 1/{cpu:.1f}")


def _compare(task: Task, number: int, settings: CaricatureOptions) -> np.ndarray:
    """Print a row; return their time and ours, (2, wall and CPU)."""
    renderer, subject = renderer_of(task, settings), Subject.of(task.chunk, channels_first=False).row(number)

    def judge(images: np.ndarray) -> tuple[float, float]:
        measures = renderer._measures(subject, images)
        return float(measures["objectives"][0]), float(measures["cosines"][0])

    theirs = reference_progress(Reference(task, task.photographs[number], settings.seed), judge)
    enough = ENOUGH * theirs[-1].objective
    ours = list(_until(our_progress(subject, settings, judge, renderer), enough))[-1]
    itself = next(mark.steps for mark in theirs if mark.objective >= enough)
    ratio, missed = theirs[-1].time / ours.time, "" if ours.objective >= enough else ", not reached"
    cells = (
        task.layer, PHOTOGRAPHS[number], settings.seed, _quality(theirs[-1]), _time(theirs[-1]), itself,
        _quality(ours) + missed, ours.steps, _time(ours), f"1/{ratio[0]:.1f}", f"1/{ratio[1]:.1f}",
    )  # fmt: skip
    print(f"| {' | '.join(map(str, cells))} |", flush=True)
    return np.stack([theirs[-1].time, ours.time])


def _until(marks: Iterator[Mark], enough: float) -> Iterator[Mark]:
    for mark in marks:
        yield mark
        if mark.objective >= enough:
            return


def draw_comparison(tasks: list[Task], settings: CaricatureOptions, file: str) -> None:
    """Draw a row for each layer and photograph: the photograph, our result and the reference's."""
    from PIL import Image

    rows = []
    for task in tasks:
        renderer, whole = renderer_of(task, settings), Subject.of(task.chunk, channels_first=False)
        for number, photograph in enumerate(task.photographs):
            subject, reference = whole.row(number), Reference(task, photograph)
            objective = renderer._objective(subject)
            start = noise(
                objective.param, subject.indices.tolist(), stddev=settings.stddev, seed=settings.seed
            )
            optimization = objective.optimization(subject, start)
            list(optimization.run(STEPS, 0))
            for _ in range(STEPS):
                reference.step()
            drawn = (to_image(objective.param, optimization.variable), reference.image())
            tiles = [np.asarray(np.rint(np.asarray(each)[0] * 255), np.uint8) for each in drawn]
            rows.append(np.concatenate([photograph, *tiles], axis=1))
    Image.fromarray(np.concatenate(rows)).save(file, quality=88)


def _quality(mark: Mark) -> str:
    return f"{mark.objective:.3f} ({mark.cosine:.2f})"


def _time(mark: Mark) -> str:
    return f"{mark.time[0]:.1f} s, {mark.time[1]:.1f} s"


if __name__ == "__main__":
    main()
