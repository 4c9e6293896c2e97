import ast
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfo_utils.compute import resource_path
from bfo_utils.errors import InputError
from bfo_utils.rewards import (
    ALTERNATIVES,
    DEFAULT_TOTAL,
    ReferenceField,
    Segmentation,
    agreement,
    amount,
    are_built_in,
    balance,
    continuity,
    contrast,
    evidence,
    parse_total,
    register_reward,
    reward_names,
    score_map,
    straightness,
    thickness,
)
from bfo_utils.rewards.physics import _pairwise, _run_mean, _steps
from bfo_utils.rewards.registry import _REWARDS
from bfo_utils.rewards.scoring import _BUILT_IN, _value
from bfo_utils.search import evaluate_configuration
from bfo_utils.segmentation import Walls
from bfo_utils.simulation import make_decoys, straight_wall_map


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
    return Segmentation(
        labels, ReferenceField(np.where(labels[..., None] < 0, np.nan, field), "polar")
    )


def changed(segmentation, labels=lambda v: v, field=lambda v: v):
    return Segmentation(
        labels(segmentation.labels), ReferenceField(field(segmentation.reference.field), "polar")
    )


@settings(max_examples=60, deadline=None)
@given(partitions())
def test_every_reward_lies_between_0_and_1(segmentation):
    for name, value in score_map(segmentation).items():
        assert 0 <= value <= 1, name


@settings(max_examples=40, deadline=None)
@given(partitions(), st.permutations(range(6)))
def test_names_of_labels_do_not_matter(segmentation, order):
    order = np.array([*order, -1])
    assert score_map(changed(segmentation, lambda v: order[v])) == pytest.approx(
        score_map(segmentation), abs=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(partitions(), st.integers(1, 3))
def test_turning_any_map_by_90_degrees_changes_no_reward(segmentation, turns):
    """Of maps without speckle: which of two equally near patches a speck joins is not fixed by
    symmetry.
    """
    clean = Segmentation(segmentation.clean, segmentation.reference)
    turned = changed(clean, lambda v: np.rot90(v, turns), lambda v: np.rot90(v, turns))
    if clean.speckle == 0:
        assert score_map(turned) == pytest.approx(score_map(clean), abs=1e-6)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_a_map_of_domains_changes_no_reward(turns, prepared, truth_map):
    segmentation = Segmentation(truth_map, prepared.reference)
    turned = changed(segmentation, lambda v: np.rot90(v, turns), lambda v: np.rot90(v, turns))
    assert score_map(turned) == pytest.approx(score_map(segmentation), abs=1e-6)


def field_of(labels, strength=1.0, noise=0.2, seed=0):
    """Evidence that jumps where the labels do."""
    rng = np.random.default_rng(seed)
    values = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])[labels % 4] * strength
    return ReferenceField(values + noise * rng.standard_normal((*labels.shape, 2)), "polar")


N = 60
Y, X = np.mgrid[:N, :N]
TRUE = np.where(X < 27, 0, np.where(Y < 70 - X, 1, 2))


DECOYS = make_decoys(TRUE, seed=3)
WRONG = [name for name in DECOYS if name != "3 % wrong"]


@pytest.mark.parametrize("name", WRONG)
def test_the_truth_beats_every_degenerate_map(name):
    evidence = field_of(TRUE)
    truth, other = (score_map(Segmentation(m, evidence))["total"] for m in (TRUE, DECOYS[name]))
    assert truth > 0.8
    assert other < truth - 0.1


@pytest.mark.parametrize("name", ["over-split", "merged", "half split", "wall as class"])
def test_the_truth_with_three_percent_of_wrong_cells_still_wins(name):
    evidence = field_of(TRUE)
    speckled, other = (
        score_map(Segmentation(DECOYS[n], evidence))["total"] for n in ("3 % wrong", name)
    )
    assert speckled > other


@pytest.mark.parametrize("name", ["half split", "stripes", "illumination", "frame"])
def test_no_map_convinces_in_a_single_domain(name):
    evidence = field_of(np.zeros_like(TRUE))
    assert score_map(Segmentation(DECOYS[name], evidence))["total"] < 0.01


