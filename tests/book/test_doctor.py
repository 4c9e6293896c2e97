"""What the pre-flight check says of this machine, and of lesser ones."""

import subprocess

import pytest

from bfo_utils.book import doctor, examine
from bfo_utils.cli import main
from bfo_utils.compute import installation


def states(**options):
    return {finding.what: finding.state for finding in examine(**options)}


def test_a_machine_that_runs_the_tests_is_ready(tmp_path, capsys):
    assert states(folder=tmp_path)["kernel"] == "ok"
    with pytest.raises(SystemExit) as stop:
        main(["doctor"])
    said = capsys.readouterr().out
    assert stop.value.code == 0 and said.endswith("\nready\n") and "MISSING" not in said
    assert not list(tmp_path.iterdir())


def test_what_is_not_installed_is_told_with_what_to_do(monkeypatch, capsys):
    found = installation.find_spec
    monkeypatch.setattr(
        installation, "find_spec", lambda name: None if name == "papermill" else found(name)
    )
    with pytest.raises(SystemExit) as stop:
        main(["doctor"])
    said = capsys.readouterr().out
    assert stop.value.code == 1 and said.endswith("not ready: see above\n")
    assert "bfo run: needs papermill, which is not installed; run: pip install" in said
    assert "kernel" not in said


def test_a_folder_that_cannot_be_written_and_a_dead_kernel_are_missing(monkeypatch, tmp_path):
    assert states(folder=tmp_path / "nowhere", kernel=False)["folder"] == "missing"
    dead = subprocess.CompletedProcess([], 1, "", "Traceback\nOSError: no sockets")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: dead)
    kernel = next(f for f in examine(tmp_path) if f.what == "kernel")
    assert kernel.state == "missing" and "does not start: OSError: no sockets" in kernel.said


@pytest.mark.parametrize(("free", "state"), [(0.5e9, "missing"), (5e9, "ok")])
def test_room_is_needed(free, state, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))
    assert states(folder=tmp_path, kernel=False)["folder"] == state
