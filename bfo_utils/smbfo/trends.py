"""Trends over a series: variants, walls, displacement and lattice of every image, compared with the
authors' numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..results import DOMAINS, Analysis
from ..rewards import CORRELATION_LAG, autocorrelation
from ..search import PreparedImage
from ..segmentation import N_VARIANTS, Walls, mean_displacements, trace_walls, variant_numbers
from .agreement import match_cells, series_polar_order
from .composition import Finding, Member

#: Directions of the variants in the image, in the order of the labels and colors 0 to 3, and the
#: name for cells without a variant.
DIRECTIONS = ("right-down", "left-down", "left-up", "right-up")
NO_VARIANT = "no variant"
#: Columns of :func:`trends_table` with the authors' arrays, each with our column for comparison.
AUTHORS = {
    "Pxy": "displacement",
    "authors_a": "a",
    "authors_b": "b",
    "alpha": "angle",
    "Vol": "area",
}


def trends_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Everything measured in a series, one row per image.

    Parameters
    ----------
    findings : sequence of Finding

    Returns
    -------
    DataFrame
        ``id, samarium``; the ``verdict`` on the better of both maps; ``total_default, total_own,
        total_joint``; of the better map ``walls``, cells of wall between variants per 100 cells of
        crystal, and the share of every direction of :data:`DIRECTIONS` and of no variant;
        ``displacement``, ``coherent`` (pm, or px if the pixel size is unknown), ``order``; the
        medians of ``a``, ``b`` (nm or px), ``angle`` (degrees), ``area`` (nm² or px²); and the
        medians of the authors' ``Pxy`` (its length), ``authors_a``, ``authors_b``, ``alpha``,
        ``Vol`` at the same cells, in their units.
    """
    return pd.DataFrame([_row(f) for f in findings])


def _row(finding: Finding) -> dict:
    member, best, variants = finding.member, finding.best, variant_map(finding.best)
    totals = {"default": best.default, "own": finding.own.tuned, "joint": finding.joint.tuned}
    return {
        "id": member.id,
        "samarium": member.samarium,
        "verdict": best.verdict,
        **{f"total_{name}": outcome.rewards["total"] for name, outcome in totals.items()},
        "walls": 100
        * float(walls_between(variants).length.sum())
        / int(member.prepared.mask.sum()),
        **variant_shares(variants),
        **measured_means(member.prepared),
        **_authors(member),
    }


def variant_map(analysis: Analysis) -> np.ndarray:
    """The map of an analysis with its clusters joined by the variant of their mean displacement,
    see :func:`bfo_utils.segmentation.variant_numbers`.

    Non-polar clusters (for example the substrate) and clusters along an axis of the cell have no
    variant. The same holds for crystals without domains or without a visible second sublattice.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    ndarray of int, shape (R, C)
        Index of one of :data:`DIRECTIONS`, 4 for no variant, -1 outside the analyzed mask.
    """
    cells, labels = analysis.prepared.lattice.cells, analysis.labels
    out = np.where(labels >= 0, len(DIRECTIONS), -1)
    if analysis.verdict != DOMAINS or not cells.has_b:
        return out
    names, means = mean_displacements(cells.polar, labels)
    for name, k in zip(names, variant_numbers(means, cells.basis.vectors[0]), strict=True):
        if 0 <= k < N_VARIANTS:
            out[labels == name] = k
    return out


def variant_shares(variants: np.ndarray) -> dict[str, float]:
    """Share of the analyzed cells in every variant.

    Parameters
    ----------
    variants : ndarray of int, shape (R, C)
        From :func:`variant_map`.

    Returns
    -------
    dict of str to float
        Sums to 1; keys are :data:`DIRECTIONS` and :data:`NO_VARIANT`.

    Examples
    --------
    >>> variant_shares(np.array([[0, 0, 1, 4, -1]]))
    {'right-down': 0.5, 'left-down': 0.25, 'left-up': 0.0, 'right-up': 0.0, 'no variant': 0.25}
    """
    counts = np.bincount(variants[variants >= 0], minlength=len(DIRECTIONS) + 1)
    return dict(zip((*DIRECTIONS, NO_VARIANT), (counts / counts.sum()).tolist(), strict=True))


def walls_between(variants: np.ndarray) -> Walls:
    """Walls between variants; cells without a variant are left out.

    Parameters
    ----------
    variants : ndarray of int, shape (R, C)
        From :func:`variant_map`.

    Returns
    -------
    Walls

    Examples
    --------
    >>> walls_between(np.array([[0, 1, 4]] * 5)).length.sum()
    np.float64(5.0)
    """
    return trace_walls(np.where(variants < len(DIRECTIONS), variants, -1))


