"""Comparison of the authors' unit cells with ours: which reading of their arrays agrees with the
image, and how well.

Their files state neither the order of x and y in ``Pxy`` and ``xy_COM`` nor the units. Both orders
are compared with our own measurement of the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from ..errors import InputError
from ..lattice import Cells
from .parameterization import POLAR_ORDERS, Parameterization

_DECIDES = (
    0.05  # difference in explained share from which one reading of Pxy counts as the right one
)
_SAME_PLACE = 1 / 3  # of a cell: closer than this, a cell of the authors is one of ours
_WILD = (
    10.0  # median absolute deviations: farther out, a cell is no part of a comparison of numbers
)
_LEAST = 36  # cells, for a comparison


@dataclass(frozen=True)
class Agreement:
    """How well one reading of ``Pxy`` agrees with the polar displacement measured in the image.

    Attributes
    ----------
    order : {"xy", "yx"}
        The reading.
    explained : float
        Share of the variance of the measured displacement that ``Pxy`` explains, each component
        scaled separately; 1 is perfect, 0 is none.
    slope : tuple of float
        Units of ``Pxy`` per px of measured displacement, for x and y: the ratio of their root mean
        squares, negative where ``Pxy`` points the other way.
    correlation : tuple of float
        Pearson's r of the components.
    rms_px : float
        Root mean square of the residual of the measured displacement, in px.
    opposed : float
        Share of the more polarized half of the cells in which the direction of the scaled ``Pxy``
        differs by more than 45 degrees.
    """

    order: str
    explained: float
    slope: tuple[float, float]
    correlation: tuple[float, float]
    rms_px: float
    opposed: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Comparison of the authors' cells with ours.

    Attributes
    ----------
    positions : {"xy", "yx"}
        Reading of ``xy_COM`` that places the authors' cells on ours.
    matched : float
        Share of the authors' cells at the position of one of ours.
    offset_px : float
        Median distance between the two centers of a matched cell.
    readings : tuple of Agreement
        Both readings of ``Pxy``, the better one first.
    decided : bool
        Whether the better one is clearly better, with most cells matched. This is not the case if
        the displacement vanishes or is equal in x and y.
    table : DataFrame
        Numbers that compare ``a``, ``b``, ``alpha`` and ``Vol`` with what was measured: ``theirs``,
        ``ours``, ``n``, ``correlation``, ``slope`` (their unit per ours), ``ratio`` of the medians.
    """

    positions: str
    matched: float
    offset_px: float
    readings: tuple[Agreement, Agreement]
    decided: bool
    table: pd.DataFrame = field(repr=False)

    @property
    def order(self) -> str:
        """The better reading of ``Pxy``."""
        return self.readings[0].order

    def lines(self) -> list[str]:
        """The comparison in words and numbers, for a report."""
        best, second = self.readings
        verdict = "" if self.decided else " (not decided by this image)"
        return [
            (
                f"{self.matched:.1%} of the authors' cells match, median distance"
                f" {self.offset_px:.2f} px; xy_COM holds {self.positions}"
            ),
            (
                f"Pxy holds {best.order}{verdict}: explains {best.explained:.1%} of the measured"
                f" displacement, as {second.order} {second.explained:.1%}"
            ),
            (
                f"Pxy per measured px: {best.slope[0]:.4g} in x, {best.slope[1]:.4g} in y;"
                f" {best.rms_px:.3f} px rms unexplained; {best.opposed:.1%} of the more polarized"
                " cells differ by more than 45 degrees"
            ),
        ]


def compare_parameters(parameters: Parameterization, cells: Cells) -> Comparison:
    """Compare the authors' cells with those measured in the image.

    Cells are matched by position. A reading of ``xy_COM`` is right if it places the authors' cells
    on ours. If both do, which is possible for a square lattice, y is the row that increases with
    the first index of ``ab``. A reading of ``Pxy`` is the better one if it explains more of the
    measured polar displacement.

    Parameters
    ----------
    parameters : Parameterization
    cells : Cells
        Cells of the lattice of the image, with a measured polar displacement.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If fewer than 36 cells match or have a finite ``Pxy``, or the image does not show the second
        sublattice.
    """
    if not cells.has_b:
        raise InputError(
            "the second sublattice is not visible in the image, so there is no polar displacement"
            " to compare with"
        )
    found = {order: match_cells(parameters, cells, order) for order in POLAR_ORDERS}
    shares = {order: len(m[0]) / parameters.n for order, m in found.items()}
    likely = _order_by_index(parameters)
    unlikely = POLAR_ORDERS[1 - POLAR_ORDERS.index(likely)]
    positions = unlikely if shares[unlikely] > shares[likely] + 0.1 else likely
    theirs, ours, distance = found[positions]
    if len(theirs) < _LEAST:
        raise InputError(
            f"only {len(theirs)} of {parameters.n} cells of the parameter file lie on cells of the"
            " image; give files that belong together"
        )
    measured = cells.polar.reshape(-1, 2)[ours]
    readings = [
        _agreement(parameters.vector("Pxy", o).reshape(-1, 2)[theirs], measured, o)
        for o in POLAR_ORDERS
    ]
    best, second = sorted(readings, key=lambda reading: -reading.explained)
    decided = shares[positions] > 0.5 and best.explained - second.explained > _DECIDES
    return Comparison(
        positions,
        shares[positions],
        float(np.median(distance)),
        (best, second),
        decided,
        _table(parameters, cells, theirs, ours),
    )


