import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from bfo_utils.compute import Beside
from bfo_utils.errors import DiskError
from bfo_utils.io import image_from_array
from bfo_utils.report import facts_table, files, grounds_table, load_answer, write_results
from bfo_utils.report.memo import methods_paragraph
from bfo_utils.results import DOMAINS, Judgment, analyze, conclude_analysis, tuned_trial
from bfo_utils.search import (
    SearchPlan,
    SharedWork,
    Trial,
    best_trial,
    evaluate_configuration,
    label_map,
    name_labels,
    prepare_image,
    search_configurations,
)
from bfo_utils.simulation import Specimen, simulate_phantom, true_label_map

COLUMNS = "id,x_px,y_px,sublattice,intensity,sigma_px,ok"
CELLS = (
    "i,j,x_px,y_px,px_pm,py_pm,a_nm,b_nm,angle_deg,area_nm2,label,posterior,stability,recurrence,"
)
CELLS += "se_px_pm,se_py_pm,se_a_nm,se_b_nm,se_angle_deg,p_a_pm,p_b_pm,"
CELLS += "exx,eyy,exy,rotation_deg,se_exx,se_eyy,se_exy,se_rotation_deg,"
CELLS += "div_p,curl_p,candidate_label"
FILES = {
    "columns.csv",
    "cells.csv",
    "domains.csv",
    "patches.csv",
    "walls.csv",
    "profiles.csv",
    "walls.geojson",
    "trials.csv",
    "pareto.csv",
    "result.json",
    "README.txt",
    "picture.npz",
    "label_map.png",
    "walls.png",
    "polarization.png",
    "confidence.png",
}


@pytest.fixture(scope="module")
def done(junction):
    return analyze(junction.image, SearchPlan(24, 1))


