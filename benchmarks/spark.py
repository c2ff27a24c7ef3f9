"""Throughput on Spark: `python -m benchmarks.spark [--images 20000] [--million]`.

JPEGs of 96×96 go through MobileNetV2 with Grad-CAM and a confusion matrix: on Spark with two threads, and in
two bare processes that decode with Pillow, predict, and take the gradient at the same layer in one compiled
function. Each worker has one thread of TensorFlow. Both are timed from the start of the workers to the last
result, in turn. `--million` also interprets up to a million rows of 64 numbers with a small network, and
compares two of them.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")

CLASSES = 10
SIDE = 96
WORKERS = 2
BATCH = 64

_BARE = f"""
import io, sys
import numpy as np, pyarrow.parquet as pq
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
import keras
from PIL import Image
model = keras.models.load_model(sys.argv[1])
layer = model.get_layer("out_relu")
both = keras.Model(model.inputs, [layer.output, model.output])

@tf.function(input_signature=[tf.TensorSpec([None, {SIDE}, {SIDE}, 3])])
def explain(inputs):
    with tf.GradientTape() as tape:
        features, probabilities = both(inputs, training=False)
        tape.watch(features)
        score = tf.reduce_max(probabilities, axis=1)
    weights = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2), keepdims=True)
    return tf.argmax(probabilities, axis=1), tf.reduce_sum(weights * features, axis=-1)

counts = np.zeros(({CLASSES}, {CLASSES}), np.int64)
maps = []
for file in sys.argv[2:]:
    for batch in pq.ParquetFile(file).iter_batches({BATCH}, columns=["content", "label"]):
        pixels = [np.asarray(Image.open(io.BytesIO(each))) for each in batch.column(0).to_pylist()]
        predicted, heat = explain(np.stack(pixels).astype(np.float32) / 255)
        np.add.at(counts, (batch.column(1).to_numpy(), predicted.numpy()), 1)
        maps.append(heat.numpy())
print(counts.sum(), len(np.concatenate(maps)))
"""


def jpeg(rng: np.random.Generator, label: int) -> bytes:
    """A JPEG of smooth noise, whose colour depends on its class."""
    from PIL import Image

    coarse = rng.integers(0, 200, (12, 12, 3), np.uint8)
    coarse[..., label % 3] += np.uint8(5 * label)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def write_images(folder: Path, count: int, files: int = 8) -> list[str]:
    """Parquet files with the columns path, content and label."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    paths = []
    for place, rows in enumerate(np.array_split(np.arange(count), files)):
        labels = (rows % CLASSES).astype(np.int32)
        contents = [jpeg(rng, label) for label in labels.tolist()]
        table = pa.table({"path": [f"{row:08}.jpg" for row in rows], "content": contents, "label": labels})
        paths.append(str(folder / f"{place}.parquet"))
        pq.write_table(table, paths[-1], row_group_size=1024)
    return paths


def bare(model: Path, files: list[str]) -> float:
    """Seconds of two processes that share the files."""
    started = time.perf_counter()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _BARE, str(model), *files[number::WORKERS]], stdout=subprocess.DEVNULL
        )
        for number in range(WORKERS)
    ]
    if any(process.wait() for process in processes):
        raise RuntimeError("a bare process failed")
    return time.perf_counter() - started


def on_spark(spark: Any, model: Path, folder: Path, table: Path) -> tuple[float, Any]:
    """Seconds of the job that writes the table, and what was found."""
    import mlflow_interp.spark as interp
    from mlflow_interp.spark import interpreting

    seconds = 0.0
    write = vars(interpreting)["write_rows"]

    def timed(*args: Any, **options: Any) -> None:
        nonlocal seconds
        started = time.perf_counter()
        write(*args, **options)
        seconds = time.perf_counter() - started

    vars(interpreting)["write_rows"] = timed
    try:
        found = interp.interpret(
            spark.read.parquet(str(folder)),
            str(model),
            ["gradcam", "confusion_matrix"],
            table=str(table),
            label="label",
            batch_size=BATCH,
            preprocess="0..1",
            log=False,
            quiet=True,
        )
    finally:
        vars(interpreting)["write_rows"] = write
    return seconds, found


def peak_of_driver() -> float:
    """The largest memory of this process so far, in MiB; without Spark's own process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _number(place: Any) -> Any:
    """The number at a place of a row: a sine of its id."""
    from pyspark.sql import functions as sql

    return (sql.sin(sql.col("id") * (place + 1)) + 1) / 2


def million(spark: Any, folder: Path) -> None:
    """Interpret a million rows of 64 numbers, and compare two networks on them."""
    import keras
    from pyspark.sql import functions as sql

    import mlflow_interp.spark as interp

    networks = []
    for seed in range(2):
        keras.utils.set_random_seed(seed)
        convolutions = [keras.layers.Conv2D(16, 3, activation="relu", padding="same") for _ in range(2)]
        head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(CLASSES, activation="softmax")]
        networks.append(keras.Sequential([keras.Input((8, 8, 1)), *convolutions, *head]))
    options: dict[str, Any] = {"input": "x", "label": "label", "id": "id", "batch_size": 1024}
    options |= {"log": False, "quiet": True}
    methods = ["gradcam", "confusion_matrix"]
    for rows in (1_000, 10_000, 100_000, 1_000_000):
        data = spark.range(rows, numPartitions=max(2, rows // 50_000)).select(
            sql.col("id"),
            (sql.col("id") % CLASSES).cast("int").alias("label"),
            sql.transform(sql.sequence(sql.lit(0), sql.lit(63)), _number).cast("array<float>").alias("x"),
        )
        for versions, call in ((networks[:1], interp.interpret), (networks, interp.compare)):
            where = folder / f"{call.__name__}-{rows}"
            started = time.perf_counter()
            found = call(data, *versions, methods, table=str(where), **options)
            seconds = time.perf_counter() - started
            size = sum(file.stat().st_size for file in where.rglob("*.parquet")) / 2**20
            print(
                f"| {call.__name__} | {found.rows:,} | {seconds:.0f} s | {rows / seconds:,.0f} | "
                f"{size:.1f} MiB | {peak_of_driver():,.0f} MiB |",
                flush=True,
            )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--million", action="store_true")
    options = parser.parse_args()

    from mlflow_interp.spark.session import find_session

    conf = {
        "spark.master": f"local[{WORKERS}]",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        spark = find_session(conf)
        if options.million:
            print("| call | rows | wall | rows / s | table | driver's peak |")
            print("| --- | --: | --: | --: | --: | --: |")
            million(spark, root)
        if options.images:
            import keras

            keras.utils.set_random_seed(0)
            model = root / "mobilenet.keras"
            keras.applications.MobileNetV2((SIDE, SIDE, 3), weights=None, classes=CLASSES).save(model)
            for count in (options.images // 10, options.images):
                images = root / f"images-{count}"
                images.mkdir()
                files = write_images(images, count)
                for number in range(options.rounds if count == options.images else 1):
                    of_bare = bare(model, files)
                    of_spark, found = on_spark(spark, model, images, root / f"table-{count}-{number}")
                    print(
                        f"{count:,} images: bare {of_bare:.1f} s, Spark {of_spark:.1f} s, throughput "
                        f"{of_bare / of_spark:.2f} of bare, driver's peak {peak_of_driver():,.0f} MiB, "
                        f"errors {found.errors}",
                        flush=True,
                    )
        spark.stop()


if __name__ == "__main__":
    main()