@pytest.mark.parametrize("angle", range(0, 91, 15))
def test_walls_at_any_angle_score_alike(angle):
    t = np.deg2rad(angle)
    labels = ((X - 29.7) * np.cos(t) + (Y - 29.2) * np.sin(t) > 0).astype(int)
    values = score_map(Segmentation(labels, field_of(labels)))
    assert values["straightness"] > 0.95 and values["continuity"] == pytest.approx(1)


def test_one_border_that_is_not_there_costs_most_of_the_contrast():
    labels = np.where(X < 20, 0, np.where(X < 40, 1, 2))
    evidence = field_of(np.where(X < 20, 0, 1))
    values = score_map(
        Segmentation(labels, evidence)
    )  # one of two borders is real: sqrt(1.02 * 0.02)
    assert values["contrast"] == pytest.approx(0.14, abs=0.1)


def test_contrast_sees_through_a_slow_gradient():
    field = np.stack([X / N, Y / N], -1) + 0.01 * np.random.default_rng(0).standard_normal(
        (N, N, 2)
    )
    assert (
        score_map(Segmentation((X > 30).astype(int), ReferenceField(field, "polar")))["contrast"]
        < 0.15
    )


def test_one_label_has_no_walls_and_no_total():
    values = score_map(Segmentation(np.zeros((N, N), int), field_of(TRUE)))
    assert values["continuity"] == values["balance"] == values["total"] == 0


def test_a_user_adds_a_reward_and_selects_it():
    @register_reward("mostly_zero")
    def mostly_zero(segmentation):
        return (segmentation.clean == 0).mean()

    try:
        values = score_map(
            Segmentation(TRUE, field_of(TRUE)), total={"mostly_zero": 2, "evidence": 1}
        )
        assert values["total"] == pytest.approx(values["mostly_zero"] ** 2 * values["evidence"])
    finally:
        _REWARDS.pop("mostly_zero")


def test_an_unknown_reward_is_refused():
    with pytest.raises(InputError, match="reward 'beauty': no such reward; choose from agreement"):
        score_map(Segmentation(TRUE, field_of(TRUE)), total={"beauty": 1})


def given_walls(n_cells, speckle=0.0, **edges):
    """A segmentation whose walls are set by hand."""
    labels = np.zeros((1, n_cells), int)
    segmentation = Segmentation(labels, ReferenceField(np.zeros((1, n_cells, 1)), "polar"))
    count = len(edges["length"])
    nothing = {
        name: np.zeros(count)
        for name in ("midpoint", "cells", "segment", "roughness", "extent", "direction")
    }
    vars(segmentation._geometry).update(
        despeckled=(labels, speckle),
        walls=Walls(**{**nothing, **{k: np.array(v) for k, v in edges.items()}}),
    )
    return segmentation


def as_is(labels, field=None):
    """A segmentation that is judged as it is: its small patches are no speckle."""
    labels = np.asarray(labels)
    segmentation = Segmentation(
        labels, ReferenceField(np.zeros((*labels.shape, 1)) if field is None else field, "polar")
    )
    vars(segmentation._geometry)["despeckled"] = (labels, 0.0)
    return segmentation


def test_continuity_is_the_mean_run_of_a_wall_less_the_speckle():
    edges = {
        "segment": [0, 0, 1],
        "length": [1.0, 2.0, 9.0],
    }  # runs of 3 and 9 where 6 are asked for
    assert continuity(given_walls(144, **edges)) == pytest.approx((3 * 0.5 + 9 * 1) / 12)
    assert continuity(given_walls(144, speckle=0.15, **edges)) == pytest.approx(10.5 / 12 / np.e)
    assert continuity(given_walls(144, speckle=0.30, **edges)) == pytest.approx(10.5 / 12 / np.e**2)


def test_straightness_is_the_mean_of_bend_and_extent():
    segmentation = given_walls(
        100,
        segment=[0, 0, 0],
        length=[1.0, 3.0, 2.0],
        roughness=[0.45, 1.05, 1.65],
        extent=[9.0, 4.0, 8.0],
    )
    assert straightness(segmentation) == pytest.approx(
        (1 + 3 * np.exp(-1) / 2 + 2 * np.exp(-4)) / 6
    )


