"""TIFF, PNG, JPEG and BMP: the picture as a viewer displays it, whatever its samples mean."""

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .calibration import Statement, length_nm
from .headers import PICTURES, check_picture, check_tiff
from .stored import StoredArray

_ORIENTATIONS = {  # of TIFF's tag: how stored rows and columns become displayed ones
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
_RESOLUTIONS = {2: "inch", 3: "cm"}  # TIFF's ResolutionUnit
_DEEP = {2, 4, 6}  # PNG's types of several channels, which Pillow cuts to 8 bits


@contextmanager
def read_picture(file: Path) -> Iterator[list[StoredArray]]:
    """The one image of a PNG, JPEG or BMP file, which has no calibration.

    Parameters
    ----------
    file : Path

    Yields
    ------
    list of StoredArray
    """
    from PIL import Image, ImageOps

    check_picture(file)
    with Image.open(file, formats=PICTURES) as picture:
        shown = _deep_png(file)
        if shown is None:
            shown = _samples(ImageOps.exif_transpose(picture))
    yield [StoredArray(file.stem, shown.shape, shown.dtype, lambda: shown)]


def _deep_png(file: Path) -> np.ndarray | None:
    """A PNG of several channels of 16 bits each; None for any other picture."""
    with file.open("rb") as stream:
        head = stream.read(26)
    if head[:4] != b"\x89PNG" or head[24] != 16 or head[25] not in _DEEP:
        return None
    return importlib.import_module("imagecodecs").png_decode(file.read_bytes())


def _samples(picture) -> np.ndarray:
    """Gray values, or colors, of a picture of Pillow's."""
    if picture.mode in ("P", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    elif picture.mode in ("1", "CMYK", "YCbCr"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    return np.asarray(picture)


@contextmanager
def read_tiff(file: Path) -> Iterator[list[StoredArray]]:
    """The images of a TIFF file: every series, and every channel of those that have channels.

    Parameters
    ----------
    file : Path

    Yields
    ------
    list of StoredArray
        Pixels can be loaded inside the block only.
    """
    import tifffile

    check_tiff(file)
    with tifffile.TiffFile(file) as pages:
        found = []
        for k, series in enumerate(pages.series):
            stated = [
                *_ome(pages, k),
                _vendor(pages, series),
                *_resolution(series.keyframe, pages.is_imagej),
            ]
            found += _of_series(
                series, f"{k + 1}" if len(pages.series) > 1 else "", [one for one in stated if one]
            )
        yield found


def _of_series(series, number: str, statements: list[Statement]) -> list[StoredArray]:
    """The images of a series: one, or one per channel."""
    page, axes = series.keyframe, series.axes.replace("I", "Q")
    name = (
        " ".join(f"image {number}".split())
        if not series.name.strip() or series.name.startswith("Series")
        else series.name
    )
    if number and not name.endswith(number):
        name = f"{name} {number}"
    if page.tags.get("Orientation") and page.tags["Orientation"].value in (5, 6, 7, 8):
        statements = [one[::-1] for one in statements]
    if axes.endswith("CYX") and series.shape[-3] > 1 and len(axes) == 3:
        return [
            StoredArray(
                f"{name} channel {c + 1}",
                series.shape[-2:],
                series.dtype,
                partial(_channel, series, c),
                statements,
            )
            for c in range(series.shape[0])
        ]
    order = sorted(range(len(axes)), key=lambda k: axes[k] == "S")  # colors last
    shape = tuple(series.shape[k] for k in order)
    return [
        StoredArray(
            name, shape, series.dtype, lambda: _displayed(series.asarray(), page, axes), statements
        )
    ]


def _channel(series, c: int) -> np.ndarray:
    return _displayed(series.asarray()[c], series.keyframe, "YX")


def _displayed(array: np.ndarray, page, axes: str) -> np.ndarray:
    """Gray values, or colors as a last axis, the right way up."""
    import tifffile

    if "S" in axes:
        array = np.moveaxis(array, axes.index("S"), -1)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    kind = tifffile.PHOTOMETRIC(page.photometric).name
    if kind not in _MEANINGS:
        raise InputError(f"colors of the kind {kind}; convert to grayscale")
    shown = _MEANINGS[kind](array, page)
    tag = page.tags.get("Orientation")
    turn = _ORIENTATIONS.get(tag.value if tag else 1)
    return turn(shown) if turn and shown.ndim == 2 + ("S" in axes or kind == "PALETTE") else shown


def _inverted(array: np.ndarray, page) -> np.ndarray:
    """Samples of which the greatest is black."""
    return (
        (2**page.bitspersample - 1 - array).astype(array.dtype)
        if array.dtype.kind == "u"
        else -array
    )


def _looked_up(array: np.ndarray, page) -> np.ndarray:
    """The colors of a palette."""
    return np.moveaxis(page.colormap[:, array], 0, -1)


def _printed(array: np.ndarray, page) -> np.ndarray:
    """Red, green and blue of four inks."""
    light = (2.0**page.bitspersample - 1) - array[..., :4].astype(np.float64)
    return light[..., :3] * light[..., 3:] / (2.0**page.bitspersample - 1)


def _luminance(array: np.ndarray, page) -> np.ndarray:
    """Red, green and blue of luminance and chroma; of JPEG they are decoded already."""
    if page.compression in (6, 7):
        return array
    gray, blue, red = np.moveaxis(array[..., :3].astype(np.float64), -1, 0) - np.array(
        [0, 128, 128]
    ).reshape(3, *[1] * (array.ndim - 1))
    return np.stack(
        [gray + 1.402 * red, gray - 0.344136 * blue - 0.714136 * red, gray + 1.772 * blue], axis=-1
    )


def _as_it_is(array: np.ndarray, page) -> np.ndarray:
    return array


_MEANINGS = {
    "MINISWHITE": _inverted,
    "MINISBLACK": _as_it_is,
    "RGB": _as_it_is,
    "PALETTE": _looked_up,
    "SEPARATED": _printed,
    "YCBCR": _luminance,
}  # of TIFF's PhotometricInterpretation


# Calibration


def _vendor(pages, series) -> Statement:
    """What the tags of microscopes' makers state about a series, as rosettasciio reads them."""
    module = importlib.import_module("rsciio.tiff._api")
    page, axes = (
        series.keyframe,
        [(axis, n) for axis, n in zip(series.axes, series.shape) if axis != "S"],
    )
    tags = {tag.name: tag.value for tag in page.tags}
    try:
        names = [module.axes_label_codes[axis] for axis, _ in axes]
        found = module._parse_scale_unit(
            pages, page, tags, [n for _, n in axes], False, names, None
        )
    except Exception:  # of tags that are not as expected; the file may state its scale otherwise
        return ()
    named = {axis["name"]: axis for axis in found}
    return [
        (named[name].get("scale"), named[name].get("units"))
        for name in ("height", "width")
        if name in named
    ]


def _ome(pages, k: int) -> list[Statement]:
    """OME's physical sizes of the k-th image."""
    blocks = (
        re.findall(r"<(?:\w+:)?Pixels\b([^>]*)>", pages.ome_metadata or "") if pages.is_ome else []
    )
    told = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', blocks[k])) if k < len(blocks) else {}
    axes = [
        (told.get(f"PhysicalSize{a}"), unescape(told.get(f"PhysicalSize{a}Unit", "\u00b5m")))
        for a in "YX"
    ]
    return [axes] if None not in (axes[0][0], axes[1][0]) else []


def _resolution(page, imagej: bool) -> list[Statement]:
    """TIFF's resolution: in ImageJ's unit, or per inch or cm where it is of atoms, not of print."""
    sizes = [_inverse(page, f"{a}Resolution") for a in "YX"]
    unit = re.search(r"^unit=(.+)$", page.description, flags=re.MULTILINE) if imagej else None
    if unit:
        return [[(size, unit[1].strip()) for size in sizes]]
    tag = page.tags.get("ResolutionUnit")
    stated = [(size, _RESOLUTIONS.get(int(tag.value) if tag else 2)) for size in sizes]
    return [stated] if all((length_nm(*one) or 1) < 1 for one in stated) else []


def _inverse(page, name: str) -> Any:
    """Length per pixel where a tag states pixels per length."""
    tag = page.tags.get(name)
    over, under = tag.value if tag and isinstance(tag.value, tuple) else (0, 0)
    return under / over if over else None
