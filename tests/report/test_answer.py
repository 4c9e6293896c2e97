import json
import shutil

import numpy as np
import pandas as pd
import pytest

from bfo_utils.errors import InputError
from bfo_utils.report import README_FILE, cells_table, load_answer, with_units, write_results

from ..test_cli import refused


def test_what_is_read_back_is_what_was_measured(answer, loaded):
    cells, prepared = answer.prepared.lattice.cells, answer.prepared
    rows, columns = loaded.labels.shape
    assert (loaded.labels == answer.labels[:rows, :columns]).all()
    for name in ("xy", "polar", "a", "b", "angle", "area"):
        before = np.where(
            cells.valid[..., None] if name in ("xy", "polar") else cells.valid,
            getattr(cells, name),
            np.nan,
        )[:rows, :columns]
        assert np.allclose(getattr(loaded.grid, name), before, rtol=1e-6, equal_nan=True), name
    assert loaded.image.shape == prepared.image.shape
    seen = np.corrcoef(loaded.image.data.ravel(), prepared.image.data.ravel())[0, 1]
    assert seen > 0.98 and loaded.polar_sign == 1


def test_tables_carry_units_and_meanings(answer, loaded):
    fresh = with_units("cells", cells_table(answer))
    assert loaded.cells.attrs == fresh.attrs
    assert loaded.cells.attrs["units"]["px_pm"] == "pm"
    assert loaded.walls.attrs["descriptions"]["width_nm"].startswith("2 w")
    assert loaded.domains["name"].str.contains(" %").all()


def test_the_readme_describes_every_column_of_every_table(stored):
    text = (stored / README_FILE).read_text()
    for path in stored.glob("*.csv"):
        part = text.split(f"\n{path.name}: ")[1].split("\n\n")[0]
        for column in pd.read_csv(path, nrows=1).columns:
            assert f"\n  {column} " in part, (path.name, column)
    assert "polar sign +1" in text and "px_pm" in text and max(map(len, text.split("\n"))) <= 100


def test_a_readme_of_the_users_stays(answer, stored, tmp_path):
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    (tmp_path / README_FILE).write_text("my notes\n")
    write_results(answer, tmp_path)
    write_results(answer, tmp_path / "stage", home=tmp_path)
    assert (tmp_path / README_FILE).read_text() == "my notes\n"
    assert not (tmp_path / "stage" / README_FILE).exists()
    (tmp_path / README_FILE).write_text((stored / README_FILE).read_text() + "old")
    write_results(answer, tmp_path)
    assert (tmp_path / README_FILE).read_bytes() == (stored / README_FILE).read_bytes()


def test_the_dataset_has_units_and_the_values_of_the_table(loaded):
    pytest.importorskip("xarray")
    data = loaded.to_xarray()
    row = loaded.cells.iloc[40]
    at = data.isel(i=int(row["i"]), j=int(row["j"]))
    assert float(at["px_pm"]) == row["px_pm"] and int(at["label"]) == row["label"]
    assert data["a_nm"].attrs["units"] == "nm" and data.attrs["polar_sign"] == 1


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("picture.npz", "picture.npz is missing"),
        ("walls.csv", "walls.csv is missing"),
        ("result.json", "contains no finished result"),
    ],
)
def test_an_incomplete_or_older_folder_is_one_line(stored, tmp_path, capsys, gone, message):
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    (tmp_path / gone).unlink()
    assert message in refused(capsys, "export", tmp_path, "--to", "xyz")
    assert not (tmp_path / "export").exists()


def test_damaged_newer_and_foreign_results_are_one_line(stored, tmp_path):
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    (tmp_path / "cells.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"cells\.csv: was changed after the analysis wrote it"):
        load_answer(tmp_path)
    newer = {"input": {}, "versions": {}, "schema_version": 9}
    (tmp_path / "result.json").write_text(json.dumps(newer))
    with pytest.raises(InputError, match="newer version"):
        load_answer(tmp_path / "result.json")
    (tmp_path / "result.json").write_text("[1]")
    with pytest.raises(InputError, match="is not the result of an analysis"):
        load_answer(tmp_path)
