"""Local descriptors: image windows around every unit cell.

Windows are cut once per site, on a grid aligned with the mean lattice, at the largest size that the
search may need. A configuration then crops, bins, normalizes and projects them.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..compute import TILE_SIDE, divide_into_tiles, owned_by_tile
from ..errors import InputError
from ..io import Image
from ..lattice import Cells

SAMPLES = 12  # samples per cell edge
MAX_WINDOW = 2.5  # cells
_REACH = int(MAX_WINDOW * SAMPLES / 2)  # samples on either side of the middle one
_AT_ONCE = 256  # windows sampled at a time: their positions fit the processor's cache
SITES = ("A", "B", "cell", "columns")
CELL_SITES = SITES[:3]  # one window per cell
FIELD_DESCRIPTORS = ("polar", "strain", "order")
DESCRIPTORS = ("windows", "physics", *FIELD_DESCRIPTORS, "vae")
NORMALIZATIONS = ("none", "zscore", "minmax")


@dataclass(frozen=True)
class Patches:
    """Windows on one site of every analyzed cell: ``data`` has shape (N, S, S), rows along b,
    columns along a. For all columns there are 2 N windows: those on A columns, then those on B
    columns.
    """

    data: np.ndarray

    @property
    def center(self) -> int:
        """Index of the middle sample."""
        return self.data.shape[1] // 2


def window_bytes(n: int, size: float = MAX_WINDOW) -> int:
    """Memory of the windows of ``n`` cells."""
    return n * window_samples(size) ** 2 * np.dtype(np.float32).itemsize


def cut_windows(
    image: Image,
    cells: Cells,
    mask: np.ndarray,
    site: str = "A",
    side: int = TILE_SIDE,
    size: float = MAX_WINDOW,
) -> Patches:
    """Sample the windows of all cells of ``mask`` on a grid that follows the mean lattice.

    The image is first averaged over about one sample distance, so that a window has no more numbers
    than needed. The grid is aligned with the lattice, so the result does not depend on the
    orientation of the crystal.

    Parameters
    ----------
    image : Image
    cells : Cells
    mask : ndarray of bool, shape (R, C)
        Cells to describe.
    site : {"A", "B", "cell", "columns"}
        Where windows are centered: the A column at the cell's upper left corner, the B column, the
        cell's center, or both columns.
    side : int
        Largest side of the tiles (px) that the image is averaged in. The result does not depend on
        it.
    size : float
        Edge of the windows in cells, at most 2.5.

    Returns
    -------
    Patches
        Square windows, 12 samples per cell.

    Raises
    ------
    InputError
        If the site is unknown, or "B" if the second sublattice is not visible.
    """
    centers = _centers(cells, mask, site)
    sigma = 0.35 * cells.basis.cell_px / SAMPLES
    half = min(_half(size), _REACH)
    step = np.arange(-half, half + 1) / SAMPLES
    a, b = cells.basis.vectors
    offsets = (step[:, None, None] * b + step[None, :, None] * a).T.swapaxes(1, 2)
    # of the bilinear samples, and of the filter before them
    reach = int(np.abs(offsets).max()) + int(4 * sigma + 0.5) + 2
    out = np.empty((len(centers), step.size, step.size), np.float32)
    for tile, group in zip(
        divide_into_tiles(image.shape, reach, side), owned_by_tile(centers, image.shape, side)
    ):
        if len(group):
            data = ndimage.gaussian_filter(image.data[tile.box], sigma) - image.median
            for part in np.split(group, range(_AT_ONCE, len(group), _AT_ONCE)):
                out[part] = _sample(
                    data, tile.origin, centers[part].T[:, :, None, None] + offsets[:, None]
                )
    return Patches(out)


def _sample(data: np.ndarray, origin: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of a part of the image from ``origin`` on, at positions (2, ...)."""
    # exact: the origin is whole, and no position is larger for it
    at -= origin[:, None, None, None]
    return ndimage.map_coordinates(data, at[::-1], order=1, mode="reflect")