def test_amount_asks_for_a_quarter_of_the_edge():
    assert amount(given_walls(256, length=[0.5, 1.5])) == pytest.approx(0.5)
    assert amount(given_walls(256, length=[4.0, 1.5])) == 1
    assert amount(as_is(np.full((8, 8), -1))) == 0


def test_without_walls_there_is_nothing_continuous_or_straight():
    empty = given_walls(100, segment=np.zeros(0, int), length=[])
    assert continuity(empty) == straightness(empty) == 0


def test_evidence_is_the_explained_variance_corrected_for_the_number_of_labels():
    field = np.array([[0, 2, 4, 6, np.nan, 99]])[..., None]
    segmentation = as_is([[0, 0, 1, 1, 0, -1]], field)
    assert evidence(segmentation) == pytest.approx(1 - 4 / 2 * 3 / 20)
    two = np.concatenate([field, 10 * field], axis=-1)
    assert evidence(as_is([[0, 0, 1, 1, 0, -1]], two)) == pytest.approx(0.7)
    assert evidence(as_is([[0, 1, 2, 3, 0, -1]], field)) == pytest.approx(
        1
    )  # as many labels as cells
    assert evidence(as_is([[0, 0, 1]], field[:, :3])) == pytest.approx(1 - 2 / 1 * 2 / 8)


def test_there_is_no_evidence_in_a_field_that_is_flat_or_unknown():
    assert evidence(as_is([[0, 1, 1]], np.ones((1, 3, 2)))) == 0
    assert evidence(as_is([[0, 1, 1]], np.full((1, 3, 2), np.nan))) == 0


def runs_of(labels):
    """Boundaries along the rows of a map."""
    return Segmentation(np.array(labels), None).edges.runs[0]


def test_run_means_stop_at_a_wall_and_leave_out_the_unknown():
    before = runs_of([[0, 0, 0, 0, 1, 1, 0, 0]]).before
    field = np.array([[1.0, 2, 6, 10, 10, 20, 5, np.nan]])[..., None]
    assert _run_mean(before, field)[0, :7, 0] == pytest.approx([1, 1.5, 3, 6, 10, 15, 5])
    field[0, 1] = np.nan
    assert _run_mean(before, field)[0, 2:4, 0] == pytest.approx([3.5, 8])
    alone = _run_mean(runs_of([[0, 1, 0]]).before, np.array([[1.0, 2, 3]])[..., None])
    assert alone.ravel().tolist() == [1, 2, 3]


def test_steps_across_and_away_from_walls():
    labels = np.array([[0] * 6 + [1] * 6, [0] * 6 + [-1] + [1] * 5])
    field = np.where(labels[..., None] == 1, [3.0, 4.0], [0.0, 0.0])
    runs = runs_of(labels)
    wall, inside, step = runs.is_wall, runs.is_inside, _steps(runs, field)
    assert np.argwhere(wall).tolist() == [[0, 5]] and step[0].tolist() == [0] * 5 + [5] + [0] * 5
    assert np.argwhere(inside).tolist() == [[0, 2], [0, 8], [1, 2]]


@pytest.mark.parametrize(("least", "shares"), [(1, [0.5, 1]), (4, [0.5]), (5, [0.6])])
def test_contrast_is_the_geometric_mean_over_pairs_with_enough_wall(least, shares):
    pairs = np.array([[0, 1]] * 4 + [[0, 2]])
    found = _pairwise(pairs, np.array([True, True, False, False, True]), least)
    assert found == pytest.approx(
        np.prod([(s - 0.05) / 0.95 + 0.02 for s in shares]) ** (1 / len(shares))
    )


def test_a_pair_whose_wall_steps_no_more_than_chance_leaves_two_per_cent():
    assert _pairwise(np.array([[0, 1]] * 50), np.arange(50) < 2, 1) == pytest.approx(0.02)


