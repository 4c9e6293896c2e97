"""A mistilt: what is common to all domains, found and subtracted without harm to them."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from sklearn.metrics import adjusted_rand_score

from bfo_utils.cli import main
from bfo_utils.columns import column_shapes, find_columns
from bfo_utils.errors import InputError
from bfo_utils.io import image_from_array
from bfo_utils.results import analyze
from bfo_utils.search import SearchPlan, prepare_image
from bfo_utils.segmentation import measure_tilt
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom


def film(layout, mistilt_pm):
    return Specimen(layout=layout, cells=32, cell_px=14, dose=40, mistilt_pm=mistilt_pm)


def error_pm(prepared, phantom):
    """Error (rms) of the polar displacement of the analyzed cells, but for a constant where it may
    be polarization, and the true variants.
    """
    xy, truth = prepared.lattice.cells.xy[prepared.mask], phantom.truth
    near = np.hypot(*(xy[:, None] - truth.cell_xy).transpose(2, 0, 1)).argmin(axis=1)
    polar = prepared.lattice.cells.polar[prepared.mask] * phantom.specimen.pm_per_px
    error = polar - truth.cell_p_pm[near]
    if not prepared.measured_tilt.is_central:
        error = error - error.mean(axis=0)
    return float(np.sqrt((error**2).sum(axis=1).mean())), truth.cell_variant[near]


@pytest.mark.parametrize("layout", ["junction", "stripes", "closure", "single"])
def test_what_varies_slowly_is_subtracted_and_domains_survive(layout):
    level, tilted = (simulate_phantom(film(layout, pm), 3) for pm in (0, 14))
    floor = error_pm(prepare_image(level.image), level)[0]
    before = error_pm(prepare_image(tilted.image), tilted)[0]
    after = error_pm(prepare_image(tilted.image, tilt="smooth"), tilted)[0]
    assert before > 1.3 * floor
    assert after < 1.15 * floor


@pytest.mark.parametrize("layout", ["junction", "stripes", "zigzag"])
def test_where_nothing_is_tilted_little_is_lost(layout):
    lost = []
    for seed in (4, 5, 6):
        level = simulate_phantom(film(layout, 0), seed)
        plain, smooth = (prepare_image(level.image, tilt=how) for how in ("none", "smooth"))
        lost.append(error_pm(smooth, level)[0] / error_pm(plain, level)[0] - 1)
    assert max(lost) < 0.02


def test_the_map_is_as_good_with_the_tilt_subtracted():
    tilted, agreement = simulate_phantom(film("halves", 14), 5), {}
    for how in ("none", "smooth"):
        found = analyze(tilted.image, SearchPlan(budget=6, tilt=how))
        assert found.verdict == "domains"
        variant = error_pm(found.prepared, tilted)[1]
        agreement[how] = adjusted_rand_score(variant, found.labels[found.prepared.mask])
    assert agreement["smooth"] > agreement["none"] - 0.005


def test_polarization_that_all_domains_share_stays_but_where_offset_is_asked_for():
    one = prepare_image(simulate_phantom(film("single", 0), 1).image)
    found, polar = one.measured_tilt, one.lattice.cells.polar
    assert found.levels == 1
    assert not found.is_central
    left = polar - found.subtracted("offset")
    assert np.abs(np.nanmean(left, axis=(0, 1))).max() < 0.02
    assert np.allclose(found.constant("smooth"), 0)
    assert np.allclose(found.subtracted("none")[np.isfinite(polar)], 0)


def test_domains_around_zero_say_where_zero_is():
    y, x = np.mgrid[:30, :30]
    variants = np.where((x > 15)[..., None], [1.0, 0.0], np.where((y > 14)[..., None], -1.0, 1.0))
    polar = ndimage.gaussian_filter(variants + np.array([0.3, -0.2]), (0.6, 0.6, 0))
    polar += np.random.default_rng(1).normal(0, 0.1, (30, 30, 2))
    found = measure_tilt(polar, np.ones((30, 30), bool))
    assert found.levels == 3
    assert found.is_central
    assert np.abs(found.constant("smooth") - [0.3, -0.2]).max() < 0.05
    assert found.rms < 0.05


def test_an_unknown_way_is_refused():
    with pytest.raises(InputError, match="^tilt 'much': unknown; choose one of none, offset, "):
        SearchPlan(tilt="much")


def test_asymmetric_and_elongated_columns_are_seen():
    data = simulate_phantom(Specimen(cells=14, cell_px=18, dose=2000, jitter_px=0)).image.data
    shapes = {}
    for name, tail in (("round", 0), ("tailed", 0.15), ("long", 0.5)):
        step = 1 if name == "long" else 3
        image = image_from_array(data + tail * np.roll(data, step, axis=1))
        found = find_columns(image)
        radius = 0.45 * found.spacing_px
        shapes[name] = column_shapes(image, found, np.full(len(found), "A"), radius)["A"]
    assert abs(shapes["round"].asymmetry[0]) < 0.03
    assert shapes["tailed"].asymmetry[0] > 0.1
    assert abs(shapes["tailed"].asymmetry[1]) < 0.03
    assert shapes["long"].elongation[0] > shapes["round"].elongation[0] + 0.01


def test_the_option_reaches_the_files_and_is_repeated(tmp_path, capsys):
    path = tmp_path / "tilted.h5"
    save_phantom(simulate_phantom(film("halves", 14), 2), path)
    words = ["analyze", str(path), "--budget", "2", "--tilt", "smooth", "--out"]
    for command in ([*words, str(tmp_path / "a")], [*words[:4], "--out", str(tmp_path / "b")]):
        with pytest.raises(SystemExit) as stop:
            main(command)
        assert stop.value.code == 0
    assert "--tilt smooth: " in capsys.readouterr().err
    tilt = json.loads((tmp_path / "a" / "result.json").read_text())["tilt"]
    plain = json.loads((tmp_path / "b" / "result.json").read_text())["tilt"]
    assert tilt["subtracted"] == "smooth"
    assert plain == tilt | {"subtracted": "none"}
    with_, without = (pd.read_csv(tmp_path / n / "cells.csv")["px_pm"] for n in "ab")
    assert np.std(with_ - without) > 1
    with pytest.raises(SystemExit) as stop:
        main(["rerun", str(tmp_path / "a")])
    assert stop.value.code == 0
