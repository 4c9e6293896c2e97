"""Images: every format that can be written here is read back, every bad input is one clear line."""

import os
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.io import imsave

from bfo_utils.errors import InputError
from bfo_utils.io import (
    PLUGINS,
    READERS,
    file_sha256,
    image_from_array,
    images,
    read_image,
    readers,
)

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
RAMP = np.arange(40 * 50, dtype=np.float32).reshape(40, 50)


def axes(shape, scale=0.02, units="nm"):
    """rosettasciio's axes of an image; a pair of scales or units is (y, x)."""
    scales, units = (
        np.broadcast_to(scale, 2).tolist(),
        [units, units] if isinstance(units, str) else units,
    )
    return [
        dict(
            name=n,
            size=s,
            index_in_array=i,
            navigate=False,
            offset=0.0,
            scale=scales[i],
            units=units[i],
        )
        for i, (n, s) in enumerate(zip("yx", shape, strict=True))
    ]


def signal(data=RAMP, title="HAADF", **calibration):
    """An image as rosettasciio's readers return it and its writers take it."""
    return dict(
        data=data,
        axes=axes(data.shape, **calibration) if data.ndim == 2 else [],
        metadata=dict(General=dict(title=title), Signal=dict(signal_type="")),
        original_metadata={},
        attributes=dict(_lazy=False, ragged=False),
        tmp_parameters={},
        learning_results={},
        package_info={},
        models={},
    )


def write(path, data=RAMP, **calibration):
    """Write an image with a calibration through rosettasciio."""
    plugin = {".hspy": "hspy", ".emd": "emd", ".tif": "tiff", **PLUGINS}[path.suffix.lower()]
    import_module(f"rsciio.{plugin}").file_writer(str(path), signal(data, **calibration))
    return path


MRC_MODES = {"i1": 0, "u1": 0, "i2": 1, "f4": 2, "u2": 6, "f2": 12}


def write_mrc(path, data=RAMP, angstrom=0.2, version=20140, most=None, stamped=True, imod=None):
    """Write the 1024 bytes of an MRC header in the byte order of the data, and the data
    (rosettasciio cannot).
    """
    height, width = data.shape
    order = "<" if data.dtype.newbyteorder("<") == data.dtype else ">"
    header = np.zeros(256, dtype=f"{order}i4")
    header[:10] = width, height, 1, MRC_MODES[data.dtype.str[1:]], 0, 0, 0, width, height, 1
    header[10:13] = np.array(
        [width * angstrom, height * angstrom, angstrom], dtype=f"{order}f4"
    ).view(f"{order}i4")
    most = float(data.max()) if most is None else most
    header[19:22] = np.array([float(data.min()), most, 0], dtype=f"{order}f4").view(f"{order}i4")
    header[27] = version
    if imod is not None:
        header[38:40] = 1146047817, imod
    content = bytearray(header.tobytes())
    content[212:214] = bytes(2) if not stamped else b"\x44\x44" if order == "<" else b"\x11\x11"
    path.write_bytes(bytes(content) + data.tobytes())
    return path


