"""The search among autoencoders: what it trains, how far, what it keeps, and which model it
prefers.
"""

import numpy as np
import pytest

from bfo_utils.compute import installation
from bfo_utils.errors import InputError
from bfo_utils.search import (
    AUTOENCODER_CHOICES,
    LATENT_CLUSTERINGS,
    SearchPlan,
    SharedWork,
    Trial,
    TrialLog,
    effective_parameters,
    latent_outputs,
    n_halving_trials,
    preferred_autoencoder,
    search_autoencoders,
    successive_halving,
)
from bfo_utils.search.successive_halving import _simplest
from bfo_utils.vae import MIN_EXPLAINED, vae_available

SHORT = {
    "RUNGS": (1, 2, 4),
    "LATENT_CLUSTERINGS": [
        {"n_components": 2, "n_clusters": k, "covariance": "tied"} for k in (2, 3)
    ],
}


@pytest.fixture(scope="module", autouse=True)
def short():
    """Few epochs and clusterings."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SHORT.items():
            patch.setattr(successive_halving, name, value)
        yield


@pytest.fixture(scope="module")
def made(prepared, tmp_path_factory):
    """The crystal with a folder for its networks, a record, and the trials of a search among
    four models.
    """
    if not vae_available():
        pytest.skip("torch and AtomAI are not installed")
    folder = tmp_path_factory.mktemp("networks")
    trial_log = TrialLog(folder / "record.jsonl", {})
    return folder, search_autoencoders(
        prepared, 4, SearchPlan(seed=2), trial_log=trial_log, work=SharedWork(prepared, folder)
    )


@pytest.fixture
def epochs(monkeypatch):
    """Grows by one with every epoch that is trained."""
    from bfo_utils.vae import Training

    seen, epoch = [], Training._epoch
    monkeypatch.setattr(Training, "_epoch", lambda *a: seen.append(1) or epoch(*a))
    return seen


def facts(trials):
    return [(t.number, t.source, t.parameters, t.rewards) for t in trials]


def model_of(trial):
    """What of a trial's parameters is the model, not its clustering or its training so far."""
    clustering = (*LATENT_CLUSTERINGS[0], "epochs", "method")
    return tuple(v for name, v in trial.parameters.items() if name not in clustering)


def test_the_rungs_thin_out_and_the_default_model_stays(prepared, made):
    trials = made[1]
    assert [t.number for t in trials] == list(range(8)) and len(trials) == n_halving_trials(4)
    assert [t.source for t in trials] == ["rung 1"] * 4 + ["rung 2"] * 2 + ["rung 3"] * 2
    assert [t.parameters["epochs"] for t in trials] == [1] * 4 + [2] * 2 + [4] * 2
    default = effective_parameters(prepared, AUTOENCODER_CHOICES)
    for first in (trials[0], trials[4], trials[6]):
        assert model_of(first) == model_of(Trial(0, "", default, {}, 0))
    assert len({model_of(t) for t in trials[:4]}) == 4


def test_the_best_of_the_others_goes_on(made):
    others, further = made[1][1:4], made[1][5]
    merit = [t.rewards["total"] * min(1, t.rewards["explained"] / MIN_EXPLAINED) for t in others]
    assert model_of(further) == model_of(others[int(np.argmax(merit))])


def test_trials_say_what_was_learned_and_how_it_reads(made):
    for trial in made[1]:
        assert trial.parameters["descriptor"] == "vae"
        assert 0 <= trial.rewards["explained"] <= 1
        assert 0 <= trial.rewards["disentanglement"] == trial.rewards["clarity"] <= 1
        assert {"total", "continuity", "straightness"} <= set(trial.rewards)
        assert trial.seconds > 0
    assert made[1][6].rewards["explained"] > made[1][0].rewards["explained"]


def test_same_seed_same_trials_on_any_number_of_threads_and_another_seed_others(prepared, made):
    again, other = (search_autoencoders(prepared, 2, SearchPlan(seed=seed)) for seed in (2, 3))
    assert facts(again)[:1] == facts(made[1])[:1]
    assert facts(search_autoencoders(prepared, 2, SearchPlan(seed=2), workers=2)) == facts(again)
    assert model_of(other[1]) != model_of(again[1])


def test_run_again_nothing_is_trained_and_nothing_evaluated(prepared, made, epochs, monkeypatch):
    folder, trials = made
    monkeypatch.setattr(
        successive_halving, "evaluate_configuration", lambda *a: pytest.fail("evaluated again")
    )
    trial_log = TrialLog(folder / "record.jsonl", {})
    again = search_autoencoders(
        prepared, 4, SearchPlan(seed=2), trial_log=trial_log, work=SharedWork(prepared, folder)
    )
    assert facts(again) == facts(trials) and not epochs
    assert [t.seconds for t in again] == [t.seconds for t in trials]