def measured_means(prepared: PreparedImage) -> dict[str, float]:
    """Displacement, its order, and lattice parameters of the analyzed cells; NaN for quantities
    that cannot be measured.

    Parameters
    ----------
    prepared : PreparedImage

    Returns
    -------
    dict of str to float
        See :func:`trends_table`. ``displacement`` is the median length of the polar displacement,
        which noise alone keeps above zero; ``order`` its autocorrelation over three cells, which is
        zero for noise.
    """
    cells, mask, size = prepared.lattice.cells, prepared.mask, prepared.image.pixel_size_nm
    polar = np.where(mask[..., None], cells.polar, np.nan)
    small, length = (1000 * size, size) if size else (1.0, 1.0)
    return {
        "displacement": small * _median(np.hypot(*np.moveaxis(polar, -1, 0))),
        "coherent": small * coherent_length(polar),
        "order": autocorrelation(polar) if cells.has_b else np.nan,
        "a": length * _median(cells.a[mask]),
        "b": length * _median(cells.b[mask]),
        "angle": _median(cells.angle[mask]),
        "area": length**2 * _median(cells.area[mask]),
    }


def coherent_length(field: np.ndarray, lag: int = CORRELATION_LAG) -> float:
    """Root of the mean scalar product of a vector field in cells some distance apart: its spatially
    correlated part.

    Measurement noise is independent from cell to cell, so it averages out. Pairs on the two sides
    of a wall lower the value.

    Parameters
    ----------
    field : ndarray, shape (R, C, K)
        NaN where unknown.
    lag : int
        Distance in cells, along both axes.

    Returns
    -------
    float
        In the unit of the field; NaN if nothing is known.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 1, (60, 60, 2))
    >>> coherent_length(noise) < 0.2, round(coherent_length(noise + [3, 4]), 1)
    (True, 5.0)
    """
    products = np.concatenate(
        [
            (field[:, :-lag] * field[:, lag:]).sum(-1).ravel(),
            (field[:-lag] * field[lag:]).sum(-1).ravel(),
        ]
    )
    known = products[np.isfinite(products)]
    return float(np.sqrt(max(known.mean(), 0.0))) if len(known) else np.nan


def _authors(member: Member) -> dict[str, float]:
    """Medians of the authors' arrays over the cells that we analyze; NaN where absent."""
    if member.comparison is None or member.parameters is None:
        return dict.fromkeys(AUTHORS, np.nan)
    cells = member.prepared.lattice.cells
    theirs, ours, _ = match_cells(member.parameters, cells, member.comparison.positions)
    same = theirs[member.prepared.mask.ravel()[ours]]
    values = {c: member.parameters.scalar(c.removeprefix("authors_")) for c in AUTHORS}
    return {
        column: np.nan if v is None else _median(v.ravel()[same]) for column, v in values.items()
    }


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else np.nan


def relative_to_first(frame: pd.DataFrame, column: str) -> pd.Series:
    """A column of :func:`trends_table` relative to its mean over the images with the least
    samarium, without a unit.

    Examples
    --------
    >>> table = pd.DataFrame({"samarium": [0, 0, 20], "a": [3.0, 5.0, 2.0]})
    >>> relative_to_first(table, "a").tolist()
    [0.75, 1.25, 0.5]
    """
    return frame[column] / frame.loc[frame["samarium"] == frame["samarium"].min(), column].mean()


def trend_curves(frame: pd.DataFrame, calibrated: bool) -> dict[str, dict[str, pd.Series]]:
    """Data of a table for :func:`bfo_utils.figures.plot_over_composition`: the loss of
    ferroelectric order, walls, and the lattice.

    Parameters
    ----------
    frame : DataFrame
        From :func:`trends_table`.
    calibrated : bool
        Whether lengths are in nm and pm; otherwise they are in px.

    Returns
    -------
    dict of str to (dict of str to Series)
        Named quantities by the label of their panel.
    """
    small, length = ("pm", "nm") if calibrated else ("px", "px")
    return {
        f"displacement ({small})": {
            "median length": frame["displacement"],
            "coherent": frame["coherent"],
        },
        "order": {"order": frame["order"]},
        "wall per 100 cells": {"walls": frame["walls"]},
        f"edge ({length})": {"a": frame["a"], "b": frame["b"]},
        "angle (degrees)": {"angle": frame["angle"]},
        f"area ({length}²)": {"area": frame["area"]},
    }


def curves_beside_authors(
    frame: pd.DataFrame, theirs_are: str = "authors"
) -> dict[str, dict[str, pd.Series]]:
    """The authors' numbers and ours, relative to the least samarium, for
    :func:`bfo_utils.figures.plot_over_composition`.

    Parameters
    ----------
    frame : DataFrame
        From :func:`trends_table`.
    theirs_are : str
        Name for the arrays of the parameter files, which come from the authors only for the real
        series.

    Returns
    -------
    dict of str to (dict of str to Series)
        ``ours`` and theirs by the authors' names of the arrays.
    """
    return {
        theirs.removeprefix("authors_"): {
            "ours": relative_to_first(frame, ours),
            theirs_are: relative_to_first(frame, theirs),
        }
        for theirs, ours in AUTHORS.items()
    }


