"""Interprets a folder on another kind of Spark, and prints what came out; test_clusters runs it.

A process can have one Spark only.
"""

from __future__ import annotations

import json
import sys

import mlflow_interp.spark as interp
from mlflow_interp.spark.folder import read_folder


def main() -> None:
    kind, model, folder, table = sys.argv[1:]
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    if kind == "connect":
        builder = builder.remote("local[2]")
    else:
        builder = builder.master(kind).config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.shuffle.partitions", "4").getOrCreate()
    data, _ = read_folder(spark, folder)
    found = interp.interpret(
        data.repartition(4),
        model,
        ["gradcam", "confusion_matrix"],
        table=table,
        label="label",
        sample=9,
        preprocess="0..1",
        resize="stretch",
        interpolation="bilinear",
        log=False,
    )
    explain = interp.interpret_udf(
        spark, model, preprocess="0..1", resize="stretch", interpolation="bilinear"
    )
    lazy = data.limit(3).select(explain("content").alias("e")).where("e.shape IS NOT NULL").count()
    maps = interp.heatmaps(found.table)
    order = sorted(range(len(maps.ids)), key=maps.ids.__getitem__)
    sampled = sorted(found.interpretations["gradcam"].result.explained.examples.names)
    print(
        "RESULT"
        + json.dumps(
            {
                "rows": found.rows,
                "errors": found.errors,
                "counts": found.interpretations["confusion_matrix"].result.counts.tolist(),
                "sampled": sampled,
                "maps": maps.maps[order].reshape(len(order), -1).round(5).tolist(),
                "lazy": lazy,
            }
        )
    )
    spark.stop()


if __name__ == "__main__":
    main()
