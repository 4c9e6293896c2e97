"""A label map with the field that judges it."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..segmentation import Walls, bridge_gaps, despeckle, trace_walls
from .reference import ReferenceField


@dataclass(frozen=True)
class Runs:
    """Boundaries between adjacent cells in the rows of a label map (R, C).

    Attributes
    ----------
    is_wall, is_inside : ndarray of bool, shape (R, C - 1)
        Whether there is a wall, and whether three cells on either side have one label.
    pairs : ndarray of int, shape (W, 2)
        The two labels at every wall, the smaller first.
    before, after : tuple of ndarray of bool
        For 1 and 2 cells, shapes (R, C - 1) and (R, C - 2): whether a cell and that many cells
        before it, in the row and in the reversed row, have one label.
    """

    is_wall: np.ndarray
    is_inside: np.ndarray
    pairs: np.ndarray
    before: tuple[np.ndarray, np.ndarray]
    after: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Edges:
    """Boundaries along both axes of a map with bridged gaps: ``runs`` along rows and columns, and
    the cell from which every cell has its label.
    """

    runs: tuple[Runs, Runs]
    source: tuple[np.ndarray, ...]


def _runs(labels: np.ndarray) -> Runs:
    known = (labels[:, :-1] >= 0) & (labels[:, 1:] >= 0)
    same = labels[:, :-1] == labels[:, 1:]
    inside = known & same
    inside[:, 2:-2] &= same[:, :-4] & same[:, 1:-3] & same[:, 3:-1] & same[:, 4:]
    inside[:, :2] = inside[:, -2:] = False
    is_wall, back = known & ~same, same[:, ::-1]
    pairs = np.stack([labels[:, :-1][is_wall], labels[:, 1:][is_wall]], axis=1)
    two = (same[:, 1:] & same[:, :-1], back[:, 1:] & back[:, :-1])
    return Runs(is_wall, inside, np.sort(pairs, axis=1), (same, two[0]), (back, two[1]))


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

    @cached_property
    def edges(self) -> Edges:
        clean, source = bridge_gaps(self.despeckled[0])
        return Edges((_runs(clean), _runs(clean.T)), source)


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
        Data that the labels were made from, NaN outside; for rewards that use it.
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
        """Edge s = sqrt(N) of a square with as many cells; it makes rewards independent of the
        image size.
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

    @property
    def edges(self) -> Edges:
        """Boundaries between the cells of the map without speckle, gaps bridged."""
        return self._geometry.edges

    def against(self, reference: ReferenceField) -> "Segmentation":
        """The same map judged by another field, without recomputing what depends only on the
        labels.
        """
        return replace(self, reference=reference, _known=self._geometry)
