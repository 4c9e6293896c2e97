import json
import os

import numpy as np
import pandas as pd
import pytest

from bfo_utils.book import Artifacts
from bfo_utils.compute import (
    atomic,
    put_back,
    read_json,
    take_place,
    together,
    write_csv,
    write_json,
)
from bfo_utils.errors import InputError
from bfo_utils.io import load_arrays, save_arrays
from bfo_utils.search import PreparedImage, evaluate_configuration


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    with pytest.raises(ZeroDivisionError), atomic(path) as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert json.loads(path.read_text()) == {"x": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_what_a_killed_process_left_among_new_files_does_not_take_a_place(tmp_path):
    with together(tmp_path, "last.json") as stage:
        (stage / ".walls.png.123.part.png").touch()
        (stage / "last.json").touch()
    assert os.listdir(tmp_path) == ["last.json"]


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_json(tmp_path / "file" / "a.json", {})


def test_equal_content_gives_equal_bytes(tmp_path):
    for name, content in (("a", {"x": 1, "y": 2}), ("b", {"y": 2, "x": 1})):
        write_json(tmp_path / name, content)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    write_csv(tmp_path / "c.csv", pd.DataFrame({"x": [1 / 3]}))
    assert (tmp_path / "c.csv").read_text() == "x\n0.33333333\n"


def test_broken_or_missing_json_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        read_json(tmp_path / "a.json")


def test_a_crystal_survives_the_disk(tmp_path, prepared):
    save_arrays(tmp_path / "c.npz", prepared)
    again = load_arrays(tmp_path / "c.npz", PreparedImage)
    assert again.image.name == prepared.image.name and again.lattice.cells.has_b is True
    assert np.array_equal(again.lattice.cells.polar, prepared.lattice.cells.polar, equal_nan=True)
    assert np.array_equal(again.lattice.sublattice, prepared.lattice.sublattice)
    one, two = (evaluate_configuration(c, {"n_clusters": 3}) for c in (prepared, again))
    assert np.array_equal(one.labels, two.labels) and one.rewards == two.rewards


def test_a_file_of_another_kind_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="not a stored PreparedImage"):
        load_arrays(tmp_path / "x.npz", PreparedImage)
    whole = (tmp_path / "x.npz").read_bytes()
    for cut in (0, 10, len(whole) // 2):
        (tmp_path / "cut.npz").write_bytes(whole[:cut])
        with pytest.raises(InputError):
            load_arrays(tmp_path / "cut.npz", PreparedImage)
    np.savez(tmp_path / "y.npz", a=np.array([{}], dtype=object))
    with pytest.raises(InputError):
        load_arrays(tmp_path / "y.npz", PreparedImage)


def test_missing_artifacts_name_the_file(tmp_path):
    with pytest.raises(InputError, match="labels.npz: no such file"):
        Artifacts(tmp_path, "tuned").labels()
    assert Artifacts(tmp_path).truth() is None


def test_a_folder_that_a_killed_process_had_moved_away_comes_back(tmp_path, monkeypatch):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "page").write_text("earlier")
    (tmp_path / "new").mkdir()
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda a, b: 1 / 0 if a == tmp_path / "new" else rename(a, b))
    with pytest.raises(ZeroDivisionError):
        take_place(tmp_path / "new", tmp_path / "book")
    monkeypatch.undo()
    assert not (tmp_path / "book").exists()
    put_back(tmp_path / "book")
    assert (tmp_path / "book" / "page").read_text() == "earlier"
    take_place(tmp_path / "new", tmp_path / "book")
    assert [p.name for p in tmp_path.iterdir()] == ["book"] and not list(
        (tmp_path / "book").iterdir()
    )
