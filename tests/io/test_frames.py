"""Frames of one place: chosen, aligned, averaged, and what their mean is worth."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile

from bfo_utils.cli import main
from bfo_utils.errors import InputError
from bfo_utils.io import average_frames, image_from_array, read_image
from bfo_utils.io.frames import frame_numbers
from bfo_utils.search import prepare_image
from bfo_utils.simulation import Specimen, simulate_frames, simulate_phantom

FILM = Specimen(layout="junction", cells=34, cell_px=14, dose=6, jitter_px=0.3, drift_px=0.3)


@pytest.fixture(scope="module")
def taken():
    return simulate_frames(FILM, 16, drift_px=2, seed=3)


def bfo(*words):
    """The exit status of a command."""
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return stop.value.code


@pytest.mark.parametrize(
    ("text", "chosen"),
    [("", range(9)), ("7", [7]), ("0:3", [0, 1, 2]), ("6:", [6, 7, 8]), ("0:9:4", [0, 4, 8])],
)
def test_frames_are_counted_from_zero(text, chosen):
    assert frame_numbers(text, 9) == list(chosen)


@pytest.mark.parametrize("text", ["9", "0:10", "5:5", "-1", "one", "each", "0:1:2:3", "4:2"])
def test_frames_that_are_not_there_are_told(text):
    with pytest.raises(InputError, match=f"^--frames '{text}': "):
        frame_numbers(text, 9)


def polar_error_pm(image, truth):
    """Scatter of the polar displacement about the truth."""
    prepared = prepare_image(image, scan_axis="none")
    cells, mask = prepared.lattice.cells, prepared.mask
    distance = np.hypot(*(cells.xy[mask][:, None] - truth.truth.cell_xy[None]).transpose(2, 0, 1))
    near = distance.argmin(axis=1)
    inside = (distance.min(axis=1) < 5) & (truth.truth.cell_wall[near] > 2)
    error = cells.polar[mask] * truth.specimen.pm_per_px - truth.truth.cell_p_pm[near]
    error = error[inside] - np.median(error[inside], axis=0)
    return float(1.4826 * np.median(np.abs(error)))


def test_the_mean_is_as_good_as_that_of_frames_without_drift_and_jitter(taken):
    still = replace(FILM, dose=16 * FILM.dose, jitter_px=0, drift_px=0)
    ideal = simulate_phantom(still, 3)
    found = average_frames(taken.frames)
    size = FILM.a_nm / FILM.cell_px
    mean = image_from_array(found.mean, pixel_size_nm=size)
    best = polar_error_pm(ideal.image, ideal)
    assert polar_error_pm(mean, ideal) < 1.15 * best
    assert taken.frames.mean(axis=0).std() < 0.7 * np.nanstd(found.mean)  # a plain mean is blurred


def test_drift_and_rows_are_found(taken):
    found = average_frames(taken.frames)
    off = found.drift_px - taken.drift_px
    assert np.abs(off - np.median(off, axis=0)).max() < 0.5 and found.row_rms_px > 0.08
    turned = average_frames(taken.frames.transpose(0, 2, 1))
    np.testing.assert_allclose(turned.drift_px, found.drift_px[:, ::-1], atol=0.05)
    assert turned.row_rms_px == pytest.approx(found.row_rms_px, rel=0.1)


def test_rows_of_steady_frames_stay_where_they_are():
    still = simulate_frames(replace(FILM, jitter_px=0, drift_px=0), 8, seed=1)
    assert average_frames(still.frames).row_rms_px == 0


def test_pixels_that_few_frames_see_are_not_valid(taken):
    image = image_from_array(average_frames(taken.frames).mean)
    assert 0.5 < image.valid.mean() < 1


def test_halves_of_frames_say_how_good_the_measurement_is(taken, tmp_path):
    np.save(tmp_path / "stack.npy", taken.frames.astype(np.uint16))
    prepared = prepare_image(read_image(tmp_path / "stack.npy"), scan_axis="none")
    assert prepared.halves.axis == "frames" and prepared.halves.independent
    fits = np.nanmedian(prepared.cell_errors.polar[prepared.mask], axis=0)
    np.testing.assert_allclose(prepared.halves.standard_error(), fits, rtol=0.25)
    assert read_image(tmp_path / "stack.npy", frames="0:3").halves is None


@pytest.mark.slow
def test_stacks_are_analyzed_as_a_whole_and_frame_by_frame(taken, tmp_path, capsys):
    tifffile.imwrite(tmp_path / "stack.tif", taken.frames[:2] * 20)
    short = ["--budget", "2", "--pixel-size", "0.0248"]
    assert bfo("analyze", tmp_path / "stack.tif", "--out", tmp_path / "one", *short) == 0
    result = json.loads((tmp_path / "one" / "result.json").read_text())
    assert result["frames"]["averaged"] == 2
    assert bfo("rerun", tmp_path / "one", "--out", tmp_path / "again") == 0
    out = tmp_path / "each"
    assert bfo("analyze", tmp_path / "stack.tif", "--out", out, "--frames", "each", *short) == 0
    table = pd.read_csv(out / "summary.csv")
    assert table["folder"].tolist() == ["frame-000", "frame-001"] and table["error"].isna().all()
    assert (
        json.loads((out / "frame-001" / "result.json").read_text())["provenance"]["frames"] == "1"
    )


def test_frames_belong_to_a_stack(taken, tmp_path, capsys):
    np.save(tmp_path / "one.npy", taken.frames[0])
    for frames in ("0", "each"):
        words = ["--out", tmp_path / "o", "--frames", frames]
        assert bfo("analyze", tmp_path / "one.npy", *words) == 2
        assert (
            "the file contains a single image, not a stack; omit --frames"
            in capsys.readouterr().err
        )
    np.save(tmp_path / "many.npy", taken.frames[:3])
    assert bfo("analyze", tmp_path / "many.npy", "--out", tmp_path / "o", "--frames", "5") == 2
    assert "the file contains frames 0 to 2" in capsys.readouterr().err
