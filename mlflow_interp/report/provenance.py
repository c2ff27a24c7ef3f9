"""The provenance of a result: the model, the inputs, and how they were prepared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlflow_interp.core.batch import Batch
from mlflow_interp.models.origin import LoadedModel


@dataclass(frozen=True)
class Provenance:
    """The part of a manifest on the model and the inputs.

    Attributes:
        model: the model's origin, and the digest of its weights.
        inputs: the inputs' source, digests and number, the first names, and the skipped inputs.
        preparation: how the inputs were prepared for the model, and whether their images may be logged.
        warnings: the warnings about the inputs.
    """

    model: Mapping[str, Any]
    inputs: Mapping[str, Any]
    preparation: Mapping[str, Any]
    warnings: tuple[str, ...]

    def with_warnings(self, warnings: Iterable[str]) -> Provenance:
        """The same provenance with further warnings."""
        return replace(self, warnings=(*self.warnings, *warnings))

    @classmethod
    def of(cls, loaded: LoadedModel, batch: Batch) -> Provenance:
        """The provenance of a model whose weights were digested, and of a batch that was read."""
        record = batch.record()
        inputs = {"source": batch.source} | record.as_dict()
        skipped = [f"{name} was left out: {reason}" for name, reason in record.skipped.items()]
        preparation = dict(batch.preparation) | {"log_images": batch.log_images}
        return cls(loaded.origin.as_dict(), inputs, preparation, (*record.warnings, *_shortened(skipped)))


def _shortened(lines: list[str], most: int = 3) -> list[str]:
    rest = (
        [f"{len(lines) - most} more inputs were left out; the manifest lists them"]
        if len(lines) > most
        else []
    )
    return lines[:most] + rest
