"""Regularized segmentation: levels with walls, on top of a slowly varying field.

The energy of a map is chi2 / 2 + (number of levels and slow functions) ln n + length of its walls.
A map must explain more than its free parameters explain by chance, and more than a slow field (tilt
of the crystal, bending) explains without any wall. Candidates come from straight cuts and from the
vector total variation (Rudin, Osher and Fatemi, Physica D 60, 1992); the best are refined by
minimum cuts, and labels are merged while the energy decreases.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import legendre
from scipy import ndimage

from .cuts import CellGraph

DEGREE = 7  # of the slow field, at most
SOFT = 0.6  # cells: Gaussian that a wall is blurred with; walls are never sharper
LEAST_CELLS = 8  # of a label
_ROW = 3  # cells: rows of single cells as long as that are no domain, nor are smaller patches
_LEAST_PER = 6  # cells for every slow function
_LENGTH_PRICE, _CUT_PRICE = 1.0, 2.5  # per cell of wall: in the energy, and while a map is refined
_ANGLES, _OFFSETS, _HALF_WIDTH = 16, 18, 0.8  # straight cuts, and the tanh width of a wall in cells
_GAIN, _LEAVES, _LEAST_LEAF, _LEAST_SIDE = 14.0, 5, 40, 12  # of the tree of straight cuts
_CUT_DEGREES = 3  # of the slow field beside straight cuts, at most, and that of no map
_SMOOTHINGS = ((0, 2.0), (0, 5.0), (1, 5.0), (2, 5.0))  # degree, weight of the total variation
_LEAST_COARSE = 1200  # cells, from which on maps are first drawn on blocks of 2 x 2
_TURNS, _RATE = 60, 0.24  # of its projection (Chambolle, JMIV 20, 2004)
_REFINED = 3  # candidates that are refined
_DRAWN = 5  # candidates that are refined before that
_REFINEMENTS, _SWEEPS = 3, 2  # turns of a candidate, and of its labels
_CHANGED = 2  # cells


@dataclass(frozen=True)
class LevelMap:
    """A map of levels.

    Attributes
    ----------
    energy : float
    degree : int
        Of the slow field.
    labels : ndarray of int, shape (n,)
    levels : ndarray, shape (K, components)
        Level of every label relative to that of label 0.
    """

    energy: float
    degree: int
    labels: np.ndarray
    levels: np.ndarray

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return len(self.levels)


class CellDomain:
    """Cells on which fields are segmented: slow functions, graph, straight cuts.

    Parameters
    ----------
    mask : ndarray of bool, shape (R, C)
    degree : int
        Largest degree of the slow field; lower if there are fewer than six cells per function.
    edge : int
        Edge, in cells, of what is taken for one cell here.
    """

    def __init__(self, mask: np.ndarray, degree: int = DEGREE, edge: int = 1):
        self.mask, self.n, self.graph = mask, int(mask.sum()), CellGraph(mask, edge)
        self.ij, self.edge, self.area = np.argwhere(mask), edge, edge**2
        self.price = np.log(max(self.n, 1) * self.area)  # of a free parameter
        few = [d for d in range(degree + 1) if n_slow(d) * _LEAST_PER <= self.n]
        self.degree = max(few, default=0)
        self.slow = np.linalg.qr(slow_functions(self.ij, self.degree))[0]
        self._weight = ndimage.gaussian_filter(mask * 1.0, SOFT / edge, mode="constant")[mask]

    @cached_property
    def coarse(self) -> tuple["CellDomain", np.ndarray]:
        """The domain of blocks of 2 x 2 cells, at least two of them known, and the block (n,) that
        every cell lies in or nearest to.
        """
        shape = [-(-size // 2) for size in self.mask.shape]
        at = tuple(self.ij.T // 2)
        known = np.zeros(shape, int)
        np.add.at(known, at, 1)
        domain = CellDomain(known >= 2, self.degree, 2 * self.edge)
        number = domain.on_grid(np.arange(domain.n), -1)
        near = ndimage.distance_transform_edt(
            number < 0, return_distances=False, return_indices=True
        )
        return domain, number[tuple(near)][at]

    @cached_property
    def cuts(self) -> np.ndarray:
        """All straight steps (n, angles x offsets), -1 to 1."""
        angle = np.arange(_ANGLES) * np.pi / _ANGLES
        along = self.ij[:, 1:] * np.cos(angle) + self.ij[:, :1] * np.sin(angle)
        low, high = np.quantile(along, [0.06, 0.94], axis=0)
        at = low + (high - low) * np.linspace(0, 1, _OFFSETS)[:, None]
        apart = self.edge * (along[:, None] - at) / _HALF_WIDTH
        return np.tanh(apart).reshape(self.n, -1).astype(np.float32)

    def on_grid(self, values: np.ndarray, outside: float = 0) -> np.ndarray:
        """Values (n, ...) of the cells on the grid."""
        grid = np.full((*self.mask.shape, *values.shape[1:]), outside, values.dtype)
        grid[self.mask] = values
        return grid

    def indicators(self, labels: np.ndarray) -> np.ndarray:
        """Share of every label (n, K) near every cell: 0 or 1, except at soft walls."""
        single = np.eye(int(labels.max()) + 1)[labels]
        soft = SOFT / self.edge
        blurred = ndimage.gaussian_filter(self.on_grid(single), (soft, soft, 0), mode="constant")
        return blurred[self.mask] / self._weight[:, None]

    def cleaned(self, labels: np.ndarray, gone: np.ndarray) -> np.ndarray:
        """The map with some labels (K,) replaced by the nearest other one, renumbered."""
        grid = self.on_grid(labels, -1)
        kept = (grid >= 0) & ~gone[grid]
        if not kept.any() or not gone.any():
            return compact_labels(labels)
        nearest = ndimage.distance_transform_edt(~kept, return_distances=False, return_indices=True)
        return compact_labels(grid[tuple(nearest)][self.mask])

    def opened(self, labels: np.ndarray) -> np.ndarray:
        """The map without rows of single cells and without patches of one or two, which along a
        wall are no domain; labels keep their numbers, and none is lost.
        """
        grid = self.on_grid(labels, -1)
        for gone in (_rows_of_cells, _specks):
            kept = (grid >= 0) & ~gone(grid)
            if len(np.unique(grid[kept])) < len(np.unique(labels)):
                break
            nearest = ndimage.distance_transform_edt(
                ~kept, return_distances=False, return_indices=True
            )
            grid = np.where(grid >= 0, grid[tuple(nearest)], -1)
        return grid[self.mask]

    def without_small(self, labels: np.ndarray) -> np.ndarray:
        """The map without labels of few cells."""
        labels = compact_labels(labels)
        return self.cleaned(labels, self.area * np.bincount(labels) < LEAST_CELLS)


def _rows_of_cells(grid: np.ndarray) -> np.ndarray:
    """Cells of rows of three or more that lie in no square of four cells of their label."""
    wide = grid < 0
    for k in range(grid.max() + 1):
        own = np.pad((grid == k) | (grid < 0), 2, mode="edge")
        wide |= (grid == k) & ndimage.binary_opening(own, np.ones((2, 2)))[2:-2, 2:-2]
    row = ndimage.label(~wide, np.ones((3, 3)))[0]
    return ~wide & (np.bincount(row.ravel())[row] >= _ROW)


def _specks(grid: np.ndarray) -> np.ndarray:
    """Cells of connected patches of one or two."""
    small = np.zeros(grid.shape, bool)
    for k in range(grid.max() + 1):
        patch = ndimage.label(grid == k)[0]
        small |= (grid == k) & (np.bincount(patch.ravel())[patch] < _ROW)
    return small


def compact_labels(labels: np.ndarray) -> np.ndarray:
    """Labels renumbered 0 .. K - 1 without gaps."""
    return np.unique(labels, return_inverse=True)[1].ravel()


def n_slow(degree: int) -> int:
    """Number of slow functions up to a degree."""
    return (degree + 1) * (degree + 2) // 2


def slow_functions(ij: np.ndarray, degree: int) -> np.ndarray:
    """Legendre polynomials (n, terms) over cells up to a total degree, ordered by degree."""
    unit = 2 * (ij - ij.min(axis=0)) / np.maximum(np.ptp(ij, axis=0), 1) - 1
    one, two = (legendre.legvander(unit[:, k], degree) for k in (0, 1))
    return np.stack(
        [one[:, k] * two[:, s - k] for s in range(degree + 1) for k in range(s + 1)], axis=1
    )


def level_map(domain: CellDomain, field: np.ndarray, labels: np.ndarray) -> LevelMap:
    """A map with the levels and the degree of the slow field that minimize its energy.

    Parameters
    ----------
    domain : CellDomain
    field : ndarray, shape (n, components)
        In units of its noise.
    labels : ndarray of int, shape (n,)

    Returns
    -------
    LevelMap
    """
    labels = compact_labels(labels)
    energy, degree, levels = _Sums.of(domain, field, labels).fitted(domain)
    return LevelMap(energy, degree, labels, levels)


@dataclass(frozen=True)
class _Sums:
    """All that the energy of a map, and of the map with labels merged, depends on: squares and
    products of field, labels and slow functions, and the length of wall between two labels.
    """

    total: float
    slow: np.ndarray  # (M, components): slow functions times field
    gram: np.ndarray  # (K, K): labels times labels
    left: np.ndarray  # (M, K): slow functions times labels
    product: np.ndarray  # (K, components): labels times field
    walls: np.ndarray  # (K, K)

    @classmethod
    def of(cls, domain: CellDomain, field: np.ndarray, labels: np.ndarray) -> "_Sums":
        shown, slow = domain.indicators(labels), domain.slow
        products = slow.T @ field, shown.T @ shown, slow.T @ shown, shown.T @ field
        return cls(float((field**2).sum()), *products, domain.graph.lengths(labels))

    def merged(self, a: int, b: int) -> "_Sums":
        """With label b taken for a, those above it one less."""
        into = np.delete(np.eye(len(self.gram)), b, axis=1)
        into[b, a - (a > b)] = 1
        left, product = self.left @ into, into.T @ self.product
        gram, walls = (into.T @ square @ into for square in (self.gram, self.walls))
        return _Sums(self.total, self.slow, gram, left, product, walls)

    def fitted(self, domain: CellDomain) -> tuple[float, int, np.ndarray]:
        """Energy, degree of the slow field, and levels (K, components), the first of them 0."""
        terms = np.array([n_slow(d) for d in range(domain.degree + 1)])
        left, k = self.left[:, 1:], len(self.gram) - 1
        shared = np.cumsum(left[:, :, None] * left[:, None], axis=0)[terms - 1]
        both = np.cumsum(left[:, :, None] * self.slow[:, None], axis=0)[terms - 1]
        levels = b = self.product[1:] - both
        if k:
            a = self.gram[1:, 1:] - shared + 1e-6 * domain.n * np.eye(k)
            levels = np.linalg.solve(a, b)
        explained = np.cumsum((self.slow**2).sum(axis=1))[terms - 1]
        chi2 = self.total - explained - (levels * b).sum(axis=(1, 2))
        energy = chi2 / 2 + (terms + k) * domain.price
        degree = int(energy.argmin())
        between = np.triu(self.walls, 1).sum()
        first = np.zeros((1, self.slow.shape[1]))
        best = float(energy[degree] + _LENGTH_PRICE * between)
        return best, degree, np.vstack([first, levels[degree]])


def merged_labels(domain: CellDomain, field: np.ndarray, found: LevelMap) -> LevelMap:
    """The map with its labels merged in pairs while its energy decreases; two labels remain."""
    sums, energy, labels = _Sums.of(domain, field, found.labels), found.energy, found.labels
    while labels.max() > 1:
        pairs = list(itertools.combinations(range(int(labels.max()) + 1), 2))
        tried = [sums.merged(a, b) for a, b in pairs]
        energies = [t.fitted(domain)[0] for t in tried]
        best = int(np.argmin(energies))
        if energies[best] >= energy:
            break
        (a, b), sums, energy = pairs[best], tried[best], energies[best]
        labels = compact_labels(np.where(labels == b, a, labels))
    return found if labels is found.labels else level_map(domain, field, labels)


def segment_field(
    domain: CellDomain, field: np.ndarray, maps: tuple[np.ndarray, ...] | None = None
) -> LevelMap:
    """The map of least energy; one label if no map is better than a slow field.

    Parameters
    ----------
    domain : CellDomain
    field : ndarray, shape (n, components)
        In units of its noise.
    maps : tuple of ndarray, optional
        Maps (n,) to choose from and to refine; by default straight cuts and clusters.

    Returns
    -------
    LevelMap

    Examples
    --------
    >>> domain = CellDomain(np.ones((24, 24), bool))
    >>> field = np.random.default_rng(0).normal(size=(576, 2))
    >>> segment_field(domain, field).n_labels
    1
    >>> found = segment_field(domain, field + 2.0 * (domain.ij[:, 1:] > 11))
    >>> found.n_labels, abs(int(found.labels.sum()) - 288) < 5
    (2, True)
    """
    if maps is None and domain.n >= _LEAST_COARSE:
        coarse, block = domain.coarse
        found = _sorted_maps(_drawn(coarse, block_field(domain, field)))
        maps = tuple(m.labels[block] for m in found[:_REFINED])
    nothing = level_map(domain, field, np.zeros(domain.n, int))
    if maps is None:
        return min([nothing, *_drawn(domain, field)], key=_energy)
    tried = [domain.without_small(m) for m in maps]
    begun = _sorted_maps([level_map(domain, field, m) for m in tried if m.any()])
    refined = _refined(domain, field, begun[:_REFINED])
    return min([nothing, *begun, *refined], key=_energy)


def block_field(domain: CellDomain, field: np.ndarray) -> np.ndarray:
    """The field (n blocks, components) of the coarse domain, in units of its noise."""
    block = domain.coarse[1]
    sums = [np.bincount(block, component) for component in field.T]
    return 2 * np.stack(sums, axis=1) / np.bincount(block)[:, None]


def _energy(found: LevelMap) -> float:
    return found.energy


def _sorted_maps(found: list[LevelMap]) -> list[LevelMap]:
    """Maps of more than one label by their energy, of equal ones the first."""
    distinct = {round(m.energy, 1): m for m in reversed(found) if m.n_labels > 1}
    return [distinct[energy] for energy in sorted(distinct)]


def _drawn(domain: CellDomain, field: np.ndarray) -> list[LevelMap]:
    """Candidates, those refined that promise most after one turn."""
    degree = level_map(domain, field, np.zeros(domain.n, int)).degree
    turned = _turned(domain, field, _candidates(domain, field, degree), 1)
    found = [level_map(domain, field, domain.without_small(labels)) for labels in turned]
    return _refined(domain, field, _sorted_maps(found)[:_DRAWN])


def _candidates(domain: CellDomain, field: np.ndarray, degree: int) -> list[LevelMap]:
    """Maps to begin with, at several degrees of the slow field, which can hide domains."""
    drawn = []
    for used in sorted({*range(min(domain.degree, _CUT_DEGREES) + 1), degree}):
        drawn.append(_straight_cuts(domain, field, domain.slow[:, : n_slow(used)]))
    for used, weight in _SMOOTHINGS:
        slow = domain.slow[:, : n_slow(min(used, domain.degree))]
        rest = domain.on_grid(field - slow @ (slow.T @ field))
        flat = _total_variation(rest, domain.mask, weight)[domain.mask]
        if flat.std() > 1e-3:
            drawn.append(_clusters(flat))
    tried = [domain.without_small(m) for m in drawn]
    return [level_map(domain, field, m) for m in tried if m.any()]


def _turned(
    domain: CellDomain, field: np.ndarray, maps: list[LevelMap], sweeps: int
) -> list[np.ndarray]:
    """The labels that are cheapest beside the levels and the slow field of every map."""
    costs = []
    for found in maps:
        slow = domain.slow[:, : n_slow(found.degree)]
        shown = domain.indicators(found.labels) @ found.levels
        rest = field - slow @ (slow.T @ (field - shown))
        costs.append(((rest[:, None] - found.levels) ** 2).sum(-1) / 2)
    return domain.graph.cheapest(costs, [m.labels for m in maps], _CUT_PRICE, sweeps)


def _refined(domain: CellDomain, field: np.ndarray, maps: list[LevelMap]) -> list[LevelMap]:
    """Least squares and minimum cuts in turn, for all maps together, then merging. Maps with the
    same labels at the beginning of a turn are refined once.
    """
    found = {k: m.labels for k, m in enumerate(maps)}
    active = list(found)
    for _ in range(_REFINEMENTS):
        now = {k: level_map(domain, field, found[k]) for k in active}
        first = {m.labels.tobytes(): k for k, m in reversed(now.items())}
        found = {k: v for k, v in found.items() if k not in now or k in first.values()}
        active = [k for k in active if k in found and now[k].n_labels > 1]
        turned = _turned(domain, field, [now[k] for k in active], _SWEEPS)
        found |= dict(zip(active, turned))
        active = [k for k in active if (found[k] != now[k].labels).sum() > _CHANGED]
    tried = [level_map(domain, field, domain.without_small(labels)) for labels in found.values()]
    return [merged_labels(domain, field, m) for m in tried]


def moved_walls(domain: CellDomain, field: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A map with its walls moved to where it is cheapest; no label is lost.

    Parameters
    ----------
    domain : CellDomain
    field : ndarray, shape (n, components)
        In units of its noise.
    labels : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> domain = CellDomain(np.ones((24, 24), bool), degree=1)
    >>> right = domain.ij[:, 1] > 11
    >>> field = np.random.default_rng(0).normal(right[:, None] * 4.0, 1, (576, 2))
    >>> found = moved_walls(domain, field, (domain.ij[:, 1] > 8) * 5)
    >>> bool(abs((found == 5).sum() - 288) < 5)
    True
    """
    names, found = np.unique(labels, return_inverse=True)
    for _ in range(_REFINEMENTS):
        (turned,) = _turned(domain, field, [level_map(domain, field, found)], _SWEEPS)
        if len(np.unique(turned)) < len(names):
            break
        found, before = turned, found
        if (found != before).sum() <= _CHANGED:
            break
    return names[domain.opened(found)]


