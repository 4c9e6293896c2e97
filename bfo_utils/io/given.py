"""What a user gives besides an image: the part to look at (a box, a mask, polygons), and the
positions of its columns.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, as_input_error
from .readers import open_arrays, without_reader_warnings
from .stored import CHANNELS, choose, squeezed

_CELL = '{"a": [16, 0.4], "b": [-0.4, 16], "sites": [[0, 0], [0.5, 0.5]]}'
_POSITION = (("x_px", "x"), ("y_px", "y"))  # names of the columns of a table
_OPTIONAL = ("intensity", "background", "sigma_px", "ok")
_BOX = re.compile(r"\s*(\d*)\s*:\s*(\d*)\s*,\s*(\d*)\s*:\s*(\d*)\s*")


def region_pixels(
    shape: tuple[int, int], roi: str = "", mask: str | Path = "", exclude: str | Path = ""
) -> np.ndarray | None:
    """The pixels of an image that are looked at.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the image in px.
    roi : str
        Box ``X0:X1,Y0:Y1`` in px of the image, ends not included; a number that is left out is the
        image's own edge.
    mask, exclude : str or Path
        Files of what is looked at, and of what is not: an image of the same shape (any format that
        is read; pixels that are not zero count), or polygons as ``.json``: a list of polygons, each
        a list of ``[x, y]`` in px, or GeoJSON.

    Returns
    -------
    ndarray of bool, shape (H, W), or None
        None where nothing is left out on purpose.

    Raises
    ------
    InputError
        For a box that is none or reaches beyond the image, a file that cannot be read or has
        another shape, and where nothing is left.

    Examples
    --------
    >>> region_pixels((40, 60), "10:30,5:").sum()
    np.int64(700)
    >>> region_pixels((40, 60)) is None
    True
    """
    if not (roi or mask or exclude):
        return None
    inside = np.zeros(shape, bool)
    inside[_box(roi, shape) if roi else ...] = True
    if mask:
        inside &= _marked(Path(mask), shape)
    if exclude:
        inside &= ~_marked(Path(exclude), shape)
    if not inside.any():
        named = [
            f"--{n} {v}" for n, v in zip(("roi", "mask", "exclude"), (roi, mask, exclude)) if v
        ]
        raise InputError(f"{' '.join(named)}: no pixel of the image is left; give a larger part")
    return inside


def _box(text: str, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a box."""
    found = _BOX.fullmatch(text)
    if not found:
        raise InputError(
            f"--roi '{text}': is no box; give X0:X1,Y0:Y1 in px, such as 0:512,100:612"
        )
    x0, x1, y0, y1 = (int(v) if v else None for v in found.groups())
    box = (
        slice(y0 or 0, shape[0] if y1 is None else y1),
        slice(x0 or 0, shape[1] if x1 is None else x1),
    )
    if any(s.stop > n for s, n in zip(box, shape)) or any(s.start >= s.stop for s in box):
        raise InputError(
            f"--roi '{text}': does not lie in the image, which is {shape[1]} px wide and"
            f" {shape[0]} px high; give X0:X1,Y0:Y1 with X0 < X1 <= {shape[1]} and"
            f" Y0 < Y1 <= {shape[0]}"
        )
    return box


def _marked(file: Path, shape: tuple[int, int]) -> np.ndarray:
    """The pixels that a file marks."""
    try:
        marked = _drawn(file, shape) if file.suffix.lower() == ".json" else _painted(file)
    except Exception as error:
        raise as_input_error(
            file, error, "an image of the part, or a json file of polygons"
        ) from error
    if marked.shape != tuple(shape):
        own, whole = (f"{width} x {height} px" for height, width in (marked.shape, shape))
        raise InputError(f"{file}: is {own}, the image {whole}; give a mask of the whole image")
    return marked


def _painted(file: Path) -> np.ndarray:
    """The pixels of a picture or an array that are not zero; transparency does not count."""
    with without_reader_warnings(), open_arrays(file) as arrays:
        values: np.ndarray = np.asarray(choose(arrays).load())
    values = values.reshape(squeezed(values.shape))
    if values.ndim == 3 and values.shape[-1] in CHANNELS:
        colors = values.shape[-1] - 1 + values.shape[-1] % 2
        values = np.any(values[..., :colors] != 0, axis=-1, keepdims=False)
    if values.ndim != 2:
        raise InputError(f"holds {values.ndim}-D data; give a mask of two dimensions")
    return (values != 0) & ~np.isnan(values.astype(np.float64))


def _drawn(file: Path, shape: tuple[int, int]) -> np.ndarray:
    """The pixels within the polygons of a file."""
    from skimage.draw import polygon2mask

    if not file.is_file():
        raise InputError("no such file; give a json file of polygons")
    polygons = _polygons(json.loads(file.read_text()))
    marked = np.zeros(shape, bool)
    for corners in polygons:
        points = np.asarray(corners, dtype=float)
        if points.ndim != 2 or points.shape[1] < 2 or len(points) < 3:
            raise InputError("holds no polygon; give three or more corners [x, y] each, in px")
        marked[polygon2mask(shape, points[:, 1::-1])] = True
    return marked


