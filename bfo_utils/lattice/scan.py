"""Scan distortion: measurement, without the polar displacement, and correction of the displacement
of every scan row.

A scan records an image row by row. Vibration, mains hum and the electronics displace rows along the
fast axis. A and B columns lie in different rows, so their distance changes although the crystal
does not: a scan of a cubic crystal can show domains with walls along its rows. The position of
every row is measured from all columns that it crosses; see :mod:`bfo_utils.lattice`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import fft, linalg, ndimage, sparse
from scipy.spatial import cKDTree

from ..columns import Columns, Slices, cut_slices, smooth_rows
from ..compute import in_threads
from ..errors import InputError
from ..io import Image, displace_rows
from .building import Lattice, superstructures
from .cells import Cells
from .scan_model import (
    SCATTER,
    Equations,
    Posterior,
    Sites,
    block_rows,
    dense_block,
    find_line,
    lattice_basis,
    learned_variances,
    normal_equations,
    prior_band,
    ridged,
    sites_along,
    solve_rows,
    with_lines,
    without_repeats,
)

AXES = ("auto", "x", "y", "none")
LEAST = (
    0.005  # of a cell: smaller apparent polar displacements (rms) of the scan are not corrected,
)
# unless they exceed those of independently displaced rows by more than this
BEYOND = 0.002
SEEN = 2.0  # log likelihood that displaced rows must gain; where they are not displaced it falls
SMOOTH = 3.0  # cells: slower displacements shift A and B columns equally, and belong to the drift
# correlation of what the left and the right half of the image say, below which a band of periods is
# left alone
AGREE = 0.3
LINES = 2  # of hum, at most
LOST = 0.03  # of the cells: a correction that costs more is undone
_NEAR = 1.25  # cells: up to there columns have four neighbors of their own kind, four of the other
_OUTLIER = 4.5  # robust sigmas from which on an A column is no part of the smooth lattice
_LEAST_SCATTER = 0.003  # of a cell
_FIRST_TURNS, _MORE_TURNS = 3, 6  # of the variances: until an axis is chosen, and for that one
_NEARBY = 0.7  # sigma of a column: columns whose rows move no farther are not looked for anew
_ROWS = 8  # of every cell at which the errors that a scan leaves are computed
_FEW = 9  # A columns: with fewer, a block of rows says nothing
# sigma of a column: larger displacements, and rows along the scan, are measured once more on the
# corrected image
_LARGE = 1.0


@dataclass(frozen=True)
class ScanDistortion:
    """Displacement of the rows of a scan: I(x, y) = M(x + s(y), y), M the undistorted image.

    Attributes
    ----------
    axis : str
        Fast axis, "x" or "y"; "none" if no row is displaced, or if no measurement was made.
    displacement_px : ndarray, shape (n,)
        s of every row (along y, of every pixel column), without periods longer than about three
        cells.
    sd_px : ndarray, shape (n,)
        Its posterior standard deviation.
    factor, spread : ndarray, shapes (L, n) and (n, q)
        Posterior covariance A^-1 + W W': banded Cholesky factor of A (lower form) and W.
    cell_px, sigma_px : float
        Edge of a cell, and width of its columns.
    rms_px, polar_rms_px, white_rms_px : float
        Of the displacement of rows, of the apparent polar displacement that it causes along the
        axis, and of that of independently displaced rows: such jitter averages out over the columns
        and is not shared by two rows of cells.
    shift_rms_px : float
        Hum lines as sampled by the columns. If they beat with the lattice they look like strain,
        although A and B columns move together. Other displacements of this kind may belong to the
        crystal.
    line_px : ndarray, shape (m, 2)
        Hum lines: period in rows, amplitude in px.
    peak_px : float
        Period (rows) of the maximum of the displacement spectrum; 0 if there is none.
    explained : float
        Share of the variance of the polar displacement along the axis that the scan explains; NaN
        if it cannot be measured.
    along : bool
        Whether rows of cells lie along the scan, so that walls along the fast axis cannot be
        distinguished from scan errors.
    corrected : bool
        Whether the image was corrected.
    """

    axis: str = "none"
    displacement_px: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)
    sd_px: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)
    factor: np.ndarray = field(default_factory=lambda: np.ones((1, 0)), repr=False)
    spread: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)), repr=False)
    cell_px: float = 1.0
    sigma_px: float = 1.0
    rms_px: float = 0.0
    polar_rms_px: float = 0.0
    white_rms_px: float = 0.0
    shift_rms_px: float = 0.0
    line_px: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)), repr=False)
    peak_px: float = 0.0
    explained: float = float("nan")
    along: bool = False
    corrected: bool = False

    @property
    def matters(self) -> bool:
        """Whether the scan causes apparent polar displacements that are visible and exceed 0.5 % of
        a cell (rms), or 0.2 % beyond independent rows; or whether its hum moves columns by 0.5 %.
        """
        beyond = self.polar_rms_px**2 - self.white_rms_px**2
        counts = self.polar_rms_px > LEAST * self.cell_px or beyond > (BEYOND * self.cell_px) ** 2
        return self.shift_rms_px > LEAST * self.cell_px or (counts and self.explained > 0)


@dataclass(frozen=True)
class _Problem:
    """Slices of an image, their columns, and the prior of the lattice: spread, precision."""

    slices: Slices
    sites: Sites
    height: int
    basis: sparse.csr_array
    spread: float
    precision: np.ndarray

    def equations(self) -> Equations:
        """Normal equations of all rows, but for what is known of the nuisances."""
        return normal_equations(
            self.slices, self.sites, self.basis, self.precision, (0, self.height)
        )

    def complete(self, equations: Equations, first: int = 0) -> Equations:
        """Equations with all that is known of the nuisances."""
        return without_repeats(
            ridged(equations, self.basis.shape[1], self.spread), self.sites, first
        )

    def part(self, index: np.ndarray) -> "_Problem":
        """The same for some of the columns."""
        return replace(
            self,
            slices=self.slices.take(index),
            sites=self.sites.take(index),
            precision=self.precision[index],
            basis=self.basis[index[self.sites.is_a]],
        )


@dataclass(frozen=True)
class _Rows:
    """Displacement of the rows: posterior, lines of hum (per row, px2), variance of one row."""

    posterior: Posterior
    lines: list[tuple[float, float]]
    white: float


@dataclass(frozen=True)
class _Learned:
    """Variances of the rows from blocks: dense equations, cell (px), rows together, gain."""

    blocks: list[tuple[np.ndarray, np.ndarray]]
    cell_px: float
    rows: int
    variances: np.ndarray
    gain: float

    def settled(self) -> "_Learned":
        """The same after all turns."""
        variances, gain = learned_variances(
            self.blocks, self.cell_px, self.rows, turns=_MORE_TURNS, start=self.variances
        )
        return replace(self, variances=variances, gain=gain)

    def with_lines(self, lines: tuple[float, ...]) -> np.ndarray:
        """Variances where lines of hum take part, theirs at the end."""
        return learned_variances(self.blocks, self.cell_px, self.rows, lines)[0]


def _problem(slices: Slices, sites: Sites, height: int) -> _Problem:
    order = np.argsort(slices.row[:, slices.row.shape[1] // 2], kind="stable")
    slices, sites = slices.take(order), sites.take(order)
    precision = np.where(sites.is_a, 1 / (SCATTER * sites.cell_px) ** 2, 0.0)
    spread = float(sites.off_lattice[sites.is_a].std())
    return _Problem(slices, sites, height, lattice_basis(sites.ij[sites.is_a]), spread, precision)


def _estimate(given: _Problem, learned: _Learned) -> tuple[_Rows, np.ndarray]:
    """Displacement of every row, and its fast part, confirmed where it matters."""
    sites = given.sites
    prior, lines, posterior = _expected(given, learned)
    given = replace(given, precision=_precision(given, posterior))
    first = sites.x < (sites.x.min() + sites.x.max()) / 2
    halves = in_threads(lambda part: given.part(part).equations(), [first, ~first])
    whole, *halves = (
        with_lines(given.complete(e), prior, lines) for e in (halves[0] + halves[1], *halves)
    )
    posterior = solve_rows(whole, prior)
    fast = _fast(posterior.mean, sites.cell_px)
    if fast.std() > LEAST * sites.cell_px:
        left, right = (_fast(solve_rows(e, prior).mean, sites.cell_px) for e in halves)
        fast = _confirmed(fast, left, right, sites.cell_px)
    return _Rows(posterior, lines, float(learned.variances[0])), fast


def _expected(
    given: _Problem, learned: _Learned
) -> tuple[np.ndarray, list[tuple[float, float]], Posterior]:
    """Prior precision of the rows without hum, lines of hum, and a first solution."""
    prior = prior_band(learned.variances, given.sites.cell_px, given.height)
    posterior, lines = _with_hum(given.complete(given.equations()), prior, given.sites)
    if lines:
        variances = learned.with_lines(tuple(f for f, _ in lines))
        lines = [(f, float(v)) for (f, _), v in zip(lines, variances[-len(lines) :])]
        prior = prior_band(variances[: -len(lines)], given.sites.cell_px, given.height)
    return prior, lines, posterior


def _with_hum(
    equations: Equations, prior: np.ndarray, sites: Sites
) -> tuple[Posterior, list[tuple[float, float]]]:
    """Displacements, and lines of hum above expectation: frequency and variance (px2)."""
    lines: list[tuple[float, float]] = []
    posterior = solve_rows(equations, prior)
    while len(lines) < LINES and (
        line := find_line(equations, prior, posterior, sites, tuple(f for f, _ in lines))
    ):
        lines.append(line)
        posterior = solve_rows(with_lines(equations, prior, lines), prior)
    return posterior, lines


def _learned(given: _Problem) -> _Learned:
    """Variances of the terms of the row displacement, from some blocks of rows."""
    starts, rows = block_rows(given.height, given.sites.cell_px)
    blocks = []
    for first, n in starts:
        inside = (given.slices.row.min(axis=1) >= first) & (
            given.slices.row.max(axis=1) < first + n
        )
        if (inside & given.sites.is_a).sum() < _FEW:
            continue
        own = given.part(inside)
        own = replace(own, basis=lattice_basis(own.sites.ij[own.sites.is_a]))
        equations = normal_equations(own.slices, own.sites, own.basis, own.precision, (first, n))
        blocks.append(dense_block(own.complete(equations, first), rows))
    cell = given.sites.cell_px
    return _Learned(blocks, cell, rows, *learned_variances(blocks, cell, rows, turns=_FIRST_TURNS))


def _precision(given: _Problem, posterior: Posterior) -> np.ndarray:
    """1 / variance of A columns about the smooth lattice; 0 for outliers and B columns."""
    slices, sites, basis = given.slices, given.sites, given.basis
    a = np.flatnonzero(sites.is_a)
    weight = slices.weight[a]
    total = weight.sum(axis=1)
    seen = total > 0
    rest = (slices.moment[a] - weight * slices.response[a] * posterior.mean[slices.row[a]]).sum(
        axis=1
    ) / np.where(seen, total, 1)
    off = rest - sites.off_lattice[a] + basis @ posterior.nuisances[: basis.shape[1]]
    mad = 1.4826 * float(np.median(np.abs(off[seen])))
    noise = float(np.median(1 / total[seen]))
    variance = max(mad**2 - noise, (_LEAST_SCATTER * sites.cell_px) ** 2)
    precision = np.zeros(len(sites.is_a))
    precision[a] = np.where(np.abs(off) > _OUTLIER * mad, 0, 1 / variance)
    return precision


def _fast(displacement: np.ndarray, cell_px: float) -> np.ndarray:
    """Displacement without what is slower than about three cells."""
    return displacement - ndimage.gaussian_filter1d(displacement, SMOOTH * cell_px, mode="nearest")


def _confirmed(
    whole: np.ndarray, left: np.ndarray, right: np.ndarray, cell_px: float
) -> np.ndarray:
    """The displacement in octaves of periods in which both halves of the image agree."""
    n = len(whole)
    waves, one, two = (fft.dct(v, norm="ortho") for v in (whole, left, right))
    octave = np.floor(np.log2(np.maximum(np.arange(n), 1) * cell_px / n)).astype(int)
    octave -= octave.min()
    count = octave.max() + 1
    together, alone, other = (np.bincount(octave, v, count) for v in (one * two, one**2, two**2))
    agree = together > AGREE * np.sqrt(alone * other)
    return fft.idct(np.where(agree[octave], waves, 0), norm="ortho")


def check_axis(axis: str) -> None:
    """Raise an error if the fast scan axis is unknown.

    Raises
    ------
    InputError
    """
    if axis not in AXES:
        raise InputError(f"scan axis '{axis}': no such axis; choose one of {', '.join(AXES)}")


def measure_scan(
    image: Image, lattice: Lattice, axis: str = "auto", before: np.ndarray | None = None
) -> ScanDistortion:
    """Measure the displacement of every scan row of an image.

    Parameters
    ----------
    image : Image
    lattice : Lattice
        Fitted and indexed columns of this image.
    axis : {"auto", "x", "y", "none"}
        Fast axis of the scan; "auto" uses the one along which rows are displaced.
    before : ndarray, shape (n,), optional
        Displacement by which the rows of this image were already moved back; then the axis must be
        given. The result is the displacement of the rows as recorded.

    Returns
    -------
    ScanDistortion
        ``corrected`` is False: the image is unchanged.

    Raises
    ------
    InputError
        If the axis is unknown.

    Examples
    --------
    >>> from ..columns import find_columns
    >>> from ..simulation import Specimen, simulate_phantom
    >>> from .building import build_lattice
    >>> p = simulate_phantom(Specimen(cells=16, cell_px=16, dose=200, jitter_px=0.4, jitter_rows=3))
    >>> found = measure_scan(p.image, build_lattice(p.image, find_columns(p.image)))
    >>> found.axis, round(found.rms_px, 1)
    ('x', 0.4)
    """
    check_axis(axis)
    if axis == "none":
        return ScanDistortion()
    sound = replace(lattice.columns, ok=lattice.columns.ok & _surrounded(lattice))
    slices = cut_slices(image.data, image.valid, sound, ("x", "y") if axis == "auto" else (axis,))
    if before is not None:
        seen = slices[axis]
        slices[axis] = replace(
            seen, moment=seen.moment + seen.weight * seen.response * before[seen.row]
        )
    given = {
        name: _problem(own, sites_along(lattice, name), image.shape[name == "y"])
        for name, own in slices.items()
    }
    begun = dict(zip(given, in_threads(_learned, list(given.values()))))
    fast = max(begun, key=lambda name: begun[name].gain)
    learned = begun[fast].settled()
    if axis == "auto" and learned.gain < SEEN:
        return ScanDistortion()
    return _distortion(fast, *_estimate(given[fast], learned), given[fast].sites, lattice)


def _surrounded(lattice: Lattice) -> np.ndarray:
    """Whether all neighbors of a column are fitted too: light that is not displaces slices."""
    near = _NEAR * lattice.cells.basis.cell_px
    tree = cKDTree(lattice.columns.xy)
    count = tree.query_ball_point(lattice.columns.xy, near, return_length=True) - 1
    return count >= (8 if lattice.cells.has_b else 4)


def _distortion(
    axis: str, rows: _Rows, s: np.ndarray, sites: Sites, lattice: Lattice
) -> ScanDistortion:
    """What is reported of displaced rows."""
    sigma, spread, cell = (
        float(np.median(lattice.columns.sigma_px)),
        rows.posterior.spread,
        sites.cell_px,
    )
    lines = np.array([(1 / f, np.sqrt(2 * v)) for f, v in rows.lines]).reshape(-1, 2)
    peak = int(np.argmax(np.abs(np.fft.rfft(s))))
    scan = ScanDistortion(
        axis,
        s,
        _deviation(rows.posterior.factor, spread),
        rows.posterior.factor,
        _reduced(spread, cell),
        cell,
        sigma,
        float(s.std()),
        float(_apparent_displacement(s, sigma, cell).std()),
        _white(rows.white, sigma, cell),
        _shift(rows.lines, sigma),
        lines,
        len(s) / peak if peak else 0.0,
        along=sites.along,
    )
    return replace(scan, explained=_explained(scan, lattice.cells))


def _seen_by_columns(displacement: np.ndarray, sigma: float) -> np.ndarray:
    """Displacement of a fitted column at every row: mean over its light squared."""
    return ndimage.gaussian_filter1d(displacement, sigma / np.sqrt(2), axis=0, mode="nearest")


def _apparent_displacement(displacement: np.ndarray, sigma: float, cell_px: float) -> np.ndarray:
    """Displacement of a B column at every row against A columns half a cell above and below."""
    shown, row = _seen_by_columns(displacement, sigma), np.arange(len(displacement))
    return (
        shown
        - (np.interp(row - cell_px / 2, row, shown) + np.interp(row + cell_px / 2, row, shown)) / 2
    )


def _white(variance: float, sigma: float, cell_px: float) -> float:
    """Apparent displacement (rms, px) of independent rows of some variance (px2)."""
    single = np.zeros(8 * int(np.ceil(cell_px)) + 1)
    single[len(single) // 2] = 1
    return float(np.sqrt(variance * (_apparent_displacement(single, sigma, cell_px) ** 2).sum()))


def _shift(lines: list[tuple[float, float]], sigma: float) -> float:
    """Displacement (rms, px) that columns show of lines of hum: frequency, variance (px2) each."""
    shown = [v * np.exp(-((2 * np.pi * f * sigma) ** 2) / 2) for f, v in lines]
    return float(np.sqrt(sum(shown)))


def _deviation(factor: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Posterior standard deviation of every row: diagonal of A^-1 by Cholesky, and W."""
    order, n = len(factor) - 1, factor.shape[1]
    near, variance = np.zeros((order, order)), np.empty(n)
    for row in range(n - 1, -1, -1):
        side = factor[1:, row] / factor[0, row]
        shared = -near @ side
        variance[row] = 1 / factor[0, row] ** 2 - side @ shared
        near[1:, 1:] = near[:-1, :-1].copy()
        near[0, 0], near[0, 1:], near[1:, 0] = variance[row], shared[:-1], shared[:-1]
    return np.sqrt(variance + (spread**2).sum(axis=1))


