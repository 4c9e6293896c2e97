"""The linear model of the displacement of scan rows: data from slices, nuisance parameters, and the
prior for a scan.

The unknowns are the displacement s of every row and these nuisances: the positions of all B
columns, the positions of A columns about a smooth lattice, the shape common to columns of a kind
and, if rows of cells lie along the scan, everything that repeats with them. The polar displacement
is not used. All matrices over rows are banded, except for a few columns of the nuisances.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import linalg, sparse
from scipy.interpolate import BSpline

from ..columns import Slices
from .building import Lattice

KNOTS = 8.0  # cells between the knots of the smooth lattice
SCATTER = 0.006  # of a cell: first guess of how far A columns lie off the smooth lattice
# sixteenths of a cell: correlation lengths of the row displacement, besides none
LENGTHS = (1.5, 4.0, 10.0, 25.0)
_START = (0.01, 0.01, 0.01, 0.01, 0.03)  # px2: their variances before anything is known
_BOUNDS = 1e-7, 4.0  # px2
_TURNS = 9  # of the variances
_BLOCK = 384  # rows of the blocks from which variances are learned
_FINE = 48  # px per cell from which on three rows are taken together there
_ALONG = (
    1.5  # cells by which a row of cells may climb across the frame and still lie along the scan
)
# cells of that climb below which what repeats with the rows cannot be told from the shape of
# columns
_REPEATS = 0.1
_ORDERS = 5  # of what repeats with the rows of cells
# hum is looked for from 1 / (3.5 cells) to 7.2 per cell, at most 0.45 per row
_LINE_RANGE = (3.5, 7.2, 0.45)
# chi squared of a line of hum; the largest of some thousand frequencies by chance is about 20
_LINE = 30.0
_LINE_LEAST = 1e-4  # px2: least variance of the amplitude of a line
_FREE = 1e-12  # 1 / px2: next to nothing is known
_LEAST_KNOWN = 1e-12  # of what is known of a row of a block on average


@dataclass(frozen=True)
class Sites:
    """Indexed columns in the coordinates of a scan along x.

    Attributes
    ----------
    x : ndarray, shape (N,)
        Position along the scan, in px.
    is_a : ndarray of bool, shape (N,)
        Whether a column belongs to the A sublattice.
    ij : ndarray of int, shape (N, 2)
        Row and column of the crystal.
    off_lattice : ndarray, shape (N,)
        x of the A columns minus the best straight lattice, in px; 0 for B columns.
    place : ndarray, shape (N, 2)
        Position in the image, -1 to 1 along its longer side.
    climb : float
        Number of cells by which a row of cells rises across the frame.
    period_px, cell_px : float
        Distance of the rows of cells, and edge of a square with the area of the cell.
    """

    x: np.ndarray
    is_a: np.ndarray
    ij: np.ndarray
    off_lattice: np.ndarray
    place: np.ndarray
    climb: float
    period_px: float
    cell_px: float

    def take(self, index: np.ndarray) -> "Sites":
        """Some of the columns."""
        return replace(
            self,
            **{
                name: getattr(self, name)[index]
                for name in ("x", "is_a", "ij", "off_lattice", "place")
            },
        )

    @property
    def along(self) -> bool:
        """Whether rows of cells lie along the scan: they rise by less than 1.5 cells across the
        frame.
        """
        return self.climb < _ALONG


def sites_along(lattice: Lattice, axis: str) -> Sites:
    """The columns of a lattice in the coordinates of a scan along an axis ("x" or "y").

    Parameters
    ----------
    lattice : Lattice
    axis : {"x", "y"}

    Returns
    -------
    Sites
        For "y", x and y are exchanged.
    """
    turn = slice(None, None, -1 if axis == "y" else 1)
    xy, ij, vectors = (
        lattice.columns.xy[:, turn],
        lattice.ij[:, turn],
        lattice.cells.basis.vectors[turn, turn],
    )
    a, cell = lattice.sublattice == "A", lattice.cells.basis.cell_px
    straight = np.column_stack([np.ones(a.sum()), ij[a]])
    off = np.zeros(len(xy))
    off[a] = xy[a, 0] - straight @ np.linalg.lstsq(straight, xy[a, 0], rcond=None)[0]
    place = 2 * (xy - xy.mean(axis=0)) / max(float(np.ptp(xy, axis=0).max()), 1.0)
    return Sites(
        xy[:, 0],
        a,
        ij,
        off,
        place,
        float(abs(vectors[0, 1]) * np.ptp(ij[a, 1]) / cell),
        float(abs(vectors[1, 1])),
        cell,
    )


@dataclass(frozen=True)
class Equations:
    """Normal equations of the row displacements s (n rows) and the nuisances u (q of them): N s + C
    u = r, C' s + T u = v.

    Attributes
    ----------
    band : ndarray, shape (L, n)
        N: ``band[k, y]`` couples the rows y and y + k.
    right : ndarray, shape (n,)
    cross : ndarray, shape (n, q)
    nuisance : ndarray, shape (q, q)
    nuisance_right : ndarray, shape (q,)
    """

    band: np.ndarray
    right: np.ndarray
    cross: np.ndarray
    nuisance: np.ndarray
    nuisance_right: np.ndarray

    def __add__(self, other: "Equations") -> "Equations":
        return Equations(*(a + b for a, b in zip(vars(self).values(), vars(other).values())))

    def with_nuisances(
        self, cross: np.ndarray, own: np.ndarray, shared: np.ndarray, right: np.ndarray
    ) -> "Equations":
        """The same with more nuisances: their coupling to s, to each other and to the earlier ones,
        and their right side.
        """
        return replace(
            self,
            cross=np.hstack([self.cross, cross]),
            nuisance=np.block([[self.nuisance, shared], [shared.T, own]]),
            nuisance_right=np.concatenate([self.nuisance_right, right]),
        )


def multiply_band(band: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Product of a symmetric banded matrix (lower form, shape (L, n)) with columns of values (n,
    m).

    Examples
    --------
    >>> multiply_band(np.array([[2.0, 2, 2], [1, 1, 0]]), np.eye(3))[0].tolist()
    [2.0, 1.0, 0.0]
    """
    out = band[0, :, None] * values
    for k in range(1, min(len(band), len(values))):
        side = band[k, :-k, None]
        out[k:] += side * values[:-k]
        out[:-k] += side * values[k:]
    return out


