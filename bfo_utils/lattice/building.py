"""The crystal lattice: which column belongs to which unit cell, and the geometry of every cell.

Every column is given integer indices (i, j) that follow the crystal through strain, rotation, gaps
and interfaces (see :mod:`bfo_utils.lattice`); where the lattice misses a column, it is looked for.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..columns import Columns, fit_columns
from ..errors import InputError
from ..io import Image
from .cells import Basis, Cells, corner_mean, measure_cells
from .indexing import INDEX_TOLERANCE, neighbor_links, rejoin_pieces, walk_lattice

# of the largest piece of the lattice: smaller ones do not say which sublattice is the bright one
_PIECE = 0.3
MIN_CELLS = 36
_MISSED = 0.1  # of a cell: links between unlike columns that miss by more are no links
_COMPLETE = 0.2  # cells per column of the A sublattice: fewer, and the lattice is a mistake
_BENT = 0.12  # of a cell: how far a column may lie from the middle of its neighbours
_B_SEEN = (
    0.5  # share of the cells in which a B column must be found for the sublattice to count as seen
)


@dataclass(frozen=True)
class Lattice:
    """Indexed columns: every column's sublattice ("A", "B") and indices, and the cells that they
    form.
    """

    columns: Columns
    sublattice: np.ndarray
    ij: np.ndarray
    cells: Cells


def build_lattice(image: Image, columns: Columns, refinement_radius: float = 0.45) -> Lattice:
    """Index the columns of an image and measure its unit cells.

    Columns that the lattice predicts but the detection missed are looked for at their place;
    columns off the lattice are dropped.

    Parameters
    ----------
    image : Image
    columns : Columns
        From :func:`bfo_utils.columns.find_columns`.
    refinement_radius : float
        As for :func:`bfo_utils.columns.find_columns`, for the columns that are added.

    Returns
    -------
    Lattice

    Raises
    ------
    InputError
        If fewer than 36 cells can be indexed, or far fewer than there are columns.

    Examples
    --------
    >>> from bfo_utils.columns import find_columns
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> p = simulate_phantom(Specimen(cells=12, cell_px=16))
    >>> cells = build_lattice(p.image, find_columns(p.image)).cells
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
        raise InputError(
            f"{image.name}: only {found.cells.n} complete unit cells found; at least {MIN_CELLS}"
            " are needed"
        )
    nodes = int((a_nodes.grid >= 0).sum())
    if found.cells.n < _COMPLETE * nodes:
        raise InputError(
            f"{image.name}: only {found.cells.n} unit cells are complete and sound among {nodes}"
            " columns of the lattice; an image of bright, round columns on square pixels is needed"
        )
    return found


