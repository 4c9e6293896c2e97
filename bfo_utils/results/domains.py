"""Tables of domains: kind, size, and measured means of every label of the map.

A mean over a domain is less precise than its many cells suggest, because the scan displaces all
cells of a row together. The standard errors are therefore those of sums over rows, taken from the
difference of the two halves of the pixels, which holds noise and no signal; along the scan, the
remaining uncertainty of its rows, which the halves share, is added. A mistilt is no noise:
where the displacement changes across the crystal, alike inside all domains, the mean of a domain
may be off by as much, and its standard error says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import ndimage

from ..lattice import measure_strain, scan_deviation
from ..search import PreparedImage
from ..segmentation import is_nonpolar, mean_displacements
from .analysis import Analysis

DIRECTIONS = ("right", "down-right", "down", "down-left", "left", "up-left", "up", "up-right")
_STILL = 0.01  # of the cell: a map of one label moves less where it is not polar
_OTHER_MATERIAL = 0.15  # step of the amplitude of A (log) from film to substrate
_AWAY = 1.5  # cells from other labels, where the displacement is that of a domain
_TAILS = np.inf, 2.0, 1.0  # cells over which it comes near to that of a domain
_LEAST_INSIDE = 50  # cells, for a slope
_SEEN = 4.0  # times the power of noise in a slow change
_FEWEST = 4.0  # degrees of freedom of a standard error
# of the covariance of rows of cells that share columns or rows of the scan: one row, two rows apart
_NEAR = np.array([2 / 3, 1 / 3])


@dataclass(frozen=True)
class Units:
    """Units of lengths where the pixel size is known, and where it is not (all px).

    Attributes
    ----------
    short, long, area : str
        "pm", "nm" and "nm2", or px.
    per_short, per_long : float
        How many of them are in one px.

    Examples
    --------
    >>> Units.of(0.02)
    Units(short='pm', long='nm', area='nm2', per_short=20.0, per_long=0.02)
    """

    short: str = "px"
    long: str = "px"
    area: str = "px2"
    per_short: float = 1.0
    per_long: float = 1.0

    @classmethod
    def of(cls, pixel_size_nm: float | None) -> "Units":
        """The units for a pixel size."""
        return (
            cls("pm", "nm", "nm2", 1000 * pixel_size_nm, pixel_size_nm) if pixel_size_nm else cls()
        )


@dataclass(frozen=True)
class _Measured:
    """A quantity on the grid: values, half the difference of the halves, errors of the fits, and
    how much (rms) it changes slowly inside all domains alike.
    """

    values: np.ndarray
    noise: np.ndarray
    se: np.ndarray | None = None
    slow: float = 0.0


def domains_table(analysis: Analysis) -> pd.DataFrame:
    """Properties of every label of the map, one row each.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    DataFrame
        Columns ``label, name, kind, n_cells, share``, the area, and means over the cells with
        standard errors (``se_``): displacement (``px``, ``py``), size and direction of the
        polarization (``p``, ``p_angle_deg``; from x towards y, which points down), lattice
        parameters, strain, amplitudes of both sublattices; mean posterior and stability. One row of
        label 0 where there are no domains.
    """
    labels, measured = analysis.labels, _quantities(analysis)
    present = np.unique(labels[labels >= 0]).tolist()
    rows = [_row(analysis, measured, labels == label) for label in present]
    kinds = _kinds(analysis, present)
    names = _names([row["p_angle_deg"] for row in rows], kinds)
    shares = [f", {100 * row['share']:.0f} %" for row in rows]
    return pd.DataFrame(
        [
            {"label": label, "name": name + share, "kind": kind, **row}
            for label, name, share, kind, row in zip(present, names, shares, kinds, rows)
        ]
    )


def patches_table(analysis: Analysis, domains: pd.DataFrame) -> pd.DataFrame:
    """The same for every connected patch (4-connected cells of one label), the largest of a label
    first.

    Parameters
    ----------
    analysis : Analysis
    domains : DataFrame
        From :func:`domains_table`.

    Returns
    -------
    DataFrame
        Columns ``patch, label, name, kind``, the middle of the patch (``x_px``, ``y_px``), and
        those of the table of domains.
    """
    measured, xy = _quantities(analysis), analysis.prepared.lattice.cells.xy
    rows: list[dict] = []
    for label, name, kind in domains[["label", "name", "kind"]].itertuples(index=False):
        pieces, n = ndimage.label(analysis.labels == label)
        sizes = np.bincount(pieces.ravel(), minlength=n + 1)[1:]
        boxes = ndimage.find_objects(pieces)
        for piece in np.argsort(-sizes, kind="stable"):
            own = pieces[boxes[piece]] == piece + 1
            x, y = np.nanmean(xy[boxes[piece]][own], axis=0)
            begin = {"patch": len(rows), "label": label, "name": name, "kind": kind}
            row = _row(analysis, measured, own, boxes[piece])
            rows.append(begin | {"x_px": x, "y_px": y} | row)
    return pd.DataFrame(rows)


def _quantities(analysis: Analysis) -> dict[str, _Measured]:
    """All that is averaged over domains, in its unit; the first two are the displacement."""
    prepared = analysis.prepared
    cells, units, se = prepared.lattice.cells, _units(prepared), prepared.cell_errors
    strains = [measure_strain(half, prepared.strain.reference) for half in prepared.halves.cells]

    def of_cells(name: str, factor: float = 1.0, k: int | None = None) -> _Measured:
        part = (...,) if k is None else (..., k)
        one, two = (getattr(half, name)[part] for half in prepared.halves.cells)
        error = getattr(se, name)[part] * factor if hasattr(se, name) else None
        return _Measured(getattr(cells, name)[part] * factor, (one - two) / 2 * factor, error)

    found = {
        f"px_{units.short}": of_cells("polar", units.per_short, 0),
        f"py_{units.short}": of_cells("polar", units.per_short, 1),
        f"a_{units.long}": of_cells("a", units.per_long),
        f"b_{units.long}": of_cells("b", units.per_long),
        "a_over_b": _Measured(cells.a / cells.b, _half_ratio(prepared)),
        "angle_deg": of_cells("angle"),
    }
    for name, column in (
        ("rotation", "rotation_deg"),
        *((component, component) for component in ("exx", "eyy", "exy")),
    ):
        one, two = (getattr(strain, name) for strain in strains)
        found[column] = _Measured(
            getattr(prepared.strain, name), (one - two) / 2, getattr(se, name)
        )
    moved = list(found)[:2]
    slow = _slow([found[name] for name in moved], analysis.labels, scan_rows(prepared))
    found |= {name: replace(found[name], slow=slow) for name in moved}
    return found | {name: of_cells(name) for name in ("a_intensity", "b_intensity")}


def _slow(moved: list[_Measured], labels: np.ndarray, along: int) -> float:
    """Change (rms) of the displacement that is quadratic in place and the same in all labels; 0
    where no more is seen in both components than noise.
    """
    names = np.unique(labels[labels >= 0])
    away = [ndimage.distance_transform_edt((labels == n) | (labels < 0)) for n in names]
    far = np.max(away, axis=0) if len(names) > 1 else np.full(labels.shape, 1e3)
    inside = (labels >= 0) & (far > _AWAY)
    inside &= np.all([np.isfinite(m.values + m.noise) for m in moved], axis=0)
    if inside.sum() < _LEAST_INSIDE:
        return 0.0
    i, j = ((np.argwhere(inside) - np.argwhere(labels >= 0).mean(axis=0)) / max(labels.shape)).T
    slow = np.column_stack([i, j, i * i, i * j, j * j])
    own = labels[inside][:, None] == names
    levels = np.hstack([own * np.exp(-far[inside, None] / reach) for reach in _TAILS])
    lever, weight = np.linalg.qr(slow - levels @ np.linalg.lstsq(levels, slow, rcond=None)[0])
    change, noise = [], 0.0
    for quantity in moved:
        change.append(lever.T @ quantity.values[inside])
        by_chance = np.zeros((*labels.shape, lever.shape[1]))
        by_chance[inside] = lever * quantity.noise[inside, None]
        white = np.mean(quantity.noise[inside] ** 2)
        noise += np.maximum(_spread(by_chance.sum(axis=along)), white).sum()
    if np.square(change).sum() < _SEEN * noise:
        return 0.0
    return float((slow @ np.linalg.lstsq(weight, np.transpose(change), rcond=None)[0]).std())


def _half_ratio(prepared: PreparedImage) -> np.ndarray:
    one, two = (half.a / half.b for half in prepared.halves.cells)
    return (one - two) / 2


def _units(prepared: PreparedImage) -> Units:
    return Units.of(prepared.image.pixel_size_nm)


def _row(
    analysis: Analysis,
    measured: Mapping[str, _Measured],
    own: np.ndarray,
    box: tuple[slice, ...] = (slice(None), slice(None)),
) -> dict:
    """Size, means and confidence of some cells of a box of the grid."""
    prepared, units = analysis.prepared, _units(analysis.prepared)
    cells = prepared.lattice.cells
    n = int(own.sum())
    area = float(np.nanmean(cells.area[box][own])) * units.per_long**2 * n
    row = {"n_cells": n, "share": n / int(prepared.mask.sum()), f"area_{units.area}": area}
    along = scan_rows(prepared)
    left = _left_by_scan(prepared, own, box) * units.per_short
    for name, quantity in measured.items():
        row[name] = _mean(quantity.values[box][own])
        more = left if name.startswith("py_" if along == 0 else "px_") else 0.0
        row[f"se_{name}"] = float(np.hypot(_error(quantity, own, box, along), more))
        if name.startswith("py_"):
            row |= _polarization(row, units.short, prepared.polar_sign)
    for name in ("posterior", "stability"):
        row[name] = _mean(getattr(analysis.confidence, name)[box][own])
    return row


def _left_by_scan(prepared: PreparedImage, own: np.ndarray, box: tuple[slice, ...]) -> float:
    """Error (px) of the mean displacement along the scan: what is not known of its rows, which both
    halves share.
    """
    weights = np.zeros(prepared.mask.shape)
    weights[box] = own / own.sum()
    return scan_deviation(prepared.scan, prepared.lattice.cells, weights)


def scan_rows(prepared: PreparedImage) -> int:
    """Axis of the grid that rows of the scan lie along."""
    axis = prepared.scan.axis if prepared.scan.matters else prepared.halves.axis
    return 0 if axis == "y" else 1


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _error(quantity: _Measured, own: np.ndarray, box: tuple[slice, ...], along: int) -> float:
    """Standard error of a mean: of the sums over rows and their neighbors, no less than that of
    independent columns; and what changes slowly inside domains.
    """
    noise = np.where(own, quantity.noise[box], np.nan)
    n = int(np.isfinite(noise).sum())
    if not n:
        return np.nan
    sums = np.nansum(noise, axis=along)
    # of few rows the spread itself is not well known: as wide as Student's distribution is
    freedom = max(float(np.count_nonzero(sums) / (1 + 2 * _NEAR @ _NEAR)), _FEWEST)
    spread = _spread(sums) * freedom / (freedom - 2)
    fitted = 0.0 if quantity.se is None else np.nansum(np.where(own, quantity.se[box], 0) ** 2)
    return float(np.hypot(np.sqrt(max(spread, fitted)) / n, quantity.slow))


def _spread(sums: np.ndarray) -> np.ndarray:
    """Variance of the sum over all rows (the first axis), neighbors not independent."""
    near = [
        2 * weight * (sums[lag:] * sums[:-lag]).sum(axis=0) for lag, weight in enumerate(_NEAR, 1)
    ]
    return (sums**2).sum(axis=0) + sum(near)


def _polarization(row: Mapping, unit: str, sign: int) -> dict:
    """Size and direction of the mean displacement, the direction that of the arrow."""
    mean = np.array([row[f"px_{unit}"], row[f"py_{unit}"]])
    variance = np.array([row[f"se_px_{unit}"], row[f"se_py_{unit}"]]) ** 2
    size = float(np.hypot(*mean))
    share = (mean / max(size, 1e-12)) ** 2
    return {
        f"p_{unit}": size,
        f"se_p_{unit}": float(np.sqrt(share @ variance)),
        "p_angle_deg": float(np.rad2deg(np.arctan2(*(sign * mean[::-1])))),
        "se_p_angle_deg": float(np.rad2deg(np.sqrt(share[::-1] @ variance) / max(size, 1e-12))),
    }


def _kinds(analysis: Analysis, present: list[int]) -> list[str]:
    """What every label is: variant, non-polar, substrate, ordered, or a state of strain."""
    cells, labels = analysis.prepared.lattice.cells, analysis.labels
    if not cells.has_b:
        return ["state of strain"] * len(present)
    means = mean_displacements(cells.polar, labels)[1]
    alone = len(present) == 1
    still = np.hypot(*means.T) < _STILL * cells.basis.cell_px if alone else is_nonpolar(means)
    return [
        _still_kind(analysis, labels == label) if at_rest else "variant"
        for label, at_rest in zip(present, still)
    ]


def _still_kind(analysis: Analysis, own: np.ndarray) -> str:
    """Why cells have no polarization, where that can be told."""
    cells, others = analysis.prepared.lattice.cells, (analysis.labels >= 0) & ~own
    amplitude = np.log(np.maximum(cells.a_intensity, 1e-9))
    if others.any():
        step = np.nanmedian(amplitude[own]) - np.nanmedian(amplitude[others])
        if abs(step) > _OTHER_MATERIAL:
            return "substrate"
    if cells.order is None:
        return "non-polar"
    size = np.linalg.norm(cells.order, axis=-1)
    return "ordered" if _mean(size[own]) >= _mean(size[analysis.labels >= 0]) else "non-polar"


def _names(directions: list[float], kinds: list[str]) -> list[str]:
    """The direction of a variant, else the kind; equal names are numbered."""
    plain = [
        DIRECTIONS[round(direction / 45) % 8] if kind == "variant" else kind
        for direction, kind in zip(directions, kinds)
    ]
    return [
        f"{name} {plain[: k + 1].count(name)}" if plain.count(name) > 1 else name
        for k, name in enumerate(plain)
    ]
