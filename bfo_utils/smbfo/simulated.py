"""A simulated Sm-BFO series: small files with the names, arrays and gaps of the real ones, for
tests and demonstrations.

The polarization decreases with the Sm content and vanishes at 20 %, and so does the associated
spontaneous shear.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ..compute import atomic
from ..errors import InputError
from ..lattice import Basis, Cells, measure_cells
from ..simulation import Phantom, Specimen, simulate_phantom
from .parameterization import check_polar_order
from .registry import SERIES_IDS, Pair, pair_of

#: Images of the record with NaN or infinite pixels, and the one that shows a strip of the
#: substrate.
GAP_SHARE = ("Sm_0_1", "Sm_0_2", "Sm_7_3", "Sm_7_4", "Sm_10_0", "Sm_10_1", "Sm_13_0", "Sm_13_1")
SUBSTRATE_SHARE = "Sm_0_1"
LOST_AT = 20.0  # % Sm without polarization
_LAYOUTS = ("quadrants", "junction", "fan", "stripes", "closure", "misfit", "unequal")
_PIXEL_NM = 0.0152  # at 26 px per cell
_INDEX_OFFSET = (-12, 3)  # of the cell indices in the files, which do not begin at 0


@dataclass(frozen=True)
class SeriesStyle:
    """Conventions of the files of a simulated series that the real files do not document.

    Attributes
    ----------
    cells : int
        Unit cells along each side of an image.
    cell_px : float
        Pixels per unit cell of the undoped crystal.
    p_order, xy_order : {"xy", "yx"}
        Order of the rows of ``Pxy`` and of ``xy_COM``.
    unit : float
        Units of ``Pxy`` per pm.
    noise_pm : float
        Standard deviation of the noise of the authors' measurement in each component of the
        displacement.
    """

    cells: int = 28
    cell_px: float = 18.0
    p_order: str = "xy"
    xy_order: str = "yx"
    unit: float = 0.01
    noise_pm: float = 4.0

    def __post_init__(self):
        check_polar_order(self.p_order)
        check_polar_order(self.xy_order)
        if not 12 <= self.cells <= 400:
            raise InputError(
                f"cells = {self.cells}: a simulated series has 12 to 400 cells along each side"
            )

    @property
    def pixel_nm(self) -> float:
        """Pixel size in nm, which the files do not contain."""
        return _PIXEL_NM * 26 / self.cell_px


def order_parameter(samarium: float) -> float:
    """Polarization relative to that of undoped BFO: the square root of the relative distance to the
    end of the ferroelectric phase.

    Parameters
    ----------
    samarium : float
        Sm content in per cent.

    Returns
    -------
    float

    Examples
    --------
    >>> order_parameter(0), order_parameter(20)
    (1.0, 0.0)
    """
    return float(np.sqrt(max(0.0, 1 - samarium / LOST_AT)))


def series_specimen(pair: Pair, style: SeriesStyle = SeriesStyle()) -> Specimen:
    """Specimen for an image of the series.

    Parameters
    ----------
    pair : Pair
    style : SeriesStyle

    Returns
    -------
    Specimen

    Examples
    --------
    >>> series_specimen(pair_of("Sm_20_0")).polarization_pm
    0.0
    """
    order, shrink = order_parameter(pair.samarium), 1 - 0.0004 * pair.samarium
    return Specimen(
        layout=_LAYOUTS[SERIES_IDS.index(pair.id) % len(_LAYOUTS)],
        cells=style.cells,
        cell_px=style.cell_px * shrink,
        a_nm=style.cell_px * shrink * style.pixel_nm,
        polarization_pm=36 * order,
        shear=0.004 * order**2,
        dose=60.0,
        composition=0.06 + 0.004 * pair.samarium,
        substrate=0.16 if pair.id == SUBSTRATE_SHARE else 0.0,
    )


def simulate_series(pair: Pair, style: SeriesStyle = SeriesStyle(), seed: int = 0) -> Phantom:
    """Simulate an image of the series.

    Parameters
    ----------
    pair : Pair
    style : SeriesStyle
    seed : int
        Seed of the series; every pair has its own stream.

    Returns
    -------
    Phantom
        The phantom, without the gaps of the file.
    """
    return simulate_phantom(series_specimen(pair, style), 1000 * seed + SERIES_IDS.index(pair.id))


def write_series(
    folder: str | Path,
    ids: Sequence[str] = SERIES_IDS,
    style: SeriesStyle = SeriesStyle(),
    seed: int = 0,
) -> list[Path]:
    """Write a simulated series.

    Parameters
    ----------
    folder : str or Path
        Made where missing.
    ids : sequence of str
        Which pairs.
    style : SeriesStyle
    seed : int

    Returns
    -------
    list of Path
        Two files per pair, named as in the record.
    """
    paths = []
    for pair in map(pair_of, ids):
        made = simulate_series(pair, style, seed)
        arrays = simulated_parameters(made, style, seed)
        for name, content in (
            (pair.image, {"MainImage": with_gaps(made.image.data, pair)}),
            (pair.parameters, arrays),
        ):
            paths.append(Path(folder, name))
            with atomic(paths[-1]) as part, h5py.File(part, "w", locking=False) as file:
                for key, value in content.items():
                    file[key] = value
    return paths


def with_gaps(data: np.ndarray, pair: Pair) -> np.ndarray:
    """Pixels as in the file: float64, with a NaN margin and infinite pixels in the images of
    :data:`GAP_SHARE`.

    Parameters
    ----------
    data : ndarray, shape (H, W)
    pair : Pair

    Returns
    -------
    ndarray of float64, shape (H, W)
    """
    data = data.astype(np.float64)
    if pair.id in GAP_SHARE:
        height, width = data.shape
        slanted = np.arange(height)[:, None] < 0.02 * height * (1 + np.arange(width) / width)
        data[slanted] = np.nan
        data[[height // 3, height // 2], [width // 2, width // 4]] = np.inf, -np.inf
    return data


def simulated_parameters(
    made: Phantom, style: SeriesStyle = SeriesStyle(), seed: int = 0
) -> dict[str, np.ndarray]:
    """Simulated arrays of a parameter file, as the authors' measurement would give them for a
    simulated image.

    ``NCOM``, ``PCOM``, ``abdelta``, ``atmindex``, ``index`` and ``nbrUC`` are placeholders for
    arrays whose meaning is not documented.

    Parameters
    ----------
    made : Phantom
    style : SeriesStyle
    seed : int
        Of the noise.

    Returns
    -------
    dict of str to ndarray
        All of :data:`bfo_utils.smbfo.PARAMETERIZATION_KEYS`, cells along the last axis.
    """
    cells, seen = _true_cells(made), np.random.default_rng([seed, made.seed])
    at = np.nonzero(cells.valid)
    n, flip = len(at[0]), {"xy": slice(None), "yx": slice(None, None, -1)}
    pm = cells.polar[at].T * made.specimen.pm_per_px + seen.normal(0, style.noise_pm, (2, n))
    amplitudes = cells.a_intensity[at] * (1 + seen.normal(0, 0.02, (4, n)))
    xy, b_xy = cells.xy[at].T[flip[style.xy_order]], cells.b_site[at].T[flip[style.xy_order]]
    edges = {"a": cells.a[at], "b": cells.b[at]}
    return {
        **{f"I{k + 1}": row[None] for k, row in enumerate(amplitudes)},
        "I5": made.specimen.b_intensity * amplitudes.mean(0)[None],
        **{name: edge[None] for name, edge in edges.items()},
        **{f"meanuc{k}": np.full((1, 1), v.mean()) for k, v in edges.items()},
        "Pxy": (pm * style.unit)[flip[style.p_order]],
        "xy_COM": xy,
        "NCOM": xy,
        "PCOM": b_xy,
        "ab": np.stack(at).astype(float) + np.reshape(_INDEX_OFFSET, (2, 1)),
        "abdelta": np.stack([*edges.values()]) - made.specimen.cell_px,
        "Vol": cells.area[at][None],
        "alpha": cells.angle[at][None],
        "index": np.arange(1.0, n + 1)[None],
        "atmindex": np.tile(np.arange(1.0, n + 1), (5, 1)),
        "nbrUC": np.full((1, n), 8.0),
        "xy_atms": made.truth.column_xy.T[flip[style.xy_order]],
    }


def _true_cells(made: Phantom) -> Cells:
    """The unit cells of a simulated image at their true places, on the grid of its crystal."""
    truth, is_a = made.truth, made.truth.column_sublattice == "A"
    side = truth.column_ij.max() + 2
    node, b_site = np.full((side + 1, side + 1, 2), np.nan), np.full((side, side, 2), np.nan)
    node[tuple(truth.column_ij[is_a].T)] = truth.column_xy[is_a]
    b_site[tuple(truth.column_ij[~is_a].T)] = truth.column_xy[~is_a]
    amplitude, corner = np.full((side, side), np.nan), np.ones((side + 1, side + 1))
    amplitude[tuple(truth.cell_ij.T)] = truth.cell_intensity
    cells = measure_cells(
        Basis(np.eye(2) * made.specimen.cell_px, True), node, corner, (b_site, amplitude)
    )
    return Cells(**(vars(cells) | {"a_intensity": amplitude}))
