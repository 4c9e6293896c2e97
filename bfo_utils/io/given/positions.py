"""The positions of the columns, from a table, an array, or atomap's file."""

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, as_input_error

_POSITION = (("x_px", "x"), ("y_px", "y"))  # names of the columns of a table
_OPTIONAL = ("intensity", "background", "sigma_px", "ok")


def read_positions(path: str | Path, shape: tuple[int, int]) -> np.ndarray:
    """Positions of the columns of an image from a file.

    Parameters
    ----------
    path : str or Path
        A table (``.csv``) with ``x_px`` and ``y_px`` (or ``x`` and ``y``), such as ``columns.csv``,
        of which ``intensity``, ``background``, ``sigma_px`` and ``ok`` are taken, too; an array
        (``.npy``) of x and y; or the atom lattice that atomap saves (``.hdf5``).
    shape : tuple of int
        Height and width of the image in px.

    Returns
    -------
    ndarray, shape (N, 6)
        x, y, intensity, background, width (sigma) in px, and whether the fit is sound; NaN where
        the file does not say.

    Raises
    ------
    InputError
        If it is none of these, or a position lies outside of the image.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise InputError("no such file; give a csv, npy or hdf5 file of positions")
        found = _READERS.get(file.suffix.lower(), _unknown)(file)
    except Exception as error:
        raise as_input_error(file, error, "positions of columns, x and y in px") from error
    outside = ~np.all((found[:, :2] >= -0.5) & (found[:, :2] < np.array(shape[::-1]) - 0.5), axis=1)
    if outside.any():
        x, y = found[outside][0, :2]
        raise InputError(
            f"{file}: {outside.sum()} of {len(found)} positions lie outside the image, which is"
            f" {shape[1]} px wide and {shape[0]} px high; the first is ({x:g}, {y:g}); give x and y"
            " in px of this image"
        )
    return found


def _unknown(file: Path) -> np.ndarray:
    raise InputError(f"unknown format {file.suffix!r}; give positions as {', '.join(_READERS)}")


def _of_table(file: Path) -> np.ndarray:
    """Positions of a table with names."""
    import pandas as pd

    table = pd.read_csv(file, comment="#", skipinitialspace=True, dtype=str)  # floats exactly
    names = [next((n for n in known if n in table), "") for known in _POSITION]
    if not all(names):
        raise InputError(
            f"has no columns x_px and y_px, only {', '.join(map(str, table.columns[:8]))}; name"
            " them in the first line"
        )
    return table.reindex(columns=[*names, *_OPTIONAL]).to_numpy(dtype=float)


def _of_array(file: Path) -> np.ndarray:
    """Positions of an array of two columns or more."""
    array = np.load(file, allow_pickle=False)
    if array.ndim != 2 or array.shape[1] < 2:
        raise InputError(f"contains an array of shape {array.shape}; give one of shape (N, 2)")
    return _bare(array[:, :2].astype(float))


def _of_atomap(file: Path) -> np.ndarray:
    """Positions of all sublattices of an atom lattice that atomap saved."""
    import h5py

    found: list[np.ndarray] = []

    def collect(name: str, item: Any) -> None:
        if name.rsplit("/", 1)[-1] == "atom_positions":
            found.append(np.asarray(item, dtype=float).reshape(len(item), -1)[:, :2])

    with h5py.File(file, "r", locking=False) as content:
        content.visititems(collect)
    if not found:
        raise InputError("contains no atom_positions; give an atom lattice saved by atomap")
    return _bare(np.concatenate(found))


def _bare(xy: np.ndarray) -> np.ndarray:
    """Positions of which nothing else is known."""
    return np.hstack([xy, np.full((len(xy), len(_OPTIONAL)), np.nan)])


_READERS = {".csv": _of_table, ".npy": _of_array, ".hdf5": _of_atomap, ".h5": _of_atomap}
