"""Walls as numbers: every segment between two domains, its direction, width, charge and strain.

Distances across a wall are measured from a smooth line through its edges, not from the staircase of
the cells. Angles run from x (right) towards y (down); normals point from the smaller label of the
two to the larger.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import curve_fit
from scipy.spatial import cKDTree

from ..figures import to_px, wall_lines
from ..segmentation import STAIRCASE_ROUGHNESS, Walls, bridge_gaps, trace_walls
from .analysis import Analysis
from .domains import Units

_REACH = 12.0  # cells to either side that profiles and widths are taken from
_SMOOTH = 7.0  # cells along the wall that its line is drawn through
_BESIDE = 1.0  # cells along the wall that a cell may lie beyond its end
_LEAST_CELLS = 12  # on either side, to fit a profile
_WIDTHS = 0.1, 8.0  # cells: w of tanh(x / w), least and largest
_NEUTRAL = 0.26  # of the step of P, along the normal: a wall within 15 degrees of a neutral one
_ONE_SIGN = 0.5  # of the mean size of the charge: with less in sum its sign changes along the wall
_TURN = 22.5  # degrees to either side of 0, 90 and 180 in projection
_ELEMENTARY, _M_PER_NM = 1.602176634e-19, 1e-9  # C; m
_STRAIN_AWAY = 1.5  # cells: closer, the strain of a cell is averaged across the wall
_STRAIN_SHARED = 2.7  # times the scatter: the mean over neighbors (1 2 1, twice) hides noise
_SEEN = 3.0  # standard errors of a strain jump that has compatible directions
_TYPES = {
    0: "none seen in projection; 71 (rhombohedral)",
    90: "71 or 109 (rhombohedral); 90 (tetragonal)",
    180: "180 or 109 (rhombohedral); 180 (tetragonal)",
}
_WALL_COLUMNS = """
    segment label_1 label_2 name_1 name_2 kind length_{nm} direction_deg straightness sinuosity
    turn_deg se_turn_deg wall_types p_step_{pm} se_p_step_{pm} width_{nm} se_width_{nm}
    charge charge_share bound_charge_per_born_C_m2
    jump_exx jump_eyy jump_exy se_jump_exx se_jump_eyy se_jump_exy
    strain_along se_strain_along compatible_deg off_compatible_deg posterior stability n_cells
"""
_PROFILE_COLUMNS = """
    segment distance_{nm} n_cells
    p_parallel_{pm} se_p_parallel_{pm} p_perpendicular_{pm} se_p_perpendicular_{pm}
    a_{nm} se_a_{nm} b_{nm} se_b_{nm} rotation_deg se_rotation_deg
    a_intensity se_a_intensity b_intensity se_b_intensity
