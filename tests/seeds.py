"""Image files for the fuzzed readers: a small valid one of every format, damage to it, and files
that lie about their size.
"""

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import tifffile
from skimage.io import imsave

from .io.test_images import RAMP, write, write_hdf5, write_mrc

WIDE = 1_000_000  # px: squared, 10^12 pixels that no small file holds
BOMB = 3 * 2**30  # bytes of zeros that a few megabytes hold
GRAY = (RAMP % 200).astype(np.uint8)


class Tags:
    """Builds the tags of a DigitalMicrograph file, version 3 or 4: counts big-endian, values in
    an order of their own.
    """

    def __init__(self, version: int, order: str = "<"):
        self.version, self.word, self.order = version, {3: ">i", 4: ">q"}[version], order

    def number(self, name: str, value, code: int = 5) -> bytes:
        """A tag of one number; 5 is an unsigned integer, 6 a float."""
        return self.tag(name, [code], struct.pack(self.order + {5: "I", 6: "f"}[code], value))

    def text(self, name: str, value: str) -> bytes:
        """A tag of 16-bit characters."""
        encoded = value.encode("utf-16-le" if self.order == "<" else "utf-16-be")
        return self.tag(name, [20, 4, len(encoded) // 2], encoded)

    def tag(self, name: str, info: list[int], value: bytes) -> bytes:
        """A tag: what its value is made of, and the value."""
        body = b"%%%%" + self.words(len(info), *info) + value
        return self._head(21, name) + (self.words(len(body)) if self.version == 4 else b"") + body

    def group(self, name: str, *entries: bytes, count: int | None = None) -> bytes:
        """A group of tags and groups; ``count`` is the number that its header states."""
        body = self.words(len(entries) if count is None else count) + b"".join(entries)
        return (
            self._head(20, name)
            + b"\x01\x00"
            + (self.words(len(body)) if self.version == 4 else b"")
            + body
        )

    def words(self, *numbers: int) -> bytes:
        """Numbers of the tree."""
        return b"".join(struct.pack(self.word, n) for n in numbers)

    def _head(self, kind: int, name: str) -> bytes:
        return struct.pack(">bh", kind, len(name.encode())) + name.encode()


DM_TYPES = {
    "i2": (1, 2),
    "f4": (2, 6),
    "u1": (6, 10),
    "i4": (7, 3),
    "i1": (9, 9),
    "u2": (10, 4),
    "u4": (11, 5),
    "f8": (12, 7),
}


def write_dm(
    path: Path, data=RAMP, scale=0.02, title="HAADF", shape=None, extra=(), units="nm"
) -> Path:
    """Write a dm3 or dm4 file; ``shape`` is that of the header, ``extra`` tags behind the image."""
    order = "<" if data.dtype.newbyteorder("<") == data.dtype else ">"
    tags = Tags(int(path.suffix[-1]), order)
    kind, element = DM_TYPES[data.dtype.str[1:]]
    height, width = shape or data.shape
    axis = tags.group(
        "", tags.number("Origin", 0.0, 6), tags.number("Scale", scale, 6), tags.text("Units", units)
    )
    brightness = tags.group(
        "Brightness",
        tags.number("Origin", 0.0, 6),
        tags.number("Scale", 1.0, 6),
        tags.text("Units", ""),
    )
    image = tags.group(
        "ImageData",
        tags.group("Calibrations", brightness, tags.group("Dimension", axis, axis)),
        tags.tag("Data", [20, element, data.size], data.tobytes()),
        tags.number("DataType", kind),
        tags.group("Dimensions", tags.number("", width), tags.number("", height)),
        tags.number("PixelDepth", data.dtype.itemsize),
    )
    images = tags.group(
        "ImageList", tags.group("", image, tags.group("ImageTags"), tags.text("Name", title))
    )
    body = b"\x01\x00" + tags.words(1 + len(extra)) + images + b"".join(extra)
    path.write_bytes(
        struct.pack(">i", tags.version)
        + tags.words(len(body))
        + struct.pack(">i", order == "<")
        + body
        + bytes(8)
    )
    return path


SER_TYPES = {"u1": 1, "u2": 2, "u4": 3, "i1": 4, "i2": 5, "i4": 6, "f4": 7, "f8": 8}


def write_ser(
    path: Path, data=RAMP, scale=2e-11, shape=None, elements=1, dimensions=1, size=1
) -> Path:
    """Write one image as TIA does; the keywords are what the header states."""
    height, width = shape or data.shape
    head = struct.pack("<HHHIIII", 0x4949, 0x0197, 0x0220, 16674, 16722, elements, elements)
    dimension = struct.pack("<IddIII", size, 0.0, 1.0, 0, 0, 0)
    start = 34 + len(dimension) + 16
    head += (
        struct.pack("<QI", 34 + len(dimension), dimensions)
        + dimension
        + struct.pack("<QQ", start, start)
    )
    element = struct.pack(
        "<ddIddIHII", 0.0, scale, 0, 0.0, scale, 0, SER_TYPES[data.dtype.str[1:]], width, height
    )
    path.write_bytes(head + element + data.tobytes() + struct.pack("<HHI", 16722, 0, 0))
    return path


def write_velox(
    path: Path, data=RAMP, scale=2e-11, unit="m", detectors=("HAADF",), spectrum_image=False
) -> Path:
    """Write images as Velox does: metadata are JSON in a column of bytes, frames are the last
    axis.
    """
    with h5py.File(path, "w") as file:
        file["Version"] = np.array([b'{"format": "Velox", "version": "7"}'])
        for k, name in enumerate(detectors):
            metadata = json.dumps(
                {
                    "BinaryResult": {
                        "PixelSize": {"width": scale, "height": scale},
                        "PixelUnitX": unit,
                        "PixelUnitY": unit,
                        "Offset": {"x": 0, "y": 0},
                        "DetectorIndex": 0,
                    },
                    "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1500000000"}},
                    "Scan": {},
                    "Detectors": {"Detector-0": {"DetectorName": name}},
                }
            )
            group = file.create_group(f"Data/Image/{k:032x}")
            group["Data"] = data[..., None] if data.ndim == 2 else np.moveaxis(data, 0, 2)
            group["Metadata"] = np.frombuffer(metadata.encode().ljust(2000, b"\0"), np.uint8)[
                :, None
            ]
        if spectrum_image:
            file["Data/SpectrumImage/a/SpectrumImageSettings"] = np.array(
                [b'{"endFramePosition": "3"}']
            )
            file["Data/SpectrumStream/b/Data"] = np.zeros((100, 1), np.uint16)
    return path


