"""Header checks: the sizes in the header of a file, compared with the size of the file, before a
reader allocates memory.

A few bytes of a header can state 10^12 pixels, and a few megabytes of compressed zeros are
gigabytes; the libraries that read the formats check neither. Every function here checks one format
and raises where the header is impossible.

Our own, as a child process with limits reads some of these files, needs ten seconds to give up on
others, and has no such limits on Windows and macOS (``python -m benchmarks headers``).
"""

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from ..errors import InputError

ROOM = 2**26  # bytes that any file may unpack to
# and of larger ones, how often the file's size; noise lets images of columns shrink 10 to 30 times
# at most
RATIO = 200
_DEFLATE = 1032  # times that deflated bytes can grow, at most
PICTURES = ("PNG", "JPEG", "BMP")
# Bytes of DigitalMicrograph's types of numbers.
_SIZES = {2: 2, 3: 4, 4: 2, 5: 4, 6: 4, 7: 8, 8: 1, 9: 1, 10: 1, 11: 8, 12: 8}
_RIPPLE_SIZE = re.compile(
    r"^(?:width|height|depth|data-length)\t(\d{1,20})\s*$", re.MULTILINE | re.IGNORECASE
)
_TIA_32_BITS, _TIA_SPECTRA = 528, 16672  # version up to which offsets have 32 bits; kind of data
_STRUCT, _TEXT, _ARRAY = 15, 18, 20  # and its other types
# Bytes; the time that they take to be read grows with their square.
_LONGEST_NAME, _LONGEST_TEXT = (2**10, 2**16)
_MOST_NUMBERS = 2**23  # of tags that are no pixels: every one becomes a Python object


def check_fits(shape: Iterable[int], available: int, itemsize: int = 1) -> None:
    """Refuse a shape whose pixels, as they are stored, are more than the file.

    Parameters
    ----------
    shape : iterable of int
        What the header says.
    available : int
        Bytes there are.
    itemsize : int
        Bytes of a pixel, at least.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_fits((1_000_000, 1_000_000), 9024)
    Traceback (most recent call last):
    bfo_utils.errors.InputError: is damaged: the header's shape (1000000, 1000000) exceeds the file;
    give an intact file
    """
    shape = tuple(map(int, shape))
    if min(shape, default=1) < 0 or math.prod(shape) * itemsize > available:
        raise InputError(
            f"is damaged: the header's shape {shape} exceeds the file; give an intact file"
        )


def check_unpacks(stated: int, stored: int) -> None:
    """Refuse compressed data that would grow as no image does.

    Parameters
    ----------
    stated : int
        Bytes that they would become.
    stored : int
        Bytes of the file.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_unpacks(2**40, 10_000)
    Traceback (most recent call last):
    bfo_utils.errors.InputError: is damaged: its header states 1099511627776 bytes in a file of
    10000, more than image compression can reach; ...
    """
    if stated > max(ROOM, RATIO * stored):
        raise InputError(
            f"is damaged: its header states {stated} bytes in a file of {stored}, more than image"
            " compression can reach; give an intact file, or save it without compression"
        )


def check_npy(stream: IO[bytes], available: int) -> None:
    """Look at the header of an array in NumPy's format.

    Parameters
    ----------
    stream : binary file at the beginning of the header
    available : int
        Bytes of header and array.
    """
    begin = stream.tell()
    length = "<H" if np.lib.format.read_magic(stream) == (1, 0) else "<I"
    check_fits(_unpack(stream, length), available)  # of the header itself
    stream.seek(begin)
    shape, dtype = npy_header(stream)
    check_fits(shape, available, 0 if dtype.hasobject else dtype.itemsize)


def npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array in NumPy's format.

    Parameters
    ----------
    stream : binary file at the beginning of the header

    Returns
    -------
    shape : tuple of int
    dtype : dtype
    """
    form = np.lib.format
    first = form.read_magic(stream) == (1, 0)
    shape, _, dtype = (form.read_array_header_1_0 if first else form.read_array_header_2_0)(stream)
    return shape, dtype


def _unpack(stream: IO[bytes], code: str) -> tuple:
    """The next numbers of a file."""
    return struct.unpack(code, stream.read(struct.calcsize(code)))


def check_archive(file: Path) -> None:
    """Look at the arrays of a zip archive of NumPy's, all together and each."""
    with zipfile.ZipFile(file) as members:
        check_unpacks(sum(info.file_size for info in members.infolist()), file.stat().st_size)
        for info in members.infolist():
            if info.filename.endswith(".npy"):
                with members.open(info) as stream:
                    check_npy(stream, info.file_size)


