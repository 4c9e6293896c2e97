"""A finished result as one object: its tables, and what figures are drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...compute import read_json, require_extra
from ...errors import InputError
from ...figures import gray_levels
from ...io import Image, load_arrays, save_arrays
from ...lattice import Basis, Cells
from ...results import Units, check_schema, result_path, stored_json
from .descriptions import with_units

if TYPE_CHECKING:
    import xarray

PICTURE_FILE = "picture.npz"
LINES_FILE = "walls.geojson"
_FIRST = {
    "columns": "id",
    "cells": "i",
    "domains": "label",
    "patches": "patch",
    "walls": "segment",
    "profiles": "segment",
}  # of the columns of every table
_LONGEST = 4096  # px of the picture; of a larger image, means over whole pixels are kept
_NEEDED = {"verdict", "reason", "convention", "input", "domains", "sublattices"}
_RIGHT = "give the folder of a finished `bfo analyze` or `bfo run`, or its result.json"


@dataclass(frozen=True)
class Picture:
    """What figures need of an image besides the tables.

    Attributes
    ----------
    levels : ndarray of uint8, shape (h, w)
        Gray levels, means over ``step`` x ``step`` px.
    region : ndarray of bool, shape (H, W), or None
        The pixels that were looked at, where some were left out.
    vectors : ndarray, shape (2, 2)
        Edges a and b of the mean cell (rows) in px.
    step : int
    """

    levels: np.ndarray = field(repr=False)
    region: np.ndarray | None = field(repr=False)
    vectors: np.ndarray
    step: int

    @classmethod
    def of(cls, image: Image, cells: Cells) -> "Picture":
        """The picture of an analyzed image."""
        step = -(-max(image.shape) // _LONGEST)
        return cls(gray_levels(image, step), image.region, cells.basis.vectors, step)

    def save(self, folder: Path) -> None:
        """Write it to the folder of a result."""
        save_arrays(Path(folder, PICTURE_FILE), self)


@dataclass(frozen=True, eq=False)
class Answer:
    """A finished result: its summary, its tables and its picture; :func:`load_answer` reads it.

    Every table is a DataFrame whose ``attrs`` hold ``units`` and ``descriptions`` of its columns;
    the README beside the tables says the same.

    Attributes
    ----------
    path : Path
        Its ``result.json``.
    summary : mapping
        Content of that file.
    columns, cells, domains, patches, walls, profiles : DataFrame
    picture : Picture
    """

    path: Path
    summary: Mapping[str, Any] = field(repr=False)
    columns: pd.DataFrame = field(repr=False)
    cells: pd.DataFrame = field(repr=False)
    domains: pd.DataFrame = field(repr=False)
    patches: pd.DataFrame = field(repr=False)
    walls: pd.DataFrame = field(repr=False)
    profiles: pd.DataFrame = field(repr=False)
    picture: Picture = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the image."""
        return self.summary["input"]["name"]

    @property
    def units(self) -> Units:
        """Units of lengths in the tables."""
        return Units.of(self.summary["input"]["pixel_size_nm"])

    @property
    def polar_sign(self) -> int:
        """Whether the polarization points with (1) the displacement of B, or against it (-1)."""
        return self.summary["convention"]["polar_sign"]

    @cached_property
    def image(self) -> Image:
        """The image in the gray levels that were kept, at its own size."""
        height, width = self.summary["input"]["shape"]
        picture = self.picture
        large = picture.levels.repeat(picture.step, axis=0).repeat(picture.step, axis=1)
        rest = [(0, height - large.shape[0]), (0, width - large.shape[1])]
        data = np.pad(large, rest, mode="edge").astype(np.float32)
        size = self.summary["input"]["pixel_size_nm"]
        valid = np.ones(data.shape, bool)
        return Image(data, valid, size, self.name, None, None, region=picture.region)

    def on_grid(self, column: str, unknown: float = np.nan) -> np.ndarray:
        """A column of the table of cells on the grid of the crystal, shape (R, C)."""
        i, j = self.cells["i"].to_numpy(), self.cells["j"].to_numpy()
        values = self.cells[column].to_numpy()
        grid = np.full((i.max() + 1, j.max() + 1), unknown, values.dtype)
        grid[i, j] = values
        return grid

    @cached_property
    def lines(self) -> list[np.ndarray]:
        """Both ends (x, y) in px of the edges of every wall segment, shape (E, 2, 2) each."""
        stored = read_json(self.path.with_name(LINES_FILE))
        return [np.array(f["geometry"]["coordinates"], float) for f in stored["features"]]

    @cached_property
    def labels(self) -> np.ndarray:
        """Label per cell on the grid, -1 where none was analyzed."""
        return self.on_grid("label", -1)

    @cached_property
    def grid(self) -> Cells:
        """The cells on their grid, in px, as figures take them; without the positions of single
        columns and without amplitudes.
        """
        units = self.units
        short, long = units.per_short, units.per_long
        xy, polar = (
            np.stack([self.on_grid(name) / per for name in names], axis=-1)
            for names, per in (
                (("x_px", "y_px"), 1.0),
                ((f"px_{units.short}", f"py_{units.short}"), short),
            )
        )
        empty = np.full(xy.shape, np.nan)
        order = f"order_{units.short}"
        two = "B" in self.summary["sublattices"]
        return Cells(
            xy=xy,
            polar=polar,
            corner=empty,
            b_site=empty,
            a=self.on_grid(f"a_{units.long}") / long,
            b=self.on_grid(f"b_{units.long}") / long,
            angle=self.on_grid("angle_deg"),
            area=self.on_grid(f"area_{units.area}") / long**2,
            rotation=self.on_grid("rotation_deg"),
            a_intensity=empty[..., 0],
            b_intensity=empty[..., 0],
            valid=np.isfinite(xy[..., 0]),
            basis=Basis(self.picture.vectors, two),
            has_b=two,
            order=self.on_grid(order)[..., None] / short if order in self.cells else None,
        )

    def to_xarray(self) -> "xarray.Dataset":
        """The cells as a dataset on the grid of the crystal, with units; needs the extra export.

        Returns
        -------
        xarray.Dataset
            Dimensions ``i`` (rows, down) and ``j``; one variable per column of ``cells.csv`` with
            the attributes ``units`` and ``long_name``; the conventions are its own attributes.

        Raises
        ------
        InputError
            If xarray is not installed.
        """
        require_extra("to_xarray", "export", "xarray")
        import xarray

        attrs = self.cells.attrs
        names = [name for name in self.cells.columns if name not in ("i", "j")]
        whole = {"label", "candidate_label"}
        variables = {
            name: (
                ("i", "j"),
                self.on_grid(name, -1 if name in whole else np.nan),
                {"units": attrs["units"][name], "long_name": attrs["descriptions"][name]},
            )
            for name in names
        }
        told = {k: v for k, v in self.summary["convention"].items() if isinstance(v, (str, int))}
        found = {"image": self.name, "verdict": self.summary["verdict"], **told}
        return xarray.Dataset(variables, attrs=found).set_coords(["x_px", "y_px"])


