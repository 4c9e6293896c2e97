"""Mistilt: the apparent displacement of B columns in a tilted crystal.

A tilt shifts the image of one sublattice relative to the other, by the same amount wherever the
tilt is the same. It is therefore common to all domains or varies slowly inside them. A map of
levels and a slow field are fitted together, so that walls belong to the levels.
"""

from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from .regularized import CellDomain, level_map, segment_field, slow_functions

TILTS = ("none", "offset", "smooth")
_DEGREE = 3  # of the surface, at most
_HUBER = 2.0  # sigmas from which on a cell counts less
_ROUNDS = 8  # of the robust fit
_STEPS = 2000  # towards the center of the levels
_LEAST_SHARE = 0.02  # of the cells, that a level must hold to take part in the offset
_CENTRAL = 0.5  # of the circle's radius: a center farther from zero may be polarization
_WORTH = 20.0  # log-likelihood that a surface must gain, beside the price of its terms
_APART = 3  # cells, whose difference is noise but for walls


@dataclass(frozen=True)
class Tilt:
    """The part of the polar displacement that mistilt may have caused, in px.

    Attributes
    ----------
    offset : ndarray, shape (2,)
        Displacement common to all domains: the center of the smallest circle around their levels.
    radius : float
        Radius of that circle; 0 for a single domain.
    surface : ndarray, shape (R, C, 2)
        Displacement that varies slowly inside the domains, zero on average; NaN where there is no
        cell.
    degree : int
        Degree of the surface; 0 if there is none.
    levels : int
        Number of levels of the domains.
    """

    offset: np.ndarray
    radius: float
    surface: np.ndarray
    degree: int
    levels: int

    @property
    def rms(self) -> float:
        """Root mean square of the surface."""
        return float(np.sqrt(np.nanmean((self.surface**2).sum(axis=-1))))

    @property
    def is_central(self) -> bool:
        """Whether the domains lie around the offset; otherwise it may be polarization common to all
        of them.
        """
        return bool(np.hypot(*self.offset) < _CENTRAL * self.radius)

    def constant(self, how: str) -> np.ndarray:
        """The part (2,) that is subtracted from all cells: the offset with "offset", and with
        "smooth" only if the domains lie around it.
        """
        check_tilt(how)
        return self.offset * (how == "offset" or (how == "smooth" and self.is_central))

    def subtracted(self, how: str) -> np.ndarray:
        """The displacement (R, C, 2) to subtract: the constant and, with "smooth", the surface."""
        return self.constant(how) + self.surface * (how == "smooth")


def check_tilt(how: str) -> None:
    """Check that a way to subtract the tilt is known.

    Raises
    ------
    InputError
    """
    if how not in TILTS:
        raise InputError(f"tilt '{how}': unknown; choose one of {', '.join(TILTS)}")


def measure_tilt(polar: np.ndarray, mask: np.ndarray) -> Tilt:
    """Estimate the apparent displacement that is common to all domains.

    One image cannot distinguish a uniform polarization from a uniform tilt, nor domains from blocks
    of different tilt. The offset of a single domain is its mean, including its polarization, and
    that of two domains is the midpoint between them.

    Parameters
    ----------
    polar : ndarray, shape (R, C, 2)
        Polar displacement in px, NaN where unknown.
    mask : ndarray of bool, shape (R, C)
        The analyzed cells.

    Returns
    -------
    Tilt

    Examples
    --------
    >>> x = np.linspace(-1, 1, 30)
    >>> domains, tilted = np.tanh((x - 0.3) / 0.04), 0.4 + 0.3 * x**2
    >>> polar = np.broadcast_to((domains + tilted)[:, None], (30, 30))
    >>> noise = np.random.default_rng(0).normal(0, 0.1, (30, 30, 2))
    >>> polar = np.stack([polar, 0 * polar], axis=-1) + noise
    >>> found = measure_tilt(polar, np.ones((30, 30), bool))
    >>> left = polar - found.subtracted("smooth")
    >>> bool(np.abs(left[..., 0].mean(axis=1) - domains).max() < 0.1)
    True
    """
    known, valid = mask & np.isfinite(polar).all(axis=-1), np.isfinite(polar).all(axis=-1)
    domain, sigma = CellDomain(known, _DEGREE), _scatter(polar)
    field = polar[known] / sigma
    found = segment_field(domain, field)
    labels, degree = found.labels, level_map(domain, field, found.labels).degree
    level = level_map(CellDomain(known, 0), field, labels)
    if level.energy - found.energy < _WORTH:
        degree = 0  # walls that are drawn awry leave as much
    slow = slow_functions(np.argwhere(valid), degree)[:, 1:]
    own = slow[known[valid]]
    levels, terms = _robust_fit(domain.indicators(labels), own - own.mean(axis=0), field)
    surface = np.full(polar.shape, np.nan)
    surface[valid] = (slow - own.mean(axis=0)) @ terms * sigma
    frequent = np.bincount(labels) >= _LEAST_SHARE * len(labels)
    offset, radius = _circle(levels[frequent] * sigma)
    return Tilt(offset, radius, surface, degree, found.n_labels)


def _scatter(polar: np.ndarray) -> np.ndarray:
    """Standard deviation (2,) of the noise of a cell, from cells that are some cells apart."""
    apart = [polar[_APART:] - polar[:-_APART], polar[:, _APART:] - polar[:, :-_APART]]
    size = np.abs(np.concatenate([part.reshape(-1, 2) for part in apart]))
    return np.maximum(1.4826 * np.nanmedian(size, axis=0) / np.sqrt(2), 1e-9)


def _robust_fit(
    shown: np.ndarray, slow: np.ndarray, field: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Levels (K, 2) and coefficients of slow functions (M, 2), by Huber's weights."""
    design, weight = np.hstack([shown, slow]), np.ones((len(field), 1))
    found = np.zeros((design.shape[1], 2))
    for _ in range(_ROUNDS):
        found = np.linalg.lstsq(weight * design, weight * field, rcond=None)[0]
        length = np.linalg.norm(field - design @ found, axis=1, keepdims=True)
        weight = np.sqrt(np.minimum(1, _HUBER / np.maximum(length, 1e-12)))
    return found[: shown.shape[1]], found[shown.shape[1] :]


def _circle(levels: np.ndarray) -> tuple[np.ndarray, float]:
    """Center and radius of the smallest circle about the levels: variants of one polarization lie
    on it (Badoiu and Clarkson, SODA 2003).
    """
    center = levels.mean(axis=0)
    for k in range(1, _STEPS):
        farthest = np.argmax(((levels - center) ** 2).sum(axis=1))
        center = center + (levels[farthest] - center) / (k + 1)
    return center, float(np.hypot(*(levels - center).T).max())
