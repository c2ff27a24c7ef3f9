"""What runs on Spark's workers: functions for `mapInArrow`, which import TensorFlow only when they run."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from mlflow_interp.spark.comparing.job import ComparedJob
from mlflow_interp.spark.job import Columns, Job

#: A function for `DataFrame.mapInArrow`.
MapInArrow = Callable[[Iterable[Any]], Iterator[Any]]


def interpreting(job: Job) -> MapInArrow:
    """Interprets rows: the columns that the job names become those of the table."""

    def interpret_rows(records: Iterable[Any]) -> Iterator[Any]:
        from mlflow_interp.spark.session import shipped, use_own_gpu
        from mlflow_interp.spark.worker import worker_for

        use_own_gpu()
        yield from worker_for(job, shipped)(records)
        exclude_from_collections(job.key)

    return interpret_rows


def comparing(job: ComparedJob) -> MapInArrow:
    """Compares two versions on rows: the columns that the job names become those of the table."""

    def compare_rows(records: Iterable[Any]) -> Iterator[Any]:
        from mlflow_interp.spark.comparing.worker import comparing_worker_for
        from mlflow_interp.spark.session import shipped, use_own_gpu

        use_own_gpu()
        yield from comparing_worker_for(job, shipped)(records)
        exclude_from_collections(job.key)

    return compare_rows


_excluded: set[str] = set()  # the jobs whose models are excluded from garbage collections


def exclude_from_collections(job: str) -> None:
    """Exclude what this process keeps for a job from garbage collections, after its first task.

    PySpark collects garbage after each task. With TensorFlow and a model in memory that takes 0.2 s, as long
    as interpreting some photographs.
    """
    if job in _excluded:
        return
    _excluded.add(job)
    gc.unfreeze()  # so that models of earlier jobs, which are no longer kept, are found
    gc.collect()
    gc.freeze()


def merging() -> MapInArrow:
    """Merges the parts of tasks, one binary column, to one row."""

    def merge_parts(records: Iterable[Any]) -> Iterator[Any]:
        import pyarrow as pa

        from mlflow_interp.spark.part import merged, read_part

        parts = [read_part(data) for record in records for data in record.column(0).to_pylist()]
        if parts:
            yield pa.record_batch([pa.array([merged(parts).to_bytes()], pa.binary())], names=["part"])

    return merge_parts


def picking(input_column: str, digests: frozenset[bytes]) -> MapInArrow:
    """Keeps rows whose input, the content of a file, has one of some digests."""

    def pick_rows(records: Iterable[Any]) -> Iterator[Any]:
        import pyarrow as pa

        from mlflow_interp.core.digests import bytes_digest

        for record in records:
            contents = record.column(record.schema.get_field_index(input_column)).to_pylist()
            kept = [each is not None and bytes_digest(bytes(each)) in digests for each in contents]
            if any(kept):
                yield record.filter(pa.array(kept))

    return pick_rows


def shrinking(job: Job, columns: Columns, digests: frozenset[bytes], side: int) -> MapInArrow:
    """Makes small images of the inputs with some digests, as they are prepared for the model.

    Args:
        job: how inputs are prepared.
        columns: the columns of the rows.
        digests: the digests of the inputs.
        side: the longer side of the images in pixels.

    Returns:
        Rows of columns digest, height, width and pixels.
    """

    def shrink_rows(records: Iterable[Any]) -> Iterator[Any]:
        import pyarrow as pa

        from mlflow_interp.core.image_arrays import thumbnails
        from mlflow_interp.spark.blocks import blocks_of
        from mlflow_interp.spark.rows import binary
        from mlflow_interp.spark.session import shipped, use_own_gpu
        from mlflow_interp.spark.worker import worker_for

        use_own_gpu()
        models = worker_for(job, shipped).models
        for block in blocks_of(records, replace(job, columns=columns), models):
            for (chunk,) in block.chunks():
                if chunk.images is None or chunk.digests is None:
                    continue
                rows = [row for row, each in enumerate(chunk.digests) if each.tobytes() in digests]
                images = thumbnails(chunk.images[rows], side)
                count, height, width = images.shape[:3]
                pixels = [image.tobytes() for image in images]
                sides = [pa.array([each] * count, pa.int32()) for each in (height, width)]
                yield pa.record_batch(
                    [binary(chunk.digests[rows]), *sides, pa.array(pixels, pa.binary())],
                    names=["digest", "height", "width", "pixels"],
                )

    return shrink_rows


def placing(file: str) -> MapInArrow:
    """Places rows in an embedding: columns id and activations become id and points, one for each layer."""

    def place_rows(records: Iterable[Any]) -> Iterator[Any]:
        import numpy as np
        import pyarrow as pa

        placer = _placer(file)
        layers = range(len(placer.vectors))
        for record in records:
            rows = record.column(1).to_pylist()
            if rows:
                points = placer.place(
                    [np.array([row[layer] for row in rows], np.float32) for layer in layers]
                )
                type_ = pa.list_(pa.list_(pa.float32()))
                yield pa.record_batch(
                    [record.column(0), pa.array(points.tolist(), type_)], names=["id", "points"]
                )

    return place_rows


@functools.cache
def _placer(file: str) -> Any:
    from mlflow_interp.spark.embedding import Placer
    from mlflow_interp.spark.session import shipped

    return Placer.load(shipped(file))
