"""Phantoms, crystals, a rendered book and a browser that several tests share; made once per
session.
"""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from bfo_utils.book import run_book
from bfo_utils.results import conclude_analysis
from bfo_utils.search import SearchPlan, prepare_image, search_configurations
from bfo_utils.simulation import Specimen, simulate_phantom, true_label_map

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # a busy machine is no failure

SMALL = {
    "cells": 24,
    "budget": 16,
    "dose": 60.0,
    "vae_budget": 2,
    "series_budget": 8,
    "pairs": 1,
}  # a run of the book in minutes
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items):
    """Put the modules that read the rendered book in the middle, except the one that is first to
    ask for it: who meets them while it is made waits for minutes.
    """
    book = Path(__file__).parent / "book"
    readers = {i.path for i in items if i.path.parent == book and "folder" in i.fixturenames}
    later = readers - {book / "test_browser.py"}
    first = [i for i in items if i.path not in later]
    middle = len(first) // 2
    items[:] = [*first[:middle], *(i for i in items if i.path in later), *first[middle:]]


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real images."""
    if not SHARED.is_dir():
        pytest.skip("the real images (../shared/data) are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def junction():
    """A small phantom with three variants."""
    return simulate_phantom(Specimen(layout="junction", cells=36, cell_px=18), 1)


@pytest.fixture(scope="session")
def prepared(junction):
    """Its prepared crystal."""
    return prepare_image(junction.image)


@pytest.fixture(scope="session")
def truth_map(junction, prepared):
    """Its true variants on the grid that was found."""
    return true_label_map(junction.truth, prepared.lattice.cells, prepared.mask)


@pytest.fixture(scope="session")
def folder(tmp_path_factory, worker_id):
    """Folder of a small run on the phantom, from notebooks to ``html/index.html``: one for all
    processes of the tests, which read it only.
    """
    base = tmp_path_factory.getbasetemp()
    out = (base if worker_id == "master" else base.parent) / "run"
    with FileLock(f"{out}.lock"):
        if not (out / "html" / "index.html").exists():
            assert run_book(None, out, given=SMALL, seed=1) == out / "html" / "index.html"
    return out


@pytest.fixture(scope="session")
def answer(prepared):
    """The analysis of that crystal by a short search."""
    plan = SearchPlan(budget=12, seed=1)
    return conclude_analysis(prepared, search_configurations(prepared, plan), plan.seed)


@pytest.fixture(scope="module")  # one that is left open goes on drawing its last page
def browser():
    """Headless Chromium (a selenium driver), 1280 px wide, that reaches nothing but files of
    this machine.
    """
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip(
            "chromium and chromedriver are not installed (Debian: apt-get install chromium"
            " chromium-driver)"
        )
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1280,900",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()
