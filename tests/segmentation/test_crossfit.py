"""Noise, cuts, segmentation and the judge on fields that are made here."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import adjusted_rand_score

from bfo_utils.segmentation import (
    held_map,
    judge_field,
    level_map,
    segment_field,
    two_halves,
    wall_tests,
    without_bands,
    without_strips,
)
from bfo_utils.segmentation.crossfit.cuts import CellGraph
from bfo_utils.segmentation.crossfit.noise import measure_field_noise
from bfo_utils.segmentation.crossfit.regularized import CellDomain, _Sums, block_field

SHAPE = (28, 30)
SLOW = 16.0 * np.indices(SHAPE)[0]


def halves(field, seed=0, noise=1.5, slow=SLOW):
    rng = np.random.default_rng(seed)
    return two_halves(*(field + rng.normal(0, noise, field.shape) for _ in "12"), slow, 16.0)


def sides(step=1.5, at=14):
    return np.where(np.arange(SHAPE[1]) > at, step, 0.0)[None, :, None] * np.ones((*SHAPE, 2))


def test_the_noise_of_rows_is_seen_and_weighed():
    rng = np.random.default_rng(1)
    ij = np.argwhere(np.ones(SHAPE))
    shared = rng.normal(0, 0.7, SHAPE[0])[ij[:, 0]]
    both = np.stack([shared, np.zeros(len(ij))], 1) + rng.normal(0, 1, (len(ij), 2))
    noise = measure_field_noise(both, ij, 16.0 * ij[:, 0], 16.0, fast=0)
    assert noise.rows[0, 0] > 0.15 and not noise.rows[1].any()
    row = (ij[:, 0] == 9) / (ij[:, 0] == 9).sum()
    power = [row @ noise.metric().weigh(row, k) for k in (0, 1)]
    assert power[0] < 0.5 * power[1]


def test_the_inverse_covariance_is_one():
    rng = np.random.default_rng(2)
    ij = np.argwhere(rng.random(SHAPE) > 0.1)
    noise = measure_field_noise(rng.normal(size=(len(ij), 2)), ij, 15.7 * ij[:, 0] + ij[:, 1], 16.0)
    metric = noise.metric()
    inverse = metric.weigh(np.eye(len(ij)), 0)
    assert np.allclose(inverse, inverse.T) and np.linalg.eigvalsh(inverse).min() > 0


@pytest.mark.parametrize("normal", [(0, 1), (1, 0), (1, 1), (1, -2)])
def test_a_wall_costs_its_length_in_any_direction(normal):
    graph = CellGraph(np.ones((60, 60), bool))
    ij = np.argwhere(np.ones((60, 60))) - 29.5
    inside = np.abs(ij @ np.array([normal[1], -normal[0]])) / np.hypot(*normal) < 20
    labels = (ij @ np.array(normal) > 0.3) & inside
    free = graph.length(labels.astype(int)) - graph.length(np.zeros(3600, int))
    assert free > 40


def test_cuts_find_the_map_of_least_cost():
    rng = np.random.default_rng(3)
    graph = CellGraph(np.ones((4, 4), bool))
    for _ in range(5):
        cost = rng.random((16, 2))
        maps = (np.arange(2**16)[:, None] >> np.arange(16)) & 1
        walls = (maps[:, graph.p] != maps[:, graph.q]) @ graph.weight
        total = np.where(maps, cost[:, 1], cost[:, 0]).sum(axis=1) + 0.3 * walls
        (found,) = graph.cheapest([cost], [np.zeros(16, int)], 0.3)
        assert total[found @ (1 << np.arange(16))] < total.min() + 0.05
    cost = rng.random((16, 3))
    (better,) = graph.cheapest([cost], [np.zeros(16, int)], 0.01)
    assert (better == cost.argmin(axis=1)).mean() > 0.8


def test_a_slow_field_is_no_wall():
    x = np.linspace(-1, 1, SHAPE[1])[None, :, None]
    slope = 4 * (x + 0.5 * x**3) * np.ones((*SHAPE, 2))
    assert judge_field(halves(slope)).z < 3
    assert judge_field(halves(slope + sides(3.0))).z > 5


def test_nothing_is_found_in_noise():
    assert max(judge_field(halves(np.zeros((*SHAPE, 2)), seed)).z for seed in range(10)) < 3


def test_steps_are_measured_with_their_errors():
    off = []
    for seed in range(8):
        judged = judge_field(halves(sides(1.5), seed))
        (wall,) = wall_tests(
            judged, level_map(judged.halves.domain, judged.halves.drawn_mean, judged.maps[0].labels)
        )
        off += ((np.abs(wall.step) - 1.5) / wall.se).tolist()
    assert abs(np.mean(off)) < 1 and 0.4 < np.std(off) < 1.8


def test_a_border_that_is_not_there_is_merged():
    judged = judge_field(halves(sides(3.0)))
    domain = judged.halves.domain
    labels = 2 * (domain.ij[:, 1] > 14) + (domain.ij[:, 0] > 13)
    assert held_map(judged, labels, 2.0).n_labels == 2
    nothing = judge_field(halves(np.zeros((*SHAPE, 2))))
    assert held_map(nothing, labels, 2.0).n_labels == 1


@pytest.mark.parametrize("seed", [1, 3])
def test_weak_quadrants_beside_a_slow_field_are_found(seed):
    size, rng = 48, np.random.default_rng(seed)
    i, j = np.indices((size, size))
    side = np.stack([j, i], axis=-1) - size / 2
    tilt = ndimage.gaussian_filter(rng.normal(size=(size, size, 2)), (size / 5, size / 5, 0))
    field = 1.5 * np.tanh(side / 2.5) + tilt / tilt.std()
    one, two = (field + rng.normal(0, 1.4, field.shape) for _ in "12")
    judged = judge_field(two_halves(one, two, 16.0 * i, 16.0))
    domain, drawn = judged.halves.domain, judged.halves.drawn_mean
    found = segment_field(domain, drawn, tuple(m.labels for m in judged.maps))
    kept = held_map(judged, found.labels, 2.0)  # two meet at their corner only
    truth = ((side > 0) @ [1, 2]).ravel()
    assert kept.n_labels == 4 and adjusted_rand_score(truth, kept.labels) > 0.85


def test_a_coarse_domain_has_the_means_of_its_blocks():
    mask = np.ones((21, 20), bool)
    mask[:3, :3] = False
    domain = CellDomain(mask)
    coarse, block = domain.coarse
    assert coarse.mask.sum() == 11 * 10 - 1 and coarse.edge == 2
    noise = np.random.default_rng(0).normal(size=(domain.n, 2))
    assert block_field(domain, noise).std() == pytest.approx(1, abs=0.1)
    labels = (domain.ij[:, 1] > 9) * 1
    halved = coarse.graph.length(labels[np.unique(block, return_index=True)[1]])
    assert halved == pytest.approx(domain.graph.length(labels), rel=0.1)


def test_merging_labels_needs_no_second_look_at_the_field():
    rng = np.random.default_rng(0)
    domain = CellDomain(np.ones((20, 24), bool), 3)
    field, labels = rng.normal(size=(domain.n, 2)), rng.integers(0, 4, domain.n)
    sums = _Sums.of(domain, field, labels)
    for a, b in ((0, 2), (1, 3), (2, 3)):
        merged = level_map(domain, field, np.where(labels == b, a, labels))
        assert sums.merged(a, b).fitted(domain)[0] == pytest.approx(merged.energy, abs=1e-6)


def test_a_wall_along_a_gap_is_tested():
    field = sides(4.0)
    field[:, 13:16] = np.nan
    judged = judge_field(halves(field))
    assert judged.z > 5
    found = level_map(judged.halves.domain, judged.halves.drawn_mean, judged.maps[0].labels)
    assert [w.z > 3 for w in wall_tests(judged, found)] == [True]


def test_a_soft_wall_is_no_label_of_its_own():
    x = np.arange(SHAPE[1])[None, :, None] - 14.5
    domain = CellDomain(np.ones(SHAPE, bool))
    labels = np.digitize(domain.ij[:, 1], [12, 18])
    for field, n in ((4 * np.tanh(x / 3.5) * np.ones((*SHAPE, 2)), 2), (_three(x), 3)):
        both = halves(field, noise=0.5)
        found = level_map(both.domain, both.drawn_mean, labels)
        assert without_bands(both, found).n_labels == n


def _three(x):
    """Three domains of which the middle one lies beside the line between the others."""
    along, beside = np.sign(x[..., 0]), np.abs(x[..., 0]) < 3
    return 4.0 * np.stack([np.broadcast_to(v, SHAPE) for v in (along, beside)], axis=-1)


def test_rows_are_strips_and_stripes_are_not():
    domain = CellDomain(np.ones(SHAPE, bool))
    row, stripe = (1 * np.isin(domain.ij[:, 0], range(8, 8 + n)) for n in (2, 6))
    kept, gone = without_strips(domain, row)
    assert not kept.any() and gone[0].sum() == 2 * SHAPE[1]
    assert without_strips(domain, stripe)[0].any()


def test_a_mirrored_field_has_the_mirrored_map():
    two = halves(sides(2.0))
    grid = two.domain.on_grid(two.drawn[0])
    straight = two.domain.on_grid(segment_field(two.domain, two.drawn[0]).labels)
    turned = CellDomain(two.domain.mask[:, ::-1])
    mirrored = turned.on_grid(segment_field(turned, grid[:, ::-1][turned.mask]).labels)[:, ::-1]
    same = (straight == mirrored).mean()
    assert max(same, 1 - same) > 0.99
