import numpy as np
import pytest

from bfo_utils.results import (
    NO_DOMAINS,
    analyze,
    ask_fields,
    field_posterior,
    measure_confidence,
)
from bfo_utils.rewards import Segmentation
from bfo_utils.search import SearchPlan, evaluate_configuration, prepare_image
from bfo_utils.segmentation import cluster_vectors, label_probabilities, match_labels
from bfo_utils.simulation import Specimen, simulate_phantom, true_label_map
from bfo_utils.vae import vae_available

from ..record import record

RNG = np.random.default_rng(0)
GOOD = {"site": "cell", "normalisation": "zscore", "n_components": 6, "n_clusters": 3}


def test_matching_is_one_to_one_and_as_large_as_it_can_be():
    reference = np.repeat([4, 7, 9], [50, 30, 20])
    assert match_labels(np.repeat([2, 0, 1], [50, 30, 20]), reference).tolist() == [7, 9, 4]
    split = np.repeat([0, 3, 1, 2], [26, 24, 30, 20])
    assert match_labels(split, reference).tolist() == [4, 7, 9, -1]


@pytest.mark.parametrize(
    ("method", "covariance"), [("gmm", "full"), ("gmm", "tied"), ("kmeans", "full")]
)
def test_probabilities_belong_to_the_labels(method, covariance):
    values = np.concatenate([RNG.normal(0, 1, (300, 2)), RNG.normal(4, 1, (200, 2))])
    chance = label_probabilities(values, 2, method, covariance)
    labels = cluster_vectors(values, 2, method, covariance)
    assert np.allclose(chance.sum(axis=1), 1)
    assert (
        match_labels(chance.argmax(axis=1), labels)[chance.argmax(axis=1)] == labels
    ).mean() > 0.99
    middle = np.abs(values.sum(axis=1) - 4) < 1
    assert chance.max(axis=1)[middle].mean() < chance.max(axis=1)[~middle].mean()


def test_wrong_cells_are_the_unsure_ones():
    made = simulate_phantom(Specimen(layout="junction", cells=36, cell_px=16, dose=15), 4)
    prepared = prepare_image(made.image)
    outcome = evaluate_configuration(prepared, GOOD | {"site": "A", "n_components": 2})
    sure = measure_confidence(prepared, outcome)
    truth = true_label_map(made.truth, prepared.lattice.cells, prepared.mask)
    known = truth >= 0
    shown = Segmentation(outcome.labels, prepared.reference).clean[known]
    wrong = match_labels(shown, truth[known])[shown] != truth[known]
    low = np.minimum(sure.posterior, sure.stability)[known] < np.median(
        np.minimum(sure.posterior, sure.stability)[known]
    )
    record(
        "confidence",
        wrong_among_unsure=round(float(wrong[low].mean()), 4),
        wrong_among_sure=round(float(wrong[~low].mean()), 4),
    )
    assert wrong[low].mean() > 1.5 * wrong[~low].mean()


def test_it_is_known_on_the_mask_only_and_repeats(prepared):
    outcome = evaluate_configuration(prepared, GOOD)
    one, two = (measure_confidence(prepared, outcome, refits=4) for _ in range(2))
    for name in ("posterior", "stability"):
        values = getattr(one, name)
        assert (
            (np.isfinite(values) == prepared.mask).all()
            and values[prepared.mask].min() >= 0
            and values[prepared.mask].max() <= 1
        )
        assert np.array_equal(values, getattr(two, name), equal_nan=True)
    assert np.nanmean(one.stability) > 0.97


def test_another_column_finding_is_carried_over(prepared):
    outcome = evaluate_configuration(prepared, GOOD | {"refinement_radius": 0.5})
    assert np.nanmean(measure_confidence(prepared, outcome, refits=2).stability) > 0.95


def test_the_posterior_of_an_analysis_means_what_it_says():
    made = simulate_phantom(Specimen(layout="junction", cells=30, cell_px=16, dose=15), 6)
    prepared = prepare_image(made.image)
    answer = ask_fields(prepared)["polar"]
    truth = true_label_map(made.truth, prepared.lattice.cells, prepared.mask)
    shown = np.where(truth >= 0, truth, np.where(prepared.mask, 0, -1))
    wrong = np.zeros(shown.shape, bool)
    wrong[10:14, 3:7] = True  # a patch of another label inside the first domain
    shown = np.where(wrong & (shown >= 0), (shown + 1) % 3, shown)
    sure = field_posterior(answer, shown)
    assert (np.isfinite(sure) == (shown >= 0)).all()
    assert np.nanmean(sure[wrong]) < 0.3 and np.nanmean(sure[~wrong]) > 0.95


def test_one_label_leaves_nothing_to_be_sure_of():
    made = simulate_phantom(Specimen(layout="single", cells=24, cell_px=14, dose=60), 2)
    done = analyze(made.image, SearchPlan(9))
    assert done.verdict == NO_DOMAINS and not np.isfinite(done.confidence.posterior).any()


@pytest.mark.slow
@pytest.mark.skipif(not vae_available(), reason="torch and AtomAI are not installed")
def test_learned_descriptors_have_it_too():
    prepared = prepare_image(
        simulate_phantom(Specimen(layout="halves", cells=18, cell_px=14, dose=60), 1).image
    )
    outcome = evaluate_configuration(
        prepared,
        {"descriptor": "vae", "site": "cell", "epochs": 3, "n_clusters": 2, "n_components": 2},
    )
    sure = measure_confidence(prepared, outcome, refits=3)
    assert np.isfinite(sure.posterior[prepared.mask]).all() and np.nanmax(sure.stability) <= 1
