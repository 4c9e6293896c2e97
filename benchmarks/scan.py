"""Crystals under faulty scans: what is called domains, what maps and steps of the polar
displacement lose, and the time it takes.
"""

import time
from dataclasses import replace

import numpy as np
from joblib import Parallel, delayed
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score

from bfo_utils.columns import find_columns, refit_columns
from bfo_utils.compute import on_one_thread
from bfo_utils.lattice import build_lattice, undo_scan
from bfo_utils.results import DOMAINS, analyze
from bfo_utils.search import SearchPlan
from bfo_utils.simulation import Phantom, Specimen, simulate_phantom, true_label_map

from .tables import keep

SEEDS = 40
CUBIC, POLAR = 3000, 3100  # first seeds; 2000 and 2100 are those that the method was tuned on
BUDGET = 32
AMPLITUDES = (0.2, 0.4, 0.6, 0.8)  # px
SIZES = (8, 12, 16, 20, 26, 32, 44, 60)  # px per cell
DOSES = (20, 60, 100)
LAYOUTS = ("halves", "quadrants", "junction", "array71", "curved", "lens")
FAULTS = ("white jitter", "correlated jitter", "hum", "jumps", "flyback", "all")
CLEAN = dict(jitter_px=0.0, jitter_rows=0.0, hum_px=0.0, jumps=0, flyback_px=0.0)
LEAST_PM = 10  # spread of the true P along x from which on a slope is worth its name
DEEP = 3  # cells from a wall at which the polar displacement is that of its domain


def faulty(fault: str, amplitude: float, cell_px: float, rng: np.random.Generator) -> dict:
    """Settings of a scan with one kind of fault, or with all."""
    kinds = {
        "white jitter": dict(jitter_px=amplitude),
        "correlated jitter": dict(
            jitter_px=amplitude, jitter_rows=float(rng.uniform(0.1, 0.6) * cell_px)
        ),
        "hum": dict(hum_px=amplitude, hum_rows=float(rng.uniform(0.35, 1.1) * cell_px)),
        "jumps": dict(jumps=6, jump_px=amplitude),
        "flyback": dict(flyback_px=amplitude),
    }
    if fault == "all":
        return {
            **kinds["correlated jitter"],
            **kinds["hum"],
            **kinds["jumps"],
            **kinds["flyback"],
            "hum_px": amplitude / 2,
        }
    return kinds[fault]


