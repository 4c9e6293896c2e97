"""A search that is stopped, even by force, goes on to the same end."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from bfo_utils.errors import InputError
from bfo_utils.search import (
    SearchPlan,
    TrialLog,
    evaluate_configuration,
    open_trial_log,
    optimizer,
    search_configurations,
)
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom


def test_what_was_put_is_there_after_reopening(tmp_path):
    path = tmp_path / "l.jsonl"
    TrialLog(path, {"seed": 1}).put({"b": 2, "a": 1}, {"total": 0.25}, 0.5)
    assert TrialLog(path, {"seed": 1}).get({"a": 1, "b": 2}) == ({"total": 0.25}, 0.5)


def test_other_settings_begin_anew(tmp_path):
    path = tmp_path / "l.jsonl"
    TrialLog(path, {"seed": 1}).put({"a": 1}, {"total": 0.25}, 0.5)
    other = TrialLog(path, {"seed": 2})
    assert other.get({"a": 1}) is None
    other.put({"a": 3}, {"total": 0.5}, 0.5)
    assert TrialLog(path, {"seed": 1}).get({"a": 1}) is None


def test_nothing_is_written_before_the_first_trial(tmp_path):
    TrialLog(tmp_path / "l.jsonl", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("torn", ['{"key": "{\\"a\\": 7', '{"key": "x"}'[:-1] + "\x00"])
def test_a_torn_last_line_is_left_out_and_mended(tmp_path, torn):
    path = tmp_path / "l.jsonl"
    TrialLog(path, {}).put({"a": 1}, {"total": 0.25}, 0.5)
    with path.open("a") as file:
        file.write(torn)
    trial_log = TrialLog(path, {})
    trial_log.put({"a": 2}, {"total": 0.5}, 0.5)
    assert all(json.loads(line) for line in path.read_text().splitlines())
    assert TrialLog(path, {}).get({"a": 1}) and TrialLog(path, {}).get({"a": 2})


def test_a_file_that_is_no_record_is_refused(tmp_path):
    (tmp_path / "l.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as a record of trials"):
        TrialLog(tmp_path / "l.jsonl", {})


def test_a_stopped_search_repeats_nothing_and_ends_the_same(prepared, tmp_path, monkeypatch):
    plan, path = SearchPlan(24, seed=5), tmp_path / "l.jsonl"
    whole = search_configurations(prepared, plan)
    search_configurations(
        prepared, SearchPlan(13, seed=5), trial_log=open_trial_log(path, prepared, plan)
    )
    ran = []
    real = evaluate_configuration
    monkeypatch.setattr(optimizer, "evaluate_configuration", lambda *a: ran.append(1) or real(*a))
    resumed = search_configurations(prepared, plan, trial_log=open_trial_log(path, prepared, plan))
    assert [(t.parameters, t.rewards) for t in resumed] == [
        (t.parameters, t.rewards) for t in whole
    ]
    assert len(ran) <= 24 - 9


def test_workers_do_not_change_the_trials(prepared):
    one, two = (search_configurations(prepared, SearchPlan(20, seed=2), workers=w) for w in (1, 2))
    assert [(t.parameters, t.rewards) for t in one] == [(t.parameters, t.rewards) for t in two]


@pytest.mark.slow
def test_a_killed_analysis_ends_with_the_same_files(tmp_path):
    image = tmp_path / "p.h5"
    save_phantom(simulate_phantom(Specimen(cells=30, cell_px=16), 3), image)

    def command(out):
        return [
            sys.executable,
            "-m",
            "bfo_utils",
            "analyze",
            str(image),
            "--out",
            str(out),
            "--budget",
            "40",
        ]

    subprocess.run(command(tmp_path / "whole"), check=True, capture_output=True)
    record = tmp_path / "killed" / "trials.jsonl"
    process = subprocess.Popen(
        command(record.parent), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.time() + 60
    while time.time() < deadline and not (
        record.exists() and len(record.read_text().splitlines()) > 9
    ):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (record.parent / "result.json").exists()
    subprocess.run(command(record.parent), check=True, capture_output=True)
    for name in ("columns.csv", "cells.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (record.parent / name).read_bytes()
    one, two = (
        pd.read_csv(d / "trials.csv").drop(columns="seconds")
        for d in (tmp_path / "whole", record.parent)
    )
    assert one.equals(two)


def test_a_changed_reward_is_not_answered_from_the_record(prepared, tmp_path):
    from bfo_utils.rewards import register_reward
    from bfo_utils.rewards.registry import _REWARDS

    def trials(value):
        register_reward("mine")(eval(f"lambda segmentation: {value}"))
        try:
            plan = SearchPlan(9, total={"mine": 1.0})
            return search_configurations(
                prepared, plan, trial_log=open_trial_log(tmp_path / "l.jsonl", prepared, plan)
            )
        finally:
            _REWARDS.pop("mine")

    assert trials(0.2)[0].rewards["mine"] == 0.2
    assert trials(0.9)[0].rewards["mine"] == 0.9