def _reduced(spread: np.ndarray, cell_px: float) -> np.ndarray:
    """Principal axes of W above 1e-4 of the largest, without slow displacements."""
    fast = spread - smooth_rows(spread, SMOOTH * cell_px)
    power, axes = np.linalg.eigh(fast.T @ fast)
    return fast @ axes[:, power > 1e-4 * power.max(initial=1e-30)]


def _rows_of_cells(scan: ScanDistortion, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the five columns of every cell, (R, C, 5), and their parts in the displacement."""
    k = 1 if scan.axis == "x" else 0
    a, b = cells.basis.vectors[:, k]
    corners = [cells.xy[..., k] + (i * a + j * b) / 2 for i in (-1, 1) for j in (-1, 1)]
    return np.stack([cells.b_site[..., k], *corners], axis=-1), np.array(
        [1, -0.25, -0.25, -0.25, -0.25]
    )


def scan_polar(scan: ScanDistortion, cells: Cells) -> np.ndarray:
    """Apparent polar displacement along the fast axis caused by the scan alone, in px.

    Parameters
    ----------
    scan : ScanDistortion
    cells : Cells
        With the second sublattice.

    Returns
    -------
    ndarray, shape (R, C)
        NaN where a cell is unknown.
    """
    at, part = _rows_of_cells(scan, cells)
    shown = _seen_by_columns(scan.displacement_px, scan.sigma_px)
    # a row that looks at x + s shows a column at x - s
    moved = -np.interp(np.nan_to_num(at), np.arange(len(shown)), shown)
    return np.where(np.isfinite(at).all(axis=-1), moved @ part, np.nan)


def _explained(scan: ScanDistortion, cells: Cells) -> float:
    """Share of the variance of the polar displacement on the fast axis that the scan explains."""
    if not cells.has_b:
        return float("nan")
    seen, false = cells.polar[..., 0 if scan.axis == "x" else 1], scan_polar(scan, cells)
    known = np.isfinite(seen) & np.isfinite(false)
    return float(max(0.0, 1 - np.var((seen - false)[known]) / max(np.var(seen[known]), 1e-30)))


def scan_deviation(scan: ScanDistortion, cells: Cells, weights: np.ndarray) -> float:
    """Standard error (px) due to the scan of a weighted sum of the polar displacement along the
    fast axis.

    For a step between two labels the weights are 1 / n1 in one and -1 / n2 in the other. If rows of
    cells lie along the scan (``along``), the true error is up to three times as large.

    Parameters
    ----------
    scan : ScanDistortion
    cells : Cells
        With the second sublattice.
    weights : ndarray, shape (R, C)
        0 for excluded and unknown cells.

    Returns
    -------
    float
        sqrt(v' Sigma v); 0 if no scan was measured.
    """
    if scan.axis == "none":
        return 0.0
    at, part = _rows_of_cells(scan, cells)
    n, used = len(scan.displacement_px), np.isfinite(at).all(axis=-1) & (weights != 0)
    place, share = np.clip(at[used], 0, n - 1).ravel(), (weights[used, None] * part).ravel()
    low = np.minimum(place.astype(int), n - 2)
    v = np.bincount(low, share * (1 - place + low), n) + np.bincount(
        low + 1, share * (place - low), n
    )
    v = _fast(_seen_by_columns(v, scan.sigma_px), scan.cell_px)
    return float(
        np.sqrt(
            v @ linalg.cho_solve_banded((scan.factor, True), v) + ((scan.spread.T @ v) ** 2).sum()
        )
    )


def scan_errors(scan: ScanDistortion) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors (px) due to the scan along the fast axis at every row, for the position of a
    column and for a polar displacement.

    They come from the posterior covariance of the rows. If the rows were not corrected and affect
    the polar displacement, their displacement is added. Slow displacements move all columns equally
    and are not counted.

    Parameters
    ----------
    scan : ScanDistortion

    Returns
    -------
    column, polar : ndarray, shape (n,)
        0 if no scan was measured.

    Examples
    --------
    >>> scan_errors(ScanDistortion())[0].tolist()
    []
    """
    n = len(scan.displacement_px)
    if scan.axis == "none":
        return np.zeros(n), np.zeros(n)
    at = np.append(np.arange(0, n - 1, max(1, int(scan.cell_px / _ROWS))), n - 1)
    one = np.zeros((n, len(at)))
    one[at, np.arange(len(at))] = 1
    shown, half = _seen_by_columns(one, scan.sigma_px), scan.cell_px / 2
    around = [ndimage.shift(shown, (s, 0), order=1, mode="nearest") for s in (-half, half)]
    left = 1.0 if scan.explained > 0 and not scan.corrected else 0.0
    errors = []
    moved = float(_seen_by_columns(scan.displacement_px, scan.sigma_px).std())
    fast = shown - smooth_rows(shown, SMOOTH * scan.cell_px)
    for weights, own in ((fast, moved), (shown - sum(around) / 2, scan.polar_rms_px)):
        known = (linalg.lapack.dtbtrs(scan.factor, weights, uplo="L")[0] ** 2).sum(axis=0)
        shared = ((scan.spread.T @ weights) ** 2).sum(axis=0)
        errors.append(np.interp(np.arange(n), at, np.sqrt(known + shared + left * own**2)))
    return errors[0], errors[1]


def row_deviation(scan: ScanDistortion, cells: Cells) -> float:
    """Standard error (px) due to the scan of the mean polar displacement of the middle row of cells
    relative to the other rows.

    Parameters
    ----------
    scan : ScanDistortion
    cells : Cells
        With the second sublattice.

    Returns
    -------
    float
    """
    known = cells.valid if scan.axis == "x" else cells.valid.T
    row = np.zeros(known.shape, bool)
    row[len(row) // 2] = True
    weights = np.where(
        row, known / max((known & row).sum(), 1), -(known / max((known & ~row).sum(), 1))
    )
    return scan_deviation(scan, cells, weights if scan.axis == "x" else weights.T)


def describe_scan(scan: ScanDistortion) -> dict:
    """Description of a scan for ``result.json``, in plain values.

    Parameters
    ----------
    scan : ScanDistortion

    Returns
    -------
    dict
        ``axis``, ``corrected``, ``rms_px`` of the rows and ``polar_rms_px`` of the apparent polar
        displacement, ``explained_share`` of the variance of the polar displacement along the axis
        (None if it cannot be measured), ``peak_period_px`` of the spectrum (None if there is none),
        ``lines`` of hum, and a ``note`` on the limits of the measurement.

    Examples
    --------
    >>> describe_scan(ScanDistortion())["axis"]
    'none'
    """
    return {
        "axis": scan.axis,
        "corrected": scan.corrected,
        "rms_px": round(scan.rms_px, 4),
        "polar_rms_px": round(scan.polar_rms_px, 4),
        "explained_share": None if np.isnan(scan.explained) else round(scan.explained, 4),
        "peak_period_px": round(scan.peak_px, 2) or None,
        "lines": [
            {"period_px": round(float(p), 3), "amplitude_px": round(float(a), 3)}
            for p, a in scan.line_px
        ],
        "note": _note(scan),
    }


def _note(scan: ScanDistortion) -> str:
    """Limits of the measurement of a scan."""
    if scan.axis == "none":
        return "No row is displaced relative to the others, or the scan was not examined."
    if scan.along:
        return (
            f"Rows of cells lie along the scan ({scan.axis}). Walls along it, and a polar"
            " displacement that differs only from row to row, cannot be distinguished from scan"
            " errors."
        )
    return "Displacements slower than about three cells shift all columns equally and are kept."


def undo_scan(
    image: Image,
    lattice: Lattice,
    find: Callable[[Image, Columns | None], Lattice],
    axis: str = "auto",
) -> tuple[Image, Lattice, ScanDistortion]:
    """Image, lattice and scan; image and lattice are corrected if the displacement of the rows
    matters.

    Nothing is changed if the displacement does not matter (see :class:`ScanDistortion`), if the
    corrected image would lose more than 3 % of its cells, or if rows of cells lie along the scan
    and the crystal itself may displace them (rows that alternate, or have a single sublattice).

    Parameters
    ----------
    image : Image
    lattice : Lattice
        Indexed columns of the image.
    find : callable
        Finds and indexes the columns of an image in the same way as for ``lattice``. If approximate
        columns are given, it only fits them again.
    axis : {"auto", "x", "y", "none"}
        See :func:`measure_scan`.

    Returns
    -------
    Image, Lattice, ScanDistortion
    """
    scan = measure_scan(image, lattice, axis)
    if not scan.matters or (scan.along and _crystal_may_do_the_same(lattice, scan.axis)):
        return image, lattice, scan
    try:
        straight = undistorted(image, scan)
        far = np.abs(scan.displacement_px).max() / scan.sigma_px
        near = _moved_columns(lattice, scan) if far < _NEARBY else None
        again = find(straight, near)
        if scan.along or far > _LARGE:
            scan = measure_scan(straight, again, scan.axis, scan.displacement_px)
            straight = undistorted(image, scan)
            again = find(straight, near and _moved_columns(lattice, scan))
    except InputError:
        return image, lattice, scan
    if again.cells.n < (1 - LOST) * lattice.cells.n:
        return image, lattice, scan
    return straight, again, replace(scan, corrected=True, explained=_explained(scan, lattice.cells))


def _moved_columns(lattice: Lattice, scan: ScanDistortion) -> Columns:
    """All columns that were found, used or not, where they lie once the rows are moved back."""
    known, unused = lattice.columns, lattice.unused_xy
    xy, more = np.concatenate([known.xy, unused]), np.zeros(len(unused))
    fast, slow = (0, 1) if scan.axis == "x" else (1, 0)
    shown = _seen_by_columns(scan.displacement_px, scan.sigma_px)
    xy[:, fast] += np.interp(xy[:, slow], np.arange(len(shown)), shown)
    moved = Columns(
        xy,
        np.concatenate([known.intensity, more]),
        np.concatenate([known.background, more]),
        np.concatenate([known.sigma_px, more + scan.sigma_px]),
        np.concatenate([known.ok, more > 0]),
        known.spacing_px,
    )
    return moved.take(np.lexsort(np.rint(xy).T))


def _crystal_may_do_the_same(lattice: Lattice, axis: str) -> bool:
    """Whether a crystal with displaced rows, or one sublattice, would look the same."""
    if not lattice.cells.has_b:
        return True
    across = np.array([0.0, 1.0]) if axis == "x" else np.array([1.0, 0.0])
    steps = np.abs(lattice.cells.basis.vectors @ across)
    slow = int(np.argmax(steps))  # the lattice vector along the slow axis
    return any(abs(order.wave_vector[slow]) == 0.5 for order in superstructures(lattice))


def undistorted(image: Image, scan: ScanDistortion) -> Image:
    """The image with its rows moved back; pixels beside an invalid pixel become invalid.

    Parameters
    ----------
    image : Image
    scan : ScanDistortion

    Returns
    -------
    Image
    """
    turn = np.transpose if scan.axis == "y" else np.asarray
    valid = image.valid
    if not valid.all():
        valid = np.ascontiguousarray(turn(_moved_holes(turn(valid), scan.displacement_px)))

    def moved(data: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(turn(displace_rows(turn(data), scan.displacement_px)))

    halves = None if image.halves is None else np.stack([moved(half) for half in image.halves])
    second = None if image.second is None else moved(image.second)
    return replace(image, data=moved(image.data), valid=valid, halves=halves, second=second)


def _moved_holes(valid: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Whether both pixels between which a displaced one lies are valid."""
    rows, x = np.arange(len(valid))[:, None], np.arange(valid.shape[1])
    at = [
        np.clip(x - part(displacement)[:, None].astype(int), 0, valid.shape[1] - 1)
        for part in (np.floor, np.ceil)
    ]
    return valid[rows, at[0]] & valid[rows, at[1]]
