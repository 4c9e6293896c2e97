"""Maps are drawn from one half of the pixels and rewarded by the other."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from bfo_utils.descriptors import field_vectors
from bfo_utils.errors import InputError
from bfo_utils.lattice import half_image
from bfo_utils.results import Analysis
from bfo_utils.rewards import Segmentation, score_map
from bfo_utils.search import (
    SearchPlan,
    SharedWork,
    cell_descriptors,
    cross_fitted_outcome,
    evaluate_configuration,
    prepare_image,
    search_configurations,
)
from bfo_utils.simulation import Specimen, simulate_phantom

WINDOWS = {"site": "B", "n_components": 10}


@pytest.fixture(scope="module")
def empty():
    """A single domain in which nothing varies but noise."""
    specimen = Specimen("single", cells=32, cell_px=12, dose=30, mistilt_pm=0, jitter_px=0.05)
    return prepare_image(simulate_phantom(specimen, 5).image)


def explained(values: np.ndarray, field: np.ndarray) -> float:
    """Share of the variance of a field (N, K) that descriptors (N, D) explain by chance and more:
    R^2, corrected for the number of descriptors.
    """
    shown = np.column_stack([np.ones(len(values)), values])
    rest = field - shown @ np.linalg.lstsq(shown, field, rcond=None)[0]
    n, freedom = shown.shape
    return 1 - rest.var() / field.var() * (n - 1) / (n - freedom)


def test_windows_of_one_half_know_nothing_of_the_noise_of_the_other(empty):
    half = empty.cross_fitted[0]
    noise = half.reference.field[half.mask]
    values = cell_descriptors(half, WINDOWS)
    of_all = cell_descriptors(empty, WINDOWS)
    assert abs(explained(values, noise)) < 0.03
    assert explained(of_all, empty.reference.field[empty.mask]) > 0.9


@pytest.mark.parametrize("axis", ["x", "y", "none"])
def test_a_half_image_does_not_depend_on_the_other_pixels(empty, axis):
    row, col = np.indices(empty.image.shape)
    other = {"x": row, "y": col, "none": row + col}[axis] % 2 == 1
    changed = replace(empty.image, data=np.where(other, 1e6, empty.image.data))
    one, two = (half_image(image, axis, 0) for image in (empty.image, changed))
    assert np.array_equal(one.data, two.data)
    assert np.array_equal(one.data[~other], empty.image.data[~other])


def test_the_roles_of_the_halves_are_exchanged(prepared):
    one, two = prepared.cross_fitted
    assert np.array_equal(one.reference.field, two.lattice.cells.polar, equal_nan=True) or (
        np.isnan(one.reference.field[~prepared.mask]).all()
        and np.array_equal(
            one.reference.field[prepared.mask], two.lattice.cells.polar[prepared.mask]
        )
    )
    work, p = SharedWork(prepared), {"n_clusters": 3}
    outcome = cross_fitted_outcome(work, p)
    each = [evaluate_configuration(half, p).rewards["evidence"] for half in (one, two)]
    assert outcome.rewards["evidence"] == pytest.approx(np.mean(each))
    assert np.array_equal(outcome.labels, evaluate_configuration(prepared, p).labels)


def test_a_map_of_the_field_itself_is_not_rewarded_for_noise(empty):
    drawn = {"descriptor": "polar", "n_clusters": 3}
    alone = evaluate_configuration(empty, drawn)
    assert score_map(Segmentation(alone.labels, empty.reference))["evidence"] > 0.05
    assert cross_fitted_outcome(SharedWork(empty), drawn).rewards["evidence"] < 0.02


def test_measured_fields_are_tried_last(prepared):
    trials = search_configurations(prepared, SearchPlan(32, 1))
    last = [t for t in trials if t.source == "measured"]
    assert len(trials) == 32 and trials[-len(last) :] == last
    assert {t.parameters["descriptor"] for t in last} == {"polar", "strain"}
    assert max(t.rewards["total"] for t in last) > 0.3
    fixed = search_configurations(prepared, SearchPlan(32, 1, fixed={"descriptor": "windows"}))
    assert "measured" not in {t.source for t in fixed}


def test_fields_are_means_over_three_by_three_cells(prepared):
    cells, mask = prepared.lattice.cells, prepared.mask
    i, j = np.argwhere(mask)[mask.sum() // 2]
    around = cells.polar[i - 1 : i + 2, j - 1 : j + 2]
    middle = np.flatnonzero((np.argwhere(mask) == [i, j]).all(axis=1))[0]
    assert field_vectors(cells, mask, "polar")[middle] == pytest.approx(around.mean(axis=(0, 1)))


def test_a_field_that_is_not_seen_is_refused(prepared):
    with pytest.raises(InputError, match="descriptor 'order': not seen in this image"):
        evaluate_configuration(prepared, {"descriptor": "order"})


@pytest.mark.slow
def test_p_is_uniform_where_there_is_nothing():
    p = []
    for seed in range(7600, 7640):
        specimen = Specimen("single", cells=24, cell_px=12, dose=40, mistilt_pm=0, jitter_px=0.05)
        prepared = prepare_image(simulate_phantom(specimen, seed).image)
        work = SharedWork(prepared)
        trials = search_configurations(prepared, SearchPlan(12, seed), work=work)
        outcome = cross_fitted_outcome(work, trials[0].parameters)
        found = Analysis(prepared, trials, outcome, outcome, None, seed, {}, work=work)
        p.append(found.surrogates.p_shifted)
    assert kstest(p, "uniform").pvalue > 0.01 and np.mean(np.array(p) <= 0.05) <= 0.15
