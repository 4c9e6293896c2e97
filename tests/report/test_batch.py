"""Many images: the same files on one process, two, or a Dask cluster, and whatever is killed on
the way.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pandas as pd
import psutil
import pytest

from bfo_utils.cli import main
from bfo_utils.compute import WorkerDied, connect_pool, executors, in_order
from bfo_utils.errors import InputError
from bfo_utils.io import Reading
from bfo_utils.report import (
    SUMMARY_COLUMNS,
    BatchJob,
    BatchSettings,
    analyze_file,
    batch,
    find_images,
    run_batch,
)
from bfo_utils.search import SearchPlan
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom

SETTINGS = BatchSettings(SearchPlan(9))
LAYOUTS = ("halves", "junction", "single", "quadrants")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four phantoms, one of them with the name of another, and a file that is no image."""
    folder = tmp_path_factory.mktemp("images")
    for k, layout in enumerate(LAYOUTS):
        p = simulate_phantom(Specimen(layout=layout, cells=20, cell_px=12), k)
        save_phantom(p, folder / f"p{k}.h5" if k else folder / "again" / "p1.h5")
    (folder / "notes.txt").write_text("not among the images")
    (folder / "bad.tif").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def given(folder):
    return [str(folder), str(folder / "again" / "p1.h5")]


@pytest.fixture(scope="module")
def reference(given, tmp_path_factory):
    """What one process writes."""
    out = tmp_path_factory.mktemp("reference")
    with connect_pool(1) as pool:
        run_batch(given, out, pool, SETTINGS)
    return out


def tables(out):
    """Bytes of all CSV files by path; of trials and front without the wall times."""
    found = {}
    for path in Path(out).rglob("*.csv"):
        timed = path.name in ("trials.csv", "pareto.csv")
        found[str(path.relative_to(out))] = (
            pd.read_csv(path, dtype=str).drop(columns="seconds").to_csv().encode()
            if timed
            else path.read_bytes()
        )
    return found


def begun(out, n=1):
    """Wait until n images have begun their search, and some are not done."""
    deadline = time.time() + 60
    while time.time() < deadline:
        if len(list(Path(out).glob("*/trials.jsonl"))) >= n:
            assert len(list(Path(out).glob("*/batch.json"))) < len(LAYOUTS)
            return
        time.sleep(0.005)
    raise TimeoutError(out)


def kill_a_worker(out, processes):
    """A thread that kills, in the middle of a run, the process that a function names."""

    def kill():
        begun(out)
        processes()[0].kill()
        killed.append(True)

    killed = []
    thread = threading.Thread(target=kill)
    thread.start()
    return thread, killed


def local_workers():
    return [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]


class Here:
    """A pool without processes that counts its tasks."""

    size, tasks = 1, 0

    def run(self, function, tasks):
        for k, task in enumerate(tasks):
            self.tasks += 1
            yield k, function(task)


def test_summary_has_a_row_per_image_in_their_order(folder, reference):
    table = pd.read_csv(reference / "summary.csv")
    assert tuple(table.columns) == SUMMARY_COLUMNS
    assert [Path(name).name for name in table["image"]] == [
        "bad.tif",
        "p1.h5",
        "p2.h5",
        "p3.h5",
        "p1.h5",
    ]
    assert table["folder"].tolist()[1:] == ["p1", "p2", "p3", "p1-2"]
    assert table["verdict"].tolist()[1:] == ["domains", "no domains", "domains", "domains"]
    for name, folder, p in table[["domains", "folder", "p_pm"]].to_numpy()[1:]:
        domains = pd.read_csv(reference / folder / "domains.csv")
        assert name == "; ".join(domains["name"])
        assert p == pytest.approx((domains["p_pm"] * domains["share"]).sum(), rel=1e-4)
    assert "bad.tif: not readable" in table["error"][0] and table["error"][1:].isna().all()
    assert sorted(os.listdir(reference)) == [
        "p1",
        "p1-2",
        "p2",
        "p3",
        "summary.csv",
    ]  # no folder for what is no image