@pytest.mark.parametrize("turned", [False, True])
def test_a_border_that_is_not_there_counts_from_a_sixth_of_the_edge(turned):
    labels = np.zeros((42, 42), int)
    labels[21:] = 1  # one direction has this wall, the other none
    field = labels[..., None] + 0.01 * np.random.default_rng(0).standard_normal((42, 42, 2))
    field[:4, :12] = 0  # nothing steps where a third label is drawn
    for width, expected in ((0, 1), (5, 1), (6, np.sqrt(1.02 * 0.02))):
        labels[0, :width] = 2  # width edges down, one across
        segmentation = as_is(labels.T, field.transpose(1, 0, 2)) if turned else as_is(labels, field)
        assert contrast(segmentation) == pytest.approx(expected)


def test_a_wall_that_steps_just_like_the_inside_is_none():
    labels = np.repeat([0, 1], 12) * np.ones((24, 1), int)
    assert contrast(as_is(labels, np.zeros((24, 24, 2)))) == pytest.approx(0.02)


def test_where_the_field_is_unknown_a_wall_is_not_held_against_the_map():
    labels = np.repeat([0, 1], 12) * np.ones((24, 1), int)
    field = labels[..., None] + 0.01 * np.random.default_rng(0).standard_normal((24, 24, 2))
    field[:12, 10:14] = np.nan
    assert contrast(as_is(labels, field)) == 1


def test_a_map_of_one_label_has_no_contrast():
    assert (
        contrast(as_is(np.zeros((24, 24), int), np.random.default_rng(0).random((24, 24, 1)))) == 0
    )


def test_contrast_of_a_map_without_inside_is_none():
    assert (
        contrast(
            as_is(np.indices((6, 6)).sum(axis=0) % 2, np.random.default_rng(0).random((6, 6, 1)))
        )
        == 0
    )


def test_balance_asks_for_three_per_cent_in_the_second_cluster():
    labels = np.zeros((10, 20), int)
    labels[0, :3], labels[1, :2], labels[9, 19] = 1, 2, -1
    assert balance(as_is(labels)) == pytest.approx(3 / (0.03 * 199))
    labels[5] = 3
    assert balance(as_is(labels)) == 1
    assert balance(as_is(np.zeros((3, 3), int))) == balance(as_is(np.full((3, 3), -1))) == 0


def test_thickness_is_the_share_of_cells_in_squares_of_three():
    labels = np.zeros((10, 10), int)
    labels[:, 4] = 1
    assert thickness(as_is(labels)) == pytest.approx(2 * 0.9 - 1)
    labels[:, 4:6] = 1
    assert thickness(as_is(labels)) == pytest.approx(2 * 0.8 - 1)
    labels[:, 4:7] = 1
    assert thickness(as_is(labels)) == 1
    assert thickness(as_is(np.indices((6, 6)).sum(axis=0) % 2)) == 0
    assert thickness(as_is([[0]])) == 1


def test_what_lies_at_the_rim_may_go_on_beyond_it():
    labels = np.zeros((10, 10), int)
    labels[:, :2] = 1
    assert thickness(as_is(labels)) == 1
    labels[:, 0] = -1
    assert thickness(as_is(labels)) == 1


def test_agreement_is_what_neighbors_share_beyond_chance():
    labels = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [-1] * 4])
    assert agreement(as_is(labels)) == pytest.approx((0.8 - 0.5) / (1 - 0.5))
    assert agreement(as_is(labels.T)) == pytest.approx(0.6)
    assert agreement(as_is(np.zeros((3, 3), int))) == 0
    assert agreement(as_is(np.array([[0, -1, 1]]))) == 0


@pytest.mark.parametrize(
    ("side", "size", "kept"), [(20, 5, False), (20, 6, True), (60, 10, False), (60, 11, True)]
)
def test_speckle_is_what_holds_fewer_than_six_cells_or_three_in_a_thousand(side, size, kept):
    labels = np.zeros((side, side), int)
    labels[5, 2 : 2 + size] = 1
    segmentation = Segmentation(labels, ReferenceField(np.zeros((side, side, 1)), "polar"))
    assert (1 in segmentation.clean) == kept
    assert segmentation.speckle == pytest.approx(0 if kept else size / side**2)
    assert segmentation.n == side**2 and segmentation.side == pytest.approx(side)


