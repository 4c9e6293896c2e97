"""Notebooks for participants, and the ways to open them elsewhere."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from bfo_utils.book import CHAPTER_NEEDS, build, catch_up, lay_out, render_book, workshop
from bfo_utils.book.workshop import _WRITES
from bfo_utils.cli import main
from bfo_utils.compute import install_command, installation, locked_folder, resource_path
from bfo_utils.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def cells(path):
    return json.loads(Path(path).read_text())["cells"]


def tags(cell):
    return set(cell["metadata"].get("tags", []))


def a_run(folder):
    """A folder that looks like a finished run."""
    for name in ("prepared.npz", "provenance.json", "search.json", "tuned/labels.npz", "cells.csv"):
        (folder / "artifacts" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "artifacts" / name).write_text("")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_notebook_has_exercises_a_check_and_solutions_in_this_order(name):
    last = [
        next(iter(tags(c) & {"exercise", "solution"}), "")
        for c in cells(ROOT / "notebooks" / f"{name}.ipynb")
    ]
    marked = [tag for tag in last if tag]
    assert marked == ["exercise", "exercise", "solution", "solution"]
    text = "".join(cells(ROOT / "notebooks" / f"{name}.ipynb")[last.index("exercise")]["source"])
    assert text.startswith("## Exercises") and re.search(r"^2\. ", text, re.M)


def test_the_handout_holds_no_solution_and_everything_else(tmp_path):
    page = lay_out(tmp_path / "new" / "handout")
    assert (
        page == tmp_path / "new" / "handout" / "README.md"
        and "in the order of this table" in page.read_text()
    )
    assert {p.stem for p in page.parent.glob("*.ipynb")} == set(NAMES) == set(CHAPTER_NEEDS)
    for name in NAMES:
        laid, source = (
            cells(page.parent / f"{name}.ipynb"),
            cells(ROOT / "notebooks" / f"{name}.ipynb"),
        )
        assert not any(tags(c) & {"solution"} for c in laid)
        assert [c["id"] for c in laid] == [c["id"] for c in source if not tags(c) & {"solution"}]
        code = [c["source"] for c in laid if c["cell_type"] == "code"]
        assert code == [
            c["source"] for c in source if c["cell_type"] == "code" and not tags(c) & {"solution"}
        ]
        assert not re.search(
            r"\{[a-z:]+\}`",
            "".join("".join(c["source"]) for c in laid if c["cell_type"] == "markdown"),
        )
    assert not (page.parent / "artifacts").exists()


def test_links_and_pictures_of_the_handout_are_in_it_and_solutions_are_apart(tmp_path):
    page = lay_out(tmp_path / "handout", a_run(tmp_path / "run"))
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        assert (page.parent / target).is_file(), target
    solutions = (page.parent / "solutions.md").read_text()
    assert solutions.count("\n## ") == len(NAMES) and "b - corners.mean(axis=0)" in solutions
    assert "dropdown" not in solutions and not re.search(r"\{[a-z:]+\}`", solutions)


def test_the_slides_are_one_file_made_from_the_notebooks_and_the_plans(tmp_path):
    html = (lay_out(tmp_path / "handout").parent / "slides.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', html) and "{term}" not in html
    for name in NAMES:
        title = cells(ROOT / "notebooks" / f"{name}.ipynb")[0]["source"][0].lstrip("# ").strip()
        assert f"<h1>{title}</h1>" in html
    assert "how an image of atoms becomes a list of columns" in html
    assert "Vote: whose map is right?" in html and html.count("<table>") == 2
    assert 0 < html.count('class="long"') < html.count("<section") / 2


def test_the_handout_carries_the_results_of_a_run(tmp_path):
    page = lay_out(tmp_path / "handout", a_run(tmp_path / "run"))
    handed = {
        str(p.relative_to(page.parent))
        for p in (page.parent / "artifacts").rglob("*")
        if p.is_file()
    }
    assert handed == {
        "artifacts/prepared.npz",
        "artifacts/provenance.json",
        "artifacts/search.json",
        "artifacts/tuned/labels.npz",
    }
    assert "begin with any" in page.read_text()


def test_a_run_that_is_not_finished_is_refused_and_nothing_is_left(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(
        InputError,
        match="holds no finished run .artifacts/prepared.npz is missing.; give the --out folder",
    ):
        lay_out(tmp_path / "handout", tmp_path / "run")
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_run_that_is_still_at_work_is_refused(tmp_path):
    run = a_run(tmp_path / "run")
    with locked_folder(run), pytest.raises(InputError, match="in use by process"):
        lay_out(tmp_path / "handout", run)
    assert not (tmp_path / "handout").exists()
    assert lay_out(tmp_path / "handout", run).exists()


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="is not empty and not from an earlier"):
        lay_out(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(InputError, match="is a file; give a folder"):
        lay_out(tmp_path / "thesis.tex")


def test_the_command_says_where_the_handout_is_and_refuses_in_one_line(tmp_path, capsys):
    for arguments, status in (
        (["--from", str(a_run(tmp_path / "run"))], 0),
        ([], 0),
        (["--from", str(tmp_path / "none")], 2),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["workshop", str(tmp_path / "handout"), *arguments])
        assert stop.value.code == status
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(tmp_path / "handout" / "README.md")] * 2
    assert len(said.err.strip().splitlines()) == 1 and "none" in said.err


def test_an_untouched_handout_is_replaced_and_one_with_work_in_it_is_not(tmp_path):
    lay_out(tmp_path / "handout")
    lay_out(tmp_path / "handout", a_run(tmp_path / "run"))
    assert (tmp_path / "handout" / "artifacts").is_dir()
    lay_out(tmp_path / "handout")
    assert not (tmp_path / "handout" / "artifacts").exists()
    with (tmp_path / "handout" / "03_clustering.ipynb").open("a") as notebook:
        notebook.write("\n")
    with pytest.raises(InputError, match="03_clustering.ipynb was changed or added"):
        lay_out(tmp_path / "handout")
    assert not list(tmp_path.glob(".*"))


def test_a_write_that_fails_leaves_the_earlier_handout(tmp_path, monkeypatch):
    lay_out(tmp_path / "handout")
    monkeypatch.setattr(workshop, "_readme", lambda ready: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        lay_out(tmp_path / "handout")
    assert (tmp_path / "handout" / "README.md").exists() and len(list(tmp_path.iterdir())) == 1


def test_catching_up_runs_what_is_missing_and_only_that(tmp_path, monkeypatch):
    ran = []

    def execute(step, out):
        ran.append(step.notebook)
        (tmp_path / _WRITES[step.notebook]).parent.mkdir(exist_ok=True)
        (tmp_path / _WRITES[step.notebook]).touch()

    monkeypatch.setattr(workshop, "execute_step", execute)
    catch_up("03_clustering", tmp_path)
    catch_up("09_report", tmp_path)
    catch_up("10_composition", tmp_path)
    assert ran == ["01_data", "02_descriptors", "05_optimization"]
    with pytest.raises(InputError, match="chapter '3': no such notebook"):
        catch_up("3", tmp_path)


@pytest.mark.slow
def test_notebooks_of_the_handout_run_from_top_to_bottom(tmp_path):
    folder = lay_out(tmp_path / "handout").parent
    for name, more in (
        ("01_data", ["-p", "cells", "24"]),
        ("02_descriptors", []),
        ("03_clustering", []),
        ("04_rewards", []),
    ):
        command = [
            sys.executable,
            "-m",
            "papermill",
            f"{name}.ipynb",
            f"done-{name}.ipynb",
            "-k",
            "python3",
            *more,
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        check = next(
            c
            for c in cells(folder / f"done-{name}.ipynb")
            if "exercise" in tags(c) and c["cell_type"] == "code"
        )
        assert "not answered yet" in "".join(check["outputs"][0]["text"])


def launch_extension():
    """The module of the Sphinx extension, which lies outside the package."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("launch", resource_path("book") / "_ext" / "launch.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def chapters():
    """Pages of the book that are notebooks."""
    contents = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    return [
        c["file"]
        for part in contents["parts"]
        for c in part["chapters"]
        if not (ROOT / "book" / f"{c['file']}.md").exists()
    ]


