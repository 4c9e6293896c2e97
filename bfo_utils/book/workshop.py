"""Notebooks for a workshop: without the solutions, with the results that they start from.

Exercises and solutions are cells of the notebooks themselves, tagged ``exercise`` and
``solution``, so they cannot diverge. The book shows solutions folded; the workshop has them in a
separate file. The slides are made from the same notebooks and the plans of the book.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from ..compute import (
    OWNER,
    atomic_folder,
    hold_lock,
    install_command,
    read_json,
    repository_url,
    require_extra,
    resource_path,
    sweep,
    write_json,
)
from ..errors import InputError
from ..report import data_uri, fill_template
from ..results import check_run
from .build import BOOK_PACKAGES, BookStep, execute_step, with_install_cell

LEFT_OUT = {"solution"}  # tags of the cells that participants do not get
MANIFEST = "workshop.json"
#: The notebooks in running order, and for each the notebooks whose results it reads.
#:
#: :meta hide-value:
CHAPTER_NEEDS: dict[str, tuple[str, ...]] = {
    "01_data": (),
    "02_descriptors": ("01_data",),
    "03_clustering": ("01_data", "02_descriptors"),
    "04_rewards": ("01_data", "02_descriptors", "03_clustering"),
    "05_optimization": ("01_data",),
    "06_vae": ("01_data", "05_optimization"),
    "07_judgment": ("01_data", "05_optimization"),
    "08_paper": ("01_data", "05_optimization"),
    "09_report": ("01_data", "05_optimization"),
    "10_composition": (),
}
#: Results that later notebooks need; the other artifacts of a run are not included.
_WRITES = {
    "01_data": "prepared.npz",
    "02_descriptors": "default/features.npz",
    "03_clustering": "default/labels.npz",
    "05_optimization": "search.json",
}
_HANDED_OUT = (
    "prepared.npz",
    "truth.npz",
    "provenance.json",
    "default",
    "tuned",
    "search.json",
    "trials.jsonl",
    "networks",
)

_PICTURES = ("unit_cell", "domain_wall")  # of the book, for the page of participants
_LONG = ("06_vae", "07_judgment", "08_paper", "10_composition")  # not in the plan of 90 minutes
_README = """# Workshop: domains by reward

![A unit cell, without and with the displacement of iron](unit_cell.png)

![The displacement of iron changes direction at a domain wall](domain_wall.png)

There is one notebook per chapter. Open a terminal in this folder, in the Python environment of
`bfo_utils`, and start Jupyter (if it is missing: `pip install jupyterlab`):

    jupyter lab

{start}

| notebook | reads the results of |
| --- | --- |
{table}

Every notebook ends with exercises and a cell that checks your answers. Predict first, then replace
`None` with your answers and run the cell. It marks every answer and gives hints.

Without Jupyter, `papermill 02_descriptors.ipynb out.ipynb` runs a notebook from top to bottom.
`-p NAME VALUE` changes one of the parameters in its first cells. `06_vae` needs the extra `vae`:
{vae}.

