"""The tables of the book's page on dependability, from what the tests recorded.

``python -m tests.dependability FOLDER`` reads the JSON lines that :func:`tests.record.record` left
in a folder, and Coverage's ``coverage.json`` where it lies there too, joins the rows, and writes
``book/_generated``: one Markdown table each, and all of it as JSON. Rows of one table that agree in
every text are joined: counts are added up, of measured numbers the worst is kept, and of yes or no
it is counted how often it was yes.
"""

import json
import platform
import sys
from collections import defaultdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

GENERATED = Path(__file__).resolve().parents[1] / "book" / "_generated"
#: Columns of every table, with their headings.
TABLES: dict[str, dict[str, str]] = {
    "faults": {
        "command": "command",
        "fault": "fault",
        "tried": "tried",
        "survived": "survived",
        "bytes_lost": "bytes lost",
    },
    "fuzz": {
        "format": "format",
        "inputs": "inputs",
        "read": "read",
        "refused": "refused in one line",
        "failures": "failures",
    },
    "metamorphic": {
        "relation": "change of the image",
        "cells": "same label",
        "bar": "at least",
        "seen": "cells seen",
        "seen_bar": "at least",
        "displacement_px": "displacement moves (px)",
        "displacement_bar": "at most",
    },
    "refusals": {"relation": "change of the image", "refused": "refused with"},
    "reproducible": {"what": "what was compared", "same": "the same"},
    "surrogates": {
        "map": "map",
        "total": "its total",
        "largest_shifted": "largest total with a shifted field",
        "p": "p",
    },
    "confidence": {
        "wrong_among_sure": "wrong labels among the surer half of the cells",
        "wrong_among_unsure": "among the other half",
    },
    "mutants": {
        "module": "module",
        "mutants": "mutants",
        "killed": "noticed by a test",
        "explained": "explained below",
        "survived": "neither",
    },
    "coverage": {
        "module": "module",
        "statements": "statements",
        "branches": "branches",
        "percent_branches": "branches run (%)",
        "percent": "statements and branches run (%)",
    },
}
COUNTS = {
    "tried",
    "survived",
    "bytes_lost",
    "inputs",
    "read",
    "refused",
    "failures",
    "mutants",
    "killed",
    "explained",
}
SHARES = {"cells", "seen"}  # of which the least is the worst
LOWEST = 8  # modules that the table of coverage shows


def rows_of(folder: Path, table: str) -> list[dict[str, Any]]:
    """What was recorded for a table, joined. Images that are refused have a table of their own."""
    path = folder / f"{'metamorphic' if table == 'refusals' else table}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    if table in ("metamorphic", "refusals"):
        rows = [row for row in rows if ("refused" in row) == (table == "refusals")]
    groups: dict[tuple, list[dict]] = defaultdict(list)
    for row in rows:
        shown = {name: row[name] for name in TABLES[table] if name in row}
        groups[tuple(v for v in shown.values() if isinstance(v, str))].append(shown)
    return [_joined(group) for group in groups.values()]


def _joined(group: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of several: texts are equal, counts add up, the worst of measured numbers, how
    often yes.
    """
    row: dict[str, Any] = {}
    for name in group[0]:
        values = [r[name] for r in group]
        if isinstance(values[0], bool):
            row[name] = f"{sum(values)} of {len(values)}"
        elif isinstance(values[0], str):
            row[name] = values[0]
        else:
            row[name] = (sum if name in COUNTS else min if name in SHARES else max)(values)
    return row


def covered(path: Path) -> list[dict[str, Any]]:
    """All modules together, and those with the lowest coverage, of Coverage's report in JSON."""
    report = json.loads(path.read_text())
    files = {Path(name).name: part["summary"] for name, part in report["files"].items()}
    lowest = sorted(files, key=lambda name: files[name]["percent_covered"])[:LOWEST]
    return [
        {
            "module": name,
            "statements": part["num_statements"],
            "branches": part["num_branches"],
            "percent_branches": round(part["percent_branches_covered"], 1),
            "percent": round(part["percent_covered"], 1),
        }
        for name, part in [("all", report["totals"]), *((name, files[name]) for name in lowest)]
    ]


def markdown(table: str, rows: list[dict[str, Any]]) -> str:
    """A table of rows; a sentence where there are none."""
    if not rows:
        return "*Nothing was recorded in this version.*\n"
    columns = TABLES[table]
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + " --- |" * len(columns)]
    return (
        "\n".join(
            [
                *lines,
                *(
                    "| " + " | ".join(_text(row.get(name, "")) for name in columns) + " |"
                    for row in rows
                ),
            ]
        )
        + "\n"
    )


