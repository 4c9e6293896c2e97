import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bfo_utils.segmentation import bridge_gaps, connected_domains, despeckle, trace_walls
from bfo_utils.segmentation.walls import _local_lines

maps = hnp.arrays(
    int, st.tuples(st.integers(4, 14), st.integers(4, 14)), elements=st.integers(-1, 3)
)


def test_a_straight_wall_is_one_straight_segment():
    labels = np.where(np.arange(30) < 12, 0, 1) * np.ones((25, 1), int)
    w = trace_walls(labels)
    assert w.n_segments == 1 and w.segment_length == pytest.approx(25)
    assert w.roughness == pytest.approx(0, abs=1e-6) and (w.midpoint[:, 0] == 11.5).all()
    assert w.direction == pytest.approx(np.pi / 2)


def test_segments_end_at_junctions():
    labels = np.zeros((20, 20), int)
    labels[:, 10:] = 1
    labels[10:, 10:] = 2
    w = trace_walls(labels)
    assert w.n_segments == 3 and sorted(w.segment_length.tolist()) == pytest.approx([10, 10, 10])


def test_a_closed_wall_is_one_segment():
    labels = np.zeros((20, 20), int)
    labels[5:15, 5:15] = 1
    w = trace_walls(labels)
    assert w.n_segments == 1 and len(w.midpoint) == 40


@pytest.mark.parametrize("angle", range(0, 90, 5))
def test_length_and_roughness_hardly_depend_on_the_angle_of_a_wall(angle):
    y, x = np.mgrid[:60, :60] - 29.5
    t = np.deg2rad(angle)
    w = trace_walls((x * np.cos(t) + y * np.sin(t) > 0.3).astype(int))
    assert w.segment_length.sum() == pytest.approx(
        60 / max(abs(np.cos(t)), abs(np.sin(t))), rel=0.05
    )
    assert np.quantile(w.roughness, 0.95) < 0.45


@given(maps)
def test_edges_are_the_borders_between_unlike_cells(labels):
    labels, _ = bridge_gaps(labels)
    inside = labels >= 0
    across = (labels[:, 1:] != labels[:, :-1]) & inside[:, 1:] & inside[:, :-1]
    down = (labels[1:] != labels[:-1]) & inside[1:] & inside[:-1]
    w = trace_walls(labels)
    assert len(w.midpoint) == across.sum() + down.sum()
    first, second = (labels[tuple(w.cells[:, k].T)] for k in (0, 1))
    assert (first != second).all()
    assert set(w.segment.tolist()) == set(range(w.n_segments))


@given(maps)
def test_turning_the_map_turns_the_walls(labels):
    assume(
        np.array_equal(bridge_gaps(labels)[0], labels)
    )  # in a gap, which cell is nearest is open
    one, two = trace_walls(labels), trace_walls(np.rot90(labels))
    assert one.n_segments == two.n_segments
    assert np.sort(one.segment_length) == pytest.approx(np.sort(two.segment_length))
    assert np.sort(one.roughness) == pytest.approx(np.sort(two.roughness), abs=1e-6)


@settings(max_examples=50)
@given(maps, st.integers(2, 8))
def test_despeckle_leaves_no_small_patch_and_touches_nothing_else(labels, smallest):
    clean, share = despeckle(labels, smallest)
    assert np.array_equal(clean < 0, labels < 0)
    sizes = connected_domains(clean)
    if share < 1 and (labels >= 0).any() and connected_domains(labels)[0] >= smallest:
        assert set(clean[clean >= 0].tolist()) <= set(labels[labels >= 0].tolist())
        assert sizes.sum() == (labels >= 0).sum()
    if share == 0:
        assert np.array_equal(clean, labels)


def test_edges_lie_between_the_cells_that_they_divide():
    w = trace_walls(np.array([[0, 1, 1], [0, 0, -1]]))
    assert w.midpoint.tolist() == [[0.5, 0], [1, 0.5]]
    assert w.cells.tolist() == [[[0, 0], [0, 1]], [[0, 1], [1, 1]]]
    assert w.segment.tolist() == [0, 0]


def test_a_map_of_one_label_has_no_walls():
    w = trace_walls(np.zeros((5, 6), int))
    assert w.n_segments == 0 and w.segment_length.shape == (0,) and w.midpoint.shape == (0, 2)


