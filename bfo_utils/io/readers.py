"""Readers of file formats: each gives one array and the scales of its axes.

Nothing is ever unpickled or run from a file: formats whose readers do so (zspy's pickle filters,
nc) are not offered.
"""

import glob
import importlib
import logging
import re
import unicodedata
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import InputError
from .headers import (
    check_archive,
    check_hdf5,
    check_mrc,
    check_npy,
    check_picture,
    check_ripple,
    check_semper,
    check_tags,
    check_tia,
    check_tiff,
)

MIN_SIDE = 32  # px: below, there is no lattice to see
#: Names that win where a file holds several images, best first.
PREFERRED = ("MainImage", "image", "HAADF")
CHANNELS = {2: "grey image with transparency", 3: "RGB image", 4: "RGBA image"}
# Any other unit ('px', '', '1/nm', ...) means: not calibrated.
NM_PER_UNIT = {
    "pm": 1e-3,
    "A": 0.1,
    "\u00c5": 0.1,
    "nm": 1.0,
    "um": 1e3,
    "\u03bcm": 1e3,
    "micron": 1e3,
    "m": 1e9,
}
# fmt: off
PLUGINS = {  # the module of rosettasciio for each suffix
    ".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".emd": "emd", ".ser": "tia",
    ".emi": "tia", ".mrc": "mrc", ".tif": "tiff", ".tiff": "tiff", ".prz": "pantarhei",
    ".rpl": "ripple", ".unf": "semper",
}
# fmt: on


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


def _length_nm(scale, unit):
    """Return a scale in nm, None where it is not a plausible pixel (see `read`) or its unit is
    no length.
    """
    unit = unit.decode(errors="replace") if isinstance(unit, bytes) else str(unit)
    try:
        length = float(scale) * NM_PER_UNIT.get(unicodedata.normalize("NFKC", unit.strip()), 0.0)
    except (TypeError, ValueError):
        return None
    return length if 0 < length < 1 else None


def squeezed_axes(shape):
    """Return a shape without the axes of length 1 that come on top of two axes."""
    return tuple(n for n in shape if n != 1) if len(shape) > 2 else tuple(shape)


def check_axes(shape):
    """Refuse shapes that are neither a plane nor a plane with colour channels."""
    if len(shape) < 2:
        raise InputError(f"{len(shape)}-D data of shape {shape}; give a 2-D image")
    if len(shape) > 3 or (len(shape) == 3 and shape[-1] not in CHANNELS):
        raise InputError(
            f"{len(shape)}-D stack of shape {shape}; choose or average a frame to get a 2-D image"
        )


def check_kind(dtype):
    """Refuse values that are no numbers."""
    if dtype.kind not in "iuf":
        raise InputError(
            f"values of type {dtype}; give integers or floats (of complex values the modulus)"
        )


def _choose(arrays, dataset):
    """Return the name of the image among named arrays: the one asked for, else a preferred one
    or the only plane.
    """
    if dataset is not None:
        return _named(arrays, dataset)
    numeric = [name for name, array in arrays.items() if array.dtype.kind in "iufc"] or list(arrays)
    planes = [name for name in numeric if len(squeezed_axes(arrays[name].shape)) == 2]
    names = (
        [name for name in planes if min(squeezed_axes(arrays[name].shape)) >= MIN_SIDE]
        or planes
        or numeric
    )
    preferred = [name for wanted in PREFERRED for name in names if wanted in name.split("/")]
    if len(names) > 1 and not preferred:
        raise InputError(f"holds several arrays ({_listing(arrays, names)}); choose one as dataset")
    if not names:
        raise InputError("holds no array; give a file with a 2-D image")
    return (preferred or names)[0]


def _named(arrays, dataset):
    """Return the array called `dataset`: its full name, or one part of a path that no other
    shares.
    """
    wanted = dataset.strip("/")
    matches = [name for name in arrays if name == wanted] or [
        name for name in arrays if wanted in name.split("/")
    ]
    if len(matches) != 1:
        count, known = len(matches) or "no", _listing(arrays, list(arrays))
        raise InputError(f"{count} datasets are called {dataset!r}; choose one of {known}")
    return matches[0]