"""


@dataclass(frozen=True)
class WallTables:
    """What is measured at the walls: a row per segment, a row per segment and distance, and for
    every segment both ends (x, y) of its edges in px, shape (E, 2, 2).
    """

    walls: pd.DataFrame
    profiles: pd.DataFrame
    lines: list[np.ndarray]


@dataclass(frozen=True)
class _Edges:
    """Edges (E,): both labels, the smaller first; in px their middle, the smooth line, its normal,
    and how far each goes along it (back, where a bump of the map does); whether it is straight.
    """

    pair: np.ndarray
    middle: np.ndarray
    line: np.ndarray
    normal: np.ndarray
    length: np.ndarray
    straight: np.ndarray

    def take(self, part: np.ndarray) -> "_Edges":
        """Some of them."""
        return _Edges(*(values[part] for values in vars(self).values()))


@dataclass(frozen=True)
class _Beside:
    """Cells beside a segment: their indices, distance in cells, and the normal (n, 2) there."""

    at: tuple[np.ndarray, ...]
    distance: np.ndarray
    normal: np.ndarray


@dataclass(frozen=True)
class _Step:
    """tanh(x / w) through the polarization (px): its levels on both sides, width 2 w, errors."""

    one: np.ndarray
    two: np.ndarray
    se: np.ndarray
    width: float
    se_width: float


def measure_walls(analysis: Analysis, domains: pd.DataFrame) -> WallTables:
    """Measure every wall segment of the map, and the profiles across it.

    Parameters
    ----------
    analysis : Analysis
    domains : DataFrame
        From :func:`bfo_utils.results.domains_table`.

    Returns
    -------
    WallTables
        Tables without rows where the map has one label.
    """
    walls = trace_walls(analysis.labels)
    edges, known = _edges(analysis, walls), domains.set_index("label")[["name", "kind"]]
    ends = wall_lines(analysis.prepared.lattice.cells, walls)
    rows, profiles, lines = [], [], []
    for k, beside in enumerate(_beside(analysis, edges, walls)):
        own = walls.segment == k
        rows.append({"segment": k} | _row(analysis, edges.take(own), beside, known))
        profiles += [{"segment": k} | bin_ for bin_ in _profile(analysis, beside)]
        lines.append(ends[own])
    units = Units.of(analysis.prepared.image.pixel_size_nm)
    return WallTables(
        pd.DataFrame(rows, columns=_columns(_WALL_COLUMNS, units)),
        pd.DataFrame(profiles, columns=_columns(_PROFILE_COLUMNS, units)),
        lines,
    )


def _columns(names: str, units: Units) -> list[str]:
    """Columns of a table, in their order."""
    return names.format(pm=units.short, nm=units.long).split()


def _edges(analysis: Analysis, walls: Walls) -> _Edges:
    """Edges with the smaller label on one hand, and what they advance a smooth line by."""
    cells = analysis.prepared.lattice.cells
    vectors, labels = cells.basis.vectors, bridge_gaps(analysis.labels)[0]
    sides = labels[walls.cells[..., 0], walls.cells[..., 1]]
    across = (walls.cells[:, 1] - walls.cells[:, 0])[:, ::-1]
    across = across * np.where(sides[:, 0] < sides[:, 1], 1, -1)[:, None]
    edge = np.stack([across[:, 1], -across[:, 0]], axis=-1) @ vectors
    middle = to_px(cells, walls.midpoint)
    near = _averaging(middle, walls.segment, _SMOOTH * cells.basis.cell_px)
    tangent = near @ edge
    tangent /= np.maximum(np.linalg.norm(tangent, axis=-1, keepdims=True), 1e-9)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=-1)
    straight = walls.roughness <= STAIRCASE_ROUGHNESS
    length = (edge * tangent).sum(axis=-1)
    return _Edges(np.sort(sides, axis=1), middle, near @ middle, normal, length, straight)


def _averaging(middle: np.ndarray, segment: np.ndarray, radius: float) -> sparse.csr_array:
    """Weights of the mean over the edges of the same segment within a radius, less with distance:
    with equal weights a tangent would lean away from its own edge wherever edges alternate, on
    diagonal walls by 4 degrees, and lengths be 6 % short.
    """
    n = len(middle)
    apart = np.column_stack([middle, segment * 3 * radius])
    pairs = (
        cKDTree(apart).query_pairs(radius, output_type="ndarray") if n else np.empty((0, 2), int)
    )
    one, two = pairs.T
    rows, columns = (np.concatenate([p, q, np.arange(n)]) for p, q in ((one, two), (two, one)))
    distance = np.linalg.norm(middle[rows] - middle[columns], axis=-1)
    weights = sparse.csr_array((1 - distance / radius, (rows, columns)), shape=(n, n))
    return sparse.diags_array(1 / np.maximum(weights.sum(axis=1), 1)) @ weights


def _beside(analysis: Analysis, edges: _Edges, walls: Walls) -> list[_Beside]:
    """For every segment the cells of its two labels that lie beside it and nearer to no other."""
    cells, labels = analysis.prepared.lattice.cells, analysis.labels
    if not walls.n_segments:
        return []
    i, j = np.nonzero((labels >= 0) & np.isfinite(cells.xy[..., 0]))
    nearest = cKDTree(edges.middle).query(cells.xy[i, j])[1]
    normal, px = edges.normal[nearest], cells.basis.cell_px
    distance = ((cells.xy[i, j] - edges.line[nearest]) * normal).sum(axis=-1) / px
    tangent = np.stack([normal[:, 1], -normal[:, 0]], axis=-1)
    along = ((cells.xy[i, j] - edges.middle[nearest]) * tangent).sum(axis=-1) / px
    kept = (np.abs(distance) <= _REACH) & (np.abs(along) <= _BESIDE)
    kept &= (edges.pair[nearest] == labels[i, j][:, None]).any(axis=1)
    found = []
    for k in range(walls.n_segments):
        own = kept & (walls.segment[nearest] == k)
        found.append(_Beside((i[own], j[own]), distance[own], normal[own]))
    return found


def _row(analysis: Analysis, edges: _Edges, beside: _Beside, known: pd.DataFrame) -> dict:
    """All that is measured at one segment."""
    units = Units.of(analysis.prepared.image.pixel_size_nm)
    one, two = edges.pair[0].tolist()
    row = {"label_1": one, "label_2": two}
    row |= {"name_1": known.loc[one, "name"], "name_2": known.loc[two, "name"]}
    row["kind"] = _kind({known.loc[one, "kind"], known.loc[two, "kind"]})
    row |= _shape(edges, units) | _polar(analysis, edges, beside, units)
    row |= _strain(analysis, beside, row["direction_deg"])
    near = np.abs(beside.distance) <= 1
    at = beside.at[0][near], beside.at[1][near]
    for name in ("posterior", "stability"):
        values = getattr(analysis.confidence, name)[at]
        row[name] = float(np.nanmean(values)) if np.isfinite(values).any() else np.nan
    return row | {"n_cells": len(beside.distance)}


def _kind(sides: set[str]) -> str:
    """What divides two kinds of domain.

    Examples
    --------
    >>> _kind({"variant"}), _kind({"variant", "substrate"}), _kind({"variant", "non-polar"})
    ('domain wall', 'interface', 'phase boundary')
    """
    if "substrate" in sides:
        return "interface"
    return "domain wall" if sides <= {"variant", "state of strain"} else "phase boundary"


def _shape(edges: _Edges, units: Units) -> dict:
    """Length, direction, straightness and sinuosity of a segment."""
    angle = np.arctan2(-edges.normal[:, 0], edges.normal[:, 1])
    double = (edges.length * np.exp(2j * angle)).sum()
    direction = np.angle(double) / 2 % np.pi
    length = float(edges.length.sum())
    main = np.linalg.svd(edges.middle - edges.middle.mean(axis=0), full_matrices=False)[2][0]
    # half an edge beyond the outermost middles, at both ends
    chord = float(np.ptp(edges.middle @ main) + np.abs(edges.length).mean())
    return {
        f"length_{units.long}": length * units.per_long,
        "direction_deg": float(np.rad2deg(direction)),
        "straightness": float(np.clip(edges.length[edges.straight].sum() / length, 0, 1)),
        "sinuosity": max(1.0, length / chord),
    }


def _polar(analysis: Analysis, edges: _Edges, beside: _Beside, units: Units) -> dict:
    """Step, turn, width and charge of the polarization; empty where it is not seen."""
    prepared = analysis.prepared
    found = _fitted(beside, prepared.polar_sign * prepared.lattice.cells.polar[beside.at])
    if found is None:
        return {"wall_types": "", "charge": ""}
    sizes = [max(float(np.hypot(*level)), 1e-9) for level in (found.one, found.two)]
    cosine = np.clip(found.one @ found.two / np.prod(sizes), -1, 1)
    turn = float(np.rad2deg(np.arccos(cosine)))
    step = found.one - found.two
    size = max(float(np.hypot(*step)), 1e-9)
    share = edges.normal @ step / size
    error = float(np.sqrt((step / size) ** 2 @ found.se**2))
    edge = prepared.lattice.cells.basis.cell_px * units.per_long
    charge_share = float(np.average(share, weights=edges.length))
    per_born = _ELEMENTARY / (edge * _M_PER_NM) ** 3 if units.long == "nm" else np.nan
    return {
        "turn_deg": turn,
        "se_turn_deg": float(np.rad2deg(found.se.mean() * np.hypot(*(1 / np.array(sizes))))),
        "wall_types": _types(turn),
        f"p_step_{units.short}": size * units.per_short,
        f"se_p_step_{units.short}": 2 * error * units.per_short,
        f"width_{units.long}": found.width * edge,
        f"se_width_{units.long}": found.se_width * edge,
        "charge_share": charge_share,
        "bound_charge_per_born_C_m2": (charge_share * size * units.per_long * _M_PER_NM * per_born),
        "charge": _charge(share, edges.length),
    }


def _fitted(beside: _Beside, polar: np.ndarray) -> _Step | None:
    """Least squares of c + h tanh((x - x0) / w) in both components; None near too few cells."""
    known = np.isfinite(polar[:, 0])
    x, polar = beside.distance[known], polar[known]
    if min((x < 0).sum(), (x > 0).sum()) < _LEAST_CELLS:
        return None

    def model(x: np.ndarray, *p: float) -> np.ndarray:
        step = np.tanh((x - p[4]) / p[5])
        return np.concatenate([p[0] + p[2] * step, p[1] + p[3] * step])

    low, high = (polar[side].mean(axis=0) for side in (x < 0, x > 0))
    start = [*(low + high) / 2, *(high - low) / 2, 0.0, 1.0]
    bounds = [*4 * [-np.inf], -2.0, _WIDTHS[0]], [*4 * [np.inf], 2.0, _WIDTHS[1]]
    try:
        p, covariance = curve_fit(model, x, polar.T.ravel(), start, bounds=bounds)
    except RuntimeError:  # no fit is no width
        return None
    se = np.sqrt(np.diag(covariance))
    middle, half = p[:2], p[2:4]
    spread = np.sqrt(se[:2] ** 2 + se[2:4] ** 2)
    return _Step(middle - half, middle + half, spread, 2 * float(p[5]), 2 * float(se[5]))


def _types(turn: float) -> str:
    """Walls that a turn in projection allows."""
    near = min(_TYPES, key=lambda angle: abs(turn - angle))
    return _TYPES[near] if abs(turn - near) <= _TURN else "none of 71, 90, 109 and 180"


def _charge(share: np.ndarray, length: np.ndarray) -> str:
    """Sign of the bound charge, minus the divergence of P, from its share along the normals."""
    total, size = (float(np.average(v, weights=length)) for v in (share, np.abs(share)))
    if size < _NEUTRAL:
        return "neutral"
    if abs(total) < _ONE_SIGN * size:
        return "mixed"
    return "head-to-head" if total > 0 else "tail-to-tail"


def _strain(analysis: Analysis, beside: _Beside, direction: float) -> dict:
    """Jump of the strain, what of it lies along the wall, and the nearest compatible direction."""
    strain, jump, se = analysis.prepared.strain, [], []
    sides = beside.distance < -_STRAIN_AWAY, beside.distance > _STRAIN_AWAY
    for name in ("exx", "eyy", "exy"):
        values = getattr(strain, name)[beside.at]
        one, two = (values[side & np.isfinite(values)] for side in sides)
        enough = min(len(one), len(two)) >= _LEAST_CELLS
        jump.append(float(two.mean() - one.mean()) if enough else np.nan)
        scatter = one.var() / len(one) + two.var() / len(two) if enough else np.nan
        se.append(float(_STRAIN_SHARED * np.sqrt(scatter)))
    t = np.deg2rad(direction)
    weights = np.array([np.cos(t) ** 2, np.sin(t) ** 2, np.sin(2 * t)])
    size, error = (np.sqrt(np.array([1, 1, 2]) @ np.square(v)) for v in (jump, se))
    allowed = _compatible(*jump) if size > _SEEN * error else []
    off = [(direction - angle + 90) % 180 - 90 for angle in allowed]
    best = min(off, key=abs, default=np.nan)
    return {
        **{f"jump_{name}": v for name, v in zip(("exx", "eyy", "exy"), jump)},
        **{f"se_jump_{name}": v for name, v in zip(("exx", "eyy", "exy"), se)},
        "strain_along": float(weights @ jump),
        "se_strain_along": float(np.sqrt(weights**2 @ np.square(se))),
        "compatible_deg": (direction - best) % 180,
        "off_compatible_deg": best,
    }


def _compatible(exx: float, eyy: float, exy: float) -> list[float]:
    """Directions in degrees along which a jump of strain stretches nothing; none if it does so
    everywhere.
    """
    mean, half = (exx + eyy) / 2, (exx - eyy) / 2
    size = np.hypot(half, exy)
    if size <= abs(mean):
        return []
    turn = np.arccos(-mean / size)
    return [float(np.rad2deg(np.arctan2(exy, half) + s * turn) / 2) for s in (-1, 1)]


def _profile(analysis: Analysis, beside: _Beside) -> list[dict]:
    """Means over the cells of one segment at every distance (bins of one cell), with errors."""
    prepared, units = analysis.prepared, Units.of(analysis.prepared.image.pixel_size_nm)
    cells, at, normal = prepared.lattice.cells, beside.at, beside.normal
    polar = prepared.polar_sign * units.per_short * cells.polar[at]
    tangent = np.stack([normal[:, 1], -normal[:, 0]], axis=-1)
    values = {
        f"p_parallel_{units.short}": (polar * tangent).sum(axis=-1),
        f"p_perpendicular_{units.short}": (polar * normal).sum(axis=-1),
        f"a_{units.long}": cells.a[at] * units.per_long,
        f"b_{units.long}": cells.b[at] * units.per_long,
        "rotation_deg": prepared.strain.rotation[at],
        "a_intensity": cells.a_intensity[at],
        "b_intensity": cells.b_intensity[at],
    }
    bins, edge = np.rint(beside.distance).astype(int), cells.basis.cell_px * units.per_long
    rows = []
    for k in np.unique(bins).tolist():
        own = bins == k
        row = {f"distance_{units.long}": k * edge, "n_cells": int(own.sum())}
        for name, column in values.items():
            known = column[own][np.isfinite(column[own])]
            n = len(known)
            row[name] = float(known.mean()) if n else np.nan
            row[f"se_{name}"] = float(known.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
        rows.append(row)
    return rows
