"""The crystal lattice: which column belongs to which unit cell, and the geometry of every cell.

Columns are linked to the neighbours that lie one lattice vector away. A walk over the links gives every column
integer indices (i, j) that follow the crystal through strain, rotation, gaps and interfaces.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from .cells import Basis, Cells, corner_mean, measure
from .columns import Columns, fit
from .errors import InputError
from .images import Image

_TOLERANCE = 0.28  # of a cell: how far from its predicted place a neighbour is accepted
MIN_CELLS = 36
_BENT = 0.12  # of a cell: how far a column may lie from the middle of its neighbours
_B_SEEN = 0.5  # share of the cells in which a B column must be found for the sublattice to count as seen


@dataclass(frozen=True)
class Lattice:
    """Indexed columns: every column's sublattice ("A", "B") and indices, and the cells that they form."""

    columns: Columns
    sublattice: np.ndarray
    ij: np.ndarray
    cells: Cells


def build(image: Image, columns: Columns, refinement_radius: float = 0.45) -> Lattice:
    """Index the columns of an image and measure its unit cells.

    Columns that the lattice predicts but the detection missed are looked for at their place; columns off the
    lattice are dropped.

    Parameters
    ----------
    image : Image
    columns : Columns
        From :func:`bfo_utils.columns.find`.
    refinement_radius : float
        As for :func:`bfo_utils.columns.find`, for the columns that are added.

    Returns
    -------
    Lattice

    Raises
    ------
    InputError
        If fewer than 36 cells can be indexed.

    Examples
    --------
    >>> from bfo_utils import columns, phantom
    >>> p = phantom.simulate(phantom.Crystal(cells=12, cell_px=16))
    >>> cells = build(p.image, columns.find(p.image)).cells
    >>> cells.has_b, round(float(np.nanmean(cells.a)))
    (True, 16)
    """
    try:
        basis = mean_basis(columns)
    except InputError as error:
        raise InputError(f"{image.name}: {error}") from error
    a_nodes = _a_lattice(image.name, columns, basis)
    a_nodes = _doubted(_complete_nodes(image, a_nodes, basis, refinement_radius), basis)
    b_sites = _b_sites(image, columns, a_nodes, basis, refinement_radius)
    found = _assemble(a_nodes, b_sites, basis)
    if found.cells.n < MIN_CELLS:
        raise InputError(f"{image.name}: only {found.cells.n} complete unit cells found; at least {MIN_CELLS} are needed")
    return found


def mean_basis(columns: Columns) -> Basis:
    """Lattice vectors of the image from the differences between neighbouring columns.

    The two shortest independent, frequent differences span the column lattice. If columns one such vector apart
    differ more in height than columns two steps apart do, two sublattices alternate and the cell is the centred one.

    Parameters
    ----------
    columns : Columns

    Returns
    -------
    Basis

    Raises
    ------
    InputError
        If no two independent lattice vectors are found.
    """
    if len(columns) < MIN_CELLS:
        raise InputError(f"only {len(columns)} columns found; an image with at least {MIN_CELLS} unit cells is needed")
    v1, v2 = _primitive_vectors(columns)
    single, double = [v1, v2], [v1 + v2, v1 - v2]
    tree = cKDTree(columns.xy)
    contrast = [max(_height_difference(columns, v, tree) for v in double),
                min(_height_difference(columns, v, tree) for v in single)]
    two = contrast[1] > 1.25 * contrast[0]
    a, b = _oriented(*(_settled(columns.xy, v, tree) for v in (double if two else single)))
    return Basis(np.array([a, b]), bool(two))


def _settled(xy: np.ndarray, vector: np.ndarray, tree: cKDTree) -> np.ndarray:
    """A lattice vector made exact: median difference of the columns that it links, three times over."""
    for _ in range(3):
        tail, head = _links(xy, vector, _TOLERANCE * np.hypot(*vector), tree)
        vector = np.median(xy[head] - xy[tail], axis=0) if len(tail) else vector
    return vector


