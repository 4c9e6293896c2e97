"""A label map with the field that it is judged by."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..segmentation import Walls, despeckle, trace_walls
from .reference import ReferenceField


@dataclass(frozen=True)
class _Geometry:
    """What the labels alone say."""

    labels: np.ndarray

    @cached_property
    def despeckled(self) -> tuple[np.ndarray, float]:
        return despeckle(self.labels, max(6, round(0.003 * int((self.labels >= 0).sum()))))

    @cached_property
    def walls(self) -> Walls:
        return trace_walls(self.despeckled[0])


@dataclass(frozen=True)
class Segmentation:
    """A label map with the reference field that judges it.

    Attributes
    ----------
    labels : ndarray of int, shape (R, C)
        Label per cell, -1 outside the analyzed mask.
    reference : ReferenceField
        Field on the same grid.
    descriptors : ndarray, shape (R, C, K), or None
        What the labels were made from, NaN outside; for rewards that look at it.
    """

    labels: np.ndarray
    reference: ReferenceField
    descriptors: np.ndarray | None = field(default=None, repr=False, compare=False)
    _known: _Geometry | None = field(default=None, repr=False, compare=False)

    @property
    def n(self) -> int:
        """Number of analyzed cells N."""
        return int((self.labels >= 0).sum())

    @property
    def side(self) -> float:
        """Edge s = sqrt(N) of a square with as many cells, the yardstick that frees rewards of
        the image's size.
        """
        return float(np.sqrt(self.n))

    @cached_property
    def _geometry(self) -> _Geometry:
        known = self._known
        return known if known and known.labels is self.labels else _Geometry(self.labels)

    @property
    def clean(self) -> np.ndarray:
        """Labels without speckle; patches under max(6, 0.003 N) cells take the nearest large
        patch's label.
        """
        return self._geometry.despeckled[0]

    @property
    def speckle(self) -> float:
        """Share of the cells that were speckle."""
        return self._geometry.despeckled[1]

    @property
    def walls(self) -> Walls:
        """Walls of the map without speckle."""
        return self._geometry.walls

    def against(self, reference: ReferenceField) -> "Segmentation":
        """The same map judged by another field; what the labels alone say is not worked out
        again.
        """
        return replace(self, reference=reference, _known=self._geometry)
