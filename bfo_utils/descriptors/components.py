"""Projection of descriptors on their principal components."""

from collections.abc import Callable

import numpy as np

# vectors that components are found from, and projected at a time; more of them move no component
_SEEN = 32_768


def project_vectors(vectors: np.ndarray, n_components: int, seed: int = 0) -> np.ndarray:
    """Scores on the leading principal components, divided by the standard deviation of the first.

    Parameters
    ----------
    vectors : ndarray, shape (N, D)
    n_components : int
        Number of components; at most D are kept.
    seed : int
        Seed of the randomized solver (used for long vectors only).

    Returns
    -------
    ndarray of float64, shape (N, min(n_components, D))
    """
    k = min(n_components, *vectors.shape)
    scores = _principal_components(k, seed).fit_transform(vectors).astype(float)
    return scores / max(scores[:, 0].std(), 1e-12)


def project_in_parts(
    describe: Callable[[np.ndarray], np.ndarray], n: int, n_components: int, seed: int = 0
) -> np.ndarray:
    """As :func:`project_vectors`, for vectors that are computed on demand, so that they are never
    all in memory.

    For more than 32,768 vectors, the components come from a random sample of that size.

    Parameters
    ----------
    describe : callable
        Returns the vectors (M, D) of the cells with the given indices.
    n : int
        Number of vectors N.
    n_components, seed : int
        As for :func:`project_vectors`.

    Returns
    -------
    ndarray of float64, shape (N, min(n_components, D))

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((40_000, 4)) * [9, 4, 2, 1]
    >>> project_in_parts(lambda index: x[index], len(x), 2).shape
    (40000, 2)
    """
    if n <= _SEEN:
        return project_vectors(describe(np.arange(n)), n_components, seed)
    drawn = describe(np.sort(np.random.default_rng(seed).choice(n, _SEEN, replace=False)))
    model = _principal_components(min(n_components, drawn.shape[1]), seed).fit(drawn)
    parts = np.split(np.arange(n), range(_SEEN, n, _SEEN))
    scores = np.concatenate([model.transform(describe(part)).astype(float) for part in parts])
    return scores / max(scores[:, 0].std(), 1e-12)


def explained_variance(vectors: np.ndarray, n_components: int) -> np.ndarray:
    """Share of the variance in each of the leading principal components, shape (n_components,)."""
    k = min(n_components, *vectors.shape)
    return _principal_components(k, 0).fit(vectors).explained_variance_ratio_


def _principal_components(n_components: int, seed: int):
    from sklearn.decomposition import PCA  # takes a second; only what projects pays for it

    return PCA(n_components, random_state=seed)
