"""Regularized segmentation: levels with walls, on top of a slowly varying field.

The energy of a map is chi2 / 2 + (number of levels and slow functions) ln n + length of its walls.
A map must explain more than its free parameters explain by chance, and more than a slow field (tilt
of the crystal, bending) explains without any wall. Candidates come from straight cuts and from the
vector total variation (Rudin, Osher and Fatemi, Physica D 60, 1992); the best are refined by
minimum cuts, and labels are merged while the energy decreases.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import legendre
from scipy import ndimage

from .cuts import CellGraph

DEGREE = 7  # of the slow field, at most
SOFT = 0.6  # cells: Gaussian that a wall is blurred with; walls are never sharper
LEAST_CELLS = 8  # of a label
_LEAST_PER = 6  # cells for every slow function
_LENGTH_PRICE, _CUT_PRICE = 1.0, 2.5  # per cell of wall: in the energy, and while a map is refined
_ANGLES, _OFFSETS, _HALF_WIDTH = 16, 18, 0.8  # straight cuts, and the tanh width of a wall in cells
_GAIN, _LEAVES, _LEAST_LEAF, _LEAST_SIDE = 14.0, 5, 40, 12  # of the tree of straight cuts
_SMOOTHINGS = (2.0, 5.0)  # weights of the total variation
_TURNS, _RATE = 60, 0.24  # of its projection (Chambolle, JMIV 20, 2004)
_REFINED = 3  # candidates that are refined
_REFINEMENTS = 3
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
    """

    def __init__(self, mask: np.ndarray, degree: int = DEGREE):
        self.mask, self.n, self.graph = mask, int(mask.sum()), CellGraph(mask)
        self.ij = np.argwhere(mask)
        few = [d for d in range(degree + 1) if n_slow(d) * _LEAST_PER <= self.n]
        self.degree = max(few, default=0)
        self.slow = np.linalg.qr(slow_functions(self.ij, self.degree))[0]
        self._weight = ndimage.gaussian_filter(mask * 1.0, SOFT, mode="constant")[mask]

    @cached_property
    def cuts(self) -> np.ndarray:
        """All straight steps (n, angles x offsets), -1 to 1."""
        angle = np.arange(_ANGLES) * np.pi / _ANGLES
        along = self.ij[:, 1:] * np.cos(angle) + self.ij[:, :1] * np.sin(angle)
        low, high = np.quantile(along, [0.06, 0.94], axis=0)
        at = low + (high - low) * np.linspace(0, 1, _OFFSETS)[:, None]
        return np.tanh((along[:, None] - at) / _HALF_WIDTH).reshape(self.n, -1).astype(np.float32)

    def on_grid(self, values: np.ndarray, outside: float = 0) -> np.ndarray:
        """Values (n, ...) of the cells on the grid."""
        grid = np.full((*self.mask.shape, *values.shape[1:]), outside, values.dtype)
        grid[self.mask] = values
        return grid

    def indicators(self, labels: np.ndarray) -> np.ndarray:
        """Share of every label (n, K) near every cell: 0 or 1, except at soft walls."""
        single = np.eye(int(labels.max()) + 1)[labels]
        blurred = ndimage.gaussian_filter(self.on_grid(single), (SOFT, SOFT, 0), mode="constant")
        return blurred[self.mask] / self._weight[:, None]

    def cleaned(self, labels: np.ndarray, gone: np.ndarray) -> np.ndarray:
        """The map with some labels (K,) replaced by the nearest other one, renumbered."""
        grid = self.on_grid(labels, -1)
        kept = (grid >= 0) & ~gone[grid]
        if not kept.any() or not gone.any():
            return compact_labels(labels)
        nearest = ndimage.distance_transform_edt(~kept, return_distances=False, return_indices=True)
        return compact_labels(grid[tuple(nearest)][self.mask])

    def without_small(self, labels: np.ndarray) -> np.ndarray:
        """The map without labels of few cells."""
        labels = compact_labels(labels)
        return self.cleaned(labels, np.bincount(labels) < LEAST_CELLS)


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
    shown, slow = domain.indicators(labels)[:, 1:], domain.slow
    k, left, right = shown.shape[1], slow.T @ shown, slow.T @ field
    gram, product, total = shown.T @ shown, shown.T @ field, float((field**2).sum())
    tried = []
    for degree in range(domain.degree + 1):
        m = n_slow(degree)
        a = gram - left[:m].T @ left[:m] + 1e-6 * domain.n * np.eye(k)
        b = product - left[:m].T @ right[:m]
        levels = np.linalg.solve(a, b) if k else b
        chi2 = total - float((right[:m] ** 2).sum()) - float((levels * b).sum())
        tried.append((chi2 / 2 + (m + k) * np.log(domain.n), degree, levels))
    energy, degree, levels = min(tried, key=lambda t: t[:2])
    energy += _LENGTH_PRICE * domain.graph.length(labels)
    return LevelMap(energy, degree, labels, np.vstack([np.zeros(field.shape[1]), levels]))


