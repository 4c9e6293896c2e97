"""HDF5 files of every program, h5, hspy and emd, read the same way under any suffix.

The first axis of a dataset is the rows, except where a Berkeley EMD calls its axes x and y in this
order. Only hard links are followed, so that no other file is read; locks are not taken, so that a
file that another program has open can be read.
"""

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .calibration import Statement, unit_nm
from .headers import check_hdf5
from .stored import StoredArray

_FILTERS = {
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32013: "zfp",
    32015: "zstd",
    32026: "blosc2",
}  # registered ones
# of a dataset or its file, with the unit in the name
_ATTRIBUTES = (("pixel_size_nm", "nm"), ("element_size_um", "um"))
_PAIRS = (
    ("pixel_size", ("pixel_unit", "pixel_units", "units", "unit")),
    ("scale", ("units", "unit")),
    ("sampling", ("units", "unit")),
)
_FLAG = "file consistency flags"  # what HDF5 says of a file that is marked as open for writing


@contextmanager
def opened(file: Path) -> Iterator:
    """An HDF5 file opened for reading without locks.

    Raises
    ------
    InputError
        If a program that writes it has marked it as its own.
    """
    import h5py

    try:
        root = h5py.File(file, "r", locking=False)
    except OSError as error:
        if _FLAG not in str(error):
            raise
        root = _looked_on(file)
    with root:
        yield root


def _looked_on(file: Path):
    """A file that another program writes, if it does so for readers that look on."""
    import h5py

    try:
        return h5py.File(file, "r", locking=False, swmr=True)
    except OSError as error:
        raise InputError(
            "is marked as being written by another program, perhaps one that crashed; close it"
            f" there, or clear the mark with `h5clear --status {file.name}`"
        ) from error


@contextmanager
def read_hdf5(file: Path) -> Iterator[list[StoredArray]]:
    """The images of an HDF5 file, or all its arrays where it is of no known program.

    Parameters
    ----------
    file : Path

    Yields
    ------
    list of StoredArray
        Pixels can be loaded inside the block only.
    """
    with opened(file) as root:
        arrays = _datasets(root)
        yield (
            _velox(arrays)
            or [_stored(name, item, arrays) for name, item in _images(arrays).items()]
            or _nothing(root)
        )


def _datasets(root) -> dict[str, Any]:
    """All datasets that hard links lead to, by path."""
    found: dict[str, Any] = {}
    root.visititems(
        lambda name, item: found.update({name: item}) if getattr(item, "shape", None) else None
    )
    return found


def _nothing(root) -> list[StoredArray]:
    """No array; where links lead to other files, these are named."""
    import h5py

    elsewhere: list[str] = []

    def note(name, info):
        if info.type == h5py.h5l.TYPE_EXTERNAL:
            elsewhere.append(root.get(name.decode(errors="replace"), getlink=True).filename)

    root.id.links.visit(note, info=True)
    if elsewhere:
        raise InputError(
            f"points to another file, {elsewhere[0]}, and contains no array; give the file that"
            " contains the image"
        )
    return []


