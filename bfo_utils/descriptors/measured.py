"""Measured quantities of the cells as descriptors."""

import numpy as np
from scipy import ndimage

from ..errors import InputError
from ..lattice import Cells

MEASURED_QUANTITIES = (
    "polar_x",
    "polar_y",
    "a",
    "b",
    "angle",
    "rotation",
    "area",
    "a_intensity",
    "b_intensity",
)


def measured_vectors(cells: Cells, mask: np.ndarray) -> np.ndarray:
    """Measured quantities of every cell, each with mean 0 and standard deviation 1: the descriptor
    that needs no window.

    Parameters
    ----------
    cells : Cells
    mask : ndarray of bool, shape (R, C)

    Returns
    -------
    ndarray, shape (N, K)
        Columns in the order of :data:`MEASURED_QUANTITIES`; those of the B sublattice are left out
        if it is not visible. The local amplitude of an ordered displacement follows if there is
        one.
    """
    order = {} if cells.order is None else {"order": np.linalg.norm(cells.order, axis=-1)}
    columns = {
        "polar_x": cells.polar[..., 0],
        "polar_y": cells.polar[..., 1],
        **{name: getattr(cells, name) for name in MEASURED_QUANTITIES[2:]},
        **order,
    }
    kept = [v[mask] for v in columns.values() if np.isfinite(v[mask]).all()]
    table = np.stack(kept, axis=1)
    return (table - table.mean(axis=0)) / np.maximum(table.std(axis=0), 1e-12)


def measured_fields(cells: Cells) -> dict[str, np.ndarray]:
    """The measured fields that can serve as a descriptor, each of shape (R, C, K).

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    dict of str to ndarray
        ``polar``: polar displacement in px, if the second sublattice is visible. ``strain``:
        ln(a/b), shear angle and rotation in radians. ``order``: local amplitude of an ordered
        displacement in px, if there is one.
    """
    strains = np.log(cells.a / cells.b), np.deg2rad(cells.angle), np.deg2rad(cells.rotation)
    fields = {"strain": np.stack(strains, axis=-1)}
    if cells.has_b:
        fields["polar"] = cells.polar
    if cells.order is not None:
        fields["order"] = cells.order
    return fields


def field_vectors(cells: Cells, mask: np.ndarray, name: str) -> np.ndarray:
    """A measured field, averaged over every cell and its neighbors, three by three.

    Parameters
    ----------
    cells : Cells
    mask : ndarray of bool, shape (R, C)
    name : {"polar", "strain", "order"}

    Returns
    -------
    ndarray, shape (N, K)

    Raises
    ------
    InputError
        If the image does not show that field.
    """
    fields = measured_fields(cells)
    if name not in fields:
        raise InputError(
            f"descriptor '{name}': not seen in this image; use windows, {' or '.join(fields)}"
        )
    known = mask & np.isfinite(fields[name]).all(axis=-1)
    total, count = (
        ndimage.uniform_filter(v, (3, 3, 0)[: v.ndim], mode="constant")
        for v in (np.where(known[..., None], fields[name], 0.0), known * 1.0)
    )
    return total[mask] / np.maximum(count[mask], 1e-9)[:, None]
