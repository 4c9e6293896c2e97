"""The simulated series looks like the real one: names, arrays, gaps; and its polarization
vanishes at 20 % Sm.
"""

import h5py
import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.smbfo import (
    GAP_SHARE,
    PARAMETERIZATION_KEYS,
    SERIES_IDS,
    SERIES_PAIRS,
    SeriesStyle,
    pair_of,
    simulate_series,
    simulated_parameters,
    write_series,
)

SMALL = SeriesStyle(cells=12, cell_px=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The whole series, small."""
    where = tmp_path_factory.mktemp("series")
    write_series(where, style=SMALL)
    return where


def test_names_are_those_of_the_record(folder):
    wanted = {name for p in SERIES_PAIRS for name in (p.image, p.parameters)}
    assert {p.name for p in folder.iterdir()} == wanted and "SM_10_0_HAADF.h5" in wanted


@pytest.mark.parametrize("pair", SERIES_PAIRS, ids=SERIES_IDS)
def test_files_follow_the_schema(folder, pair):
    with h5py.File(folder / pair.image) as file:
        image = file["MainImage"][()]
        assert list(file) == ["MainImage"] and image.ndim == 2 and image.dtype == np.float64
    assert (
        (np.isnan(image).any() and np.isinf(image).any())
        == (pair.id in GAP_SHARE)
        == (not np.isfinite(image).all())
    )
    with h5py.File(folder / pair.parameters) as file:
        arrays = {name: file[name][()] for name in file}
    assert set(arrays) == set(PARAMETERIZATION_KEYS)
    n = arrays["ab"].shape[1]
    assert n > 80 and all(arrays[name].shape == (2, n) for name in ("ab", "xy_COM", "Pxy"))
    assert all(
        arrays[name].size == n for name in ("I1", "I2", "I3", "I4", "I5", "a", "b", "alpha", "Vol")
    )
    assert (arrays["ab"] == np.rint(arrays["ab"])).all() and arrays["ab"].min() < 0


def test_polarization_falls_with_samarium_and_vanishes(folder):
    lengths = {}
    for pair in SERIES_PAIRS:
        with h5py.File(folder / pair.parameters) as file:
            lengths.setdefault(pair.samarium, []).append(np.median(np.hypot(*file["Pxy"][()])))
    medians = [np.mean(lengths[x]) for x in (0, 7, 10, 13, 20)]
    assert medians == sorted(medians, reverse=True) and medians[-1] < 0.3 * medians[0]


def test_the_orders_of_rows_can_be_chosen():
    made = simulate_series(pair_of("Sm_0_0"), SMALL)
    one = simulated_parameters(made, SMALL)
    two = simulated_parameters(made, SeriesStyle(cells=12, cell_px=8, p_order="yx", xy_order="xy"))
    assert np.array_equal(one["Pxy"], two["Pxy"][::-1]) and np.array_equal(
        one["xy_COM"], two["xy_COM"][::-1]
    )


def test_equal_seeds_give_equal_series_and_others_do_not():
    pair = pair_of("Sm_7_1")
    images = [simulate_series(pair, SMALL, seed).image.data for seed in (1, 1, 2)]
    assert np.array_equal(images[0], images[1]) and not np.array_equal(images[0], images[2])


@pytest.mark.parametrize("change", [{"cells": 5}, {"p_order": "yz"}, {"xy_order": "auto"}])
def test_impossible_styles_are_refused(change):
    with pytest.raises(InputError):
        SeriesStyle(**change)
