"""Rewards: numbers in [0, 1] that say how much a label map looks like ferroic domains, and why.

Every reward is a function of a :class:`Partition` registered under a name. The total is a weighted geometric product
of named rewards, so that one failing guard cannot be bought back by another, and so that users can add their own.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage

from .errors import InputError
from .evidence import Evidence
from .walls import Walls, despeckle, trace

#: The default total, the product of rewards, each to the power given here. The powers were chosen on 24 phantoms whose
#: seeds no reported figure uses: geometry must count (weak contrast), but not outvote the evidence (domains with corners).
TOTAL: dict[str, float] = {
    "continuity": 0.5, "straightness": 0.25, "evidence": 1.0, "contrast": 1.0, "balance": 1.0, "amount": 1.0,
    "thickness": 1.0}

Reward = Callable[["Partition"], float]
_REWARDS: dict[str, Reward] = {}


@dataclass(frozen=True)
class Partition:
    """A label map with the evidence that it is judged by.

    Attributes
    ----------
    labels : ndarray of int, shape (R, C)
        Label per cell, -1 outside the analysed mask.
    evidence : Evidence
        Field on the same grid.
    """

    labels: np.ndarray
    evidence: Evidence

    @property
    def n(self) -> int:
        """Number of analysed cells N."""
        return int((self.labels >= 0).sum())

    @property
    def side(self) -> float:
        """Edge s = sqrt(N) of a square with as many cells, the yardstick that frees rewards of the image's size."""
        return float(np.sqrt(self.n))

    @cached_property
    def _despeckled(self) -> tuple[np.ndarray, float]:
        return despeckle(self.labels, max(6, round(0.003 * self.n)))

    @property
    def clean(self) -> np.ndarray:
        """Labels without speckle; patches under max(6, 0.003 N) cells take the nearest large patch's label."""
        return self._despeckled[0]

    @property
    def speckle(self) -> float:
        """Share of the cells that were speckle."""
        return self._despeckled[1]

    @cached_property
    def walls(self) -> Walls:
        """Walls of the map without speckle."""
        return trace(self.clean)

    def against(self, evidence: Evidence) -> "Partition":
        """The same map judged by another field; what the labels alone say is not worked out again."""
        other = replace(self, evidence=evidence)
        vars(other).update(_despeckled=self._despeckled, walls=self.walls)
        return other


def register(name: str) -> Callable[[Reward], Reward]:
    """Decorator that adds a reward under ``name``.

    Parameters
    ----------
    name : str
        The name by which the total and the command line select it.

    Examples
    --------
    >>> @register("few_labels")
    ... def few_labels(partition):
    ...     return 1 / len(np.unique(partition.clean[partition.clean >= 0]))
    >>> "few_labels" in names()
    True
    >>> _ = _REWARDS.pop("few_labels")
    """

    def add(function: Reward) -> Reward:
        _REWARDS[name] = function
        return function

    return add


def names() -> list[str]:
    """Names of all registered rewards, sorted."""
    return sorted(_REWARDS)


def fingerprint() -> str:
    """Hash of the code of all registered rewards, so that recorded values of changed rewards are not trusted."""
    code = [(name, _REWARDS[name].__code__.co_code, repr(_REWARDS[name].__code__.co_consts)) for name in names()]
    return hashlib.sha256(re.sub(r"0x[0-9a-f]+|file \"[^\"]*\"", "", repr(code)).encode()).hexdigest()


def weights(pairs: Sequence[str]) -> dict[str, float]:
    """The total that ``name=power`` pairs describe; the default total where there are none.

    Raises
    ------
    InputError
        For an unknown reward, or a power that is no positive number.

    Examples
    --------
    >>> weights(["evidence=1", "agreement=0.5"])
    {'evidence': 1.0, 'agreement': 0.5}
    """
    chosen = {}
    for pair in pairs:
        name, _, power = pair.partition("=")
        try:
            chosen[name] = float(power)
        except ValueError:
            chosen[name] = 0.0
        if not 0 < chosen[name] < np.inf:
            raise InputError(f"total '{pair}': not a reward with its power; write it as evidence=1")
    return _known(chosen) or dict(TOTAL)


