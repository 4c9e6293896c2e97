"""Measured quantities of the cells as descriptors."""

import numpy as np

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


def measured_vectors(cells: Cells, mask: np.ndarray, without: str = "") -> np.ndarray:
    """Measured quantities of every cell, each with mean 0 and deviation 1: the descriptor that
    needs no window.

    Parameters
    ----------
    cells : Cells
    mask : ndarray of bool, shape (R, C)
    without : {"", "polar", "lattice", "patch", "order"}
        Kind of reference field to leave out, so that a map is not judged by what it was made from.

    Returns
    -------
    ndarray, shape (N, K)
        Columns in the order of :data:`MEASURED_QUANTITIES`; those of the B sublattice are left out
        where it is not seen; the local amplitude of an ordered displacement follows where there is
        one.
    """
    order = {} if cells.order is None else {"order": np.linalg.norm(cells.order, axis=-1)}
    left_out = {
        "order": ("order",),
        "polar": ("polar_x", "polar_y"),
        "lattice": ("a", "b", "angle", "rotation"),
    }.get(without, ())
    columns = {
        "polar_x": cells.polar[..., 0],
        "polar_y": cells.polar[..., 1],
        **{name: getattr(cells, name) for name in MEASURED_QUANTITIES[2:]},
        **order,
    }
    kept = [
        v[mask]
        for name, v in columns.items()
        if name not in left_out and np.isfinite(v[mask]).all()
    ]
    table = np.stack(kept, axis=1)
    return (table - table.mean(axis=0)) / np.maximum(table.std(axis=0), 1e-12)
