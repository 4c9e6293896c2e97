"""The whole way from an image to a rendered book."""

import json
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from papermill import inspect_notebook

from bfo_utils.book import (
    Artifacts,
    BookStep,
    build,
    declared_parameters,
    execute_step,
    run_book,
)
from bfo_utils.book.build import (
    _NO_AUTOENCODERS,
    _finished,
    _papermill,
    _settings,
    _stand_in,
    _steps,
)
from bfo_utils.compute import installation, resource_path
from bfo_utils.errors import InputError
from bfo_utils.io import Reading
from bfo_utils.search import PARAMETERS, RUN_PARAMETERS, default_parameters

from ..conftest import SMALL
from ..results.test_analysis import FILES

CHAPTERS = [
    "default/01_data",
    "default/02_descriptors",
    "default/03_clustering",
    "default/04_rewards",
    "search/05_optimization",
    "search/06_vae",
    "search/07_judgment",
    "search/08_paper",
    "report/09_report",
    "series/10_composition",
]
TUNED = ["tuned/02_descriptors", "tuned/03_clustering", "tuned/04_rewards"]


@pytest.mark.slow
def test_the_book_has_every_chapter_and_picture(folder):
    for chapter in CHAPTERS:
        page = (folder / "html" / f"{chapter}.html").read_text()
        assert "Traceback" not in page and "injected-parameters" not in page
        assert str(folder) not in page
        pictures = re.findall(r'<img[^>]+src="([^"]+\.png)"', page)
        assert pictures or chapter.endswith("05_optimization")
        for picture in pictures:
            assert (folder / "html" / chapter).parent.joinpath(picture).stat().st_size > 1000
    assert not (folder / ".book").exists() and not (folder / "html" / "tuned").exists()
    both = (folder / "html" / "default" / "03_clustering.html").read_text()
    assert both.count("With the <strong>default</strong>") == 3
    assert both.count("With the <strong>tuned</strong>") == 3


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_solutions_are_right_and_folded_and_no_button_leads_nowhere(folder, chapter):
    page = (folder / "html" / f"{chapter}.html").read_text()
    assert "not answered yet" in page and "✓" in page and "✗" not in page
    assert "Show the solution as code" in page
    assert not re.findall(r'(?:href|src|action)="[^"]*(?:google|binder|github)[^"]*"', page)


@pytest.mark.slow
def test_a_run_leaves_the_files_of_the_contract(folder):
    assert {p.name for p in (folder / "artifacts").iterdir() if p.is_file()} >= FILES
    result = json.loads((folder / "artifacts" / "result.json").read_text())
    assert result["verdict"] == "domains" and result["budget"] == SMALL["budget"]
    labels = [
        json.loads((folder / "artifacts" / s / "rewards.json").read_text())["total"]
        for s in ("default", "tuned")
    ]
    assert labels[1] >= labels[0]


@pytest.mark.slow
def test_resuming_executes_only_what_is_missing(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "run")
    notebooks = folder / "notebooks"
    stamps = {c: (notebooks / f"{c}.ipynb").stat().st_mtime_ns for c in CHAPTERS + TUNED}
    (notebooks / "tuned" / "04_rewards.ipynb").unlink()
    run_book(None, folder, given=SMALL, seed=1, resume=True)
    again = {c: (notebooks / f"{c}.ipynb").stat().st_mtime_ns for c in CHAPTERS + TUNED}
    assert [c for c in CHAPTERS + TUNED if again[c] != stamps[c]] == ["tuned/04_rewards"]