def test_rows_say_what_the_results_say(reference):
    table = pd.read_csv(reference / "summary.csv").set_index("folder")
    result = json.loads((reference / "p3" / "result.json").read_text())
    assert table["total"]["p3"] == pytest.approx(result["rewards"]["total"])
    assert (
        table["n_domains"]["p3"] == result["n_domains"]
        and table["sha256"]["p3"] == result["input"]["sha256"]
    )
    assert table["covariance"]["p3"] == result["parameters"]["covariance"]


def test_two_processes_write_the_same(given, reference, tmp_path):
    with connect_pool(2) as pool:
        run_batch(given, tmp_path, pool, SETTINGS)
    assert tables(tmp_path) == tables(reference)


def test_a_killed_process_changes_nothing(given, reference, tmp_path):
    thread, killed = kill_a_worker(tmp_path, local_workers)
    with connect_pool(2) as pool:
        run_batch(given, tmp_path, pool, SETTINGS)
    thread.join()
    assert killed and tables(tmp_path) == tables(reference)


def test_rows_appear_as_images_end(given, tmp_path):
    seen = []
    run_batch(
        given,
        tmp_path,
        Here(),
        SETTINGS,
        lambda table: seen.append(
            [len(table), len(pd.read_csv(tmp_path / "summary.csv")) if len(table) else 0]
        ),
    )
    assert seen == [[n, n] for n in range(6)]


def copied(reference, tmp_path):
    return shutil.copytree(reference, tmp_path / "out")


def tasks_of(given, out, settings=SETTINGS):
    pool = Here()
    run_batch(given, out, pool, settings)
    return pool.tasks


def test_a_second_call_tries_only_what_failed(given, reference, tmp_path):
    out = copied(reference, tmp_path)
    assert tasks_of(given, out) == 1
    assert tables(out) == tables(reference)


def test_other_settings_or_pixels_are_done_again(folder, reference, tmp_path):
    out, image = copied(reference, tmp_path), str(folder / "p3.h5")
    assert tasks_of([image], out) == 0
    for settings in (
        BatchSettings(SearchPlan(9, seed=1)),
        BatchSettings(SearchPlan(9), Reading(0.02)),
    ):
        assert tasks_of([image], out, settings) == 1 and tasks_of([image], out, settings) == 0
    assert pd.read_csv(out / "summary.csv")["pixel_size_nm"].tolist() == [0.02]


def test_a_changed_image_is_done_again_in_its_folder_and_a_moved_one_not(
    folder, reference, tmp_path
):
    out, image = copied(reference, tmp_path), tmp_path / "new" / "p2.h5"
    image.parent.mkdir()
    shutil.copy(folder / "p1.h5", image)
    assert tasks_of([str(image)], out) == 0  # known by its hash
    assert pd.read_csv(out / "summary.csv")[["image", "folder"]].values.tolist() == [
        [str(image), "p1"]
    ]
    shutil.copy(folder / "p2.h5", image)
    assert (
        tasks_of([str(folder / "p2.h5"), str(image)], out) == 1
    )  # both are wanted: each has its folder
    assert pd.read_csv(out / "summary.csv")["folder"].tolist() == ["p2", "p2-2"]
    shutil.copy(folder / "p3.h5", image)
    assert tasks_of([str(image)], out) == 1
    assert pd.read_csv(out / "summary.csv")["folder"].tolist() == ["p2-2"]
    assert (out / "p2" / "cells.csv").read_bytes() == (reference / "p2" / "cells.csv").read_bytes()


