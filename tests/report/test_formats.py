import h5py
import numpy as np
import pandas as pd
import pytest

from bfo_utils.report import export_answer

from ..test_cli import refused


@pytest.fixture(scope="module")
def files(loaded, tmp_path_factory):
    out = tmp_path_factory.mktemp("export")
    return {
        p.name.removeprefix(loaded.name): p
        for p in export_answer(loaded, ["hspy", "xyz", "csv"], out)
    }


def test_positions_are_in_angstrom_with_y_up(loaded, files):
    lines = files[".xyz"].read_text().split("\n")
    size, height = loaded.image.pixel_size_nm, loaded.image.shape[0]
    assert int(lines[0]) == len(loaded.columns) == len(lines) - 3
    letter, x, y, z, number, *_ = lines[2].split()
    first = loaded.columns.iloc[0]
    assert (letter, float(z), int(number)) == (first["sublattice"], 0, first["id"])
    assert float(x) == pytest.approx(10 * size * first["x_px"], abs=1e-4)
    assert float(y) == pytest.approx(10 * size * (height - first["y_px"]), abs=1e-4)
    assert "unit=angstrom" in lines[1]


def test_the_signal_has_scale_and_markers_where_the_columns_are(loaded, files):
    from rsciio.hspy import file_reader

    (signal,) = file_reader(str(files[".hspy"]))
    size = loaded.image.pixel_size_nm
    assert [axis["name"] for axis in signal["axes"]] == ["y", "x"]
    assert signal["axes"][1]["scale"] == pytest.approx(size) and signal["axes"][1]["units"] == "nm"
    assert (signal["data"] == loaded.picture.levels).all()
    markers = signal["metadata"]["Markers"]["A columns"]["kwargs"]["offsets"]
    own = loaded.columns[loaded.columns["sublattice"] == "A"]
    assert np.allclose(markers, own[["x_px", "y_px"]] * size)


def test_tables_say_what_their_columns_are(loaded, files):
    text = files["-cells.csv"].read_text()
    assert "# px_pm (pm): polar displacement along x" in text
    assert len(pd.read_csv(files["-cells.csv"], comment="#")) == len(loaded.cells)


def test_files_of_ours_are_replaced_and_others_are_not(loaded, stored, files, tmp_path, capsys):
    names = ["hspy", "xyz", "csv"]
    for _ in range(2):
        written = export_answer(loaded, names, tmp_path)
    assert [p.read_bytes() for p in written[1:]] == [
        files[p.name.removeprefix(loaded.name)].read_bytes() for p in written[1:]
    ]
    for path in written[:2]:
        path.write_text("a table of mine\n")
        assert "already exists" in refused(
            capsys, "export", stored, "--to", path.suffix[1:], "--out", tmp_path
        )
        assert path.read_text() == "a table of mine\n"
    with h5py.File(written[0], "w") as file:
        file["Experiments/mine/data"] = np.eye(3)
    assert "already exists" in refused(capsys, "export", stored, "--to", "hspy", "--out", tmp_path)


def test_an_unknown_format_is_one_line(stored, capsys):
    line = refused(capsys, "export", stored, "--to", "xyz,docx")
    assert "'docx' is not a format; choose from hspy, xyz, csv" in line
    assert not (stored / "export").exists()
