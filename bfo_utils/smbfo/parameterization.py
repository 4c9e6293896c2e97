"""The authors' parameterization of an image of the Sm-BFO series, on the grid of its unit cells."""

from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from ..errors import InputError, as_input_error
from ..io import check_hdf5

#: The arrays that every parameter file of the record holds.
PARAMETERIZATION_KEYS = (
    "I1",
    "I2",
    "I3",
    "I4",
    "I5",
    "NCOM",
    "PCOM",
    "Pxy",
    "Vol",
    "a",
    "ab",
    "abdelta",
    "alpha",
    "atmindex",
    "b",
    "index",
    "meanuca",
    "meanucb",
    "nbrUC",
    "xy_COM",
    "xy_atms",
)
POLAR_ORDERS = ("xy", "yx")  # of the two rows of an array
_NEEDED = ("ab", "xy_COM", "Pxy")


@dataclass(frozen=True, eq=False)
class Parameterization:
    """The authors' parameterization of an image, on the grid of their unit cells.

    Attributes
    ----------
    grid : dict of str to ndarray, shapes (R, C) or (R, C, K)
        Every array with one entry per cell, NaN where the grid has no cell. Row and column are the
        indices in ``ab`` minus their minima. K = 2 if an array has two rows in the file, in the
        order of the file.
    other : dict of str to ndarray
        The arrays without an entry per cell, as in the file.
    n : int
        Number of cells.
    repeated : int
        Number of cells that share their indices with another cell; the last one is on the grid.
    """

    grid: dict[str, np.ndarray] = field(repr=False)
    other: dict[str, np.ndarray] = field(repr=False)
    n: int
    repeated: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.grid["xy_COM"].shape[:2]

    def scalar(self, name: str) -> np.ndarray | None:
        """An array with one value per cell, shape (R, C). For arrays with two rows, such as the
        edges ``a`` of Sm_0_1, the lengths. None if the array is missing.
        """
        values = self.grid.get(name)
        if values is not None and values.shape[2:] == (2,):
            return np.hypot(values[..., 0], values[..., 1])
        return values if values is not None and values.ndim == 2 else None

    def vector(self, name: str, order: str) -> np.ndarray:
        """An array of two rows as (x, y), shape (R, C, 2).

        Parameters
        ----------
        name : str
            For example ``Pxy`` or ``xy_COM``.
        order : {"xy", "yx"}
            How to read its rows in the file.
        """
        return self.grid[name] if check_polar_order(order) == "xy" else self.grid[name][..., ::-1]


def check_polar_order(order: str) -> str:
    """Check the name of an order of rows.

    Raises
    ------
    InputError
        If it is not.
    """
    if order not in POLAR_ORDERS:
        raise InputError(f"order '{order}': no such reading; choose xy or yx")
    return order


def read_parameterization(path: str | Path) -> Parameterization:
    """Read a parameter file and put its arrays on the grid of the cells.

    Parameters
    ----------
    path : str or Path
        HDF5 file with the arrays :data:`PARAMETERIZATION_KEYS`; others are read too, and all but
        ``ab``, ``xy_COM``, ``Pxy`` may be missing.

    Returns
    -------
    Parameterization

    Raises
    ------
    InputError
        If the file is missing or damaged, or its cell indices do not form a grid.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; give a parameter file of the Sm-BFO series")
    try:
        with h5py.File(path, "r", locking=False) as file:
            check_hdf5(file)
            arrays = {
                k: v[()]
                for k, v in file.items()
                if isinstance(v, h5py.Dataset) and v.dtype.kind in "iufb"
            }
        return _on_grid(arrays)
    except Exception as error:
        raise as_input_error(path, error, "a parameter file of the Sm-BFO series") from error


def _on_grid(arrays: dict[str, np.ndarray]) -> Parameterization:
    """Sort arrays into those with an entry per cell, put on the grid, and the others."""
    lacking = [name for name in _NEEDED if name not in arrays]
    if lacking:
        raise InputError(
            f"holds no {', '.join(lacking)}; give a parameter file of the Sm-BFO series"
        )
    ij = _two_rows(arrays["ab"], "ab")
    if not np.isfinite(ij).all() or (ij != np.rint(ij)).any():
        raise InputError("ab holds values that are not integers; cell indices were expected")
    ij = ij.astype(int) - ij.min(axis=1, keepdims=True).astype(int)
    n, shape = ij.shape[1], tuple(ij.max(axis=1) + 1)
    if shape[0] * shape[1] > 100 * n + 1000:
        raise InputError(
            f"ab spans {shape[0]} x {shape[1]} cells, but there are only {n}; cell indices were"
            " expected"
        )
    per_cell = {
        name: values for name, a in arrays.items() if (values := _per_cell(a, n)) is not None
    }
    grid = {name: np.full((*shape, *values.shape[1:]), np.nan) for name, values in per_cell.items()}
    for name, values in per_cell.items():
        grid[name][ij[0], ij[1]] = values
    for name in ("xy_COM", "Pxy"):
        if grid.get(name, np.empty(0)).shape[2:] != (2,):
            raise InputError(f"{name} has the shape {arrays[name].shape}; 2 x {n} was expected")
    return Parameterization(
        grid,
        {k: v for k, v in arrays.items() if k not in grid},
        n,
        n - len(np.unique(ij, axis=1).T),
    )


def _two_rows(array: np.ndarray, name: str) -> np.ndarray:
    """An array of shape (2, N), or its transpose."""
    if array.ndim != 2 or 2 not in array.shape or array.size == 0:
        raise InputError(f"{name} has the shape {array.shape}; 2 x N was expected")
    return array if array.shape[0] == 2 else array.T


def _per_cell(array: np.ndarray, n: int) -> np.ndarray | None:
    """Values by cell, shape (N,) or (N, K); None for an array that has no entry per cell."""
    array = np.squeeze(array) if array.size == n else array
    if array.ndim not in (1, 2) or n not in array.shape:
        return None
    return array if array.shape[0] == n and (array.ndim == 1 or array.shape[1] != n) else array.T
