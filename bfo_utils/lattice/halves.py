"""Two measurements from two halves of the pixels; their difference is pure noise.

Every column is fitted again in either half, from the full fit and with its neighbors subtracted. If
the noise is white, the errors of the halves are independent, each sqrt(2) times that of the full
fit, and their mean is the full fit. A map from one half can therefore be tested in the other
(Neufeld et al., JMLR 25, 2024). A scan error displaces whole rows, so the halves are odd and even
rows along the fast axis. If no axis stands out, they are the two colors of a checkerboard. Both
rules rotate with the image.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..columns import (
    Columns,
    FitState,
    FitWindows,
    as_state,
    cut_fit_windows,
    design_matrix,
    fitted_windows,
    neighbors,
    normal_matrix,
    pixel_noise,
    scatter_fits,
    subtract_neighbors,
    width_prior,
    window_corners,
)
from ..compute import owned_by_tile
from ..io import Image
from .building import Lattice
from .cells import Cells

AXES = ("x", "y", "none")  # fast scan axis
_STEPS = 2  # Gauss-Newton steps from the full fit
_SAMPLE = 4000  # columns that the noise is looked at in
# times the variance of displacements common to rows along the other axis, and that of white noise:
# the rows are those of a scan
_EXCESS = 1.3
MOST_CORRELATED = (
    0.05  # between the noise of neighboring pixels: above, the halves are not independent
)


@dataclass(frozen=True)
class RowNoise:
    """Properties of scan and noise from the residuals of the fit.

    Attributes
    ----------
    excess_x, excess_y : float
        Displacement common to a row of pixels along x (a column of pixels, along y): its variance
        divided by that of white noise, minus 1.
    correlation_x, correlation_y : float
        Correlation between the noise of pixels next to each other along x, and along y.
    """

    excess_x: float
    excess_y: float
    correlation_x: float
    correlation_y: float

    @property
    def fast_axis(self) -> str:
        """Axis along which the scan rows lie; "none" if neither axis stands out from the other and
        from white noise. Corrected rows share less than white noise.
        """
        x, y = 1 + self.excess_x, 1 + self.excess_y
        if x > _EXCESS * max(y, 1):
            return "x"
        return "y" if y > _EXCESS * max(x, 1) else "none"


@dataclass(frozen=True)
class Halves:
    """The cells of an image measured from two halves of its pixels.

    Attributes
    ----------
    cells : tuple of Cells
        The same cells, from either half; their mean is the measurement from all pixels.
    axis : {"x", "y", "none", "frames"}
        Fast axis whose rows belong to the halves alternately; "none": a checkerboard; "frames": the
        halves are means of every other frame.
    correlation : float
        Largest correlation between the noise of a pixel of one half and that of its neighbor in the
        other.
    """

    cells: tuple[Cells, Cells]
    axis: str
    correlation: float

    @property
    def independent(self) -> bool:
        """Whether the noise of the two halves can be treated as independent."""
        return bool(abs(self.correlation) <= MOST_CORRELATED)

    @property
    def polar(self) -> tuple[np.ndarray, np.ndarray]:
        """The two fields of the polar displacement, shape (R, C, 2) each, in px."""
        return self.cells[0].polar, self.cells[1].polar

    def standard_error(self, quantity: str = "polar") -> np.ndarray:
        """Robust standard error of a quantity of the full fit over all cells, from the difference
        of the halves.

        Parameters
        ----------
        quantity : str
            Name of an attribute of :class:`bfo_utils.lattice.Cells`: polar, a, b, angle, rotation.

        Returns
        -------
        ndarray
            One number, or one for x and one for y.
        """
        one, two = (getattr(cells, quantity)[cells.valid] for cells in self.cells)
        return 1.4826 * np.nanmedian(np.abs(one - two) / 2, axis=0)


def half_fits(
    image: Image, lattice: Lattice, refinement_radius: float = 0.45, axis: str = "auto"
) -> Halves:
    """Measure the cells of an image twice, from two halves of its pixels.

    Parameters
    ----------
    image : Image
        The image that the columns were fitted to.
    lattice : Lattice
    refinement_radius : float
        Value that the columns were fitted with, see :func:`bfo_utils.columns.find_columns`.
    axis : {"auto", "x", "y", "none"}
        Fast scan axis; "auto" determines it from the residuals of the fit.

    Returns
    -------
    Halves

    Examples
    --------
    >>> from ..columns import find_columns
    >>> from ..simulation import Specimen, simulate_phantom
    >>> from .building import build_lattice
    >>> p = simulate_phantom(Specimen(cells=12, cell_px=16, dose=100))
    >>> halves = half_fits(p.image, build_lattice(p.image, find_columns(p.image)))
    >>> halves.independent, halves.standard_error().shape
    (True, (2,))
    """
    radius = refinement_radius * lattice.columns.spacing_px
    if image.halves is not None:
        of_frames = [replace(image, data=half) for half in image.halves]
        one, two = (_half(half, lattice, radius, "frames", 0) for half in of_frames)
        return Halves((one, two), "frames", 0.0)
    noise = row_noise(image, lattice, radius)
    axis = noise.fast_axis if axis == "auto" else axis
    one, two = (_half(image, lattice, radius, axis, parity) for parity in (0, 1))
    across = {"x": (noise.correlation_y,), "y": (noise.correlation_x,)}.get(
        axis, (noise.correlation_x, noise.correlation_y)
    )
    return Halves((one, two), axis, max(across, key=abs))


def half_image(image: Image, axis: str, parity: int) -> Image:
    """The image from one half of its pixels, with the other pixels replaced by means of their
    neighbors; for a stack, the mean of every other frame.

    Parameters
    ----------
    image : Image
    axis : {"x", "y", "none", "frames"}
        As of :class:`Halves`.
    parity : {0, 1}
        Which half.

    Returns
    -------
    Image

    Examples
    --------
    >>> from ..io import image_from_array
    >>> image = image_from_array(np.tile([[0.0], [5.0], [2.0], [7.0]], (8, 32)))
    >>> half_image(image, "x", 0).data[:4, 0].tolist()
    [0.0, 1.0, 2.0, 1.0]
    """
    if image.halves is not None:
        return replace(image, data=image.halves[parity], halves=None)
    row, col = ((np.arange(n) % 2).astype(np.uint8) for n in image.shape)
    own = np.broadcast_to(_line(row[:, None], col, axis) % 2 == parity, image.shape)
    total, count = np.zeros((2, *image.shape), np.float32)
    for along in {"x": (0,), "y": (1,)}.get(axis, (0, 1)):
        here, there = (np.s_[1:, :], np.s_[:-1, :]) if along == 0 else (np.s_[:, 1:], np.s_[:, :-1])
        for target, source in ((here, there), (there, here)):
            total[target] += image.data[source]
            count[target] += 1
    return replace(image, data=np.where(own, image.data, total / count))


def _line(row: np.ndarray, col: np.ndarray, axis: str) -> np.ndarray:
    """Number of the line of pixels, of which even and odd ones belong to different halves."""
    return {"x": row, "y": col}.get(axis, row + col)


def row_noise(image: Image, lattice: Lattice, radius: float) -> RowNoise:
    """Displacements common to rows of pixels, and the correlation of the noise, from the residuals
    of the fitted columns.

    Parameters
    ----------
    image : Image
    lattice : Lattice
    radius : float
        Half width of the window that its columns were fitted in, in px.

    Returns
    -------
    RowNoise
    """
    columns = lattice.columns
    parts = list(fitted_windows(image, columns, radius, max(1, len(columns) // _SAMPLE)))
    along_x, along_y = _correlations(parts, columns.ok, lattice.sublattice)
    return RowNoise(
        _excess(parts, columns, image.shape, 0),
        _excess(parts, columns, image.shape, 1),
        along_x,
        along_y,
    )


def _excess(parts, columns: Columns, shape, axis: int) -> float:
    """Variance of displacements common to a row along an axis, over that of white noise, - 1."""
    size = shape[axis]
    sums = np.zeros((2, size))
    for part in parts:
        ok = columns.ok[part.group]
        line = (part.row, part.col)[axis][ok].astype(int).ravel()
        pushed = (part.design[ok, 2 + axis] * part.residual[ok]).ravel()
        sums += [np.bincount(line, values, size) for values in (pushed, pushed**2)]
    return float((sums[0] ** 2).sum() / max(sums[1].sum(), 1e-30) - 1)


def _correlations(parts, ok: np.ndarray, sublattice: np.ndarray) -> tuple[float, float]:
    """Correlation of the noise of pixels next to each other along x and along y.

    From residuals, less what all columns of a sublattice share (their shape is not quite Gaussian),
    and less the correlation that a fit gives to the residuals of white noise.
    """
    sums = np.zeros((2, 2))
    for name in np.unique(sublattice):
        own = ok & (sublattice == name)
        picked = [own[p.group] for p in parts]
        if sum(map(np.count_nonzero, picked)) > 1:
            residual = np.concatenate([p.residual[at] for p, at in zip(parts, picked)])
            pulled = np.concatenate([p.pulled[at] for p, at in zip(parts, picked)])
            design = np.concatenate([p.design[at] for p, at in zip(parts, picked)])
            sums += _neighboring(residual - residual.mean(axis=0), pulled, design)
    x, y = sums[0] / np.maximum(sums[1], 1e-30)
    return float(x), float(y)


def _neighboring(residual: np.ndarray, pulled: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Covariance of noise of neighbors along x and y, and its variance, summed: shape (2, 2)."""
    side = int(np.sqrt(residual.shape[-1]))
    r, left, right = (v.reshape(len(v), -1, side, side) for v in (residual, pulled, design))
    variance = float((r**2).sum() / (r.size - (left * right).sum()))
    along_x = [float((p[..., 1:] * q[..., :-1]).sum()) for p, q in ((r, r), (left, right))]
    along_y = [float((p[..., 1:, :] * q[..., :-1, :]).sum()) for p, q in ((r, r), (left, right))]
    pairs = variance * len(r) * side * (side - 1)
    return np.array(
        [[product + variance * fitted for product, fitted in (along_x, along_y)], [pairs, pairs]]
    )