def test_a_junction_of_four_ends_all_walls():
    labels = np.array([[0] * 6 + [1] * 6] * 6 + [[2] * 6 + [3] * 6] * 6)
    w = trace_walls(labels)
    assert w.n_segments == 4 and w.segment_length == pytest.approx([6, 6, 6, 6])


def test_walls_on_a_map_that_is_not_square_meet_where_they_should():
    labels = np.zeros((5, 11), int)
    labels[2:, 3:7] = 1  # a U: down, along, up
    w = trace_walls(labels)
    assert w.n_segments == 1 and len(w.midpoint) == 3 + 4 + 3


@pytest.mark.parametrize(
    ("labels", "direction", "length"),
    [
        (np.tri(30, dtype=int), np.pi / 4, 1 / np.sqrt(2)),
        (np.tri(30, dtype=int)[::-1], 3 * np.pi / 4, 1 / np.sqrt(2)),
        (np.repeat([0, 1], 15)[:, None] * np.ones((1, 30), int), 0, 1),
        (np.repeat([0, 1], 15) * np.ones((30, 1), int), np.pi / 2, 1),
    ],
)
def test_direction_and_length_of_straight_walls(labels, direction, length):
    w = trace_walls(labels)
    middle = np.abs(w.midpoint - 14.5).max(axis=1) < 4
    assert np.abs(np.sin(w.direction[middle] - direction)).max() == pytest.approx(0, abs=0.02)
    assert w.length[middle] == pytest.approx(length, rel=1e-3)


def line_through(points):
    """Rms distance, extent and direction of a line through points, by singular values."""
    _, size, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=True)
    size = np.append(size, [0, 0])[:2] / np.sqrt(len(points))
    return size[1], np.sqrt(12) * size[0], np.arctan2(axes[0, 1], axes[0, 0]) % np.pi


@given(st.integers(0, 2**32 - 1))
def test_local_lines_are_least_squares_lines(seed):
    rng = np.random.default_rng(seed)
    midpoint, segment = rng.uniform(0, 12, (25, 2)), rng.integers(0, 3, 25)
    found = np.stack(_local_lines(midpoint, segment), axis=1)
    for k in range(25):
        near = (segment == segment[k]) & (np.hypot(*(midpoint - midpoint[k]).T) <= 5)
        if near.sum() > 2:
            assert found[k, :2] == pytest.approx(line_through(midpoint[near])[:2], abs=1e-6)
            assert np.sin(found[k, 2] - line_through(midpoint[near])[2]) == pytest.approx(
                0, abs=1e-4
            )


def test_the_window_of_a_line_reaches_five_cells():
    w = trace_walls(np.repeat([0, 1], 15) * np.ones((30, 1), int))
    order = np.argsort(w.midpoint[:, 1])
    assert w.extent[order][[0, 15]] == pytest.approx([np.sqrt(6**2 - 1), np.sqrt(11**2 - 1)])


def test_neighboring_walls_do_not_bend_each_other():
    labels = np.zeros((20, 20), int)
    labels[:, 9:11] = 1
    w = trace_walls(labels)
    assert w.n_segments == 2 and w.roughness.max() == pytest.approx(0, abs=1e-6)
    assert w.direction == pytest.approx(np.pi / 2)


def test_patches_of_the_smallest_size_stay_and_smaller_ones_take_the_nearest_label():
    labels = np.zeros((12, 12), int)
    labels[:, 6:] = 1
    labels[1, 1:4] = 2  # three cells
    labels[8, 8:10] = 3  # two
    labels[11, 0] = -1
    clean, share = despeckle(labels, 3)
    assert (clean[1, 1:4] == 2).all() and (clean[8, 8:10] == 1).all() and clean[11, 0] == -1
    assert share == pytest.approx(2 / 143)
    assert despeckle(labels, 4)[1] == pytest.approx(5 / 143)


def test_where_all_patches_are_small_nothing_is_changed():
    labels = np.array([[0, 1], [2, -1]])
    clean, share = despeckle(labels, 2)
    assert np.array_equal(clean, labels) and clean is not labels and share == 1
    assert despeckle(np.array([[0]]), 2)[1] == 1
    assert despeckle(np.full((3, 3), -1), 2)[1] == 0


def test_diagonal_neighbors_are_not_connected():
    assert connected_domains(np.array([[0, 1], [1, 0]])).tolist() == [1, 1, 1, 1]
    assert connected_domains(np.array([[0, 0, 0], [1, 1, 0]])).tolist() == [4, 2]
