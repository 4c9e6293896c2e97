"""What more than one image, and knowledge of the crystal, bring: stacks, scan pairs, mistilt."""

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from bfo_utils.io import average_frames, average_pair, image_from_array
from bfo_utils.search import PreparedImage, prepare_image
from bfo_utils.simulation import (
    Phantom,
    Specimen,
    simulate_frames,
    simulate_pair,
    simulate_phantom,
)

from .tables import keep

SEEDS = (501, 502, 503, 504)
FIELDS = ((24, 14), (24, 20), (34, 14))  # cells along each side, px per cell
FILM = Specimen(dose=6, jitter_px=0.3, drift_px=0.3)


def polar_error_pm(prepared: PreparedImage, made: Phantom) -> float:
    """Error (rms, one component) of the polar displacement about its mean, off the walls."""
    distance, near = cKDTree(made.truth.cell_xy).query(prepared.lattice.cells.xy[prepared.mask])
    inside = (distance < 5) & (made.truth.cell_wall[near] > 2)
    polar = prepared.lattice.cells.polar[prepared.mask] * made.specimen.pm_per_px
    error = (polar - made.truth.cell_p_pm[near])[inside]
    return float((error - error.mean(axis=0)).std())


def stacks() -> None:
    """Error of the polar displacement of the mean of 16 frames over that of an ideal mean."""
    rows = []
    for cells, cell_px in FIELDS:
        film, ratios = replace(FILM, cells=cells, cell_px=cell_px), []
        for seed in SEEDS:
            still = replace(film, dose=16 * film.dose, jitter_px=0, drift_px=0)
            ideal = simulate_phantom(still, seed)
            mean = average_frames(simulate_frames(film, 16, drift_px=2, seed=seed).frames).mean
            own, best = (
                polar_error_pm(prepare_image(image, scan_axis="none"), ideal)
                for image in (image_from_array(mean), ideal.image)
            )
            ratios.append(own / best)
        rows.append([f"{cells} x {cells}, {cell_px} px", np.mean(ratios), max(ratios)])
    keep(
        "stacks",
        "Stack of 16 noisy frames with drift (2 px a frame) and row jitter (0.3 px)",
        ["cells", "error of P over that of an ideal mean", "worst seed"],
        rows,
        f"Seeds {SEEDS}, dose {FILM.dose} a frame; error rms off the walls. Bar: 1.15.",
    )


def strain_error(prepared: PreparedImage, still: PreparedImage) -> float:
    """Error (rms) of exx, eyy and exy together against the undrifted crystal."""
    distance, near = cKDTree(still.lattice.cells.xy[still.mask]).query(
        prepared.lattice.cells.xy[prepared.mask]
    )
    same = distance < still.lattice.cells.basis.cell_px / 2
    errors = [
        (own[prepared.mask] - true[still.mask][near])[same].std()
        for own, true in (
            (getattr(prepared.strain, name), getattr(still.strain, name))
            for name in ("exx", "eyy", "exy")
        )
    ]
    return float(np.hypot.reduce(errors))


def pairs() -> None:
    """Error of strain of one scan that drifts, and of a pair at 90 degrees."""
    rows = []
    for drift_px in (2.0, 5.0, 10.0):
        film = Specimen(cells=30, cell_px=16, dose=60, drift_px=drift_px, jitter_px=0.1)
        errors = []
        for seed in SEEDS:
            still = simulate_phantom(replace(film, drift_px=0, jitter_px=0, dose=2000), seed)
            truth = prepare_image(still.image, scan_axis="none")
            scans = simulate_pair(film, seed)
            errors.append(
                [
                    strain_error(prepare_image(image_from_array(data)), truth)
                    for data in (scans[0], average_pair(*scans).mean)
                ]
            )
        rows.append([drift_px, *np.mean(errors, axis=0), np.max(errors, axis=0)[1]])
    keep(
        "pairs",
        "Scan pairs at 90 degrees",
        ["drift (px)", "error of strain, one scan", "the pair", "worst seed"],
        rows,
        f"Seeds {SEEDS}; rms of exx, eyy and exy together.",
    )


def mistilt() -> None:
    """Error of the polar displacement with and without --tilt smooth."""
    rows = []
    for layout in ("junction", "stripes", "closure", "single"):
        for tilt_pm in (0, 14):
            film = Specimen(layout=layout, cells=32, cell_px=14, dose=40, mistilt_pm=tilt_pm)
            errors = []
            for seed in SEEDS:
                made = simulate_phantom(film, seed)
                errors.append(
                    [
                        polar_error_pm(prepare_image(made.image, tilt=how), made)
                        for how in ("none", "smooth")
                    ]
                )
            rows.append([layout, tilt_pm, *np.mean(errors, axis=0)])
    keep(
        "mistilt",
        "Mistilt, subtracted with --tilt smooth",
        ["layout", "mistilt (pm)", "error of P (pm)", "with smooth"],
        rows,
        f"Seeds {SEEDS}; rms of one component about its mean.",
    )


def main() -> None:
    """Measure all."""
    stacks()
    pairs()
    mistilt()


if __name__ == "__main__":
    main()
