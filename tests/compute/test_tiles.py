"""What is computed in tiles must not depend on them, to the last bit."""

import itertools
import threading
import time
import tracemalloc
from functools import partial

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from bfo_utils.columns import find_columns, fit_columns
from bfo_utils.compute import (
    TILE_SIDE,
    divide_into_tiles,
    in_threads,
    owned_by_tile,
    use_threads,
)
from bfo_utils.descriptors import cut_windows
from bfo_utils.io import image_from_array
from bfo_utils.lattice import building
from bfo_utils.search import SharedWork, evaluate_configuration, preparation, prepare_image
from bfo_utils.simulation import Specimen, simulate_phantom

SIDES = (97, 200, 324, 500)  # px, of an image of 648: one divides it, the others do not
WHOLE = 10_000
CHOICES = (
    {},
    {"site": "cell", "normalisation": "zscore", "n_clusters": 3, "covariance": "tied"},
    {
        "site": "B",
        "window_height": 2.4,
        "window_width": 1.9,
        "binning": 2,
        "n_components": 8,
        "n_clusters": 4,
    },
)


@pytest.fixture(scope="module")
def holed(junction):
    """An image with a hole inside and a strip of invalid pixels at its edge."""
    data = junction.image.data.copy()
    y, x = np.indices(data.shape)
    data[np.hypot(x - 330, y - 250) < 60] = np.nan
    data[:, :35] = np.nan
    return image_from_array(data, name="holed")


def same(one, two):
    """Whether two dataclasses of arrays are equal to the last bit."""
    pairs = [
        (value, getattr(two, name))
        for name, value in vars(one).items()
        if isinstance(value, np.ndarray)
    ]
    return all(np.array_equal(p, q, equal_nan=p.dtype.kind == "f") for p, q in pairs)


def tiled(monkeypatch, image, side):
    """An image analyzed in tiles of ``side`` px."""
    with monkeypatch.context() as patch:
        patch.setattr(preparation, "find_columns", partial(find_columns, side=side))
        patch.setattr(building, "fit_columns", partial(fit_columns, side=side))
        prepared = prepare_image(image)
        patch.setattr(preparation, "cut_windows", partial(cut_windows, side=side))
        for site in prepared.sites:
            SharedWork(prepared).patches(site)
    return prepared


@pytest.mark.parametrize("shape", [(100, 250), (64, 33), (7, 7)])
@pytest.mark.parametrize("side", [1, 7, 40, 300])
def test_cores_cover_the_image_once_and_boxes_reach_around_them(shape, side):
    count, reach = np.zeros(shape, int), 9
    for tile in divide_into_tiles(shape, reach, side):
        count[tile.core] += 1
        for core, box, size in zip(tile.core, tile.box, shape):
            assert core.stop - core.start <= side
            assert (box.start, box.stop) == (
                max(0, core.start - reach),
                min(size, core.stop + reach),
            )
    assert (count == 1).all()


@pytest.mark.parametrize("side", [30, 64, 500])
def test_points_belong_to_the_tile_whose_core_holds_them(side):
    xy = np.random.default_rng(0).uniform(-5, 130, (400, 2))
    parts = owned_by_tile(xy, (125, 120), side)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(400))
    for tile, index in zip(divide_into_tiles((125, 120), 0, side), parts, strict=True):
        rows, cols = tile.core
        pixel = np.clip(np.floor(xy[index]), 0, [119, 124])
        assert ((pixel >= [cols.start, rows.start]) & (pixel < [cols.stop, rows.stop])).all()
        assert (np.diff(index) > 0).all()


def test_a_filter_gives_in_the_cores_what_it_gives_on_the_whole():
    data = np.random.default_rng(0).standard_normal((123, 170)).astype(np.float32)
    out = np.empty_like(data)
    for tile in divide_into_tiles(data.shape, reach=12, side=31):
        out[tile.core] = ndimage.gaussian_filter(data[tile.box], 3)[tile.inner]
    assert np.array_equal(out, ndimage.gaussian_filter(data, 3))