def _listing(arrays, names):
    """Return names with their shapes for a message, eight at most."""
    shown = ", ".join(f"{name} {tuple(arrays[name].shape)}" for name in names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


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


def _read_numpy(file, dataset):
    """Read an npy file or one array of an npz file; pickled objects are never loaded."""
    with file.open("rb") as stream:
        magic = stream.read(4)
        if magic not in (b"\x93NUM", b"PK\x03\x04"):
            raise InputError("is no NumPy file; give one that numpy.save or numpy.savez wrote")
        stream.seek(0)
        check_archive(file) if magic[:2] == b"PK" else check_npy(stream, file.stat().st_size)
    arrays = np.load(file, allow_pickle=False)
    if isinstance(arrays, np.ndarray):
        arrays = {file.stem: arrays}
    else:
        with arrays as archive:
            names = [dataset] if dataset in archive.files else archive.files
            arrays = {name: archive[name] for name in names}
    return arrays[_choose(arrays, dataset)], ()


def _read_picture(file, dataset):
    """Read a picture, which has no calibration."""
    from skimage.io import imread

    check_picture(file)
    arrays = {file.stem: imread(file)}
    return arrays[_choose(arrays, dataset)], ()


def _read_hdf5(file, dataset):
    """Read one dataset of an HDF5 file, HyperSpy's included, and of the rest only its
    calibration.
    """
    import h5py

    with h5py.File(file, "r") as root:
        arrays = {}
        root.visititems(
            lambda name, item: arrays.update({name: item}) if getattr(item, "shape", None) else None
        )
        signals = {
            name: item
            for name, item in arrays.items()
            if re.fullmatch("Experiments/[^/]+/data", name)
        }
        chosen = _choose(signals or arrays, dataset)
        check_axes(squeezed_axes(arrays[chosen].shape))
        check_kind(arrays[chosen].dtype)
        check_hdf5(root, arrays[chosen])
        return arrays[chosen][()], _hdf5_scales(arrays[chosen])


def _hdf5_scales(dataset):
    """Return the scales (nm) of a dataset's axes: our own attribute, else HyperSpy's groups
    beside it.
    """
    size = _length_nm(
        dataset.attrs.get("pixel_size_nm", dataset.file.attrs.get("pixel_size_nm")), "nm"
    )
    if size is not None:
        return size, size
    axes = [dataset.parent.get(f"axis-{i}") for i, n in enumerate(dataset.shape) if n != 1]
    return [
        _length_nm(axis.attrs.get("scale"), axis.attrs.get("units"))
        for axis in axes
        if axis is not None
    ]


def _read_rsciio(file, dataset):
    """Read one image of a microscope's file and its calibration, once the file can be what it
    claims.
    """
    plugin = PLUGINS[file.suffix.lower()]
    if plugin in HEADER_CHECKS:
        HEADER_CHECKS[plugin](file)
    reader = importlib.import_module(f"rsciio.{plugin}").file_reader
    options = (
        {"select_type": "images"} if plugin == "emd" else {}
    )  # leaves spectrum images on the disk
    signals = _titled(reader(str(file), **options))
    arrays = {title: _unpacked(signal["data"]) for title, signal in signals.items()}
    chosen = _choose(arrays, dataset)
    return arrays[chosen], _signal_scales(signals[chosen])


def _claims_of_emd(file):
    """Look at all datasets of an EMD file: its reader reads them all."""
    import h5py

    with h5py.File(file, "r") as root:
        check_hdf5(root)


def _claims_of_tia(file):
    """Look at a ser file, or at those that an emi file describes."""
    files = (
        [file]
        if file.suffix.lower() == ".ser"
        else map(Path, glob.glob(f"{glob.escape(str(file.with_suffix('')))}_[0-9].ser"))
    )
    for one in files:
        check_tia(one)


def _claims_of_mrc(file):
    """Look at the shape of an MRC file: at a wrong one rosettasciio would hang."""
    check_axes(squeezed_axes(check_mrc(file)))


def _titled(signals):
    """Return the signals of a file by title, numbered where they have none or share one."""
    titled = {}
    for number, signal in enumerate(signals, start=1):
        title = signal["metadata"].get("General", {}).get("title") or "signal"
        titled[title if title not in titled else f"{title} {number}"] = signal
    return titled


def _unpacked(array):
    """Return the colours that rosettasciio packs into records as a last axis."""
    return (
        np.stack([array[name] for name in array.dtype.names], axis=-1)
        if array.dtype.names
        else array
    )


def _signal_scales(signal):
    """Return the scales (nm) of a signal's axes.

    rosettasciio takes ImageJ's scale from a TIFF but drops its unit unless that is 'micron'; the
    description has it.
    """
    description = str(signal["original_metadata"].get("ImageDescription", ""))
    unit = re.search(r"^ImageJ=.*?^unit=(\S+)", description, flags=re.MULTILINE | re.DOTALL)
    axes = [axis for axis in signal["axes"] if axis["size"] != 1]
    return [_length_nm(axis.get("scale"), axis.get("units") or (unit and unit[1])) for axis in axes]


HEADER_CHECKS = {  # what looks at the claims of a file before rosettasciio reads it
    "digitalmicrograph": check_tags,
    "emd": _claims_of_emd,
    "tia": _claims_of_tia,
    "mrc": _claims_of_mrc,
    "tiff": check_tiff,
    "pantarhei": check_archive,
    "ripple": check_ripple,
    "semper": check_semper,
}
READERS = {  # suffix: (file, dataset) -> (array, scales of its axes in nm)
    **dict.fromkeys(PLUGINS, _read_rsciio),
    **dict.fromkeys((".h5", ".hdf5", ".hspy"), _read_hdf5),
    **dict.fromkeys((".npy", ".npz"), _read_numpy),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), _read_picture),
}
