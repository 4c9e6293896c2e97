"""The files of a finished analysis: tables, ``result.json`` and pictures."""

import importlib.metadata
import platform
from pathlib import Path

import numpy as np
import pandas as pd

from . import figures
from .analysis import Analysis
from .files import together, write_csv, write_json
from .lattice import Lattice
from .optimize import by_descriptor, plain, table
from .pareto import front
from .walls import Walls, domains, trace
from .workflow import stability

PACKAGES = ("bfo_utils", "numpy", "scipy", "scikit-learn", "scikit-image", "scikit-optimize", "rosettasciio")


def write(analysis: Analysis, out: str | Path) -> dict:
    """Write all files of an analysis; ``result.json`` comes last, so that its presence means that all is there.

    Those of an earlier analysis are replaced once all new ones are written.

    Parameters
    ----------
    analysis : Analysis
    out : str or Path
        Folder; made where missing.

    Returns
    -------
    dict
        The content of ``result.json``.
    """
    walls = trace(analysis.labels)
    result = summary(analysis, walls)
    trials = table(analysis.trials)
    with together(out, "result.json") as stage:
        write_csv(stage / "columns.csv", columns_table(analysis.crystal.lattice))
        write_csv(stage / "cells.csv", cells_table(analysis))
        write_csv(stage / "trials.csv", trials)
        write_csv(stage / "pareto.csv", front(trials))
        _pictures(analysis, walls, stage)
        write_json(stage / "result.json", result)
    return result


def columns_table(lattice: Lattice) -> pd.DataFrame:
    """Indexed columns: id, position in px, sublattice, fitted height and width, whether the fit is sound.

    Parameters
    ----------
    lattice : Lattice

    Returns
    -------
    DataFrame
        Columns ``id, x_px, y_px, sublattice, intensity, sigma_px, ok, i, j``.
    """
    c = lattice.columns
    return pd.DataFrame({
        "id": np.arange(len(c)), "x_px": c.xy[:, 0], "y_px": c.xy[:, 1], "sublattice": lattice.sublattice,
        "intensity": c.intensity, "sigma_px": c.sigma_px, "ok": c.ok.astype(int), "i": lattice.ij[:, 0],
        "j": lattice.ij[:, 1]})


def cells_table(analysis: Analysis) -> pd.DataFrame:
    """Unit cells: indices, centre, polar displacement and lattice parameters (pm and nm, else px), label.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    DataFrame
        One row per valid cell; label -1 outside the analysed mask.
    """
    cells = analysis.crystal.lattice.cells
    size = analysis.crystal.image.pixel_size_nm
    pm, nm, nm2 = ("pm", "nm", "nm2") if size else ("px", "px", "px2")
    length = size or 1.0
    displacement = 1000 * length if size else 1.0
    i, j = np.nonzero(cells.valid)
    at = (i, j)
    return pd.DataFrame({
        "i": i, "j": j, "x_px": cells.xy[at][:, 0], "y_px": cells.xy[at][:, 1],
        f"px_{pm}": cells.polar[at][:, 0] * displacement, f"py_{pm}": cells.polar[at][:, 1] * displacement,
        f"a_{nm}": cells.a[at] * length, f"b_{nm}": cells.b[at] * length, "angle_deg": cells.angle[at],
        f"area_{nm2}": cells.area[at] * length**2, "label": analysis.labels[at]})


def summary(analysis: Analysis, walls: Walls) -> dict:
    """The content of ``result.json``: plain values only."""
    image, lattice = analysis.crystal.image, analysis.crystal.lattice
    return {
        "verdict": analysis.verdict, "reason": analysis.reason, "parameters": dict(analysis.tuned.parameters),
        "rewards": dict(analysis.tuned.rewards), "default_rewards": dict(analysis.default.rewards),
        "evidence": analysis.crystal.evidence.kind, "best_total_by_descriptor": by_descriptor(analysis.trials),
        "stability": round(stability(analysis.crystal, analysis.tuned.parameters, analysis.seed), 4),
        "sublattices": ["A", "B"] if lattice.cells.has_b else ["A"],
        "warnings": warnings(analysis),
        "n_columns": len(lattice.columns), "n_cells": lattice.cells.n, "n_analysed": int(analysis.crystal.mask.sum()),
        "n_domains": len(domains(analysis.labels)),
        "variants": _variants(analysis),
        "walls": _walls(walls), "seed": analysis.seed, "budget": len(plain(analysis.trials)),
        "autoencoders": sum(t.source == "rung 1" for t in analysis.trials),
        "timings_s": {k: round(v, 3) for k, v in analysis.timings_s.items()}, "versions": versions(),
        "input": {"path": image.source, "name": image.name, "sha256": image.sha256, "shape": list(image.shape),
                  "pixel_size_nm": image.pixel_size_nm}}


def warnings(analysis: Analysis) -> list[str]:
    """What a user should know about the result and can act on, in sentences."""
    crystal = analysis.crystal
    notes = []
    if not crystal.lattice.cells.has_b:
        notes.append("The second sublattice is not seen: no polar displacement; the map rests on lattice parameters.")
    if crystal.image.pixel_size_nm is None:
        notes.append("No pixel size is known: lengths are in px; give --pixel-size for nm and pm.")
    if crystal.mask.sum() < 400:
        notes.append(f"Only {int(crystal.mask.sum())} cells are analysed: rewards are coarse; use a larger field of view.")
    if not crystal.image.valid.all():
        notes.append(f"{1 - crystal.image.valid.mean():.1%} of the pixels are NaN or infinite and were filled.")
    return notes


def _variants(analysis: Analysis) -> list[dict]:
    """Share of the analysed cells and mean polar displacement (px) of every label of the final map."""
    cells, labels = analysis.crystal.lattice.cells, analysis.labels
    rows = []
    for label in np.unique(labels[labels >= 0]).tolist():
        own = labels == label
        row = {"label": label, "share": round(float(own.sum() / (labels >= 0).sum()), 4),
               "a_over_b": round(float(np.nanmean(cells.a[own] / cells.b[own])), 5)}
        if cells.has_b:
            row |= {"polar_px": [round(float(v), 4) for v in np.nanmean(cells.polar[own], axis=0)]}
        rows.append(row)
    return rows


def _walls(walls: Walls) -> dict:
    return {"n_segments": walls.n_segments, "length_cells": round(float(walls.length.sum()), 2),
            "mean_roughness_cells": round(float(walls.roughness.mean()), 4) if len(walls.roughness) else 0.0}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def _pictures(analysis: Analysis, walls: Walls, out: Path) -> None:
    image, cells = analysis.crystal.image, analysis.crystal.lattice.cells
    figures.save(figures.label_map(image, cells, analysis.labels, walls), out / "label_map.png")
    figures.save(figures.walls(image, cells, analysis.labels, walls), out / "walls.png")
    figures.save(figures.polarization(image, cells, analysis.labels), out / "polarization.png")