def _images(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays that are signals of HyperSpy or data of an EMD, where there are any; else all."""
    signals = {
        name: item for name, item in arrays.items() if re.fullmatch("Experiments/[^/]+/data", name)
    }
    data = {
        name: item
        for name, item in arrays.items()
        if _in_emd(item) and not re.fullmatch(r"dim\d+", name.split("/")[-1])
    }
    return signals or data or dict(arrays)


def _in_emd(item) -> bool:
    return "emd_group_type" in item.parent.attrs


def _stored(name: str, item, arrays: Mapping[str, Any]) -> StoredArray:
    """A dataset as the readers hand it over; transposed where its axes are called x and y."""
    statements = [axes for axes in _statements(item, arrays) if axes]
    if (
        _in_emd(item)
        and item.ndim == 2
        and [_axis_name(axis) for axis in _dims(item, arrays)] == ["x", "y"]
    ):
        return StoredArray(
            name,
            item.shape[::-1],
            item.dtype,
            lambda: _load(item).T,
            [axes[::-1] for axes in statements],
        )
    return StoredArray(name, item.shape, item.dtype, lambda: _load(item), statements)


def _load(item) -> np.ndarray:
    """Read a dataset, once its header is possible and it can be decompressed."""
    check_hdf5(item.file, item)
    _decompressible(item)
    return item[()]


def _decompressible(item) -> None:
    """Refuse a dataset whose compression needs a plugin that is not installed."""
    import h5py

    settings = item.id.get_create_plist()
    for code, name in [
        (settings.get_filter(k)[0], settings.get_filter(k)[3])
        for k in range(settings.get_nfilters())
    ]:
        if not h5py.h5z.filter_avail(code):
            with suppress(ImportError):
                importlib.import_module("hdf5plugin")  # registers what it brings
        if not h5py.h5z.filter_avail(code):
            label = _FILTERS.get(code) or name.decode(errors="replace").split(";")[0] or "unknown"
            raise InputError(
                f"is compressed by the HDF5 filter {code} ({label}), whose plugin is missing; "
                "run `pip install hdf5plugin`, or save the file with gzip or uncompressed"
            )


# Calibration


def _statements(item, arrays: Mapping[str, Any]) -> Iterator[Statement]:
    """What a file states about rows and columns of a dataset, in the ways of all programs."""
    for name, unit in _ATTRIBUTES:
        for attributes in (item.attrs, item.file.attrs):
            yield _repeated(attributes.get(name), unit)
    shape = [k for k, n in enumerate(item.shape) if n != 1 or item.ndim <= 2]
    yield from (
        _last(axes, shape)
        for axes in (_hyperspy(item), _emd(item, arrays), _scales(item, arrays), _nion(item))
    )
    yield from (_py4dstem(arrays), _abtem(item, arrays))
    for attributes in (item.attrs, item.parent.attrs):
        for size, units in _PAIRS:
            told = next((attributes[u] for u in units if u in attributes), None)
            yield _repeated(attributes.get(size), told) if told is not None else ()


def _last(axes: list, kept: list[int]) -> Statement:
    """The statements about rows and columns among those about all axes."""
    return [axes[k] for k in kept][-2:] if len(axes) > max(kept, default=0) else []


def _repeated(value: Any, unit: Any) -> Statement:
    """One number for both axes, or the last two of several."""
    if value is None:
        return ()
    values = (
        np.atleast_1d(value).ravel()[-2:]
        if not isinstance(value, str | bytes)
        else np.array([value], dtype=object)
    )
    units = (
        np.atleast_1d(unit).ravel()[-2:]
        if not isinstance(unit, str | bytes)
        else np.array([unit], dtype=object)
    )
    return (
        [(values[k % len(values)], units[k % len(units)]) for k in range(2)]
        if len(values) and len(units)
        else ()
    )


def _hyperspy(item) -> list:
    """Scales in HyperSpy's groups beside a dataset."""
    groups = [_inside(item.parent, f"axis-{k}") for k in range(item.ndim)]
    return [
        (group.attrs.get("scale"), group.attrs.get("units"))
        for group in groups
        if group is not None
    ]


def _inside(group, name: str):
    """A member of a group, unless a link leads elsewhere."""
    import h5py

    return group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None


def _dims(item, arrays: Mapping[str, Any]) -> list:
    """The vectors dim0, dim1, ... beside a dataset of an EMD; they count from 0 or from 1."""
    folder = item.parent.name.strip("/")
    numbered = [
        [arrays.get(f"{folder}/dim{k + first}".strip("/")) for k in range(item.ndim)]
        for first in (0, 1)
    ]
    return next((dims for dims in numbered if None not in dims), [])


def _axis_name(dim) -> str:
    name = dim.attrs.get("name", "")
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _emd(item, arrays: Mapping[str, Any]) -> list:
    return (
        [(_step(dim), dim.attrs.get("units")) for dim in _dims(item, arrays)]
        if _in_emd(item)
        else []
    )


def _step(vector) -> float | None:
    """Mean step of the coordinates along an axis."""
    if vector.ndim != 1 or len(vector) < 2 or vector.dtype.kind not in "iuf":
        return None
    check_hdf5(vector.file, vector)
    return (float(vector[-1]) - float(vector[0])) / (len(vector) - 1)


def _scales(item, arrays: Mapping[str, Any]) -> list:
    """HDF5's own dimension scales, as in NSID."""
    if "DIMENSION_LIST" not in item.attrs:
        return []
    own = [
        next((scale for scale in dim.values() if scale.name.strip("/") in arrays), None)
        for dim in item.dims
    ]
    return [
        (None, None) if one is None else (_step(one), one.attrs.get("units", one.attrs.get("unit")))
        for one in own
    ]


def _nion(item) -> list:
    """Calibrations in the JSON that Nion Swift writes."""
    content = item.attrs.get("properties")
    if not isinstance(content, str | bytes):
        return []
    found = _first(_json(content), ("dimensional_calibrations", "spatial_calibrations"))
    return [(axis.get("scale"), axis.get("units")) for axis in found or []]


def _json(text: str | bytes) -> Any:
    """What a text of JSON says; nothing where it is damaged, as the image is not."""
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def _first(tree: Any, names: tuple[str, ...]) -> Any:
    """The first value of one of these names in nested lists and dictionaries."""
    if isinstance(tree, dict):
        own = next((tree[name] for name in names if tree.get(name)), None)
        return own or next(
            (found for value in tree.values() if (found := _first(value, names))), None
        )
    return (
        next((found for value in tree if (found := _first(value, names))), None)
        if isinstance(tree, list)
        else None
    )


def _scalar(item) -> Any:
    """The one value of a small dataset."""
    return item[()] if item is not None and item.size < 16 else None


def _py4dstem(arrays: Mapping[str, Any]) -> Statement:
    """The calibration that py4DSTEM keeps apart from its images, as scalars."""
    item = next(iter(arrays.values()), None)
    root = None if item is None else item.file
    for top in [] if root is None else root:
        group: Any = _inside(root, top)
        for step in ("metadatabundle", "calibration"):
            group = _inside(group, step) if hasattr(group, "keys") else None
        size, unit = (
            _scalar(_inside(group, f"R_pixel_{name}")) if group is not None else None
            for name in ("size", "units")
        )
        if size is not None and unit_nm(unit):
            return _repeated(size, unit)
    return ()


def _abtem(item, arrays: Mapping[str, Any]) -> Statement:
    """Datasets beside an array that abTEM writes."""
    folder = item.parent.name.strip("/")
    size, units = (
        _scalar(arrays.get(f"{folder}/{name}".strip("/"))) for name in ("sampling", "units")
    )
    return _repeated(size, units) if size is not None and units is not None else ()


# Velox


def _velox(arrays: Mapping[str, Any]) -> list[StoredArray]:
    """The images of a file that Velox wrote; its spectrum images are not looked at."""
    found: list[StoredArray] = []
    for name, item in arrays.items():
        if not re.fullmatch("Data/Image/[^/]+/Data", name) or item.ndim != 3:
            continue
        told = _velox_metadata(arrays.get(f"{name.rpartition('/')[0]}/Metadata"))
        detector = _detector(told) or name.split("/")[2]
        taken = sum(one.detector == detector for one in found)
        shape = item.shape[:2] if item.shape[2] == 1 else (item.shape[2], *item.shape[:2])
        found.append(
            StoredArray(
                f"{detector} {taken + 1}" if taken else detector,
                shape,
                item.dtype,
                partial(_frames, item),
                [_velox_axes(told)],
                detector,
            )
        )
    return found


def _frames(item) -> np.ndarray:
    """A stack of Velox, frames first; an image where it is one frame."""
    stack = np.moveaxis(_load(item), 2, 0)
    return stack[0] if len(stack) == 1 else stack


def _velox_metadata(item) -> dict:
    """The JSON that stands in a column of bytes."""
    if item is None or item.ndim != 2 or item.dtype.itemsize != 1:
        return {}
    check_hdf5(item.file, item)
    told = _json(item[:, 0].tobytes().split(b"\0")[0])
    return told if isinstance(told, dict) else {}


def _detector(told: Mapping) -> str:
    """Name of the detector; it is the only one, or its number is told."""
    detectors = told.get("Detectors") or {}
    number = told.get("BinaryResult", {}).get("DetectorIndex", 0)
    return str(
        detectors.get(f"Detector-{number}", {}).get("DetectorName")
        or told.get("BinaryResult", {}).get("Detector")
        or ""
    )


def _velox_axes(told: Mapping) -> Statement:
    result = told.get("BinaryResult", {})
    size = result.get("PixelSize", {})
    return [
        (size.get(side), result.get(f"PixelUnit{axis}", result.get("PixelUnitX")))
        for side, axis in (("height", "Y"), ("width", "X"))
    ]