@pytest.mark.parametrize("side", SIDES)
def test_columns_do_not_depend_on_the_tiles(junction, holed, side):
    for image in (junction.image, holed):
        assert same(find_columns(image, side=side), find_columns(image, side=WHOLE))


def test_columns_away_from_a_hole_do_not_know_of_it(junction, holed):
    found, full = find_columns(holed, side=200), find_columns(junction.image, side=200)
    far = [
        c.xy[(c.xy[:, 0] > 90) & (np.hypot(*(c.xy - [330, 250]).T) > 120)] for c in (found, full)
    ]
    distance = cKDTree(far[0]).query(far[1])[0]
    assert len(distance) > 1000
    assert (
        distance < 0.02
    ).mean() > 0.998  # not quite all: the noise and the width are medians of the whole image


@pytest.mark.parametrize(("cell_px", "rotation"), [(13.6, 20.0), (22.11, 27.5), (31.4, 8.0)])
def test_windows_of_any_cell_do_not_depend_on_the_tiles(cell_px, rotation):
    specimen = Specimen(cells=14, cell_px=cell_px, rotation_deg=rotation)
    prepared = prepare_image(simulate_phantom(specimen, 2).image)
    given = prepared.image, prepared.lattice.cells, prepared.mask, "cell"
    whole = cut_windows(*given, WHOLE).data
    for side, size in itertools.product((61, 97, 130), (2.5, 2.0, 1.5, 1.0)):
        found = cut_windows(*given, side, size).data
        part = slice((31 - found.shape[1]) // 2, (31 + found.shape[1]) // 2)
        assert np.array_equal(found, whole[:, part, part])


def test_parts_have_one_thread_unless_more_are_allowed(junction):
    def who(part):
        time.sleep(0.05)
        return threading.get_ident()

    assert set(in_threads(who, range(4))) == {threading.get_ident()}
    with use_threads(2):
        assert len(set(in_threads(who, range(4)))) == 2
        found = find_columns(junction.image, side=200)
    assert set(in_threads(who, range(4))) == {threading.get_ident()}
    assert same(found, find_columns(junction.image, side=200))


@pytest.mark.parametrize("side", SIDES)
def test_windows_do_not_depend_on_the_tiles(holed, side):
    prepared = prepare_image(holed)
    for site in prepared.sites:
        one, two = (
            cut_windows(holed, prepared.lattice.cells, prepared.mask, site, s)
            for s in (side, WHOLE)
        )
        assert same(one, two)


@pytest.mark.parametrize("side", [97, 324])
def test_cells_and_labels_do_not_depend_on_the_tiles(monkeypatch, holed, side):
    one, two = (tiled(monkeypatch, holed, s) for s in (side, WHOLE))
    assert same(one.lattice, two.lattice) and same(one.lattice.cells, two.lattice.cells)
    for choice in CHOICES:
        assert np.array_equal(
            evaluate_configuration(one, choice).labels, evaluate_configuration(two, choice).labels
        )


@pytest.mark.slow
def test_a_4k_image_gives_the_same_columns_and_labels_tiled_and_untiled(monkeypatch):
    p = simulate_phantom(Specimen(layout="closure", cells=160, cell_px=25.6, dose=40), 3)
    data = p.image.data
    data[1500:1900, 2500:3100] = np.nan
    image = image_from_array(data)
    one, two = (tiled(monkeypatch, image, side) for side in (TILE_SIDE, WHOLE))
    assert len(one.lattice.columns) > 48_000
    assert same(one.lattice.columns, two.lattice.columns) and same(
        one.lattice.cells, two.lattice.cells
    )
    for choice in CHOICES:
        assert np.array_equal(
            evaluate_configuration(one, choice).labels, evaluate_configuration(two, choice).labels
        )


def test_finding_columns_needs_less_memory_than_the_image_itself():
    p = simulate_phantom(Specimen(cells=80, cell_px=25.6), 0)
    tracemalloc.start()
    try:
        find_columns(p.image, side=256)
        assert tracemalloc.get_traced_memory()[1] < p.image.data.nbytes
    finally:
        tracemalloc.stop()
