"""Scan pairs at 90 degrees: drift is removed by combining them; what does not match is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bfo_utils.cli import main
from bfo_utils.errors import InputError
from bfo_utils.io import Reading, average_pair, image_from_array
from bfo_utils.search import prepare_image
from bfo_utils.simulation import Specimen, simulate_pair, simulate_phantom

FILM = Specimen(layout="junction", cells=26, cell_px=15, dose=60, drift_px=5, jitter_px=0.1)


def errors(prepared, still):
    """Errors (rms) of strain and of the polar displacement (px) against the undrifted crystal."""
    xy, known = prepared.lattice.cells.xy[prepared.mask], still.lattice.cells.xy[still.mask]
    apart = np.hypot(*(xy[:, None] - known).transpose(2, 0, 1))
    near, same = apart.argmin(axis=1), apart.min(axis=1) < 6

    def scatter(own, true):
        error = (own[prepared.mask] - true[still.mask][near])[same]
        return float(np.sqrt(((error - error.mean(axis=0)) ** 2).sum() / same.sum()))

    strain = [scatter(getattr(prepared.strain, k), getattr(still.strain, k)) for k in _STRAIN]
    return np.hypot.reduce(strain), scatter(prepared.lattice.cells.polar, still.lattice.cells.polar)


_STRAIN = ("exx", "eyy", "exy")


def test_drift_of_more_than_half_a_cell_is_not_matched_a_cell_off():
    """Whole frames that drift by ten pixels correlate best two cells off the middle's place."""
    film = Specimen(cells=30, cell_px=16, dose=60, drift_px=10, jitter_px=0.1)
    for seed in (501, 512):
        assert average_pair(*simulate_pair(film, seed)).correlation > 0.96


@pytest.mark.parametrize(("drift_px", "seed"), [(5, 11), (5, 12), (10, 18)])
def test_drift_and_noise_fall(drift_px, seed):
    still = simulate_phantom(replace(FILM, drift_px=0, jitter_px=0, dose=2000), seed)
    truth = prepare_image(still.image, scan_axis="none")
    scans = simulate_pair(replace(FILM, drift_px=drift_px), seed)
    found = average_pair(*scans)
    single = errors(prepare_image(image_from_array(scans[0])), truth)
    pair = errors(prepare_image(image_from_array(found.mean)), truth)
    assert found.turn_deg == 90
    assert pair[0] < 0.25 * single[0]
    assert pair[1] < 0.85 * single[1]


def test_the_sense_of_the_rotation_is_found():
    one, two = simulate_pair(FILM, 13)
    assert average_pair(one, np.rot90(two, 2)).turn_deg == -90


def test_what_does_not_match_is_refused():
    one, two = simulate_pair(FILM, 14)
    with pytest.raises(InputError, match=r"^is 380 x 390 px; rotated by 90 degrees this is not"):
        average_pair(one, two[:, :380])
    other = simulate_pair(replace(FILM, cell_px=13, cells=30, rotation_deg=20), 15)[1]
    with pytest.raises(InputError, match="^does not show the same area rotated by 90 degrees"):
        average_pair(one, other)
    with pytest.raises(InputError, match="^contains the same values; give a second"):
        average_pair(one, np.rot90(one, -1))
    with pytest.raises(InputError, match="^--pair: requires two single scans; omit either --pair "):
        Reading(pair="a.npy", frames="0:3")


def test_the_option_says_what_was_removed_and_is_repeated(tmp_path, capsys):
    for name, scan in zip(("one", "two"), simulate_pair(FILM, 16)):
        np.save(tmp_path / f"{name}.npy", scan)
    np.save(tmp_path / "small.npy", np.arange(3600.0).reshape(60, 60))
    words = ["analyze", str(tmp_path / "one.npy"), "--budget", "2", "--out", str(tmp_path / "out")]
    for pair, status in (("small", 2), ("two", 0)):
        with pytest.raises(SystemExit) as stop:
            main([*words, "--pair", str(tmp_path / f"{pair}.npy")])
        assert stop.value.code == status
    assert "small.npy: is 60 x 60 px; rotated by 90 degrees" in capsys.readouterr().err
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["pair"]["second_rotated_deg"] == 90
    assert np.all(np.array(result["pair"]["drift_rms_px"]) > 0.5)
    assert result["precision"]["halves"] == "the scans of a pair"
    with pytest.raises(SystemExit) as stop:
        main(["rerun", str(tmp_path / "out")])
    assert stop.value.code == 0
