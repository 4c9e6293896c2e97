"""Atomic columns: find them without a tuned threshold, fit them to a fraction of a pixel.

All scales come from the lattice of the image: the strongest Bragg peak of its power spectrum.
"""

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
from scipy import fft, ndimage
from scipy.spatial import cKDTree

from ..compute import TILE_SIDE, Tile, divide_into_tiles, in_threads, owned_by_tile
from ..errors import InputError
from ..io import Image

_SAMPLE = 512  # px, side of the parts of the image whose power spectra are averaged
_BRAGG = 30.0  # power of a Bragg peak over the median of its ring; noise reaches 16
_PASSES = 8  # Gauss-Newton steps, each after a subtraction of the neighbors
_AGAIN = 3  # steps of columns that were fitted before, with their rows elsewhere
_MOST_PASSES = 40  # of them where columns overlap, so that widths and backgrounds settle late
# Of the plane spacing: widths of columns that overlap; wider ones have tails that no Gaussian has.
_OVERLAP = (0.24, 0.3)
TRUNCATE = 2.5  # sigma at which Gaussian means of rows end
_SIDE = 64  # rows smoothed at once, at least
_BAND = (1 / 8, 1.0)  # of the plane spacing: sigmas between which contrast is looked at
# skewness below which columns are dark: bright ones reach 0.4 (overlapping, or dumbbells) to 1.9
_DARK = -0.15
_FILTER = 0.18  # of the plane spacing: sigma of the blob filter
_SETTLED = 1e-3  # relative change of the median width in one step
_HUGE = 1e30  # amplitude of a fit that diverges, where there is no column
# expected relative spread of the columns' widths: holds the width where noise would drown it
WIDTH_LIMITS = 0.2
_SPACINGS: WeakKeyDictionary[Image, float] = WeakKeyDictionary()  # of images that were asked for
# (y, x) factors of 1, g, xg, yg, xxg, yyg.
_MOMENTS = ((0, 0), (1, 1), (1, 2), (2, 1), (1, 3), (3, 1))


@dataclass(frozen=True)
class Columns:
    """Fitted atomic columns; all arrays have one entry per column.

    Attributes
    ----------
    xy : ndarray, shape (N, 2)
        Positions (x to the right, y down) in px, pixel centers at integers.
    intensity, background, sigma_px : ndarray, shape (N,)
        Amplitude of the fitted Gaussian above its background, the background, the standard
        deviation.
    ok : ndarray of bool, shape (N,)
        Whether the fit stayed at its column; otherwise ``xy`` is the detected position.
    spacing_px : float
        Shortest period of the image: d of its strongest Bragg peak.
    """

    xy: np.ndarray
    intensity: np.ndarray
    background: np.ndarray
    sigma_px: np.ndarray
    ok: np.ndarray
    spacing_px: float

    def __len__(self) -> int:
        return len(self.xy)

    def take(self, index) -> "Columns":
        """The columns selected by an index or boolean array."""
        arrays = {k: v[index] for k, v in vars(self).items() if k != "spacing_px"}
        return replace(self, **arrays)


