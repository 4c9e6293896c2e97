"""Oxygen of a second channel: where its columns are, how octahedra are rotated, what is refused."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest

from bfo_utils.cli import main
from bfo_utils.columns import find_columns
from bfo_utils.descriptors import find_oxygen
from bfo_utils.errors import InputError
from bfo_utils.io import read_image
from bfo_utils.lattice import build_lattice
from bfo_utils.simulation import Specimen, simulate_phantom, simulate_second

FILM = Specimen(layout="halves", cells=22, cell_px=20, dose=60)


def bfo(*words):
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return stop.value.code


def found(phantom, **how):
    image = replace(phantom.image, second=simulate_second(phantom, **how))
    return find_oxygen(image, build_lattice(phantom.image, find_columns(phantom.image)))


@pytest.mark.parametrize(("tilt", "seed"), [(0.0, 1), (2.0, 2), (6.0, 3), (-6.0, 4)])
def test_the_rotation_of_octahedra_is_measured(tilt, seed):
    oxygen = found(simulate_phantom(FILM, seed), tilt_deg=tilt, seed=seed)
    known = np.isfinite(oxygen.tilt_deg)
    i, j = np.indices(known.shape)
    signed = oxygen.tilt_deg * (-1.0) ** (i + j)
    mean = np.nanmean(signed)
    assert known.sum() > 300
    assert oxygen.seen > 0.9
    assert oxygen.staggered_deg == pytest.approx(abs(tilt), abs=0.2)
    scatter = 1.4826 * np.nanmedian(np.abs(signed - mean))
    assert scatter == pytest.approx(np.nanmedian(oxygen.se_tilt_deg), rel=0.3)


def test_the_shift_between_channels_is_measured_with_its_error():
    phantom = simulate_phantom(FILM, 5)
    oxygen = found(phantom, tilt_deg=3, shift_px=(2.4, -1.3), seed=5)
    assert np.all(np.abs(oxygen.shift_px - [2.4, -1.3]) < 4 * oxygen.se_shift_px + 0.02)
    assert oxygen.staggered_deg == pytest.approx(3, abs=0.2)


def test_another_place_is_refused():
    phantom = simulate_phantom(FILM, 6)
    other = simulate_phantom(replace(FILM, rotation_deg=4), 7)
    lattice = build_lattice(phantom.image, find_columns(phantom.image))
    with pytest.raises(InputError, match="^--second: only .* of the A columns of .* same scan$"):
        find_oxygen(replace(phantom.image, second=simulate_second(other)), lattice)
    flat = np.random.default_rng(0).poisson(30, phantom.image.shape).astype(np.float32)
    with pytest.raises(InputError, match="^--second: "):
        find_oxygen(replace(phantom.image, second=flat), lattice)


@pytest.fixture
def scan(tmp_path):
    """A file with two channels, and what the second one shows."""
    phantom = simulate_phantom(replace(FILM, cells=20, cell_px=18), 8)
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["HAADF"] = phantom.image.data
        file["ABF"] = simulate_second(phantom, tilt_deg=5, dose=80)
    np.save(tmp_path / "abf.npy", simulate_second(phantom, tilt_deg=5, dose=80))
    np.save(tmp_path / "small.npy", np.ones((40, 50)) * np.arange(50))
    return path


def test_a_dataset_or_a_file_gives_the_same(scan):
    one = read_image(scan, dataset="HAADF", second="ABF")
    two = read_image(scan, dataset="HAADF", second=scan.with_name("abf.npy"))
    assert np.array_equal(one.second, two.second)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("DF4", "--second DF4: no datasets are called 'DF4'; choose one of"),
        ("small.npy", "small.npy: is 50 x 40 px, but the image is 360 x 360 px; give"),
    ],
)
def test_what_is_no_second_channel_is_one_line(scan, capsys, second, message):
    second = scan.with_name(second) if "." in second else second
    out = scan.with_name("out")
    assert bfo("analyze", scan, "--dataset", "HAADF", "--second", second, "--out", out) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_tables_hold_oxygen_and_rerun_repeats_them(scan):
    out = scan.with_name("out")
    words = ("--dataset", "HAADF", "--second", scan.with_name("abf.npy"), "--budget", 2)
    assert bfo("analyze", scan, *words, "--pixel-size", 0.02, "--out", out) == 0
    result = json.loads((out / "result.json").read_text())["oxygen"]
    assert result["octahedral_tilt_staggered_deg"] == pytest.approx(5, abs=0.3)
    assert len(pd.read_csv(out / "oxygen.csv")) == result["n_columns"]
    assert (out / "oxygen.png").stat().st_size > 10_000
    tilt = pd.read_csv(out / "cells.csv")["octahedral_tilt_deg"]
    assert tilt.notna().sum() == pytest.approx(result["n_octahedra"], abs=40)
    assert bfo("rerun", out, "--out", scan.with_name("again")) == 0
    assert bfo("analyze", scan, "--dataset", "HAADF", "--budget", 2, "--out", out) == 0
    assert not (out / "oxygen.csv").exists()
