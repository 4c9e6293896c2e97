"""The files of a finished analysis: tables, ``result.json`` and pictures."""

import importlib.metadata
import json
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ..compute import Beside, on_one_thread, refuse_foreign, together, write_csv, write_json
from ..descriptors import Oxygen, find_vortices
from ..figures import (
    draw_all,
    ordered,
    plot_confidence,
    plot_label_map,
    plot_oxygen,
    plot_polarization,
    plot_residual,
    plot_walls,
    save_mask,
    save_plot,
    unused_columns,
)
from ..io import Image
from ..lattice import describe_scan
from ..results import (
    DOMAINS,
    MIN_SEPARATION,
    MIN_WALL_Z,
    MIN_Z,
    NEAR,
    REFERENCE_WORDS,
    SCHEMA_VERSION,
    SURE_CELL,
    TILT_CAVEAT,
    UNDECIDED,
    UNUSED,
    Analysis,
    Provenance,
    Units,
    WallTables,
    domains_table,
    find_warnings,
    has_residual_structure,
    measure_walls,
    nonpolar_labels,
    patches_table,
    unused_share,
)
from ..search import (
    PARAMETERS,
    PreparedImage,
    SharedWork,
    best_by_descriptor,
    column_labels,
    format_value,
    parameter_importance,
    pareto_front,
    resampling_stability,
    trials_table,
    without_autoencoders,
)
from ..segmentation import PROPOSED_KINDS, Walls, connected_domains, trace_walls
from .export import Picture, cells_table, columns_table, write_readme
from .pages import fill_template

_SURROGATES = {"shifted": "moved", "permuted": "dealt"}  # with the names until version 1
FILES = (
    "columns.csv",
    "cells.csv",
    "domains.csv",
    "patches.csv",
    "walls.csv",
    "profiles.csv",
    "walls.geojson",
    "trials.csv",
    "pareto.csv",
    "picture.npz",
    "result.json",
    "label_map.png",
    "walls.png",
    "polarization.png",
    "confidence.png",
)  # that are of ours wherever they lie; a README.txt may be the user's, see `write_readme`
OPTIONAL_FILES = (
    "oxygen.csv",
    "oxygen.png",
    "residual_structure.png",
    "superstructure.png",
    "unused_columns.png",
    *(f"proposed_{kind}.png" for kind in PROPOSED_KINDS),
)
PACKAGES = (
    "bfo_utils",
    "numpy",
    "scipy",
    "scikit-learn",
    "scikit-image",
    "scikit-optimize",
    "rosettasciio",
)


@on_one_thread
def write_results(
    analysis: Analysis,
    out: str | Path,
    provenance: Provenance | None = None,
    home: str | Path | None = None,
    beside: Beside | None = None,
) -> dict:
    """Write all files of an analysis; ``result.json`` is written last, so its presence shows that
    the result is complete.

    Those of an earlier analysis are replaced once all new ones are written.

    Parameters
    ----------
    analysis : Analysis
    out : str or Path
        Folder; made where missing.
    provenance : Provenance, optional
        What the analysis was made from; kept in ``result.json``, so that it can be made again.
    home : str or Path, optional
        Where the files go in the end, if not to stay in ``out``: a README of the user's stays.
    beside : Beside, optional
        Process that draws some of the pictures.

    Returns
    -------
    dict
        The content of ``result.json``.
    """
    walls = trace_walls(analysis.labels)
    domains = domains_table(analysis)
    with together(out, "result.json") as stage:
        with _drawing(_pictures(analysis, walls, domain_names(domains), stage), beside):
            measured = measure_walls(analysis, domains)
            result = result_summary(analysis, walls, provenance) | {
                "domains": _plain_rows(domains),
                "wall_segments": _plain_rows(measured.walls),
            }
            tables = _tables(analysis, domains, measured)
            for name, table in tables.items():
                write_csv(stage / f"{name}.csv", table)
            write_readme(stage, Path(home or out), tables, result["convention"])
            write_json(stage / "walls.geojson", _geojson(measured))
            Picture.of(analysis.prepared.image, analysis.prepared.lattice.cells).save(stage)
        write_json(stage / "result.json", result)
        stale = [name for name in OPTIONAL_FILES if not (stage / name).exists()]
    for name in stale:  # of an earlier analysis
        Path(out, name).unlink(missing_ok=True)
    return result


