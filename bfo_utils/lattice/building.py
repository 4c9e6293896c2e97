"""The crystal lattice: assignment of columns to unit cells, and the geometry of every cell.

Every column is given integer indices (i, j) that follow the crystal through strain, rotation, gaps
and interfaces (see :mod:`bfo_utils.lattice`); columns missing from the lattice are searched for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..columns import Columns, fit_columns
from ..errors import InputError
from ..io import Image
from .cells import Basis, Cells, corner_mean, measure_cells
from .indexing import INDEX_TOLERANCE, neighbor_links, rejoin_pieces, walk_lattice
from .sites import SiteFits, fit_sites
from .superstructure import Superstructure, find_superstructures, ordered_displacements

# of the largest piece of the lattice: smaller ones do not say which sublattice is the bright one
_PIECE = 0.3
MIN_CELLS = 36
_MISSED = 0.1  # of a cell: links between unlike columns that miss by more are no links
# of the contrast between the sublattices: how far their levels on two sides of an antiphase
# boundary differ
_SAME_LEVEL = 0.15
_SUDDEN = 0.7  # of that contrast: the step of the brightness along a row at such a boundary
_OBLIQUE_DEG = 12.0  # off a right angle: no pseudo-cubic cell is sheared as far
_HEXAGONAL_DEG = 4.0  # off 60 degrees that scan and strain explain
_SAME_EDGES = 0.06  # relative difference of edges that scan and strain explain
_TWO_KINDS = 2.0  # times the difference two steps apart: amplitudes alternate along a vector
_FOUR_KINDS = 1.5  # the same for the larger differences along both diagonals, where oxygen is seen
_B_FOUND = 0.3  # of the columns have another one at the center of the cell: B was found with A
_STATED = 0.12  # of its length: how far a stated vector may lie off the measured one
_ANALYZED = "a perovskite along [001], whose cells are nearly rectangular, can be analyzed"
_COMPLETE = 0.2  # cells per column of the A sublattice: fewer, and the lattice is a mistake
# bins of the histogram of differences: more where displacements alternate and split its peaks
_BLURS = (3.0, 6.0, 8.0)
_LINKED = 0.7  # of the columns must be linked along both lattice vectors, else more blur is tried
# of a cell: range between the quartiles of the steps along a lattice vector that noise does not
# reach
_ALTERNATING = 0.08
_ORDERED = 0.02  # of the columns bent: then an ordered displacement is looked for
_LEAST_ORDER = 0.04  # of a cell: a weaker order does not bend rows so much; something else does
_BENT = 0.12  # of a cell: how far a column may lie from the middle of its neighbors
# of a cell: the strongest planes lie a cell apart, where both sublattices would put them 1 /
# sqrt(2) apart
_WIDE = 0.85
_MOST_FOUND = (
    0.98  # of the whole cells must hold a B column, else those that are missed are looked for
)
_B_SEEN = (
    0.5  # share of the cells in which a B column must be found for the sublattice to count as seen
)


@dataclass(frozen=True)
class Lattice:
    """Indexed columns: every column's sublattice ("A", "B") and indices, and the cells that they
    form.

    ``edges`` names the lattice vectors that have further columns at their middle while the centers
    of the cells are empty. ``unused_xy`` (M, 2) are columns that were found but do not fit the
    lattice. ``tilt`` (R, C, 2) is the part subtracted from the polar displacement, in px. ``zone``
    is "110" if A and B alternate along only one vector u of the columns. A cell is then the
    parallelogram of the other vector v and 2 u - v, whose center is a B column.
    """

    columns: Columns
    sublattice: np.ndarray
    ij: np.ndarray
    cells: Cells
    edges: str = ""
    unused_xy: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    tilt: np.ndarray | None = None
    zone: str = "001"

    def on_nodes(self, values: np.ndarray, sublattice: str = "A") -> np.ndarray:
        """Values of the columns (N, ...) of a sublattice with a reliable fit, on its grid: A (R +
        1, C + 1, ...), B (R, C, ...).
        """
        rows, cols = self.cells.shape
        # B has a rim of half cells
        shape, origin = ((rows + 1, cols + 1), 0) if sublattice == "A" else ((rows, cols), 1)
        own = (self.sublattice == sublattice) & self.columns.ok
        i, j = (self.ij[own] - origin).T
        inside = (i >= 0) & (j >= 0) & (i < shape[0]) & (j < shape[1])
        out = np.full(shape + values.shape[1:], np.nan)
        out[i[inside], j[inside]] = values[own][inside]
        return out

    def cells_at(self, xy: np.ndarray, intensity: np.ndarray) -> Cells:
        """The cells of the same columns at other positions (N, 2), with other amplitudes (N,)."""
        b_sites = (
            (self.on_nodes(xy, "B"), self.on_nodes(intensity, "B")) if self.cells.has_b else None
        )
        cells = measure_cells(
            self.cells.basis, self.on_nodes(xy), self.on_nodes(intensity), b_sites
        )
        polar = cells.polar if self.tilt is None else cells.polar - self.tilt
        return replace(cells, polar=polar, order=self._order_at(xy))

    def without_tilt(self, tilt: np.ndarray) -> Lattice:
        """The same with a part (R, C, 2) of the polar displacement (px) subtracted."""
        return replace(self, tilt=tilt, cells=replace(self.cells, polar=self.cells.polar - tilt))

    def _order_at(self, xy: np.ndarray) -> np.ndarray | None:
        """The ordered displacement that columns at other positions show; zero where they show none,
        None where these columns show none.
        """
        if self.cells.order is None:
            return None
        order = _order_of_cells(replace(self, columns=replace(self.columns, xy=xy)))
        return np.zeros(self.cells.order.shape) if order is None else order


def build_lattice(
    image: Image, columns: Columns, refinement_radius: float = 0.45, bright: str = "A"
) -> Lattice:
    """Index the columns of an image and measure its unit cells.

    Columns that the detection missed are searched for at their predicted positions, unless the
    columns were given. Columns off the lattice are dropped.

    Parameters
    ----------
    image : Image
    columns : Columns
        From :func:`bfo_utils.columns.find_columns`.
    refinement_radius : float
        As for :func:`bfo_utils.columns.find_columns`, for the columns that are added.
    bright : {"A", "B"}
        The brighter of the two sublattices. Cells have their corners at A columns, so this
        determines the sign of the polar displacement.

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
        if image.cell:
            basis = _given_basis(image, columns)
        else:
            basis = (_oxygen_basis(columns) if image.inverted else None) or mean_basis(columns)
    except InputError as error:
        raise InputError(f"{image.name}: {error}") from error
    nodes, found = _indexed(image, columns, basis, refinement_radius, bright)
    stated = image.cell is not None
    if (
        image.positions is None
        and (image.cell is None or image.cell.has_b)
        and (not found.cells.has_b or _too_wide(columns, basis, nodes, found))
    ):
        sites = _weak_sites(image, nodes, basis, refinement_radius)
        if sites.seen:
            nodes, found = _indexed(
                image,
                sites.columns,
                replace(basis, two_sublattices=True),
                refinement_radius,
                bright,
            )
        elif not found.cells.has_b:
            found = replace(found, edges=_edges_seen(image, nodes, basis, refinement_radius))
    _check_complete(image.name, nodes, found)
    if not stated and not found.cells.has_b and (rows := _rows_of_two_kinds(found)):
        nodes, found = _indexed(image, columns, rows, refinement_radius, bright)
        found = replace(found, zone="110")
        _check_complete(image.name, nodes, found)
    if not stated and not found.cells.has_b:
        _check_kind(image.name, found)
    found = replace(found, cells=replace(found.cells, order=_order_of_cells(found)))
    far = cKDTree(found.columns.xy).query(columns.xy)[0] > INDEX_TOLERANCE * basis.cell_px
    return replace(found, unused_xy=columns.xy[far])


