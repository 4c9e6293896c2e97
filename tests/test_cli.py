"""The command line as a user meets it: what it writes, and one clear line for every mistake."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
from scipy import ndimage
from skimage import io

from bfo_utils import cli
from bfo_utils.cli import main

RNG = np.random.default_rng(0)


def bfo(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "bfo_utils", *map(str, arguments)], capture_output=True, text=True
    )


def refused(capsys, *arguments):
    """Run in this process; return the one line of stderr of a refused call."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    captured = capsys.readouterr()
    lines = captured.err.strip().split("\n")
    assert stop.value.code == 2 and captured.out == ""
    assert len(lines) == 1 and lines[0].startswith("bfo: ") and "Traceback" not in captured.err
    return lines[0]


def bad_images(folder):
    """Files that are no image of a crystal, each with what the message must name."""

    def npy(name, array):
        np.save(folder / name, array)
        return folder / name

    text = folder / "notes.txt"
    text.write_text("not an image")
    disguised = folder / "image.tif"
    disguised.write_text("not an image")
    rgb = folder / "rgb.png"
    io.imsave(rgb, RNG.integers(0, 255, (64, 64, 3), dtype=np.uint8), check_contrast=False)
    smooth = ndimage.gaussian_filter(RNG.standard_normal((300, 300)), 2)
    return {
        "missing": (folder / "missing.tif", "no such file"),
        "text": (text, "unknown format"),
        "disguised": (disguised, "image.tif"),
        "rgb": (rgb, "RGB image"),
        "stack": (npy("stack.npy", RNG.random((64, 64, 20))), "nor a stack of frames"),
        "constant": (npy("constant.npy", np.ones((64, 64))), "constant image"),
        "nan": (npy("nan.npy", np.full((64, 64), np.nan)), "all pixels are NaN"),
        "tiny": (npy("tiny.npy", RNG.random((16, 16))), "16 x 16 px is too small"),
        "noise": (npy("noise.npy", RNG.random((300, 300))), "no crystal lattice"),
        "amorphous": (npy("amorphous.npy", smooth), "no crystal lattice"),
        "folder": (folder, "directory"),
    }


KINDS = [
    "missing",
    "text",
    "disguised",
    "rgb",
    "stack",
    "constant",
    "nan",
    "tiny",
    "noise",
    "amorphous",
    "folder",
]


