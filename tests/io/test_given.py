"""Where to look: boxes, masks and polygons, and what they leave of an analysis."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imsave

from bfo_utils.cli import main
from bfo_utils.errors import InputError
from bfo_utils.io import Reading, read_image, region_pixels
from bfo_utils.search import prepare_image
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom

SHAPE = (40, 60)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A phantom of 26 x 26 cells of 14 px as a file."""
    path = tmp_path_factory.mktemp("region") / "film.h5"
    save_phantom(
        simulate_phantom(Specimen(layout="halves", cells=26, cell_px=14, dose=80), 3), path
    )
    return path


def bfo(*words):
    """The exit status of a command."""
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return stop.value.code


def square(left, top, right, bottom):
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ("10:30,5:20", (5, 20), (10, 30)),
        (" 10:30 , 5:20 ", (5, 20), (10, 30)),
        (":30,5:", (5, 40), (0, 30)),
        (":,:", (0, 40), (0, 60)),
    ],
)
def test_a_box_is_in_pixels_of_the_image(box, rows, columns):
    expected = np.zeros(SHAPE, bool)
    expected[slice(*rows), slice(*columns)] = True
    assert np.array_equal(region_pixels(SHAPE, box), expected)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ("10-30,5-20", "is not a box; give X0:X1,Y0:Y1 in px"),
        ("10:30", "is not a box"),
        ("-5:30,0:10", "is not a box"),
        ("0:61,0:10", "does not fit in the image, which is 60 px wide and 40 px high"),
        ("30:10,0:10", "X0 < X1"),
        ("0:10,70:80", "does not fit in the image"),
        ("5:5,0:10", "does not fit"),
    ],
)
def test_a_box_that_is_none_is_told(box, message):
    with pytest.raises(InputError, match=f"^--roi '{box}': .*{message}"):
        region_pixels(SHAPE, box)


@pytest.mark.parametrize("kind", ["npy", "bool", "png", "rgba", "json", "geojson", "many"])
def test_every_kind_of_mask_marks_the_same(kind, tmp_path):
    expected = np.zeros(SHAPE, bool)
    expected[10:20, 15:40] = True
    suffix = {"npy": "npy", "bool": "npy", "png": "png", "rgba": "png"}.get(kind, "json")
    path = tmp_path / f"mask.{suffix}"
    corners = square(14.5, 9.5, 39.5, 19.5)
    if kind in ("npy", "bool"):
        np.save(path, expected if kind == "bool" else expected * np.uint8(3))
    elif kind == "png":
        from PIL import Image

        Image.fromarray(expected.astype(np.uint8) * 255).save(path)
    elif kind == "rgba":
        imsave(path, np.dstack([expected * 1.0] * 3 + [np.ones(SHAPE)]))
    else:
        ring = {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
        content = {
            "json": corners,
            "many": [square(14.5, 9.5, 25.5, 19.5), square(25.5, 9.5, 39.5, 19.5)],
            "geojson": {"type": "FeatureCollection", "features": [{"geometry": ring}]},
        }[kind]
        path.write_text(json.dumps(content))
    assert np.array_equal(region_pixels(SHAPE, mask=path), expected)
    assert np.array_equal(region_pixels(SHAPE, exclude=path), ~expected)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "m.npy",
            np.ones((4, 5)),
            "is 5 x 4 px, but the image is 60 x 40 px; give a mask of the whole",
        ),
        ("m.npy", np.ones((40, 60, 9)), "contains 3-D data"),
        ("m.json", "[[1, 2], [3, 4]]", "contains no polygon"),
        ("m.json", "{}", "no pixel of the image remains"),
        ("m.json", "not json", "not readable"),
        ("m.json", '[["a", 2], [3, 4], [5, 6]]', "not readable"),
    ],
)
def test_a_mask_that_is_none_is_told(name, content, message, tmp_path):
    path = tmp_path / name
    np.save(path, content) if isinstance(content, np.ndarray) else path.write_text(content)
    with pytest.raises(InputError, match=f"{name}: .*{message}"):
        region_pixels(SHAPE, mask=path)