def mean_basis(columns: Columns) -> Basis:
    """Lattice vectors of the image from the differences between neighbouring columns.

    The two shortest independent, frequent differences span the column lattice. If columns one such
    vector apart differ more in height than columns two steps apart do, two sublattices alternate
    and the cell is the centred one.

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
        raise InputError(
            f"only {len(columns)} columns found; an image with at least {MIN_CELLS} unit cells is"
            " needed"
        )
    v1, v2 = _primitive_vectors(columns)
    single, double = [v1, v2], [v1 + v2, v1 - v2]
    tree = cKDTree(columns.xy)
    contrast = [
        max(_height_difference(columns, v, tree) for v in double),
        min(_height_difference(columns, v, tree) for v in single),
    ]
    two = contrast[1] > 1.25 * contrast[0]
    a, b = _oriented(*(_settled(columns.xy, v, tree) for v in (double if two else single)))
    return Basis(np.array([a, b]), bool(two))


def _settled(xy: np.ndarray, vector: np.ndarray, tree: cKDTree) -> np.ndarray:
    """A lattice vector made exact: median difference of the columns that it links, three times
    over.
    """
    for _ in range(3):
        tail, head = neighbor_links(xy, vector, INDEX_TOLERANCE * np.hypot(*vector), tree)
        vector = np.median(xy[head] - xy[tail], axis=0) if len(tail) else vector
    return vector


def _primitive_vectors(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """The two shortest independent vectors among the peaks of the histogram of neighbour
    differences.
    """
    reach = 1.7 * columns.spacing_px
    strong = columns.take(columns.intensity > 0.1 * np.median(columns.intensity))
    near = cKDTree(strong.xy).query(strong.xy, k=min(13, len(strong)), distance_upper_bound=reach)[
        1
    ][:, 1:]
    p, q = np.nonzero(near < len(strong))
    difference = strong.xy[near[p, q]] - strong.xy[p]
    bins = np.linspace(-reach, reach, 86)
    density = np.histogram2d(difference[:, 1], difference[:, 0], bins)[0]
    density = ndimage.gaussian_filter(density, 3)
    peak = (density == ndimage.maximum_filter(density, 9)) & (density > 0.3 * density.max())
    centres = (bins[1:] + bins[:-1]) / 2
    vectors = np.stack([centres[np.nonzero(peak)[1]], centres[np.nonzero(peak)[0]]], axis=1)
    vectors = vectors[
        np.hypot(*vectors.T) > 0.3 * columns.spacing_px
    ]  # columns found twice are no lattice
    vectors = vectors[np.argsort(np.hypot(*vectors.T))]
    for v in vectors[1:]:
        sine = (
            abs(vectors[0][0] * v[1] - vectors[0][1] * v[0]) / np.hypot(*vectors[0]) / np.hypot(*v)
        )
        if sine > 0.7:
            return _mean_vector(difference, vectors[0]), _mean_vector(difference, v)
    raise InputError(
        "the columns found form no lattice; an image of a crystal along a zone axis is needed"
    )


def _mean_vector(differences: np.ndarray, about: np.ndarray) -> np.ndarray:
    close = np.hypot(*(differences - about).T) < 0.2 * np.hypot(*about)
    return np.median(differences[close], axis=0)


def _height_difference(columns: Columns, vector: np.ndarray, tree: cKDTree) -> float:
    """Median absolute difference in height of columns that lie one vector apart."""
    tail, head = neighbor_links(columns.xy, vector, INDEX_TOLERANCE * np.hypot(*vector), tree)
    if len(tail) < 10:
        return np.inf
    return float(np.median(np.abs(columns.intensity[head] - columns.intensity[tail])))


def _oriented(v1: np.ndarray, v2: np.ndarray) -> np.ndarray:
    """The pair as rows (a, b): a within 45 degrees of +x, b turned from it towards +y."""
    a, b = (v1, v2) if abs(v1[0]) * np.hypot(*v2) >= abs(v2[0]) * np.hypot(*v1) else (v2, v1)
    a = a * np.sign(a[0])
    return np.array([a, b * np.sign(a[0] * b[1] - a[1] * b[0])])


@dataclass(frozen=True)
class _Nodes:
    """Columns of one sublattice on its grid: index into ``columns`` per node, -1 where there is
    none.

    A column whose fit is not sound (cut by the frame, say) keeps its node, but geometry does not
    build on it.
    """

    columns: Columns
    grid: np.ndarray

    def values(self, array: np.ndarray, sound: bool = False) -> np.ndarray:
        """Per-column values on the grid, NaN where there is no column (with ``sound``: no
        soundly fitted one).
        """
        shown = (self.grid >= 0) & (self.columns.ok[self.grid] | (not sound))
        out = np.full(self.grid.shape + array.shape[1:], np.nan)
        out[shown] = array[self.grid[shown]]
        return out

    @property
    def sound(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions and heights of the soundly fitted columns on the grid."""
        return self.values(self.columns.xy, sound=True), self.values(
            self.columns.intensity, sound=True
        )


