"""Rewards that reject maps which geometry alone prefers: empty maps, strips, frames, speckle."""

import numpy as np
from scipy import ndimage

from .registry import register_reward
from .segmentation import Segmentation


@register_reward("balance")
def balance(segmentation: Segmentation) -> float:
    """1 if the second-largest cluster has at least 3 % of the cells; proportionally less below."""
    labels = segmentation.clean[segmentation.clean >= 0]
    counts = np.sort(np.bincount(labels)) if len(labels) else np.zeros(1)
    return float(min(1, counts[-2] / (0.03 * segmentation.n))) if len(counts) > 1 else 0.0


@register_reward("amount")
def amount(segmentation: Segmentation) -> float:
    """1 if the wall is at least as long as a quarter of the field's edge, s/4; proportionally less
    below.
    """
    return float(min(1, segmentation.walls.length.sum() / max(segmentation.side / 4, 1e-9)))


@register_reward("thickness")
def thickness(segmentation: Segmentation) -> float:
    """Whether domains are thick: share of the cells that a 3 x 3 opening of their own label keeps,
    mapped from 0.5..1 to 0..1.
    """
    inside = segmentation.clean >= 0
    kept = 0
    for label in np.unique(segmentation.clean[inside]):
        own = segmentation.clean == label
        kept += (
            ndimage.binary_opening(np.pad(own | ~inside, 1, constant_values=True), np.ones((3, 3)))[
                1:-1, 1:-1
            ]
            & own
        ).sum()
    return float(max(0, 2 * kept / max(1, segmentation.n) - 1))


@register_reward("agreement")
def agreement(segmentation: Segmentation) -> float:
    """Agreement of neighboring cells beyond chance: (p - p0) / (1 - p0), p0 from the labels'
    frequencies.
    """
    labels = segmentation.labels
    pairs = [(labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])]
    same = np.concatenate([(p == q)[(p >= 0) & (q >= 0)] for p, q in pairs])
    share = np.bincount(labels[labels >= 0]) / segmentation.n
    chance = (share**2).sum()
    return float((same.mean() - chance) / (1 - chance)) if len(same) and chance < 1 else 0.0
