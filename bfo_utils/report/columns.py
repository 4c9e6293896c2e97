"""The columns of an image as a table and a picture, for a person to check and to correct."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from ..columns import Columns, find_columns, with_bright_columns
from ..compute import locked_folder, refuse_foreign, together, write_csv
from ..errors import InputError
from ..figures import plot_doubtful_columns, save_figure
from ..io import Image, repair_hot_pixels
from ..lattice import build_lattice

_TABLE, _PICTURE = "columns.csv", "columns.png"


def write_columns(image: Image, out: str | Path, bright: str = "A") -> list[Path]:
    """Find the columns of an image and write them, with a picture that shows the doubtful ones.

    The table takes rows that were deleted, added or moved, and is read by ``--columns``.

    Parameters
    ----------
    image : Image
    out : str or Path
        Folder; made where missing.
    bright : {"A", "B"}
        Which of two sublattices is the brighter.

    Returns
    -------
    list of Path
        The table and the picture.

    Raises
    ------
    InputError
        If the image holds no lattice, or the folder has files of other making with these names.
    """
    paths = [Path(out, name) for name in (_TABLE, _PICTURE)]
    refuse_foreign(paths, _is_ours(paths[0]), "give another folder with --out")
    image = with_bright_columns(repair_hot_pixels(image))
    columns, sublattice = _named(image, bright)
    with locked_folder(out), together(out, _TABLE) as stage:
        save_figure(plot_doubtful_columns(image, columns, sublattice), stage / _PICTURE)
        write_csv(stage / _TABLE, _table(columns, sublattice))
    return paths


def _named(image: Image, bright: str) -> tuple[Columns, np.ndarray]:
    """All columns with the letter of their sublattice; "" for those without a place in a lattice.

    Those that the lattice predicts and the detection missed are among them.
    """
    found = find_columns(image)
    try:
        lattice = build_lattice(image, found, bright=bright)
    except InputError:  # no lattice yet is a reason to look at the columns
        return found, np.full(len(found), "")
    own, letters = lattice.columns, lattice.sublattice
    if not len(lattice.unused_xy):
        return own, letters
    other = found.take(cKDTree(lattice.unused_xy).query(found.xy)[0] == 0)
    return _joined(own, other), np.concatenate([letters, np.full(len(other), "")])


def _joined(one: Columns, two: Columns) -> Columns:
    return Columns(
        np.concatenate([one.xy, two.xy]),
        np.concatenate([one.intensity, two.intensity]),
        np.concatenate([one.background, two.background]),
        np.concatenate([one.sigma_px, two.sigma_px]),
        np.concatenate([one.ok, two.ok]),
        one.spacing_px,
    )


def _table(columns: Columns, sublattice: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": np.arange(len(columns)),
            "x_px": columns.xy[:, 0],
            "y_px": columns.xy[:, 1],
            "sublattice": sublattice,
            "intensity": columns.intensity,
            "sigma_px": columns.sigma_px,
            "ok": columns.ok.astype(int),
            "background": columns.background,
        }
    )


def _is_ours(table: Path) -> bool:
    """Whether a table begins as ours does."""
    return table.is_file() and table.read_bytes().startswith(b"id,x_px,y_px,sublattice,")