@pytest.mark.slow
def test_a_notebook_runs_alone_from_the_artifacts_of_the_ones_before(folder, tmp_path):
    for name, more in (("03_clustering", ["-p", "stage", "tuned"]), ("09_report", [])):
        source = resource_path("notebooks") / f"{name}.ipynb"
        command = [
            sys.executable,
            "-m",
            "papermill",
            str(source),
            str(tmp_path / f"{name}.ipynb"),
            "-k",
            "python3",
            "-p",
            "artifacts",
            str(folder / "artifacts"),
            *more,
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pto_sro_supercrystal.hspy", "pto_junction_recovered.tif"])
def test_real_images_end_with_a_book(real_data, tmp_path, name):
    size = 0.0192 if name.endswith(".tif") else None
    page = run_book(
        str(real_data / name),
        tmp_path,
        given={"budget": 16, "vae_budget": 0 if size else 1},
        reading=Reading(size, roi="300:1300,300:1300" if size else ""),
    )
    opening = page.with_name("intro.html").read_text()
    assert "This book is about the image" in opening and "label_map.png" in opening
    assert "before_after.png" not in opening
    assert "domain_wall.png" not in opening
    gone = ("api", "search/07_judgment.html", "search/08_paper.html", "series")
    assert not any((page.parent / name).exists() for name in gone)
    assert not (tmp_path / "artifacts" / "series").exists()
    chapters = {path.stem for path in tmp_path.glob("notebooks/*/*.ipynb")}
    assert not chapters & {"07_judgment", "08_paper", "10_composition"}  # simulated, or history
    result = json.loads((tmp_path / "artifacts" / "result.json").read_text())
    assert result["input"]["name"] == name.split(".")[0] and result["n_cells"] > 300
    assert result["sublattices"] == (["A"] if size else ["A", "B"])


def test_what_a_cell_prints_is_one_piece_however_slowly_it_comes(tmp_path):
    cell = nbformat.v4.new_code_cell(
        "import time\nprint('a', flush=True)\ntime.sleep(0.5)\nprint('b')"
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "slow.ipynb")
    _papermill(tmp_path / "slow.ipynb", tmp_path / "done.ipynb", {}, tmp_path)
    assert [
        output["text"] for output in nbformat.read(tmp_path / "done.ipynb", 4).cells[0].outputs
    ] == ["a\nb\n"]


@pytest.mark.parametrize(
    "name",
    [
        "01_data",
        "02_descriptors",
        "03_clustering",
        "04_rewards",
        "06_vae",
        "05_optimization",
        "09_report",
        "07_judgment",
        "10_composition",
        "08_paper",
    ],
)
def test_notebooks_declare_the_defaults_of_the_search_space(name):
    source = resource_path("notebooks") / f"{name}.ipynb"
    cells = json.loads(source.read_text())["cells"]
    code = "".join(
        next(c for c in cells if "parameters" in c["metadata"].get("tags", []))["source"]
    )
    values = {}
    exec(code, values)  # our own file
    for p in PARAMETERS + RUN_PARAMETERS:
        if p.name in values:
            assert values[p.name] == p.default and type(values[p.name]) is type(p.default), p.name
    for line in filter(str.strip, code.split("\n")):
        assert re.fullmatch(r"\w+: (int|float|str|bool) = .+  # .+", line), line
    declared = {name for name in values if not name.startswith("__")}
    assert set(inspect_notebook(str(source))) == declared  # papermill reads every line


def test_the_table_of_parameters_is_the_declaration():
    page = (resource_path("book") / "parameters.md").read_text()
    for p in PARAMETERS + RUN_PARAMETERS:
        row = next(line for line in page.split("\n") if line.startswith(f"| `{p.name}` |"))
        written = {
            str(p.default) or '""',
            p.default if isinstance(p.default, str) else f"{p.default:g}",
        }
        assert row.replace("`", "").split(" | ")[2] in written


def test_an_undeclared_parameter_is_refused(tmp_path):
    with pytest.raises(InputError, match="no parameter 'color'; it has"):
        execute_step(BookStep("04_rewards", "default", {"color": "red"}), tmp_path)


def test_a_folder_without_the_series_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="holds no image of the Sm-BFO series; download it"):
        run_book(None, tmp_path / "out", given={"series": str(tmp_path)})
    assert not (tmp_path / "out").exists()


def test_the_chapter_on_the_series_gets_its_folder_wherever_it_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "SM_10_0_HAADF.h5").touch()
    settings = _settings(None, "quick", {"series": "here", "pairs": 1}, Reading(), 3)
    assert settings["series"] == ["Sm_10_0"] and settings["parameters"]["series"] == str(
        tmp_path / "here"
    )
    monkeypatch.setattr(Artifacts, "tuned", lambda self: default_parameters())
    (step,) = [s for s in _steps(tmp_path, settings) if s.part == "series"]
    assert step.parameters["series"] == str(tmp_path / "here") and step.parameters["pairs"] == 1
    declared = declared_parameters(resource_path("notebooks") / "10_composition.ipynb")
    assert set(step.parameters) <= set(declared)


def test_changed_settings_are_not_resumed(tmp_path):
    (tmp_path / "run.json").write_text(
        json.dumps({"seed": 1, "finished": ["default/01_data.ipynb"]})
    )
    assert _finished(tmp_path, {"seed": 2}) == set()


def test_a_run_without_the_libraries_leaves_the_autoencoders_out(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build, "vae_available", lambda: False)
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    assert _settings(None, "quick", {}, Reading(), 0)["parameters"]["vae_budget"] == 0
    assert "pip install '.[vae]'" in capsys.readouterr().err
    with pytest.raises(InputError, match="are not installed; run: pip install"):
        _settings(None, "quick", {"vae_budget": 3}, Reading(), 0)
    _stand_in(tmp_path / "06_vae", _NO_AUTOENCODERS)
    assert "vae_budget=4" in (tmp_path / "06_vae.md").read_text()
