"""Unit cells: their geometry and polar displacement, on the grid of the crystal."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_BINOMIAL = np.outer([1, 2, 1], [1, 2, 1])[..., None]


@dataclass(frozen=True)
class Basis:
    """Mean lattice of an image.

    Attributes
    ----------
    vectors : ndarray, shape (2, 2)
        Rows a (closest to +x, index j) and b (closest to +y, index i), components (x, y), in px.
    two_sublattices : bool
        Whether columns of two kinds alternate (a centered cell).
    """

    vectors: np.ndarray
    two_sublattices: bool

    @property
    def cell_px(self) -> float:
        """Edge of a square with the area of the cell, in px."""
        return float(np.sqrt(abs(np.linalg.det(self.vectors))))


@dataclass(frozen=True)
class Cells:
    """Unit cells on a grid of shape (R, C): row i along b (down), column j along a (right).

    Lengths are in px, angles in degrees, displacements in image axes (x right, y down). Unknown
    values are NaN.

    Attributes
    ----------
    xy, polar : ndarray, shape (R, C, 2)
        Cell center (mean of the four A columns) and polar displacement: B column minus center.
    corner, b_site : ndarray, shape (R, C, 2)
        Positions of the A column at the cell's upper left corner and of its B column.
    a, b, angle, area, rotation : ndarray, shape (R, C)
        Cell edges, angle between them, area, rotation of the cell relative to the mean lattice; the
        edges are means (weights 1 2 1 along both axes) over the cell and its neighbors.
    a_intensity, b_intensity : ndarray, shape (R, C)
        Fitted amplitudes: mean of the four A columns, and of the B column.
    valid : ndarray of bool, shape (R, C)
        Whether the cell has its four corners (and a B column where ``has_b``).
    basis : Basis
        Mean lattice.
    has_b : bool
        Whether the second sublattice is visible; without it ``polar``, ``b_site``, ``b_intensity``
        are NaN.
    order : ndarray, shape (R, C, 1 or 2), or None
        Local amplitude of an ordered displacement (see :mod:`bfo_utils.lattice`), None if there is
        none.
    """

    xy: np.ndarray
    polar: np.ndarray
    corner: np.ndarray
    b_site: np.ndarray
    a: np.ndarray
    b: np.ndarray
    angle: np.ndarray
    area: np.ndarray
    rotation: np.ndarray
    a_intensity: np.ndarray
    b_intensity: np.ndarray
    valid: np.ndarray
    basis: Basis
    has_b: bool
    order: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.valid.shape

    @property
    def n(self) -> int:
        """Number of valid cells."""
        return int(self.valid.sum())


def corner_mean(nodes: np.ndarray) -> np.ndarray:
    """Mean of the four corners of every cell of a node field: (R + 1, C + 1, ...) to (R, C,
    ...).
    """
    return (nodes[:-1, :-1] + nodes[1:, :-1] + nodes[:-1, 1:] + nodes[1:, 1:]) / 4


def measure_cells(
    basis: Basis, node: np.ndarray, a_intensity: np.ndarray, b_sites: tuple[np.ndarray, ...] | None
) -> Cells:
    """Geometry of every cell from its four A columns and its B column.

    Parameters
    ----------
    basis : Basis
        Mean lattice.
    node : ndarray, shape (R + 1, C + 1, 2)
        Positions of the A columns in px, NaN where there is none.
    a_intensity : ndarray, shape (R + 1, C + 1)
        Their amplitudes.
    b_sites : tuple of ndarray, shapes (R, C, 2) and (R, C), or None
        Positions and amplitudes of the B columns; None if the second sublattice is not visible.

    Returns
    -------
    Cells

    Examples
    --------
    >>> y, x = np.mgrid[:4, :4] * 10.0
    >>> xy = np.stack([x, y], -1)
    >>> cells = measure_cells(Basis(np.eye(2) * 10, False), xy, np.ones((4, 4)), None)
    >>> cells.shape, cells.a[0, 0], cells.angle[0, 0]
    ((3, 3), np.float64(10.0), np.float64(90.0))
    """
    xy = corner_mean(node)
    edge_a = _smooth((node[:-1, 1:] - node[:-1, :-1] + node[1:, 1:] - node[1:, :-1]) / 2)
    edge_b = _smooth((node[1:, :-1] - node[:-1, :-1] + node[1:, 1:] - node[:-1, 1:]) / 2)
    cross = edge_a[..., 0] * edge_b[..., 1] - edge_a[..., 1] * edge_b[..., 0]
    b_xy, b_intensity = b_sites or (np.full(xy.shape, np.nan), np.full(xy.shape[:2], np.nan))
    polar = b_xy - xy
    return Cells(
        xy=xy,
        polar=polar,
        corner=node[:-1, :-1],
        b_site=b_xy,
        a=np.hypot(*np.moveaxis(edge_a, -1, 0)),
        b=np.hypot(*np.moveaxis(edge_b, -1, 0)),
        angle=np.rad2deg(np.arctan2(cross, (edge_a * edge_b).sum(-1))),
        area=cross,
        rotation=_rotation(edge_a, edge_b, basis),
        a_intensity=corner_mean(a_intensity),
        b_intensity=b_intensity,
        valid=np.isfinite((polar if b_sites else xy)[..., 0]),
        basis=basis,
        has_b=b_sites is not None,
    )


def _smooth(edges: np.ndarray) -> np.ndarray:
    """Weighted mean (1 2 1 along both axes) over a cell and its known neighbors; NaN where the
    cell is unknown.

    One edge is the difference of two fitted positions, so its noise hides strains below a percent;
    the mean over the neighbors keeps a wall one cell wide and lowers the noise about three times.
    """
    known = np.isfinite(edges)
    total, weight = (
        ndimage.convolve(v, _BINOMIAL, mode="constant")
        for v in (np.where(known, edges, 0), known * 1.0)
    )
    return np.where(known, total / np.where(known, weight, 1), np.nan)


def _rotation(edge_a: np.ndarray, edge_b: np.ndarray, basis: Basis) -> np.ndarray:
    """Mean rotation in degrees of a cell's edges against the mean lattice (x to y positive)."""
    angles = [
        np.arctan2(e[..., 1], e[..., 0]) - np.arctan2(v[1], v[0])
        for e, v in zip((edge_a, edge_b), basis.vectors)
    ]
    wrapped = [(t + np.pi) % (2 * np.pi) - np.pi for t in angles]
    return np.rad2deg(sum(wrapped) / 2)
