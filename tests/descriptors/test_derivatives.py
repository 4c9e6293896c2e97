from dataclasses import replace

import numpy as np
import pytest

from bfo_utils.descriptors import find_vortices, polar_derivatives


@pytest.fixture(scope="module")
def cells(prepared):
    return prepared.lattice.cells


def with_polar(cells, function):
    """The cells with a displacement that is a function of (x, y) from their middle, in px."""
    x, y = np.moveaxis(cells.xy - np.nanmean(cells.xy, axis=(0, 1)), -1, 0)
    return replace(cells, polar=np.stack(np.broadcast_arrays(*function(x, y)), axis=-1))


def test_divergence_and_curl_are_those_of_linear_fields(cells):
    source = with_polar(cells, lambda x, y: (0.01 * x, 0.03 * y))
    divergence, curl = polar_derivatives(source)
    assert np.nanmean(divergence) == pytest.approx(0.04, rel=0.02)
    assert np.nanmean(curl) == pytest.approx(0, abs=1e-3)
    turning = with_polar(cells, lambda x, y: (-0.01 * y, 0.01 * x))
    assert np.nanmean(polar_derivatives(turning)[1]) == pytest.approx(0.02, rel=0.02)
    assert np.nanmean(polar_derivatives(turning, -1)[1]) == pytest.approx(-0.02, rel=0.02)


@pytest.mark.parametrize(
    ("field", "winding"),
    [
        (lambda x, y: (-y, x), [1]),
        (lambda x, y: (x, y), [1]),
        (lambda x, y: (x, -y), [-1]),
        (lambda x, y: (1 + 0 * x, 1 + 0 * x), []),
        (lambda x, y: (np.sign(x + 0.1), np.sign(x + 0.1)), []),
    ],
)
def test_vortices_are_counted(cells, field, winding):
    found = find_vortices(with_polar(cells, field))
    assert found.winding.tolist() == winding
    if winding:
        middle = np.nanmean(cells.xy, axis=(0, 1))
        assert np.linalg.norm(found.xy[0] - middle) < 2 * cells.basis.cell_px


def test_noise_makes_no_vortex_in_a_domain(cells):
    noise = np.random.default_rng(5).normal(0, 0.4, cells.polar.shape)
    assert len(find_vortices(replace(cells, polar=1.0 + noise)).winding) == 0
