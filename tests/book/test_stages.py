"""The two stages on one page; the command makes the same run; durations are those of papermill."""

import base64
import json
import shlex

from bfo_utils.book import as_shown, repeat_command, stage_durations, with_tuned
from bfo_utils.figures import Figure, png_bytes

RUN = {
    "image": "/data/a b; rm -rf $HOME.dm4",
    "pixel_size_nm": 0.0151234567,
    "dataset": "MainImage",
    "seed": 7,
    "profile": "full",
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
        "--profile",
        "full",
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
        json.dumps(
            RUN
            | {
                "image": "",
                "profile": "quick",
                "pixel_size_nm": 0.0,
                "dataset": "",
                "parameters": {},
            }
        )
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


def executed(stage, size, said):
    """A notebook that has drawn a figure and printed two lines."""
    figure = Figure(figsize=size)
    picture = base64.b64encode(png_bytes(figure)).decode()
    given = ["# Parameters\n", f"n_clusters = {len(stage)}\n", f'image = "/home/me/{stage}.tif"\n']
    return {
        "metadata": {"papermill": {"output_path": "/home/me"}},
        "cells": [
            {
                "id": "parameters",
                "cell_type": "code",
                "metadata": {"tags": ["parameters"]},
                "source": ["n_clusters: int = 5  # 2 to 8\n", 'image: str = ""  # path'],
            },
            {"id": stage, "metadata": {"tags": ["injected-parameters"]}, "source": given},
            {
                "id": "map",
                "cell_type": "code",
                "metadata": {"mystnb": {"image": {"alt": "A map"}}},
                "outputs": [{"data": {"image/png": picture}}],
            },
            {"id": "said", "metadata": {}, "outputs": [{"text": ["same\n", said]}]},
            {
                "id": "both",
                "metadata": {"tags": ["compared"]},
                "outputs": [{"text": [f"of {stage}"]}],
            },
        ],
    }


def test_one_page_shows_both_stages_and_marks_what_differs(tmp_path):
    default, tuned = executed("default", (3, 3), "0.2\n"), executed("tuned", (3, 2.5), "0.9\n")
    cells = {c["id"]: c for c in with_tuned(default, tuned, tmp_path)["cells"]}
    assert "| `n_clusters` | 7 | **5** | 2 to 8 |" in cells["chosen"]["source"]
    assert cells["map"]["outputs"] == [] and "{grid} 1 1 2 2" in cells["map-both"]["source"]
    assert {p.name for p in (tmp_path / "both").iterdir()} == {"map-default.png", "map-tuned.png"}
    assert cells["said"]["outputs"][0]["text"] == ["same\n", "default: 0.2\n", "tuned:   0.9\n"]
    assert cells["both"]["outputs"] == tuned["cells"][-1]["outputs"]
    assert "Parameters" not in cells["chosen"]["source"]
    alone = with_tuned(default, default, tmp_path)["cells"]
    assert [c["id"] for c in alone[:2]] == ["chosen", "default"]
    assert alone[1:] == default["cells"][1:]


def test_a_page_names_no_folder_of_this_machine():
    shown = as_shown(executed("default", (3, 3), ""))
    assert "/home/me" not in json.dumps(shown["metadata"]) + json.dumps(shown["cells"])
    assert shown["cells"][0]["source"] == [
        "n_clusters: int = 7  # 2 to 8\n",
        'image: str = "default.tif"  # path',
    ]