def _text(value: Any) -> str:
    text = (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 10
        else " ".join(str(value).split())
    )
    return text.replace("|", "\\|")


def survivors(explained: dict[str, str]) -> str:
    """The mutants that no test can or should notice, each with the reason."""
    lines = ["| module | statement | mutant | why no test notices |", "| --- | --- | --- | --- |"]
    for key, reason in explained.items():
        module, change = key.split(": ", 1)
        before, after = change.split(" -> ")
        lines.append(
            "| "
            + " | ".join(
                part.replace("|", "\\|") for part in (module, f"`{before}`", f"`{after}`", reason)
            )
            + " |"
        )
    return "\n".join(lines) + "\n" if explained else "*None.*\n"


def totals(tables: dict[str, list[dict[str, Any]]]) -> str:
    """The page in one table."""

    def total(table: str, name: str) -> int:
        return sum(int(row.get(name, 0)) for row in tables.get(table, []))

    rows = [
        (
            "faults",
            (
                f"{total('faults', 'tried')} tried, {total('faults', 'survived')} survived, "
                f"{total('faults', 'bytes_lost')} bytes lost"
            ),
        ),
        (
            "inputs made up or damaged",
            f"{total('fuzz', 'inputs')} tried, {total('fuzz', 'failures')} failures",
        ),
        (
            "changes of the image",
            (
                f"{len(tables.get('metamorphic', []))} change the result no more than they may, "
                f"{len(tables.get('refusals', []))} are refused in one line"
            ),
        ),
        (
            "mutants of rewards and walls",
            (
                f"{total('mutants', 'mutants')} made, {total('mutants', 'killed')} noticed by a"
                f" test, {total('mutants', 'explained')} explained, {total('mutants', 'survived')}"
                " neither"
            ),
        ),
    ]
    rows += [
        (
            "what the tests run",
            f"{row['percent_branches']} % of the branches, with statements {row['percent']} %",
        )
        for row in tables.get("coverage", [])
        if row["module"] == "all"
    ]
    known = [
        row
        for row, table in zip(
            rows, ("faults", "fuzz", "metamorphic", "mutants", "coverage"), strict=False
        )
        if tables.get(table)
    ]
    return (
        "\n".join(
            [
                "| what | figures |",
                "| --- | --- |",
                *(f"| {name} | {text} |" for name, text in known),
            ]
        )
        + "\n"
    )


def pages(content: dict[str, Any], explained: dict[str, str]) -> dict[str, str]:
    """The Markdown files, by name."""
    tables = content["tables"]
    files = {f"{table}.md": markdown(table, tables.get(table, [])) for table in TABLES}
    measured = (
        f"Measured on {content['date']} with version {content['version']}, Python"
        f" {content['python']}, by `make dependability`.\n"
    )
    return files | {
        "survivors.md": survivors(explained),
        "measured.md": measured,
        "totals.md": totals(tables),
    }


def main(folder: Path) -> None:
    """Write `book/_generated`; tables without new rows keep those that they have."""
    from .mutants import EXPLAINED

    stored = GENERATED / "dependability.json"
    tables = json.loads(stored.read_text())["tables"] if stored.exists() else {}
    tables |= {table: rows for table in TABLES if (rows := rows_of(folder, table))}
    if (folder / "coverage.json").exists():
        tables["coverage"] = covered(folder / "coverage.json")
    content = {
        "date": datetime.now(UTC).strftime("%d %B %Y"),
        "version": version("bfo_utils"),
        "python": platform.python_version(),
        "tables": tables,
    }
    GENERATED.mkdir(exist_ok=True)
    stored.write_text(json.dumps(content, indent=1) + "\n")
    for name, text in pages(content, EXPLAINED).items():
        (GENERATED / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
