"""The table of scores on fresh phantoms: layouts that decisions were made on, and layouts that
decided nothing.
"""

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from bfo_utils.results import SELECTORS, judge_selectors, selector_case, selector_table
from bfo_utils.simulation import Specimen

from .tables import keep

DECIDED = ("junction", "quadrants", "unequal", "island", "stripes", "curved", "closure", "misfit")
APART = ("needles", "zigzag", "lens", "fan")
CONFIGURATIONS = 160
WEAK = {
    "dose": 12.0,
    "polarization_pm": 14.0,
    "mistilt_pm": 14.0,
    "wall_cells": 2.5,
    "cell_px": 16.0,
}


def table(layout: str, seed: int, change: dict) -> pd.DataFrame:
    """All scores of random configurations on one phantom."""
    substrate = {"substrate": 0.15} if layout == "misfit" else {}
    item = selector_case(
        Specimen(**({"layout": layout, "cells": 60, "cell_px": 20} | substrate | change)), seed
    )
    return selector_table(item, CONFIGURATIONS, seed)


def measure(layouts, first_seed: int, change: dict | None = None) -> list[pd.DataFrame]:
    """Tables of several phantoms, two at a time."""
    jobs = (
        delayed(table)(layout, first_seed + k, change or {}) for k, layout in enumerate(layouts)
    )
    return Parallel(n_jobs=2)(jobs)


def summarize(name: str, title: str, tables: list[pd.DataFrame], notes: str) -> None:
    """Mean and worst regret, mean Spearman of every selector."""
    judged = [judge_selectors(t) for t in tables]
    rows = []
    for selector in SELECTORS:
        regret, rho = np.array([j[selector] for j in judged]).T
        rows.append(
            [selector, f"{regret.mean():.3f}", f"{regret.max():.3f}", f"{np.nanmean(rho):.2f}"]
        )
    best = [t["ari"].max() for t in tables]
    keep(
        name,
        title,
        ["selector", "mean regret", "worst regret", "mean Spearman"],
        rows,
        f"{notes} Best ARI present: {min(best):.3f} to {max(best):.3f}.",
    )


def main() -> None:
    """Three tables: decided, apart, weak."""
    base = "60 x 60 cells of 20 px, peak count 30"
    for name, title, layouts, seed, change in (
        ("rewards_decided", "layouts that decisions were made on", DECIDED, 300, None),
        ("rewards_apart", "layouts that decided nothing", APART * 2, 400, None),
        (
            "rewards_weak",
            "weak polarization, strong mistilt, low dose, wide walls",
            DECIDED,
            500,
            WEAK,
        ),
    ):
        tables = measure(layouts, seed, change)
        summarize(
            name,
            f"Choosing among {CONFIGURATIONS} configurations: {title}",
            tables,
            f"{len(tables)} phantoms ({base if change is None else WEAK}), seeds from {seed}.",
        )
