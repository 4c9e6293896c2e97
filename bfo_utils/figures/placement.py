"""Placement: positions in the image of points on the grid of cells.

Labels and walls are defined on the grid of cells; figures and tables need them in pixels. The map
between the two follows the measured cell centers and continues with the mean lattice where there
are none.
"""

import numpy as np
from scipy import ndimage

from ..lattice import Cells
from ..segmentation import Walls


def to_px(cells: Cells, at: np.ndarray) -> np.ndarray:
    """Pixel position of points given in grid coordinates.

    The offsets of the measured cell centers from the mean lattice are interpolated bilinearly.
    Unknown cells, and points beyond the grid, take the offset of the nearest known cell, which
    extrapolates by the mean lattice.

    Parameters
    ----------
    cells : Cells
    at : ndarray, shape (..., 2)
        Points as (column, row) in cells; cell (i, j) has its center at (j, i).

    Returns
    -------
    ndarray, shape (..., 2)
        Positions (x, y) in px.

    Examples
    --------
    >>> from bfo_utils.columns import find_columns
    >>> from bfo_utils.lattice import build_lattice
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> p = simulate_phantom(Specimen(cells=12, cell_px=16))
    >>> cells = build_lattice(p.image, find_columns(p.image)).cells
    >>> bool(np.allclose(to_px(cells, np.array([4, 3])), cells.xy[3, 4]))
    True
    """
    at = np.asarray(at, float)
    a, b = cells.basis.vectors
    i, j = np.indices(cells.shape)
    offset = cells.xy - j[..., None] * a - i[..., None] * b
    unknown = ~np.isfinite(offset[..., 0])
    nearest = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
    offset = offset[tuple(nearest)]
    place = at.reshape(-1, 2).T[::-1]
    local = [
        ndimage.map_coordinates(offset[..., k], place, order=1, mode="nearest") for k in (0, 1)
    ]
    return at[..., :1] * a + at[..., 1:] * b + np.stack(local, axis=-1).reshape(at.shape)


def quadrilaterals(cells: Cells) -> np.ndarray:
    """Outline of every cell of the grid; neighbors share edges without gaps.

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    ndarray, shape (R, C, 4, 2)
        Corners (x, y) in px: upper left, upper right, lower right, lower left.
    """
    rows, cols = np.array(cells.shape) + 1
    x, y = np.meshgrid(np.arange(cols) - 0.5, np.arange(rows) - 0.5)
    node = to_px(cells, np.stack([x, y], axis=-1))
    return np.stack([node[:-1, :-1], node[:-1, 1:], node[1:, 1:], node[1:, :-1]], axis=2)


def wall_lines(cells: Cells, walls: Walls) -> np.ndarray:
    """End points of every wall edge.

    Parameters
    ----------
    cells : Cells
        Cells on the grid that the walls were traced on.
    walls : Walls

    Returns
    -------
    ndarray, shape (E, 2, 2)
        Both ends (x, y) in px.
    """
    # (di, dj): along (x, y) = (di, dj) runs the edge
    across = (walls.cells[:, 1] - walls.cells[:, 0]).astype(float)
    ends = walls.midpoint[:, None] + np.array([-0.5, 0.5])[None, :, None] * across[:, None]
    return to_px(cells, ends)


def direction_px(vectors: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Directions on the grid as directions in the image.

    Parameters
    ----------
    vectors : ndarray, shape (2, 2)
        Lattice vectors a, b as rows (x, y) in px.
    direction : ndarray
        Angle from a towards b in radians, as for a square lattice.

    Returns
    -------
    ndarray
        Angle from x (right) towards y (down) in radians, in [0, pi).

    Examples
    --------
    >>> direction_px(np.array([[0, 10], [-10, 0]]), np.array([0.0])).round(3)
    array([1.571])
    """
    along = np.stack([np.cos(direction), np.sin(direction)], axis=-1) @ vectors
    return np.arctan2(along[..., 1], along[..., 0]) % np.pi
