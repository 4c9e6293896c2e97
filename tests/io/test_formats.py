"""Every format: array, orientation, type, byte order and pixel size come back as written."""

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from bfo_utils.errors import InputError
from bfo_utils.io import read_image
from bfo_utils.simulation import load_truth, save_phantom

from ..seeds import DM_TYPES, SER_TYPES, write_dm, write_ser, write_velox
from .test_images import MRC_MODES, write, write_mrc

SIZE = 0.02475  # nm
RNG = np.random.default_rng(7)
PATTERN = RNG.permutation(40 * 50).reshape(40, 50) % 99  # like none of its turns and flips
BOTH = ("<", ">")


def pattern(dtype):
    """The pattern in a type, with negative values where the type has them."""
    return (PATTERN - (50 if np.dtype(dtype).kind in "if" else 0)).astype(dtype)


def emd(path, data, names=("y", "x"), units="[n_m]", first=1, folder="data/HAADF"):
    """A Berkeley EMD by its specification: data and a vector for every axis."""
    with h5py.File(path, "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
        group = file.create_group(folder)
        group.attrs["emd_group_type"] = 1
        group["data"] = data
        for k, (n, name) in enumerate(zip(data.shape, names)):
            dim = group.create_dataset(f"dim{k + first}", data=np.arange(n) * SIZE)
            dim.attrs["name"], dim.attrs["units"] = name, units


def nion(path, data):
    told = {
        "dimensional_calibrations": [{"offset": 0.0, "scale": SIZE, "units": "nm"}] * 2,
        "title": "HAADF",
    }
    with h5py.File(path, "w") as file:
        file["data"] = data
        file["data"].attrs["properties"] = json.dumps({"data_source": told})


def nsid(path, data):
    with h5py.File(path, "w") as file:
        main = file.create_dataset("Measurement_000/Channel_000/HAADF/HAADF", data=data)
        for k, (n, name) in enumerate(zip(data.shape, "yx")):
            scale = file.create_dataset(
                f"Measurement_000/Channel_000/HAADF/{name}", data=np.arange(n) * SIZE
            )
            scale.attrs["units"], scale.attrs["quantity"] = "nm", "distance"
            scale.make_scale(name)
            main.dims[k].attach_scale(scale)


def py4dstem(path, data):
    emd(path, data, ("Rx", "Ry"), "pixels", 0, "root/HAADF")
    with h5py.File(path, "a") as file:
        calibration = file.create_group("root/metadatabundle/calibration")
        calibration["R_pixel_size"], calibration["R_pixel_units"] = 10 * SIZE, "A"


def abtem(path, data):
    with h5py.File(path, "w") as file:
        file["array"] = data
        file["offset"], file["sampling"] = [0.0, 0.0], [10 * SIZE] * 2
        file.create_dataset("units", (2,), "S10", ["Å".encode()] * 2)


def plain_h5(path, data):
    with h5py.File(path, "w") as file:
        file["image"] = data
        file["image"].attrs["pixel_size_nm"] = SIZE


def ser(path, data):
    """TIA stores the lowest row first."""
    write_ser(path, data[::-1], SIZE * 1e-9)


def emi(path, data):
    ser(path.with_name(f"{path.stem}_1.ser"), data)
    path.write_bytes(
        b"<ObjectInfo><AcquireDate>Mon Jan 01 00:00:00 2024</AcquireDate></ObjectInfo>"
    )


def rpl(path, data, raw=".raw"):
    """A Ripple file as Lispix describes it, with HyperSpy's keys for the scale."""
    kind = {"u": "unsigned", "i": "signed", "f": "float"}[data.dtype.kind]
    order = {"|": "dont-care", "<": "little-endian", "=": "little-endian", ">": "big-endian"}[
        data.dtype.byteorder
    ]
    height, width = data.shape
    told = {
        "width": width,
        "height": height,
        "depth": 1,
        "offset": 0,
        "data-length": data.dtype.itemsize,
        "data-type": kind,
        "byte-order": order,
        "record-by": "dont-care",
        **{f"{side}-scale": SIZE for side in ("width", "height")},
        **{f"{side}-units": "nm" for side in ("width", "height")},
    }
    path.write_text("key\tvalue\n" + "".join(f"{key}\t{value}\n" for key, value in told.items()))
    path.with_suffix(raw).write_bytes(data.tobytes())


def imagej(path, data):
    order = "<" if data.dtype.newbyteorder("<") == data.dtype else ">"
    tifffile.imwrite(
        path,
        data,
        byteorder=order,
        resolution=(1 / SIZE, 1 / SIZE),
        metadata=None,
        description="ImageJ=1.54f\nunit=nm\n",
    )


def ome(path, data):
    tifffile.imwrite(
        path,
        data,
        ome=True,
        metadata={
            "PhysicalSizeX": SIZE,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": SIZE,
            "PhysicalSizeYUnit": "nm",
        },
    )


def prz(path, data, key="device.calib"):
    """A file of Panta Rhei since 24.03; its axes are x first."""
    told = {"type": "2D", key: [{"unit": "m", "value": SIZE * 1e-9, "offset": 0.0}] * 2}
    with path.open("wb") as file:
        np.savez(file, data=data, meta_data_json=json.dumps([told]))


INTEGERS = ("u1", "i1", "u2", "i2", "u4", "i4")
NUMBERS = (*INTEGERS, "f4", "f8")
FORMATS = {  # name: (suffix, writer, types, byte orders, pixel size)
    "dm3": (".dm3", lambda p, d: write_dm(p, d, SIZE), tuple(DM_TYPES), BOTH, SIZE),
    "dm4": (".dm4", lambda p, d: write_dm(p, d, SIZE), tuple(DM_TYPES), BOTH, SIZE),
    "emd of Berkeley": (".emd", emd, NUMBERS, BOTH, SIZE),
    "emd of HyperSpy": (".emd", lambda p, d: write(p, d, scale=SIZE), NUMBERS, BOTH, SIZE),
    "emd of Velox": (".emd", lambda p, d: write_velox(p, d, SIZE * 1e-9), NUMBERS, BOTH, SIZE),
    "emd of py4DSTEM": (".emd", py4dstem, NUMBERS, BOTH, SIZE),
    "h5": (".h5", plain_h5, (*NUMBERS, "f2"), BOTH, SIZE),
    "hdf5": (".hdf5", plain_h5, NUMBERS, BOTH, SIZE),
    "h5 of Berkeley": (".h5", emd, NUMBERS, BOTH, SIZE),
    "h5 of Nion": (".h5", nion, NUMBERS, BOTH, SIZE),
    "h5 of NSID": (".h5", nsid, NUMBERS, BOTH, SIZE),
    "h5 of py4DSTEM": (".h5", py4dstem, NUMBERS, BOTH, SIZE),
    "hdf5 of abTEM": (".hdf5", abtem, NUMBERS, BOTH, SIZE),
    "hspy": (".hspy", lambda p, d: write(p, d, scale=SIZE), NUMBERS, BOTH, SIZE),
    "ser": (".ser", ser, tuple(SER_TYPES), "<", SIZE),
    "emi": (".emi", emi, tuple(SER_TYPES), "<", SIZE),
    "mrc": (
        ".mrc",
        lambda p, d: write_mrc(p, d, 10 * SIZE),
        tuple(set(MRC_MODES) - {"u1"}),
        BOTH,
        SIZE,
    ),
    "tif": (".tif", imagej, (*NUMBERS, "f2"), BOTH, SIZE),
    "tiff": (".tiff", imagej, NUMBERS, BOTH, SIZE),
    "ome.tif": (".tif", ome, NUMBERS, "<", SIZE),
    "tif of HyperSpy": (".tif", lambda p, d: write(p, d, scale=SIZE), NUMBERS, "<", SIZE),
    "prz": (".prz", prz, NUMBERS, BOTH, SIZE),
    "prz, inherited scale": (
        ".prz",
        lambda p, d: prz(p, d, "inherited.calib"),
        ("f4",),
        BOTH,
        SIZE,
    ),
    "rpl": (".rpl", rpl, NUMBERS, BOTH, SIZE),
    "unf": (".unf", lambda p, d: write(p, d, scale=SIZE), ("i1", "i2", "i4", "f4"), "<", SIZE),
    "npy": (".npy", np.save, NUMBERS, BOTH, None),
    "npz": (".npz", np.savez, NUMBERS, BOTH, None),
    "png": (".png", lambda p, d: Pillow.fromarray(d).save(p), ("u1", "u2"), "<", None),
    "bmp": (".bmp", lambda p, d: Pillow.fromarray(d).save(p), ("u1",), "<", None),
    "jpg": (".jpg", lambda p, d: Pillow.fromarray(d).save(p, quality=100), ("u1",), "<", None),
    "jpeg": (".jpeg", lambda p, d: Pillow.fromarray(d).save(p, quality=100), ("u1",), "<", None),
}
CASES = [
    (name, order + dtype)
    for name, (_, _, dtypes, orders, _) in FORMATS.items()
    for order in orders
    for dtype in sorted(dtypes)
    if order == "<" or np.dtype(dtype).itemsize > 1 or name.startswith("dm")
]


def written(folder, name, dtype, case=str):
    """A file of a format, and what was written to it."""
    suffix, writer, *_ = FORMATS[name]
    path = Path(folder, case(f"scan{suffix}"))
    data = pattern(dtype)
    writer(path, data)
    return path, data


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_what_was_written_is_read(tmp_path, name, dtype):
    path, data = written(tmp_path, name, dtype)
    image = read_image(path)
    np.testing.assert_allclose(image.data, data, atol=2 if path.suffix in (".jpg", ".jpeg") else 0)
    size = FORMATS[name][4]
    assert image.pixel_size_nm == (size and pytest.approx(size, rel=1e-4)) and image.size_note == ""
    assert image.dataset


@pytest.mark.parametrize(
    "name", [n for n in FORMATS if "HyperSpy" not in n and n not in ("hspy", "emi")]
)
def test_a_suffix_may_be_in_capitals(tmp_path, name):
    path, data = written(tmp_path, name, sorted(FORMATS[name][2])[-1])
    path = path.rename(path.with_suffix(path.suffix.upper()))
    np.testing.assert_allclose(
        read_image(path).data, data, atol=2 if ".jp" in path.name.lower() else 0
    )


# Signs and byte orders


@pytest.mark.parametrize("order", BOTH)
@pytest.mark.parametrize(
    ("options", "signed"),
    [
        ({}, True),
        (dict(version=20141), True),
        (dict(version=0), True),
        (dict(version=0, imod=1), True),
        (dict(version=0, imod=0), False),
        (dict(version=0, most=255), False),
        (dict(version=0, stamped=False), True),
        (dict(version=0, imod=5, stamped=False), True),
    ],
)
def test_bytes_of_mrc_have_their_sign(tmp_path, order, options, signed):
    data = pattern("i1")
    header = np.zeros((40, 50), f"{order}i2")  # its type carries the byte order
    write_mrc(tmp_path / "a.mrc", header, **{"most": 49.0, **options})
    content = bytearray((tmp_path / "a.mrc").read_bytes()[:1024])
    content[12:16] = bytes(4)
    (tmp_path / "a.mrc").write_bytes(bytes(content) + data.tobytes())
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.mrc").data, data if signed else data.view("u1")
    )