def _known(total: Mapping[str, float]) -> dict[str, float]:
    """The total itself, if all its rewards are registered."""
    unknown = sorted(set(total) - set(_REWARDS))
    if unknown:
        raise InputError(f"reward '{unknown[0]}': no such reward; choose from {', '.join(names())}")
    return dict(total)


def score(partition: Partition, total: Mapping[str, float] = TOTAL) -> dict[str, float]:
    """Every registered reward of a label map, and their total.

    Parameters
    ----------
    partition : Partition
    total : mapping of str to float
        Rewards that make the total, with their powers: total = prod(r_k ^ p_k).

    Returns
    -------
    dict of str to float
        All in [0, 1].

    Raises
    ------
    InputError
        If ``total`` names an unknown reward.
    """
    _known(total)
    values = {name: _value(name, function(partition)) for name, function in _REWARDS.items()}
    values["total"] = float(np.prod([values[name] ** power for name, power in total.items()]))
    return values


def _value(name: str, value: float) -> float:
    """A reward as a plain number in [0, 1]."""
    if not np.isfinite(value):
        raise InputError(f"reward '{name}': returned {value}; it must return a number from 0 to 1")
    return float(np.clip(value, 0, 1))


@register("continuity")
def continuity(partition: Partition) -> float:
    """How far walls run before they end: mean over the wall of min(segment length / (s/2), 1), times exp(-f/0.15).

    f is the share of speckle. Segments end at junctions and at the border; lengths are those of the smooth wall.
    """
    walls = partition.walls
    if not walls.n_segments:
        return 0.0
    run = np.minimum(walls.segment_length / (partition.side / 2), 1)[walls.segment]
    return float(np.exp(-partition.speckle / 0.15) * np.average(run, weights=walls.length))


@register("straightness")
def straightness(partition: Partition) -> float:
    """How straight walls are over ten cells: mean of exp(-(max(r - 0.45, 0) / 0.6)^2) min(extent / 8, 1).

    r is the local roughness in cells (see :class:`bfo_utils.walls.Walls`); up to 0.45 is the staircase that any
    straight line makes on a lattice.
    """
    walls = partition.walls
    if not walls.n_segments:
        return 0.0
    bend = np.exp(-((np.maximum(walls.roughness - 0.45, 0) / 0.6) ** 2))
    return float(np.average(bend * np.minimum(walls.extent / 8, 1), weights=walls.length))


@register("evidence")
def evidence(partition: Partition) -> float:
    """Share of the variance of the evidence field that the labels explain, on the labels without speckle.

    E = 1 - within-label variance / total variance, corrected for the number of labels (k labels of pure noise
    explain (k - 1) / (N - 1) on average). Speckle counts in the continuity, and only there.
    """
    inside = (partition.clean >= 0) & np.isfinite(partition.evidence.field[..., 0])
    labels, field = partition.clean[inside], partition.evidence.field[inside]
    total = ((field - field.mean(axis=0)) ** 2).sum() if len(field) else 0.0
    if total == 0:
        return 0.0
    groups, labels = np.unique(labels, return_inverse=True)
    means = np.stack([np.bincount(labels, f) / np.bincount(labels) for f in field.T], axis=1)
    within = ((field - means[labels]) ** 2).sum() / max(1, len(field) - len(groups)) * (len(field) - 1)
    return float(1 - within / total)


@register("contrast")
def contrast(partition: Partition) -> float:
    """Whether the evidence field really jumps across the walls, between every pair of labels that share a wall.

    The step between the means of up to three cells on either side of a wall edge is compared with the same step
    between cells of one domain: walls drawn through noise, or along a slow gradient, step no more than the inside
    does. For every pair of labels h is the share of its edges that step more than 95 % of the inside, corrected for
    chance, h = max(0, (share - 0.05) / 0.95). The contrast is the geometric mean of h + 0.02 over the pairs with at
    least s/6 edges, so that one border that is not there costs most of it, however much true wall there is beside it.
    """
    crossing, staying = [], []
    for labels, values in ((partition.clean, partition.evidence.field),
                           (partition.clean.T, partition.evidence.field.transpose(1, 0, 2))):
        is_wall, is_inside, step = _steps(labels, values)
        is_wall &= np.isfinite(step)
        pair = np.sort(np.stack([labels[:, :-1][is_wall], labels[:, 1:][is_wall]], axis=1), axis=1)
        crossing.append(np.column_stack([pair, step[is_wall]]))
        staying.append(step[is_inside & np.isfinite(step)])
    walls, within = np.concatenate(crossing), np.concatenate(staying)
    if not len(walls) or not len(within):
        return 0.0
    return _pairwise(walls[:, :2], walls[:, 2] > np.quantile(within, 0.95), partition.side / 6)


