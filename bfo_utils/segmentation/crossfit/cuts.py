"""Label maps by minimum cuts: the map of least cost, where walls cost their length.

The graph joins every cell to its eight neighbors, with weights that make the cost of a wall its
length in any direction (Cauchy-Crofton; Boykov and Kolmogorov, ICCV 2003). Two labels take one cut,
which is exact. More labels are improved one by one (Boykov, Veksler and Zabih, PAMI 23, 2001).
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

_STEPS = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, np.sqrt(0.5)), (1, -1, np.sqrt(0.5)))
_SCALE, _MOST = 200.0, 2**28  # capacities are whole numbers
_ROUNDS = 3  # of settling cells by their own cost


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
        self, costs: Sequence[np.ndarray], maps: Sequence[np.ndarray], price: float, sweeps: int = 2
    ) -> list[np.ndarray]:
        """Maps of least total cost of labels and walls, each for costs of its own: one network for
        all of them.

        Parameters
        ----------
        costs : sequence of ndarray, shape (n, K) each
            Cost of every label in every cell.
        maps : sequence of ndarray of int, shape (n,) each
            Initial maps.
        price : float
            Cost of a cell's length of wall.
        sweeps : int
            Over the labels, at most.

        Returns
        -------
        list of ndarray of int, shape (n,) each
        """
        weight, cells, found = price * self.weight, np.arange(self.n), list(maps)

        def total(k: int, labels: np.ndarray) -> float:
            return float(costs[k][cells, labels].sum() + price * self.length(labels))

        pairs = [k for k, cost in enumerate(costs) if cost.shape[1] == 2]
        exact = self._cuts([(*costs[k].T, weight, weight) for k in pairs])
        for k, side in zip(pairs, exact):
            found[k] = side.astype(int)
        active = [k for k in range(len(costs)) if k not in pairs]
        least = {k: total(k, found[k]) for k in active}
        due = {k: set(range(costs[k].shape[1])) for k in active}  # labels that may take more cells
        for _ in range(sweeps):
            before = dict(least)
            for label in range(max([costs[k].shape[1] for k in active], default=0)):
                asked = [k for k in active if label in due[k]]
                networks = [self._expansion(costs[k], found[k], label, weight) for k in asked]
                for k, moved in zip(asked, self._cuts(networks)):
                    grown = np.where(moved, label, found[k])
                    if (now := total(k, grown)) < least[k] - 1e-3:
                        found[k], least[k] = grown, now
                        due[k] = set(range(costs[k].shape[1]))
                    due[k].discard(label)
            active = [k for k in active if least[k] <= before[k] - 1e-2]
        return found

    def _expansion(self, cost, labels, label: int, weight) -> tuple:
        """The network for the best map in which any cells take one label."""
        at_p, at_q = labels[self.p], labels[self.q]
        kept, first, second = (
            weight * (at_p != at_q),
            weight * (at_p != label),
            weight * (at_q != label),
        )
        stay, take = cost[np.arange(self.n), labels], cost[:, label]
        take = take + np.bincount(self.p, second - kept, self.n)
        take = take - np.bincount(self.q, second, self.n)
        return stay, take, first + second - kept, np.zeros(len(weight))

    def _cuts(self, networks: list[tuple]) -> np.ndarray:
        """Which cells (len(networks), n) lie on the sink's side of the least cut of every network:
        costs of staying and of moving, and of a cut between neighbors there and back.
        """
        if not networks:
            return np.zeros((0, self.n), bool)
        stay, take, there, back = (np.concatenate(parts) for parts in zip(*networks))
        first = self.n * np.arange(len(networks))[:, None]
        p, q = ((first + ends).ravel() for ends in (self.p, self.q))
        side, gain, arcs = _settled(take - stay, (p, q, there, back))
        free = np.flatnonzero(side == 0)
        if len(free):
            number = np.zeros(len(side), int)
            number[free] = np.arange(len(free))
            p, q, there, back = arcs
            side[free] = _sides(gain[free], number[p], number[q], there, back)
        return (side > 0).reshape(len(networks), self.n)


def _settled(gain: np.ndarray, arcs: tuple) -> tuple[np.ndarray, np.ndarray, tuple]:
    """Cells that stay (-1) or move (1) whatever their neighbors do, 0 elsewhere; what the others
    gain by staying, and the arcs between them.

    Where walls are clear, most cells are settled by their own cost, and little is left.
    """
    side, n = np.zeros(len(gain), int), len(gain)
    for _ in range(_ROUNDS):
        p, q, there, back = arcs
        leaving = np.bincount(p, there, n) + np.bincount(q, back, n)
        entering = np.bincount(p, back, n) + np.bincount(q, there, n)
        side[(side == 0) & (gain >= leaving)] = -1
        side[(side == 0) & (gain < -entering)] = 1
        at_p, at_q = side[p], side[q]
        first, second = (at_p == 0) & (at_q != 0), (at_p != 0) & (at_q == 0)
        gain = gain + np.bincount(p[first], _swayed(at_q, there, back)[first], n)
        gain = gain + np.bincount(q[second], _swayed(at_p, back, there)[second], n)
        both = (at_p == 0) & (at_q == 0)
        arcs = tuple(values[both] for values in arcs)
    return side, gain, arcs


def _swayed(side: np.ndarray, there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """What a cell gains by staying from a neighbor whose side is known."""
    return np.where(side > 0, -there, back)


def _sides(gain: np.ndarray, p, q, there, back) -> np.ndarray:
    """Side of every cell of a network at its least cut: -1 with the source, 1 with the sink."""
    n, cells = len(gain), np.arange(len(gain))
    source, sink = np.full(n, n), np.full(n, n + 1)
    tail = np.concatenate([p, q, source, cells, cells, sink])
    head = np.concatenate([q, p, cells, source, sink, cells])
    none = np.zeros(n)
    capacity = np.concatenate([there, back, gain.clip(0), none, (-gain).clip(0), none])
    whole = np.minimum(np.rint(capacity * _SCALE), _MOST).astype(np.int32)
    network = sparse.csr_matrix((whole, (tail, head)), (n + 2, n + 2))
    rest = network - csgraph.maximum_flow(network, n, n + 1).flow
    side = np.ones(n + 2, int)
    side[csgraph.breadth_first_order(rest, n, return_predecessors=False)] = -1
    return side[:n]


def _joined(index: np.ndarray, di: int, dj: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of cells and of their neighbors (di, dj) away."""
    width = index.shape[1]
    here = index[: len(index) - di, max(0, -dj) : width - max(0, dj)]
    there = index[di:, max(0, dj) : width - max(0, -dj)]
    both = (here >= 0) & (there >= 0)
    return here[both], there[both]