@pytest.mark.parametrize("name", ["20240101_1_movie.mrc", "movie.mrc"])
def test_files_beside_an_mrc_are_not_asked_for(tmp_path, name):
    write_mrc(tmp_path / name)
    (tmp_path / "20240101_1_info.txt").write_text("no = such = thing")
    assert read_image(tmp_path / name).pixel_size_nm == pytest.approx(0.02)


# Orientation: one convention


@pytest.mark.parametrize("names", [("y", "x"), ("x", "y"), ("Rx", "Ry"), ("", "")])
def test_an_emd_and_its_copy_as_h5_are_one_image(tmp_path, names):
    data = pattern("f4")
    emd(tmp_path / "a.emd", data, names)
    shutil.copy(tmp_path / "a.emd", tmp_path / "a.h5")
    shown = data.T if names == ("x", "y") else data
    for path in (tmp_path / "a.emd", tmp_path / "a.h5"):
        np.testing.assert_array_equal(read_image(path).data, shown)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_the_orientation_of_a_picture_is_that_of_a_viewer(tmp_path, suffix, orientation):
    path, data = (
        tmp_path / f"a{suffix}",
        np.kron(pattern("u1")[::8, ::10], np.ones((8, 8), np.uint8)) * 2,
    )
    if suffix == ".tif":
        tifffile.imwrite(
            path, data, photometric="minisblack", extratags=[(274, "H", 1, orientation, False)]
        )
    else:
        exif = Pillow.Exif()
        exif[274] = orientation
        Pillow.fromarray(data).save(path, exif=exif, quality=100)
    turns = [
        data,
        data[:, ::-1],
        data[::-1, ::-1],
        data[::-1],
        data.T,
        data.T[:, ::-1],
        data.T[::-1, ::-1],
        data.T[::-1],
    ]
    np.testing.assert_allclose(read_image(path).data, turns[orientation - 1], atol=2)


