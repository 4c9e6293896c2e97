from dataclasses import replace

import numpy as np
import pytest

from bfo_utils.rewards import ReferenceField, Segmentation, SurrogateTest, score_map, surrogate_test
from bfo_utils.search import evaluate_configuration
from bfo_utils.simulation import make_decoys

from ..record import record

GOOD = {"site": "cell", "normalisation": "zscore", "n_components": 6, "n_clusters": 3}


@pytest.fixture(scope="module")
def segmentation(prepared):
    return Segmentation(evaluate_configuration(prepared, GOOD).labels, prepared.reference)


def test_a_true_map_stands_above_its_surrogates(segmentation):
    tested = surrogate_test(segmentation)
    record(
        "surrogates",
        map="junction",
        total=round(tested.total, 4),
        largest_shifted=round(float(tested.shifted.max()), 4),
        p=tested.p_shifted,
    )
    assert (
        tested.is_significant
        and len(tested.shifted) == 59
        and tested.total > 2 * tested.shifted.max()
    )
    assert tested.total == pytest.approx(score_map(segmentation)["total"])


@pytest.mark.parametrize("name", ["half split", "stripes", "smooth noise"])
def test_a_map_that_has_nothing_to_do_with_the_evidence_does_not(name, prepared, truth_map):
    tested = surrogate_test(Segmentation(make_decoys(truth_map)[name], prepared.reference))
    record(
        "surrogates",
        map=name,
        total=round(tested.total, 4),
        largest_shifted=round(float(tested.shifted.max()), 4),
        p=tested.p_shifted,
    )
    assert not tested.is_significant


def test_geometry_stays_as_it_is(segmentation):
    shifted = segmentation.against(
        ReferenceField(np.roll(segmentation.reference.field, 9, axis=0), "polar")
    )
    before, after = score_map(segmentation), score_map(shifted)
    assert all(
        before[name] == after[name]
        for name in ("continuity", "straightness", "balance", "amount", "thickness", "agreement")
    )
    assert after["evidence"] < before["evidence"]
    fresh = score_map(Segmentation(segmentation.labels, shifted.reference))
    assert fresh == after and shifted.walls is segmentation.walls
    other = replace(shifted, labels=np.where(segmentation.labels < 0, -1, 0))
    assert other.clean.max() == 0 and other.walls.n_segments == 0


def test_moves_along_a_wall_do_not_count():
    labels = np.repeat([[0] * 10 + [1] * 14], 24, axis=0)
    field = labels[..., None] + np.random.default_rng(1).normal(0, 0.2, (*labels.shape, 1))
    assert surrogate_test(Segmentation(labels, ReferenceField(field, "polar"))).is_significant


def test_too_few_moves_tell_nothing():
    few, nothing = np.zeros(5), np.zeros(0)
    for shifted, permuted, is_significant in (
        (few, np.zeros(19), True),
        (nothing, np.zeros(19), True),
        (few, np.ones(19), False),
    ):
        assert SurrogateTest(0.5, shifted, permuted).is_significant == is_significant


def test_one_label_has_no_surrogates():
    field = np.random.default_rng(1).normal(size=(20, 20, 2))
    tested = surrogate_test(Segmentation(np.zeros((20, 20), int), ReferenceField(field, "polar")))
    assert not len(tested.shifted) and tested.p_shifted == 1 and not tested.is_significant