def _tables(
    analysis: Analysis, domains: pd.DataFrame, measured: WallTables
) -> dict[str, pd.DataFrame]:
    """All tables by their names."""
    prepared, trials = analysis.prepared, trials_table(analysis.trials)
    second = {} if prepared.oxygen is None else {"oxygen": oxygen_table(prepared.oxygen)}
    return {
        "columns": columns_table(
            prepared.lattice, prepared.column_errors, _column_labels(analysis)
        ),
        "cells": cells_table(analysis),
        "domains": domains,
        "patches": patches_table(analysis, domains),
        "walls": measured.walls,
        "profiles": measured.profiles,
        "trials": trials,
        "pareto": pareto_front(trials),
        **second,
    }


def check_folder(out: str | Path) -> None:
    """Refuse a folder with foreign files that have names of result files.

    Raises
    ------
    InputError
    """
    refuse_foreign(
        (Path(out, name) for name in (*FILES, *OPTIONAL_FILES)),
        is_ours(out),
        "give another folder with --out",
    )


def is_ours(out: str | Path) -> bool:
    """Whether an analysis has written to a folder, or started to: it has a result or a record of
    trials.
    """
    for name, keys in (("result.json", {"input", "versions"}), ("trials.jsonl", {"settings"})):
        with suppress(OSError, ValueError, RecursionError):
            text = Path(out, name).read_text()
            stored = json.loads(text.split("\n")[0] if name.endswith("l") else text)
            if isinstance(stored, dict) and keys <= set(stored):
                return True
    return False


def _column_labels(analysis: Analysis) -> np.ndarray | None:
    """Label of every column, where all of them were described."""
    if analysis.tuned.parameters["site"] != "columns":
        return None
    work = analysis.work or SharedWork(analysis.prepared)
    return column_labels(work, analysis.tuned, analysis.seed, analysis.labels)


def result_summary(analysis: Analysis, walls: Walls, provenance: Provenance | None = None) -> dict:
    """The content of ``result.json``: plain values only."""
    lattice = analysis.prepared.lattice
    plain = provenance.plain if provenance else None
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": analysis.verdict,
        "reason": analysis.reason,
        "findings": analysis.judgment.findings,
        "parameters": dict(analysis.tuned.parameters),
        "chosen_by": "agreement" if analysis.by_agreement else "total",
        "rewards": dict(analysis.tuned.rewards),
        "default_rewards": dict(analysis.default.rewards),
        "evidence": analysis.prepared.reference.kind,
        "best_total_by_descriptor": best_by_descriptor(analysis.trials),
        "stability": _stability(analysis),
        **_measured_summary(analysis),
        "n_columns": len(lattice.columns),
        "n_cells": lattice.cells.n,
        "n_analysed": int(analysis.prepared.mask.sum()),
        "n_domains": len(connected_domains(analysis.labels)),
        "variants": _variants(analysis),
        "walls": _walls(walls),
        "seed": analysis.seed,
        "budget": len(without_autoencoders(analysis.trials)),
        "autoencoders": sum(t.source == "rung 1" for t in analysis.trials),
        "timings_s": {k: round(v, 3) for k, v in analysis.timings_s.items()},
        "versions": package_versions(),
        "input": _input(analysis.prepared.image),
        "scan": describe_scan(analysis.prepared.scan),
        "frames": _frames(analysis.prepared.image),
        "tilt": _tilt(analysis.prepared),
        "proposed_masks": [
            {"kind": m.kind, "reason": m.reason, "share": round(m.share, 4), "file": m.file}
            for m in analysis.prepared.proposed_masks
        ],
        "pair": _pair(analysis.prepared.image),
        "oxygen": _oxygen(analysis.prepared),
        "provenance": plain,
        "recipe": plain,  # the same under its old name, for one version
    }


def _measured_summary(analysis: Analysis) -> dict:
    """What was measured of the crystal, and what speaks for and against the map."""
    lattice = analysis.prepared.lattice
    return {
        "sublattices": ["A", "B"] if lattice.cells.has_b else ["A"],
        "zone_axis": lattice.zone,
        "convention": _convention(analysis.prepared),
        "precision": _precision(analysis.prepared),
        "superstructures": _superstructures(analysis.prepared),
        "vortices": _vortices(analysis.prepared),
        "n_unused_columns": len(lattice.unused_xy),
        "warnings": find_warnings(analysis),
        "confidence": _confidence(analysis),
        "near_best": _near_best(analysis),
        "surrogates": _surrogates(analysis),
        "residual_structure": _residual(analysis),
        "check": [asdict(repeat) for repeat in analysis.repeats],
    }


