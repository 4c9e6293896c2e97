"""Tables of walls: every segment between two domains with its direction, width, charge, and strain.

Distances across a wall are measured from a smooth line through its edges, not from the staircase of
the cells. Angles run from x (right) towards y (down); normals point from the smaller label of the
two to the larger.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import fft, sparse
from scipy.optimize import curve_fit
from scipy.spatial import cKDTree

from ..figures import to_px, wall_lines
from ..lattice import Cells
from ..search import PreparedImage
from ..segmentation import STAIRCASE_ROUGHNESS, Walls, bridge_gaps, trace_walls
from .analysis import Analysis
from .domains import Units, scan_rows

_REACH = 12.0  # cells to either side that profiles and widths are taken from
_SMOOTH = 7.0  # cells along the wall that its line is drawn through
_BESIDE = 1.0  # cells along the wall that a cell may lie beyond its end
_LEAST_CELLS = 12  # on either side, to fit a profile
_KNOTS, _MOST_KNOTS = 6.0, 60  # cells between the knots of the path of a wall; how many at most
_PATH = 0.5  # cells (rms) that a wall may lie off the line through its edges
# cells from the end of a wall, between which it tells where it ends: to the first of the far ones
# where it is straight, lying so far (rms) off a line at most
_NEAR_END, _FAR_ENDS, _BENT = 4.0, (20.0, 10.0), 0.1
_LINE_OFF, _CORNER_OFF = 0.3, 0.5  # cells: how far an edge, and a corner of cells, lie off a wall
_STRIDE, _CELL = 0.02, 0.6  # cells: of a walk to the border; half a cell, which may be deformed
_APART = 2.0  # cells from every other segment, for a profile of two variants only
_ROUNDS = 3  # of profile and path by turns
_PAIRS = 50  # of cells at a distance, to know how their noise is correlated
_WIDTHS = 0.1, 8.0  # cells: w of tanh(x / w), least and largest
_NEUTRAL = 0.26  # of the step of P, along the normal: a wall within 15 degrees of a neutral one
_ONE_SIGN = 0.5  # of the mean size of the charge: with less in sum its sign changes along the wall
_TURN = 22.5  # degrees to either side of 0, 90 and 180 in projection
_ELEMENTARY, _M_PER_NM = 1.602176634e-19, 1e-9  # C; m
_STRAIN_AWAY = 1.5  # cells: closer, the strain of a cell is averaged across the wall
_STRAIN_SHARED = 2.7  # times the scatter: the mean over neighbors (1 2 1, twice) hides noise
_SEEN = 3.0  # standard errors of a step of P that has a charge, of one of strain with directions
_TYPES = {
    0: "none visible in projection; 71 (rhombohedral)",
    90: "71 or 109 (rhombohedral); 90 (tetragonal)",
    180: "180 or 109 (rhombohedral); 180 (tetragonal)",
}
_WALL_COLUMNS = """
    segment label_1 label_2 name_1 name_2 kind length_{nm} direction_deg straightness sinuosity
    turn_deg se_turn_deg wall_types p_step_{pm} se_p_step_{pm} width_{nm} se_width_{nm}
    charge charge_share bound_charge_per_born_C_m2 bound_charge_C_m2
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
    the edge from end to end, and how far it goes along the line (back, where a bump of the map
    does); whether it is straight.
    """

    pair: np.ndarray
    middle: np.ndarray
    line: np.ndarray
    normal: np.ndarray
    edge: np.ndarray
    length: np.ndarray
    straight: np.ndarray

    def take(self, part: np.ndarray) -> "_Edges":
        """Some of them."""
        return _Edges(*(values[part] for values in vars(self).values()))


@dataclass(frozen=True)
class _Beside:
    """Cells beside a segment: their indices, distance in cells, the normal (n, 2) there, whether
    they are far from every other segment, and for them and for the E edges the weights of the k
    knots of its path, (n, k) and (E, k).
    """

    at: tuple[np.ndarray, ...]
    distance: np.ndarray
    normal: np.ndarray
    alone: np.ndarray
    knots: np.ndarray
    edge_knots: np.ndarray


@dataclass(frozen=True)
class _Step:
    """tanh(x / w) through the polarization (px): its levels on both sides, width 2 w, errors, and
    how far (cells) the wall lies off the line through its edges at every knot.
    """

    one: np.ndarray
    two: np.ndarray
    se: np.ndarray
    width: float
    se_width: float
    off: np.ndarray


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
    walls, cells = trace_walls(analysis.labels), analysis.prepared.lattice.cells
    edges, known = _edges(analysis, walls), domains.set_index("label")[["name", "kind"]]
    ends = wall_lines(cells, walls)
    rows, profiles, lines = [], [], []
    found = _beside(analysis, edges, walls)
    polar = analysis.prepared.polar_sign * cells.polar
    along = scan_rows(analysis.prepared)
    shared = _shared_noise(analysis.prepared, along)
    steps = [_fitted(beside, polar[beside.at], shared, along) for beside in found]
    edges = _to_the_end(
        cells, analysis.labels, walls, edges, _paths(cells, walls, edges, found, steps)
    )
    for k, (beside, step) in enumerate(zip(found, steps)):
        own = walls.segment == k
        rows.append({"segment": k} | _row(analysis, edges.take(own), beside, step, known))
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
    return _Edges(np.sort(sides, axis=1), middle, near @ middle, normal, edge, length, straight)


def _paths(
    cells: Cells, walls: Walls, edges: _Edges, found: list[_Beside], steps: list[_Step | None]
) -> np.ndarray:
    """Where walls run (E, 2) in px: as the profiles say, and where there is none as the edges."""
    path = edges.middle.copy()
    for k, (beside, step) in enumerate(zip(found, steps)):
        if step is not None:
            own = walls.segment == k
            off = cells.basis.cell_px * beside.edge_knots @ step.off
            path[own] = edges.line[own] + off[:, None] * edges.normal[own]
    return path


def _to_the_end(
    cells: Cells, labels: np.ndarray, walls: Walls, edges: _Edges, path: np.ndarray
) -> _Edges:
    """The edges with what the last of a segment lacks (or has too much) to where the wall ends:
    edges end at corners of cells, walls where they meet each other or the border of the crystal.
    """
    px, length, ends = cells.basis.cell_px, edges.length.copy(), wall_lines(cells, walls)
    _, at, n = np.unique(_corners(walls), return_inverse=True, return_counts=True)
    at, tree = at.reshape(-1, 2), cKDTree(edges.middle.reshape(-1, 2))
    inside = _analyzed(cells, labels)
    for corner in np.flatnonzero(n != 2).tolist():
        edge, side = np.nonzero(at == corner)
        origin = ends[edge[0], side[0]]
        near = np.asarray(tree.query_ball_point(origin, _FAR_ENDS[0] * px))
        parts = [near[walls.segment[near] == k] for k in walls.segment[edge]]
        lines = [_line((path[part] - origin) / px) for part in parts]
        end = _meeting(lines)
        if len(edge) == 1:
            end = _leaving(lines[0], lambda points, o=origin: inside(o + px * points))
        for k, part, (_, along, _) in zip(edge.tolist(), parts, lines):
            # averaged to one hand only, tangents lean towards the last edges
            last = part[np.linalg.norm(edges.middle[part] - origin, axis=1) < _SMOOTH / 2 * px]
            ahead = np.sign(edges.normal[last] @ np.array([-along[1], along[0]]))
            length[last] = ahead * (edges.edge[last] @ along)
            length[k] -= px * float(end @ along)
    return replace(edges, length=length)


def _corners(walls: Walls) -> np.ndarray:
    """Number of the corner of cells at both ends of every edge, in the order of their lines."""
    across = walls.cells[:, 1] - walls.cells[:, 0]
    ends = walls.midpoint[:, None] + np.array([-0.5, 0.5])[:, None] * across[:, None]
    column, row = np.rint(ends + 0.5).astype(int).transpose(2, 0, 1)
    return row * (int(walls.cells.max(initial=0)) + 3) + column


def _line(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """A line through points near the origin, in cells: its nearest point, its direction away from
    the origin, and how far it may be off.
    """
    away = np.linalg.norm(points, axis=1)
    for reach in _FAR_ENDS:  # a wall that is not straight has its direction from less of it
        part = points[(away > _NEAR_END) & (away < reach)]
        part = part if len(part) > 2 else points
        middle = part.mean(axis=0)
        size, axes = np.linalg.svd(part - middle, full_matrices=False)[1:]
        if size[-1] < _BENT * np.sqrt(len(part)):
            break
    along = axes[0] if len(part) > 1 else middle
    along = along / max(float(np.linalg.norm(along)), 1e-9) * (1 if along @ middle >= 0 else -1)
    off = 2 * _LINE_OFF / np.sqrt(len(part)) if len(part) > 2 else 10.0
    return middle - (middle @ along) * along, along, off


def _leaving(line: tuple[np.ndarray, np.ndarray, float], inside: Callable) -> np.ndarray:
    """Where a line leaves the analyzed cells near the origin; the origin where it does not."""
    point, along, _ = line
    at = point + np.arange(_NEAR_END, -_NEAR_END, -_STRIDE)[:, None] * along
    out = ~inside(at)
    return at[out.argmax()] if out.any() and not out[0] else np.zeros(2)


def _analyzed(cells: Cells, labels: np.ndarray) -> Callable:
    """Whether points (n, 2) in px lie in analyzed cells."""
    known, to_cells = np.isfinite(cells.xy[..., 0]), np.linalg.inv(cells.basis.vectors)
    tree = cKDTree(cells.xy[known] @ to_cells)

    def inside(xy: np.ndarray) -> np.ndarray:
        off, nearest = tree.query(xy @ to_cells, p=np.inf)
        return (labels[known] >= 0)[nearest] & (off < _CELL)

    return inside


def _meeting(lines: list[tuple[np.ndarray, np.ndarray, float]]) -> np.ndarray:
    """Point nearest to all lines, and not far from the origin."""
    matrix, right = np.eye(2) / _CORNER_OFF**2, np.zeros(2)
    for point, along, off in lines:
        normal = np.array([-along[1], along[0]])
        matrix += np.outer(normal, normal) / off**2
        right += normal * (normal @ point) / off**2
    return np.linalg.solve(matrix, right)


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
        line, others = edges.line[walls.segment == k] / px, edges.middle[walls.segment != k]
        alone = np.ones(own.sum(), bool)
        if len(others):
            alone = cKDTree(others).query(cells.xy[i[own], j[own]])[0] > _APART * px
        knots = [_knots(line, at) for at in (edges.line[nearest[own]] / px, line)]
        found.append(_Beside((i[own], j[own]), distance[own], normal[own], alone, *knots))
    return found


def _knots(line: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weights at points of a line of knots along it, that add to one at every point."""
    order, apart = [0], np.linalg.norm(line - line[0], axis=-1)
    while apart.max() > _KNOTS / 2 and len(order) < _MOST_KNOTS:
        order.append(int(apart.argmax()))
        apart = np.minimum(apart, np.linalg.norm(line - line[order[-1]], axis=-1))
    radius = max(_KNOTS, 2 * float(apart.max()))
    weights = np.exp(-2 * (np.linalg.norm(at[:, None] - line[order], axis=-1) / radius) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


def _row(
    analysis: Analysis, edges: _Edges, beside: _Beside, step: _Step | None, known: pd.DataFrame
) -> dict:
    """All that is measured at one segment."""
    units = Units.of(analysis.prepared.image.pixel_size_nm)
    one, two = edges.pair[0].tolist()
    row = {"label_1": one, "label_2": two}
    row |= {"name_1": known.loc[one, "name"], "name_2": known.loc[two, "name"]}
    row["kind"] = _kind({known.loc[one, "kind"], known.loc[two, "kind"]})
    row |= _shape(edges, units) | _polar(analysis, edges, step, units)
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


def _polar(analysis: Analysis, edges: _Edges, found: _Step | None, units: Units) -> dict:
    """Step, turn, width and charge of the polarization; empty where it is not seen."""
    if found is None:
        return {"wall_types": "", "charge": ""}
    sizes = [max(float(np.hypot(*level)), 1e-9) for level in (found.one, found.two)]
    cosine = np.clip(found.one @ found.two / np.prod(sizes), -1, 1)
    turn = float(np.rad2deg(np.arccos(cosine)))
    step = found.one - found.two
    size = max(float(np.hypot(*step)), 1e-9)
    share = edges.normal @ step / size
    error = float(np.sqrt((step / size) ** 2 @ found.se**2))
    edge = analysis.prepared.lattice.cells.basis.cell_px * units.per_long
    charge_share = float(np.average(share, weights=edges.length))
    volume = (edge * _M_PER_NM) ** 3 if units.long == "nm" else np.nan
    bound = _ELEMENTARY * charge_share * size * units.per_long * _M_PER_NM / volume
    return {
        "turn_deg": turn,
        "se_turn_deg": float(np.rad2deg(found.se.mean() * np.hypot(*(1 / np.array(sizes))))),
        "wall_types": _types(turn),
        f"p_step_{units.short}": size * units.per_short,
        f"se_p_step_{units.short}": 2 * error * units.per_short,
        f"width_{units.long}": found.width * edge,
        f"se_width_{units.long}": found.se_width * edge,
        "charge_share": charge_share,
        "bound_charge_per_born_C_m2": bound,
        "bound_charge_C_m2": bound * (analysis.prepared.born_charge or np.nan),
        "charge": _charge(share, edges.length) if size > _SEEN * 2 * error else "",
    }


def _fitted(beside: _Beside, polar: np.ndarray, shared: np.ndarray, along: int) -> _Step | None:
    """Least squares of c + h tanh((x - x0) / w) in both components, and by turns of x0 along the
    wall: off its true path the profile would be washed out. None near too few cells.
    """
    known = np.isfinite(polar[:, 0]) & beside.alone
    x, polar, knots = beside.distance[known], polar[known], beside.knots[known]
    off = np.zeros(knots.shape[1])
    if min((x < 0).sum(), (x > 0).sum()) < _LEAST_CELLS:
        return None
    low, high = (polar[side].mean(axis=0) for side in (x < 0, x > 0))
    p = np.array([*(low + high) / 2, *(high - low) / 2, 0.0, 1.0])
    bounds = [*4 * [-np.inf], -2.0, _WIDTHS[0]], [*4 * [np.inf], 2.0, _WIDTHS[1]]
    try:
        for _ in range(_ROUNDS):
            p, covariance = curve_fit(_model, x - knots @ off, polar.T.ravel(), p, bounds=bounds)
            off = _path(x, polar, knots, off, p)
    except RuntimeError:  # no fit is no width
        return None
    at = [index[known] - index[known].min() for index in beside.at]
    more = _more_than_alone(x - knots @ off, p, at if along else at[::-1], shared)
    se = np.sqrt(np.diag(covariance)) * more
    middle, half = p[:2], p[2:4]
    spread, width = np.sqrt(se[:2] ** 2 + se[2:4] ** 2), 2 * float(p[5])
    return _Step(middle - half, middle + half, spread, width, 2 * float(se[5]), off + p[4])


def _more_than_alone(
    x: np.ndarray, p: np.ndarray, at: list[np.ndarray], shared: np.ndarray
) -> np.ndarray:
    """How many times larger the errors of a fit are than those of cells that share no noise."""
    step, slope = np.tanh((x - p[4]) / p[5]), _slope(x, p)
    none, one = np.zeros(len(x)), np.ones(len(x))
    parts = [
        np.stack([one, none, step, none, slope * p[2], slope * p[2] * (x - p[4]) / p[5]]),
        np.stack([none, one, none, step, slope * p[3], slope * p[3] * (x - p[4]) / p[5]]),
    ]
    lever = np.linalg.pinv(np.hstack(parts).T)
    rows, columns = (int(index.max()) + 1 for index in at)
    lags = np.arange(-columns + 1, columns)
    variance = np.zeros(len(p))
    for k, pull in enumerate(lever):
        for component, values in zip(shared, np.split(pull, 2)):
            grid = np.zeros((rows, columns))
            grid[tuple(at)] = values
            variance[k] += (component[:, lags] * _row_products(grid)[:, lags]).sum()
    return np.sqrt(np.maximum(variance / (lever**2).sum(axis=1), 1))


def _shared_noise(prepared: PreparedImage, along: int) -> np.ndarray:
    """Correlation of the noise of both components between cells of a row, and of neighboring rows
    (counted twice, for both sides), at every distance along the rows: shape (2, 2, 2 C).
    """
    found = []
    for one, two in zip(*(np.moveaxis(half, -1, 0) for half in prepared.halves.polar)):
        noise = one - two if along else (one - two).T
        known = np.isfinite(noise)
        pairs = np.rint(_row_products(known.astype(float)))
        mean = _row_products(np.where(known, noise, 0)) / np.maximum(pairs, 1)
        found.append(np.where(pairs < _PAIRS, 0, mean) / max(mean[0, 0], 1e-30) * [[1], [2]])
    return np.array(found)


def _row_products(grid: np.ndarray) -> np.ndarray:
    """Sums of products of cells of a row, and of a row and the next, at every distance (2, 2 C)."""
    n = 2 * grid.shape[1]
    waves = fft.rfft(grid, n, axis=1)
    products = [(waves[: len(waves) - d].conj() * waves[d:]).sum(axis=0) for d in (0, 1)]
    return fft.irfft(np.array(products), n, axis=1)


def _model(x: np.ndarray, *p: float) -> np.ndarray:
    """Both components, one after the other."""
    step = np.tanh((x - p[4]) / p[5])
    return np.concatenate([p[0] + p[2] * step, p[1] + p[3] * step])


def _slope(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """How tanh((x - x0) / w) changes with x0."""
    return -1 / np.cosh(np.clip((x - p[4]) / p[5], -30, 30)) ** 2 / p[5]


def _path(
    x: np.ndarray, polar: np.ndarray, knots: np.ndarray, off: np.ndarray, p: np.ndarray
) -> np.ndarray:
    """How far the wall lies off its line at every knot: linear least squares about a profile."""
    path, half = knots @ off, p[2:4]
    left = polar - _model(x - path, *p).reshape(2, -1).T
    slope = _slope(x - path, p)
    lever = slope[:, None] * knots
    prior = left.var() / _PATH**2 * np.eye(len(off))
    # of both components, the part along the step tells where the wall lies
    seen = (left + (slope * path)[:, None] * half) @ half
    return np.linalg.solve(half @ half * lever.T @ lever + prior, lever.T @ seen)


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