def check_hdf5(root, dataset=None) -> None:
    """Look at one dataset of an open HDF5 file, or at all; what is to be read and lies in another
    file is refused.

    Parameters
    ----------
    root : h5py.File
    dataset : h5py.Dataset, optional
    """
    import h5py

    if dataset is None and root.id.links.visit(
        lambda name, info: info.type == h5py.h5l.TYPE_EXTERNAL or None, info=True
    ):
        raise InputError("points to another file; give the file that contains the image")
    found = [] if dataset is None else [dataset]

    def visit(_, item) -> None:
        if isinstance(item, h5py.Dataset) and item.shape:
            found.append(item)

    if dataset is None:
        root.visititems(visit)
    for item in found:
        if item.external or item.is_virtual:
            raise InputError(
                "stores its pixels in another file; give the file that contains the image"
            )
        size = Path(root.filename).stat().st_size
        # every object can be the whole file
        itemsize = size if item.dtype.hasobject else item.dtype.itemsize
        chunk = math.prod(item.chunks or ()) * itemsize
        check_unpacks(max(math.prod(item.shape) * itemsize, chunk), size)
        _inflated(item, chunk)


def _inflated(dataset, most: int) -> None:
    """Refuse chunks that inflate to more than a chunk, which HDF5 would do unchecked."""
    import h5py

    settings = dataset.id.get_create_plist()
    filters = [settings.get_filter(k)[0] for k in range(settings.get_nfilters())]
    if filters.count(h5py.h5z.FILTER_DEFLATE) > 1:
        raise InputError("is compressed more than once; save it uncompressed or compressed once")
    large = []  # enough to become more than any file may

    def visit(info) -> None:
        if info.size * _DEFLATE > ROOM and not info.filter_mask:
            large.append(info.chunk_offset)

    if h5py.h5z.FILTER_DEFLATE in filters:
        dataset.id.chunk_iter(visit)
    for offset in large:
        stored = dataset.id.read_direct_chunk(offset)[1]
        if len(zlib.decompressobj().decompress(stored, most + 64)) > most + 4:
            raise InputError(
                f"is damaged: a chunk contains more than its {most} bytes; give an intact file"
            )


def check_mrc(file: Path, order: str = "<") -> tuple[int, ...]:
    """Look at the header of an MRC file; its shape.

    Parameters
    ----------
    file : Path
    order : {"<", ">"}
        Byte order.
    """
    shape = tuple(np.fromfile(file, f"{order}u4", count=3)[::-1].tolist())
    check_fits(shape, file.stat().st_size)
    return shape


def check_semper(file: Path) -> None:
    """Look at the header of a Semper file, and at the lengths of its records, each of which
    stands before it and behind.
    """
    available = file.stat().st_size
    check_fits(np.fromfile(file, "<i2", count=3, offset=4), available)
    with file.open("rb") as stream:
        while len(head := stream.read(4)) == 4:
            (length,) = struct.unpack("<i", head)
            check_fits((length,), available - stream.tell())
            stream.seek(length, 1)
            if stream.read(4) != head:
                raise InputError("is damaged: a record has the wrong length; give an intact file")
    from rsciio.semper import file_reader

    # a label behind the header may overrule it
    check_fits(file_reader(str(file), lazy=True)[0]["data"].shape, available)


def check_ripple(file: Path) -> None:
    """Look at the text of a Ripple file, and at the raw file beside it."""
    text = file.read_text("latin-1")
    shape = [int(number) for number in _RIPPLE_SIZE.findall(text)]
    raw = [path for path in (file.with_suffix(".raw"), file.with_suffix(".RAW")) if path.is_file()]
    if not raw:
        raise InputError(
            f"describes the pixels of {file.stem}.raw, which is not in the same folder; put the two"
            " files into one folder"
        )
    check_fits(shape, raw[0].stat().st_size)