def _plain_rows(table: pd.DataFrame) -> list[dict]:
    """A table for JSON: its rows with numbers of six digits, None where nothing is known."""
    return [
        {k: v if not isinstance(v, float) else _digits(v) for k, v in row.items()}
        for row in table.to_dict("records")
    ]


def _geojson(measured: WallTables) -> dict:
    """The walls as lines in px (x to the right, y down), with what is measured at them."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "MultiLineString", "coordinates": lines.round(3).tolist()},
            "properties": row,
        }
        for lines, row in zip(measured.lines, _plain_rows(measured.walls))
    ]
    return {"type": "FeatureCollection", "features": features}


def _digits(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _stability(analysis: Analysis) -> float:
    """Agreement of the maps of two halves of the cells."""
    chosen = analysis.tuned.parameters
    return round(resampling_stability(analysis.prepared, chosen, analysis.seed, analysis.work), 4)


def _input(image: Image) -> dict:
    """Where the image came from, and what it is."""
    return {
        "path": image.source,
        "name": image.name,
        "sha256": image.sha256,
        "shape": list(image.shape),
        "pixel_size_nm": image.pixel_size_nm,
        "dataset": image.dataset or None,
        "analyzed_share": 1.0 if image.region is None else round(float(image.region.mean()), 4),
    }


def _frames(image: Image) -> dict | None:
    """What the image is the mean of, where it is that of frames."""
    if image.drift_px is None:
        return None
    return {
        "averaged": len(image.drift_px),
        "drift_px": image.drift_px.round(3).tolist(),
        "row_displacement_rms_px": round(image.row_rms_px, 4),
    }


def _oxygen(prepared: PreparedImage) -> dict | None:
    """What the second channel shows, where there is one."""
    found = prepared.oxygen
    if found is None:
        return None
    known = np.isfinite(found.tilt_deg)
    return {
        "n_columns": len(found.columns),
        "seen_share": round(found.seen, 4),
        "shift_px": _rounded(found.shift_px),
        "se_shift_px": _rounded(found.se_shift_px),
        "n_octahedra": int(known.sum()),
        **(
            {
                "octahedral_tilt_rms_deg": _rounded(np.sqrt(np.mean(found.tilt_deg[known] ** 2))),
                "octahedral_tilt_staggered_deg": _rounded(found.staggered_deg),
                "se_octahedral_tilt_deg": _rounded(np.median(found.se_tilt_deg[known])),
            }
            if known.any()
            else {}
        ),
    }


def oxygen_table(oxygen: Oxygen) -> pd.DataFrame:
    """Oxygen columns: position in px of the second channel, the edge at whose middle each lies.

    Parameters
    ----------
    oxygen : Oxygen

    Returns
    -------
    DataFrame
        Columns ``id, x_px, y_px, edge, i, j, intensity, sigma_px, se_x_px, se_y_px``.
    """
    c = oxygen.columns
    return pd.DataFrame(
        {
            "id": np.arange(len(c)),
            "x_px": c.xy[:, 0],
            "y_px": c.xy[:, 1],
            "edge": oxygen.edge,
            "i": oxygen.ij[:, 0],
            "j": oxygen.ij[:, 1],
            "intensity": c.intensity,
            "sigma_px": c.sigma_px,
            "se_x_px": oxygen.se_xy[:, 0],
            "se_y_px": oxygen.se_xy[:, 1],
        }
    )


def _tilt(prepared: PreparedImage) -> dict | None:
    """What a mistilt may have made, what of it was subtracted, and the shapes of the columns."""
    found = prepared.measured_tilt
    if found is None:
        return None
    units = Units.of(prepared.image.pixel_size_nm)
    offset, radius, rms = (
        _rounded(v * units.per_short) for v in (found.offset, found.radius, found.rms)
    )
    return {
        "subtracted": prepared.tilt,
        f"offset_{units.short}": offset,
        f"offset_radius_{units.short}": radius,
        "offset_is_central": found.is_central,
        f"smooth_rms_{units.short}": rms,
        "degree": found.degree,
        "levels": found.levels,
        "columns": {
            name: {key: _rounded(value) for key, value in vars(shape).items()}
            for name, shape in prepared.column_shapes.items()
        },
        "note": TILT_CAVEAT,
    }


def _tilt_line(tilt: Mapping | None, unit: str) -> str:
    """The tilt in one line."""
    if tilt is None:
        return "not measured; requires the second sublattice"
    x, y = tilt[f"offset_{unit}"]
    done = "subtracted" if tilt["subtracted"] != "none" else "not subtracted"
    if tilt["subtracted"] != "none":
        done += f" ({tilt['subtracted']})"
    return (
        f"common displacement ({x:.3g}, {y:.3g}) {unit}, slow variation"
        f" {tilt[f'smooth_rms_{unit}']:.3g} {unit} rms: tilt or polarization; {done}"
    )


def _pair(image: Image) -> dict | None:
    """What was done to the scans of a pair, where the image is their mean."""
    if image.pair_drift_px is None:
        return None
    return {
        "second_rotated_deg": image.pair_turn_deg,
        "drift_rms_px": image.pair_drift_px.round(3).tolist(),
    }


def _convention(prepared: PreparedImage) -> dict:
    """How the signs and references of the measured field are to be read."""
    way = "with" if prepared.polar_sign > 0 else "against"
    return {
        "brighter_sublattice": prepared.bright if prepared.lattice.cells.has_b else "A",
        "polar_sign": prepared.polar_sign,
        "born_charge_e": prepared.born_charge or None,
        "polar_displacement": (
            "B column minus the mean of its four A neighbors; x to the right, y down"
        ),
        "arrows": f"polarization, {way} the displacement of B against A",
        "strain_reference": prepared.strain_reference,
        "strain_reference_px": prepared.strain.reference.round(5).tolist(),
    }


def _precision(prepared: PreparedImage) -> dict:
    """Standard errors (px; medians) from the fits and from two halves of the pixels."""
    lattice, halves, se = prepared.lattice, prepared.halves, prepared.cell_errors
    columns = {
        name: _rounded(np.nanmedian(prepared.column_errors.xy[lattice.sublattice == name], axis=0))
        for name in np.unique(lattice.sublattice).tolist()
    }
    found = {
        "se_column_px": columns,
        "se_a_px": _rounded(np.nanmedian(se.a)),
        "se_a_px_halves": _rounded(halves.standard_error("a")),
        "halves": {
            "x": "odd and even rows",
            "y": "odd and even columns of pixels",
            "none": "checkerboard",
            "frames": "the scans of a pair"
            if prepared.image.pair_turn_deg
            else "every other frame",
        }[halves.axis],
        "noise_correlation": _rounded(halves.correlation),
        "halves_independent": halves.independent,
    }
    if lattice.cells.has_b:
        found |= {
            "se_polar_px": _rounded(np.nanmedian(se.polar[lattice.cells.valid], axis=0)),
            "se_polar_px_halves": _rounded(halves.standard_error()),
        }
    return found


def _rounded(values) -> float | list[float]:
    return np.asarray(values, float).round(5).tolist()


def _vortices(prepared: PreparedImage) -> list[dict]:
    """Where the polarization turns once around a place: 1 a vortex, -1 an antivortex."""
    found = find_vortices(prepared.lattice.cells)
    return [
        {"x_px": _rounded(x), "y_px": _rounded(y), "winding": winding}
        for (x, y), winding in zip(found.xy, found.winding.tolist())
    ]


def _superstructures(prepared: PreparedImage) -> list[dict]:
    """Ordered displacements: sublattice, wave vector, amplitude, direction, significance."""
    size = prepared.image.pixel_size_nm
    return [
        {
            "sublattice": s.sublattice,
            "wave_vector": [round(q, 4) for q in s.wave_vector],
            "name": s.name,
            "amplitude_px": round(s.amplitude_px, 4),
            "amplitude_pm": round(1000 * size * s.amplitude_px, 2) if size else None,
            "direction_deg": round(s.direction_deg, 1),
            "significance": round(s.significance, 1),
        }
        for s in prepared.superstructures
    ]


def facts_table(analysis: Analysis, result: Mapping) -> pd.Series:
    """Summary of the result in a few lines, for the top of a page.

    Parameters
    ----------
    analysis : Analysis
    result : mapping
        Content of ``result.json``, from :func:`write_results`.

    Returns
    -------
    Series of str
    """
    image, walls = analysis.prepared.image, result["walls"]
    simulated = ", simulated" if not result["input"]["path"] else ""
    length = f"{walls['length_cells']:.0f} cells long in total"
    height, width = image.shape
    size = image.pixel_size_nm
    field = f"{width} × {height} px" + (
        f", {width * size:.1f} × {height * size:.1f} nm" if size else ""
    )
    return pd.Series(
        {
            "image": f"{image.name} ({field}{simulated})",
            "unit cells": f"{result['n_analysed']:,} analyzed of {result['n_cells']:,} found",
            "domains": _counted(analysis, result),
            "walls": f"{walls['n_segments']} segments, {length}",
            "mistilt": _tilt_line(result["tilt"], Units.of(size).short),
            "chosen from": (
                f"{result['budget']} configurations and {result['autoencoders']} autoencoders"
                + (", by agreement with the map of the test" if analysis.by_agreement else "")
            ),
        }
    )


def _counted(analysis: Analysis, result: Mapping) -> str:
    """Number of domains, of clusters, and of non-polar ones; a word where there are none."""
    if result["verdict"] != DOMAINS:
        return "undecided" if result["verdict"] == UNDECIDED else "none"
    nonpolar, clusters = len(nonpolar_labels(analysis)), len(result["variants"])
    return f"{result['n_domains']}, of {clusters} clusters" + (
        f", {nonpolar} of them nearly non-polar (see the warnings)" if nonpolar else ""
    )


def origin_table(result: Mapping) -> pd.Series:
    """What a result depends on: the image and its hash, seed, budget, and versions.

    Parameters
    ----------
    result : mapping
        Content of ``result.json``, from :func:`write_results`.

    Returns
    -------
    Series of str
    """
    given = result["input"]
    size = given["pixel_size_nm"]
    return pd.Series(
        {
            "image": given["path"] or "simulated",
            "sha256": given["sha256"] or "none: the image is not a file",
            "pixel size": f"{size:.5g} nm" if size else "unknown",
            "seed": str(result["seed"]),
            "configurations": str(result["budget"]),
            "autoencoders": str(result["autoencoders"]),
        }
        | result["versions"]
    )


def grounds_table(analysis: Analysis, result: Mapping) -> pd.DataFrame:
    """Confidence of the verdict: every measured quantity beside its threshold.

    Parameters
    ----------
    analysis : Analysis
    result : mapping
        Content of ``result.json``, from :func:`write_results`.

    Returns
    -------
    DataFrame
        Index the ground; columns ``measured``, ``needed``, ``means``.
    """
    rewards = result["rewards"]
    rows = {
        **_judged(analysis),
        "contrast": (
            rewards["contrast"],
            "",
            "fraction of the walls in the map of the tuned configuration across which the reference"
            " field jumps",
        ),
        "evidence": (
            rewards["evidence"],
            "",
            "fraction of the variance of the reference field that the map explains",
        ),
        "stability": (
            result["stability"],
            "",
            "agreement of the maps from two random halves of the cells; 1 is perfect",
        ),
        "total": (
            rewards["total"],
            "",
            f"product of the rewards; {result['default_rewards']['total']:.3f} before the search"
            + (", not the highest of the search" if analysis.by_agreement else ""),
        ),
        **_confident(result),
        **_recurring(result),
        **_by_chance(result),
    }
    return pd.DataFrame(
        [(f"{value:.2f}", needed, means) for value, needed, means in rows.values()],
        index=list(rows),
        columns=["measured", "needed", "means"],
    )


def _judged(analysis: Analysis) -> dict[str, tuple[float, str, str]]:
    """What the judge measured in every field."""
    rows = {}
    for kind, answer in analysis.judgment.answers.items():
        what = REFERENCE_WORDS[kind]
        rows[f"{what}: other half of the data"] = (
            answer.judged.z,
            f"≥ {MIN_Z}",
            "pattern of one half of the data found in the other, divided by its error; noise gives"
            " 0 ± 1",
        )
        rows[f"{what}: clearest wall"] = (
            max((w.z for w in answer.walls), default=0.0),
            f"≥ {MIN_WALL_Z}",
            "step across one wall, divided by its error",
        )
        if kind == "lattice" and answer.separation:
            rows[f"{what}: separation of its states"] = (
                answer.separation,
                f"≥ {MIN_SEPARATION:.0f}",
                "step across a confirmed wall, divided by the spread beside it; a smooth wave gives"
                " 3.1",
            )
    return rows


def _confident(result: Mapping) -> dict[str, tuple[float, str, str]]:
    """Confidence per cell; none where there is one label only."""
    return {
        f"{name} of the cells": (
            found["mean"],
            "",
            f"mean; {found['unsure']:.0%} of the cells are uncertain",
        )
        for name, found in (result["confidence"] or {}).items()
    }


def _recurring(result: Mapping) -> dict[str, tuple[float, str, str]]:
    """How often the domains recur; nothing where there are none."""
    found = result["near_best"]
    if not found["domains_recur"]:
        return {}
    least = min(found["domains_recur"].values())
    means = (
        f"fraction of the {found['n_maps']} maps with nearly the highest total that also contain it"
    )
    return {"rarest domain": (least, "", means)}


def _by_chance(result: Mapping) -> dict[str, tuple[float, str, str]]:
    """The largest totals of surrogates, where the crystal's outline leaves any."""
    stored = result["surrogates"]
    kinds = {name: stored.get(name) or stored[old] for name, old in _SURROGATES.items()}
    return {
        f"surrogates, {name}": (
            found["largest"],
            "",
            (
                f"largest total of {found['n']} with the reference field {name}; p ="
                f" {found['p']:.2g}"
            ),
        )
        for name, found in kinds.items()
        if found["n"]
    }