def _indexed(
    image: Image, columns: Columns, basis: Basis, radius: float, bright: str
) -> tuple[_Nodes, Lattice]:
    """The A sublattice and the lattice of an image from its columns."""
    nodes = _a_lattice(image.name, columns, basis, bright)
    order = _order(nodes, basis)
    nodes = _doubted(_complete_nodes(image, nodes, basis, radius, order), basis, order)
    return nodes, _assemble(nodes, _b_sites(image, nodes.columns, nodes, basis, radius), basis)


def _too_wide(columns: Columns, basis: Basis, nodes: _Nodes, found: Lattice) -> bool:
    """Whether the filter was too wide for weak columns between others, and some were missed."""
    whole = int(np.isfinite(corner_mean(nodes.sound[0])[..., 0]).sum())
    return columns.spacing_px > _WIDE * basis.cell_px and found.cells.n < _MOST_FOUND * whole


def _check_complete(name: str, nodes: _Nodes, found: Lattice) -> None:
    """Refuse a lattice of too few cells, or of far fewer than there are columns."""
    if found.cells.n < MIN_CELLS:
        lengths, angle = _shape(found.cells.basis.vectors)
        alike = abs(lengths[0] / lengths[1] - 1) < _SAME_EDGES
        hexagonal = alike and abs(abs(angle - 90) - 30) < _HEXAGONAL_DEG
        why = ", as in a honeycomb, whose cells have an empty corner" if hexagonal else ""
        raise InputError(
            f"{name}: only {found.cells.n} complete unit cells found (corners {lengths[0]:.3g} and"
            f" {lengths[1]:.3g} px apart, at {angle:.0f} degrees{why}); at least {MIN_CELLS} are"
            " needed"
        )
    n = int((nodes.grid >= 0).sum())
    if found.cells.n < _COMPLETE * n:
        raise InputError(
            f"{name}: only {found.cells.n} unit cells are complete and sound among {n} columns of"
            " the lattice: fits are doubtful, or blocks of cells are shifted against each other"
            " (for example Ruddlesden-Popper layers); an image of bright, round columns on square"
            " pixels in one lattice is needed"
        )


