"""The same input, options and seed: the same bytes, whoever runs it, and once more from
result.json alone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__

from bfo_utils import cli
from bfo_utils.book import Artifacts
from bfo_utils.cli import main
from bfo_utils.errors import InputError
from bfo_utils.io import Reading, file_sha256
from bfo_utils.report import package_versions, write_results
from bfo_utils.results import (
    COMPARED_TABLES,
    Plugin,
    Provenance,
    Simulation,
    analyze,
    check_plugin,
    plugin_of,
    provenance,
    provenance_from_plain,
    read_result,
    result_image,
)
from bfo_utils.search import SearchPlan, Trial
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom

from .record import record

PACKAGE = str(Path(provenance.__file__).resolve().parents[1])
CRYSTAL = Specimen(layout="junction", cells=22, cell_px=14, dose=60)
OPTIONS = ["--budget", "10", "--seed", "3", "--set", "site=cell", "--pixel-size", "0.03"]
#: Surroundings that must not matter: hash seed, time zone, locale, threads of linear algebra.
PLACES = {
    "plain": {
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    },
    "other": {
        "PYTHONHASHSEED": "4242",
        "TZ": "Asia/Kolkata",
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
    },
}
#: The instructions of an older processor, in linear algebra and in all that NumPy computes.
PLACES["older"] = PLACES["plain"] | {
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__),
}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "scan.h5"
    save_phantom(simulate_phantom(CRYSTAL, 5), path)
    return path


@pytest.fixture(scope="module")
def runs(image, tmp_path_factory):
    """Folders of results of the same call in two processes that differ in all of `PLACES` and in
    the folder they start in.
    """
    folders = {}
    for name, place in PLACES.items():
        folders[name] = tmp_path_factory.mktemp(name) / "out"
        done = subprocess.run(
            [sys.executable, "-m", "bfo_utils", "analyze", str(image), "--out", "out", *OPTIONS],
            cwd=folders[name].parent,
            env=os.environ | place | {"PYTHONPATH": PACKAGE},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    return folders


def without_times(folder):
    result = json.loads((folder / "result.json").read_text())
    result.pop("timings_s")
    return result


def bfo(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return stop.value.code


def test_surroundings_and_threads_change_no_byte(runs):
    one, two = runs["plain"], runs["other"]
    for name in ("columns.csv", "cells.csv", "label_map.png", "confidence.png"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    for name in ("trials.csv", "pareto.csv"):
        assert (
            pd.read_csv(one / name)
            .drop(columns="seconds")
            .equals(pd.read_csv(two / name).drop(columns="seconds"))
        )
    assert without_times(one) == without_times(two)
    record(
        "reproducible",
        what="two processes: hash seed, time zone, locale, folder, 1 and 2 threads",
        same=True,
    )


def test_another_processor_finds_the_same(runs):
    one, two = runs["plain"], runs["older"]
    a, b = (pd.read_csv(folder / "cells.csv") for folder in (one, two))
    assert a["label"].equals(b["label"])
    assert np.allclose(
        a[["x_px", "y_px"]], b[["x_px", "y_px"]], rtol=0, atol=1e-3
    )  # fits round to float32
    results = [without_times(folder) for folder in (one, two)]
    assert all(
        results[0][name] == results[1][name]
        for name in ("verdict", "parameters", "n_domains", "n_columns")
    )
    record(
        "reproducible",
        what=(
            "instructions of an older processor: labels, verdict and parameters (positions to"
            " 0.001 px)"
        ),
        same=True,
    )


def test_result_json_is_enough(runs, capsys):
    folder = runs["plain"]
    assert bfo("rerun", folder / "result.json") == 0
    out = folder.with_name("out-rerun")
    there = [name for name in COMPARED_TABLES if (folder / name).exists()]
    assert len(there) == 8 and capsys.readouterr().out.count("identical") == len(there)
    for name in ("columns.csv", "cells.csv"):
        assert (out / name).read_bytes() == (folder / name).read_bytes()
    assert without_times(out)["recipe"] == without_times(folder)["recipe"]
    record("reproducible", what="bfo rerun result.json", same=True)


def test_a_table_that_differs_is_told(runs, tmp_path, capsys):
    for path in runs["plain"].iterdir():
        if path.suffix in (".csv", ".json"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    table = pd.read_csv(tmp_path / "cells.csv")
    table.assign(label=0).to_csv(tmp_path / "cells.csv", index=False)
    assert bfo("rerun", tmp_path, "--out", tmp_path / "again") == 1
    assert "cells.csv: DIFFERS" in capsys.readouterr().out


def test_a_simulated_image_is_made_again(tmp_path):
    plan = SearchPlan(9, 2)
    done = analyze(simulate_phantom(CRYSTAL, 1).image, plan)
    write_results(done, tmp_path / "one", Provenance(plan, phantom=Simulation(CRYSTAL, 1)))
    assert bfo("rerun", tmp_path / "one", "--out", tmp_path / "two") == 0
    assert (tmp_path / "one" / "cells.csv").read_bytes() == (
        tmp_path / "two" / "cells.csv"
    ).read_bytes()


def test_a_recipe_comes_back_as_it_was():
    plan = SearchPlan(
        9,
        4,
        {"evidence": 1.0, "continuity": 0.3, "agreement": 2.0},
        {"site": "cell"},
        "pareto",
        True,
        "lattice",
        2,
    )
    made = Provenance(plan, Reading(0.02, "HAADF"), Simulation(CRYSTAL, 7), Plugin("mine.py", "0"))
    back = provenance_from_plain(json.loads(json.dumps(made.plain, sort_keys=True)))
    assert back == made and list(back.plan.total) == list(plan.total)


def test_trials_keep_the_order_of_their_columns(tmp_path):
    trials = [
        Trial(
            0,
            "default",
            {"site": "A", "binning": 2},
            {"continuity": 1.0, "agreement": 0.5, "total": 0.5},
            0.1,
        )
    ]
    Artifacts(tmp_path).save_trials(trials)
    assert list(Artifacts(tmp_path).trials()[0].row) == list(trials[0].row)


def stored(folder, **changes):
    """A result.json in a folder, with changes to what an analysis of an image would have
    written.
    """
    content = {
        "input": {"path": str(folder / "scan.npy"), "sha256": "0" * 64},
        "versions": package_versions(),
        "recipe": Provenance(SearchPlan(9)).plain,
    }
    (folder / "result.json").write_text(json.dumps(content | changes))
    return folder / "result.json"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "scan.npy: the image of"),
        ({"recipe": None}, "has no provenance"),
        ({"input": {"path": None, "sha256": None}}, "an array in Python"),
        ({"input": None}, "result.json"),
        (
            {
                "recipe": {
                    **Provenance().plain,
                    "plan": {**Provenance().plain["plan"], "budget": "many"},
                }
            },
            "budget",
        ),
        ({"recipe": {"plan": {}}}, "not written by this version"),
        (
            {"recipe": Provenance(SearchPlan(9, fixed={"site": "D"})).plain},
            "parameter site: 'D' is out of range",
        ),
        ({"recipe": Provenance(plugin=Plugin("mine.py", "0")).plain}, "rewards of 'mine.py'"),
    ],
)
def test_what_cannot_be_made_again_is_one_line(tmp_path, capsys, changes, expected):
    assert bfo("rerun", stored(tmp_path, **changes)) == 2
    lines = capsys.readouterr().err.strip().split("\n")
    assert len(lines) == 1 and expected in lines[0]
    assert {p.name for p in tmp_path.iterdir()} == {"result.json"}


def test_a_changed_image_is_refused_and_a_moved_one_found(tmp_path, image):
    result = stored(tmp_path, input={"path": "gone.h5", "sha256": file_sha256(image)})
    assert result_image(read_result(result), str(image)).shape == (308, 308)
    np.save(tmp_path / "scan.npy", np.eye(40))
    with pytest.raises(InputError, match="has changed since"):
        result_image(read_result(stored(tmp_path)))


def test_a_plugin_is_run_only_if_given_and_the_same(tmp_path):
    (tmp_path / "mine.py").write_text("")
    made = read_result(
        stored(tmp_path, provenance=Provenance(plugin=plugin_of(str(tmp_path / "mine.py"))).plain)
    )
    check_plugin(made, str(tmp_path / "mine.py"))
    (tmp_path / "mine.py").write_text("print()")
    with pytest.raises(InputError, match="has changed"):
        check_plugin(made, str(tmp_path / "mine.py"))
    with pytest.raises(InputError, match="made without a plugin"):
        check_plugin(read_result(stored(tmp_path)), str(tmp_path / "mine.py"))


def test_the_folder_of_the_result_is_not_written_into(tmp_path, capsys):
    assert bfo("rerun", stored(tmp_path), "--out", tmp_path) == 2
    assert "folder of the result itself" in capsys.readouterr().err


def test_missing_and_foreign_files(tmp_path, capsys):
    assert bfo("rerun", tmp_path / "result.json") == 2
    assert "no such file" in capsys.readouterr().err
    (tmp_path / "result.json").write_text("[1]")
    assert bfo("rerun", tmp_path) == 2
    assert "is not the result" in capsys.readouterr().err


def test_a_run_is_found_by_its_folder_and_a_lonely_result_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "artifacts").mkdir()
    stored(
        tmp_path / "artifacts",
        provenance=Provenance(SearchPlan(9), phantom=Simulation(CRYSTAL, 1)).plain,
    )
    monkeypatch.setattr(cli, "_analyzed", lambda *given: None)
    assert bfo("rerun", tmp_path) == 0
    assert "there are no tables beside" in capsys.readouterr().err
