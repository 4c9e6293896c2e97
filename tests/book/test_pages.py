"""The pages of the book: one skeleton, nothing left out, and commands that work as they are
written.
"""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from bfo_utils.book import declared_parameters, render_book
from bfo_utils.cli import bfo
from bfo_utils.compute import resource_path

BOOK, NOTEBOOKS = resource_path("book"), resource_path("notebooks")
SKELETON = ["What you will learn", "Before you start", "What we have seen", "References"]
GENERATED = sorted((BOOK / "api").glob("*.md"))  # the docstrings, page by page; api.md opens them
PACKAGE = BOOK.parent / "bfo_utils"


def text(path):
    """Markdown of a page or a notebook."""
    if path.suffix == ".md":
        return path.read_text()
    cells = json.loads(path.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def sections(path):
    """Texts of the sections of a page by their headings."""
    pieces = re.split(r"^## (.+)$", text(path), flags=re.M)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


LESSONS = [BOOK / "method.md", BOOK / "rewards.md", *sorted(NOTEBOOKS.glob("*.ipynb"))]


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_every_lesson_has_the_skeleton(path):
    found = sections(path)
    assert [heading for heading in found if heading in SKELETON] == SKELETON
    assert list(found)[-1] == "References" and all(found[heading].strip() for heading in SKELETON)
    assert "\n- " in found["What you will learn"]


@pytest.mark.parametrize("path", sorted({*BOOK.glob("*.md")} - {*LESSONS}), ids=lambda p: p.stem)
def test_other_pages_begin_with_what_they_are_for(path):
    assert not {*SKELETON[:3], "Exercises"} & set(sections(path))


def test_the_contents_show_the_title_of_every_page_and_notebooks_in_the_order_of_their_numbers():
    contents = (BOOK / "_toc.yml").read_text()
    assert "title:" not in contents
    named = re.findall(r"file: \w+/(\d\d_\w+)", contents)
    assert named == sorted(p.stem for p in NOTEBOOKS.glob("*.ipynb"))
    for name in named:
        assert text(NOTEBOOKS / f"{name}.ipynb").startswith(f"# {int(name[:2])}. ")


def modules():
    return [path for path in PACKAGE.glob("*/*.py") if not path.stem.startswith("_")]


def test_every_room_has_a_page_of_the_reference():
    assert {path.stem for path in GENERATED} == {path.parent.name for path in modules()}


def test_every_page_is_in_the_contents():
    contents = (BOOK / "_toc.yml").read_text()
    for path in [*BOOK.glob("*.md"), *GENERATED]:
        name = path.relative_to(BOOK).with_suffix("").as_posix()
        assert re.search(rf"(file|root): {name}$", contents, re.M), name


# ---- the rendered book ---------------------------------------------------------------


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """The book of notebooks that were not executed, rendered with warnings as errors."""
    out = tmp_path_factory.mktemp("book")
    for part in re.findall(r"file: (\w+/\d\d_\w+)", (BOOK / "_toc.yml").read_text()):
        (out / "notebooks" / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(NOTEBOOKS / f"{Path(part).name}.ipynb", out / "notebooks" / f"{part}.ipynb")
    return render_book(out).parent


@pytest.mark.slow
def test_every_public_function_is_described(html):
    for path in modules():
        page = (html / "api" / f"{path.parent.name}.html").read_text()
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                assert f'id="bfo_utils.{path.parent.name}.{path.stem}.{node.name}"' in page, (
                    node.name
                )


@pytest.mark.slow
def test_every_command_and_option_is_described(html):
    page = (html / "cli.html").read_text()
    for name, command in bfo.commands.items():
        section = page.split(f'<section id="bfo-{name}">')[1].split("</section>")[0]
        section = re.sub("<[^>]+>", "", section)  # brackets are colored one by one
        for option in command.params:
            written = (
                option.opts
                if isinstance(option, click.Option)
                else [option.make_metavar(click.Context(command))]
            )
            assert all(
                re.search(rf"(?<![\w-]){re.escape(form)}(?![\w-])", section) for form in written
            ), (name, written)


@pytest.mark.slow
def test_terms_link_to_entries_that_exist(html):
    entries = set(re.findall(r'id="(term-[^"]+)"', (html / "glossary.html").read_text()))
    for page in html.rglob("*.html"):
        assert set(re.findall(r'glossary\.html#(term-[^"]+)"', page.read_text())) <= entries, (
            page.name
        )
    intro = (html / "intro.html").read_text().split("<article")[1]
    assert re.search(r'#term-phantom"', intro) and re.search(r"#term-patch", intro) is None


@pytest.mark.slow
def test_equations_have_numbers_and_references_carry_them(html):
    page = (html / "rewards.html").read_text()
    numbers = dict(re.findall(r'id="(equation-eq-\w+)"[^>]*>\s*<span class="eqno">\((\d+)\)', page))
    labels = re.findall(r":label: (eq-\w+)", (BOOK / "rewards.md").read_text())
    assert list(numbers.values()) == [str(k + 1) for k in range(len(labels))]
    assert set(numbers) == {f"equation-{label}" for label in labels}
    for name in ("rewards", "default/04_rewards"):
        found = re.findall(
            r'href="[^"#]*#(equation-eq-\w+)"[^>]*>(?:<span[^>]*>)?\((\d+)\)<',
            (html / f"{name}.html").read_text(),
        )
        assert len(found) > 3 and all(numbers[label] == number for label, number in found)


# ---- commands of the page on re-running ----------------------------------------------


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", (BOOK / "rerun.md").read_text(), re.M | re.S)


def run(script, folder, program="bash"):
    """Run a block of the page as a user would in the folder of the project."""
    (folder / "notebooks").symlink_to(NOTEBOOKS)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(PACKAGE.parent),
    }
    command = [program, "-e", "-c", script] if program == "bash" else [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_shell_blocks_call_what_exists():
    declared = {path.name: declared_parameters(path) for path in NOTEBOOKS.glob("*.ipynb")}
    for block in blocks("bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            notebook = next(
                (Path(word).name for word in words if word.startswith("notebooks/")), None
            )
            given = {words[k + 1] for k, word in enumerate(words) if word == "-p"}
            if words[:1] == ["papermill"]:
                assert notebook in declared and given <= set(declared[notebook]), line
            if words[:1] == ["bfo"]:
                assert words[1] in bfo.commands, line


@pytest.mark.slow
def test_the_parameters_of_a_notebook_are_listed(tmp_path):
    (block,) = [block for block in blocks("bash") if "--help-notebook" in block]
    assert "n_clusters" in run(block, tmp_path)


@pytest.mark.slow
def test_the_series_in_python_runs_as_written(tmp_path):
    (block,) = [block for block in blocks("python") if "papermill" not in block]
    lines = run(block, tmp_path, "python").splitlines()
    assert len(lines) == 7 and all(0 <= float(line.split()[1]) <= 1 for line in lines)


@pytest.mark.slow
def test_two_results_are_compared_as_written(tmp_path):
    (block,) = [block for block in blocks("bash") if "bfo compare" in block]
    assert run(block, tmp_path).endswith("work/comparison/index.html\n")
    page = (tmp_path / "work" / "comparison" / "index.html").read_text()
    assert re.search(r'<tr class="differs"><th scope="row">budget</th><td>16</td><td>48</td>', page)
