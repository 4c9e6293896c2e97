"""Ordered displacements of a sublattice: superstructures are found, named and mapped, not rejected
as defects.

In many perovskites columns are displaced alternately (zigzag and antipolar order of the A columns
of DyScO3, of Pbnm phases, of Sm-rich BiFeO3). Such an order is a sharp peak in the spectrum of the
displacements from the mean lattice, at a wave vector of 1/4 of a reciprocal cell or more. Walls,
strain and noise give no sharp peaks. Its local amplitude comes from demodulation: the displacements
times the conjugate wave, averaged over a few cells.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy import fft, ndimage

_LEAST_Q = 0.23  # of a reciprocal cell: longer periods are domains or strain
_SHARP = 25.0  # times the median power around a peak; the largest of 5,000 values of noise is 9
_HARMONICS = (2, 3, 4, 5)
# times the power of a wave: that of stripes of which it is a harmonic (9 for the third of sharp
# ones)
_STRONGER = 4.0
_MOST = 4  # orders that are looked for
_UNIFORM = 0.1  # of the mean amplitude: columns of one sublattice alternate by less
_SPREAD = 2.5  # cells: Gaussian over which local amplitudes are averaged
_DEGREE = 3  # of the polynomial in (i, j) that the mean lattice is
_LARGEST_PART = 6  # denominators that a wave vector is named by
_NEAR = 0.02  # of a reciprocal cell: how far from such a fraction


@dataclass(frozen=True)
class Superstructure:
    """One ordered displacement of a sublattice.

    Attributes
    ----------
    sublattice : {"A", "B"}
    wave_vector : tuple of float
        Components (h, k) along the reciprocal vectors of a and b, in units of the cell: (0.5, 0)
        alternates along a.
    amplitude : ndarray of complex, shape (R, C, 2)
        Local amplitude (x, y) in px on the grid of the sublattice: the displacement is Re(amplitude
        exp(2 pi i (h j + k i))).
    amplitude_px : float
        Root mean square of its magnitude, corrected for noise.
    significance : float
        Power of the peak divided by that of its surroundings (noise: 1, at most about 9).
    """

    sublattice: str
    wave_vector: tuple[float, float]
    amplitude: np.ndarray
    amplitude_px: float
    significance: float

    @property
    def name(self) -> str:
        """The wave vector as fractions if it is close to simple ones, such as (1/2, 0)."""
        return "(" + ", ".join(map(_fraction, self.wave_vector)) + ")"

    @property
    def direction_deg(self) -> float:
        """Direction of the displacement, degrees from +x towards +y (down), in [0, 180)."""
        a = self.amplitude[np.isfinite(self.amplitude).all(axis=-1)]
        xx, yy, xy = (
            (np.abs(a[:, 0]) ** 2).sum(),
            (np.abs(a[:, 1]) ** 2).sum(),
            (a[:, 0] * a[:, 1].conj()).real.sum(),
        )
        return float(np.rad2deg(np.arctan2(2 * xy, xx - yy) / 2) % 180)

    @property
    def displacement(self) -> np.ndarray:
        """Displacement of every column in px, shape (R, C, 2)."""
        return (self.amplitude * _wave(self.amplitude.shape[:2], self.wave_vector)[..., None]).real


def find_superstructures(xy: np.ndarray, sublattice: str = "A") -> list[Superstructure]:
    """Ordered displacements of the columns of one sublattice, the most significant first.

    Parameters
    ----------
    xy : ndarray, shape (R, C, 2)
        Positions in px on the grid of the sublattice, NaN where there is none.
    sublattice : str

    Returns
    -------
    list of Superstructure

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> i, j = np.mgrid[:24, :24]
    >>> xy = np.stack([16.0 * j, 16.0 * i + np.where(j % 2, 0.8, -0.8)], -1)
    >>> xy += rng.normal(0, 0.2, (24, 24, 2))
    >>> order = find_superstructures(xy)[0]
    >>> order.name, round(order.amplitude_px, 1), 88 < order.direction_deg < 92
    ('(1/2, 0)', 0.8, True)
    """
    u = _displacements(xy)
    known = np.isfinite(u[..., 0])
    if min(u.shape[:2]) < 6 or known.sum() < 36:
        return []
    power, level, frequencies = _spectrum(np.where(known[..., None], u, 0))
    noise = float(np.median(level)) / known.mean()
    return [
        _order(u, known, q, ratio, noise, sublattice)
        for q, ratio in _peaks(power, level, frequencies)
    ]


def ordered_displacements(
    xy: np.ndarray, amplitude: np.ndarray, least_px: float = 0.0
) -> np.ndarray:
    """Sum of the ordered displacements of a sublattice in px, shape (R, C, 2); zero if there are
    none.

    Orders below a threshold amplitude are left out, and so are those in which the amplitudes of the
    columns alternate, because these are two sublattices.
    """
    total, relative = np.zeros(xy.shape), np.nan_to_num(amplitude / np.nanmean(amplitude) - 1)
    for order in find_superstructures(xy):
        alternating = np.abs((relative * _wave(amplitude.shape, order.wave_vector)).sum()) / max(
            1, np.isfinite(amplitude).sum()
        )
        if order.amplitude_px >= least_px and alternating < _UNIFORM:
            total += np.nan_to_num(order.displacement)
    return total


def _displacements(xy: np.ndarray) -> np.ndarray:
    """Positions less a polynomial of (i, j): what strain, rotation and distortion do slowly."""
    i, j = (np.linspace(-1, 1, n) for n in xy.shape[:2])
    terms = [
        (i[:, None] ** p) * (j[None] ** q)
        for p in range(_DEGREE + 1)
        for q in range(_DEGREE + 1 - p)
    ]
    table, known = np.stack(terms, axis=-1), np.isfinite(xy[..., 0])
    if known.sum() < 2 * len(terms):
        return np.full(xy.shape, np.nan)
    return xy - table @ np.linalg.lstsq(table[known], xy[known], rcond=None)[0]


def _spectrum(u: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Power per column that white displacements would have everywhere, its level around every
    point, and the axes (k, h).

    The level is the largest of three medians: of the neighborhood, and of the whole lines of
    constant h and k, which a scan whose rows jitter makes bright.
    """
    window = np.hanning(u.shape[0] + 2)[1:-1, None] * np.hanning(u.shape[1] + 2)[None, 1:-1]
    size = [2 * fft.next_fast_len(n) for n in u.shape[:2]]
    power = sum(np.abs(fft.fft2(u[..., k] * window, size)) ** 2 for k in (0, 1)) / (window**2).sum()
    k, h = (fft.fftfreq(n) for n in size)
    high = np.maximum(np.abs(k)[:, None], np.abs(h)[None]) >= _LEAST_Q
    median = (
        ndimage.median_filter(power[::2, ::2], 11, mode="wrap").repeat(2, axis=0).repeat(2, axis=1)
    )
    lines = np.where(high, power, np.nan)
    along = [
        np.broadcast_to(np.nanmedian(lines, axis=axis, keepdims=True), power.shape)
        for axis in (0, 1)
    ]
    # median over mean of two components
    level = np.maximum(np.maximum(median, 1e-12), np.fmax(*along)) / np.log(4)
    return power, level, (k, h)