def _polygons(content: Any) -> list:
    """The outer rings of what a json file holds: GeoJSON, a list of polygons, or one polygon."""
    if isinstance(content, dict):
        if "features" in content:
            return [ring for part in content["features"] for ring in _polygons(part)]
        if "geometry" in content:
            return _polygons(content["geometry"])
        rings = content.get("coordinates") or content.get("polygons") or []
        many = rings if content.get("type") == "MultiPolygon" else [rings]
        return list(rings) if "polygons" in content else [part[0] for part in many if part]
    flat = content and isinstance(content[0], list) and not isinstance(content[0][0], list)
    return [content] if flat else list(content)


@dataclass(frozen=True, eq=False)
class GivenCell:
    """A cell that a user states.

    Attributes
    ----------
    vectors : ndarray, shape (2, 2)
        Vectors a and b (rows; x to the right, y down) of the A columns, in px or nm.
    has_b : bool
        Whether a B column lies at the center of their parallelogram.
    in_nm : bool
        Whether the unit is nm.
    """

    vectors: np.ndarray
    has_b: bool
    in_nm: bool


def read_cell(path: str | Path) -> GivenCell:
    """A cell from a json file: ``{"a": [16, 1], "b": [-1, 16], "sites": [[0, 0], [0.5, 0.5]]}``.

    Parameters
    ----------
    path : str or Path
        ``a`` and ``b`` in px, or in nm with ``"unit": "nm"``; ``sites`` are the places of an A and,
        where there is one, of a B column in fractions of the cell: B at the center, or in the
        middle of an edge.

    Returns
    -------
    GivenCell
        With B at an edge, the parallelogram of the A columns whose center it is.

    Raises
    ------
    InputError
        For a file that does not say this.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise InputError("no such file; give a json file of a cell")
        return _cell(json.loads(file.read_text()))
    except Exception as error:
        raise as_input_error(file, error, f"a cell such as {_CELL}") from error


def _cell(stated: Any) -> GivenCell:
    """The cell of a json object."""
    if not isinstance(stated, dict) or not {"a", "b"} <= set(stated):
        raise InputError(f"states no vectors a and b; give a cell such as {_CELL}")
    vectors = np.array([stated["a"], stated["b"]], dtype=float)
    sites = np.array(stated.get("sites", [[0, 0], [0.5, 0.5]]), dtype=float)
    unit = stated.get("unit", "px")
    flat = vectors.shape != (2, 2) or abs(np.linalg.det(vectors)) < 0.1 * (vectors**2).max()
    if flat or not np.isfinite(vectors).all() or unit not in ("px", "nm"):
        raise InputError(f"its vectors span no cell in px or nm; give one such as {_CELL}")
    if sites.ndim != 2 or sites.shape[1] != 2 or len(sites) not in (1, 2):
        raise InputError("sites: give one place for A, or one each for A and B, as fractions")
    a, b = vectors
    at = tuple(((sites[-1] - sites[0]) % 1).round(3).tolist())
    known = {(0.5, 0.5): (a, b), (0.0, 0.5): (a, b - a), (0.5, 0.0): (b, a - b)}
    if len(sites) == 2 and at not in known:
        raise InputError(
            f"sites: B lies {at} of the cell from A; only B at the center (0.5, 0.5) or in the"
            " middle of an edge can be analyzed"
        )
    return GivenCell(
        np.array(known[at]) if len(sites) == 2 else vectors, len(sites) == 2, unit == "nm"
    )


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
            f"{file}: {outside.sum()} of {len(found)} positions lie outside of the image, which is"
            f" {shape[1]} px wide and {shape[0]} px high, the first at ({x:g}, {y:g}); give x and y"
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
            f"has no columns x_px and y_px, but {', '.join(map(str, table.columns[:8]))}; name them"
            " in the first line"
        )
    return table.reindex(columns=[*names, *_OPTIONAL]).to_numpy(dtype=float)


def _of_array(file: Path) -> np.ndarray:
    """Positions of an array of two columns or more."""
    array = np.load(file, allow_pickle=False)
    if array.ndim != 2 or array.shape[1] < 2:
        raise InputError(f"holds an array of shape {array.shape}; give one of shape (N, 2)")
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
        raise InputError("holds no atom_positions; give an atom lattice that atomap saved")
    return _bare(np.concatenate(found))


def _bare(xy: np.ndarray) -> np.ndarray:
    """Positions of which nothing else is known."""
    return np.hstack([xy, np.full((len(xy), len(_OPTIONAL)), np.nan)])


_READERS = {".csv": _of_table, ".npy": _of_array, ".hdf5": _of_atomap, ".h5": _of_atomap}