For your own image, run `papermill 01_data.ipynb out.ipynb -p image PATH`, then the other notebooks.
"""
_ALL_THERE = (
    "The folder `artifacts` holds the results of all notebooks, so you can begin with any of them."
)
_IN_ORDER = (
    "Run the notebooks in the order of this table: each reads results of earlier ones from the"
    " folder `artifacts`."
)


def lay_out(folder: str | Path, run: str | Path | None = None) -> Path:
    """Write a workshop folder: notebooks without solutions, a page for participants, slides, the
    solutions, and the artifacts of a run.

    Parameters
    ----------
    folder : str or Path
        A new or empty folder, or one that this function wrote and nobody changed, which is
        replaced. A link is followed. The folder is written as a whole or not at all.
    run : str or Path, optional
        Folder of a finished `bfo run` whose artifacts are included. Without it, participants run
        the notebooks in order.

    Returns
    -------
    Path
        The page for participants.

    Raises
    ------
    InputError
        If the folder holds anything else, or the run is not finished.
    """
    folder = Path(os.path.realpath(folder))
    _replaceable(folder)
    artifacts = _artifacts(run) if run is not None else None
    with atomic_folder(folder, MANIFEST) as part:
        notebooks = {name: _notebook(resource_path("notebooks"), name) for name in CHAPTER_NEEDS}
        for name, notebook in notebooks.items():
            laid = with_install_cell(without_solutions(notebook), name, repository_url())
            text = json.dumps(laid, indent=1, ensure_ascii=False) + "\n"
            (part / f"{name}.ipynb").write_text(text, encoding="utf-8")
        (part / "README.md").write_text(_readme(artifacts is not None), encoding="utf-8")
        (part / "solutions.md").write_text(_solutions(notebooks), encoding="utf-8")
        (part / "slides.html").write_text(_slides(notebooks, run), encoding="utf-8")
        for name in _PICTURES:
            shutil.copy(resource_path("book") / "images" / f"{name}.png", part)
        write_json(part / MANIFEST, {path.name: _hash(path) for path in sorted(part.iterdir())})
        if artifacts:
            _copy(artifacts, part / "artifacts")
    return folder / "README.md"


def without_solutions(notebook: dict) -> dict:
    """A notebook without its solution cells, with text that is readable outside the book.

    Parameters
    ----------
    notebook : dict
        As read from the file.

    Returns
    -------
    dict
        A new notebook.
    """
    kept = [
        cell for cell in notebook["cells"] if not LEFT_OUT & set(cell["metadata"].get("tags", []))
    ]
    cells = [
        (
            cell | {"source": readable("".join(cell["source"])).splitlines(keepends=True)}
            if cell["cell_type"] == "markdown"
            else cell
        )
        for cell in kept
    ]
    return notebook | {"cells": cells}


def readable(text: str) -> str:
    """Convert markdown of the book for Jupyter: roles become plain words and links between
    notebooks.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> readable(
    ...     "A {term}`map <label map>`, see {doc}`/search/05_optimization` and {doc}`/rewards` "
    ...     "{cite:p}`jia2008atomic`."
    ... )
    'A map, see [05_optimization](05_optimization.ipynb) and *rewards* (Jia 2008).'
    """
    return re.sub(r"\{([a-z:]+)\}`([^`<]*?)(?: *<([^>`]*)>)?`", _role, text)


def _role(match: re.Match) -> str:
    """What stands for one role of the book."""
    role, words, target = match.groups()
    if role == "doc":
        name = Path(target or words).name
        words = words if target else name
        return f"[{words}]({name}.ipynb)" if name in CHAPTER_NEEDS else f"*{words}*"
    if role.startswith("cite"):
        names = ", ".join(
            re.sub(r"([a-z-]+)(\d{4})?.*", r"\1 \2", key).strip().capitalize()
            for key in words.split(",")
        )
        return f"({names})" if role.endswith(":p") else names
    return f"(equation “{words.removeprefix('eq-')}”)" if role == "eq" else words


def catch_up(chapter: str, artifacts: str | Path = "artifacts") -> None:
    """Run the notebooks that a chapter needs and whose results are missing, with the default
    parameters.

    For a chapter that is opened on its own, for example on Colab or Binder.

    Parameters
    ----------
    chapter : str
        Name of the notebook, such as ``"03_clustering"``.
    artifacts : str or Path
        Folder of the results.

    Raises
    ------
    InputError
        If there is no such chapter.
    """
    if chapter not in CHAPTER_NEEDS:
        raise InputError(
            f"chapter '{chapter}': no such notebook; choose one of {', '.join(CHAPTER_NEEDS)}"
        )
    require_extra("the notebooks before this one", "book", *BOOK_PACKAGES)
    artifacts = Path(artifacts).absolute()
    with tempfile.TemporaryDirectory() as executed:
        for name in CHAPTER_NEEDS[chapter]:
            if not (artifacts / _WRITES[name]).exists():
                print(f"running {name} first")
                execute_step(
                    BookStep(name, "before", {"artifacts": str(artifacts)}), Path(executed)
                )


def _replaceable(folder: Path) -> None:
    """Refuse a folder that holds anything but an untouched workshop."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a folder")
    sweep(folder)
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MANIFEST).exists():
        raise InputError(
            f"{folder}: is not empty and not from an earlier `bfo workshop`; give a new folder"
        )
    manifest = read_json(folder / MANIFEST)
    known = manifest if isinstance(manifest, dict) else {}
    touched = [
        path.name
        for path in sorted(folder.iterdir())
        if path.name not in (MANIFEST, "artifacts")
        and (not path.is_file() or known.get(path.name) != _hash(path))
    ]
    if touched:
        raise InputError(
            f"{folder}: {touched[0]} was changed or added since the folder was written; give a new"
            " folder"
        )


def _artifacts(run: str | Path) -> Path:
    """The artifacts of a finished run, to which no process writes."""
    if (busy := Path(run) / OWNER).exists():
        with hold_lock(busy):  # left behind by a killed run, or refused
            pass
    artifacts = Path(run) / "artifacts"
    missing = [
        name
        for name in ("prepared.npz", "search.json", "tuned/labels.npz")
        if not (artifacts / name).exists()
    ]
    if missing:
        raise InputError(
            f"{run}: holds no finished run (artifacts/{missing[0]} is missing); give the --out"
            " folder of a `bfo run`"
        )
    check_run(run)
    return artifacts


