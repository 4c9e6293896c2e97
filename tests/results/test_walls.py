import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bfo_utils.report import write_results
from bfo_utils.results import analyze, domains_table, measure_walls
from bfo_utils.search import SearchPlan
from bfo_utils.simulation import Specimen, simulate_phantom


def analyzed(layout, **change):
    size = {"cells": 34, "cell_px": 16, "dose": 100, "mistilt_pm": 0}
    return analyze(simulate_phantom(Specimen(layout, **{**size, **change}), 3).image, SearchPlan(2))


@pytest.fixture(scope="module")
def done():
    return analyzed("halves", wall_cells=2)


@pytest.fixture(scope="module")
def measured(done):
    return measure_walls(done, domains_table(done))


def test_a_straight_wall_is_measured(done, measured):
    (wall,) = measured.walls.to_dict("records")
    assert (wall["name_1"].split(",")[0], wall["name_2"].split(",")[0]) == ("down-right", "up-left")
    rows = sum({0, 2} <= set(row) for row in done.labels.tolist())
    assert wall["length_nm"] == pytest.approx(rows * 0.396, rel=0.03)
    assert wall["direction_deg"] == pytest.approx(91.5, abs=3) and wall["straightness"] == 1
    assert wall["sinuosity"] == pytest.approx(1, abs=0.05)
    assert wall["turn_deg"] == pytest.approx(180, abs=3) and wall["wall_types"].startswith("180")
    assert wall["width_nm"] == pytest.approx(2 * 2 * 0.396, rel=0.15)
    assert abs(wall["width_nm"] - 2 * 2 * 0.396) < 6 * wall["se_width_nm"]
    assert wall["p_step_pm"] == pytest.approx(72, rel=0.1) and wall["kind"] == "domain wall"
    along = wall["charge_share"] * wall["p_step_pm"] * 1e-12
    charge = 1.602e-19 * along / 0.396e-9**3
    assert wall["bound_charge_per_born_C_m2"] == pytest.approx(charge, rel=0.02)


def test_walls_end_where_they_meet_not_at_corners_of_cells():
    junction = analyzed("junction", wall_cells=1)
    lengths = measure_walls(junction, domains_table(junction)).walls["length_nm"] / 0.396
    # in cells: of the straight walls inside the analyzed cells (phantoms take the layout an eighth
    # of a cell right of and below the middle of a cell)
    assert sorted(lengths) == pytest.approx([10.30, 17.60, 19.66], rel=0.03)


def test_widths_are_less_certain_where_cells_share_noise(done, measured):
    prepared = replace(done.prepared)
    halves, (_, two) = done.prepared.halves, done.prepared.halves.cells
    shared = np.random.default_rng(1).normal(size=(1, two.polar.shape[1], 2))
    prepared.__dict__["halves"] = replace(
        halves, cells=(replace(two, polar=two.polar + shared), two)
    )
    less = replace(done, prepared=prepared)
    other = measure_walls(less, domains_table(less)).walls
    # of a row and both its neighbors: three times the variance
    more = other["se_width_nm"].item() / measured.walls["se_width_nm"].item()
    assert 1.2 < more < 1.8 and other["width_nm"].tolist() == measured.walls["width_nm"].tolist()


def test_charge_follows_the_polar_sign(done, measured):
    assert measured.walls["charge"].item() == "head-to-head"
    assert measured.walls["charge_share"].item() == pytest.approx(2**-0.5, abs=0.1)
    turned = replace(done, prepared=replace(done.prepared, polar_sign=-1, born_charge=7.0))
    other = measure_walls(turned, domains_table(turned)).walls
    one = measured.walls.iloc[0]
    assert np.isnan(one["bound_charge_C_m2"])
    charge = -7 * one["bound_charge_per_born_C_m2"]
    assert other["bound_charge_C_m2"].item() == pytest.approx(charge)
    assert other["charge"].item() == "tail-to-tail"
    assert other["turn_deg"].item() == pytest.approx(measured.walls["turn_deg"].item())


