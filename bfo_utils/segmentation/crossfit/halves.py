"""The judge: a map from one half of the data is tested in the other half.

Both halves measure the same field with independent noise. A map is made from one half and its
pattern is tested in the other, by generalized least squares against a slow field. Then the halves
exchange roles. Noise does not pass the test, because it is independent in the other half (data
fission and cross-fitting: Neufeld et al., JMLR 25, 2024). Every wall is tested in the same way,
along its whole length.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import linalg, ndimage

from ..walls import bridge_gaps
from .noise import FieldNoise, NoiseMetric, measure_field_noise
from .regularized import (
    DEGREE,
    LEAST_CELLS,
    CellDomain,
    LevelMap,
    level_map,
    merged_labels,
    n_slow,
    segment_field,
    slow_functions,
)

MARGIN_DEGREES = 2  # of the slow field, beyond those that the data ask for
REACH = 10.0  # cells on either side of a wall in which its step is tested
_LEAST_SIDE = 12  # cells on either side
_TESTABLE = 3.5  # times the limit: walls of less expected z are too short to be tested
_LOCAL_DEGREE = 2  # of the slow field near a wall
# share of the spread of a field, less what is slow, that no level explains
_GRAIN, _GRAIN_DEGREE = 0.15, 3
_STRIP = 3.6  # cells: a label nowhere wider is a wall or a strip, no domain
# of the band of a soft wall (tanh of w = 3.5): its width in cells, where its level lies between
# those of the labels beside it and how far from their line, as shares of their step
_BAND, _BETWEEN, _BESIDE = 9.0, (0.15, 0.85), 0.25
# residual over noise inside a label: limit, its spread over the number of cells, and the share of
# the step that a domain may vary by
_UNEXPLAINED = 1.25, 3.5, 0.15
_SURE_NOISE = 40  # cells: with fewer, their own noise is no estimate
_DEEP = 2.5  # cells from other labels: beyond, the width of a wall does not matter
# tanh widths that are tried, in cells
WIDTHS = np.array([0.3, 0.5, 0.65, 0.8, 1, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 4, 5, 6.5, 8])
#: Standard deviation due to the scan of a weighted sum over cells, per component.
ScanError = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class WallTest:
    """The wall between two labels, tested along its whole length.

    Attributes
    ----------
    labels : tuple of int
    length_cells : float
    step : ndarray, shape (K,)
        Step of the field, second label minus first; the wall of each half is measured in the other
        half.
    se : ndarray, shape (K,)
        Its standard error, including scan errors.
    scan : ndarray, shape (K,)
        The part of the standard error due to the scan.
    z : float
        Step in the direction from one half, divided by its standard error in the other.
    expected_z : float
        The z that the difference between the levels of the labels predicts; it is small for a wall
        that is too short to be tested.
    width_cells, se_width_cells : float
        w of tanh(x / w) across the wall, NaN if it cannot be determined.
    """

    labels: tuple[int, int]
    length_cells: float
    step: np.ndarray
    se: np.ndarray
    scan: np.ndarray
    z: float
    expected_z: float
    width_cells: float = np.nan
    se_width_cells: float = np.nan


@dataclass(frozen=True)
class TwoHalves:
    """A field of cells measured twice, prepared for the judge.

    Attributes
    ----------
    domain : CellDomain
    noise : FieldNoise
    values : ndarray, shape (2, n, K)
        Both halves, in units of their noise.
    drawn : ndarray, shape (2, n, K)
        The same with every cell limited to the range of its neighbors, in units of ``grain``; maps
        are made from it.
    difference : ndarray, shape (n, K)
        Half the difference of the two fields, in units of its standard deviation: noise.
    grain : float
        Noise plus variation that no map of levels explains (soft walls, slow strains: a share of
        the field's spread), in units of noise. Without it a clear field would be divided into more
        and more levels.
    scan_error : callable
        Standard deviation due to the scan in a weighted sum of the field (R, C), per component.
    """

    domain: CellDomain
    noise: FieldNoise
    values: np.ndarray
    drawn: np.ndarray
    difference: np.ndarray
    grain: float
    scan_error: ScanError

    @property
    def mean(self) -> np.ndarray:
        """Both halves combined, in units of noise."""
        return self.values.sum(axis=0) / np.sqrt(2)

    @property
    def drawn_mean(self) -> np.ndarray:
        """The same, with every cell limited to the range of its neighbors."""
        return self.drawn.sum(axis=0) / np.sqrt(2)


@dataclass(frozen=True)
class FieldJudgment:
    """Result of the judge for a field.

    Attributes
    ----------
    z : float
        Significance of the pattern from either half in the other: 0 with a spread of about 1 if
        there is none.
    maps : tuple of LevelMap
        The maps of both halves.
    degree : int
        Degree of the slow field that patterns are tested against.
    halves : TwoHalves
    """

    z: float
    maps: tuple[LevelMap, LevelMap]
    degree: int
    halves: TwoHalves = field(repr=False)


def two_halves(
    one: np.ndarray,
    two: np.ndarray,
    slow: np.ndarray,
    cell_px: float,
    fast: int = -1,
    scan_error: ScanError = lambda weights: np.zeros(4),
    inflation: float = 1.0,
    degree: int = DEGREE,
) -> TwoHalves:
    """Prepare two measurements of a field for the judge.

    Parameters
    ----------
    one, two : ndarray, shape (R, C, K)
        NaN where a cell is unknown or left out.
    slow : ndarray, shape (R, C)
        Position of the cells along the slow axis of the scan, in px.
    cell_px : float
        Edge of a cell.
    fast : int
        Component along the fast axis, -1: none.
    scan_error : callable
        See :class:`TwoHalves`.
    inflation : float
        Factor for the noise if the halves share part of it.
    degree : int
        Of the slow field, at most.

    Returns
    -------
    TwoHalves
    """
    mask = np.isfinite(one).all(-1) & np.isfinite(two).all(-1) & np.isfinite(slow)
    domain = CellDomain(mask, degree)
    difference = inflation * (one - two)[mask] / 2
    noise = measure_field_noise(difference, domain.ij, slow[mask], cell_px, fast)
    unit = np.sqrt(2) * noise.sigma
    # the level of a field says nothing, and must not swamp its changes
    center = np.median((one + two)[mask] / 2, axis=0)
    grids = [(half - center) / unit for half in (one, two)]
    values = np.stack([half[mask] for half in grids])
    even, slow_part = values.sum(axis=0) / np.sqrt(2), domain.slow[:, : n_slow(_GRAIN_DEGREE)]
    even = even - slow_part @ (slow_part.T @ even)
    spread = 1.4826 * np.median(np.abs(even - np.median(even, axis=0)), axis=0).max()
    grain = float(np.sqrt(1 + (_GRAIN * spread) ** 2))
    drawn = np.stack([_held(half, mask)[mask] for half in grids]) / grain
    return TwoHalves(domain, noise, values, drawn, difference / noise.sigma, grain, scan_error)


def _held(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Every cell within one sigma of the range of its neighbors."""
    around = np.ones((3, 3, 1), bool)
    around[1, 1] = False
    high, low = (
        f(np.where(mask[..., None], values, far), footprint=around, mode="constant", cval=far)
        for f, far in ((ndimage.maximum_filter, -1e9), (ndimage.minimum_filter, 1e9))
    )
    return np.where(high >= low, np.clip(values, low - 1, high + 1), values)


def judge_field(halves: TwoHalves) -> FieldJudgment:
    """Make a map from either half and look for its pattern in the other.

    Parameters
    ----------
    halves : TwoHalves

    Returns
    -------
    FieldJudgment

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> domains = np.where(np.arange(24) > 11, 1.0, -1.0)[:, None]
    >>> one, two = (domains + rng.normal(0, 1.5, (24, 24, 2)) for _ in "12")
    >>> slow = 16.0 * np.indices((24, 24))[0]
    >>> judge_field(two_halves(one, two, slow, 16.0)).z > 8
    True
    """
    one, two = (segment_field(halves.domain, half) for half in halves.drawn)
    maps = one, two
    metric = halves.noise.metric()
    slow = _SlowField(halves, metric)
    seen = [slow.pattern(halves.values[1 - h], maps[h]) for h in (0, 1)]
    z = sum(s for s, _ in seen) / np.sqrt(2 + sum(scan for _, scan in seen) ** 2)
    return FieldJudgment(float(z), maps, slow.degree, halves)


class _SlowField:
    """Slow functions under the noise, and the degree that the mean of the halves asks for."""

    def __init__(self, halves: TwoHalves, metric: NoiseMetric):
        self.halves, self.metric = halves, metric
        slow, n = halves.domain.slow, halves.domain.n
        components = range(halves.values.shape[-1])
        self.weighed = [metric.weigh(slow, k) for k in components]
        self.grams = [slow.T @ w for w in self.weighed]
        terms = np.array([n_slow(d) for d in range(halves.domain.degree + 1)])
        gain = np.zeros(len(terms))
        for k in components:
            product = self.weighed[k].T @ halves.mean[:, k]
            seen = linalg.solve_triangular(np.linalg.cholesky(self.grams[k]), product, lower=True)
            gain += np.cumsum(seen**2)[terms - 1]
        asked = int(np.argmin(len(self.grams) * terms * np.log(n) - gain))
        self.degree = min(halves.domain.degree, asked + MARGIN_DEGREES)

    def pattern(self, values: np.ndarray, found: LevelMap) -> tuple[float, float]:
        """z of the pattern of a map in a field after the part that a slow field explains is
        removed, and the contribution of the scan to it.
        """
        if found.n_labels < 2:
            return 0.0, 0.0
        pattern = self.halves.domain.indicators(found.labels) @ found.levels
        m, up, power, scan, domain = n_slow(self.degree), 0.0, 0.0, 0.0, self.halves.domain
        unit = np.sqrt(2) * self.halves.noise.sigma
        for k, (weighed, gram) in enumerate(zip(self.weighed, self.grams)):
            own = self.metric.weigh(pattern[:, k], k)
            fit = np.linalg.solve(gram[:m, :m], weighed[:, :m].T @ pattern[:, k])
            clean = own - weighed[:, :m] @ fit
            up += clean @ values[:, k]
            power += clean @ pattern[:, k]
            scan += (self.halves.scan_error(domain.on_grid(clean))[k] / unit[k]) ** 2
        return float(up / np.sqrt(max(power, 1e-12))), float(np.sqrt(scan / max(power, 1e-12)))


def without_strips(
    domain: CellDomain, labels: np.ndarray, block: int = 1
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The map without labels that are nowhere wider than three cells, and the masks of these
    labels. Rows of single cells of other labels (along a wall, say) go to the nearest label.

    Parameters
    ----------
    domain : CellDomain
    labels : ndarray of int, shape (n,)
    block : int
        Edge, in cells, of the blocks that the map is made of.
    """
    gone = []
    while labels.max() > 0:
        width = _widths(domain, labels, block)
        thin = int(np.argmin(width))
        if width[thin] > _STRIP:
            break
        gone.append(domain.on_grid(labels, -1) == thin)
        labels = domain.cleaned(labels, np.arange(labels.max() + 1) == thin)
    return domain.opened(labels) if block == 1 else labels, gone


def _widths(domain: CellDomain, labels: np.ndarray, block: int) -> np.ndarray:
    """Width in cells (K,) of every label where it is widest; the frame is no end."""
    grid, width = domain.on_grid(labels, -1), []
    for k in range(labels.max() + 1):
        own = np.pad((grid == k) | (grid < 0), 1, mode="edge")
        depth = ndimage.distance_transform_edt(own)[1:-1, 1:-1][grid == k].max()
        width.append((2 * depth - 1) * block)
    return np.array(width)


def without_bands(halves: TwoHalves, found: LevelMap, block: int = 1) -> LevelMap:
    """The map without labels that are only soft walls: narrow bands whose level lies between those
    of the two labels beside them.

    Parameters
    ----------
    halves : TwoHalves
    found : LevelMap
    block : int
        Edge, in cells, of the blocks that the map is made of.

    Returns
    -------
    LevelMap
    """
    domain = halves.domain
    while found.n_labels > 2:
        narrow = np.nonzero(_widths(domain, found.labels, block) <= _BAND)[0]
        bands = [k for k in narrow if _lies_between(domain, found, int(k))]
        if not bands:
            break
        labels = domain.cleaned(found.labels, np.arange(found.n_labels) == bands[0])
        found = level_map(domain, halves.drawn_mean, labels)
    return found


def _lies_between(domain: CellDomain, found: LevelMap, k: int) -> bool:
    """Whether the level of a label lies between those of two labels that it touches."""
    pairs = [(a, b) for a, b, _ in _touching(domain, found.labels) if k in (a, b)]
    beside, (low, high) = sorted({*sum(pairs, ())} - {k}), _BETWEEN
    for n, a in enumerate(beside):
        for b in beside[n + 1 :]:
            way, own = found.levels[b] - found.levels[a], found.levels[k] - found.levels[a]
            share = own @ way / max(way @ way, 1e-12)
            off = np.linalg.norm(own - share * way)
            if low < share < high and off < _BESIDE * np.linalg.norm(way):
                return True
    return False


def without_unexplained(halves: TwoHalves, found: LevelMap) -> tuple[LevelMap, list[np.ndarray]]:
    """The map without labels that their level does not explain, and the cells of these labels."""
    domain, gone = halves.domain, []
    while found.n_labels > 1:
        worst = _unexplained(halves, found)
        if worst is None:
            break
        gone.append(domain.on_grid(found.labels == worst))
        labels = domain.cleaned(found.labels, np.arange(found.n_labels) == worst)
        found = level_map(domain, halves.drawn_mean, labels)
    return found, gone


def _unexplained(halves: TwoHalves, found: LevelMap) -> int | None:
    """The smallest label that its level does not explain; None where all are explained."""
    domain, field = halves.domain, halves.mean
    shown = np.column_stack(
        [domain.slow[:, : n_slow(found.degree)], domain.indicators(found.labels)[:, 1:]]
    )
    rest = ((field - shown @ np.linalg.lstsq(shown, field, rcond=None)[0]) ** 2).mean(-1)
    depth, noise = wall_distance(domain, found.labels), (halves.difference**2).mean(-1)
    size = np.bincount(found.labels)
    base, spread, share = _UNEXPLAINED
    bad = []
    for k in np.nonzero(size < size.max())[0]:
        own = (found.labels == k) & (depth > _DEEP)
        own = own if own.sum() >= LEAST_CELLS else (found.labels == k) & (depth > 1)
        n = int(own.sum())
        if n >= LEAST_CELLS:
            away = np.linalg.norm(np.delete(found.levels, k, 0) - found.levels[k], axis=1).min()
            local = noise[own].mean() if n >= _SURE_NOISE else max(noise[own].mean(), noise.mean())
            limit = base + spread / np.sqrt(n) + (share * away * halves.grain) ** 2
        if n < LEAST_CELLS or rest[own].mean() > limit * local:
            bad.append(int(k))
    return min(bad, key=lambda k: size[k], default=None)


def wall_distance(domain: CellDomain, labels: np.ndarray) -> np.ndarray:
    """Distance (n,) of every cell to the nearest one of another label."""
    grid, depth = domain.on_grid(labels, -1), np.zeros(domain.mask.shape)
    for k in range(labels.max() + 1):
        own = (grid == k) | (grid < 0)
        depth = np.where(grid == k, ndimage.distance_transform_edt(own), depth)
    return depth[domain.mask]


def wall_tests(judged: FieldJudgment, found: LevelMap, least_cells: float = 4.0) -> list[WallTest]:
    """Test every wall of a map: its step at the position from one half, measured in the other half.

    Parameters
    ----------
    judged : FieldJudgment
    found : LevelMap
        Any map of the same cells.
    least_cells : float
        Walls shorter than this are left out.

    Returns
    -------
    list of WallTest
        In the order of the labels.
    """
    pairs = _touching(judged.halves.domain, found.labels)
    return [_test_wall(judged, found, *p) for p in pairs if p[2] >= least_cells]


def _touching(domain: CellDomain, labels: np.ndarray) -> list[tuple[int, int, float]]:
    """Pairs of labels with a wall between them, across narrow gaps too, and its mean length."""
    grid, k = bridge_gaps(domain.on_grid(labels, -1))[0], int(labels.max()) + 1
    counts = np.zeros((k, k))
    for one, two in ((grid[:, 1:], grid[:, :-1]), (grid[1:], grid[:-1])):
        both = (one >= 0) & (two >= 0) & (one != two)
        np.add.at(counts, tuple(np.sort([one[both], two[both]], axis=0)), np.pi / 4)
    return [(int(a), int(b), float(counts[a, b])) for a, b in np.argwhere(counts)]


def _test_wall(judged: FieldJudgment, found: LevelMap, a: int, b: int, length: float) -> WallTest:
    halves = judged.halves
    seen = [_drawn_by(judged.maps[h], found, a, b, halves, 1 - h) for h in (0, 1)]
    tests = [t for t in seen if t is not None]
    width = np.nan, np.nan
    nothing = np.zeros(halves.values.shape[-1])
    if not tests:
        return WallTest((a, b), length, nothing, nothing + np.inf, nothing, 0.0, 0.0, *width)
    error = np.sqrt(2 + sum(t.scan_share for t in tests) ** 2)
    z, expected = (sum(v) / error for v in zip(*[(t.signal, t.expected) for t in tests]))
    if z > 0:
        width = wall_width(halves, found.labels, a, b)
    scan = np.max([t.scan for t in tests], axis=0)
    variance = np.sum([t.variance for t in tests], axis=0) / len(tests) ** 2
    step, se = np.mean([t.step for t in tests], axis=0), np.sqrt(variance + scan**2)
    return WallTest((a, b), length, step, se, scan, float(z), float(expected), *width)


@dataclass(frozen=True)
class _Step:
    """Step of a wall from one half in the other: variance, scan, and the step that is seen, the one
    that is expected and the scan over the error.
    """

    step: np.ndarray
    variance: np.ndarray
    scan: np.ndarray
    signal: float
    expected: float
    scan_share: float


def _drawn_by(drawn: LevelMap, found: LevelMap, a: int, b: int, halves: TwoHalves, other: int):
    """Test of the wall between those labels of a half's map that two labels mostly are."""
    size = drawn.n_labels
    one, two = (
        int(np.bincount(drawn.labels[found.labels == k], minlength=size).argmax()) for k in (a, b)
    )
    return None if one == two else _step(halves, drawn, one, two, other)


def _near(domain: CellDomain, labels: np.ndarray, a: int, b: int) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance (n,) to the wall between two labels, and which cells lie near it."""
    grid = domain.on_grid(labels, -1)
    to_b, to_a = (ndimage.distance_transform_edt(grid != k)[domain.mask] for k in (b, a))
    away = np.where(labels == a, 0.5 - to_b, to_a - 0.5)
    return away, np.isin(labels, (a, b)) & (np.abs(away) < REACH)


def _step(halves: TwoHalves, drawn: LevelMap, a: int, b: int, other: int):
    """Generalized least squares of a step over a local slow field; None near too few cells."""
    domain, labels = halves.domain, drawn.labels
    near = _near(domain, labels, a, b)[1]
    if min((labels[near] == k).sum() for k in (a, b)) < _LEAST_SIDE:
        return None
    metric, slow = halves.noise.metric(near), slow_functions(domain.ij[near], _LOCAL_DEGREE)
    soft, values = domain.indicators(labels)[near, b], halves.values[other][near]
    step, variance, scan = np.zeros((3, values.shape[1]))
    for k in range(values.shape[1]):
        weighed = metric.weigh(slow, k)
        clean = metric.weigh(soft, k) - weighed @ np.linalg.solve(
            slow.T @ weighed, weighed.T @ soft
        )
        variance[k] = 1 / (clean @ soft)
        step[k] = variance[k] * (clean @ values[:, k])
        weights = domain.on_grid(np.zeros(domain.n))
        weights[tuple(domain.ij[near].T)] = variance[k] * clean
        scan[k] = halves.scan_error(weights)[k] / (np.sqrt(2) * halves.noise.sigma[k])
    way, unit = drawn.levels[b] - drawn.levels[a], np.sqrt(2) * halves.noise.sigma
    error = np.sqrt(way**2 @ variance)
    share = np.sqrt(way**2 @ scan**2) / error
    signal, expected = float(way @ step / error), float(halves.grain * way @ way / error)
    return _Step(step * unit, variance * unit**2, scan * unit, signal, expected, share)


def wall_width(halves: TwoHalves, labels: np.ndarray, a: int, b: int) -> tuple[float, float]:
    """w of tanh(x / w) across a wall in cells, and its standard error (half the interval in which
    chi2 rises by 1); NaN if too few cells are near.
    """
    domain = halves.domain
    away, near = _near(domain, labels, a, b)
    away = np.where(np.isin(labels, (a, b)), away, 0)
    if min((labels[near] == k).sum() for k in (a, b)) < 2 * _LEAST_SIDE:
        return np.nan, np.nan
    slow, field = slow_functions(domain.ij[near], _LOCAL_DEGREE), halves.mean[near]
    chi2 = np.array([_misfit(slow, np.tanh(away[near] / w), field) for w in WIDTHS])
    inside = WIDTHS[chi2 <= chi2.min() + 1]
    best = int(chi2.argmin())
    grain = np.diff(WIDTHS)[min(best, len(WIDTHS) - 2)] / 2
    return float(WIDTHS[best]), float(max(np.ptp(inside) / 2, grain))


def _misfit(slow: np.ndarray, step: np.ndarray, field: np.ndarray) -> float:
    shown = np.column_stack([slow, step])
    return float(((field - shown @ np.linalg.lstsq(shown, field, rcond=None)[0]) ** 2).sum())


def held_map(judged: FieldJudgment, labels: np.ndarray, least_z: float) -> LevelMap:
    """A map with its labels merged until every wall is significant.

    Labels are merged while the energy decreases. Then the pair whose wall is least significant in
    the other half is merged, as long as its z is below the threshold. A wall too short to be
    tested, as where four domains meet, is kept if each of its labels has another wall that holds.

    Parameters
    ----------
    judged : FieldJudgment
    labels : ndarray of int, shape (n,)
    least_z : float

    Returns
    -------
    LevelMap
        One label if no wall is significant.
    """
    halves, domain = judged.halves, judged.halves.domain
    start = level_map(domain, halves.drawn_mean, domain.without_small(labels))
    found = merged_labels(domain, halves.drawn_mean, start)
    while found.n_labels > 1:
        tests = wall_tests(judged, found)
        firm = {label for t in tests if t.z >= least_z for label in t.labels}
        failed = [t for t in tests if t.z < least_z and not _too_short(t, firm, least_z)]
        worst = min(failed, key=lambda t: t.z, default=None)
        if worst is None:
            return found
        a, b = worst.labels
        merged = np.where(found.labels == b, a, found.labels)
        found = level_map(domain, halves.drawn_mean, merged)
    return found


def _too_short(wall: WallTest, firm: set[int], least_z: float) -> bool:
    """Whether a wall is too short to be tested although its labels have other walls that hold."""
    return 0 < wall.expected_z < _TESTABLE * least_z and firm >= set(wall.labels)


def wall_power(judged: FieldJudgment) -> np.ndarray:
    """Standard error (K,) of the step across a straight wall through the middle of the field, from
    all cells and against the slow field of the judgment.
    """
    halves = judged.halves
    domain, metric = halves.domain, halves.noise.metric()
    away = domain.ij - domain.ij.mean(axis=0)
    errors = []
    for normal in ((0, 1), (1, 0), (1, 1), (1, -1)):
        step = (1 + np.tanh(away @ np.array(normal))) / 2
        slow = domain.slow[:, : n_slow(judged.degree)]
        variance = []
        for k in range(halves.values.shape[-1]):
            weighed = metric.weigh(slow, k)
            fit = np.linalg.solve(slow.T @ weighed, weighed.T @ step)
            left = step @ metric.weigh(step, k) - (weighed.T @ step) @ fit
            variance.append(1 / max(left, 1e-9))
        errors.append(np.sqrt(variance))
    return np.median(errors, axis=0) * halves.noise.sigma


def wall_separation(judged: FieldJudgment, found: LevelMap, wall: WallTest) -> float:
    """Step across a wall divided by the spread (robust sd) of the field within its two labels,
    along the step, after the slow field is subtracted: 2.5 if a normal distribution is cut in two.
    """
    domain, field = judged.halves.domain, judged.halves.mean
    shown, slow = domain.indicators(found.labels)[:, 1:], domain.slow[:, : n_slow(found.degree)]
    fit = np.linalg.lstsq(np.column_stack([slow, shown]), field, rcond=None)[0]
    levels = np.vstack([np.zeros(field.shape[1]), fit[slow.shape[1] :]])
    step = levels[wall.labels[1]] - levels[wall.labels[0]]
    size = float(np.linalg.norm(step))
    along = (field - slow @ fit[: slow.shape[1]] - levels[found.labels]) @ step / max(size, 1e-12)
    inside = along[np.isin(found.labels, wall.labels)]
    return size / max(1.4826 * float(np.median(np.abs(inside - np.median(inside)))), 1e-12)
