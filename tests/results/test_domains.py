import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bfo_utils.io import image_from_array
from bfo_utils.report import write_results
from bfo_utils.results import analyze, domains_table, patches_table
from bfo_utils.search import SearchPlan
from bfo_utils.simulation import Specimen, simulate_phantom, true_label_map

PLAN = SearchPlan(2)


def phantom(layout, **change):
    size = {"cells": 30, "cell_px": 16, "dose": 100, "mistilt_pm": 0}
    return simulate_phantom(Specimen(layout, **{**size, **change}), 3)


@pytest.fixture(scope="module")
def halves():
    return phantom("halves")


@pytest.fixture(scope="module")
def done(halves):
    return analyze(halves.image, PLAN)


@pytest.fixture(scope="module")
def table(done):
    return domains_table(done)


def test_domains_are_named_by_where_they_point(table):
    assert [name.split(",")[0] for name in table["name"]] == ["down-right", "up-left"]
    shares = [int(name.split()[-2]) for name in table["name"]]
    assert shares == [round(100 * s) for s in table["share"]] and table["share"].sum() == 1
    assert set(table["kind"]) == {"variant"}


def test_mean_displacement_is_that_of_the_truth(table, done, halves):
    cells, truth = done.prepared.lattice.cells, halves.truth
    true = true_label_map(truth, cells, done.prepared.mask)
    for (_, row), variant in zip(table.iterrows(), (0, 2)):
        own = (done.labels == row["label"]) & (true == variant)
        near = np.linalg.norm(truth.cell_xy[:, None] - cells.xy[own], axis=-1).min(axis=1) < 4
        for k, name in enumerate(("px_pm", "py_pm")):
            off = row[name] - truth.cell_p_pm[near, k].mean()
            assert abs(off) < 3 * row[f"se_{name}"] < 2
        assert row["p_pm"] == pytest.approx(np.hypot(row["px_pm"], row["py_pm"]))


def test_the_polar_sign_turns_the_arrow_and_the_name(done, table):
    other = domains_table(replace(done, prepared=replace(done.prepared, polar_sign=-1)))
    assert [name.split(",")[0] for name in other["name"]] == ["up-left", "down-right"]
    assert other["px_pm"].tolist() == table["px_pm"].tolist()
    turned = (other["p_angle_deg"] - table["p_angle_deg"]) % 360
    assert turned.tolist() == pytest.approx([180, 180])


def test_errors_know_that_the_scan_displaces_whole_rows():
    image = phantom("single", jitter_px=0.5, rotation_deg=0).image
    table = domains_table(analyze(image, replace(PLAN, scan_axis="none")))
    assert table["se_px_pm"].item() > 3 * table["se_py_pm"].item()


def test_errors_hold_what_is_not_known_of_the_rows_of_the_scan(done, table):
    scan = done.prepared.scan
    without = replace(done, prepared=replace(done.prepared, scan=replace(scan, axis="none")))
    known = domains_table(without)
    assert scan.axis == "x" and (known["se_px_pm"] < table["se_px_pm"]).all()
    assert known["se_py_pm"].tolist() == table["se_py_pm"].tolist()


@pytest.mark.parametrize("layout", ["halves", "single"])
def test_errors_hold_a_mistilt_that_changes_inside_domains(layout, table):
    tilted = domains_table(analyze(phantom(layout, mistilt_pm=8).image, PLAN))
    for name in ("se_px_pm", "se_py_pm"):
        assert (tilted[name] > 1).all() and (table[name] < 0.7).all()


def test_a_wide_wall_is_no_mistilt():
    table = domains_table(analyze(phantom("halves", wall_cells=4, cells=36).image, PLAN))
    assert len(table) == 2 and (table[["se_px_pm", "se_py_pm"]] < 0.7).all(axis=None)


def test_a_map_of_one_label_is_one_row():
    done = analyze(phantom("single").image, PLAN)
    table = domains_table(done)
    assert len(table) == 1 and table["share"].item() == 1 and table["label"].item() == 0
    assert table["name"].item() == "down-right, 100 %" and np.isnan(table["stability"].item())
    assert len(patches_table(done, table)) == 1


def test_every_patch_is_a_row():
    done = analyze(phantom("stripes", cells=40, dose=200).image, PLAN)
    domains = domains_table(done)
    patches = patches_table(done, domains)
    assert len(patches) == 5 and patches["patch"].tolist() == list(range(5))
    sums = patches.groupby("label")["n_cells"].sum()
    assert sums.tolist() == domains["n_cells"].tolist()
    first = patches.iloc[0]
    own = done.labels == first["label"]
    assert own[tuple(np.argwhere(own)[0])] and first["p_pm"] == pytest.approx(36, rel=0.1)


def test_cells_that_do_not_move_are_substrate_or_non_polar():
    film = phantom("single", cells=40, substrate=0.4)
    labels = np.where(analyze(film.image, PLAN).prepared.mask, 0, -1)
    done = analyze(film.image, PLAN)
    xy = done.prepared.lattice.cells.xy[..., 0]
    split = np.where(labels < 0, -1, (xy > 0.4 * film.image.shape[1]).astype(int))
    shown = replace(done.judgment, verdict="domains", candidate=split)
    assert domains_table(replace(done, judgment=shown))["kind"].tolist() == ["substrate", "variant"]


def test_without_a_second_sublattice_domains_are_states_of_strain():
    image = phantom("single", b_intensity=0).image
    table = domains_table(analyze(image, PLAN))
    assert table["name"].item() == "state of strain, 100 %" and np.isnan(table["p_pm"].item())


def test_files_and_result_json_hold_the_same_table(done, table, tmp_path):
    result = write_results(done, tmp_path)
    stored = pd.read_csv(tmp_path / "domains.csv")
    assert stored.columns.tolist() == table.columns.tolist()
    assert stored["a_nm"].tolist() == pytest.approx(table["a_nm"].tolist())
    assert json.loads((tmp_path / "result.json").read_text())["domains"] == result["domains"]
    assert [row["name"] for row in result["domains"]] == table["name"].tolist()
    assert len(pd.read_csv(tmp_path / "patches.csv")) == 2


def test_px_are_the_unit_where_no_size_is_known(halves, tmp_path):
    result = write_results(analyze(image_from_array(halves.image.data), PLAN), tmp_path)
    assert {"px_px", "area_px2", "a_px", "p_px"} <= set(result["domains"][0])
    assert not any(name.endswith(("_pm", "_nm", "_nm2")) for name in result["domains"][0])
