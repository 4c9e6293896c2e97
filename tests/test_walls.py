import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bfo_utils import walls

maps = hnp.arrays(int, st.tuples(st.integers(4, 14), st.integers(4, 14)), elements=st.integers(-1, 3))


def test_a_straight_wall_is_one_straight_segment():
    labels = np.where(np.arange(30) < 12, 0, 1) * np.ones((25, 1), int)
    w = walls.trace(labels)
    assert w.n_segments == 1 and w.segment_length == pytest.approx(25)
    assert w.roughness == pytest.approx(0, abs=1e-6) and (w.midpoint[:, 0] == 11.5).all()
    assert w.direction == pytest.approx(np.pi / 2)


def test_segments_end_at_junctions():
    labels = np.zeros((20, 20), int)
    labels[:, 10:] = 1
    labels[10:, 10:] = 2
    w = walls.trace(labels)
    assert w.n_segments == 3 and sorted(w.segment_length.tolist()) == pytest.approx([10, 10, 10])


def test_a_closed_wall_is_one_segment():
    labels = np.zeros((20, 20), int)
    labels[5:15, 5:15] = 1
    w = walls.trace(labels)
    assert w.n_segments == 1 and len(w.midpoint) == 40


@pytest.mark.parametrize("angle", range(0, 90, 5))
def test_length_and_roughness_hardly_depend_on_the_angle_of_a_wall(angle):
    y, x = np.mgrid[:60, :60] - 29.5
    t = np.deg2rad(angle)
    w = walls.trace((x * np.cos(t) + y * np.sin(t) > 0.3).astype(int))
    assert w.segment_length.sum() == pytest.approx(60 / max(abs(np.cos(t)), abs(np.sin(t))), rel=0.05)
    assert np.quantile(w.roughness, 0.95) < 0.45


@given(maps)
def test_edges_are_the_borders_between_unlike_cells(labels):
    inside = labels >= 0
    across = (labels[:, 1:] != labels[:, :-1]) & inside[:, 1:] & inside[:, :-1]
    down = (labels[1:] != labels[:-1]) & inside[1:] & inside[:-1]
    w = walls.trace(labels)
    assert len(w.midpoint) == across.sum() + down.sum()
    first, second = (labels[tuple(w.cells[:, k].T)] for k in (0, 1))
    assert (first != second).all()
    assert set(w.segment.tolist()) == set(range(w.n_segments))


@given(maps)
def test_turning_the_map_turns_the_walls(labels):
    one, two = walls.trace(labels), walls.trace(np.rot90(labels))
    assert one.n_segments == two.n_segments
    assert np.sort(one.segment_length) == pytest.approx(np.sort(two.segment_length))
    assert np.sort(one.roughness) == pytest.approx(np.sort(two.roughness), abs=1e-6)


@settings(max_examples=50)
@given(maps, st.integers(2, 8))
def test_despeckle_leaves_no_small_patch_and_touches_nothing_else(labels, smallest):
    clean, share = walls.despeckle(labels, smallest)
    assert np.array_equal(clean < 0, labels < 0)
    sizes = walls.domains(clean)
    if share < 1 and (labels >= 0).any() and walls.domains(labels)[0] >= smallest:
        assert set(clean[clean >= 0].tolist()) <= set(labels[labels >= 0].tolist())
        assert sizes.sum() == (labels >= 0).sum()
    if share == 0:
        assert np.array_equal(clean, labels)
