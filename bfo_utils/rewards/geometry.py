"""Rewards for the geometry of walls, which should be continuous and straight.

The idea is that of arXiv 2411.12612, whose formulas are not public. ``continuity`` and
``straightness`` are ours; the others are guesses at its keywords (curvature minimization, edge
detection) and at rewards of the same group, for comparison.
"""

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..segmentation import STAIRCASE_ROUGHNESS, Walls
from .registry import register_reward
from .segmentation import Segmentation


@register_reward("continuity")
def continuity(segmentation: Segmentation) -> float:
    """How far walls run before they end: mean over the wall of min(segment length / (s/2), 1),
    times exp(-f/0.15).

    f is the share of speckle. Segments end at junctions and at the edge of the analyzed cells;
    lengths are those of the smooth wall.
    """
    walls = segmentation.walls
    if not walls.n_segments:
        return 0.0
    run = np.minimum(walls.segment_length / (segmentation.side / 2), 1)[walls.segment]
    return float(np.exp(-segmentation.speckle / 0.15) * np.average(run, weights=walls.length))


@register_reward("straightness")
def straightness(segmentation: Segmentation) -> float:
    """How straight walls are over ten cells: mean of exp(-(max(r - 0.45, 0) / 0.6)^2) min(extent /
    8, 1).

    r is the local roughness in cells (see :class:`bfo_utils.segmentation.Walls`); up to 0.45 is the
    staircase that any straight line makes on a lattice.
    """
    walls = segmentation.walls
    if not walls.n_segments:
        return 0.0
    bend = np.exp(-((np.maximum(walls.roughness - STAIRCASE_ROUGHNESS, 0) / 0.6) ** 2))
    return float(np.average(bend * np.minimum(walls.extent / 8, 1), weights=walls.length))


@register_reward("component_continuity", on_demand=True)
def component_continuity(segmentation: Segmentation) -> float:
    """How few pieces each label has: mean over the labels of 1 / number of 8-connected components.

    It uses the raw labels, speckle included. A guess: the authors of arXiv 2411.12612 use rewards
    of this kind for other crystals.
    """
    labels = segmentation.labels
    pieces = [
        ndimage.label(labels == k, np.ones((3, 3)))[1] for k in np.unique(labels[labels >= 0])
    ]
    return float(np.mean(1 / np.array(pieces))) if len(pieces) > 1 else 0.0


@register_reward("edge_continuity", on_demand=True)
def edge_continuity(segmentation: Segmentation) -> float:
    """How few gaps an edge map of the labels has: exp(-g), with g gaps per s/2 cells.

    Edges are those that the Canny filter (sigma 1 cell) finds in the image of any label. Two of
    their ends inside the map make a gap. A guess at "edge detection".
    """
    from skimage.feature import canny

    labels = segmentation.labels
    inside = labels >= 0
    edges = np.zeros(labels.shape, bool)
    for label in np.unique(labels[inside]):
        edges |= canny((labels == label) * 1.0, sigma=1, mask=inside)
    if not edges.any():
        return 0.0
    near = ndimage.convolve(edges * 1, np.ones((3, 3), int), mode="constant") - 1
    ends = edges & (near <= 1) & ndimage.binary_erosion(inside, np.ones((3, 3)), 3)
    return float(np.exp(-ends.sum() / 2 / edges.sum() * segmentation.side / 2))


@register_reward("curvature", on_demand=True)
def low_curvature(segmentation: Segmentation) -> float:
    """How little walls turn: exp(-10 k), k the mean absolute curvature in 1/cell.

    Curvature is the turn between the local lines of neighboring edges per distance; a circle of a
    radius of ten cells has 1/e. A guess at "curvature minimization".
    """
    walls = segmentation.walls
    if not walls.n_segments:
        return 0.0
    pairs = cKDTree(walls.midpoint).query_pairs(1.01, output_type="ndarray")
    p, q = pairs[walls.segment[pairs[:, 0]] == walls.segment[pairs[:, 1]]].T
    turn = np.abs((walls.direction[p] - walls.direction[q] + np.pi / 2) % np.pi - np.pi / 2)
    distance = np.linalg.norm(walls.midpoint[p] - walls.midpoint[q], axis=1)
    return float(np.exp(-10 * turn.sum() / distance.sum())) if len(p) else 0.0


@register_reward("sinuosity", on_demand=True)
def low_sinuosity(segmentation: Segmentation) -> float:
    """How direct walls are: mean over the wall of min(extent / length, 1) of its segment."""
    walls = segmentation.walls
    if not walls.n_segments:
        return 0.0
    along, _ = _principal_axes(walls)
    low, high = np.full(walls.n_segments, np.inf), np.full(walls.n_segments, -np.inf)
    np.minimum.at(low, walls.segment, along)
    np.maximum.at(high, walls.segment, along)
    length = walls.segment_length
    edge = length / np.bincount(walls.segment)  # from middle to middle one edge is missing
    return float(np.average(np.minimum((high - low + edge) / length, 1), weights=length))


@register_reward("line_fit", on_demand=True)
def line_fit(segmentation: Segmentation) -> float:
    """How well whole segments are lines: mean over the wall of 1 - max(r - 0.45, 0) / e.

    r and e are the rms distances (cells) from the line fitted to the segment, and along it.
    """
    walls = segmentation.walls
    if not walls.n_segments:
        return 0.0
    along, across = (_segment_mean(walls, v**2) ** 0.5 for v in _principal_axes(walls))
    left = np.maximum(across - STAIRCASE_ROUGHNESS, 0) / np.maximum(along, 1e-9)
    return float(np.average(np.maximum(1 - left, 0), weights=walls.segment_length))


@register_reward("hough", on_demand=True)
def hough_share(segmentation: Segmentation) -> float:
    """Share of the wall that lies within a cell of the one line that holds most of its segment.

    As in a Hough (or Radon) transform, lines of 36 directions are tried, each at the median offset.
    """
    walls = segmentation.walls
    if not walls.n_segments:
        return 0.0
    order = np.argsort(walls.segment, kind="stable")
    cuts = np.flatnonzero(np.diff(walls.segment[order])) + 1
    angle = np.arange(36) * np.pi / 36
    normals = np.stack([np.cos(angle), np.sin(angle)])
    held = 0.0
    for part in np.split(order, cuts):
        offset = walls.midpoint[part] @ normals
        near = np.abs(offset - np.median(offset, axis=0)) <= 1 + 1e-9
        held += (walls.length[part, None] * near).sum(axis=0).max()
    return float(held / walls.length.sum())


def _segment_mean(walls: Walls, values: np.ndarray) -> np.ndarray:
    """Mean over the edges of every segment, shape (n_segments,)."""
    return np.bincount(walls.segment, values) / np.bincount(walls.segment)


def _principal_axes(walls: Walls) -> tuple[np.ndarray, np.ndarray]:
    """Positions of all edges along and across the line fitted to their segment, in cells."""
    d = (
        walls.midpoint
        - np.stack([_segment_mean(walls, v) for v in walls.midpoint.T], 1)[walls.segment]
    )
    xx, yy, xy = (_segment_mean(walls, d[:, k] * d[:, m]) for k, m in ((0, 0), (1, 1), (0, 1)))
    angle = (np.arctan2(2 * xy, xx - yy) / 2)[walls.segment]
    cos, sin = np.cos(angle), np.sin(angle)
    return d[:, 0] * cos + d[:, 1] * sin, d[:, 1] * cos - d[:, 0] * sin