def _peaks(
    power: np.ndarray, level: np.ndarray, frequencies: tuple[np.ndarray, np.ndarray]
) -> list[tuple[tuple[float, float], float]]:
    """Sharp peaks of a spectrum, highest first, one of q and -q; no harmonics of domains."""
    high = np.maximum(np.abs(frequencies[0])[:, None], np.abs(frequencies[1])[None]) >= _LEAST_Q
    ratio = np.where(high, power / level, 0)
    top = (ratio == ndimage.maximum_filter(ratio, 9, mode="wrap")) & (ratio > _SHARP)
    found: list[tuple[tuple[float, float], float]] = []
    for at in sorted(np.argwhere(top).tolist(), key=lambda at: -ratio[tuple(at)]):
        h, k = _simple(float(frequencies[1][at[1]])), _simple(float(frequencies[0][at[0]]))
        h, k = (h, k) if (h, k) >= (0, 0) else (-h, -k)
        h, k = (abs(c) if abs(c) in (0.0, 0.5) else c for c in (h, k))
        if not any(_same(q, (h, k)) for q, _ in found) and not _is_harmonic(power, (h, k)):
            found.append(((h, k), float(ratio[tuple(at)])))
    return found[:_MOST]


def _is_harmonic(power: np.ndarray, q: tuple[float, float]) -> bool:
    """Whether a wave is a harmonic of a stronger wave of a long period."""
    own = _near(power, q)
    return any(
        _near(power, (q[0] / n, q[1] / n)) > _STRONGER * own
        for n in _HARMONICS
        if max(map(abs, q)) / n < _LEAST_Q
    )


def _near(power: np.ndarray, q: tuple[float, float]) -> float:
    """Largest power within two points of a wave vector."""
    rows, columns = (
        np.arange(round(c * n) - 2, round(c * n) + 3) % n for c, n in zip(q[::-1], power.shape)
    )
    return float(power[np.ix_(rows, columns)].max())


def _same(p: tuple[float, float], q: tuple[float, float]) -> bool:
    """Whether two wave vectors are the same, up to their sign and whole cells."""
    return any(
        all(abs((s * a - b + 0.5) % 1 - 0.5) < 2 * _NEAR for a, b in zip(p, q)) for s in (1, -1)
    )


def _simple(value: float) -> float:
    """A component of a wave vector, moved to a simple fraction that is near."""
    fraction = float(Fraction(value).limit_denominator(_LARGEST_PART))
    return fraction if abs(fraction - value) < _NEAR else value


def _fraction(value: float) -> str:
    fraction = Fraction(value).limit_denominator(_LARGEST_PART)
    return str(fraction) if abs(float(fraction) - value) < 1e-9 else f"{value:.3f}"


def _wave(shape: tuple[int, ...], q: tuple[float, float]) -> np.ndarray:
    i, j = np.indices(shape[:2])
    return np.exp(2j * np.pi * (q[0] * j + q[1] * i))


def _order(
    u: np.ndarray,
    known: np.ndarray,
    q: tuple[float, float],
    ratio: float,
    noise: float,
    sublattice: str,
) -> Superstructure:
    """The order of a wave vector: local amplitudes, and their size less that of noise."""
    # a wave that is its own mirror image counts once
    folds = 1 if all(2 * c % 1 == 0 for c in q) else 2
    product = np.where(known[..., None], u, 0) * _wave(u.shape, q)[..., None].conj()
    weight = ndimage.gaussian_filter(known * 1.0, _SPREAD, mode="constant")
    mean = [
        ndimage.gaussian_filter(part, (_SPREAD, _SPREAD, 0), mode="constant")
        for part in (product.real, product.imag)
    ]
    amplitude = folds * (mean[0] + 1j * mean[1]) / np.maximum(weight, 1e-9)[..., None]
    amplitude = amplitude.real + 0j if folds == 1 else amplitude
    amplitude = np.where((weight > 0.1)[..., None], amplitude, np.nan)
    square = float(np.nanmean((np.abs(amplitude[known]) ** 2).sum(axis=-1)))
    floor = folds**2 * noise / (4 * np.pi * _SPREAD**2)
    return Superstructure(sublattice, q, amplitude, float(np.sqrt(max(square - floor, 0))), ratio)