def write_deflated(path: Path, data=RAMP) -> Path:
    """Write compressed chunks of HDF5."""
    with h5py.File(path, "w") as file:
        file.create_dataset("image", data=data, chunks=(16, 16), compression="gzip", shuffle=True)
    return path


#: A writer of a small valid file for every name of a format.
SEEDS = {
    "dm3": write_dm,
    "dm4": write_dm,
    "emd": write,
    "velox.emd": write_velox,
    "ser": write_ser,
    "mrc": write_mrc,
    "hspy": write,
    "tif": write,
    "prz": write,
    "rpl": write,
    "unf": write,
    "deflate.tif": lambda path: tifffile.imwrite(path, RAMP, compression="zlib", predictor=False),
    "npy": lambda path: np.save(path, RAMP),
    "npz": lambda path: np.savez(path, image=RAMP),
    "deflate.npz": lambda path: np.savez_compressed(path, image=RAMP),
    "h5": lambda path: write_hdf5(path, 0.02, image=RAMP),
    "deflate.h5": write_deflated,
    "png": lambda path: imsave(path, GRAY, check_contrast=False),
    "jpg": lambda path: imsave(path, GRAY, check_contrast=False),
    "bmp": lambda path: imsave(path, GRAY, check_contrast=False),
}


def damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """A file with one kind of damage, more often near its beginning, where the header is."""
    content = bytearray(whole)
    at = int(len(whole) * rng.random() ** rng.choice([1, 4]))
    kind = rng.integers(6)
    if kind == 0:
        return whole[:at]
    if kind == 1:
        for _ in range(rng.integers(1, 17)):
            content[int(len(whole) * rng.random() ** rng.choice([1, 4]))] ^= 1 << rng.integers(8)
    elif kind == 2:
        number = rng.choice(
            [
                0,
                1,
                0x7F,
                0x80,
                0xFF,
                0x7FFF,
                0xFFFF,
                2**31 - 1,
                2**31,
                2**32 - 1,
                2**40,
                2**63 - 1,
                2**63 + 1,
                2**64 - 1,
            ]
        )
        size, order = int(rng.choice([2, 4, 8])), str(rng.choice(["little", "big"]))
        content[at : at + size] = (int(number) % 256**size).to_bytes(size, order)
    elif kind == 3:
        del content[at : at + rng.integers(1, 65)]
    elif kind == 4:
        content[at:at] = content[at : at + rng.integers(1, 65)]
    else:
        content[at : at + rng.integers(1, 257)] = rng.bytes(rng.integers(1, 257))
    return bytes(content)


