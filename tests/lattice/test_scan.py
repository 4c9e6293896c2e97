"""The displacement of scan rows: measured, undone, and never taken for the crystal's own."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import ndimage
from scipy.spatial import cKDTree

from bfo_utils.cli import bfo
from bfo_utils.columns import cut_slices, find_columns, refit_columns, slices
from bfo_utils.errors import InputError
from bfo_utils.io import displace_rows, image_from_array
from bfo_utils.lattice import (
    SMOOTH,
    ScanDistortion,
    build_lattice,
    describe_scan,
    measure_scan,
    multiply_band,
    prior_band,
    row_deviation,
    scan_deviation,
    scan_polar,
    undistorted,
    undo_scan,
)
from bfo_utils.lattice.scan import _fast
from bfo_utils.lattice.scan_model import _kernels
from bfo_utils.results import find_warnings, read_result
from bfo_utils.search import SearchPlan, SharedWork, prepare_image
from bfo_utils.simulation import Specimen, simulate_phantom
from bfo_utils.simulation.phantom import _build, _scan

CUBIC = Specimen(
    layout="single",
    cells=32,
    cell_px=16,
    dose=100,
    polarization_pm=0,
    mistilt_pm=0,
    shear=0,
    jitter_px=0,
)
FAULTS = {
    "white jitter": dict(jitter_px=0.6),
    "correlated jitter": dict(jitter_px=0.5, jitter_rows=3),
    "hum": dict(hum_px=0.5, hum_rows=14.3),
    "jumps": dict(jumps=5, jump_px=1.0),
    "late rows": dict(flyback_px=0.8),
}


def find(image, near=None):
    return build_lattice(image, refit_columns(image, near) if near else find_columns(image))


def spread_pm(prepared, made, axis=0):
    """Deviation of the polar displacement, in pm."""
    return float(np.std(prepared.lattice.cells.polar[prepared.mask][:, axis]) * made.pm_per_px)


@pytest.fixture(scope="module")
def jittered():
    return simulate_phantom(replace(CUBIC, **FAULTS["correlated jitter"]), 1)


@pytest.fixture(scope="module")
def straight(jittered):
    return prepare_image(jittered.image)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_scan_is_undone(fault):
    clean, faulty = CUBIC, replace(CUBIC, **FAULTS[fault])
    floor = spread_pm(prepare_image(simulate_phantom(clean, 2).image, scan_axis="none"), clean)
    image = simulate_phantom(faulty, 2).image
    before, after = (prepare_image(image, scan_axis=axis) for axis in ("none", "auto"))
    assert after.scan.corrected and after.scan.axis == "x"
    assert spread_pm(before, faulty) > 1.4 * floor
    assert spread_pm(after, faulty) < 1.2 * floor


def test_the_displacement_is_that_of_the_rows():
    made = replace(CUBIC, drift_px=1.0, jitter_px=0.5, jitter_rows=3)
    p = simulate_phantom(made, 3)
    found = measure_scan(p.image, find(p.image))
    rng = np.random.default_rng(3)
    _build(made, rng)
    true = -_scan(p.image.shape[0], made, rng)[:, 0]
    true = true - ndimage.gaussian_filter1d(true, SMOOTH * made.cell_px, mode="nearest")
    error = (found.displacement_px - true)[16:-16]
    assert error.std() < 0.3 * true.std()
    assert (
        0.4 < np.mean(np.abs(error) < found.sd_px[16:-16]) < 0.95
    )  # two thirds lie within one standard deviation


def test_true_steps_of_the_polar_displacement_keep_their_size():
    made = Specimen(
        layout="halves", cells=32, cell_px=16, dose=100, mistilt_pm=0, jitter_px=0.6, jitter_rows=3
    )
    p = simulate_phantom(made, 4)
    prepared = prepare_image(p.image)
    cells = prepared.lattice.cells
    distance, nearest = cKDTree(p.truth.cell_xy).query(cells.xy[prepared.mask])
    far = (distance < made.cell_px / 3) & (p.truth.cell_wall[nearest] > 3)
    for axis in (0, 1):
        true = p.truth.cell_p_pm[nearest[far], axis]
        assert np.polyfit(true, cells.polar[prepared.mask][far, axis] * made.pm_per_px, 1)[
            0
        ] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    "made", [Specimen(cells=24, cell_px=18, dose=80), replace(CUBIC, cells=24)]
)
def test_what_needs_no_correction_stays_as_it_is(made):
    image = simulate_phantom(made, 5).image
    plain, looked_at = (prepare_image(image, scan_axis=axis) for axis in ("none", "auto"))
    assert not looked_at.scan.corrected and looked_at.image is image
    for name, value in vars(plain.lattice.columns).items():
        assert np.array_equal(value, getattr(looked_at.lattice.columns, name)), name


def test_no_axis_is_found_in_a_steady_scan():
    image = simulate_phantom(replace(CUBIC, drift_px=3.0), 6).image
    assert measure_scan(image, find(image)).axis == "none"


TURNS = {  # of the image; axis; of the displacement
    "left to right": (lambda a: a[:, ::-1], "x", lambda s: -s),
    "upside down": (lambda a: a[::-1], "x", lambda s: s[::-1]),
    "transposed": (lambda a: a.T, "y", lambda s: s),
    "by 90 degrees": (np.rot90, "y", lambda s: -s),
}


@pytest.mark.parametrize("name", TURNS)
def test_the_scan_turns_with_its_image(name, jittered, straight):
    turn, axis, displacement = TURNS[name]
    found = prepare_image(image_from_array(np.ascontiguousarray(turn(jittered.image.data)))).scan
    assert found.axis == axis and found.corrected
    assert found.displacement_px == pytest.approx(
        displacement(straight.scan.displacement_px), abs=2e-3
    )


def test_the_standard_error_of_a_step_is_that_of_scans_that_are_as_likely(straight):
    cells, found = straight.lattice.cells, straight.scan
    band = np.linalg.inv(np.tril(multiply_band(found.factor, np.eye(len(found.sd_px)))))
    draws = np.random.default_rng(0).standard_normal((300, len(band) + found.spread.shape[1]))
    scans = [
        _fast(band.T @ z[: len(band)] + found.spread @ z[len(band) :], found.cell_px) for z in draws
    ]
    polar = [scan_polar(replace(found, displacement_px=s), cells) for s in scans]
    for k in (0, 1):
        side = np.where(cells.valid, np.sign(cells.xy[..., k] - 256), 0)
        weights = np.where(side > 0, 1 / (side > 0).sum(), -1 / (side < 0).sum()) * cells.valid
        expected = np.std([np.nansum(p * weights) for p in polar])
        assert scan_deviation(found, cells, weights) == pytest.approx(expected, rel=0.2)
    assert 0 < row_deviation(found, cells) < found.sd_px.max()
    assert scan_deviation(ScanDistortion(), cells, cells.valid * 1.0) == 0


def test_a_second_look_finds_little_more(jittered, straight):
    found = measure_scan(straight.image, straight.lattice, "x")
    assert found.rms_px < 0.3 * straight.scan.rms_px
    again = measure_scan(straight.image, straight.lattice, "x", straight.scan.displacement_px)
    assert np.corrcoef(again.displacement_px, straight.scan.displacement_px)[0, 1] > 0.98


def test_the_result_is_the_same_in_bands(jittered, monkeypatch):
    found = find(jittered.image)
    whole = cut_slices(jittered.image.data, jittered.image.valid, found.columns)
    monkeypatch.setattr(slices, "_BAND", jittered.image.data.size // 3)
    bands = cut_slices(jittered.image.data, jittered.image.valid, found.columns)
    for axis in ("x", "y"):
        assert np.array_equal(whole[axis].row, bands[axis].row)
        heavy = whole[axis].weight > 1
        shift = [(s[axis].moment / np.maximum(s[axis].weight, 1e-9))[heavy] for s in (whole, bands)]
        assert np.corrcoef(*shift)[0, 1] > 0.999


def test_rows_beside_invalid_pixels_are_invalid():
    valid = np.ones((40, 50), bool)
    valid[10, 20] = False
    data = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    distorted = ScanDistortion("x", np.full(40, 1.5), sigma_px=2.0)
    moved = undistorted(replace(image_from_array(data), valid=valid), distorted)
    assert (
        np.flatnonzero(~moved.valid[10]).tolist() == [21, 22] and moved.valid.sum() == 40 * 50 - 2
    )
    turned = undistorted(
        replace(image_from_array(data.T.copy()), valid=valid.T), replace(distorted, axis="y")
    )
    assert np.array_equal(turned.data.T, moved.data) and np.array_equal(turned.valid.T, moved.valid)


def test_moved_rows_keep_white_noise_white():
    noise = np.random.default_rng(1).standard_normal((64, 300)).astype(np.float32)
    moved = displace_rows(noise, np.full(64, 0.5))
    assert moved.std() == pytest.approx(1, abs=0.02)
    assert abs(np.corrcoef(moved[:, 1:].ravel(), moved[:, :-1].ravel())[0, 1]) < 0.02


def test_a_prior_is_the_inverse_of_its_covariance():
    variances = np.array([0.02, 0.0, 0.05, 0.01, 0.0])
    band = prior_band(variances, 8.0, 80)
    covariance = np.linalg.inv(multiply_band(band, np.eye(80)))
    lag = np.abs(np.subtract.outer(np.arange(80), np.arange(80)))
    expected = sum(v * k for v, k in zip(variances, _kernels(8.0, lag)))
    near = lag <= 16
    assert covariance[near] == pytest.approx(expected[near], rel=1e-2, abs=1e-4)


def test_a_correction_that_loses_cells_is_left_out(jittered):
    found = find(jittered.image)
    fewer = replace(
        found, cells=replace(found.cells, valid=found.cells.valid & (found.ij[:, 0].max() < 0))
    )
    image, kept, distortion = undo_scan(jittered.image, found, lambda picture, near: fewer)
    assert (
        image is jittered.image
        and kept is found
        and not distortion.corrected
        and distortion.matters
    )


def test_an_unknown_axis_is_refused(jittered):
    with pytest.raises(
        InputError, match="scan axis 'z': no such axis; choose one of auto, x, y, none"
    ):
        prepare_image(jittered.image, scan_axis="z")
    with pytest.raises(InputError, match="scan axis 'z'"):
        SearchPlan(scan_axis="z")


def test_the_result_tells_of_the_scan_and_is_made_again(tmp_path, jittered):
    path = tmp_path / "faulty.npy"
    np.save(path, jittered.image.data)
    out = tmp_path / "out"
    arguments = [
        "analyze",
        str(path),
        "--out",
        str(out),
        "--budget",
        "2",
        "--scan-axis",
        "x",
        "--pixel-size",
        "0.02475",
    ]
    done = CliRunner().invoke(bfo, arguments)
    assert done.exit_code == 0, done.output
    result = json.loads((out / "result.json").read_text())
    assert (
        result["scan"]["axis"] == "x"
        and result["scan"]["corrected"]
        and 0.3 < result["scan"]["rms_px"] < 0.7
    )
    assert 0 < result["scan"]["explained_share"] < 1 and "row to row" in result["scan"]["note"]
    assert {"scan_distortion", "rows_along_scan"} <= {
        warning["code"] for warning in result["warnings"]
    }
    assert read_result(out).provenance.plan.scan_axis == "x"


def test_nothing_is_said_of_a_scan_that_was_not_looked_at(answer):
    plain = replace(answer, prepared=replace(answer.prepared, scan=ScanDistortion()))
    assert describe_scan(plain.prepared.scan)["explained_share"] is None
    assert not {"scan_distortion", "rows_along_scan"} & {c["code"] for c in find_warnings(plain)}


def test_column_settings_of_a_search_work_on_the_corrected_image(straight):
    other = SharedWork(straight).found_with(0.9, 0.45).prepared
    assert other.image is straight.image and other.scan is straight.scan


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_phantom_move_rows_along_x_only(fault):
    plain, moved = (
        _scan(400, replace(CUBIC, **extra), np.random.default_rng(0))
        for extra in ({}, FAULTS[fault])
    )
    assert np.array_equal(plain[:, 1], moved[:, 1])
    assert 0.05 < (moved - plain)[:, 0].std() < 4


def test_a_phantom_without_faults_has_the_scan_it_had():
    made = Specimen(cells=16, cell_px=10)
    scan_rows = _scan(160, made, np.random.default_rng(7))
    rng = np.random.default_rng(7)
    drift = ndimage.gaussian_filter1d(rng.standard_normal((160, 2)), 160 / 6, axis=0)
    drift *= made.drift_px / np.abs(drift).max()
    drift[:, 0] += rng.normal(0, made.jitter_px, 160)
    assert np.array_equal(scan_rows, drift)


def test_hum_that_moves_both_sublattices_alike_is_undone_too():
    # it beats with the lattice at half a cell: no polar displacement, but waves of strain
    made = replace(CUBIC, cells=28, cell_px=32, rotation_deg=2.0, hum_px=0.6, hum_rows=17.6)
    found = prepare_image(simulate_phantom(made, 7).image).scan
    assert found.polar_rms_px < 0.005 * made.cell_px
    assert found.corrected


@pytest.mark.parametrize(
    "faults", [{"jitter_px": 0.3, "jitter_rows": 2}, {"jitter_px": 0.12}], ids=["undone", "white"]
)
def test_errors_of_the_polar_displacement_hold_what_the_scan_leaves(faults):
    made = replace(CUBIC, cells=48, cell_px=8, dose=60, **faults)
    prepared = prepare_image(simulate_phantom(made, 11).image)
    seen = prepared.lattice.cells.polar[prepared.mask]
    expected = np.sqrt((prepared.cell_errors.polar[prepared.mask] ** 2).mean(axis=0))
    assert expected / seen.std(axis=0) == pytest.approx([1, 1], abs=0.1)
    fits = prepared._fit_errors.xy
    assert np.nanmin(prepared.column_errors.xy[:, 0] - fits[:, 0]) > 0
    assert np.array_equal(prepared.column_errors.xy[:, 1], fits[:, 1], equal_nan=True)


def test_light_of_columns_beyond_the_frame_displaces_no_row():
    # rows of cells lie along the scan, so that the rows at the border all look at that light
    made = replace(
        CUBIC, layout="lens", cells=28, cell_px=44, dose=60, polarization_pm=36, rotation_deg=-0.2
    )
    image = simulate_phantom(made, 2110).image
    found = measure_scan(image, find(image), "x")
    inside = found.displacement_px[88:-88]
    assert inside.std() < 0.05
