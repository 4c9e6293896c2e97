"""Local descriptors: what every unit cell is described by before it is clustered.

Windows are cut once per site, on a grid aligned with the mean lattice, at the largest size that the search may ask
for. A configuration then crops, bins, normalises and projects them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from sklearn.decomposition import PCA

from .cells import Cells
from .errors import InputError
from .images import Image
from .tiles import SIDE, divide, owned

SAMPLES = 12  # samples per cell edge
MAX_WINDOW = 2.5  # cells
_REACH = int(MAX_WINDOW * SAMPLES / 2)  # samples on either side of the middle one
_AT_ONCE = 256  # windows sampled at a time: their positions fit the processor's cache
_SEEN = 32_768  # vectors that components are found from, and projected at a time; more of them move no component
SITES = ("A", "B", "cell")
DESCRIPTORS = ("windows", "physics", "vae")
NORMALISATIONS = ("none", "zscore", "minmax")
PHYSICS = ("polar_x", "polar_y", "a", "b", "angle", "rotation", "area", "a_intensity", "b_intensity")


@dataclass(frozen=True)
class Patches:
    """Windows on one site of every analysed cell: ``data`` has shape (N, S, S), rows along b, columns along a."""

    data: np.ndarray

    @property
    def centre(self) -> int:
        """Index of the middle sample."""
        return self.data.shape[1] // 2


def window_bytes(n: int) -> int:
    """Memory of the windows of ``n`` cells."""
    return n * (2 * _REACH + 1) ** 2 * np.dtype(np.float32).itemsize


def cut(image: Image, cells: Cells, mask: np.ndarray, site: str = "A", side: int = SIDE) -> Patches:
    """Sample the windows of all cells of ``mask`` on a grid that follows the mean lattice.

    The image is first averaged over about one sample distance, so that a window costs as many numbers as it holds
    information. Aligning the grid with the lattice makes the result independent of how the crystal lies in the frame.

    Parameters
    ----------
    image : Image
    cells : Cells
    mask : ndarray of bool, shape (R, C)
        Cells to describe.
    site : {"A", "B", "cell"}
        Where windows are centred: the A column at the cell's upper left corner, the B column, or the cell's centre.
    side : int
        Largest side of the tiles (px) that the image is averaged in. The result does not depend on it.

    Returns
    -------
    Patches
        Windows of 2.5 x 2.5 cells, 12 samples per cell.

    Raises
    ------
    InputError
        For an unknown site, or site "B" where the second sublattice is not seen.
    """
    centres = _centres(cells, site)[mask]
    sigma = 0.35 * cells.basis.cell_px / SAMPLES
    step = np.arange(-_REACH, _REACH + 1) / SAMPLES
    a, b = cells.basis.vectors
    offsets = (step[:, None, None] * b + step[None, :, None] * a).T.swapaxes(1, 2)
    reach = int(np.abs(offsets).max() + 4 * sigma) + 2
    out = np.empty((len(centres), step.size, step.size), np.float32)
    for tile, group in zip(divide(image.shape, reach, side), owned(centres, image.shape, side)):
        if len(group):
            data = ndimage.gaussian_filter(image.data[tile.box], sigma) - image.median
            for part in np.split(group, range(_AT_ONCE, len(group), _AT_ONCE)):
                out[part] = _sample(data, tile.origin, centres[part].T[:, :, None, None] + offsets[:, None])
    return Patches(out)


def _sample(data: np.ndarray, origin: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of a part of the image, which begins at ``origin``, at positions (2, ...) in the image."""
    at -= origin[:, None, None, None]  # exact: the origin is whole, and no position is larger for it
    return ndimage.map_coordinates(data, at[::-1], order=1, mode="reflect")


def _centres(cells: Cells, site: str) -> np.ndarray:
    if site not in SITES:
        raise InputError(f"site '{site}': no such site; choose one of {', '.join(SITES)}")
    if site == "B" and not cells.has_b:
        raise InputError("site 'B': the second sublattice is not seen in this image; use site 'A' or 'cell'")
    return {"A": cells.corner, "B": cells.b_site, "cell": cells.xy}[site]