def write_hdf5(path, pixel_size_nm=None, **arrays):
    """Write datasets, of which the one called image carries the pixel size, as the phantom does."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array
        if pixel_size_nm is not None:
            file["image"].attrs["pixel_size_nm"] = pixel_size_nm
    return path


def offers(monkeypatch, *signals):
    """Let the reader of dm4 files return these signals, whatever the file."""
    monkeypatch.setattr(
        "rsciio.digitalmicrograph.file_reader", lambda filename, lazy: list(signals)
    )
    monkeypatch.setattr(readers, "check_tags", lambda file: None)


@pytest.fixture
def dm4(tmp_path):
    """A file that passes for a dm4."""
    path = tmp_path / "scan.dm4"
    path.write_bytes(b"\0\0\0\4" + bytes(11) + b"\1")
    return path


# Arrays


@pytest.mark.parametrize(
    "dtype", ["u1", "<i2", ">i2", ">u4", "i8", "u8", "f2", ">f4", "f8", "longdouble"]
)
def test_from_array_takes_every_number(dtype):
    image = image_from_array((RAMP % 200).astype(dtype), pixel_size_nm=np.float32(0.5), name="ramp")
    assert image.data.dtype == np.float32 and image.data.dtype.isnative
    np.testing.assert_array_equal(image.data, RAMP % 200)
    assert (image.shape, image.pixel_size_nm, image.name) == ((40, 50), 0.5, "ramp")
    assert type(image.pixel_size_nm) is float and image.source is None and image.sha256 is None


@pytest.mark.parametrize(
    "array",
    [
        RAMP.T,
        RAMP[::-1],
        np.asfortranarray(RAMP),
        RAMP[None],
        RAMP[..., None],
        np.broadcast_to(RAMP[0], (40, 50)),
    ],
)
def test_from_array_is_contiguous_and_a_copy(array):
    image = image_from_array(array)
    assert image.data.flags.c_contiguous and image.valid.flags.c_contiguous
    assert not np.shares_memory(image.data, array)
    np.testing.assert_array_equal(image.data, array.reshape(image.shape))


def test_from_array_fills_invalid_pixels_with_the_median():
    array = RAMP.copy()
    array[3, 4], array[5, 6], array[7, 8] = np.nan, np.inf, -np.inf
    image = image_from_array(array)
    np.testing.assert_array_equal(image.valid, np.isfinite(array))
    assert set(image.data[~image.valid]) == {np.float32(np.median(array[np.isfinite(array)]))}
    np.testing.assert_array_equal(image.data[image.valid], array[image.valid])


def test_from_array_takes_masked_pixels_for_invalid():
    mask = RAMP < 60
    image = image_from_array(np.ma.masked_array(RAMP.astype(int), mask))
    np.testing.assert_array_equal(image.valid, ~mask)


def test_from_array_keeps_the_contrast_on_a_huge_offset():
    image = image_from_array(1e12 + RAMP.astype(np.float64))
    np.testing.assert_array_equal(image.data, RAMP - np.median(RAMP))


def test_from_array_leaves_ordinary_offsets_alone():
    np.testing.assert_array_equal(image_from_array(RAMP + 10_000).data, RAMP + 10_000)


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("colors", [1, 3])
def test_from_array_merges_equal_channels(colors, extra):
    gray = (RAMP % 200).astype(np.uint8)[..., None]
    array = np.concatenate([gray] * colors + [np.full_like(gray, 255)] * extra, axis=-1)
    np.testing.assert_array_equal(image_from_array(array).data, gray[..., 0])


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.float64, (32, 33), elements=st.floats(width=64), fill=st.floats(-1e6, 1e6)))
def test_from_array_gives_an_image_or_an_input_error(array):
    try:
        image = image_from_array(array)
    except InputError as error:
        assert str(error).startswith("image: ")
        return
    assert np.isfinite(image.data).all() and np.ptp(image.data) > 0
    np.testing.assert_array_equal(image.valid, np.isfinite(array))


BAD_ARRAYS = {
    "constant": (np.ones((40, 40)), "constant image, every pixel is 1"),
    "constant but for NaN": (np.where(RAMP > 5, 1.0, np.nan), "constant image"),
    "no valid pixel": (np.full((40, 40), np.nan), "all pixels are NaN or infinite"),
    "all masked": (np.ma.masked_all((40, 40)), "all pixels are NaN"),
    "too small": (RAMP[:16, :16], "16 x 16 px is too small; give at least 32 px on each side"),
    "one side too small": (RAMP[:31], "31 x 50 px is too small"),
    "empty": (np.zeros((0, 40)), "0 x 40 px is too small"),
    "vector": (RAMP[0], r"1-D data of shape \(50,\); give a 2-D image"),
    "scalar": (3.0, "0-D data"),
    "stack": (
        np.stack([RAMP] * 10),
        r"3-D data of shape \(10, 40, 50\) are neither an image",
    ),
    "4-D": (np.zeros((5, 5, 40, 40)), r"4-D data of shape \(5, 5, 40, 40\)"),
    "RGB": (
        np.stack([RAMP, RAMP, RAMP + 1], axis=-1),
        "RGB image, 3 channels; convert to grayscale",
    ),
    "RGBA": (np.stack([RAMP] * 3 + [RAMP * 0], axis=-1), "RGBA image, 4 channels; convert"),
    "gray with transparency": (
        np.stack([RAMP, RAMP], axis=-1),
        "transparency, 2 channels; convert",
    ),
    "complex": (RAMP * 1j, "values of type complex64; give integers or floats"),
    "bool": (RAMP > 3, "values of type bool"),
    "text": (np.full((40, 40), "a"), "values of type <U1"),
    "objects": (np.full((40, 40), None), "values of type object"),
    "dates": (RAMP.astype("M8[s]"), "values of type datetime64"),
    "ragged": ([[1, 2], [3]], "not readable .*; expected a 2-D array of numbers"),
    "too large for float32": (RAMP.astype(float) * 1e300, "do not fit 32-bit floats; rescale"),
    "too fine for float32": (RAMP.astype(float) * 1e-300, "do not fit 32-bit floats; rescale"),
}


@pytest.mark.parametrize(("array", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_from_array_refuses(array, message):
    with pytest.raises(InputError, match=f"^scan: .*{message}"):
        image_from_array(array, name="scan")


@pytest.mark.parametrize("value", [0, -0.02, np.nan, np.inf, "wide", [1, 2], object()])
def test_pixel_size_must_be_a_positive_number(value):
    with pytest.raises(
        InputError, match="^pixel size: .* is not a positive number; give nanometers per pixel"
    ):
        image_from_array(RAMP, pixel_size_nm=value)
    with pytest.raises(InputError, match="^pixel size: "):
        read_image("any.tif", pixel_size_nm=value)


# Files


CALIBRATED = {
    ".hspy": write,
    ".tif": write,
    ".emd": write,
    ".unf": write,
    ".mrc": write_mrc,
    ".rpl": write,
    ".h5": lambda path: write_hdf5(path, 0.02, image=RAMP),
}


@pytest.mark.parametrize("case", [str.lower, str.upper])
@pytest.mark.parametrize("suffix", CALIBRATED)
def test_read_gives_back_image_and_pixel_size(tmp_path, suffix, case):
    path = tmp_path / f"scan{suffix}"
    CALIBRATED[suffix](path)
    path = path.rename(path.with_suffix(case(suffix)))
    image = read_image(path)
    np.testing.assert_array_equal(image.data, RAMP)
    assert image.pixel_size_nm == pytest.approx(0.02)
    assert (image.name, image.source, image.sha256) == ("scan", str(path), file_sha256(path))
    assert read_image(str(path), pixel_size_nm=0.03).pixel_size_nm == 0.03


UNCALIBRATED = {
    ".npy": lambda path: np.save(path, RAMP),
    ".npz": lambda path: np.savez(path, RAMP),
    ".hdf5": lambda path: write_hdf5(path, anything=RAMP),
    ".tiff": lambda path: tifffile.imwrite(
        path, RAMP, resolution=(300, 300), resolutionunit="inch"
    ),
    ".mrc": lambda path: write_mrc(path, angstrom=0.0),
    ".png": lambda path: imsave(path, RAMP.astype(np.uint16), check_contrast=False),
}


@pytest.mark.parametrize("suffix", UNCALIBRATED)
def test_read_says_when_nothing_is_calibrated(tmp_path, suffix):
    path = tmp_path / f"scan{suffix}"
    UNCALIBRATED[suffix](path)
    image = read_image(path)
    np.testing.assert_array_equal(image.data, RAMP)
    assert image.pixel_size_nm is None


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".png", ".tif"])
def test_read_pictures(tmp_path, suffix):
    gray = np.kron(np.arange(64).reshape(8, 8) * 3, np.ones((8, 8))).astype(np.uint8)
    imsave(tmp_path / f"gray{suffix}", gray, check_contrast=False)
    np.testing.assert_allclose(read_image(tmp_path / f"gray{suffix}").data, gray, atol=2)
    imsave(
        tmp_path / f"color{suffix}",
        np.stack([gray, gray, gray[::-1]], axis=-1),
        check_contrast=False,
    )
    with pytest.raises(
        InputError, match=f"color{suffix}: RGB image, 3 channels; convert to grayscale"
    ):
        read_image(tmp_path / f"color{suffix}")


def test_read_takes_a_gray_tiff_stored_as_rgb(tmp_path):
    gray = (RAMP % 200).astype(np.uint8)
    tifffile.imwrite(tmp_path / "gray.tif", np.stack([gray] * 3, axis=-1), photometric="rgb")
    np.testing.assert_array_equal(read_image(tmp_path / "gray.tif").data, gray)


@pytest.mark.parametrize(("unit", "size"), [("nm", 0.02), ("pm", 2e-5), ("inch", None)])
def test_read_finds_the_unit_that_imagej_wrote(tmp_path, unit, size):
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, RAMP, imagej=True, resolution=(50, 50), metadata={"unit": unit})
    assert read_image(path).pixel_size_nm == (size and pytest.approx(size))


# Calibration


@pytest.mark.parametrize(
    ("scale", "units", "size"),
    [
        (15.0, "pm", 0.015),
        (0.15, "Å", 0.015),
        (0.15, "\u212b", 0.015),
        (0.15, " A ", 0.015),
        (1.5e-5, "um", 0.015),
        (1.5e-5, "µm", 0.015),
        (1.5e-5, "μm", 0.015),
        (1.5e-11, "m", 0.015),
        (0.015, "1/nm", None),
        (0.015, "<undefined>", None),
        (0.015, "px", None),
        (0.015, "", None),
        (0.015, (None, None), None),
        (0.015, ("nm", ""), None),
        (1.0, "nm", None),
        (0.0, "nm", None),
        (-0.015, "nm", 0.015),
        (np.nan, "nm", None),
        ((15.0, 0.015), ("pm", "nm"), 0.015),
        ((0.01500, 0.01501), "nm", 0.015005),
    ],
)
def test_read_converts_units(monkeypatch, dm4, scale, units, size):
    offers(monkeypatch, signal(scale=scale, units=units))
    assert read_image(dm4).pixel_size_nm == (size and pytest.approx(size, rel=1e-6))


def test_read_refuses_pixels_that_are_not_square(monkeypatch, dm4):
    offers(monkeypatch, signal(scale=(0.015, 0.02)))
    with pytest.raises(
        InputError, match="scan.dm4: pixels of 0.015 x 0.02 nm are not square; resample"
    ):
        read_image(dm4)
    assert read_image(dm4, pixel_size_nm=0.015).pixel_size_nm == 0.015


@pytest.mark.parametrize(
    ("value", "size"), [(0.02, 0.02), (np.float32(0.5), 0.5), ("broad", None), (-1, None)]
)
def test_hdf5_attribute_is_the_pixel_size(tmp_path, value, size):
    assert read_image(write_hdf5(tmp_path / "phantom.h5", value, image=RAMP)).pixel_size_nm == size


# Several images in one file


def test_read_prefers_the_image_and_takes_others_by_title(monkeypatch, dm4):
    offers(
        monkeypatch,
        signal(np.zeros(2048), "EELS"),
        signal(-RAMP, "BF"),
        signal(RAMP),
        signal(RAMP + 9),
    )
    np.testing.assert_array_equal(read_image(dm4).data, RAMP)
    np.testing.assert_array_equal(read_image(dm4, dataset="BF").data, -RAMP)
    np.testing.assert_array_equal(read_image(dm4, dataset="HAADF 4").data, RAMP + 9)


def test_read_takes_the_only_plane_among_other_data(monkeypatch, dm4):
    offers(
        monkeypatch, signal(np.zeros(2048), ""), signal(RAMP, ""), signal(np.zeros((9, 40, 50)), "")
    )
    np.testing.assert_array_equal(read_image(dm4).data, RAMP)


@pytest.mark.parametrize("suffix", [".h5", ".npz"])
def test_read_asks_which_dataset_is_meant(tmp_path, suffix):
    path = tmp_path / f"two{suffix}"
    arrays = {"first": RAMP, "second": -RAMP, "atoms": RAMP[:, :2], "mask": RAMP > 3}
    write_hdf5(path, **arrays) if suffix == ".h5" else np.savez(path, **arrays)
    with pytest.raises(
        InputError, match=r"holds several arrays \(first \(40, 50\), second \(40, 50\)\); choose"
    ):
        read_image(path)
    np.testing.assert_array_equal(read_image(path, dataset="second").data, -RAMP)
    with pytest.raises(InputError, match="values of type bool"):
        read_image(path, dataset="mask")
    with pytest.raises(
        InputError, match=f"two{suffix}: no datasets are called 'third'; .* first .* second"
    ):
        read_image(path, dataset="third")


def test_read_finds_a_dataset_by_the_last_part_of_its_path(tmp_path):
    path = write_hdf5(
        tmp_path / "deep.h5", a__raw=RAMP, b__raw=-RAMP, a__MainImage=RAMP + 1, b__sum=RAMP + 2
    )
    np.testing.assert_array_equal(read_image(path).data, RAMP + 1)
    np.testing.assert_array_equal(read_image(path, dataset="sum").data, RAMP + 2)
    np.testing.assert_array_equal(read_image(path, dataset="/b/raw").data, -RAMP)
    with pytest.raises(InputError, match="2 datasets are called 'raw'"):
        read_image(path, dataset="raw")


def test_messages_list_eight_names_at_most(tmp_path):
    path = write_hdf5(tmp_path / "many.h5", **{f"scan{i}": RAMP for i in range(10)})
    with pytest.raises(InputError, match=r"scan7 \(40, 50\) and 2 more"):
        read_image(path)


def test_hspy_counts_its_signals_only(tmp_path):
    path = write(tmp_path / "scan.hspy")
    with h5py.File(path, "a") as file:
        file["Experiments/HAADF/original_metadata/table"] = RAMP
    assert read_image(path, dataset="HAADF").pixel_size_nm == pytest.approx(0.02)


def test_a_single_image_has_one_name_only(tmp_path):
    np.save(tmp_path / "scan.npy", RAMP)
    assert read_image(tmp_path / "scan.npy", dataset="scan").shape == (40, 50)
    with pytest.raises(InputError, match="no datasets are called 'other'"):
        read_image(tmp_path / "scan.npy", dataset="other")


# Bad files


def refusal(path):
    """The one line that `read` raises for a path; it starts with the path."""
    with pytest.raises(InputError) as caught:
        read_image(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text and len(text) < len(str(path)) + 300
    return text


@pytest.mark.parametrize("name", ["missing.tif", "nowhere/scan.dm4", "nul\0.png"])
def test_read_refuses_missing_files(tmp_path, name):
    assert "no such file" in refusal(tmp_path / name)


def test_read_refuses_what_is_no_file(tmp_path):
    assert "is a directory" in refusal(tmp_path)
    (tmp_path / "empty.tif").touch()
    assert "is empty" in refusal(tmp_path / "empty.tif")
    (tmp_path / "notes.txt").write_text("a")
    assert "unknown format '.txt'; give one of .dm3," in refusal(tmp_path / "notes.txt")


@pytest.mark.parametrize(
    "content", [b"These are notes.\n" * 200, bytes(5000), bytes(range(256)) * 20, b"x"]
)
@pytest.mark.parametrize("suffix", READERS)
def test_read_refuses_wrongly_named_files(tmp_path, capfd, suffix, content):
    path = tmp_path / f"notes{suffix}"
    path.write_bytes(content)
    refusal(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [*CALIBRATED, ".npy", ".npz", ".png"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_read_refuses_or_survives_truncated_files(tmp_path, capfd, suffix, kept):
    path = tmp_path / f"cut{suffix}"
    {**CALIBRATED, **UNCALIBRATED}[suffix](path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    try:
        assert read_image(path).shape == (40, 50)
    except InputError as error:
        assert str(error).startswith(f"{path}: ")
    assert before == 0 or len(os.listdir("/proc/self/fd")) <= before
    assert capfd.readouterr() == ("", "")


class Bomb:
    """Unpickling it leaves a trace."""

    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".prz"])
def test_read_never_unpickles(tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"bomb{suffix}"
    array = np.full((40, 40), Bomb())
    with path.open("wb") as file:
        np.save(file, array) if suffix == ".npy" else np.savez(file, data=array, meta_data=array)
    assert "allow_pickle=False" in refusal(path) or "holds several arrays" in refusal(path)
    path.write_bytes(pickle.dumps(Bomb()))
    refusal(path)
    assert not (tmp_path / "exploded").exists()


def test_read_refuses_what_is_no_stack_by_name_and_shape(tmp_path):
    path = write_hdf5(tmp_path / "cube.h5", frames=np.zeros((64, 64, 20)))
    assert "3-D data of shape (64, 64, 20) are neither an image nor a stack of frames" in refusal(
        path
    )


@pytest.mark.parametrize("shape", [(2**31, 40, 50), (1, 2**32 - 1, 2**32 - 1), (1, 40, 51)])
def test_read_refuses_mrc_headers_that_promise_too_much(tmp_path, shape):
    path = write_mrc(tmp_path / "scan.mrc")
    path.write_bytes(np.array(shape[::-1], dtype="<u4").tobytes() + path.read_bytes()[12:5120])
    assert "give an intact file" in refusal(path) or "intact .mrc file" in refusal(path)


def test_read_refuses_files_without_arrays(tmp_path):
    assert "contains no array" in refusal(write_hdf5(tmp_path / "void.h5", text=h5py.Empty("f4")))


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="needs a user whom permissions stop"
)
def test_read_refuses_unreadable_files(tmp_path):
    np.save(tmp_path / "secret.npy", RAMP)
    (tmp_path / "secret.npy").chmod(0)
    assert "PermissionError" in refusal(tmp_path / "secret.npy")


# Errors, hashes, start-up


def test_errors_keep_their_cause_and_travel_between_processes(tmp_path):
    path = tmp_path / "scan.npy"
    np.save(path, np.full((40, 40), None))
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert isinstance(caught.value.__cause__, ValueError)
    assert "in _read_numpy" in caught.value.__cause__.__notes__[0]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_sha256_of_a_file_larger_than_one_piece(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"a" * 1_000_000)
    assert file_sha256(path) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"


def test_import_loads_no_reader():
    code = (
        "import sys; from bfo_utils.io import read_image; print({'rsciio', 'h5py', 'skimage',"
        " 'tifffile', 'dask'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
        == "set()\n"
    )


# Real images


def shared(name):
    """A real image, or a skip where the project's shared folder is absent."""
    if not (SHARED / name).exists():
        pytest.skip(f"needs {SHARED / name}")
    return SHARED / name