def test_a_stopped_search_goes_on_and_trains_nothing_twice(prepared, made, tmp_path, epochs):
    seen = []

    def stop(trial):
        seen.append(trial)
        if len(seen) == 5:
            raise KeyboardInterrupt

    work, plan = SharedWork(prepared, tmp_path), SearchPlan(seed=2)
    with pytest.raises(KeyboardInterrupt):
        search_autoencoders(prepared, 4, plan, stop, TrialLog(tmp_path / "r.jsonl", {}), work=work)
    work = SharedWork(prepared, tmp_path)  # nothing in memory
    assert facts(
        search_autoencoders(
            prepared, 4, plan, trial_log=TrialLog(tmp_path / "r.jsonl", {}), work=work
        )
    ) == facts(made[1])
    assert len(epochs) == 4 * 1 + 2 * 1 + 2 * 2


def test_every_trial_is_reported_and_numbered_from_the_first(prepared, made):
    seen = []
    work = SharedWork(prepared, made[0])
    trials = search_autoencoders(
        prepared,
        1,
        SearchPlan(seed=2),
        seen.append,
        TrialLog(made[0] / "record.jsonl", {}),
        first=10,
        work=work,
    )
    assert seen == trials and [t.number for t in trials] == [10, 11, 12]


def test_what_is_fixed_is_not_varied(prepared):
    fixed = {
        "site": "B",
        "latent_dim": 2,
        "invariance": "shift",
        "n_clusters": 3,
        "descriptor": "windows",
    }
    trials = search_autoencoders(prepared, 3, SearchPlan(fixed=fixed))
    for name, value in fixed.items():
        assert {t.parameters[name] for t in trials} == {"vae" if name == "descriptor" else value}
    assert len({t.parameters["learning_rate"] for t in trials[:3]}) == 3


def test_no_budget_no_models_and_no_need_of_the_extra(prepared, monkeypatch):
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    assert search_autoencoders(prepared, 0) == [] and n_halving_trials(0) == 0
    with pytest.raises(InputError, match="needs torch"):
        search_autoencoders(prepared, 1)


def test_outputs_are_latents_of_the_analyzed_cells(prepared, made):
    work = SharedWork(prepared, made[0])
    trial = made[1][6]
    latents, measured = latent_outputs(work, trial.parameters, np.where(prepared.mask, 0, -1))
    settings = work.autoencoder(trial.parameters).settings
    assert latents.shape == (prepared.mask.sum(), len(settings.names))
    assert {v.shape for v in measured.values()} == {(prepared.mask.sum(),)}


def trial(number, total, explained=0.8, disentanglement=0.5, clusters=4, descriptor="vae"):
    return Trial(
        number,
        "rung 1",
        {"descriptor": descriptor, "n_clusters": clusters},
        {"total": total, "explained": explained, "disentanglement": disentanglement},
        0.0,
    )


@pytest.mark.parametrize(
    ("trials", "chosen"),
    [
        ([trial(0, 0.6), trial(1, 0.7)], 1),
        ([trial(0, 0.69, disentanglement=0.6), trial(1, 0.70)], 0),
        ([trial(0, 0.67, disentanglement=0.9), trial(1, 0.70)], 1),
        ([trial(0, 0.69, clusters=3, disentanglement=0.1), trial(1, 0.70)], 0),
        ([trial(0, 0.9, explained=0.49), trial(1, 0.4)], 1),
        ([trial(0, 0.9, explained=0.1), trial(1, 0.4, explained=0.3)], 1),
        ([trial(0, 0.9, descriptor="windows"), trial(1, 0.4)], 1),
    ],
    ids=[
        "total",
        "clearer of equals",
        "not at any price",
        "fewer clusters first",
        "untrained",
        "none trained",
        "models only",
    ],
)
def test_the_preferred_model(trials, chosen):
    assert preferred_autoencoder(trials).number == chosen


def test_of_close_clusterings_the_simplest():
    def result(clusters, total):
        return {"n_clusters": clusters}, {"total": total}, 0.0

    assert _simplest([result(5, 0.80), result(3, 0.79), result(2, 0.70)])[0]["n_clusters"] == 3
    assert _simplest([result(3, 0.79), result(3, 0.80)])[1]["total"] == 0.80
