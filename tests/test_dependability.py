"""The page on dependability says what the tests measured, and that nothing was lost."""

import json
import re
from pathlib import Path

import pytest

from tests import dependability, mutants

ROOT = Path(__file__).resolve().parents[1]
CONTENT = json.loads((dependability.GENERATED / "dependability.json").read_text())
TABLES = CONTENT["tables"]
SOURCES = "".join(path.read_text() for path in (ROOT / "tests").glob("*.py") if path.name not in ("record.py", "test_record.py"))
RECORDED = sorted(set(re.findall(r'\brecord\("(\w+)"', SOURCES)))


@pytest.mark.parametrize("table", RECORDED)
def test_what_the_tests_record_is_in_the_book(table):
    assert TABLES[table], "run make dependability"
    assert f"_generated/{table}.md" in (ROOT / "book" / "dependability.md").read_text()


def test_the_tables_are_those_of_the_figures():
    for name, text in dependability.pages(CONTENT, mutants.EXPLAINED).items():
        assert (dependability.GENERATED / name).read_text() == text, f"{name}: run make dependability"


def test_nothing_was_lost_and_nothing_got_through():
    for table, column in (("faults", "lost"), ("fuzz", "failures"), ("mutants", "survived")):
        assert [row for row in TABLES.get(table, []) if row.get(column)] == []
    for row in TABLES.get("faults", []):
        assert row["survived"] == row["tried"], row
    for row in TABLES.get("metamorphic", []):
        assert row["measured"] <= row["tolerance"], row


def test_rows_are_joined_by_their_texts(tmp_path):
    rows = [{"command": "run", "fault": "kill -9", "tried": 1, "survived": 1, "lost": 0, "seed": 3},
            {"command": "run", "fault": "kill -9", "tried": 2, "survived": 1, "lost": 7},
            {"command": "batch", "fault": "kill -9", "tried": 1, "survived": 1, "lost": 0}]
    (tmp_path / "faults.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = dependability.rows_of(tmp_path, "faults")
    assert first == {"command": "run", "fault": "kill -9", "tried": 3, "survived": 2, "lost": 7}
    assert second["command"] == "batch"


def test_of_measured_numbers_the_largest_is_shown_and_of_yes_and_no_how_often(tmp_path):
    rows = [{"relation": "flip", "measured": m, "tolerance": 0.1, "unit": "px"} for m in (0.01, 0.04)]
    (tmp_path / "metamorphic.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "reproducible.jsonl").write_text('{"what": "threads", "same": true}\n{"what": "threads", "same": false}\n')
    assert dependability.rows_of(tmp_path, "metamorphic") == [{"relation": "flip", "measured": 0.04, "tolerance": 0.1, "unit": "px"}]
    assert dependability.rows_of(tmp_path, "reproducible") == [{"what": "threads", "same": "1 of 2"}]


def test_a_bar_in_a_mutant_stays_in_its_cell():
    page = dependability.survivors({"walls: a | b -> a & b": "the same"})
    assert page.splitlines()[-1] == r"| walls | `a \| b` | `a & b` | the same |"


@pytest.mark.parametrize("module", mutants.MODULES)
def test_every_explanation_is_of_a_mutant_that_can_be_made(module):
    made = {m.key for m in mutants.mutants(module)}
    assert {key for key in mutants.EXPLAINED if key.startswith(f"{module}: ")} <= made