def load_answer(result: str | Path) -> Answer:
    """Read a finished result back: its tables, its summary, and what figures need.

    Parameters
    ----------
    result : str or Path
        Folder of ``bfo analyze`` or ``bfo run``, or its ``result.json``.

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        If it is no result, incomplete, or of an older or newer version.

    Examples
    --------
    >>> load_answer("nowhere")
    Traceback (most recent call last):
    bfo_utils.errors.InputError: nowhere: no such file or folder; give the folder of a finished
    `bfo analyze` or `bfo run`, or its result.json
    """
    given = Path(result)
    if not given.exists():
        raise InputError(f"{result}: no such file or folder; {_RIGHT}")
    path = result_path(given) if given.is_dir() else given
    if not path.is_file():
        raise InputError(f"{result}: contains no finished result; {_RIGHT}")
    summary = stored_json(path)
    if not isinstance(summary, dict) or not {"input", "versions"} <= set(summary):
        raise InputError(f"{path}: is not the result of an analysis; {_RIGHT}")
    check_schema(path, summary)
    files = [path.with_name(f"{name}.csv") for name in _FIRST] + [
        path.with_name(name) for name in (LINES_FILE, PICTURE_FILE)
    ]
    lacking = next((file.name for file in files if not file.is_file()), None)
    if lacking or not set(summary) >= _NEEDED:
        raise InputError(
            f"{path.parent}: {lacking or 'part of result.json'} is missing: the result is"
            f" incomplete or from an older version; repeat it with `bfo rerun {path}`"
        )
    tables = {name: _table(file, name) for name, file in zip(_FIRST, files)}
    return Answer(path, summary, picture=_picture(files[-1]), **tables)


def _picture(path: Path) -> Picture:
    try:
        return load_arrays(path, Picture)
    except InputError as error:
        raise _damaged(path) from error


def _table(path: Path, name: str) -> pd.DataFrame:
    text = {"name", "kind", "name_1", "name_2", "wall_types", "charge", "sublattice"}
    try:
        content = pd.read_csv(path, keep_default_na=False, na_values={})
        if content.columns[0] != _FIRST[name]:
            raise KeyError(_FIRST[name])
        numbers = [column for column in content.columns if column not in text]
        content[numbers] = content[numbers].apply(pd.to_numeric)
        return with_units(name, content)
    except (ValueError, KeyError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path}: was changed after the analysis wrote it; repeat the analysis with `bfo rerun"
        f" {path.parent}`"
    )
