"""Domain walls: the edges between cells of different labels as a graph, its segments, and their
local shape.

A wall edge is the common side of two neighboring cells with different labels. Edges meet at cell
corners; a corner where exactly two edges meet continues a segment, any other corner (a junction, or
the boundary of the crystal) ends it.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

ROUGHNESS_RADIUS = 5.0  # cells: the window in which a wall should be straight
STAIRCASE_ROUGHNESS = 0.45  # cells: up to here the staircase of any straight line on a lattice
# Cells without a label that a wall is carried across: three missing columns cost four, and seven
# along a diagonal.
_GAP = 7
_BAND = 12  # cells of such a gap at least: a single missing column hides no wall


@dataclass(frozen=True)
class Walls:
    """Wall edges of a label map; arrays have one entry per edge.

    Attributes
    ----------
    midpoint : ndarray, shape (E, 2)
        Middle of the edge as (column, row) in cells; cell (i, j) has its center at (j, i).
    cells : ndarray of int, shape (E, 2, 2)
        Indices (i, j) of the two cells that the edge separates.
    segment : ndarray of int, shape (E,)
        Segment that the edge belongs to, 0 .. n_segments - 1.
    roughness : ndarray, shape (E,)
        Rms distance (cells) of the edges of the same segment within 5 cells from the line fitted
        through them.
    extent : ndarray, shape (E,)
        Length (cells) of the piece of the segment that the line was fitted to.
    direction : ndarray, shape (E,)
        Direction of that line, radians in [0, pi).
    length : ndarray, shape (E,)
        Length (cells) of smooth wall that the edge stands for: 1 along the lattice, 1/sqrt(2) along
        its diagonals.
    """

    midpoint: np.ndarray
    cells: np.ndarray
    segment: np.ndarray
    roughness: np.ndarray
    extent: np.ndarray
    direction: np.ndarray
    length: np.ndarray

    @property
    def n_segments(self) -> int:
        """Number of segments."""
        return int(self.segment.max() + 1) if len(self.segment) else 0

    @property
    def segment_length(self) -> np.ndarray:
        """Length of every segment in cells, shape (n_segments,)."""
        return np.bincount(self.segment, self.length, self.n_segments)


def despeckle(labels: np.ndarray, smallest: int) -> tuple[np.ndarray, float]:
    """Give every small connected patch of a label map the label of the nearest large one.

    Parameters
    ----------
    labels : ndarray of int, shape (R, C)
        Label per cell, -1 outside the crystal.
    smallest : int
        4-connected patches of fewer cells are replaced.

    Returns
    -------
    clean : ndarray of int, shape (R, C)
    share : float
        Share of the cells whose patch was too small.

    Examples
    --------
    >>> despeckle(np.array([[0, 0, 0], [0, 1, 0], [0, 0, -1]]), 2)
    (array([[ 0,  0,  0],
           [ 0,  0,  0],
           [ 0,  0, -1]]), 0.125)
    """
    small = _patch_sizes(labels) < smallest
    small &= labels >= 0
    keep = (labels >= 0) & ~small
    if not keep.any() or not small.any():
        return labels.copy(), float(small.sum() / max(1, (labels >= 0).sum()))
    nearest = ndimage.distance_transform_edt(~keep, return_distances=False, return_indices=True)
    return np.where(small, labels[tuple(nearest)], labels), float(small.sum() / (labels >= 0).sum())


def connected_domains(labels: np.ndarray) -> np.ndarray:
    """Sizes, in cells, of the domains of a map: its 4-connected patches of equal label, largest
    first.

    Examples
    --------
    >>> connected_domains(np.array([[0, 0, 1, 0], [0, 0, 1, -1]]))
    array([4, 2, 1])
    """
    return np.sort(np.unique(_patches(labels)[labels >= 0], return_counts=True)[1])[::-1]


def _patch_sizes(labels: np.ndarray) -> np.ndarray:
    """For every cell, the number of cells in its 4-connected patch of equal label."""
    patch = _patches(labels)
    return np.bincount(patch.ravel())[patch]


def _patches(labels: np.ndarray) -> np.ndarray:
    """Number of the 4-connected patch of equal label that every cell belongs to."""
    index = np.arange(labels.size).reshape(labels.shape)
    pairs = [
        (index[:, :-1], index[:, 1:], labels[:, :-1] == labels[:, 1:]),
        (index[:-1], index[1:], labels[:-1] == labels[1:]),
    ]
    rows = np.concatenate([p[same] for p, _, same in pairs])
    cols = np.concatenate([q[same] for _, q, same in pairs])
    graph = sparse.coo_matrix((np.ones(rows.size, np.int8), (rows, cols)), shape=(labels.size,) * 2)
    return csgraph.connected_components(graph, directed=False)[1].reshape(labels.shape)


def bridge_gaps(labels: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Give the cells of narrow gaps the label of the nearest cell, so that walls along or across a
    gap are kept.

    Parameters
    ----------
    labels : ndarray of int, shape (R, C)
        Label per cell, -1 where there is none.

    Returns
    -------
    filled : ndarray of int, shape (R, C)
        Gaps of 12 cells or more that are at most 7 cells wide have labels.
    source : tuple of ndarray, shape (R, C) each
        Indices (i, j) of the cell from which every cell has its label.

    Examples
    --------
    >>> bridge_gaps(np.repeat([[0, 0, -1, -1, 1, 1]], 8, axis=0))[0][0].tolist()
    [0, 0, 0, 1, 1, 1]
    """
    known = labels >= 0
    between = np.zeros(labels.shape, bool)
    for k, seen in ((1, known), (0, known.T)):
        wide = _gap_width(seen)
        between |= (wide if k else wide.T) <= _GAP
    piece, n = ndimage.label(between & ~known)
    large = np.bincount(piece.ravel(), minlength=n + 1) >= _BAND
    large[0] = False
    source = np.indices(labels.shape)
    if not large.any():
        return labels, tuple(source)
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    source = np.where(large[piece], nearest, source)
    return labels[tuple(source)], tuple(source)


