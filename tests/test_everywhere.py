"""Nothing that only POSIX has is needed: the commands without `fcntl`, `resource`, `pwd` and
`grp`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom

from .conftest import SMALL

#: Put before all that a process imports. Left alone are the libraries that IPython chooses because
#: this is POSIX; on Windows it takes others.
BLOCKED = """
import builtins

_import = builtins.__import__

def without_posix(name, globals=None, locals=None, fromlist=(), level=0):
    asks = (globals or {}).get("__name__", "").split(".")[0]
    if name in ("fcntl", "resource", "pwd", "grp") and asks not in ("pexpect", "ptyprocess"):
        raise ImportError(f"{name} is blocked for {asks}")
    return _import(name, globals, locals, fromlist, level)

builtins.__import__ = without_posix
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "p.h5"
    save_phantom(simulate_phantom(Specimen(layout="halves", cells=24, cell_px=12), 0), path)
    return path


def without_posix(tmp_path, *command):
    """What a command of this Python says where the modules are blocked, in its children too."""
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "sitecustomize.py").write_text(BLOCKED)
    package = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join([str(tmp_path / "blocked"), package])
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_modules_are_really_blocked(tmp_path):
    code = """
for name in ("fcntl", "resource", "pwd", "grp"):
    try:
        __import__(name)
    except ImportError:
        print(name)
"""
    assert without_posix(tmp_path, "-c", code).split() == ["fcntl", "resource", "pwd", "grp"]


def test_analyze_needs_no_posix(image, tmp_path):
    out = tmp_path / "out"
    without_posix(tmp_path, "-m", "bfo_utils", "analyze", image, "--out", out, "--budget", 8)
    assert (out / "result.json").exists() and not list(out.glob(".*"))


@pytest.mark.slow
def test_batch_needs_no_posix(image, tmp_path):
    save_phantom(simulate_phantom(Specimen(cells=20, cell_px=12), 1), tmp_path / "q.h5")
    given = (image, tmp_path / "q.h5", "--out", tmp_path / "out", "--budget", 8, "--workers", 2)
    assert "2 analyzed, 0 with" in without_posix(tmp_path, "-m", "bfo_utils", "batch", *given)


@pytest.mark.slow
def test_run_needs_no_posix(folder, tmp_path):
    out = shutil.copytree(folder, tmp_path / "out")
    (out / "notebooks" / "report" / "09_report.ipynb").unlink()
    shutil.rmtree(out / "html")
    given = [word for name, value in SMALL.items() for word in ("-p", f"{name}={value}")]
    command = ("-m", "bfo_utils", "run", "--out", out, "--resume", "--seed", 1, *given)
    page = without_posix(tmp_path, *command)
    assert Path(page.strip()).is_file()
    assert (out / "notebooks" / "report" / "09_report.ipynb").exists()
