"""Rewards for the contents of domains: the reference field differs between labels and jumps across
walls, or the descriptors themselves form clusters.
"""

import warnings

import numpy as np

from ..errors import InputError
from ..segmentation import adjusted_eta_squared
from .registry import register_reward
from .segmentation import Runs, Segmentation

#: Rewards that use the descriptors.
DESCRIPTOR_REWARDS = ("icl", "bayesian_mixture")
_MIXTURE = 10  # components at most of a Bayesian mixture
_SAMPLE = 400  # cells that it is fitted to


@register_reward("evidence")
def evidence(segmentation: Segmentation) -> float:
    """Share of the variance of the reference field that the labels explain, on the labels without
    speckle.

    E = 1 - within-label variance / total variance, corrected for the number of labels (k labels of
    pure noise explain (k - 1) / (N - 1) on average). Speckle is penalized only in the continuity.
    """
    inside = (segmentation.clean >= 0) & np.isfinite(segmentation.reference.field[..., 0])
    return adjusted_eta_squared(segmentation.clean[inside], segmentation.reference.field[inside])


@register_reward("contrast")
def contrast(segmentation: Segmentation) -> float:
    """Whether the reference field jumps across the walls, between every pair of labels that
    share a wall.

    The step between the means of up to three cells on either side of a wall edge is compared with
    the same step between cells of one domain: across false walls, in noise or along a slow
    gradient, the steps are no larger than inside domains. For every pair of labels h is the share
    of its edges with a step larger than 95 % of those inside, corrected for chance, h = max(0,
    (share - 0.05) / 0.95). The contrast is the geometric mean of h + 0.02, at most 1, over the
    pairs with at least s/6 edges, so that a single false boundary costs most of it, however much
    true wall the map has.
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


@register_reward("icl", on_demand=True)
def icl(segmentation: Segmentation) -> float:
    """How much better labels describe the descriptors than one Gaussian, by the integrated
    completed likelihood: 1 - exp(-(ICL_1 - ICL_k) / (N K)), at least 0.

    ICL = -2 log L + m log N, with the likelihood L of descriptors and labels under one Gaussian of
    full covariance per label, and m parameters. It is a generalized coefficient of determination
    per dimension. The criterion is from arXiv 2510.00243; its form as a reward is a guess.
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
    at most. arXiv 2510.00243 uses such a mixture as a reward; this form is a guess.
    """
    if _is_plain(segmentation):
        return 0.0
    # they take a second; only who asks for this reward pays for it
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import adjusted_rand_score
    from sklearn.mixture import BayesianGaussianMixture

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
            "reward 'icl' or 'bayesian_mixture': this map has no descriptors; give them to the"
            " Segmentation"
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
    number = pairs[:, 0] * (int(pairs.max()) + 1) + pairs[:, 1]
    _, pair, count = np.unique(number, return_inverse=True, return_counts=True)
    share = np.bincount(pair, real) / count
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
