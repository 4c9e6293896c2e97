"""Clustering of descriptors, and reproducible names for clusters."""

import warnings
from threading import Lock

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from ..compute import one_thread
from ..errors import InputError

COVARIANCES = ("full", "tied", "diag", "spherical")
METHODS = ("gmm", "kmeans")


class _Quiet:
    """No convergence warnings while any thread is inside: a mixture that still moves is judged like
    any other.

    Python's own context manager restores the filters of whichever thread leaves last; this one
    counts.
    """

    def __init__(self):
        self._lock, self._inside, self._saved = Lock(), 0, warnings.catch_warnings()

    def __enter__(self):
        from sklearn.exceptions import ConvergenceWarning

        with self._lock:
            if self._inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.simplefilter("ignore", ConvergenceWarning)
            self._inside += 1

    def __exit__(self, *error):
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._saved.__exit__(None, None, None)


_QUIET = _Quiet()


def without_convergence_warnings() -> _Quiet:
    """Context without warnings from mixtures that do not converge; safe between threads."""
    return _QUIET


def cluster_vectors(
    features: np.ndarray,
    n_clusters: int,
    method: str = "gmm",
    covariance: str = "full",
    seed: int = 0,
) -> np.ndarray:
    """Assign every cell to one of ``n_clusters`` clusters.

    Parameters
    ----------
    features : ndarray, shape (N, D)
        Descriptors, of order 1 (the covariance is regularized by 1e-6).
    n_clusters : int
        Number of clusters.
    method : {"gmm", "kmeans"}
        Gaussian mixture (maximum a-posteriori component) or k-means.
    covariance : {"full", "tied", "diag", "spherical"}
        Shape of the mixture's components.
    seed : int
        Seed of the initialization.

    Returns
    -------
    ndarray of int, shape (N,)
        Labels 0, 1, ... from the largest cluster to the smallest, without gaps for empty clusters.

    Examples
    --------
    >>> x = np.r_[np.full(5, 0.0), np.full(3, 9.0)][:, None] + np.linspace(0, 0.1, 8)[:, None]
    >>> cluster_vectors(x, 2)
    array([0, 0, 0, 0, 0, 1, 1, 1])
    """
    model = _model(n_clusters, method, covariance, seed)  # which loads what is held to one thread
    with one_thread(), without_convergence_warnings():
        return number_by_size(model.fit_predict(features))


def predict_labels(
    sample: np.ndarray,
    features: np.ndarray,
    n_clusters: int,
    method: str = "gmm",
    covariance: str = "full",
    seed: int = 0,
) -> np.ndarray:
    """Fit a clustering to a sample of cells and label all cells with it; arguments as for
    :func:`cluster_vectors`.

    Returns
    -------
    ndarray of int, shape (N,)
    """
    model = _model(n_clusters, method, covariance, seed)
    with one_thread(), without_convergence_warnings():
        return model.fit(sample).predict(features)


def label_probabilities(
    features: np.ndarray,
    n_clusters: int,
    method: str = "gmm",
    covariance: str = "full",
    seed: int = 0,
) -> np.ndarray:
    """Posterior probability of every cluster for every cell; arguments as for
    :func:`cluster_vectors`, and the same fit.

    k-means has no probabilities of its own. It is the limit of a mixture of equal, round Gaussians,
    so the probabilities are those of Gaussians about its centers with the variance of the cells
    within the clusters.

    Returns
    -------
    ndarray, shape (N, n_clusters)
        Rows add up to 1.

    Examples
    --------
    >>> x = np.r_[np.full(5, 0.0), np.full(5, 9.0)][:, None] + np.linspace(0, 1, 10)[:, None]
    >>> label_probabilities(x, 2).max(axis=1).round(2).min()
    np.float64(1.0)
    """
    with without_convergence_warnings():
        model = _model(n_clusters, method, covariance, seed).fit(features)
    if method == "gmm":
        return model.predict_proba(features)
    square = model.transform(features) ** 2
    variance = max(float(square.min(axis=1).mean()) / features.shape[1], 1e-12)
    share = np.bincount(model.labels_, minlength=n_clusters) / len(features)
    return softmax(np.log(np.maximum(share, 1e-12)) - square / (2 * variance), axis=1)


def _model(n_clusters: int, method: str, covariance: str, seed: int):
    if method not in METHODS:
        raise InputError(f"method '{method}': unknown; choose one of {', '.join(METHODS)}")
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture

    if method == "kmeans":
        return KMeans(n_clusters, n_init=1, random_state=seed)
    return GaussianMixture(
        n_clusters,
        covariance_type=covariance,
        max_iter=60,
        tol=1e-2,
        init_params="kmeans",
        random_state=seed,
    )