def _primitive_vectors(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """The two shortest independent vectors among the peaks of the histogram of neighbour differences."""
    reach = 1.7 * columns.spacing_px
    strong = columns.take(columns.intensity > 0.1 * np.median(columns.intensity))
    near = cKDTree(strong.xy).query(strong.xy, k=min(13, len(strong)), distance_upper_bound=reach)[1][:, 1:]
    p, q = np.nonzero(near < len(strong))
    difference = strong.xy[near[p, q]] - strong.xy[p]
    bins = np.linspace(-reach, reach, 86)
    density = np.histogram2d(difference[:, 1], difference[:, 0], bins)[0]
    density = ndimage.gaussian_filter(density, 3)
    peak = (density == ndimage.maximum_filter(density, 9)) & (density > 0.3 * density.max())
    centres = (bins[1:] + bins[:-1]) / 2
    vectors = np.stack([centres[np.nonzero(peak)[1]], centres[np.nonzero(peak)[0]]], axis=1)
    vectors = vectors[np.argsort(np.hypot(*vectors.T))]
    for v in vectors[1:]:
        sine = abs(vectors[0][0] * v[1] - vectors[0][1] * v[0]) / np.hypot(*vectors[0]) / np.hypot(*v)
        if sine > 0.7:
            return _mean_vector(difference, vectors[0]), _mean_vector(difference, v)
    raise InputError("the columns found form no lattice; an image of a crystal along a zone axis is needed")


def _mean_vector(differences: np.ndarray, about: np.ndarray) -> np.ndarray:
    close = np.hypot(*(differences - about).T) < 0.2 * np.hypot(*about)
    return np.median(differences[close], axis=0)


def _height_difference(columns: Columns, vector: np.ndarray, tree: cKDTree) -> float:
    """Median absolute difference in height of columns that lie one vector apart."""
    tail, head = _links(columns.xy, vector, _TOLERANCE * np.hypot(*vector), tree)
    if len(tail) < 10:
        return np.inf
    return float(np.median(np.abs(columns.intensity[head] - columns.intensity[tail])))


def _oriented(v1: np.ndarray, v2: np.ndarray) -> np.ndarray:
    """The pair as rows (a, b): a within 45 degrees of +x, b turned from it towards +y."""
    a, b = (v1, v2) if abs(v1[0]) * np.hypot(*v2) >= abs(v2[0]) * np.hypot(*v1) else (v2, v1)
    a = a * np.sign(a[0])
    return np.array([a, b * np.sign(a[0] * b[1] - a[1] * b[0])])


def _links(xy: np.ndarray, vector: np.ndarray, tolerance: float, tree: cKDTree) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (tail, head) of columns one ``vector`` apart, each the other's nearest to the predicted place."""
    distance, head = tree.query(xy + vector, distance_upper_bound=tolerance)
    back = tree.query(xy - vector, distance_upper_bound=tolerance)[1]
    tail = np.nonzero(np.isfinite(distance))[0]
    tail = tail[back[head[tail]] == tail]
    return tail, head[tail]


@dataclass(frozen=True)
class _Nodes:
    """Columns of one sublattice on its grid: index into ``columns`` per node, -1 where there is none.

    A column whose fit is not sound (cut by the frame, say) keeps its node, but geometry does not build on it.
    """

    columns: Columns
    grid: np.ndarray

    def values(self, array: np.ndarray, sound: bool = False) -> np.ndarray:
        """Per-column values on the grid, NaN where there is no column (with ``sound``: no soundly fitted one)."""
        shown = (self.grid >= 0) & (self.columns.ok[self.grid] | (not sound))
        out = np.full(self.grid.shape + array.shape[1:], np.nan)
        out[shown] = array[self.grid[shown]]
        return out

    @property
    def sound(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions and heights of the soundly fitted columns on the grid."""
        return self.values(self.columns.xy, sound=True), self.values(self.columns.intensity, sound=True)


def walk(xy: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Component and integer indices of every column, by a breadth-first walk over lattice links.

    Parameters
    ----------
    xy : ndarray, shape (N, 2)
        Positions in px.
    vectors : ndarray, shape (2, 2)
        Rows a and b, in px. Neighbours are accepted within 0.28 of a cell of their predicted place, so that local
        strain and rotation (up to about 15 degrees against the mean) are followed.

    Returns
    -------
    component : ndarray of int, shape (N,)
        Connected component, 0 the largest.
    ij : ndarray of int, shape (N, 2)
        Row and column index within the component, from the component's own root.

    Examples
    --------
    >>> xy = np.array([[0, 0], [10, 0], [20, 1], [20, 11]])
    >>> component, ij = walk(xy, np.array([[10, 0], [0, 10]]))
    >>> (ij - ij[0]).tolist()
    [[0, 0], [0, 1], [0, 2], [1, 2]]
    """
    tree = cKDTree(xy)
    size = len(xy)
    tails, heads, steps = [], [], []
    for stride, vector in (((0, 1), vectors[0]), ((1, 0), vectors[1])):
        tail, head = _links(xy, vector, _TOLERANCE * np.hypot(*vector), tree)
        tails += [tail, head]
        heads += [head, tail]
        steps += [np.tile(stride, (len(tail), 1)), np.tile(stride, (len(tail), 1)) * -1]
    tail, head, step = np.concatenate(tails), np.concatenate(heads), np.concatenate(steps)
    graph = sparse.csr_matrix((np.ones(len(tail), np.int8), (tail, head)), shape=(size, size))
    component = _by_size(csgraph.connected_components(graph, directed=False)[1])
    return component, _accumulate(graph, component, (tail, head, step))


def _by_size(component: np.ndarray) -> np.ndarray:
    """Renumber components from the largest to the smallest."""
    order = np.argsort(-np.bincount(component), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[component]


def _accumulate(graph, component: np.ndarray, links) -> np.ndarray:
    """Indices by summing steps from every node back to its root (pointer doubling over the breadth-first tree)."""
    tail, head, step = links
    size = len(component)
    parent = np.arange(size)
    for root in np.unique(component, return_index=True)[1][: 1 + int((np.bincount(component) > 8).sum())]:
        order, predecessor = csgraph.breadth_first_order(graph, root, directed=False)
        parent[order[1:]] = predecessor[order[1:]]
    ij = np.zeros((size, 2), int)
    tree_link = parent[head] == tail
    ij[head[tree_link]] = step[tree_link]
    while not np.array_equal(parent, parent[parent]):
        ij = ij + ij[parent] * (parent != np.arange(size))[:, None]
        parent = parent[parent]
    return ij


def _a_lattice(name: str, columns: Columns, basis: Basis) -> _Nodes:
    """The A sublattice: the brighter of the two largest components, or the largest of one."""
    component, ij = walk(columns.xy, basis.vectors)
    chosen = 0
    if basis.two_sublattices and (component == 1).sum() > 0.3 * (component == 0).sum():
        chosen = int(np.argmax([np.median(columns.intensity[component == c]) for c in (0, 1)]))
    index = np.nonzero(component == chosen)[0]
    ij = ij[index] - ij[index].min(axis=0)
    grid = np.full(ij.max(axis=0) + 1, -1)
    grid[tuple(ij[::-1].T)] = index[::-1]  # of two columns with one index, the first wins
    if (grid >= 0).sum() < MIN_CELLS:
        raise InputError(f"{name}: only {(grid >= 0).sum()} columns form a lattice; at least {MIN_CELLS} are needed")
    return _Nodes(columns, grid)


def _complete_nodes(image: Image, nodes: _Nodes, basis: Basis, radius: float) -> _Nodes:
    """Look for missed A columns between two opposite neighbours that were found."""
    xy = nodes.values(nodes.columns.xy)
    guess = _between(xy)
    wanted = np.isnan(xy[..., 0]) & np.isfinite(guess[..., 0])
    return _add(image, nodes, wanted, guess, basis, radius)


def _between(xy: np.ndarray) -> np.ndarray:
    """Midpoint of the left and right, or of the upper and lower neighbours, of every node."""
    padded = np.pad(xy, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    across = (padded[1:-1, :-2] + padded[1:-1, 2:]) / 2
    down = (padded[:-2, 1:-1] + padded[2:, 1:-1]) / 2
    return np.where(np.isnan(across), down, across)


def _doubted(nodes: _Nodes, basis: Basis) -> _Nodes:
    """Mark columns that lie far from the middle of their neighbours: contamination, or the core of a dislocation.

    Strain bends a row by less, even across a ferroelastic wall (6 % of strain: 0.03 of a cell).
    """
    xy = nodes.values(nodes.columns.xy)
    padded = np.pad(xy, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    across = np.linalg.norm(xy - (padded[1:-1, :-2] + padded[1:-1, 2:]) / 2, axis=-1)
    down = np.linalg.norm(xy - (padded[:-2, 1:-1] + padded[2:, 1:-1]) / 2, axis=-1)
    ok = nodes.columns.ok.copy()
    ok[nodes.grid[np.fmax(across, down) > _BENT * basis.cell_px]] = False
    return replace(nodes, columns=replace(nodes.columns, ok=ok))


def _add(image: Image, nodes: _Nodes, wanted: np.ndarray, guess: np.ndarray, basis: Basis, radius: float) -> _Nodes:
    """Fit columns at guessed places and keep those that are there: high enough, and near the guess."""
    if not wanted.any():
        return nodes
    old = nodes.columns
    used = old.take(nodes.grid[nodes.grid >= 0])
    height = np.median(used.intensity)
    new = fit(image, guess[wanted], float(np.median(used.sigma_px)), radius * old.spacing_px, old.spacing_px)
    inside = np.all((guess[wanted] > 1) & (guess[wanted] < np.array(image.data.shape[::-1]) - 2), axis=1)
    shift = np.hypot(*(new.xy - guess[wanted]).T)
    keep = inside & new.ok & (new.intensity > 0.25 * height) & (shift < 0.15 * basis.cell_px)
    grid = nodes.grid.copy()
    grid[tuple(np.argwhere(wanted)[keep].T)] = len(old) + np.arange(keep.sum())
    return _Nodes(_joined(old, new.take(keep)), grid)


def _joined(first: Columns, second: Columns) -> Columns:
    arrays: dict[str, Any] = {k: np.concatenate([v, getattr(second, k)]) for k, v in vars(first).items() if k != "spacing_px"}
    return replace(first, **arrays)


def _b_sites(image: Image, columns: Columns, a_nodes: _Nodes, basis: Basis, radius: float) -> _Nodes | None:
    """B columns on the grid of cells, one cell wider than the complete ones on every side, or None if not seen."""
    if not basis.two_sublattices:
        return None
    node = a_nodes.values(a_nodes.columns.xy)
    centre = _cell_centres(node, basis)
    whole = np.isfinite(corner_mean(np.pad(node, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan))[..., 0])
    cell = np.argwhere(np.isfinite(centre[..., 0]))
    free = np.setdiff1d(np.arange(len(columns)), a_nodes.grid)
    at = centre[tuple(cell.T)]
    distance, nearest = cKDTree(columns.xy[free]).query(at, distance_upper_bound=_TOLERANCE * basis.cell_px)
    found = np.isfinite(distance)
    grid = np.full(centre.shape[:2], -1)
    grid[tuple(cell[found].T)] = free[nearest[found]]
    if (grid[whole] >= 0).mean() < _B_SEEN:
        return None
    return _add(image, _Nodes(a_nodes.columns, _unique(grid)), whole & (grid < 0), centre, basis, radius)


def _cell_centres(node: np.ndarray, basis: Basis) -> np.ndarray:
    """Expected centre of every cell with at least one corner: mean over the corners of corner + half diagonal."""
    a, b = basis.vectors
    wide = np.pad(node, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    guesses = [wide[:-1, :-1] + (a + b) / 2, wide[:-1, 1:] + (b - a) / 2,
               wide[1:, :-1] + (a - b) / 2, wide[1:, 1:] - (a + b) / 2]
    known = np.isfinite(guesses).sum(axis=0)
    return np.divide(np.nansum(guesses, axis=0), known, out=np.full(known.shape, np.nan), where=known > 0)


def _unique(grid: np.ndarray) -> np.ndarray:
    """Keep the first of several cells that claim one column."""
    flat = grid.ravel().copy()
    first = np.zeros(flat.size, bool)
    first[np.unique(flat, return_index=True)[1]] = True
    flat[~first] = -1
    return flat.reshape(grid.shape)


def _assemble(a_nodes: _Nodes, b_sites: _Nodes | None, basis: Basis) -> Lattice:
    node, height = a_nodes.sound
    cells = measure(basis, node, height, tuple(v[1:-1, 1:-1] for v in b_sites.sound) if b_sites else None)
    groups = [(a_nodes.grid, "A")] + ([(b_sites.grid, "B")] if b_sites else [])
    source = (b_sites or a_nodes).columns
    index = np.concatenate([grid[grid >= 0] for grid, _ in groups])
    sublattice = np.concatenate([np.full((grid >= 0).sum(), name) for grid, name in groups])
    ij = np.concatenate([np.argwhere(grid >= 0) for grid, _ in groups])
    return Lattice(source.take(index), sublattice, ij, cells)