@pytest.fixture(scope="module")
def folder(done, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    write_results(done, out)
    return out


def test_a_process_beside_the_search_changes_no_table(done, folder, junction, tmp_path):
    with Beside() as beside:
        ready = beside.submit(prepare_image, junction.image)
        plan = SearchPlan(24, 1)
        again = analyze(junction.image, plan, workers=2, beside=beside, prepared=ready)
        write_results(again, tmp_path, beside=beside)
    assert again.tested is not None
    tables = [f"{n}.csv" for n in ("columns", "cells", "domains", "patches", "walls", "profiles")]
    for name in [*tables, "walls.geojson", *(p.name for p in folder.glob("*.png"))]:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    one, two = (json.loads((path / "result.json").read_text()) for path in (folder, tmp_path))
    assert one.pop("timings_s") != two.pop("timings_s")
    assert one == two


def test_an_error_waits_for_the_process_that_draws(done, tmp_path, monkeypatch):
    def full(*given):
        raise DiskError(f"{tmp_path}: No space left on device")

    monkeypatch.setattr(files, "write_csv", full)
    with Beside() as beside:
        with pytest.raises(DiskError):
            write_results(done, tmp_path, beside=beside)
        assert not list(tmp_path.iterdir())
        beside.submit(divmod, 7, 2)()  # nothing is drawn any more
        assert not list(tmp_path.iterdir())


def test_the_tuned_map_is_the_truth(done, truth_map):
    inside = truth_map >= 0
    assert done.verdict == DOMAINS
    assert adjusted_rand_score(truth_map[inside], done.labels[inside]) > 0.95
    assert done.tuned.rewards["total"] >= done.default.rewards["total"]


def test_all_files_of_the_contract(folder):
    assert {p.name for p in folder.iterdir()} == FILES
    assert (folder / "columns.csv").read_text().split("\n")[0].startswith(COLUMNS)
    assert (folder / "cells.csv").read_text().split("\n")[0] == CELLS
    for picture in folder.glob("*.png"):
        assert picture.stat().st_size > 10_000


def test_result_json_says_what_was_found(folder, done, junction):
    result = json.loads((folder / "result.json").read_text())
    assert result["verdict"] == "domains" and result["n_domains"] == 3
    assert {"continuity", "straightness", "evidence", "total"} <= set(result["rewards"])
    assert result["n_columns"] == len(pd.read_csv(folder / "columns.csv"))
    assert result["n_cells"] == len(pd.read_csv(folder / "cells.csv"))
    assert result["parameters"] == dict(done.tuned.parameters) and result["seed"] == 1
    assert result["input"]["shape"] == list(junction.image.shape)
    assert result["input"]["pixel_size_nm"] == pytest.approx(junction.image.pixel_size_nm)
    assert {"timings_s", "versions", "walls"} <= set(result) and 0.8 < result["stability"] <= 1


def test_cells_are_in_physical_units(folder, junction):
    cells = pd.read_csv(folder / "cells.csv")
    assert cells["a_nm"].mean() == pytest.approx(junction.specimen.a_nm, rel=0.02)
    assert cells["area_nm2"].mean() == pytest.approx(junction.specimen.a_nm**2, rel=0.03)
    assert np.hypot(cells["px_pm"], cells["py_pm"]).median() == pytest.approx(36, rel=0.15)


def test_trials_and_front(folder):
    trials, front = (pd.read_csv(folder / f"{n}.csv") for n in ("trials", "pareto"))
    assert len(trials) == 24 and 0 < len(front) <= 24
    assert set(front["number"]) <= set(trials["number"])
    assert {"n_clusters", "continuity", "total", "seconds"} <= set(trials)


def test_same_seed_same_bytes(folder, junction, tmp_path):
    write_results(analyze(junction.image, SearchPlan(24, 1)), tmp_path)
    for name in ("columns.csv", "cells.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    one, two = (json.loads((d / "result.json").read_text()) for d in (folder, tmp_path))
    for result in (one, two):
        result.pop("timings_s")
    assert one == two
    one, two = (pd.read_csv(d / "trials.csv").drop(columns="seconds") for d in (folder, tmp_path))
    assert one.equals(two)


def test_pixels_are_the_unit_where_no_size_is_known(junction, tmp_path):
    image = image_from_array(junction.image.data)
    result = write_results(analyze(image, SearchPlan(9)), tmp_path)
    header = (tmp_path / "cells.csv").read_text().split("\n")[0]
    assert header == CELLS.replace("_pm", "_px").replace("_nm2", "_px2").replace("_nm", "_px")
    assert "no_pixel_size" in {note["code"] for note in result["warnings"]}


@pytest.mark.parametrize("dose", [20, 100])
def test_a_single_domain_is_no_map(dose, tmp_path):
    p = simulate_phantom(Specimen(layout="single", cells=40, cell_px=16, dose=dose), 2)
    result = write_results(analyze(p.image, SearchPlan(24)), tmp_path)
    assert result["verdict"] == "no domains" and result["n_domains"] == 1
    assert result["walls"]["n_segments"] == 0
    assert set(pd.read_csv(tmp_path / "cells.csv")["label"]) == {-1, 0}


def test_one_sublattice_is_analyzed_by_its_strain(tmp_path):
    steady = dict(jitter_px=0, drift_px=0)  # nothing tells which axis of the scan is the fast one
    film = Specimen("stripes", 50, 16, dose=100, b_intensity=0, shear=0.04, **steady)
    p = simulate_phantom(film, 0)
    result = write_results(analyze(p.image, SearchPlan(48, scan_axis="x")), tmp_path)
    assert result["evidence"] == "lattice" and result["sublattices"] == ["A"]
    assert "second_sublattice_not_seen" in {note["code"] for note in result["warnings"]}
    prepared = prepare_image(p.image)
    truth = true_label_map(p.truth, prepared.lattice.cells, prepared.mask)
    cells = pd.read_csv(tmp_path / "cells.csv")
    label = truth[cells["i"], cells["j"]]
    assert result["verdict"] == "domains"
    assert adjusted_rand_score(label[label >= 0], cells["label"][label >= 0]) > 0.8
    unknown = conclude_analysis(prepared, analyze(p.image, SearchPlan(2)).trials, 0)
    assert unknown.verdict == "undecided" and "--scan-axis" in unknown.reason


def test_labels_keep_their_meaning_between_maps(prepared):
    maps = [
        name_labels(
            prepared,
            evaluate_configuration(
                prepared,
                {
                    "site": "cell",
                    "normalisation": "zscore",
                    "n_components": 6,
                    "n_clusters": 3,
                    "covariance": c,
                },
            ).labels,
        )
        for c in ("full", "tied")
    ]
    inside = prepared.mask
    assert (maps[0] == maps[1])[inside].mean() > 0.95


def test_conclude_repeats_what_the_search_saw(prepared):
    trials = search_configurations(prepared, SearchPlan(10))
    result = conclude_analysis(prepared, trials, 0)
    best = best_trial(trials)
    again = [
        evaluate_configuration(half, best.parameters).rewards for half in prepared.cross_fitted
    ]
    assert again[0] == dict(best.rewards)
    means = {name: (value + again[1][name]) / 2 for name, value in again[0].items()}
    assert dict(result.tuned.rewards) == pytest.approx(means)


def test_a_map_of_the_judge_chooses_among_the_leading_trials(prepared):
    trials, work = search_configurations(prepared, SearchPlan(16)), SharedWork(prepared)
    ordered = sorted(trials, key=lambda t: -t.rewards["total"])
    maps = [label_map(work, t.parameters) for t in ordered]
    aimed = Judgment(DOMAINS, "", maps[2], compared=0.5)
    assert tuned_trial(work, trials, aimed) == ordered[2] != best_trial(trials)
    beyond = tuned_trial(work, trials, replace(aimed, candidate=maps[-1]))
    assert beyond in ordered[:8]
    agreement = [replace(aimed, candidate=maps[-1]).agreement(m) for m in maps]
    assert agreement[ordered.index(beyond)] == max(agreement[:8]) and agreement[-1] == 1
    assert tuned_trial(work, trials, replace(aimed, compared=0.0)) == best_trial(trials)
    assert tuned_trial(work, trials[:1], aimed) == trials[0]
    network = Trial(99, "vae", {**ordered[2].parameters, "descriptor": "vae"}, {"total": 0.0}, 1.0)
    assert tuned_trial(work, [*trials, network], aimed) == ordered[2]
    unchanged = tuned_trial(work, trials, replace(aimed, candidate=maps[0]))
    assert unchanged == best_trial(trials)


@pytest.mark.slow
def test_where_contrast_is_weak_the_tuned_map_is_like_the_one_that_is_shown(tmp_path):
    weak = {"dose": 12.0, "polarization_pm": 14.0, "mistilt_pm": 14.0, "wall_cells": 2.5}
    p = simulate_phantom(Specimen("closure", 60, 16, **weak), 806)
    done = analyze(p.image, SearchPlan(32), workers=2)
    assert done.verdict == DOMAINS and done.judgment.compared and done.by_agreement
    truth = true_label_map(p.truth, done.prepared.lattice.cells, done.prepared.mask)
    first = label_map(done.work, best_trial(done.trials).parameters)
    assert done.judgment.agreement(done.tuned.labels) > done.judgment.agreement(first)
    assert adjusted_rand_score(truth[truth >= 0], done.labels[truth >= 0]) > 0.8
    result = write_results(done, tmp_path)
    assert result["chosen_by"] == "agreement"
    assert "by agreement with the map of the test" in facts_table(done, result)["chosen from"]
    assert "not the highest" in grounds_table(done, result).loc["total", "means"]
    assert "by agreement with the map of the test" in methods_paragraph(load_answer(tmp_path))
    shared = conclude_analysis(done.prepared, done.trials, 0, work=done.work, by_judge=False)
    assert not shared.by_agreement and shared.judgment.compared


@pytest.mark.slow
def test_the_phantom_of_the_book_is_mapped_as_it_was_made():
    p = simulate_phantom(Specimen(substrate=0.06), 0)
    done = analyze(p.image, SearchPlan(64))
    truth = true_label_map(p.truth, done.prepared.lattice.cells, done.prepared.mask)
    film = truth >= 0
    tuned, default = (
        adjusted_rand_score(truth[film], labels[film])
        for labels in (done.labels, done.default.labels)
    )
    assert tuned >= 0.95 and tuned > default
    assert done.verdict == DOMAINS
