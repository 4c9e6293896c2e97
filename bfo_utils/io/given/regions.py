"""The region of an image to analyze: a box, a mask, polygons."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, as_input_error
from ..readers import open_arrays, without_reader_warnings
from ..stored import CHANNELS, choose, squeezed

_BOX = re.compile(r"\s*(\d*)\s*:\s*(\d*)\s*,\s*(\d*)\s*:\s*(\d*)\s*")


def region_pixels(
    shape: tuple[int, int], roi: str = "", mask: str | Path = "", exclude: str | Path = ""
) -> np.ndarray | None:
    """The pixels of an image that are analyzed.

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
        raise InputError(f"{' '.join(named)}: no pixel of the image remains; give a larger region")
    return inside


def _box(text: str, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a box."""
    found = _BOX.fullmatch(text)
    if not found:
        raise InputError(
            f"--roi '{text}': is not a box; give X0:X1,Y0:Y1 in px, such as 0:512,100:612"
        )
    x0, x1, y0, y1 = (int(v) if v else None for v in found.groups())
    box = (
        slice(y0 or 0, shape[0] if y1 is None else y1),
        slice(x0 or 0, shape[1] if x1 is None else x1),
    )
    if any(s.stop > n for s, n in zip(box, shape)) or any(s.start >= s.stop for s in box):
        raise InputError(
            f"--roi '{text}': does not fit in the image, which is {shape[1]} px wide and {shape[0]}"
            f" px high; give X0:X1,Y0:Y1 with X0 < X1 <= {shape[1]} and Y0 < Y1 <= {shape[0]}"
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
        raise InputError(
            f"{file}: is {own}, but the image is {whole}; give a mask of the whole image"
        )
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
        raise InputError(f"contains {values.ndim}-D data; give a 2-D mask")
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
            raise InputError("contains no polygon; give three or more corners [x, y] each, in px")
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
