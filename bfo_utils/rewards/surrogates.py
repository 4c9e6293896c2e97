"""Surrogate test: the total of a map with fields that are unrelated to its walls.

A map with good geometry has some total with any field, and a higher one if the field has large
patches. The total is therefore compared with those of the same map with surrogates of the reference
field: the field shifted over the map, which keeps the patches and separates them from the walls,
and the field with its values permuted among the cells.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .reference import ReferenceField
from .scoring import DEFAULT_TOTAL, geometric_total, reference_total, score_map
from .segmentation import Segmentation

SIGNIFICANCE_LEVEL = 0.05  # a map that so many surrogates equal is no better than chance
_MOST, _LEAST = 59, 19  # surrogates: 19 are the fewest that can fall below the level
_WORK = 1_000_000  # cells, over all maps and surrogates: large ones get fewer of them
_OVERLAP = 0.5  # of the cells that must still lie on the field after a shift
_TRIES = 8  # shifts that are drawn for one that is used
_MAX_OVERLAP_ARI = 0.5  # of the map and the shifted map: above, the shift separates nothing


@dataclass(frozen=True)
class SurrogateTest:
    """The total of a map compared with the totals of its surrogates.

    Attributes
    ----------
    total : float
        Total of the map, or the highest of several maps.
    shifted, permuted : ndarray
        Totals with the reference field shifted (and mirrored or rotated by 180 degrees), and with
        its values permuted among the cells.
    """

    total: float
    shifted: np.ndarray
    permuted: np.ndarray

    @property
    def p_shifted(self) -> float:
        """Share of the shifted surrogates, counting the map itself, that reach its total."""
        return p_value(self.total, self.shifted)

    @property
    def p_permuted(self) -> float:
        """Share of the permuted surrogates that reach it."""
        return p_value(self.total, self.permuted)

    @property
    def is_significant(self) -> bool:
        """Whether the total exceeds those of the surrogates: at most 1 in 20 of either kind reaches
        it, with at least 19 surrogates.
        """
        return all(
            p <= SIGNIFICANCE_LEVEL
            for p, totals in ((self.p_shifted, self.shifted), (self.p_permuted, self.permuted))
            if len(totals) >= _LEAST
        )


def p_value(value: float, surrogates: np.ndarray) -> float:
    """Probability of a value at least this large among the surrogates, counting the value itself.

    Examples
    --------
    >>> p_value(0.9, np.array([0.1, 0.2, 0.9]))
    0.5
    """
    return float((1 + (surrogates >= value).sum()) / (1 + len(surrogates)))


def surrogate_test(
    maps: Segmentation | Sequence[Segmentation],
    total: Mapping[str, float] = DEFAULT_TOTAL,
    seed: int = 0,
) -> SurrogateTest:
    """Compare the total of a map with its totals for surrogates of the reference field.

    The labels stay in place, so all rewards of the geometry stay the same; only the field moves
    relative to them. Shifts wrap around. Two kinds are not used: shifts that leave less than half
    of the cells on the field (in a crystal that is rotated in the frame), and shifts that map the
    labels onto themselves (along a straight wall).

    If a map was chosen among several, the choice is repeated for every surrogate: the highest total
    of all maps counts. P is then uniform if no map is related to the field and the field was not
    used to make the maps.

    Parameters
    ----------
    maps : Segmentation or sequence of Segmentation
        The map, or all maps among which the highest total was chosen, with one reference field.
    total : mapping of str to float
        Rewards that make the total.
    seed : int
        Seed of the shifts and permutations.

    Returns
    -------
    SurrogateTest
        Without shifted surrogates if the outline of the crystal allows no shift.

    Examples
    --------
    >>> labels = np.repeat([[0] * 9 + [1] * 15], 24, axis=0)
    >>> noise = np.random.default_rng(0).normal(0, 0.3, labels.shape + (1,))
    >>> seen, unseen = (
    ...     surrogate_test(Segmentation(labels, ReferenceField(field, "polar")))
    ...     for field in (labels[..., None] + noise, noise)
    ... )
    >>> seen.is_significant, unseen.is_significant
    (True, False)
    """
    maps = [maps] if isinstance(maps, Segmentation) else maps
    bounds = [geometric_total(score_map(m, total), total) for m in maps]
    ordered = sorted(zip(bounds, maps, strict=True), key=lambda pair: -pair[0])
    first, reference = ordered[0][1], maps[0].reference
    n = int(np.clip(_WORK // max(1, first.n * len(maps)), _LEAST, _MOST))
    rng = np.random.default_rng(seed)
    shifted, permuted = (
        np.array([_highest(ordered, ReferenceField(f, reference.kind), total) for f in fields])
        for fields in (_shifted(first, n, rng), _permuted(reference.field, _LEAST, rng))
    )
    return SurrogateTest(_highest(ordered, reference, total), shifted, permuted)


def _highest(
    ordered: Sequence[tuple[float, Segmentation]],
    reference: ReferenceField,
    total: Mapping[str, float],
) -> float:
    """The highest total of maps in the falling order of what their geometry allows."""
    highest = 0.0
    for bound, segmentation in ordered:
        seen = segmentation.against(reference)
        highest = max(highest, reference_total(seen, total, bound, highest))
    return highest


def _shifted(segmentation: Segmentation, n: int, rng) -> Iterator[np.ndarray]:
    """The field shifted by random steps, in three of four mirrored or rotated as well."""
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
            and _rand_index(labels[both], likewise[both]) <= _MAX_OVERLAP_ARI
        ):
            given += 1
            shifted = np.full(segmentation.reference.field.shape, np.nan)
            shifted[box] = other
            yield shifted


def _rand_index(one: np.ndarray, two: np.ndarray) -> float:
    """Adjusted Rand index of labels from -1 on; scikit-learn's checks cost ten times its sums."""
    width = int(two.max()) + 2
    common = np.bincount((one + 1) * width + two + 1, minlength=(int(one.max()) + 2) * width)
    common = common.reshape(-1, width)
    counts = common, common.sum(axis=0), common.sum(axis=1), common.sum()
    both, first, second, total = (float((n * (n - 1.0)).sum()) for n in counts)
    expected, most = first * second / total, (first + second) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _permuted(field: np.ndarray, n: int, rng) -> Iterator[np.ndarray]:
    """The field with its known values permuted among the cells."""
    known = np.isfinite(field[..., 0])
    for _ in range(n):
        permuted = field.copy()
        permuted[known] = rng.permutation(field[known])
        yield permuted