def _a_lattice(name: str, columns: Columns, basis: Basis) -> _Nodes:
    """The A sublattice: the brighter half of the large pieces, or all of them where there is one
    sublattice.

    A crystal falls into pieces where a scan that slipped, a gap or a dislocation breaks the links.
    """
    component, ij = walk_lattice(columns.xy, basis.vectors)
    if basis.two_sublattices and _slipped(
        columns, bright := _stands_out(columns), component, basis.vectors
    ):
        component, ij = walk_lattice(columns.xy, basis.vectors, bright)
    index, ij = rejoin_pieces(
        columns.xy, component, ij, _bright(columns, component, basis), basis.vectors
    )
    ij = ij - ij.min(axis=0)
    grid = np.full(ij.max(axis=0) + 1, -1)
    grid[tuple(ij[::-1].T)] = index[::-1]  # of two columns with one index, the first wins
    if (grid >= 0).sum() < MIN_CELLS:
        raise InputError(
            f"{name}: only {(grid >= 0).sum()} columns form a lattice; at least {MIN_CELLS} are"
            " needed"
        )
    return _Nodes(columns, grid)


def _stands_out(columns: Columns) -> np.ndarray:
    """Whether each column is brighter than the mean of the eight nearest to it."""
    near = cKDTree(columns.xy).query(columns.xy, k=min(9, len(columns)))[1][:, 1:]
    return columns.intensity > columns.intensity[near].mean(axis=1)


def _slipped(
    columns: Columns, bright: np.ndarray, component: np.ndarray, vectors: np.ndarray
) -> bool:
    """Whether a large piece holds bright and dark columns by mistake: a scan that slipped by half a
    cell links A to B.

    Such links miss their mark; across an interface at which the brightness changes places they do
    not.
    """
    sizes = np.bincount(component)
    large = sizes > _PIECE * sizes[0]
    share = np.bincount(component, bright)[large] / sizes[large]
    if not ((share > 0.2) & (share < 0.8)).any():
        return False
    tree, missed = cKDTree(columns.xy), []
    for vector in vectors:
        length = np.hypot(*vector)
        tail, head = neighbor_links(columns.xy, vector, INDEX_TOLERANCE * length, tree)
        unlike = bright[tail] != bright[head]
        missed.append(np.hypot(*(columns.xy[head] - columns.xy[tail] - vector)[unlike].T) / length)
    return bool(np.median(np.concatenate(missed)) > _MISSED)


