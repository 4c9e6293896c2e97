"""Rewards for what the walls divide: the reference field differs between labels, and jumps
across their walls.
"""

import numpy as np

from ..segmentation import adjusted_eta_squared
from .registry import register_reward
from .segmentation import Runs, Segmentation


@register_reward("evidence")
def evidence(segmentation: Segmentation) -> float:
    """Share of the variance of the reference field that the labels explain, on the labels without
    speckle.

    E = 1 - within-label variance / total variance, corrected for the number of labels (k labels of
    pure noise explain (k - 1) / (N - 1) on average). Speckle counts in the continuity, and only
    there.
    """
    inside = (segmentation.clean >= 0) & np.isfinite(segmentation.reference.field[..., 0])
    return adjusted_eta_squared(segmentation.clean[inside], segmentation.reference.field[inside])


@register_reward("contrast")
def contrast(segmentation: Segmentation) -> float:
    """Whether the reference field jumps across the walls, between every pair of labels that
    share a wall.

    The step between the means of up to three cells on either side of a wall edge is compared with
    the same step between cells of one domain: walls drawn through noise, or along a slow gradient,
    step no more than the inside does. For every pair of labels h is the share of its edges that
    step more than 95 % of the inside, corrected for chance, h = max(0, (share - 0.05) / 0.95). The
    contrast is the geometric mean of h + 0.02, at most 1, over the pairs with at least s/6 edges,
    so that one boundary that is not there costs most of it, however much true wall there is beside
    it.
    """
    crossing, staying, pairs = [], [], []
    edges = segmentation.edges
    field = segmentation.reference.field[edges.source]
    for runs, values in zip(edges.runs, (field, field.transpose(1, 0, 2))):
        step = _steps(runs, values)
        known = np.isfinite(step)
        seen = known[runs.is_wall]
        pairs.append(runs.pairs[seen])
        crossing.append(step[runs.is_wall][seen])
        staying.append(step[runs.is_inside & known])
    walls, within = np.concatenate(crossing), np.concatenate(staying)
    if not len(walls) or not len(within):
        return 0.0
    real = walls > np.quantile(within, 0.95)
    return _pairwise(np.concatenate(pairs), real, segmentation.side / 6)


def _pairwise(pairs: np.ndarray, real: np.ndarray, least: float) -> float:
    """Geometric mean over pairs of labels, with enough edges, of their share of real edges."""
    _, pair, count = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    share = np.bincount(pair.ravel(), real) / count
    share = share[count >= least] if (count >= least).any() else np.array([real.mean()])
    return float(min(1, np.exp(np.log(np.maximum(0, (share - 0.05) / 0.95) + 0.02).mean())))


def _steps(runs: Runs, field: np.ndarray) -> np.ndarray:
    """Step of the field along rows, per boundary of two cells."""
    left = _run_mean(runs.before, field)[:, :-1]
    right = _run_mean(runs.after, field[:, ::-1])[:, ::-1][:, 1:]
    return np.sqrt(((right - left) ** 2).sum(axis=-1))


def _run_mean(same: tuple[np.ndarray, ...], field: np.ndarray) -> np.ndarray:
    """Mean of the field over a cell and up to two before it in its row of the same label."""
    total = field.copy()
    known = np.isfinite(field[..., 0])
    count, plain = np.ones(known.shape), np.where(known[..., None], field, 0)
    for back, own in enumerate(same, 1):
        total[:, back:] += plain[:, :-back] * own[..., None]
        count[:, back:] += own & known[:, :-back]
    return total / count[..., None]
