"""Shuffles: what total a map would earn if it had nothing to do with the evidence.

A neat map earns something from any field, and more where the field has large patches of its own. So
the total is compared with what the same map earns from surrogates of the evidence: the same field
moved elsewhere over the map, which keeps the patches and parts them from the walls, and the same
values dealt to the cells at random.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_rand_score

from .reference import ReferenceField
from .scoring import DEFAULT_TOTAL, score_map
from .segmentation import Segmentation

SIGNIFICANCE_LEVEL = 0.05  # a map that so many surrogates equal is no better than chance
_MOST, _LEAST = 59, 19  # surrogates: 19 are the fewest that can fall below the level
_WORK = 240_000  # cells, over all surrogates: large maps get fewer of them
_OVERLAP = 0.5  # of the cells: how many must still lie on the field after it was moved
_TRIES = 8  # moves that are looked at for one that is used
_ALIKE = (
    0.5  # adjusted Rand index of the map and the map moved likewise: above, the move parts nothing
)


@dataclass(frozen=True)
class SurrogateTest:
    """Where the total of a map lies among those of its surrogates.

    Attributes
    ----------
    total : float
        Total of the map.
    moved, dealt : ndarray
        Totals with the evidence field moved (shifted, turned by 180 degrees, mirrored), and with
        its values dealt to the cells at random.
    """

    total: float
    moved: np.ndarray
    dealt: np.ndarray

    @property
    def p_moved(self) -> float:
        """Share of the moved surrogates, the map itself among them, that reach the total of the
        map; 1 without any.
        """
        return p_value(self.total, self.moved)

    @property
    def p_dealt(self) -> float:
        """The same for the dealt ones."""
        return p_value(self.total, self.dealt)

    @property
    def beaten(self) -> bool:
        """Whether the total is above what surrogates reach: at most 1 in 20 of either kind
        equals it, where there are 19 to tell.
        """
        return all(
            p <= SIGNIFICANCE_LEVEL
            for p, totals in ((self.p_moved, self.moved), (self.p_dealt, self.dealt))
            if len(totals) >= _LEAST
        )


def p_value(value: float, surrogates: np.ndarray) -> float:
    """Chance of a value as large as this one among surrogates, counting the value itself.

    Examples
    --------
    >>> p_value(0.9, np.array([0.1, 0.2, 0.9]))
    0.5
    """
    return float((1 + (surrogates >= value).sum()) / (1 + len(surrogates)))


def surrogate_test(
    segmentation: Segmentation, total: Mapping[str, float] = DEFAULT_TOTAL, seed: int = 0
) -> SurrogateTest:
    """Compare the total of a map with the totals that it earns from surrogates of its evidence.

    The labels stay where they are, so that all rewards of the geometry alone stay the same; what
    changes is what the evidence has to do with them. Moves wrap around. Two kinds are not used:
    those that leave less than half of the cells on the field (a crystal that fills the frame
    askew), and those that carry the map onto itself (a shift along a straight wall), which part
    nothing.

    Parameters
    ----------
    segmentation : Segmentation
    total : mapping of str to float
        Rewards that make the total.
    seed : int
        Seed of the moves.

    Returns
    -------
    SurrogateTest
        With no surrogates where the crystal's outline leaves no move.

    Examples
    --------
    >>> labels = np.repeat([[0] * 9 + [1] * 15], 24, axis=0)
    >>> noise = np.random.default_rng(0).normal(0, 0.3, labels.shape + (1,))
    >>> seen, unseen = (
    ...     surrogate_test(Segmentation(labels, ReferenceField(field, "polar")))
    ...     for field in (labels[..., None] + noise, noise)
    ... )
    >>> seen.beaten, unseen.beaten
    (True, False)
    """
    n = int(np.clip(_WORK // max(1, segmentation.n), _LEAST, _MOST))
    field, kind = segmentation.reference.field, segmentation.reference.kind
    rng = np.random.default_rng(seed)
    moved, dealt = (
        np.array(
            [
                score_map(segmentation.against(ReferenceField(f, kind)), total)["total"]
                for f in fields
            ]
        )
        for fields in (_moved(segmentation, n, rng), _dealt(field, _LEAST, rng))
    )
    return SurrogateTest(score_map(segmentation, total)["total"], moved, dealt)


def _moved(segmentation: Segmentation, n: int, rng) -> Iterator[np.ndarray]:
    """The evidence shifted by random steps around its own frame, three times out of four
    mirrored or turned as well.
    """
    known = np.isfinite(segmentation.reference.field[..., 0])
    rows, cols = (np.flatnonzero(known.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return
    box = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    field, labels = segmentation.reference.field[box], segmentation.clean[box]
    given = 0
    for _ in range(_TRIES * n):
        if given == n:
            return
        flip = tuple(slice(None, None, int(way)) for way in rng.choice([-1, 1], 2))
        step = rng.integers(labels.shape)
        other, likewise = (np.roll(v[flip], step, axis=(0, 1)) for v in (field, labels))
        both = known[box] & np.isfinite(other[..., 0])
        if (
            both.sum() >= _OVERLAP * known.sum()
            and adjusted_rand_score(labels[both], likewise[both]) <= _ALIKE
        ):
            given += 1
            moved = np.full(segmentation.reference.field.shape, np.nan)
            moved[box] = other
            yield moved


def _dealt(field: np.ndarray, n: int, rng) -> Iterator[np.ndarray]:
    """The known values of the field, dealt to the cells at random."""
    known = np.isfinite(field[..., 0])
    for _ in range(n):
        dealt = field.copy()
        dealt[known] = rng.permutation(field[known])
        yield dealt