@pytest.mark.parametrize(
    "pair",
    ["evidence=0", "evidence=-1", "evidence=inf", "evidence=nan", "evidence", "evidence=much"],
)
def test_a_power_is_a_positive_number(pair):
    with pytest.raises(InputError, match=f"total '{pair}': not a reward with its exponent"):
        parse_total([pair])


def test_without_pairs_the_total_is_the_default_one_and_not_shared():
    total = parse_total([])
    total["evidence"] = 9.0
    assert parse_total([]) == DEFAULT_TOTAL != total


def test_a_reward_that_is_no_number_is_refused():
    register_reward("broken")(lambda segmentation: np.nan)
    try:
        with pytest.raises(
            InputError, match="reward 'broken': returned nan; it must return a number from 0 to 1"
        ):
            score_map(Segmentation(TRUE, field_of(TRUE)))
    finally:
        _REWARDS.pop("broken")


def test_rewards_beyond_their_range_are_cut_and_the_total_is_a_product():
    assert _value("x", 1.02) == 1 and _value("x", -0.1) == 0 and _value("x", 0.25) == 0.25
    values = score_map(Segmentation(TRUE, field_of(TRUE)))
    assert values["total"] == pytest.approx(
        np.prod([values[name] ** exponent for name, exponent in DEFAULT_TOTAL.items()])
    )


def test_the_powers_of_the_total_are_those_of_the_book():
    page = (resource_path("book") / "rewards.md").read_text()
    assert r"R = C^{1/2} \cdot S^{1/4} \cdot E \cdot K \cdot B \cdot A \cdot T" in page
    assert DEFAULT_TOTAL == {
        "continuity": 0.5,
        "straightness": 0.25,
        **dict.fromkeys(("evidence", "contrast", "balance", "amount", "thickness"), 1.0),
    }


