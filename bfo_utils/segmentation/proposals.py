"""Parts of an image that it may be better to leave out: substrate, vacuum, contamination. They are
proposed with a reason, but never left out automatically.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..io import Image
from ..lattice import Cells, Lattice
from .crossfit import CellDomain, segment_field
from .variants import NON_POLAR

PROPOSED_KINDS = ("substrate", "vacuum", "contamination")
_PER_CELL = 4  # points of the coarse grid along the edge of a cell
_LEAST_CELLS = 9  # area of a part that is proposed, in cells
_EMPTY = 1.3  # cells from the nearest column
_OFF_LEVEL = 0.3  # of the A columns' amplitude: background beyond is not that of the crystal
_NEIGHBORS, _MOST = 9, 0.5  # columns around, and the share of them that must be bad
_OTHER_AMPLITUDE = 0.15  # relative difference of A columns from the rest
_DEGREE = 2  # of slow changes of the amplitude, by illumination and thickness
_LARGEST = 0.6  # of the cells: a part beyond is the crystal itself


@dataclass(frozen=True, eq=False)
class ProposedMask:
    """A part of an image that it may be better to leave out.

    Attributes
    ----------
    kind : {"substrate", "vacuum", "contamination"}
    reason : str
        Measurement that supports the proposal.
    pixels : ndarray of bool, shape (H, W)
    """

    kind: str
    reason: str
    pixels: np.ndarray = field(repr=False)

    @property
    def share(self) -> float:
        """Share of the image."""
        return float(self.pixels.mean())

    @property
    def file(self) -> str:
        """Name of the image file for ``--exclude``."""
        return f"proposed_{self.kind}.png"


def propose_masks(image: Image, lattice: Lattice, mask: np.ndarray) -> list[ProposedMask]:
    """Find parts of an image without a crystal, with contamination, or with another crystal.

    Parameters
    ----------
    image : Image
    lattice : Lattice
    mask : ndarray of bool, shape (R, C)
        The analyzed cells.

    Returns
    -------
    list of ProposedMask
        At most one of each kind, and none that would leave too little.

    Examples
    --------
    >>> from ..columns import find_columns
    >>> from ..lattice import build_lattice
    >>> from ..rewards import analyzed_mask
    >>> from ..simulation import Specimen, simulate_phantom
    >>> p = simulate_phantom(Specimen(cells=24, cell_px=14, substrate=0.3))
    >>> lattice = build_lattice(p.image, find_columns(p.image))
    >>> [m.kind for m in propose_masks(p.image, lattice, analyzed_mask(lattice.cells))]
    ['substrate']
    """
    grid = _CoarseGrid(image, lattice)
    found = [_substrate(grid, lattice.cells, mask), _vacuum(grid, lattice), _dirt(grid, lattice)]
    return [m for m in found if m is not None]


class _CoarseGrid:
    """Points over an image, a few per cell, on which parts are drawn."""

    def __init__(self, image: Image, lattice: Lattice):
        self.cell = lattice.cells.basis.cell_px
        self.step = max(1, int(self.cell / _PER_CELL))
        self.shape, region = image.shape, image.region
        rows, cols = (np.arange(self.step // 2, n, self.step) for n in image.shape)
        self.points = np.stack(np.meshgrid(cols, rows), axis=-1).astype(float)
        self.looked_at = True if region is None else region[np.ix_(rows, cols)]

    def nearest(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance (cells) of every point from the nearest of some places, and which it is."""
        distance, index = cKDTree(xy).query(self.points)
        return distance / self.cell, index

    def pixels(self, part: np.ndarray) -> np.ndarray | None:
        """A part of the grid as pixels, small pieces left out; None where nothing is left."""
        part = ndimage.binary_opening(part & self.looked_at, np.ones((3, 3)))
        pieces, n = ndimage.label(part)
        area = np.bincount(pieces.ravel(), minlength=n + 1) * (self.step / self.cell) ** 2
        area[0] = 0
        kept = (area >= _LEAST_CELLS)[pieces]
        if not kept.any():
            return None
        whole = np.repeat(np.repeat(kept, self.step, axis=0), self.step, axis=1)
        height, width = self.shape
        whole = np.pad(whole, [(0, self.step), (0, self.step)], mode="edge")
        return whole[:height, :width]


