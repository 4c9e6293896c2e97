"""Pixel sizes: every way of writing a length is read, and what cannot be used is quoted."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile

from bfo_utils.cli import main
from bfo_utils.errors import InputError
from bfo_utils.io import (
    PixelSize,
    by_lattice,
    checked_lattice_nm,
    checked_nm,
    image_from_array,
    read_image,
    unit_nm,
)
from bfo_utils.simulation import Specimen, simulate_phantom

from ..seeds import write_dm, write_velox
from ..test_cli import refused
from .test_formats import SIZE, emd, nion, pattern, py4dstem
from .test_images import write, write_hdf5

NM = {  # units as programs write them, with their length in nm
    "nm": 1,
    "nanometer": 1,
    "nanometers": 1,
    "Nanometre": 1,
    "NM": 1,
    "[n_m]": 1,
    "n_m": None,
    "[nm]": 1,
    "nm/px": 1,
    "nm per pixel": 1,
    "pm": 1e-3,
    "picometer": 1e-3,
    "[p_m]": 1e-3,
    "A": 0.1,
    "Å": 0.1,
    "\u212b": 0.1,
    r"\u00C5": 0.1,
    "angstrom": 0.1,
    "Angstroms": 0.1,
    "Ångström": 0.1,
    r"$\AA$": 0.1,
    r"\AA": 0.1,
    r"$\mathring{A}$": 0.1,
    r"\u00B5m": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "um": 1e3,
    r"$\mu$m": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "mm": 1e6,
    "millimeters": 1e6,
    "cm": 1e7,
    "centimetre": 1e7,
    "m": 1e9,
    "meter": 1e9,
    "meters": 1e9,
    "inch": 2.54e7,
    b"nm": 1,
    b"\xc3\x85": 0.1,
    b"\xc5": 0.1,
    b"\xb5m": 1e3,
    "1/nm": None,
    "nm^-1": None,
    "mrad": None,
    "s": None,
    "eV": None,
    "": None,
    None: None,
    "px": None,
    "pixels": None,
    "<undefined>": None,
    "metric": None,
    "mas": None,
}


@pytest.mark.parametrize(("unit", "length"), NM.items())
def test_units_are_read_in_every_spelling(unit, length):
    assert unit_nm(unit) == (length and pytest.approx(length))


@pytest.mark.parametrize(
    ("unit", "length"), [(u, n) for u, n in NM.items() if n and isinstance(u, str)]
)
def test_imagej_states_sizes_in_every_unit(tmp_path, unit, length):
    text = "".join(c if c.isascii() else f"\\u{ord(c):04X}" for c in unit)
    size = SIZE if length < 1e8 else 0.5  # TIFF's numbers go no finer
    tifffile.imwrite(
        tmp_path / "a.tif",
        pattern("f4"),
        metadata=None,
        description=f"ImageJ=1.54f\nunit={text}\nloop=false\n",
        resolution=(length / size, length / size),
    )
    assert read_image(tmp_path / "a.tif").pixel_size_nm == pytest.approx(size, rel=1e-3)


@pytest.mark.parametrize("code", ["utf-8", "latin-1"])
@pytest.mark.parametrize(("unit", "length"), [("µm", 1e3), ("Å", 0.1)])
def test_imagej_may_write_signs_as_they_are(tmp_path, unit, length, code):
    tifffile.imwrite(
        tmp_path / "a.tif",
        pattern("f4"),
        metadata=None,
        description=f"ImageJ=1.54f\nunit={unit}\n".encode(code),
        resolution=(length / SIZE, length / SIZE),
    )
    assert read_image(tmp_path / "a.tif").pixel_size_nm == pytest.approx(SIZE, rel=1e-3)


@pytest.mark.parametrize(
    ("unit", "length"), [("nm", 1), ("Å", 0.1), ("pm", 1e-3), ("µm", 1e3), (None, 1e3), ("mm", 1e6)]
)
def test_ome_states_sizes(tmp_path, unit, length):
    told = {f"PhysicalSize{a}": SIZE / length for a in "XY"} | (
        {f"PhysicalSize{a}Unit": unit for a in "XY"} if unit else {}
    )
    tifffile.imwrite(tmp_path / "a.ome.tif", pattern("f4"), ome=True, metadata=told)
    assert read_image(tmp_path / "a.ome.tif").pixel_size_nm == pytest.approx(SIZE)


@pytest.mark.parametrize(("unit", "length"), [(2, 2.54e7), (3, 1e7)])
def test_a_resolution_of_the_size_of_atoms_is_a_scale(tmp_path, unit, length):
    tifffile.imwrite(
        tmp_path / "a.tif",
        pattern("f4"),
        metadata=None,
        resolution=(length / SIZE, length / SIZE),
        resolutionunit=unit,
    )
    assert read_image(tmp_path / "a.tif").pixel_size_nm == pytest.approx(SIZE, rel=1e-3)
    tifffile.imwrite(
        tmp_path / "b.tif", pattern("f4"), metadata=None, resolution=(300, 300), resolutionunit=unit
    )
    found = read_image(tmp_path / "b.tif")
    assert (found.pixel_size_nm, found.size_note) == (None, "")


@pytest.mark.parametrize(
    "value",
    [
        SIZE,
        [SIZE],
        [SIZE, SIZE],
        [[SIZE]],
        np.float32(SIZE),
        np.array([SIZE, SIZE], ">f8"),
        str(SIZE),
    ],
)
@pytest.mark.parametrize("on_the_file", [False, True])
def test_the_attribute_of_hdf5_is_a_number_or_several(tmp_path, value, on_the_file):
    path = write_hdf5(tmp_path / "a.h5", image=pattern("f4"))
    with h5py.File(path, "a") as file:
        (file if on_the_file else file["image"]).attrs["pixel_size_nm"] = value
    assert read_image(path).pixel_size_nm == pytest.approx(SIZE)


@pytest.mark.parametrize(
    "attributes",
    [
        {"element_size_um": [1.0, SIZE / 1000, SIZE / 1000]},
        {"pixel_size": SIZE, "pixel_unit": "nm"},
        {"pixel_size": [SIZE * 10] * 2, "pixel_units": "A"},
        {"scale": SIZE * 1000, "units": "pm"},
        {"sampling": [SIZE, SIZE], "units": ["nm", "nm"]},
    ],
)
def test_other_attributes_of_hdf5_are_sizes(tmp_path, attributes):
    path = write_hdf5(tmp_path / "a.h5", image=pattern("f4"))
    with h5py.File(path, "a") as file:
        file["image"].attrs.update(attributes)
    assert read_image(path).pixel_size_nm == pytest.approx(SIZE)


@pytest.mark.parametrize(
    ("scale", "unit"),
    [
        (10 * SIZE, "angstrom"),
        (10 * SIZE, r"$\AA$"),
        (-SIZE, "nm"),
        (1000 * SIZE, "pm"),
        (-10 * SIZE, "Å"),
    ],
)
@pytest.mark.parametrize("suffix", [".hspy", ".emd", ".dm4"])
def test_hyperspys_scales_are_lengths_of_any_sign(tmp_path, suffix, scale, unit):
    path = tmp_path / f"a{suffix}"
    (
        write_dm(path, pattern("f4"), scale, units=unit)
        if suffix == ".dm4"
        else write(path, pattern("f4"), scale=scale, units=unit)
    )
    assert read_image(path).pixel_size_nm == pytest.approx(SIZE, rel=1e-6)


@pytest.mark.parametrize("unit", ["[n_m]", "n_m", "nm", "[nm]"])
def test_berkeleys_units(tmp_path, unit):
    emd(tmp_path / "a.emd", pattern("f4"), units=unit)
    known = unit != "n_m"
    image = read_image(tmp_path / "a.emd")
    assert (image.pixel_size_nm == pytest.approx(SIZE)) if known else "n_m" in image.size_note


QUOTED = {
    "furlong": (
        SIZE,
        "furlong",
        "the file states 0.02475 furlong per pixel, which is not a length",
    ),
    "reciprocal": (0.5, "1/nm", "the file states 0.5 1/nm per pixel, which is not a length"),
    "pm meant": (
        24.75,
        "nm",
        (
            "the file states 24.75 nm per pixel, too coarse to resolve columns; if pm are meant,"
            " give --pixel-size 0.02475"
        ),
    ),
    "too fine": (
        2.475e-11,
        "nm",
        "too fine for an image; if m are meant, give --pixel-size 0.02475",
    ),
}


@pytest.mark.parametrize(("scale", "unit", "note"), QUOTED.values(), ids=QUOTED)
def test_what_cannot_be_used_is_quoted(tmp_path, scale, unit, note):
    image = read_image(write(tmp_path / "a.hspy", pattern("f4"), scale=scale, units=unit))
    assert image.pixel_size_nm is None and note in image.size_note


@pytest.mark.parametrize("unit", ["", "px", "<undefined>"])
def test_nothing_is_quoted_where_nothing_is_stated(tmp_path, unit):
    image = read_image(write(tmp_path / "a.hspy", pattern("f4"), scale=1.0, units=unit))
    assert (image.pixel_size_nm, image.size_note) == (None, "")


@pytest.mark.parametrize("writer", [nion, py4dstem, write_velox])
def test_damaged_calibrations_do_not_cost_the_image(tmp_path, writer):
    writer(tmp_path / "a.h5", pattern("f4"))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        if writer is nion:
            file["data"].attrs["properties"] = "{no JSON"
        elif writer is write_velox:
            file["Data/Image/" + "0" * 32 + "/Metadata"][:] = 7
        else:
            del file["root/metadatabundle/calibration/R_pixel_units"]
    assert read_image(tmp_path / "a.h5").pixel_size_nm is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (24.75, "too coarse to resolve columns; if pm are meant, give --pixel-size 0.02475"),
        (1.0, "if Å are meant, give --pixel-size 0.1"),
        (150, "give nanometers per pixel"),
        (2.475e-11, "too fine for an image; if m are meant, give --pixel-size 0.02475"),
        (0, "not a positive number"),
        (np.nan, "not a positive number"),
        ("wide", "not a positive number"),
    ],
)
def test_implausible_pixel_sizes_are_refused_with_what_is_meant(value, message):
    with pytest.raises(InputError, match=f"^pixel size: .*{message}"):
        checked_nm(value)
    with pytest.raises(InputError, match=message):
        image_from_array(pattern("f4"), pixel_size_nm=value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3.905, "0.3905 nm\\?"),
        (390.5, "0.3905 nm\\?"),
        (0.1, "such as 0.3905"),
        (0.7, "such as 0.3905"),
    ],
)
def test_implausible_cells_are_refused_with_what_is_meant(value, message):
    with pytest.raises(
        InputError, match=f"^--lattice-nm: .* not a perovskite lattice parameter .*{message}"
    ):
        checked_lattice_nm(value)


def test_a_known_lattice_gives_the_size_and_checks_it():
    assert by_lattice(None, 0.3905, 15.62).nm == pytest.approx(0.025)
    assert by_lattice(0.02, None, 15.62) == PixelSize(0.02)
    assert by_lattice(0.0252, 0.3905, 15.62).unused == ""
    assert (
        "+8.0%" in by_lattice(0.027, 0.3905, 15.62).unused
        and "--pixel-size 0.025" in by_lattice(0.027, 0.3905, 15.62).unused
    )


# On the command line


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A phantom's image in a file without a pixel size, and the edge of its cell in px and nm."""
    made = simulate_phantom(Specimen(layout="halves", cells=16, cell_px=14, dose=80), 3)
    path = tmp_path_factory.mktemp("bare") / "a.npy"
    np.save(path, made.image.data)
    return path, made.image.pixel_size_nm