def choices_table(analysis: Analysis) -> pd.DataFrame:
    """The parameters before and after the search, and the importance of each.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    DataFrame
        Index the parameter; columns ``default``, ``tuned``, ``mattered`` (see
        :func:`bfo_utils.search.parameter_importance`; empty for what was not varied) and ``means``.
        Parameters of the autoencoder stand there only where one made the map.
    """
    used = [
        p
        for p in PARAMETERS
        if p.stage != "autoencoder" or analysis.tuned.parameters["descriptor"] == "vae"
    ]
    trials = trials_table(without_autoencoders(analysis.trials))
    mattered = parameter_importance(trials[trials["source"] != "measured"])  # as in 05
    rows = [
        (
            format_value(analysis.default.parameters[p.name]),
            format_value(analysis.tuned.parameters[p.name]),
            f"{mattered[p.name]:.2f}" if p.name in mattered else "",
            p.help + (f" ({p.unit})" if p.unit else ""),
        )
        for p in used
    ]
    return pd.DataFrame(
        rows, index=[p.name for p in used], columns=["default", "tuned", "mattered", "means"]
    )


def _confidence(analysis: Analysis) -> dict | None:
    """Means over the analyzed cells, and share below 0.8; None where there is one label only."""
    if analysis.verdict != DOMAINS:
        return None
    values = {
        "posterior": analysis.confidence.posterior[analysis.prepared.mask],
        "recurrence": analysis.near_best.of_cells[analysis.prepared.mask],
        "stability": analysis.confidence.stability[analysis.prepared.mask],
    }
    return {
        name: {"mean": round(float(v.mean()), 4), "unsure": round(float((v < SURE_CELL).mean()), 4)}
        for name, v in values.items()
    }


