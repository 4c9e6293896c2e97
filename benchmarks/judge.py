"""How often the judge finds domains where there are none, and how small a displacement it sees,
beside a plain search for one straight step.

The straight step is the best of all cuts at 16 angles and 18 offsets, in the polar displacement of
all pixels, over polynomials of degree 5; its threshold is the largest value of the same nulls. It
knows that there is one wall and that it is straight; the judge does not. The ideal observer also
knows where the wall is, and tests this one cut with a threshold found in the same way (a cut
through the middle of the nulls).

It writes ``benchmarks/results/power.png``, of which ``book/images/power.png`` is a copy.

JUDGE_NULLS is the number of single domains per dose; every second one comes from the generators of
:mod:`benchmarks.hard`, where these are present. JUDGE_SEEDS is the number of seeds per
displacement, JUDGE_CORES that of processes.
"""

import os
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed

from bfo_utils.figures import plot_power, save_figure
from bfo_utils.io import Image, image_from_array
from bfo_utils.results import DOMAINS, UNDECIDED, ask_fields, judge_domains
from bfo_utils.search import Outcome, prepare_image
from bfo_utils.segmentation import TwoHalves, residual_structure, slow_functions
from bfo_utils.simulation import Specimen, Truth, simulate_phantom, true_label_map

from .hard import generators
from .tables import RESULTS, keep

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
    """Whether domains are found, or it is not decided; z; the gains of the best straight step and
    of the ideal observer; the standard error of a wall's step in pm; z of what the judge's own map
    leaves over.
    """

    holds: bool
    doubtful: bool
    z: float
    gain: float
    ideal: float
    error_pm: float
    left: float


def image_of(case: Case) -> tuple[Image, Truth | None]:
    """The image of a phantom with its truth, or of a case of the generators."""
    if case.layout in OUTSIDE:
        truth = generators().build(case.layout, case.seed, case.dose)
        return image_from_array(truth["img"], pixel_size_nm=truth["pm"] / 1000), None
    made = Specimen(
        **{"layout": case.layout, "cells": CELLS, "cell_px": 16.0, "dose": case.dose} | case.changes
    )
    phantom = simulate_phantom(made, case.seed)
    return phantom.image, phantom.truth if case.layout == "halves" else None


def ask(case: Case) -> Answer:
    """What the judge, the straight step and the ideal observer say of an image."""
    image, truth = image_of(case)
    prepared = prepare_image(image)
    answers, no_map = ask_fields(prepared), np.where(prepared.mask, 0, -1)
    verdict = judge_domains(prepared, Outcome({}, no_map, {}, 0.0), answers).verdict
    polar = answers["polar"]
    halves = polar.judged.halves
    middle = np.median(halves.domain.ij[:, 1])
    cut = np.where(halves.domain.ij[:, 1] > middle, 1.0, -1.0)
    if truth:
        variants = true_label_map(truth, prepared.lattice.cells, prepared.mask)
        known = variants[halves.domain.mask]
        cut = np.where(known == known.max(), 1.0, -1.0) * (known >= 0)
    return Answer(
        verdict == DOMAINS,
        verdict == UNDECIDED,
        polar.judged.z,
        best_gain(halves, halves.domain.cuts),
        best_gain(halves, cut[:, None]),
        polar.wall_error * polar.unit,
        residual_structure(halves, polar.shown.labels).z,
    )


def best_gain(halves: TwoHalves, cuts: np.ndarray) -> float:
    """Largest gain in chi2 of a step at one of some cuts (n, cuts) over a field of degree 5."""
    slow = np.linalg.qr(slow_functions(halves.domain.ij, 5))[0]
    rest = halves.mean - slow @ (slow.T @ halves.mean)
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
    rows, empty, shares = [], [], {}
    for dose in DOSES:
        jobs = single_domains(dose) + [
            Case("halves", dose, FIRST + 500 + s, {"polarization_pm": pm})
            for pm in DISPLACEMENTS[dose]
            for s in range(SEEDS)
        ]
        found = Parallel(n_jobs=CORES)(delayed(ask)(job) for job in jobs)
        nulls, full = found[:NULLS], np.array(found[NULLS:]).reshape(-1, SEEDS)
        gain, ideal = max(a.gain for a in nulls), max(a.ideal for a in nulls)
        empty += nulls
        shares[dose] = {
            "ideal observer": [float(np.mean([a.ideal > ideal for a in row])) for row in full],
            "the judge": [float(np.mean([a.holds for a in row])) for row in full],
            "straight step": [float(np.mean([a.gain > gain for a in row])) for row in full],
        }
        rows.append(
            [
                dose,
                f"{sum(a.holds for a in nulls)} / {NULLS}",
                f"{sum(a.doubtful for a in nulls)} / {NULLS}",
                f"{max(a.z for a in nulls):.1f}",
                f"{max(a.left for a in nulls):.1f}",
                f"{max(a.left for a in full.ravel()):.1f}",
                *(" ".join(f"{v:.2f}" for v in share) for share in shares[dose].values()),
                *(half_found(DISPLACEMENTS[dose], share) for share in shares[dose].values()),
                f"{np.median([a.error_pm for a in full.ravel()]):.2f}",
            ]
        )
    RESULTS.mkdir(exist_ok=True)
    save_figure(plot_power(DISPLACEMENTS, shares), RESULTS / "power.png")
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
            *(f"share found, {name}" for name in shares[DOSES[0]]),
            *(f"half found at (pm), {name}" for name in shares[DOSES[0]]),
            "standard error of a wall's step (pm)",
        ],
        rows,
        f"{CELLS} x {CELLS} cells of 16 px, {len(empty)} single domains with mistilt, bending,"
        " missing columns and faults of the scan in turn, half of them from independent generators"
        f" where these are present; 180-degree halves with displacements of"
        f" {DISPLACEMENTS} pm, mistilt 4 pm; seeds from {FIRST}. The thresholds of the straight"
        " step and of the ideal observer are their largest gains on the same single domains.",
    )
