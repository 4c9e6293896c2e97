"""A small series is read, tuned composition by composition and together, and judged."""

from dataclasses import replace

import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.search import (
    SearchPlan,
    best_trial,
    evaluate_configuration,
    optimizer,
    search_configurations,
)
from bfo_utils.smbfo import (
    DIRECTIONS,
    NO_VARIANT,
    SIMULATED,
    SeriesStyle,
    agreements,
    compare_parameters,
    curves_beside_authors,
    judge_members,
    measured_means,
    order_boundary,
    pair_of,
    read_members,
    series_latents,
    series_specimen,
    simulate_members,
    simulate_series,
    trend_curves,
    trends_table,
    tune_members,
    variant_map,
    write_series,
)
from bfo_utils.vae import vae_available

IDS = ("Sm_0_0", "Sm_7_1", "Sm_13_1", "Sm_20_0")
STYLE = SeriesStyle(cells=24, cell_px=16, p_order="yx", unit=-0.01)
PLAN = SearchPlan(12, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four compositions; Pxy holds y first and points the other way; the last image has no
    parameter file.
    """
    where = tmp_path_factory.mktemp("series")
    write_series(where, IDS, STYLE)
    (where / pair_of("Sm_20_0").parameters).unlink()
    return where


@pytest.fixture(scope="module")
def members(folder):
    return read_members(folder, pixel_size_nm=STYLE.pixel_nm, workers=2)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return tmp_path_factory.mktemp("records")


@pytest.fixture(scope="module")
def tuning(members, records):
    return tune_members(members, PLAN, records)


@pytest.fixture(scope="module")
def findings(members, tuning):
    return judge_members(members, tuning, PLAN)


@pytest.fixture(scope="module")
def table(findings):
    return trends_table(findings).set_index("id", drop=False)


def test_members_are_the_images_of_the_folder_in_the_order_of_samarium(members):
    assert [m.id for m in members] == list(IDS) and [m.samarium for m in members] == [0, 7, 13, 20]
    assert members[0].prepared.image.pixel_size_nm == STYLE.pixel_nm
    assert [m.comparison is None for m in members] == [False, False, False, True]
    assert members[3].note == "no file Sm_20_0_UCParameterization.h5" and not members[0].note


def test_parameters_of_another_image_are_noted_and_not_used(folder, tmp_path):
    write_series(tmp_path, ["Sm_0_0"], STYLE)
    write_series(tmp_path, ["Sm_7_0"], SeriesStyle(cells=12, cell_px=40))
    (tmp_path / "Sm_7_0_UCParameterization.h5").replace(tmp_path / "Sm_0_0_UCParameterization.h5")
    (tmp_path / "Sm_7_0_HAADF.h5").unlink()
    (member,) = read_members(tmp_path)
    assert member.comparison is None and "give files that belong together" in member.note
    assert member.prepared.image.pixel_size_nm is None


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no image of the Sm-BFO series"):
        read_members(tmp_path)


def test_the_joint_configuration_has_the_highest_sum_of_totals_that_was_tried(members, tuning):
    halves = [m.prepared.cross_fitted[0] for m in members]  # that maps are drawn from
    sums = [
        sum(evaluate_configuration(h, t.parameters, PLAN.seed).rewards["total"] for h in halves)
        for t in tuning.joint
    ]
    top = best_trial(tuning.joint)
    assert (
        max(sums)
        == pytest.approx(sums[top.number])
        == pytest.approx(len(members) * top.rewards["total"])
    )


def test_every_composition_is_searched_alone(members, tuning):
    assert list(tuning.own) == [0, 7, 13, 20]
    alone = search_configurations(members[1].prepared, PLAN)
    assert [(t.parameters, t.rewards) for t in tuning.own[7]] == [
        (t.parameters, t.rewards) for t in alone
    ]
    chosen = tuning.parameters()
    assert list(chosen) == ["default", "0 % Sm", "7 % Sm", "13 % Sm", "20 % Sm", "joint"]
    assert (
        chosen.loc["n_clusters", "7 % Sm"] == best_trial(alone).parameters["n_clusters"]
        and "method" not in chosen.index
    )


def test_a_second_call_evaluates_nothing(members, tuning, records, monkeypatch):
    monkeypatch.setattr(optimizer, "evaluate_configuration", None)
    again = tune_members(members, PLAN, records, workers=2)
    assert [t.rewards for t in again.joint] == [t.rewards for t in tuning.joint]


def test_the_better_map_stands(findings):
    for finding in findings:
        both = [a.tuned.rewards["total"] for a in (finding.own, finding.joint)]
        assert finding.best.tuned.rewards["total"] == max(both)
    assert findings[0].best.verdict == "domains" and findings[-1].best.verdict == "no domains"


def test_displacement_and_coherence_follow_what_was_simulated(table):
    true = {i: series_specimen(pair_of(i), STYLE).polarization_pm for i in IDS}
    assert (
        table["coherent"].is_monotonic_decreasing and table["displacement"].is_monotonic_decreasing
    )
    for name in IDS[:3]:
        assert table.loc[name, "displacement"] == pytest.approx(true[name], rel=0.15)
    assert (
        table.loc["Sm_20_0", "coherent"] < 4
        and table.loc["Sm_20_0", "order"] < 0.5 < table.loc["Sm_0_0", "order"]
    )


def test_lattice_is_in_nm_and_shrinks(table):
    assert (
        table["area"].iloc[0] == pytest.approx(0.3952**2, rel=0.02)
        and table["angle"].between(89, 91).all()
    )
    assert table["area"].iloc[-1] < table["area"].iloc[0]


def test_shares_sum_to_one_and_four_variants_are_found(table):
    shares = table[[*DIRECTIONS, NO_VARIANT]]
    assert np.allclose(shares.sum(axis=1), 1) and shares.loc["Sm_20_0", NO_VARIANT] == 1
    assert (shares.loc["Sm_0_0", list(DIRECTIONS)] > 0.15).all()
    assert table.loc["Sm_20_0", "walls"] == 0 < table.loc["Sm_0_0", "walls"]


def test_variants_are_those_of_the_truth(findings):
    made = simulate_series(pair_of("Sm_0_0"), STYLE)
    variants = variant_map(findings[0].best)
    cells = findings[0].member.prepared.lattice.cells
    at = variants >= 0
    nearest = [np.argmin(np.hypot(*(made.truth.cell_xy - xy).T)) for xy in cells.xy[at]]
    assert (made.truth.cell_variant[nearest] == variants[at]).mean() > 0.95


def test_without_a_second_sublattice_nothing_is_said_of_variants(findings, members):
    analysis = findings[0].best
    lattice = members[0].prepared.lattice
    cells = replace(lattice.cells, has_b=False, polar=np.full_like(lattice.cells.polar, np.nan))
    blind = replace(members[0].prepared, lattice=replace(lattice, cells=cells))
    assert set(np.unique(variant_map(replace(analysis, prepared=blind)))) == {-1, 4}
    found = measured_means(blind)
    assert (
        all(np.isnan(found[name]) for name in ("displacement", "coherent", "order"))
        and found["a"] > 0
    )


def test_the_authors_stand_beside_us(table, members):
    ratios = curves_beside_authors(table)
    assert list(ratios) == ["Pxy", "a", "b", "alpha", "Vol"] and np.isnan(
        ratios["Pxy"]["authors"].iloc[-1]
    )
    for name, rows in ratios.items():
        assert np.allclose(
            rows["ours"].iloc[:3], rows["authors"].iloc[:3], atol=0.06 if name == "Pxy" else 0.005
        )
    order, frame = agreements(members)
    assert order == "yx" and frame["explained"].iloc[0] > 0.9 and frame["scale_x"].iloc[0] < 0
    assert np.isnan(frame["explained"].iloc[3]) and frame["note"].iloc[3] == members[3].note


def test_a_series_without_the_authors_has_no_order(members):
    order, frame = agreements(members[3:])
    assert order == "" and list(frame["id"]) == ["Sm_20_0"]


def test_a_simulated_series_has_two_images_of_each_composition(tmp_path):
    made = simulate_members(tmp_path, cells=14, workers=2)
    assert [m.id for m in made] == list(SIMULATED) and len(made) == 10
    assert made[0].prepared.image.pixel_size_nm == SeriesStyle(cells=14).pixel_nm


@pytest.mark.parametrize(("calibrated", "unit"), [(True, "nm"), (False, "px")])
def test_curves_name_their_units(table, calibrated, unit):
    labels = list(trend_curves(table, calibrated))
    assert labels[3:] == [f"edge ({unit})", "angle (degrees)", f"area ({unit}²)"]


def test_simulated_values_are_not_called_the_authors(table):
    for rows in curves_beside_authors(table, "simulated values").values():
        assert list(rows) == ["ours", "simulated values"]


def test_an_array_of_two_rows_counts_by_its_length(members):
    own = members[0].parameters
    angle = np.deg2rad(7)
    edges = own.grid["a"][..., None] * [np.cos(angle), np.sin(angle)]
    two = replace(own, grid=own.grid | {"a": edges})
    assert np.allclose(two.scalar("a"), own.scalar("a"), equal_nan=True)
    assert own.scalar("no such array") is None
    compared = compare_parameters(two, members[0].prepared.lattice.cells).table
    assert "a" in set(compared["theirs"])


@pytest.mark.parametrize("end", [9.0, 16.0])
def test_the_boundary_lies_where_the_displacement_vanishes(end):
    rng = np.random.default_rng(int(end))
    samarium = np.repeat([0, 7, 10, 13, 20], [3, 5, 2, 2, 2])
    squares = 1 + 40 * np.maximum(end - samarium, 0)
    coherent = np.sqrt(squares) * (1 + 0.02 * rng.standard_normal(len(samarium)))
    found = order_boundary(samarium, coherent, repeats=100)
    assert found.content == pytest.approx(end, abs=0.8) and found.low <= found.content <= found.high
    assert found.low - 0.5 < end < found.high + 0.5 and "% Sm (95 % interval" in str(found)
    assert order_boundary(samarium, coherent, repeats=100) == found


def test_a_series_that_stays_ordered_has_no_boundary():
    samarium = np.repeat([0, 5, 10], 3)
    found = order_boundary(samarium, np.sqrt(100 - samarium), repeats=20)
    assert np.isinf(found.high) and "without limit" in str(found)


@pytest.mark.skipif(not vae_available(), reason="torch and AtomAI are not installed")
@pytest.mark.parametrize("condition", ["none", "composition"])
def test_one_autoencoder_describes_a_whole_series(members, condition):
    found = series_latents(members, condition, epochs=1, most=30)
    contents = sorted({member.samarium for member in members})
    assert found.latents.shape == (30 * len(members), 3)
    assert sorted(set(found.samarium)) == contents
    assert {"% Sm", "polar x"} <= set(found.shares.index)
    assert list(found.shares.columns) == found.names == ["angle", "latent 1", "latent 2"]


def test_an_unknown_condition_is_told():
    with pytest.raises(InputError, match="condition 'cation': unknown; choose none or composition"):
        series_latents([], "cation")
