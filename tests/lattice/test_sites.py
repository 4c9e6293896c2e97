import numpy as np
import pytest
from scipy.spatial import cKDTree

from bfo_utils.columns import find_columns
from bfo_utils.io import image_from_array
from bfo_utils.lattice import build_lattice
from bfo_utils.simulation import Specimen, simulate_phantom

BACKGROUND = 0.3  # of an image, in amplitudes of A
RISE = 10  # amplitude of B over the saddle, in units of the noise of a pixel


def weak(cell, share, sigma, seed=0, side=24):
    """An image whose B columns have a share of the amplitude of A, displaced smoothly; B sites
    and displacements.
    """
    rng = np.random.default_rng(seed)
    j, i = np.meshgrid(np.arange(-1.0, side + 1), np.arange(-1.0, side + 1))
    a = np.stack([j + 0.5, i + 0.5], -1).reshape(-1, 2) * cell
    site = a + cell / 2
    polar = (
        0.05
        * cell
        * np.stack(
            [
                np.sin(2 * np.pi * site[:, 0] / (side * cell)),
                np.cos(2 * np.pi * site[:, 1] / (side * cell)),
            ],
            1,
        )
    )
    image = rendered(side * cell, a, sigma * cell) + share * rendered(
        side * cell, site + polar, sigma * cell
    )
    t = np.linspace(0, 2**-0.5, 200)
    profile = np.exp(-((t - 2**-0.5) ** 2) / (2 * sigma**2)) + max(share, 0.12) * np.exp(
        -(t**2) / (2 * sigma**2)
    )
    counts = (BACKGROUND + profile[0]) * (RISE / (profile[0] - profile.min())) ** 2
    return (
        image_from_array(rng.poisson(counts * (image + BACKGROUND)).astype(np.float32)),
        site,
        polar,
    )


def rendered(side, xy, sigma):
    """Sum of round Gaussians of height 1."""
    axis = np.arange(side)
    gx, gy = (np.exp(-((axis[:, None] - xy[:, k]) ** 2) / (2 * sigma**2)) for k in (0, 1))
    return gy @ gx.T


@pytest.mark.parametrize("sigma", [0.13, 0.18])
@pytest.mark.parametrize("share", [0.12, 0.2, 0.3])
@pytest.mark.parametrize("cell", [8, 16, 40])
def test_a_weak_sublattice_is_seen(cell, share, sigma):
    image, site, polar = weak(cell, share, sigma)
    cells = build_lattice(image, find_columns(image)).cells
    assert cells.has_b
    inner = np.all((site > 1.5 * cell) & (site < image.shape[0] - 1.5 * cell), axis=1)
    distance, nearest = cKDTree(cells.xy[cells.valid]).query(site[inner])
    seen = distance < 0.3 * cell
    assert seen.mean() >= 0.98
    for k in (0, 1):
        slope = np.polyfit(polar[inner][seen, k], cells.polar[cells.valid][nearest[seen], k], 1)[0]
        assert slope == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("sigma", [0.13, 0.18])
@pytest.mark.parametrize("cell", [8, 16, 40])
def test_nothing_is_seen_where_nothing_is(cell, sigma):
    found = build_lattice(*with_columns(weak(cell, 0.0, sigma)[0]))
    assert not found.cells.has_b and found.edges == ""


def with_columns(image):
    return image, find_columns(image)


@pytest.mark.parametrize(
    "shape",
    [
        lambda r: (1 + r**2) ** -1.5,
        lambda r: np.exp(-1.2 * np.sqrt(r**2 + 0.2)),
        lambda r: np.exp(-(r**4) / 4),
    ],
)
def test_tails_of_bright_columns_are_no_second_sublattice(shape):
    y, x = np.mgrid[:320, :320] % 16 - 8
    image = image_from_array(
        np.random.default_rng(0).poisson(3000 * (shape(np.hypot(x, y) / 2.4) + 0.3))
    )
    assert not build_lattice(*with_columns(image)).cells.has_b


@pytest.mark.parametrize(
    ("at", "edges"), [([(8, 0)], "a"), ([(0, 8)], "b"), ([(8, 0), (0, 8)], "a and b")]
)
def test_columns_at_the_edges_are_named(at, edges):
    j, i = np.meshgrid(np.arange(-1.0, 31), np.arange(-1.0, 31))
    a = np.stack([j + 0.5, i + 0.5], -1).reshape(-1, 2) * 16
    light = sum(rendered(480, a + np.array(step), 2.0) for step in at)
    image = image_from_array(
        np.random.default_rng(0).poisson(300 * (rendered(480, a, 2.2) + 0.2 * light + 0.3))
    )
    found = build_lattice(*with_columns(image))
    assert not found.cells.has_b and found.edges == edges


def test_ordinary_columns_are_not_fitted_twice():
    p = simulate_phantom(Specimen(cells=24, cell_px=16))
    found = find_columns(p.image)
    built = build_lattice(p.image, found)
    near = cKDTree(built.columns.xy).query(found.xy)[0]
    assert (near == 0).mean() > 0.99