def _check_kind(name: str, found: Lattice) -> None:
    """Refuse a lattice of one kind of site that is no projection of a perovskite along [001]."""
    vectors = found.cells.basis.vectors
    (a, b), angle = _shape(vectors)
    if abs(angle - 90) > _OBLIQUE_DEG:
        alike = abs(a / b - 1) < _SAME_EDGES
        hexagonal = alike and abs(abs(angle - 90) - 30) < _HEXAGONAL_DEG
        kind = "hexagonal" if hexagonal else "centered rectangular" if alike else "oblique"
        raise InputError(
            f"{name}: the columns form a lattice that is {kind} (vectors at {angle:.0f} degrees,"
            f" {a:.3g} and {b:.3g} px long) with one column per cell; {_ANALYZED}"
        )


def _rows_of_two_kinds(found: Lattice) -> Basis | None:
    """The cell of a lattice whose columns alternate along one vector only, rows of one kind each,
    as in a perovskite along [110]; None for others.
    """
    columns, vectors, tree = found.columns, found.cells.basis.vectors, cKDTree(found.columns.xy)
    differences = [
        [_amplitude_difference(columns, k * vector, tree) for k in (1, 2)] for vector in vectors
    ]
    alternate = [bool(np.isfinite(one) and one > _TWO_KINDS * two) for one, two in differences]
    if sum(alternate) != 1 or abs(_shape(vectors)[1] - 90) > _OBLIQUE_DEG:
        return None
    along, across = vectors if alternate[0] else vectors[::-1]
    return Basis(_oriented(across, 2 * along - across), True)


