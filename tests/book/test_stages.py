"""Provenance: the command makes the same run, and durations are those that papermill noted."""

import json
import shlex

from bfo_utils.book import repeat_command, stage_durations

RUN = {
    "image": "/data/a b; rm -rf $HOME.dm4",
    "pixel_size_nm": 0.0151234567,
    "dataset": "MainImage",
    "seed": 7,
    "parameters": {"budget": 64, "series": ""},
    "finished": [],
}


def test_the_command_of_a_run_holds_all_that_was_said(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    assert shlex.split(repeat_command(tmp_path / "artifacts")) == [
        "bfo",
        "run",
        RUN["image"],
        "--out",
        "again",
        "--seed",
        "7",
        "--pixel-size",
        "0.0151234567",
        "--dataset",
        "MainImage",
        "-p",
        "budget=64",
        "-p",
        "series=",
    ]


def test_a_phantom_has_no_image_and_no_size(tmp_path):
    (tmp_path / "run.json").write_text(
        json.dumps(RUN | {"image": "", "pixel_size_nm": 0.0, "dataset": "", "parameters": {}})
    )
    assert repeat_command(tmp_path / "artifacts") == "bfo run --out again --seed 7"


def test_without_a_run_it_reads_the_recipe(tmp_path):
    assert shlex.split(repeat_command(tmp_path / "artifacts")) == [
        "bfo",
        "rerun",
        str(tmp_path / "artifacts"),
        "--out",
        "again",
    ]


def test_durations_are_read_in_the_order_of_execution(tmp_path):
    noted = {
        "default/01_data": {"duration": 2.5, "start_time": "2026-01-01T10:00"},
        "tuned/04_rewards": {},
        "report/09_report": {"duration": 9.0, "start_time": "2026-01-01T10:02"},
        "alpha/06_vae": {"duration": 7, "start_time": "2026-01-01T10:01"},
    }
    for name, papermill in noted.items():
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(
            json.dumps({"metadata": {"papermill": papermill} if papermill else {}, "cells": []})
        )
    assert list(stage_durations(tmp_path).items()) == [
        ("default 01_data", 2.5),
        ("alpha 06_vae", 7.0),
    ]
    assert stage_durations(tmp_path / "elsewhere") == {}
