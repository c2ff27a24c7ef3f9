"""What does each image of a folder cost, over reading and predicting with Keras, and what does a call cost?

    python -m benchmarks.interpret                                # 1,000 and 3,000 JPEGs of 500×375, 5 rounds
    python -m benchmarks.interpret --sizes 40 80 --rounds 1 --trial   # three convolutions: does it run?
    python -m benchmarks.interpret --methods gradcam umap         # other methods in one call

MobileNetV2 with seeded weights at 224×224, JPEGs cropped from photographs, one folder per class. The baseline
reads the same folder with `keras.utils.image_dataset_from_directory` and runs `model.predict`; ours are whole
calls, `visualize_gradcam` alone and `interpret` with several methods, including figures, pages and logging to
a store on disk. The cost of an image is the slope between the two sizes. The fixed part is the intercept:
tracing, figures, pages and logging. UMAP's layout, which is the work of umap-learn, is measured separately
and not included. Needs the photographs of `pip install -e .[demo]`.
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import load
from benchmarks.gradcam import set_batch_statistics, smooth_images
from benchmarks.timing import Candidate, Timing, machine, once

FLOOR = "image_dataset_from_directory + predict (floor)"
AGAIN = "the floor again (noise)"
METHODS = ("gradcam", "hirescam", "layercam", "confusion_matrix", "umap")
SIZE, BATCH = 224, 32
WIDTH, HEIGHT = 500, 375


def main() -> None:
    """Time, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs=2, default=[1_000, 3_000], metavar=("FEW", "MANY"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=60, help="images, in calls that aren't counted")
    parser.add_argument("--methods", nargs="+", default=METHODS, help="of the call with several")
    parser.add_argument("--trial", action="store_true", help="a network of three convolutions")
    options = parser.parse_args()
    import mlflow_interp

    methods = [name for name in options.methods if name in mlflow_interp.method_names()]
    missing = [name for name in options.methods if name not in methods]
    with tempfile.TemporaryDirectory() as place, load.local_store():
        folders = {count: Path(place) / str(count) for count in (options.warmup, *options.sizes)}
        write_images(folders)
        warmup = folders[options.warmup]
        classes = len(list(warmup.iterdir()))
        model = load.network(classes) if options.trial else network(classes)
        for candidate in candidates(model, warmup, methods).values():
            candidate()
        work = {count: candidates(model, folders[count], methods) for count in options.sizes}
        measured = measure(work, options.rounds)
    print_lines(measured, options.rounds)
    print_calls(measured)
    if missing:
        print(f"\nThere is no method {', '.join(missing)} yet.")
    print(f"\n{machine('mlflow', 'umap-learn', 'pillow')}")


def network(classes: int) -> Any:
    """MobileNetV2 with seeded weights and non-vanishing activations."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, classes=classes, input_shape=(SIZE, SIZE, 3))
    set_batch_statistics(model, smooth_images(32), np.random.default_rng(1))
    return model


def write_images(folders: Mapping[int, Path]) -> None:
    """JPEGs of 500×375 cropped from photographs at random, all different, one subfolder per photograph.

    Args:
        folders: by number of images; a smaller folder has the first images of the largest.
    """
    from PIL import Image, ImageOps

    from examples.pretrained import save_photographs

    with tempfile.TemporaryDirectory() as whole:
        photographs = {
            path.stem: ImageOps.fit(Image.open(path).convert("RGB"), (WIDTH * 3 // 2, HEIGHT * 3 // 2))
            for path in save_photographs(whole)
        }
    generator = np.random.default_rng(0)
    names = list(photographs)
    for index in range(max(folders)):
        name = names[index % len(names)]
        left, top = (int(generator.integers(0, length // 2)) for length in (WIDTH, HEIGHT))
        cut = photographs[name].crop((left, top, left + WIDTH, top + HEIGHT))
        cut = ImageOps.mirror(cut) if generator.integers(2) else cut
        first, *others = [
            folder / name / f"{index:06}.jpg" for count, folder in folders.items() if index < count
        ]
        first.parent.mkdir(parents=True, exist_ok=True)
        cut.save(first, quality=90)
        for other in others:
            other.parent.mkdir(parents=True, exist_ok=True)
            os.link(first, other)


def candidates(model: Any, folder: Path, methods: Sequence[str]) -> dict[str, Candidate]:
    """The baseline, twice to show the noise, and our calls, for one folder."""
    import mlflow_interp

    floor = partial(read_and_predict, model, folder)
    return {
        FLOOR: floor,
        AGAIN: floor,
        "visualize_gradcam": lambda: mlflow_interp.visualize_gradcam(model, str(folder), quiet=True),
        f"interpret: {', '.join(methods)}": lambda: mlflow_interp.interpret(
            model, str(folder), methods, quiet=True
        ),
    }


def read_and_predict(model: Any, folder: Path) -> np.ndarray:
    """The probabilities of all images, read and predicted as in Keras' documentation."""
    import keras

    images = keras.utils.image_dataset_from_directory(
        folder, image_size=model.input_shape[1:3], batch_size=BATCH, shuffle=False, verbose=False
    )
    prepared = images.map(lambda pixels, _: keras.applications.mobilenet_v2.preprocess_input(pixels))
    return np.asarray(model.predict(prepared, verbose=0))


