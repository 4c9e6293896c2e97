"""Descriptors of all columns, and windows without projection: the configurations of EM000006."""

import numpy as np
import pytest

from bfo_utils.io import read_image
from bfo_utils.report import write_results
from bfo_utils.results import analyze
from bfo_utils.search import (
    SearchPlan,
    SharedWork,
    cell_descriptors,
    cell_windows,
    column_labels,
    complete_parameters,
    cross_fitted_outcome,
    effective_parameters,
    evaluate_configuration,
    prepare_image,
    resampling_stability,
    searched_parameters,
)
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom

COLUMNS = {"site": "columns", "n_clusters": 4}


def test_windows_on_all_columns_are_those_on_a_before_those_on_b(prepared):
    work, p = SharedWork(prepared), complete_parameters(COLUMNS)
    both = cell_windows(prepared, p, work=work)
    halves = [cell_windows(prepared, p | {"site": site}, work=work) for site in ("A", "B")]
    assert np.array_equal(both, np.concatenate(halves))
    n = int(prepared.mask.sum())
    assert cell_descriptors(prepared, COLUMNS, work).shape == (2 * n, 2)
    assert np.array_equal(cell_windows(prepared, p, slice(n, None), work), halves[1])


def test_a_cell_has_the_label_of_its_a_column_and_b_columns_their_own(prepared):
    work = SharedWork(prepared)
    outcome = evaluate_configuration(prepared, COLUMNS, work=work)
    labels, lattice = column_labels(work, outcome), prepared.lattice
    on_a, on_b = (lattice.on_nodes(labels * 1.0, name) for name in ("A", "B"))
    sound = prepared.mask & np.isfinite(on_a[:-1, :-1]) & np.isfinite(on_b)
    assert np.array_equal(on_a[:-1, :-1][sound], outcome.labels[sound])
    # what an A column is called, no B column is: they look too different
    share = (on_b[sound] == outcome.labels[sound]).mean()
    assert share < 0.05, share
    assert set(np.unique(labels[lattice.sublattice == "B"])) - set(np.unique(outcome.labels))
    outside = lattice.on_nodes(labels * 1.0, "B")[~prepared.mask]
    assert set(outside[np.isfinite(outside)]) <= {-1}


def test_with_one_window_per_cell_its_columns_share_its_label(prepared):
    outcome = evaluate_configuration(prepared, {"site": "cell"})
    labels = column_labels(SharedWork(prepared), outcome)
    on_b = prepared.lattice.on_nodes(labels * 1.0, "B")[prepared.mask]
    known = np.isfinite(on_b)
    assert np.array_equal(on_b[known], outcome.labels[prepared.mask][known])


def test_all_columns_are_a_columns_where_b_is_not_seen():
    bare = prepare_image(simulate_phantom(Specimen(cells=24, cell_px=16, b_intensity=0), 0).image)
    assert effective_parameters(bare, COLUMNS)["site"] == "A"
    assert len(cell_descriptors(bare, COLUMNS)) == bare.mask.sum()


def test_zero_components_are_all_samples(prepared):
    raw = {"site": "columns", "n_components": 0, "binning": 3, "n_clusters": 3}
    work, n = SharedWork(prepared), int(prepared.mask.sum())
    values = cell_descriptors(prepared, raw, work)
    assert len(values) == 2 * n and values.shape[1] > 10 and values.std() == pytest.approx(1)
    outcome = evaluate_configuration(prepared, raw | {"site": "cell"}, work=work)
    assert len(np.unique(outcome.labels[prepared.mask])) > 1 and outcome.rewards["evidence"] > 0.1
    assert effective_parameters(prepared, raw)["n_components"] == 0
    assert 0 <= resampling_stability(prepared, COLUMNS, work=work) <= 1


def test_rewards_of_all_columns_are_cross_fitted_like_others(prepared):
    outcome = cross_fitted_outcome(SharedWork(prepared), COLUMNS, total={"icl": 1, "evidence": 1})
    assert 0 <= outcome.rewards["icl"] <= 1 and outcome.labels.shape == prepared.mask.shape


def test_no_search_goes_through_all_columns_or_without_projection():
    varied = {p.name: p for p in searched_parameters()}
    assert "columns" not in varied["site"].choices and varied["n_components"].low == 2


def test_the_table_of_columns_has_the_label_of_every_column(tmp_path):
    save_phantom(
        simulate_phantom(Specimen("halves", cells=20, cell_px=16, dose=80), 1), tmp_path / "p.h5"
    )
    fixed = {"site": "columns", "n_clusters": 4, "n_components": 4, "window_width": 1.0}
    image = read_image(tmp_path / "p.h5")
    done = analyze(image, SearchPlan(3, fixed=fixed))
    write_results(done, tmp_path / "out")
    table = np.genfromtxt(
        tmp_path / "out" / "columns.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    assert "label" in table.dtype.names and len(table) == len(done.prepared.lattice.ij)
    a = table[table["sublattice"] == "A"]
    shown = done.labels[a["i"][a["label"] >= 0], a["j"][a["label"] >= 0]]
    assert np.array_equal(shown, a["label"][a["label"] >= 0]) and len(shown) > 100
