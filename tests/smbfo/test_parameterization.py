import h5py
import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.smbfo import read_parameterization

AB = np.array(
    [[5, 5, 6, 7, 7], [-2, -1, -2, -2, -1]], float
)  # 3 x 2 cells, the one at (1, 1) missing
XY = np.arange(10.0).reshape(2, 5)


def write(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, value in ({"ab": AB, "xy_COM": XY, "Pxy": -XY} | arrays).items():
            if value is not None:
                file[name] = value
    return path


def test_every_array_by_cell_is_put_on_the_grid(tmp_path):
    read = read_parameterization(
        write(
            tmp_path / "p.h5",
            flat=np.arange(5),
            row=np.arange(5)[None],
            column=np.arange(5)[:, None],
            many=np.arange(15).reshape(3, 5),
            mean=np.ones((1, 1)),
            atoms=np.ones((2, 9)),
            label="text",
        )
    )
    assert read.shape == (3, 2) and read.n == 5 and read.repeated == 0
    for name in ("flat", "row", "column"):
        assert np.array_equal(read.grid[name], [[0, 1], [2, np.nan], [3, 4]], equal_nan=True), name
    assert (
        np.array_equal(read.grid["many"][2, 1], [4, 9, 14])
        and np.isnan(read.grid["many"][1, 1]).all()
    )
    assert set(read.other) == {"mean", "atoms"}


def test_rows_are_read_either_way(tmp_path):
    read = read_parameterization(write(tmp_path / "p.h5"))
    assert np.array_equal(read.vector("xy_COM", "xy")[0, 1], [1, 6]) and np.array_equal(
        read.vector("xy_COM", "yx")[0, 1], [6, 1]
    )
    with pytest.raises(InputError, match="choose xy or yx"):
        read.vector("xy_COM", "auto")


def test_transposed_files_are_read_alike(tmp_path):
    one = read_parameterization(write(tmp_path / "a.h5"))
    two = read_parameterization(write(tmp_path / "b.h5", ab=AB.T, xy_COM=XY.T, Pxy=-XY.T))
    for name in one.grid:
        assert np.array_equal(one.grid[name], two.grid[name], equal_nan=True), name


def test_cells_with_the_same_indices_are_counted(tmp_path):
    ab = AB.copy()
    ab[:, 4] = ab[:, 3]
    read = read_parameterization(write(tmp_path / "p.h5", ab=ab))
    assert read.repeated == 1 and np.array_equal(read.vector("xy_COM", "xy")[2, 0], XY[:, 4])


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"ab": None}, "holds no ab"),
        ({"Pxy": None, "xy_COM": None}, "holds no xy_COM, Pxy"),
        ({"ab": AB + 0.5}, "not integers"),
        ({"ab": AB * np.nan}, "not integers"),
        ({"ab": AB * 1e6}, "cell indices"),
        ({"ab": np.arange(5)}, "2 x N"),
        ({"ab": np.zeros((2, 0))}, "2 x N"),
        ({"Pxy": np.zeros((3, 5))}, "Pxy has the shape"),
        ({"xy_COM": np.zeros((2, 4))}, "xy_COM has the shape"),
        ({"xy_COM": np.zeros(5)}, "xy_COM has the shape"),
    ],
)
def test_files_of_another_schema_are_one_line(tmp_path, arrays, expected):
    with pytest.raises(InputError, match=f"p.h5: .*{expected}"):
        read_parameterization(write(tmp_path / "p.h5", **arrays))


def test_missing_and_damaged_files_are_one_line(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_parameterization(tmp_path / "p.h5")
    (tmp_path / "p.h5").write_bytes(b"no hdf5")
    with pytest.raises(InputError, match="p.h5: not readable"):
        read_parameterization(tmp_path / "p.h5")