@dataclass
class Layouts:
    """The total time of UMAP layouts so far: seconds, wall and CPU."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def layouts_timed() -> Iterator[Layouts]:
    """A context in which the computations of umap-learn are timed."""
    from umap import UMAP

    spent = Layouts()
    running: list[str] = []  # fit_transform calls fit

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            if running:
                return function(*args, **options)
            running.append(function.__name__)
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return function(*args, **options)
            finally:
                running.clear()
                spent.wall += time.perf_counter() - wall
                spent.cpu += time.process_time() - cpu

        return call

    originals = {name: getattr(UMAP, name) for name in ("fit", "fit_transform", "transform")}
    for name, original in originals.items():
        setattr(UMAP, name, timed(original))
    try:
        yield spent
    finally:
        for name, original in originals.items():
            setattr(UMAP, name, original)


@dataclass(frozen=True, eq=False)
class Measured:
    """One candidate with one number of images.

    Attributes:
        timing: without UMAP's layout.
        layout: the layout alone.
    """

    timing: Timing
    layout: Timing


def measure(work: Mapping[int, Mapping[str, Candidate]], rounds: int) -> dict[str, dict[int, Measured]]:
    """The timings by candidate and number of images, measured in turn."""
    turns = [(name, count) for count, by_name in work.items() for name in by_name]
    seconds: dict[tuple[str, int], list[tuple[tuple[float, float], tuple[float, float]]]] = {}
    with layouts_timed() as spent:
        for turn in range(rounds):
            first = turn % len(turns)
            for name, count in turns[first:] + turns[:first]:
                before = Layouts(spent.wall, spent.cpu)
                wall, cpu = once(work[count][name])
                layout = spent.wall - before.wall, spent.cpu - before.cpu
                taken = (wall - layout[0], cpu - layout[1]), layout
                seconds.setdefault((name, count), []).append(taken)
                print(
                    f"  round {turn + 1}, {count:,} images, {name}: {wall:.1f} s, CPU {cpu:.1f} s", flush=True
                )
    found: dict[str, dict[int, Measured]] = {name: {} for name, _ in turns}
    for (name, count), pairs in seconds.items():
        own, layouts = zip(*pairs, strict=True)
        found[name][count] = Measured(Timing(*np.array(own).T), Timing(*np.array(layouts).T))
    return found


def line(by_count: Mapping[int, Measured]) -> tuple[Timing, Timing]:
    """The cost per image, and the cost of a call without images, from the two sizes of the same rounds."""
    few, many = sorted(by_count)
    slopes, fixed = [], []
    for clock in ("wall", "cpu"):
        less, more = (getattr(by_count[count].timing, clock) for count in (few, many))
        slopes.append((more - less) / (many - few))
        fixed.append(less - few * slopes[-1])
    return Timing(*slopes), Timing(*fixed)


def print_lines(measured: Mapping[str, Mapping[int, Measured]], rounds: int) -> None:
    """Print the cost per image, relative to the baseline, and the fixed part."""
    few, many = sorted(measured[FLOOR])
    lines = {name: line(by_count) for name, by_count in measured.items()}
    floor, _ = lines[FLOOR]
    print(f"\n### An image, and a call: the line through {few:,} and {many:,} images\n")
    print("| | an image, CPU | wall | CPU ÷ floor (min–max) | wall ÷ floor (min–max) | a call, CPU | wall |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, (slope, fixed) in lines.items():
        print(
            f"| {name} | {slope.cpu_median * 1000:.1f} ms | {slope.wall_median * 1000:.1f} ms "
            f"| {slope.cpu_over(floor)} | {slope.wall_over(floor)} "
            f"| {fixed.cpu_median:.1f} s | {fixed.wall_median:.1f} s |"
        )
    print(
        f"\nMedians of {rounds} rounds; ratios are medians of the rounds' own. UMAP's layout is not counted."
    )


def print_calls(measured: Mapping[str, Mapping[int, Measured]]) -> None:
    """Print the calls themselves, and the layouts that are not included."""
    print("\n| whole call | images | CPU | wall | UMAP's layout, CPU | wall |\n|---|--:|--:|--:|--:|--:|")
    for name, by_count in measured.items():
        for count, found in sorted(by_count.items()):
            own, layout = found.timing, found.layout
            print(
                f"| {name} | {count:,} | {own.cpu_median:.1f} s | {own.wall_median:.1f} s "
                f"| {layout.cpu_median:.1f} s | {layout.wall_median:.1f} s |"
            )


if __name__ == "__main__":
    main()
