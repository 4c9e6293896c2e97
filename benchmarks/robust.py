"""Where contrast is weak: regret of what is chosen, and what seeds and budgets change.

The pool of configurations is that of the table of rewards, and the same with the measured fields as
further rows. Every configuration draws three maps: from all pixels, whose adjusted Rand index (ARI)
with the truth counts, and from either half, whose rewards come from the other half and choose.

ROBUST_FIRST is the seed of the first phantom.
"""

import itertools
import os
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import adjusted_rand_score

from bfo_utils.descriptors import measured_fields
from bfo_utils.results import (
    DOMAINS,
    UNDECIDED,
    analyze,
    ari_to_truth,
    ask_fields,
    judge_domains,
    random_configurations,
    selector_case,
)
from bfo_utils.search import SearchPlan, cross_fitted_outcome
from bfo_utils.search.optimizer import _MEASURED
from bfo_utils.simulation import Specimen, simulate_phantom, true_label_map

from .rewards import CONFIGURATIONS, DECIDED, WEAK
from .tables import keep

LAYOUTS, CELLS = DECIDED, 60
BUDGETS, SEEDS = (20, 50, 200), range(5)
# seed of the first phantom, as in the table of rewards
FIRST = int(os.environ.get("ROBUST_FIRST", 500))


def phantom(k: int) -> tuple[Specimen, int]:
    """The k-th phantom of the weak table, and its seed."""
    substrate = {"substrate": 0.15} if LAYOUTS[k] == "misfit" else {}
    return Specimen(**{"layout": LAYOUTS[k], "cells": CELLS} | substrate | WEAK), FIRST + k


def regrets(k: int) -> tuple[list[float], list[float]]:
    """ARI of what is taken, and the best ARI present: by the total and as a search ends, each among
    the pool of the table and among that with measured fields; and what is shown.
    """
    specimen, seed = phantom(k)
    item = selector_case(specimen, seed)
    drawn = random_configurations(item.prepared.sites, CONFIGURATIONS, seed)
    seen = measured_fields(item.prepared.lattice.cells)
    measured = [p for p in _MEASURED if p["descriptor"] in seen]
    outcomes = [cross_fitted_outcome(item.work, p) for p in (*drawn, *measured)]
    ari = [ari_to_truth(item.truth, o.labels) for o in outcomes]
    answers, picked, best = ask_fields(item.prepared), [], []
    for n in (len(drawn), len(ari)):
        totals = [o.rewards["total"] for o in outcomes[:n]]
        first = int(np.argmax(totals))
        judgment = judge_domains(item.prepared, outcomes[first], answers)
        leading = judgment.leading(totals)
        tuned = max(leading, key=lambda m: judgment.agreement(outcomes[m].labels))
        picked += [ari[first], ari[tuned]]
        best += [max(ari[:n])] * 2
    return [*picked, ari_to_truth(item.truth, judgment.candidate)], [*best, best[-1]]


def regret_table() -> None:
    """Regret on the weak phantoms."""
    found = Parallel(n_jobs=2)(delayed(regrets)(k) for k in range(len(LAYOUTS)))
    picked, best = (np.array(v) for v in zip(*found))
    names = (
        "the highest total, same pool",
        "the tuned configuration, same pool",
        "the highest total, measured fields too",
        "the tuned configuration, measured fields too",
        "what is shown",
    )
    rows = [
        [name, float(p.mean()), float(b.mean()), float((b - p).mean()), float((b - p).max())]
        for name, p, b in zip(names, picked.T, best.T)
    ]
    keep(
        "regret_weak",
        "Regret where contrast is weak, maps and rewards from different pixels",
        ["what is taken", "mean ARI", "mean best ARI present", "mean regret", "worst regret"],
        rows,
        f"{len(LAYOUTS)} phantoms of {CELLS} x {CELLS} cells ({WEAK}), {CONFIGURATIONS}"
        f" configurations and up to {len(_MEASURED)} of measured fields, seeds from {FIRST}."
        " Bars: mean 0.02, worst 0.10.",
    )


@dataclass(frozen=True)
class Answer:
    """Verdict, labels and their ARI of one analysis."""

    verdict: str
    labels: np.ndarray
    ari: float


def answers(k: int) -> dict[tuple[int, int], Answer]:
    """Answers by budget and seed on one phantom."""
    specimen, seed = phantom(k)
    made = simulate_phantom(specimen, seed)
    found = {}
    for budget, start in itertools.product(BUDGETS, SEEDS):
        done = analyze(made.image, SearchPlan(budget, start))
        prepared = done.prepared
        truth = true_label_map(made.truth, prepared.lattice.cells, prepared.mask)
        ari = ari_to_truth(truth, done.candidate)
        found[budget, start] = Answer(done.verdict, done.candidate[prepared.mask], ari)
    return found


def seeds_and_budgets() -> None:
    """Verdicts and maps over seeds and budgets."""
    found = Parallel(n_jobs=2)(delayed(answers)(k) for k in range(len(LAYOUTS)))
    one = [len({a.verdict for a in by.values()} - {UNDECIDED}) <= 1 for by in found]
    rows = []
    for budget in BUDGETS:
        several = [[by[budget, seed] for seed in SEEDS] for by in found]
        pairs = [p for group in several for p in itertools.combinations(group, 2)]
        rows.append(
            [
                budget,
                float(np.mean([a.ari for group in several for a in group])),
                float(min(a.ari for group in several for a in group)),
                float(np.mean([adjusted_rand_score(p.labels, q.labels) for p, q in pairs])),
                float(np.mean([a.verdict == DOMAINS for group in several for a in group])),
            ]
        )
    keep(
        "seeds_and_budgets",
        "What seeds and budgets change where contrast is weak",
        ["budget", "mean ARI", "worst ARI", "ARI between seeds", "share of domains"],
        rows,
        f"{len(LAYOUTS)} phantoms as in the table of regret, seeds {min(SEEDS)} to {max(SEEDS)}."
        f" One verdict, or undecided, over all seeds and budgets: {sum(one)} of {len(one)}."
        " Bars: 95 %, and a mean ARI that does not fall with the budget.",
    )


def main() -> None:
    """Both tables."""
    regret_table()
    seeds_and_budgets()
