"""What a perfect measurement of a phantom would give, to hold measured cells against."""

import numpy as np
from scipy.spatial import cKDTree

from bfo_utils.columns import find_columns
from bfo_utils.lattice import build_lattice
from bfo_utils.simulation import Specimen, simulate_phantom


def indexed(seed=0, **specimen):
    """A phantom, and its lattice."""
    made = simulate_phantom(
        Specimen(**({"cells": 40, "cell_px": 16, "dose": 60, "mistilt_pm": 0} | specimen)), seed
    )
    return made, build_lattice(made.image, find_columns(made.image))


def true_xy(made, found):
    """True positions of the columns of a lattice, NaN where there is none."""
    xy = np.full(found.columns.xy.shape, np.nan)
    for s in np.unique(found.sublattice):
        true, own = made.truth.column_xy[made.truth.column_sublattice == s], found.sublattice == s
        distance, nearest = cKDTree(true).query(found.columns.xy[own])
        xy[own] = np.where(distance[:, None] < made.specimen.cell_px / 4, true[nearest], np.nan)
    return xy


def true_cells(made, found):
    """The cells that its columns would form at their true positions, and which of them lie two
    cells inside.
    """
    cells = found.cells_at(true_xy(made, found), found.columns.intensity)
    inner = cells.valid & found.cells.valid
    inner[:2] = inner[-2:] = inner[:, :2] = inner[:, -2:] = False
    return cells, inner


def rms(values):
    """Root mean square along the first axis."""
    return np.sqrt((values**2).mean(axis=0))
