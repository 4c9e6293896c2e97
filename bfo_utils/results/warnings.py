"""Warnings: what a user should know about a result and can act on.

Every warning is a pair of a code, for programs, and a message, for people: what is wrong with the
image or the map, by how much, and what would help. None of them changes the result.
"""

from collections.abc import Callable

import numpy as np

from ..io import implausible_cell
from ..lattice import Lattice, row_deviation
from ..rewards import SIGNIFICANCE_LEVEL
from ..segmentation import is_nonpolar, mean_displacements
from .analysis import Analysis
from .domains import Units
from .judgment import DOMAINS, MIN_Z, REFERENCE_WORDS
from .repeats import describe_repeats, is_repeated

FEW_CELLS = 400
COARSE_PX = 10  # px per cell: below, the columns of a cell run together
SATURATED = 0.002  # of the pixels at the greatest value
MIN_DOSE = 0.2  # of the polar displacement: the error at which single cells say little
MARGIN = 1.0  # of z: its own error
DOUBTFUL = 0.05  # of the columns
UNUSED = 0.05  # of the columns that were found
HOLES = 0.02  # of the cells inside the crystal
SURE_CELL = 0.8  # posterior or recurrence below which the label of a cell is called unsure
UNSURE_CELL = 0.1  # of the analyzed cells
RESIDUAL_Z = 5.0  # of what a map leaves over, see benchmarks/judge.py
_RESIDUAL_SHARE = 0.05  # of the largest step between labels: less is of no concern
SEEN_OXYGEN = 0.7  # of the edges
TILT_CAVEAT = (
    "A single image cannot distinguish a uniform tilt from a uniform polarization, or steps of tilt"
    " between mosaic blocks from walls."
)

#: One message, or none, about an analysis.
WarningCheck = Callable[[Analysis], str]


def find_warnings(analysis: Analysis) -> list[dict[str, str]]:
    """All warnings about an analysis, in a fixed order.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    list of dict
        ``code`` and ``message`` each.
    """
    said = {code: check(analysis) for code, check in _CHECKS.items()}
    return [{"code": code, "message": message} for code, message in said.items() if message]


def position_error_px(analysis: Analysis) -> float:
    """Median standard error of one component of the polar displacement of a cell, from the fits of
    its columns, in px.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    float
    """
    return float(np.nanmedian(analysis.prepared.cell_errors.polar))


def _sublattice(analysis: Analysis) -> str:
    if analysis.prepared.lattice.cells.has_b:
        return ""
    return (
        "The second sublattice is not seen: columns fitted at the centers of the cells are not"
        " above the noise. There is no polar displacement; the map is based on lattice parameters."
    )


def _edges(analysis: Analysis) -> str:
    edges = analysis.prepared.lattice.edges
    if not edges:
        return ""
    return (
        f"Columns are found in the middle of the edges along {edges}, not at the centers of the"
        " cells. This is not a [001] image of a perovskite (another zone axis, or visible light"
        " columns); no polar displacement is measured."
    )


def _zone(analysis: Analysis) -> str:
    if analysis.prepared.lattice.zone == "001":
        return ""
    return (
        "Columns of two kinds alternate along one vector only, as in a perovskite along [110]. A"
        " cell is the parallelogram around a B column, with an angle far from 90 degrees. The polar"
        " displacement is that of B from the middle of the A columns of its row and the adjacent"
        " rows; variants refer to this projection."
    )


def _pixel_size(analysis: Analysis) -> str:
    image = analysis.prepared.image
    if image.pixel_size_nm is not None:
        return ""
    why = f" ({image.size_note})" if image.size_note else ""
    return (
        f"The pixel size is unknown{why}: lengths are in px; give --pixel-size or --lattice-nm for"
        " nm and pm."
    )


def _size_note(analysis: Analysis) -> str:
    image = analysis.prepared.image
    return (
        f"{image.size_note[:1].upper()}{image.size_note[1:]}."
        if image.pixel_size_nm and image.size_note
        else ""
    )


def _cell_edge(analysis: Analysis) -> str:
    size = analysis.prepared.image.pixel_size_nm
    return implausible_cell(size * analysis.prepared.lattice.cells.basis.cell_px) if size else ""


def _dark(analysis: Analysis) -> str:
    image = analysis.prepared.image
    if not image.inverted:
        return ""
    known = "given by --contrast dark" if image.contrast == "dark" else "found from the skewness"
    return (
        f"Columns are darker than their surroundings ({known}), as in ABF or BF: the image was"
        " inverted, also in the figures. The brighter sublattice need not be the heavier one; give"
        " --bright."
    )