def match_cells(
    parameters: Parameterization, cells: Cells, order: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of the authors' cells and ours at the same position.

    Parameters
    ----------
    parameters : Parameterization
    cells : Cells
    order : {"xy", "yx"}
        Reading of ``xy_COM``.

    Returns
    -------
    theirs, ours : ndarray of int, shape (M,)
        Flat indices of matched cells on the authors' grid and on ours.
    distance : ndarray, shape (M,)
        Between their centers, in px.
    """
    xy = parameters.vector("xy_COM", order).reshape(-1, 2)
    known, valid = np.nonzero(np.isfinite(xy).all(axis=1))[0], np.nonzero(cells.valid.ravel())[0]
    distance, nearest = cKDTree(cells.xy.reshape(-1, 2)[valid]).query(xy[known])
    near = distance < _SAME_PLACE * cells.basis.cell_px
    return known[near], valid[nearest[near]], distance[near]


def series_polar_order(comparisons: Sequence[Comparison]) -> str:
    """The reading of ``Pxy`` that agrees better with several images; files of one series share the
    convention.

    An image without polarization has almost no weight.

    Parameters
    ----------
    comparisons : sequence of Comparison

    Returns
    -------
    {"xy", "yx"}
    """
    total = {
        o: sum(r.explained for c in comparisons for r in c.readings if r.order == o)
        for o in POLAR_ORDERS
    }
    return max(POLAR_ORDERS, key=lambda order: total[order])


def _order_by_index(parameters: Parameterization) -> str:
    """The reading of ``xy_COM`` in which the first index of ``ab`` runs down the image."""
    steps = np.nanmedian(np.abs(np.diff(parameters.grid["xy_COM"], axis=0)), axis=(0, 1))
    return "xy" if steps[1] >= steps[0] else "yx"


def _agreement(theirs: np.ndarray, measured: np.ndarray, order: str) -> Agreement:
    """Fit the variations of the measured displacement by a reading of ``Pxy``, both (N, 2)."""
    tame = _tame(theirs) & _tame(measured)
    if tame.sum() < _LEAST:
        raise InputError(f"only {tame.sum()} cells have a finite Pxy; at least {_LEAST} are needed")
    theirs, measured = theirs[tame], measured[tame]
    one, two = theirs - theirs.mean(axis=0), measured - measured.mean(axis=0)
    cross, own, other = (one * two).sum(axis=0), (one**2).sum(axis=0), (two**2).sum(axis=0)
    left = two - one * cross / np.maximum(own, 1e-300)
    slope = np.where((theirs * measured).sum(axis=0) < 0, -1, 1) * np.sqrt(
        (theirs**2).sum(axis=0) / (measured**2).sum(axis=0)
    )
    return Agreement(
        order,
        float(1 - (left**2).sum() / other.sum()),
        tuple(slope.tolist()),
        tuple((cross / np.sqrt(np.maximum(own * other, 1e-300))).tolist()),
        float(np.sqrt((left**2).sum(axis=1).mean())),
        _opposed(theirs / np.where(slope == 0, 1, slope), measured),
    )


def _opposed(scaled: np.ndarray, measured: np.ndarray) -> float:
    """Share of the longer half of measured vectors that differ by more than 45 degrees."""
    length = np.hypot(*measured.T)
    opposed = (scaled * measured).sum(axis=1) < np.cos(np.pi / 4) * length * np.hypot(*scaled.T)
    return float(opposed[length >= np.median(length)].mean())


def _tame(values: np.ndarray) -> np.ndarray:
    """Rows that are finite and not far beyond all others."""
    finite = np.isfinite(values).all(axis=1)
    if not finite.any():
        return finite
    center = np.median(values[finite], axis=0)
    spread = np.median(np.abs(values[finite] - center), axis=0)
    return finite & (
        np.abs(np.where(finite[:, None], values, np.inf) - center) <= _WILD * spread
    ).all(axis=1)


def _table(
    parameters: Parameterization, cells: Cells, theirs: np.ndarray, ours: np.ndarray
) -> pd.DataFrame:
    """The authors' cell edges, angle and volume beside what was measured."""
    pairs = [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b"), ("alpha", "angle"), ("Vol", "area")]
    rows = []
    for name, measured in pairs:
        given = parameters.scalar(name)
        if given is None:
            continue
        values = np.stack([given.ravel()[theirs], getattr(cells, measured).ravel()[ours]], axis=1)
        values = values[_tame(values)]
        covariance = np.cov(values.T)
        rows.append(
            (
                name,
                measured,
                len(values),
                covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]),
                covariance[0, 1] / covariance[1, 1],
                np.median(values[:, 0]) / np.median(values[:, 1]),
            )
        )
    return pd.DataFrame(rows, columns=["theirs", "ours", "n", "correlation", "slope", "ratio"])
