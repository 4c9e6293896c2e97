"""Commands that are killed at any moment, meet full and read-only disks, and come twice at once."""

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from bfo_utils.book import BookStep, build, execute_step, render_book
from bfo_utils.compute import HELPERS, OWNER, join_run, locked_folder, locks, partial
from bfo_utils.errors import DiskError, InputError
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom
from bfo_utils.smbfo import (
    FOLDER_VARIABLE,
    HASHES,
    SERVER_VARIABLE,
    SeriesStyle,
    fetch_series,
    write_series,
)
from bfo_utils.vae import vae_available

from .faults import KILLS, Command, leftovers, strike, strike_in_chains
from .local_zenodo import LocalZenodo
from .record import record

pytestmark = pytest.mark.faults
PACKAGE = Path(__file__).resolve().parents[1] / "bfo_utils"
IMAGE = "SM_10_0_HAADF.h5"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "p.h5"
    save_phantom(simulate_phantom(Specimen(layout="halves", cells=24, cell_px=12), 0), path)
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    write_series(folder, ("Sm_10_0", "Sm_20_1"), SeriesStyle(cells=20, cell_px=16))
    with LocalZenodo(folder) as running:
        yield running


def analyze(image, *more):
    return Command(("analyze", str(image), "--budget", "8", *map(str, more)))


def survived(name, row):
    record("faults", command=name, fault="killed", **row)
    assert not row["differ"] and row["tried"] == KILLS


# ---- killed at any moment ------------------------------------------------------------


@pytest.mark.slow
def test_an_analysis_that_is_killed_ends_the_same(image, tmp_path):
    survived("analyze", strike(analyze(image), tmp_path, KILLS, seed=1))


@pytest.mark.slow
def test_a_batch_that_is_killed_ends_the_same(image, tmp_path):
    other = tmp_path / "images" / "q.h5"
    save_phantom(simulate_phantom(Specimen(layout="single", cells=20, cell_px=12), 1), other)
    command = Command(("batch", str(image), str(other), "--budget", "8", "--workers", "2"))
    survived("batch", strike(command, tmp_path, KILLS, seed=2))


@pytest.mark.slow
def test_a_download_that_is_killed_ends_the_same_and_repeats_nothing(archive, tmp_path):
    environment = ((SERVER_VARIABLE, archive.url), ("NO_PROXY", "127.0.0.1"))
    command = Command(("fetch", "smbfo", "Sm_10_0", "Sm_20_1"), "--dir", environment)
    archive.faults.slow = 0.03
    repeated = []

    @contextmanager
    def watched(out):
        """Count bytes that are there and are asked for again."""
        had = (
            {p.name.removesuffix(".part"): p.stat().st_size for p in out.glob("S*")}
            if out.exists()
            else {}
        )
        before = len(archive.log)
        yield
        for path, wanted in archive.log[before:]:
            repeated.append(
                max(0, had.pop(path.split("/")[-1], 0) - (int(wanted[6:-1]) if wanted else 0))
            )

    row = strike(command, tmp_path, KILLS, seed=3, watched=watched)
    archive.faults.slow = 0.0
    row["bytes_lost"] += sum(repeated)
    survived("fetch", row)
    assert not sum(repeated)


@pytest.mark.slow
@pytest.mark.parametrize("autoencoders", [0, 2])
def test_a_run_that_is_killed_ends_with_the_same_book(tmp_path, autoencoders):
    given = {
        "cells": 24,
        "budget": 8,
        "dose": 60,
        "vae_budget": autoencoders,
        "epochs": 6,
        "series_budget": 8,
    }
    if KILLS < 10:
        pytest.skip("takes minutes; `make faults` does it")
    if not autoencoders:
        del given["epochs"]
    options = [part for name, value in given.items() for part in ("-p", f"{name}={value}")]
    kills = (KILLS + 1 - bool(autoencoders)) // 2  # all kills are shared by the two
    row = strike_in_chains(Command(("run", *options)), tmp_path, kills, seed=4 + autoencoders)
    record("faults", command="run", fault="killed", autoencoders=autoencoders, **row)
    assert not row["differ"] and row["tried"] == kills


# ---- no room, no access --------------------------------------------------------------