# Photometric meaning


def tiff(path, data, **options):
    tifffile.imwrite(path, data, **options)


GRAY = pattern("u1") * 2
COLORS = np.stack([GRAY] * 3, axis=-1)
OPAQUE = np.concatenate([COLORS, np.full_like(COLORS[..., :1], 255)], axis=-1)
RAMP8 = np.arange(256, dtype=np.uint16) * 257
DISPLAYED = {
    "white is zero": (lambda p: tiff(p, 255 - GRAY, photometric="miniswhite"), 1),
    "white is zero, 16 bits": (
        lambda p: tiff(p, 65535 - GRAY.astype("u2"), photometric="miniswhite"),
        1,
    ),
    "gray palette": (
        lambda p: tiff(p, GRAY, photometric="palette", colormap=np.stack([RAMP8] * 3)),
        257,
    ),
    "inverted palette": (
        lambda p: tiff(p, 255 - GRAY, photometric="palette", colormap=np.stack([RAMP8[::-1]] * 3)),
        257,
    ),
    "RGB": (lambda p: tiff(p, COLORS, photometric="rgb"), 1),
    "RGB, 16 bits": (lambda p: tiff(p, COLORS.astype("u2"), photometric="rgb"), 1),
    "RGB, 32 bits": (lambda p: tiff(p, COLORS.astype("u4"), photometric="rgb"), 1),
    "RGB, floats": (lambda p: tiff(p, COLORS.astype("f4"), photometric="rgb"), 1),
    "planar RGB": (
        lambda p: tiff(p, np.moveaxis(COLORS, -1, 0), photometric="rgb", planarconfig="separate"),
        1,
    ),
    "RGBA": (lambda p: tiff(p, OPAQUE, photometric="rgb", extrasamples=["unassalpha"]), 1),
    "planar RGBA": (
        lambda p: tiff(
            p,
            np.moveaxis(OPAQUE, -1, 0),
            photometric="rgb",
            planarconfig="separate",
            extrasamples=["unassalpha"],
        ),
        1,
    ),
    "gray and alpha": (
        lambda p: tiff(
            p,
            OPAQUE[..., 2:],
            photometric="minisblack",
            planarconfig="contig",
            extrasamples=["unassalpha"],
        ),
        1,
    ),
    "JPEG inside": (
        lambda p: tiff(
            p, COLORS, photometric="rgb", compression="jpeg", compressionargs={"level": 100}
        ),
        1,
    ),
    "YCbCr": (
        lambda p: tiff(
            p,
            np.dstack([GRAY, np.full((40, 50, 2), 128, np.uint8)]),
            photometric="ycbcr",
            planarconfig="contig",
            subsampling=(1, 1),
        ),
        1,
    ),
    "four inks": (
        lambda p: tiff(
            p, np.dstack([np.zeros((40, 50, 3), np.uint8), 255 - GRAY]), photometric="separated"
        ),
        1,
    ),
    "tiles, deflated": (
        lambda p: tiff(p, GRAY, tile=(16, 16), compression="zlib", predictor=True),
        1,
    ),
    "strips, LZW": (lambda p: tiff(p, GRAY, rowsperstrip=7, compression="lzw"), 1),
    "a length-1 axis": (lambda p: tiff(p, GRAY[None, :, :, None], photometric="minisblack"), 1),
}