def test_a_reward_of_ones_own_takes_the_place_of_a_built_in_one():
    """Whatever was imported first; the built-in ones come first, in one order."""
    code = (
        "from bfo_utils.rewards import register_reward\n"
        "register_reward('mine')(lambda p: 0.2)\n"
        "register_reward('balance')(lambda p: 0.5)\n"
        "from bfo_utils.rewards import ReferenceField, Segmentation, score_map\n"
        "import numpy as np\n"
        "field = ReferenceField(np.zeros((9, 9, 2)), 'polar')\n"
        "print(score_map(Segmentation(np.zeros((9, 9), int), field)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    values = ast.literal_eval(done.stdout)
    assert list(values) == [*_BUILT_IN, "mine", "total"]
    assert values["balance"] == 0.5


CHOSEN = dict.fromkeys(ALTERNATIVES, 1.0)


def alternatives_of(labels, descriptors=None):
    """The rewards on demand of a map whose descriptors are by default those of the true map."""
    field = field_of(TRUE) if labels.shape == TRUE.shape else field_of(labels)
    values = field.field if descriptors is None else descriptors
    scores = score_map(Segmentation(labels, field, values), CHOSEN)
    return {name: scores[name] for name in ALTERNATIVES}


@settings(max_examples=20, deadline=None)
@given(partitions(), st.permutations(range(6)))
def test_alternatives_lie_between_0_and_1_and_know_no_names(segmentation, order):
    order = np.array([*order, -1])
    one, two = (
        score_map(
            Segmentation(labels, segmentation.reference, segmentation.reference.field), CHOSEN
        )
        for labels in (segmentation.labels, order[segmentation.labels])
    )
    assert all(0 <= value <= 1 for value in one.values())
    assert two == pytest.approx(one, abs=1e-9)


@pytest.mark.parametrize("name", DECOYS)
def test_turning_a_map_changes_no_alternative(name):
    plain = {k: v for k, v in CHOSEN.items() if k != "bayesian_mixture"}
    one, two = (
        score_map(
            Segmentation(turn(DECOYS[name]), field_of(TRUE), turn(field_of(TRUE).field)), plain
        )
        for turn in (np.array, np.rot90)
    )
    assert [two[n] for n in plain] == pytest.approx([one[n] for n in plain], abs=0.03)


def test_alternatives_cost_nothing_where_they_are_not_chosen():
    plain = score_map(Segmentation(TRUE, field_of(TRUE)))
    assert not set(ALTERNATIVES) & set(plain) and set(ALTERNATIVES) <= set(reward_names())
    chosen = score_map(Segmentation(TRUE, field_of(TRUE)), {"evidence": 1.0, "curvature": 0.5})
    assert list(chosen) == [*_BUILT_IN, "curvature", "total"]
    assert chosen["total"] == pytest.approx(chosen["evidence"] * chosen["curvature"] ** 0.5)
    assert parse_total(["icl=1"]) == {"icl": 1.0}


@pytest.mark.parametrize(
    ("name", "labels", "fooled", "caught"),
    [
        (
            "stripes look straight to all, but come in many pieces",
            DECOYS["stripes"],
            ("edge_continuity", "curvature", "sinuosity", "line_fit", "hough"),
            ("component_continuity", "icl", "bayesian_mixture"),
        ),
        (
            "a straight cut in the wrong place fools all that look at walls",
            DECOYS["half split"],
            ("component_continuity", "edge_continuity", "curvature", "sinuosity", "hough"),
            ("icl",),
        ),
        (
            "speckle counts as pieces and hardly as anything else",
            DECOYS["3 % wrong"],
            ("curvature", "sinuosity", "line_fit", "hough"),
            ("component_continuity",),
        ),
    ],
)
def test_what_fools_the_alternatives(name, labels, fooled, caught):
    scores = alternatives_of(labels)
    assert min(scores[n] for n in fooled) > 0.9, name
    assert max(scores[n] for n in caught) < 0.5, name


def test_a_circle_is_as_curved_as_its_radius_says():
    for radius in (10, 20):
        scores = alternatives_of((np.hypot(X - 29.5, Y - 29.5) < radius).astype(int))
        assert scores["curvature"] == pytest.approx(np.exp(-10 / radius), abs=0.1)
        assert scores["sinuosity"] == pytest.approx(1 / np.pi, abs=0.06)
        assert max(scores["line_fit"], scores["hough"]) < 0.25


@pytest.mark.parametrize("angle", [0, 20, 45, 63.4])
def test_a_straight_wall_is_straight_to_every_alternative(angle):
    scores = alternatives_of(straight_wall_map(angle, 40))
    for name in ("component_continuity", "curvature", "sinuosity", "line_fit", "hough"):
        assert scores[name] > (0.8 if name == "curvature" else 0.9), name  # it sees the staircase


def test_icl_prefers_the_labels_that_the_descriptors_were_made_by():
    scores = {n: alternatives_of(m)["icl"] for n, m in ({"truth": TRUE} | DECOYS).items()}
    assert max(scores, key=scores.get) == "truth"
    noise = np.random.default_rng(0).standard_normal((N, N, 3))
    assert alternatives_of(TRUE, noise)["icl"] == 0
    assert alternatives_of(np.zeros_like(TRUE))["icl"] == 0


def test_a_reward_of_the_descriptors_asks_for_them():
    with pytest.raises(InputError, match="this map has no descriptors"):
        score_map(Segmentation(TRUE, field_of(TRUE)), {"icl": 1.0})


def test_a_configuration_can_be_chosen_by_its_descriptors(prepared):
    outcome = evaluate_configuration(prepared, {"n_clusters": 3}, total={"icl": 1, "evidence": 1})
    assert 0 < outcome.rewards["icl"] < 1
    assert outcome.rewards["total"] == pytest.approx(
        outcome.rewards["icl"] * outcome.rewards["evidence"]
    )


def test_a_reward_of_the_users_under_a_built_in_name_is_not_built_in():
    assert are_built_in(DEFAULT_TOTAL)
    before = _REWARDS["evidence"]
    try:
        register_reward("evidence")(lambda segmentation: 0.5)
        assert not are_built_in(DEFAULT_TOTAL)
    finally:
        register_reward("evidence")(before)