def _half(image: Image, lattice: Lattice, radius: float, axis: str, parity: int) -> Cells:
    """Cells of an image from the columns fitted to one half of its pixels."""
    columns, half = lattice.columns, max(2, round(radius))
    state, near, corners = (
        as_state(columns),
        neighbors(columns),
        window_corners(image.shape, columns.xy, half),
    )
    groups = [group for group in owned_by_tile(columns.xy, image.shape) if len(group)]
    noise, width = pixel_noise(image), float(np.median(columns.sigma_px))
    for _ in range(_STEPS):
        parts = []
        for group in groups:
            alone = subtract_neighbors(
                cut_fit_windows(image, corners[group], half), state, near[group]
            )
            parts.append(
                _half_step(alone, state.take(group), _chosen(alone, axis, parity), noise, width)
            )
        state = scatter_fits(parts, groups)
    return lattice.cells_at(np.where(columns.ok[:, None], state.xy, columns.xy), state.amplitude)


def _chosen(windows: FitWindows, axis: str, parity: int) -> np.ndarray:
    """Which pixels (N, P) of the windows belong to a half."""
    row, col = windows.y.astype(int)[:, :, None], windows.x.astype(int)[:, None, :]
    if axis == "frames":
        return np.ones((len(row), 1, windows.data[0].size), bool)
    own = _line(row, col, axis) % 2 == parity
    return np.broadcast_to(own, windows.data.shape).reshape(len(row), 1, -1)