def _near_best(analysis: Analysis) -> dict:
    """How often the verdict, the map and every domain recur in maps that are nearly as good."""
    found = analysis.near_best
    return {
        "totals_within": NEAR,
        "n_maps": found.n_maps,
        "verdict_recurs": round(found.verdict, 4),
        "map_recurs": round(found.same, 4),
        "domains_recur": {str(k): round(v, 4) for k, v in found.of_labels.items()},
    }


def _surrogates(analysis: Analysis) -> dict:
    """Totals of the surrogate test; under the old names of the kinds too, for one version."""
    tested = analysis.surrogates
    rows: dict[str, float | dict[str, float]] = {"total": round(tested.total, 6)}
    for name, totals, p in (
        ("shifted", tested.shifted, tested.p_shifted),
        ("permuted", tested.permuted, tested.p_permuted),
    ):
        spread = (
            {"median": round(float(np.median(totals)), 6), "largest": round(float(totals.max()), 6)}
            if len(totals)
            else {}
        )
        rows[name] = rows[_SURROGATES[name]] = {"n": len(totals), "p": round(p, 4), **spread}
    return rows


def warnings_html(result: Mapping) -> str:
    """The warnings of a result as a list in HTML, their text escaped.

    Parameters
    ----------
    result : mapping
        Content of ``result.json``, from :func:`write_results`.

    Returns
    -------
    str

    Examples
    --------
    >>> str(warnings_html({"warnings": [{"code": "few_cells", "message": "Few cells in <b>"}]}))
    '<ul><li>Few cells in &lt;b&gt;</li></ul>'
    """
    told = [note["message"] for note in result["warnings"]]
    return fill_template("warnings.html", notes=told or ["There are no warnings."])


