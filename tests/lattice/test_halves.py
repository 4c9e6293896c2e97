import numpy as np
import pytest
from scipy import ndimage

from bfo_utils.columns import find_columns
from bfo_utils.io import image_from_array
from bfo_utils.lattice import AXES, build_lattice, half_fits
from bfo_utils.lattice.halves import RowNoise

from ..exactness import indexed, rms, true_cells


@pytest.fixture(scope="module")
def made():
    return indexed(3, jitter_px=0)


@pytest.mark.parametrize("axis", AXES)
def test_halves_err_independently_and_their_mean_is_the_full_fit(made, axis):
    p, found = made
    both = half_fits(p.image, found, axis=axis)
    truth, inner = true_cells(p, found)
    off = [(polar - truth.polar)[inner] for polar in both.polar]
    full = (found.cells.polar - truth.polar)[inner]
    assert abs(np.corrcoef(off[0].ravel(), off[1].ravel())[0, 1]) < 0.08
    assert rms(off[0]) / rms(full) == pytest.approx([2**0.5, 2**0.5], rel=0.1)
    assert rms((off[0] + off[1]) / 2 - full).max() < 0.25 * rms(full).min()


def test_their_difference_is_the_error_of_the_full_fit(made):
    p, found = made
    both = half_fits(p.image, found)
    truth, inner = true_cells(p, found)
    assert both.independent and both.axis == "none"
    for name in ("polar", "a", "b", "angle", "rotation"):
        one, two = (getattr(cells, name)[inner] for cells in both.cells)
        off = (getattr(found.cells, name) - getattr(truth, name))[inner]
        assert rms((one - two) / 2) / rms(off) == pytest.approx(np.ones(off.shape[1:]), abs=0.1), (
            name
        )


def test_noise_that_pixels_share_is_seen(made):
    data = ndimage.gaussian_filter(made[0].image.data, 0.8)
    image = image_from_array(data)
    both = half_fits(image, build_lattice(image, find_columns(image)))
    assert not both.independent and both.correlation > 0.3


@pytest.mark.parametrize(
    ("change", "axis"), [(lambda a: a, "x"), (lambda a: a.T, "y"), (lambda a: a[::-1, ::-1], "x")]
)
def test_the_fast_axis_turns_with_the_image(change, axis):
    p, _ = indexed(3, jitter_px=0.25)
    image = image_from_array(change(p.image.data))
    assert half_fits(image, build_lattice(image, find_columns(image))).axis == axis


@pytest.mark.parametrize("jitter", [0.0, 0.25])
def test_halves_turn_with_the_image(jitter):
    p, found = indexed(3, jitter_px=jitter)
    image = image_from_array(p.image.data[::-1].T.copy())
    turned = build_lattice(image, find_columns(image))
    one, two = (half_fits(*pair).standard_error() for pair in ((p.image, found), (image, turned)))
    assert two[::-1] == pytest.approx(one, rel=1e-3)


@pytest.mark.parametrize(
    ("excess", "axis"),
    [((13.6, 0.0), "x"), ((0.1, 2.0), "y"), ((0.0, 0.1), "none"), ((-0.84, -0.17), "none")],
    ids=["x", "y", "neither", "rows that were put straight"],
)
def test_rows_stand_out_of_white_noise(excess, axis):
    assert RowNoise(*excess, 0.0, 0.0).fast_axis == axis