@contextmanager
def disk(place, megabytes):
    """A small file system in memory, mounted at a folder."""
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(place)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def out(tmp_path):
    """A folder that is a disk of its own, of 16 MB."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    with disk(tmp_path / "out", 16) as place:
        yield place


@pytest.fixture(params=["analyze", "batch"])
def command(request, image):
    return Command(
        (
            request.param,
            str(image),
            "--budget",
            "8",
            *(["--workers", "1"] if request.param == "batch" else []),
        )
    )


def fill(place, but):
    """Use up all but some bytes of a disk."""
    (place / "other").unlink(missing_ok=True)
    (place / "other").write_bytes(b"x" * (shutil.disk_usage(place).free - but))


def read_only(place):
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)


def refused(command, out, *more):
    """The one line of a refused call; the disk, too, is as it was but for the record of the
    trials that were done.
    """
    before, status = results(out), command.start(out, *more).wait(300)
    said = Path(f"{out}.log").read_text()
    lines = [line for line in said.split("\n") if line.startswith("bfo: ")]
    assert status == 2 and len(lines) == 1 and "Traceback" not in said, said[-3000:]
    assert results(out) == before
    return lines[0]


def results(out):
    return {
        p.relative_to(out).as_posix(): p.read_bytes()
        for p in sorted(out.rglob("*"))
        if p.is_file() and p.suffix != ".jsonl"
    }


@pytest.mark.slow
def test_a_disk_without_room_or_access_is_one_line_and_leaves_the_results(command, out):
    command.whole(out)
    for room in (
        0,
        30_000,
        1_000_000,
    ):  # nothing fits; the record of trials does; the tables do, too
        fill(out, room)
        assert "No space left on device" in refused(command, out, "--seed", "1")
    read_only(out)
    assert "Read-only file system" in refused(command, out, "--seed", "1")
    record(
        "faults",
        command=command.arguments[0],
        fault="full or read-only disk",
        tried=4,
        survived=4,
        bytes_lost=0,
    )


@pytest.mark.slow
def test_a_run_without_room_or_access_leaves_the_earlier_book(out):
    run = Command(("run", "-p", "cells=24", "-p", "budget=8", "-p", "vae_budget=0"))
    earlier = {
        "run.json": '{"image": "", "finished": []}',
        "html/index.html": "a book",
        "artifacts/result.json": "{}",
    }
    for name, text in earlier.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(text)
    for room in (0, 1_000_000):  # nothing fits; what the first notebook leaves does not
        fill(out, room)
        before = results(out)
        assert run.start(out).wait(300) == 2
        said = Path(f"{out}.log").read_text()
        assert "bfo: " in said and "No space left on device" in said and "Traceback" not in said
        assert {name: results(out)[name] for name in before if name != "run.json"} == {
            name: data for name, data in before.items() if name != "run.json"
        }
        assert not leftovers(out)
    read_only(out)
    assert "Read-only file system" in refused(run, out)
    record(
        "faults", command="run", fault="full or read-only disk", tried=3, survived=3, bytes_lost=0
    )


def test_a_book_that_finds_no_room_leaves_the_earlier_one(out):
    (out / "html").mkdir()
    (out / "html" / "index.html").write_text("a book")
    (out / "notebooks").mkdir()
    fill(out, 50_000)
    before = results(out)
    with pytest.raises(DiskError, match="No space left on device"):
        render_book(out)
    assert results(out) == before and not (out / ".book").exists()


def test_a_download_without_room_or_access(archive, out, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    fetch_series(["Sm_20_1"], out, archive.url)
    fill(out, 200_000)
    before = results(out)
    with pytest.raises(InputError, match="needed; choose another folder"):
        fetch_series(["Sm_10_0"], out, archive.url)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 1 << 40)
    )  # another process fills it meanwhile
    with pytest.raises(DiskError, match="No space left on device"):
        fetch_series(["Sm_10_0"], out, archive.url)
    part = partial(out / IMAGE)
    assert archive.files[IMAGE].startswith(part.read_bytes())  # to go on with
    part.unlink()
    assert results(out) == before
    read_only(out)
    with pytest.raises(DiskError, match="Read-only file system"):
        fetch_series(["Sm_10_0"], out, archive.url)
    assert list(fetch_series(["Sm_20_1"], out, archive.url)) == [
        "Sm_20_1"
    ]  # what is there can be used
    assert results(out) == before
    record(
        "faults", command="fetch", fault="full or read-only disk", tried=3, survived=3, bytes_lost=0
    )


# ---- two at once ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["analyze", "batch", "run"])
def test_a_second_run_into_the_same_folder_is_refused(image, tmp_path, name):
    second = Command((name, str(image)))
    with locked_folder(tmp_path / "out"):
        line = refused(second, tmp_path / "out")
    assert f"out: in use by process {os.getpid()} on {socket.gethostname()} since 20" in line
    assert not (tmp_path / "out").exists()
    record("faults", command=name, fault="two at once", tried=1, survived=1, bytes_lost=0)


def test_a_dead_process_holds_no_lock(tmp_path):
    code = (
        "import time; from bfo_utils.compute import locked_folder\nwith"
        f" locked_folder({str(tmp_path)!r}): print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with (
            pytest.raises(InputError, match=f"in use by process {holder.pid} "),
            locked_folder(tmp_path),
        ):
            pass
        holder.kill()
    assert (tmp_path / OWNER).exists()
    (tmp_path / ".cells.csv.1.part.csv").write_text("half")
    with locked_folder(tmp_path):
        assert [p.name for p in tmp_path.iterdir()] == [OWNER]
    assert not list(tmp_path.iterdir())


def test_a_helper_of_a_killed_run_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_ORPHANS_S", 0.2)
    helper = join_run(tmp_path)
    with pytest.raises(InputError, match="in use by another process"), locked_folder(tmp_path):
        pass
    monkeypatch.setattr(locks, "_ORPHANS_S", 60.0)
    threading.Timer(0.3, helper.release).start()
    with locked_folder(tmp_path):
        assert not list(tmp_path.glob(f"{HELPERS}-*"))
    assert not list(tmp_path.iterdir())


def test_the_kernel_of_a_notebook_is_a_helper(tmp_path, monkeypatch):
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "a",
        "metadata": {"tags": ["parameters"]},
        "outputs": [],
        "source": "from pathlib import Path\nassert list(Path('../..').glob('.lock-helpers-*'))",
    }
    monkeypatch.setattr(build, "resource_path", lambda name: tmp_path)
    (tmp_path / "n.ipynb").write_text(
        json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    with locked_folder(tmp_path / "a 'b'"):
        execute_step(BookStep("n", "part", {}), tmp_path / "a 'b'")
    assert [p.name for p in (tmp_path / "a 'b'").iterdir()] == ["notebooks"]


def test_downloads_into_the_same_folder_wait_for_each_other(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(archive.faults, "slow", 0.02)
    begun = len(archive.log)
    environment = (
        (SERVER_VARIABLE, archive.url),
        ("NO_PROXY", "127.0.0.1"),
        (FOLDER_VARIABLE, str(tmp_path / "d")),
    )
    ids = (("Sm_10_0",), ("Sm_10_0", "Sm_20_1"), ("Sm_20_1",))
    calls = [
        Command(("fetch", "smbfo", *i), "--dir", environment).start(
            tmp_path / "d", log=tmp_path / f"{k}"
        )
        for k, i in enumerate(ids)
    ]
    assert [call.wait(120) for call in calls] == [0, 0, 0]
    assert {p.name for p in (tmp_path / "d").iterdir()} == {*archive.files, HASHES}
    assert all((tmp_path / "d" / name).read_bytes() == data for name, data in archive.files.items())
    asked = [path.split("/")[-1] for path, _ in archive.log[begun:] if "/files/" in path]
    assert sorted(asked) == sorted(archive.files)  # each once
    assert sum("waiting for it to end" in (tmp_path / f"{k}").read_text() for k in range(3)) >= 1
    record("faults", command="fetch", fault="two at once", tried=3, survived=3, bytes_lost=0)


@pytest.mark.slow
def test_processes_that_want_the_same_model_train_it_once(tmp_path):
    if not vae_available():
        pytest.skip("torch and AtomAI are not installed")
    code = f"""if True:
        import numpy as np
        from bfo_utils.vae import VAE, VAESettings, trained_vae
        windows = np.random.default_rng(0).normal(size=(100, 7, 7))
        fit, print_ = VAE.fit, print
        VAE.fit = lambda *a: (print_("trained"), fit(*a))[1]
        model = trained_vae(windows, VAESettings("none", 1), 30, {str(tmp_path / "networks")!r})
        print(float(model.encode(windows).sum()))"""
    pair = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0].split() for process in pair]
    assert sorted(map(len, said)) == [1, 2] and said[0][-1] == said[1][-1]
    assert [p.suffix for p in (tmp_path / "networks").iterdir()] == [".vae"]
    record("faults", command="models", fault="two at once", tried=2, survived=2, bytes_lost=0)


# ---- every write ---------------------------------------------------------------------

WRITES = {
    "write_text",
    "write_bytes",
    "to_csv",
    "to_json",
    "savefig",
    "savez",
    "savez_compressed",
    "save_npz",
    "imsave",
    "dump",
    "rename",
    "replace",
    "copy",
    "copytree",
    "move",
    "tofile",
    "mkstemp",
    "execute_notebook",
}
MODULES_OF = {
    "rename": "os",
    "replace": "os",
    "copy": "shutil",
    "save": "torch",
    "dump": "json",
}  # text has a replace, too
#: Functions that write without :func:`bfo_utils.compute.atomic`, and why they may.
DIRECT = {
    "files.atomic": "itself",
    "files.together": "itself",
    "files._fill": (
        "moves what is complete into an empty folder; a part of it is known by its manifest"
    ),
    "locks._sign": "who holds a lock, into a file that means nothing once the lock is released",
    "isolation.own_jupyter": "a description of the kernel, for the time of a block",
    "cli.main": "opens what leads nowhere",
    "files.take_place": "renames a folder that is complete",
    "files.put_back": "and undoes it where only one of two renames was made",
    "trial_log.put": (
        "appends one line, which is in the file at once; a torn last line is left out when read"
    ),
    "transfer._go_on": (
        "the part of a download, which goes on where it ends; fetch checks and renames it"
    ),
    "download._download": "renames the part once it is checked and on the disk",
    "paper.figure_bytes": "to memory",
    "formats.write": "writes where `export_answer` says, which is atomic",
    "formats._xyz": "likewise",
    "examples._download": "renames the part once it is checked and on the disk",
    "interactive._uri": "to memory",
    "workshop._copy": "to a folder that `lay_out` puts in its place once it is complete",
    "networks.write_network": "to memory; vae.VAE.save is atomic",
    "build._papermill": "writes where `execute_step` says, which is atomic",
    "build._build": "a folder of its own, which becomes the book once it is complete",
    "build._stand_in": "in that folder",
    "build._open": "in that folder",
    "build._only_of_the_image": "in that folder",
    "stages._beside": "in that folder",
}


def writes(path):
    """Functions of a module that write outside of a block of `atomic` or `atomic_folder`."""

    def visit(node, function, safe):
        if isinstance(node, ast.FunctionDef):
            function = node.name
        if isinstance(node, ast.With):
            safe = safe or any(
                getattr(getattr(i.context_expr, "func", None), "id", "")
                in ("atomic", "atomic_folder")
                for i in node.items
            )
        if isinstance(node, ast.Call) and not safe and is_write(node):
            yield f"{path.stem}.{function}"
        for child in ast.iter_child_nodes(node):
            yield from visit(child, function, safe)

    return set(visit(ast.parse(path.read_text()), "", False))


def is_write(call):
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    owner = getattr(getattr(call.func, "value", None), "id", "")
    if name in ("open", "File"):
        given = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
        modes = [a for a in given if not isinstance(a, ast.Name | ast.JoinedStr)]
        return any(re.search(r"['\"][rb]*[wax+]", ast.unparse(a)) for a in modes) and owner != "os"
    return name in WRITES | {"save"} and owner == MODULES_OF.get(name, owner)


def test_every_write_is_atomic():
    found = set().union(*(writes(path) for path in PACKAGE.rglob("*.py")))
    assert found == set(DIRECT)
