"""Rewards for what the walls divide: the reference field differs between labels, and jumps
across their walls.
"""

import numpy as np

from ..segmentation import adjusted_eta_squared, bridge_gaps
from .registry import register_reward
from .segmentation import Segmentation


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
    crossing, staying = [], []
    clean, source = bridge_gaps(segmentation.clean)
    field = segmentation.reference.field[source]
    for labels, values in ((clean, field), (clean.T, field.transpose(1, 0, 2))):
        is_wall, is_inside, step = _steps(labels, values)
        is_wall &= np.isfinite(step)
        pair = np.sort(np.stack([labels[:, :-1][is_wall], labels[:, 1:][is_wall]], axis=1), axis=1)
        crossing.append(np.column_stack([pair, step[is_wall]]))
        staying.append(step[is_inside & np.isfinite(step)])
    walls, within = np.concatenate(crossing), np.concatenate(staying)
    if not len(walls) or not len(within):
        return 0.0
    return _pairwise(walls[:, :2], walls[:, 2] > np.quantile(within, 0.95), segmentation.side / 6)


def _pairwise(pairs: np.ndarray, real: np.ndarray, least: float) -> float:
    """Geometric mean over pairs of labels, with enough edges, of their share of real edges."""
    _, pair, count = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    share = np.bincount(pair.ravel(), real) / count
    share = share[count >= least] if (count >= least).any() else np.array([real.mean()])
    return float(min(1, np.exp(np.log(np.maximum(0, (share - 0.05) / 0.95) + 0.02).mean())))


def _steps(labels: np.ndarray, field: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Along rows, per boundary of two cells: is it a wall, is it inside, step of the field."""
    left = _run_mean(labels, field)[:, :-1]
    right = _run_mean(labels[:, ::-1], field[:, ::-1])[:, ::-1][:, 1:]
    known = (labels[:, :-1] >= 0) & (labels[:, 1:] >= 0)
    same = labels[:, :-1] == labels[:, 1:]
    inside = known & same
    inside[:, 2:-2] &= same[:, :-4] & same[:, 1:-3] & same[:, 3:-1] & same[:, 4:]
    inside[:, :2] = inside[:, -2:] = False
    return known & ~same, inside, np.sqrt(((right - left) ** 2).sum(axis=-1))


def _run_mean(labels: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Mean of the field over a cell and up to two before it in its row of the same label."""
    total, count = field.copy(), np.ones(labels.shape)
    known = np.isfinite(field[..., 0])
    plain = np.where(known[..., None], field, 0)
    same = np.ones(labels.shape, bool)
    for back in (1, 2):
        same[:, back:] &= labels[:, back:] == labels[:, :-back]
        total[:, back:] += plain[:, :-back] * same[:, back:, None]
        count[:, back:] += same[:, back:] & known[:, :-back]
    return total / count[..., None]
