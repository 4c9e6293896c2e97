"""Harder crystals than the package's own phantoms: columns, polar displacement, errors, verdicts.

The generators are a file of their own, ``hard.py`` with ``cases()`` and ``build(case, seed,
dose)``, looked for in ``../shared/cases`` or where HARD_CASES says; HARD_SEEDS is the number of
seeds. ``python -m benchmarks field`` measures the field alone, without a search.
"""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
from joblib import Parallel, delayed
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score

from bfo_utils.errors import InputError
from bfo_utils.io import Image, image_from_array
from bfo_utils.results import Analysis, analyze
from bfo_utils.search import PreparedImage, SearchPlan, prepare_image

from .tables import keep

CASES = Path(
    os.environ.get(
        "HARD_CASES", Path(__file__).resolve().parents[2] / "shared" / "cases" / "hard.py"
    )
)
SEEDS = int(os.environ.get("HARD_SEEDS", 3))
DOSES = (20, 100)
BUDGET = 32
B_BRIGHT = ("d_Bbright",)  # cases whose brighter sublattice is B, which only a user can say
NEAR = 0.25  # of a cell: a column that lies closer to a true one is that one
RIM = 4  # px at the frame in which the truth may name no column
LEAST_PM = 5  # spread of the true polar displacement from which on a slope is worth its name
QUANTITIES = ("precision", "recall", "slope", "bias", "rms", "predicted", "share", "ari")
HEADS = (
    "precision",
    "recall",
    "slope of P",
    "bias (pm)",
    "rms (pm)",
    "error, predicted over found",
    "scan share",
)


@dataclass(frozen=True)
class Measured:
    """What came out of one image; quantities that are not measured are left out."""

    verdict: str
    findings: tuple[str, ...] = ()
    numbers: dict[str, float] = field(default_factory=dict)


def generators() -> ModuleType | None:
    """The module of the generators; None where it is absent."""
    if not CASES.is_file():
        print(f"hard: skipped, {CASES} is absent; HARD_CASES names the file of the generators")
        return None
    spec = importlib.util.spec_from_file_location("hard_cases", CASES)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured(case: str, seed: int, dose: float) -> Measured:
    """One crystal, analyzed and compared with its truth."""
    truth = generators().build(case, seed, dose)
    try:
        done = analyze(as_image(truth), SearchPlan(BUDGET, seed))
    except InputError:
        return Measured("refused")
    numbers = field_found(done.prepared, truth) | {"ari": agreement(done, truth)}
    kinds = tuple(sorted({f["kind"] for f in done.judgment.findings}))
    return Measured(done.verdict, kinds, numbers)


def measured_field(case: str, seed: int, dose: float) -> Measured:
    """One crystal, measured and compared with its truth."""
    truth = generators().build(case, seed, dose)
    try:
        prepared = prepare_image(as_image(truth), bright="B" if case in B_BRIGHT else "A")
    except InputError:
        return Measured("refused")
    return Measured("measured", numbers=field_found(prepared, truth))


def as_image(truth: dict) -> Image:
    return image_from_array(truth["img"], pixel_size_nm=truth["pm"] / 1000)


def field_found(prepared: PreparedImage, truth: dict) -> dict[str, float]:
    """Columns, polar displacement and scan against the truth."""
    numbers = columns_found(prepared, truth) | displacements(prepared, truth)
    return numbers | {"share": prepared.scan.explained, "moved": float(prepared.scan.corrected)}


def columns_found(prepared: PreparedImage, truth: dict) -> dict[str, float]:
    """Share of the columns that are true, and of the true ones that are found; the truth ends
    before the frame does.
    """
    found, true = prepared.lattice.columns.xy, np.concatenate([truth["A"], truth["B"]])
    edge = np.array(truth["img"].shape[::-1]) - 1 - RIM
    found = found[np.all((found > RIM) & (found < edge), axis=1)]
    near = NEAR * truth["cell"]
    return {
        "precision": float((cKDTree(true).query(found)[0] < near).mean()),
        "recall": float((cKDTree(found).query(true)[0] < near).mean()),
    }