@pytest.mark.slow
def test_a_call_that_is_killed_leaves_no_worker_and_goes_on(given, reference, tmp_path):
    command = [
        sys.executable,
        "-m",
        "bfo_utils",
        "batch",
        *given,
        "--out",
        str(tmp_path),
        "--budget",
        "9",
        "--workers",
        "2",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begun(tmp_path, 2)
    workers = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    assert not psutil.wait_procs(workers, timeout=30)[1]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "5 images: 4 analyzed, 1 with an error" in done.stdout
    assert tables(tmp_path) == tables(reference)


def fatal(name, function, job):
    if job.path.endswith(name):
        os.kill(os.getpid(), signal.SIGKILL)
    return function(job)


class Fatal:
    """A pool in which one image kills every process that opens it."""

    size = 2

    def __init__(self, pool):
        self._pool = pool

    def run(self, function, tasks):
        return self._pool.run(partial(fatal, "p2.h5", function), tasks)


def test_an_image_that_kills_its_worker_is_a_row_with_its_error(given, reference, tmp_path):
    with connect_pool(2) as pool:
        table = run_batch(given, tmp_path, Fatal(pool), SETTINGS)
    assert "its worker process was killed" in table["error"][2] and table["error"][3:].isna().all()
    wanted = {
        name: content
        for name, content in tables(reference).items()
        if name != "summary.csv" and name[:3] != "p2/"
    }
    assert {
        name: content for name, content in tables(tmp_path).items() if name != "summary.csv"
    } == wanted


def test_the_trials_of_a_single_image_are_tasks(folder, reference, tmp_path):
    with connect_pool(2) as pool:
        run_batch([str(folder / "p3.h5")], tmp_path, pool, SETTINGS)
    one, many = tables(tmp_path), tables(reference)
    assert {name: one[name] for name in one if name != "summary.csv"} == {
        n: many[n] for n in many if n.startswith("p3/")
    }
    assert [path.name for path in (tmp_path / "p3").glob("*.npz")] == ["picture.npz"]


def test_a_task_that_kills_its_process_is_given_up_and_errors_are_raised():
    with connect_pool(1) as pool:
        with pytest.raises(ValueError, match="invalid literal"):
            list(pool.run(int, ["x"]))
        with pytest.raises(WorkerDied, match="was killed every time"):
            list(in_order(pool.run(os._exit, [1])))


def test_an_unforeseen_error_costs_one_row(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "analyze", lambda *a, **k: 1 / 0)
    job = BatchJob("x", str(folder / "p3.h5"), tmp_path / "x")
    assert analyze_file(SETTINGS, job) == {
        "image": "x",
        "error": "ZeroDivisionError: division by zero",
    }


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    captured = capsys.readouterr()
    assert stop.value.code == 2 and captured.out == "" and captured.err.count("\n") == 1
    return captured.err


def test_bad_usage_is_one_clear_line(capsys, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "no image found" in refused(capsys, "batch", "empty", "--out", "o")
    assert "IMAGE" in refused(capsys, "batch", "--out", "o")
    assert "pixel size" in refused(capsys, "batch", "x.tif", "--out", "o", "--pixel-size", "-1")
    assert "no such goal" in refused(capsys, "batch", "x.tif", "--out", "o", "--goal", "fame")
    assert "own workers" in refused(
        capsys, "batch", "x.tif", "--out", "o", "--workers", "2", "--scheduler", "tcp://x:1"
    )
    assert os.listdir() == ["empty"]


def test_where_every_image_fails_the_exit_status_says_so(capsys, tmp_path):
    assert "no image could be analyzed" in refused(
        capsys, "batch", tmp_path / "x.tif", "--out", tmp_path / "o"
    )
    assert "no such file" in pd.read_csv(tmp_path / "o" / "summary.csv")["error"][0]


def test_without_distributed_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(InputError, match=r"needs distributed, .* '\.\[cluster\]'"),
        connect_pool(scheduler="tcp://127.0.0.1:1"),
    ):
        pass


class Cluster:
    """A Dask scheduler and its workers, each a process of its own; those that die are not
    started again.
    """

    def __init__(self, folder):
        self._file, self._folder = folder / "scheduler.json", folder
        self.scheduler = self._start("scheduler", "--port", "0", "--host", "127.0.0.1")
        self.workers = []
        while not (self._file.exists() and self._file.read_text()):  # there, and written
            assert self.scheduler.poll() is None
            time.sleep(0.05)
        self.address = json.loads(self._file.read_text())["address"]

    def top_up(self, distributed):
        """Two workers that live."""
        self.workers = [w for w in self.workers if w.poll() is None]
        while len(self.workers) < 2:
            self.workers.append(
                self._start("worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny")
            )
        with distributed.Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)

    def _start(self, *command):
        paths = os.pathsep.join(
            str(Path(file).resolve().parents[2]) for file in (batch.__file__, __file__)
        )
        settings = {"PYTHONPATH": paths, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "dask",
                *command,
                "--no-dashboard",
                "--scheduler-file",
                str(self._file),
            ],
            cwd=self._folder,
            env=os.environ | settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def one_cluster(tmp_path_factory):
    pytest.importorskip("distributed", reason="the extra 'cluster' (distributed) is not installed")
    started = Cluster(tmp_path_factory.mktemp("dask"))
    yield started
    started.close()


