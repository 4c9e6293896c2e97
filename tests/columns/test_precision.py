import numpy as np
import pytest

from bfo_utils.columns import column_errors, variance_of_pixels

from ..exactness import indexed, rms, true_xy


@pytest.mark.parametrize(
    "changes",
    [{"dose": 15}, {"dose": 150}, {"cell_px": 9, "dose": 80}, {"b_intensity": 0.15, "dose": 1000}],
)
def test_standard_errors_are_those_found_against_the_truth(changes):
    made, found = indexed(3, jitter_px=0, **changes)
    errors = column_errors(made.image, found.columns, 0.45 * found.columns.spacing_px)
    off = found.columns.xy - true_xy(made, found)
    inner = np.all((found.ij > 1) & (found.ij < found.ij.max(axis=0) - 1), axis=1)
    for s in "AB":
        own = (
            inner
            & (found.sublattice == s)
            & np.isfinite(off).all(axis=1)
            & np.isfinite(errors.xy).all(axis=1)
        )
        assert rms(errors.xy[own]) / rms(off[own]) == pytest.approx([1, 1], abs=0.1)


def test_the_noise_of_counts_is_recognised():
    made, found = indexed(1, jitter_px=0, dose=200)
    offset, slope = variance_of_pixels(made.image, found.columns, 0.45 * found.columns.spacing_px)
    assert slope == pytest.approx(1, abs=0.1) and abs(offset) < 0.1 * 200


def test_a_column_without_a_sound_fit_has_no_error():
    made, found = indexed(1)
    errors = column_errors(made.image, found.columns, 0.45 * found.columns.spacing_px)
    assert np.array_equal(np.isfinite(errors.intensity), found.columns.ok)
    assert np.array_equal(np.isfinite(errors.xy).all(axis=1), found.columns.ok)
