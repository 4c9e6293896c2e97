"""Readers of file formats: each opens a file and tells what arrays it holds, without their pixels.

One orientation for all: the first row is the top of the image as the program that wrote it shows
it, columns run to the right. Nothing is ever unpickled or run from a file: formats whose readers do
so (zspy's pickle filters, nc) are not offered.
"""

import glob
import importlib
import json
import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import InputError
from .hdf5 import read_hdf5
from .headers import (
    check_archive,
    check_mrc,
    check_npy,
    check_ripple,
    check_semper,
    check_tags,
    check_tia,
    npy_header,
)
from .pictures import read_picture, read_tiff
from .stored import StoredArray, check_axes, squeezed

Order = Literal["<", ">"]
# fmt: off
PLUGINS = {  # the module of rosettasciio for each suffix that it reads for us
    ".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".ser": "tia",
    ".mrc": "mrc", ".prz": "pantarhei", ".rpl": "ripple", ".unf": "semper",
}
# fmt: on
_IMOD = b"IMOD"  # IMOD's stamp in an MRC header
_MRC2014 = 20140  # the version from which on bytes are signed
_STAMPS: dict[int, Order] = {0x44: "<", 0x11: ">"}  # first byte of MRC's machine stamp
_PICKLED = (
    "the file stores its scale in a pickle, as Panta Rhei did before 24.03, and pickles are never"
    " read; save it again with a newer version"
)
_CALIBRATIONS = ("device.calib", "inherited.calib", "user.calib")  # of Panta Rhei, in this order
_MODES = range(128)  # of MRC; in the wrong byte order a mode is larger


