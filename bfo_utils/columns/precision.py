"""Standard errors of fitted columns, from the covariance of the fit and the noise of its residuals.

The fit gives all pixels the same weight, but larger counts scatter more. The covariance of a
column's parameters is therefore that of ordinary least squares under unequal noise, ``(J'J)^-1 J'VJ
(J'J)^-1`` (White, Econometrica 48, 817, 1980), with the variance ``V = v0 + v1 m`` of a pixel of
expected value m fitted to the squared residuals of all columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..compute import owned_by_tile
from ..io import Image
from .detection import (
    WIDTH_LIMITS,
    Columns,
    FitState,
    FitWindows,
    cut_fit_windows,
    gaussian_factors,
    subtract_neighbors,
    window_corners,
)

_SAMPLE = 4000  # columns whose residuals the noise is estimated from
_BINS = 32  # of the expected value of a pixel, in the fit of its variance
_WILD = 3.0  # times the median squared residual of a window: contamination, not noise
_LEVERAGE = 0.9  # of a pixel on the fit, at most


@dataclass(frozen=True)
class ColumnErrors:
    """Standard errors of fitted columns, NaN where the fit is not reliable.

    Attributes
    ----------
    xy : ndarray, shape (N, 2)
        Standard errors of the positions along x and y, in px.
    intensity : ndarray, shape (N,)
        Standard errors of the amplitude, in the units of the image.
    noise : tuple of float
        Variance of a pixel as v0 + v1 m, m its expected value.
    """

    xy: np.ndarray
    intensity: np.ndarray
    noise: tuple[float, float]


@dataclass(frozen=True)
class FittedWindows:
    """Windows of a group of columns and their fits; the K x K pixels of a window form one axis of
    length P.

    Attributes
    ----------
    group : ndarray of int, shape (N,)
        The columns.
    row, col : ndarray, shape (N, P)
        Pixel coordinates.
    expected, residual : ndarray, shape (N, P)
        Value of the model, including neighbors, and image minus model.
    design : ndarray, shape (N, 5, P)
        Background, Gaussian, and its derivatives with respect to x, y and width, as used in the
        fit.
    stiffness : ndarray, shape (N,)
        Weight of the prior on the width, on the diagonal of the normal matrix.
    """

    group: np.ndarray
    row: np.ndarray
    col: np.ndarray
    expected: np.ndarray
    residual: np.ndarray
    design: np.ndarray
    stiffness: np.ndarray

    @property
    def normal(self) -> np.ndarray:
        """Normal matrices of the fits with their priors, shape (N, 5, 5)."""
        return normal_matrix(self.design, self.design, self.stiffness)

    @property
    def pulled(self) -> np.ndarray:
        """Contribution of every pixel to the coefficients per unit value, shape (N, 5, P)."""
        return np.matmul(_inverse(self.normal), self.design)


def normal_matrix(left: np.ndarray, right: np.ndarray, stiffness: np.ndarray) -> np.ndarray:
    """Normal matrices (N, 5, 5) of designs (N, 5, P), with the prior on the width."""
    out = np.matmul(left, right.transpose(0, 2, 1)).astype(float)
    out[:, 4, 4] += stiffness
    return out


def design_matrix(windows: FitWindows, state: FitState) -> np.ndarray:
    """Derivatives (N, 5, P) of the model with respect to its linear coefficients: 1, g, x g, y g
    and (x^2 + y^2) g.
    """
    one_x, g_x, xg, xxg = np.moveaxis(
        gaussian_factors(windows.x, state.xy[:, 0], state.sigma), 1, 0
    )
    one_y, g_y, yg, yyg = np.moveaxis(
        gaussian_factors(windows.y, state.xy[:, 1], state.sigma), 1, 0
    )
    pairs = ((one_y, one_x), (g_y, g_x), (g_y, xg), (yg, g_x))
    planes = [y[:, :, None] * x[:, None, :] for y, x in pairs]
    planes.append(g_y[:, :, None] * xxg[:, None, :] + yyg[:, :, None] * g_x[:, None, :])
    return np.stack(planes, axis=1).reshape(len(state.xy), 5, -1)


def width_prior(state: FitState, noise: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Weight of the prior on the last coefficient of the design, and its contribution to the
    right-hand side per unit of width.
    """
    slope = np.maximum(state.amplitude, 3 * noise) / state.sigma**3
    stiff = (noise / (WIDTH_LIMITS * width)) ** 2
    return stiff / slope**2, stiff / slope


def as_state(columns: Columns) -> FitState:
    """Fitted columns as the parameters of a fit."""
    return FitState(columns.xy, columns.intensity, columns.background, columns.sigma_px)


def fitted_windows(
    image: Image, columns: Columns, radius: float, every: int = 1
) -> Iterator[FittedWindows]:
    """Windows, models and residuals of the columns of an image, tile by tile.

    Parameters
    ----------
    image : Image
    columns : Columns
    radius : float
        Half width of the window that the columns were fitted in, in px.
    every : int
        Only every n-th column.

    Yields
    ------
    FittedWindows
    """
    half, state = max(2, round(radius)), as_state(columns)
    near = neighbors(columns)
    noise, width = pixel_noise(image), float(np.median(state.sigma))
    corners = window_corners(image.shape, columns.xy, half)
    for owners in owned_by_tile(columns.xy, image.shape):
        group = owners[owners % every == 0]
        if len(group):
            windows, own = cut_fit_windows(image, corners[group], half), state.take(group)
            alone = subtract_neighbors(windows, state, near[group])
            design = design_matrix(windows, own)
            model = own.background[:, None] * design[:, 0] + own.amplitude[:, None] * design[:, 1]
            residual = alone.data.reshape(model.shape) - model
            expected = windows.data.reshape(model.shape) - residual
            row, col = (
                np.broadcast_to(v, windows.data.shape).reshape(model.shape)
                for v in (windows.y[:, :, None], windows.x[:, None, :])
            )
            yield FittedWindows(
                group, row, col, expected, residual, design, width_prior(own, noise, width)[0]
            )


