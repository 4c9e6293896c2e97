"""Derivatives of the polarization: divergence, curl, and the vortices of its direction."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..lattice import Cells

_WIDTH = 3  # cells along both axes that P is averaged over before vortices are looked for
_LOOP = 2  # cells from the middle of a loop to its corners' rows and columns
_LARGEST_STEP = np.deg2rad(135)  # between cells of a loop: across a wall of 180 no turn is told
_FAINT = 0.1  # of the median length: an average below has no direction


@dataclass(frozen=True)
class Vortices:
    """Points around which the polarization rotates by a full turn.

    Attributes
    ----------
    xy : ndarray, shape (K, 2)
        Their centers in px.
    winding : ndarray of int, shape (K,)
        1 if P rotates in the same sense as the path around the point, as in a vortex; -1 if it
        rotates in the opposite sense, as in an antivortex.
    """

    xy: np.ndarray
    winding: np.ndarray


def polar_derivatives(cells: Cells, polar_sign: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Divergence and curl of the polarization, from central differences of neighboring cells.

    Parameters
    ----------
    cells : Cells
    polar_sign : {1, -1}
        Whether the polarization points along the polar displacement or against it.

    Returns
    -------
    divergence, curl : ndarray, shape (R, C)
        Displacement per length; bound charge has the sign of minus the divergence, and a positive
        curl rotates from x to y (down). NaN where a neighbor on either side is unknown.

    Examples
    --------
    >>> from bfo_utils.columns import find_columns
    >>> from bfo_utils.lattice import build_lattice
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> image = simulate_phantom(Specimen("single", cells=10, cell_px=16, dose=1e4)).image
    >>> divergence, curl = polar_derivatives(build_lattice(image, find_columns(image)).cells)
    >>> bool(abs(np.nanmean(divergence)) < 1e-3)
    True
    """
    polar = polar_sign * cells.polar
    down, right = np.gradient(polar, axis=(0, 1))
    inverse = np.linalg.inv(cells.basis.vectors)
    # both differences are those along the lattice vectors: they are V times the gradient
    along_x, along_y = (inverse[k, 0] * right + inverse[k, 1] * down for k in (0, 1))
    return along_x[..., 0] + along_y[..., 1], along_x[..., 1] - along_y[..., 0]


def find_vortices(cells: Cells) -> Vortices:
    """Find points around which the direction of the polarization rotates by 360 degrees.

    The polarization is averaged over 3 x 3 cells and followed along square loops of 5 x 5 cells;
    overlapping loops count once. A loop with an unknown or weakly polar cell, or with a step of
    more than 135 degrees, as across a 180 degree wall, is not counted.

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    Vortices
    """
    none = Vortices(np.empty((0, 2)), np.empty(0, int))
    if not cells.has_b or min(cells.shape) < 2 * _LOOP + 1:
        return none
    weights = np.full((_WIDTH, _WIDTH, 1), _WIDTH**-2)
    mean = ndimage.correlate(cells.polar, weights, mode="nearest")
    length = np.hypot(*np.moveaxis(mean, -1, 0))
    known = np.isfinite(length)
    if not known.any():
        return none
    known &= length > _FAINT * np.median(length[known])
    angle = np.where(known, np.arctan2(mean[..., 1], mean[..., 0]), np.nan)
    turns = _turns(angle)
    xy, winding = [], []
    for sign in (1, -1):
        groups, n = ndimage.label(turns == sign, np.ones((3, 3)))
        for k in range(1, n + 1):
            i, j = np.nonzero(groups == k)
            xy.append(np.nanmean(cells.xy[i + _LOOP, j + _LOOP], axis=0))
            winding.append(sign)
    return Vortices(np.array(xy), np.array(winding)) if xy else none


def _turns(angle: np.ndarray) -> np.ndarray:
    """Turns of an angle along the loop around every cell that is not at the rim; 0 where it cannot
    be told.
    """
    edge = np.arange(-_LOOP, _LOOP)
    low, high = np.full(len(edge), -_LOOP), np.full(len(edge), _LOOP)
    right = np.concatenate([edge, high, -edge, low])  # clockwise as seen, from x to y
    down = np.concatenate([low, edge, high, -edge])
    rows, columns = (n - 2 * _LOOP for n in angle.shape)
    around = np.stack(
        [
            angle[_LOOP + d : _LOOP + d + rows, _LOOP + r : _LOOP + r + columns]
            for d, r in zip(down, right)
        ]
    )
    steps = np.diff(np.concatenate([around, around[:1]]), axis=0)
    steps = (steps + np.pi) % (2 * np.pi) - np.pi
    told = np.isfinite(steps).all(axis=0) & (np.abs(steps).max(axis=0) < _LARGEST_STEP)
    return np.where(told, np.rint(np.nan_to_num(steps).sum(axis=0) / (2 * np.pi)), 0).astype(int)
