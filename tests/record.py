"""What the tests measured, kept for the book's page on dependability.

A test that tries a fault, fuzzes a format or measures a tolerance writes a row; `make
dependability` collects the rows. Without `$BFO_RECORD` nothing is written, so that a plain run of
the tests leaves no files behind.
"""

import json
import os
from pathlib import Path

VARIABLE = "BFO_RECORD"


def record(table: str, **row) -> None:
    """Append one row, as a line of JSON, to `$BFO_RECORD/<table>.jsonl`.

    The line goes out in one write to a file opened for appending, so that rows of several processes
    do not mix. numpy's scalars become plain numbers; anything else that JSON cannot say becomes its
    text.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return
    path = Path(folder) / f"{table}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(row, default=_plain, sort_keys=True) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def _plain(value):
    """A numpy scalar or array as plain Python, anything else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
