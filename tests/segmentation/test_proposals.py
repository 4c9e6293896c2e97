"""Parts that may be better left out are proposed with a reason, and can be given back as masks."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bfo_utils.cli import main
from bfo_utils.io import image_from_array, read_image, region_pixels
from bfo_utils.search import prepare_image
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom

FILM = Specimen(layout="junction", cells=32, cell_px=14, dose=40)


def proposed(data):
    return {m.kind: m for m in prepare_image(image_from_array(data)).proposed_masks}


@pytest.fixture(scope="module")
def film():
    return simulate_phantom(FILM, 1).image.data


@pytest.mark.parametrize("layout", ["junction", "closure", "single"])
def test_nothing_is_proposed_in_a_good_image(layout):
    film = Specimen(layout=layout, cells=32, cell_px=14, composition=0.2, illumination=0.4)
    assert proposed(simulate_phantom(film, 2).image.data) == {}


def test_a_substrate_is_proposed():
    found = proposed(simulate_phantom(replace(FILM, substrate=0.25), 1).image.data)
    assert list(found) == ["substrate"]
    pixels = found["substrate"].pixels
    width = pixels.shape[1]
    assert pixels[:, : width // 5].mean() > 0.6
    assert pixels[:, width // 3 :].mean() < 0.02
    assert "times the amplitude of the others" in found["substrate"].reason


def test_vacuum_is_proposed(film):
    y, x = np.indices(film.shape)
    empty = x + 0.3 * y > 400
    data = np.where(empty, np.random.default_rng(1).poisson(2, film.shape), film)
    found = proposed(data)
    assert "vacuum" in found
    both, either = (found["vacuum"].pixels & empty).sum(), (found["vacuum"].pixels | empty).sum()
    assert both / either > 0.8


def test_contamination_is_proposed(film):
    y, x = np.indices(film.shape)
    dirt = np.exp(-((x - 180) ** 2 + (y - 230) ** 2) / (2 * 30**2))
    found = proposed(film + np.random.default_rng(0).poisson(120 * dirt))
    assert list(found) == ["contamination"]
    assert found["contamination"].pixels[230, 180]
    assert found["contamination"].pixels[dirt < 0.05].mean() < 0.02


def test_nothing_is_left_out_in_silence_and_the_mask_can_be_given_back(tmp_path, capsys):
    path, out = tmp_path / "film.h5", tmp_path / "out"
    save_phantom(simulate_phantom(replace(FILM, substrate=0.25), 1), path)
    mask = out / "proposed_substrate.png"
    words = ["analyze", str(path), "--budget", "2", "--out"]
    for more in ([str(out)], [str(tmp_path / "again"), "--exclude", str(mask)]):
        with pytest.raises(SystemExit) as stop:
            main([*words, *more])
        assert stop.value.code == 0
    assert "--exclude proposed_substrate.png" in capsys.readouterr().err
    first, second = (json.loads((f / "result.json").read_text()) for f in (out, tmp_path / "again"))
    assert [m["kind"] for m in first["proposed_masks"]] == ["substrate"]
    assert second["proposed_masks"] == []
    assert second["n_cells"] < 0.85 * first["n_cells"]
    kept = region_pixels(read_image(path).shape, exclude=mask)
    assert kept.mean() == pytest.approx(1 - first["proposed_masks"][0]["share"], abs=0.001)