def _gap_width(known: np.ndarray) -> np.ndarray:
    """Along rows, number of unknown cells between known ones; huge where there is none."""
    far = known.shape[1] * 10
    at = np.arange(known.shape[1])
    before = np.maximum.accumulate(np.where(known, at, -far), axis=1)
    after = np.minimum.accumulate(np.where(known, at, far)[:, ::-1], axis=1)[:, ::-1]
    return np.where(known, 0, after - before - 1)


def trace_walls(labels: np.ndarray) -> Walls:
    """Trace the domain walls of a label map, across narrow gaps too (see :func:`bridge_gaps`).

    Parameters
    ----------
    labels : ndarray of int, shape (R, C)
        Label per cell, -1 outside the crystal (no wall is drawn against the outside).

    Returns
    -------
    Walls

    Examples
    --------
    >>> w = trace_walls(np.repeat([[0, 0, 1]], 4, axis=0))
    >>> w.n_segments, w.segment_length.tolist(), w.roughness.max().round(6)
    (1, [4.0], np.float64(0.0))
    """
    midpoint, cells, corners = _edges(bridge_gaps(labels)[0])
    if not len(midpoint):
        none = np.zeros(0)
        return Walls(midpoint, cells, none.astype(int), none, none, none, none)
    segment = _segments(corners)
    roughness, extent, direction = _local_lines(midpoint, segment)
    length = 1 / (np.abs(np.cos(direction)) + np.abs(np.sin(direction)))
    return Walls(midpoint, cells, segment, roughness, extent, direction, length)


def _edges(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Midpoints, divided cells and end corners of all edges; (i, j): upper left of the cell."""
    width = labels.shape[1] + 1
    i, j = np.nonzero(
        (labels[:, :-1] != labels[:, 1:]) & (labels[:, :-1] >= 0) & (labels[:, 1:] >= 0)
    )
    k, m = np.nonzero((labels[:-1] != labels[1:]) & (labels[:-1] >= 0) & (labels[1:] >= 0))
    midpoint = np.concatenate([np.stack([j + 0.5, i], 1), np.stack([m, k + 0.5], 1)])
    first = np.concatenate([np.stack([i, j], 1), np.stack([k, m], 1)])
    second = np.concatenate([np.stack([i, j + 1], 1), np.stack([k + 1, m], 1)])
    corners = np.concatenate(
        [
            np.stack([i * width + j + 1, (i + 1) * width + j + 1], 1),
            np.stack([(k + 1) * width + m, (k + 1) * width + m + 1], 1),
        ]
    )
    return midpoint, np.stack([first, second], axis=1), corners


def _segments(corners: np.ndarray) -> np.ndarray:
    """Segment of every edge: edges that meet at a corner with exactly two edges belong together."""
    order = np.argsort(corners.ravel(), kind="stable")
    corner, edge = corners.ravel()[order], order // 2
    _, start, degree = np.unique(corner, return_index=True, return_counts=True)
    pair = start[degree == 2]
    n = len(corners)
    graph = sparse.coo_matrix(
        (np.ones(len(pair), np.int8), (edge[pair], edge[pair + 1])), shape=(n, n)
    )
    return csgraph.connected_components(graph, directed=False)[1]


def _local_lines(
    midpoint: np.ndarray, segment: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rms distance, extent and direction of lines through edges within ``ROUGHNESS_RADIUS``."""
    n = len(midpoint)
    # segments in separate planes: one tree serves all
    apart = np.column_stack([midpoint, segment * (3 * ROUGHNESS_RADIUS)])
    pairs = cKDTree(apart).query_pairs(ROUGHNESS_RADIUS + 1e-6, output_type="ndarray")
    p = np.concatenate([pairs[:, 0], pairs[:, 1], np.arange(n)])
    q = np.concatenate([pairs[:, 1], pairs[:, 0], np.arange(n)])
    d = midpoint[q] - midpoint[p]
    count = np.bincount(p, minlength=n)
    mean = np.stack([np.bincount(p, d[:, k], n) for k in (0, 1)], 1) / count[:, None]
    xx, yy, xy = (
        np.bincount(p, d[:, k] * d[:, m], n) / count - mean[:, k] * mean[:, m]
        for k, m in ((0, 0), (1, 1), (0, 1))
    )
    spread = np.hypot(xx - yy, 2 * xy)
    minor, major = np.maximum((xx + yy - spread) / 2, 0), (xx + yy + spread) / 2
    direction = np.arctan2(2 * xy, xx - yy) / 2 % np.pi
    return np.sqrt(minor), np.sqrt(12 * major), direction