def lattice_basis(ij: np.ndarray, step: float = KNOTS) -> sparse.csr_array:
    """Tensor product of cubic B-splines over the indices of columns: the smooth lattice.

    Parameters
    ----------
    ij : ndarray of int, shape (N, 2)
    step : float
        Distance of the knots in cells.

    Returns
    -------
    sparse array, shape (N, K)
        Functions with almost no columns are left out.
    """
    (i, n), (j, m) = (_splines(v - v.min(), step) for v in ij.T)
    at = i.indices.reshape(-1, 4, 1) * m + j.indices.reshape(-1, 1, 4)
    value = i.data.reshape(-1, 4, 1) * j.data.reshape(-1, 1, 4)
    full = sparse.csr_array(
        (value.ravel(), at.ravel(), np.arange(len(ij) + 1) * 16), shape=(len(ij), n * m)
    )
    return full[:, np.flatnonzero(full.sum(axis=0) > 0.05)]


def _splines(t: np.ndarray, step: float):
    """Cubic B-splines at whole numbers t from 0 on, and how many they are."""
    end = max(float(t.max()), 1.0)
    inner = np.linspace(0, end, max(1, round(end / step)) + 1)
    knots = np.concatenate([[0.0] * 3, inner, [end] * 3])
    return BSpline.design_matrix(np.clip(t.astype(float), 0, end), knots, 3).tocsr(), len(knots) - 4