@contextmanager
def without_reader_warnings():
    """Keep the readers' warnings and log lines from the terminal: what matters is raised."""
    importlib.import_module("rsciio")  # sets its log level when first imported
    loggers = [logging.getLogger(name) for name in ("rsciio", "tifffile")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(action="ignore"):
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def choose_reader(file):
    """Return the function that reads a file's format; refuse what is no file of a known format."""
    if not file.exists():
        raise InputError("no such file; give the path of an image")
    if not file.is_file():
        raise InputError("is a directory or a device; give an image file")
    if file.stat().st_size == 0:
        raise InputError("is empty; give an image file")
    if file.suffix.lower() not in READERS:
        raise InputError(f"unknown format {file.suffix!r}; give one of {', '.join(READERS)}")
    return READERS[file.suffix.lower()]


def open_arrays(file: Path) -> AbstractContextManager[list[StoredArray]]:
    """The arrays of a file of any known format.

    Parameters
    ----------
    file : Path

    Returns
    -------
    context manager
        Of a list of `StoredArray`, which can be loaded inside the block.

    Raises
    ------
    InputError
        If it is no file of a known format.
    """
    return choose_reader(file)(file)


@contextmanager
def _read_numpy(file: Path) -> Iterator[list[StoredArray]]:
    """The arrays of an npy or npz file; pickled objects are never loaded."""
    with file.open("rb") as stream:
        magic = stream.read(4)
        if magic not in (b"\x93NUM", b"PK\x03\x04"):
            raise InputError("is not a NumPy file; give one that numpy.save or numpy.savez wrote")
        stream.seek(0)
        check_archive(file) if magic[:2] == b"PK" else check_npy(stream, file.stat().st_size)
    arrays = np.load(file, allow_pickle=False)
    if isinstance(arrays, np.ndarray):
        yield [StoredArray(file.stem, arrays.shape, arrays.dtype, lambda: arrays)]
        return
    with arrays as archive:
        yield [_member(archive, name) for name in archive.files]


def _member(archive, name: str) -> StoredArray:
    """An array of an npz file, by its header."""
    stored = f"{name}.npy" if f"{name}.npy" in archive.zip.namelist() else name
    with archive.zip.open(stored) as stream:
        shape, dtype = npy_header(stream)
    return StoredArray(name, shape, dtype, lambda: archive[name])


def _of_signals(signals: list[dict], untitled: str = "signal") -> list[StoredArray]:
    """The signals that rosettasciio tells of, by title, numbered where they share one."""
    titled: dict[str, StoredArray] = {}
    for number, signal in enumerate(signals, start=1):
        title = signal["metadata"].get("General", {}).get("title") or untitled
        name = title if title not in titled else f"{title} {number}"
        axes = [axis for axis in signal["axes"] if axis["size"] != 1]
        stated = [(axis.get("scale"), axis.get("units")) for axis in axes][-2:]
        data = signal["data"]
        titled[name] = StoredArray(
            name, data.shape, data.dtype, partial(np.asarray, data), [stated]
        )
    return list(titled.values())


def _plugin(file: Path):
    """rosettasciio's reader of a file."""
    return importlib.import_module(f"rsciio.{PLUGINS[file.suffix.lower()]}").file_reader


@contextmanager
def _read_dm(file: Path) -> Iterator[list[StoredArray]]:
    """The images of a DigitalMicrograph file, without its thumbnail.

    rosettasciio reads tags in the byte order of the header, but pixels in that of this machine.
    """
    check_tags(file)
    try:
        signals = _plugin(file)(str(file), lazy=True)
    except ValueError:  # colors cannot be read lazily
        signals = _plugin(file)(str(file))
    with file.open("rb") as stream:
        head = stream.read(16)
    little = any(head[12:16] if head[3] == 4 else head[8:12])
    yield _of_signals(signals) if little else [_swapped(one) for one in _of_signals(signals)]


def _swapped(one: StoredArray) -> StoredArray:
    """An array whose bytes are in the other order."""
    return replace(one, load=lambda: one.load().byteswap())


@contextmanager
def _read_tia(file: Path) -> Iterator[list[StoredArray]]:
    """The images of ser files, or of those of an emi file; TIA stores the lowest row first."""
    pattern = f"{glob.escape(str(file.with_suffix('')))}_[0-9].ser"
    files = [file] if file.suffix.lower() == ".ser" else sorted(map(Path, glob.glob(pattern)))
    if not files:
        raise InputError(
            f"describes the images in {file.stem}_1.ser, which is not in the same folder; put the"
            " files into one folder"
        )
    found = []
    for one in files:
        check_tia(one)
        found += _of_signals(_plugin(one)(str(one)), one.stem)
    yield found


@contextmanager
def _read_mrc(file: Path) -> Iterator[list[StoredArray]]:
    """The image of an MRC file; rosettasciio hangs at wrong shapes, takes bytes for unsigned."""
    order, signed = _mrc_kind(file)
    check_axes(squeezed(check_mrc(file, order)))
    # files beside it are not asked for
    read = partial(_plugin(file), metadata_file=None, virtual_images=[], external_images=[])
    found = _of_signals(read(str(file), lazy=True, endianness=order))
    yield [_rewritten(one, order, signed) for one in found]


def _rewritten(one: StoredArray, order: Order, signed: bool) -> StoredArray:
    """An array of an MRC file with the sign and byte order that its header states."""
    dtype = np.dtype("i1") if signed and one.dtype == np.uint8 else one.dtype.newbyteorder(order)
    return replace(one, dtype=dtype, load=lambda: one.load().view(dtype))


def _mrc_kind(file: Path) -> tuple[Order, bool]:
    """Byte order of an MRC file, and whether bytes are signed.

    The order is that in which the mode is a small number; both do for 0, where the machine stamp
    decides, else the width. Bytes are signed in MRC2014; in older files IMOD's flags say it where
    its stamp is, and else they are signed unless the header's maximum is none of a signed byte.
    """
    head = np.fromfile(file, "u1", 1024).tobytes().ljust(1024, b"\0")
    both: tuple[Order, Order] = ("<", ">")
    orders = [order for order in both if struct.unpack(f"{order}i", head[12:16])[0] in _MODES]
    narrower = min(both, key=lambda order: struct.unpack(f"{order}I", head[:4])[0])
    order = orders[0] if len(orders) == 1 else _STAMPS.get(head[212], narrower)
    most = struct.unpack(f"{order}f", head[80:84])[0]
    version, flags = struct.unpack(f"{order}i44xi", head[108:160])
    if version < _MRC2014 and head[152:156] in (_IMOD, _IMOD[::-1]):
        return order, bool(flags & 1)
    return order, not 127 < most <= 255


@contextmanager
def _read_prz(file: Path) -> Iterator[list[StoredArray]]:
    """The image of a Panta Rhei file; descriptions that are pickled are left alone."""
    from rsciio.pantarhei._api import import_pr

    check_archive(file)
    with np.load(file, allow_pickle=False) as archive:
        told = json.loads(str(archive["meta_data_json"]))[0] if "meta_data_json" in archive else {}
        found = [told[name] for name in _CALIBRATIONS if told.get(name)]
        told |= {"device.calib": found[0]} if found else {}  # all that rosettasciio looks at
        unread = _PICKLED if "meta_data" in archive.files and not told else ""
        yield [
            replace(one, unread=unread)
            for one in _of_signals(import_pr(archive["data"], told, str(file)))
        ]


@contextmanager
def _read_ripple(file: Path) -> Iterator[list[StoredArray]]:
    """The image that a Ripple file describes."""
    check_ripple(file)
    yield _of_signals(_plugin(file)(str(file), lazy=True))


@contextmanager
def _read_semper(file: Path) -> Iterator[list[StoredArray]]:
    """The image of a Semper file."""
    check_semper(file)
    yield _of_signals(_plugin(file)(str(file), lazy=True))


READERS = {  # suffix: the context manager that opens a file and gives its arrays
    **dict.fromkeys((".dm3", ".dm4"), _read_dm),
    ".emd": read_hdf5,
    **dict.fromkeys((".ser", ".emi"), _read_tia),
    ".mrc": _read_mrc,
    **dict.fromkeys((".tif", ".tiff"), read_tiff),
    ".prz": _read_prz,
    ".rpl": _read_ripple,
    ".unf": _read_semper,
    **dict.fromkeys((".h5", ".hdf5", ".hspy"), read_hdf5),
    **dict.fromkeys((".npy", ".npz"), _read_numpy),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), read_picture),
}
