"""Probability that the label of a cell is right, from the judged field in the cell and its
neighbors.

In a Potts model a cell prefers the labels of its neighbors. Here the measured field of the
neighbors counts: the misfit of every label is summed over a cell and its neighbors. A curve
converts the margin between the shown label and the next best one into a probability. The curve was
fitted to phantoms, including poor maps, because likelihoods of this kind are overconfident:
neighbors share errors, and labels may be missing.
"""

import numpy as np
from scipy import ndimage

from .halves import TwoHalves
from .regularized import level_map, n_slow

_REACH = 1.0  # cells: Gaussian that misfits are summed with; it weighs 4 pi of cells in all
_DEGREE = 3  # of the slow field, at most
_MOST = 30.0  # of a margin: beyond, the curve was not measured
# log odds: offset, and slopes by sign(m) ln(1 + |m|) of the margins m of the cell alone and with
# its neighbors; from `python -m benchmarks confidence`
_OFFSET, _SLOPES = 0.76, (0.69, 0.69)


def label_posterior(halves: TwoHalves, labels: np.ndarray) -> np.ndarray:
    """Probability that the label of a cell is right, given the field in it and around it.

    Parameters
    ----------
    halves : TwoHalves
    labels : ndarray of int, shape (n,)

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> from .halves import two_halves
    >>> rng = np.random.default_rng(0)
    >>> i, j = np.indices((20, 20))
    >>> truth = (j > 9) * 1
    >>> one, two = (truth[..., None] + rng.normal(0, 0.5, (20, 20, 2)) for _ in "12")
    >>> labels = truth.copy()
    >>> labels[4, 4] = 1  # wrong
    >>> sure = label_posterior(two_halves(one, two, 16.0 * i, 16.0), labels.ravel())
    >>> bool(sure[84] < 0.5), bool(np.median(sure) > 0.95)
    (True, True)
    """
    odds = _OFFSET + label_margins(halves, labels) @ np.array(_SLOPES)
    return 1 / (1 + np.exp(-odds))


def label_margins(halves: TwoHalves, labels: np.ndarray) -> np.ndarray:
    """Margin in log-likelihood between a label and the next best one: sign(m) ln(1 + |m|) of the
    margin m in every cell alone, and summed over it and its neighbors.

    Parameters
    ----------
    halves : TwoHalves
    labels : ndarray of int, shape (n,)

    Returns
    -------
    ndarray, shape (n, 2)
    """
    domain = halves.domain
    found = level_map(domain, halves.drawn_mean, labels)
    slow = domain.slow[:, : n_slow(min(found.degree, _DEGREE))]
    shown = np.column_stack([slow, domain.indicators(found.labels)[:, 1:]])
    fit = np.linalg.lstsq(shown, halves.mean, rcond=None)[0]
    levels = np.vstack([np.zeros((1, fit.shape[1])), fit[slow.shape[1] :]])
    rest = halves.mean - slow @ fit[: slow.shape[1]]
    misfit = ((rest[:, None] - levels) ** 2).sum(axis=-1) / (2 * halves.grain**2)
    summed, weight = (
        ndimage.gaussian_filter(domain.on_grid(v), (_REACH, _REACH, 0), mode="constant")
        for v in (misfit, np.ones((domain.n, 1)))
    )
    around = 4 * np.pi * _REACH**2 * (summed / np.maximum(weight, 1e-9))[domain.mask]
    margins = np.stack([_margin(v, found.labels) for v in (misfit, around)], axis=-1)
    return np.sign(margins) * np.log1p(np.abs(margins))


def _margin(misfit: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Misfit (n, K) of the next label less that of the own one, within limits."""
    cells, others = np.arange(len(labels)), misfit.copy()
    others[cells, labels] = np.inf
    return np.clip(others.min(axis=1) - misfit[cells, labels], -_MOST, _MOST)