def neighbors(columns: Columns) -> np.ndarray:
    """Indices (N, 8) of the columns nearest to each, N where there is none."""
    return cKDTree(columns.xy).query(columns.xy, k=9, distance_upper_bound=3 * columns.spacing_px)[
        1
    ][:, 1:]


def pixel_noise(image: Image) -> float:
    """Noise of a pixel as assumed by the fit of the columns."""
    return max(image.noise, 1e-6 * float(np.ptp(image.data)))


def column_errors(image: Image, columns: Columns, radius: float) -> ColumnErrors:
    """Standard errors of the positions and amplitudes of fitted columns.

    Parameters
    ----------
    image : Image
        The image that they were fitted to.
    columns : Columns
    radius : float
        Half width of the window that they were fitted in, in px.

    Returns
    -------
    ColumnErrors

    Examples
    --------
    >>> from ..simulation import Specimen, simulate_phantom
    >>> from .detection import find_columns
    >>> p = simulate_phantom(Specimen(cells=12, cell_px=16, dose=100))
    >>> found = find_columns(p.image)
    >>> errors = column_errors(p.image, found, 0.45 * found.spacing_px)
    >>> bool(0.02 < np.nanmedian(errors.xy) < 0.2)
    True
    """
    noise = variance_of_pixels(image, columns, radius)
    xy, intensity = np.full((len(columns), 2), np.nan), np.full(len(columns), np.nan)
    for part in fitted_windows(image, columns, radius):
        own = columns.take(part.group)
        variance = np.diagonal(_covariance(part, noise), axis1=1, axis2=2)
        scale = own.sigma_px**2 / np.maximum(own.intensity, 1e-12)
        sound = own.ok[:, None]
        xy[part.group] = np.where(sound, np.sqrt(variance[:, 2:4]) * scale[:, None], np.nan)
        intensity[part.group] = np.where(own.ok, np.sqrt(variance[:, 1]), np.nan)
    return ColumnErrors(xy, intensity, noise)


def _covariance(part: FittedWindows, noise: tuple[float, float]) -> np.ndarray:
    """Covariance (N, 5, 5) of the coefficients under the noise v0 + v1 m."""
    least = noise[0] + noise[1] * np.median(part.expected)
    variance = np.maximum(noise[0] + noise[1] * part.expected, 0.05 * least)
    bread = _inverse(part.normal)
    meat = normal_matrix(part.design * variance[:, None], part.design, np.zeros(len(part.group)))
    return bread @ meat @ bread


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """Inverses of normal matrices, scaled to a unit diagonal first, as in the fit."""
    scale = np.sqrt(np.einsum("nii->ni", matrices))
    scale = scale[:, :, None] * scale[:, None, :]
    return np.linalg.inv(matrices / scale + 1e-6 * np.eye(matrices.shape[-1])) / scale


def variance_of_pixels(image: Image, columns: Columns, radius: float) -> tuple[float, float]:
    """Variance of a pixel as v0 + v1 m of its expected value m, from the residuals of a sample of
    columns.

    Residuals are smaller than the noise because each pixel pulls the fit toward itself; they are
    corrected for this factor.

    Parameters
    ----------
    image, columns, radius
        As for :func:`column_errors`.

    Returns
    -------
    v0, v1 : float
        v1 is 0 or more.
    """
    parts = list(fitted_windows(image, columns, radius, max(1, len(columns) // _SAMPLE)))
    sound = [columns.ok[p.group] for p in parts]
    expected = np.concatenate([p.expected[ok] for p, ok in zip(parts, sound)])
    squared = np.concatenate(
        [(p.residual**2 / (1 - _leverage(p)))[ok] for p, ok in zip(parts, sound)]
    )
    mean = squared.mean(axis=1)
    calm = mean <= _WILD * np.median(mean) if len(mean) else np.zeros(0, bool)
    if not calm.any():
        return pixel_noise(image) ** 2, 0.0
    return _line(expected[calm].ravel(), squared[calm].ravel())


def _leverage(part: FittedWindows) -> np.ndarray:
    """How much every pixel (N, P) pulls its own fit to itself, 0 .. 1."""
    return np.minimum((part.pulled * part.design).sum(axis=1), _LEVERAGE)


def _line(x: np.ndarray, squared: np.ndarray) -> tuple[float, float]:
    """Straight line through means of squared residuals over bins of x, weighted by scatter."""
    edges = np.linspace(x.min(), x.max() + 1e-12, _BINS + 1)
    at = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, _BINS - 1)
    count = np.bincount(at, minlength=_BINS)
    known = count > 20
    mean, middle = (np.bincount(at, v, _BINS)[known] / count[known] for v in (squared, x))
    if known.sum() < 2:
        return float(squared.mean()), 0.0
    slope, offset = np.polyfit(middle, mean, 1, w=np.sqrt(count[known]) / mean)
    if slope < 0 or offset + slope * middle.min() <= 0:
        return float(squared.mean()), 0.0
    return float(offset), float(slope)
