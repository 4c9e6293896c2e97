"""Results from before `schema_version` stay readable; those of a newer version are refused."""

import json
import shutil
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from bfo_utils.book.build import _finished, _settings
from bfo_utils.cli import main
from bfo_utils.io import Reading
from bfo_utils.report import PAGE, printing
from bfo_utils.results import SCHEMA_VERSION, provenance_from_plain, read_result

OLD = Path(__file__).parents[1] / "data" / "schema0"


@pytest.fixture
def old(tmp_path):
    """A run of the version before, with what a workshop and a PDF look for beside the records."""
    folder = tmp_path / "old"
    shutil.copytree(OLD, folder)
    for name in ("artifacts/prepared.npz", "artifacts/search.json", "artifacts/tuned/labels.npz"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")
    (folder / PAGE).parent.mkdir(parents=True)
    (folder / PAGE).write_text("<!doctype html><title>t</title>")
    return folder


@pytest.fixture
def printer(monkeypatch, tmp_path):
    """A program in the place of the browser, which writes the file that it is asked for."""
    program = tmp_path / "chromium"
    program.write_text(
        '#!/bin/sh\nfor a; do case $a in --print-to-pdf=*) echo > "${a#*=}";; esac; done\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(printing, "BROWSERS", (str(program),))


def commands(folder, out):
    return {
        "compare": ["compare", folder, folder, "--out", out / "comparison"],
        "rerun": ["rerun", folder, "--out", out / "again"],
        "pdf": ["pdf", folder, "--full", "--out", out / "report.pdf"],
        "workshop": ["workshop", out / "handout", "--from", folder],
    }


def bfo(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return stop.value.code


COMMANDS = tuple(commands(OLD, OLD))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_result_of_the_version_before_is_read(command, old, tmp_path, printer):
    assert "schema_version" not in json.loads((old / "artifacts" / "result.json").read_text())
    cells = (old / "artifacts" / "cells.csv").read_text()
    code = bfo(*commands(old, tmp_path)[command])
    assert code == (1 if command == "rerun" else 0)  # only the head of the old table was kept
    if command == "rerun":
        again = tmp_path / "again"
        before = pd.read_csv(StringIO(cells))
        now = pd.read_csv(again / "cells.csv").head(len(before))
        assert set(before) <= set(now) and now[["i", "j"]].equals(before[["i", "j"]])
        off = now[["x_px", "y_px"]] - before[["x_px", "y_px"]]
        assert (
            off.abs().max().max() < 0.2
        )  # walls of phantoms lie a quarter of a cell elsewhere now
        now = json.loads((again / "result.json").read_text())
        assert now["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("schema", "message"),
    [(SCHEMA_VERSION + 1, "newer version"), ("1", "'1'; it must be"), (True, "True; it must be")],
)
def test_a_result_of_a_newer_version_is_refused(
    command, schema, message, old, tmp_path, printer, capsys
):
    path = old / "artifacts" / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": schema}))
    before = {p.name for p in tmp_path.iterdir()}
    assert bfo(*commands(old, tmp_path)[command]) == 2
    error = capsys.readouterr().err
    assert str(path) in error and message in error and error.count("\n") == 1
    assert {p.name for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"rerun"}))
def test_a_run_of_a_newer_version_is_refused(command, old, tmp_path, printer, capsys):
    (old / "run.json").write_text(json.dumps({"schema_version": 99, "parameters": {}}))
    assert bfo(*commands(old, tmp_path)[command]) == 2
    assert f"{old / 'run.json'}: has schema_version 99" in capsys.readouterr().err


def test_a_run_of_the_version_before_is_begun_anew(tmp_path):
    record = json.loads((OLD / "run.json").read_text())
    settings = _settings(None, "quick", record["parameters"], Reading(), 1)
    assert settings["schema_version"] == SCHEMA_VERSION
    (tmp_path / "run.json").write_text(json.dumps(record))
    for name in record["finished"]:
        (tmp_path / "notebooks" / name).parent.mkdir(parents=True)
        (tmp_path / "notebooks" / name).write_text("{}")
    assert _finished(tmp_path, settings) == set()  # it did not ask for the scan


def test_what_an_earlier_plan_did_not_hold_takes_its_default():
    plain = read_result(OLD).provenance.plain
    del plain["plan"]["autoencoders"]
    assert provenance_from_plain(plain) == read_result(OLD).provenance