def merged_labels(domain: CellDomain, field: np.ndarray, found: LevelMap) -> LevelMap:
    """The map with its labels merged in pairs while its energy decreases; two labels remain."""
    while found.n_labels > 2:
        one, two = np.triu_indices(found.n_labels, 1)
        tried = [
            level_map(domain, field, np.where(found.labels == b, a, found.labels))
            for a, b in zip(one, two)
        ]
        best = min(tried, key=lambda m: m.energy)
        if best.energy >= found.energy:
            break
        found = best
    return found


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
    nothing = level_map(domain, field, np.zeros(domain.n, int))
    begun = _candidates(domain, field, nothing.degree) if maps is None else maps
    tried = [domain.without_small(m) for m in begun]
    found = sorted((level_map(domain, field, m) for m in tried if m.any()), key=lambda m: m.energy)
    refined = [_refined(domain, field, m) for m in found[:_REFINED]]
    return min([nothing, *found, *refined], key=lambda m: m.energy)


def _candidates(domain: CellDomain, field: np.ndarray, degree: int) -> list[np.ndarray]:
    """Maps to begin with, also without a slow field, which can hide domains."""
    found = []
    for used in sorted({0, degree}):
        found += _straight_cuts(domain, field, domain.slow[:, : n_slow(used)])
    for used in sorted({0, min(degree, 1)}):
        slow = domain.slow[:, : n_slow(used)]
        rest = domain.on_grid(field - slow @ (slow.T @ field))
        for weight in _SMOOTHINGS:
            flat = _total_variation(rest, domain.mask, weight)[domain.mask]
            if flat.std() > 1e-3:
                found += [_clusters(flat, k) for k in (2, 4)]
    return found


def _refined(domain: CellDomain, field: np.ndarray, found: LevelMap) -> LevelMap:
    """Least squares and minimum cuts in turn, then merging."""
    labels = found.labels
    for _ in range(_REFINEMENTS):
        now = level_map(domain, field, labels)
        if now.n_labels < 2:
            return now
        slow = domain.slow[:, : n_slow(now.degree)]
        shown = domain.indicators(now.labels) @ now.levels
        rest = field - slow @ (slow.T @ (field - shown))
        cost = ((rest[:, None] - now.levels) ** 2).sum(-1) / 2
        labels = domain.graph.cheapest(cost, now.labels, _CUT_PRICE)
        if (labels != now.labels).sum() <= _CHANGED:
            break
    return merged_labels(domain, field, level_map(domain, field, domain.without_small(labels)))


def _straight_cuts(domain: CellDomain, field: np.ndarray, slow: np.ndarray) -> list[np.ndarray]:
    """The best straight cut through all cells, and a tree of such cuts through its own leaves."""
    labels, found = np.zeros(domain.n, int), list[np.ndarray]()
    while labels.max() + 1 < _LEAVES:
        shown = np.column_stack([slow, np.eye(int(labels.max()) + 1)[labels][:, 1:]])
        basis = np.linalg.qr(shown)[0].astype(np.float32)
        rest = field.astype(np.float32) - basis @ (basis.T @ field.astype(np.float32))
        leaves = [_best_cut(domain, rest, basis, labels == k) for k in range(labels.max() + 1)]
        leaf = int(np.argmax([gain for gain, _ in leaves]))
        if found and leaves[leaf][0] < _GAIN:
            break
        labels = np.where((labels == leaf) & leaves[leaf][1], labels.max() + 1, labels)
        found.append(labels)
    return [found[0], found[-1]]


def _best_cut(domain: CellDomain, rest, basis, leaf) -> tuple[float, np.ndarray]:
    """Gain in chi2 of the best straight cut through a leaf, and its side."""
    side = domain.cuts[leaf] > 0
    count = side.sum(axis=0)
    fair = (count > _LEAST_SIDE) & (count < len(side) - _LEAST_SIDE)
    if len(side) < _LEAST_LEAF or not fair.any():
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


def _clusters(values: np.ndarray, k: int) -> np.ndarray:
    """Two or four clusters by k-means, begun on either side of the principal axes."""
    centered = values - values.mean(axis=0)
    along = centered @ np.linalg.svd(centered, full_matrices=False)[2].T
    labels = (along[:, 0] > np.median(along[:, 0])) * 1
    if k == 4:
        labels = labels + 2 * (along[:, -1] > np.median(along[:, -1]))
    for _ in range(20):
        means = np.array([values[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
        moved = compact_labels(((values[:, None] - means) ** 2).sum(-1).argmin(axis=1))
        if (moved == labels).all():
            break
        labels = moved
    return labels