def _several(analysis: Analysis) -> str:
    image = analysis.prepared.image
    if not image.others:
        return ""
    return (
        f"The file also contains other images ({image.others}); '{image.dataset}' was analyzed."
        " Choose another with --dataset."
    )


def unused_share(lattice: Lattice) -> float:
    """Fraction of the columns found that do not fit the lattice."""
    unused = len(lattice.unused_xy)
    return unused / max(1, unused + len(lattice.columns))


def _unused(analysis: Analysis) -> str:
    lattice = analysis.prepared.lattice
    share = unused_share(lattice)
    if share <= UNUSED:
        return ""
    x, y = np.median(lattice.unused_xy, axis=0)
    return (
        f"{len(lattice.unused_xy):,} of the columns found ({share:.0%}), near x = {x:.0f}, y ="
        f" {y:.0f} px, do not fit the lattice and are not analyzed: another grain or phase, or"
        " columns on a surface (see unused_columns.png). Crop the image to the region of interest."
    )


def _superstructure(analysis: Analysis) -> str:
    size = analysis.prepared.image.pixel_size_nm
    orders = [
        f"{s.sublattice} columns, wave vector {s.name}, amplitude"
        f" {1000 * size * s.amplitude_px if size else s.amplitude_px:.3g} {'pm' if size else 'px'}"
        f" along {s.direction_deg:.0f} degrees"
        for s in analysis.prepared.superstructures
    ]
    if not orders:
        return ""
    return (
        f"Displacements are ordered ({'; '.join(orders)}): a superstructure such as tilted"
        " octahedra or antipolar order. If the wave vector lies along the slow scan axis, a"
        " vibration of the scan is also possible. --evidence order uses it as reference field."
    )


def _few_cells(analysis: Analysis) -> str:
    n = int(analysis.prepared.mask.sum())
    return (
        f"Only {n} cells are analyzed: rewards are coarse; use a larger field of view."
        if n < FEW_CELLS
        else ""
    )


def _coarse(analysis: Analysis) -> str:
    edge = analysis.prepared.lattice.cells.basis.cell_px
    if edge >= COARSE_PX:
        return ""
    return (
        f"A cell is {edge:.1f} px wide, so its columns overlap; record with 12 or more pixels per"
        " cell."
    )


def _pixels(analysis: Analysis) -> str:
    invalid = 1 - analysis.prepared.image.valid.mean()
    return (
        f"{invalid:.1%} of the pixels are NaN, infinite, or far from the values around them; they"
        " were filled."
        if invalid > 0
        else ""
    )


def _saturated(analysis: Analysis) -> str:
    data = analysis.prepared.image.data
    share = float((data == data.max()).mean())
    if share <= SATURATED:
        return ""
    return (
        f"{share:.1%} of the pixels have the maximum value: the detector was saturated, and the"
        " peaks of the columns are clipped. Displacements are less precise; record with a lower"
        " gain."
    )


def _dose(analysis: Analysis) -> str:
    cells = analysis.prepared.lattice.cells
    if not cells.has_b:
        return ""
    error, size = (
        position_error_px(analysis),
        float(np.nanmedian(np.hypot(*np.moveaxis(cells.polar, -1, 0)))),
    )
    if error < MIN_DOSE * size:
        return ""
    return (
        f"Low dose: noise alone causes an error of {error:.2f} px in the polar displacement of a"
        f" cell; the median displacement is {size:.2f} px. Use means over cells, not single cells,"
        " or sum several frames."
    )


def _columns(analysis: Analysis) -> str:
    doubtful = 1 - analysis.prepared.lattice.columns.ok.mean()
    if doubtful <= DOUBTFUL:
        return ""
    return (
        f"The fit of {doubtful:.0%} of the columns is doubtful (`ok` in columns.csv):"
        " contamination, gaps, or a tilted area. Check their positions, and crop the image to a"
        " good area."
    )


def _holes(analysis: Analysis) -> str:
    inside, valid = _filled(analysis.prepared.mask), analysis.prepared.lattice.cells.valid
    missing = float((inside & ~valid).sum() / max(1, inside.sum()))
    if missing <= HOLES:
        return ""
    return (
        f"{missing:.0%} of the cells inside the crystal lack a column and have no label; walls end"
        " at such gaps."
    )