def number_by_size(labels: np.ndarray) -> np.ndarray:
    """Renumber non-negative labels from the most to the least frequent; negative labels stay.

    Examples
    --------
    >>> number_by_size(np.array([7, 3, 3, -1]))
    array([ 1,  0,  0, -1])
    """
    values, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(np.where(values < 0, np.inf, -counts), kind="stable")
    rank = np.empty(len(values), int)
    rank[order] = np.arange(len(values))
    return np.where(values < 0, values, rank)[inverse].reshape(labels.shape)


def number_by_value(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Renumber non-negative labels by the mean of ``values`` in each, so that names are the same in
    all runs.

    Parameters
    ----------
    labels : ndarray of int
    values : ndarray, same shape
        For variants: the direction of the polar displacement (as an angle), or a/b of the cell.

    Examples
    --------
    >>> number_by_value(np.array([0, 1, 1, -1]), np.array([5.0, 2.0, 2.0, 0.0]))
    array([ 1,  0,  0, -1])
    """
    names = np.unique(labels[labels >= 0])
    means = [np.nanmean(values[labels == name]) for name in names]
    rank = dict(zip(names[np.argsort(means, kind="stable")].tolist(), range(len(names))))
    return np.vectorize(lambda label: rank.get(label, label), otypes=[int])(labels)


def adjusted_eta_squared(groups: np.ndarray, values: np.ndarray) -> float:
    """Share of the variance of values that groups explain, adjusted for their number.

    It is 1 - within-group variance / total variance. k groups of pure noise explain 0 on average,
    so the share can be negative.

    Parameters
    ----------
    groups : ndarray of int, shape (N,)
        Group of every value.
    values : ndarray, shape (N, K)
        The squares of all components are added.

    Returns
    -------
    float
        0 if the values do not vary.

    Examples
    --------
    >>> adjusted_eta_squared(np.array([0, 0, 1, 1]), np.array([[1.0], [1], [5], [5]]))
    1.0
    >>> adjusted_eta_squared(np.array([0, 0, 1, 1]), np.array([[1.0], [5], [1], [5]]))
    -0.5
    """
    total = ((values - values.mean(axis=0)) ** 2).sum() if len(values) else 0.0
    if total == 0:
        return 0.0
    names, index = np.unique(groups, return_inverse=True)
    means = np.stack([np.bincount(index, v) / np.bincount(index) for v in values.T], axis=1)
    within = ((values - means[index]) ** 2).sum()
    n = len(values)
    return float(1 - within / max(1, n - len(names)) * (n - 1) / total)


def rand_index(one: np.ndarray, two: np.ndarray) -> float:
    """Adjusted Rand index of two maps: 1 for the same partition, 0 for unrelated ones (Hubert and
    Arabie, J. Classif. 2, 1985). That of scikit-learn takes a second to import.

    Parameters
    ----------
    one, two : ndarray of int, shape (N,)
        Labels, not negative.

    Returns
    -------
    float

    Examples
    --------
    >>> round(rand_index(np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1])), 4)
    0.5714
    """
    n = int(two.max()) + 1
    shared = np.bincount(n * one + two, minlength=n * (int(one.max()) + 1)).reshape(-1, n)
    both, first, second = (
        float((counts * (counts - 1)).sum())
        for counts in (shared, shared.sum(axis=1), shared.sum(axis=0))
    )
    chance, most = first * second / max(len(one) * (len(one) - 1), 1), (first + second) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


def match_labels(labels: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Match the clusters of a map to those of a reference map of the same cells.

    The match is one to one and gives as many cells as possible the same name in both maps (the
    assignment problem).

    Parameters
    ----------
    labels, reference : ndarray of int, shape (N,)
        Not negative.

    Returns
    -------
    ndarray of int
        For every label 0, 1, ... its name in the reference; -1 for a cluster without a match.

    Examples
    --------
    >>> match_labels(np.array([0, 0, 1, 2]), np.array([5, 5, 3, 3]))
    array([ 5,  3, -1])
    """
    names, inverse = np.unique(reference, return_inverse=True)
    common = np.zeros((int(labels.max()) + 1, len(names)), int)
    np.add.at(common, (labels, inverse.ravel()), 1)
    own, other = linear_sum_assignment(common, maximize=True)
    met = common[own, other] > 0
    out = np.full(len(common), -1)
    out[own[met]] = names[other[met]]
    return out


def rename_labels(labels: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """A label map with the names of another map of the same cells, see :func:`match_labels`.

    Parameters
    ----------
    labels, reference : ndarray of int, the same shape
        -1 where a cell is not analyzed.

    Returns
    -------
    ndarray of int
        Clusters without a match get unused names.

    Examples
    --------
    >>> rename_labels(np.array([0, 0, 1, 2, -1]), np.array([1, 1, 0, 0, 0]))
    array([ 1,  1,  0,  4, -1])
    """
    both = (labels >= 0) & (reference >= 0)
    names = reference.max() + 1 + np.arange(labels.max() + 1)
    partner = match_labels(labels[both], reference[both])
    names[: len(partner)] = np.where(partner < 0, names[: len(partner)], partner)
    return np.where(labels >= 0, names[labels], -1)
