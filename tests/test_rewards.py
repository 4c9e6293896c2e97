import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfo_utils import rewards
from bfo_utils.decoys import decoys
from bfo_utils.errors import InputError
from bfo_utils.evidence import Evidence
from bfo_utils.rewards import Partition, score


@st.composite
def partitions(draw):
    """Random maps of every kind, from blobs to noise, with a vector field of evidence."""
    shape = draw(st.tuples(st.integers(8, 24), st.integers(8, 24)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    seeds = rng.uniform(0, 1, (draw(st.integers(1, 6)), 2)) * shape
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.argmin(np.hypot(y[..., None] - seeds[:, 0], x[..., None] - seeds[:, 1]), axis=-1)
    noise = rng.random(shape) < draw(st.sampled_from([0, 0.05, 0.5]))
    labels = np.where(noise, rng.integers(0, 4, shape), labels)
    labels[rng.random(shape) < draw(st.sampled_from([0, 0.1]))] = -1
    field = rng.standard_normal((*shape, 2)) + labels[..., None] * draw(st.sampled_from([0, 3]))
    return Partition(labels, Evidence(np.where(labels[..., None] < 0, np.nan, field), "polar"))


def changed(partition, labels=lambda v: v, field=lambda v: v):
    return Partition(labels(partition.labels), Evidence(field(partition.evidence.field), "polar"))


@settings(max_examples=60, deadline=None)
@given(partitions())
def test_every_reward_lies_between_0_and_1(partition):
    for name, value in score(partition).items():
        assert 0 <= value <= 1, name


@settings(max_examples=40, deadline=None)
@given(partitions(), st.permutations(range(6)))
def test_names_of_labels_do_not_matter(partition, order):
    order = np.array([*order, -1])
    assert score(changed(partition, lambda v: order[v])) == pytest.approx(score(partition), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(partitions(), st.integers(1, 3))
def test_turning_any_map_by_90_degrees_changes_no_reward(partition, turns):
    """Of maps without speckle: which of two equally near patches a speck joins is not fixed by symmetry."""
    clean = Partition(partition.clean, partition.evidence)
    turned = changed(clean, lambda v: np.rot90(v, turns), lambda v: np.rot90(v, turns))
    if clean.speckle == 0:
        assert score(turned) == pytest.approx(score(clean), abs=1e-6)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_a_map_of_domains_changes_no_reward(turns, crystal, truth_map):
    partition = Partition(truth_map, crystal.evidence)
    turned = changed(partition, lambda v: np.rot90(v, turns), lambda v: np.rot90(v, turns))
    assert score(turned) == pytest.approx(score(partition), abs=1e-6)


def field_of(labels, strength=1.0, noise=0.2, seed=0):
    """Evidence that jumps where the labels do."""
    rng = np.random.default_rng(seed)
    values = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])[labels % 4] * strength
    return Evidence(values + noise * rng.standard_normal((*labels.shape, 2)), "polar")


N = 60
Y, X = np.mgrid[:N, :N]
TRUE = np.where(X < 27, 0, np.where(Y < 70 - X, 1, 2))


DECOYS = decoys(TRUE, seed=3)
WRONG = [name for name in DECOYS if name != "3 % wrong"]


@pytest.mark.parametrize("name", WRONG)
def test_the_truth_beats_every_degenerate_map(name):
    evidence = field_of(TRUE)
    truth, other = (score(Partition(m, evidence))["total"] for m in (TRUE, DECOYS[name]))
    assert truth > 0.8
    assert other < truth - 0.1


@pytest.mark.parametrize("name", ["over-split", "merged", "half split", "wall as class"])
def test_the_truth_with_three_percent_of_wrong_cells_still_wins(name):
    evidence = field_of(TRUE)
    speckled, other = (score(Partition(DECOYS[n], evidence))["total"] for n in ("3 % wrong", name))
    assert speckled > other


@pytest.mark.parametrize("name", ["half split", "stripes", "illumination", "frame"])
def test_no_map_convinces_in_a_single_domain(name):
    evidence = field_of(np.zeros_like(TRUE))
    assert score(Partition(DECOYS[name], evidence))["total"] < 0.01


@pytest.mark.parametrize("angle", range(0, 91, 15))
def test_walls_at_any_angle_score_alike(angle):
    t = np.deg2rad(angle)
    labels = ((X - 29.7) * np.cos(t) + (Y - 29.2) * np.sin(t) > 0).astype(int)
    values = score(Partition(labels, field_of(labels)))
    assert values["straightness"] > 0.95 and values["continuity"] == pytest.approx(1)


def test_one_border_that_is_not_there_costs_most_of_the_contrast():
    labels = np.where(X < 20, 0, np.where(X < 40, 1, 2))
    evidence = field_of(np.where(X < 20, 0, 1))
    values = score(Partition(labels, evidence))  # one of two borders is real: sqrt(1.02 * 0.02)
    assert values["contrast"] == pytest.approx(0.14, abs=0.1)


def test_contrast_sees_through_a_slow_gradient():
    field = np.stack([X / N, Y / N], -1) + 0.01 * np.random.default_rng(0).standard_normal((N, N, 2))
    assert score(Partition((X > 30).astype(int), Evidence(field, "polar")))["contrast"] < 0.15


def test_one_label_has_no_walls_and_no_total():
    values = score(Partition(np.zeros((N, N), int), field_of(TRUE)))
    assert values["continuity"] == values["balance"] == values["total"] == 0


def test_a_user_adds_a_reward_and_selects_it():
    @rewards.register("mostly_zero")
    def mostly_zero(partition):
        return (partition.clean == 0).mean()

    try:
        values = score(Partition(TRUE, field_of(TRUE)), total={"mostly_zero": 2, "evidence": 1})
        assert values["total"] == pytest.approx(values["mostly_zero"] ** 2 * values["evidence"])
    finally:
        rewards._REWARDS.pop("mostly_zero")


def test_an_unknown_reward_is_refused():
    with pytest.raises(InputError, match="reward 'beauty': no such reward; choose from agreement"):
        score(Partition(TRUE, field_of(TRUE)), total={"beauty": 1})