def header(shape, dtype="<f4") -> bytes:
    """The header of an array in NumPy's format, without the array."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


def zeros(size: int, wrapper: int = -15) -> bytes:
    """A deflated stream of ``size`` zeros, at least, made without deflating them all; 15 for one
    of zlib.
    """
    engine = zlib.compressobj(9, zlib.DEFLATED, wrapper)
    piece = bytes(2**22)
    start = engine.compress(piece) + engine.flush(zlib.Z_FULL_FLUSH)
    again = engine.compress(piece) + engine.flush(zlib.Z_FULL_FLUSH)
    return start + again * (-(-size // 2**22) - 1) + engine.flush()


def zip_bomb(path: Path, shape=(2**15, 2**15), name="image.npy", stated=None, copies=1) -> None:
    """Write an archive of an array of zeros, thousand times the file; the header may state less."""
    size = 4 * shape[0] * shape[1]
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = header(shape)
    body = engine.compress(head) + engine.flush(zlib.Z_FULL_FLUSH) + zeros(size)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(copies):
            archive.writestr(name.replace(".", f"{number}.") if number else name, body)
        for info in archive.infolist():
            info.compress_type, info.file_size = (
                zipfile.ZIP_DEFLATED,
                size + len(head) if stated is None else stated,
            )


def zip_of(path: Path, content: bytes, name="image.npy") -> None:
    """Write an archive of one file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)


def h5(path: Path, name="image", **options) -> None:
    """Write a file with one dataset of which no byte is stored."""
    with h5py.File(path, "w") as file:
        file.create_dataset(name, dtype="f4", **options)
        if path.suffix == ".emd":
            file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
            file[name].parent.attrs["emd_group_type"] = 1


def h5_more(path: Path, name: str) -> None:
    """Add a dataset of 10^12 pixels."""
    with h5py.File(path, "a") as file:
        file.create_dataset(name, (WIDE, WIDE), "f4").parent.attrs["emd_group_type"] = 1


def h5_bomb(path: Path, side: int, chunk: int, filters: int = 1) -> None:
    """Write chunks of HDF5 that inflate to zeros; more of them than the chunk has where the side
    is small.
    """
    body = zeros(max(chunk * chunk * 4, BOMB if side < 1000 else 0), 15)
    with h5py.File(path, "w") as file:
        kind = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        kind.set_chunk((chunk, chunk))
        for number in range(filters):
            kind.set_deflate(1)
            body = zlib.compress(body, 9) if number else body
        space = h5py.h5s.create_simple((side, side))
        dataset = h5py.Dataset(h5py.h5d.create(file.id, b"image", h5py.h5t.IEEE_F32LE, space, kind))
        for i in range(0, min(side, 4 * chunk), chunk):
            dataset.id.write_direct_chunk((i, 0), body)


def h5_elsewhere(path: Path, how: str) -> None:
    """Write a dataset whose pixels lie in another file, or a link to it."""
    other = path.with_name("secret.h5")
    write_hdf5(other, image=RAMP)
    with h5py.File(path, "w") as file:
        if how == "external":
            file.create_dataset(
                "image", RAMP.shape, "f4", external=[(str(other), 2048, RAMP.nbytes)]
            )
        elif how == "virtual":
            layout = h5py.VirtualLayout(RAMP.shape, "f4")
            layout[:] = h5py.VirtualSource(str(other), "image", RAMP.shape)
            file.create_virtual_dataset("image", layout)
        else:
            if how == "link besides":
                file["image"] = RAMP
            file["elsewhere"] = h5py.ExternalLink(str(other), "image")


def h5_texts(path: Path) -> None:
    """Write a dataset of a million references to nothing."""
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "image", (1000, 1000), h5py.string_dtype(), chunks=(1000, 1000), compression="gzip"
        )[0, 0] = "x" * 60_000


def tif(
    path: Path, width: int, height: int, body: bytes, compression: int = 1, description: bytes = b""
) -> None:
    """Write a TIFF whose tags say what they are told."""
    at = 8 + 2 + 10 * 12 + 4
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 32),
        (259, 3, 1, compression),
        (262, 3, 1, 1),
        (270, 2, len(description) + 1, at + len(body)),
        (273, 4, 1, at),
        (278, 4, 1, height),
        (279, 4, 1, len(body)),
        (339, 3, 1, 3),
    ]
    tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    path.write_bytes(
        b"II*\0"
        + struct.pack("<IH", 8, len(entries))
        + tags
        + bytes(4)
        + body
        + description
        + b"\0"
    )