def _vacuum(grid: _CoarseGrid, lattice: Lattice) -> ProposedMask | None:
    """Where there are no columns."""
    distance = grid.nearest(np.concatenate([lattice.columns.xy, lattice.unused_xy]))[0]
    pixels = grid.pixels(ndimage.binary_dilation(distance > _EMPTY, iterations=_PER_CELL // 2))
    if pixels is None:
        return None
    return ProposedMask("vacuum", "no columns: vacuum or amorphous material", pixels)


def _dirt(grid: _CoarseGrid, lattice: Lattice) -> ProposedMask | None:
    """Where most fits are doubtful, or the background is off that of the crystal."""
    columns, is_a = lattice.columns, lattice.sublattice == "A"
    amplitude = float(np.median(columns.intensity[is_a & columns.ok]))
    level = columns.background - np.median(columns.background[columns.ok])
    off = np.abs(level) > _OFF_LEVEL * amplitude
    near = cKDTree(columns.xy).query(columns.xy, k=min(_NEIGHBORS, len(columns)))[1]
    bad = (off | ~columns.ok)[near].mean(axis=1) > _MOST
    if not bad.any():
        return None
    distance, index = grid.nearest(columns.xy)
    pixels = grid.pixels(bad[index] & (distance < 1))
    if pixels is None:
        return None
    return ProposedMask(
        "contamination",
        f"{(~columns.ok[bad]).mean():.0%} of the fits there are doubtful, and the background"
        f" differs from the rest by {np.median(level[bad]) / amplitude:+.2f} column amplitudes",
        pixels,
    )


def _substrate(grid: _CoarseGrid, cells: Cells, mask: np.ndarray) -> ProposedMask | None:
    """Where A columns have another amplitude and the polar displacement is small; without the
    second sublattice a thinner part would look the same.
    """
    known = mask & np.isfinite(cells.a_intensity) & (cells.a_intensity > 0)
    if not cells.has_b or known.sum() < 4 * _LEAST_CELLS:
        return None
    bright = np.log(cells.a_intensity[known])
    domain = CellDomain(known, _DEGREE)
    labels = domain.on_grid(segment_field(domain, _in_noise(bright, known)).labels, -1)
    values = domain.on_grid(bright)
    names = [name for name in np.unique(labels[known]) if (labels == name).sum() >= _LEAST_CELLS]
    main = max(names, key=lambda name: int((labels == name).sum()), default=0)
    middle = {name: float(np.median(values[labels == name])) for name in names}
    ratio = {name: np.exp(middle[name] - middle[main]) for name in names}
    length = _lengths(cells, labels)
    other = [
        name
        for name in names
        if abs(np.log(ratio[name])) > _OTHER_AMPLITUDE and length[name] <= NON_POLAR * length[main]
    ]
    part = np.isin(labels, other)
    if not other or part.sum() > _LARGEST * known.sum():
        return None
    sound = np.isfinite(cells.xy[..., 0])
    distance, index = grid.nearest(cells.xy[sound])
    pixels = grid.pixels(_spread(part, known)[sound][index] & (distance < 1))
    if pixels is None:
        return None
    first = other[0]
    return ProposedMask(
        "substrate",
        f"A columns have {ratio[first]:.2f} times the amplitude of the others, and the mean polar"
        f" displacement is {length[first] / length[main]:.2f} times theirs: a substrate or another"
        " layer",
        pixels,
    )


def _in_noise(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values (n,) as a field (n, 2) in units of their noise, its second component empty."""
    grid = np.full(known.shape, np.nan)
    grid[known] = values
    noise = 1.4826 * np.nanmedian(np.abs(np.diff(grid, axis=1))) / np.sqrt(2)
    scaled = (values - values.mean()) / max(float(noise), 1e-9)
    return np.stack([scaled, np.zeros(len(scaled))], axis=1)


def _lengths(cells: Cells, labels: np.ndarray) -> dict[int, float]:
    """Median length of the polar displacement, averaged over 3 x 3 cells, of every label."""
    polar = np.nan_to_num(cells.polar)
    weight = ndimage.uniform_filter(np.isfinite(cells.polar[..., 0]) * 1.0, 3)
    smooth = ndimage.uniform_filter(polar, (3, 3, 0)) / np.maximum(weight, 1e-9)[..., None]
    length = np.hypot(*np.moveaxis(smooth, -1, 0))
    return {int(n): float(np.median(length[labels == n])) for n in np.unique(labels[labels >= 0])}


def _spread(part: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A part of the analyzed cells, and the cells nearest to it outside."""
    near = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return part[tuple(near)]