def normal_equations(
    slices: Slices,
    sites: Sites,
    basis: sparse.csr_array,
    precision: np.ndarray,
    rows: tuple[int, int],
) -> Equations:
    """Normal equations of the row displacements, the positions of all columns eliminated.

    Parameters
    ----------
    slices : Slices
        Ordered by the row of their columns, all within the rows.
    sites : Sites
        The same columns.
    basis : sparse array, shape (n_A, K)
        Of the A columns, from :func:`lattice_basis`.
    precision : ndarray, shape (N,)
        1 / variance (1 / px2) of a column about the smooth lattice; 0 where its position is free.
    rows : tuple of int
        First pixel row and number of rows.

    Returns
    -------
    Equations
        Nuisances are the K functions of the lattice and eight shapes of the columns.
    """
    weight = slices.weight.astype(float)
    moment = slices.moment - weight * sites.off_lattice[:, None]
    row, total = slices.row - rows[0], weight.sum(axis=1)
    system = _System(row, weight * slices.response, total, precision, rows[1])
    seen = moment.sum(axis=1)
    equations = Equations(
        system.band(slices.response),
        system.summed(slices.response * moment - system.coupling * (seen * system.share)[:, None]),
        *system.lattice(sites.is_a, basis, seen),
    )
    return equations.with_nuisances(*_shapes(system, slices, sites, basis, weight, moment))


def _shapes(
    system: "_System",
    slices: Slices,
    sites: Sites,
    basis: sparse.csr_array,
    weight: np.ndarray,
    moment: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Displacement profiles over the offset that a kind of column shares (three powers for A and
    for B), and a shear (two parts): their coupling to rows, to each other and to the lattice, and
    their right side.
    """
    kinds = [*[sites.is_a] * 3, *[~sites.is_a] * 3, *sites.place.T]
    kinds = list(zip((0, 1, 2, 0, 1, 2, 0, 0), np.array(kinds, float)))
    t = slices.offset.astype(float)
    powers = [t, t * t, t * t * t]
    heavy = [weight * p for p in powers]
    held = [v.sum(axis=1) for v in heavy]
    own = [
        [_along(v, p) - h * g * system.share for p, g in zip(powers, held)]
        for v, h in zip(heavy, held)
    ]
    seen = moment.sum(axis=1) * system.share
    right = [_along(moment, p) - h * seen for p, h in zip(powers, held)]
    cross = [
        slices.response * v - system.coupling * (h * system.share)[:, None]
        for v, h in zip(heavy, held)
    ]
    shared = np.stack([f * held[k] * system.kept for k, f in kinds], axis=1)
    return (
        np.stack([system.summed(cross[k], f) for k, f in kinds], axis=1),
        np.array([[(f * g) @ own[j][k] for k, g in kinds] for j, f in kinds]),
        -(basis.T @ shared[sites.is_a]),
        np.array([f @ right[k] for k, f in kinds]),
    )


def _along(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Sums of products along rows."""
    return np.einsum("nr,nr->n", one, other)


@dataclass(frozen=True)
class _System:
    """Rows and columns, positions eliminated: row, coupling (N, R), weight and precision (N,)."""

    row: np.ndarray
    coupling: np.ndarray
    total: np.ndarray
    precision: np.ndarray
    n: int

    @cached_property
    def share(self) -> np.ndarray:
        """Variance (px2) of a position if all rows are known."""
        return 1 / (self.total + self.precision + _FREE)

    @cached_property
    def kept(self) -> np.ndarray:
        """Share of the information on a position that is information on the lattice."""
        return 1 - self.total * self.share

    @cached_property
    def _groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns whose slices lie in the same rows follow each other: where they end, and these
        rows (G, R).
        """
        width = self.row.shape[1]
        middle = self.row[:, width // 2]
        ends = np.append(np.flatnonzero(np.diff(middle)) + 1, len(middle))
        at = middle[ends - 1, None] + np.arange(width) - width // 2
        return np.append(0, ends), np.clip(at, 0, self.n - 1)

    def summed(
        self, values: np.ndarray, factor: np.ndarray | None = None, rows: slice = slice(None)
    ) -> np.ndarray:
        """Sums of values (N, R) times a factor (N,) over the slices in each row."""
        ends, at = self._groups
        factor = np.ones(len(values)) if factor is None else factor
        adding = sparse.csr_array(
            (factor, np.arange(len(values)), ends), shape=(len(at), len(values))
        )
        return np.bincount(at[:, rows].ravel(), (adding @ values).ravel(), minlength=self.n)

    def band(self, response: np.ndarray) -> np.ndarray:
        """Coupling of rows by the columns that they share: diag(w h h) - w h h' w / (total +
        precision), all columns added.
        """
        width, part = self.row.shape[1], self.coupling * self.share[:, None]
        band = np.zeros((min(width, self.n), self.n))
        for k in range(len(band)):
            first = slice(width - k)
            band[k] = -self.summed(part[:, first] * self.coupling[:, k:], rows=first)
        band[0] += self.summed(self.coupling * response)
        return band

    def lattice(
        self, is_a: np.ndarray, basis, right: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Coupling of the functions of the lattice to rows and to each other, and their right
        side.
        """
        k, width = np.flatnonzero(is_a), self.row.shape[1]
        value = self.coupling[k] * self.kept[k, None]
        scatter = sparse.csr_array(
            (value.ravel(), (self.row[k].ravel(), np.repeat(np.arange(len(k)), width))),
            shape=(self.n, len(k)),
        )
        own = basis.T @ (basis * (self.total * self.kept)[k, None])
        return -(scatter @ basis).toarray(), own.toarray(), -(basis.T @ (right * self.kept)[k])