def _copy(source: Path, target: Path) -> None:
    for path in (source / name for name in _HANDED_OUT):
        if path.is_dir():
            shutil.copytree(path, target / path.name)
        elif path.exists():
            target.mkdir(exist_ok=True)
            shutil.copy(path, target / path.name)


def _readme(ready: bool) -> str:
    rows = "\n".join(
        f"| [`{name}`]({name}.ipynb) | {', '.join(f'`{n}`' for n in needs) or 'nothing'} |"
        for name, needs in CHAPTER_NEEDS.items()
    )
    return _README.format(
        start=_ALL_THERE if ready else _IN_ORDER, table=rows, vae=install_command("vae")
    )


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _notebook(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.ipynb").read_text(encoding="utf-8"))


def _solutions(notebooks: dict[str, dict]) -> str:
    """The cells of the solutions of all chapters, for the instructor."""
    text = ["# Solutions\n\nFor the instructor: remove this file before you hand out the folder."]
    for notebook in notebooks.values():
        text.append(f"## {_title(notebook)}")
        for cell in notebook["cells"]:
            if LEFT_OUT & set(cell["metadata"].get("tags", [])):
                source = "".join(cell["source"])
                inside = source.partition("\n")[2].rpartition("\n")[0]  # of the fold
                code = cell["cell_type"] == "code"
                text.append(f"```python\n{source}\n```" if code else readable(inside))
    return "\n\n".join(text) + "\n"


def _slides(notebooks: dict[str, dict], run: str | Path | None) -> str:
    """The slides in one file: pictures of the book, the aims and exercises of every chapter, the
    first figure of each in the run, and the plans.
    """
    slides = [
        _slide("Domains by reward", picture=_image("before_after")),
        _slide("A unit cell and the displacement of iron", picture=_image("unit_cell")),
        _slide("A domain wall: the displacement changes direction", picture=_image("domain_wall")),
        _slide("From image to map in six steps", picture=_image("chain")),
    ]
    for name, notebook in notebooks.items():
        rest = {"long": name in _LONG}
        if name == "04_rewards":
            slides.append(_slide("Vote: whose map is right?", picture=_image("vote")))
        aims, work = (_items(notebook, heading) for heading in ("What you will learn", "Exercises"))
        slides.append(_slide(_title(notebook), points=aims, **rest))
        if picture := _first_picture(run, name):
            slides.append(_slide(_title(notebook), picture=picture, **rest))
        slides.append(_slide("Exercises", points=work, kind="ol", **rest))
    for minutes in ("Ninety minutes", "One hundred and eighty minutes"):
        slides.append(_slide(minutes, rows=_plan(minutes), long=minutes.startswith("One")))
    return fill_template("slides.html", slides=slides)


def _slide(title: str, *, picture="", points=(), rows=(), kind="ul", long=False) -> dict:
    return locals()


def _title(notebook: dict) -> str:
    return notebook["cells"][0]["source"][0].lstrip("# ").strip()


def _items(notebook: dict, heading: str) -> list[str]:
    """The points of a list in a section of a notebook, as plain text."""
    text = "\n".join(
        "".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown"
    )
    section = (
        text.partition(f"## {heading}\n")[2]
        .partition("\n## ")[0]
        .partition("\n\nReplace `None`")[0]
    )
    points = re.split(r"^(?:- |\d+\. )", section.partition("```{dropdown}")[0], flags=re.M)[1:]
    return [" ".join(_plain(point).split()) for point in points]


def _plain(text: str) -> str:
    return re.sub(r"\[([^]]*)\]\([^)]*\)|[*`]", r"\1", readable(text))


def _image(name: str) -> str:
    return data_uri((resource_path("book") / "images" / f"{name}.png").read_bytes())


def _first_picture(run: str | Path | None, name: str) -> str:
    """The first figure of a chapter in a run; nothing where there is none."""
    for page in sorted(Path(run, "notebooks").glob(f"*/{name}.ipynb")) if run else []:
        for cell in _notebook(page.parent, name)["cells"]:
            for output in cell.get("outputs", ()):
                if "image/png" in output.get("data", {}):
                    return data_uri(base64.b64decode("".join(output["data"]["image/png"])))
    return ""


def _plan(heading: str) -> list[list[str]]:
    """The table of a plan in the book's page for instructors."""
    page = (resource_path("book") / "instructor.md").read_text(encoding="utf-8")
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return [[_plain(cell) for cell in row] for row in rows if not row[0].startswith("---")]
