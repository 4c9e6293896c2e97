"""Surrogate, genetic search and random choice in equal time on one thread: total, truth, front.

Processor time, which is wall time on a quiet machine, so that a busy one does not disturb it.
"""

import sys
import time

import numpy as np
import pandas as pd

from bfo_utils.results import ari_to_truth, random_configurations, selector_case
from bfo_utils.search import (
    OBJECTIVES,
    SearchPlan,
    SharedWork,
    evaluate_configuration,
    hypervolume,
    pareto_front,
    search_configurations,
)
from bfo_utils.simulation import Specimen

from .search import HARD
from .tables import keep

LAYOUTS = ("needles", "lens", "closure", "quadrants")
SEEDS = (0,)
SECONDS = 8.0
BUDGET = 400  # more than fit into the time


class _TimeIsUp(Exception):
    """The search has had its wall time."""


def searched(item, goal: str, seed: int, seconds: float) -> pd.DataFrame:
    """Trials of a search until its time is up."""
    work, rows = SharedWork(item.prepared), []
    _warm(work)
    start = time.process_time()

    def report(trial) -> None:
        rows.append(trial.row)
        if time.process_time() - start > seconds:
            raise _TimeIsUp

    try:
        plan = SearchPlan(BUDGET, seed, goal=goal, fixed={"descriptor": "windows"})
        search_configurations(item.prepared, plan, report, work=work)
    except _TimeIsUp:
        pass
    return pd.DataFrame(rows)


def random_choice(item, seed: int, seconds: float) -> pd.DataFrame:
    """Random configurations until the time is up, judged as those of a search."""
    work = SharedWork(item.prepared)
    _warm(work)
    half, rows, start = work.cross_fitted[0], [], time.process_time()
    for parameters in random_configurations(item.prepared.sites, BUDGET, 10_000 + seed):
        outcome = evaluate_configuration(half.prepared, parameters, seed, work=half)
        rows.append({**outcome.parameters, **outcome.rewards})
        if time.process_time() - start > seconds:
            break
    return pd.DataFrame(rows)


def _warm(work: SharedWork) -> None:
    """Windows of all sites: shared by all three, no part of anybody's time."""
    for site in work.prepared.sites:
        work.cross_fitted[0].patches(site)


def scored(item, table: pd.DataFrame, seed: int) -> list[float]:
    """Trials, highest total, ARI of the pick, hypervolume of the front, best ARI on the front."""
    front = pareto_front(table)
    aris = []
    names = [n for n in table if n in random_configurations(("A",), 1, 0)[0]]
    for rows in (table.nlargest(1, "total"), front.nlargest(12, "total")):
        maps = [
            evaluate_configuration(item.prepared, row, seed, work=item.work).labels
            for row in rows[names].to_dict("records")
        ]
        aris.append(max(ari_to_truth(item.truth, labels) for labels in maps))
    volume = hypervolume(table[list(OBJECTIVES)].to_numpy())
    return [len(table), table["total"].max(), aris[0], volume, aris[1]]


def main(seconds: float = SECONDS) -> None:
    """Means over phantoms and seeds, with the worst ARI of the pick."""
    ways = {
        "surrogate, total": lambda item, seed: searched(item, "total", seed, seconds),
        "surrogate, front (ParEGO)": lambda item, seed: searched(item, "pareto", seed, seconds),
        "NSGA-II": lambda item, seed: searched(item, "nsga2", seed, seconds),
        "random": lambda item, seed: random_choice(item, seed, seconds),
    }
    results = {name: [] for name in ways}
    for k, layout in enumerate(LAYOUTS):
        item = selector_case(Specimen(layout=layout, **HARD), 760 + k)
        for seed in SEEDS:
            for name, way in ways.items():
                results[name].append(scored(item, way(item, seed), seed))
                print(layout, seed, name, *np.round(results[name][-1], 3), file=sys.stderr)
    rows = []
    for name, values in results.items():
        mean, worst = np.mean(values, axis=0), np.min(values, axis=0)
        numbers = (*mean[1:3], worst[2], *mean[3:])
        rows.append([name, f"{mean[0]:.0f}", *(f"{v:.3f}" for v in numbers)])
    heads = ["highest total", "ARI of the pick", "worst", "hypervolume", "best ARI on front"]
    keep(
        "front",
        f"Search for {seconds:g} s on one thread",
        ["who", "trials", *heads],
        rows,
        f"{len(LAYOUTS)} phantoms ({HARD}), seeds from 760, {len(SEEDS)} seed of the search each.",
    )