def check_tia(file: Path) -> None:
    """Look at the header of a TIA file: its axes, and the first of its images."""
    available = file.stat().st_size
    with file.open("rb") as stream:
        _, _, version, kind, _, _, valid = _unpack(stream, "<HHHIIII")
        word = "<Q" if version > _TIA_32_BITS else "<I"
        (first,), (axes,) = _unpack(stream, word), _unpack(stream, "<I")
        check_fits((axes, 32), available)
        lengths = [_axis(stream) for _ in range(axes)]
        stream.seek(first)
        (start,) = _unpack(stream, word)
        stream.seek(start + (22 if kind == _TIA_SPECTRA else 42))
        shape = _unpack(stream, "<I" if kind == _TIA_SPECTRA else "<II")
    check_fits((valid, *shape), available)
    check_unpacks(math.prod(lengths) * math.prod(shape), available)


def _axis(stream: BinaryIO) -> int:
    """Length of an axis that a TIA file describes; leaves the stream behind it."""
    (length,) = _unpack(stream, "<I20x")
    for _ in ("description", "units"):
        stream.seek(_unpack(stream, "<I")[0], 1)
    return length


def check_tiff(file: Path) -> None:
    """Look at the images of a TIFF file."""
    import tifffile

    with tifffile.TiffFile(file) as pages:
        check_unpacks(sum(series.nbytes for series in pages.series), file.stat().st_size)


def check_picture(file: Path) -> None:
    """Look at the header of a picture, which must be one by its content."""
    from PIL import Image

    with Image.open(file, formats=PICTURES) as image:
        check_unpacks(math.prod(image.size) * len(image.getbands()), file.stat().st_size)


def check_tags(file: Path) -> None:
    """Walk through the tags of a DigitalMicrograph file, and look at the size of every value."""
    with file.open("rb") as stream:
        (version,) = _unpack(stream, ">i")
        if version not in (3, 4):
            raise InputError(
                f"is a DigitalMicrograph file of version {version}; give one of version 3 or 4"
            )
        walk = _Walk(stream, ">q" if version == 4 else ">i", file.stat().st_size)
        stream.seek(4 + (8 if version == 4 else 4) + 2, 1)
        walk.group("", walk.word())


class _Walk:
    """A walk through a tree of tags; it knows how many numbers may still come."""

    def __init__(self, stream: BinaryIO, word: str, size: int):
        self._stream, self._word, self._size, self._numbers = stream, word, size, _MOST_NUMBERS

    def word(self) -> int:
        """The next number of the tree."""
        return _unpack(self._stream, self._word)[0]

    def group(self, name: str, count: int) -> None:
        """Walk through the entries of a group."""
        for _ in range(count):
            kind, length = _unpack(self._stream, ">bh")
            self._within(length, _LONGEST_NAME)
            inner = self._stream.read(length).decode("latin-1")
            self._stream.seek(8 * (self._word == ">q") + 2 * (kind == 20), 1)
            if kind == 20:
                self.group(inner, self.word())
            elif kind == 21:
                self._value((name, inner) == ("ImageData", "Data"))
            else:
                raise InputError(f"is damaged: {kind} is not a kind of tag; give an intact file")

    def _value(self, pixels: bool) -> None:
        """Step over the value of a tag."""
        if self._stream.read(4) != b"%%%%":
            raise InputError("is damaged: a tag has no value; give an intact file")
        self.word()
        count, size = self._extent(self.word())
        self._within(count, self._size)
        self._within(count * size, self._size - self._stream.tell())
        self._numbers -= 0 if pixels else count
        if self._numbers < 0:
            raise InputError(
                f"contains more than {_MOST_NUMBERS} numbers besides its pixels; export only the"
                " image"
            )
        self._stream.seek(count * size, 1)

    def _extent(self, kind: int) -> tuple[int, int]:
        """How many values of how many bytes a type has."""
        if kind in _SIZES:
            return 1, _SIZES[kind]
        if kind == _STRUCT:
            return 1, self._struct()
        if kind == _TEXT:
            return 1, self._within(self.word(), _LONGEST_TEXT)
        if kind != _ARRAY:
            raise InputError(f"is damaged: {kind} is not a type of value; give an intact file")
        inner = self.word()
        if inner in _SIZES:
            return self.word(), _SIZES[inner]
        count, size = self._extent(inner)
        return self.word(), count * size

    def _struct(self) -> int:
        self.word()
        fields = self._within(self.word(), _LONGEST_NAME)
        return sum(self._extent((self.word(), self.word())[1])[1] for _ in range(fields))

    def _within(self, number: int, most: int) -> int:
        if not 0 <= number <= most:
            raise InputError(
                f"is damaged: a tag states {number}, but at most {most} are possible; give an"
                " intact file"
            )
        return number
