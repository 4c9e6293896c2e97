"""Calibration: pixel sizes in nm from the scales and units in files.

Units are read here and nowhere else.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError

#: Scale and unit of the two axes of an image (rows, columns), as a file states them.
Statement = Sequence[tuple[Any, Any]]

COARSEST_NM = 1.0  # nm: coarser pixels resolve no columns
FINEST_NM = 1e-6  # nm: finer ones are numbers in another unit
SQUARE = 1.01  # ratio of the two scales up to which pixels count as square
TYPICAL_NM = 0.004, 0.1  # nm: pixel sizes of images that resolve columns
PEROVSKITE_NM = 0.3, 0.6  # nm: edges of the (pseudo-cubic) cells of perovskites
AGREE = 0.02  # relative difference up to which a stated and a measured cell edge agree
_SLIPS = {"pm": 1e-3, "Å": 0.1, "m": 1e9}  # units that are mistaken for nm, in nm
_NM = {
    "pm": 1e-3,
    "a": 0.1,
    "å": 0.1,
    "nm": 1.0,
    "μm": 1e3,
    "um": 1e3,
    "mm": 1e6,
    "cm": 1e7,
    "m": 1e9,
    "inch": 2.54e7,
    "in": 2.54e7,
}
_WORDS = {
    "picomet": "pm",
    "angstr": "å",
    "ångstr": "å",
    "nanomet": "nm",
    "micromet": "μm",
    "micron": "μm",
    "millimet": "mm",
    "centimet": "cm",
    "met": "m",
}  # beginnings of units that are written out, in English and German
_TEX = {
    r"\AA": "Å",
    r"\angstrom": "Å",
    r"\mathring{A}": "Å",
    r"\r{A}": "Å",
    r"\mu": "μ",
    r"\micro": "μ",
}
_NOTHING = {
    "",
    "none",
    "px",
    "pix",
    "pixel",
    "pixels",
    "<undefined>",
    "undefined",
    "uncalibrated",
    "unknown",
    "-",
    "?",
}


@dataclass(frozen=True)
class PixelSize:
    """Nanometers per pixel, None if unknown, and a sentence on unusable values."""

    nm: float | None
    unused: str = ""


def unit_nm(unit: Any) -> float | None:
    """Length of a unit in nm, None if it is not a length.

    Parameters
    ----------
    unit : str, bytes or None
        As files spell it: abbreviations, words, TeX, ImageJ's escapes, brackets, per pixel.

    Returns
    -------
    float or None

    Examples
    --------
    >>> [unit_nm(u) for u in ("nm", "Angstroms", r"$\\AA$", "[n_m]", "1/nm")]
    [1.0, 0.1, 0.1, 1.0, None]
    """
    text = _plain(unit)
    if text in _NM:
        return _NM[text]
    return next(
        (
            _NM[short]
            for word, short in _WORDS.items()
            if re.fullmatch(rf"{word}(er|re|om|öm)?s?", text)
        ),
        None,
    )


def unit_text(unit: Any) -> str:
    """A unit as it is written, whatever it is stored as.

    Examples
    --------
    >>> unit_text(b"nm"), unit_text(None)
    ('nm', '')
    """
    if isinstance(unit, np.ndarray):
        unit = unit.flat[0] if unit.size else ""
    if isinstance(unit, bytes):
        try:
            return unit.decode().strip("\0 ")
        except UnicodeDecodeError:
            return unit.decode("latin-1").strip("\0 ")
    return "" if unit is None else str(unit).strip("\0 ")


def _plain(unit: Any) -> str:
    """A unit without the ways of writing of programs."""
    text = unit_text(unit)
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)
    if re.fullmatch(r"\[.*\]", text):
        text = text[1:-1].replace("_", "")
    for tex, sign in _TEX.items():
        text = text.replace(tex, sign)
    text = unicodedata.normalize(
        "NFKC", re.sub(r"[${}\s]|\\(?:mathrm|rm|text)\b", "", text)
    ).casefold()
    return re.sub(r"(/|per)(px|pix|pixels?)$", "", text)


def length_nm(scale: Any, unit: Any) -> float | None:
    """A scale in nm, regardless of sign; None if it is not a number or its unit is not a length.

    Examples
    --------
    >>> length_nm(-24.75, "pm"), length_nm(0.1, "mrad")
    (0.02475, None)
    """
    try:
        length = abs(float(np.asarray(scale).reshape(()))) * (unit_nm(unit) or 0.0)
    except (TypeError, ValueError):
        return None
    return length if 0 < length < np.inf else None


def pixel_size(statements: Sequence[Statement]) -> PixelSize:
    """The pixel size from the first usable statement.

    Parameters
    ----------
    statements : sequence of sequences of (scale, unit)
        What a file states about the two axes of an image, the most credible first.

    Returns
    -------
    PixelSize

    Raises
    ------
    InputError
        If pixels are not square: the scales differ by more than 1 %.

    Examples
    --------
    >>> pixel_size([[(24.75, "pm"), (24.75, "pm")]])
    PixelSize(nm=0.02475, unused='')
    >>> pixel_size([[(24.75, "nm"), (24.75, "nm")]]).unused
    'the file states 24.75 nm per pixel, too coarse ...; if pm are meant, give --pixel-size 0.02475'
    """
    unused = ""
    for axes in statements:
        lengths = [length_nm(*axis) for axis in axes]
        known = [length for length in lengths if length is not None]
        if len(known) == len(axes) == 2 and FINEST_NM <= min(known) and max(known) < COARSEST_NM:
            return PixelSize(_square(*known))
        unused = unused or _quoted(axes)
    return PixelSize(None, unused)


def _square(one: float, two: float) -> float:
    """The edge of pixels that are square."""
    if max(one, two) > SQUARE * min(one, two):
        raise InputError(
            f"pixels of {one:.4g} x {two:.4g} nm are not square; "
            "resample to square pixels, or give the pixel size"
        )
    return float(np.sqrt(min(one, two) * max(one, two)))


def _quoted(axes: Statement) -> str:
    """What a file states that cannot be used; nothing where it states nothing."""
    told = [(scale, unit_text(unit)) for scale, unit in axes if _states(scale, unit)]
    if not told:
        return ""
    shown = " x ".join(
        dict.fromkeys(" ".join(f"{_number(scale)} {unit}".split()) for scale, unit in told)
    )
    length = length_nm(*told[0])
    if length is None or length_nm(*told[-1]) is None or len(told) < len(axes):
        return f"the file states {shown} per pixel, which is not a length in nm along both axes"
    what = "too coarse to resolve columns" if length >= COARSEST_NM else "too fine for an image"
    return f"the file states {shown} per pixel, {what}{meant(length)}"


def _states(scale: Any, unit: Any) -> bool:
    """Whether a scale and its unit say anything about the size of a pixel."""
    return unit_text(unit).casefold() not in _NOTHING and scale is not None


def _number(scale: Any) -> str:
    try:
        return f"{float(scale):.6g}"
    except (TypeError, ValueError):
        return unit_text(scale)[:40]


def meant(nm: float) -> str:
    """Probable meaning of an implausible number of nm per pixel; may be empty.

    Examples
    --------
    >>> meant(24.75)
    '; if pm are meant, give --pixel-size 0.02475'
    """
    for unit, factor in _SLIPS.items():
        if TYPICAL_NM[0] <= nm * factor <= TYPICAL_NM[1]:
            return f"; if {unit} are meant, give --pixel-size {nm * factor:.6g}"
    return ""


def checked_nm(value: Any, what: str = "pixel size") -> float | None:
    """A pixel size, or another length in nm, that a user gives; None stays None.

    Raises
    ------
    InputError
        If it is no positive number, or cannot be the pixel size of an image that resolves columns.

    Examples
    --------
    >>> checked_nm(24.75)
    Traceback (most recent call last):
    bfo_utils.errors.InputError: pixel size: 24.75 nm is too coarse ...; if pm are meant, ...
    """
    if value is None:
        return None
    try:
        size = float(value)
    except (TypeError, ValueError):
        size = np.nan
    if not 0 < size < np.inf:
        raise InputError(
            f"{what}: {value!r} is not a positive number; give nanometers per pixel, such as 0.015"
        )
    if not FINEST_NM <= size < COARSEST_NM:
        fault = "coarse to resolve columns" if size >= COARSEST_NM else "fine for an image"
        raise InputError(
            f"{what}: {size:g} nm is too {fault}"
            f"{meant(size) or '; give nanometers per pixel, such as 0.015'}"
        )
    return size


def checked_lattice_nm(value: Any) -> float | None:
    """The edge of a known cell that a user gives, in nm; None stays None.

    Raises
    ------
    InputError
        If it is no edge of a perovskite's cell (0.3 to 0.6 nm).

    Examples
    --------
    >>> checked_lattice_nm(3.905)
    Traceback (most recent call last):
    bfo_utils.errors.InputError: --lattice-nm: 3.905 nm is not a ... parameter ...; 0.3905 nm?
    """
    if value is None:
        return None
    low, high = PEROVSKITE_NM
    try:
        size = float(value)
    except (TypeError, ValueError):
        size = np.nan
    if low <= size <= high:
        return size
    likely = [size * factor for factor in _SLIPS.values() if low <= size * factor <= high]
    hint = f"{likely[0]:.6g} nm?" if likely else "give it in nm, such as 0.3905"
    raise InputError(
        f"--lattice-nm: {size:g} nm is not a perovskite lattice parameter ({low:g} to {high:g} nm);"
        f" {hint}"
    )


def by_lattice(pixel_size_nm: float | None, lattice_nm: float | None, cell_px: float) -> PixelSize:
    """The pixel size of an image whose lattice is known. A known pixel size is kept; if the lattice
    disagrees by more than 2 %, `unused` states this.

    Parameters
    ----------
    pixel_size_nm : float or None
        Size that the file or the user states.
    lattice_nm : float or None
        Edge of the (pseudo-cubic) cell in nm.
    cell_px : float
        The same edge as measured, in px.

    Returns
    -------
    PixelSize

    Examples
    --------
    >>> by_lattice(None, 0.3905, 15.62)
    PixelSize(nm=0.025, unused='')
    """
    if lattice_nm is None:
        return PixelSize(pixel_size_nm)
    measured = lattice_nm / cell_px
    if pixel_size_nm is None:
        return PixelSize(measured)
    edge = pixel_size_nm * cell_px
    if abs(edge / lattice_nm - 1) <= AGREE:
        return PixelSize(pixel_size_nm)
    note = (
        f"the pixel size of {pixel_size_nm:.5g} nm makes the cell {edge:.4g} nm wide,"
        f" {edge / lattice_nm - 1:+.1%} from the {lattice_nm:g} nm of --lattice-nm; lengths use the"
        f" pixel size; to use the lattice parameter instead, give --pixel-size {measured:.5g}"
    )
    return PixelSize(pixel_size_nm, note)


def implausible_cell(cell_nm: float) -> str:
    """A sentence on an implausible cell edge; empty if a perovskite may have it.

    Examples
    --------
    >>> implausible_cell(0.39)
    ''
    >>> implausible_cell(3.9)
    'The cell is 3.9 nm wide, but perovskites have 0.3 to 0.6 nm: ...'
    """
    low, high = PEROVSKITE_NM
    if low <= cell_nm <= high:
        return ""
    return (
        f"The cell is {cell_nm:.3g} nm wide, but perovskites have {low:g} to {high:g} nm: the pixel"
        " size is wrong, or the crystal is not a perovskite; check the pixel size, or give the"
        " known cell with --lattice-nm (0.3905 for SrTiO3)."
    )