def test_the_buttons_of_every_chapter_open_a_notebook_that_exists():
    launch = launch_extension()
    assert {Path(name).name for name in chapters()} == set(NAMES)
    for page in chapters():
        assert (ROOT / launch.notebook(page)).is_file(), page


def test_links_are_corrected_and_what_is_too_large_is_not_offered():
    class App:
        class config:
            launch_not_on_binder = CONFIG["sphinx"]["config"]["launch_not_on_binder"]

    for page, places in (
        ("default/03_clustering", ["Binder", "Colab"]),
        ("search/06_vae", ["Colab"]),
    ):
        buttons = [
            {"text": place, "url": f"https://{place}.org/main/{page}.ipynb"}
            for place in ("Binder", "Colab")
        ]
        context = {
            "header_buttons": [
                {"label": "launch-buttons", "buttons": buttons},
                {"label": "download"},
            ]
        }
        launch_extension()._correct(App, page, "", context, None)
        name = page.split("/")[1]
        assert [b["text"] for b in context["header_buttons"][0]["buttons"]] == places
        assert {b["url"] for b in context["header_buttons"][0]["buttons"]} == {
            f"https://{p}.org/main/notebooks/{name}.ipynb" for p in places
        }


def test_binder_installs_what_the_package_needs_and_the_package():
    folder = ROOT / ".binder"
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [
        line
        for line in (folder / "requirements.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert listed == wanted["dependencies"] + wanted["optional-dependencies"]["book"]
    assert (folder / "runtime.txt").read_text().strip() == "python-" + wanted[
        "requires-python"
    ].removeprefix(">=")
    after = folder / "postBuild"
    assert after.stat().st_mode & 0o111 and "pip install --no-deps ." in after.read_text()
    subprocess.run(["bash", "-n", str(after)], check=True)
    chapters = re.search(r"for chapter in (.*);", after.read_text()).group(1).split()
    assert {n for c in chapters for n in CHAPTER_NEEDS[c]} >= {
        n for needs in CHAPTER_NEEDS.values() for n in needs
    }


ADDRESS = "https://github.com/somebody/something"


@pytest.fixture(params=["", ADDRESS], ids=["no address", "an address"])
def address(request, monkeypatch, tmp_path):
    """The setting `repository: url`, without one and with one: the folder that has the setting."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("book", "notebooks"):
        (home / name).symlink_to(ROOT / name)
    text = (ROOT / "_config.yml").read_text()
    assert text.count('\n  url: ""\n') == 1
    (home / "_config.yml").write_text(
        text.replace('\n  url: ""\n', f'\n  url: "{request.param}"\n')
    )
    for module in (build, installation, workshop):
        monkeypatch.setattr(module, "resource_path", lambda name: home / name)
    return request.param


def test_an_address_and_only_an_address_makes_an_install_cell(address, tmp_path):
    lay_out(tmp_path / "handout")
    for name in NAMES:
        installs = [
            "".join(c["source"])
            for c in cells(tmp_path / "handout" / f"{name}.ipynb")
            if "colab" in tags(c)
        ]
        assert len(installs) == bool(address)
        assert all(f"git+{address}" in t and f'catch_up("{name}")' in t for t in installs)
    laid = (tmp_path / "handout").iterdir()
    text = "".join(path.read_text() for path in laid if path.suffix != ".png")
    assert ("git+" in text) == ("google.colab" in text) == bool(address)


def test_what_to_install_follows_the_address(address):
    told = install_command("vae")
    assert (told == f"pip install 'bfo_utils[vae] @ git+{ADDRESS}'") == bool(address)
    assert told.startswith("pip install '.[vae]'") == (not address)


def check_buttons(html, address):
    """Every chapter has the buttons that an address makes, or none of them."""
    for page in chapters():
        text, name = (html / f"{page}.html").read_text(), page.split("/")[1]
        for link in ("colab.research.google.com", f"git+{ADDRESS}", f"/blob/main/notebooks/{name}"):
            assert (link in text) == address, (page, link)
        assert ("mybinder.org/v2/gh/somebody" in text) == (address and name != "06_vae")


@pytest.mark.slow
def test_without_an_address_there_are_no_buttons(folder):
    check_buttons(folder / "html", address=False)


@pytest.mark.slow
@pytest.mark.parametrize("address", [ADDRESS], indirect=True)
def test_an_address_makes_buttons(address, tmp_path):
    run = tmp_path / "run"
    for page in chapters():
        path = run / "notebooks" / f"{page}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(ROOT / "notebooks" / f"{path.stem}.ipynb")
    render_book(run)
    check_buttons(run / "html", address=True)
