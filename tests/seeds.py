"""Image files for the fuzzed readers: a small valid one of every format, damage to it, and files that lie about their size."""

import gzip
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import tifffile
from skimage.io import imsave

from .test_images import RAMP, write, write_hdf5, write_mrc

WIDE = 1_000_000  # px: squared, 10^12 pixels that no small file holds
BOMB = 3 * 2**30  # bytes of zeros that a few megabytes hold
GREY = (RAMP % 200).astype(np.uint8)


class Tags:
    """Builds the tags of a DigitalMicrograph file, version 3 or 4: counts big-endian, values little-endian."""

    def __init__(self, version: int):
        self.version, self.word = version, {3: ">i", 4: ">q"}[version]

    def number(self, name: str, value, code: int = 5) -> bytes:
        """A tag of one number; 5 is an unsigned integer, 6 a float."""
        return self.tag(name, [code], struct.pack({5: "<I", 6: "<f"}[code], value))

    def text(self, name: str, value: str) -> bytes:
        """A tag of 16-bit characters."""
        encoded = value.encode("utf-16-le")
        return self.tag(name, [20, 4, len(encoded) // 2], encoded)

    def tag(self, name: str, info: list[int], value: bytes) -> bytes:
        """A tag: what its value is made of, and the value."""
        body = b"%%%%" + self.words(len(info), *info) + value
        return self._head(21, name) + (self.words(len(body)) if self.version == 4 else b"") + body

    def group(self, name: str, *entries: bytes, count: int | None = None) -> bytes:
        """A group of tags and groups; ``count`` is the number that it claims to hold."""
        body = self.words(len(entries) if count is None else count) + b"".join(entries)
        return self._head(20, name) + b"\x01\x00" + (self.words(len(body)) if self.version == 4 else b"") + body

    def words(self, *numbers: int) -> bytes:
        """Numbers of the tree."""
        return b"".join(struct.pack(self.word, n) for n in numbers)

    def _head(self, kind: int, name: str) -> bytes:
        return struct.pack(">bh", kind, len(name.encode())) + name.encode()


def write_dm(path: Path, data=RAMP, scale=0.02, title="HAADF", shape=None, extra=()) -> Path:
    """Write a dm3 or dm4 file; ``shape`` is what it claims, ``extra`` are tags behind the image."""
    tags = Tags(int(path.suffix[-1]))
    height, width = shape or data.shape
    axis = tags.group("", tags.number("Origin", 0.0, 6), tags.number("Scale", scale, 6), tags.text("Units", "nm"))
    brightness = tags.group("Brightness", tags.number("Origin", 0.0, 6), tags.number("Scale", 1.0, 6), tags.text("Units", ""))
    image = tags.group(
        "ImageData", tags.group("Calibrations", brightness, tags.group("Dimension", axis, axis)),
        tags.tag("Data", [20, 6, data.size], data.astype("<f4").tobytes()), tags.number("DataType", 2),
        tags.group("Dimensions", tags.number("", width), tags.number("", height)), tags.number("PixelDepth", 4))
    images = tags.group("ImageList", tags.group("", image, tags.group("ImageTags"), tags.text("Name", title)))
    body = b"\x01\x00" + tags.words(1 + len(extra)) + images + b"".join(extra)
    path.write_bytes(struct.pack(">i", tags.version) + tags.words(len(body)) + struct.pack(">i", 1) + body + bytes(8))
    return path


def write_ser(path: Path, data=RAMP, scale=2e-11, shape=None, elements=1, dimensions=1, size=1) -> Path:
    """Write one image as TIA does; the keywords are what the header claims."""
    height, width = shape or data.shape
    head = struct.pack("<HHHIIII", 0x4949, 0x0197, 0x0220, 16674, 16722, elements, elements)
    dimension = struct.pack("<IddIII", size, 0.0, 1.0, 0, 0, 0)
    start = 34 + len(dimension) + 16
    head += struct.pack("<QI", 34 + len(dimension), dimensions) + dimension + struct.pack("<QQ", start, start)
    element = struct.pack("<ddIddIHII", 0.0, scale, 0, 0.0, scale, 0, 7, width, height)
    path.write_bytes(head + element + data.astype("<f4").tobytes() + struct.pack("<HHI", 16722, 0, 0))
    return path


def write_velox(path: Path, data=RAMP) -> Path:
    """Write one image as Velox does: metadata are JSON in a column of bytes."""
    metadata = b'{"BinaryResult": {"PixelSize": {"width": 2e-11, "height": 2e-11}, "PixelUnitX": "m", "Offset": {"x": 0, "y": 0}}}'
    with h5py.File(path, "w") as file:
        file["Version"] = np.array([b'{"format": "Velox", "version": "7"}'])
        group = file.create_group("Data/Image/one")
        group["Data"] = data[..., None]
        group["Metadata"] = np.frombuffer(metadata, np.uint8)[:, None]
    return path


def write_prz(path: Path, data=RAMP) -> Path:
    """Write an image as Panta Rhei does."""
    return write(path, data)


#: A writer of a small valid file for every name of a format.
SEEDS = {
    "dm3": write_dm, "dm4": write_dm, "emd": write, "velox.emd": write_velox, "ser": write_ser, "mrc": write_mrc,
    "hspy": write, "tif": write, "prz": write_prz, "rpl": write, "unf": write,
    "deflate.tif": lambda path: tifffile.imwrite(path, RAMP, compression="zlib", predictor=False),
    "npy": lambda path: np.save(path, RAMP), "npz": lambda path: np.savez(path, image=RAMP),
    "deflate.npz": lambda path: np.savez_compressed(path, image=RAMP),
    "h5": lambda path: write_hdf5(path, 0.02, image=RAMP),
    "deflate.h5": lambda path: write_deflated(path, RAMP),
    "png": lambda path: imsave(path, GREY, check_contrast=False), "jpg": lambda path: imsave(path, GREY, check_contrast=False),
    "bmp": lambda path: imsave(path, GREY, check_contrast=False),
}


def write_deflated(path: Path, data) -> Path:
    """Write compressed chunks of HDF5."""
    with h5py.File(path, "w") as file:
        file.create_dataset("image", data=data, chunks=(16, 16), compression="gzip", shuffle=True)
    return path


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
        number = rng.choice([0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63 + 1, 2**64 - 1])
        size, order = int(rng.choice([2, 4, 8])), str(rng.choice(["little", "big"]))
        content[at:at + size] = (int(number) % 256**size).to_bytes(size, order)
    elif kind == 3:
        del content[at:at + rng.integers(1, 65)]
    elif kind == 4:
        content[at:at] = content[at:at + rng.integers(1, 65)]
    else:
        content[at:at + rng.integers(1, 257)] = rng.bytes(rng.integers(1, 257))
    return bytes(content)
