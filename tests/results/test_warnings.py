"""Every warning is raised by its cause, and not by a good image."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from bfo_utils.io import image_from_array
from bfo_utils.report import write_results
from bfo_utils.results import analyze, ask_fields, find_warnings, left_over, position_error_px
from bfo_utils.rewards import SurrogateTest
from bfo_utils.search import SearchPlan, prepare_image
from bfo_utils.simulation import Specimen, simulate_phantom

GOOD = {
    "site": "cell",
    "normalisation": "zscore",
    "n_components": 6,
    "n_clusters": 3,
    "method": "gmm",
    "covariance": "full",
    "window_height": 1.5,
    "window_width": 1.5,
    "binning": 2,
}


def analyzed(prepared, change=lambda array: array, clusters=3, pixel_size_nm=0.025):
    array = change(simulate_phantom(prepared, 3).image.data)
    return analyze(
        image_from_array(array, pixel_size_nm=pixel_size_nm),
        SearchPlan(2, fixed=GOOD | {"n_clusters": clusters}),
    )


def codes(done):
    return [warning["code"] for warning in find_warnings(done)]


@pytest.fixture(scope="module")
def good():
    return analyzed(Specimen(layout="junction", cells=32, cell_px=16, dose=80))


def test_a_good_image_needs_none(good):
    assert codes(good) == []


def test_noise_that_neighbors_share_is_told():
    smoothed = analyzed(
        Specimen(layout="junction", cells=24, cell_px=16, dose=80),
        lambda array: ndimage.gaussian_filter(array.astype(float), 0.6),
    )
    assert "shared_noise" in codes(smoothed)
    assert not smoothed.prepared.halves.independent


def test_a_domain_that_was_merged_is_told(good, tmp_path):
    inside = good.labels >= 0
    merged = np.where(good.labels == good.labels.max(), good.labels[inside].min(), good.labels)
    hidden = replace(good, judgment=replace(good.judgment, candidate=merged))
    assert len(np.unique(merged)) == len(np.unique(good.labels)) - 1
    assert "residual_structure" not in codes(good) and "residual_structure" in codes(hidden)
    assert hidden.residual.z > 20
    result = write_results(hidden, tmp_path)
    assert (tmp_path / "residual_structure.png").stat().st_size > 1000
    assert result["residual_structure"]["z"] > 20


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_left_over_of_one_domain(seed):
    p = simulate_phantom(Specimen(layout="single", cells=32, cell_px=16, dose=80), seed)
    prepared = prepare_image(p.image)
    labels = np.where(prepared.mask, 0, -1)
    assert abs(left_over(ask_fields(prepared)["polar"], labels).z) < 4


@pytest.mark.parametrize(
    ("code", "changes", "change", "clusters"),
    [
        ("few_cells", dict(cells=16, cell_px=16), None, 3),
        ("coarse_pixels", dict(cells=30, cell_px=9), None, 3),
        ("second_sublattice_not_seen", dict(b_intensity=0.0), None, 3),
        ("low_dose", dict(dose=3), None, 3),
        ("missing_cells", dict(missing=0.03), None, 3),
        ("substrate", dict(substrate=0.25), None, 4),
        (
            "invalid_pixels",
            {},
            lambda a: np.where(np.arange(a.size).reshape(a.shape) % 5003 == 0, np.nan, a),
            3,
        ),
        ("saturated", {}, lambda a: np.minimum(a, np.quantile(a, 0.95)), 3),
        (
            "doubtful_columns",
            {},
            lambda a: np.where(np.arange(len(a))[:, None] % 60 < 3, np.nan, a),
            3,
        ),
    ],
)
def test_what_is_wrong_with_an_image_is_said(code, changes, change, clusters):
    prepared = Specimen(**{"layout": "junction", "cells": 32, "cell_px": 16, "dose": 80} | changes)
    done = analyzed(prepared, change or (lambda a: a), clusters)
    said = {warning["code"]: warning["message"] for warning in find_warnings(done)}
    assert code in said and "\n" not in said[code] and len(said[code]) > 40


def test_what_is_wrong_with_a_map_is_said(good):
    polar = good.judgment.answers["polar"]
    close = {"polar": replace(polar, judged=replace(polar.judged, z=3.8))}
    assert "thin_margin" in codes(replace(good, judgment=replace(good.judgment, answers=close)))
    chance = replace(good)
    vars(chance)["surrogates"] = SurrogateTest(0.1, np.linspace(0, 0.3, 99), np.zeros(19))
    assert "no_better_than_chance" in codes(chance)
    unsure = replace(good)
    half = np.where(good.prepared.mask, 0.6, np.nan)
    vars(unsure)["near_best"] = replace(good.near_best, of_cells=half)
    assert codes(unsure) == ["unsure_labels"]


def test_no_pixel_size_is_said():
    assert "no_pixel_size" in codes(
        analyzed(Specimen(cells=14, cell_px=14, dose=80), pixel_size_nm=None)
    )


def test_the_error_of_a_position_is_that_of_counting(good):
    found, truth = good.prepared.lattice, position_error_px(good)
    assert 0.02 < truth < 0.3 and found.cells.has_b