def _shape(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Lengths (px) of two vectors and the angle (degrees) between them."""
    lengths = np.hypot(*vectors.T)
    return lengths, float(np.rad2deg(np.arccos(vectors[0] @ vectors[1] / lengths.prod())))


def _weak_sites(image: Image, nodes: _Nodes, basis: Basis, radius: float) -> SiteFits:
    """Columns at the centers of the cells, fitted together with those of the A sublattice."""
    node = nodes.values(nodes.columns.xy)
    whole = np.isfinite(
        corner_mean(np.pad(node, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan))[..., 0]
    )
    return _sites(
        image, nodes, _cell_centres(node, basis), whole, basis.cell_px / np.sqrt(2), radius
    )


def _edges_seen(image: Image, nodes: _Nodes, basis: Basis, radius: float) -> str:
    """Lattice vectors at whose middle columns are seen: another zone axis or kind of image."""
    node, seen = nodes.values(nodes.columns.xy), []
    for name, vector, step in zip(
        "ab", basis.vectors, ((slice(None), slice(1, None)), (slice(1, None), slice(None)))
    ):
        middle = node[step] - vector / 2
        whole = np.isfinite(node[tuple(slice(0, -1) if s.start else s for s in step)][..., 0])
        if _sites(image, nodes, middle, whole, float(np.hypot(*vector)) / 2, radius).seen:
            seen.append(name)
    return " and ".join(seen)


def _sites(
    image: Image, nodes: _Nodes, places: np.ndarray, whole: np.ndarray, period: float, radius: float
) -> SiteFits:
    """Fits at those places of a grid that lie inside the frame."""
    at = np.isfinite(places[..., 0]) & np.all(
        (places > 1) & (places < np.array(image.shape[::-1]) - 2), axis=-1
    )
    bright = nodes.columns.take(nodes.grid[nodes.grid >= 0])
    return fit_sites(image, bright, places[at], whole[at], period, radius)


def superstructures(lattice: Lattice) -> list[Superstructure]:
    """Ordered displacements of the A columns and, if visible, of the B columns."""
    xy = lattice.columns.xy
    found = find_superstructures(lattice.on_nodes(xy), "A")
    return found + (
        find_superstructures(lattice.on_nodes(xy, "B"), "B") if lattice.cells.has_b else []
    )


def _order_of_cells(lattice: Lattice) -> np.ndarray | None:
    """Local amplitude of the most significant order at the cells in px, along its direction; None
    where there is none.

    It has a sign where the displacements alternate, a real and an imaginary part elsewhere.
    """
    found = superstructures(lattice)
    if not found:
        return None
    order = max(found, key=lambda order: order.significance)
    along = np.deg2rad(order.direction_deg)
    amplitude = order.amplitude @ np.array([np.cos(along), np.sin(along)])
    amplitude = corner_mean(amplitude) if order.sublattice == "A" else amplitude
    parts = np.stack([amplitude.real, amplitude.imag], axis=-1) * (
        1 if np.nanmean(amplitude.real) >= 0 else -1
    )
    return parts[..., :1] if not np.nan_to_num(parts[..., 1]).any() else parts


def _given_basis(image: Image, columns: Columns) -> Basis:
    """The cell that was stated, made exact."""
    assert image.cell is not None
    vectors, size = image.cell.vectors, image.pixel_size_nm
    if image.cell.in_nm:
        if not size:
            raise InputError("--cell: its vectors are in nm; give --pixel-size too, or px")
        vectors = vectors / size
    if not image.cell.placed:
        vectors = _placed(vectors, image.cell.has_b, mean_basis(columns))
    tree = cKDTree(columns.xy)
    settled = np.array([_settled(columns.xy, v, tree) for v in vectors])
    center = settled.sum(axis=0) / 2
    between = neighbor_links(columns.xy, center, INDEX_TOLERANCE * np.hypot(*center), tree)[0]
    both = image.cell.has_b and len(between) > _B_FOUND * len(columns)  # else B is faint
    basis = Basis(_oriented(*settled), both)
    linked = _linked(columns.xy, replace(basis, vectors=vectors), tree)
    moved = np.linalg.norm(settled - vectors, axis=1) / np.linalg.norm(vectors, axis=1)
    if linked < _LINKED / 2 or moved.max() > _STATED:
        raise InputError(
            f"--cell: only {linked:.0%} of the columns have a neighbor at these vectors; give the"
            " vectors as they appear in the image, x to the right and y down"
        )
    return basis


def _placed(vectors: np.ndarray, has_b: bool, seen: Basis) -> np.ndarray:
    """The lattice vectors of an image that are most like the stated ones in length and angle."""
    own = np.concatenate([seen.vectors, seen.vectors.sum(axis=0)[None] / 2])
    own = own if seen.two_sublattices else own[:2]
    steps = np.array(list(product(range(-2, 3), repeat=len(own)))) @ own
    lengths, angle = _shape(vectors)
    one, two = (steps[np.abs(np.hypot(*steps.T) / n - 1) < _STATED] for n in lengths)
    area = abs(np.linalg.det(seen.vectors)) / (1 + seen.two_sublattices)  # of a column
    pairs = [np.array(pair) for pair in product(one, two)]
    pairs = [p for p in pairs if 0.5 < abs(np.linalg.det(p)) / area < 1.5 + has_b]
    shapes = [_shape(pair) for pair in pairs]
    off = [np.linalg.norm([*(n / lengths - 1), np.deg2rad(turn - angle)]) for n, turn in shapes]
    if min(off, default=1.0) > _STATED:
        (a, b), (c, d) = lengths, np.hypot(*seen.vectors.T)
        raise InputError(
            f"--cell: the image shows no vectors of {a:.3g} and {b:.3g} px at {angle:.0f} degrees,"
            f" but of {c:.3g} and {d:.3g} px at {_shape(seen.vectors)[1]:.0f}; check the pixel size"
            " and the zone axis"
        )
    return pairs[int(np.argmin(off))]


def mean_basis(columns: Columns) -> Basis:
    """Lattice vectors of the image from the differences between neighboring columns.

    The two shortest independent, frequent differences span the column lattice. If columns one such
    vector apart differ more in amplitude than columns two vectors apart, two sublattices alternate
    and the cell is centered.

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
    tree = cKDTree(columns.xy)
    basis = _basis(columns, tree)
    if _linked(columns.xy, basis, tree) > _LINKED:
        return basis
    others = [basis, *(found for blur in _BLURS[1:] if (found := _try_basis(columns, tree, blur)))]
    return max(others, key=lambda basis: _linked(columns.xy, basis, tree))


def _oxygen_basis(columns: Columns) -> Basis | None:
    """The cell of an image (ABF, BF) that shows oxygen, too, at the middle of the edges: columns
    are half a cell apart, and amplitudes repeat a whole cell on, not along its diagonals.
    """
    tree, halves = cKDTree(columns.xy), _primitive_vectors(columns, _BLURS[0])
    one, two = halves
    across, along = (
        [_amplitude_difference(columns, v, tree, 0.9) for v in pair]
        for pair in ((one + two, one - two), (2 * one, 2 * two))
    )
    if min(across) < _FOUR_KINDS * max(along):
        return None
    return Basis(_oriented(*(_settled(columns.xy, 2 * v, tree) for v in halves)), True)


def _try_basis(columns: Columns, tree: cKDTree, blur: float) -> Basis | None:
    try:
        return _basis(columns, tree, blur)
    except InputError:
        return None


def _linked(xy: np.ndarray, basis: Basis, tree: cKDTree) -> float:
    """Share of the columns that are linked along both lattice vectors, the lesser of the two."""
    return min(
        len(neighbor_links(xy, v, INDEX_TOLERANCE * np.hypot(*v), tree)[0]) for v in basis.vectors
    ) / len(xy)


def _basis(columns: Columns, tree: cKDTree, blur: float = _BLURS[0]) -> Basis:
    """The lattice vectors from a histogram of neighbor differences, blurred by so many bins."""
    v1, v2 = _primitive_vectors(columns, blur)
    single, double = [v1, v2], [v1 + v2, v1 - v2]
    contrast = [
        max(_amplitude_difference(columns, v, tree) for v in double),
        min(_amplitude_difference(columns, v, tree) for v in single),
    ]
    two = contrast[1] > 1.25 * contrast[0]
    a, b = _oriented(*(_settled(columns.xy, v, tree) for v in (double if two else single)))
    return Basis(np.array([a, b]), bool(two))


def _settled(xy: np.ndarray, vector: np.ndarray, tree: cKDTree) -> np.ndarray:
    """A lattice vector made exact: median difference of the columns that it links, three times
    over.

    Where displacements alternate the differences are bimodal and have no middle value; then their
    mean.
    """
    for _ in range(3):
        tail, head = neighbor_links(xy, vector, INDEX_TOLERANCE * np.hypot(*vector), tree)
        if len(tail):
            steps = xy[head] - xy[tail]
            alternate = _alternate(steps, tail, head, np.hypot(*vector))
            vector = steps.mean(axis=0) if alternate else np.median(steps, axis=0)
    return vector


def _alternate(steps: np.ndarray, tail: np.ndarray, head: np.ndarray, length: float) -> bool:
    """Whether steps along a lattice vector alternate by more than noise and strain."""
    if np.ptp(np.quantile(steps, [0.25, 0.75], axis=0), axis=0).max() < _ALTERNATING * length:
        return False
    step_from = np.full(max(tail.max(), head.max()) + 1, -1)
    step_from[tail] = np.arange(len(tail))
    off = steps - steps.mean(axis=0)
    one = np.nonzero(step_from[head] >= 0)[0]
    return bool((off[one] * off[step_from[head[one]]]).sum() < -0.5 * (off[one] ** 2).sum())


def _primitive_vectors(columns: Columns, blur: float) -> tuple[np.ndarray, np.ndarray]:
    """The two shortest independent vectors among the peaks of neighbor differences."""
    reach = 1.7 * columns.spacing_px
    strong = columns.take(columns.intensity > 0.1 * np.median(columns.intensity))
    near = cKDTree(strong.xy).query(strong.xy, k=min(13, len(strong)), distance_upper_bound=reach)[
        1
    ][:, 1:]
    p, q = np.nonzero(near < len(strong))
    difference = strong.xy[near[p, q]] - strong.xy[p]
    bins = np.linspace(-reach, reach, 86)
    density = np.histogram2d(difference[:, 1], difference[:, 0], bins)[0]
    density = ndimage.gaussian_filter(density, blur)
    peak = (density == ndimage.maximum_filter(density, 9)) & (density > 0.3 * density.max())
    centers = (bins[1:] + bins[:-1]) / 2
    vectors = np.stack([centers[np.nonzero(peak)[1]], centers[np.nonzero(peak)[0]]], axis=1)
    # columns found twice are no lattice
    vectors = vectors[np.hypot(*vectors.T) > 0.3 * columns.spacing_px]
    vectors = vectors[np.argsort(np.hypot(*vectors.T))]
    for v in vectors[1:]:
        sine = (
            abs(vectors[0][0] * v[1] - vectors[0][1] * v[0]) / np.hypot(*vectors[0]) / np.hypot(*v)
        )
        if sine > 0.7:
            return _mean_vector(difference, vectors[0], blur), _mean_vector(difference, v, blur)
    raise InputError(
        "the columns found form no lattice; an image of a crystal along a zone axis is needed"
    )


def _mean_vector(differences: np.ndarray, about: np.ndarray, blur: float) -> np.ndarray:
    close = np.hypot(*(differences - about).T) < 0.2 * blur / _BLURS[0] * np.hypot(*about)
    if blur > _BLURS[0]:
        return differences[close].mean(axis=0)  # bimodal: there is no middle value
    return np.median(differences[close], axis=0) if close.any() else about


def _amplitude_difference(
    columns: Columns, vector: np.ndarray, tree: cKDTree, share: float = 0.5
) -> float:
    """Absolute difference in amplitude, the median or another quantile, of columns that lie one
    vector apart.
    """
    tail, head = neighbor_links(columns.xy, vector, INDEX_TOLERANCE * np.hypot(*vector), tree)
    if len(tail) < 10:
        return np.inf
    return float(np.quantile(np.abs(columns.intensity[head] - columns.intensity[tail]), share))


def _oriented(v1: np.ndarray, v2: np.ndarray) -> np.ndarray:
    """The pair as rows (a, b): a within 45 degrees of +x, b rotated from it towards +y."""
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
        """Per-column values on the grid, NaN where there is no column (with ``sound``: none with a
        reliable fit).
        """
        shown = (self.grid >= 0) & (self.columns.ok[self.grid] | (not sound))
        out = np.full(self.grid.shape + array.shape[1:], np.nan)
        out[shown] = array[self.grid[shown]]
        return out

    @property
    def sound(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions and amplitudes of the columns with a reliable fit, on the grid."""
        return self.values(self.columns.xy, sound=True), self.values(
            self.columns.intensity, sound=True
        )


def _a_lattice(name: str, columns: Columns, basis: Basis, bright: str = "A") -> _Nodes:
    """The A sublattice: the brighter half of the large pieces (the fainter, where B is bright), or
    all of one sublattice.

    A crystal falls into pieces where a scan that slipped, a gap, an antiphase boundary or a
    dislocation breaks the links.
    """
    seen = columns if bright == "A" else replace(columns, intensity=-columns.intensity)
    component, ij = walk_lattice(columns.xy, basis.vectors)
    standing = _stands_out(seen)
    if basis.two_sublattices and _mixed(seen, standing, component, basis.vectors):
        component, ij = walk_lattice(columns.xy, basis.vectors, standing)
    index, ij = rejoin_pieces(
        columns.xy, component, ij, _bright(seen, standing, component, basis), basis.vectors
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


def _mixed(
    columns: Columns, bright: np.ndarray, component: np.ndarray, vectors: np.ndarray
) -> bool:
    """Whether a large piece holds bright and dark columns by mistake.

    A scan that slipped by half a cell links A to B, and such links miss their mark. So does an
    antiphase boundary, without missing: there the brightness of a row jumps from the level of one
    sublattice to that of the other. Across an interface at which the brightness changes places,
    neither is so.
    """
    sizes = np.bincount(component)
    large = sizes > _PIECE * sizes[0]
    share = np.bincount(component, bright)[large] / sizes[large]
    if not ((share > 0.2) & (share < 0.8)).any():
        return False
    tail, head, missed = _unlike_links(columns, bright, vectors)
    return len(tail) > 0 and bool(
        np.median(missed) > _MISSED or _antiphase(columns, bright, component, tail, head)
    )


def _unlike_links(
    columns: Columns, bright: np.ndarray, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Links from bright to dark columns: tails, heads, and errors as fractions of a cell."""
    tree, rows = cKDTree(columns.xy), []
    for vector in vectors:
        length = np.hypot(*vector)
        tail, head = neighbor_links(columns.xy, vector, INDEX_TOLERANCE * length, tree)
        unlike = bright[tail] != bright[head]
        tail, head = tail[unlike], head[unlike]
        rows.append(
            (tail, head, np.hypot(*(columns.xy[head] - columns.xy[tail] - vector).T) / length)
        )
    tail, head, missed = (np.concatenate(v) for v in zip(*rows))
    return tail, head, missed


def _antiphase(
    columns: Columns, bright: np.ndarray, component: np.ndarray, tail: np.ndarray, head: np.ndarray
) -> bool:
    """Whether bright columns become dark from cell to cell, with equal levels on both sides."""
    amplitude = columns.intensity
    contrast = np.median(amplitude[bright]) - np.median(amplitude[~bright])
    first = component == 0
    levels = [
        [np.median(amplitude[(first == one) & (bright == lit)]) for lit in (True, False)]
        for one in (True, False)
        if ((first == one) & bright).any() and ((first == one) & ~bright).any()
    ]
    if len(levels) < 2:
        return False
    same_levels = np.ptp(levels, axis=0).max() < _SAME_LEVEL * contrast
    return bool(
        same_levels and np.median(np.abs(amplitude[head] - amplitude[tail])) > _SUDDEN * contrast
    )


def _bright(
    columns: Columns, standing: np.ndarray, component: np.ndarray, basis: Basis
) -> list[int]:
    """Pieces of the A sublattice, from the largest to the smallest.

    Of the pieces at least 0.3 as large as the largest, the brightest is A; so are all others of 36
    columns or more whose columns stand out of those around them, or, where some do and some do not,
    that are nearer to its brightness than to that of the darkest.
    """
    sizes = np.bincount(component)
    pieces = [c for c in range(len(sizes)) if c == 0 or sizes[c] >= MIN_CELLS]
    amplitude = {c: np.median(columns.intensity[component == c]) for c in pieces}
    share = {c: standing[component == c].mean() for c in pieces}
    large = [amplitude[c] for c in pieces if sizes[c] > _PIECE * sizes[0]]
    if not basis.two_sublattices:
        return pieces
    if len(large) == 1:
        return [0]
    middle = (max(large) + min(large)) / 2
    return [
        c
        for c in pieces
        if share[c] > 0.8
        or (share[c] > 0.2 and amplitude[c] >= middle)
        or amplitude[c] == max(large)
    ]


def _complete_nodes(
    image: Image, nodes: _Nodes, basis: Basis, radius: float, order: np.ndarray | float
) -> _Nodes:
    """Look for missed A columns between two opposite neighbors, less their order."""
    xy = nodes.values(nodes.columns.xy)
    guess = _between(xy - order) + order
    wanted = np.isnan(xy[..., 0]) & np.isfinite(guess[..., 0])
    return _add(image, nodes, wanted, guess, basis, radius)


def _between(xy: np.ndarray) -> np.ndarray:
    """Midpoint of the left and right, or of the upper and lower neighbors, of every node."""
    padded = np.pad(xy, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    across = (padded[1:-1, :-2] + padded[1:-1, 2:]) / 2
    down = (padded[:-2, 1:-1] + padded[2:, 1:-1]) / 2
    return np.where(np.isnan(across), down, across)


def _order(nodes: _Nodes, basis: Basis) -> np.ndarray | float:
    """Ordered displacements of the nodes in px; 0 where few columns are displaced."""
    xy = nodes.values(nodes.columns.xy)
    if np.nanmean(_bend(xy) > _BENT * basis.cell_px) < _ORDERED:
        return 0.0
    return ordered_displacements(
        xy, nodes.values(nodes.columns.intensity), _LEAST_ORDER * basis.cell_px
    )


def _bend(xy: np.ndarray) -> np.ndarray:
    """Distance in px of every node from the middle of its neighbors, the larger of two axes."""
    padded = np.pad(xy, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    across = np.linalg.norm(xy - (padded[1:-1, :-2] + padded[1:-1, 2:]) / 2, axis=-1)
    down = np.linalg.norm(xy - (padded[:-2, 1:-1] + padded[2:, 1:-1]) / 2, axis=-1)
    return np.fmax(across, down)


def _doubted(nodes: _Nodes, basis: Basis, order: np.ndarray | float) -> _Nodes:
    """Mark columns that lie far from the middle of their neighbors: contamination, or the core of
    a dislocation.

    Strain bends a row by less, even across a ferroelastic wall (6 % of strain: 0.03 of a cell).
    Displacements that are ordered are no defects.
    """
    ok = nodes.columns.ok.copy()
    ok[nodes.grid[_bend(nodes.values(nodes.columns.xy) - order) > _BENT * basis.cell_px]] = False
    return replace(nodes, columns=replace(nodes.columns, ok=ok))


def _add(
    image: Image, nodes: _Nodes, wanted: np.ndarray, guess: np.ndarray, basis: Basis, radius: float
) -> _Nodes:
    """Fit columns at guessed places; keep those of sufficient amplitude near the guess."""
    if not wanted.any() or image.positions is not None:
        return nodes
    old = nodes.columns
    used = old.take(nodes.grid[nodes.grid >= 0])
    amplitude = np.median(used.intensity)
    new = fit_columns(
        image,
        guess[wanted],
        float(np.median(used.sigma_px)),
        radius * old.spacing_px,
        old.spacing_px,
    )
    inside = image.looks_at(guess[wanted]) & np.all(
        (guess[wanted] > 1) & (guess[wanted] < np.array(image.data.shape[::-1]) - 2), axis=1
    )
    shift = np.hypot(*(new.xy - guess[wanted]).T)
    keep = inside & new.ok & (new.intensity > 0.25 * amplitude) & (shift < 0.15 * basis.cell_px)
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
    """B columns on the grid of cells, one cell wider on every side, or None if not seen."""
    if not basis.two_sublattices:
        return None
    node = a_nodes.values(a_nodes.columns.xy)
    center = _cell_centres(node, basis)
    whole = np.isfinite(
        corner_mean(np.pad(node, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan))[..., 0]
    )
    cell = np.argwhere(np.isfinite(center[..., 0]))
    free = np.setdiff1d(np.arange(len(columns)), a_nodes.grid)
    at = center[tuple(cell.T)]
    distance, nearest = cKDTree(columns.xy[free]).query(
        at, distance_upper_bound=INDEX_TOLERANCE * basis.cell_px
    )
    found = np.isfinite(distance)
    grid = np.full(center.shape[:2], -1)
    grid[tuple(cell[found].T)] = free[nearest[found]]
    if (grid[whole] >= 0).mean() < _B_SEEN:
        return None
    return _add(
        image, _Nodes(a_nodes.columns, _unique(grid)), whole & (grid < 0), center, basis, radius
    )


def _cell_centres(node: np.ndarray, basis: Basis) -> np.ndarray:
    """Expected center of cells with a corner: mean over the corners plus half diagonals."""
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
    """Keep the first of several cells that contain one column."""
    flat = grid.ravel().copy()
    first = np.zeros(flat.size, bool)
    first[np.unique(flat, return_index=True)[1]] = True
    flat[~first] = -1
    return flat.reshape(grid.shape)


def _assemble(a_nodes: _Nodes, b_sites: _Nodes | None, basis: Basis) -> Lattice:
    node, amplitude = a_nodes.sound
    cells = measure_cells(
        basis, node, amplitude, tuple(v[1:-1, 1:-1] for v in b_sites.sound) if b_sites else None
    )
    groups = [(a_nodes.grid, "A")] + ([(b_sites.grid, "B")] if b_sites else [])
    source = (b_sites or a_nodes).columns
    index = np.concatenate([grid[grid >= 0] for grid, _ in groups])
    sublattice = np.concatenate([np.full((grid >= 0).sum(), name) for grid, name in groups])
    ij = np.concatenate([np.argwhere(grid >= 0) for grid, _ in groups])
    return Lattice(source.take(index), sublattice, ij, cells)
