from dataclasses import replace

import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.rewards import measure_reference
from bfo_utils.search import (
    ProposalModel,
    SearchPlan,
    SharedWork,
    Trial,
    TrialLog,
    best_trial,
    cell_vectors,
    complete_parameters,
    default_parameters,
    effective_parameters,
    evaluate_configuration,
    optimizer,
    parameter,
    preparation,
    prepare_image,
    search_configurations,
    search_jointly,
)
from bfo_utils.simulation import Specimen, simulate_phantom


@pytest.fixture(scope="module")
def trials(prepared):
    return search_configurations(prepared, SearchPlan(24, seed=3))


def test_first_the_default_then_the_screen_then_the_model(prepared, trials):
    assert [t.number for t in trials] == list(range(24))
    assert trials[0].source == "default" and dict(trials[0].parameters) == effective_parameters(
        prepared, {}
    )
    assert [t.source for t in trials[1:]] == ["screen"] * 8 + ["model"] * 15


def test_trials_hold_plain_python_values(trials):
    for trial in trials:
        for name, value in trial.parameters.items():
            assert type(value) is type(parameter(name).default), name


def test_same_seed_same_trials(prepared, trials):
    again = search_configurations(prepared, SearchPlan(24, seed=3))
    assert [(t.parameters, t.rewards) for t in again] == [(t.parameters, t.rewards) for t in trials]


def test_fixed_parameters_are_not_varied(prepared):
    some = search_configurations(
        prepared, SearchPlan(10, fixed={"n_clusters": 3, "method": "kmeans"})
    )
    assert {t.parameters["n_clusters"] for t in some} == {3}
    assert {t.parameters["method"] for t in some} == {"kmeans"}


def test_every_trial_is_reported_as_it_ends(prepared):
    seen = []
    trials = search_configurations(prepared, SearchPlan(10), seen.append)
    assert seen == trials


def test_the_searcher_closes_in_on_an_optimum():
    height, width = (parameter(n) for n in ("window_height", "window_width"))

    def loss(c):
        return (c["window_height"] - 1.2) ** 2 + (c["window_width"] - 2.1) ** 2

    searcher = ProposalModel((height, width), screen=16, seed=0)
    best = {"screen": np.inf, "model": np.inf}
    for _ in range(6):
        source = "screen" if searcher.screening else "model"
        batch = searcher.ask(8)
        searcher.tell(batch, [loss(c) for c in batch])
        best[source] = min(best[source], *[loss(c) for c in batch])
    assert best["model"] < 0.003 and best["model"] < best["screen"]


def test_best_is_the_earliest_of_equals(trials):
    top = best_trial(trials)
    assert top.rewards["total"] == max(t.rewards["total"] for t in trials)
    twin = Trial(99, "model", top.parameters, top.rewards, 0.0)
    assert best_trial([twin, top]) is top


def test_identical_configurations_are_evaluated_once(prepared, monkeypatch):
    ran = []
    real = evaluate_configuration
    monkeypatch.setattr(
        optimizer, "evaluate_configuration", lambda *a: ran.append(a[1]) or real(*a)
    )
    fixed = {
        "window_height": 1.0,
        "window_width": 1.0,
        "normalisation": "none",
        "n_components": 3,
        "n_clusters": 3,
        "binning": 1,
        "site": "A",
    }
    trials = search_configurations(
        prepared, SearchPlan(20, fixed=fixed)
    )  # four covariances are all that is left
    assert len(trials) == 20 and len(ran) == 4


def test_the_whole_workflow_can_be_searched(prepared):
    trials = search_configurations(prepared, SearchPlan(12, seed=1, whole=True))
    settings = {
        (t.parameters["detection_scale"], t.parameters["refinement_radius"]) for t in trials
    }
    assert len(settings) > 3
    assert best_trial(trials).rewards["total"] > 0.3


def test_equal_work_is_recognized(prepared):
    one = effective_parameters(
        prepared, {"window_width": 1.50, "method": "kmeans", "covariance": "diag"}
    )
    two = effective_parameters(
        prepared, {"window_width": 1.54, "method": "kmeans", "covariance": "tied"}
    )
    assert one == two


def test_where_all_is_fixed_the_default_is_the_only_trial(prepared):
    trials = search_configurations(prepared, SearchPlan(20, fixed=default_parameters()))
    assert len(trials) == 1


def test_settings_that_find_no_lattice_are_trials_without_reward(prepared, monkeypatch):
    def nothing(*arguments, **options):
        raise InputError("no lattice")

    monkeypatch.setattr(preparation, "prepare_image", nothing)
    outcome = evaluate_configuration(prepared, {"detection_scale": 1.2})
    assert outcome.rewards["total"] == 0


def test_measured_quantities_describe_cells(prepared):
    names = cell_vectors(prepared, complete_parameters({"descriptor": "physics"}))
    assert names.shape == (prepared.mask.sum(), 9)
    one, two = (
        effective_parameters(prepared, {"descriptor": "physics", "site": s}) for s in ("A", "B")
    )
    assert one == two and evaluate_configuration(prepared, one).rewards["total"] >= 0


@pytest.fixture(scope="module")
def pair(prepared):
    """Two crystals of different content."""
    other = simulate_phantom(Specimen(layout="quadrants", cells=24, cell_px=18), 2)
    return [prepared, prepare_image(other.image)]


def test_a_joint_search_raises_the_sum_of_totals(pair):
    trials = search_jointly([SharedWork(c) for c in pair], SearchPlan(10, seed=2))
    for trial in trials:
        halves = [c.cross_fitted[0] for c in pair]
        alone = [evaluate_configuration(c, trial.parameters, 2).rewards for c in halves]
        assert trial.rewards["total"] == pytest.approx(sum(r["total"] for r in alone) / 2)
        assert trial.rewards["evidence"] == pytest.approx(sum(r["evidence"] for r in alone) / 2)


def test_a_joint_search_does_not_depend_on_workers_and_takes_what_ledgers_know(pair, monkeypatch):
    trial_logs = [TrialLog(None, {}) for _ in pair]
    works = [SharedWork(c) for c in pair]
    once = search_jointly(works, SearchPlan(12, seed=2), trial_logs=trial_logs, workers=2)
    monkeypatch.setattr(optimizer, "evaluate_configuration", None)  # all is known
    again = search_jointly(works, SearchPlan(12, seed=2), trial_logs=trial_logs)
    assert [(t.parameters, t.rewards) for t in once] == [(t.parameters, t.rewards) for t in again]


def test_a_joint_search_tries_only_sites_that_all_crystals_offer(pair):
    cells = replace(pair[1].lattice.cells, has_b=False)
    without = replace(
        pair[1],
        lattice=replace(pair[1].lattice, cells=cells),
        reference=measure_reference(pair[1].image, cells, pair[1].mask),
    )
    trials = search_jointly([SharedWork(pair[0]), SharedWork(without)], SearchPlan(10))
    assert "B" not in {t.parameters["site"] for t in trials} and pair[0].sites == ("A", "B", "cell")