def _filled(mask: np.ndarray) -> np.ndarray:
    """Everything between the first and the last analyzed cell of its row."""
    return (
        np.maximum.accumulate(mask, axis=1) & np.maximum.accumulate(mask[:, ::-1], axis=1)[:, ::-1]
    )


def nonpolar_labels(analysis: Analysis) -> list[int]:
    """Labels whose mean polar displacement is small compared with the others, see
    :func:`bfo_utils.segmentation.is_nonpolar`.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    list of int
        Empty where there is one label only, or no second sublattice.
    """
    cells, labels = analysis.prepared.lattice.cells, analysis.labels
    if not cells.has_b:
        return []
    names, means = mean_displacements(cells.polar, labels)
    return names[is_nonpolar(means)].tolist()


def _substrate(analysis: Analysis) -> str:
    nonpolar, labels = nonpolar_labels(analysis), analysis.labels
    if not nonpolar:
        return ""
    share = sum((labels == name).sum() for name in nonpolar) / (labels >= 0).sum()
    return (
        f"Label {', '.join(map(str, nonpolar))} ({share:.0%} of the cells) is nearly non-polar: a"
        " substrate, another phase, or a mixture of domains that are too small to resolve. Exclude"
        " it from statements about the variants."
    )


def _margin(analysis: Analysis) -> str:
    best = max((a.judged.z for a in analysis.judgment.answers.values()), default=0.0)
    if abs(best - MIN_Z) > MARGIN:
        return ""
    return (
        "The verdict is close to its threshold: the pattern of one half of the data is found in the"
        f" other with z = {best:.1f}; the threshold is {MIN_Z}. Repeat the analysis with another"
        " image of the same area, or with more dose."
    )


def _chance(analysis: Analysis) -> str:
    tested = analysis.surrogates
    if analysis.verdict != DOMAINS or tested.is_significant:
        return ""
    return (
        f"The total of the map ({tested.total:.2f}) is not significantly above those of surrogates:"
        f" p = {tested.p_shifted:.2f} among {len(tested.shifted)} shifted and"
        f" {tested.p_permuted:.2f} among {len(tested.permuted)} permuted ones; at most"
        f" {SIGNIFICANCE_LEVEL} is needed. Walls and"
        f" {REFERENCE_WORDS[analysis.prepared.reference.kind]} may be unrelated; look at both"
        " before you trust the map."
    )


def has_residual_structure(analysis: Analysis) -> bool:
    """Whether the map leaves a significant part of the polar displacement unexplained.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    bool
    """
    left = analysis.residual
    if left is None or left.z < RESIDUAL_Z:
        return False
    means = mean_displacements(analysis.prepared.lattice.cells.polar, analysis.labels)[1]
    step = max(np.hypot(*(one - two)) for one in means for two in means)
    return bool(left.rms >= _RESIDUAL_SHARE * step)


def _residual(analysis: Analysis) -> str:
    left = analysis.residual
    if left is None or not has_residual_structure(analysis):
        return ""
    size = analysis.prepared.image.pixel_size_nm
    rms = f"{1000 * size * left.rms:.2g} pm" if size else f"{left.rms:.2g} px"
    return (
        f"The map is incomplete: within its labels the polar displacement has structure of {rms}"
        f" (rms) in both halves of the data (z = {left.z:.1f}; noise gives 0 ± 1). Possible causes"
        " are another domain, stripes, a gradient, or scan errors; residual_structure.png shows the"
        " positions."
    )


def _unsure(analysis: Analysis) -> str:
    if analysis.verdict != DOMAINS:
        return ""
    values = {
        "posterior": analysis.confidence.posterior,
        "recurrence": analysis.near_best.of_cells,
    }
    share = {
        name: float((v[analysis.prepared.mask] < SURE_CELL).mean()) for name, v in values.items()
    }
    if max(share.values()) <= UNSURE_CELL:
        return ""
    return (
        f"Many labels are uncertain: {share['posterior']:.0%} of the cells have a posterior, and"
        f" {share['recurrence']:.0%} a recurrence in nearly as good maps, below {SURE_CELL:.1f}"
        " (columns of cells.csv). Trust only the cells above this value."
    )


def _scan(analysis: Analysis) -> str:
    scan = analysis.prepared.scan
    if not scan.matters:
        return ""
    done = "the image was not corrected, because cells or an ordered displacement would be lost"
    if scan.corrected:
        done = "they were shifted back before the columns were fitted"
    elif analysis.prepared.image.positions is not None:
        done = "the image was not corrected, because the columns were given"
    return (
        f"The scan displaced its rows along {scan.axis} by {scan.rms_px:.2f} px (rms), an apparent"
        f" polar displacement of {scan.polar_rms_px / scan.cell_px:.1%} of a cell: {done}."
    )