@dataclass(frozen=True)
class OrderBoundary:
    """Samarium content at which the displacement vanishes, in %, with the ends of its 95 %
    interval; infinite if it is outside the range of the series.
    """

    content: float
    low: float
    high: float

    def __str__(self) -> str:
        reach = "without limit" if np.isinf(self.high) else f"{self.high:.1f}"
        return f"{self.content:.1f} % Sm (95 % interval {self.low:.1f} to {reach})"


def order_boundary(
    samarium: Sequence[float], coherent: Sequence[float], repeats: int = 500, seed: int = 0
) -> OrderBoundary:
    """Content at which the coherent displacement vanishes: x0 of P^2 = c + k max(x0 - x, 0), fitted
    by least squares.

    The square of an order parameter decreases linearly toward a continuous transition; c, at least
    0, is the remainder due to mistilt. The interval comes from a bootstrap of the residuals. It
    reflects the scatter of images about the law, but does not test the law. In simulated tables it
    contained the true content in 70 to 97 of 100 cases, least often with two images per composition
    on a steep curve.

    Parameters
    ----------
    samarium : sequence of float, length N
        Content of every image in %.
    coherent : sequence of float, length N
        Coherent displacement, in any unit.
    repeats : int
        Bootstrap samples.
    seed : int

    Returns
    -------
    OrderBoundary

    Examples
    --------
    >>> x = np.repeat([0, 5, 10, 15], 2)
    >>> order_boundary(x, np.sqrt(np.maximum(12 - x, 0))).content
    12.0
    """
    x, squares = np.asarray(samarium, float), np.asarray(coherent, float) ** 2
    content, fitted = _vanishes_at(x, squares)
    rng = np.random.default_rng(seed)
    free = max(len(x) - 3, 1)
    scatter = (squares - fitted) * np.sqrt(len(x) / free)
    found = [_vanishes_at(x, fitted + rng.choice(scatter, len(x)))[0] for _ in range(repeats)]
    low, high = np.quantile(found, [0.025, 0.975], method="nearest")
    return OrderBoundary(content, float(low), float(high))


def _vanishes_at(x: np.ndarray, squares: np.ndarray) -> tuple[float, np.ndarray]:
    """The content that fits best, in steps of 0.1 %, infinite at the end of those tried; and the
    squares that the law gives (N,).
    """
    tried = np.arange(np.unique(x)[1], 2 * x.max() + 0.05, 0.1)
    slopes = np.maximum(tried[:, None] - x, 0)
    k, c = np.maximum(_line(slopes, squares), 0)
    fitted = c[:, None] + k[:, None] * slopes
    misfit = ((squares - fitted) ** 2).sum(axis=1)
    # where the end lies beyond the series, all contents beyond fit alike: the last one counts
    best = int(np.flatnonzero(misfit <= misfit.min() + 1e-9 * (squares**2).sum())[-1])
    return float(np.inf if best == len(tried) - 1 else round(tried[best], 1)), fitted[best]


def _line(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slopes and offsets of least-squares lines through y over every row of x, (2, T)."""
    mean = x.mean(axis=1, keepdims=True)
    slope = ((x - mean) * (y - y.mean())).sum(axis=1) / ((x - mean) ** 2).sum(axis=1)
    offset = y.mean() - slope * mean[:, 0]
    through = (x * y).sum(axis=1) / (x**2).sum(axis=1)  # where the offset would be negative
    return np.array([np.where(offset < 0, through, slope), offset])


def agreements(members: Sequence[Member]) -> tuple[str, pd.DataFrame]:
    """Agreement of the authors' cells with ours in every image, with the reading of ``Pxy`` for the
    whole series.

    Parameters
    ----------
    members : sequence of Member

    Returns
    -------
    order : {"xy", "yx", ""}
        The reading, see :func:`bfo_utils.smbfo.series_polar_order`; empty if no image can be
        compared.
    frame : DataFrame
        One row per member: ``id, samarium, matched, explained``, the ``scale`` of ``Pxy`` in x and
        y (their unit per px), ``opposed``, the ``correlation`` of edges, angle and area, and a
        ``note`` if nothing can be compared.
    """
    known = [m.comparison for m in members if m.comparison]
    order = series_polar_order(known) if known else ""
    return order, pd.DataFrame([_agreement(m, order) for m in members])


def _agreement(member: Member, order: str) -> dict:
    row = {"id": member.id, "samarium": member.samarium, "note": member.note}
    if member.comparison is None:
        return row
    reading = next(r for r in member.comparison.readings if r.order == order)
    numbers = member.comparison.table
    alike = {f"correlation_{r.theirs}_{r.ours}": r.correlation for r in numbers.itertuples()}
    return row | {
        "matched": member.comparison.matched,
        "explained": reading.explained,
        "scale_x": reading.slope[0],
        "scale_y": reading.slope[1],
        "opposed": reading.opposed,
        **alike,
    }
