"""The cost of many inputs, many callers and many calls: `make load`, or `python -m benchmarks.load [PART …]`.

- folder: Grad-CAM of a folder of 20,000 images, and of a tenth of it, each in a separate process with its
  own peak memory. The difference is the cost of the additional inputs.
- together: two processes with four threads each log to one server simultaneously, to separate runs; then the
  four threads of one process log to the same run.
- soak: 200 calls in one process, which is measured after every 20 of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

SIDE = 64  # side of an image, in pixels
PROCESSES, THREADS = 2, 4
METHOD = "interpretations/gradcam"

T = TypeVar("T")


def network(classes: int = 6) -> Any:
    """A small convolutional network for 64×64 images, with random weights."""
    import keras

    keras.utils.set_random_seed(0)
    stages: list[Any] = []
    for filters in (16, 32, 64):
        stages.append(keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False))
        stages += [keras.layers.BatchNormalization(), keras.layers.ReLU()]
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(classes, activation="softmax")]
    return keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Rescaling(1 / 255), *stages, *head])


def pixels(count: int) -> np.ndarray:
    """Noise, (count, 64, 64, 3) float32 in 0..255."""
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.float32)


def write_images(folder: Path, count: int) -> None:
    """JPEGs of 64×64 cropped from photographs at random, one folder per photograph."""
    from PIL import Image

    from examples.pretrained import save_photographs

    with tempfile.TemporaryDirectory() as whole:
        save_photographs(Path(whole))
        photographs = []
        for file in sorted(Path(whole).iterdir()):
            with Image.open(file) as opened_file:
                photographs.append((file.stem, opened_file.convert("RGB")))
    generator = np.random.default_rng(0)
    for index in range(count):
        name, image = photographs[index % len(photographs)]
        left, top = (int(generator.integers(0, length - SIDE)) for length in image.size)
        (folder / name).mkdir(parents=True, exist_ok=True)
        image.crop((left, top, left + SIDE, top + SIDE)).save(folder / name / f"{index:06}.jpg")


@contextmanager
def local_store() -> Iterator[str]:
    """An experiment in a temporary store on disk; yields the id of the experiment."""
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{Path(folder) / 'mlflow.db'}")
        artifacts = (Path(folder) / "artifacts").as_uri()
        experiment_id = str(mlflow.create_experiment("load", artifact_location=artifacts))
        mlflow.set_experiment("load")
        yield experiment_id


def in_new_process(function: Callable[..., T], *arguments: Any) -> T:
    """The result of a function of this module in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def resident(key: str = "VmRSS") -> float:
    """MiB of this process in memory; "VmHWM" for its peak.

    Not `getrusage`: its peak includes that of the parent process.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"no {key} in /proc/self/status; this benchmark needs Linux")


def find_problem(run_id: str, place: str = METHOD) -> str:
    """The problem of an interpretation in a run; empty if all files in its manifest exist."""
    from mlflow import MlflowClient

    client = MlflowClient()
    with tempfile.TemporaryDirectory() as folder:
        there = Path(client.download_artifacts(run_id, place, folder))
        if not (there / "manifest.json").is_file():
            return "no manifest"
        named = json.loads((there / "manifest.json").read_text())["files"]
        for name, digest in named.items():
            content = (there / name).read_bytes() if (there / name).is_file() else b""
            if hashlib.sha256(content).hexdigest() != digest:
                return f"{name} is not what the manifest says"
    return ""


@dataclass(frozen=True)
class Folder:
    """The cost and the files of a call on a folder.

    Attributes:
        inputs: number of images.
        seconds: duration of the call.
        before: MiB resident before it, with TensorFlow and the model.
        peak: peak MiB resident.
        sizes: bytes of each file that it logged.
        sampled: whether figure and pages state that they show a selection.
        opened: seconds for Chromium to open the pages; None without Chromium.
    """

    inputs: int
    seconds: float
    before: float
    peak: float
    sizes: dict[str, int]
    sampled: bool
    opened: float | None


def folder_of(pictures: str, kept: str) -> Folder:
    """Grad-CAM of a folder of images; its artifacts are copied to `kept`."""
    import mlflow
    from matplotlib.text import Text

    import mlflow_interp

    model = network()
    model.predict(pixels(32), verbose=0)
    before = resident()
    with local_store():
        started = time.perf_counter()
        found = mlflow_interp.visualize_gradcam(model, pictures, quiet=True)
        seconds, peak = time.perf_counter() - started, resident("VmHWM")
        assert not find_problem(str(found.run_id)), find_problem(str(found.run_id))
        mlflow.artifacts.download_artifacts(
            run_id=found.run_id, artifact_path="interpretations", dst_path=kept
        )
    count = len(found.result.examples)
    titles = [text.get_text() for text in found.figure.findobj(Text)]
    logged = Path(kept) / "interpretations"
    said = any(f"64 of {count:,} inputs" in title for title in titles)
    said = said and f"64 of {count:,} inputs are shown" in (logged / "gradcam/figure.html").read_text()
    sizes = {
        str(file.relative_to(logged)): file.stat().st_size for file in logged.rglob("*") if file.is_file()
    }
    return Folder(count, seconds, before, peak, sizes, said, None)


def opened(kept: Path) -> float | None:
    """Seconds for Chromium to open both pages, which must state the number of inputs; None without it."""
    if shutil.which("chromium") is None:
        return None
    from docs.pictures import browser_page

    with browser_page(1200, 800) as page:
        started = time.perf_counter()
        for name in ("gradcam/figure.html", "index.html"):
            page.goto((kept / "interpretations" / name).as_uri())
            page.wait_for_function("[...document.images].some((image) => image.naturalWidth > 0)")
        seconds = time.perf_counter() - started
        assert " of " in page.inner_text("#all"), page.inner_text("#all")
        return seconds


def folder(count: int) -> bool:
    """Print the cost of `count` images and of a tenth; return whether the pages state the selection."""
    rows = []
    for inputs in (count // 10, count):
        with tempfile.TemporaryDirectory() as place:
            write_images(Path(place) / "pictures", inputs)
            rows.append(in_new_process(folder_of, f"{place}/pictures", f"{place}/kept"))
            rows[-1] = replace(rows[-1], opened=opened(Path(place) / "kept"))
    few, many = rows
    print("\n### Grad-CAM of a folder\n")
    print(f"| | {few.inputs:,} images | {many.inputs:,} images |\n|---|--:|--:|")
    print(f"| wall time | {few.seconds:.1f} s | {many.seconds:.1f} s |")
    print(f"| resident memory before the call | {few.before:.0f} MiB | {many.before:.0f} MiB |")
    print(f"| peak resident memory | {few.peak:.0f} MiB | {many.peak:.0f} MiB |")
    for name in sorted(many.sizes):
        print(f"| {name} | {few.sizes[name] / 1000:,.0f} kB | {many.sizes[name] / 1000:,.0f} kB |")
    if few.opened is not None and many.opened is not None:
        print(f"| time until Chromium shows both pages | {few.opened:.1f} s | {many.opened:.1f} s |")
    said = few.sampled and many.sampled
    growth = (many.peak - few.peak) / (many.inputs - few.inputs) * 1024
    print(f"\nEach additional input adds {growth:.2f} KiB to the peak. ", end="")
    print(f"Figure and page say that they show some of the inputs: {'yes' if said else 'NO'}.")
    return said


def logging_threads(uri: str, calls: int, run_id: str | None) -> list[tuple[str, str, str]]:
    """Four threads log one model simultaneously, `calls` times each: run, folder and error of each call."""
    import mlflow

    import mlflow_interp

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("load")
    model, inputs, ready = network(), pixels(8), threading.Barrier(THREADS)

    def log(number: int) -> tuple[str, str, str]:
        if number < THREADS:
            ready.wait()
        try:
            found = mlflow_interp.visualize_gradcam(model, inputs, run_id=run_id, quiet=True)
        except Exception as error:  # counted, and reported at the end
            return "", "", f"{type(error).__name__}: {error}"
        return str(found.run_id), str(found.artifact_path), ""

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(log, range(THREADS * calls)))


def together(calls: int) -> bool:
    """Print the results of eight threads that log simultaneously; return whether there was no problem."""
    import mlflow

    from docs.pictures import served

    spawn = multiprocessing.get_context("spawn")
    print("\n### Many at once\n\n| | calls | failed | incomplete | wall time |\n|---|--:|--:|--:|--:|")
    problems: list[str] = []
    with (
        tempfile.TemporaryDirectory() as place,
        served(f"sqlite:///{place}/mlflow.db", artifacts=Path(place) / "artifacts") as server,
    ):
        mlflow.set_tracking_uri(server)
        mlflow.set_experiment("load")
        started = time.perf_counter()
        with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
            jobs = [pool.submit(logging_threads, server, calls, None) for _ in range(PROCESSES)]
            done = [call for job in jobs for call in job.result()]
        seconds = time.perf_counter() - started
        name = f"{PROCESSES} processes with {THREADS} threads, each call to its own run"
        problems += report_calls(name, done, seconds, runs=len(done))
        shared = mlflow.MlflowClient().create_run(mlflow.get_experiment_by_name("load").experiment_id)
        started = time.perf_counter()
        done = in_new_process(logging_threads, server, calls, shared.info.run_id)
        seconds = time.perf_counter() - started
        name = f"1 process with {THREADS} threads, all calls to one run"
        problems += report_calls(name, done, seconds, runs=1)
    print("\n" + "\n".join(problems[:5]) if problems else "\nEvery run has the status it should have.")
    return not problems


def report_calls(name: str, done: Sequence[tuple[str, str, str]], seconds: float, *, runs: int) -> list[str]:
    """Print a row; return the number of problems: errors, incomplete interpretations, and runs."""
    from mlflow import MlflowClient

    failed = [error for _, _, error in done if error]
    logged = {(run_id, place) for run_id, place, error in done if not error}
    incomplete = [
        f"{run_id}/{place}: {why}" for run_id, place in sorted(logged) if (why := find_problem(run_id, place))
    ]
    lost = len(done) - len(failed) - len(logged)  # two calls that were given the same folder
    print(f"| {name} | {len(done)} | {len(failed)} | {len(incomplete) + lost} | {seconds:.0f} s |")
    found = sorted({run_id for run_id, _ in logged})
    wanted = "FINISHED" if runs > 1 else "RUNNING"  # the caller's own run is not ended
    unended = [run_id for run_id in found if MlflowClient().get_run(run_id).info.status != wanted]
    wrong = failed + incomplete + [f"{run_id} is not {wanted}" for run_id in unended]
    return wrong + ([f"{lost} calls share a place, {len(found)} runs"] if lost or len(found) != runs else [])


@dataclass(frozen=True)
class Sample:
    """The resources of a process after some calls: MiB, and numbers of the others."""

    calls: int
    memory: float
    threads: int
    files: int
    runs: int

    @classmethod
    def now(cls, calls: int, experiment_id: str) -> Sample:
        """The current values of this process, and the runs of an experiment that have not ended."""
        from mlflow import MlflowClient

        running = MlflowClient().search_runs([experiment_id], "attributes.status = 'RUNNING'")
        threads, files = (len(os.listdir(f"/proc/self/{each}")) for each in ("task", "fd"))
        return cls(calls, resident(), threads, files, len(running))


def measure_calls(calls: int, every: int) -> list[Sample]:
    """Samples of a process during `calls` calls, one after each `every`."""
    import mlflow_interp

    model, inputs, samples = network(), pixels(4), list[Sample]()
    with local_store() as experiment_id:
        for call in range(1, calls + 1):
            mlflow_interp.visualize_gradcam(model, inputs, quiet=True)
            if call % every == 0:
                samples.append(Sample.now(call, experiment_id))
    return samples


def soak(calls: int, every: int = 20) -> bool:
    """Print the resources of a process during `calls` calls; return whether only memory grows."""
    samples = in_new_process(measure_calls, calls, every)
    print("\n### One call after another\n\n| calls | resident memory | threads | open files | open runs |")
    print("|--:|--:|--:|--:|--:|")
    for each in samples:
        print(f"| {each.calls} | {each.memory:.0f} MiB | {each.threads} | {each.files} | {each.runs} |")
    warm, last = samples[min(1, len(samples) - 1)], samples[-1]
    grown = last.memory - warm.memory
    print(
        f"\nFrom call {warm.calls} to call {last.calls}: {grown:+.0f} MiB "
        f"({grown * 1024 / max(1, last.calls - warm.calls):+.0f} KiB a call), "
        f"{last.threads - warm.threads:+d} threads, {last.files - warm.files:+d} open files, "
        f"{last.runs} open runs."
    )
    return last.threads <= warm.threads and last.files <= warm.files and last.runs == 0


def main() -> None:
    """Measure each part; exit code 1 if a result differs from the documentation."""
    from benchmarks.timing import machine

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="folder, together, soak; all by default")
    parser.add_argument("--count", type=int, default=20_000, help="pictures in the folder")
    parser.add_argument("--calls", type=int, default=200, help="calls of the soak")
    parser.add_argument("--calls-each", type=int, default=3, help="calls of each thread")
    asked = parser.parse_args()
    parts: dict[str, Callable[[], bool]] = {
        "folder": lambda: folder(asked.count),
        "together": lambda: together(asked.calls_each),
        "soak": lambda: soak(asked.calls),
    }
    if unknown := [name for name in asked.parts if name not in parts]:
        parser.error(f"no part {', '.join(unknown)}; available: {', '.join(parts)}")
    fine = [parts[name]() for name in asked.parts or parts]
    print(f"\n{date.today().isoformat()}, {machine('mlflow', 'matplotlib')}")
    raise SystemExit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()