def _shared_noise(analysis: Analysis) -> str:
    halves = analysis.prepared.halves
    if halves.independent:
        return ""
    return (
        f"The noise of neighboring pixels has a correlation of {halves.correlation:.2f} (a"
        " resampled or smoothed image): the two halves of the pixels are not independent, and"
        " standard errors are too small. The verdict assumes a larger noise; use the image as"
        " recorded."
    )


def _scan_along(analysis: Analysis) -> str:
    scan, cells = analysis.prepared.scan, analysis.prepared.lattice.cells
    if not scan.along or not cells.has_b or not scan.matters:
        return ""
    size = analysis.prepared.image.pixel_size_nm
    limit = (
        f"{3000 * size * row_deviation(scan, cells):.1f} pm"
        if size
        else f"{3 * row_deviation(scan, cells):.3f} px"
    )
    return (
        "Rows of cells are parallel to the scan: a polar displacement that differs only from row to"
        f" row can be a scan error, which explains up to {limit} between rows. Rotate the scan"
        " relative to the crystal, or average frames."
    )


def _tilt(analysis: Analysis) -> str:
    how = analysis.prepared.tilt
    if how == "none" or (found := analysis.prepared.measured_tilt) is None:
        return ""
    units = Units.of(analysis.prepared.image.pixel_size_nm)
    x, y = found.constant(how) * units.per_short
    parts = [f"({x:.3g}, {y:.3g}) {units.short}"] if x or y else []
    if how == "smooth":
        parts.append(f"its slow variation ({found.rms * units.per_short:.3g} {units.short} rms)")
    return (
        f"--tilt {how}: {' and '.join(parts)} was subtracted from the polar displacement of every"
        f" cell. {TILT_CAVEAT}"
    )


def _oxygen(analysis: Analysis) -> str:
    found = analysis.prepared.oxygen
    if found is None or found.seen >= SEEN_OXYGEN:
        return ""
    return (
        f"In the second channel, oxygen columns are found at only {found.seen:.0%} of the cell"
        f" edges (channel shift {found.shift_px[0]:.2f}, {found.shift_px[1]:.2f} px); octahedral"
        " tilts are missing where one of four is. Use a channel that shows light columns, ABF or"
        " iDPC, along [001]."
    )


def _proposed(analysis: Analysis) -> str:
    found = analysis.prepared.proposed_masks
    if not found:
        return ""
    parts = "; ".join(
        f"{m.kind}, {m.share:.0%} of the image ({m.reason}), --exclude {m.file}" for m in found
    )
    return (
        f"Some areas of the image may need to be excluded, but were analyzed: {parts}. Check the"
        " masks of these names beside result.json, edit them if necessary, and repeat with"
        " --exclude."
    )


def _seed(analysis: Analysis) -> str:
    changed = [r for r in analysis.repeats if not is_repeated(analysis.verdict, r)]
    if not changed:
        return ""
    said = describe_repeats(analysis.verdict, changed)
    return (
        f"The result depends on the seed of the search: {said}. Trust only what recurs (check in"
        " result.json), or increase the budget."
    )


_CHECKS: dict[str, WarningCheck] = {
    "second_sublattice_not_seen": _sublattice,
    "columns_at_edges": _edges,
    "zone_axis": _zone,
    "unused_columns": _unused,
    "superstructure": _superstructure,
    "dark_columns": _dark,
    "no_pixel_size": _pixel_size,
    "pixel_size": _size_note,
    "implausible_cell": _cell_edge,
    "several_images": _several,
    "few_cells": _few_cells,
    "coarse_pixels": _coarse,
    "invalid_pixels": _pixels,
    "saturated": _saturated,
    "low_dose": _dose,
    "doubtful_columns": _columns,
    "missing_cells": _holes,
    "scan_distortion": _scan,
    "rows_along_scan": _scan_along,
    "proposed_masks": _proposed,
    "tilt_subtracted": _tilt,
    "oxygen_not_seen": _oxygen,
    "shared_noise": _shared_noise,
    "substrate": _substrate,
    "thin_margin": _margin,
    "no_better_than_chance": _chance,
    "unsure_labels": _unsure,
    "residual_structure": _residual,
    "depends_on_seed": _seed,
}
