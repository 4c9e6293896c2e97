"""Which reading agrees with the image is found, and what disagrees is said in numbers."""

import dataclasses

import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.search import prepare_image
from bfo_utils.smbfo import (
    POLAR_ORDERS,
    Parameterization,
    SeriesStyle,
    compare_parameters,
    pair_of,
    read_parameterization,
    series_polar_order,
    series_specimen,
    simulate_series,
    write_series,
)


def cells_and_parameters(name, folder, style=SeriesStyle(cells=20)):
    """Cells found in a simulated image, and the parameters written for it."""
    paths = write_series(folder, [name], style)
    made = simulate_series(pair_of(name), style)
    return prepare_image(made.image).lattice.cells, read_parameterization(paths[1])


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Undoped: strongly polarized in four directions."""
    return cells_and_parameters("Sm_0_0", tmp_path_factory.mktemp("pair"))


def changed(parameters, **grid):
    return dataclasses.replace(parameters, grid=parameters.grid | grid)


@pytest.mark.parametrize("p_order", POLAR_ORDERS)
@pytest.mark.parametrize("xy_order", POLAR_ORDERS)
def test_the_right_reading_is_found(tmp_path, p_order, xy_order):
    style = SeriesStyle(cells=20, p_order=p_order, xy_order=xy_order)
    found = compare_parameters(*cells_and_parameters("Sm_0_0", tmp_path, style)[::-1])
    assert (found.order, found.positions, found.decided) == (p_order, xy_order, True)
    assert found.readings[0].explained > 0.9 > 0.3 > found.readings[1].explained
    assert found.matched > 0.9 and found.offset_px < 0.2


def test_unit_and_sign_come_out(pair):
    cells, parameters = pair
    found = compare_parameters(
        changed(parameters, Pxy=parameters.grid["Pxy"] * [1, -1]), cells
    ).readings[0]
    pm_per_px = 1000 * series_specimen(pair_of("Sm_0_0"), SeriesStyle(cells=20)).a_nm / 18
    assert found.slope == pytest.approx((0.01 * pm_per_px, -0.01 * pm_per_px), rel=0.05)
    assert found.opposed < 0.02 and found.correlation[0] > 0.95 and found.correlation[1] < -0.95


def test_what_disagrees_is_counted(pair):
    cells, parameters = pair
    wrong = parameters.grid["Pxy"].copy()
    wrong[: len(wrong) // 4] *= -1
    honest, mixed = (
        compare_parameters(p, cells).readings[0]
        for p in (parameters, changed(parameters, Pxy=wrong))
    )
    assert honest.opposed < 0.02 and 0.15 < mixed.opposed < 0.35
    assert mixed.explained < honest.explained - 0.2 and mixed.rms_px > 1.3 * honest.rms_px


def test_an_unpolarized_image_decides_nothing_but_the_series_does(pair, tmp_path):
    cells, parameters = cells_and_parameters("Sm_20_0", tmp_path)
    found = compare_parameters(parameters, cells)
    assert not found.decided and "not decided by this image" in found.lines()[1]
    clear = compare_parameters(*pair[::-1])
    assert series_polar_order([found, clear]) == "xy"
    swapped = compare_parameters(changed(pair[1], Pxy=pair[1].vector("Pxy", "yx")), pair[0])
    assert series_polar_order([found, swapped]) == "yx"


def test_geometry_is_compared_as_well(pair):
    table = compare_parameters(*pair[::-1]).table.set_index(["theirs", "ours"])
    assert list(table.index) == [
        ("a", "a"),
        ("a", "b"),
        ("b", "a"),
        ("b", "b"),
        ("alpha", "angle"),
        ("Vol", "area"),
    ]
    for own in (("a", "a"), ("b", "b"), ("alpha", "angle"), ("Vol", "area")):
        assert table.loc[own, "correlation"] > 0.7 and table.loc[own, "ratio"] == pytest.approx(
            1, abs=0.01
        )
    assert table.loc[("a", "a"), "correlation"] > table.loc[("a", "b"), "correlation"]


def test_wild_values_do_not_rule_the_comparison(pair):
    cells, parameters = pair
    polar, edge = parameters.grid["Pxy"].copy(), parameters.grid["a"].copy()
    polar[5, 5], polar[6, 6], edge[5, 5] = 1e9, np.inf, np.inf
    found = compare_parameters(changed(parameters, Pxy=polar, a=edge), cells)
    assert found.readings[0].explained > 0.9 and found.table["n"][0] == found.table["n"][2] - 1


def test_files_that_do_not_belong_together_are_refused(pair):
    cells, parameters = pair
    with pytest.raises(InputError, match="belong together"):
        compare_parameters(changed(parameters, xy_COM=parameters.grid["xy_COM"] + 1e4), cells)
    with pytest.raises(InputError, match="finite Pxy"):
        compare_parameters(changed(parameters, Pxy=parameters.grid["Pxy"] * np.nan), cells)
    with pytest.raises(InputError, match="second sublattice"):
        compare_parameters(parameters, dataclasses.replace(cells, has_b=False))


def test_cells_of_which_few_match_decide_nothing(pair):
    cells, parameters = pair
    xy = parameters.grid["xy_COM"].copy()
    xy[: int(0.6 * len(xy))] += 5000
    found = compare_parameters(changed(parameters, xy_COM=xy), cells)
    assert found.matched < 0.5 and not found.decided and found.readings[0].explained > 0.5


def test_a_displacement_of_nothing_but_zeros_explains_nothing(pair):
    cells, parameters = pair
    found = compare_parameters(
        changed(parameters, Pxy=np.zeros_like(parameters.grid["Pxy"])), cells
    )
    assert [r.explained for r in found.readings] == [0, 0] and not found.decided


def test_arrays_that_are_missing_are_left_out(pair):
    cells, parameters = pair
    grid = {
        name: values for name, values in parameters.grid.items() if name not in ("alpha", "Vol")
    }
    found = compare_parameters(Parameterization(grid, {}, parameters.n), cells)
    assert list(found.table["theirs"]) == ["a", "a", "b", "b"]
