"""How often the judge finds domains where there are none, and how small a displacement it sees,
beside a plain search for one straight step.

The straight step is the best of all cuts at 16 angles and 18 offsets, in the polar displacement of
all pixels, over polynomials of degree 5; its threshold is the largest value of the same nulls. It
knows that there is one wall and that it is straight; the judge does not.

JUDGE_NULLS is the number of single domains per dose; every second one comes from the generators of
:mod:`benchmarks.hard`, where these are present. JUDGE_SEEDS is the number of seeds per
displacement, JUDGE_CORES that of processes.
"""

import os
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed

from bfo_utils.io import Image, image_from_array
from bfo_utils.results import DOMAINS, UNDECIDED, ask_fields, judge_domains
from bfo_utils.search import Outcome, prepare_image
from bfo_utils.segmentation import residual_structure, slow_functions
from bfo_utils.simulation import Specimen, simulate_phantom

from .hard import generators
from .tables import keep

DOSES = (15, 40, 150)
DISPLACEMENTS = {15: (3, 5, 7, 10), 40: (2, 3, 4.5, 6.5), 150: (1, 1.7, 2.5, 4)}  # pm
FAULTS: tuple[dict, ...] = (
    {},
    {"mistilt_pm": 14.0},
    {"bend_deg": 3.0},
    {"missing": 0.03},
    {"jitter_px": 0.4, "jitter_rows": 8.0},
    {"hum_px": 0.3},
    {"hum_px": 0.3, "rotation_deg": 0.0},
    {"jumps": 5},
    {"flyback_px": 0.6},
    {"polarization_pm": 0.0},
)  # of single domains
OUTSIDE = (
    *("s_plain", "s_nonpolar", "s_compo", "s_thickstep", "s_bend", "s_mistilt", "s_mistilt_big"),
    *("s_jumps", "s_wobble_slow", "s_hetero", "d_rotating", "d_maggrad", "l_tetragonal", "l_mono"),
)  # cases of the generators whose truth is one domain
NULLS = int(os.environ.get("JUDGE_NULLS", 20))  # per dose
SEEDS = int(os.environ.get("JUDGE_SEEDS", 6))  # per displacement
CORES = int(os.environ.get("JUDGE_CORES", 2))
CELLS, FIRST = 40, 7100


@dataclass(frozen=True)
class Case:
    """One phantom."""

    layout: str
    dose: float
    seed: int
    changes: dict


@dataclass(frozen=True)
class Answer:
    """Whether domains are found, or it is not decided; z; the gain of the best straight step; the
    standard error of a wall's step in pm; z of what the judge's own map leaves over.
    """

    holds: bool
    doubtful: bool
    z: float
    gain: float
    error_pm: float
    left: float


def image_of(case: Case) -> Image:
    """The image of a phantom, or of a case of the generators."""
    if case.layout in OUTSIDE:
        truth = generators().build(case.layout, case.seed, case.dose)
        return image_from_array(truth["img"], pixel_size_nm=truth["pm"] / 1000)
    made = Specimen(
        **{"layout": case.layout, "cells": CELLS, "cell_px": 16.0, "dose": case.dose} | case.changes
    )
    return simulate_phantom(made, case.seed).image


def ask(case: Case) -> Answer:
    """What the judge and the straight step say of an image."""
    prepared = prepare_image(image_of(case))
    answers, no_map = ask_fields(prepared), np.where(prepared.mask, 0, -1)
    verdict = judge_domains(prepared, Outcome({}, no_map, {}, 0.0), answers).verdict
    polar = answers["polar"]
    return Answer(
        verdict == DOMAINS,
        verdict == UNDECIDED,
        polar.judged.z,
        straight_step(polar.judged.halves),
        polar.wall_error * polar.unit,
        residual_structure(polar.judged.halves, polar.shown.labels).z,
    )


def straight_step(halves) -> float:
    """Largest gain in chi2 of a straight step over a field of degree 5."""
    slow = np.linalg.qr(slow_functions(halves.domain.ij, 5))[0]
    rest, cuts = halves.mean - slow @ (slow.T @ halves.mean), halves.domain.cuts
    power = (cuts**2).sum(axis=0) - ((slow.T @ cuts) ** 2).sum(axis=0)
    return float((((cuts.T @ rest) ** 2).sum(axis=1) / np.maximum(power, 1)).max())


def single_domains(dose: float) -> list[Case]:
    """Images of one domain at a dose: our faults in turn, and the cases of the generators."""
    cases = [Case("single", dose, FIRST + s, FAULTS[s % len(FAULTS)]) for s in range(NULLS)]
    if generators() is not None:
        half = range(NULLS // 2)
        cases[1::2] = [Case(OUTSIDE[s % len(OUTSIDE)], dose, FIRST + s, {}) for s in half]
    return cases


def half_found(displacements, share) -> str:
    """Displacement at which half are found, between those that were tried."""
    share = np.maximum.accumulate(share)
    if share[0] >= 0.5:
        return f"< {displacements[0]}"
    return f"{np.interp(0.5, share, displacements):.1f}" if share[-1] >= 0.5 else "more"


def main() -> None:
    """False positives on single domains with faults, and the displacement at which half are
    found.
    """
    rows, empty = [], []
    for dose in DOSES:
        jobs = single_domains(dose) + [
            Case("halves", dose, FIRST + 500 + s, {"polarization_pm": pm})
            for pm in DISPLACEMENTS[dose]
            for s in range(SEEDS)
        ]
        found = Parallel(n_jobs=CORES)(delayed(ask)(job) for job in jobs)
        nulls, full = found[:NULLS], np.array(found[NULLS:]).reshape(-1, SEEDS)
        limit = max(a.gain for a in nulls)
        empty += nulls
        judge = [np.mean([a.holds for a in row]) for row in full]
        scan = [np.mean([a.gain > limit for a in row]) for row in full]
        half = half_found(DISPLACEMENTS[dose], judge)
        rows.append(
            [
                dose,
                f"{sum(a.holds for a in nulls)} / {NULLS}",
                f"{sum(a.doubtful for a in nulls)} / {NULLS}",
                f"{max(a.z for a in nulls):.1f}",
                f"{max(a.left for a in nulls):.1f}",
                f"{max(a.left for a in full.ravel()):.1f}",
                " ".join(f"{v:.2f}" for v in judge),
                " ".join(f"{v:.2f}" for v in scan),
                half,
                half_found(DISPLACEMENTS[dose], scan),
                f"{np.median([a.error_pm for a in full.ravel()]):.2f}",
            ]
        )
    keep(
        "judge",
        "The judge on single domains, and the smallest displacement that it sees",
        [
            "peak counts",
            "domains in single domains",
            "undecided there",
            "largest z there",
            "largest z of what is left over there",
            "and of halves",
            "share found, judge",
            "share found, straight step",
            "half found at (pm), judge",
            "half found at (pm), straight step",
            "standard error of a wall's step (pm)",
        ],
        rows,
        f"{CELLS} x {CELLS} cells of 16 px, {len(empty)} single domains with mistilt, bending,"
        " missing columns and faults of the scan in turn, half of them from independent generators"
        f" where these are present; 180-degree halves with displacements of"
        f" {DISPLACEMENTS} pm, mistilt 4 pm; seeds from {FIRST}. The threshold of the straight step"
        " is its largest gain on the same single domains.",
    )
