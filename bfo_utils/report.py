"""The files of a finished analysis: tables, ``result.json`` and pictures."""

import importlib.metadata
import platform
from pathlib import Path

import numpy as np
import pandas as pd

from . import figures
from .analysis import NO_DOMAINS, Analysis
from .caveats import SURE, caveats
from .files import write_csv, write_json
from .lattice import Lattice
from .optimize import by_descriptor, plain, table
from .pareto import front
from .recipe import Recipe
from .walls import Walls, domains, trace
from .workflow import stability

PACKAGES = ("bfo_utils", "numpy", "scipy", "scikit-learn", "scikit-image", "scikit-optimize", "rosettasciio")


def write(analysis: Analysis, out: str | Path, recipe: Recipe | None = None) -> dict:
    """Write all files of an analysis; ``result.json`` comes last, so that its presence means that all is there.

    Parameters
    ----------
    analysis : Analysis
    out : str or Path
        Folder; made where missing.
    recipe : Recipe, optional
        What the analysis was made from; kept in ``result.json``, so that it can be made again.

    Returns
    -------
    dict
        The content of ``result.json``.
    """
    out = Path(out)
    walls = trace(analysis.labels)
    result = summary(analysis, walls, recipe)
    (out / "result.json").unlink(missing_ok=True)  # that of an earlier analysis does not stand beside new tables
    write_csv(out / "columns.csv", columns_table(analysis.crystal.lattice))
    write_csv(out / "cells.csv", cells_table(analysis))
    trials = table(analysis.trials)
    write_csv(out / "trials.csv", trials)
    write_csv(out / "pareto.csv", front(trials))
    _pictures(analysis, walls, out)
    write_json(out / "result.json", result)
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
        One row per valid cell; label -1 outside the analysed mask, where posterior and stability are empty (see
        :class:`bfo_utils.confidence.Confidence`). Where there are no domains they are empty everywhere.
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
        f"area_{nm2}": cells.area[at] * length**2, "label": analysis.labels[at],
        "posterior": analysis.confidence.posterior[at].round(4), "stability": analysis.confidence.stability[at].round(4)})


def summary(analysis: Analysis, walls: Walls, recipe: Recipe | None = None) -> dict:
    """The content of ``result.json``: plain values only."""
    image, lattice = analysis.crystal.image, analysis.crystal.lattice
    return {
        "verdict": analysis.verdict, "reason": analysis.reason, "parameters": dict(analysis.tuned.parameters),
        "rewards": dict(analysis.tuned.rewards), "default_rewards": dict(analysis.default.rewards),
        "evidence": analysis.crystal.evidence.kind, "best_total_by_descriptor": by_descriptor(analysis.trials),
        "stability": round(stability(analysis.crystal, analysis.tuned.parameters, analysis.seed), 4),
        "sublattices": ["A", "B"] if lattice.cells.has_b else ["A"],
        "warnings": caveats(analysis), "confidence": _confidence(analysis), "surrogates": _surrogates(analysis),
        "n_columns": len(lattice.columns), "n_cells": lattice.cells.n, "n_analysed": int(analysis.crystal.mask.sum()),
        "n_domains": len(domains(analysis.labels)),
        "variants": _variants(analysis),
        "walls": _walls(walls), "seed": analysis.seed, "budget": len(plain(analysis.trials)),
        "autoencoders": sum(t.source == "rung 1" for t in analysis.trials),
        "timings_s": {k: round(v, 3) for k, v in analysis.timings_s.items()}, "versions": versions(),
        "input": {"path": image.source, "name": image.name, "sha256": image.sha256, "shape": list(image.shape),
                  "pixel_size_nm": image.pixel_size_nm},
        "recipe": recipe.plain if recipe else None}


def _confidence(analysis: Analysis) -> dict | None:
    """Means over the analysed cells, and the share of the cells below 0.8; None where there is one label only."""
    if analysis.verdict == NO_DOMAINS:
        return None
    values = {name: getattr(analysis.confidence, name)[analysis.crystal.mask] for name in ("posterior", "stability")}
    return {name: {"mean": round(float(v.mean()), 4), "unsure": round(float((v < SURE).mean()), 4)} for name, v in values.items()}


def _surrogates(analysis: Analysis) -> dict:
    """Total of the map, and of its surrogates: how many, the median, the largest, and the share that reach the map's."""
    standing = analysis.standing
    rows = {"total": round(standing.total, 6)}
    for name, totals, p in (("moved", standing.moved, standing.p_moved), ("dealt", standing.dealt, standing.p_dealt)):
        spread = {"median": round(float(np.median(totals)), 6), "largest": round(float(totals.max()), 6)} if len(totals) else {}
        rows[name] = {"n": len(totals), "p": round(p, 4), **spread}
    return rows


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
    figures.save(figures.confidence(image, cells, analysis.labels, analysis.confidence.posterior, analysis.confidence.stability),
                 out / "confidence.png")