def specimen(seed: int, cubic: bool) -> tuple[Specimen, str, float]:
    """A crystal under a faulty scan, the fault and its amplitude; all of them in turn."""
    rng = np.random.default_rng(seed)
    k, size = seed % 100, SIZES[seed % len(SIZES)]
    fault, amplitude = FAULTS[k % len(FAULTS)], AMPLITUDES[(k // 2) % len(AMPLITUDES)]
    kind = (
        dict(layout="single", polarization_pm=0.0, shear=0.0)
        if cubic
        else dict(layout=LAYOUTS[k // 2 % len(LAYOUTS)])
    )
    return (
        Specimen(
            cells=int(np.clip(900 / size, 28, 48)),
            cell_px=size,
            dose=DOSES[k % len(DOSES)],
            rotation_deg=float(rng.uniform(-2.5, 2.5)),
            **kind,
            **CLEAN | faulty(fault, amplitude, size, rng),
        ),
        fault,
        amplitude,
    )


def judged(made: Specimen, seed: int, scan_axis: str = "auto") -> tuple[bool, float, float, float]:
    """Whether domains are found, agreement of the map with the truth, slope of P along x on the
    truth, and rms of the rows.
    """
    p = simulate_phantom(made, seed)
    done = analyze(p.image, SearchPlan(BUDGET, seed, scan_axis=scan_axis))
    cells, mask = done.prepared.lattice.cells, done.prepared.mask
    truth = true_label_map(p.truth, cells, mask)
    known = truth >= 0
    agreement = adjusted_rand_score(truth[known], done.labels[known])
    return done.verdict == DOMAINS, agreement, step(p, cells, mask), done.prepared.scan.rms_px


def step(p: Phantom, cells, mask: np.ndarray) -> float:
    """Mean polar displacement along x of domains against the true one: slope over the cells
    inside domains.
    """
    distance, nearest = cKDTree(p.truth.cell_xy).query(cells.xy[mask])
    inside = (distance < cells.basis.cell_px / 3) & (p.truth.cell_wall[nearest] > DEEP)
    true, seen = (
        p.truth.cell_p_pm[nearest[inside], 0],
        cells.polar[mask][inside, 0] * p.specimen.pm_per_px,
    )
    return (
        float(np.polyfit(true, seen, 1)[0])
        if inside.any() and np.std(true) > LEAST_PM
        else float("nan")
    )


def verdicts() -> None:
    """Cubic crystals and crystals with domains under faulty scans."""
    jobs = [(*specimen(CUBIC + k, True), CUBIC + k) for k in range(SEEDS)]
    corrected = Parallel(n_jobs=2)(delayed(judged)(made, seed) for made, _, _, seed in jobs)
    plain = Parallel(n_jobs=2)(delayed(judged)(made, seed, "none") for made, _, _, seed in jobs)
    rows = [
        [
            fault,
            *(
                sum(r[0] for r, job in zip(found, jobs) if job[1] == fault)
                for found in (plain, corrected)
            ),
            sum(job[1] == fault for job in jobs),
        ]
        for fault in FAULTS
    ]
    rows.append(["sum", *(sum(r[0] for r in found) for found in (plain, corrected)), SEEDS])
    keep(
        "scan_cubic",
        "Cubic crystals under faulty scans: how often domains are found",
        ["fault", "rows left as they are", "rows put straight", "crystals"],
        rows,
        f"Seeds {CUBIC} to {CUBIC + SEEDS - 1}, 0.2 to 0.8 px, {SIZES[0]} to {SIZES[-1]} px per"
        f" cell, budget {BUDGET}.",
    )


def maps() -> None:
    """Crystals with domains, scanned cleanly and faultily."""
    jobs = [(*specimen(POLAR + k, False), POLAR + k) for k in range(SEEDS)]
    clean = Parallel(n_jobs=2)(
        delayed(judged)(replace(made, **CLEAN), seed, "none") for made, _, _, seed in jobs
    )
    found = Parallel(n_jobs=2)(delayed(judged)(made, seed) for made, _, _, seed in jobs)
    rows = []
    for fault in FAULTS:
        at = [k for k, job in enumerate(jobs) if job[1] == fault]
        loss = [clean[k][1] - found[k][1] for k in at]
        slope = [found[k][2] / clean[k][2] - 1 for k in at if np.isfinite(clean[k][2])]
        rows.append(
            [
                fault,
                f"{sum(found[k][0] for k in at)} / {len(at)}",
                float(np.mean([clean[k][1] for k in at])),
                float(np.mean([found[k][1] for k in at])),
                f"{max(loss):+.3f}",
                f"{np.mean(slope):+.1%}",
                f"{max(slope, key=abs):+.1%}",
            ]
        )
    rows.append(
        [
            "all",
            f"{sum(f[0] for f in found)} / {SEEDS}",
            float(np.mean([c[1] for c in clean])),
            float(np.mean([f[1] for f in found])),
            "",
            "",
            "",
        ]
    )
    keep(
        "scan_domains",
        "Crystals with domains: rows put straight, against the same crystals scanned cleanly",
        [
            "fault",
            "domains",
            "ARI, clean scan",
            "ARI, faulty scan",
            "largest loss",
            "bias of steps of P",
            "largest",
        ],
        rows,
        f"Seeds {POLAR} to {POLAR + SEEDS - 1}; P along the scan, {DEEP} cells or more from a wall;"
        f" budget {BUDGET}.",
    )


@on_one_thread
def times() -> None:
    """Wall time of the scan beside that of the columns."""
    rows = []
    for cells, size in ((60, 16.5), (155, 28.55)):
        image = simulate_phantom(
            Specimen(cells=cells, cell_px=size, dose=60, jitter_px=0.5, jitter_rows=4), 201
        ).image

        def find(picture, near=None):
            columns = refit_columns(picture, near) if near else find_columns(picture)
            return build_lattice(picture, columns)

        start = time.perf_counter()
        found = find(image)
        middle = time.perf_counter()
        scan = undo_scan(image, found, find)[2]
        rows.append(
            [len(found.columns), middle - start, time.perf_counter() - middle, str(scan.corrected)]
        )
    keep(
        "scan_time",
        "Time of the scan",
        ["columns", "find, fit, index (s)", "scan, with the second fit (s)", "corrected"],
        rows,
    )


def main() -> None:
    """All three tables."""
    times()
    verdicts()
    maps()
