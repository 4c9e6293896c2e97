"""The search against random choice at equal wall time, and against scikit-optimize's own loop."""

import time
import warnings

import numpy as np
from joblib import Parallel, delayed
from matplotlib.figure import Figure
from skopt import gp_minimize
from skopt.space import Categorical, Integer, Real
from threadpoolctl import threadpool_limits

from bfo_utils.results import ari_to_truth, random_configurations, selector_case
from bfo_utils.search import (
    Parameter,
    SearchPlan,
    evaluate_configuration,
    search_configurations,
    searched_parameters,
)
from bfo_utils.simulation import Specimen

from .tables import RESULTS, keep

LAYOUTS = ("needles", "zigzag", "lens", "fan", "closure", "curved", "quadrants", "island")
SEEDS = range(10)
HARD = {
    "dose": 15.0,
    "polarization_pm": 20.0,
    "mistilt_pm": 8.0,
    "wall_cells": 1.5,
    "cell_px": 16.0,
    "cells": 64,
}
BUDGET = 96
GRID = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0])  # seconds


class Course:
    """Best total so far over wall time, and the configuration that it belongs to."""

    def __init__(self):
        self.start = time.perf_counter()
        self.steps: list[tuple[float, int, float, dict]] = []  # time, number, total, parameters

    def __call__(self, number: int, total: float, parameters: dict) -> None:
        if not self.steps or total > self.steps[-1][2]:
            self.steps.append((time.perf_counter() - self.start, number, total, dict(parameters)))

    def ari_at(self, item, seed: int, times=None, counts=None) -> list[float]:
        """ARI of the pick at given times, or after given numbers of trials (0 before the first)."""
        keys, at = (
            ([s[0] for s in self.steps], times)
            if times is not None
            else ([s[1] for s in self.steps], counts)
        )
        picks = [int(np.searchsorted(keys, t, "right")) for t in at]
        known = {
            k: ari_to_truth(
                item.truth,
                evaluate_configuration(
                    item.prepared, self.steps[k - 1][3], seed, work=item.work
                ).labels,
            )
            for k in set(picks) - {0}
        }
        return [known.get(k, 0.0) for k in picks]


def searched(item, seed: int) -> Course:
    """The course of our search."""
    course = Course()
    search_configurations(
        item.prepared,
        SearchPlan(BUDGET, seed),
        lambda t: course(t.number + 1, t.rewards["total"], t.parameters),
    )
    course.end = time.perf_counter() - course.start
    return course


def random_choice(item, seed: int, seconds: float, at_least: int = 200) -> Course:
    """The course of random choice, for as long, and for at least 200 configurations."""
    configurations = random_configurations(item.prepared.sites, 400, 10_000 + seed)
    course = Course()
    with threadpool_limits(1):
        for number, parameters in enumerate(configurations, 1):
            if number > at_least and time.perf_counter() - course.start > seconds:
                break
            outcome = evaluate_configuration(item.prepared, parameters, seed, work=item.work)
            course(number, outcome.rewards["total"], parameters)
    return course


def compare(layout: str, number: int) -> list[dict]:
    """Both courses on one phantom under all seeds."""
    item = selector_case(Specimen(layout=layout, **HARD), 700 + number)
    for site in item.prepared.sites:
        item.work.patches(site)  # shared by both: not part of either's time
    rows = []
    for seed in SEEDS:
        ours = searched(item, seed)
        theirs = random_choice(item, seed, max(GRID[-1], ours.end))
        rows.append(
            {
                "layout": layout,
                "seed": seed,
                "ours": ours.ari_at(item, seed, GRID),
                "random": theirs.ari_at(item, seed, GRID),
                "ours at 50": ours.ari_at(item, seed, counts=[50])[0],
                "random at 200": theirs.ari_at(item, seed, counts=[200])[0],
                "seconds": ours.end,
            }
        )
    return rows


def race() -> None:
    """Median and worst ARI over wall time, as table and picture."""
    results = Parallel(n_jobs=2)(delayed(compare)(layout, k) for k, layout in enumerate(LAYOUTS))
    rows = [row for result in results for row in result]
    ours, theirs = (np.array([r[k] for r in rows]) for k in ("ours", "random"))
    table = [
        [
            f"{t:.1f}",
            *(f"{f(v[:, k]):.3f}" for f in (np.mean, np.median, np.min) for v in (ours, theirs)),
        ]
        for k, t in enumerate(GRID)
    ]
    means = [np.mean([r[k] for r in rows]) for k in ("ours at 50", "random at 200")]
    keep(
        "search",
        "The search against random choice at equal wall time: ARI of the pick",
        [
            "seconds",
            "mean, search",
            "mean, random",
            "median, search",
            "median, random",
            "worst, search",
            "worst, random",
        ],
        table,
        f"{len(LAYOUTS)} phantoms ({HARD}), {len(SEEDS)} seeds each, two runs side by side on two"
        f" cores. Search after 50 trials: mean ARI {means[0]:.3f}; 200 random configurations:"
        f" {means[1]:.3f}.",
    )
    _draw(ours, theirs)


def _draw(ours: np.ndarray, theirs: np.ndarray) -> None:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for values, name in ((ours, "search"), (theirs, "random")):
        axes.plot(GRID, np.median(values, axis=0), marker="o", label=f"{name}, median")
        axes.fill_between(GRID, *np.quantile(values, [0.1, 0.9], axis=0), alpha=0.2)
    axes.set(xlabel="wall time (s)", ylabel="ARI of the pick (band: 10 to 90 %)")
    axes.legend()
    figure.savefig(RESULTS / "search.png", dpi=110)


def overhead() -> None:
    """50 trials on 3,600 cells: our loop and scikit-optimize's gp_minimize around the same
    evaluation.
    """
    item = selector_case(Specimen(layout="closure", cells=66, cell_px=16), 790)
    for site in item.prepared.sites:
        item.work.patches(site)
    start = time.perf_counter()
    trials = search_configurations(item.prepared, SearchPlan(50, 0), work=item.work)
    ours = time.perf_counter() - start
    varied = searched_parameters(item.prepared.sites)
    spent = [0.0]

    def evaluate(point):
        parameters = dict(zip([p.name for p in varied], point, strict=True))
        outcome = evaluate_configuration(item.prepared, parameters, work=item.work)
        spent[0] += outcome.seconds
        return -outcome.rewards["total"]

    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gp_minimize(evaluate, [_dimension(p) for p in varied], n_calls=50, random_state=0)
    theirs = time.perf_counter() - start
    inside = sum(t.seconds for t in trials)
    keep(
        "overhead",
        f"50 trials on {int(item.prepared.mask.sum())} cells",
        ["loop", "wall (s)", "evaluations (s)", "optimizer (s)", "ratio of wall"],
        [
            ["bfo_utils", ours, inside, ours - inside, 1.0],
            ["gp_minimize", theirs, spent[0], theirs - spent[0], theirs / ours],
        ],
        "Seeds 790 and 0, one thread.",
    )


def _dimension(p: Parameter):
    if p.choices:
        return Categorical(p.choices)
    return (Integer if isinstance(p.default, int) else Real)(p.low, p.high)


def main() -> None:
    """Both comparisons."""
    overhead()
    race()
