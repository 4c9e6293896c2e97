"""The table of columns for a person to correct, and its way back into an analysis."""

import h5py
import numpy as np
import pandas as pd
import pytest

from bfo_utils.cli import main
from bfo_utils.errors import InputError
from bfo_utils.io import read_image, read_positions
from bfo_utils.search import prepare_image
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A phantom of 22 x 22 cells of 14 px as a file."""
    path = tmp_path_factory.mktemp("columns") / "film.h5"
    film = Specimen(layout="halves", cells=22, cell_px=14, dose=60, jitter_px=0)
    save_phantom(simulate_phantom(film, 3), path)
    return path


@pytest.fixture(scope="module")
def table(file):
    out = file.parent / "found"
    assert bfo("columns", file, "--out", out) == 0
    return out / "columns.csv"


def bfo(*words):
    """The exit status of a command."""
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return stop.value.code


def test_all_columns_stand_in_the_table_and_the_picture(file, table):
    found = pd.read_csv(table)
    assert list(found)[:7] == ["id", "x_px", "y_px", "sublattice", "intensity", "sigma_px", "ok"]
    prepared = prepare_image(read_image(file), scan_axis="none")
    assert len(found) == len(prepared.lattice.columns) + len(prepared.lattice.unused_xy)
    assert table.with_suffix(".png").stat().st_size > 10_000


def test_the_table_comes_back_as_it_was(file, table, tmp_path):
    assert bfo("columns", file, "--out", tmp_path / "again", "--columns", table) == 0
    assert (tmp_path / "again" / "columns.csv").read_bytes() == table.read_bytes()


@pytest.mark.slow
def test_an_analysis_of_given_columns_writes_the_same_tables(file, tmp_path):
    short = ["--budget", "3", "--scan-axis", "none"]
    assert bfo("analyze", file, "--out", tmp_path / "one", *short) == 0
    own = tmp_path / "one" / "columns.csv"
    assert bfo("analyze", file, "--out", tmp_path / "two", "--columns", own, *short) == 0
    digits = 5e-4  # positions in a table are right to 0.00001 px, and a px has some 25 pm
    for name in ("columns.csv", "cells.csv"):
        one, two = (pd.read_csv(tmp_path / folder / name) for folder in ("one", "two"))
        pd.testing.assert_frame_equal(one, two, rtol=1e-4, atol=digits)
    assert bfo("rerun", tmp_path / "two", "--out", tmp_path / "three") == 0


def test_what_was_moved_and_deleted_stays_so(file, table, tmp_path):
    found = pd.read_csv(table)
    middle = np.hypot(found["x_px"] - 150, found["y_px"] - 150).argsort()
    lost, moved = middle[0], middle[5]
    found.loc[moved, "x_px"] += 0.75
    found.drop(index=lost).to_csv(tmp_path / "mine.csv", index=False)
    given = prepare_image(read_image(file, columns=tmp_path / "mine.csv"), scan_axis="none")
    xy = given.lattice.columns.xy
    places = found[["x_px", "y_px"]].to_numpy()
    assert np.abs(xy - places[moved]).max(axis=1).min() == 0
    assert np.hypot(*(xy - places[lost]).T).min() > 5
    fitted = prepare_image(
        read_image(file, columns=tmp_path / "mine.csv", refine=True), scan_axis="none"
    )
    assert 0.5 < np.hypot(*(fitted.lattice.columns.xy - places[moved]).T).min() < 1


@pytest.mark.parametrize("kind", ["csv", "npy", "hdf5"])
def test_positions_alone_are_enough(kind, file, table, tmp_path):
    path, found = tmp_path / f"xy.{kind}", pd.read_csv(table)
    xy = found[["x_px", "y_px"]].to_numpy()
    if kind == "csv":
        pd.DataFrame(xy, columns=["x", "y"]).to_csv(path, index=False)
    elif kind == "npy":
        np.save(path, xy)
    else:
        with h5py.File(path, "w") as content:
            for name, own in found.groupby("sublattice"):
                content[f"{name}_sublattice/atom_positions"] = own[["x_px", "y_px"]].to_numpy()
    own = prepare_image(read_image(file, columns=path), scan_axis="none").lattice
    assert own.cells.has_b and len(own.columns) > 0.99 * len(xy)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "u,v\n1,2\n", "has no columns x_px and y_px, only u, v; name them"),
        ("a.csv", "x,y\n1,two\n", "not readable"),
        ("a.csv", "x,y\n1,2\n900,2\n", "1 of 2 positions lie outside the image, which is 80 px"),
        ("a.csv", "x,y\n1,\n", "1 of 1 positions lie outside"),
        ("a.npy", np.ones(4), r"contains an array of shape \(4,\); give one of shape \(N, 2\)"),
        ("a.txt", "1 2", "unknown format '.txt'; give positions as .csv, .npy"),
        ("a.hdf5", "1 2", "not readable"),
    ],
)
def test_positions_that_are_none_are_told(name, content, message, tmp_path):
    path = tmp_path / name
    np.save(path, content) if isinstance(content, np.ndarray) else path.write_text(content)
    with pytest.raises(InputError, match=f"{name}: {message}"):
        read_positions(path, (60, 80))


def test_refine_belongs_to_columns(file, tmp_path, capsys):
    assert bfo("columns", file, "--out", tmp_path / "o", "--refine") == 2
    assert "--refine: requires --columns" in capsys.readouterr().err
    assert bfo("columns", file, "--out", tmp_path / "o", "--columns", tmp_path / "no.csv") == 2
    assert "no.csv: no such file" in capsys.readouterr().err


def test_a_foreign_table_is_not_replaced(file, tmp_path, capsys):
    (tmp_path / "columns.csv").write_text("my own\n")
    assert bfo("columns", file, "--out", tmp_path) == 2
    assert (tmp_path / "columns.csv").read_text() == "my own\n"
