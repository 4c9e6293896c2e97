"""Whether the measured field can be trusted: weak columns, errors of every number, ordered
displacements, pieces, and their cost.
"""

import time

import numpy as np
from scipy.spatial import cKDTree

from bfo_utils.columns import column_errors, find_columns
from bfo_utils.io import image_from_array
from bfo_utils.lattice import (
    Lattice,
    build_lattice,
    cell_errors,
    half_fits,
    measure_strain,
    reference_cell,
    superstructures,
)
from bfo_utils.simulation import Phantom, Specimen, simulate_phantom

from .columns import bound
from .tables import keep

SEEDS = (401, 402, 403)
CELLS = ((8, 40), (12, 36), (16, 32), (30, 24), (60, 16))  # px per cell, cells along each side
SHARES = (0.12, 0.2, 0.3, 0.0)  # amplitude of B over that of A
WIDTHS = (0.13, 0.18)  # of a cell: sigma of the columns
_BACKGROUND, _RISE = (
    0.3,
    10,
)  # amplitudes of A; amplitude of B over the saddle, in units of a pixel's noise


def drawn(side: int, xy: np.ndarray, sigma: float) -> np.ndarray:
    """Sum of round Gaussians of height 1."""
    axis = np.arange(side)
    gx, gy = (np.exp(-((axis[:, None] - xy[:, k]) ** 2) / (2 * sigma**2)) for k in (0, 1))
    return gy @ gx.T


def weak_crystal(cell: int, side: int, share: float, sigma: float, seed: int):
    """A crystal turned by up to 4 degrees whose B columns are weak and displaced smoothly:
    image, cell centers, displacements.
    """
    rng = np.random.default_rng(seed)
    turn, phase = np.deg2rad(rng.uniform(-4, 4)), rng.uniform(0, 2 * np.pi)
    matrix, middle = (
        np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]),
        side * cell / 2,
    )
    a = np.stack(np.meshgrid(*2 * [np.arange(-2.0, side + 2) + 0.5]), -1).reshape(-1, 2) * cell
    center = (a + cell / 2 - middle) @ matrix + middle
    polar = (
        0.06
        * cell
        * np.stack(
            [
                np.sin(2 * np.pi * center[:, 0] / (side * cell) + phase),
                np.cos(2 * np.pi * center[:, 1] / (side * cell) + phase),
            ],
            axis=1,
        )
    )
    image = drawn(side * cell, (a - middle) @ matrix + middle, sigma * cell) + share * drawn(
        side * cell, center + polar, sigma * cell
    )
    t = np.linspace(0, 2**-0.5, 200)
    profile = np.exp(-((t - 2**-0.5) ** 2) / (2 * sigma**2)) + (share or 0.12) * np.exp(
        -(t**2) / (2 * sigma**2)
    )
    counts = (_BACKGROUND + profile[0]) * (_RISE / (profile[0] - profile.min())) ** 2
    return image_from_array(rng.poisson(counts * (image + _BACKGROUND))), center, polar


def weak_columns() -> None:
    """Share of the cells in which weak B columns are found, and the slope of P."""
    rows = []
    for share in SHARES:
        found, slopes, seen = [], [], 0
        for cell, side in CELLS:
            for sigma in WIDTHS:
                for seed in SEEDS:
                    image, center, polar = weak_crystal(cell, side, share, sigma, seed)
                    cells = build_lattice(image, find_columns(image)).cells
                    seen += cells.has_b
                    if cells.has_b:
                        inner = np.all(
                            (center > 1.5 * cell) & (center < (side - 1.5) * cell), axis=1
                        )
                        distance, nearest = cKDTree(cells.xy[cells.valid]).query(center[inner])
                        hit = distance < 0.3 * cell
                        found.append(hit.mean())
                        slopes += [
                            np.polyfit(
                                polar[inner][hit, k], cells.polar[cells.valid][nearest[hit], k], 1
                            )[0]
                            for k in (0, 1)
                        ]
        n = len(CELLS) * len(WIDTHS) * len(SEEDS)
        rows.append(
            [
                share,
                f"{seen} of {n}",
                min(found, default=np.nan),
                min(slopes, default=np.nan),
                max(slopes, default=np.nan),
            ]
        )
    keep(
        "weak_columns",
        "Weak B columns, 8 to 60 px per cell, amplitude over the saddle 10 x the noise of a pixel",
        ["B / A", "seen", "least share of cells", "least slope of P", "largest slope of P"],
        rows,
        f"Seeds {SEEDS}, widths {WIDTHS} of a cell. Bars: seen in at least 0.98 of the cells, slope"
        " 0.95 to 1.05; not seen without B.",
    )


def ideal(made: Phantom, found: Lattice):
    """Positions that a perfect fit would give, and which columns lie two cells inside."""
    xy = np.full(found.columns.xy.shape, np.nan)
    for s in "AB":
        own, true = found.sublattice == s, made.truth.column_xy[made.truth.column_sublattice == s]
        distance, nearest = cKDTree(true).query(found.columns.xy[own])
        xy[own] = np.where(distance[:, None] < made.specimen.cell_px / 4, true[nearest], np.nan)
    inside = (
        np.all((found.ij > 1) & (found.ij < found.ij.max(axis=0) - 1), axis=1) & found.columns.ok
    )
    return xy, inside & np.isfinite(xy[:, 0])


def rms(values: np.ndarray) -> float:
    """Root mean square over everything."""
    return float(np.sqrt(np.nanmean(np.square(values))))