def ridged(equations: Equations, lattice: int, spread: float) -> Equations:
    """Equations whose first nuisances, the functions of the lattice, have a prior spread (px); the
    other nuisances are almost free.
    """
    own = equations.nuisance.copy()
    diagonal = np.diagonal(own).copy()
    own[np.diag_indices(len(own))] += 1e-7 * diagonal + 1e-9
    own[np.arange(lattice), np.arange(lattice)] += 1 / (4 * spread**2 + 1e-4)
    return replace(equations, nuisance=own)


def without_repeats(equations: Equations, sites: Sites, first: int) -> Equations:
    """Equations with displacements that repeat with rows of cells as nuisances, if these rows lie
    exactly along the scan.

    Such a displacement cannot be distinguished from a shape common to the columns. It absorbs a
    polar displacement that is uniform or linear in y.
    """
    if sites.climb >= _REPEATS:
        return equations
    n = len(equations.right)
    y, slope = np.arange(n) + first, np.linspace(-1, 1, n)
    phase = 2 * np.pi * np.arange(1, _ORDERS + 1) * y[:, None] / sites.period_px
    waves = np.hstack([np.cos(phase), np.sin(phase)])
    waves = np.hstack([waves, waves * slope[:, None]])
    cross = multiply_band(equations.band, waves)
    own = waves.T @ cross
    own[np.diag_indices(len(own))] *= 1 + 1e-6
    return equations.with_nuisances(
        cross, own, equations.cross.T @ waves, waves.T @ equations.right
    )


def _kernels(cell_px: float, lag: np.ndarray) -> list[np.ndarray]:
    """Correlations of rows ``lag`` px apart: white, and squared exponentials of LENGTHS."""
    return [(lag == 0) * 1.0] + [
        np.exp(-0.5 * (lag * 16 / (length * cell_px)) ** 2) for length in LENGTHS
    ]


