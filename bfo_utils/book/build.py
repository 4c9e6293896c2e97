"""The report: papermill runs the notebooks, Jupyter Book renders them."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tqdm import tqdm

from ..compute import (
    atomic,
    environment,
    install_command,
    locked_folder,
    own_jupyter,
    put_back,
    read_json,
    refuse_foreign,
    repository_url,
    require_extra,
    resource_path,
    sweep,
    take_place,
    write_json,
    writing,
)
from ..errors import InputError
from ..io import Reading, read_image
from ..results import SCHEMA_VERSION, check_run
from ..search import (
    PARAMETERS,
    RUN_PARAMETERS,
    Value,
    check_parameters,
    complete_parameters,
    parameter_names,
)
from ..smbfo import SERIES_PAIRS, available_pairs
from ..vae import require_vae, vae_available
from .artifacts import Artifacts
from .stages import as_shown, with_tuned

PROFILE_BUDGETS = {"quick": 64, "full": 256}  # configurations that a profile evaluates
PROFILE_AUTOENCODERS = {"quick": 4, "full": 36}  # and autoencoders that it begins
_UNSAID = {"pixel_size_nm": 0.0, "lattice_nm": 0.0, "dataset": ""}  # papermill's for None
_SECONDS = {
    "01_data": 14,
    "02_descriptors": 7,
    "03_clustering": 7,
    "04_rewards": 10,
    "05_optimization": 15,
    "06_vae": 55,
    "07_judgment": 40,
    "08_paper": 28,
    "09_report": 25,
    "10_composition": 62,
}
# With these an image is prepared.
_PREPARED = (
    "detection_scale",
    "refinement_radius",
    "bright",
    "polar_sign",
    "born_charge",
    "strain_reference",
    "tilt",
)
_OF_THE_METHOD = ("07_judgment", "08_paper")
_OF_THE_SERIES = {p.name for p in RUN_PARAMETERS if p.stage == "series"}
BOOK_PACKAGES = ("jupyter_book", "papermill", "ipykernel", "sphinx_click")  # of the extra book
# What a run writes in its folder.
_FOLDERS = ("html", "notebooks", "artifacts", "run.json", ".book")
# What notebooks declare.
_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
# in the place of the chapter on autoencoders, where a run has none
_NO_AUTOENCODERS = (
    "This run has no autoencoders. To add them, install their libraries with {vae}"
    " and run it again with `-p vae_budget=4`.\n"
)
# chapters on simulated crystals, which a book about an image of the reader's has only if asked for
_SIMULATED = ("search/07_judgment", "search/08_paper", "series/10_composition")
_RENDER = 70  # seconds, roughly, for the progress bar


@dataclass(frozen=True)
class BookStep:
    """One notebook to execute: its name, the part of the book it belongs to, and its parameters."""

    notebook: str
    part: str
    parameters: Mapping[str, Value]

    @property
    def target(self) -> str:
        """Path of the executed notebook below the run's ``notebooks`` folder."""
        return f"{self.part}/{self.notebook}.ipynb"


