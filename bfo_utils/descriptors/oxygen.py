"""Oxygen columns from a second channel of the same scan (ABF, iDPC), and the rotation of the
octahedron of every cell about the beam.

Along [001] of a perovskite, pure oxygen columns lie at the middle of the cell edges. The four
around a B column are the projected octahedron.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft, ndimage

from ..columns import Columns, column_errors, fit_columns, with_bright_columns
from ..errors import InputError
from ..io import Image
from ..lattice import Lattice, corner_mean

_FAR = 0.3  # of a cell: channels of one scan are never shifted by more
_SAME_PLACE = 0.12  # of a cell: how far an A column may lie from its place in the first channel
_FOUND = 0.7  # of the A columns must be found there
_MOVED = 0.2  # of a cell: how far oxygen may lie from the middle of its edge
_FAINT = 0.2  # of the median amplitude of the oxygen columns
_RIM = 3  # px at the rim in which nothing is fitted


@dataclass(frozen=True)
class Oxygen:
    """Oxygen columns of a second channel and the rotation of the octahedra.

    Attributes
    ----------
    columns : Columns
        N reliably fitted columns, in px of the second channel.
    edge : ndarray of str, shape (N,)
        The lattice vector, "a" or "b", at whose middle each lies.
    ij : ndarray of int, shape (N, 2)
        The A column at which that edge starts.
    se_xy : ndarray, shape (N, 2)
        Standard errors of the positions in px.
    seen : float
        Share of the edges with a reliably fitted column.
    shift_px, se_shift_px : ndarray, shape (2,)
        Shift of the second channel relative to the first, from the A columns of both.
    tilt_deg, se_tilt_deg : ndarray, shape (R, C)
        Rotation of the octahedron of a cell about the beam in degrees, from x towards y (y down);
        NaN where one of its four columns is missing.
    """

    columns: Columns
    edge: np.ndarray
    ij: np.ndarray
    se_xy: np.ndarray
    seen: float
    shift_px: np.ndarray
    se_shift_px: np.ndarray
    tilt_deg: np.ndarray
    se_tilt_deg: np.ndarray

    @property
    def staggered_deg(self) -> float:
        """Mean rotation with a sign that alternates from cell to cell along both axes, as the
        shared corners of octahedra require; its noise decreases with the number of cells.
        """
        i, j = np.indices(self.tilt_deg.shape)
        return float(abs(np.nanmean(self.tilt_deg * (-1.0) ** (i + j))))


def find_oxygen(image: Image, lattice: Lattice, refinement_radius: float = 0.45) -> Oxygen:
    """Fit the columns at the middle of all edges of the cells in the second channel of an image.

    A and B columns are fitted there too: their tails overlap with the oxygen, and the A columns
    give the shift between the channels.

    Parameters
    ----------
    image : Image
        With its second channel, bright or dark columns.
    lattice : Lattice
        Of the first channel.
    refinement_radius : float
        Half width of the fit window, divided by half a cell.

    Returns
    -------
    Oxygen

    Raises
    ------
    InputError
        If the second channel shows no lattice, or another region.

    Examples
    --------
    >>> from ..columns import find_columns
    >>> from ..lattice import build_lattice
    >>> from ..simulation import Specimen, simulate_phantom, simulate_second
    >>> p = simulate_phantom(Specimen(cells=14, cell_px=20, dose=400, rotation_deg=0))
    >>> both = replace(p.image, second=simulate_second(p, tilt_deg=4, dose=400))
    >>> found = find_oxygen(both, build_lattice(p.image, find_columns(p.image)))
    >>> abs(found.staggered_deg - 4) < 0.3
    True
    """
    other = _bright_second(image)
    cell, sigma = lattice.cells.basis.cell_px, float(np.median(lattice.columns.sigma_px))
    node = lattice.on_nodes(lattice.columns.xy)
    places = [node, lattice.cells.b_site, *_middles(node)]
    start = [p + _coarse_shift(image.data, other.data, cell) for p in places]
    known = [_inside(p, image.shape) for p in start]
    at, radius = np.concatenate([p[k] for p, k in zip(start, known)]), refinement_radius * cell / 2
    fits = fit_columns(other, at, sigma, radius, cell / 2)
    parts = np.split(np.arange(len(at)), np.cumsum([k.sum() for k in known])[:-1])
    moved = fits.xy[parts[0]] - node[known[0]]
    shift, error = _shift(image.name, moved, fits.ok[parts[0]], cell)
    corners = np.full(node.shape, np.nan)
    corners[known[0]] = fits.xy[parts[0]]
    ideal = np.concatenate([m[k] for m, k in zip(_middles(corners), known[2:])])
    sound = _sound(fits, np.concatenate(parts[2:]), ideal, cell)
    se = column_errors(other, fits, radius).xy
    edge, ij = _addresses(known[2:])
    chosen = np.concatenate(parts[2:])[sound]
    tilt, tilt_se = _rotation(edge[sound], ij[sound], fits.xy[chosen], se[chosen], corners)
    return Oxygen(
        fits.take(chosen),
        edge[sound],
        ij[sound],
        se[chosen],
        float(sound.mean()) if len(sound) else 0.0,
        shift,
        error,
        tilt,
        tilt_se,
    )


def _bright_second(image: Image) -> Image:
    """The second channel as an image with bright columns."""
    assert image.second is not None
    other = replace(image, data=image.second, halves=None, inverted=False, contrast="auto")
    try:
        return with_bright_columns(other)
    except InputError as error:
        raise InputError(f"--second: {error}") from error


def _middles(node: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the edges along a (R + 1, C, 2) and along b (R, C + 1, 2)."""
    return (node[:, 1:] + node[:, :-1]) / 2, (node[1:] + node[:-1]) / 2


