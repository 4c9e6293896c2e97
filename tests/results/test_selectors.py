import numpy as np
import pandas as pd
import pytest

from bfo_utils.results import (
    DOMAINS,
    SELECTORS,
    Judgment,
    double_dipping,
    judge_selectors,
    random_configurations,
    selector_case,
    selector_table,
    selectors,
    share_found,
)
from bfo_utils.results.selectors import _total
from bfo_utils.rewards import DEFAULT_TOTAL, ReferenceField, Segmentation, score_map
from bfo_utils.search import evaluate_configuration, prepare_image
from bfo_utils.simulation import Specimen, simulate_phantom, stopped_maps


@pytest.fixture(scope="module")
def case():
    return selector_case(Specimen(layout="halves", cells=24, cell_px=14), 3)


@pytest.fixture(scope="module")
def table(case):
    return selector_table(case, 8, seed=1)


def test_a_map_of_noise_explains_the_pixels_that_it_was_drawn_from_only():
    empty = simulate_phantom(Specimen(layout="single", cells=20, cell_px=16, dose=20), 900)
    clusters = [{"descriptor": "polar", "n_clusters": k} for k in (3, 5)]
    dipped = double_dipping(prepare_image(empty.image), clusters)
    assert dipped["same"].min() > 0.05 and dipped["other"].abs().max() < 0.05
    assert set(dipped["descriptor"]) == {"polar"}


def test_a_large_displacement_is_found_and_none_is_not():
    assert share_found((0.0, 25.0), 60, 20, seed=3, crystals=1) == [0.0, 1.0]


@pytest.mark.parametrize("seed", [0, 1])
def test_every_reward_of_the_total_stops_its_map(seed):
    i, j = np.indices((56, 56))
    truth = np.where(j < 25, 0, np.where(i + j // 2 < 50, 1, 2))
    means = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
    field = means[truth] + np.random.default_rng(seed).normal(0, 0.3, (56, 56, 2))
    reference = ReferenceField(field, "polar")
    right, stopped = score_map(Segmentation(truth, reference)), stopped_maps(truth, seed)
    assert set(stopped) == set(DEFAULT_TOTAL)
    for name, labels in stopped.items():
        value = score_map(Segmentation(labels, reference))[name]
        assert value < 0.6 < 0.8 < right[name], name


def test_a_table_has_every_score_that_a_selector_uses(table):
    assert len(table) == 8 and table["ari"].between(-1, 1).all()
    for name, select in SELECTORS.items():
        assert len(select(table)) == 8, name


def test_the_total_of_the_table_is_the_total(table):
    assert SELECTORS["**total**"](table).to_numpy() == pytest.approx(table["total"].to_numpy())
    everything = _total()(table)
    assert everything.to_numpy() == pytest.approx(table["total"].to_numpy())
    assert set(DEFAULT_TOTAL) <= set(table)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_search_ends_as_the_judge_decides(case, share, monkeypatch):
    configurations = random_configurations(case.prepared.sites, 6, 1)
    outcomes = [evaluate_configuration(case.prepared, p, work=case.work) for p in configurations]
    totals = np.array([o.rewards["total"] for o in outcomes])
    order = np.argsort(-totals)
    shown = Judgment(DOMAINS, "", outcomes[order[2]].labels, compared=share)
    monkeypatch.setattr(selectors, "judge_domains", lambda prepared, outcome: shown)
    scores = selectors._tuned_scores(case, outcomes)
    assert scores.argmax() == (order[2] if share else order[0])
    compared = order[:3] if share else order[:1]
    others = np.setdiff1d(order, compared)
    assert (scores[others] == totals[others]).all()
    agreement = [shown.agreement(outcomes[k].labels) for k in compared]
    assert scores[compared].tolist() == [2 + a for a in agreement] and (len(others) > 2)


def test_regret_is_what_the_pick_lacks(table):
    ranked = table.assign(
        ari=np.linspace(0, 0.7, 8), silhouette=np.arange(8.0), agreement=np.arange(8.0)[::-1]
    )
    judged = judge_selectors(pd.DataFrame(ranked))
    assert judged["silhouette"] == pytest.approx((0, 1))
    assert judged["neighbor agreement"] == pytest.approx((0.7, -1))


def test_same_seed_same_configurations():
    one, two, three = (random_configurations(("A", "cell"), 5, s) for s in (1, 1, 2))
    assert one == two != three and {c["site"] for c in one} <= {"A", "cell"}
