"""Residual structure of a map: variation of a field within its labels that is not noise.

Both halves of the data measure the same field with independent noise. After the label means and the
slow part are subtracted, any covariance of nearby cells between the halves is structure that the
map does not show.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from .halves import TwoHalves, wall_distance
from .regularized import level_map, n_slow

_DEGREE = 3  # of the slow field, at most: tilt is slower than domains
_LAG = 2  # cells apart: cells side by side share columns, and with them the errors of their fits
_FAR = 5  # cells apart, at least: of noise, nothing is shared there
_ROWS_APART = 1.5  # cells along the slow axis, from which on rows of the scan share nothing
_INSIDE = 2.5  # cells from other labels, where the width of a wall does not matter
_SHOWN = 1.0  # cells: Gaussian that the residual is smoothed with to be shown


@dataclass(frozen=True)
class ResidualStructure:
    """Structure that a map does not explain.

    Attributes
    ----------
    z : float
        Covariance between the halves of the residuals in cells two apart, divided by its standard
        error; about 0 with a spread of 1 for pure noise.
    rms : float
        Square root of that covariance, 0 where it is negative: size of the structure, in units of
        the field.
    field : ndarray, shape (R, C, K)
        Residual, smoothed over about three by three cells, in units of the field; NaN where
        unknown.
    """

    z: float
    rms: float
    field: np.ndarray = field(repr=False)


def residual_structure(halves: TwoHalves, labels: np.ndarray) -> ResidualStructure:
    """Look for structure of a field within the labels of a map.

    Cells near walls are excluded, and so are, along the fast scan axis, pairs of cells at nearly
    the same row. The standard error comes from the autocovariance at all large lags of the
    difference of the halves, which is pure noise.

    Parameters
    ----------
    halves : TwoHalves
    labels : ndarray of int, shape (n,)

    Returns
    -------
    ResidualStructure

    Examples
    --------
    >>> from .halves import two_halves
    >>> rng = np.random.default_rng(0)
    >>> i, j = np.indices((30, 30))
    >>> labels, hidden = (j > 14) * 1, ((i > 9) & (i < 20) & (j > 18))[..., None]
    >>> found = []
    >>> for field in (4.0 * labels[..., None], 4.0 * labels[..., None] + 2 * hidden):
    ...     one, two = (field + rng.normal(0, 1, (30, 30, 2)) for _ in "12")
    ...     halves = two_halves(one, two, 16.0 * i, 16.0)
    ...     found.append(residual_structure(halves, labels.ravel()).z)
    >>> bool(abs(found[0]) < 3), bool(found[1] > 6)
    (True, True)
    """
    domain, unit = halves.domain, np.sqrt(2) * halves.noise.sigma
    found = level_map(domain, halves.drawn_mean, labels)
    slow = domain.slow[:, : n_slow(min(found.degree, _DEGREE))]
    shown = np.column_stack([slow, domain.indicators(found.labels)[:, 1:]])
    basis = np.linalg.qr(shown)[0]
    rest = [half - basis @ (basis.T @ half) for half in halves.values]
    mean = sum(rest) / 2 * unit
    inside = np.full(domain.n, True)
    if found.n_labels > 1:
        inside = wall_distance(domain, found.labels) > _INSIDE
    if not inside.any():
        return ResidualStructure(0.0, 0.0, domain.on_grid(mean, np.nan))
    one, two = (domain.on_grid(v * inside[:, None]) for v in rest)
    covariance, pairs, error = _covariances(halves, one, two, domain.on_grid(inside * 1.0))
    z = float(covariance.sum() / max(np.sqrt((error**2).sum()), 1e-12))
    size = float((covariance / np.maximum(pairs, 1) * unit**2).sum())
    return ResidualStructure(z, np.sqrt(max(size, 0.0)), _smoothed(halves, mean))


def _covariances(halves: TwoHalves, one, two, inside) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum of products over pairs of cells two apart, number of pairs, and standard error of the
    sum, per component (K,).
    """
    lags, across = _lags(halves, inside.shape)
    apart = np.abs(lags).max(axis=0)
    counts = _correlated(inside, inside)
    found = np.zeros((3, one.shape[-1]))
    for k in range(one.shape[-1]):
        usable = across >= _ROWS_APART if halves.noise.rows[k].any() else np.full(apart.shape, True)
        near = (apart == _LAG) & usable
        product = _correlated(one[..., k], two[..., k])
        noise = 2 * _correlated(*[(one - two)[..., k] / 2] * 2)
        kernel = np.fft.fft2(near * 1.0)
        sums, seen = (np.fft.ifft2(np.fft.fft2(v) * np.conj(kernel)).real for v in (noise, counts))
        far = (apart >= _FAR + _LAG) & (across >= _FAR if usable.sum() < usable.size else True)
        far &= seen > seen[0, 0] / 3
        spread = (sums[far] ** 2 / seen[far]).mean() * seen[0, 0] if far.any() else np.inf
        found[:, k] = product[near].sum(), counts[near].sum(), np.sqrt(spread)
    return found[0], found[1], found[2]


def _lags(halves: TwoHalves, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Lags (2, ...) of all entries of a correlation, and their distance along the slow axis of the
    scan in cells.
    """
    padded = [2 * n for n in shape]
    lags = np.stack(np.meshgrid(*[np.rint(np.fft.fftfreq(n) * n) for n in padded], indexing="ij"))
    noise = halves.noise
    design = np.column_stack([noise.ij, np.ones(len(noise.ij))])
    slope = np.linalg.lstsq(design, noise.slow, rcond=None)[0][:2]
    return lags, np.abs(np.tensordot(slope, lags, 1)) / noise.cell_px


def _correlated(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Sums over all cells of one times two a lag further, for all lags (2 R, 2 C)."""
    shape = [2 * n for n in one.shape]
    return np.fft.ifft2(np.conj(np.fft.fft2(one, shape)) * np.fft.fft2(two, shape)).real


def _smoothed(halves: TwoHalves, values: np.ndarray) -> np.ndarray:
    """Values (n, K) on the grid, smoothed."""
    domain, blur = halves.domain, (_SHOWN, _SHOWN, 0)
    sums, weight = (
        ndimage.gaussian_filter(domain.on_grid(v), blur, mode="constant")
        for v in (values, np.ones((domain.n, 1)))
    )
    return np.where(domain.mask[..., None], sums / np.maximum(weight, 1e-9), np.nan)
