"""One rule names the variants, whoever asks: the names of labels, the trends, the warnings."""

import numpy as np
import pytest

from bfo_utils.segmentation import adjusted_eta_squared, is_nonpolar, variant_numbers

ANGLES = {0: 45, 1: 135, 2: -135, 3: -45, 4: 0, 5: 90, 6: 180, 7: -90}


@pytest.mark.parametrize(("number", "degrees"), ANGLES.items())
@pytest.mark.parametrize("off", [-22, 0, 22])
@pytest.mark.parametrize("turn", [0, 30])
def test_a_sector_reaches_half_way_to_the_next(number, degrees, off, turn):
    angle, a = np.deg2rad(degrees + off + turn), np.deg2rad(turn)
    found = variant_numbers(
        np.array([[np.cos(angle), np.sin(angle)]]), 9 * np.array([np.cos(a), np.sin(a)])
    )
    assert found.tolist() == [number]


def test_faint_is_less_than_three_tenths_of_the_longest():
    assert is_nonpolar(np.array([[0, 10.0], [0, 3.0], [2.9, 0]])).tolist() == [False, False, True]
    assert is_nonpolar(np.empty((0, 2))).tolist() == []
    assert is_nonpolar(np.zeros((2, 2))).tolist() == [False, False]


def test_groups_of_noise_explain_nothing_on_average():
    rng = np.random.default_rng(0)
    shares = [
        adjusted_eta_squared(rng.integers(0, 5, 60), rng.normal(size=(60, 2))) for _ in range(400)
    ]
    assert abs(np.mean(shares)) < 0.01 and min(shares) < 0
    assert adjusted_eta_squared(np.arange(3), np.ones((3, 1))) == 0