def _half_step(
    windows: FitWindows, state: FitState, chosen: np.ndarray, noise: float, width: float
) -> FitState:
    """One Gauss-Newton step of the fit on the chosen pixels (N, 1, P)."""
    design = design_matrix(windows, state)
    used = design * chosen
    stiffness, pull = width_prior(state, noise, width)
    a = normal_matrix(used, design, stiffness)
    b = np.matmul(used, windows.data.reshape(len(used), -1, 1))[..., 0].astype(float)
    b[:, 4] += pull * (width - state.sigma)
    scale = np.sqrt(np.einsum("nii->ni", a))
    a = a / (scale[:, :, None] * scale[:, None, :]) + 1e-6 * np.eye(5)
    c = np.linalg.solve(a, (b / scale)[..., None])[..., 0] / scale
    amplitude = np.where(np.abs(c[:, 1]) < 1e-12, 1e-12, c[:, 1])
    most = 0.5 * state.sigma
    move = np.clip(c[:, 2:4] * (state.sigma**2 / amplitude)[:, None], -most[:, None], most[:, None])
    widen = np.clip(c[:, 4] * state.sigma**3 / amplitude, -0.2 * state.sigma, 0.2 * state.sigma)
    return FitState(state.xy + move, c[:, 1], c[:, 0], state.sigma + widen)