def _bright(columns: Columns, component: np.ndarray, basis: Basis) -> list[int]:
    """Pieces of the A sublattice, from the largest to the smallest.

    Of the pieces at least 0.3 as large as the largest, the brightest is A; so are all others of 36
    columns or more that are nearer to its brightness than to that of the darkest.
    """
    sizes = np.bincount(component)
    pieces = [c for c in range(len(sizes)) if c == 0 or sizes[c] >= MIN_CELLS]
    height = {c: np.median(columns.intensity[component == c]) for c in pieces}
    large = [height[c] for c in pieces if sizes[c] > _PIECE * sizes[0]]
    if not basis.two_sublattices or len(large) == 1:
        return [0]
    return [c for c in pieces if height[c] >= (max(large) + min(large)) / 2]


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
    """Mark columns that lie far from the middle of their neighbours: contamination, or the core of
    a dislocation.

    Strain bends a row by less, even across a ferroelastic wall (6 % of strain: 0.03 of a cell).
    """
    xy = nodes.values(nodes.columns.xy)
    padded = np.pad(xy, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    across = np.linalg.norm(xy - (padded[1:-1, :-2] + padded[1:-1, 2:]) / 2, axis=-1)
    down = np.linalg.norm(xy - (padded[:-2, 1:-1] + padded[2:, 1:-1]) / 2, axis=-1)
    ok = nodes.columns.ok.copy()
    ok[nodes.grid[np.fmax(across, down) > _BENT * basis.cell_px]] = False
    return replace(nodes, columns=replace(nodes.columns, ok=ok))


def _add(
    image: Image, nodes: _Nodes, wanted: np.ndarray, guess: np.ndarray, basis: Basis, radius: float
) -> _Nodes:
    """Fit columns at guessed places and keep those that are there: high enough, and near the
    guess.
    """
    if not wanted.any():
        return nodes
    old = nodes.columns
    used = old.take(nodes.grid[nodes.grid >= 0])
    height = np.median(used.intensity)
    new = fit_columns(
        image,
        guess[wanted],
        float(np.median(used.sigma_px)),
        radius * old.spacing_px,
        old.spacing_px,
    )
    inside = np.all(
        (guess[wanted] > 1) & (guess[wanted] < np.array(image.data.shape[::-1]) - 2), axis=1
    )
    shift = np.hypot(*(new.xy - guess[wanted]).T)
    keep = inside & new.ok & (new.intensity > 0.25 * height) & (shift < 0.15 * basis.cell_px)
    grid = nodes.grid.copy()
    grid[tuple(np.argwhere(wanted)[keep].T)] = len(old) + np.arange(keep.sum())
    return _Nodes(_joined(old, new.take(keep)), grid)


def _joined(first: Columns, second: Columns) -> Columns:
    arrays: dict[str, Any] = {
        k: np.concatenate([v, getattr(second, k)])
        for k, v in vars(first).items()
        if k != "spacing_px"
    }
    return replace(first, **arrays)


def _b_sites(
    image: Image, columns: Columns, a_nodes: _Nodes, basis: Basis, radius: float
) -> _Nodes | None:
    """B columns on the grid of cells, one cell wider than the complete ones on every side, or
    None if not seen.
    """
    if not basis.two_sublattices:
        return None
    node = a_nodes.values(a_nodes.columns.xy)
    centre = _cell_centres(node, basis)
    whole = np.isfinite(
        corner_mean(np.pad(node, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan))[..., 0]
    )
    cell = np.argwhere(np.isfinite(centre[..., 0]))
    free = np.setdiff1d(np.arange(len(columns)), a_nodes.grid)
    at = centre[tuple(cell.T)]
    distance, nearest = cKDTree(columns.xy[free]).query(
        at, distance_upper_bound=INDEX_TOLERANCE * basis.cell_px
    )
    found = np.isfinite(distance)
    grid = np.full(centre.shape[:2], -1)
    grid[tuple(cell[found].T)] = free[nearest[found]]
    if (grid[whole] >= 0).mean() < _B_SEEN:
        return None
    return _add(
        image, _Nodes(a_nodes.columns, _unique(grid)), whole & (grid < 0), centre, basis, radius
    )


def _cell_centres(node: np.ndarray, basis: Basis) -> np.ndarray:
    """Expected centre of every cell with at least one corner: mean over the corners of corner +
    half diagonal.
    """
    a, b = basis.vectors
    wide = np.pad(node, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    guesses = [
        wide[:-1, :-1] + (a + b) / 2,
        wide[:-1, 1:] + (b - a) / 2,
        wide[1:, :-1] + (a - b) / 2,
        wide[1:, 1:] - (a + b) / 2,
    ]
    known = np.isfinite(guesses).sum(axis=0)
    return np.divide(
        np.nansum(guesses, axis=0), known, out=np.full(known.shape, np.nan), where=known > 0
    )


def _unique(grid: np.ndarray) -> np.ndarray:
    """Keep the first of several cells that claim one column."""
    flat = grid.ravel().copy()
    first = np.zeros(flat.size, bool)
    first[np.unique(flat, return_index=True)[1]] = True
    flat[~first] = -1
    return flat.reshape(grid.shape)


def _assemble(a_nodes: _Nodes, b_sites: _Nodes | None, basis: Basis) -> Lattice:
    node, height = a_nodes.sound
    cells = measure_cells(
        basis, node, height, tuple(v[1:-1, 1:-1] for v in b_sites.sound) if b_sites else None
    )
    groups = [(a_nodes.grid, "A")] + ([(b_sites.grid, "B")] if b_sites else [])
    source = (b_sites or a_nodes).columns
    index = np.concatenate([grid[grid >= 0] for grid, _ in groups])
    sublattice = np.concatenate([np.full((grid >= 0).sum(), name) for grid, name in groups])
    ij = np.concatenate([np.argwhere(grid >= 0) for grid, _ in groups])
    return Lattice(source.take(index), sublattice, ij, cells)