def prior_band(variances: np.ndarray, cell_px: float, n: int) -> np.ndarray:
    """Precision of n rows as a banded matrix (lower form): the autoregressive process with the same
    covariance over two cells.

    Parameters
    ----------
    variances : ndarray, shape (5,)
        In px2: of single rows, and of terms of the correlation lengths :data:`LENGTHS`.
    cell_px : float
    n : int

    Returns
    -------
    ndarray, shape (order + 1, n)
    """
    order = min(int(np.ceil(2 * cell_px)), (n - 1) // 2)
    c = variances @ np.stack(_kernels(cell_px, np.arange(order + 1.0)))
    c[0] += 1e-4 * c[0]
    a = np.concatenate([[1.0], -linalg.solve_toeplitz(c[:order], c[1:])])
    step = float(a @ c)
    band = np.zeros((order + 1, n))
    for k in range(order + 1):
        total = np.cumsum(a[: order + 1 - k] * a[k:]) / step
        at = np.arange(n - k)
        band[k, : n - k] = total[np.minimum(np.minimum(at, n - 1 - k - at), order - k)]
    return band


def learned_variances(
    blocks: list[tuple[np.ndarray, np.ndarray]],
    cell_px: float,
    rows: int,
    lines: tuple[float, ...] = (),
    turns: int = _TURNS,
    start: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """Variances of the terms of the row displacement from dense equations of some blocks of rows,
    and the gain in likelihood.

    Fixed point of the restricted likelihood: v becomes v sqrt(alpha' C alpha / tr(G C)), G = (1 + N
    C)^-1 N.

    Parameters
    ----------
    blocks : list of (ndarray, ndarray)
        N and right side of each, every ``rows`` pixel rows taken together.
    cell_px : float
    rows : int
    lines : tuple of float
        Frequencies of hum lines (per row).
    turns : int
        Iterations toward the fixed point.
    start : ndarray, optional
        Initial variances.

    Returns
    -------
    variances : ndarray, shape (5 + number of lines,)
    gain : float
        Log likelihood relative to undisplaced rows, before the last iteration.
    """
    # white displacement of rows averages out in their mean
    scale = np.array([rows] + [1] * (len(LENGTHS) + len(lines)))
    v = np.array(_START + _START[-1:] * len(lines)) if start is None else start / scale
    inverse = [_Inverse.of(*block) for block in blocks]
    gain = 0.0
    for _ in range(turns):
        found, expected, gain = np.zeros(len(v)), np.zeros(len(v)), 0.0
        for block in inverse:
            lag = np.arange(len(block.solved)) * float(rows)
            kernels = _kernels(cell_px, lag) + [np.cos(2 * np.pi * f * lag) for f in lines]
            seen, chance, gained = block.lags(v @ kernels)
            found, expected, gain = (
                found + kernels @ seen,
                expected + kernels @ chance,
                gain + gained,
            )
        v = np.clip(v * np.sqrt(found / np.maximum(expected, 1e-30)), *_BOUNDS)
    return v * scale, float(gain)


@dataclass(frozen=True)
class _Inverse:
    """Dense equations N s = r of a block: N^-1 (lower triangle), N^-1 r, log determinant of N."""

    right: np.ndarray
    solved: np.ndarray
    matrix: np.ndarray
    log_det: float

    @classmethod
    def of(cls, matrix: np.ndarray, right: np.ndarray) -> "_Inverse":
        """Posterior of equations that may lack rows: almost nothing is known about these."""
        held = matrix + _LEAST_KNOWN * matrix.trace() / len(matrix) * np.eye(len(matrix))
        factor = linalg.lapack.dpotrf(held, lower=1, clean=1)[0]
        solved = linalg.lapack.dpotrs(factor, right, lower=1)[0]
        log_det = 2 * float(np.log(np.diagonal(factor)).sum())
        return cls(right, solved, linalg.lapack.dpotri(factor, lower=1)[0], log_det)

    def lags(self, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Sums over pairs of rows at every distance of alpha alpha' and of G, for displacements
        with a given covariance over the distance, and their gain in log likelihood.
        """
        n = len(covariance)
        lag = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        factor = linalg.lapack.dpotrf(self.matrix + covariance[lag], lower=1, clean=1)[0]
        alpha = linalg.lapack.dpotrs(factor, self.solved, lower=1)[0]
        gain = alpha @ linalg.matmul_toeplitz(covariance, self.right) - self.log_det
        gain -= 2 * np.log(np.diagonal(factor)).sum()
        lower = linalg.lapack.dpotri(factor, lower=1)[0]
        twice = np.where(np.arange(n) > 0, 2.0, 1.0)
        pairs = np.correlate(alpha, alpha, "full")[n - 1 :]
        return twice * pairs, twice * np.bincount(lag.ravel(), lower.ravel("K")), gain / 2


def dense_block(equations: Equations, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """N and right side with the nuisances eliminated, every ``rows`` pixel rows taken together."""
    band, n = equations.band, len(equations.right)
    at = np.arange(n)
    lag = np.abs(np.subtract.outer(at, at))
    full = np.vstack([band, np.zeros(n)])[np.minimum(lag, len(band)), np.minimum.outer(at, at)]
    solved = np.linalg.solve(
        equations.nuisance, np.column_stack([equations.cross.T, equations.nuisance_right])
    )
    full -= equations.cross @ solved[:, :-1]
    right = equations.right - equations.cross @ solved[:, -1]
    m = n // rows
    return full.reshape(m, rows, m, rows).sum(axis=(1, 3)), right.reshape(m, rows).sum(axis=1)


def block_rows(height: int, cell_px: float) -> tuple[list[tuple[int, int]], int]:
    """Evenly spaced blocks (first row, number of rows) for the estimate of variances, and the
    number of rows combined there.
    """
    rows = 3 if cell_px >= _FINE else 1
    # as many rows left on either side, so that flips change nothing
    size = min(height // rows, _BLOCK + (height - _BLOCK) % 2)
    size -= (height - rows * size) % 2
    n = min(3, max(1, height // (rows * size)))
    left = height - rows * size
    starts = {1: [left // 2], 2: [0, left], 3: [0, left // 2, left]}[n]
    return [(start, rows * size) for start in starts], rows


@dataclass(frozen=True)
class Posterior:
    """Posterior of the row displacements: mean, and covariance A^-1 + W W', A banded.

    Attributes
    ----------
    mean : ndarray, shape (n,)
        In px.
    nuisances : ndarray, shape (q,)
    factor : ndarray, shape (L, n)
        Banded Cholesky factor of A (lower form).
    half : ndarray, shape (n, q)
        The inverse of that factor times the coupling to the nuisances.
    schur : ndarray, shape (q, q)
        Lower Cholesky factor of the information on the nuisances.
    """

    mean: np.ndarray
    nuisances: np.ndarray
    factor: np.ndarray
    half: np.ndarray
    schur: np.ndarray

    @property
    def spread(self) -> np.ndarray:
        """W, shape (n, q)."""
        across = _solve_factor(self.factor, self.half, "T")
        return linalg.solve_triangular(self.schur, across.T, lower=True, check_finite=False).T

    def multiply(self, values: np.ndarray) -> np.ndarray:
        """Covariance times columns of values (n, m)."""
        own = _solve_factor(self.factor, values)
        shared = self.half @ linalg.cho_solve((self.schur, True), self.half.T @ own)
        return _solve_factor(self.factor, own + shared, "T")


def _solve_factor(factor: np.ndarray, values: np.ndarray, trans: str = "N") -> np.ndarray:
    """The inverse of a banded lower triangle ("N"), or of its transpose ("T"), times values."""
    return linalg.lapack.dtbtrs(factor, values, uplo="L", trans=trans)[0]


def solve_rows(equations: Equations, prior: np.ndarray) -> Posterior:
    """Row displacements under a prior precision (banded, lower form).

    Parameters
    ----------
    equations : Equations
    prior : ndarray, shape (order + 1, n)

    Returns
    -------
    Posterior
    """
    band = np.zeros((max(len(prior), len(equations.band)), len(equations.right)))
    band[: len(prior)] += prior
    band[: len(equations.band)] += equations.band
    factor = linalg.cholesky_banded(band, lower=True)
    solved = _solve_factor(factor, np.column_stack([equations.cross, equations.right]))
    half, alone = solved[:, :-1], solved[:, -1]
    schur = linalg.cholesky(equations.nuisance - half.T @ half, lower=True)
    nuisances = linalg.cho_solve((schur, True), equations.nuisance_right - half.T @ alone)
    mean = _solve_factor(factor, alone - half @ nuisances, "T")
    return Posterior(mean, nuisances, factor, half, schur)


def find_line(
    equations: Equations,
    prior: np.ndarray,
    posterior: Posterior,
    sites: Sites,
    known: tuple[float, ...] = (),
) -> tuple[float, float] | None:
    """The strongest hum line: its frequency (per row) and variance (px2), None if there is none.

    It uses a score test of every frequency against the prior without it.

    Parameters
    ----------
    equations : Equations
        Without lines.
    prior : ndarray
        Prior precision without lines.
    posterior : Posterior
        Solved with the lines that are ``known``.
    sites : Sites
    known : tuple of float
        Frequencies of the lines found so far.
    """
    n, cell = len(equations.right), sites.cell_px
    frequency = np.arange(
        1 / (_LINE_RANGE[0] * cell), min(_LINE_RANGE[2], _LINE_RANGE[1] / cell), 0.25 / n
    )
    q = equations.cross.shape[1]
    alpha = (
        equations.right
        - multiply_band(equations.band, posterior.mean[:, None])[:, 0]
        - equations.cross @ posterior.nuisances[:q]
    )
    spectrum = np.fft.rfft(alpha, 4 * n)
    power = np.abs(np.interp(frequency, np.arange(len(spectrum)) / (4 * n), np.abs(spectrum)))
    info = _information(prior, posterior, frequency)
    chi = power**2 / info
    for other in known:
        chi[np.abs(frequency - other) < 2 / n] = 0
    if sites.climb < _REPEATS:
        repeats = frequency * sites.period_px
        chi[np.abs(repeats - np.rint(repeats)) * n / sites.period_px < 1.5] = 0
    k = int(np.argmax(chi))
    return (float(frequency[k]), float(power[k] / info[k]) ** 2) if chi[k] > _LINE else None


def _information(
    prior: np.ndarray, posterior: Posterior, frequency: np.ndarray, points: int = 48
) -> np.ndarray:
    """Information (1 / px2) on the amplitude of a wave of each frequency, interpolated."""
    some = np.linspace(frequency[0], frequency[-1], points)
    phase = 2 * np.pi * some * (np.arange(prior.shape[1]) - (prior.shape[1] - 1) / 2)[:, None]
    waves = np.hstack([np.cos(phase), np.sin(phase)])
    held = multiply_band(prior, waves)
    info = ((waves - posterior.multiply(held)) * held).sum(axis=0)
    return np.interp(frequency, some, np.maximum((info[:points] + info[points:]) / 2, 1e-9))


def with_lines(
    equations: Equations, prior: np.ndarray, lines: list[tuple[float, float]]
) -> Equations:
    """Equations with a prior that includes hum lines: the waves are part of s, their amplitudes are
    nuisances.

    Parameters
    ----------
    equations : Equations
    prior : ndarray, shape (order + 1, n)
        Precision without lines.
    lines : list of (float, float)
        Frequency (per row) and variance (px2) of each.
    """
    if not lines:
        return equations
    n = len(equations.right)
    phase = 2 * np.pi * np.array([f for f, _ in lines]) * (np.arange(n) - (n - 1) / 2)[:, None]
    waves = np.hstack([np.cos(phase), np.sin(phase)])
    held = multiply_band(prior, waves)
    own = waves.T @ held + np.diag(np.tile([1 / max(v, _LINE_LEAST) for _, v in lines], 2))
    return equations.with_nuisances(
        -held, own, np.zeros((equations.cross.shape[1], 2 * len(lines))), np.zeros(2 * len(lines))
    )