def test_missing_files_and_what_leaves_nothing_are_told(tmp_path):
    for name in ("no.png", "no.json"):
        with pytest.raises(InputError, match=f"{name}: no such file"):
            region_pixels(SHAPE, exclude=tmp_path / name)
    np.save(tmp_path / "all.npy", np.ones(SHAPE))
    with pytest.raises(InputError, match="--exclude .*all.npy: no pixel of the image remains"):
        region_pixels(SHAPE, exclude=tmp_path / "all.npy")


def test_the_cells_of_a_part_are_those_of_the_whole(file):
    image = read_image(file)
    whole = prepare_image(image, scan_axis="none")
    part = prepare_image(
        replace(image, region=region_pixels(image.shape, "60:320,90:300")), scan_axis="none"
    )
    seen = {tuple(xy) for xy in whole.lattice.cells.xy[whole.lattice.cells.valid]}
    own = part.lattice.cells.xy[part.lattice.cells.valid]
    assert len(own) > 150 and all(tuple(xy) in seen for xy in own)
    assert np.all((own > (60, 90)) & (own < (320, 300)))
    polar = {tuple(xy): tuple(p) for xy, p in zip(*_known(whole))}
    assert all(polar[tuple(xy)] == tuple(p) for xy, p in zip(*_known(part)))
    assert part.fingerprint != whole.fingerprint


def _known(prepared):
    cells = prepared.lattice.cells
    inside = prepared.mask
    return cells.xy[inside], cells.polar[inside]


def test_a_region_of_everything_changes_nothing(file, tmp_path):
    np.save(tmp_path / "all.npy", np.ones(read_image(file).shape, bool))
    for name, given in (("plain", []), ("all", ["--mask", str(tmp_path / "all.npy")])):
        out = tmp_path / name
        assert bfo("analyze", file, "--out", out, "--budget", "3", *given) == 0
    for table in ("columns.csv", "cells.csv"):
        assert (tmp_path / "plain" / table).read_bytes() == (tmp_path / "all" / table).read_bytes()


def test_a_part_is_repeated_and_a_changed_mask_is_told(file, tmp_path, capsys):
    mask, out = tmp_path / "part.json", tmp_path / "out"
    mask.write_text(json.dumps(square(0, 0, 100, 364)))
    given = ["--budget", "3", "--exclude", str(mask), "--roi", "0:364,30:340"]
    assert bfo("analyze", file, "--out", out, *given) == 0
    result = json.loads((out / "result.json").read_text())
    assert result["input"]["analyzed_share"] == pytest.approx(264 * 310 / 364**2, abs=0.01)
    assert result["provenance"]["roi"] == "0:364,30:340"
    cells = pd.read_csv(out / "cells.csv")
    assert cells["x_px"].min() > 100 and cells["y_px"].between(30, 340).all()
    assert bfo("rerun", out, "--out", tmp_path / "again") == 0
    mask.write_text(json.dumps(square(0, 0, 90, 364)))
    capsys.readouterr()
    assert bfo("rerun", out, "--out", tmp_path / "changed") == 2
    assert f"{mask}: is missing or has changed" in capsys.readouterr().err


def test_too_few_cells_are_told(file, tmp_path, capsys):
    assert bfo("analyze", file, "--out", tmp_path / "o", "--roi", "0:70,0:70") == 2
    assert "at least 36 are needed, in the part of the image that --roi" in capsys.readouterr().err
    assert not (tmp_path / "o" / "result.json").exists()


def test_a_reading_names_its_files(tmp_path):
    np.save(tmp_path / "m.npy", np.ones(SHAPE))
    reading = Reading(mask=str(tmp_path / "m.npy"))
    assert list(reading.files) == [reading.mask] and reading.absolute == reading
    assert not reading.is_plain and Reading().is_plain
    assert pd.notna(reading.files[reading.mask])
