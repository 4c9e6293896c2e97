"""Test whether the sites of a weak second sublattice contain columns or only noise.

A filter as wide as the bright columns has no maximum at a weak column between them. Before the
second sublattice is reported as not visible, a column is fitted at the center of every cell (or at
the middle of its edges), together with the bright columns around it, and its amplitude is compared
with its standard error.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..columns import Columns, column_errors, fit_columns
from ..io import Image

# standard errors: the amplitude of a column that is there; the noise reaches 3 at a place that it
# chooses
_DETECTED = 4.0
_STRAY = 0.2  # of a cell: how far from the site; polar displacements reach 0.12
_LIKE = 0.5, 1.6  # times the width of the bright columns: what is narrower or wider is no column
_SEEN = 0.5  # share of the whole cells whose site must hold a column
_RUN_AWAY = 0.1  # of the plane spacing: what settling moves no column by
_RISE = 5.0  # standard errors by which sites must be brighter than what surrounds them
_RINGS = (
    0.0,
    0.06,
    0.14,
    0.18,
    0.22,
    0.26,
)  # of a cell: radii of the rings; the first two make the center
_SPOKES = 16  # points on a ring
_PROBE = 500  # sites that are tried before all are
_LEAST = 0.25  # of the median amplitude of a sublattice: what is lower is no column of it


@dataclass(frozen=True)
class SiteFits:
    """Columns fitted at the sites of cells, together with the bright ones.

    Attributes
    ----------
    columns : Columns
        The bright columns, then those that were found at the sites.
    share : float
        Share of the complete cells whose site contains a column.
    rise : float
        Brightness of the image at the sites minus that of the darkest ring around them, in standard
        errors of the mean.
    """

    columns: Columns
    share: float
    rise: float

    @property
    def seen(self) -> bool:
        """Whether the sites contain a sublattice."""
        return self.share >= _SEEN and self.rise >= _RISE


def fit_sites(
    image: Image,
    bright: Columns,
    places: np.ndarray,
    whole: np.ndarray,
    period: float,
    refinement_radius: float,
) -> SiteFits:
    """Fit columns at the sites of cells, together with the bright columns, and compare their
    amplitudes with the noise.

    Parameters
    ----------
    image : Image
    bright : Columns
        Columns of the bright sublattice.
    places : ndarray, shape (M, 2)
        Positions to test, in px.
    whole : ndarray of bool, shape (M,)
        Which of the positions belong to complete cells.
    period : float
        Distance between a site and the bright columns, in px.
    refinement_radius : float
        See :func:`bfo_utils.columns.find_columns`.

    Returns
    -------
    SiteFits

    Examples
    --------
    >>> from ..columns import find_columns
    >>> from ..simulation import Specimen, simulate_phantom
    >>> from .building import build_lattice
    >>> p = simulate_phantom(Specimen(cells=12, cell_px=16, dose=300, b_intensity=0))
    >>> found = build_lattice(p.image, find_columns(p.image))
    >>> centers = found.cells.xy[found.cells.valid]
    >>> inside = np.ones(len(centers), bool)
    >>> fit_sites(p.image, found.columns, centers, inside, 16 / 2**0.5, 0.45).seen
    False
    """
    if len(places) > 4 * _PROBE:
        probe = np.arange(0, len(places), len(places) // _PROBE)
        near = cKDTree(places[probe]).query(bright.xy, distance_upper_bound=2 * period)[0]
        tried = fit_sites(
            image,
            bright.take(np.isfinite(near)),
            places[probe],
            whole[probe],
            period,
            refinement_radius,
        )
        if tried.share < _SEEN / 2:
            return tried
    radius, width = refinement_radius * period, float(np.median(bright.sigma_px))
    joint = fit_columns(image, np.concatenate([bright.xy, places]), width, radius, period)
    errors = column_errors(image, joint, radius)
    own = np.arange(len(joint)) >= len(bright)
    amplitude, sigma = joint.intensity[own], joint.sigma_px[own] / np.median(joint.sigma_px[~own])
    present = (
        joint.ok[own]
        & (amplitude > _DETECTED * errors.intensity[own])
        & (sigma > _LIKE[0])
        & (sigma < _LIKE[1])
    )
    present &= np.hypot(*(joint.xy[own] - places).T) < _STRAY * np.sqrt(2) * period
    share = float(present[whole].mean()) if whole.any() else 0.0
    shift = np.median((joint.xy[own] - places)[present], axis=0) if present.any() else np.zeros(2)
    rise = _rise(image, places[whole] + shift, np.sqrt(2) * period)
    if present.any():
        present &= amplitude > _LEAST * np.median(amplitude[present])
    kept = joint.take(np.concatenate([~own[~own], present]))
    # the sites without a column would spoil their neighbors in the end
    found = SiteFits(kept, share, rise)
    return (
        replace(found, columns=_settled_columns(image, kept, width, radius))
        if found.seen
        else found
    )


def _settled_columns(image: Image, columns: Columns, width: float, radius: float) -> Columns:
    """Columns fitted until they settle; those that diverge, at the frame, keep their start."""
    again = fit_columns(image, columns.xy, width, radius, columns.spacing_px, thorough=True)
    good = again.ok & (np.hypot(*(again.xy - columns.xy).T) < _RUN_AWAY * columns.spacing_px)
    merged = {
        name: np.where(good.reshape(-1, *[1] * (old.ndim - 1)), getattr(again, name), old)
        for name, old in vars(columns).items()
        if name != "spacing_px"
    }
    return replace(columns, **merged)


def _rise(image: Image, places: np.ndarray, cell: float) -> float:
    """Mean over places of their brightness above the darkest ring around them, in its own standard
    errors.

    Between bright columns alone the image is darkest at the center. A fit can find a column there
    where the bright ones are no Gaussians; this cannot.
    """
    if len(places) < 2:
        return 0.0
    angles = np.arange(_SPOKES) * 2 * np.pi / _SPOKES
    wheel = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    rings = np.stack([_brightness(image, places, radius * cell * wheel) for radius in _RINGS])
    center = rings[:2].mean(axis=0)
    darkest = rings[2 + np.argmin(rings[2:].mean(axis=1))]
    above = center - darkest
    return float(above.mean() / max(above.std() / np.sqrt(len(above)), 1e-12))


def _brightness(image: Image, places: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Mean brightness (N,) at some points around every place."""
    x, y = np.moveaxis(places[:, None] + around, -1, 0)
    return ndimage.map_coordinates(image.data, [y, x], order=1, mode="nearest").mean(axis=1)
