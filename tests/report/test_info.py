"""`bfo info`: what a file holds, and that what it names is what is analyzed."""

import json

import h5py
import numpy as np
import pytest

from bfo_utils.cli import main
from bfo_utils.errors import InputError
from bfo_utils.io import read_image
from bfo_utils.report import as_text, describe_file

from ..io.test_formats import CASES, FORMATS, GRAY, SIZE, emd, pattern, tiff, written
from ..io.test_images import write
from ..seeds import write_velox
from ..test_cli import refused


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_described_as_it_is_read(tmp_path, name):
    dtype = next(dtype for case, dtype in CASES if case == name)
    path, data = written(tmp_path, name, dtype)
    told = describe_file(path)
    image = read_image(path)
    (one,) = told["images"]
    assert told["analyzed"] == one["name"] == image.dataset and told["reason"] == ""
    assert (
        one["shape"] == [40, 50]
        and np.dtype(one["dtype"]) == data.dtype
        and one["frames"] == one["channels"] == 1
    )
    assert one["pixel_size_nm"] == image.pixel_size_nm and json.loads(json.dumps(told)) == told


def test_detectors_frames_and_the_choice_are_told(tmp_path, capsys):
    write_velox(
        tmp_path / "a.emd",
        pattern("u2"),
        SIZE * 1e-9,
        detectors=("BF", "HAADF"),
        spectrum_image=True,
    )
    with pytest.raises(SystemExit):
        main(["info", str(tmp_path / "a.emd")])
    head, first, second, last = capsys.readouterr().out.strip().split("\n")
    assert "2 images" in head and last == "analyzed: HAADF; choose another with --dataset NAME"
    assert (
        first == "  BF, 40 x 50 px, uint16, 0.02475 nm per pixel (1.0 x 1.2 nm), detector BF"
        and second.startswith("* HAADF")
    )
    write_velox(tmp_path / "b.emd", np.stack([GRAY] * 5))
    told = describe_file(tmp_path / "b.emd")
    assert told["images"][0]["frames"] == 5 and told["analyzed"] == "HAADF"
    assert "analyzed: HAADF" in as_text(told) and "5 frames" in as_text(told)
    np.save(tmp_path / "c.npy", np.zeros((4, 4, 40, 40)))
    told = describe_file(tmp_path / "c.npy")
    assert told["analyzed"] is None and "4-D data of shape (4, 4, 40, 40)" in told["reason"]
    assert "analyzed: none" in as_text(told)


def test_colors_and_unusable_sizes_are_told(tmp_path):
    tiff(tmp_path / "a.tif", np.stack([GRAY] * 3, axis=-1), photometric="rgb")
    assert describe_file(tmp_path / "a.tif")["images"][0]["channels"] == 3
    told = describe_file(write(tmp_path / "a.hspy", scale=24.75, units="nm"))["images"][0]
    assert (
        told["stated"] == [[24.75, "nm"]] * 2
        and told["pixel_size_nm"] is None
        and "give --pixel-size 0.02475" in told["note"]
    )


def test_images_that_nothing_tells_apart_are_listed_with_the_way_to_choose(tmp_path, capsys):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for k in range(12):
            file[f"scan{k}"] = GRAY
        file["table"] = np.zeros(9)
    with pytest.raises(SystemExit) as stop:
        main(["info", str(tmp_path / "a.h5"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (
        stop.value.code == 0
        and told["analyzed"] is None
        and "choose one with --dataset NAME" in told["reason"]
    )
    assert len(told["images"]) == 12 and [one["name"] for one in told["others"]] == ["table"]
    with pytest.raises(InputError, match="4 more .bfo info lists them"):
        read_image(tmp_path / "a.h5")


def test_only_headers_are_read(tmp_path, monkeypatch):
    emd(tmp_path / "a.emd", pattern("f4"))
    monkeypatch.setattr("bfo_utils.io.hdf5._load", lambda item: pytest.fail("pixels were read"))
    assert describe_file(tmp_path / "a.emd")["analyzed"] == "data/HAADF/data"


def test_what_is_no_image_is_one_line(capsys, tmp_path):
    (tmp_path / "a.tif").write_text("no image")
    assert "a.tif: not readable" in refused(capsys, "info", tmp_path / "a.tif")
    assert "no such file" in refused(capsys, "info", tmp_path / "b.tif")