def errors() -> None:
    """Standard errors over the scatter against the truth, by both ways, and columns beside the
    Cramer-Rao bound.
    """
    rows = []
    for change in (
        {"dose": 15},
        {"dose": 40},
        {"dose": 150},
        {"dose": 80, "cell_px": 9},
        {"dose": 80, "cell_px": 40, "cells": 30},
    ):
        specimen = Specimen(
            **({"cells": 64, "cell_px": 16, "mistilt_pm": 0, "jitter_px": 0} | change)
        )
        runs = [_ratios(specimen, seed) for seed in SEEDS]
        rows.append(
            [", ".join(f"{k} {v:g}" for k, v in change.items()), *np.mean(runs, axis=0).tolist()]
        )
    keep(
        "errors",
        "Standard errors over the scatter against the truth (bar: 0.9 to 1.1); rmse over the"
        " Cramer-Rao bound (bar: 1.2)",
        [
            "phantom",
            "A",
            "B",
            "P",
            "P, halves",
            "a",
            "a, halves",
            "angle",
            "exx",
            "correlation of halves",
            "A / bound",
            "B / bound",
        ],
        rows,
        f"Seeds {SEEDS}; no scan jitter, which no single column can tell from its own position.",
    )


def _ratios(specimen: Specimen, seed: int) -> list[float]:
    made = simulate_phantom(specimen, seed)
    found = build_lattice(made.image, find_columns(made.image))
    xy, inside = ideal(made, found)
    se = column_errors(made.image, found.columns, 0.45 * found.columns.spacing_px)
    reference = reference_cell(found.cells)
    of_cells, truth = (
        cell_errors(found, se.xy, reference),
        found.cells_at(xy, found.columns.intensity),
    )
    both = half_fits(made.image, found)
    deep = found.cells.valid & truth.valid
    deep[:2] = deep[-2:] = deep[:, :2] = deep[:, -2:] = False
    off = {
        name: (getattr(found.cells, name) - getattr(truth, name))[deep]
        for name in ("polar", "a", "angle")
    }
    half = {
        name: [(getattr(cells, name) - getattr(truth, name))[deep] for cells in both.cells]
        for name in ("polar", "a")
    }
    bent = [measure_strain(cells, reference).exx[deep] for cells in (found.cells, truth)]
    column = {s: (found.columns.xy - xy)[inside & (found.sublattice == s)] for s in "AB"}
    return [
        *(rms(se.xy[inside & (found.sublattice == s)]) / rms(column[s]) for s in "AB"),
        rms(of_cells.polar[deep]) / rms(off["polar"]),
        rms((half["polar"][0] - half["polar"][1]) / 2) / rms(off["polar"]),
        rms(of_cells.a[deep]) / rms(off["a"]),
        rms((half["a"][0] - half["a"][1]) / 2) / rms(off["a"]),
        rms(of_cells.angle[deep]) / rms(off["angle"]),
        rms(of_cells.exx[deep]) / rms(bent[0] - bent[1]),
        float(np.corrcoef(half["polar"][0].ravel(), half["polar"][1].ravel())[0, 1]),
        *(rms(column[s]) / bound(specimen, s) for s in "AB"),
    ]


def orders() -> None:
    """Zigzag crystals: cells analyzed, the order's name and amplitude."""
    rows = []
    for amplitude in (0.0, 0.03, 0.065, 0.12):
        for share in (0.4, 0.15, 0.0):
            image = _zigzag(amplitude, share)
            found = build_lattice(image, find_columns(image))
            named = [
                f"{o.sublattice} {o.name}: {o.amplitude_px / 16:.4f}"
                for o in superstructures(found)
            ]
            rows.append(
                [amplitude, share, found.cells.n, found.cells.has_b, "; ".join(named) or "none"]
            )
    keep(
        "orders",
        "Zigzag A columns: 841 whole cells of 16 px",
        ["amplitude (cells)", "B / A", "cells", "B seen", "found (cells)"],
        rows,
    )


def _zigzag(amplitude: float, share: float, cell: int = 16, side: int = 30):
    j, i = np.meshgrid(np.arange(-1, side + 1), np.arange(-1, side + 1))
    a = np.stack([(j + 0.5) * cell, (i + 0.5 + amplitude * (1 - 2 * (j % 2))) * cell], -1).reshape(
        -1, 2
    )
    b = np.stack([(j + 1) * cell + 0.5, (i + 1) * cell + 0.3], -1).reshape(-1, 2)
    image = drawn(side * cell, a, 0.15 * cell) + share * drawn(side * cell, b, 0.15 * cell)
    return image_from_array(np.random.default_rng(SEEDS[0]).poisson(300 * (image + 0.3)))


def cost() -> None:
    """Seconds of processor time of every step on an image of 47,000 columns."""
    made = simulate_phantom(Specimen(cells=155, cell_px=28.55, dose=60), 201)
    clock = [time.process_time()]

    def lap(value):
        clock.append(time.process_time())
        return value

    detected = lap(find_columns(made.image))
    found = lap(build_lattice(made.image, detected))
    se = lap(column_errors(made.image, found.columns, 0.45 * found.columns.spacing_px))
    lap(cell_errors(found, se.xy, reference_cell(found.cells)))
    lap(half_fits(made.image, found))
    keep(
        "measurement_cost",
        "Cost of the measurement (s of processor time)",
        ["columns", "find + fit", "index", "errors of columns", "errors of cells", "half fits"],
        [[len(found.columns), *np.diff(clock).tolist()]],
        "Bars: find, fit and index within 8 s; half fits at most three times the fit.",
    )


def main() -> None:
    """All tables."""
    weak_columns()
    errors()
    orders()
    cost()
