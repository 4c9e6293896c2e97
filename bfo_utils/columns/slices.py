"""Slices of atomic columns: the position of every column in each pixel row.

A scan that displaces pixel row y by s(y) shows I(x, y) = M(x + s(y), y), M the undistorted image.
Each row of pixels that crosses a column measures its position along the row: a slice. Slices of one
column differ only by the scan errors between its rows, however the crystal displaces the column as
a whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage, sparse

from ..compute import in_threads
from .detection import TRUNCATE, Columns, smooth_rows

# sigma from the center of a column to its outermost slice: beyond, its flank holds no light
_REACH = 2.6
_RENDERED = 4.0  # sigma to which the fitted columns are rendered
_SLOW = 2.2  # sigma: residuals that are smoother than that are background
_LEVELS = 20  # levels of brightness at which the variance of the pixels is measured
_LEAST = 0.2  # of the mean variance of the pixels: no pixel is taken to be surer
_SAMPLE = 5  # every n-th row and column of them, from either end
_ALONE = 0.3  # response below which a slice sees its neighbors rather than its column
_DERIVATIVE = np.array([1, -8, 0, 8, -1]) / 12  # of the light along x, exact to the fourth order
_BAND = 2**23  # px of the bands that an image is worked on in
_PART = 1000  # columns at a time, which bounds the memory


@dataclass(frozen=True)
class _Residual:
    """What the fitted columns leave of an image.

    Attributes
    ----------
    weight : ndarray of float32, shape (H, W)
        1 / variance of the pixel; 0 where the image is not valid.
    scaled : ndarray of float32, shape (H, W)
        Residual times that weight.
    light : ndarray of float32, shape (H, W)
        Sum of the fitted columns.
    """

    weight: np.ndarray
    scaled: np.ndarray
    light: np.ndarray


@dataclass(frozen=True)
class Slices:
    """Displacements of the slices of N columns, R rows each.

    Attributes
    ----------
    row : ndarray of int, shape (N, R)
        Pixel row of each slice.
    weight : ndarray, shape (N, R)
        1 / variance of its displacement (1 / px2); 0 outside the frame and for unreliable columns.
    moment : ndarray, shape (N, R)
        Weight times displacement (1 / px): the displacement of the row minus the error of the
        fitted position of the column.
    response : ndarray, shape (N, R)
        Displacement of the slice per displacement of the whole row: 1, except for neighbors in the
        window, which move too.
    offset : ndarray, shape (N, R)
        Distance of the row from the center of the column, in units of the median sigma of the
        columns.
    """

    row: np.ndarray
    weight: np.ndarray
    moment: np.ndarray
    response: np.ndarray
    offset: np.ndarray

    def take(self, index: np.ndarray) -> "Slices":
        """Slices of some of the columns."""
        return Slices(*(v[index] for v in vars(self).values()))


def render_columns(shape: tuple[int, int], columns: Columns) -> np.ndarray:
    """Sum of the fitted Gaussians of all columns, without background.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the image in px.
    columns : Columns

    Returns
    -------
    ndarray of float32, shape (H, W)

    Examples
    --------
    >>> one = Columns(
    ...     np.array([[4.0, 3.0]]), np.array([2.0]), np.zeros(1), np.ones(1), np.ones(1, bool), 8.0
    ... )
    >>> light = render_columns((8, 9), one)
    >>> float(light[3, 4]), round(float(light[3, 5]), 3)
    (2.0, 1.213)
    """
    down = _profiles(columns.xy[:, 1], columns.sigma_px, np.maximum(columns.intensity, 0), shape[0])
    across = _profiles(columns.xy[:, 0], columns.sigma_px, np.ones(len(columns)), shape[1])
    return (down.T.tocsr() @ across).toarray()


def _profiles(
    at: np.ndarray, sigma: np.ndarray, amplitude: np.ndarray, size: int
) -> sparse.csr_array:
    """Gaussian profiles along one axis, one row per column, shape (N, size)."""
    reach = int(np.ceil(_RENDERED * np.median(sigma)))
    pixel = np.rint(at).astype(np.int32)[:, None] + np.arange(-reach, reach + 1, dtype=np.int32)
    value = amplitude[:, None] * np.exp(-0.5 * ((pixel - at[:, None]) / sigma[:, None]) ** 2)
    value[(pixel < 0) | (pixel >= size)] = 0
    ends = np.arange(len(at) + 1) * (2 * reach + 1)
    return sparse.csr_array(
        (value.astype(np.float32).ravel(), np.clip(pixel, 0, size - 1).ravel(), ends),
        shape=(len(at), size),
    )


def _residual(data: np.ndarray, valid: np.ndarray, columns: Columns, noise: "_Noise | None"):
    """Residual of an image against its fitted columns, and the noise of its pixels.

    Slow background is removed; the variance (counts and readout) is taken from the squared
    residuals unless it is given.
    """
    light = render_columns(data.shape, columns)
    rest = data - light
    width = _SLOW * float(np.median(columns.sigma_px))
    slow = smooth_rows(smooth_rows(rest, width), width, axis=1)
    rest -= slow
    rest[~valid] = 0
    slow += light
    noise = noise or _noise(slow, rest)
    weight = valid / np.maximum(
        np.float32(noise.slope) * slow + np.float32(noise.offset), np.float32(noise.least)
    )
    return _Residual(weight, rest * weight, light), noise


@dataclass(frozen=True)
class _Noise:
    """Variance of the pixels: slope over their brightness, offset, and lower limit."""

    slope: float
    offset: float
    least: float


def _noise(light: np.ndarray, rest: np.ndarray) -> _Noise:
    """Noise of the pixels, from their squared residuals at several levels of brightness."""
    some = np.ix_(*(_mirrored(n) for n in light.shape))
    bright, square = light[some].ravel(), rest[some].ravel().astype(float) ** 2
    level = np.digitize(bright, np.quantile(bright, np.linspace(0, 1, _LEVELS + 1)[1:-1]))
    n = np.maximum(np.bincount(level, minlength=_LEVELS), 1)
    x, y = (np.bincount(level, v, _LEVELS) / n for v in (bright, square))
    least = _LEAST * max(float(square.mean()), 1e-30)
    slope, offset = np.polyfit(x, y, 1, w=1 / np.maximum(y, least))
    return _Noise(max(float(slope), 0.0), max(float(offset), 0.0), least)


def _mirrored(n: int) -> np.ndarray:
    """Some of n places, the same from either end, so that flips change nothing."""
    places = np.arange(0, n, _SAMPLE)
    return np.union1d(places, n - 1 - places)


def cut_slices(
    data: np.ndarray, valid: np.ndarray, columns: Columns, axes: Iterable[str] = ("x", "y")
) -> dict[str, Slices]:
    """Displacements of every slice of every column, along x in rows of pixels and along y in
    columns of pixels.

    The image is processed in bands, which limits the memory; the noise is that of the middle band.

    Parameters
    ----------
    data : ndarray of float32, shape (H, W)
    valid : ndarray of bool, shape (H, W)
    columns : Columns
        Fitted to this image.
    axes : iterable of str
        Fast scan axes to compute.

    Returns
    -------
    dict of str to Slices
        Columns in their order.
    """
    sigma, height = float(np.median(columns.sigma_px)), len(data)
    margin = int(np.ceil(max(_REACH, _RENDERED) * sigma + TRUNCATE * _SLOW * sigma)) + 3
    n = max(1, round(data.size / _BAND)) | 1  # odd, so that there is a middle
    ends = np.rint(np.linspace(0, height, n + 1)).astype(int)
    band = np.searchsorted(ends[1:-1], columns.xy[:, 1], side="right")
    noise: _Noise | None = None
    parts: dict[str, list[Slices]] = {axis: [] for axis in axes}
    order = []
    for k in sorted(range(n), key=lambda k: (abs(2 * k + 1 - n), k)):
        low, high = max(ends[k] - margin, 0), min(ends[k + 1] + margin, height)
        near = np.flatnonzero(
            (columns.xy[:, 1] > low - margin) & (columns.xy[:, 1] < high + margin)
        )
        local = replace(columns.take(near), xy=columns.xy[near] - [0, low])
        residual, noise = _residual(data[low:high], valid[low:high], local, noise)
        order.append(near[band[near] == k])
        for axis, found in _band_slices(
            residual, local.take(band[near] == k), parts, sigma
        ).items():
            parts[axis].append(replace(found, row=found.row + low * (axis == "x")))
    place = np.argsort(np.concatenate(order))
    return {axis: _joined(found).take(place) for axis, found in parts.items()}


def _joined(parts: list[Slices]) -> Slices:
    return Slices(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in Slices.__dataclass_fields__)
    )


def _band_slices(
    residual: _Residual, columns: Columns, axes: Iterable[str], sigma: float
) -> dict[str, Slices]:
    """Slices of some columns of a band of the image, rows counted from its first."""
    reach, size = int(np.ceil(_REACH * sigma)), residual.light.shape
    steep = {
        axis: ndimage.correlate1d(residual.light, _DERIVATIVE, axis=axis == "x") * residual.weight
        for axis in axes
    }
    weight, scaled, *flanks = (
        np.lib.stride_tricks.sliding_window_view(np.pad(v, reach), (2 * reach + 1,) * 2)
        for v in (residual.weight, residual.scaled, *steep.values())
    )

    def cut(first: int) -> list[Slices]:
        some = columns.take(slice(first, first + _PART))
        x, y = (np.clip(v, 0, n - 1) for v, n in zip(np.rint(some.xy).astype(int).T, size[::-1]))
        windows = weight[y, x], scaled[y, x]
        return [
            _cut((*windows, flank[y, x]), some, axis, reach, size, sigma)
            for flank, axis in zip(flanks, steep)
        ]

    found = in_threads(cut, range(0, max(len(columns), 1), _PART))
    return {axis: _joined(list(parts)) for axis, parts in zip(steep, zip(*found))}


def _cut(
    windows: tuple[np.ndarray, ...],
    columns: Columns,
    axis: str,
    reach: int,
    size: tuple[int, int],
    sigma: float,
) -> Slices:
    """Slices of some columns from their windows (N, K, K): weight of the pixels, scaled residual,
    slope of the light along the axis times the weight; 0 beyond the frame.
    """
    fast, slow = (0, 1) if axis == "x" else (1, 0)
    place = np.rint(columns.xy).astype(int)[..., None] + np.arange(-reach, reach + 1)
    offset = place - columns.xy[..., None]
    two = 2 * columns.sigma_px[:, None] ** 2
    along, across = offset[:, fast], offset[:, slow]
    slope = (-2 * along / two * np.exp(-(along**2) / two)).astype(np.float32)
    height = np.where(columns.ok, np.maximum(columns.intensity, 0), 0)
    amplitude = height[:, None] * np.exp(-(across**2) / two)
    weight, moment, response = (
        np.matmul(w, f[..., None])[..., 0] if axis == "x" else np.matmul(f[:, None], w)[:, 0]
        for w, f in zip(windows, (slope**2, slope, slope))
    )
    weight, moment = amplitude**2 * weight, amplitude * moment
    response = amplitude * response / np.maximum(weight, 1e-30)
    row, alone = np.clip(place[:, slow], 0, size[axis == "y"] - 1), response > _ALONE
    weight, moment, response, across = (
        v.astype(np.float32)
        for v in (weight * alone, moment * alone, response * alone, across / sigma)
    )
    return Slices(row, weight, moment, response, across)
