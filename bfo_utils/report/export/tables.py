"""The tables of columns and of cells."""

import numpy as np
import pandas as pd

from ...columns import ColumnErrors
from ...descriptors import polar_derivatives
from ...lattice import Lattice, cell_edges
from ...results import Analysis, Units
from ...search import PreparedImage


def columns_table(
    lattice: Lattice, errors: ColumnErrors | None = None, labels: np.ndarray | None = None
) -> pd.DataFrame:
    """Indexed columns: id, position in px, sublattice, fitted amplitude and width, whether the fit
    is sound.

    Parameters
    ----------
    lattice : Lattice
    errors : ColumnErrors, optional
        Standard errors of the columns.
    labels : ndarray of int, shape (M,), optional
        Their labels, see :func:`bfo_utils.search.column_labels`.

    Returns
    -------
    DataFrame
        Columns ``id, x_px, y_px, sublattice, intensity, sigma_px, ok, i, j, background``, and
        ``se_x_px, se_y_px, se_intensity`` with errors, ``label`` with labels.
    """
    c = lattice.columns
    se = (
        {}
        if errors is None
        else {
            "se_x_px": errors.xy[:, 0],
            "se_y_px": errors.xy[:, 1],
            "se_intensity": errors.intensity,
        }
    )
    return pd.DataFrame(
        {
            "id": np.arange(len(c)),
            "x_px": c.xy[:, 0],
            "y_px": c.xy[:, 1],
            "sublattice": lattice.sublattice,
            "intensity": c.intensity,
            "sigma_px": c.sigma_px,
            "ok": c.ok.astype(int),
            "i": lattice.ij[:, 0],
            "j": lattice.ij[:, 1],
            "background": c.background,
            **se,
            **({} if labels is None else {"label": labels}),
        }
    )


def cells_table(analysis: Analysis) -> pd.DataFrame:
    """Unit cells: indices, center, polar displacement and lattice parameters (pm and nm, else px),
    label.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    DataFrame
        One row per valid cell; label -1 outside the analyzed mask, where posterior, recurrence and
        stability are empty (see :class:`bfo_utils.results.Confidence` and
        :class:`bfo_utils.results.NearBest`). Without domains they are empty everywhere. Standard
        errors (``se_``), the polar displacement along the edges of its cell (``p_a``, ``p_b``),
        strain and the local amplitude of an ordered displacement follow. ``candidate_label`` is the
        label where the verdict is "domains", and what may be one where it is "undecided".
    """
    cells = analysis.prepared.lattice.cells
    units = Units.of(analysis.prepared.image.pixel_size_nm)
    pm, nm, nm2 = units.short, units.long, units.area
    length, displacement = units.per_long, units.per_short
    i, j = np.nonzero(cells.valid)
    at = (i, j)
    return pd.DataFrame(
        {
            "i": i,
            "j": j,
            "x_px": cells.xy[at][:, 0],
            "y_px": cells.xy[at][:, 1],
            f"px_{pm}": cells.polar[at][:, 0] * displacement,
            f"py_{pm}": cells.polar[at][:, 1] * displacement,
            f"a_{nm}": cells.a[at] * length,
            f"b_{nm}": cells.b[at] * length,
            "angle_deg": cells.angle[at],
            f"area_{nm2}": cells.area[at] * length**2,
            "label": analysis.labels[at],
            "posterior": analysis.confidence.posterior[at].round(4),
            "stability": analysis.confidence.stability[at].round(4),
            "recurrence": analysis.near_best.of_cells[at].round(4),
            **{
                name: values[at]
                for name, values in _measured(
                    analysis.prepared, length, displacement, nm, pm
                ).items()
            },
            "candidate_label": analysis.candidate[at],
        }
    )


def _measured(
    prepared: PreparedImage, length: float, displacement: float, nm: str, pm: str
) -> dict[str, np.ndarray]:
    """Further columns of the table of cells: errors, displacement on edges, strain, order."""
    cells, strain, se = prepared.lattice.cells, prepared.strain, prepared.cell_errors
    along = [
        (cells.polar * edge).sum(-1) / np.linalg.norm(edge, axis=-1) for edge in cell_edges(cells)
    ]
    columns = {
        f"se_px_{pm}": se.polar[..., 0] * displacement,
        f"se_py_{pm}": se.polar[..., 1] * displacement,
        f"se_a_{nm}": se.a * length,
        f"se_b_{nm}": se.b * length,
        "se_angle_deg": se.angle,
        f"p_a_{pm}": along[0] * displacement,
        f"p_b_{pm}": along[1] * displacement,
        "exx": strain.exx,
        "eyy": strain.eyy,
        "exy": strain.exy,
        "rotation_deg": strain.rotation,
        "se_exx": se.exx,
        "se_eyy": se.eyy,
        "se_exy": se.exy,
        "se_rotation_deg": se.rotation,
    }
    if prepared.oxygen is not None:
        columns["octahedral_tilt_deg"] = prepared.oxygen.tilt_deg
        columns["se_octahedral_tilt_deg"] = prepared.oxygen.se_tilt_deg
    columns |= dict(zip(("div_p", "curl_p"), polar_derivatives(cells, prepared.polar_sign)))
    if cells.order is not None:
        columns[f"order_{pm}"] = np.linalg.norm(cells.order, axis=-1) * displacement
    return columns
