"""Stability of the result: in nearly as good maps of the search, and with other seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from sklearn.metrics import adjusted_rand_score

from ..compute import one_thread
from ..rewards import Segmentation
from ..search import (
    EvaluatorFactory,
    Outcome,
    SearchPlan,
    SharedWork,
    Trial,
    best_trial,
    cross_fitted_outcome,
    label_map,
    search_configurations,
    without_autoencoders,
)
from .confidence import same_labels
from .judgment import DOMAINS, Judgment, gives_verdict, judge_domains

_SAME = 0.9  # adjusted Rand index of two maps that count as one
_RECURS = 0.7  # overlap of a label that counts as found again
NEAR = 0.2  # of the highest total: maps of less are not nearly as good
_MOST = 16  # maps


@dataclass(frozen=True)
class NearBest:
    """Recurrence in the maps of a search that are nearly as good as the best.

    Attributes
    ----------
    n_maps : int
        Maps whose total is at least 0.8 of the highest, the best among them; at most 16.
    verdict : float
        Share of them that give the same verdict. It is 1 where the verdict rests on measured fields
        and not on a map.
    same : float
        Share of them that are the same map as the one that is shown (adjusted Rand index of 0.9 or
        more); 0 without domains.
    of_labels : dict of int to float
        For every label that is shown, the share of them in which it recurs: overlaps with a label
        by 0.7 or more, cells of both over cells of either. Empty without domains.
    of_cells : ndarray, shape (R, C)
        Share of them in which a cell bears the shown label; NaN without domains.
    """

    n_maps: int
    verdict: float
    same: float
    of_labels: Mapping[int, float]
    of_cells: np.ndarray = field(repr=False)


def near_best(
    work: SharedWork, trials: Sequence[Trial], judgment: Judgment, seed: int = 0
) -> NearBest:
    """Compare the map that is shown with all maps of the search that are nearly as good.

    Those are drawn from one half of the pixels, as the search drew them, so that they differ by
    their noise, too.

    Parameters
    ----------
    work : SharedWork
        What the search made.
    trials : sequence of Trial
    judgment : Judgment
    seed : int
        Seed of the search.

    Returns
    -------
    NearBest
    """
    near, half, shown = _near(trials), work.cross_fitted[0], judgment.candidate
    nothing = np.full(shown.shape, np.nan)
    verdict = float(np.mean([gives_verdict(work.prepared, t.rewards, judgment) for t in near]))
    if judgment.verdict != DOMAINS:
        return NearBest(len(near), verdict, 0.0, {}, nothing)
    at = work.prepared.mask
    with one_thread():
        drawn = [label_map(half, t.parameters, seed) for t in near]
    maps = [Segmentation(labels, half.prepared.reference).clean for labels in drawn]
    recurs = [label_recurrence(shown, labels) for labels in maps]
    nothing[at] = np.mean([same_labels(labels[at], shown[at]) for labels in maps], axis=0)
    return NearBest(
        len(near),
        verdict,
        float(np.mean([adjusted_rand_score(m[at], shown[at]) >= _SAME for m in maps])),
        {k: float(np.mean([r[k] >= _RECURS for r in recurs])) for k in recurs[0]},
        nothing,
    )


def _near(trials: Sequence[Trial]) -> list[Trial]:
    """Trials of nearly the highest total, the highest first, no configuration twice."""
    ordered = sorted(without_autoencoders(trials), key=lambda t: (-t.rewards["total"], t.number))
    near = [t for t in ordered if t.rewards["total"] >= (1 - NEAR) * ordered[0].rewards["total"]]
    first = {tuple(t.parameters.values()): t for t in reversed(near)}
    return [t for t in near if first[tuple(t.parameters.values())] is t][:_MOST]


@dataclass(frozen=True)
class Repeat:
    """Result of the search with another seed.

    Attributes
    ----------
    seed : int
    verdict : {"domains", "no domains", "undecided"}
    total : float
        Of its best map.
    agreement : float
        Adjusted Rand index of its map and the one that is shown; where a verdict is not "domains",
        the map by rewards is taken.
    recurrence : dict of int to float
        For every label that is shown, the largest overlap with a label of its map: cells of both
        over cells of either; empty where no domains are shown.
    """

    seed: int
    verdict: str
    total: float
    agreement: float
    recurrence: Mapping[int, float]


def repeat_search(
    work: SharedWork,
    judgment: Judgment,
    tuned: Outcome,
    plan: SearchPlan,
    workers: int | EvaluatorFactory = 1,
) -> list[Repeat]:
    """Repeat a search with the following seeds, as often as the plan states.

    Parameters
    ----------
    work : SharedWork
    judgment : Judgment
        What is compared with, and its answers for the fields, which do not depend on the search.
    tuned : Outcome
        The map of the tuned configuration.
    plan : SearchPlan
        The plan of the search.
    workers : int or EvaluatorFactory
        See :func:`bfo_utils.search.search_configurations`.

    Returns
    -------
    list of Repeat
    """
    prepared, found = work.prepared, []
    for seed in range(plan.seed + 1, plan.seed + 1 + plan.check):
        other = replace(plan, seed=seed)
        trials = search_configurations(prepared, other, workers=workers, work=work)
        best = best_trial(trials)
        outcome = cross_fitted_outcome(work, best.parameters, seed, plan.total)
        again = judge_domains(prepared, outcome, judgment.answers)
        one, two = (
            judged.candidate if judged.verdict == DOMAINS else by_rewards.labels
            for judged, by_rewards in ((judgment, tuned), (again, outcome))
        )
        agreement = float(adjusted_rand_score(one[prepared.mask], two[prepared.mask]))
        recurs = {}
        if judgment.verdict == DOMAINS:
            recurs = label_recurrence(judgment.candidate, again.candidate)
        found.append(Repeat(seed, again.verdict, outcome.rewards["total"], agreement, recurs))
    return found


def label_recurrence(shown: np.ndarray, other: np.ndarray) -> dict[int, float]:
    """Largest overlap of every label of a map with one of another map: cells of both over cells of
    either.

    Parameters
    ----------
    shown, other : ndarray of int, shape (R, C)
        Labels; below 0 is outside.

    Returns
    -------
    dict of int to float

    Examples
    --------
    >>> label_recurrence(np.array([[0, 0, 1, 1]]), np.array([[5, 5, 5, 7]]))
    {0: 0.6666666666666666, 1: 0.5}
    """
    found = {}
    for name in np.unique(shown[shown >= 0]):
        own = shown == name
        overlap = [
            (own & (other == k)).sum() / (own | (other == k)).sum()
            for k in np.unique(other[own & (other >= 0)])
        ]
        found[int(name)] = float(max(overlap, default=0.0))
    return found


def is_repeated(verdict: str, repeat: Repeat) -> bool:
    """Whether another seed gives the same verdict and, where there are domains, the same map."""
    if repeat.verdict != verdict:
        return False
    found_again = min(repeat.recurrence.values(), default=1.0) >= _RECURS
    return verdict != DOMAINS or (repeat.agreement >= _SAME and found_again)


def describe_repeats(verdict: str, repeats: Sequence[Repeat]) -> str:
    """Changes with other seeds, in one sentence.

    Parameters
    ----------
    verdict : {"domains", "no domains", "undecided"}
    repeats : sequence of Repeat

    Returns
    -------
    str

    Examples
    --------
    >>> describe_repeats("domains", [Repeat(1, "no domains", 0.5, 0.98, {0: 0.99})])
    'seed 1: no domains'
    """
    said = []
    for repeat in repeats:
        text = f"seed {repeat.seed}: {repeat.verdict}"
        if verdict == repeat.verdict == DOMAINS:
            text += (
                f"; agreement of the map {repeat.agreement:.2f} (adjusted Rand index), recurrence"
                f" of its labels {min(repeat.recurrence.values()):.2f} or more"
            )
        said.append(text)
    return "; ".join(said)
