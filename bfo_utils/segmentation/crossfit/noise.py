"""Noise of a field on cells: its covariance, from the difference of two measurements of it.

The difference of two halves of the data (see :mod:`bfo_utils.lattice`) is pure noise. Cells that
share columns share their errors, and so do all cells that a scan row crosses. Treating them as
independent causes spurious steps: on single domains the largest z of plain least squares is 9.8,
that of generalized least squares 4.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, ndimage

_REACH = 1.5  # cells along the slow axis: errors farther apart are independent
_MOST_SHARED = 0.45  # correlation of neighbors; from 0.5 on a covariance would be impossible
_LEAST_WHITE = 0.3  # of the variance, that belongs to a cell alone
_LEAST_POWER = 0.15  # of the largest power of what rows share: below, it is noise of the estimate
_CLIP = 5.0  # sigmas
_PERIOD = 1024  # px: twice the longest kernel of rows


@dataclass(frozen=True)
class NoiseMetric:
    """Inverse covariance of the noise of some cells, per component, in units of its variance.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
        Cells along the slow axis.
    factors : sequence of ndarray, shape (L, n) each
        Banded Cholesky factors (lower form).
    """

    order: np.ndarray
    factors: Sequence[np.ndarray]

    def weigh(self, values: np.ndarray, component: int) -> np.ndarray:
        """S^-1 times values (n, ...)."""
        out = np.empty(values.shape)
        out[self.order] = linalg.cho_solve_banded(
            (self.factors[component], True), values[self.order]
        )
        return out


@dataclass(frozen=True)
class FieldNoise:
    """Covariance of the noise of a vector field on n cells: white, shared by neighbors, and, for
    the component along the fast axis, shared by all cells at nearly the same scan row.

    Attributes
    ----------
    sigma : ndarray, shape (K,)
        Standard deviation per component (robust).
    ij : ndarray of int, shape (n, 2)
        Cells.
    slow : ndarray, shape (n,)
        Their position along the slow axis of the scan, in px.
    cell_px : float
        Edge of a cell.
    neighbor : ndarray, shape (K,)
        Correlation of cells side by side; it is half of that across a corner.
    rows : ndarray, shape (K, L)
        Correlation over the distance along the slow axis, per px.
    white : ndarray, shape (K,)
        The rest of the variance.
    """

    sigma: np.ndarray
    ij: np.ndarray
    slow: np.ndarray
    cell_px: float
    neighbor: np.ndarray
    rows: np.ndarray
    white: np.ndarray

    def metric(self, which: np.ndarray | slice = slice(None)) -> NoiseMetric:
        """The inverse covariance of all cells, or of some of them."""
        pairs = _band(self.ij[which], self.slow[which], _REACH * self.cell_px)
        return NoiseMetric(pairs.order, [self._factor(pairs, k) for k in range(len(self.sigma))])

    def _factor(self, pairs: "_Pairs", k: int) -> np.ndarray:
        """Banded Cholesky factor; correlations are lowered until they are possible."""
        own = float(self.white[k] + self.rows[k, 0])
        shared = np.interp(pairs.apart, np.arange(self.rows.shape[1]), self.rows[k], right=0.0)
        shared += self.neighbor[k] * (pairs.edge + pairs.corner / 2)
        for lowered in 0.8 ** np.arange(12):
            try:
                band = np.vstack([np.full(len(pairs.order), own), lowered * shared])
                return linalg.cholesky_banded(band, lower=True)
            except linalg.LinAlgError:
                continue
        return np.sqrt(np.full((1, len(pairs.order)), own))


@dataclass(frozen=True)
class _Pairs:
    """Cell ``order[i]`` and the k-th after it, k = 1 .. B: arrays (B, n); no cell: inf."""

    order: np.ndarray
    apart: np.ndarray
    edge: np.ndarray
    corner: np.ndarray


def _band(ij: np.ndarray, slow: np.ndarray, reach: float) -> _Pairs:
    order = np.lexsort((ij[:, 1], ij[:, 0], slow))
    at, place = slow[order], ij[order]
    n = len(order)
    last = np.searchsorted(at, at + reach, side="right") - 1
    wide = max(1, int((last - np.arange(n)).max(initial=0)))
    other = np.arange(n) + np.arange(1, wide + 1)[:, None]
    inside = other < n
    other = np.minimum(other, n - 1)
    step = np.abs(place[other] - place)
    apart = np.where(inside, at[other] - at, np.inf)
    near = inside & (step.max(axis=-1) == 1)
    return _Pairs(order, apart, near & (step.sum(-1) == 1), near & (step.sum(-1) == 2))


def measure_field_noise(
    difference: np.ndarray, ij: np.ndarray, slow: np.ndarray, cell_px: float, fast: int = -1
) -> FieldNoise:
    """Covariance of the noise of a field from half the difference of two measurements of it.

    Parameters
    ----------
    difference : ndarray, shape (n, K)
        Half the difference of the fields of two halves: noise of their mean.
    ij : ndarray of int, shape (n, 2)
        The cells.
    slow : ndarray, shape (n,)
        Their position along the slow axis of the scan, in px.
    cell_px : float
        Edge of a cell.
    fast : int
        Component along the fast axis, in which rows share scan errors; -1: none.

    Returns
    -------
    FieldNoise

    Examples
    --------
    >>> ij = np.argwhere(np.ones((20, 20)))
    >>> white = np.random.default_rng(0).normal(0, 0.1, (400, 2))
    >>> noise = measure_field_noise(white, ij, 16.0 * ij[:, 0], 16.0, fast=0)
    >>> noise.sigma.round(1), bool(noise.neighbor.max() < 0.1)
    (array([0.1, 0.1]), True)
    """
    centered = difference - np.median(difference, axis=0)
    sigma = np.maximum(1.4826 * np.median(np.abs(centered), axis=0), 1e-12)
    unit = np.clip(centered / sigma, -_CLIP, _CLIP)
    pairs = _band(ij, slow, _REACH * cell_px)
    length = int(_REACH * cell_px) + 1
    rows, neighbor, white = np.zeros((len(sigma), length)), np.zeros(len(sigma)), []
    for k in range(len(sigma)):
        product = _products(unit[pairs.order, k], len(pairs.apart))
        if k == fast:
            rows[k] = _shared_by_rows(product, pairs, length)
        near = product[pairs.edge] - np.interp(pairs.apart[pairs.edge], range(length), rows[k])
        neighbor[k] = np.clip(near.mean() if near.size else 0.0, 0, _MOST_SHARED)
        white.append(max(_LEAST_WHITE, float((unit[:, k] ** 2).mean()) - rows[k, 0]))
    return FieldNoise(sigma, ij, slow, cell_px, neighbor, rows, np.array(white))


def _products(values: np.ndarray, wide: int) -> np.ndarray:
    """Products (B, n) of every value and the k-th after it."""
    after = np.minimum(np.arange(len(values)) + np.arange(1, wide + 1)[:, None], len(values) - 1)
    return values * values[after]


def _shared_by_rows(product: np.ndarray, pairs: _Pairs, length: int) -> np.ndarray:
    """Correlation over the distance along the slow axis, made possible: no negative power."""
    far = np.isfinite(pairs.apart) & ~pairs.edge & ~pairs.corner
    place = np.minimum(pairs.apart[far].astype(int), length - 1)
    count = np.maximum(np.bincount(place, minlength=length), 1)
    seen = ndimage.gaussian_filter1d(np.bincount(place, product[far], length) / count, 1.0)
    even = np.zeros(max(_PERIOD, 2 * length))
    even[:length] = seen
    even[1 - length :] = seen[1:][::-1]
    power = np.fft.rfft(even).real
    power[power < _LEAST_POWER * max(power.max(), 1e-12)] = 0
    return np.fft.irfft(power, len(even))[:length]