def crop(patches: Patches, height: float, width: float, binning: int = 1, part=slice(None)) -> np.ndarray:
    """Central windows of ``height`` x ``width`` cells, averaged over ``binning`` x ``binning`` samples.

    Parameters
    ----------
    patches : Patches
    height, width : float
        Window along b and a in cells, at most 2.5.
    binning : int
        Samples averaged along both axes.
    part : slice or ndarray of int
        Cells whose windows are wanted; all by default.

    Returns
    -------
    ndarray, shape (N, H, W)

    Examples
    --------
    >>> crop(Patches(np.zeros((5, 31, 31), np.float32)), 1.5, 0.5, binning=2).shape
    (5, 9, 3)
    """
    middle = patches.centre
    halves = [min(_half(size), middle) for size in (height, width)]
    (top, left), (rows, cols) = [middle - h for h in halves], [(2 * h + 1) // binning * binning for h in halves]
    window = patches.data[:, top:top + rows, left:left + cols][part]
    if binning == 1:
        return window
    return window.reshape(len(window), rows // binning, binning, cols // binning, binning).mean(axis=(2, 4))


def _half(size: float) -> int:
    """Samples on either side of the middle one of a window of ``size`` cells."""
    return max(1, round(size * SAMPLES / 2))


def samples(size: float) -> int:
    """Samples along the edge of a window of ``size`` cells, before binning."""
    return 2 * _half(size) + 1


def whole_window(size: float) -> float:
    """The size in cells, to four digits, of the window that a wanted size is rounded to.

    Examples
    --------
    >>> whole_window(1.5), whole_window(1.54), whole_window(1.5833)
    (1.5, 1.5, 1.5)
    """
    return round(2 * _half(size) / SAMPLES, 4)


def normalise(windows: np.ndarray, how: str = "none") -> np.ndarray:
    """Flatten windows to vectors and normalise each: not at all, to mean 0 and deviation 1, or to the range 0..1.

    Parameters
    ----------
    windows : ndarray, shape (N, H, W)
    how : {"none", "zscore", "minmax"}

    Returns
    -------
    ndarray of float32, shape (N, H * W)

    Examples
    --------
    >>> normalise(np.array([[[1.0, 3.0]]]), "minmax")
    array([[0., 1.]], dtype=float32)
    """
    if how not in NORMALISATIONS:
        raise InputError(f"normalisation '{how}': unknown; choose one of {', '.join(NORMALISATIONS)}")
    flat = windows.reshape(len(windows), -1).astype(np.float32)
    if how == "none":
        return flat
    if how == "zscore":
        shift, scale = flat.mean(axis=1, keepdims=True), flat.std(axis=1, keepdims=True)
    else:
        shift, scale = flat.min(axis=1, keepdims=True), np.ptp(flat, axis=1, keepdims=True)
    return (flat - shift) / np.where(scale > 0, scale, 1)


def project(vectors: np.ndarray, n_components: int, seed: int = 0) -> np.ndarray:
    """Scores on the leading principal components, divided by the deviation of the first.

    Parameters
    ----------
    vectors : ndarray, shape (N, D)
    n_components : int
        Number of components; at most D are kept.
    seed : int
        Seed of the randomised solver (used for long vectors only).

    Returns
    -------
    ndarray of float64, shape (N, min(n_components, D))
    """
    k = min(n_components, *vectors.shape)
    scores = PCA(k, random_state=seed).fit_transform(vectors).astype(float)
    return scores / max(scores[:, 0].std(), 1e-12)


def project_parts(describe: Callable[[np.ndarray], np.ndarray], n: int, n_components: int, seed: int = 0) -> np.ndarray:
    """As :func:`project`, for vectors that are made when they are asked for, so that they are never all there.

    Of more than 32,768 vectors, the components are those of as many drawn at random.

    Parameters
    ----------
    describe : callable
        The vectors (M, D) of the cells at the indices that it is given.
    n : int
        Number of vectors N.
    n_components, seed : int
        As for :func:`project`.

    Returns
    -------
    ndarray of float64, shape (N, min(n_components, D))

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((40_000, 4)) * [9, 4, 2, 1]
    >>> project_parts(lambda index: x[index], len(x), 2).shape
    (40000, 2)
    """
    if n <= _SEEN:
        return project(describe(np.arange(n)), n_components, seed)
    drawn = describe(np.sort(np.random.default_rng(seed).choice(n, _SEEN, replace=False)))
    model = PCA(min(n_components, drawn.shape[1]), random_state=seed).fit(drawn)
    parts = np.split(np.arange(n), range(_SEEN, n, _SEEN))
    scores = np.concatenate([model.transform(describe(part)).astype(float) for part in parts])
    return scores / max(scores[:, 0].std(), 1e-12)


def explained_variance(vectors: np.ndarray, n_components: int) -> np.ndarray:
    """Share of the variance that each of the leading principal components holds, shape (n_components,)."""
    k = min(n_components, *vectors.shape)
    return PCA(k, random_state=0).fit(vectors).explained_variance_ratio_


def physics(cells: Cells, mask: np.ndarray, without: str = "") -> np.ndarray:
    """Measured quantities of every cell, each with mean 0 and deviation 1: the descriptor that needs no window.

    Parameters
    ----------
    cells : Cells
    mask : ndarray of bool, shape (R, C)
    without : {"", "polar", "lattice", "patch"}
        Kind of evidence to leave out, so that a map is not judged by what it was made from.

    Returns
    -------
    ndarray, shape (N, K)
        Columns in the order of :data:`PHYSICS`; those of the B sublattice are left out where it is not seen.
    """
    left_out = {"polar": ("polar_x", "polar_y"), "lattice": ("a", "b", "angle", "rotation")}.get(without, ())
    columns = {
        "polar_x": cells.polar[..., 0], "polar_y": cells.polar[..., 1],
        **{name: getattr(cells, name) for name in PHYSICS[2:]},
    }
    kept = [v[mask] for name, v in columns.items() if name not in left_out and np.isfinite(v[mask]).all()]
    table = np.stack(kept, axis=1)
    return (table - table.mean(axis=0)) / np.maximum(table.std(axis=0), 1e-12)