def _residual(analysis: Analysis) -> dict | None:
    """What the map leaves over of the polar displacement; None where that is not measured."""
    left, size = analysis.residual, analysis.prepared.image.pixel_size_nm
    if left is None:
        return None
    found = {"z": round(left.z, 2), "rms_px": round(left.rms, 5)}
    return found | ({"rms_pm": round(1000 * size * left.rms, 3)} if size else {})


def _variants(analysis: Analysis) -> list[dict]:
    """Share of the analyzed cells and mean polar displacement (px) of every final label."""
    cells, labels = analysis.prepared.lattice.cells, analysis.labels
    rows = []
    for label in np.unique(labels[labels >= 0]).tolist():
        own = labels == label
        row = {
            "label": label,
            "share": round(float(own.sum() / (labels >= 0).sum()), 4),
            "a_over_b": round(float(np.nanmean(cells.a[own] / cells.b[own])), 5),
        }
        if cells.has_b:
            row |= {"polar_px": [round(float(v), 4) for v in np.nanmean(cells.polar[own], axis=0)]}
        rows.append(row)
    return rows


def _walls(walls: Walls) -> dict:
    return {
        "n_segments": walls.n_segments,
        "length_cells": round(float(walls.length.sum()), 2),
        "mean_roughness_cells": (
            round(float(walls.roughness.mean()), 4) if len(walls.roughness) else 0.0
        ),
    }


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in PACKAGES
    }


