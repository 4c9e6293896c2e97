"""The genetic search (NSGA-II) covers the front."""

import pytest

from bfo_utils.search import (
    GeneticModel,
    SearchPlan,
    parameter,
    prepare_image,
    search_configurations,
    searched_parameters,
)
from bfo_utils.simulation import Specimen, simulate_phantom

pytest.importorskip("optuna")


def test_proposals_are_in_range_and_follow_from_the_seed():
    varied = searched_parameters()
    one, two, three = (GeneticModel(varied, seed).ask(8) for seed in (1, 1, 2))
    assert one == two != three
    for given in one:
        assert {n: parameter(n, varied).check(v) for n, v in given.items()} == given


def test_offspring_come_from_those_that_no_other_beats():
    searcher = GeneticModel([parameter("window_height"), parameter("window_width")], seed=0)
    losses, found = [], []
    for _ in range(20):
        asked = searcher.ask(8)
        found.append([p["window_height"] + p["window_width"] for p in asked])
        losses += [[p["window_height"], p["window_width"], 0.0] for p in asked]
        searcher.retell(losses)
    first, last = (sum(map(sum, part)) / 16 for part in (found[:2], found[-2:]))
    assert last < first - 0.5  # both are wanted small


def test_a_search_can_be_genetic_and_is_the_same_again():
    prepared = prepare_image(simulate_phantom(Specimen("halves", cells=16, cell_px=16), 1).image)
    plan = SearchPlan(20, 3, goal="nsga2", fixed={"binning": 2})
    one, two = (search_configurations(prepared, plan) for _ in range(2))
    assert len(one) == 20 and [dict(t.parameters) for t in one] == [dict(t.parameters) for t in two]
    assert {t.source for t in one} == {"default", "model"}
    assert all(t.parameters["binning"] == 2 for t in one)
    assert len(search_configurations(prepared, SearchPlan(33, goal="nsga2"))) == 33