def _centers(cells: Cells, mask: np.ndarray, site: str) -> np.ndarray:
    """Where windows lie: one per cell of the mask; on all columns A, then B where it is seen."""
    if site not in SITES:
        raise InputError(f"site '{site}': no such site; choose one of {', '.join(SITES)}")
    if site == "B" and not cells.has_b:
        raise InputError(
            "site 'B': the second sublattice is not seen in this image; use site 'A' or 'cell'"
        )
    if site == "columns":
        seen = (cells.corner, cells.b_site) if cells.has_b else (cells.corner,)
        return np.concatenate([where[mask] for where in seen])
    return {"A": cells.corner, "B": cells.b_site, "cell": cells.xy}[site][mask]


def crop_windows(
    patches: Patches, height: float, width: float, binning: int = 1, part=slice(None)
) -> np.ndarray:
    """Central windows of ``height`` x ``width`` cells, averaged over ``binning`` x ``binning``
    samples.

    Parameters
    ----------
    patches : Patches
    height, width : float
        Window along b and a in cells, at most 2.5.
    binning : int
        Samples averaged along both axes.
    part : slice or ndarray of int
        Cells to crop windows for; all by default.

    Returns
    -------
    ndarray, shape (N, H, W)

    Examples
    --------
    >>> crop_windows(Patches(np.zeros((5, 31, 31), np.float32)), 1.5, 0.5, binning=2).shape
    (5, 9, 3)
    """
    middle = patches.center
    halves = [min(_half(size), middle) for size in (height, width)]
    (top, left), (rows, cols) = (
        [middle - h for h in halves],
        [(2 * h + 1) // binning * binning for h in halves],
    )
    window = patches.data[:, top : top + rows, left : left + cols][part]
    if binning == 1:
        return window
    total = np.zeros((len(window), rows // binning, cols // binning), window.dtype)
    for i, j in np.ndindex(binning, binning):  # a mean over two axes takes three times as long
        total += window[:, i::binning, j::binning]
    return total / window.dtype.type(binning**2)


def _half(size: float) -> int:
    """Samples on either side of the middle one of a window of ``size`` cells."""
    return max(1, round(size * SAMPLES / 2))


def window_samples(size: float) -> int:
    """Samples along the edge of a window of ``size`` cells, before binning."""
    return 2 * _half(size) + 1


def round_window(size: float) -> float:
    """Window size in cells, to four digits, that a given size is rounded to.

    Examples
    --------
    >>> round_window(1.5), round_window(1.54), round_window(1.5833)
    (1.5, 1.5, 1.5)
    """
    return round(2 * _half(size) / SAMPLES, 4)


def normalize_windows(windows: np.ndarray, how: str = "none") -> np.ndarray:
    """Flatten windows to vectors and normalize each one: not at all, to mean 0 and standard
    deviation 1, or to the range 0..1.

    Parameters
    ----------
    windows : ndarray, shape (N, H, W)
    how : {"none", "zscore", "minmax"}

    Returns
    -------
    ndarray of float32, shape (N, H * W)

    Examples
    --------
    >>> normalize_windows(np.array([[[1.0, 3.0]]]), "minmax")
    array([[0., 1.]], dtype=float32)
    """
    if how not in NORMALIZATIONS:
        raise InputError(
            f"normalisation '{how}': unknown; choose one of {', '.join(NORMALIZATIONS)}"
        )
    flat = windows.reshape(len(windows), -1).astype(np.float32)
    if how == "none":
        return flat
    if how == "zscore":
        shift, scale = flat.mean(axis=1, keepdims=True), flat.std(axis=1, keepdims=True)
    else:
        shift, scale = flat.min(axis=1, keepdims=True), np.ptp(flat, axis=1, keepdims=True)
    return (flat - shift) / np.where(scale > 0, scale, 1)
