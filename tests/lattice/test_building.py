from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from bfo_utils.columns import find_columns
from bfo_utils.errors import InputError
from bfo_utils.io import image_from_array
from bfo_utils.lattice import build_lattice, walk_lattice
from bfo_utils.search import prepare_image
from bfo_utils.simulation import Specimen, simulate_phantom


def indexed(prepared, seed=0):
    p = simulate_phantom(prepared, seed)
    return p, build_lattice(p.image, find_columns(p.image))


def errors(p, cells):
    """Share of the true cells (1.2 cells inside the frame) that are found, and offsets of their
    indices.
    """
    distance, nearest = cKDTree(p.truth.cell_xy).query(cells.xy[cells.valid])
    hit = distance < p.specimen.cell_px / 4
    got, true = np.argwhere(cells.valid)[hit], p.truth.cell_ij[nearest[hit]]
    margin = 1.2 * p.specimen.cell_px
    inside = np.all(
        (p.truth.cell_xy > margin) & (p.truth.cell_xy < p.image.shape[0] - 1 - margin), axis=1
    )
    return np.isin(np.nonzero(inside)[0], nearest[hit]).mean(), got - true


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"rotation_deg": 12},
        {"rotation_deg": -40},
        {"bend_deg": 6},
        {"substrate": 0.2},
        {"missing": 0.02},
        {"cell_px": 9},
        {"cell_px": 40, "cells": 20},
        {"drift_px": 8},
        {"layout": "closure", "shear": 0.02},
    ],
)
def test_every_cell_is_indexed(change):
    p, found = indexed(Specimen(**({"cells": 36, "cell_px": 18, "dose": 40} | change)))
    share, offset = errors(p, found.cells)
    assert found.cells.has_b
    assert share > (0.90 if "missing" in change else 0.985)
    if (
        abs(p.specimen.rotation_deg) < 40
    ):  # beyond, rows and columns of the grid may be named the other way round
        assert (offset == offset[0]).all()


def test_geometry_of_the_cells():
    _, found = indexed(
        Specimen(
            layout="single", cells=36, cell_px=18, dose=150, shear=0.02, bend_deg=0, drift_px=0
        )
    )
    cells, v = found.cells, found.cells.valid
    assert cells.a[v].mean() == pytest.approx(18, rel=2e-3) and cells.b[v].mean() == pytest.approx(
        18, rel=2e-3
    )
    assert cells.area[v].mean() == pytest.approx(18**2, rel=4e-3)
    assert 90 - cells.angle[v].mean() == pytest.approx(np.rad2deg(2 * 0.02), rel=0.05)


def test_local_rotation_is_recovered():
    p, found = indexed(Specimen(cells=40, cell_px=18, dose=80, bend_deg=5))
    cells = found.cells
    nearest = cKDTree(p.truth.cell_xy).query(cells.xy[cells.valid])[1]
    assert np.corrcoef(cells.rotation[cells.valid], p.truth.cell_rotation_deg[nearest])[0, 1] > 0.99


def test_one_sublattice_is_said_and_analyzed():
    _, found = indexed(Specimen(cells=30, cell_px=18, b_intensity=0.0))
    assert not found.cells.has_b and set(found.sublattice) == {"A"}
    assert found.cells.n > 0.95 * 28 * 28
    assert np.isnan(found.cells.polar).all() and np.isfinite(found.cells.a[found.cells.valid]).all()


def test_the_brighter_sublattice_is_a(junction, prepared):
    heights = {
        s: prepared.lattice.columns.intensity[prepared.lattice.sublattice == s].mean() for s in "AB"
    }
    assert heights["A"] > 1.5 * heights["B"]


def test_sublattices_keep_their_names_through_an_interface_where_brightness_swaps():
    prepared = Specimen(
        layout="single", cells=30, cell_px=18, dose=200, illumination=0, composition=0
    )
    p = simulate_phantom(prepared, 0)
    right = np.arange(p.image.shape[1]) > 0.7 * p.image.shape[1]
    b = p.truth.column_xy[(p.truth.column_sublattice == "B")]
    y, x = np.mgrid[:540, :540]
    extra = np.zeros(p.image.shape)
    for bx, by in b[b[:, 0] > 0.7 * 540]:
        box = np.s_[max(0, int(by) - 9) : int(by) + 10, max(0, int(bx) - 9) : int(bx) + 10]
        extra[box] += 200 * np.exp(-((x[box] - bx) ** 2 + (y[box] - by) ** 2) / (2 * 2.7**2))
    brightened = image_from_array(p.image.data + extra * right)
    found = build_lattice(brightened, find_columns(brightened))
    near = cKDTree(p.truth.column_xy).query(found.columns.xy)
    real = near[0] < 5
    assert real.mean() > 0.99
    assert (p.truth.column_sublattice[near[1]] == found.sublattice)[real].mean() > 0.995


def test_walk_follows_strain_and_skips_gaps():
    grid = np.stack(np.meshgrid(np.arange(12.0), np.arange(9.0)), -1).reshape(-1, 2)
    xy = 10 * grid + 0.004 * 10 * grid[:, [1, 0]] ** 2  # bent
    keep = np.ones(len(grid), bool)
    keep[[40, 41, 60]] = False
    component, ij = walk_lattice(xy[keep], np.array([[10.0, 0], [0, 10]]))
    assert (component == 0).all()
    steps = ij - grid[keep][:, ::-1].astype(int)
    assert (steps == steps[0]).all()


def test_too_few_columns_are_refused(junction):
    few = find_columns(junction.image).take(np.arange(20))
    with pytest.raises(InputError, match="only 20 columns"):
        build_lattice(junction.image, few)


def test_columns_without_order_are_refused(junction):
    rng = np.random.default_rng(0)
    found = find_columns(junction.image)
    scattered = replace(found, xy=rng.uniform(0, junction.image.shape[0], found.xy.shape))
    with pytest.raises(InputError):
        build_lattice(junction.image, scattered)


def test_a_crop_with_too_few_cells_is_refused(junction):
    crop = image_from_array(junction.image.data[:81, :91], name="crop")
    with pytest.raises(InputError, match="crop: "):
        prepare_image(crop)


def test_a_displaced_column_is_marked_and_not_measured_with(junction):
    found = find_columns(junction.image)
    built = build_lattice(junction.image, found)
    inner = np.nonzero(
        (built.sublattice == "A")
        & (built.ij == np.median(built.ij, axis=0).astype(int)).all(axis=1)
    )[0][0]
    spot = np.argmin(np.hypot(*(found.xy - built.columns.xy[inner]).T))
    moved = found.xy.copy()
    moved[spot] += 0.2 * junction.specimen.cell_px
    again = build_lattice(junction.image, replace(found, xy=moved))
    at = np.argmin(np.hypot(*(again.columns.xy - moved[spot]).T))
    assert built.columns.ok[inner] and not again.columns.ok[at]
    assert built.cells.n - 16 <= again.cells.n < built.cells.n
