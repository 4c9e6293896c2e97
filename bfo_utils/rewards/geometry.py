"""Rewards for the geometry of the walls: they are continuous and straight.

The idea is that of arXiv 2411.12612, whose formulas are not public; those here are ours.
"""

import numpy as np

from ..segmentation import STAIRCASE_ROUGHNESS
from .registry import register_reward
from .segmentation import Segmentation


@register_reward("continuity")
def continuity(segmentation: Segmentation) -> float:
    """How far walls run before they end: mean over the wall of min(segment length / (s/2), 1),
    times exp(-f/0.15).

    f is the share of speckle. Segments end at junctions and at the rim; lengths are those of the
    smooth wall.
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
