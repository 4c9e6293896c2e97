"""The judge: what it accepts, what it refuses, and what it leaves open."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from bfo_utils.report import facts_table, grounds_table, write_results
from bfo_utils.results import DOMAINS, NO_DOMAINS, UNDECIDED, Judgment, judge_domains
from bfo_utils.results import judgment as judgment_module
from bfo_utils.search import prepare_image
from bfo_utils.simulation import Specimen, simulate_phantom, true_label_map

NO_REWARDS = {"contrast": 0.0, "evidence": 0.0}


def judged(seed=7, labels=None, **changes):
    """A phantom, its judgment without a map by rewards, and the truth."""
    made = simulate_phantom(Specimen(**{"cells": 32, "cell_px": 16} | changes), seed)
    prepared = prepare_image(made.image)
    chosen = np.where(prepared.mask, 0, -1) if labels is None else labels(prepared, made)
    outcome = SimpleNamespace(labels=chosen, rewards=NO_REWARDS)
    return (
        prepared,
        judge_domains(prepared, outcome),
        true_label_map(made.truth, prepared.lattice.cells, prepared.mask),
    )


# smaller than what feigns a polar displacement, and walls of strain all the same
JUMPS = dict(jumps=6, jump_px=0.4, jitter_px=0.0, cells=40, cell_px=20, rotation_deg=-2.46, dose=20)


def kinds(judgment):
    return [f["kind"] for f in judgment.findings]


@pytest.mark.parametrize("dose", [20, 100])
def test_weak_domains_are_found_where_single_cells_say_nothing(dose):
    size = {20: 9.0, 100: 5.0}[dose]
    _, judgment, truth = judged(layout="halves", dose=dose, polarization_pm=size)
    assert judgment.verdict == DOMAINS and "ferroelectric domains" in kinds(judgment)
    inside = truth >= 0
    assert adjusted_rand_score(truth[inside], judgment.candidate[inside]) > 0.7
    assert judgment.compared == 0.5
    assert judgment.agreement(judgment.candidate) == 1 > judgment.agreement(truth) > 0.7
    assert judgment.leading([0.1, 0.4, 0.2, 0.3, 0.5]).tolist() == [4, 1, 3]
    numbers = next(f for f in judgment.findings if f["kind"] == "ferroelectric domains")["numbers"]
    wall = numbers["walls"][0]
    assert numbers["variants"] == 2 and abs(wall["step_pm"] - 1.9 * size) < 5 * wall["se_pm"]


@pytest.mark.parametrize(
    "changes",
    [
        {"mistilt_pm": 14.0},
        {"bend_deg": 3.0},
        {"jitter_px": 0.4, "jitter_rows": 8.0},
        {"hum_px": 0.3},
        {**JUMPS, "polarization_pm": 0.0, "seed": 2027},
        {**JUMPS, "polarization_pm": 0.0, "seed": 2029},
        {"polarization_pm": 0.0},
        {"substrate": 0.2},
    ],
    ids=["tilt", "bending", "jitter", "hum", "jumps", "more jumps", "not polar", "substrate"],
)
def test_what_is_no_domain_is_not_called_one(changes):
    _, judgment, _ = judged(**{"layout": "single", "dose": 60} | changes)
    assert judgment.verdict == NO_DOMAINS and "would have been detected" in judgment.reason
    assert set(np.unique(judgment.candidate)) == {-1, 0}
    if "substrate" in changes:
        assert "interface" in kinds(judgment)


def test_twins_without_polarization_are_domains():
    _, judgment, truth = judged(
        layout="stripes", dose=100, shear=0.02, polarization_pm=0.0, mistilt_pm=0.0
    )
    assert judgment.verdict == DOMAINS and "ferroelastic domains" in kinds(judgment)
    assert "ferroelectric domains" not in kinds(judgment)
    inside = truth >= 0
    assert adjusted_rand_score(truth[inside], judgment.candidate[inside]) > 0.6


def test_strain_that_varies_like_a_wave_is_not_decided(monkeypatch):
    weak = {"dose": 12.0, "polarization_pm": 14.0, "mistilt_pm": 14.0, "wall_cells": 2.5}
    prepared, judgment, _ = judged(704, layout="stripes", cells=60, **weak)
    polar, strain = (judgment.answers[k] for k in ("polar", "lattice"))
    assert not polar.doubtful and max(w.z for w in strain.walls) > 40
    assert strain.wavy and strain.doubtful and not strain.holds
    assert judgment.verdict == UNDECIDED and "smooth wave (separation 3." in judgment.reason
    beyond = [{"labels": [0, 1], "amplitude_step": 0.3, "height_step": 0.3}]
    monkeypatch.setattr(judgment_module, "_interfaces", lambda *given: beyond)
    behind = judge_domains(
        prepared, SimpleNamespace(labels=judgment.candidate, rewards=NO_REWARDS), judgment.answers
    )
    assert behind.verdict == NO_DOMAINS and "interface" in kinds(behind)


def test_where_only_the_strain_has_domains_all_trials_are_compared():
    _, judgment, _ = judged(
        layout="stripes", dose=100, shear=0.02, polarization_pm=0.0, mistilt_pm=0.0
    )
    assert judgment.kind == "lattice" and judgment.compared == 1
    assert judgment.leading([0.2, 0.3, 0.0]).tolist() == [1, 0, 2]


def test_trials_with_equal_totals_are_compared_alike():
    shown = Judgment(DOMAINS, "", np.zeros((2, 2), int), compared=0.5)
    assert shown.leading([0.0, 0.5, 0.0, 0.0, 0.1]).tolist() == [1, 4, 0, 2, 3]
    assert shown.leading([0.4]).tolist() == [0]
    assert replace(shown, compared=0.0).leading([0.2, 0.7, 0.7]).tolist() == [1]


def test_a_map_that_explains_too_little_is_not_shown():
    def half_as_many(prepared, made):
        truth = true_label_map(made.truth, prepared.lattice.cells, prepared.mask)
        return np.where(truth >= 0, truth // 2, -1)

    _, judgment, truth = judged(labels=half_as_many, layout="quadrants", cells=40, dose=60)
    inside = truth >= 0
    assert judgment.verdict == DOMAINS and judgment.compared == 0.5
    assert adjusted_rand_score(truth[inside], judgment.candidate[inside]) > 0.9


def test_borders_that_are_not_there_are_taken_out_of_the_map_by_rewards():
    def cut_once_more(prepared, made):
        truth = true_label_map(made.truth, prepared.lattice.cells, prepared.mask)
        lower = np.indices(truth.shape)[0] > len(truth) // 2
        return np.where(truth >= 0, 2 * truth + lower, -1)

    _, judgment, truth = judged(labels=cut_once_more, layout="halves", dose=60)
    inside = truth >= 0
    found = judgment.candidate[inside]
    assert len(np.unique(found)) == 2  # walls may move by a cell
    assert judgment.leading([0.1, 0.4, 0.2, 0.3, 0.5]).tolist() == [4]
    assert adjusted_rand_score(truth[inside], found) > 0.98


def test_an_image_that_could_not_show_domains_decides_nothing():
    _, judgment, _ = judged(layout="single", cells=16, dose=4)
    assert judgment.verdict == UNDECIDED and "record" in judgment.reason


def test_what_is_undecided_keeps_its_candidate(answer, tmp_path):
    open_ = replace(answer, judgment=replace(answer.judgment, verdict=UNDECIDED))
    result = write_results(open_, tmp_path)
    cells = pd.read_csv(tmp_path / "cells.csv")
    assert result["verdict"] == UNDECIDED and result["n_domains"] == 1
    assert set(cells["label"]) == {-1, 0} and cells["candidate_label"].nunique() > 2
    assert facts_table(open_, result)["domains"] == "undecided"
    assert "polar displacement: other half of the data" in grounds_table(open_, result).index
    assert json.loads((tmp_path / "result.json").read_text())["findings"] == result["findings"]
    decided = write_results(answer, tmp_path)
    cells = pd.read_csv(tmp_path / "cells.csv")
    assert decided["verdict"] == DOMAINS and cells["candidate_label"].equals(cells["label"])


def test_a_large_field_is_judged_on_blocks_of_cells():
    _, judgment, truth = judged(layout="quadrants", cells=72, cell_px=12, dose=40)
    assert judgment.answers["polar"].block == 2 and judgment.verdict == DOMAINS
    inside = truth >= 0
    assert adjusted_rand_score(truth[inside], judgment.candidate[inside]) > 0.9
    assert len(np.unique(judgment.candidate[inside])) == 4
    numbers = next(f for f in judgment.findings if f["kind"] == "ferroelectric domains")["numbers"]
    for wall in numbers["walls"]:
        assert wall["step_pm"] == pytest.approx(50, rel=0.15) and wall["length_cells"] > 20


def test_a_large_single_domain_is_none():
    _, judgment, _ = judged(layout="single", cells=72, cell_px=12, dose=40)
    assert judgment.verdict == NO_DOMAINS and judgment.answers["polar"].block == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "dose", "size"),
    [
        ("closure", 15, 20.0),
        ("curved", 40, 14.0),
        ("zigzag", 40, 14.0),
        ("lens", 15, 20.0),
        ("quadrants", 40, 14.0),
        ("fan", 150, 7.5),
    ],
)
def test_displacements_of_two_standard_errors_of_a_cell_are_clear(layout, dose, size):
    _, judgment, truth = judged(layout=layout, cells=44, dose=dose, polarization_pm=size, seed=12)
    inside = truth >= 0
    assert judgment.verdict == DOMAINS
    assert adjusted_rand_score(truth[inside], judgment.candidate[inside]) > 0.8