def tif_loop(path: Path) -> None:
    """Write a TIFF whose only page is followed by itself."""
    tif(path, 50, 40, RAMP.tobytes())
    content = bytearray(path.read_bytes())
    content[8 + 2 + 120 : 8 + 2 + 124] = struct.pack("<I", 8)
    path.write_bytes(content)


def png(path: Path, width: int, height: int, body: bytes) -> None:
    """Write a gray PNG of one stream."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def changed(path: Path, writer, *changes: tuple[int, bytes]) -> None:
    """Write a valid file, then other bytes at some places."""
    writer(path)
    content = bytearray(path.read_bytes())
    for at, bytes_ in changes:
        content[at : at + len(bytes_)] = bytes_
    path.write_bytes(content)


def dm_extra(path: Path, build) -> None:
    """Write an image and a tag behind it that ``build`` makes."""
    write_dm(path, extra=(build(Tags(int(path.suffix[-1]))),))


def dm_back(path: Path) -> None:
    """Write pixels of a negative number: a reader that steps over them steps back, for ever."""
    tags = Tags(int(path.suffix[-1]))
    data = tags.tag("Data", [20, 10, -30 if tags.version == 3 else -54], b"")
    write_dm(path, extra=(tags.group("ImageData", data, count=2**30),))


def rpl(path: Path, width, height) -> None:
    """Write a Ripple file whose header states a size."""
    write(path)
    text = (
        path.read_text("latin-1")
        .replace("width\t50", f"width\t{width}")
        .replace("height\t40", f"height\t{height}")
    )
    path.write_text(text, "latin-1")


def laughs(path: Path) -> None:
    """Write an emi file whose XML would grow to a billion words."""
    entities = "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 10))
    write_ser(path.with_name(f"{path.stem}_1.ser"))
    path.write_text(
        f'<ObjectInfo><!DOCTYPE x [<!ENTITY a0 "ha">{entities}]><x>&a9;</x></ObjectInfo>'
    )


def _short(number: int) -> bytes:
    return struct.pack("<h", number)


#: Files that lie, by format and lie; none of them may be read.
LIES = {
    "npy": {
        "10^12 pixels": lambda p: p.write_bytes(header((WIDE, WIDE)) + bytes(8000)),
        "one row of 10^12": lambda p: p.write_bytes(header((10**12,)) + bytes(8000)),
        "objects": lambda p: p.write_bytes(header((40, 50), "|O") + bytes(8000)),
        "a negative side": lambda p: p.write_bytes(header((-40, 50)) + bytes(8000)),
        "a header of 4 GB": lambda p: p.write_bytes(
            b"\x93NUMPY\x02\x00" + b"\xff" * 4 + bytes(8000)
        ),
        "a deep header": lambda p: p.write_bytes(
            b"\x93NUMPY\x02\x00" + struct.pack("<I", 9000) + b"(" * 9000
        ),
    },
    "npz": {
        "10^12 pixels": lambda p: zip_of(p, header((WIDE, WIDE)) + bytes(8000)),
        "zeros, 4 GB": zip_bomb,
        "zeros, 4 GB, said to be 1 kB": lambda p: zip_bomb(p, stated=1000),
        "many members": lambda p: zip_bomb(p, (2**12, 2**12), copies=40),
    },
    "prz": {
        "10^12 pixels": lambda p: zip_of(p, header((WIDE, WIDE)) + bytes(8000), "data.npy"),
        "zeros, 4 GB": lambda p: zip_bomb(p, name="data.npy"),
    },
    "h5": {
        "10^12 pixels": lambda p: h5(p, shape=(WIDE, WIDE)),
        "10^12 pixels in chunks": lambda p: h5(p, shape=(WIDE, WIDE), chunks=(1000, 1000)),
        "a chunk of 3 GB": lambda p: h5(
            p, shape=(40, 50), chunks=(25_000, 30_000), maxshape=(None, None)
        ),
        "zeros, 4 GB": lambda p: h5_bomb(p, 2**15, 2**13),
        "a chunk that inflates to 3 GB": lambda p: h5_bomb(p, 64, 64),
        "zeros deflated twice": lambda p: h5_bomb(p, 64, 64, 2),
        "pixels in another file": lambda p: h5_elsewhere(p, "external"),
        "a virtual dataset": lambda p: h5_elsewhere(p, "virtual"),
        "a link": lambda p: h5_elsewhere(p, "link"),
        "texts": h5_texts,
    },
    "hspy": {"10^12 pixels": lambda p: h5(p, "Experiments/HAADF/data", shape=(WIDE, WIDE))},
    "emd": {
        "10^12 pixels": lambda p: h5(p, "image/data", shape=(WIDE, WIDE)),
        "a link": lambda p: h5_elsewhere(p, "link"),
    },
    "tif": {
        "10^12 pixels": lambda p: tif(p, WIDE, WIDE, bytes(8000)),
        "10^12 pixels, deflated": lambda p: tif(p, WIDE, WIDE, zlib.compress(bytes(8000)), 8),
        "zeros, 4 GB": lambda p: tif(p, 2**15, 2**15, zeros(2**32, 15), 8),
    },
    "png": {
        "10^12 pixels": lambda p: png(p, WIDE, WIDE, zlib.compress(bytes(8000))),
        "zeros, 300 MB": lambda p: png(p, 17_000, 17_000, zeros(17_001 * 17_000, 15)),
    },
    "jpg": {
        "65535 x 65535": lambda p: changed(p, SEEDS["jpg"], _frame_of(p, 65535, 65535)),
        "16000 x 16000": lambda p: changed(p, SEEDS["jpg"], _frame_of(p, 16000, 16000)),
    },
    "bmp": {
        "10^12 pixels": lambda p: changed(p, SEEDS["bmp"], (18, struct.pack("<ii", WIDE, WIDE)))
    },
    "mrc": {"10^12 pixels": lambda p: changed(p, write_mrc, (0, struct.pack("<ii", WIDE, WIDE)))},
    "unf": {
        "10^13 pixels": lambda p: changed(p, write, (4, _short(32767) * 3)),
        "negative": lambda p: changed(p, write, (4, _short(-5))),
    },
    "rpl": {
        "10^12 pixels": lambda p: rpl(p, WIDE, WIDE),
        "10^30 pixels": lambda p: rpl(p, 10**15, 10**15),
    },
    "ser": {
        "10^12 pixels": lambda p: write_ser(p, shape=(WIDE, WIDE)),
        "2^32 images": lambda p: write_ser(p, elements=2**32 - 1),
        "2^32 axes": lambda p: write_ser(p, dimensions=2**32 - 1),
        "an axis of 2^32": lambda p: write_ser(p, elements=0, size=2**32 - 1),
    },
}
#: Files that lie to no effect: they may be read, if in time and in bounds.
HARMLESS = {
    "emi": {"a billion laughs": laughs},
    "h5": {"a link besides": lambda p: h5_elsewhere(p, "link besides")},
    "emd": {
        "a link besides": lambda p: h5_elsewhere(p, "link besides"),
        "10^12 pixels besides": lambda p: (write(p), h5_more(p, "other/data")),
    },
    "tif": {
        "10^9 frames": lambda p: tif(
            p, 50, 40, RAMP.tobytes(), description=b"ImageJ=1.53\nimages=1000000000\n"
        ),
        "a page that follows itself": tif_loop,
    },
}
for _version in ("dm3", "dm4"):
    LIES[_version] = {
        "10^12 pixels": lambda p: write_dm(p, shape=(WIDE, WIDE)),
        "an array of 2^30": lambda p: dm_extra(p, lambda t: t.tag("x", [20, 6, 2**30], b"")),
        "2^30 empty structures": lambda p: dm_extra(
            p, lambda t: t.tag("x", [20, 15, 0, 0, 2**30], b"")
        ),
        "2^30 empty arrays": lambda p: dm_extra(
            p, lambda t: t.tag("x", [20, 20, 6, 0, 2**30], b"")
        ),
        "a text of 2^30": lambda p: dm_extra(p, lambda t: t.tag("x", [18, 2**30], b"")),
        "a group of 2^30": lambda p: dm_extra(p, lambda t: t.group("x", count=2**30)),
        "a step back": dm_back,
        "a text that takes an hour": lambda p: dm_extra(
            p, lambda t: t.tag("x", [18, 3_000_000], bytes(3_000_000))
        ),
        "5000 nested groups": lambda p: write_dm(
            p, extra=(_nested(Tags(int(p.suffix[-1])), 5000),)
        ),
        "9 million numbers": lambda p: dm_extra(
            p, lambda t: t.tag("x", [20, 8, 9_000_000], bytes(9_000_000))
        ),
    }


def _nested(tags: Tags, depth: int) -> bytes:
    heads = [
        tags._head(20, "")
        + b"\x01\x00"
        + (tags.words(0) if tags.version == 4 else b"")
        + tags.words(1)
    ] * depth
    return b"".join(heads)


def _frame_of(path: Path, width: int, height: int) -> tuple[int, bytes]:
    """Where a JPEG says how large it is, and other sides."""
    SEEDS["jpg"](path)
    return path.read_bytes().index(b"\xff\xc0") + 5, struct.pack(">HH", height, width)