def _inside(places: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Which places of a grid are known and lie inside the frame."""
    return np.all((places > _RIM) & (places < np.array(shape[::-1]) - 1 - _RIM), axis=-1)


def _coarse_shift(first: np.ndarray, second: np.ndarray, cell: float) -> np.ndarray:
    """Shift (x, y) of the second channel in whole px, up to half a cell, by correlation."""
    spectra = [
        fft.rfft2(ndimage.gaussian_filter(d, 1) - ndimage.gaussian_filter(d, cell / 2))
        for d in (first, second)
    ]
    likeness = fft.irfft2(np.conj(spectra[0]) * spectra[1], first.shape)
    reach = int(cell / 2)
    near = np.roll(likeness, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    y, x = np.unravel_index(near.argmax(), near.shape)
    return np.array([x, y]) - float(reach)


def _shift(
    name: str, moved: np.ndarray, ok: np.ndarray, cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Shift between the channels and its standard error; refuse another place."""
    shift = np.median(moved[ok], axis=0) if ok.any() else np.zeros(2)
    near = ok & (np.hypot(*(moved - shift).T) < _SAME_PLACE * cell)
    if near.mean() < _FOUND or np.hypot(*shift) > _FAR * cell:
        raise InputError(
            f"--second: only {near.mean():.0%} of the A columns of {name} are at the same positions"
            f" in it (shift: {np.hypot(*shift):.1f} px); give another channel of the same scan"
        )
    spread = 1.4826 * np.median(np.abs(moved[near] - shift), axis=0)
    return shift, 1.2533 * spread / np.sqrt(near.sum())


def _sound(fits: Columns, own: np.ndarray, ideal: np.ndarray, cell: float) -> np.ndarray:
    """Which fits of oxygen are columns: sound, strong enough, and near the middle of the edge."""
    near = np.hypot(*(fits.xy[own] - ideal).T) < _MOVED * cell
    good = fits.ok[own] & near & (fits.intensity[own] > 0)
    least = _FAINT * np.median(fits.intensity[own][good]) if good.any() else 0.0
    return good & (fits.intensity[own] > least)


def _addresses(known: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Edge and indices of the known places on both grids of edges."""
    ij = [np.argwhere(k) for k in known]
    return np.repeat(["a", "b"], [len(part) for part in ij]), np.concatenate(ij)


def _rotation(
    edge: np.ndarray, ij: np.ndarray, xy: np.ndarray, se: np.ndarray, corners: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (degrees) of the four oxygen columns of every cell about their middle, against the
    edges of the cell, and its standard error.
    """
    grids = []
    for name, ideal in zip("ab", _middles(corners)):
        found, error = np.full((2, *ideal.shape), np.nan)
        own = edge == name
        found[tuple(ij[own].T)], error[tuple(ij[own].T)] = xy[own], se[own]
        grids.append((ideal, found, error))
    (along_a, along_b) = grids
    four = [np.stack([a[:-1], a[1:], b[:, :-1], b[:, 1:]]) for a, b in zip(along_a, along_b)]
    ideal, found, error = four
    arm, seen = ideal - corner_mean(corners), found - found.mean(axis=0)
    cross = (arm[..., 0] * seen[..., 1] - arm[..., 1] * seen[..., 0]).sum(axis=0)
    length = (arm * seen).sum(axis=(0, -1))
    variance = (arm[..., ::-1] ** 2 * error**2).sum(axis=(0, -1))
    return np.rad2deg(np.arctan2(cross, length)), np.rad2deg(np.sqrt(variance) / length)
