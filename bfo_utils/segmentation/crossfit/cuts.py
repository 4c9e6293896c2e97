"""Label maps by minimum cuts: the map of least cost, where walls cost their length.

The graph joins every cell to its eight neighbors, with weights that make the cost of a wall its
length in any direction (Cauchy-Crofton; Boykov and Kolmogorov, ICCV 2003). Two labels take one cut,
which is exact. More labels are improved one by one (Boykov, Veksler and Zabih, PAMI 23, 2001).
"""

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

_STEPS = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, np.sqrt(0.5)), (1, -1, np.sqrt(0.5)))
_SCALE, _MOST = 200.0, 2**28  # capacities are whole numbers


class CellGraph:
    """Neighboring cells of a mask, and the cuts through them.

    Parameters
    ----------
    mask : ndarray of bool, shape (R, C)
    edge : int
        What one step of the grid counts for, in cells.

    Examples
    --------
    >>> graph = CellGraph(np.ones((9, 9), bool))
    >>> labels = (np.arange(81) % 9 > 4) * 1
    >>> 7 < graph.length(labels) < 10
    True
    """

    def __init__(self, mask: np.ndarray, edge: int = 1):
        self.n = int(mask.sum())
        index = np.full(mask.shape, -1)
        index[mask] = np.arange(self.n)
        found = [(*_joined(index, di, dj), w) for di, dj, w in _STEPS]
        self.p, self.q = (np.concatenate([f[k] for f in found]) for k in (0, 1))
        self.weight = np.concatenate([np.full(len(p), np.pi / 8 * w * edge) for p, _, w in found])
        self._arcs()

    def _arcs(self) -> None:
        """Structure of the flow network: pairs both ways, then source and sink of every cell."""
        n, cells = self.n, np.arange(self.n)
        source, sink = np.full(n, n), np.full(n, n + 1)
        tail = np.concatenate([self.p, self.q, source, cells, cells, sink])
        head = np.concatenate([self.q, self.p, cells, source, sink, cells])
        numbers = sparse.csr_matrix((np.arange(1, len(tail) + 1), (tail, head)), (n + 2, n + 2))
        self._order, self._indices, self._starts = numbers.data - 1, numbers.indices, numbers.indptr

    def length(self, labels: np.ndarray) -> float:
        """Length of all walls of a map (n,), in cells."""
        return float(self.weight[labels[self.p] != labels[self.q]].sum())

    def lengths(self, labels: np.ndarray) -> np.ndarray:
        """Length (K, K) of the wall between any two labels of a map (n,), in cells."""
        k = int(labels.max()) + 1
        pairs = np.bincount(k * labels[self.p] + labels[self.q], self.weight, k * k)
        found = pairs.reshape(k, k)
        return found + found.T

    def cheapest(
        self, cost: np.ndarray, labels: np.ndarray, price: float, sweeps: int = 2
    ) -> np.ndarray:
        """Map of least total cost of labels and walls.

        Parameters
        ----------
        cost : ndarray, shape (n, K)
            Cost of every label in every cell.
        labels : ndarray of int, shape (n,)
            Initial map.
        price : float
            Cost of a cell's length of wall.
        sweeps : int
            Over the labels, at most.

        Returns
        -------
        ndarray of int, shape (n,)
        """
        weight, cells = price * self.weight, np.arange(self.n)
        if cost.shape[1] == 2:
            return self._cut(cost[:, 0], cost[:, 1], weight, weight).astype(int)

        def total(labels: np.ndarray) -> float:
            return float(cost[cells, labels].sum() + price * self.length(labels))

        least = total(labels)
        for _ in range(sweeps):
            before = least
            for label in range(cost.shape[1]):
                grown = self._expanded(cost, labels, label, weight)
                if (now := total(grown)) < least - 1e-3:
                    labels, least = grown, now
            if least > before - 1e-2:
                break
        return labels

    def _expanded(self, cost, labels, label: int, weight) -> np.ndarray:
        """The best map in which any cells take one label."""
        at_p, at_q = labels[self.p], labels[self.q]
        kept, first, second = (
            weight * (at_p != at_q),
            weight * (at_p != label),
            weight * (at_q != label),
        )
        stay, take = cost[np.arange(self.n), labels], cost[:, label]
        take = take + np.bincount(self.p, second - kept, self.n)
        take = take - np.bincount(self.q, second, self.n)
        moved = self._cut(stay, take, first + second - kept, np.zeros(len(weight)))
        return np.where(moved, label, labels)

    def _cut(self, stay, take, there, back) -> np.ndarray:
        """Which cells lie on the sink's side of the least cut."""
        n, least, none = self.n, np.minimum(stay, take), np.zeros(self.n)
        capacity = np.concatenate([there, back, take - least, none, stay - least, none])
        whole = np.minimum(np.rint(capacity * _SCALE), _MOST).astype(np.int32)[self._order]
        network = sparse.csr_matrix((whole, self._indices, self._starts), (n + 2, n + 2))
        left = csgraph.maximum_flow(network, n, n + 1).flow.data < whole
        starts = np.concatenate([[0], np.cumsum(left)])[self._starts].astype(np.int32)
        open_arcs = np.ones(starts[-1], np.int8), self._indices[left], starts
        rest = sparse.csr_matrix(open_arcs, (n + 2, n + 2))
        side = np.ones(n + 2, bool)
        side[csgraph.breadth_first_order(rest, n, return_predecessors=False)] = False
        return side[:n]


def _joined(index: np.ndarray, di: int, dj: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of cells and of their neighbors (di, dj) away."""
    width = index.shape[1]
    here = index[: len(index) - di, max(0, -dj) : width - max(0, dj)]
    there = index[di:, max(0, dj) : width - max(0, -dj)]
    both = (here >= 0) & (there >= 0)
    return here[both], there[both]
