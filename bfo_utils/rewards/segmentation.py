"""A label map with the field that it is judged by."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..segmentation import Walls, despeckle, trace_walls
from .reference import ReferenceField


@dataclass(frozen=True)
class Segmentation:
    """A label map with the evidence that it is judged by.

    Attributes
    ----------
    labels : ndarray of int, shape (R, C)
        Label per cell, -1 outside the analysed mask.
    evidence : ReferenceField
        Field on the same grid.
    """

    labels: np.ndarray
    evidence: ReferenceField

    @property
    def n(self) -> int:
        """Number of analysed cells N."""
        return int((self.labels >= 0).sum())

    @property
    def side(self) -> float:
        """Edge s = sqrt(N) of a square with as many cells, the yardstick that frees rewards of
        the image's size.
        """
        return float(np.sqrt(self.n))

    @cached_property
    def _despeckled(self) -> tuple[np.ndarray, float]:
        return despeckle(self.labels, max(6, round(0.003 * self.n)))

    @property
    def clean(self) -> np.ndarray:
        """Labels without speckle; patches under max(6, 0.003 N) cells take the nearest large
        patch's label.
        """
        return self._despeckled[0]

    @property
    def speckle(self) -> float:
        """Share of the cells that were speckle."""
        return self._despeckled[1]

    @cached_property
    def walls(self) -> Walls:
        """Walls of the map without speckle."""
        return trace_walls(self.clean)

    def against(self, evidence: ReferenceField) -> "Segmentation":
        """The same map judged by another field; what the labels alone say is not worked out
        again.
        """
        other = replace(self, evidence=evidence)
        vars(other).update(_despeckled=self._despeckled, walls=self.walls)
        return other
