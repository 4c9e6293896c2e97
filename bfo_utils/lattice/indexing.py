"""Indexing: from linked columns to integer indices that follow the crystal.

Columns are linked to the neighbors that lie one lattice vector away. A walk over the links gives
every column of a connected piece its indices. Pieces separated by a gap or a scan slip are placed
on one grid again.
"""

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

INDEX_TOLERANCE = 0.28  # of a cell: how far from its predicted place a neighbor is accepted
_REJOINED = 2.5  # cells within which the columns of two pieces say how they lie to each other
_SHIFTS = (-1, 0, 1)  # cells by which a piece is moved aside from where it would lie on another
_OVERLAPS = 0.02  # of the columns of a piece may lie on those of another


def neighbor_links(
    xy: np.ndarray, vector: np.ndarray, tolerance: float, tree: cKDTree
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (tail, head) of columns one ``vector`` apart, each the other's nearest to the
    predicted place (tolerance in px).
    """
    near = {"distance_upper_bound": tolerance, "workers": -1}  # all cores
    distance, head = tree.query(xy + vector, **near)
    back = tree.query(xy - vector, **near)[1]
    tail = np.nonzero(np.isfinite(distance))[0]
    tail = tail[back[head[tail]] == tail]
    return tail, head[tail]


def walk_lattice(
    xy: np.ndarray, vectors: np.ndarray, kind: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Component and integer indices of every column, by a breadth-first walk over lattice links.

    Parameters
    ----------
    xy : ndarray, shape (N, 2)
        Positions in px.
    vectors : ndarray, shape (2, 2)
        Rows a and b, in px. Neighbors are accepted within 0.28 of a cell of their predicted place,
        so the walk follows local strain and rotation (up to about 15 degrees from the mean).
    kind : ndarray, shape (N,), optional
        Columns of different kinds are not linked.

    Returns
    -------
    component : ndarray of int, shape (N,)
        Connected component, 0 the largest.
    ij : ndarray of int, shape (N, 2)
        Row and column index within the component, from the component's own root.

    Examples
    --------
    >>> xy = np.array([[0, 0], [10, 0], [20, 1], [20, 11]])
    >>> component, ij = walk_lattice(xy, np.array([[10, 0], [0, 10]]))
    >>> (ij - ij[0]).tolist()
    [[0, 0], [0, 1], [0, 2], [1, 2]]
    """
    tree = cKDTree(xy)
    size = len(xy)
    tails, heads, steps = [], [], []
    for stride, vector in (((0, 1), vectors[0]), ((1, 0), vectors[1])):
        tail, head = neighbor_links(xy, vector, INDEX_TOLERANCE * np.hypot(*vector), tree)
        if kind is not None:
            tail, head = tail[kind[tail] == kind[head]], head[kind[tail] == kind[head]]
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


def _accumulate(graph, component: np.ndarray, steps) -> np.ndarray:
    """Indices by summing steps from every node to its root (pointer doubling)."""
    tail, head, step = steps
    size = len(component)
    parent = np.arange(size)
    for root in np.unique(component, return_index=True)[1][
        : 1 + int((np.bincount(component) > 8).sum())
    ]:
        order, predecessor = csgraph.breadth_first_order(graph, root, directed=False)
        parent[order[1:]] = predecessor[order[1:]]
    ij = np.zeros((size, 2), int)
    tree_link = parent[head] == tail
    ij[head[tree_link]] = step[tree_link]
    while not np.array_equal(parent, parent[parent]):
        ij = ij + ij[parent] * (parent != np.arange(size))[:, None]
        parent = parent[parent]
    return ij


def rejoin_pieces(
    xy: np.ndarray, component: np.ndarray, ij: np.ndarray, pieces: list[int], vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Columns of all pieces and their indices on one grid, which continues the lattice of the
    largest piece.

    A piece is moved by a whole number of cells: the one nearest to the median step from its columns
    to columns of earlier pieces within 2.5 cells, or across the gap between them. If this would put
    columns on occupied nodes, the next nearest is used.
    """
    index = np.nonzero(component == pieces[0])[0]
    joined = ij.copy()
    cell = np.sqrt(abs(np.linalg.det(vectors)))
    for piece in pieces[1:]:
        own = np.nonzero(component == piece)[0]
        distance, nearest = cKDTree(xy[index]).query(xy[own])
        close = distance <= max(_REJOINED * cell, distance.min() + cell)
        near, other = own[close], index[nearest[close]]
        steps = (xy[near] - xy[other]) @ np.linalg.inv(vectors)
        offset = np.median(joined[other] + steps[:, ::-1] - ij[near], axis=0)
        joined[own] += _free_offset(joined[index], ij[own], offset)
        index = np.concatenate([index, own])
    return index, joined[index]


def _free_offset(taken: np.ndarray, ij: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Whole cells nearest to an offset at which few indices are taken; else the nearest."""
    steps = np.stack(np.meshgrid(_SHIFTS, _SHIFTS, indexing="ij"), axis=-1).reshape(-1, 2)
    tries = np.rint(offset).astype(int) + steps
    tries = tries[np.argsort(np.hypot(*(tries - offset).T), kind="stable")]
    used = _keys(taken)
    return next((t for t in tries if np.isin(_keys(ij + t), used).mean() <= _OVERLAPS), tries[0])


def _keys(ij: np.ndarray) -> np.ndarray:
    """One integer per pair of indices."""
    return ij[:, 0].astype(np.int64) * 2**32 + ij[:, 1]