@pytest.mark.parametrize(("writer", "factor"), DISPLAYED.values(), ids=DISPLAYED)
def test_a_gray_tiff_is_read_as_it_is_displayed(tmp_path, writer, factor):
    writer(tmp_path / "a.tif")
    np.testing.assert_allclose(
        read_image(tmp_path / "a.tif").data / factor, GRAY, atol=3 if "JPEG" in str(writer) else 2
    )


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "1"])
@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_a_gray_picture_is_read_as_it_is_displayed(tmp_path, suffix, mode):
    if (suffix, mode) == (".bmp", "LA"):
        pytest.skip("BMP has no gray with transparency")
    source = GRAY if mode != "1" else (GRAY > 99).astype(np.uint8) * 255
    Pillow.fromarray(source).convert("RGB" if mode == "RGBA" else mode).convert(mode).save(
        tmp_path / f"a{suffix}"
    )
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}").data, source)


def test_deep_colors_of_a_png_keep_their_depth(tmp_path):
    imagecodecs = pytest.importorskip("imagecodecs")
    deep = PATTERN.astype(np.uint16) * 600 + 7
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.stack([deep] * 3, axis=-1)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").data, deep)


def test_a_jpeg_in_colors_that_is_gray_is_read(tmp_path):
    Pillow.fromarray(COLORS).save(tmp_path / "a.jpg", quality=85)
    Pillow.fromarray(COLORS).convert("CMYK").save(tmp_path / "b.jpg", quality=95)
    for name in ("a.jpg", "b.jpg"):
        assert np.corrcoef(read_image(tmp_path / name).data.ravel(), GRAY.ravel())[0, 1] > 0.95


