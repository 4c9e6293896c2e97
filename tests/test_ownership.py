"""Files of the user's stay as they are, links stay links, long names are written or refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from bfo_utils.book import Artifacts, BookStep, execute_step, lay_out
from bfo_utils.book.build import _as_declared
from bfo_utils.cli import main
from bfo_utils.compute import connect_pool, files, write_json, writing
from bfo_utils.errors import DiskError, InputError
from bfo_utils.io import read_image
from bfo_utils.report import (
    FILES,
    BatchSettings,
    find_images,
    is_ours,
    print_pdf,
    printing,
    run_batch,
    write_comparison,
)
from bfo_utils.search import SearchPlan
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom

from .test_cli import refused

MINE = "a table of mine\n"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A small phantom in a file."""
    path = tmp_path_factory.mktemp("image") / "a.h5"
    save_phantom(
        simulate_phantom(Specimen(layout="halves", cells=14, cell_px=12, dose=80), 3), path
    )
    return path


@pytest.fixture(scope="module")
def results(image, tmp_path_factory):
    """The folder of a batch with one result."""
    out = tmp_path_factory.mktemp("results")
    with connect_pool(1) as pool:
        run_batch([str(image)], out, pool, BatchSettings(SearchPlan(2)))
    return out


# Files of other making


@pytest.mark.parametrize("name", FILES)
def test_analyze_does_not_write_over_files_of_other_making(tmp_path, image, capsys, name):
    (tmp_path / name).write_text(MINE)
    assert f"{tmp_path / name}: already exists and was not written by an earlier call" in refused(
        capsys, "analyze", image, "--out", tmp_path, "--budget", 2
    )
    assert (tmp_path / name).read_text() == MINE and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["html", "notebooks", "artifacts", "run.json"])
def test_run_does_not_write_into_folders_of_other_making(tmp_path, image, capsys, name):
    mine = tmp_path / name / "thesis.ipynb" if name != "run.json" else tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text(MINE)
    assert f"{tmp_path / name}: already exists" in refused(capsys, "run", image, "--out", tmp_path)
    assert mine.read_text() == MINE and os.listdir(tmp_path) == [name]


def test_batch_leaves_a_foreign_summary_and_foreign_folders_alone(tmp_path, image, capsys):
    (tmp_path / "summary.csv").write_text(MINE)
    assert "summary.csv: already exists" in refused(
        capsys, "batch", image, "--out", tmp_path, "--budget", 2
    )
    (tmp_path / "summary.csv").unlink()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "cells.csv").write_text(MINE)
    with connect_pool(1) as pool:
        table = run_batch([str(image)], tmp_path, pool, BatchSettings(SearchPlan(2)))
    assert (
        table["folder"].tolist() == ["a-2"] and (tmp_path / "a" / "cells.csv").read_text() == MINE
    )


def test_results_are_written_over_their_own_kind(results, image):
    with connect_pool(1) as pool:
        table = run_batch([str(image)], results, pool, BatchSettings(SearchPlan(3)))
    assert table["folder"].tolist() == ["a"] and is_ours(results / "a")


def test_pictures_of_an_earlier_result_are_no_images(results, image, capsys):
    assert "no image found" in refused(
        capsys, "batch", results / "a", "--out", results.parent / "again", "--budget", 2
    )
    assert find_images([str(image), str(results / "a")]) == [str(image)]


@pytest.mark.parametrize("name", ["thesis.docx", "thesis.json", "notes.json"])
def test_a_file_of_the_users_is_only_said_to_be_no_result(tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"PK\3\4 a document" if "thesis" in name else b'{"notes": 1}')
    line = refused(capsys, "rerun", tmp_path / name)
    assert (
        "is not the result of an analysis; give the result.json" in line
        and "remove" not in line
        and "move" not in line
    )


def test_no_message_advises_to_remove_a_file():
    package = Path(files.__file__).parent
    for path in package.glob("*.py"):
        assert "remove it" not in path.read_text(), path


def test_a_phantom_a_page_and_a_pdf_replace_their_own_kind_only(
    tmp_path, capsys, results, monkeypatch
):
    (tmp_path / "mine.h5").write_text(MINE)
    assert "mine.h5: already exists" in refused(
        capsys, "phantom", "--out", tmp_path / "mine.h5", "--cells", 8
    )
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text(MINE)
    assert "index.html: already exists" in refused(
        capsys, "compare", results / "a", results / "a", "--out", tmp_path / "page"
    )
    (tmp_path / "html" / "report").mkdir(parents=True)
    (tmp_path / "html" / "report" / "09_report.html").touch()
    (tmp_path / "mine.pdf").write_text(MINE)
    assert "mine.pdf: already exists" in refused(
        capsys, "pdf", tmp_path, "--full", "--out", tmp_path / "mine.pdf"
    )
    for name in ("mine.h5", "mine.pdf", "page/index.html"):
        assert (tmp_path / name).read_text() == MINE
    for _ in range(2):
        write_comparison(results / "a", results / "a", tmp_path / "new")
    monkeypatch.setattr(printing, "find_browser", lambda: "none")
    monkeypatch.setattr(
        printing, "print_page", lambda program, page, part: part.write_bytes(b"%PDF-1.4")
    )
    for _ in range(2):
        print_pdf(tmp_path, tmp_path / "new.pdf")


