"""Commands that are killed at any moment, meet full and read-only disks, and come twice at once."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from bfo_utils import locks, phantom, registry, series, transfer
from bfo_utils.errors import InputError

from .faults import KILLS, Command, content, leftovers, strike, strike_in_chains
from .local_zenodo import LocalZenodo
from .record import record

pytestmark = pytest.mark.faults
FILES = Path(__file__).resolve().parents[1] / "bfo_utils"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "p.h5"
    phantom.save(phantom.simulate(phantom.Crystal(layout="halves", cells=24, cell_px=12), 0), path)
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    series.write(folder, ("Sm_10_0", "Sm_20_1"), series.Style(cells=20, cell_px=16))
    with LocalZenodo(folder) as running:
        yield running


def analyze(image, *more):
    return Command(("analyze", str(image), "--budget", "8", *map(str, more)))


def survived(name, row):
    record("faults", command=name, fault="killed", **row)
    assert not row["differ"] and row["tried"] == KILLS


# ---- killed at any moment -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_analysis_that_is_killed_ends_the_same(image, tmp_path):
    survived("analyze", strike(analyze(image), tmp_path, KILLS, seed=1))


@pytest.mark.slow
def test_a_batch_that_is_killed_ends_the_same(image, tmp_path):
    other = tmp_path / "images" / "q.h5"
    phantom.save(phantom.simulate(phantom.Crystal(layout="single", cells=20, cell_px=12), 1), other)
    command = Command(("batch", str(image), str(other), "--budget", "8", "--workers", "2"))
    survived("batch", strike(command, tmp_path, KILLS, seed=2))


@pytest.mark.slow
def test_a_download_that_is_killed_ends_the_same_and_repeats_nothing(archive, tmp_path):
    environment = ((registry.SERVER_VARIABLE, archive.url), ("NO_PROXY", "127.0.0.1"))
    command = Command(("fetch", "smbfo", "Sm_10_0", "Sm_20_1"), "--dir", environment)
    calls = []  # what had come of every file at each kill, and how many requests there had been

    def look(out):
        had = {p.name.removesuffix(".part"): p.stat().st_size for p in out.glob("S*")} if out.exists() else {}
        calls.append((had, len(archive.log)))

    row = strike(command, tmp_path, KILLS, seed=3, between=look)
    row["bytes_lost"] += sum(repeated(had, archive.log[n:]) for had, n in calls)
    survived("fetch", row)
    assert row["bytes_lost"] == 0


def repeated(had, log):
    """Bytes of files that were there and that the next call asks for again."""
    lost = 0
    for path, wanted in log:
        here = had.pop(path.split("/")[-1], 0)
        lost += max(0, here - (int(wanted[6:-1]) if wanted else 0))
        if path.startswith("/api/") and lost:
            break
    return lost


@pytest.mark.slow
@pytest.mark.parametrize("autoencoders", [0, 2])
def test_a_run_that_is_killed_ends_with_the_same_book(tmp_path, autoencoders):
    given = {"cells": 24, "budget": 8, "dose": 60, "vae_budget": autoencoders, "epochs": 6, "series_budget": 8}
    if not autoencoders:
        del given["epochs"]
    options = [part for name, value in given.items() for part in ("-p", f"{name}={value}")]
    kills = (KILLS + 1 - bool(autoencoders)) // 2  # all kills are shared by the two
    row = strike_in_chains(Command(("run", *options)), tmp_path, kills, seed=4 + autoencoders)
    record("faults", command="run", fault="killed", autoencoders=autoencoders, **row)
    assert not row["differ"] and row["tried"] == kills