@pytest.mark.parametrize("command", ["analyze", "run"])
@pytest.mark.parametrize("kind", KINDS)
def test_bad_images_are_one_clear_line(capsys, tmp_path, command, kind):
    path, expected = bad_images(tmp_path)[kind]
    line = refused(capsys, command, path, "--out", tmp_path / "out")
    assert expected in line and (path.name in line or path.stem in line)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["analyze", "x.npy", "--out", "o", "--set", "windows=3"],
            "parameter 'windows': no such parameter",
        ),
        (
            ["analyze", "x.npy", "--out", "o", "--set", "n_clusters=many"],
            "parameter n_clusters: 'many' is not a whole number",
        ),
        (["analyze", "x.npy", "--out", "o", "--set", "n_clusters"], "write it as name=value"),
        (["analyze", "x.npy", "--out", "o", "--budget", "lots"], "'lots' is not a valid integer"),
        (["analyze", "x.npy", "--out", "o", "--pixel-size", "-1"], "pixel size"),
        (
            ["analyze", "x.npy", "--out", "o", "--total", "beauty=1"],
            "reward 'beauty': no such reward",
        ),
        (["analyze", "x.npy", "--out", "o", "--total", "evidence=x"], "write it as evidence=1"),
        (["analyze", "x.npy", "--out", "o", "--goal", "fame"], "goal 'fame': no such goal"),
        (["analyze", "x.npy"], "--out"),
        (["analyze", "--out", "o"], "IMAGE"),
        (["analyse"], "No such command"),
        (["run", "--out", "o", "-p", "color=red"], "parameter 'color': no such parameter"),
        (
            ["run", "--out", "o", "-p", "site=D"],
            "parameter site: 'D' is out of range; give one of A, B, cell",
        ),
        (["run", "--out", "o", "--profile", "slow"], "'slow' is not one of"),
        (["run", "--out", "o", "--pixel-size", "0.02"], "--pixel-size: belongs to an image"),
        (["phantom", "--out", "o.h5", "--dose", "inf"], "dose = inf"),
        (["phantom", "--out", "o.h5", "--layout", "spiral"], "layout 'spiral': no such layout"),
        (["phantom", "--out", "o.png"], "ending in .h5"),
        (["phantom", "--out", "o.h5", "--dose", "-3"], "dose"),
    ],
)
def test_bad_usage_is_one_clear_line(capsys, tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    assert expected in refused(capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_debug_shows_the_traceback():
    done = bfo("analyze", "nothing.tif", "--out", "x", "--debug")
    assert done.returncode == 2 and "Traceback" in done.stderr


def test_phantom_then_analyze(tmp_path):
    done = bfo(
        "phantom",
        "--out",
        tmp_path / "p.h5",
        "--cells",
        24,
        "--cell-px",
        16,
        "--layout",
        "halves",
        "--seed",
        4,
    )
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "p.h5") as file:
        assert file["image"].shape == (384, 384) and file.attrs["seed"] == 4
    done = bfo(
        "analyze",
        tmp_path / "p.h5",
        "--out",
        tmp_path / "out",
        "--budget",
        10,
        "--set",
        "site=cell",
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["verdict"] == "domains" and result["parameters"]["site"] == "cell"
    assert result["input"]["sha256"] and done.stdout.strip().endswith("result.json")


def test_a_reward_of_ones_own_by_name(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from bfo_utils.rewards import register_reward\n@register_reward('mine')\ndef"
        " mine(segmentation):\n    return 0.5\n"
    )
    bfo("phantom", "--out", tmp_path / "p.h5", "--cells", 20, "--cell-px", 14)
    done = bfo(
        "analyze",
        tmp_path / "p.h5",
        "--out",
        tmp_path / "out",
        "--budget",
        9,
        "--plugin",
        tmp_path / "mine.py",
        "--total",
        "mine=2",
        "--total",
        "evidence=1",
    )
    assert done.returncode == 0, done.stderr
    rewards = json.loads((tmp_path / "out" / "result.json").read_text())["rewards"]
    assert rewards["mine"] == 0.5 and rewards["total"] == pytest.approx(0.25 * rewards["evidence"])


def test_an_existing_result_survives_a_bad_call(capsys, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "result.json").write_text("{}")
    refused(capsys, "analyze", tmp_path / "missing.npy", "--out", out)
    assert (out / "result.json").read_text() == "{}" and len(list(out.iterdir())) == 1


def test_every_parameter_is_listed():
    from bfo_utils.search import PARAMETERS, RUN_PARAMETERS

    listed = bfo("parameters").stdout
    for p in PARAMETERS + RUN_PARAMETERS:
        assert p.name in listed and p.range in listed


def test_an_interruption_is_one_line_and_its_own_exit_status(capsys, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.bfo, "main", interrupted)
    with pytest.raises(SystemExit) as stop:
        main(["parameters"])
    assert stop.value.code == 130 and capsys.readouterr().err == "bfo: interrupted\n"


def test_without_a_command_the_commands_are_listed(capsys):
    with pytest.raises(SystemExit) as stop:
        main([])
    shown = capsys.readouterr().out
    assert stop.value.code == 0 and all(
        f"\n  {name} " in shown for name in ("run", "analyze", "batch", "phantom", "fetch")
    )


def test_a_file_is_no_output_folder(capsys, tmp_path):
    (tmp_path / "out").write_text("mine")
    assert "is a file; give a folder" in refused(
        capsys, "analyze", tmp_path / "a.tif", "--out", tmp_path / "out"
    )
    assert (tmp_path / "out").read_text() == "mine"


def test_a_plugin_that_fails_is_named(capsys, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text("import bfo_utils.no_such_thing\n")
    line = refused(
        capsys, "analyze", tmp_path / "a.tif", "--out", tmp_path / "out", "--plugin", plugin
    )
    assert "mine.py" in line and "no_such_thing" in line
