"""Whatever lies in the working folder and in the user's home: the same output."""

import json
import os
import subprocess
import sys

import matplotlib as mpl
import pandas as pd
import pytest

from bfo_utils.book import BookStep, build, execute_step, render_book
from bfo_utils.compute import connect_pool, executors
from bfo_utils.figures import plot_image, plot_polarization, png_bytes, save_figure
from bfo_utils.report import BatchSettings, run_batch
from bfo_utils.search import SearchPlan
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom

PROGRAM = [sys.executable, "-m", "bfo_utils"]
# As installers write it; `python -m` would read types.py before any of ours.
SCRIPT = "from bfo_utils.cli import main\nif __name__ == '__main__':\n    main()\n"
SPOILERS = (
    "random",
    "types",
    "numpy",
    "abc",
    "ipykernel_launcher",
    "sphinx",
    "jupyter_book",
    "json",
)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A small phantom in a file."""
    path = tmp_path_factory.mktemp("image") / "a.h5"
    save_phantom(
        simulate_phantom(Specimen(layout="halves", cells=14, cell_px=12, dose=80), 3), path
    )
    return path


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A working folder and a home full of files that leave a trace when they are run."""
    place = tmp_path / "hostile"
    place.mkdir()
    trace = (
        f"open({str(tmp_path / 'trace')!r}, 'a').write(__file__ + '\\n')\nraise"
        " SystemExit('spoiled')\n"
    )
    for name in SPOILERS:
        (place / f"{name}.py").write_text(trace)
    home = tmp_path / "home"
    for path in (
        ".ipython/profile_default/startup/00.py",
        ".ipython/profile_default/ipython_config.py",
        "startup.py",
        ".ipython/profile_default/ipython_kernel_config.py",
        ".jupyter/jupyter_config.py",
        ".jupyter/jupyter_client_config.py",
    ):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(trace)
    kernel = home / ".local/share/jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(
        json.dumps(
            {
                "argv": ["/bin/false", "{connection_file}"],
                "display_name": "mine",
                "language": "python",
            }
        )
    )
    for name in ("JUPYTER_PATH", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "JUPYTER_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("JUPYTER_PATH", str(home / ".local/share/jupyter"))
    monkeypatch.setenv("PYTHONSTARTUP", str(home / "startup.py"))
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.chdir(place)
    yield place
    assert not (tmp_path / "trace").exists(), (tmp_path / "trace").read_text()


def test_a_batch_in_a_hostile_folder(hostile, image, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONWARNINGS")  # it would concern this program itself, and that is meant
    (tmp_path / "bfo").write_text(SCRIPT)
    given = [
        tmp_path / "bfo",
        "batch",
        image,
        "--out",
        tmp_path / "out",
        "--budget",
        "2",
        "--workers",
        "2",
    ]
    done = subprocess.run([sys.executable, *given], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(tmp_path / "out" / "summary.csv")["error"].isna().all()


def test_a_module_that_is_called_like_one_of_pythons(tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise SystemExit('spoiled')\n")
    done = subprocess.run([*PROGRAM, "parameters"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""


def test_a_notebook_in_a_hostile_folder(hostile, image, tmp_path):
    out = tmp_path / "out"
    before = dict(os.environ)
    execute_step(
        BookStep("01_data", "default", {"artifacts": str(out / "artifacts"), "image": str(image)}),
        out,
    )
    executed = json.loads((out / "notebooks/default/01_data.ipynb").read_text())
    assert (
        executed["metadata"]["kernelspec"]["name"] == "python3"
        and (out / "artifacts/prepared.npz").exists()
    )
    assert dict(os.environ) == before and not list(out.glob(".jupyter*"))


def test_the_book_is_built_in_a_hostile_folder(hostile, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "_stand_in", lambda *_: None)
    (tmp_path / "pages/book").mkdir(parents=True)
    (tmp_path / "pages/book/_toc.yml").write_text("format: jb-book\nroot: intro\n")
    (tmp_path / "pages/book/intro.md").write_text("# Page\n")
    (tmp_path / "pages/_config.yml").write_text("title: a\nexecute:\n  execute_notebooks: 'off'\n")
    monkeypatch.setattr(build, "resource_path", lambda name: tmp_path / "pages" / name)
    (tmp_path / "out/notebooks").mkdir(parents=True)
    assert render_book(tmp_path / "out").exists()


def test_processes_that_cannot_be_started_are_done_without(monkeypatch, capsys, image, tmp_path):
    def full(*given, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(executors, "Lock", full)
    with connect_pool(2) as pool:
        table = run_batch([str(image)], tmp_path / "out", pool, BatchSettings(SearchPlan(2)))
    assert table["error"].isna().all()
    assert (
        "warning: no worker process can be started (/dev/shm: No space left on device); continuing"
        " in the main process" in capsys.readouterr().err
    )


@pytest.mark.parametrize("closed", ["2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_do_no_harm(image, tmp_path, closed):
    words = " ".join(
        f"'{word}'"
        for word in [
            *PROGRAM,
            "analyze",
            str(image),
            "--out",
            str(tmp_path / "out"),
            "--budget",
            "2",
        ]
    )
    done = subprocess.run(["/bin/sh", "-c", f"exec {words} {closed}"])
    assert done.returncode == 0
    cells, result = (
        pd.read_csv(tmp_path / "out/cells.csv"),
        json.loads((tmp_path / "out/result.json").read_text()),
    )
    assert len(cells) == result["n_cells"]


def test_a_reader_that_leaves_is_no_mistake():
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m bfo_utils parameters | head -n 1; exit 0"],
        capture_output=True,
        text=True,
    )
    assert done.stderr == "" and done.stdout


RUDE = {
    "savefig.facecolor": "black",
    "savefig.edgecolor": "red",
    "savefig.transparent": True,
    "savefig.bbox": "tight",
    "savefig.pad_inches": 2.0,
    "savefig.dpi": 30,
    "savefig.format": "svg",
    "savefig.orientation": "landscape",
    "figure.dpi": 33,
    "figure.facecolor": "pink",
    "font.size": 30,
    "lines.linewidth": 9,
    "image.cmap": "jet",
    "axes.facecolor": "black",
    "path.simplify": False,
    "agg.path.chunksize": 7,
    "figure.autolayout": True,
    "axes.unicode_minus": False,
    "image.origin": "lower",
    "axes.prop_cycle": mpl.cycler(color=["k"]),
}


def test_the_settings_of_a_users_matplotlib_reach_no_picture(tmp_path, prepared):
    def pictures():
        figure = plot_polarization(prepared.image, prepared.lattice.cells)
        save_figure(figure, tmp_path / "a.png")
        return (tmp_path / "a.png").read_bytes(), png_bytes(plot_image(prepared.image))

    plain = pictures()
    with mpl.rc_context(RUDE):
        assert pictures() == plain