@pytest.fixture
def dask(one_cluster):
    """A cluster of two worker processes."""
    import distributed

    one_cluster.top_up(distributed)
    return one_cluster


def test_a_dask_cluster_writes_the_same_as_one_process(given, folder, reference, tmp_path, dask):
    with connect_pool(scheduler=dask.address) as pool:
        assert pool.size == 2
        run_batch(given, tmp_path / "all", pool, SETTINGS)
        run_batch(
            [str(folder / "p3.h5")], tmp_path / "one", pool, SETTINGS
        )  # its trials are the tasks
    assert tables(tmp_path / "all") == tables(reference)
    assert (tmp_path / "one" / "p3" / "cells.csv").read_bytes() == (
        reference / "p3" / "cells.csv"
    ).read_bytes()
    assert tables(tmp_path / "one")["p3/trials.csv"] == tables(reference)["p3/trials.csv"]


def test_a_killed_dask_worker_changes_nothing(given, reference, tmp_path, dask):
    thread, killed = kill_a_worker(tmp_path, lambda: dask.workers)
    with connect_pool(scheduler=dask.address) as pool:
        run_batch(given, tmp_path, pool, SETTINGS)
    thread.join()
    assert killed and [w.poll() is None for w in dask.workers] == [False, True]
    assert tables(tmp_path) == tables(reference)


def test_errors_of_a_dask_task_are_one_line_and_one_that_kills_workers_is_given_up(dask):
    with connect_pool(scheduler=dask.address) as pool:
        with pytest.raises(InputError, match="^images: no image found"):
            list(pool.run(find_images, [[]]))
        with pytest.raises(
            InputError, match="cluster cannot run the analysis .ValueError: invalid literal"
        ):
            list(pool.run(int, ["x"]))
        ((position, result),) = pool.run(os._exit, [1])
        assert position == 0 and isinstance(result, WorkerDied)


def test_a_lost_scheduler_is_one_line(tmp_path):
    pytest.importorskip("distributed", reason="the extra 'cluster' (distributed) is not installed")
    started = Cluster(tmp_path)
    try:
        with connect_pool(scheduler=started.address) as pool:
            threading.Timer(1, started.scheduler.kill).start()
            with pytest.raises(InputError, match="connection to the scheduler was lost"):
                list(pool.run(abs, [1]))  # there is no worker that could
    finally:
        started.close()


def test_no_scheduler_is_one_clear_line(capsys, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the extra 'cluster' (distributed) is not installed")
    monkeypatch.setattr(executors, "CONNECT_S", 1)
    line = refused(
        capsys,
        "batch",
        tmp_path,
        tmp_path / "x.tif",
        "--out",
        tmp_path / "o",
        "--scheduler",
        "tcp://127.0.0.1:9",
    )
    assert "no Dask scheduler answers at this address" in line and not (tmp_path / "o").exists()