def run_book(
    image: str | None,
    out: str | Path,
    profile: str = "quick",
    given: Mapping[str, Value] | None = None,
    reading: Reading | None = None,
    seed: int = 0,
    resume: bool = False,
    scan_axis: str = "auto",
) -> Path:
    """Execute the notebooks with the default parameters, search, execute them with the tuned
    parameters, and render the book.

    Parameters
    ----------
    image : str or None
        Image file; None for the embedded phantom.
    out : str or Path
        Folder of the run. ``out/html/index.html`` is the book, ``out/artifacts`` holds tables and
        pictures, ``out/notebooks`` the executed notebooks.
    profile : {"quick", "full"}
        Number of configurations to evaluate (64 or 256), unless ``given`` sets it.
    given : mapping, optional
        Parameters of the run (see :data:`bfo_utils.search.RUN_PARAMETERS`) and of the workflow;
        the latter are then not searched.
    reading : Reading, optional
        How the image is read.
    seed : int
    resume : bool
        Keep the notebooks that an earlier run with the same settings finished.
    scan_axis : {"auto", "x", "y", "none"}
        Fast axis of the scan, see :func:`bfo_utils.lattice.measure_scan`.

    Returns
    -------
    Path
        The book's first page.

    Raises
    ------
    InputError
        If an image or a parameter cannot be used; then nothing is written. If another run is
        writing to the folder, or the disk is full; then an earlier book is kept.
    """
    require_extra("bfo run", "book", *BOOK_PACKAGES)
    out = Path(out).absolute()
    refuse_foreign(
        (out / name for name in _FOLDERS), _is_run(out), "give another folder with --out"
    )
    reading = reading or Reading()
    for text in (str(out), image or "", reading.dataset or "", reading.mask, reading.columns):
        _notable(text)
    settings = _settings(image, profile, given or {}, reading.absolute, seed, scan_axis)
    with locked_folder(out):
        _tidy(out)
        return _run(out, settings, _finished(out, settings) if resume else set())


def _is_run(out: Path) -> bool:
    """Whether an earlier run has written to a folder; its record is written as a whole."""
    with suppress(InputError):
        stored = read_json(out / "run.json")
        return isinstance(stored, dict) and {"image", "finished"} <= set(stored)
    return False


def _run(out: Path, settings: dict, finished: set[str]) -> Path:
    """Execute the notebooks that are not finished, and render; no other process writes here."""
    write_json(out / "run.json", settings | {"finished": sorted(finished)})
    with tqdm(
        total=_total(settings),
        desc="book",
        unit="s",
        file=sys.stderr,
        bar_format="{desc:28} {bar} about {remaining} left",
    ) as bar:
        for step in _steps(out, settings):
            bar.set_description(f"{step.part} {step.notebook}")
            if step.target not in finished:
                execute_step(step, out)
                finished.add(step.target)
                write_json(out / "run.json", settings | {"finished": sorted(finished)})
            bar.update(_SECONDS[step.notebook])
        # of an earlier run with other settings
        for notebook in (out / "notebooks").rglob("*.ipynb"):
            if notebook.relative_to(out / "notebooks").as_posix() not in finished:
                notebook.unlink()
        bar.set_description("rendering the book")
        page = render_book(out)
        bar.update(_RENDER)
    return page