def test_real_hspy():
    image = read_image(shared("pto_sro_supercrystal.hspy"))
    assert image.shape == (224, 1312) and image.valid.all()
    assert image.pixel_size_nm == pytest.approx(0.014997, abs=1e-6)


def test_real_tif():
    image = read_image(shared("pto_junction_recovered.tif"))
    assert image.shape == (1737, 1737) and image.pixel_size_nm is None


def test_holes_of_a_large_image_are_filled_with_the_median_of_some_rows(monkeypatch):
    monkeypatch.setattr(images, "_MEDIAN_OF", 700)  # every third of 50 rows of 40 px
    values = np.random.default_rng(0).normal(5, 1, (50, 40))
    values[:2] = np.nan
    image = image_from_array(values)
    assert (image.data[:2] == np.float32(np.median(values[2::3]))).all()
    assert image.median == np.median(image.data[::3])


def test_noise_is_measured_where_pixels_are_valid(monkeypatch):
    values = np.random.default_rng(0).normal(5, 0.3, (200, 300))
    values[50:90, ::7] = np.nan
    assert image_from_array(values).noise == pytest.approx(0.3, rel=0.03)
    monkeypatch.setattr(images, "_NOISE_OF", 5000)
    assert image_from_array(values).noise == pytest.approx(0.3, rel=0.05)
    values[:, ::2] = np.nan
    assert image_from_array(values).noise == 0.0
