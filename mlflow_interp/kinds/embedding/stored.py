"""Storing and restoring embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlflow_interp.kinds.embedding.result import EmbeddingResult
from mlflow_interp.kinds.stored import Stored, example_facts, thumbnail_size

_MEASURES = ("trustworthiness", "knn_agreement", "silhouette")


def facts(result: EmbeddingResult) -> dict[str, Any]:
    """The facts that are not in the arrays."""
    return example_facts(result.examples) | {
        "layers": list(result.layers),
        "measures": {name: values.tolist() for name, values in result.measures.items()},
        "chosen": dict(result.chosen),
        "thumbnail_size": thumbnail_size(result.thumbnails),
        "title": result.title,
    }


def earlier_facts(manifest: Mapping[str, Any], _series: Mapping[str, Any]) -> dict[str, Any]:
    """The facts in a manifest of schema version 1."""
    parameters = manifest["parameters"]
    metrics = manifest["metrics"]
    layers = str(parameters["layers"]).split(",")
    keys = {name: [f"{name}/{layer}" if len(layers) > 1 else name for layer in layers] for name in _MEASURES}
    return {
        "layers": layers,
        "measures": {
            name: [metrics[key] for key in of_layers] for name, of_layers in keys.items() if name in metrics
        },
        "chosen": {name: parameters[name] for name in manifest["resolved"] if name != "layers"},
    }


def restored(
    arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], pictures: np.ndarray | None
) -> EmbeddingResult:
    """The result; with thumbnails only if every input has a stored image."""
    stored = Stored(arrays, facts, pictures)
    return EmbeddingResult(
        examples=stored.examples(),
        embeddings=stored.arrays["embeddings"],
        layers=tuple(stored.facts["layers"]),
        fitted=stored.arrays["fitted"],
        measures={name: np.array(values) for name, values in stored.facts["measures"].items()},
        thumbnails=stored.thumbnails(),
        chosen=dict(stored.facts["chosen"]),
        title=str(stored.facts.get("title", EmbeddingResult.title)),
    )