TINTED = np.stack([GRAY, GRAY, 255 - GRAY], axis=-1)
REFUSED = {
    "colors": (lambda p: tiff(p, TINTED, photometric="rgb"), "RGB image"),
    "planar colors": (
        lambda p: tiff(p, np.moveaxis(TINTED, -1, 0), photometric="rgb", planarconfig="separate"),
        "RGB image",
    ),
    "color palette": (
        lambda p: tiff(
            p, GRAY, photometric="palette", colormap=np.stack([RAMP8, RAMP8, RAMP8[::-1]])
        ),
        "RGB image",
    ),
    "transparent": (
        lambda p: tiff(
            p, np.dstack([COLORS, GRAY]), photometric="rgb", extrasamples=["unassalpha"]
        ),
        "RGBA image",
    ),
    "CIELab": (lambda p: tiff(p, COLORS, photometric="cielab"), "CIELAB; convert to grayscale"),
}


@pytest.mark.parametrize(("writer", "message"), REFUSED.values(), ids=REFUSED)
def test_colors_are_refused(tmp_path, writer, message):
    writer(tmp_path / "a.tif")
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / "a.tif")


def test_packed_colors_that_are_gray_are_read(tmp_path):
    packed = np.zeros((40, 50), [(name, "u1") for name in "RGBA"])
    for name in "RGB":
        packed[name] = GRAY
    with h5py.File(tmp_path / "a.hspy", "w") as file:
        file["Experiments/HAADF/data"] = packed
    np.testing.assert_array_equal(read_image(tmp_path / "a.hspy").data, GRAY)


