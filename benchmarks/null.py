"""How often domains are found where there are none, and missed where there are some, over dose."""

from joblib import Parallel, delayed

from bfo_utils.results import DOMAINS, MIN_Z, analyze
from bfo_utils.search import SearchPlan
from bfo_utils.simulation import Specimen, simulate_phantom

from .tables import keep

LAYOUTS = (
    "curved",
    "closure",
    "needles",
    "array71",
    "misfit",
    "zigzag",
    "lens",
    "fan",
    "halves",
    "quadrants",
)
DOSES = (5, 10, 20, 40, 80, 160)
SEEDS = 20


def verdict(layout: str, dose: float, seed: int) -> tuple[bool, float, float]:
    """Whether domains are found, z of the pattern of one half in the other, and the share of
    shifted surrogates that reach the total.
    """
    substrate = 0.15 if layout == "misfit" else 0.0
    specimen = Specimen(layout=layout, cells=44, cell_px=16, dose=dose, substrate=substrate)
    result = analyze(simulate_phantom(specimen, seed).image, SearchPlan(32, seed))
    return (
        result.verdict == DOMAINS,
        result.judgment.answers["polar"].judged.z,
        result.surrogates.p_shifted,
    )


def main() -> None:
    """False-positive rate on single domains and miss rate on domains, per dose."""
    rows = []
    for dose in DOSES:
        jobs = [("single", dose, 1800 + s) for s in range(SEEDS)]
        jobs += [(LAYOUTS[s % len(LAYOUTS)], dose, 1850 + s) for s in range(SEEDS)]
        found = Parallel(n_jobs=2)(delayed(verdict)(*job) for job in jobs)
        empty, full = found[:SEEDS], found[SEEDS:]
        rows.append(
            [
                dose,
                f"{sum(f for f, *_ in empty)} / {SEEDS}",
                f"{max(c for _, c, _ in empty):.2f}",
                f"{sum(not f for f, *_ in full)} / {SEEDS}",
                f"{min(c for _, c, _ in full):.2f}",
                *(f"{max(p for *_, p in part):.2f}" for part in (empty, full)),
            ]
        )
    keep(
        "null",
        "Verdicts over dose: 20 single-domain phantoms and 20 with domains per dose",
        [
            "peak counts",
            "domains found in single domains",
            "largest z there",
            "domains missed",
            "smallest z there",
            "largest p of single domains",
            "largest p of domains",
        ],
        rows,
        f"44 x 44 cells of 16 px, mistilt 4 pm, budget 32; layouts {', '.join(LAYOUTS)}; seeds from"
        f" 1800 and 1850. The verdict asks for a z of {MIN_Z}.",
    )