def displacements(prepared: PreparedImage, truth: dict) -> dict[str, float]:
    """Polar displacement of the analyzed cells against that of a perfect measurement, in pm."""
    cells, mask, pm = prepared.lattice.cells, prepared.mask, truth["pm"]
    if not cells.has_b or not len(truth["B"]):
        return {}
    distance, nearest = cKDTree(truth["B"]).query(cells.b_site[mask])
    near = distance < NEAR * truth["cell"]
    if not near.any():
        return {}
    true, seen = truth["Papp"][nearest[near]], cells.polar[mask][near] * pm
    off, predicted = seen - true, prepared.cell_errors.polar[mask][near] * pm
    spread = 1.4826 * np.median(np.abs(off - np.median(off, axis=0)), axis=0)
    sizes = true.std(axis=0)
    k = int(np.argmax(sizes))
    return {
        "slope": float(np.polyfit(true[:, k], seen[:, k], 1)[0]) if sizes[k] > LEAST_PM else np.nan,
        "bias": float(np.hypot(*off.mean(axis=0))),
        "rms": float(np.sqrt((off**2).mean())),
        "predicted": float(np.nanmedian(predicted) / spread.mean()),
    }


def agreement(done: Analysis, truth: dict) -> float:
    """Adjusted Rand index of the map that is shown; NaN where the truth has one label."""
    cells, mask = done.prepared.lattice.cells, done.prepared.mask
    if not len(truth["B"]):
        return np.nan
    distance, nearest = cKDTree(truth["B"]).query(cells.xy[mask])
    labels = truth["lab"][nearest]
    known = (distance < truth["cell"] / 2) & (labels >= 0)
    if len(np.unique(labels[known])) < 2:
        return np.nan
    return float(adjusted_rand_score(labels[known], done.labels[mask][known]))


def means(found: list[Measured], names: tuple[str, ...]) -> list[float | str]:
    """Means over the seeds of a case at a dose."""
    return [_mean([m.numbers.get(name, np.nan) for m in found]) for name in names]


def words(found: list[Measured]) -> list[str]:
    """Verdicts and findings over the seeds of a case at a dose."""
    verdicts = [m.verdict for m in found]
    kinds = sorted({k for m in found for k in m.findings})
    said = sorted(set(verdicts), key=lambda v: -verdicts.count(v))
    return [", ".join(f"{v} {verdicts.count(v)}" for v in said), ", ".join(kinds) or "-"]


def _mean(values: list[float]) -> float | str:
    known = [v for v in values if np.isfinite(v)]
    return round(float(np.mean(known)), 3) if known else "-"


def by_case(measure: Callable, processes: int) -> dict[tuple[str, float], list[Measured]]:
    """What was measured of every case at both doses."""
    names = [case for names in generators().cases().values() for case in names]
    at = [(case, dose) for case in names for dose in DOSES]
    jobs = [(case, seed, dose) for case, dose in at for seed in range(1, SEEDS + 1)]
    found = Parallel(n_jobs=processes)(delayed(measure)(*job) for job in jobs)
    return {key: found[k * SEEDS : (k + 1) * SEEDS] for k, key in enumerate(at)}


def field() -> None:
    """The field of all cases, without a search: nothing is judged."""
    if generators() is None:
        return
    found = by_case(measured_field, 1)
    names = (*QUANTITIES[:-1], "moved")
    rows = [[*at, *means(some, names), words(some)[0]] for at, some in found.items()]
    predicted = np.array([m.numbers.get("predicted", np.nan) for f in found.values() for m in f])
    known = np.isfinite(predicted)
    within = np.mean(np.abs(predicted[known] - 1) <= 0.1)
    keep(
        "field",
        "Harder crystals: columns, polar displacement against a perfect measurement, scan",
        ["case", "dose", *HEADS, "rows moved back", "images"],
        rows,
        f"{SEEDS} seeds. Error, predicted over found: median {np.median(predicted[known]):.3f},"
        f" within 0.9 to 1.1 in {within:.0%} of {known.sum()} images.",
    )


def main() -> None:
    """All cases at both doses, analyzed and judged."""
    module = generators()
    if module is None:
        return
    rows = []
    for (case, dose), some in by_case(measured, 2).items():
        verdicts, findings = words(some)
        expected = module.build(case, 1, dose)["expect"]
        rows.append([case, dose, *means(some, QUANTITIES), verdicts, expected, findings])
    keep(
        "hard",
        "Harder crystals: columns, polar displacement against a perfect measurement, verdicts",
        ["case", "dose", *HEADS, "ARI", "verdict, images", "expected", "findings"],
        rows,
        f"{SEEDS} seeds, budget {BUDGET}; `-`: not measured.",
    )