def ran(*arguments):
    """Run a command; its exit status."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return stop.value.code


def warned(out):
    """The result of a folder, and its warnings by code."""
    result = json.loads((out / "result.json").read_text())
    return result, {one["code"]: one["message"] for one in result["warnings"]}


def test_a_known_lattice_stands_in_for_the_pixel_size_and_is_repeated(tmp_path, bare, capsys):
    path, size = bare
    edge = Specimen().a_nm
    assert ran("analyze", path, "--out", tmp_path / "one", "--budget", 2, "--lattice-nm", edge) == 0
    result, codes = warned(tmp_path / "one")
    assert (
        result["input"]["pixel_size_nm"] == pytest.approx(size, rel=0.01)
        and result["recipe"]["lattice_nm"] == edge
    )
    assert not {"no_pixel_size", "pixel_size", "implausible_cell"} & set(codes)
    cells = pd.read_csv(tmp_path / "one" / "cells.csv")
    assert np.sqrt(cells["area_nm2"].median()) == pytest.approx(edge, rel=0.01)
    assert ran("rerun", tmp_path / "one" / "result.json", "--out", tmp_path / "two") == 0
    assert "DIFFERS" not in capsys.readouterr().out
    assert (
        ran(
            "batch",
            path,
            "--out",
            tmp_path / "three",
            "--budget",
            2,
            "--workers",
            1,
            "--lattice-nm",
            edge,
        )
        == 0
    )
    assert (tmp_path / "three" / "a" / "cells.csv").read_bytes() == (
        tmp_path / "one" / "cells.csv"
    ).read_bytes()


def test_size_and_lattice_that_disagree_are_said(tmp_path, bare):
    path, size = bare
    assert (
        ran(
            "analyze",
            path,
            "--out",
            tmp_path,
            "--budget",
            2,
            "--lattice-nm",
            Specimen().a_nm,
            "--pixel-size",
            1.08 * size,
        )
        == 0
    )
    result, codes = warned(tmp_path)
    assert (
        result["input"]["pixel_size_nm"] == 1.08 * size
        and "lengths use the pixel size" in codes["pixel_size"]
    )


def test_a_cell_that_no_perovskite_has_is_said(tmp_path, bare):
    path, size = bare
    assert ran("analyze", path, "--out", tmp_path, "--budget", 2, "--pixel-size", 10 * size) == 0
    assert "perovskites have 0.3 to 0.6 nm" in warned(tmp_path)[1]["implausible_cell"]


@pytest.mark.parametrize("command", ["analyze", "run", "batch"])
@pytest.mark.parametrize(
    ("option", "value", "meant"),
    [("--pixel-size", 24.75, "give --pixel-size 0.02475"), ("--lattice-nm", 3.905, "0.3905 nm?")],
)
def test_implausible_options_are_one_line(tmp_path, bare, capsys, command, option, value, meant):
    assert meant in refused(capsys, command, bare[0], "--out", tmp_path / "out", option, value)
    assert not (tmp_path / "out").exists()


def test_the_image_that_was_taken_is_named(tmp_path, bare):
    data = np.load(bare[0])
    np.savez(tmp_path / "a.npz", HAADF=data, HAADF_filtered=data)
    assert ran("analyze", tmp_path / "a.npz", "--out", tmp_path / "out", "--budget", 2) == 0
    result, codes = warned(tmp_path / "out")
    assert (
        result["input"]["dataset"] == "HAADF"
        and "(HAADF_filtered); 'HAADF' was analyzed" in codes["several_images"]
    )