def _notable(text: str) -> None:
    """Refuse a name that no notebook can hold, as it is no valid text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{text}: is not valid text (UTF-8), so notebooks cannot refer to it; rename it"
        ) from None


def _tidy(out: Path) -> None:
    """Clear away what a killed run was about to write."""
    for folder in ("artifacts", "notebooks"):
        sweep(out / folder, deep=True)
    for socket in (out / "notebooks").rglob("kernel-ipc-*"):
        socket.unlink()
    put_back(out / "html")


def _settings(image, profile, given, reading: Reading, seed, scan_axis="auto") -> dict:
    """Everything that the result of a run depends on, checked, as plain values."""
    if profile not in PROFILE_BUDGETS:
        raise InputError(
            f"profile '{profile}': no such profile; choose one of {', '.join(PROFILE_BUDGETS)}"
        )
    parameters = check_parameters(given, PARAMETERS + RUN_PARAMETERS)
    read = read_image(image, **vars(reading)) if image else None
    _applicable(read, parameters, reading)
    if parameters.get("series"):
        parameters["series"] = str(Path(parameters["series"]).expanduser().absolute())
    return {
        "schema_version": SCHEMA_VERSION,
        "profile": profile,
        "image": str(Path(image).absolute()) if image else "",
        "sha256": read.sha256 if read else "",
        "parameters": (
            {
                "budget": PROFILE_BUDGETS[profile],
                "vae_budget": _autoencoders(profile, parameters),
            }
            | parameters
        ),
        **{n: _UNSAID.get(n) if v is None else v for n, v in vars(reading).items()},
        "files": reading.files,
        "scan_axis": scan_axis,
        "seed": seed,
        "series": _members(parameters),
    }


def _members(parameters: Mapping[str, Value]) -> list[str]:
    """Ids of the images in the folder of the series, looked up before anything is written."""
    if not parameters.get("series"):
        return []
    return [
        pair.id
        for pair in available_pairs(
            parameters["series"], parameters.get("pairs", len(SERIES_PAIRS))
        )
    ]


def _autoencoders(profile: str, parameters: Mapping[str, Value]) -> int:
    """Number of autoencoders: none, with a warning, if their libraries are missing."""
    if vae_available():
        return PROFILE_AUTOENCODERS[profile]
    if parameters.get("vae_budget"):
        require_vae()
    print(
        f"warning: the chapter on autoencoders is left out; to add it: {install_command('vae')}",
        file=sys.stderr,
    )
    return 0


def _applicable(image, parameters: Mapping[str, Value], reading: Reading) -> None:
    """Refuse what this image cannot be analyzed with, and what would be ignored."""
    if image is None:
        if not reading.is_plain:
            given = [n for n, v in vars(Reading()).items() if getattr(reading, n) != v]
            said = ", ".join(f"--{n.removesuffix('_nm').replace('_', '-')}" for n in given)
            raise InputError(f"{said}: belongs to an image; give its path, or leave it out")
        return
    ignored = sorted({p.name for p in RUN_PARAMETERS if p.stage == "phantom"} & set(parameters))
    if ignored:
        raise InputError(
            f"parameter {ignored[0]}: applies only to the simulated image; leave out either it or"
            " the path of the image"
        )
    from ..search import prepare_image

    columns = {k: parameters[k] for k in _PREPARED if k in parameters}
    sites = prepare_image(image, **columns, scan_axis="none").sites
    if parameters.get("site", "A") not in (*sites, "columns"):
        raise InputError(
            f"parameter site: '{parameters['site']}' is not seen in this image; give one of"
            f" {', '.join(sites)}"
        )


def _finished(out: Path, settings: dict) -> set[str]:
    """Notebooks of an earlier run with the same settings that are complete."""
    if not (out / "run.json").exists():
        return set()
    check_run(out)
    before = read_json(out / "run.json")
    done = before.pop("finished", None) if isinstance(before, dict) else None
    now = {"schema_version": SCHEMA_VERSION}
    if not isinstance(done, list) or before | now != settings | now:
        return set()
    kept = {t for t in map(str, done) if os.path.exists(out / "notebooks" / t)}
    if not (out / "artifacts" / "tuned.json").exists():  # a run begun before searches wrote it
        kept = {t for t in kept if t.startswith("default/")}
    return kept


def _total(settings: dict) -> int:
    """Seconds, roughly, of all notebooks of a run and the pages."""
    twice = sum(_SECONDS[n] for n in ("02_descriptors", "03_clustering", "04_rewards"))
    left_out = {"10_composition": not _wants_series(settings)}
    left_out |= dict.fromkeys(_OF_THE_METHOD, not _wants_method(settings))
    left_out["06_vae"] = not settings["parameters"]["vae_budget"]
    once = sum(s for n, s in _SECONDS.items() if not left_out.get(n))
    return once + twice + _RENDER


def _wants_series(settings: dict) -> bool:
    """Whether the composition series belongs to a run: a book about an image is about that image,
    unless a parameter of the series is given.
    """
    return not settings["image"] or bool(_OF_THE_SERIES & set(settings["parameters"]))


def _wants_method(settings: dict) -> bool:
    """Whether the chapters that test the method, on simulated crystals, belong to a run."""
    return not settings["image"] or settings["profile"] == "full"


def _steps(out: Path, settings: dict) -> Iterator[BookStep]:
    """The notebooks in order; the tuned parameters are read once the search has ended."""
    given, seed = settings["parameters"], settings["seed"]
    base = {"artifacts": str(out / "artifacts")}
    run_level = {k: v for k, v in given.items() if k in ("layout", "cells", "dose")}
    columns = {k: given[k] for k in _PREPARED if k in given}
    source = {n: settings[n] for n in ("image", "scan_axis", "pixel_size_nm")} | _reading(settings)
    yield BookStep("01_data", "default", base | source | run_level | columns | {"seed": seed})
    fixed = {k: v for k, v in given.items() if k in parameter_names()}
    yield from _analysis("default", base, complete_parameters(fixed), seed)
    text = " ".join(f"{k}={v}" for k, v in fixed.items())
    yield BookStep(
        "05_optimization", "search", base | {"budget": given["budget"], "seed": seed, "fixed": text}
    )
    if given["vae_budget"]:
        yield BookStep("06_vae", "search", base | {"vae_budget": given["vae_budget"]})
    if _wants_method(settings):
        yield BookStep("07_judgment", "search", base)
        yield BookStep("08_paper", "search", base | {"seed": seed})
    yield from _analysis("tuned", base, Artifacts(out / "artifacts").tuned(), seed)
    yield BookStep("09_report", "report", base | {"check": given.get("check", 0)})
    if _wants_series(settings):
        series = {k: v for k, v in given.items() if k in _OF_THE_SERIES}
        yield BookStep("10_composition", "series", base | series | {"seed": seed})


def _reading(settings: dict) -> dict[str, str]:
    """What else is said of the image, where anything is, as the first notebook takes it."""
    plain = {name: _UNSAID.get(name, value) for name, value in vars(Reading()).items()}
    more = {n: settings[n] for n, v in plain.items() if settings[n] != v and n != "pixel_size_nm"}
    return {"reading": json.dumps(more)} if more else {}


def _analysis(
    stage: str, base: dict, parameters: Mapping[str, Value], seed: int
) -> Iterator[BookStep]:
    """Descriptors, clustering and rewards at one stage."""
    here = base | {"stage": stage}
    of = {
        s: {p.name: parameters[p.name] for p in PARAMETERS if p.stage == s}
        for s in ("descriptors", "clustering")
    }
    yield BookStep("02_descriptors", stage, here | of["descriptors"])
    yield BookStep("03_clustering", stage, here | of["clustering"] | {"seed": seed})
    yield BookStep("04_rewards", stage, here)


def execute_step(step: BookStep, out: Path) -> None:
    """Execute one notebook with papermill; the target is written only if the run completes.

    Parameters
    ----------
    step : BookStep
    out : Path
        Folder of the run.

    Raises
    ------
    InputError
        If the notebook raises one, or does not declare a parameter.
    """
    source = resource_path("notebooks") / f"{step.notebook}.ipynb"
    undeclared = set(step.parameters) - set(declared_parameters(source))
    if undeclared:
        raise InputError(
            f"{source.name}: no parameter '{sorted(undeclared)[0]}'; it has"
            f" {', '.join(sorted(declared_parameters(source)))}"
        )
    given = {
        name: _as_declared(source.name, name, value, hint)
        for name, hint in declared_parameters(source).items()
        if (value := step.parameters.get(name)) is not None
    }
    with atomic(out / "notebooks" / step.target) as part:
        _papermill(source, part, given, out)


def declared_parameters(notebook: Path) -> dict[str, str]:
    """Names of the parameters that a notebook declares in its parameters cell, each with its
    type.
    """
    cells = json.loads(notebook.read_text())["cells"]
    lines = [
        line for c in cells if "parameters" in c["metadata"].get("tags", []) for line in c["source"]
    ]
    return {
        name.strip(): hint.strip()
        for name, _, hint in (line.split("=")[0].partition(":") for line in lines if "=" in line)
    }


def _as_declared(notebook: str, name: str, value: Value, hint: str) -> Value:
    """A value of the type that a notebook declares: a plain one, for papermill writes others as
    text.

    Raises
    ------
    InputError
        If it is of another type.
    """
    value = (
        value.item() if hasattr(value, "item") else str(value) if isinstance(value, Path) else value
    )
    kind = _TYPES[hint]
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise InputError(
            f"{notebook}: parameter {name}: {value!r} is of type {type(value).__name__}; give a"
            f" value of type {hint}"
        )
    return value


def _papermill(source: Path, target: Path, parameters: Mapping[str, Value], out: Path) -> None:
    import papermill
    import zmq
    from traitlets.config import Config

    # a kernel outlives a killed run by a second or so
    first = f"from bfo_utils.compute import join_run; join_run({str(out)!r})"
    kernel = Config(
        {
            # files of this user where the system has them, instead of open TCP ports
            "KernelManager": {"transport": "ipc" if zmq.has("ipc") else "tcp"},
            "NotebookClient": {"extra_arguments": [f"--IPKernelApp.exec_lines={first}"]},
        }
    )
    with warnings.catch_warnings(), own_jupyter(out):
        # of the execution machinery; what a notebook warns of is in its output
        warnings.simplefilter("ignore")
        try:
            papermill.execute_notebook(
                _literal(source),
                _literal(target),
                parameters=dict(parameters),
                kernel_name="python3",
                progress_bar=False,
                cwd=str(target.parent),
                config=kernel,
                coalesce_streams=True,
            )  # else what a cell prints falls into pieces by chance
        except papermill.PapermillExecutionError as error:
            if error.ename == "InputError":
                raise InputError(error.evalue) from error
            raise


def _literal(path: Path) -> str:
    """A path in which papermill finds nothing to fill in."""
    return str(path).replace("{", "{{").replace("}", "}}")


def render_book(out: Path) -> Path:
    """Lay out pages and executed notebooks, and build the HTML with warnings as errors.

    Parameters
    ----------
    out : Path
        Folder of the run, with ``notebooks``.

    Returns
    -------
    Path
        ``out/html/index.html``. An earlier ``out/html`` is replaced only if the build gives no
        warning.
    """
    stage = out / ".book"
    with writing(out / "html"):
        try:
            _build(out, stage)
            take_place(stage / "_build" / "html", out / "html")
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return out / "html" / "index.html"


def _build(out: Path, stage: Path) -> None:
    """Build the HTML in a folder of its own."""
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree(resource_path("book"), stage)
    shutil.copy(resource_path("_config.yml"), stage)
    shutil.copytree(out / "notebooks", stage, dirs_exist_ok=True)
    run = read_json(out / "run.json") if (out / "run.json").exists() else {}
    folders = _folders(out, run)
    for page in sorted(stage.rglob("*.ipynb")):
        notebook = json.loads(page.read_text("utf-8"))
        tuned = stage / "tuned" / page.name
        if page.parent.name == "default" and tuned.exists():
            notebook = with_tuned(notebook, json.loads(tuned.read_text("utf-8")), page.parent)
        if page.parent.name == "series" and not run.get("series"):  # no real images
            notebook = _simulated(notebook)
        notebook = with_install_cell(as_shown(notebook), page.stem, repository_url())
        notebook = with_captions(notebook, f"{page.parent.name}-{page.stem}")
        page.write_text(json.dumps(_without(notebook, folders)), "utf-8")
    _stand_in(stage / "search" / "06_vae", _NO_AUTOENCODERS)
    _open(stage, out / "artifacts")
    _sphinx(stage)


def _simulated(notebook: dict) -> dict:
    """A notebook whose title, and every caption in bold, say that the images are simulated."""
    title, *cells = notebook["cells"]
    first, *rest = title["source"]
    title = title | {"source": [first.replace("series", "series, simulated"), *rest]}
    said = [
        cell | {"source": re.sub(r"(\A|\n\n)\*\*(\w)", _in_bold, "".join(cell["source"]))}
        if cell["cell_type"] == "markdown"
        else cell
        for cell in cells
    ]
    return notebook | {"cells": [title, *said]}


def _in_bold(found: re.Match) -> str:
    return f"{found[1]}**Simulated: {found[2].lower()}"


def _folders(out: Path, run: dict) -> list[str]:
    """The folders of this machine that no page names: those of the run and of its image."""
    image = [Path(run["image"]).parent] if run.get("image") else []
    return [f"{folder}{os.sep}" for folder in (out / "artifacts", out, *image) if folder.name]


def _without(value, folders: list[str]):
    """A part of a notebook in which no text names one of the folders; pictures are left alone."""
    if isinstance(value, dict):
        return {k: v if "image/" in k else _without(v, folders) for k, v in value.items()}
    if isinstance(value, list):
        return [_without(item, folders) for item in value]
    if isinstance(value, str) and "base64," not in value:
        for folder in folders:
            value = value.replace(folder, "")
    return value


def _open(stage: Path, artifacts: Path) -> None:
    """Begin a book about an image with that image: its name, the verdict and the map."""
    result = read_json(artifacts / "result.json") if (artifacts / "result.json").exists() else None
    if not isinstance(result, dict) or not result["input"]["path"]:
        return
    shutil.copy(artifacts / "label_map.png", stage / "images")
    _only_of_the_image(stage)
    name = " ".join(result["input"]["name"].replace("`", "'").split())
    said = f"This book is about the image `{name}`. Verdict: **{result['verdict']}**."
    figure = (
        "```{figure} images/label_map.png\n:alt: The image with the map of its domains\n\n"
        "The image and the map of its domains.\n```"
    )
    intro = (stage / "intro.md").read_text("utf-8")
    before, rest = intro.split("```{figure} images/before_after.png")
    after = rest.split("```\n", 2)[2]  # and without the simulated wall
    text = f"{before}{said} See {{doc}}`the answer </report/09_report>`.\n\n{figure}{after}"
    if not (stage / "series").exists():
        text = re.sub(r"\| Composition .*\n", "", text)
    (stage / "intro.md").write_text(text, "utf-8")


def _only_of_the_image(stage: Path) -> None:
    """Leave out what a reader of a book about an image has no use for: the pages about the code,
    and chapters on simulated crystals that were not asked for, whose names stay where they are
    mentioned.
    """
    gone = [name for name in _SIMULATED if not (stage / f"{name}.ipynb").exists()]
    contents = stage / "_toc.yml"
    parts = contents.read_text("utf-8").split("  - caption: ")
    kept = "  - caption: ".join(p for p in parts if not p.startswith("For developers"))
    lines = kept.splitlines(keepends=True)
    kept = "".join(x for x in lines if x.split("file: ")[-1].strip() not in gone)
    contents.write_text(kept, "utf-8")
    for name in ("api.md", "dependability.md"):
        (stage / name).unlink()
    shutil.rmtree(stage / "api")
    for page in (*stage.rglob("*.md"), *stage.rglob("*.ipynb")):
        text = page.read_text("utf-8")
        for name in gone:
            link = rf"{{doc}}`(?:[^`<]*<)?/{name}>?`"
            text = re.sub(link, f"*{_title(name)}*", text)
        page.write_text(text, "utf-8")


def _title(chapter: str) -> str:
    """Title of a chapter of the book, such as ``search/06_vae``."""
    source = resource_path("notebooks") / f"{Path(chapter).name}.ipynb"
    first = json.loads(source.read_text("utf-8"))["cells"][0]["source"][0]
    return first.strip().lstrip("# ")


def _sphinx(stage: Path) -> None:
    """Let Jupyter Book make the pages of a folder."""
    command = [
        sys.executable,
        "-P",
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(stage),
        "-W",
        "--keep-going",
        "-q",
    ]
    with own_jupyter(stage), environment({"PYTHONWARNINGS": "ignore"}):
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    for number in (errno.ENOSPC, errno.EDQUOT):
        if done.returncode and os.strerror(number) in done.stdout + done.stderr:
            raise OSError(number, os.strerror(number))
    if done.returncode:
        raise RuntimeError(f"Jupyter Book failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


_INSTALL = """import sys

