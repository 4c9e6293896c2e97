"""How well posterior, recurrence and stability know which cells bear a wrong label.

Half of the maps (even seeds) fit the curve of the posterior, the others test it. Poor maps, whose
labels are partly missing, are among both.
"""

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression

from bfo_utils.results import DOMAINS, analyze, measure_confidence
from bfo_utils.search import SearchPlan
from bfo_utils.segmentation import label_margins, match_labels
from bfo_utils.simulation import Specimen, simulate_phantom, true_label_map

from .rewards import APART, DECIDED
from .tables import keep

LAYOUTS = DECIDED + APART
WEAK = (
    {"dose": 12.0, "polarization_pm": 14.0, "mistilt_pm": 14.0, "wall_cells": 2.5},
    {"dose": 15.0, "polarization_pm": 20.0, "mistilt_pm": 8.0, "wall_cells": 1.5},
    {"dose": 30.0, "polarization_pm": 10.0, "mistilt_pm": 6.0, "wall_cells": 1.5},
)
CLEAR = ({"dose": 15.0}, {"dose": 30.0}, {"dose": 60.0})
MAPS, BUDGET, FIRST = 100, 40, 9000  # of either kind
BINS = 10


@dataclass(frozen=True)
class Known:
    """Cells of a map: which are right, what is said of them, and the margins of the posterior."""

    seed: int
    right: np.ndarray
    said: dict[str, np.ndarray]
    margins: np.ndarray


def map_of(specimen: Specimen, seed: int) -> Known | None:
    """Cells of one phantom; None where no domains are seen in single cells."""
    made = simulate_phantom(specimen, FIRST + seed)
    done = analyze(made.image, SearchPlan(BUDGET, seed))
    answer = done.judgment.answers.get(done.judgment.kind)
    if done.verdict != DOMAINS or answer is None or answer.block > 1:
        return None
    prepared, halves = done.prepared, answer.judged.halves
    truth = true_label_map(made.truth, prepared.lattice.cells, prepared.mask)
    known = halves.domain.mask & (truth >= 0) & (done.labels >= 0)
    shown = done.labels[known]
    mixture = measure_confidence(prepared, done.tuned, seed, 1, done.work, done.labels)
    said = {
        "posterior of the mixture": mixture.posterior,
        "stability": done.confidence.stability,
        "recurrence": done.near_best.of_cells,
        "posterior": done.confidence.posterior,
    }
    labels = np.unique(done.labels[halves.domain.mask], return_inverse=True)[1]
    margins = halves.domain.on_grid(label_margins(halves, labels))
    right = match_labels(shown, truth[known])[shown] == truth[known]
    return Known(seed, right, {k: v[known] for k, v in said.items()}, margins[known])


def calibration_error(said: np.ndarray, right: np.ndarray) -> float:
    """Mean distance of what is said and what is right, over bins of what is said."""
    at = np.minimum((said * BINS).astype(int), BINS - 1)
    n, sums = np.bincount(at, minlength=BINS), np.bincount(at, said - right, BINS)
    return float(np.abs(sums).sum() / n.sum())


def log_loss(said: np.ndarray, right: np.ndarray) -> float:
    """Mean of -ln of the probability of what is true."""
    said = np.clip(said, 1e-3, 1 - 1e-3)
    return float(-np.log(np.where(right, said, 1 - said)).mean())


def main() -> None:
    """Calibration error and log loss of what is said, on weak, clear and all maps that tested."""
    jobs = [
        (
            Specimen(layout=LAYOUTS[k % 12], cells=32, cell_px=16, **kind[(k // 12 + k) % 3]),
            first + k,
        )
        for kind, first in ((WEAK, 0), (CLEAR, 1000))
        for k in range(MAPS)
    ]
    found = [m for m in Parallel(n_jobs=2)(delayed(map_of)(*job) for job in jobs) if m]
    learn, test = ([m for m in found if m.seed % 2 == k] for k in (0, 1))
    fit = LogisticRegression(C=1e3, max_iter=500).fit(
        np.concatenate([m.margins for m in learn]), np.concatenate([m.right for m in learn])
    )
    rows = []
    for kind, maps in (
        ("weak", [m for m in test if m.seed < 1000]),
        ("clear", [m for m in test if m.seed >= 1000]),
        ("all", test),
    ):
        right = np.concatenate([m.right for m in maps])
        for name in maps[0].said:
            said = np.nan_to_num(np.concatenate([m.said[name] for m in maps]))
            scores = calibration_error(said, right), log_loss(said, right)
            rows.append([kind, len(maps), f"{right.mean():.3f}", name, *scores])
    keep(
        "confidence",
        "Does the confidence of a cell mean it?",
        ["maps", "number", "right", "what is said", "calibration error", "log loss"],
        rows,
        f"32 x 32 cells of 16 px, budget {BUDGET}, seeds from {FIRST}; {2 * MAPS} phantoms of"
        f" {len(LAYOUTS)} layouts, those without the verdict of domains left out. The curve that"
        f" even seeds ask for: offset {fit.intercept_[0]:.2f}, slopes"
        f" {fit.coef_[0][0]:.2f} and {fit.coef_[0][1]:.2f}.",
    )