# Links and folders


def test_a_link_to_a_folder_is_filled_and_stays(tmp_path):
    (tmp_path / "there").mkdir(mode=0o750)
    (tmp_path / "link").symlink_to("there")
    node = (tmp_path / "there").stat().st_ino
    lay_out(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "there" / "01_data.ipynb").exists()
    assert (tmp_path / "there").stat().st_ino == node and oct((tmp_path / "there").stat().st_mode)[
        -3:
    ] == "750"
    lay_out(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and oct((tmp_path / "there").stat().st_mode)[
        -3:
    ] == "750"
    assert not [p for p in (tmp_path / "there").iterdir() if p.name.startswith(".")]


def test_a_folder_that_is_filled_half_can_be_filled_again(tmp_path, monkeypatch):
    replace = os.replace
    monkeypatch.setattr(
        os, "replace", lambda a, b: 1 / 0 if Path(a).name == "06_vae.ipynb" else replace(a, b)
    )
    (tmp_path / "there").mkdir()
    with pytest.raises(ZeroDivisionError):
        lay_out(tmp_path / "there")
    monkeypatch.undo()
    lay_out(tmp_path / "there")
    assert (tmp_path / "there" / "06_vae.ipynb").exists()


def test_a_link_to_a_file_stays(tmp_path):
    (tmp_path / "there.json").write_text("{}")
    (tmp_path / "link.json").symlink_to("there.json")
    write_json(tmp_path / "link.json", {"a": 1})
    assert (tmp_path / "link.json").is_symlink() and json.loads(
        (tmp_path / "there.json").read_text()
    ) == {"a": 1}


# Long names


@pytest.mark.parametrize("length", [200, 243, 252])
def test_long_names_are_written(tmp_path, image, capsys, length):
    name = "n" * (length - 3)
    with pytest.raises(SystemExit) as stop:
        main(["phantom", "--out", str(tmp_path / f"{name}.h5"), "--cells", "14", "--cell-px", "12"])
    assert stop.value.code == 0 and read_image(tmp_path / f"{name}.h5").shape == (168, 168)
    with pytest.raises(SystemExit) as stop:
        main(
            [
                "analyze",
                str(tmp_path / f"{name}.h5"),
                "--out",
                str(tmp_path / f"{name}-out"[:length]),
                "--budget",
                "2",
            ]
        )
    assert stop.value.code == 0
    lay_out(tmp_path / f"{name}-w"[:length])
    assert {p.name[0] for p in tmp_path.iterdir()} == {"n"}


@pytest.mark.parametrize(
    "command",
    [
        ["phantom", "--cells", 8, "--out", "{}.h5"],
        ["workshop", "{}"],
        ["analyze", "{image}", "--budget", 2, "--out", "{}"],
        ["info", "{}.tif"],
        ["analyze", "{}.tif", "--out", "o"],
        ["batch", "{}.tif", "--out", "o"],
        ["batch", "{image}", "--budget", 2, "--out", "{}"],
        ["rerun", "{}"],
        ["compare", "{}", "{}"],
        ["pdf", "{}"],
        ["run", "{image}", "--out", "{}"],
    ],
)
def test_names_that_cannot_be_are_one_line(tmp_path, monkeypatch, image, capsys, command):
    monkeypatch.chdir(tmp_path)
    refused(capsys, *(str(word).format("n" * 300, image=image) for word in command))


def test_no_place_for_temporary_files_is_said():
    with (
        pytest.raises(DiskError, match="^temporary files: no folder is writable; set TMPDIR"),
        writing("out"),
    ):
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")


# Parameters of the wrong type


@pytest.mark.parametrize(
    ("name", "value", "given"),
    [
        ("image", 5, "5 is of type int"),
        ("reading", 3, "3 is of type int"),
        ("seed", "7", "'7' is of type str"),
        ("cells", 20.5, "20.5 is of type float"),
        ("dose", "much", "'much' is of type str"),
    ],
)
def test_parameters_of_a_notebook_have_their_types(tmp_path, name, value, given):
    with pytest.raises(
        InputError, match=f"01_data.ipynb: parameter {name}: {given}; give a value of type"
    ):
        execute_step(BookStep("01_data", "default", {name: value}), tmp_path)
    assert not list(tmp_path.rglob("*.ipynb"))


def test_values_of_numpy_and_paths_are_plain_for_a_notebook():
    given = {"a": np.int64(3), "b": 2, "c": Path("x"), "d": np.float32(0.5), "e": np.bool_(True)}
    hints = dict(zip("abcde", ("int", "float", "str", "float", "bool")))
    plain = {name: _as_declared("n", name, value, hints[name]) for name, value in given.items()}
    assert plain == {"a": 3, "b": 2.0, "c": "x", "d": 0.5, "e": True}
    assert [type(value) for value in plain.values()] == [int, float, str, float, bool]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: read_image(5), "image: 5 is a number, not a text"),
        (lambda: Artifacts(5), "artifacts: 5 is a number"),
        (lambda: Artifacts("a", 5), "stage: 5 is a number"),
        (lambda: Specimen(layout=3), "layout: 3 is a number"),
        (lambda: Specimen(cells="many"), "cells: 'many' is not a number"),
    ],
)
def test_what_papermill_took_for_a_number_is_one_line(call, message):
    with pytest.raises(InputError, match=message):
        call()