def test_profiles_run_from_the_first_label_to_the_second(measured):
    profile = measured.profiles
    first, last = profile.iloc[0], profile.iloc[-1]
    assert first["distance_nm"] < 0 < last["distance_nm"] and set(profile["segment"]) == {0}
    assert first["p_perpendicular_pm"] > 20 and last["p_perpendicular_pm"] < -20  # head to head
    assert np.sign(first["p_parallel_pm"]) == -np.sign(last["p_parallel_pm"])
    middle = profile.iloc[profile["distance_nm"].abs().argmin()]
    assert abs(middle["p_perpendicular_pm"]) < 15


def test_walls_along_the_step_of_p_are_neutral():
    done = analyzed("quadrants", cells=40)
    walls = measure_walls(done, domains_table(done)).walls
    long = walls[walls["length_nm"] > 3]
    assert len(long) == 4 and set(long["charge"]) == {"neutral"}
    assert long["turn_deg"].tolist() == pytest.approx([90] * 4, abs=6)
    assert all(types.startswith("71 or 109") for types in long["wall_types"])


def test_diagonal_walls_are_as_long_as_they_are():
    done = analyzed("diagonal", cells=40)
    walls = measure_walls(done, domains_table(done))
    for length, ends in zip(walls.walls["length_nm"], walls.lines):
        points = ends.reshape(-1, 2)
        chord = np.linalg.norm(points.max(axis=0) - points.min(axis=0)) / 16 * 0.396
        assert length == pytest.approx(chord, rel=0.03)


def test_a_closed_wall_has_charges_of_both_signs():
    done = analyzed("island", cells=40)
    wall = measure_walls(done, domains_table(done)).walls.iloc[0]
    assert wall["charge"] == "mixed" and wall["sinuosity"] > 1.5


def test_strain_says_along_which_direction_the_domains_fit():
    done = analyzed("diagonal", cells=40, shear=0.02)
    walls = measure_walls(done, domains_table(done)).walls
    assert (walls["jump_exy"].abs() > 3 * walls["se_jump_exy"]).all()
    # the phantom's lattice is continuous: its strain fits along the wall
    assert walls["off_compatible_deg"].abs().max() < 10
    assert (walls["strain_along"].abs() < 3 * walls["se_strain_along"]).all()
    assert walls["compatible_deg"].between(35, 58).all()


def test_no_walls_are_tables_without_rows(tmp_path):
    done = analyzed("single")
    measured = measure_walls(done, domains_table(done))
    assert measured.walls.empty and measured.profiles.empty and measured.lines == []
    assert (
        "width_nm" in measured.walls.columns and "p_perpendicular_pm" in measured.profiles.columns
    )
    write_results(done, tmp_path)
    assert pd.read_csv(tmp_path / "walls.csv").empty
    assert json.loads((tmp_path / "walls.geojson").read_text())["features"] == []


def test_without_a_second_sublattice_walls_have_no_charge():
    done = analyzed("stripes", b_intensity=0, shear=0.05, cells=40)
    shown = replace(done.judgment, verdict="domains", candidate=_halves(done.prepared.mask))
    done = replace(done, judgment=shown)
    wall = measure_walls(done, domains_table(done)).walls.iloc[0]
    assert wall["charge"] == "" and np.isnan(wall["width_nm"]) and wall["length_nm"] > 5


def _halves(mask):
    return np.where(mask, (np.arange(mask.shape[1]) > mask.shape[1] // 2).astype(int), -1)


def test_files_hold_the_tables(done, measured, tmp_path):
    write_results(done, tmp_path)
    stored = pd.read_csv(tmp_path / "walls.csv")
    assert stored["width_nm"].tolist() == pytest.approx(measured.walls["width_nm"].tolist())
    (feature,) = json.loads((tmp_path / "walls.geojson").read_text())["features"]
    lines = np.array(feature["geometry"]["coordinates"])
    assert feature["properties"]["charge"] == "head-to-head" and lines.shape[1:] == (2, 2)
    assert np.ptp(lines[..., 1]) > 5 * np.ptp(lines[..., 0])
    assert len(pd.read_csv(tmp_path / "profiles.csv")) == len(measured.profiles)