# What is not read is not asked for


@pytest.mark.parametrize("frames", [1, 3])
def test_a_velox_file_with_a_spectrum_image_gives_its_image(tmp_path, monkeypatch, frames):
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)  # no optional library is there
    data = pattern("u2")
    write_velox(
        tmp_path / "a.emd",
        data if frames == 1 else np.stack([data] * frames),
        SIZE * 1e-9,
        spectrum_image=True,
    )
    if frames == 1:
        image = read_image(tmp_path / "a.emd")
        np.testing.assert_array_equal(image.data, data)
        assert (image.pixel_size_nm, image.dataset) == (pytest.approx(SIZE), "HAADF")
    else:
        image = read_image(tmp_path / "a.emd", frames="1")
        np.testing.assert_array_equal(image.data, data)
        assert read_image(tmp_path / "a.emd").drift_px.shape == (3, 2)


def test_what_else_a_file_holds_does_not_matter(tmp_path):
    plain_h5(tmp_path / "a.h5", pattern("f4"))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/image")
        file["dangling"] = h5py.SoftLink("/nowhere")
        file["table"] = np.zeros(9, [("name", "S5"), ("value", "f4")])
        file.create_dataset("text", data=["a", "b"], dtype=h5py.string_dtype())
    assert read_image(tmp_path / "a.h5").pixel_size_nm == SIZE


def test_a_link_that_is_all_there_is_names_its_file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"] = h5py.ExternalLink("other.h5", "/image")
    with pytest.raises(InputError, match="points to another file, other.h5, and contains no array"):
        read_image(tmp_path / "a.h5")


# Locks


@pytest.mark.parametrize("name", ["h5", "emd of Berkeley", "emd of Velox", "hspy"])
def test_a_file_that_another_program_has_locked_is_read(tmp_path, name):
    path, data = written(tmp_path, name, "f4")
    with path.open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        np.testing.assert_array_equal(read_image(path).data, data)
        assert load_truth(path) is None


def test_a_phantom_is_written_where_there_are_no_locks(tmp_path, monkeypatch, junction):
    asked = []
    original = h5py.File
    monkeypatch.setattr(
        h5py,
        "File",
        lambda *given, **options: (
            asked.append(options.get("locking")) or original(*given, **options)
        ),
    )
    save_phantom(junction, tmp_path / "a.h5")
    assert (
        read_image(tmp_path / "a.h5").shape == junction.image.shape
        and load_truth(tmp_path / "a.h5") is not None
    )
    assert asked == [False] * 3


