from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from bfo_utils.columns import (
    column_spacing,
    find_columns,
    fit_columns,
    refit_columns,
    with_bright_columns,
)
from bfo_utils.errors import InputError
from bfo_utils.io import image_from_array
from bfo_utils.lattice import build_lattice
from bfo_utils.search import prepare_image
from bfo_utils.simulation import Specimen, simulate_phantom

# precision, recall, rmse of A and B in px: no worse than the measured starting point of the method
BARS = {
    15: (0.99, 0.99, 0.186, 0.32),
    40: (0.998, 0.998, 0.115, 0.20),
    150: (1.0, 1.0, 0.065, 0.105),
}


def test_dark_columns_are_those_of_the_inverted_image():
    bright = simulate_phantom(Specimen(cells=16, cell_px=14, dose=60), 1).image
    dark = replace(bright, data=bright.data.max() - bright.data)
    found, expected = prepare_image(dark, scan_axis="none"), prepare_image(bright, scan_axis="none")
    assert found.image.inverted and not expected.image.inverted
    np.testing.assert_allclose(found.lattice.columns.xy, expected.lattice.columns.xy, atol=0.02)
    taken = replace(dark, contrast="bright")
    assert with_bright_columns(taken) is taken
    assert with_bright_columns(replace(bright, contrast="dark")).inverted


@pytest.mark.parametrize(
    "changes",
    [{"dose": 2}, {"sigma_cells": 0.22, "b_intensity": 0.8}, {"b_intensity": 0.1}, {"cell_px": 40}],
)
def test_bright_columns_are_left_as_they_are(changes):
    image = simulate_phantom(Specimen(**{"cells": 16, "cell_px": 14} | changes), 2).image
    assert with_bright_columns(image) is image


def compare(p):
    """Precision, recall and rmse per sublattice, over columns at least a quarter of a cell
    inside the frame.
    """
    found = build_lattice(p.image, find_columns(p.image))
    margin, reach = p.specimen.cell_px / 4, p.specimen.cell_px / 4

    def inside(xy):
        return np.all((xy > margin) & (xy < p.image.shape[0] - 1 - margin), axis=1)

    rows = {}
    for s in "AB":
        true, got = (
            p.truth.column_xy[p.truth.column_sublattice == s],
            found.columns.xy[found.sublattice == s],
        )
        to_got, nearest = cKDTree(got).query(true)
        to_true = cKDTree(true).query(got)[0]
        hit = inside(true) & (to_got < reach)
        rmse = np.sqrt(((got[nearest] - true)[hit] ** 2).mean())
        rows[s] = ((to_true[inside(got)] < reach).mean(), hit.sum() / inside(true).sum(), rmse)
    return rows


@pytest.mark.parametrize("dose", BARS)
def test_columns_at_dose(dose):
    specimen = Specimen(cells=64, cell_px=16, dose=dose, jitter_px=0.12, mistilt_pm=0)
    rows = compare(simulate_phantom(specimen, 11))
    precision, recall, rmse_a, rmse_b = BARS[dose]
    for s, rmse in (("A", rmse_a), ("B", rmse_b)):
        assert rows[s][0] >= precision and rows[s][1] >= recall
        assert rows[s][2] <= rmse


@pytest.mark.parametrize("dose", [15, 40, 150])
def test_polar_displacement_is_unbiased(dose):
    true, measured = [], []
    for seed in (21, 22, 23):
        p = simulate_phantom(Specimen(cells=64, cell_px=16, dose=dose, mistilt_pm=0), seed)
        cells = build_lattice(p.image, find_columns(p.image)).cells
        distance, nearest = cKDTree(p.truth.cell_xy).query(cells.xy[cells.valid])
        far = (distance < 4) & (p.truth.cell_wall[nearest] > 3)
        true.append(p.truth.cell_p_pm[nearest[far]].ravel())
        measured.append((cells.polar[cells.valid][far] * p.specimen.pm_per_px).ravel())
    slope = np.polyfit(np.concatenate(true), np.concatenate(measured), 1)[0]
    assert slope == pytest.approx(1, abs=0.01)


def test_spacing_follows_the_scale_of_the_image():
    for cell_px in (8, 20, 40):
        p = simulate_phantom(Specimen(cells=max(16, 320 // cell_px), cell_px=cell_px), 0)
        d = column_spacing(p.image)
        assert min(abs(d / cell_px - 1), abs(d * np.sqrt(2) / cell_px - 1)) < 0.03


@pytest.mark.parametrize("noise", ["white", "smooth"])
def test_an_image_without_lattice_is_refused(noise):
    values = np.random.default_rng(0).standard_normal((400, 400))
    values = (
        ndimage.gaussian_filter(values, 3) - ndimage.gaussian_filter(values, 6)
        if noise == "smooth"
        else values
    )
    with pytest.raises(InputError, match="no crystal lattice"):
        find_columns(image_from_array(values))


def test_fit_of_a_single_noise_free_column_is_exact():
    y, x = np.mgrid[:64, :64]
    image = image_from_array(5 * np.exp(-((x - 30.3) ** 2 + (y - 33.6) ** 2) / (2 * 2.5**2)) + 1)
    c = fit_columns(image, np.array([[30.0, 33.0]]), 2.0, 6, 16)
    assert c.xy[0] == pytest.approx([30.3, 33.6], abs=1e-3)
    assert (c.intensity[0], c.background[0], c.sigma_px[0]) == pytest.approx((5, 1, 2.5), rel=1e-2)
    assert c.ok[0]


def test_gain_and_offset_do_not_move_columns(junction):
    data = junction.image.data
    one = find_columns(junction.image)
    two = find_columns(image_from_array(3.5 * data + 1000))
    distance, _ = cKDTree(two.xy).query(one.xy[one.ok])
    assert (distance < 0.02).mean() > 0.995
    assert abs(len(one) - len(two)) <= 0.002 * len(
        one
    )  # maxima right at the threshold, by rounding


def test_columns_cut_by_invalid_pixels_are_marked(junction):
    data = junction.image.data.copy()
    data[:, :100] = np.nan
    found = find_columns(image_from_array(data))
    distance, _ = cKDTree(junction.truth.column_xy).query(found.xy)
    assert distance[found.ok].max() < 1.5
    assert found.ok.mean() > 0.9


def test_columns_are_fitted_again_where_they_are_known_to_be():
    image = simulate_phantom(Specimen(cells=14, cell_px=12, dose=100), 3).image
    found = find_columns(image)
    nudged = replace(found, xy=found.xy + np.random.default_rng(0).normal(0, 0.3, found.xy.shape))
    again = refit_columns(image, nudged)
    off = np.abs(again.xy - found.xy)[found.ok & again.ok]
    # windows are cut at the nearest pixel, which the start decides; all start 0.3 px away
    assert np.median(off) < 0.01 and np.quantile(off, 0.95) < 0.05
    assert (found.ok & again.ok).sum() > 0.99 * found.ok.sum()