def _pairwise(pairs: np.ndarray, real: np.ndarray, least: float) -> float:
    """Geometric mean over pairs of labels of their share of real edges; pairs of few edges do not count."""
    _, pair, count = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    share = np.bincount(pair.ravel(), real) / count
    share = share[count >= least] if (count >= least).any() else np.array([real.mean()])
    return float(np.exp(np.log(np.maximum(0, (share - 0.05) / 0.95) + 0.02).mean()))


def _steps(labels: np.ndarray, field: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Along rows, at every border between two cells: is it a wall, is it inside a domain, size of the field's step."""
    left = _run_mean(labels, field)[:, :-1]
    right = _run_mean(labels[:, ::-1], field[:, ::-1])[:, ::-1][:, 1:]
    known = (labels[:, :-1] >= 0) & (labels[:, 1:] >= 0)
    same = labels[:, :-1] == labels[:, 1:]
    inside = known & same
    inside[:, 2:-2] &= same[:, :-4] & same[:, 1:-3] & same[:, 3:-1] & same[:, 4:]
    inside[:, :2] = inside[:, -2:] = False
    return known & ~same, inside, np.sqrt(((right - left) ** 2).sum(axis=-1))


def _run_mean(labels: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Mean of the field over each cell and up to two cells before it in its row that share its label."""
    total, count = field.copy(), np.ones(labels.shape)
    same = np.ones(labels.shape, bool)
    for back in (1, 2):
        same[:, back:] &= labels[:, back:] == labels[:, :-back]
        shifted = np.where(same[:, back:, None], field[:, :-back], 0)
        total[:, back:] += np.nan_to_num(shifted)
        count[:, back:] += same[:, back:] & np.isfinite(field[:, :-back, 0])
    return total / count[..., None]


@register("balance")
def balance(partition: Partition) -> float:
    """1 once the second-largest cluster holds 3 % of the cells; proportionally less below."""
    labels = partition.clean[partition.clean >= 0]
    counts = np.sort(np.bincount(labels)) if len(labels) else np.zeros(1)
    return float(min(1, counts[-2] / (0.03 * partition.n))) if len(counts) > 1 else 0.0


@register("amount")
def amount(partition: Partition) -> float:
    """1 once there is a quarter of the field's edge of wall, s/4; proportionally less below."""
    return float(min(1, partition.walls.length.sum() / max(partition.side / 4, 1e-9)))


@register("thickness")
def thickness(partition: Partition) -> float:
    """Whether domains are thick: share of the cells that a 3 x 3 opening of their own label keeps, 0.5..1 to 0..1."""
    inside = partition.clean >= 0
    kept = 0
    for label in np.unique(partition.clean[inside]):
        own = partition.clean == label
        kept += (ndimage.binary_opening(np.pad(own | ~inside, 1, constant_values=True), np.ones((3, 3)))[1:-1, 1:-1] & own).sum()
    return float(max(0, 2 * kept / max(1, partition.n) - 1))


@register("agreement")
def agreement(partition: Partition) -> float:
    """Agreement of neighbouring cells beyond chance: (p - p0) / (1 - p0), p0 from the labels' frequencies."""
    labels = partition.labels
    pairs = [(labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])]
    same = np.concatenate([(p == q)[(p >= 0) & (q >= 0)] for p, q in pairs])
    share = np.bincount(labels[labels >= 0]) / partition.n
    chance = (share**2).sum()
    return float((same.mean() - chance) / (1 - chance)) if len(same) and chance < 1 else 0.0
