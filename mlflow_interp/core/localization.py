"""How far heatmaps lie inside the regions that a person marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN

MASS = "mass_inside"
MAXIMUM = "maximum_inside"
SHARE = "region_share"


@dataclass(frozen=True, eq=False)
class Localization:
    """How far heatmaps lie inside marked regions; `UNKNOWN` for an input without a region of its class.

    Attributes:
        region_share: (n,) the share of the input that the region covers: what a map without any
            knowledge of the input has inside on average.
        mass_inside: for each heatmap by name, "" for the only one, (n,) the share of its positive heat that
            lies inside; `UNKNOWN` for a map without any.
        maximum_inside: likewise (n,), whether its maximum lies inside: 0 or 1, between for several maxima.
    """

    region_share: np.ndarray
    mass_inside: Mapping[str, np.ndarray]
    maximum_inside: Mapping[str, np.ndarray]

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Localization | None:
        """The localization among arrays as `arrays` names them; None without one."""
        if SHARE not in arrays:
            return None
        mass, maximum = (
            {
                name.removeprefix(kind).removeprefix("/"): array
                for name, array in arrays.items()
                if name.split("/")[0] == kind
            }
            for kind in (MASS, MAXIMUM)
        )
        return cls(arrays[SHARE], mass, maximum)

    @classmethod
    def of(
        cls, share: np.ndarray, mass: Mapping[str, np.ndarray], maximum: Mapping[str, np.ndarray]
    ) -> Localization:
        """A localization of numbers with NaN where there is none."""
        by_name = ({name: _known(array) for name, array in each.items()} for each in (mass, maximum))
        return cls(_known(share), *by_name)

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name, such as "mass_inside" or "mass_inside/gradients"."""
        return {SHARE: self.region_share} | {
            f"{kind}/{name}" if name else kind: array
            for kind, by_name in ((MASS, self.mass_inside), (MAXIMUM, self.maximum_inside))
            for name, array in by_name.items()
        }

    def metrics(self) -> dict[str, float]:
        """The means over inputs with a region and a map that is not empty."""
        named = {name.replace(MAXIMUM, "pointing_game"): array for name, array in self.arrays().items()}
        return {name: float(array[array >= 0].mean()) for name, array in named.items() if (array >= 0).any()}

    def table(self) -> dict[str, list[float | None]]:
        """One row per input, None where there is no number."""
        return {
            name: [None if value < 0 else value for value in array.tolist()]
            for name, array in self.arrays().items()
        }

    def at(self, rows: np.ndarray) -> Localization:
        """The numbers of some inputs."""
        return replace(
            self,
            region_share=self.region_share[rows],
            mass_inside={name: array[rows] for name, array in self.mass_inside.items()},
            maximum_inside={name: array[rows] for name, array in self.maximum_inside.items()},
        )


def _known(array: np.ndarray) -> np.ndarray:
    return np.asarray(np.nan_to_num(array, nan=UNKNOWN), np.float32)
