import json
import subprocess
import sys

import numpy as np

from tests.record import VARIABLE, record


def test_nothing_is_written_without_the_variable(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    record("faults", fault="kill")
    assert not list(tmp_path.iterdir())


def test_a_row_is_a_line_of_json(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "new"))
    record("fuzz", format="dm4", inputs=np.int64(30), path=tmp_path)
    record("fuzz", format="tif", inputs=2, path="x")
    rows = [json.loads(line) for line in (tmp_path / "new" / "fuzz.jsonl").read_text().splitlines()]
    assert rows == [
        {"format": "dm4", "inputs": 30, "path": str(tmp_path)},
        {"format": "tif", "inputs": 2, "path": "x"},
    ]


def test_rows_of_several_processes_do_not_mix(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    script = (
        "import sys; from tests.record import record\nfor n in range(200): record('faults',"
        " who=sys.argv[1], n=n, pad='x' * 300)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(k)]) for k in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    rows = [json.loads(line) for line in (tmp_path / "faults.jsonl").read_text().splitlines()]
    assert sorted((row["who"], row["n"]) for row in rows) == sorted(
        (str(k), n) for k in range(3) for n in range(200)
    )
