import numpy as np
import pytest

from bfo_utils.columns import find_columns
from bfo_utils.errors import InputError
from bfo_utils.io import image_from_array, read_image
from bfo_utils.lattice import build_lattice, find_superstructures, superstructures
from bfo_utils.rewards import measure_reference
from bfo_utils.search import prepare_image

from ..exactness import indexed
from .test_sites import rendered


def zigzag(amplitude, share=0.4, checkered=False, cell=16, side=26):
    """An image whose A columns are displaced by plus and minus an amplitude (of a cell) along y
    in turn.
    """
    j, i = np.meshgrid(np.arange(-1, side + 1), np.arange(-1, side + 1))
    sign = 1 - 2 * ((i + j if checkered else j) % 2)
    a = np.stack([(j + 0.5) * cell, (i + 0.5 + amplitude * sign) * cell], -1).reshape(-1, 2)
    b = np.stack([(j + 1) * cell + 0.5, (i + 1) * cell + 0.3], -1).reshape(-1, 2)
    image = rendered(side * cell, a, 0.15 * cell) + share * rendered(side * cell, b, 0.15 * cell)
    return image_from_array(np.random.default_rng(0).poisson(300 * (image + 0.3)))


@pytest.mark.parametrize("checkered", [False, True])
@pytest.mark.parametrize("share", [0.4, 0.15, 0.0])
@pytest.mark.parametrize("amplitude", [0.03, 0.065, 0.12])
def test_a_zigzag_is_analyzed_and_named(amplitude, share, checkered):
    image = zigzag(amplitude, share, checkered)
    found = build_lattice(image, find_columns(image))
    assert found.cells.n >= 0.98 * 24 * 24 and found.cells.has_b == (share > 0)
    (order,) = superstructures(found)
    assert (order.sublattice, order.name) == ("A", "(1/2, 1/2)" if checkered else "(1/2, 0)")
    assert order.amplitude_px == pytest.approx(
        16 * amplitude, rel=0.03
    ) and order.direction_deg == pytest.approx(90, abs=2)
    if share:
        assert np.nanmean(found.cells.polar, axis=(0, 1)) == pytest.approx([0.5, 0.3], abs=0.05)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dose": 15},
        {"layout": "stripes"},
        {"jitter_px": 0.5},
        {"bend_deg": 5},
        {"missing": 0.02},
    ],
)
def test_ordinary_crystals_have_none(changes):
    assert superstructures(indexed(2, **changes)[1]) == []


def test_noise_has_none():
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert not find_superstructures(
            np.stack(np.meshgrid(np.arange(40.0), np.arange(30.0)), -1) * 16
            + rng.normal(0, 0.3, (30, 40, 2))
        )


def test_a_long_period_along_a_diagonal():
    i, j = np.mgrid[:40, :40]
    wave = 0.6 * np.cos(2 * np.pi * (i + j) / 3)
    xy = np.stack([16.0 * j + wave, 16.0 * i], -1) + np.random.default_rng(1).normal(
        0, 0.2, (40, 40, 2)
    )
    (order,) = find_superstructures(xy, "B")
    assert order.name == "(1/3, 1/3)" and order.amplitude_px == pytest.approx(0.6, rel=0.05)
    assert np.abs(order.displacement[..., 0] - wave)[5:-5, 5:-5].max() < 0.2


def test_an_order_in_half_of_the_crystal_is_mapped_and_judges_a_map():
    image = zigzag(0.06)
    image = image_from_array(np.hstack([image.data, zigzag(0.0).data]))
    prepared = prepare_image(image, evidence="order")
    order = np.abs(prepared.reference.field[..., 0])
    assert (
        np.nanmedian(order[:, :20]) == pytest.approx(0.96, abs=0.1)
        and np.nanmedian(order[:, -18:]) < 0.2
    )


def test_order_as_evidence_needs_an_order(prepared):
    with pytest.raises(InputError, match="no ordered displacements"):
        measure_reference(prepared.image, prepared.lattice.cells, prepared.mask, "order")


def test_dysprosium_scandate_is_analyzed(real_data):
    image = read_image(real_data / "dsco_zigzag.png")
    prepared = prepare_image(image)
    (order,) = prepared.superstructures
    assert prepared.lattice.cells.n > 340 and order.name == "(1/2, 0)"
    assert order.amplitude_px / prepared.lattice.cells.basis.cell_px == pytest.approx(
        0.065, abs=0.006
    )