if "google.colab" in sys.modules:  # anywhere else this cell does nothing
    %pip install --quiet "bfo_utils[{extras}] @ git+{url}"
    from bfo_utils.book import catch_up

    catch_up("{chapter}")"""


def with_install_cell(notebook: dict, chapter: str, url: str) -> dict:
    """A notebook that installs the package on Colab, where there is an address to install from.

    Parameters
    ----------
    notebook : dict
        As read from the file.
    chapter : str
        Its name, such as ``"03_clustering"``.
    url : str
        Address of the repository; empty: the notebook stays as it is.

    Returns
    -------
    dict

    Examples
    --------
    >>> title = {"cell_type": "markdown", "metadata": {}, "source": ["# Title"]}
    >>> cells = with_install_cell({"cells": [title]}, "06_vae", "https://example.org/a")["cells"]
    >>> cells[1]["source"][3]
    '    %pip install --quiet "bfo_utils[book,vae] @ git+https://example.org/a"\\n'
    """
    if not url:
        return notebook
    extras = "book,vae" if chapter == "06_vae" else "book"
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "install",
        "metadata": {"tags": ["colab", "hide-input"]},
        "outputs": [],
        "source": _INSTALL.format(extras=extras, url=url, chapter=chapter).splitlines(True),
    }
    return notebook | {"cells": [*notebook["cells"][:1], cell, *notebook["cells"][1:]]}


def with_captions(notebook: dict, page: str) -> dict:
    """A notebook in which a paragraph in bold before a cell that draws is its figure's caption.

    Jupyter shows the paragraph above the code; the book shows the caption below the picture,
    numbered.

    Parameters
    ----------
    notebook : dict
        As read from the file.
    page : str
        Its name, with which the names of the figures begin.

    Returns
    -------
    dict

    Examples
    --------
    >>> text = {"cell_type": "markdown", "source": ["Text.\\n", "\\n", "**A map.** Of labels."]}
    >>> draws = {"cell_type": "code", "metadata": {}, "outputs": [{"data": {"image/png": ""}}]}
    >>> text, draws = with_captions({"cells": [text, draws]}, "03_clustering")["cells"]
    >>> text["source"], draws["metadata"]["mystnb"]["figure"]
    ('Text.', {'caption': '**A map.** Of labels.', 'name': '03_clustering-0'})
    """
    cells = list(notebook["cells"])
    for k, (before, cell) in enumerate(pairwise(notebook["cells"])):
        *rest, last = "".join(before["source"]).rstrip().split("\n\n")
        if before["cell_type"] == "markdown" and last.startswith("**") and _draws(cell):
            figure = {"caption": last, "name": f"{page}-{k}"}
            options = cell["metadata"].get("mystnb", {}) | {"figure": figure}
            cells[k] = before | {"source": "\n\n".join(rest)}
            cells[k + 1] = cell | {"metadata": cell["metadata"] | {"mystnb": options}}
    return notebook | {"cells": cells}


def _draws(cell: dict) -> bool:
    """Whether a picture is among the outputs, or HTML in which one of `bfo_utils.report` stands."""
    shown = [output.get("data", {}) for output in cell.get("outputs", ())]
    return any(
        "image/png" in data or 'class="bfo-stage"' in "".join(data.get("text/html", ()))
        for data in shown
    )


def _stand_in(chapter: Path, text: str) -> None:
    """A page in the place of a chapter that this run left out, under the same title."""
    if not chapter.with_suffix(".ipynb").exists():
        chapter.parent.mkdir(exist_ok=True)
        said = f"# {_title(chapter.name)}\n\n{text.format(vae=install_command('vae'))}"
        chapter.with_suffix(".md").write_text(said, "utf-8")