@pytest.mark.parametrize("looked_on", [True, False])
def test_a_file_that_is_being_written_is_read_or_said_to_be(tmp_path, looked_on):
    code = (
        f"import h5py, os; f = h5py.File({str(tmp_path / 'a.h5')!r}, 'w', libver='latest',"
        " locking=False); f['image'] = [list(range(50))] * 40;"
        f" {'f.swmr_mode = True; ' if looked_on else ''}f.flush(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    if looked_on:
        assert read_image(tmp_path / "a.h5").shape == (40, 50)
    else:
        with pytest.raises(
            InputError, match="is marked as being written by another program.*h5clear --status a.h5"
        ):
            read_image(tmp_path / "a.h5")


# Several images


@pytest.mark.parametrize("name", ["emd of Berkeley", "h5", "npz", "tif", "emd of Velox"])
def test_names_that_begin_alike_are_two_images(tmp_path, name):
    one, two, path = pattern("f4"), -pattern("f4"), tmp_path / f"a{FORMATS[name][0]}"
    if name == "emd of Berkeley":
        emd(path, one)
        with h5py.File(path, "a") as file:
            file.copy(file["data/HAADF"], file["data"], "HAADF_filtered")
            file["data/HAADF_filtered/data"][:] = two
    elif name == "h5":
        with h5py.File(path, "w") as file:
            file["HAADF"], file["HAADF_filtered"] = one, two
    elif name == "npz":
        np.savez(path, HAADF=one, HAADF_filtered=two)
    elif name == "emd of Velox":
        write_velox(path, one, detectors=("HAADF", "HAADF_filtered"))
    else:
        with tifffile.TiffWriter(path, ome=True) as file:
            file.write(one, metadata={"Name": "HAADF"})
            file.write(two, metadata={"Name": "HAADF_filtered"})
        with pytest.raises(
            InputError,
            match=(
                r"HAADF 1 \(40, 50\), HAADF_filtered 2 \(40, 50\)\); choose one with --dataset NAME"
            ),
        ):
            read_image(path)
        np.testing.assert_array_equal(read_image(path, dataset="HAADF_filtered 2").data, two)
        return
    image = read_image(path)
    np.testing.assert_array_equal(image.data, one)
    assert "HAADF" in image.dataset.split("/") and "HAADF_filtered" in image.others
    if name != "emd of Velox":
        np.testing.assert_array_equal(read_image(path, dataset="HAADF_filtered").data, two)


def test_images_that_nothing_tells_apart_are_all_listed(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["one/image"], file["two/image"], file["three"] = GRAY, GRAY, GRAY[:, :40]
    with pytest.raises(
        InputError,
        match=r"one/image \(40, 50\), two/image \(40, 50\)\); choose one with --dataset NAME",
    ):
        read_image(tmp_path / "a.h5")
    assert read_image(tmp_path / "a.h5", dataset="three").dataset == "three"


def test_the_images_of_an_emi_have_the_names_of_their_files(tmp_path):
    emi(tmp_path / "a.emi", pattern("i2"))
    ser(tmp_path / "a_2.ser", -pattern("i2"))
    with pytest.raises(InputError, match=r"a_1 \(40, 50\), a_2 \(40, 50\)"):
        read_image(tmp_path / "a.emi")
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.emi", dataset="a_2").data, -pattern("i2")
    )


def test_channels_of_a_tiff_are_images(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", np.stack([GRAY, 255 - GRAY]), ome=True, metadata={"axes": "CYX"}
    )
    with pytest.raises(InputError, match=r"channel 1 \(40, 50\), .*channel 2 \(40, 50\)"):
        read_image(tmp_path / "a.tif")


# Obscure refusals


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        (".rpl", "describes the pixels of a.raw, which is not in the same folder"),
        (".emi", "describes the images in a_1.ser, which is not in the same folder"),
    ],
)
def test_a_file_without_its_companion_names_it(tmp_path, suffix, message):
    (tmp_path / f"a{suffix}").write_text("key\tvalue\nwidth\t50\nheight\t40\n")
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(
    ("code", "label"), [(32001, "blosc"), (32008, "bitshuffle"), (300, "unknown")]
)
def test_a_missing_filter_of_hdf5_is_named(tmp_path, code, label):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        kind = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        kind.set_chunk((40, 50))
        kind.set_filter(code, h5py.h5z.FLAG_OPTIONAL)
        h5py.h5d.create(
            file.id, b"image", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((40, 50)), kind
        )
    with pytest.raises(
        InputError,
        match=(
            rf"the HDF5 filter {code} \({label}\), whose plugin is missing; run `pip install"
            r" hdf5plugin`"
        ),
    ):
        read_image(tmp_path / "a.h5")


def test_a_scale_in_a_pickle_is_said_to_be_there(tmp_path):
    image = read_image(write(tmp_path / "a.prz"))
    assert image.pixel_size_nm is None and "pickles are never read" in image.size_note