def with_bright_columns(image: Image) -> Image:
    """An image with bright columns: the image itself, or its inverse if columns are dark (ABF, BF).

    If the contrast is not given, the skewness of the gray levels decides: narrow peaks on a flat
    background have a long tail on their side.

    Parameters
    ----------
    image : Image

    Returns
    -------
    Image

    Raises
    ------
    InputError
        If the image contains no lattice.

    Examples
    --------
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> bright = simulate_phantom(Specimen(cells=12, cell_px=16)).image
    >>> dark = replace(bright, data=bright.data.max() - bright.data)
    >>> with_bright_columns(bright).inverted, with_bright_columns(dark).inverted
    (False, True)
    """
    if image.inverted or image.contrast == "bright":
        return image
    if image.contrast == "auto":
        period = column_spacing(image)
        middle = tuple(slice(max(0, n // 2 - _SAMPLE), n // 2 + _SAMPLE) for n in image.shape)
        part = image.data[middle]
        fine, coarse = (
            smooth_rows(smooth_rows(part, s, axis=1), s) for s in (k * period for k in _BAND)
        )
        if _skewness(fine - coarse) > _DARK:
            return image
    both = image.data.min() + image.data.max()
    halves = None if image.halves is None else both - image.halves
    return replace(image, data=both - image.data, halves=halves, inverted=True)


def _skewness(values: np.ndarray) -> float:
    """Third moment of the values about their mean, in units of their deviation."""
    rest = values - values.mean()
    return float((rest**3).mean() / (rest**2).mean() ** 1.5)


def smooth_rows(values: np.ndarray, sigma: float, axis: int = 0) -> np.ndarray:
    """Gaussian mean along one axis, with the end values continued. It uses products of small dense
    matrices, which are several times as fast as sums of shifted rows.

    Parameters
    ----------
    values : ndarray, shape (n, m)
    sigma : float
        In rows; the Gaussian is cut at 2.5 of them.
    axis : {0, 1}

    Returns
    -------
    ndarray, shape (n, m)
        Of the same type.

    Examples
    --------
    >>> smooth_rows(np.eye(9), 1.0)[:, 4].round(2).tolist()
    [0.0, 0.0, 0.05, 0.24, 0.4, 0.24, 0.05, 0.0, 0.0]
    """
    reach = int(TRUNCATE * sigma + 0.5)
    side = max(_SIDE, reach)
    step = np.arange(side + 2 * reach) - reach - np.arange(side)[:, None]
    kernel = np.where(np.abs(step) <= reach, np.exp(-0.5 * (step / sigma) ** 2), 0)
    kernel = (kernel / kernel[0].sum()).astype(values.dtype)
    ends = [(reach, reach), (0, 0)]
    wide = np.pad(values, ends if axis == 0 else ends[::-1], mode="edge")
    out = np.empty(values.shape, values.dtype)
    for k in range(0, values.shape[axis], side):
        n = min(side, values.shape[axis] - k)
        mean, some = kernel[:n, : n + 2 * reach], slice(k, k + n + 2 * reach)
        if axis == 0:
            np.matmul(mean, wide[some], out=out[k : k + n])
        else:
            out[:, k : k + n] = wide[:, some] @ mean.T
    return out


def column_spacing(image: Image) -> float:
    """Period of the strongest lattice planes of an image, in px.

    Power spectra of up to 4 x 4 Hann-windowed parts are averaged. A Bragg peak is a point well
    above the median of its ring (same spatial frequency), which excludes a bright background and
    amorphous material.

    Parameters
    ----------
    image : Image

    Returns
    -------
    float
        Plane spacing d in px: the cell edge, or 1/sqrt(2) of it if two sublattices are about
        equally bright.

    Raises
    ------
    InputError
        If no point of the spectrum stands out, so there is no lattice to analyze.

    Examples
    --------
    >>> from bfo_utils.io import image_from_array
    >>> y, x = np.mgrid[:128, :128]
    >>> stripes = image_from_array(np.cos(2 * np.pi * x / 16) + np.cos(2 * np.pi * y / 16))
    >>> round(column_spacing(stripes), 1)
    16.0
    """
    if image not in _SPACINGS:
        _SPACINGS[image] = _spacing(image)
    return _SPACINGS[image]


def _spacing(image: Image) -> float:
    """Period of the strongest Bragg peak."""
    power = _power_spectrum(image)
    ky, kx = (
        fft.fftfreq(s)[:, None] if axis == 0 else fft.fftfreq(s)[None]
        for axis, s in enumerate(power.shape)
    )
    k = np.hypot(ky, kx)
    band = (k > max(1 / 90, 3 / power.shape[0])) & (k < 0.32) & (kx >= 0)
    ring = np.rint(k * power.shape[0]).astype(int)
    floor = ndimage.median(power, ring, np.arange(ring.max() + 1))[ring]
    bragg = band & (power > _BRAGG * floor) & (power > 0.05 * power[band].max())
    if not bragg.any():
        raise InputError(
            f"{image.name}: no crystal lattice found (no Bragg peak in its power spectrum); "
            "an image of atomic columns with 5 to 60 px between them is needed"
        )
    smooth = np.where(bragg, power, 0)
    peak = np.unravel_index(np.argmax(smooth), smooth.shape)
    return float(1 / _subpixel_frequency(power, peak))


def _power_spectrum(image: Image) -> np.ndarray:
    """Mean power spectrum of parts, high-passed against leakage of slow background."""
    size = min(_SAMPLE, *image.data.shape)
    starts = [
        np.unique(
            np.linspace(0, s - size, min(4, 1 + (s - size) // (size // 2) + (s > size))).astype(int)
        )
        for s in image.data.shape
    ]
    window = np.hanning(size)[:, None] * np.hanning(size)[None]
    total = np.zeros((size, size))
    for y in starts[0]:
        for x in starts[1]:
            part = image.data[y : y + size, x : x + size].astype(float)
            total += (
                np.abs(fft.fft2((part - ndimage.uniform_filter(part, size // 8)) * window)) ** 2
            )
    return total


def _subpixel_frequency(power: np.ndarray, peak) -> float:
    """Length of the wave vector at a spectral peak, by the centroid of its 3 x 3 neighborhood."""
    n = power.shape[0]
    offsets = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), axis=-1).reshape(-1, 2)
    at = (np.array(peak) + offsets) % n
    weight = power[at[:, 0], at[:, 1]]
    center = (
        (np.array(peak) + n // 2) % n - n // 2 + (weight[:, None] * offsets).sum(0) / weight.sum()
    )
    return float(np.hypot(*center) / n)


def find_columns(
    image: Image,
    detection_scale: float = 1.0,
    refinement_radius: float = 0.45,
    side: int = TILE_SIDE,
) -> Columns:
    """Find and fit all columns in the region of an image, or use those that were given.

    Columns are local maxima of a scale-normalized Laplacian of Gaussian whose width follows the
    lattice of the image. Maxima above the response to the noise of the image are kept, and each is
    fitted by a Gaussian.

    Parameters
    ----------
    image : Image
    detection_scale : float
        Factor on the width of the filter; 1 fits a column of a perovskite.
    refinement_radius : float
        Half width of the fitted window as a fraction of the plane spacing.
    side : int
        Largest side of the image tiles in px. The result does not depend on it.

    Returns
    -------
    Columns

    Raises
    ------
    InputError
        If the image holds no lattice.

    Notes
    -----
    Detection after Barakati et al., Digital Discovery 2024 (d4dd00132j), with scale and threshold
    from the image. Columns outside the region are found and fitted too, so that those at its edge
    are measured as in the whole image.
    """
    period = column_spacing(image)
    if image.positions is None:
        xy, sigma = detect_maxima(image, period, detection_scale, side)
    else:
        xy, sigma = image.positions[:, :2], _FILTER * period * detection_scale
    columns = fit_columns(image, xy, sigma, refinement_radius * period, period, side)
    if image.positions is not None and not image.refine:
        columns = _as_given(columns, image.positions)
    return columns.take(image.looks_at(columns.xy))


def _as_given(fitted: Columns, given: np.ndarray) -> Columns:
    """Columns at the places that were given, with what was said of them; the rest is fitted."""
    names = ("intensity", "background", "sigma_px")
    known = given[:, 2:5].T
    values = {n: np.where(np.isnan(v), getattr(fitted, n), v) for n, v in zip(names, known)}
    return replace(fitted, xy=given[:, :2].copy(), ok=given[:, 5] != 0, **values)


def refit_columns(image: Image, columns: Columns, refinement_radius: float = 0.45) -> Columns:
    """Fit columns again from known positions, for example after scan rows were moved.

    Parameters
    ----------
    image : Image
    columns : Columns
        Their fits are the starting values.
    refinement_radius : float
        See :func:`find_columns`.

    Returns
    -------
    Columns
        In the same order.

    Examples
    --------
    >>> from ..simulation import Specimen, simulate_phantom
    >>> image = simulate_phantom(Specimen(cells=12, cell_px=16)).image
    >>> found = find_columns(image)
    >>> again = refit_columns(image, found)
    >>> bool(np.median(np.abs(again.xy - found.xy)) < 0.01)
    True
    """
    period = columns.spacing_px
    known = FitState(columns.xy, columns.intensity, columns.background, columns.sigma_px)
    sigma = float(np.median(columns.sigma_px))
    return fit_columns(image, columns.xy, sigma, refinement_radius * period, period, known=known)


def detect_maxima(
    image: Image, period: float, detection_scale: float = 1.0, side: int = TILE_SIDE
) -> tuple[np.ndarray, float]:
    """Positions (N, 2) of the local maxima of the blob filter, and the filter's sigma in px.

    Parameters
    ----------
    image : Image
    period : float
        Plane spacing in px, of :func:`column_spacing`.
    detection_scale : float
        Factor on the filter's width.
    side : int
        Largest side of the tiles in px.
    """
    sigma = _FILTER * period * detection_scale
    threshold = 3 * image.noise * _laplace_norm(sigma)
    size = 2 * round(0.3 * period) + 1
    # of the Laplacian of Gaussian, and of the maximum filter after it
    reach = int(4 * sigma + 0.5) + size // 2
    tiles = divide_into_tiles(image.shape, reach, side)
    peaks = np.concatenate(
        in_threads(lambda tile: _peaks(image, tile, sigma, size, threshold), tiles)
    )
    # one on the edge may lie outside
    inside = np.all((peaks > 0) & (peaks < np.array(image.shape[::-1]) - 1), axis=1)
    peaks = peaks[inside]
    return peaks[np.lexsort(peaks.T)].astype(float), sigma


def _peaks(image: Image, tile: Tile, sigma: float, size: int, threshold: float) -> np.ndarray:
    """Positions (N, 2) of the maxima in the core of a tile."""
    response = -ndimage.gaussian_laplace(image.data[tile.box], sigma)
    peaks = (response == ndimage.maximum_filter(response, size)) & (response > threshold)
    rows, cols = np.nonzero(peaks[tile.inner] & image.valid[tile.core])
    return np.stack([cols + tile.core[1].start, rows + tile.core[0].start], axis=1)


def _laplace_norm(sigma: float) -> float:
    """L2 norm of the filter: noise of the filtered image per white noise of pixels."""
    return float(1 / (sigma**3 * np.sqrt(2 * np.pi)))


def fit_columns(
    image: Image,
    xy: np.ndarray,
    sigma: float,
    radius: float,
    period: float,
    side: int = TILE_SIDE,
    thorough: bool = False,
    known: "FitState | None" = None,
) -> Columns:
    """Fit a round Gaussian on a constant background to every column, all columns at once.

    Gauss-Newton on square windows. All sums of the normal equations separate into x and y factors,
    so one iteration costs a few small matrix products per column. After the first iterations the
    fitted neighbors are subtracted from every window (as if all columns were fitted together) and
    the fit continues.

    All columns take each step together, tile by tile, with their neighbors from the previous step.
    This makes the result independent of the tiles without an overlap.

    Parameters
    ----------
    image : Image
    xy : ndarray, shape (N, 2)
        Start positions in px.
    sigma : float
        Start width in px.
    radius : float
        Half width of the window in px.
    period : float
        Plane spacing in px, which limits the change of a fit.
    side : int
        Largest side of the tiles in px.
    thorough : bool
        Continue until the widths have converged five times as tightly, even if columns hardly
        overlap.
    known : FitState, optional
        An earlier fit at about the same positions, as starting values.

    Returns
    -------
    Columns
    """
    half = max(2, round(radius))
    noise = max(image.noise, 1e-6 * float(np.ptp(image.data)))
    corners = window_corners(image.shape, xy, half)
    groups = [group for group in owned_by_tile(xy, image.shape, side) if len(group)]
    state, kept, width = known or _start(xy, sigma), None, sigma
    for turn in range(1 + _MOST_PASSES):
        tree = cKDTree(state.xy) if turn or known else None
        parts = _turned(image, corners, half, groups, state, tree, period, noise, width)
        state, before = scatter_fits(parts, groups), width
        width = float(np.median(state.sigma))
        if turn >= (_AGAIN if known else _PASSES):
            kept = kept or state
            if _is_settled(width, before, period, thorough):
                break
    state = state if width < _OVERLAP[1] * period else kept or state
    contrast, seen = np.empty(len(xy)), np.empty(len(xy))
    for group in groups:
        contrast[group] = np.ptp(_cut_out(image.data, corners[group], half), axis=(1, 2))
        seen[group] = _cut_out(image.valid, corners[group], half).mean(axis=(1, 2))
    return _checked(image, xy, state, contrast, seen, period)


def _is_settled(width: float, before: float, period: float, thorough: bool) -> bool:
    """Whether further steps would change nothing, or would be of no use."""
    least = 0.0 if thorough else _OVERLAP[0]
    change = _SETTLED * (0.2 if thorough else 1.0) * width
    return abs(width - before) < change or not least < width / period < _OVERLAP[1]


@dataclass(frozen=True)
class FitWindows:
    """Square windows: data (N, K, K), pixel coordinates (N, K) of their columns and rows."""

    data: np.ndarray
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class FitState:
    """Current parameters of all fits."""

    xy: np.ndarray
    amplitude: np.ndarray
    background: np.ndarray
    sigma: np.ndarray

    def take(self, index: np.ndarray) -> "FitState":
        return FitState(*(v[index] for v in vars(self).values()))


def _start(xy: np.ndarray, sigma: float) -> FitState:
    zero = np.zeros(len(xy))
    return FitState(xy.copy(), zero, zero, np.full(len(xy), float(sigma)))


def scatter_fits(parts: list[FitState], groups: list[np.ndarray]) -> FitState:
    """The states of groups of columns merged into one, every column at its own index."""
    place = np.argsort(np.concatenate(groups))
    return FitState(
        *(
            np.concatenate([getattr(p, name) for p in parts])[place]
            for name in FitState.__dataclass_fields__
        )
    )


def window_corners(shape: tuple[int, int], xy: np.ndarray, half: int) -> np.ndarray:
    """First column and row (N, 2) of the windows around the nearest pixels; at the frame, windows
    are moved inside.
    """
    return np.clip(np.rint(xy).astype(int) - half, 0, np.array(shape[::-1]) - 1 - 2 * half)


def cut_fit_windows(image: Image, corners: np.ndarray, half: int) -> FitWindows:
    """Windows from their first columns and rows."""
    x, y = corners.T.astype(np.float32)
    step = np.arange(2 * half + 1, dtype=np.float32)
    return FitWindows(_cut_out(image.data, corners, half), x[:, None] + step, y[:, None] + step)


def _cut_out(array: np.ndarray, corners: np.ndarray, half: int) -> np.ndarray:
    x, y = corners.T
    return np.lib.stride_tricks.sliding_window_view(array, (2 * half + 1,) * 2)[y, x]


def gaussian_factors(axis: np.ndarray, center: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """One-dimensional factors (N, 4, K) of the model and its derivatives: 1, g, t g, t^2 g."""
    t = axis - center[:, None].astype(np.float32)
    g = np.exp(-(t**2) / (2 * sigma[:, None].astype(np.float32) ** 2))
    return np.stack([np.ones_like(g), g, t * g, t * t * g], axis=1)


def _step(
    windows: FitWindows, state: FitState, period: float, noise: float, width: float
) -> FitState:
    """One Gauss-Newton step: least squares on 1, g and its derivatives by x, y and sigma.

    The width has a Gaussian prior about ``width``, which counts only where the noise would leave it
    undetermined.
    """
    fx = gaussian_factors(windows.x, state.xy[:, 0], state.sigma)
    fy = gaussian_factors(windows.y, state.xy[:, 1], state.sigma)
    right = np.matmul(np.matmul(fy, windows.data), fx.transpose(0, 2, 1)).astype(float)
    gram_x = np.matmul(fx, fx.transpose(0, 2, 1)).astype(float)
    gram_y = np.matmul(fy, fy.transpose(0, 2, 1)).astype(float)
    v, u = np.array(_MOMENTS).T
    b = right[:, v, u]
    a = gram_y[:, v[:, None], v] * gram_x[:, u[:, None], u]
    combine = np.eye(6)[:, :5]
    combine[5, 4] = 1  # x^2 g and y^2 g share one coefficient
    a, b = combine.T @ a @ combine, b @ combine
    stiff = (noise / (WIDTH_LIMITS * width)) ** 2
    # coefficient of the last term per unit of width
    slope = np.maximum(state.amplitude, 3 * noise) / state.sigma**3
    a[:, 4, 4] += stiff / slope**2
    b[:, 4] += stiff / slope * (width - state.sigma)
    scale = np.sqrt(np.einsum("nii->ni", a))
    a = a / (scale[:, :, None] * scale[:, None, :]) + 1e-6 * np.eye(5)
    c = np.linalg.solve(a, (b / scale)[..., None])[..., 0] / scale
    amplitude = np.where(np.abs(c[:, 1]) < 1e-12, 1e-12, c[:, 1])
    move = np.clip(c[:, 2:4] * (state.sigma**2 / amplitude)[:, None], -0.08 * period, 0.08 * period)
    widen = np.clip(c[:, 4] * state.sigma**3 / amplitude, -0.2 * state.sigma, 0.2 * state.sigma)
    sigma = np.clip(state.sigma + widen, 0.06 * period, 0.35 * period)
    return FitState(state.xy + move, c[:, 1], c[:, 0], sigma)


def _turned(
    image: Image,
    corners: np.ndarray,
    half: int,
    groups: list[np.ndarray],
    state: FitState,
    tree: cKDTree | None,
    period: float,
    noise: float,
    width: float,
) -> list[FitState]:
    """The next state of groups of columns; neighbors in the tree are subtracted first."""

    def turn(group: np.ndarray) -> FitState:
        own, windows = state.take(group), cut_fit_windows(image, corners[group], half)
        if tree is not None:
            near = tree.query(own.xy, k=9, distance_upper_bound=3 * period)[1][:, 1:]
            windows = subtract_neighbors(windows, state, near)
        return _step(windows, own, period, noise, width)

    return in_threads(turn, groups)


def subtract_neighbors(windows: FitWindows, state: FitState, near: np.ndarray) -> FitWindows:
    """Windows without the fitted neighbors of their column: indices (N, 8), too high if there is
    none.
    """
    others = state.take(np.minimum(near, len(state.xy) - 1))
    x, y, two = (
        v[..., None].astype(np.float32) for v in (*np.moveaxis(others.xy, -1, 0), others.sigma)
    )
    two = 2 * two**2
    gx = np.exp(-((windows.x[:, None] - x) ** 2) / two)
    gy = np.exp(-((windows.y[:, None] - y) ** 2) / two)
    gy *= np.where(near < len(state.xy), np.clip(others.amplitude, 0, _HUGE), 0)[..., None].astype(
        np.float32
    )
    return replace(windows, data=windows.data - np.matmul(gy.transpose(0, 2, 1), gx))


def _checked(
    image: Image, start, state: FitState, contrast: np.ndarray, seen: np.ndarray, period: float
) -> Columns:
    """Columns from the fits; one that left its column, its window's contrast or the frame is undone
    and marked.

    A column whose flank is cut by the frame or by invalid pixels is marked too, but keeps its fit.
    """
    moved = np.hypot(*(state.xy - start).T)
    edge = np.array(image.data.shape[::-1]) - 1
    good = (moved < 0.3 * period) & (state.amplitude > 0) & (state.amplitude < 2 * contrast)
    good &= np.all((state.xy >= 0) & (state.xy <= edge), axis=1)
    xy = np.where(good[:, None], state.xy, start)
    margin = state.sigma[:, None]
    ok = good & (seen > 0.9) & np.all((xy >= margin) & (xy <= edge - margin), axis=1)
    return Columns(
        xy, np.where(good, state.amplitude, contrast / 2), state.background, state.sigma, ok, period
    )