def _straight_cuts(domain: CellDomain, field: np.ndarray, slow: np.ndarray) -> np.ndarray:
    """The best straight cut through all cells, then through its leaves."""
    labels = np.zeros(domain.n, int)
    while labels.max() + 1 < _LEAVES:
        shown = np.column_stack([slow, np.eye(int(labels.max()) + 1)[labels][:, 1:]])
        basis = np.linalg.qr(shown)[0].astype(np.float32)
        rest = field.astype(np.float32) - basis @ (basis.T @ field.astype(np.float32))
        leaves = [_best_cut(domain, rest, basis, labels == k) for k in range(labels.max() + 1)]
        leaf = int(np.argmax([gain for gain, _ in leaves]))
        if labels.any() and leaves[leaf][0] < _GAIN:
            break
        labels = np.where((labels == leaf) & leaves[leaf][1], labels.max() + 1, labels)
    return labels


def _best_cut(domain: CellDomain, rest, basis, leaf) -> tuple[float, np.ndarray]:
    """Gain in chi2 of the best straight cut through a leaf, and its side."""
    side = domain.cuts[leaf] > 0
    count = side.sum(axis=0)
    least = _LEAST_SIDE / domain.area
    fair = (count > least) & (count < len(side) - least)
    if len(side) < _LEAST_LEAF / domain.area or not fair.any():
        return 0.0, leaf
    step = (side[:, fair] - side[:, fair].mean(axis=0)).astype(np.float32)
    power = np.maximum((step**2).sum(axis=0) - ((basis[leaf].T @ step) ** 2).sum(axis=0), 1.0)
    gain = ((step.T @ rest[leaf]) ** 2).sum(axis=1) / power
    best = int(gain.argmax())
    return float(gain[best]), domain.cuts[:, np.nonzero(fair)[0][best]] > 0


