"""Sensitivity: which choices move the reward, and how the reward lies over two of them."""

import numpy as np
import pandas as pd
import pytest

from bfo_utils.search import (
    SharedWork,
    column_landscape,
    evaluate_configuration,
    parameter_importance,
    prepare_image,
    total_landscape,
    window_landscape,
)
from bfo_utils.simulation import Specimen, simulate_phantom


@pytest.fixture(scope="module")
def small():
    return prepare_image(
        simulate_phantom(Specimen(layout="halves", cells=18, cell_px=16, dose=300), 3).image
    )


def test_the_landscape_is_made_of_evaluations(small):
    fixed = {"site": "cell", "n_components": 3}
    values = total_landscape(small, [1.0, 1.5], [2, 4], fixed, seed=5)
    one = evaluate_configuration(
        small, fixed | {"window_height": 1.5, "window_width": 1.5, "n_clusters": 2}, 5
    )
    assert values.shape == (2, 2) and values[1, 0] == one.rewards["total"]


def test_two_domains_are_best_cut_in_two(small):
    values = total_landscape(small, [1.0], [2, 3, 5], {"site": "cell"})[0]
    assert np.argmax(values) == 0 and values[0] > 0.5


def test_only_parameters_that_vary_are_ranked():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"n_clusters": rng.integers(2, 9, 60), "site": rng.choice(["A", "B"], 60), "binning": 1}
    )
    found = parameter_importance(frame.assign(total=frame["site"] == "A"))
    assert found.index.tolist() == ["site", "n_clusters"]


def test_nothing_moves_a_constant_reward():
    frame = pd.DataFrame({"n_clusters": [2, 3], "total": [0.5, 0.5]})
    assert parameter_importance(frame).empty


def test_a_landscape_of_windows_holds_rewards_of_the_other_half(small):
    work, fixed = SharedWork(small), {"site": "cell", "n_clusters": 3}
    values = window_landscape(work, [1.0, 2.0], fixed, reward="evidence")
    half = work.cross_fitted[0]
    wanted = fixed | {"window_height": 2.0, "window_width": 1.0}
    outcome = evaluate_configuration(half.prepared, wanted, work=half)
    assert values.shape == (2, 2) and values[1, 0] == outcome.rewards["evidence"]
    assert half.prepared.reference is not small.reference


def test_columns_are_judged_by_their_number_and_distances(small):
    found = column_landscape(SharedWork(small), [0.7, 1.0], {"site": "cell", "n_clusters": 2})
    assert found["scale"].tolist() == [0.7, 1.0] and found["columns"].min() > 300
    for name in ("density", "spacing"):
        assert found[name].between(0.8, 1).all(), found
    wanted = {"site": "cell", "n_clusters": 2}
    assert found["total"][1] == evaluate_configuration(small, wanted).rewards["total"]