def domain_names(domains: pd.DataFrame) -> dict[int, str]:
    """Name of every label, without its share.

    Examples
    --------
    >>> domain_names(pd.DataFrame({"label": [2], "name": ["up-left, 42 %"]}))
    {2: 'up-left'}
    """
    return dict(zip(domains["label"], domains["name"].str.rpartition(", ")[0]))


@contextmanager
def _drawing(pictures: list[Callable[[], None]], beside: Beside | None) -> Iterator[None]:
    """Draw pictures, every second one in another process while the block goes on; all are there at
    its end, and nobody draws any more.
    """
    drawn = beside.submit(draw_all, pictures[::2]) if beside else None
    try:
        draw_all(pictures[1::2] if drawn else pictures)
        yield
    finally:
        if drawn:
            drawn()


def _pictures(
    analysis: Analysis, walls: Walls, names: Mapping[int, str], out: Path
) -> list[Callable[[], None]]:
    """What draws the pictures, one by one, in whichever process."""
    prepared, labels = analysis.prepared, analysis.labels
    image, cells, sign = prepared.image, prepared.lattice.cells, prepared.polar_sign
    sure = analysis.confidence.posterior, analysis.near_best.of_cells
    drawn: dict[str, tuple] = {
        "label_map": (plot_label_map, image, cells, labels, walls, names, sign),
        "polarization": (plot_polarization, image, cells, labels, sign),
        "walls": (plot_walls, image, cells, labels, walls, sign),
        "confidence": (plot_confidence, image, cells, labels, *sure),
    }
    if unused_share(prepared.lattice) > UNUSED:
        drawn["unused_columns"] = unused_columns, image, prepared.lattice
    if analysis.residual is not None and has_residual_structure(analysis):
        drawn["residual_structure"] = plot_residual, image, cells, labels, analysis.residual.field
    if prepared.oxygen is not None:
        drawn["oxygen"] = plot_oxygen, image, cells, prepared.oxygen
    if cells.order is not None:
        drawn["superstructure"] = ordered, image, cells, prepared.superstructures
    return [
        *(partial(save_plot, out / f"{name}.png", *how) for name, how in drawn.items()),
        *(partial(save_mask, mask.pixels, out / mask.file) for mask in prepared.proposed_masks),
    ]
