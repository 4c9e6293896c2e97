"""Rewards for what the walls divide: the reference field differs between labels, and jumps
across their walls; or the descriptors themselves fall into clusters.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import BayesianGaussianMixture

from ..errors import InputError
from ..segmentation import adjusted_eta_squared, bridge_gaps
from .registry import register_reward
from .segmentation import Segmentation

#: Rewards that look at what the labels were made from.
DESCRIPTOR_REWARDS = ("icl", "bayesian_mixture")
_MIXTURE = 10  # components at most of a Bayesian mixture
_SAMPLE = 400  # cells that it is fitted to


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


@register_reward("icl", on_demand=True)
def icl(segmentation: Segmentation) -> float:
    """How much better labels describe the descriptors than one Gaussian, by the integrated
    completed likelihood: 1 - exp(-(ICL_1 - ICL_k) / (N K)), at least 0.

    ICL = -2 log L + m log N, with the likelihood L of descriptors and labels under one Gaussian of
    full covariance per label, and m parameters. It is a generalized coefficient of determination
    per dimension. The criterion is that of arXiv 2510.00243; its form as a reward is a guess.
    """
    if _is_plain(segmentation):
        return 0.0
    values, labels = _described(segmentation)
    gain = _icl(values, np.zeros(len(labels), int)) - _icl(values, labels)
    return float(max(0.0, -np.expm1(-gain / values.size)))


@register_reward("bayesian_mixture", on_demand=True)
def bayesian_mixture(segmentation: Segmentation) -> float:
    """Agreement of the labels with a mixture that chooses its own number of components: adjusted
    Rand index of the two, at least 0.

    The mixture has a Dirichlet process as prior, at most ten components, and is fitted to 400 cells
    at most. That such a mixture rewards is known from arXiv 2510.00243; this form is a guess.
    """
    if _is_plain(segmentation):
        return 0.0
    values, labels = _described(segmentation)
    seen = np.linspace(0, len(values) - 1, min(_SAMPLE, len(values))).astype(int)
    mixture = BayesianGaussianMixture(
        n_components=min(_MIXTURE, len(seen)),
        max_iter=60,
        tol=1e-2,
        reg_covar=1e-6 * _spread(values),
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = mixture.fit(values[seen]).predict(values)
    return float(max(0.0, adjusted_rand_score(labels, found)))


def _is_plain(segmentation: Segmentation) -> bool:
    """Whether there is one label only."""
    return len(np.unique(segmentation.labels[segmentation.labels >= 0])) < 2


def _described(segmentation: Segmentation) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors (N, K) and labels (N,) of the cells that have both."""
    if segmentation.descriptors is None:
        raise InputError(
            "reward 'icl' or 'bayesian_mixture': this map comes without its descriptors; give them"
            " to the Segmentation"
        )
    known = (segmentation.labels >= 0) & np.isfinite(segmentation.descriptors).all(axis=-1)
    return segmentation.descriptors[known].astype(float), segmentation.labels[known]


def _spread(values: np.ndarray) -> float:
    """Mean variance of the columns; a small number where nothing varies."""
    return float(values.var(axis=0).mean()) or 1e-12


def _icl(values: np.ndarray, labels: np.ndarray) -> float:
    """Integrated completed likelihood criterion of labelled values; small is good."""
    n, dims = values.shape
    total, floor = 0.0, 1e-6 * _spread(values) * np.eye(dims)
    for label in np.unique(labels):
        own = values[labels == label]
        variance = np.atleast_2d(np.cov(own.T, bias=True)) + floor
        each = np.linalg.slogdet(2 * np.pi * variance)[1] + dims  # -2 log of the mean density
        total += len(own) * (each - 2 * np.log(len(own) / n))
    count = len(np.unique(labels))
    return total + (count * (1 + dims + dims * (dims + 1) / 2) - 1) * np.log(n)


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
