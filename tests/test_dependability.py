"""The page on dependability says what the tests measured, and that nothing was lost."""

import json
import re
from pathlib import Path

import pytest

from tests import dependability, mutants

ROOT = Path(__file__).resolve().parents[1]
CONTENT = json.loads((dependability.GENERATED / "dependability.json").read_text())
TABLES = CONTENT["tables"]
SOURCES = "".join(
    path.read_text()
    for path in (ROOT / "tests").rglob("*.py")
    if path.name not in ("record.py", "test_record.py")
)
RECORDED = sorted(set(re.findall(r'\brecord\("(\w+)"', SOURCES)) & set(dependability.TABLES))


@pytest.mark.parametrize("table", RECORDED)
def test_what_the_tests_record_is_in_the_book(table):
    assert TABLES[table], "run make dependability"
    assert f"_generated/{table}.md" in (ROOT / "book" / "dependability.md").read_text()


def test_the_tables_are_those_of_the_figures():
    for name, text in dependability.pages(CONTENT, mutants.EXPLAINED).items():
        assert (dependability.GENERATED / name).read_text() == text, (
            f"{name}: run make dependability"
        )


def test_nothing_was_lost_and_nothing_got_through():
    for table, column in (("faults", "bytes_lost"), ("fuzz", "failures"), ("mutants", "survived")):
        assert [row for row in TABLES.get(table, []) if row.get(column)] == []
    for row in TABLES.get("faults", []):
        assert row["survived"] == row["tried"], row
    for row in TABLES.get("metamorphic", []):
        assert row["cells"] >= row["bar"] and row["seen"] >= row["seen_bar"], row
        assert row.get("displacement_px", 0) <= row.get("displacement_bar", 0), row


def test_the_tests_run_nine_branches_of_ten():
    (everything,) = [row for row in TABLES["coverage"] if row["module"] == "all"]
    assert everything["percent_branches"] >= 90


def test_rows_are_joined_by_their_texts(tmp_path):
    rows = [
        {
            "command": "run",
            "fault": "kill -9",
            "tried": 1,
            "survived": 1,
            "bytes_lost": 0,
            "seed": 3,
        },
        {"command": "run", "fault": "kill -9", "tried": 2, "survived": 1, "bytes_lost": 7},
        {"command": "batch", "fault": "kill -9", "tried": 1, "survived": 1, "bytes_lost": 0},
    ]
    (tmp_path / "faults.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = dependability.rows_of(tmp_path, "faults")
    assert first == {
        "command": "run",
        "fault": "kill -9",
        "tried": 3,
        "survived": 2,
        "bytes_lost": 7,
    }
    assert second["command"] == "batch"


def test_of_measured_numbers_the_worst_is_shown_and_of_yes_and_no_how_often(tmp_path):
    rows = [
        {"relation": "flip", "cells": c, "bar": 0.9, "displacement_px": d}
        for c, d in ((1, 0.04), (0.95, 0.01))
    ]
    rows.append({"relation": "blank", "refused": "image: constant"})
    (tmp_path / "metamorphic.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "reproducible.jsonl").write_text(
        '{"what": "threads", "same": true}\n{"what": "threads", "same": false}\n'
    )
    assert dependability.rows_of(tmp_path, "metamorphic") == [
        {"relation": "flip", "cells": 0.95, "bar": 0.9, "displacement_px": 0.04}
    ]
    assert dependability.rows_of(tmp_path, "refusals") == [
        {"relation": "blank", "refused": "image: constant"}
    ]
    assert dependability.rows_of(tmp_path, "reproducible") == [
        {"what": "threads", "same": "1 of 2"}
    ]


def test_a_table_without_rows_keeps_those_of_the_last_time(tmp_path, monkeypatch):
    monkeypatch.setattr(dependability, "GENERATED", tmp_path / "book")
    (tmp_path / "fuzz.jsonl").write_text('{"format": "dm4", "inputs": 30, "failures": 0}\n')
    dependability.main(tmp_path)
    (tmp_path / "fuzz.jsonl").unlink()
    dependability.main(tmp_path)
    assert "| dm4 | 30 |" in (tmp_path / "book" / "fuzz.md").read_text()
    assert "30 tried, 0 failures" in (tmp_path / "book" / "totals.md").read_text()


def test_a_bar_in_a_mutant_stays_in_its_cell():
    page = dependability.survivors({"walls: a | b -> a & b": "the same"})
    assert page.splitlines()[-1] == r"| walls | `a \| b` | `a & b` | the same |"


def test_every_explanation_names_a_module_of_the_check():
    assert {key.split(": ")[0] for key in mutants.EXPLAINED} <= set(mutants.MODULES)


@pytest.mark.parametrize("module", mutants.MODULES)
def test_every_explanation_is_of_a_mutant_that_can_be_made(module):
    made = {m.key for m in mutants.mutants(module)}
    assert {key for key in mutants.EXPLAINED if key.startswith(f"{module}: ")} <= made