def _total_variation(field: np.ndarray, mask: np.ndarray, weight: float) -> np.ndarray:
    """The field with least total variation of all components together, within the mask."""
    right, down = (mask[:, 1:] & mask[:, :-1])[..., None], (mask[1:] & mask[:-1])[..., None]
    flow_x, flow_y = np.zeros(field[:, 1:].shape), np.zeros(field[1:].shape)

    def divergence() -> np.ndarray:
        out = np.zeros(field.shape)
        out[:, :-1] += flow_x
        out[:, 1:] -= flow_x
        out[:-1] += flow_y
        out[1:] -= flow_y
        return out

    for _ in range(_TURNS):
        rest = divergence() - field / weight
        for flow, known, axis in ((flow_x, right, 1), (flow_y, down, 0)):
            slope = np.diff(rest, axis=axis) * known
            flow += _RATE * slope
            flow /= 1 + _RATE * np.sqrt((slope**2).sum(-1, keepdims=True))
    return field - weight * divergence()


def _clusters(values: np.ndarray) -> np.ndarray:
    """Four clusters by k-means, begun on either side of the principal axes."""
    centered = values - values.mean(axis=0)
    along = centered @ np.linalg.svd(centered, full_matrices=False)[2].T
    labels = (along[:, [0, -1]] > np.median(along[:, [0, -1]], axis=0)) @ [1, 2]
    for _ in range(20):
        means = np.array([values[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
        moved = compact_labels(((values[:, None] - means) ** 2).sum(-1).argmin(axis=1))
        if (moved == labels).all():
            break
        labels = moved
    return labels
