"""Crystals in pieces: gaps, antiphase boundaries, brightness that changes places; nothing is
lost, and P keeps its sign.
"""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from bfo_utils.columns import Columns, find_columns
from bfo_utils.io import image_from_array
from bfo_utils.lattice import build_lattice
from bfo_utils.results import DOMAINS, analyze
from bfo_utils.search import SearchPlan
from bfo_utils.segmentation import bridge_gaps, trace_walls

CELL, SIDE, P = 16, 36, (0.8, 0.2)  # px, cells, px
MIDDLE = (
    SIDE / 2 + 3.2
)  # cells: where the right part begins; the larger part says which sublattice is A


def scene(present=None, shift=(0, 0), brightness=(1.0, 0.45), right=None, polar=None):
    """An image whose right half is shifted (cells) and as bright as told; its A and B columns."""
    rng, a = (
        np.random.default_rng(0),
        np.stack(np.meshgrid(np.arange(-2.0, SIDE + 2), np.arange(-2.0, SIDE + 2)), -1).reshape(
            -1, 2
        ),
    )
    kinds = []
    for offset, own in ((0.25, brightness[0]), (0.75, brightness[1])):
        at = a + offset
        beyond = at[:, 0] > MIDDLE
        at = at + beyond[:, None] * np.array(shift)
        height = np.where(beyond, own if right is None else right[len(kinds)], own)
        keep = (present(at) if present else np.ones(len(at), bool)) & ~(
            beyond & (at[:, 0] < MIDDLE + 0.3 * any(shift))
        )
        move = (polar(at) if polar else np.broadcast_to(P, at.shape)) if kinds else 0
        kinds.append((at[keep] * CELL + (move[keep] if kinds else 0), height[keep]))
    axis = np.arange(SIDE * CELL)
    image = 0
    for xy, height in kinds:
        gx, gy = (np.exp(-((axis[:, None] - xy[:, k]) ** 2) / (2 * 2.2**2)) for k in (0, 1))
        image = image + (gy * height) @ gx.T
    return image_from_array(rng.poisson(100 * (image + 0.25))), kinds[0][0], kinds[1][0]


def right_share(found, s, xy):
    """Share of the columns named ``s`` that lie at columns of that kind."""
    return (cKDTree(xy).query(found.columns.xy[found.sublattice == s])[0] < 4).mean()


def gap(width):
    return lambda at: np.abs(at[:, 0] + 0.15 * at[:, 1] - MIDDLE - 2) > width / 2


CASES = {
    "gap of 3": dict(present=gap(3)),
    "gap of 5": dict(present=gap(5)),
    "gap of 12": dict(present=gap(12)),
    "antiphase, half a diagonal": dict(shift=(0.5, 0.5)),
    "antiphase, half an edge": dict(shift=(0.5, 0)),
    "antiphase along the boundary": dict(shift=(0, 0.5)),
    "a third": dict(shift=(0.3, 0.2)),
    "brightness changes places": dict(right=(0.5, 1.3)),
    "gap and half as bright": dict(present=gap(4), right=(0.6, 0.27)),
}


@pytest.mark.parametrize("name", CASES)
def test_all_columns_are_used_with_one_convention(name):
    image, a, b = scene(**CASES[name])
    detected = find_columns(image)
    found = build_lattice(image, detected)
    assert len(found.columns) > 0.97 * len(detected) and len(found.unused_xy) < 0.03 * len(detected)
    assert right_share(found, "A", a) > 0.98 and right_share(found, "B", b) > 0.98
    cells = found.cells
    for half in (cells.xy[..., 0] < 0.4 * SIDE * CELL, cells.xy[..., 0] > 0.75 * SIDE * CELL):
        assert np.median(cells.polar[cells.valid & half], axis=0) == pytest.approx(P, abs=0.08)


def test_the_brighter_sublattice_can_be_b():
    image, a, b = scene()
    plain, turned = (build_lattice(image, find_columns(image), bright=s) for s in "AB")
    assert right_share(turned, "B", a) > 0.98 and right_share(turned, "A", b) > 0.98
    assert np.nanmedian(turned.cells.polar, axis=(0, 1)) == pytest.approx(
        -np.nanmedian(plain.cells.polar, axis=(0, 1)), abs=0.05
    )


def test_columns_without_a_place_are_told():
    image, _, _ = scene()
    found = find_columns(image)
    rng = np.random.default_rng(1)
    strange = rng.uniform(
        -2000, -1000, (300, 2)
    )  # as a grain of another orientation would lie apart
    both = Columns(
        *(
            np.concatenate([v, np.resize(v, (300, *v.shape[1:])) if k else strange])
            for k, v in enumerate(list(vars(found).values())[:-1])
        ),
        found.spacing_px,
    )
    assert len(build_lattice(image, both).unused_xy) == 300


@pytest.mark.parametrize("slope", [0, 1])
def test_a_wall_in_a_gap_counts(slope):
    def side(at):
        return at[:, 0] + slope * at[:, 1] - (1 + slope) * SIDE / 2

    width = 1.5 * (1 + slope**2) ** 0.5
    image, _, _ = scene(
        present=lambda at: np.abs(side(at)) > width,
        polar=lambda at: np.sign(side(at))[:, None] * np.array([1.0, 1.0]),
    )
    found = analyze(image, SearchPlan(budget=12, seed=1))
    assert found.verdict == DOMAINS and found.tuned.rewards["contrast"] > 0.8


def test_gaps_are_bridged_and_single_cells_are_not():
    labels = np.repeat([[0] * 6 + [-1] * 4 + [1] * 6], 12, axis=0)
    assert trace_walls(labels).segment_length == pytest.approx([12])
    wide = np.repeat([[0] * 6 + [-1] * 9 + [1] * 6], 12, axis=0)
    assert trace_walls(wide).n_segments == 0
    hole = np.zeros((12, 12), int)
    hole[5, 5] = -1
    assert bridge_gaps(hole)[0] is hole
